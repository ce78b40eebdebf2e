#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# speed.sh [KERNEL] [PARAM=VALUE...]: run goheap_bench in a guest with two CPUs and
# print its medians as a table, in ns per object allocated and freed. $SMP asks for
# more CPUs, $APPEND goes to the kernel's command line, $GOHEAP to goheap.ko. Left in
# build/bench:
#
#   KERNEL.txt   the table
#   KERNEL.json  the kernel, its options, every point with min, median and max
#   KERNEL.svg   a chart of the ratios
#   KERNEL.log   the guest's console
#
# KERNEL is uml if left out: native speed and CPUs that really run at a time. In an
# emulated guest only the ratios mean something, and they not much; there is less
# to do there (scale=25 layouts=1). PARAM=VALUE goes to the module: patterns=pair,cross runs=15.
#
# goheap has to refuse every bad free before and after, in the same boot, or the
# whole run is an error.

. "$(dirname "$0")/../lib.sh"

name=uml
case ${1:-} in
''|*=*) ;;
*) name=$1; shift ;;
esac
params=$*
smp=${SMP:-2}
# An emulator does not know where code lies.
[ "$name" = uml ] || params="scale=25 layouts=1 $params"

need_packages python3
out=$TOP/build/bench
log=$out/$name.log
mkdir -p "$out"
built=$("$TOP/tools/guest/build.sh" "$name")
kernel=$("$TOP/tools/guest/kernel.sh" "$name")

guest=$(mktemp -d)
trap 'rm -rf "$guest"' EXIT
cp "$built/goheap.ko" "$built"/selftests/modules/goheap_{bench,misuse}.ko "$guest/"
cp "$TOP/tools/bench/guest-speed" "$guest/run.sh"
echo "$params" >"$guest/params"
echo "${GOHEAP:-}" >"$guest/goheap-params"

[ "$smp" -le "$(nproc)" ] ||
	say "$smp CPUs on a machine of $(nproc): they will take turns, which the numbers show"
read -r load _ </proc/loadavg
say "measuring; best leave the machine alone until it is done (load now: $load)"
"$TOP/tools/guest/boot.sh" "$name" "$guest" --smp "$smp" --mem 1G --timeout 900 \
	--append "loglevel=7 ${APPEND:-}" --log "$log" >/dev/null ||
	{ tail -n 20 "$log" >&2; die "the benchmark did not run to its end; its console is $log"; }

"$TOP/tools/bench/speed-report.py" "$name" "$load" "$kernel/kdir/.config" <"$log" "$out/$name" ||
	die "the benchmark's console cannot be believed: $log"
say "chart: $out/$name.svg, all numbers: $out/$name.json"
