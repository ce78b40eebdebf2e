#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# memory.sh [KERNEL]: run selftests/goheap_memory.sh at full length in a guest
# with three CPUs and print what goheap and the kernel's slabs held, by what was asked for:
# kmalloc(), or for the rows object_SIZE, kmem_cache and an object cache.
# The table is kept as build/bench/memory-KERNEL.txt, every number as .json, the
# guest's console as .log.
#
# KERNEL is uml if left out. The numbers of others are worth as much: they are
# bytes, not times.

. "$(dirname "$0")/../lib.sh"

kernel=${1:-uml}
out=$TOP/build/bench/memory-$kernel
mkdir -p "$TOP/build/bench"
built=$("$TOP/tools/guest/build.sh" "$kernel")
source=$("$TOP/tools/guest/kernel.sh" source)

guest=$(mktemp -d)
trap 'rm -rf "$guest"' EXIT
make -s -C "$TOP/selftests" "KSRC=$source" "INSTALL_PATH=$guest/selftests" install >/dev/null
mkdir "$guest/modules"
cp "$built"/goheap.ko "$built"/selftests/modules/goheap_memory.ko "$guest/modules/"
cat >"$guest/run.sh" <<'GUEST'
dmesg -n 1
FULL=1 MODULES=/modules sh /selftests/goheap_memory.sh
GUEST

say "measuring for a minute or so"
verdict=0
"$TOP/tools/guest/boot.sh" "$kernel" "$guest" --smp 3 --timeout 400 --log "$out.log" \
	>/dev/null || verdict=1
grep -q '^# Totals:' "$out.log" ||
	{ tail -n 20 "$out.log" >&2; die "the guest did not get to the end; its console is $out.log"; }

# objects WORD: the lines of numbers that begin with WORD, as a JSON array.
objects() {
	sed -n "/^# $1[ =]/s/^# //p" "$out.log" | awk '
	{
		separator = NR == 1 ? "\n    {" : ",\n    {"
		for (i = 1; i <= NF; i++) {
			at = index($i, "=")
			if (!at)
				continue
			value = substr($i, at + 1)
			if (value !~ /^[0-9]+([.][0-9]+)?$/)
				value = "\"" value "\""
			printf "%s\"%s\": %s", separator, substr($i, 1, at - 1), value
			separator = ", "
		}
		printf "}"
	}'
}

{
	separator='{'
	for word in kernel row bound idle insmod; do
		printf '%s\n  "%s": [%s\n  ]' "$separator" $word "$(objects $word)"
		separator=,
	done
	printf '\n}\n'
} >"$out.json"

awk '
function part(bytes) { return v["spans"] == "" ? "-" : sprintf("%.3f", bytes / v["asked"]) }
/^# (kernel|row|bound|idle|insmod)[ =]/ {
	delete v
	for (i = 2; i <= NF; i++) {
		split($i, pair, "=")
		v[pair[1]] = pair[2]
	}
}
/^# kernel=/ {
	print $0
	print "# what is held, by what was asked for; right of goheap: its parts, but for the objects"
}
/^# row=/ {
	row = v["row"]
	if (!(row in seen)) {
		seen[row] = 1
		rows[++nr] = row
	}
	asked[row] = v["asked"]
	held[row, v["alloc"]] = sprintf("%.3f", v["held"] / v["asked"])
	if (v["alloc"] != "goheap")
		next
	parts[row] = sprintf("%8s %8s %8s %8s %8s", part(v["idle"]),
			     part(v["spans"] - v["free"] - v["tails"] - v["asked"]),
			     part(v["free"]), part(v["tails"]), part(v["metadata"]))
}
/^# bound / { bound[v["row"]] = v["ratio"] " <= " v["max"] " of " v["of"] }
/^# idle / {
	rest = rest sprintf("# %d s after all was freed goheap held %d bytes for each CPU\n",
			    v["seconds"], v["per_cpu"])
}
/^# insmod / { rest = rest sprintf("# insmod took %.1f ms\n", v["us"] / 1000) }
END {
	printf "%-11s %6s %8s %8s %8s %8s %8s %8s %8s  %s\n", "#row", "KiB", "slab", "goheap",
		"idle", "rounding", "free", "tails", "metadata", "bound"
	for (i = 1; i <= nr; i++) {
		row = rows[i]
		printf "%-11s %6d %8s %8s %s  %s\n", row, asked[row] / 1024, held[row, row ~ /^object/ ? "kmem_cache" : "kmalloc"],
			held[row, "goheap"], parts[row], row in bound ? bound[row] : "-"
	}
	printf "%s", rest
}' "$out.log" | tee "$out.txt"
exit $verdict
