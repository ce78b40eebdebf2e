#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loading and unloading, with use in between, loses no page.

. "$(dirname "$0")/lib.sh"

ROUNDS=100
SLACK=50	# pages; losing one in every round would be twice that

round() {
	load goheap && load goheap_sample && kv fill 50 && unload
}

rounds() {
	i=0
	while [ $i -lt "$1" ]; do
		round || return
		i=$((i + 1))
	done
}

refuses_to_go() {
	unload && load goheap && load goheap_sample || return
	! rmmod goheap 2>/dev/null && grep -q '^goheap ' /proc/modules && kv fill 10
}

leaves_nothing() {
	unload && [ ! -e $DEBUGFS ] && [ ! -e $KV ] && ! grep -q goheap /proc/slabinfo
}

# A module that goes without destroying its heap takes nothing along.
reports_abandoned_heap() {
	unload && log_mark && load goheap && load goheap_misuse kind=abandoned_heap && unload &&
		log_since | grep -q 'heap abandoned was never destroyed' &&
		log_since | grep -q 'heap abandoned is gone with 3 objects leaked' && log_is_clean
}

# Caches elsewhere in the kernel may grow once; what is lost for good goes on.
no_page_lost() {
	for try in 1 2 3; do
		ktap_print_msg "free pages before $before, after $after"
		[ $((before - after)) -ge $SLACK ] || return 0
		before=$after
		rounds $ROUNDS || return
		sleep 1
		after=$(free_pages)
	done
	return 1
}

# What lazy callbacks free can be ten seconds late, on kernels that have such. modpost and the
# linker end names with a zero.
no_callback_is_lazy() {
	grep -q ' call_rcu_hurry$' /proc/kallsyms || { ktap_print_msg "no kernel to be lazy"; return 0; }
	tr '\0' '\n' <$MODULES/goheap.ko | grep -qx call_rcu_hurry &&
		! tr '\0' '\n' <$MODULES/goheap.ko | grep -qx call_rcu
}

# A letter that means nothing, wherever it is, and why loading failed is in the log.
refuses_bad_debug() {
	unload || return
	for debug in PQ 'Z,default;X,other' ',default'; do
		! load goheap debug="$debug" 2>/dev/null && log_since | grep -qF "goheap: debug=$debug: " ||
			return
	done
	load goheap debug='pz;-,default' && unload
}

start 8
unload
rounds 10
sleep 1
before=$(free_pages)
ktap_test_result "load_unload_$ROUNDS" rounds $ROUNDS
sleep 1
after=$(free_pages)
ktap_test_result "no_page_lost" no_page_lost
ktap_test_result "unload_refused_while_used" refuses_to_go
ktap_test_result "unload_leaves_nothing" leaves_nothing
ktap_test_result "log_is_clean" log_is_clean
ktap_test_result "abandoned_heap_is_reported" reports_abandoned_heap
ktap_test_result "bad_debug_is_refused" refuses_bad_debug
ktap_test_result "no_callback_is_lazy" no_callback_is_lazy
finish
