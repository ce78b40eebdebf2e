#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# kmemleak finds goheap objects that nobody points to, and looks for pointers in those
# that somebody points to, unless they are pointer-free.

. "$(dirname "$0")/lib.sh"

KMEMLEAK=/sys/kernel/debug/kmemleak

# Objects are reported from five seconds of age on. The first scan may be misled by
# what a stack or a register still holds.
scan() {
	sleep 6
	echo scan >$KMEMLEAK
	sleep 1
	echo scan >$KMEMLEAK
	sed -n 's/^unreferenced object .*(size \([0-9]*\)):$/\1/p' $KMEMLEAK >/tmp/leaks
	echo "# leaked: $(sort -n /tmp/leaks | paste -sd ' ')"
}

found() {
	[ "$(grep -cx "$1" /tmp/leaks)" = 1 ]
}

not_found() {
	! grep -qx "$1" /tmp/leaks
}

echo scan 2>/dev/null >$KMEMLEAK || skip_all "this kernel has no kmemleak, or it is off"
start 9
echo clear >$KMEMLEAK
load goheap_leak && scan
for size in 1001 40001 3 301; do
	ktap_test_result "leaked_object_of_$size" found $size
done
ktap_test_result "kmalloc_object_behind_noscan" found 2048
ktap_test_result "kmalloc_object_behind_goheap" not_found 4096
ktap_test_result "goheap_object_behind_goheap" not_found 777
ktap_test_result "large_object_behind_goheap" not_found 50001
rmmod goheap_leak
ktap_test_result "log_is_clean" log_is_clean
finish
