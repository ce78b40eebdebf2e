#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scale.sh [KERNEL [CPUS...]]: run goheap_scale in emulated guests with 1, 2,
# 4 ... 64 CPUs and print, for each number of CPUs, how many instructions an
# operation takes, and how often goheap takes a lock: the default heap, a private heap and an
# object cache. KERNEL is 6.12 if left out; our own kernels have no more than 8 CPUs. The table
# is kept in build/bench/scale-KERNEL.txt.

. "$(dirname "$0")/../lib.sh"

OPS=10000		# on each CPU

kernel=${1:-6.12}
shift $(($# > 0))
[ $# -gt 0 ] || set -- 1 2 4 8 16 32 64
[ "$kernel" != uml ] || die "User Mode Linux cannot count instructions: give an x86-64 kernel"

out=$TOP/build/bench/scale-$kernel
mkdir -p "$TOP/build/bench"
rm -f "$out".*
built=$("$TOP/tools/guest/build.sh" "$kernel")

guest=$(mktemp -d)
trap 'rm -rf "$guest"' EXIT
cp "$built/goheap.ko" "$built/selftests/modules/goheap_scale.ko" "$guest/"
cat >"$guest/run.sh" <<GUEST
P=/sys/module/goheap_scale/parameters
locks() { awk '/_locks / { printf "%d ", \$2 }' /sys/kernel/debug/goheap/stats; }
dmesg -n 1
insmod /goheap.ko || exit 1
for work in own replace handover; do
	for with in none kmalloc goheap heap object; do
		insmod /goheap_scale.ko workload=\$work with=\$with ops=$OPS || exit 1
		before=\$(locks)
		echo 1 >\$P/go || exit 1
		echo "SCALE \$(nproc) \$(ls -d /sys/devices/system/node/node* | wc -l) \$work \$with" \
			"\$(cat \$P/insns) \$before \$(locks)"
		rmmod goheap_scale
	done
done
GUEST

for cpus; do
	nodes=$((cpus < 4 ? 1 : cpus < 16 ? 2 : cpus / 8))
	say "$cpus CPUs on $nodes nodes"
	"$TOP/tools/guest/boot.sh" "$kernel" "$guest" --icount --smp "$cpus" --nodes $nodes --mem 4G \
		--append init_on_alloc=0 --timeout 1500 --log "$out.$cpus" >/dev/null ||
		die "the guest with $cpus CPUs failed; its console, $out.$cpus, tells where"
	n=$(grep -c "^SCALE $cpus $nodes " "$out.$cpus") || :
	[ "$n" = 15 ] || die "$n of 15 results for $cpus CPUs; the console is $out.$cpus"
done

for cpus; do cat "$out.$cpus"; done | awk -v ops=$OPS '
/^SCALE / {
	all = ops * $2
	cost[$5] = $6 / all
	central[$5] = ($9 - $7) * 1e6 / all
	page_heap[$5] = ($10 - $8) * 1e6 / all
	if ($5 != "object")
		next
	if (!(rows[$4]++))
		order[++nr] = $4
	text[$4] = text[$4] sprintf("%-9s %4d %5d", $4, $2, $3)
	for (i = 1; i <= 4; i++)
		text[$4] = text[$4] sprintf(" %8.1f", cost[ways[i]] - cost["none"])
	text[$4] = text[$4] sprintf(" %8.1f", cost["none"])
	for (i = 1; i <= 3; i++)
		text[$4] = text[$4] sprintf(" %6.0f %6.0f", central[ways[i]], page_heap[ways[i]])
	text[$4] = text[$4] "\n"
}
BEGIN { split("goheap heap object kmalloc", ways) }
END {
	print "# instructions per operation, the loop taken off: goheap, a private heap, an object cache"
	print "# (64 bytes always, where the others have mixed sizes in replace and handover), kmalloc;"
	print "# then how often each of the three took a central lock and one of the page heap in a"
	print "# million operations"
	printf "%-9s %4s %5s %8s %8s %8s %8s %8s %13s %13s %13s\n", "#workload", "CPUs", "nodes",
		"goheap", "heap", "object", "kmalloc", "(loop)", "goheap", "heap", "object"
	for (i = 1; i <= nr; i++)
		printf "%s", text[order[i]]
}' | tee "$out.txt"
