# SPDX-License-Identifier: GPL-2.0
# Kind build: goheap, its sample and its test modules build without a warning, and calls in
# goheap go one way. The options go to make.

builds() {
	"$TOP/tools/guest/build.sh" "$@" >/dev/null
}

floors() {
	"$TOP/scripts/floors.py" "$TOP/build/$1" | sed '$d; s/^/   /'
	return "${PIPESTATUS[0]}"
}

kind_build() {
	[[ " $* " != *" C="* ]] || need_packages sparse
	must "the build for $1 with W=1${2:+ ${*:2}}" builds "$@"
	must "calls that go one way, for $1: scripts/floors.py build/$1" floors "$1"
}
