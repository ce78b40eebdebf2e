#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kdir.sh DIR: say in one sentence what is wrong with DIR as a kernel build tree.

fail() { printf 'goheap: %s\n' "$*" >&2; exit 1; }

kdir=$1
[ -e "$kdir/Makefile" ] || fail "no kernel build tree at $kdir:" \
	"install it (Debian: apt-get install linux-headers-$(uname -r)) or give KDIR=/path/to/a/prepared/kernel"
[ -e "$kdir/include/config/auto.conf" ] ||
	fail "the kernel tree at $kdir is not prepared: run 'make olddefconfig modules_prepare' in it"
release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null)
major=${release%%.*} minor=${release#*.} minor=${minor%%[!0-9]*}
[ -z "$release" ] || [ "$((major * 1000 + minor))" -ge 6001 ] ||
	fail "kernel $release is too old: goheap needs 6.1 or later, give KDIR= of a newer one"
