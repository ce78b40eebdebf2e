#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh [--full | LANE...]: run the tests: those lanes of the table "lanes" that make
# check stands for, all there are, or those named. Every lane reports its counts as it
# finishes; the last line is the sum. Consoles are kept in build/logs/.
#
# A lane is one or several lines of the table. Each is run by the function kind_KIND of
# kinds/KIND.sh, which is given the kernel and the options, finds $lane and $taint, and
# counts what it finds by pass, skip, fail, must, tally or verdict.

. "$(dirname "$0")/../lib.sh"

HERE=$TOP/tools/testing
TABLE=$HERE/lanes
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- counting --------------------------------------------------------------

passed=0 failed=0 skipped=0
total_passed=0 total_failed=0 total_skipped=0
quiet=""		# a trial wants the failures kept, not shown
said=""			# what they said

pass() { passed=$((passed + $1)); }
skip() { skipped=$((skipped + 1)); printf '   skipped: %s\n' "$*"; }
hint() { printf '   hint: %s\n' "$*"; }
fail() {
	failed=$((failed + 1))
	said+="$*"$'\n'
	[ -n "$quiet" ] || printf '   FAILED: %s\n' "$*"
}

# must WHAT COMMAND...: a test that is a command.
must() {
	local what=$1
	shift
	if "$@"; then pass 1; else fail "$what"; fi
}

# tally: what a program found, one line each. A line that is none of these is a failure.
tally() {
	local word text
	while read -r word text; do
		case $word in
		pass) pass "${text%% *}" ;;
		ok) pass 1 ;;
		skip) skip "$text" ;;
		hint) hint "$text" ;;
		fail) fail "$text" ;;
		*) fail "$word $text" ;;
		esac
	done
}

# verdict LOG [OPTION...]: what judge.py finds on a console, with these options of it.
verdict() {
	"$HERE/judge.py" "${@:2}" "$1" >"$work/verdict" || fail "judge.py cannot judge $1"
	tally <"$work/verdict"
}

# trial COMMAND...: what it would count is forgotten; $got is pass or fail, and $said
# tells why.
trial() {
	local keep_passed=$passed keep_failed=$failed keep_skipped=$skipped
	got=pass quiet=1 failed=0 said=""
	"$@" >/dev/null
	[ "$failed" = 0 ] || got=fail
	quiet="" passed=$keep_passed failed=$keep_failed skipped=$keep_skipped
}

. "$HERE/guests.sh"
for file in "$HERE"/kinds/*.sh; do . "$file"; done

# ---- the table -------------------------------------------------------------

declare -A TAINTS=([-]=4096 [stock]=12288)	# out of tree; and unsigned

# lines FILE: those of a table that are about a lane.
lines() { grep -vE '^(#|$)' "$1"; }

# lanes_of SET...: the names of the lanes in these sets.
lanes_of() {
	lines "$TABLE" | awk -v sets=" $* " 'index(sets, " " $2 " ") && !seen[$1]++ { print $1 }'
}

# check_table FILE: a line with a mistake would test less than it says.
check_table() {
	local lane set kind kernel taint _
	while read -r lane set kind kernel taint _; do
		[[ $set == @(check|full|trial) ]] || die "$lane: there is no set '$set'"
		[ -e "$HERE/kinds/$kind.sh" ] || die "$lane: there is no kind '$kind'"
		[ -n "$kernel" ] || die "$lane: no kernel is named"
		[ -n "${TAINTS[${taint:-none}]:-}" ] || die "$lane: there is no taint '$taint'"
	done < <(lines "$1")
}

# run LANE: all of its lines, although one of them fails.
run() {
	local lane=$1 line kind kernel taint options _
	local -a table
	mapfile -t table < <(lines "$TABLE" | awk -v lane="$lane" '$1 == lane')
	for line in "${table[@]}"; do
		read -r _ _ kind kernel taint options <<<"$line"
		eval "set -- $options"
		taint=${TAINTS[$taint]}
		"kind_$kind" "$kernel" "$@" || fail "the lane came to no end"
	done
}

# ---- main ------------------------------------------------------------------

check_table "$TABLE"
mapfile -t all < <(lanes_of check full trial)
case ${1:-} in
"") mapfile -t chosen < <(lanes_of check) ;;
--full) mapfile -t chosen < <(lanes_of check full) ;;
*) chosen=("$@") ;;
esac
for lane in "${chosen[@]}"; do
	[[ " ${all[*]} " == *" $lane "* ]] ||
		die "check.sh has no lane '$lane'; there are: $(lanes_of check full | paste -sd ' ')"
done
mkdir -p "$LOGS"
for lane in "${chosen[@]}"; do
	start=$SECONDS passed=0 failed=0 skipped=0
	run "$lane"
	[ $((passed + failed + skipped)) -gt 0 ] || fail "the lane tested nothing"
	printf '%-18s %d passed, %d failed, %d skipped (%d s)\n' "$lane" \
		$passed $failed $skipped $((SECONDS - start))
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
done
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ $total_failed = 0 ]
