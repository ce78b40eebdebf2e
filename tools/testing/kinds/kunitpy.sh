# SPDX-License-Identifier: GPL-2.0
# Kind kunitpy: the KUnit suites as who works on the kernel runs them: built in, kunit.py's
# own configuration, and the default of User Mode Linux, which is one CPU and no CONFIG_SMP.

kind_kunitpy() {
	local log=$LOGS/$lane.log
	"$HERE/kunit-tree.sh" --timeout=$PATIENCE >"$log" 2>&1 ||
		fail "kunit.py: $(grep -E 'Testing complete|ERROR' "$log" | head -n 1); see $log"
	verdict "$(tail -n 1 "$log")" --suites "$EXPECTED_SUITES"
}
