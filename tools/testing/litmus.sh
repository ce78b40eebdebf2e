#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# litmus.sh: check Documentation/litmus/ against the kernel's memory model, one
# line for each test. Exits with 4 and a reason if the checker cannot be had.
#
# herd7 is in Debian sid only, for a newer C library; it runs with that one's
# loader and is not installed. Older models lack the bit operations.

. "$(dirname "$0")/../lib.sh"

herd=$CACHE/herd
libs=$herd/usr/lib/x86_64-linux-gnu

fetch_herd() (
	private_lists sid amd64
	fetch_debs "$herd.tmp" herdtools7/sid libc6/sid libgmp10/sid
	for deb in "$herd.tmp"/*.deb; do
		dpkg-deb -x "$deb" "$herd.tmp"
		rm "$deb"
	done
	mv "$herd.tmp" "$herd"
)

run_herd() {
	"$libs/ld-linux-x86-64.so.2" --library-path "$libs" "$herd/usr/bin/herd7" \
		-set-libdir "$herd/usr/share/herdtools7/herd" -I . -conf linux-kernel.cfg "$1"
}

rm -rf "$herd.tmp"
[ -d "$herd" ] || fetch_herd || { echo "herd7 cannot be downloaded from Debian sid"; exit 4; }
model=$("$TOP/tools/guest/kernel.sh" source-newest)/tools/memory-model
cd "$model"
bad=0
for test in "$TOP"/Documentation/litmus/*.litmus; do
	name=$(basename "$test" .litmus)
	wanted=$(sed -n 's/.*Result: \([A-Z][a-z]*\).*/\1/p' "$test")
	seen=$(run_herd "$test" 2>&1 | sed -n "s/^Observation $name \([A-Z][a-z]*\) .*/\1/p")
	if [ -n "$wanted" ] && [ "$seen" = "$wanted" ]; then
		echo "ok $name ($seen)"
	else
		echo "not ok $name: ${seen:-no result}, not ${wanted:-anything stated}"
		bad=1
	fi
done
exit $bad
