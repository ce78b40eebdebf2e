#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every debugfs file can be read by a machine, and the numbers agree.

. "$(dirname "$0")/lib.sh"

# A header that begins with '#' and names the columns, then records of as many.
is_table() {
	awk 'NR == 1 { if (!/^#/) exit 1; sub(/^# */, ""); columns = NF; next }
	/^#/ || NF != columns { print "# " FILENAME " line " NR ": " $0; bad = 1 }
	END { exit bad || NR < 1 || columns < 2 }' "$1"
}

all_are_tables() {
	find $DEBUGFS -type f ! -name trim >/tmp/files
	while read -r file; do
		is_table "$file" || return
	done </tmp/files
	[ "$(wc -l </tmp/files)" -ge 10 ]
}

layout_is_complete() {
	for file in size_classes stats spans occupancy arenas percpu trim validate \
		heaps/kv/stats heaps/kv/spans heaps/kv/occupancy heaps/kv/percpu; do
		[ -e "$DEBUGFS/$file" ] || { ktap_print_msg "no $file"; return 1; }
	done
}

only_root_reads() {
	[ -z "$(find $DEBUGFS -type f -perm +077)" ]
}

has_67_classes() {
	[ "$(grep -vc '^#' $DEBUGFS/size_classes)" = 67 ]
}

every_class_divides_its_span() {
	awk 'NR > 1 && ($2 * $4 > $3 || $2 * ($4 + 1) <= $3) { print "# " $0; bad = 1 }
	END { exit bad }' $DEBUGFS/size_classes
}

# spans_agree DIR: what spans lists is what stats counts.
spans_agree() {
	awk 'FNR == 1 { file++ }
	file == 1 { v[$1] = $2; next }
	FNR == 1 { sub(/^# */, ""); for (i = 1; i <= NF; i++) column[$i] = i; next }
	{
		large = $column["state"] == "large"
		bytes[large] += $column["bytes"]
		count[large]++
		free += large * $column["free"] * $column["bytes"]
		pending += large * $column["pending"] * $column["bytes"]
		if ($column["pages"] * 8192 != $column["bytes"] ||
		    $column["live"] + $column["free"] + $column["pending"] != $column["objects"]) {
			print "# " $0
			bad = 1
		}
	}
	END {
		small = "small_bytes" in v ? v["small_bytes"] : \
			v["held_bytes"] - v["large_bytes"] - v["stock_bytes"]
		print "# small " bytes[0] + 0 " of " small ", large " bytes[1] + 0 " of " v["large_bytes"]
		exit bad || bytes[0] + 0 != small || bytes[1] + 0 != v["large_bytes"] ||
			count[0] + 0 != v["small_spans"] || count[1] + 0 != v["large_spans"] ||
			free != v["large_free_bytes"] || pending != v["large_pending_bytes"]
	}' "$1/stats" "$1/spans"
}

start 14
load goheap_sample
kv fill 3000
ktap_test_result "layout_is_complete" layout_is_complete
ktap_test_result "only_root_reads" only_root_reads
ktap_test_result "all_are_tables" all_are_tables
ktap_test_result "has_67_classes" has_67_classes
ktap_test_result "every_class_divides_its_span" every_class_divides_its_span
ktap_test_result "stats_add_up" eventually stats_add_up
ktap_test_result "heap_stats_add_up" eventually stats_add_up $DEBUGFS/heaps/kv/stats
ktap_test_result "spans_agree_with_stats" eventually spans_agree $DEBUGFS
ktap_test_result "heap_spans_agree_with_stats" eventually spans_agree $DEBUGFS/heaps/kv
kv clear
sleep 1
ktap_test_result "all_are_tables_when_empty" all_are_tables
ktap_test_result "stats_add_up_when_empty" eventually stats_add_up
rmmod goheap_sample
ktap_test_result "heap_directory_goes" test ! -e $DEBUGFS/heaps/kv
ktap_test_result "spans_agree_without_users" eventually spans_agree $DEBUGFS
ktap_test_result "log_is_clean" log_is_clean
finish
