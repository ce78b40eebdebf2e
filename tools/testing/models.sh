#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# models.sh [-DNAME...]: check Documentation/models/ownership.pml with spin, whole and
# with each of its parts taken away, one line for each; or once, as named, and
# show how it goes wrong. Exits with 4 and a reason if spin cannot be had.

. "$(dirname "$0")/../lib.sh"

model=$TOP/Documentation/models/ownership.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What has to hold, and what must not once something is missing: the -D of the model.
good=("" "-DBAD" "-DDEAD" "-DRCU" "-DDEAD -DRCU" "-DIRQ=1")
broken=(
	"-DBREAK_RECHECK" "-DBREAK_SETTLE" "-DBREAK_DELIVER" "-DBREAK_DISOWN"
	"-DBREAK_RELEASE" "-DBREAK_LOOK" "-DBREAK_MAGAZINE"
	"-DIRQ=1 -DBREAK_OWNER" "-DIRQ=1 -DBREAK_SECTION"
	"-DBAD -DBREAK_LIFE" "-DBAD -DBREAK_TWICE" "-DBAD -DBREAK_REPORT"
	"-DBAD -DIRQ=1 -DBREAK_CENTRAL_TWICE"
	"-DRCU -DBREAK_RCU" "-DRCU -DBREAK_AGAIN"
	"-DDEAD -DBREAK_DEAD" "-DDEAD -DBREAK_CLOSE" "-DDEAD -DBREAK_OPEN"
	"-DDEAD -DRCU -DBREAK_DEAD"
)

# run_spin OPTION...: right, wrong, or what else happened.
run_spin() {
	local result
	(cd "$work" && rm -f pan* ./*.trail && spin -a "$@" "$model" &&
		gcc -O2 -w -DSAFETY -DNOREDUCE -DHC4 -DMEMLIM=2000 -o pan pan.c &&
		./pan -m4000000 -w24 -n) >"$work/log" 2>&1 || :
	result=$(sed -nE 's/.*errors: ([0-9]+)$/\1/p' "$work/log")
	if grep -qE 'max search depth|Search not completed' "$work/log" && [ "$result" = 0 ]; then
		echo "not searched to the end"
	else
		case $result in
		0) echo right ;;
		1) echo wrong ;;
		*) echo "no result: $(tail -n 1 "$work/log")" ;;
		esac
	fi
}

# expect RESULT NAMES
expect() {
	local names=$2 seen
	# shellcheck disable=SC2086 # several of them
	seen=$(run_spin $names)
	if [ "$seen" = "$1" ]; then
		echo "ok ownership ${names:-alone} ($seen)"
	else
		echo "not ok ownership ${names:-alone}: $seen, not $1"
		bad=1
	fi
}

(need_packages spin gcc) || { echo "spin cannot be installed"; exit 4; }
if [ $# -gt 0 ]; then
	run_spin "$@"
	cat "$work/log"
	[ ! -e "$work"/*.trail ] || spin -k "$work"/*.trail -p -g "$@" "$model"
	exit
fi
bad=0
for names in "${good[@]}"; do expect right "$names"; done
for names in "${broken[@]}"; do expect wrong "$names"; done
exit $bad
