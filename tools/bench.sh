#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# bench.sh [KERNEL] [PARAM=VALUE...]: run goheap_bench in a guest with two CPUs
# and print its medians as a table, in ns per object allocated and freed. The
# table is kept in build/bench/results.txt, the guest's console beside it.
#
# KERNEL is uml if left out: native speed and two CPUs that really run at a time.
# What emulated kernels say about speed means nothing; they only show that the
# benchmark runs there. PARAM=VALUE goes to the module: patterns=pair,cross
# runs=15 scale=10.

. "$(dirname "$0")/lib.sh"

kernel=uml
case ${1:-} in
''|*=*) ;;
*) kernel=$1; shift ;;
esac

out=$TOP/build/bench
mkdir -p "$out"
built=$("$TOP/tools/build.sh" "$kernel")

guest=$(mktemp -d)
trap 'rm -rf "$guest"' EXIT
cp "$built/goheap.ko" "$built/selftests/modules/goheap_bench.ko" "$guest/"
cat >"$guest/run.sh" <<GUEST
insmod /goheap.ko && insmod /goheap_bench.ko $*
GUEST

read -r load _ </proc/loadavg
say "measuring; best leave the machine alone until it is done (load now: $load)"
"$TOP/tools/boot.sh" "$kernel" "$guest" --smp 2 --mem 1G --timeout 900 \
	--append loglevel=7 --log "$out/console.txt" >/dev/null ||
	{ tail -n 20 "$out/console.txt" >&2; die "the benchmark did not run to its end; its console is $out/console.txt"; }
grep -q 'goheap_bench: done' "$out/console.txt" ||
	die "the benchmark was not loaded; its console is $out/console.txt"

sed -n 's/.*goheap_bench: //p' "$out/console.txt" | awk -v load="$load" '
function get(key,	i) {
	for (i = 1; i <= NF; i++)
		if (index($i, key "=") == 1)
			return substr($i, length(key) + 2)
	return ""
}
function or_dash(s) { return s == "" ? "-" : s }
/^kernel=/ {
	print "# " $0 " load=" load
	print "# medians, ns per object allocated and freed; ratio: kmalloc / goheap"
	next
}
/ scaling=/ {
	scaling = scaling sprintf("# two CPUs do %s times the work of one with %s\n",
				  get("scaling"), get("alloc"))
	next
}
/^pattern=/ {
	row = sprintf("%-8s %8s %6s %-9s", get("pattern"), get("size"), get("live"), get("order"))
	if (!(row in seen)) {
		seen[row] = 1
		rows[++nr] = row
	}
	if (get("skipped") != "")
		skipped[row] = get("skipped")
	med[row, get("alloc")] = get("med")
	if (get("ratio") != "")
		ratio[row] = get("ratio")
	if (get("nulls") != "")
		nulls[row] = nulls[row] "  (" get("nulls") " failed: " get("alloc") ")"
}
END {
	printf "%-8s %8s %6s %-9s %9s %9s %10s %7s\n", "#pattern", "size", "live", "order",
		"goheap", "kmalloc", "kmem_cache", "ratio"
	for (i = 1; i <= nr; i++) {
		row = rows[i]
		if (row in skipped) {
			print row "  skipped: " skipped[row]
			continue
		}
		printf "%s %9s %9s %10s %7s%s\n", row, or_dash(med[row, "goheap"]),
			or_dash(med[row, "kmalloc"]), or_dash(med[row, "kmem_cache"]),
			or_dash(ratio[row]), nulls[row]
	}
	printf "%s", scaling
}' | tee "$out/results.txt"
