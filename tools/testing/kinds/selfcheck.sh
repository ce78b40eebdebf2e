# SPDX-License-Identifier: GPL-2.0
# Kind selfcheck: what judges the other lanes is able to fail.

# judged pass|fail WHAT: the verdict on the console at stdin must be this.
judged() {
	cat >"$work/canned"
	trial verdict "$work/canned" --taint "$taint" --shows 'goheap_stress: passed '
	must "a console with $2 must $1, and did not" test "$got" = "$1"
}

# counted pass|fail WHAT COUNT...: the verdict on the counts must be this.
counted() {
	local want=$1 what=$2
	shift 2
	printf '# a compiler\npair 100.0\nbulk 50.5\n' >"$work/golden"
	printf '%s %s\n' "$@" >"$work/counts"
	trial insn_verdict "$work/golden" "$work/counts"
	must "counts with $what must $want, and did not" test "$got" = "$want"
}

# The judge's own tests, each of them a console.
judge_tests() {
	local source
	source=$("$TOP/tools/guest/kernel.sh" source) || { fail "no kernel source"; return; }
	if KUNIT_PY=$source/tools/testing/kunit/kunit.py \
	   "$HERE/judge_test.py" >"$work/unittest" 2>&1; then
		pass "$(sed -nE 's/^Ran ([0-9]+) tests?.*/\1/p' "$work/unittest")"
	else
		fail "judge_test.py: $(grep -E '^(FAIL|ERROR|[A-Za-z]*Error)' "$work/unittest" | paste -sd ';')"
	fi
}

consoles_are_judged() {
	local good="goheap_stress: passed ops=1\nTAINT $taint\nGOHEAP-GUEST-END 0\n"
	judge_tests
	judged pass "nothing wrong" < <(printf %b "$good")
	judged fail "a report" < <(printf %b "BUG: x\n$good")
	judged fail "nothing on it" </dev/null
	trial verdict "$work/canned" --nonsense 2>/dev/null
	must "a judge that cannot judge must fail, and did not" test "$got" = fail
	trial tally < <(echo nonsense)
	must "a finding that is none must fail, and did not" test "$got" = fail
}

counts_are_judged() {
	counted pass "no difference" pair 100.0 bulk 50.5
	counted pass "less" pair 90.0 bulk 50.5
	counted pass "a little more" pair 101.9 bulk 51.5
	counted fail "more than is allowed" pair 102.1 bulk 50.5
	counted fail "a missing one" pair 100.0
	counted fail "one too many" pair 100.0 bulk 50.5 zalloc 100.0
}

# flags DAMAGED EFLAGS: is a console with these the emulator's fault?
flags() {
	echo "[    7.7] RSP: 0018:ff288776c0463868 EFLAGS: $2" >"$work/canned"
	if was_damaged "$work/canned"; then got=yes; else got=no; fi
	must "EFLAGS $2: damaged by the emulator, $got" test "$got" = "$1"
}

damage_is_known() {
	flags no 00000002
	flags no 00050202
	flags no 00243246
	flags yes 7f78d446
	flags yes 00400202
	: >"$work/canned"
	must "an empty console was not damaged" test "$(was_damaged "$work/canned" && echo yes)" = ""
}

# Suites are counted where they are: in what Kbuild links, several to a line or to a file.
linked_suites_are_found() {
	local dir=$work/linked
	mkdir -p "$dir/kunit"
	printf 'goheap-y += kunit/a_kunit.o kunit/b_kunit.o\nX_kunit/b_kunit.o := n\n' >"$dir/Kbuild"
	printf 'kunit_test_suite(one);\n' >"$dir/kunit/a_kunit.c"
	printf 'kunit_test_suites(&two, &three);\nkunit_test_suite(four);\n' >"$dir/kunit/b_kunit.c"
	printf 'kunit_test_suite(five);\n' >"$dir/kunit/c_kunit.c"
	test "$(linked_suites "$dir")" = 4
}

# A file that nobody links would be missed by nobody.
all_suites_are_linked() {
	local file
	for file in "$TOP"/kunit/*_kunit.c; do
		grep -q "kunit/$(basename "$file" .c)\.o" "$TOP/Kbuild" || return
	done
}

# refused LINE: a table with that line is no table.
refused() {
	if (check_table <(echo "$1")) 2>/dev/null; then
		fail "a table with '$1' is accepted"
	else
		pass 1
	fi
}

tables_are_checked() {
	local lane
	refused "x night stress uml -"
	refused "x check nonsense uml -"
	refused "x check stress"
	refused "x check stress uml 4096"
	for lane in $(lanes_of check full); do
		must "Documentation/testing.rst says nothing of the lane $lane" \
			grep -qE "(^|[ \`*])$lane([ ,:\`*]|$)" "$TOP/Documentation/testing.rst"
	done
}

kind_selfcheck() {
	must "linked suites are not counted right" linked_suites_are_found
	must "a file of kunit/ is not linked" all_suites_are_linked
	consoles_are_judged
	counts_are_judged
	damage_is_known
	tables_are_checked
}
