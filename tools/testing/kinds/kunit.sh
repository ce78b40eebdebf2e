# SPDX-License-Identifier: GPL-2.0
# Kind kunit: all KUnit suites in a guest, linked into goheap.ko. Keys:
#
#   shows=REGEX   the console says this, too
#   left_out=N    boot options let so many suites not run
#   scan=1        kmemleak finds nothing afterwards
#   cut=1         the guest powers off in the middle of a suite

TAINT_TEST=262144	# by modules that are tests

CUT='insmod /goheap.ko &
until dmesg | grep -q "ok 3 .*gh_"; do sleep 0.1; done
poweroff -f'

# linked_suites DIR: how many KUnit suites of DIR are linked into goheap.ko.
linked_suites() {
	local object
	for object in $(grep -oE 'kunit/[a-z0-9_]+_kunit\.o' "$1/Kbuild" | sort -u); do
		sed -nE 's/^kunit_test_suites?\(([^)]*)\);.*/\1/p' "$1/${object%.o}.c"
	done | tr ',' '\n' | grep -c '[a-z]'
}
EXPECTED_SUITES=$(linked_suites "$TOP")

kind_kunit() {
	local kernel=$1 dir shows="" left_out=0 scan="" cut="" rest
	keys "${@:2}"
	dir=$(built "$kernel" kunit) || { fail "the build"; return; }
	# Fault injection spares GFP_KERNEL unless told not to.
	new_guest <<-'END'
		for d in /sys/kernel/debug/failslab /sys/kernel/debug/fail_page_alloc; do
			[ ! -e $d ] || { echo N >$d/ignore-gfp-wait; echo 0 >$d/verbose; }
			[ ! -e $d/min-order ] || echo 0 >$d/min-order
		done
		insmod /goheap.ko && rmmod goheap || exit
		[ ! -e /scan.sh ] || sh /scan.sh
	END
	cp "$dir/goheap.ko" "$tree/"
	[ -z "$scan" ] || echo "$SCAN" >"$tree/scan.sh"
	[ -z "$cut" ] || echo "$CUT" >"$tree/run.sh"
	# the last --append is the one that counts
	guest "$kernel" --append loglevel=7 "${rest[@]}"
	guest_verdict "$kernel" $((taint | TAINT_TEST)) --suites $((EXPECTED_SUITES - left_out)) \
		${shows:+--shows "$shows"} ${scan:+--shows '^kmemleak: scanned twice'}
}
