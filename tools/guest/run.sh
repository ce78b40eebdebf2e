#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# run.sh [--shell] KERNEL: boot a kernel in QEMU, load goheap and a sample user of
# it, and show what debugfs shows; with --shell give a prompt in there instead.

. "$(dirname "$0")/../lib.sh"

shell=""
[ "${1:-}" != --shell ] || { shell=1; shift; }
kernel=${1:-6.12}
case $kernel in
6.1|6.12|6.1-rt|6.12-rt|7.2) ;;
*) die "no kernel '$kernel': give KERNEL=6.1, 6.12, 6.1-rt, 6.12-rt or 7.2" ;;
esac
[ "$(uname -m)" = x86_64 ] || die "this needs an x86-64 machine: it boots x86-64 kernels"

say "looking for what is needed (a compiler, QEMU, busybox, kernel $kernel)"
need_packages gcc make rsync dwarves busybox-static cpio qemu-system-x86
"$TOP/tools/guest/kernel.sh" "$kernel" >/dev/null

say "building goheap and its sample for kernel $kernel"
dir=$("$TOP/tools/guest/build.sh" "$kernel")

guest=$(mktemp -d)
trap 'rm -rf "$guest"' EXIT
cp "$dir/goheap.ko" "$dir/samples/goheap_sample.ko" "$guest/"
cp "$TOP/tools/guest/demo" "$guest/run.sh"

if [ -n "$shell" ]; then
	touch "$guest/shell"
	say "booting kernel $kernel (exit or poweroff -f ends it; so does Ctrl-A X)"
	"$TOP/tools/guest/boot.sh" "$kernel" "$guest" --interactive
	exit
fi
log=$TOP/build/logs/run-$kernel.log
say "booting kernel $kernel (the console goes to $log too)"
"$TOP/tools/guest/boot.sh" "$kernel" "$guest" --log "$log" | sed -u '/^GOHEAP-GUEST-END\|^TAINT/d; /reboot: Power down/d' ||
	die "the guest failed: its console above, or in $log, says where"
