#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What others do to the pages of objects: no object loses its page by it, what is wrong
# is reported, and pages with memory errors are handed out no more.

. "$(dirname "$0")/lib.sh"

start 10

# harmless KIND: the object is as it was, and there is nothing to report.
harmless() {
	before=$(stat_of misuse)
	log_mark
	load goheap_pages what="$1" && rmmod goheap_pages || return
	log_since | grep 'goheap_pages: ' | sed 's/^/# /'
	echo 1 >$DEBUGFS/trim
	[ "$(stat_of misuse)" = "$before" ] && log_is_clean
}

log_tells_of_misuse() {
	log_since | grep -q 'goheap: misuse: '
}

# reported KIND WORDS...: likewise, but goheap reports it once.
reported() {
	kind=$1
	shift
	before=$(stat_of misuse)
	log_mark
	load goheap_pages what="$kind" || return
	echo 1 >$DEBUGFS/trim
	rmmod goheap_pages || return
	# a work prints it
	eventually log_tells_of_misuse || return
	log_since | grep 'goheap: misuse: ' >/tmp/lines
	sed 's/^/# /' /tmp/lines
	[ "$(wc -l </tmp/lines)" = 1 ] && grep -q "$*" /tmp/lines &&
		[ "$(stat_of misuse)" = $((before + 1)) ] &&
		! log_since | grep -E "$REPORTS"
}

# Nobody takes our pages for pages that can be moved.
compacts() {
	log_mark
	load goheap_sample && kv fill 5000 || return
	echo 1 >/proc/sys/vm/compact_memory && kv clear && rmmod goheap_sample && log_is_clean
}

is_fine() {
	stats_add_up && grep -q '^heap ok' $DEBUGFS/validate
}

has_errors() {
	grep -q ' memory_failure$' /proc/kallsyms
}

ktap_test_result "look" harmless look
ktap_test_result "get_page_and_put_page" harmless get_put
ktap_test_result "iov_iter_get_pages2" harmless iov
ktap_test_result "stray_put_page" reported put "stray kfree() or put_page()"
ktap_test_result "stray_get_page_keeps_page" reported get "stray get_page()"
if [ -e /proc/sys/vm/compact_memory ]; then
	ktap_test_result "compaction" compacts
else
	skip "compaction" "this kernel has none"
fi
if has_errors; then
	ktap_test_result "memory_error" harmless error
else
	skip "memory_error" "this kernel handles none"
fi
ktap_test_result "heap_is_fine" is_fine
log_mark
unload
ktap_test_result "unloads" test ! -e $DEBUGFS
ktap_test_result "log_is_clean" log_is_clean
finish
