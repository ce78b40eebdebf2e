# SPDX-License-Identifier: GPL-2.0
# Kind stress: goheap_stress in a guest, while all of debugfs is read. Keys:
#
#   ops=N        steps
#   plant=BUG    a bug of goheap_plant.ko is planted first; $PLANT unless given
#   scan=1       kmemleak finds nothing afterwards

kind_stress() {
	local kernel=$1 ops="" plant=${PLANT:-} scan="" dir rest
	keys "${@:2}"
	dir=$(built "$kernel") || { fail "the build"; return; }
	new_guest <<-END
		# 6.12's scheduler looks at a timer without a mark, wherever a tick hits
		[ ! -e /sys/kernel/debug/kcsan ] || echo '!hrtimer_active' >/sys/kernel/debug/kcsan
		insmod /goheap.ko ${plant:+&& insmod /goheap_plant.ko bug=$plant} || exit 1
		# whoever looks on must not race with those who count
		cd /sys/kernel/debug/goheap
		while :; do
			# a heap may go meanwhile
			cat stats percpu arenas occupancy spans validate heaps/*/* 2>/dev/null
			echo 1 >trim
			# the steps are to get on as well
			sleep 1
		done >/dev/null &
		cd /
		insmod /goheap_stress.ko ops=$ops || exit 1
		kill \$!
		# what waits for RCU, and the caches' own work, come within a second mostly
		i=0
		until grep -x 'heap ok' /sys/kernel/debug/goheap/validate; do
			i=\$((i + 1))
			[ \$i -lt 60 ] && sleep 1 || exit 1
		done
		rmmod goheap_stress || exit 1
		${plant:+rmmod goheap_plant || exit 1}
		# who looks on may have a file open yet
		until rmmod goheap; do
			i=\$((i + 1))
			[ \$i -lt 120 ] && sleep 1 || exit 1
		done
		[ ! -e /scan.sh ] || sh /scan.sh
	END
	cp "$dir/goheap.ko" "$dir/selftests/modules/goheap_stress.ko" "$tree/"
	[ -z "$plant" ] || cp "$dir/selftests/modules/goheap_plant.ko" "$tree/"
	[ -z "$scan" ] || echo "$SCAN" >"$tree/scan.sh"
	guest "$kernel" --append loglevel=7 "${rest[@]}"
	guest_verdict "$kernel" "$taint" --shows 'goheap_stress: passed ' \
		${scan:+--shows '^kmemleak: scanned twice'}
}
