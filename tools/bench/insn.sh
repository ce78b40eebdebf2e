#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# insn.sh [KERNEL] [--update]: run goheap_insn in an emulated guest whose
# clock counts instructions, and print how many each allocator takes for an
# allocation and its free. The counts do not depend on how busy or how fast
# the machine is. KERNEL is 6.12 if left out. $GOHEAP goes to goheap.ko (random=1, say).
#
# build/bench/insn-KERNEL.json has the table for programs, insn-KERNEL.counts goheap's
# counts one a line, insn-KERNEL.txt the console. --update makes those counts the ones
# that the lane "insn" of tools/testing/check.sh demands; KERNEL is base then.

. "$(dirname "$0")/../lib.sh"

kernel=6.12 update=""
for arg; do
	case $arg in
	--update) update=1 ;;
	-*) die "insn.sh has no option '$arg': there is --update" ;;
	*) kernel=$arg ;;
	esac
done
[ -z "$update" ] || [ "$kernel" = base ] ||
	die "the golden file is for the base kernel: run tools/bench/insn.sh base --update"
[ "$kernel" != uml ] || die "User Mode Linux cannot count instructions: give an x86-64 kernel"

out=$TOP/build/bench/insn-$kernel
mkdir -p "$TOP/build/bench"
built=$("$TOP/tools/guest/build.sh" "$kernel")

guest=$(mktemp -d)
trap 'rm -rf "$guest"' EXIT
cp "$built/goheap.ko" "$built/selftests/modules/goheap_insn.ko" "$guest/"
echo "insmod /goheap.ko ${GOHEAP:-} && insmod /goheap_insn.ko && rmmod goheap_insn goheap" \
	>"$guest/run.sh"

"$TOP/tools/guest/boot.sh" "$kernel" "$guest" --icount --smp 1 \
	--append "loglevel=7 init_on_alloc=0" --timeout 900 --log "$out.txt" >/dev/null ||
	{ tail -n 20 "$out.txt" >&2; die "the guest did not come to its end; its console is $out.txt"; }
grep -q 'goheap_insn: done' "$out.txt" ||
	die "the counting did not come to its end; its console is $out.txt"

sed -n 's/.*goheap_insn: //p' "$out.txt" | awk -v json="$out.json" -v counts="$out.counts" \
	-v compiler="$(gcc --version | head -n 1)" '
function get(key,	i) {
	for (i = 1; i <= NF; i++)
		if (index($i, key "=") == 1)
			return substr($i, length(key) + 2)
	return ""
}
function or_dash(s) { return s == "" ? "-" : s }
function times(a, b) { return a == "" || b == "" ? "-" : sprintf("%.2f", a / b) }
function or_null(s) { return s == "" ? "null" : s }
/^kernel=/ {
	print "# " $0
	print "# instructions per object allocated and freed; ratio: kmalloc / goheap"
	printf "{\"kernel\": \"%s\", \"compiler\": \"%s\", \"rows\": [", get("kernel"), compiler >json
	print "# " compiler >counts
}
/^op=/ {
	row = sprintf("%-8s %6s %6s %-9s", get("op"), get("size"), get("live"), get("order"))
	if (!(row in name)) {
		rows[++nr] = row
		name[row] = get("op") "-" get("size") "-" get("live") "-" get("order")
		keys[row] = sprintf("\"op\": \"%s\", \"size\": %s, \"live\": %s, \"order\": \"%s\"",
			get("op"), get("size"), get("live"), get("order"))
	}
	insn[row, get("with")] = get("insn")
	if (get("with") == "goheap") {
		alloc[row] = get("alloc")
		free[row] = get("free")
	}
}
END {
	printf "%-8s %6s %6s %-9s %8s %8s %8s %10s %7s %7s\n", "#op", "size", "live", "order",
		"goheap", "(alloc", "free)", "kmalloc", "cache", "ratio"
	for (i = 1; i <= nr; i++) {
		row = rows[i]
		printf "%s %8s %8s %8s %10s %7s %7s\n", row, insn[row, "goheap"], alloc[row],
			free[row], or_dash(insn[row, "kmalloc"]),
			or_dash(insn[row, "kmem_cache"]),
			times(insn[row, "kmalloc"], insn[row, "goheap"])
		printf "%s\n  {%s, \"goheap\": %s, \"goheap_alloc\": %s, \"goheap_free\": %s", \
			(i == 1 ? "" : ","), keys[row], insn[row, "goheap"], alloc[row],
			free[row] >json
		printf ", \"kmalloc\": %s, \"kmem_cache\": %s}", or_null(insn[row, "kmalloc"]),
			or_null(insn[row, "kmem_cache"]) >json
		print name[row], insn[row, "goheap"] >counts
		if (name[row] == "pair-64-16-in-order") {
			print "alloc-64", alloc[row] >counts
			print "free-64", free[row] >counts
		}
	}
	printf "\n]}\n" >json
}'

if [ -n "$update" ]; then
	{
		echo "# SPDX-License-Identifier: GPL-2.0"
		echo "# Instructions of goheap on the base kernel, written by insn.sh base --update and"
		echo "# compared by the lane insn. Only this compiler makes these counts:"
		cat "$out.counts"
	} >"$TOP/tools/bench/insn.golden"
	say "insn.golden is written: look at git diff, and say in the commit why counts changed"
fi
