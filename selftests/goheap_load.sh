#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loading and unloading, with use in between, loses no page.

. "$(dirname "$0")/lib.sh"

ROUNDS=100
SLACK=64	# pages; a page lost per round would be 100

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
	load goheap && load goheap_sample || return
	! rmmod goheap 2>/dev/null && grep -q '^goheap ' /proc/modules && kv fill 10
}

leaves_nothing() {
	unload && [ ! -e $DEBUGFS ] && [ ! -e $KV ] && ! grep -q goheap /proc/slabinfo
}

no_page_lost() {
	lost=$((before - after))
	ktap_print_msg "free pages before $before, after $after"
	[ $lost -lt $SLACK ]
}

start 5
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
finish
