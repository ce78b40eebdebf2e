# SPDX-License-Identifier: GPL-2.0
# Kind insn: no operation takes notably more instructions than the golden file says.

INSN_PERCENT=2		# that a count may grow by

# insn_verdict GOLDEN COUNTS: lines of a name and a count; no count may have grown.
insn_verdict() {
	awk -v percent=$INSN_PERCENT '
		BEGIN { update = "tools/bench/insn.sh base --update" }
		/^#/ { next }
		NR == FNR { golden[$1] = $2; next }
		!($1 in golden) { print "fail", $1 " is not in the golden file: run " update; next }
		{ was = golden[$1]; delete golden[$1] }
		$2 > was * (1 + percent / 100) {
			print "fail", $1 " takes " $2 " instructions, not " was \
				": mend it, or if the price is right run " update
			next
		}
		{ print "ok", $1 }
		$2 < was * (1 - percent / 100) {
			print "hint", $1 " takes " $2 " instructions, not " was ": run " update
		}
		END { for (name in golden) print "fail", name " was not counted" }' "$1" "$2" \
		>"$work/insn"
	tally <"$work/insn"
}

kind_insn() {
	local kernel=$1 golden=$TOP/tools/bench/insn.golden out=$TOP/build/bench/insn-$1 compiler
	need_packages gcc
	compiler=$(gcc --version | head -n 1)
	if ! grep -qxF "# $compiler" "$golden"; then
		skip "the counts in tools/bench/insn.golden are not of this compiler, $compiler"
		return
	fi
	rm -f "$out".*
	if ! "$TOP/tools/bench/insn.sh" "$kernel" >/dev/null 2>&1; then
		fail "nothing was counted: run tools/bench/insn.sh $kernel to see why"
		return
	fi
	cp "$out.txt" "$LOGS/$lane.log"
	guest_verdict "$kernel" "$taint" --shows 'goheap_insn: done'
	insn_verdict "$golden" "$out.counts"
}
