#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Memory runs out: others get what goheap does not use before anybody is killed, and
# goheap says NULL to those that must not wait.

. "$(dirname "$0")/lib.sh"

IDLE_PERCENT=60
PAGES_PERCENT=70	# more than is left beside what is idle

oom_kills() {
	awk '$1 == "oom_kill" { print $2 }' /proc/vmstat
}

# press TEST [PARAM=VALUE...]: in a process that the OOM killer likes best.
press() {
	echo 3 >/proc/sys/vm/drop_caches
	log_mark
	(
		echo 1000 >/proc/self/oom_score_adj
		exec insmod "$MODULES/goheap_pressure.ko" test="$@"
	) || return
	log_since | sed -n 's/.*goheap_pressure: /# /p'
}

# fine COMMAND...: it succeeds, nobody is killed, and goheap is as it should be.
fine() {
	kills=$(oom_kills)
	"$@"
	rc=$?
	! grep -q '^goheap_pressure ' /proc/modules || rmmod goheap_pressure || return
	[ $rc = 0 ] && [ "$(oom_kills)" = "$kills" ] && nothing_left && log_is_clean &&
		! log_since | grep 'page allocation failure'
}

# What waits for RCU takes a moment.
nothing_left() {
	eventually nothing_is_held
	ktap_print_msg "held $(stat_of held_bytes) bytes; $(grep -v '^#' $DEBUGFS/validate)"
	[ "$(stat_of held_bytes)" = 0 ] && grep -qx 'heap ok' $DEBUGFS/validate
}

exhaust() {
	press exhaust gfp="$1"
}

# Idle runs stay goheap's for a while, as long as it is in use.
make_idle() {
	press idle percent=$IDLE_PERCENT || return
	idle=$(stat_of idle_bytes)
	ktap_print_msg "idle $idle bytes"
	[ "$idle" -gt $(($(available) * 256)) ]	# a quarter of what is available besides
}

available() {
	awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}

# Taken from here, because the module's own test= is taken.
pages_by_reclaim() {
	before=$(available)
	make_idle || return
	want=$((before * PAGES_PERCENT / 100))
	mount -t tmpfs -o size=95% none "$dir" || return
	(
		echo 1000 >/proc/self/oom_score_adj
		exec dd if=/dev/zero of="$dir/file" bs=1024k count=$((want / 1024)) 2>/dev/null
	)
	rc=$?
	ktap_print_msg "wrote $(du -k "$dir/file" | cut -f 1) of $want KiB;" \
		"idle $(stat_of idle_bytes) bytes"
	umount "$dir"
	[ $rc = 0 ] && [ "$(stat_of idle_bytes)" -lt "$idle" ]
}

# The shrinker does as it is told.
drop_caches_takes_idle_runs() {
	make_idle || return
	echo 2 >/proc/sys/vm/drop_caches
	ktap_print_msg "idle $(stat_of idle_bytes) bytes"
	[ "$(stat_of idle_bytes)" -lt $((idle / 100)) ]
}

# With a reserve that a chunk of pages would fit into.
reserve() {
	min=/proc/sys/vm/min_free_kbytes
	old=$(cat $min)
	echo 12288 >$min && press reserve
	rc=$?
	echo "$old" >$min
	return $rc
}

dir=/tmp/pressure
mkdir -p $dir

[ "$(available)" -lt 524288 ] || [ -n "${FULL:-}" ] ||
	skip_all "more than 512 MiB take long to use up; FULL=1 does it"
start 10
ktap_print_msg "available $(available) KiB"
for kind in nowait atomic noretry mayfail; do
	ktap_test_result "exhausted_$kind" fine exhaust $kind
done
ktap_test_result "reserve_is_spared" fine reserve
ktap_test_result "every_size_without_blocks_of_64k" fine press fragment
ktap_test_result "drop_caches_takes_idle_runs" fine drop_caches_takes_idle_runs
ktap_test_result "idle_runs_go_to_others" fine pages_by_reclaim
ktap_test_result "caches_go_to_others" fine press caches
ktap_test_result "usable_afterwards" fine press pages percent=10
finish
