# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Sourced by the tests here, which run as root under busybox's sh: KTAP, modules,
# debugfs, the kernel log. MODULES is the directory that holds the modules.

here=$(dirname "$0")
MODULES=${MODULES:-$here}
DEBUGFS=/sys/kernel/debug/goheap
KV=/sys/kernel/debug/goheap_kv
# The last one is a test module's: insmod tries once more, and then it may go well.
REPORTS='BUG:|WARNING:|UBSAN:|INFO:|Oops|KASAN|KCSAN|unreferenced object|goheap_[a-z]*: FAILED'

ktap=$here/ktap_helpers.sh
[ -e "$ktap" ] || ktap=$here/../kselftest/ktap_helpers.sh
. "$ktap"

# load MODULE [PARAM=VALUE...]
load() {
	module=$1
	shift
	insmod "$MODULES/$module.ko" "$@"
}

unload() {
	for module in $(awk '/^goheap_/ { print $1 }' /proc/modules) goheap; do
		! grep -q "^$module " /proc/modules || rmmod $module || return
	done
}

kv() {
	echo "$*" >$KV/cmd
}

# stat_of KEY [FILE]: a value from stats.
stat_of() {
	awk -v key="$1" '$1 == key { print $2 }' "${2:-$DEBUGFS/stats}"
}

# beside_stress [PARAM=VALUE] COMMAND...: again and again while the stress test runs,
# which has to pass. $rounds tells how often.
beside_stress() {
	param=
	case $1 in
	*=*) param=$1; shift ;;
	esac
	load goheap_stress ops="$OPS" $param &
	stress=$!
	rounds=0
	while kill -0 $stress 2>/dev/null; do
		"$@" || return
		rounds=$((rounds + 1))
	done
	wait $stress
}

stress_says_so() {
	log_since | grep -q 'goheap_stress: passed '
}

# Everything the kernel logs from here on is log_since's.
log_mark() {
	mark="selftest $(basename "$0") $$ at $(cut -d ' ' -f 1 /proc/uptime)"
	echo "$mark" >/dev/kmsg
}

log_since() {
	dmesg | awk -v mark="$mark" 'seen; index($0, mark) { seen = 1 }'
}

# No report by the kernel, and none by goheap.
log_is_clean() {
	! log_since | grep -E "$REPORTS|goheap: misuse: " | sed 's/^/# /' | grep .
}

# Free pages, those on per-CPU lists included.
free_pages() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	cat /proc/sys/vm/stat_refresh
	awk '/^ +nr_free_pages / { n += $2 } /^ +count: / { n += $2 } END { print n }' /proc/zoneinfo
}

page_size() {
	awk '/^KernelPageSize:/ { print $2 * 1024; exit }' /proc/self/smaps
}

# The parts of stats add up: those inside small_bytes when nobody allocates or
# frees meanwhile, the rest always. A private heap has no small_bytes and no
# idle_bytes of its own.
stats_add_up() {
	awk '{ v[$1] = $2 }
	END {
		small = v["small_live_bytes"] + v["small_free_bytes"] + \
			v["small_pending_bytes"] + v["small_waste_bytes"]
		if (!("small_bytes" in v))
			v["small_bytes"] = small
		held = v["small_bytes"] + v["large_bytes"] + v["stock_bytes"] + v["idle_bytes"]
		print "# held_bytes " v["held_bytes"] ", its parts " held \
			"; small_bytes " v["small_bytes"] ", its parts " small
		exit !("held_bytes" in v) || v["held_bytes"] != held || v["small_bytes"] != small
	}' "${1:-$DEBUGFS/stats}"
}

# start PLAN: begin a test with goheap freshly loaded.
start() {
	ktap_print_header
	ktap_set_plan "$1"
	unload && log_mark && load goheap || ktap_exit_fail_msg "cannot load goheap.ko"
}

# skip_all WHY: instead of start, if this machine is not one to test this on.
skip_all() {
	ktap_print_header
	ktap_set_plan 1
	echo "ok 1 $(basename "$0" .sh) # SKIP $*"
	exit 0
}

# eventually COMMAND...: what waits for RCU, and the caches' own work, take a second, or many
# on a machine that is busy.
eventually() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 60 ] || return
		sleep 1
	done
}

heap_is_valid() {
	grep -qx 'heap ok' $DEBUGFS/validate
}

# Nobody has anything of goheap, so trimming gives back all.
nothing_is_held() {
	echo 1 >$DEBUGFS/trim && [ "$(stat_of held_bytes)" = 0 ]
}

# skip NAME WHY: instead of ktap_test_result, if that cannot be told here.
skip() {
	name=$1
	shift
	__ktap_test ok "$name" "SKIP $*"
	KTAP_CNT_SKIP=$((KTAP_CNT_SKIP + 1))
}

finish() {
	unload || ktap_print_msg "cannot unload everything"
	ktap_finished
}
