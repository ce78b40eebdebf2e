#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# CPUs go and come back while objects move between them: what a dead CPU owned is
# taken over whole, and once.

. "$(dirname "$0")/lib.sh"

CYCLES=${CYCLES:-20}
CPUS=/sys/devices/system/cpu
STOP=/sys/module/goheap_stress/parameters/stop

look_around() {
	echo 1 >$DEBUGFS/trim
	cat $DEBUGFS/stats $DEBUGFS/spans $DEBUGFS/percpu $DEBUGFS/validate >/dev/null
}

# cycle N: another CPU each time. Somebody looks around and tidies up now and then.
cycle() {
	set -- "$1" $hotplug
	shift $(($1 % ($# - 1) + 1))
	echo 0 >"$1" || return
	[ $((done_cycles % 10)) != 0 ] || look_around
	echo 1 >"$1"
}

# More threads than CPUs, none of them bound to one, until all cycles are through.
cycles_under_load() {
	load goheap_stress ops=1000000000 pin=0 threads=$((2 * cpus)) &
	stress=$!
	while [ ! -e $STOP ] && kill -0 $stress; do sleep 0.1; done
	sleep 0.5
	done_cycles=0
	while [ $done_cycles -lt "$CYCLES" ] && kill -0 $stress 2>/dev/null; do
		cycle $done_cycles || break
		done_cycles=$((done_cycles + 1))
	done
	echo 1 >$STOP
	wait $stress || return
	ktap_print_msg "$done_cycles of $CYCLES times offline and online;" \
		"$(log_since | sed -n 's/.*goheap_stress: passed/stress test:/p')"
	rmmod goheap_stress
	[ $done_cycles = "$CYCLES" ]
}

# What is left of everything that CPUs had: not a page.
nothing_is_lost() {
	eventually nothing_is_held
	after=$(free_pages)
	ktap_print_msg "held $(stat_of held_bytes), live $(stat_of small_live_bytes) bytes;" \
		"free pages before $before, after $after"
	[ "$(stat_of held_bytes)" = 0 ] && [ "$(stat_of small_live_bytes)" = 0 ] &&
		[ $((before - after)) -lt "$SLACK" ]
}

nobody_owns() {
	! awk -v cpu="$1" '$5 == "cpu" && $6 == cpu' $DEBUGFS/spans | grep .
}

# Nothing in a dead CPU's cache, and nothing that is still its own.
dead_cpu_has_nothing() {
	taskset 2 sh -c "echo fill 500 >$KV/cmd" && ! nobody_owns 1 >/dev/null &&
		kv clear && echo 0 >$cpu1 && nobody_owns 1 && echo 1 >$cpu1
}

# Another CPU goes on freeing into the dead one's spans by goheap_free_rcu(). Once that
# had to end before the CPU could go.
dead_cpu_waits_for_no_token_in_limbo() {
	load goheap_trickle owner=1 && echo 0 >$cpu1 || return
	left=$(cat /sys/module/goheap_trickle/parameters/left)
	ktap_print_msg "$left of 4096 objects not freed yet when CPU 1 had gone"
	nobody_owns 1 && echo 1 >$cpu1 && rmmod goheap_trickle && [ "$left" != 0 ]
}

# The caches' own work comes after three seconds, or later if CPUs sleep.
idle_cpu_gives_back() {
	taskset 2 sh -c "echo fill 500 >$KV/cmd" && ! nobody_owns 1 >/dev/null || return
	taskset 2 sh -c "echo clear >$KV/cmd"
	eventually nobody_owns 1 >/dev/null
	ktap_print_msg "after $tries s"
	nobody_owns 1
}

SLACK=300	# pages; elsewhere in the kernel a CPU that comes back takes some
hotplug=$(ls $CPUS/cpu[0-9]*/online 2>/dev/null | grep -v cpu0/)
cpu1=$CPUS/cpu1/online
cpus=$(grep -c '^processor' /proc/cpuinfo)

[ -e $cpu1 ] || skip_all "CPU 1 cannot go offline"
start 8
cycle 0		# what is allocated once
sleep 1
before=$(free_pages)
ktap_test_result "cycles_under_load" cycles_under_load
ktap_test_result "stress_says_so" stress_says_so
ktap_test_result "nothing_is_lost" nothing_is_lost
ktap_test_result "heap_is_valid" eventually heap_is_valid
load goheap_sample
ktap_test_result "dead_cpu_has_nothing" dead_cpu_has_nothing
ktap_test_result "dead_cpu_waits_for_no_token_in_limbo" dead_cpu_waits_for_no_token_in_limbo
ktap_test_result "idle_cpu_gives_back" idle_cpu_gives_back
ktap_test_result "log_is_clean" log_is_clean
finish
