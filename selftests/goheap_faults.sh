#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Memory that cannot be had, on kernels with fault injection: while goheap is
# loaded, allocation by allocation, and while objects are used, at random.

. "$(dirname "$0")/lib.sh"

DEBUG=/sys/kernel/debug
KERNELS="failslab fail_page_alloc"
ALL="$KERNELS goheap/fail_goheap"
OPS=${OPS:-300000}	# of each stress run
STEP=${STEP:-1}		# every how many-th failure of loading is tried
MANY=1000000

# Neither what may sleep nor single pages; and do not tell.
spare_none() {
	echo N >$DEBUG/$1/ignore-gfp-wait
	echo 0 >$DEBUG/$1/verbose
	[ ! -e $DEBUG/$1/min-order ] || echo 0 >$DEBUG/$1/min-order
}

# ---- loading ------------------------------------------------------------------

gone() {
	! grep -q '^goheap ' /proc/modules && [ ! -e $DEBUGFS ] && ! grep -q goheap /proc/slabinfo
}

# load_failing NTH: 0 if all that failed was refused or made good, 2 if there was no
# such allocation.
load_failing() {
	if ! load goheap fail_init_nth="$1" 2>/dev/null; then
		failed=$((failed + 1))
		gone
		return
	fi
	left=$(cat /sys/module/goheap/parameters/fail_init_nth)
	grep -qx 'heap ok' $DEBUGFS/validate 2>/dev/null || [ "$left" = 0 ] || return 1
	rmmod goheap && gone || return 1
	[ "$left" = 0 ] || return 2
}

each_load_fails() {
	unload || return
	for dir in $KERNELS; do
		spare_none $dir
	done
	nth=1 failed=0
	while :; do
		load_failing $nth
		case $? in
		0) nth=$((nth + STEP)) ;;
		2) break ;;
		*) ktap_print_msg "allocation $nth failed, and goheap is neither there nor gone"
		   return 1 ;;
		esac
	done
	ktap_print_msg "$nth allocations, every $STEP tried; $failed of them needed"
	[ $nth -ge 50 ] && [ $((failed * STEP)) -ge 10 ] && load goheap
}

# Linux 6.12 itself leaks a cache's name when sysfs has no memory for it.
leaks() {
	awk 'function show() { if (text != "" && !known) print text; text = ""; known = 0 }
		/^unreferenced/ { show() }
		/sysfs_slab_add/ { known = 1 }
		{ text = text "\n# " $0 }
		END { show() }' $DEBUG/kmemleak
}

kmemleak_finds_nothing() {
	echo scan >$DEBUG/kmemleak && sleep 6 && echo scan >$DEBUG/kmemleak || return
	found=$(leaks)
	echo off >$DEBUG/kmemleak	# it makes the rest slow
	[ -z "$found" ] || { echo "$found"; return 1; }
}

# ---- the attribute --------------------------------------------------------------

has_parameter() {
	unload
	! load goheap fail_goheap=nonsense 2>/dev/null &&
		load goheap fail_goheap=7,50,4096,3 || return
	for value in interval:7 probability:50 space:4096 times:3 ignore-gfp-wait:Y verbose:2; do
		[ "$(cat $DEBUGFS/fail_goheap/${value%:*})" = "${value#*:}" ] || return
	done
	[ -e $DEBUGFS/fail_goheap/task-filter ] && rmmod goheap && load goheap
}

is_listed() {
	for name in goheap_alloc goheap_zalloc goheap_realloc goheap_heap_alloc; do
		grep -q "^$name \[goheap\].*NULL" $DEBUG/error_injection/list || return
	done
}

# ---- use ------------------------------------------------------------------------

# fail PROBABILITY NAME...: of these attributes; those of the kernel only for tasks
# that are told to fail.
fail() {
	percent=$1
	shift
	for dir; do
		[ "$dir" = goheap/fail_goheap ] || echo Y >$DEBUG/$dir/task-filter
		spare_none $dir
		echo $MANY >$DEBUG/$dir/times
		echo "$percent" >$DEBUG/$dir/probability
	done
}

# Nothing fails any more. False if one of the attributes made nothing fail.
fail_no_more() {
	for dir; do
		echo 0 >$DEBUG/$dir/probability
		n=$((MANY - $(cat $DEBUG/$dir/times)))
		ktap_print_msg "$n failures by $dir"
		[ $n -gt 0 ] || return
	done
}

all_returned() {
	rmmod goheap_stress && eventually nothing_is_held && heap_is_valid &&
		[ "$(stat_of misuse)" = 0 ]
}

# stress_failing PROBABILITY NAME...: every object keeps its content all the same.
stress_failing() {
	fail "$@"
	shift
	load goheap_stress ops="$OPS" || { fail_no_more $ALL; return 1; }
	fail_no_more "$@" && stress_says_so && all_returned
}

CPU=/sys/devices/system/cpu/cpu1
cycle() {
	echo 0 >$CPU/online && echo 1 >$CPU/online
}

stress_failing_hotplug() {
	fail 20 failslab goheap/fail_goheap
	beside_stress cycle || { fail_no_more $ALL; return 1; }
	ktap_print_msg "CPU 1 went offline and came back $rounds times"
	fail_no_more failslab goheap/fail_goheap && all_returned
}


# if_there FILE NAME COMMAND...: a test, if the kernel has what it tests.
if_there() {
	if [ -e "$1" ]; then
		shift
		ktap_test_result "$@"
	else
		skip "$2" "the kernel has no $1"
	fi
}

if [ ! -e $DEBUG/failslab ]; then
	start 1
	if_there $DEBUG/failslab fault_injection false
	finish
fi

start 10
ktap_test_result "each_load_fails" each_load_fails
if_there $DEBUG/kmemleak "kmemleak_finds_nothing" kmemleak_finds_nothing
ktap_test_result "fail_goheap_has_parameter" has_parameter
if_there $DEBUG/error_injection/list "functions_are_listed" is_listed
ktap_test_result "stress_objects_fail" stress_failing 5 goheap/fail_goheap
ktap_test_result "stress_descriptors_fail" stress_failing 30 failslab
ktap_test_result "stress_pages_fail" stress_failing 100 fail_page_alloc
ktap_test_result "stress_all_fail" stress_failing 15 $ALL
if_there $CPU/online "stress_hotplug_all_fail" stress_failing_hotplug
ktap_test_result "log_is_clean" log_is_clean
finish
