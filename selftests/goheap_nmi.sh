#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# CPUs that allocate and free are hit by NMIs which do the same.

. "$(dirname "$0")/lib.sh"

NMIS=${NMIS:-2000}
LONGEST=/sys/kernel/debug/x86/nmi_longest_ns

nmi_says_so() {
	log_since | grep 'goheap_nmi: ' | sed 's/^/# /'
	log_since | grep -q 'goheap_nmi: passed '
}

# What was freed for the second time in NMI.
double_frees_are_reported() {
	[ "$(stat_of misuse)" = 3 ] &&
		[ "$(log_since | grep -c 'goheap: misuse: double free: ')" = 3 ]
}

heap_is_valid() {
	grep -qx 'heap ok' "$DEBUGFS/validate" && stats_add_up
}

# Every object that was allocated was freed, and what waited for the NMI's end has gone.
nothing_is_live() {
	for kind in small tiny large; do
		allocs=$(stat_of ${kind}_allocs) frees=$(stat_of ${kind}_frees)
		ktap_print_msg "$kind: $allocs allocations, $frees frees"
		[ -n "$allocs" ] && [ "$allocs" = "$frees" ] || return
	done
}

log_has_no_report() {
	! log_since | grep -E "$REPORTS|objects leaked" | sed 's/^/# /' | grep .
}

start 6
# An emulated CPU is slow, and the kernel would tell.
[ ! -e $LONGEST ] || echo 100000000000 >$LONGEST
load goheap_nmi nmis="$NMIS" 2>/tmp/why
rc=$?
sed 's/^/# /' /tmp/why
! grep -q 'not supported' /tmp/why || ktap_skip_all "NMIs cannot be sent here: no local APIC"
ktap_test_result "nmis_under_load" [ $rc = 0 ]
rmmod goheap_nmi
ktap_test_result "nmi_says_so" nmi_says_so
ktap_test_result "double_frees_are_reported" double_frees_are_reported
ktap_test_result "heap_is_valid" eventually heap_is_valid
ktap_test_result "nothing_is_live" eventually nothing_is_live
ktap_test_result "log_has_no_report" log_has_no_report
finish
