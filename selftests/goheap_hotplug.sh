#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# CPUs go and come back while objects move between them: what a dead CPU owned is
# taken over whole, and once.

. "$(dirname "$0")/lib.sh"

OPS=${OPS:-200000}
CPU=/sys/devices/system/cpu/cpu1

cycle() {
	echo 0 >$CPU/online && echo 1 >$CPU/online
}

cycles_under_load() {
	beside_stress cycle || return
	ktap_print_msg "$rounds times offline and online"
	[ $rounds -ge 3 ]
}

heap_is_valid() {
	sleep 1
	grep -qx 'heap ok' $DEBUGFS/validate
}

# Nothing in a dead CPU's cache, and nothing that is still its own.
dead_cpu_has_nothing() {
	kv fill 500 && kv clear && echo 0 >$CPU/online || return
	! awk '$5 == "cpu" && $6 == 1' $DEBUGFS/spans | grep . && echo 1 >$CPU/online
}

start 5
[ -e $CPU/online ] || ktap_skip_all "CPU 1 cannot go offline"
ktap_test_result "cycles_under_load" cycles_under_load
ktap_test_result "stress_says_so" stress_says_so
ktap_test_result "heap_is_valid" heap_is_valid
load goheap_sample
ktap_test_result "dead_cpu_has_nothing" dead_cpu_has_nothing
ktap_test_result "log_is_clean" log_is_clean
finish
