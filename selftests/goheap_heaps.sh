#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Many heaps: what an empty one costs, and that ten thousand can be made and destroyed.
#
# COUNT heaps, of which some are used (default 300: the lane heaps-6.12 has 10000).

. "$(dirname "$0")/lib.sh"

COUNT=${COUNT:-300}
cpus=$(cat /sys/devices/system/cpu/possible)
cpus=$((${cpus##*-} + 1))
nodes=$(cat /sys/devices/system/node/possible 2>/dev/null || echo 0)
nodes=$((${nodes##*-} + 1))

heap_cost() {
	echo $((($(stat_of metadata_bytes) - $1) / COUNT))
}

all_kinds_go() {
	log_mark
	load goheap_heaps count="$COUNT" use=3 || return
	log_since | sed -n 's/.*goheap_heaps: /# /p'
	[ "$(log_since | grep -c 'goheap_heaps: kind=')" = 3 ] && rmmod goheap_heaps
}

# A kibibyte for each CPU and node, and for the heap itself.
empty_heap_is_light() {
	before=$(stat_of metadata_bytes)
	percpu_before=$(percpu_kib)
	load goheap_heaps count="$COUNT" use=0 hold=1 || return
	cost=$(heap_cost "$before")
	ktap_print_msg "an empty heap: $cost bytes on $cpus CPUs and $nodes nodes," \
		"$COUNT have $(($(percpu_kib) - percpu_before)) KiB of per-CPU memory"
	[ "$cost" -le $(((cpus + nodes) * 1024)) ]
}

heaps_are_shown() {
	[ -e $DEBUGFS/heaps/heaps-$((COUNT - 1))/stats ] &&
		[ "$(stat_of held_bytes $DEBUGFS/heaps/heaps-0/stats)" = 0 ]
}

trim_works_with_many() {
	echo 1 >$DEBUGFS/trim && grep -qx 'heap ok' $DEBUGFS/validate
}

percpu_kib() {
	awk '$1 == "Percpu:" { print $2 }' /proc/meminfo
}

# The memory of heaps that are gone is in no statistics of goheap any more. The kernel takes
# whole pages for per-CPU memory, and keeps a few.
nothing_is_left() {
	[ "$(find $DEBUGFS/heaps -name 'heaps-*' | wc -l)" = 0 ] &&
		[ "$(stat_of metadata_bytes)" -le $((before + 65536)) ] &&
		[ $(($(percpu_kib) - percpu_before)) -le $((COUNT * cpus / 4)) ]
}

heap_is_ok() {
	grep -qx 'heap ok' $DEBUGFS/validate
}

start 6
ktap_test_result "all_kinds_go" all_kinds_go
ktap_test_result "empty_heap_is_light" empty_heap_is_light
ktap_test_result "heaps_are_shown" heaps_are_shown
ktap_test_result "trim_works_with_many" trim_works_with_many
rmmod goheap_heaps
ktap_test_result "nothing_is_left" eventually nothing_is_left
ktap_test_result "heap_is_ok" heap_is_ok
finish
