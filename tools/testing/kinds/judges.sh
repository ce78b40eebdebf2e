# SPDX-License-Identifier: GPL-2.0
# Kind judges: the kernel's own tests of its allocators, on goheap. The options are names
# of judges.

kind_judges() {
	"$HERE/judges.sh" "$@" >"$work/judges" || fail "judges.sh $*"
	tally <"$work/judges"
}
