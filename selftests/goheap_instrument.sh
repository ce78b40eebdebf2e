#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# ftrace on goheap's functions, and on those of the kernel that goheap calls with a lock
# held, with a handler that allocates and frees.

. "$(dirname "$0")/lib.sh"

heap_is_valid() {
	grep -qx 'heap ok' "$DEBUGFS/validate" && stats_add_up
}

instrument_says() {
	log_since | sed -n 's/.*goheap_instrument: //p' | sed 's/^/# /'
	! log_since | grep 'goheap_instrument: FAILED'
}

# One CPU only: an emulated one does not always notice that another one patches code.
others() {
	for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
		[ ! -e "$cpu" ] || echo "$1" >"$cpu"
	done
}

start 4
others 0
load goheap_instrument rounds="${ROUNDS:-300}" 2>/tmp/why
rc=$?
others 1
sed 's/^/# /' /tmp/why
! log_since | grep -q 'not supported' ||
	ktap_skip_all "this kernel has no function tracer"
ktap_test_result "nothing_hangs" [ $rc = 0 ]
ktap_test_result "instrument_says" instrument_says
ktap_test_result "heap_is_valid" eventually heap_is_valid
ktap_test_result "log_is_clean" log_is_clean
finish
