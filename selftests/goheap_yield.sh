#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Beside a loop of allocations that may sleep another thread gets its turns, also where
# nobody takes the CPU from a task in the kernel (preempt=voluntary and none).

. "$(dirname "$0")/lib.sh"

MODE=/sys/kernel/debug/sched/preempt

# beside LOOP: 4 if this kernel cannot be asked to.
beside() {
	log_mark
	out=$(insmod "$MODULES/goheap_yield.ko" loop="$1" 2>&1)
	rc=$?
	log_since | sed -n 's/.*goheap_yield: /# /p'
	! grep -q '^goheap_yield ' /proc/modules || rmmod goheap_yield || return
	case $out in
	*"not supported"*) return 4 ;;
	esac
	[ $rc = 0 ] && log_is_clean
}

start 5
[ ! -r $MODE ] || ktap_print_msg "preempt: $(cat $MODE)"
for loop in pair zero tiny large many; do
	beside $loop
	case $? in
	0) ktap_test_pass "turns_beside_$loop" ;;
	4) skip "turns_beside_$loop" "the kernel takes no CPU away between refills" ;;
	*) ktap_test_fail "turns_beside_$loop" ;;
	esac
done
finish
