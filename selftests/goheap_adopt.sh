#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# With adopt=1 the kernel's kfree(), kfree_rcu(), ksize() and krealloc() do the right
# thing with objects of goheap.

. "$(dirname "$0")/lib.sh"

adopted() {
	before=$(stat_of adopted_frees)
	load goheap_adopt || return
	rmmod goheap_adopt || return
	ktap_print_msg "$(($(stat_of adopted_frees) - before)) objects adopted"
	[ "$(stat_of adopted_frees)" -gt "$before" ]
}

second_kfree_is_reported() {
	load goheap_adopt twice=1 && rmmod goheap_adopt || return
	[ "$(stat_of misuse)" = 1 ] && log_since | grep -q 'goheap: misuse: double free: '
}

dead_objects_harm_nobody() {
	load goheap_adopt dead=1 && rmmod goheap_adopt || return
	[ "$(stat_of misuse)" -gt 1 ] && ! log_since | grep -E "$REPORTS"
}

# The kernel has them for seconds, and goheap is told to go at once.
kfree_rcu_comes_first() {
	load goheap_adopt keep=1 && rmmod goheap_adopt && rmmod goheap || return
	! log_since | grep -E "$REPORTS|leaked" | grep .
}

unload
log_mark
if ! load goheap adopt=1 2>/tmp/why; then
	log_since | grep -q 'needs a kernel with CONFIG_KPROBES' || exit 1
	skip_all "kprobes cannot do it on this kernel"
fi
ktap_print_header
ktap_set_plan 6
ktap_test_result "every_call_does_what_it_should" adopted
ktap_test_result "log_is_clean" log_is_clean
ktap_test_result "second_kfree_is_reported" second_kfree_is_reported
ktap_test_result "dead_objects_harm_nobody" dead_objects_harm_nobody
ktap_test_result "stats_add_up" stats_add_up
ktap_test_result "kfree_rcu_comes_first" kfree_rcu_comes_first
finish
