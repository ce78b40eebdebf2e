#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# How much memory goheap holds: for objects of many kinds, over time, when nothing is
# left, and how long it takes to load. Every number is printed, for tools/bench/memory.sh
# too. With FULL=1 it goes on for longer, takes more sizes, and shows kmalloc() and
# kmem_cache beside.

. "$(dirname "$0")/lib.sh"

FULL=${FULL:-}
ROWS=/tmp/rows
CACHE_DIR=$DEBUGFS/heaps/goheap_memory
IDLE_SECONDS=10
cpus=$(grep -c '^processor' /proc/cpuinfo)

# Bounds in percent of what was asked for. A bound above the goal is what is
# reached today: lower it when goheap gets better, raise it for no reason.
#
# Without the idle pages that are left of goheap's last chunk:
BOUND_mix=114		# goal 110, reached from 100 MB up: each class has a span that is half full
BOUND_strings=143	# goal 150; of so many that what else the guest does is below 1 %
BOUND_above=120		# goal 110
BOUND_large=110
BOUND_33=152		# goal 110; as are those below. 8-byte steps would give 121 at best
BOUND_65=129
BOUND_129=118
BOUND_257=120
BOUND_513=120
BOUND_1025=120
BOUND_2049=118
BOUND_4097=124
# Of what a kmem_cache of that size holds, metadata included. Where the goal of 100 is missed, the
# objects alone take as much: 2 bits of each, and a descriptor's 112 bytes, come on top.
BOUND_object_24=101.5
BOUND_object_40=101.7
BOUND_object_72=100.5	# half a percent is what the guest does beside
BOUND_object_200=100
BOUND_object_700=101.5
BOUND_object_1500=100
BOUND_object_3000=95
BOUND_object_6000=95
# Of all that is held:
BOUND_handoff=123	# goal 120
BOUND_comb=110
BOUND_wander=260	# goal 120: an idle CPU's spans wait until there are 4 MiB, and for an interrupt
# After IDLE_SECONDS, of what had been asked for. The goal is 64 KiB per CPU, but what
# is retained decays by a quarter a tick only, and a tick may be late on an idle CPU.
BOUND_idle=80
BOUND_insmod_ms=50
grep -q 'User Mode Linux' /proc/cpuinfo || BOUND_insmod_ms=2000	# may be emulated

# ---- measuring -----------------------------------------------------------------

# What free objects kmalloc()'s slabs have left would not count the next time.
shrink_slabs() {
	for file in /sys/kernel/slab/kmalloc-*/shrink; do
		[ ! -e "$file" ] || echo 1 >"$file"
	done
}

# The logged lines at stdin, the last one with what debugfs has to say of that moment;
# which comes too late for the peak of wander.
with_parts() {
	awk 'FNR == 1 { file++ }
	file == 1 { v[$1] = $2; next }
	FNR > 1 { print line }
	{
		sub(/.*goheap_memory: pattern=/, "row=")
		sub(/row=size size=/, "row=")
		sub(/row=object size=/, "row=object_")
		sub(/ size=[0-9]+/, "")
		line = $0
	}
	END {
		if (line ~ /alloc=goheap/ && line !~ /row=wander/)
			line = line " spans=" v["small_bytes"] + v["large_bytes"] \
				" stock=" v["stock_bytes"] \
				" idle=" v["idle_bytes"] " metadata=" v["metadata_bytes"] \
				" free=" v["small_free_bytes"] + v["small_pending_bytes"] \
				" tails=" v["small_waste_bytes"]
		print line
	}' "$DEBUGFS/stats" -
}

# What an object cache has to itself, if there is one.
cache_part() {
	[ -d $CACHE_DIR ] || return 0
	awk '{ v[$1] = $2 }
	END {
		print " cache=" v["held_bytes"] + v["metadata_bytes"] " cache_pages=" v["held_bytes"]
	}' $CACHE_DIR/stats
}

# measure ALLOCATOR PATTERN [PARAM=VALUE...]
measure() {
	allocator=$1 pattern=$2
	shift 2
	shrink_slabs && log_mark || return
	load goheap_memory alloc="$allocator" pattern="$pattern" "$@" || return
	log_since | grep 'goheap_memory: pattern=' | with_parts |
		sed "s/\$/$(cache_part)/" >/tmp/new_rows
	sed 's/^/# /' /tmp/new_rows
	cat /tmp/new_rows >>$ROWS
	rmmod goheap_memory
}

# within ROW PERCENT all|used: the latter is without idle pages.
within() {
	awk -v row="$1" -v percent="$2" -v what="$3" '
	$1 == "row=" row && $2 == "alloc=goheap" {
		for (i = 1; i <= NF; i++) {
			split($i, pair, "=")
			v[pair[1]] = pair[2]
		}
		held = v["held"] - (what == "all" ? 0 : v["idle"])
		printf "# bound row=%s of=%s ratio=%.3f max=%.2f\n", row, what,
			held / v["asked"], percent / 100
		found = held * 100 <= percent * v["asked"]
	}
	END { exit !found }' $ROWS
}

# row all|used PATTERN [PARAM=VALUE...]
row() {
	what=$1
	shift
	unload && load goheap || return
	[ -z "$FULL" ] || measure kmalloc "$@" || return
	measure goheap "$@" || return		# still as fresh as it was loaded
	name=$1
	[ "$name" != size ] || name=${2#size=}
	eval "bound=\$BOUND_$name"
	within "$name" "$bound" "$what"
}

# object_row SIZE: what an object cache holds with its metadata, by what a kmem_cache holds. The
# cache's own numbers are exact to the byte. The kernel's see also what all heaps share, and
# what the guest does beside: those two may be 2 % apart.
object_row() {
	count=$((24 * 1048576 / $1))
	[ $count -ge 10000 ] || count=10000
	unload && load goheap && measure kmem_cache object "size=$1" count=$count || return
	measure goheap object "size=$1" count=$count || return
	eval "bound=\$BOUND_object_$1"
	awk -v row="object_$1" -v percent="$bound" -v count=$count '
	$1 == "row=" row {
		for (i = 2; i <= NF; i++) {
			split($i, pair, "=")
			v[$2, pair[1]] = pair[2]
		}
	}
	END {
		slab = v["alloc=kmem_cache", "held"] / count
		held = v["alloc=goheap", "cache"] / count
		pages = v["alloc=goheap", "cache_pages"] / count
		seen = (v["alloc=goheap", "held"] - v["alloc=goheap", "idle"]) / count
		printf "# bound row=%s of=kmem_cache ratio=%.3f max=%.3f kmem_cache=%.2f pages=%.2f" \
			" with_metadata=%.2f seen=%.2f\n", row, held / slab, percent / 100, slab,
			pages, held, seen
		exit !(slab && held && held * 100 <= percent * slab && seen <= held * 1.02)
	}' $ROWS
}

# ---- the tests -----------------------------------------------------------------

# What the kernel misses and what debugfs admits to, of the first row. A few
# slabs of descriptors are not full, and an arena ends within a page.
ledger_is_complete() {
	awk '$1 == "row=mix" && $2 == "alloc=goheap" {
		for (i = 1; i <= NF; i++) {
			split($i, pair, "=")
			v[pair[1]] = pair[2]
		}
		admitted = v["spans"] + v["stock"] + v["idle"] + v["metadata"]
		print "# held " v["held"] ", in debugfs " admitted
		found = v["held"] < admitted * 1.02 && v["held"] > admitted * 0.98
	}
	END { exit !found }' $ROWS
}

# Nothing is left of what handoff asked for: the rmmod in measure() freed it.
idle_cost_is_bounded() {
	unload && load goheap && load goheap_memory pattern=handoff rounds=1 || return
	rmmod goheap_memory
	# A tick waits for as long as its CPU sleeps, which nothing here interrupts.
	for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
		sleep $IDLE_SECONDS
		left=$(($(stat_of held_bytes) + $(stat_of metadata_bytes)))
		echo "# idle seconds=$((try * IDLE_SECONDS)) left=$left held=$(stat_of held_bytes)" \
			"metadata=$(stat_of metadata_bytes) cpus=$cpus per_cpu=$((left / cpus))"
		[ $left -gt $((64 * 1048576 * BOUND_idle / 100)) ] || return 0
	done
	return 1
}

now_us() {
	awk '/^now at / { print int($3 / 1000); exit }' /proc/timer_list
}

# Once at least, of fifty times, because the machine may be busy; awk's start is in it.
insmod_is_quick() {
	best=
	while [ "${best:-$((BOUND_insmod_ms * 1000))}" -ge $((BOUND_insmod_ms * 1000)) ]; do
		unload || return
		start=$(now_us)
		load goheap || return
		echo $(($(now_us) - start)) >>/tmp/times
		best=$(sort -n /tmp/times | head -n 1)
		[ "$(wc -l </tmp/times)" -lt 50 ] || break
	done
	echo "# insmod us=$best of $(paste -sd " " /tmp/times)"
	[ "$best" -lt $((BOUND_insmod_ms * 1000)) ]
}

tests=11 handoff_rounds=3 comb_rounds=5
[ -z "$FULL" ] || tests=27 handoff_rounds=20 comb_rounds=100

start $tests
ktap_print_msg "kernel=$(uname -r) cpus=$cpus"
whole_log=$mark
: >$ROWS
ktap_test_result "mix" row used mix
ktap_test_result "ledger_is_complete" ledger_is_complete
ktap_test_result "strings" row used strings count=1000000
ktap_test_result "above_powers_of_two" row used above mib=24
ktap_test_result "large" row used large mib=24
if [ -n "$FULL" ]; then
	for size in 33 65 129 257 513 1025 2049 4097; do
		ktap_test_result "size_$size" row used size size=$size mib=24
	done
	for size in 24 40 72 200 700 1500 3000 6000; do
		ktap_test_result "object_$size" object_row $size
	done
fi
ktap_test_result "handoff" row all handoff rounds=$handoff_rounds
ktap_test_result "comb" row all comb rounds=$comb_rounds
ktap_test_result "wander" row all wander rounds=5
ktap_test_result "idle_cost_is_bounded" idle_cost_is_bounded
ktap_test_result "insmod_is_quick" insmod_is_quick
mark=$whole_log
ktap_test_result "log_is_clean" log_is_clean
finish
