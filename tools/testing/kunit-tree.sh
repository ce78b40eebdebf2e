#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kunit-tree.sh [OPTION...]: put goheap into the newest kernel's tree, as lib/goheap,
# and run its KUnit suites there as those do who work on the kernel:
#
#	kunit.py run --arch=um --kunitconfig=lib/goheap/kunit
#
# OPTION... goes to kunit.py, behind that. The tree is one of hard links, in the cache;
# it keeps what was built. Prints what kunit.py prints, and at last the name of the file
# that has the console.

. "$(dirname "$0")/../lib.sh"

need_packages gcc make bc bison flex libelf-dev libssl-dev python3 rsync
source=$("$TOP/tools/guest/kernel.sh" source-newest)
tree=$CACHE/kunit-${source##*/src-}
goheap=$tree/lib/goheap

exec 8>"$CACHE/lock-kunit-tree"
flock 8
if [ ! -e "$tree/ready" ]; then
	rm -rf "$tree"
	cp -al "$source" "$tree"
	# sed replaces the files, so that those of the other tree stay as they are
	sed -i '$a source "lib/goheap/Kconfig"' "$tree/lib/Kconfig"
	sed -i '$a obj-$(CONFIG_GOHEAP) += goheap/' "$tree/lib/Makefile"
	touch "$tree/ready"
fi
# By content, and with new times: make has to see that a file went back to what it was.
rsync -rlp --checksum --delete --exclude=/.git --filter=":- .gitignore" "$TOP/" "$goheap/"

cd "$tree"
status=0
tools/testing/kunit/kunit.py run --arch=um --kunitconfig=lib/goheap/kunit "--jobs=$JOBS" "$@" ||
	status=$?
echo "$tree/.kunit/test.log"
exit $status
