#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Memory that goheap uses cannot go offline, and the kernel is told so at once; goheap
# is not in the way of any other.

. "$(dirname "$0")/lib.sh"

MEMORY=/sys/devices/system/memory
PATIENCE=20		# seconds; refusing takes none, and without it the kernel tries for ever
CONTROL=/sys/kernel/debug/dynamic_debug/control

# offline BLOCK: how it ended is in $said.
offline() {
	timeout $PATIENCE sh -c "echo offline >$MEMORY/memory$1/state" 2>/tmp/said
	rc=$?
	said=$(cat /tmp/said)
	[ $rc -lt 124 ] || said="no answer within $PATIENCE s"
	return $rc
}

blocks_of_ours() {
	size=$(($(printf '%d' 0x"$(cat $MEMORY/block_size_bytes)")))
	log_since | sed -n 's/.*goheap_pressure: object at //p' | while read -r addr; do
		echo $((addr / size))
	done | sort -n | uniq
}

holds_memory() {
	log_mark
	load goheap_pressure test=hold mib="$MIB" || return
	ours=$(blocks_of_ours)
	ktap_print_msg "blocks of ours:" $ours
	[ -n "$ours" ]
}

# Holes and other people's pages keep blocks as well, and are looked for first. One at
# least has to be refused by us.
refused_at_once() {
	[ ! -e $CONTROL ] || echo 'func offline_pages +p' >$CONTROL
	log_mark
	for block in $ours; do
		! offline "$block" || said="it went"
		ktap_print_msg "block $block: ${said##*: }"
		case $said in "it went"|"no answer"*) return 1 ;; esac
	done
	[ -e $CONTROL ] || return 0
	ktap_print_msg "$(log_since | grep -c 'failed due to notifier failure') refused by a notifier"
	log_since | grep -q 'failed due to notifier failure'
}

# others COMMAND: blocks without an object of ours.
others_go() {
	gone=
	for dir in $MEMORY/memory[0-9]*; do
		block=${dir##*memory}
		! echo "$ours" | grep -qx "$block" || continue
		! offline "$block" || gone="$gone $block"
	done
	ktap_print_msg "gone offline:" $gone
	for block in $gone; do
		echo online >$MEMORY/memory"$block"/state || return
	done
	[ -n "$gone" ]
}

after_that() {
	rmmod goheap_pressure && echo 1 >$DEBUGFS/trim && grep -qx 'heap ok' $DEBUGFS/validate
}

[ -e $MEMORY/block_size_bytes ] && grep -qs 1 $MEMORY/memory*/removable ||
	skip_all "this kernel cannot take memory offline"
start 5
MIB=$(($(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo) / 2048))
ktap_test_result "holds_memory" holds_memory
ktap_test_result "refused_at_once" refused_at_once
ktap_test_result "others_go" others_go
ktap_test_result "heap_is_valid" after_that
ktap_test_result "log_is_clean" log_is_clean
finish
