#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Memory comes from the node that was asked for, and goes back there, whatever the CPU
# that frees. Nodes may have no CPU, or no memory, or none left.

. "$(dirname "$0")/lib.sh"

NODES=/sys/devices/system/node

# numa TEST
numa() {
	log_mark
	load goheap_numa test="$1" && rmmod goheap_numa || return
	log_since | sed -n 's/.*goheap_numa: /# /p'
	log_is_clean && ! log_since | grep 'page allocation failure'
}

# Each node's pages are in its own books, or something is not.
goes_home() {
	numa home && grep -qx 'heap ok' $DEBUGFS/validate && nothing_left
}

nothing_left() {
	eventually nothing_is_held
}

case $(cat $NODES/has_memory 2>/dev/null) in
*[-,]*) ;;
*) skip_all "there is one node with memory" ;;
esac
start 7
ktap_print_msg "nodes $(cat $NODES/online), with memory $(cat $NODES/has_memory)," \
	"with CPUs $(cat $NODES/has_cpu)"
ktap_test_result "asked" numa asked
ktap_test_result "near" numa near
ktap_test_result "goes_home" goes_home
ktap_test_result "nowhere" numa nowhere
ktap_test_result "exhausted" numa exhausted
ktap_test_result "nothing_left" nothing_left
log_mark
unload
ktap_test_result "log_is_clean" log_is_clean
finish
