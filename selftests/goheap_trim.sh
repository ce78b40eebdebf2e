#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Writing to trim gives idle memory back to the kernel.

. "$(dirname "$0")/lib.sh"

N=20000		# entries, some 10 MiB

grows() {
	kv fill $N && [ "$(stat_of held_bytes)" -gt $((N * 400)) ]
}

live_data_stays() {
	echo 1 >$DEBUGFS/trim && kv get k1000 && [ -n "$(cat $KV/value)" ] && stats_add_up
}

# After a grace period or two the deleted entries are free, and trim finds them.
little_is_held() {
	echo 1 >$DEBUGFS/trim && [ "$(stat_of held_bytes)" -lt $((N * 40)) ]
}

returns_memory() {
	kv clear || return
	eventually little_is_held
	ktap_print_msg "held $(stat_of held_bytes), idle $(stat_of idle_bytes)," \
		"returned $(stat_of released_bytes)"
	[ "$(stat_of held_bytes)" -lt $((N * 40)) ] && [ "$(stat_of idle_bytes)" -lt 65536 ] &&
		[ "$(stat_of released_bytes)" -gt "$returned" ]
}

reaches_the_kernel() {
	[ $((($(free_pages) - low) * $(page_size))) -gt $((N * 300)) ]
}

start 6
load goheap_sample
ktap_test_result "grows" grows
returned=$(stat_of released_bytes)
low=$(free_pages)
ktap_test_result "live_data_stays" live_data_stays
ktap_test_result "returns_memory" returns_memory
ktap_test_result "reaches_the_kernel" reaches_the_kernel
ktap_test_result "usable_afterwards" kv fill 100
ktap_test_result "log_is_clean" log_is_clean
finish
