# SPDX-License-Identifier: GPL-2.0
# Kind script: a script beside check.sh that prints a line for each test and needs no guest.
# It ends with 4, and a reason, if what it needs cannot be had.

kind_script() {
	local script=$2 before=$failed status=0
	"$HERE/$script" >"$work/lines" || status=$?
	if [ $status = 4 ]; then
		skip "$(tail -n 1 "$work/lines")"
		return
	fi
	tally <"$work/lines"
	[ $status = 0 ] || [ $failed -gt "$before" ] || fail "$script ended with status $status"
}
