#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Two modules use goheap at the same time, and somebody reads debugfs meanwhile.

. "$(dirname "$0")/lib.sh"

OPS=${OPS:-150000}

round() {
	kv fill 300 && kv clear && cat $DEBUGFS/* $DEBUGFS/heaps/*/* >/dev/null 2>&1
	kv set a b
}

together() {
	beside_stress round || return
	ktap_print_msg "$rounds rounds of the sample beside the stress test"
	[ $rounds -gt 0 ]
}

sample_still_works() {
	kv set name value && kv get name && [ "$(cat $KV/value)" = value ]
}

start 6
load goheap_sample
ktap_test_result "stress_beside_the_sample" together
ktap_test_result "stress_says_so" stress_says_so
ktap_test_result "sample_still_works" sample_still_works
ktap_test_result "stats_add_up" stats_add_up
ktap_test_result "either_can_go_first" rmmod goheap_stress
ktap_test_result "log_is_clean" log_is_clean
finish
