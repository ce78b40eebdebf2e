#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# soak.sh [KERNEL...]: every kind of load together, content-checked, for $HOURS (a
# tenth unless said; fractions are allowed), divided among the kernels. Each round is
# guest-soak's, and prints its seed first. SEED=n KERNEL begins with that round
# and asks for the same again. Consoles are kept as build/logs/soak-KERNEL.log.
#
# $ROUND is how many seconds a round takes (60).

. "$(dirname "$0")/../lib.sh"

[ $# -gt 0 ] || set -- uml san kcsan rt
hours=${HOURS:-0.1}
seconds=$(awk -v h="$hours" -v n=$# 'BEGIN { print int(h * 3600 / n) }')
[ "$seconds" -gt 0 ] || die "HOURS=$hours is no time for $# kernels: give more"
seed=${SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
[[ $seed =~ ^[1-9][0-9]*$ ]] || die "SEED=$seed is no seed: give the number that a round printed"
TAINT=4096		# out of tree
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Parameters of goheap.ko that a round may be loaded with, if this one has them.
params() {
	local p
	for p in random=1 debug=PZU; do
		! grep -qaE "parmtype=${p%=*}:" "$1" || printf '%s ' "$p"
	done
}

# make_guest KERNEL DIR
make_guest() {
	local built
	built=$("$TOP/tools/guest/build.sh" "$1")
	mkdir -p "$2/fill"
	cp "$built/goheap.ko" "$built/samples/goheap_sample.ko" \
		"$built/selftests/modules/goheap_stress.ko" "$2/"
	cp "$TOP/tools/testing/guest-soak" "$2/run.sh"
	cat >"$2/params" <<-END
		SECONDS_ALL=$seconds SECONDS_ROUND=${ROUND:-60} SEED=$seed PARAMS="$(params "$2/goheap.ko")"
	END
}

# Two nodes with two CPUs each; kmemleak would take all the time. User Mode Linux
# has one node, and CPUs that stay.
boot_options() {
	case $1 in
	uml*) printf '%s\n' --append loglevel=7 ;;
	*) printf '%s\n' --smp 4 --nodes 2 --mem 1G --append "loglevel=7 kmemleak=off" ;;
	esac
}

# verdict LOG TEXT: why this console is not that of a good run; nothing if it is.
verdict() {
	{ "$TOP/tools/testing/judge.py" --taint $TAINT --shows 'goheap_stress: passed' "$1" ||
		echo "fail judge.py cannot judge $1"; } | sed -n 's/^fail //p'
	grep -E "objects leaked|never destroyed|soak: WRONG" "$2"
}

# soak KERNEL
soak() {
	local log=$LOGS/soak-$1.log text=$work/text options
	mkdir -p "$LOGS"
	make_guest "$1" "$work/$1"
	mapfile -t options < <(boot_options "$1")
	say "$1: $seconds seconds from seed $seed on; console: $log"
	"$TOP/tools/guest/boot.sh" "$1" "$work/$1" "${options[@]}" --timeout $((seconds * 2 + 300)) \
		--log "$log" 2>&1 | grep --line-buffered -aE 'soak: |stress: (start|passed|FAILED)' || :
	plain "$log" >"$text"
	verdict "$log" "$text" >"$work/verdict" || :
	if [ -s "$work/verdict" ]; then
		head -n 20 "$work/verdict" | sed 's/^/   FAILED: /'
		return 1
	fi
	awk -v kernel="$1" '/goheap_stress: passed/ { rounds++; steps += substr($3, 5) }
		/goheap_stress: .* more in interrupts/ { beside += $2 + $6 }
		END { printf "%s: %d rounds, %d steps, %d operations beside them, nothing wrong\n", \
			kernel, rounds, steps, beside }' "$text"
}

rc=0
for name; do
	soak "$name" || rc=1
done
exit $rc
