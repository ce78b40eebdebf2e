#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# judges.sh KERNEL JUDGE...: run the kernel's own tests of its allocators on goheap,
# in guests with KERNEL. Their sources come from the kernel's and stay below build/;
# selftests/judges/Kbuild tells how they are rewired. JUDGE is one of
#
#   meminit    lib/test_meminit.c
#   slub       lib/slub_kunit.c, whose caches are debugged
#   overflow   lib/overflow_kunit.c
#   kasan      mm/kasan/kasan_test_c.c; KERNEL must have KASAN
#   lkdtm      drivers/misc/lkdtm/heap.c
#   xarray     lib/xarray.c and lib/radix-tree.c, whose nodes come from an object cache, with
#              lib/test_xarray.c; and the same with the kernel's kmem_cache
#   maple      likewise lib/maple_tree.c, with lib/test_maple_tree.c
#   card       the last two also with SLUB, where the kernel can; its score is shown
#              beside goheap's and has no influence on the outcome
#
# A line each: pass COUNT TEXT, skip TEXT, or fail TEXT. Results are compared with
# selftests/judges/expected. Consoles are kept in build/logs/judge-KERNEL-*.log, the
# scores as build/judges/KERNEL.JUDGE.

. "$(dirname "$0")/../lib.sh"

[ $# -ge 2 ] || die "usage: judges.sh KERNEL JUDGE..."
kernel=$1
shift
EXPECTED=$TOP/selftests/judges/expected
dir=$TOP/build/judges/$kernel
scores=$TOP/build/judges/$kernel
card=""			# show SLUB's score, too
limit=$PATIENCE		# seconds that a guest may take
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

GOHEAP_DEBUG="debug=PZU"		# of the module
SLUB_DEBUG="slab_debug=FZPU"		# of the kernel
REPORTS='BUG:|WARNING:|UBSAN:|INFO:|Oops|KASAN|KCSAN|unreferenced object'
MISUSE='goheap: misuse:'

declare -A FILES=([meminit]=lib/test_meminit.c [slub]="lib/tests/slub_kunit.c lib/slub_kunit.c"
	[overflow]="lib/tests/overflow_kunit.c lib/overflow_kunit.c"
	[kasan]=mm/kasan/kasan_test_c.c [lkdtm]="drivers/misc/lkdtm/heap.c drivers/misc/lkdtm/lkdtm.h"
	[xarray]="lib/xarray.c lib/radix-tree.c lib/radix-tree.h lib/test_xarray.c"
	[maple]="lib/maple_tree.c lib/test_maple_tree.c")
declare -A MODULES=([meminit]=judge_meminit [slub]=judge_slub [overflow]=judge_overflow
	[kasan]="judge_kasan judge_kasan_slub" [lkdtm]="lkdtm_goheap lkdtm_slub"
	[xarray]="judge_xarray judge_xarray_slub" [maple]="judge_maple judge_maple_slub")
declare -A SUITES=([slub]=slub_test [overflow]=overflow [kasan]=kasan)

# The cases that are about slabs; the others try vmalloc, KFENCE and the page allocator.
LKDTM_CASES=(SLAB_LINEAR_OVERFLOW WRITE_AFTER_FREE READ_AFTER_FREE SLAB_INIT_ON_ALLOC
	SLAB_FREE_DOUBLE SLAB_FREE_CROSS SLAB_FREE_PAGE)

# ---- building --------------------------------------------------------------

# UML is built from the newest source, and so are its tests.
case $kernel in
uml*|7.*) source=$("$TOP/tools/guest/kernel.sh" source-newest) ;;
*) source=$("$TOP/tools/guest/kernel.sh" source) ;;
esac

# twin FILE...: a copy for the module that is not rewired.
twin() {
	local file
	for file; do cp "$dir/$file.c" "$dir/${file}_slub.c"; done
}

# fetch JUDGE: its sources into $dir.
fetch() {
	local file
	for file in ${FILES[$1]}; do
		[ ! -e "$source/$file" ] || cp "$source/$file" "$dir/"
	done
	case $1 in
	kasan) twin kasan_test_c ;;
	lkdtm) twin heap judge_lkdtm ;;
	xarray)
		cp "$dir/judge_user.c" "$dir/judge_user_xarray.c"
		twin xarray radix-tree test_xarray judge_user_xarray
		;;
	maple)
		cp "$dir/judge_user.c" "$dir/judge_user_maple.c"
		twin maple_tree test_maple_tree judge_user_maple
		;;
	esac
}

build_judges() {
	local judge modules="" tree
	built=$("$TOP/tools/guest/build.sh" "$kernel")
	tree=$("$TOP/tools/guest/kernel.sh" "$kernel")
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r "$TOP/selftests/judges/." "$dir/"
	for judge; do
		[ "$judge" != card ] || continue
		[ -n "${MODULES[$judge]:-}" ] ||
			die "there is no judge '$judge': use $(printf '%s, ' "${!MODULES[@]}")card"
		fetch "$judge"
		modules+=" ${MODULES[$judge]}"
	done
	run_logged "$LOGS/build-judges-$kernel.log" make -C "$tree/kdir" "ARCH=$(cat "$tree/arch")" \
		"-j$JOBS" "M=$dir" "GOHEAP=$built" "JUDGE_SOURCE=$source" "JUDGES=$modules" \
		"KBUILD_EXTRA_SYMBOLS=$built/Module.symvers" modules
}

# ---- guests ----------------------------------------------------------------

# guest NAME OPTION...: run what stdin says; the console becomes $log, and $text
# without timestamps.
guest() {
	local name=$1
	shift
	rm -rf "$work/guest"
	mkdir -p "$work/guest"
	cat >"$work/guest/run.sh"
	cp "$built/goheap.ko" "$dir"/*.ko "$work/guest/"
	log=$LOGS/judge-$kernel-$name.log text=$work/text
	rm -f "$log"
	"$TOP/tools/guest/boot.sh" "$kernel" "$work/guest" --log "$log" --timeout $limit "$@" >/dev/null 2>&1 || :
	plain "$log" >"$text"
}

came_to_its_end() {
	grep -qx 'GOHEAP-GUEST-END 0' "$text" && return
	echo "fail $1: the guest did not come to its end; see $log"
	return 1
}

# no_reports JUDGE PATTERN: none of these may be on the console.
no_reports() {
	! grep -E "$2" "$text" >"$work/reports" ||
		echo "fail $1: reports on the console: $(head -n 1 "$work/reports")"
}

# ---- what is expected ------------------------------------------------------

# expectation SUITE CASE WHERE DEFAULT: sets $outcome and $reason.
expectation() {
	local suite name where
	while read -r suite name where outcome reason; do
		# shellcheck disable=SC2053
		[[ $suite == "$1" && $2 == $name && $3 == $where ]] && return
	done < <(grep -v '^#' "$EXPECTED")
	outcome=$4 reason=""
}

# verdict JUDGE CASE OUTCOME: says a line about a case that passed, failed or was
# skipped.
verdict() {
	expectation "$1" "$2" "$kernel" pass
	case $outcome:$3 in
	none:skip) others=$((others + 1)) ;;
	pass:pass) passed=$((passed + 1)) ;;
	fail:fail|skip:skip) echo "skip $1: $2: $reason" ;;
	*) echo "fail $1: $2: is '$3' and should be '$outcome'; see $log" ;;
	esac
}

# left_out JUDGE: the cases that are not to run, separated by commas.
left_out() {
	local suite name where outcome _
	while read -r suite name where outcome _; do
		# shellcheck disable=SC2053
		[[ $suite == "$1" && $kernel == $where ]] || continue
		case $outcome in
		none|skip) printf '%s,' "$name" ;;
		esac
	done < <(grep -v '^#' "$EXPECTED")
}

# ---- the judges ------------------------------------------------------------

# Its functions say how many tests they made. Each of the two options alone is a case of its
# own: what is clear then is so because of allocation, or because of free.
judge_meminit() {
	local options
	for options in "1 1" "1 0" "0 1"; do
		meminit "${options% *}" "${options#* }"
	done
}

# meminit ALLOC FREE
meminit() {
	local name="meminit-$1$2" what="meminit, init_on_alloc=$1 init_on_free=$2"
	guest "$name" --append "loglevel=7 init_on_alloc=$1 init_on_free=$2" <<-'END'
		insmod /goheap.ko && insmod /judge.ko && insmod /judge_meminit.ko
	END
	came_to_its_end "$what" || return 0
	no_reports "$what" "$REPORTS|$MISUSE"
	sed -nE "s/^judge_meminit: all ([0-9]+) tests in (\\w+) passed$/pass \\1 $what: \\2/p
		s/^judge_meminit: (\\w+) failed ([0-9]+) out of .*/fail $what: \\1 failed \\2 times/p" \
		"$text"
	[ "$(grep -c '^judge_meminit: all .* tests in' "$text")" = 4 ] ||
		echo "fail $what: not all of its four functions passed"
}

# Tests of users of kmem_cache, which say how many checks they made.
judge_xarray() { judge_user xarray radix_tree_node; }
judge_maple() { judge_user maple maple_node; }

# judge_user JUDGE CACHE
judge_user() {
	local column checks="" columns="slub goheap"
	# The records of who allocated take an emulated machine half an hour.
	[[ $kernel != uml* ]] || columns+=" goheap-debug"
	for column in $columns; do
		user_test "$1" "$2" $column || return 0
		[ "${checks:-$passed}" = "$passed" ] ||
			echo "fail $1, $column: $passed checks passed, and $checks with SLUB"
		checks=$passed
		[ $column = slub ] || echo "pass 1 $1, $column: all of $passed checks, as with SLUB"
	done
}

# user_test JUDGE CACHE COLUMN: sets $passed, or says why not. The cache is taken down, and
# tells what leaked, before goheap is looked at.
user_test() {
	local what="$1, $3" module=judge_$1 parameters="" heaps=/sys/kernel/debug/goheap/heaps
	case $3 in
	slub) module+=_slub ;;
	goheap-debug) parameters=$GOHEAP_DEBUG ;;
	esac
	guest "$1-$3" --append loglevel=7 <<-END
		insmod /goheap.ko $parameters && insmod /judge.ko && insmod /$module.ko || exit
		grep small_allocs $heaps/$2-1/stats
		rmmod $module || exit
		cat /sys/kernel/debug/goheap/validate
		ls $heaps
		rmmod judge && rmmod goheap
	END
	passed=$(sed -nE 's/^.*: ([0-9]+) of \1 tests passed$/\1/p' "$text")
	came_to_its_end "$what" && user_is_content "$what" "$3"
}

# user_is_content WHAT COLUMN
user_is_content() {
	local reports
	reports=$(no_reports "$1" "$REPORTS|$MISUSE|leaked|never destroyed|still has objects")
	if [ -n "$reports" ]; then
		echo "$reports"
	elif [ "${passed:-0}" = 0 ]; then
		echo "fail $1: not all of its checks passed; see $log"
	elif ! grep -qx 'heap ok' "$text"; then
		echo "fail $1: the heap is damaged; see $log"
	elif [ "$2" != slub ] && ! grep -qE '^small_allocs +[0-9]{4,}$' "$text"; then
		echo "fail $1: it took next to nothing from goheap; see $log"
	elif ! grep -qx default "$text" || grep -q '_node-1$' "$text"; then
		echo "fail $1: something is left of it; see $log"
	else
		return 0
	fi
	return 1
}

# run_suite JUDGE MODULE OPTION...: a KUnit suite; its cases go to $scores.MODULE.
run_suite() {
	local judge=$1 module=$2 left
	shift 2
	left=$(left_out "$judge")
	guest "${module#judge_}" "$@" <<-END
		insmod /goheap.ko && insmod /judge.ko ${left:+skip=${left%,}} || exit
		insmod /$module.ko || exit
		echo JUDGE-RESULTS
		cat /sys/kernel/debug/kunit/${SUITES[$judge]}/results
	END
	sed '1,/^JUDGE-RESULTS$/d' "$text" |
		sed -nE 's/^    (not ok|ok) [0-9]+ (\w+)( # SKIP.*)?$/\1:\2\3/p' |
		sed -E 's/^ok:(\w+) # SKIP.*/\1 skip/; s/^ok:(\w+)$/\1 pass/; s/^not ok:(\w+).*/\1 fail/' \
		>"$scores.$module"
}

judge_suite() {
	local judge=$1 cases=$scores.judge_$1 name is planned passed=0 others=0
	planned=$(sed '1,/^JUDGE-RESULTS$/d' "$text" | sed -nE 's/^    1\.\.([0-9]+)$/\1/p' | head -n 1)
	came_to_its_end "$judge" || return 0
	while read -r name is; do
		verdict "$judge" "$name" "$is"
	done <"$cases"
	[ "$(wc -l <"$cases")" = "${planned:-none}" ] ||
		echo "fail $judge: $(wc -l <"$cases") of ${planned:-?} cases came to an end; see $log"
	[ $passed = 0 ] || echo "pass $passed $judge: cases, $others others left out"
}

judge_slub() {
	run_suite slub judge_slub --append loglevel=7
	no_reports slub "$REPORTS"
	judge_suite slub
}

judge_overflow() {
	run_suite overflow judge_overflow --append loglevel=7
	no_reports overflow "$REPORTS|$MISUSE"
	judge_suite overflow
}

judge_kasan() {
	run_suite kasan judge_kasan --append "loglevel=7 kasan_multi_shot kmemleak=off"
	no_reports kasan 'WARNING:|UBSAN:|INFO:|Oops|KCSAN'
	judge_suite kasan
	if [ -n "$card" ]; then
		run_suite kasan judge_kasan_slub --append "loglevel=7 kasan_multi_shot kmemleak=off"
		join <(sort "$scores.judge_kasan_slub") <(sort "$scores.judge_kasan") |
			awk '{ n[$2 " by SLUB, " $3 " by goheap"]++ }
				END { for (k in n) print n[k], k }' | sort >"$scores.kasan"
	fi
}

# ---- the score card --------------------------------------------------------

# outcome_of CASE: what became of it, from $text.
outcome_of() {
	awk -v name="$1" '
		$0 == "lkdtm: " name " begins" { at = "doing" }
		at && /BUG |BUG:|WARNING:|Oops|general protection|goheap: (misuse|.*leaked)|kernel BUG/ {
			if (!report) report = at
		}
		at && /correctly poisoned|appears initialized/ { cleared = 1 }
		at && /Reallocation missed/ { elsewhere = 1 }
		$0 == "lkdtm: " name " done" { at = "done" }
		$0 == "lkdtm: " name " is over" { over = 1; at = "" }
		END {
			if (!over) print "dies"
			else if (report == "doing") print "reported"
			else if (report == "done") print "later"
			else if (elsewhere) print "elsewhere"
			else if (cleared) print "cleared"
			else print "silent"
		}' "$text"
}

# lkdtm COLUMN ALLOCATOR PARAMETERS APPEND CASE...: the cases in one boot. One CPU, whose
# magazines are warm.
lkdtm() {
	local column=$1 allocator=$2 parameters=$3 append=$4 name log_name=lkdtm-${1//+/-}
	shift 4
	[ $# -gt 1 ] || log_name+=-$1
	guest "$log_name" --smp 1 --append "loglevel=7 kmemleak=off kasan_multi_shot $append" <<-END
		for c in $*; do
			if [ $allocator = goheap ]; then
				insmod /goheap.ko $parameters && insmod /judge.ko warm=512,1024 || exit
			fi
			insmod /lkdtm_$allocator.ko run=\$c
			for f in /sys/kernel/slab/kmalloc-*/validate /sys/kernel/slab/lkdtm-*/validate; do
				echo 1 2>/dev/null >\$f
			done
			[ $allocator = slub ] || cat /sys/kernel/debug/goheap/validate
			rmmod lkdtm_$allocator
			[ $allocator = slub ] || { rmmod judge && rmmod goheap || exit; }
		done
	END
	for name; do
		echo "$name $column $(outcome_of "$name")" >>"$scores.cases"
	done
}

judge_lkdtm() {
	local name column is passed=0 patience=$limit
	: >"$scores.cases"
	# What SLUB does not survive must not be charged to the next case. It may well hang.
	local limit=60
	for name in ${card:+"${LKDTM_CASES[@]}"}; do
		lkdtm slub slub "" "" "$name"
		lkdtm slub+debug slub "" "$SLUB_DEBUG" "$name"
	done
	limit=$patience
	lkdtm goheap goheap "" "" "${LKDTM_CASES[@]}"
	lkdtm goheap+debug goheap "$GOHEAP_DEBUG" "" "${LKDTM_CASES[@]}"
	while read -r name column is; do
		[ "${column%+*}" = goheap ] || continue
		expectation lkdtm "$name" "$kernel/$column" reported
		if [ "$is" = "$outcome" ]; then
			passed=$((passed + 1))
		else
			echo "fail lkdtm: $name, $column: is '$is' and should be '$outcome'"
		fi
	done <"$scores.cases"
	echo "pass $passed lkdtm: cases, in either mode of goheap"
	print_card >"$scores.lkdtm"
}

print_card() {
	local name column
	printf '%-22s %-10s %-12s %-10s %s\n' case slub slub+debug goheap goheap+debug
	for name in "${LKDTM_CASES[@]}"; do
		# shellcheck disable=SC2046,SC2183
		printf '%-22s %-10s %-12s %-10s %s\n' "$name" \
			$(for column in slub slub+debug goheap goheap+debug; do
				awk -v n="$name" -v c=$column '$1 == n && $2 == c { is = $3 }
					END { print is ? is : "-" }' "$scores.cases"
			done)
	done
}

mkdir -p "$LOGS"
build_judges "$@"
for judge; do
	[ "$judge" != card ] || card=1
done
for judge; do
	[ "$judge" = card ] || "judge_$judge"
done
