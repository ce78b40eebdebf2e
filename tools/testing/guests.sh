# SPDX-License-Identifier: GPL-2.0
# Sourced by check.sh: what lanes that boot guests have in common.

# What a kernel with a checker says when that works. A checker that sleeps finds nothing.
declare -A AWAKE=(
	[kcsan]='^kcsan: selftest: ([0-9]*)/\1 tests passed'
	[arm64-tags]='^kasan: KernelAddressSanitizer initialized \(sw-tags'
)

# Looks for leaks: twice, because what a stack or a register holds goes away, and late,
# because objects must be some seconds old to count.
SCAN='k=/sys/kernel/debug/kmemleak
sleep 6
echo scan >$k && sleep 1 && echo scan >$k && cat $k && echo "kmemleak: scanned twice"'

# keys ARGUMENT...: KEY=VALUE, as many as there are at first, go to the caller's variable
# of that name, which has to have one; what follows goes to $rest, for boot.sh.
keys() {
	while [[ ${1:-} =~ ^[a-z_]+= ]]; do
		[ -v "${1%%=*}" ] || die "$lane: nobody here knows the option '$1'"
		printf -v "${1%%=*}" %s "${1#*=}"
		shift
	done
	rest=("$@")
}

# built KERNEL [kunit]: where goheap was built for it; once in a run is enough.
built() {
	local memo=$work/built-$*
	if [ ! -s "$memo" ]; then
		"$TOP/tools/guest/build.sh" "$@" >"$memo.new" || return
		mv "$memo.new" "$memo"
	fi
	cat "$memo"
}

# new_guest: $tree is the root of a guest that runs what stdin says.
new_guest() {
	tree=$work/guest
	rm -rf "$tree"
	mkdir -p "$tree"
	cat >"$tree/run.sh"
}

# was_damaged LOG: a CPU there had flags that no CPU has (bits 22 to 31 of EFLAGS), which no code
# in the guest can set. QEMU 7.2 does that once in many hundreds of guests that are busy on a
# busy machine, and nothing that comes after it says anything about goheap.
was_damaged() {
	grep -qsaE 'EFLAGS: ([1-9a-f]|0[1-9a-f]|00[4-9a-f])' "$1"
}

# guest KERNEL OPTION...: boot $tree, and keep the console as this lane's.
guest() {
	boot_once "$@"
	was_damaged "$LOGS/$lane.log" || return 0
	mv "$LOGS/$lane.log" "$LOGS/$lane.damaged.log"
	hint "the emulator damaged the guest, see build/logs/$lane.damaged.log: once more"
	boot_once "$@"
}

boot_once() {
	rm -f "$LOGS/$lane.log"
	"$TOP/tools/guest/boot.sh" "$1" "$tree" --timeout $PATIENCE "${@:2}" --log "$LOGS/$lane.log" \
		>/dev/null 2>&1 || :
}

# guest_verdict KERNEL TAINT OPTION...: the verdict on that, with these options of judge.py.
guest_verdict() {
	local awake=${AWAKE[$1]:-}
	verdict "$LOGS/$lane.log" --taint "$2" ${awake:+--shows "$awake"} "${@:3}"
}

# shows REGEX: whatever else is on the lane's console, it says so.
shows() {
	must "'$1' is not on the console" grep -qE "$1" <(plain "$LOGS/$lane.log")
}
