# SPDX-License-Identifier: GPL-2.0
# Kind build: goheap, its sample and its test modules build without a warning. The options
# go to make.

builds() {
	"$TOP/tools/guest/build.sh" "$@" >/dev/null
}

kind_build() {
	[[ " $* " != *" C="* ]] || need_packages sparse
	must "the build for $1 with W=1${2:+ ${*:2}}" builds "$@"
}
