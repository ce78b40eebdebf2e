#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Memory that goheap uses cannot go offline, and the kernel is told so at once; goheap
# is not in the way of any other.

. "$(dirname "$0")/lib.sh"

MEMORY=/sys/devices/system/memory
PATIENCE=60		# seconds; refusing takes none, and without it the kernel tries for ever
CONTROL=/sys/kernel/debug/dynamic_debug/control
FOR_US='refcount:-10737418\|failed due to notifier failure'

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

# Holes and other people's pages keep blocks as well. One at least has to be refused for
# the sake of a page of ours: the kernel dumps it, and nobody else's has such a count. Or
# by our notifier, if the kernel takes the pages for nobody's.
refused_at_once() {
	[ ! -e $CONTROL ] || echo 'func offline_pages +p' >$CONTROL
	log_mark
	for block in $ours; do
		! offline "$block" || said="it went"
		ktap_print_msg "block $block: ${said##*: }"
		case $said in "it went"|"no answer"*) return 1 ;; esac
	done
	ktap_print_msg "$(log_since | grep -c "$FOR_US") refused because of us"
	log_since | grep -q "$FOR_US"
}

# Memory that kernels put nothing into that cannot move: such a block goes for sure.
is_movable() {
	grep -qs '^Movable' $MEMORY/memory"$1"/valid_zones
}

# Blocks without an object of ours, those first that go for sure.
others() {
	for dir in $MEMORY/memory[0-9]*; do
		block=${dir##*memory}
		! echo "$ours" | grep -qx "$block" || continue
		is_movable "$block" && echo "1 $block" || echo "2 $block"
	done | sort -n | cut -d ' ' -f 2
}

# One is enough. Even a movable page may be in use for a moment.
others_go() {
	for block in $others; do
		offline "$block" || continue
		gone=$block
		ktap_print_msg "gone offline: $block"
		echo online >$MEMORY/memory"$block"/state
		return
	done
	return 1
}

we_are_in_the_way() {
	log_since | grep "$FOR_US" | sed 's/^/# /' | grep .
}

# Whoever refuses any of them, it must not be us. If none goes that says nothing about goheap.
test_others() {
	log_mark
	echo 1 >$DEBUGFS/trim
	others=$(others) gone= tries=0
	until others_go || [ -n "$gone" ] || we_are_in_the_way || [ $tries = 10 ]; do
		tries=$((tries + 1))
		sleep 2
	done
	if we_are_in_the_way; then
		ktap_test_fail "others_go"
	elif [ -n "$gone" ]; then
		ktap_test_result "others_go" grep -qx online $MEMORY/memory"$gone"/state
	else
		skip "others_go" "no block would go, and goheap was not asked"
	fi
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
test_others
ktap_test_result "heap_is_valid" after_that
ktap_test_result "log_is_clean" log_is_clean
finish
