#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Every bad free is refused, counted once and reported once, in the right words,
# and the kernel goes on.

. "$(dirname "$0")/lib.sh"

ON_MISUSE=/sys/module/goheap/parameters/on_misuse

# refused KIND WORDS...
refused() {
	kind=$1
	shift
	before=$(stat_of misuse)
	log_mark
	load goheap_misuse kind="$kind" || return
	rmmod goheap_misuse || return
	log_since | grep 'goheap: misuse: ' >/tmp/lines
	sed 's/^/# /' /tmp/lines
	[ "$(wc -l </tmp/lines)" = 1 ] && grep -q "$*" /tmp/lines &&
		[ "$(stat_of misuse)" = $((before + 1)) ] &&
		! log_since | grep -E "$REPORTS"
}

# The file is a module parameter: a bad value must leave the good one alone.
takes() {
	echo "$1" >$ON_MISUSE && grep -qx "$1" $ON_MISUSE
}

rejects() {
	old=$(cat $ON_MISUSE)
	! echo "$1" 2>/dev/null >$ON_MISUSE && grep -qx "$old" $ON_MISUSE
}

heap_works() {
	load goheap_sample && kv fill 1000 && kv clear && rmmod goheap_sample && stats_add_up
}

start 17
ktap_test_result "double" refused double "double free"
ktap_test_result "double_remote" refused double_remote "double free"
ktap_test_result "tiny_double" refused tiny_double "double free"
ktap_test_result "interior" refused interior "interior pointer"
for kind in stack vmalloc kmalloc text null_page noncanonical; do
	ktap_test_result $kind refused $kind "not a goheap object"
done
ktap_test_result "wrong_heap" refused wrong_heap "wrong heap"
ktap_test_result "wrong_size" refused wrong_size "wrong size"
ktap_test_result "on_misuse_takes_panic" takes panic
ktap_test_result "on_misuse_rejects_nonsense" rejects nonsense
ktap_test_result "on_misuse_takes_warn" takes warn
ktap_test_result "heap_works_afterwards" heap_works
log_mark
unload
ktap_test_result "log_is_clean" log_is_clean
finish
