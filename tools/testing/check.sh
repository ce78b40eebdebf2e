#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh [--full | LANE...]: run the tests: the default lanes, all there are, or
# those named. Every lane reports its counts as it finishes; the last line is the sum.
# Consoles are kept in build/logs/.

. "$(dirname "$0")/../lib.sh"

# A guest that takes so many seconds has hung: the slowest takes a tenth of that on a
# machine that has nothing else to do.
PATIENCE=1500

# What make check and .ci/run do: 40 minutes have to be enough on such a machine, kernels
# included
LANES=(
	selfcheck
	style
	build
	kunit-uml
	kunit-uml-up
	kunit-base
	kunit-san
	leaks-san
	kunit-kcsan
	kunit-rt
	insn
	stress-uml
	stress-san
	faults-san
	stress-kcsan
	stress-rt
	nmi-san
	memory-uml
	litmus
	pressure-uml
	hotplug-6.12
	numa-6.12
	judges-uml
	selftests-6.12
	selftests-6.1
	selftests-6.12-rt
)

# What make check-full does
LANES_FULL=(
	"${LANES[@]}"
	selftests-6.1-rt
	models
	runner
	checkers
	kunit-kmemleak
	kunitpy-um
	kunit-arm64
	stress-uml-long
	faults-uml
	kunit-numa
	pressure-6.12
	pressure-6.1
	pressure-6.12-rt
	stress-arm64
	kunit-arm64-64k
	stress-arm64-64k
	kunit-arm64-tags
	selftests-64k
	judges-base
	judges-6.12
	judges-san
	adopt-umlhooks
	probes-7.2
)

TAINT_KUNIT=266240	# out of tree, and test modules
TAINT_OWN=4096		# out of tree
TAINT_STOCK=12288	# out of tree, and unsigned

LOGS=$TOP/build/logs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- counting --------------------------------------------------------------

passed=0 failed=0 skipped=0
total_passed=0 total_failed=0 total_skipped=0
quiet=""		# a trial wants the failures kept, not shown
said=""			# what they said

pass() { passed=$((passed + $1)); }
skip() { skipped=$((skipped + 1)); printf '   skipped: %s\n' "$*"; }
fail() {
	failed=$((failed + 1))
	said+="$*"$'\n'
	[ -n "$quiet" ] || printf '   FAILED: %s\n' "$*"
}

# must WHAT COMMAND...: a test that is a command.
must() {
	local what=$1
	shift
	if "$@"; then pass 1; else fail "$what"; fi
}

# ---- judging a console -----------------------------------------------------

# tally: what a program found, one line each: "pass COUNT", "skip REASON" or "fail REASON".
tally() {
	local kind text
	while read -r kind text; do
		case $kind in
		pass) pass "${text%% *}" ;;
		skip) skip "$text" ;;
		fail) fail "$text" ;;
		*) fail "$kind $text" ;;
		esac
	done
}

# verdict LOG [OPTION...]: what judge.py finds, with these options of it.
verdict() {
	"$TOP/tools/testing/judge.py" "${@:2}" "$1" >"$work/verdict" || fail "judge.py cannot judge $1"
	tally <"$work/verdict"
}

# shows REGEX: the lane's console must say so, too.
shows() {
	must "'$1' is not on the console" grep -qE "$1" <(plain "$LOGS/$lane.log")
}

KCSAN_WORKS='^kcsan: selftest: ([0-9]*)/\1 tests passed'

build() {
	"$TOP/tools/guest/build.sh" "$@" >/dev/null
}

# linked_suites DIR: how many KUnit suites of DIR are linked into goheap.ko.
linked_suites() {
	local object
	for object in $(grep -oE 'kunit/[a-z0-9_]+_kunit\.o' "$1/Kbuild" | sort -u); do
		sed -nE 's/^kunit_test_suites?\(([^)]*)\);.*/\1/p' "$1/${object%.o}.c"
	done | tr ',' '\n' | grep -c '[a-z]'
}
EXPECTED_SUITES=$(linked_suites "$TOP")

# built KERNEL [kunit]: where goheap was built for it; once in a run is enough.
built() {
	local memo=$work/built-$*
	if [ ! -s "$memo" ]; then
		"$TOP/tools/guest/build.sh" "$@" >"$memo.new" || return
		mv "$memo.new" "$memo"
	fi
	cat "$memo"
}

# ---- lanes in guests -------------------------------------------------------

# What a trial of the runner puts into the guest: a bug, by goheap_plant's name for it.
plant=${PLANT:-}

# With this the guest looks for leaks: twice, because what a stack or a register holds
# goes away, and late, because objects must be some seconds old to count.
scan=""
SCAN='k=/sys/kernel/debug/kmemleak
sleep 6
echo scan >$k && sleep 1 && echo scan >$k && cat $k && echo "kmemleak: scanned twice"'

# With this the guest powers off in the middle of a suite.
cut=""
CUT='insmod /goheap.ko &
until dmesg | grep -q "ok 3 .*gh_"; do sleep 0.1; done
poweroff -f'

# guest KERNEL DIR OPTION...: boot, and keep the console as this lane's.
guest() {
	[ -z "$scan" ] || echo "$SCAN" >"$2/scan.sh"
	[ -z "$cut" ] || echo "$CUT" >"$2/run.sh"
	rm -f "$LOGS/$lane.log"
	"$TOP/tools/guest/boot.sh" "$1" "$2" --timeout $PATIENCE "${@:3}" --log "$LOGS/$lane.log" \
		>/dev/null 2>&1 || :
}

new_guest() {
	tree=$work/guest
	rm -rf "$tree"
	mkdir -p "$tree"
	cat >"$tree/run.sh"
}

# kunit KERNEL OPTION...
kunit() {
	local kernel=$1 dir
	shift
	dir=$(built "$kernel" kunit) || { fail "the build"; return; }
	# Fault injection spares GFP_KERNEL unless told not to.
	new_guest <<-'END'
		for d in /sys/kernel/debug/failslab /sys/kernel/debug/fail_page_alloc; do
			[ ! -e $d ] || { echo N >$d/ignore-gfp-wait; echo 0 >$d/verbose; }
			[ ! -e $d/min-order ] || echo 0 >$d/min-order
		done
		insmod /goheap.ko && rmmod goheap || exit
		[ ! -e /scan.sh ] || sh /scan.sh
	END
	cp "$dir/goheap.ko" "$tree/"
	guest "$kernel" "$tree" --append "loglevel=7" "$@"
	verdict "$LOGS/$lane.log" --taint $TAINT_KUNIT --suites "${suites:-$EXPECTED_SUITES}"
}

# stress KERNEL OPS OPTION...
stress() {
	local kernel=$1 ops=$2 dir
	shift 2
	dir=$(built "$kernel") || { fail "the build"; return; }
	new_guest <<-END
		# 6.12's scheduler looks at a timer without a mark, wherever a tick hits
		[ ! -e /sys/kernel/debug/kcsan ] || echo '!hrtimer_active' >/sys/kernel/debug/kcsan
		insmod /goheap.ko ${plant:+&& insmod /goheap_plant.ko bug=$plant} || exit 1
		# whoever looks on must not race with those who count
		cd /sys/kernel/debug/goheap
		while :; do
			# a heap may go meanwhile
			cat stats percpu arenas occupancy spans validate heaps/*/* 2>/dev/null
			echo 1 >trim
			# the steps are to get on as well
			sleep 1
		done >/dev/null &
		cd /
		insmod /goheap_stress.ko ops=$ops || exit 1
		kill \$!
		# what waits for RCU, and the caches' own work, come within a second mostly
		i=0
		until grep -x 'heap ok' /sys/kernel/debug/goheap/validate; do
			i=\$((i + 1))
			[ \$i -lt 60 ] && sleep 1 || exit 1
		done
		rmmod goheap_stress || exit 1
		${plant:+rmmod goheap_plant || exit 1}
		# who looks on may have a file open yet
		until rmmod goheap; do
			i=\$((i + 1))
			[ \$i -lt 120 ] && sleep 1 || exit 1
		done
		[ ! -e /scan.sh ] || sh /scan.sh
	END
	cp "$dir/goheap.ko" "$dir/selftests/modules/goheap_stress.ko" "$tree/"
	[ -z "$plant" ] || cp "$dir/selftests/modules/goheap_plant.ko" "$tree/"
	guest "$kernel" "$tree" "$@"
	verdict "$LOGS/$lane.log" --taint $TAINT_OWN --shows 'goheap_stress: passed '
}

# selftests KERNEL [TAINT NAME VAR=VALUE OPTION...]: all of them, or one that VAR
# says something to.
selftests() {
	local kernel=$1 taint=${2:-$TAINT_STOCK} name=${3:-*} var=${4:-} dir source
	shift $(($# < 4 ? $# : 4))
	dir=$(built "$kernel") || { fail "the build"; return; }
	source=$("$TOP/tools/guest/kernel.sh" source)
	# The kernel's messages would cut the scripts' lines in two, so they come last.
	new_guest <<-END
		export MODULES=/modules $var
		dmesg -n 1
		rc=0
		for t in /selftests/goheap_$name.sh; do
			sh \$t || rc=1
		done
		echo "KERNEL-LOG"
		dmesg
		exit \$rc
	END
	make -s -C "$TOP/selftests" "KSRC=$source" "INSTALL_PATH=$tree/selftests" install >/dev/null
	mkdir "$tree/modules"
	cp "$dir"/goheap.ko "$dir"/samples/*.ko "$dir"/selftests/modules/*.ko "$tree/modules/"
	guest "$kernel" "$tree" "$@"
	set -- "$tree"/selftests/goheap_$name.sh
	verdict "$LOGS/$lane.log" --taint "$taint" --documents $#
}

# ---- instruction counts ------------------------------------------------------

INSN_PERCENT=2		# that a count may grow by

# insn_verdict GOLDEN COUNTS: lines of a name and a count; no count may have grown.
insn_verdict() {
	local kind text
	while read -r kind text; do
		case $kind in
		ok) pass 1 ;;
		hint) printf '   hint: %s\n' "$text" ;;
		*) fail "$text" ;;
		esac
	done < <(awk -v percent=$INSN_PERCENT '
		BEGIN { update = "tools/bench/insn.sh base --update" }
		/^#/ { next }
		NR == FNR { golden[$1] = $2; next }
		!($1 in golden) { print "bad", $1 " is not in the golden file: run " update; next }
		{ was = golden[$1]; delete golden[$1] }
		$2 > was * (1 + percent / 100) {
			print "bad", $1 " takes " $2 " instructions, not " was \
				": mend it, or if the price is right run " update
			next
		}
		{ print "ok", $1 }
		$2 < was * (1 - percent / 100) {
			print "hint", $1 " takes " $2 " instructions, not " was ": run " update
		}
		END { for (name in golden) print "bad", name " was not counted" }' "$1" "$2")
}

# ---- lanes on the host -----------------------------------------------------

lane_style() {
	local source file
	need_packages perl python3 busybox-static
	source=$("$TOP/tools/guest/kernel.sh" source) || { fail "no kernel source"; return; }
	while read -r file; do
		[ -e "$TOP/$file" ] || continue
		case $file in
		*.c|*.h)
			must "checkpatch: $file" checkpatch "$TOP/$file"
			must "kernel-doc: $file" "$source/scripts/kernel-doc" -none -Wall -Werror "$TOP/$file"
			;;
		selftests/*.sh|tools/*/guest-*|tools/guest/init|tools/guest/demo) must "syntax: $file" busybox sh -n "$TOP/$file" ;;
		*.sh|.ci/run) must "syntax: $file" bash -n "$TOP/$file" ;;
		*.py) must "syntax: $file" python3 -c "compile(open('$TOP/$file').read(), '$file', 'exec')" ;;
		esac
	done < <(git -C "$TOP" ls-files --cached --others --exclude-standard)
}

# Its two complaints about asking for the kernel's version are meant for code that
# lives in one version. Its checks (not errors, not warnings) are shown only.
checkpatch() {
	"$source/scripts/checkpatch.pl" --no-tree --terse --strict \
		--ignore=LINUX_VERSION_CODE,CONSTANT_COMPARISON -f "$1" >"$work/style" 2>&1 && return
	sed 's/^/   /' "$work/style"
	grep -q '^total: 0 errors, 0 warnings' "$work/style"
}

# sparse 0.6.4 is too old for the kernels that UML is built from.
lane_build() {
	local kernel
	need_packages sparse
	for kernel in 6.1 6.1-rt 6.12 6.12-rt base; do
		must "the build for $kernel with W=1 C=2" build "$kernel" C=2
	done
	must "the build for uml with W=1" build uml
}

lane_kunit_uml() { kunit uml --mem 512M; }
lane_kunit_uml_up() { kunit uml-up --mem 512M --smp 1; }

# As who works on the kernel runs them: built in, kunit.py's own configuration, and the
# default of User Mode Linux, which is one CPU and no CONFIG_SMP.
lane_kunitpy_um() {
	local log=$LOGS/$lane.log
	"$TOP/tools/testing/kunit-tree.sh" --timeout=$PATIENCE >"$log" 2>&1 ||
		fail "kunit.py: $(grep -E 'Testing complete|ERROR' "$log" | head -n 1); see $log"
	verdict "$(tail -n 1 "$log")" --suites "$EXPECTED_SUITES"
}

lane_kunit_base() { kunit base --append "loglevel=7 init_on_alloc=1 init_on_free=1"; }
lane_kunit_numa() { kunit base --smp 4 --nodes 4 --append "loglevel=7"; }
lane_kunit_san() {
	kunit san --append "loglevel=7 kmemleak=off"
	shows '^ok [0-9]* goheap_injection$'
}
lane_kunit_kmemleak() {
	local scan=1 suites=$((EXPECTED_SUITES - 1))
	# All but goheap_injection: what fails there would be kmemleak's own memory.
	kunit san --append "loglevel=7 kunit.filter_glob=goheap_[!i]*"
	shows '^kmemleak: scanned twice'
}
lane_kunit_kcsan() { kunit kcsan; shows "$KCSAN_WORKS"; }
lane_kunit_rt() { kunit rt; }
lane_kunit_arm64() { kunit arm64; }
lane_kunit_arm64_64k() { kunit arm64-64k; }
lane_kunit_arm64_tags() {
	kunit arm64-tags
	shows '^kasan: KernelAddressSanitizer initialized \(sw-tags'
}

lane_insn() {
	local golden=$TOP/tools/bench/insn.golden out=$TOP/build/bench/insn-base compiler
	need_packages gcc
	compiler=$(gcc --version | head -n 1)
	if ! grep -qxF "# $compiler" "$golden"; then
		skip "the counts in tools/bench/insn.golden are not of this compiler, $compiler"
		return
	fi
	rm -f "$out".*
	if ! "$TOP/tools/bench/insn.sh" base >/dev/null 2>&1; then
		fail "nothing was counted: run tools/bench/insn.sh base to see why"
		return
	fi
	cp "$out.txt" "$LOGS/$lane.log"
	verdict "$LOGS/$lane.log" --taint $TAINT_OWN --shows 'goheap_insn: done'
	insn_verdict "$golden" "$out.counts"
}

lane_stress_uml() { stress uml 1000000 --append loglevel=7; }
lane_stress_uml_long() { stress uml 5000000 --append loglevel=7; }
lane_stress_san() { stress san 20000 --append "loglevel=7 kmemleak=off"; }
lane_stress_kcsan() {
	local cpus
	for cpus in 2 4; do
		stress kcsan 60000 --append loglevel=7 --smp $cpus
		shows "$KCSAN_WORKS"
	done
}
lane_stress_rt() { stress rt 100000 --append loglevel=7; }
lane_stress_arm64() { stress arm64 1000000 --append loglevel=7; }
lane_stress_arm64_64k() { stress arm64-64k 1000000 --append loglevel=7; }
# All but memory, whose bounds are those of x86-64 with 4 KiB.
lane_selftests_64k() { selftests arm64-64k $TAINT_OWN '*[!y]'; }
lane_faults_uml() { selftests umlfault $TAINT_OWN faults "OPS=30000" --append rcupdate.rcu_expedited=1; }
lane_faults_san() { selftests san $TAINT_OWN faults "OPS=5000 STEP=30" --append rcupdate.rcu_expedited=1; }
# The heap reports what goheap_leak leaked when it goes.
lane_leaks_san() { selftests san $TAINT_OWN leak ""; }
# The newest kernel has another krealloc(), and probes by way of ftrace.
lane_probes_7_2() {
	selftests 7.2 $TAINT_OWN adopt ""
	selftests 7.2 $TAINT_OWN instrument ""
}
# A kernel with the patches of packaging/in-tree needs no probes.
lane_adopt_umlhooks() { selftests umlhooks $TAINT_OWN adopt ""; }
lane_nmi_san() { selftests san $TAINT_OWN nmi NMIS=300 --append kmemleak=off; }
lane_memory_uml() { selftests uml $TAINT_OWN memory FULL=1 --smp 3; }
# Callbacks that others run may be lazy.
lane_hotplug_6_12() { selftests 6.12 $TAINT_STOCK hotplug CYCLES=200 --append rcu_nocbs=all; }
lane_pressure_uml() { selftests uml $TAINT_OWN pressure FULL=1 --mem 256M; }
lane_pressure_6_1() { selftests 6.1 $TAINT_STOCK pressure FULL=1 --mem 256M; }
lane_pressure_6_12_rt() { selftests 6.12-rt $TAINT_STOCK pressure FULL=1 --mem 512M; }
lane_pressure_6_12() { selftests 6.12 $TAINT_STOCK pressure FULL=1 --mem 256M; }
# Four alike; then one without CPUs, and a CPU whose node has no memory.
lane_numa_6_12() {
	local shape
	for shape in "0:256M 1:256M 2:256M 3:256M" "0-1:512M 2:256M -:256M 3:-"; do
		selftests 6.12 $TAINT_STOCK numa FULL=1 --smp 4 --numa "$shape"
	done
}
# Some blocks for movable pages only: goheap_offline knows of them that they can go.
all_selftests() { selftests "$1" $TAINT_STOCK '*' "" --append movablecore=256M; }
lane_selftests_6_12() { all_selftests 6.12; }
lane_selftests_6_1() { all_selftests 6.1; }
lane_selftests_6_12_rt() { all_selftests 6.12-rt; }
lane_selftests_6_1_rt() { all_selftests 6.1-rt; }

# counted_lines COMMAND: it prints a line for each test, or ends with 4 and a reason.
counted_lines() {
	local line rc=0
	"$@" >"$work/lines" || rc=$?
	if [ $rc = 4 ]; then
		skip "$(tail -n 1 "$work/lines")"
		return
	fi
	while read -r line; do
		case $line in
		ok\ *) pass 1 ;;
		*) fail "$line" ;;
		esac
	done <"$work/lines"
}

# The lock-free protocols against the kernel's memory model, and who may touch a span
# against all that may happen; and their broken twins.
lane_litmus() { counted_lines "$TOP/tools/testing/litmus.sh"; }
lane_models() { counted_lines "$TOP/tools/testing/models.sh"; }

# The kernel's own tests of its allocators, on goheap.
judges() {
	"$TOP/tools/testing/judges.sh" "$@" >"$work/judges" || fail "judges.sh $*"
	tally <"$work/judges"
}

lane_judges_uml() { judges uml meminit slub overflow lkdtm; }
lane_judges_base() { judges base meminit slub overflow lkdtm card; }
lane_judges_6_12() { judges 6.12 meminit lkdtm card; }
lane_judges_san() { judges san kasan lkdtm card; }

# ---- the runner itself -----------------------------------------------------

# trial COMMAND...: what it would count is forgotten; $got is pass or fail, and $said
# tells why.
trial() {
	local keep_passed=$passed keep_failed=$failed keep_skipped=$skipped
	got=pass quiet=1 failed=0 said=""
	"$@" >/dev/null
	[ "$failed" = 0 ] || got=fail
	quiet="" passed=$keep_passed failed=$keep_failed skipped=$keep_skipped
}

# judged pass|fail WHAT: the verdict on the console at stdin must be this.
judged() {
	cat >"$work/canned"
	trial verdict "$work/canned" --taint $TAINT_OWN --shows 'goheap_stress: passed '
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

# The judge's own tests, each of them a console.
judge_tests() {
	local source
	source=$("$TOP/tools/guest/kernel.sh" source) || { fail "no kernel source"; return; }
	if KUNIT_PY=$source/tools/testing/kunit/kunit.py \
	   "$TOP/tools/testing/judge_test.py" >"$work/unittest" 2>&1; then
		pass "$(sed -n 's/^Ran \([0-9]*\) tests.*/\1/p' "$work/unittest")"
	else
		fail "judge_test.py: $(grep -E '^(FAIL|ERROR|[A-Za-z]*Error)' "$work/unittest" | paste -sd ';')"
	fi
}

lane_selfcheck() {
	local good="goheap_stress: passed ops=1\nTAINT $TAINT_OWN\nGOHEAP-GUEST-END 0\n"
	must "linked suites are not counted right" linked_suites_are_found
	must "a file of kunit/ is not linked" all_suites_are_linked
	judge_tests
	judged pass "nothing wrong" < <(printf %b "$good")
	judged fail "a report" < <(printf %b "BUG: x\n$good")
	judged fail "nothing on it" </dev/null
	trial verdict "$work/canned" --nonsense 2>/dev/null
	must "a judge that cannot judge must fail, and did not" test "$got" = fail
	trial tally < <(echo nonsense)
	must "a finding that is none must fail, and did not" test "$got" = fail
	counted pass "no difference" pair 100.0 bulk 50.5
	counted pass "less" pair 90.0 bulk 50.5
	counted pass "a little more" pair 101.9 bulk 51.5
	counted fail "more than is allowed" pair 102.1 bulk 50.5
	counted fail "a missing one" pair 100.0
	counted fail "one too many" pair 100.0 bulk 50.5 zalloc 100.0
}

# ends SENTENCE WHAT COMMAND...: the lane must fail, and say this.
ends() {
	local sentence=$1 what=$2
	shift 2
	trial "$@"
	if [ "$got" = pass ]; then
		fail "a guest with $what passes"
	elif ! grep -qE "$sentence" <<<"$said"; then
		fail "a guest with $what fails, but nothing says '$sentence': ${said%%$'\n'*}"
	else
		pass 1
	fi
}

# planted BUG SENTENCE WHAT [OPTION...]: with that bug in it, a lane that is good otherwise.
planted() {
	local plant=$1 sentence=$2 what=$3
	shift 3
	ends "$sentence" "$what" stress uml 1000 --append loglevel=7 "$@"
}

# The whole runner, on a lane that is not on its list.
lane_planted() { stress uml 1000 --append loglevel=7; }

runner_says() {
	local want=$1 sentence=$2 out status=0
	out=$(PLANT=$3 "$TOP/tools/testing/check.sh" "${@:4}" 2>&1) || status=$?
	must "check.sh ends with status $status and not $want: $out" test "$status" = "$want"
	must "check.sh does not say '$sentence': $out" grep -qE "$sentence" <<<"$out"
}

# Bugs in guests that really boot; User Mode Linux, because it is fast.
lane_runner() {
	local start
	trial stress uml 1000 --append loglevel=7
	must "a guest with nothing planted fails: $said" test "$got" = pass
	planted warn '^reports on the console: .*WARNING:' "a warning"
	planted warn "^the kernel's taint is '[0-9]*', not" "a warning's taint"
	planted misuse '^1 reports of misuse where there is none' "a double free"
	planted oops '^the guest crashed: ' "a NULL pointer"
	planted panic '^the guest crashed: .*planted' "a panic"
	planted halt '^the guest ended before its script did' "an end that comes early"
	planted error "^the guest's script failed with status 1" "a module that does not load"
	start=$SECONDS
	planted hang '^the guest hung, and was killed after 3 s' "a CPU that hangs" --timeout 3
	must "a hung guest was waited for" test $((SECONDS - start)) -lt 30
	ends '^the guest ended before its script did' "too little memory to boot" \
		stress uml 1000 --mem 4M
	ends "^1 of $EXPECTED_SUITES KTAP suites" "one suite only" \
		kunit uml --append "loglevel=7 kunit.filter_glob=goheap_sizeclass"
	local cut=1
	ends '^kunit.py: ' "a console that stops within a suite" kunit uml --mem 512M
	cut=""

	runner_says 0 '^[1-9][0-9]* passed, 0 failed, 0 skipped$' "" planted
	runner_says 1 '^[0-9]+ passed, [1-9][0-9]* failed, 0 skipped$' warn planted
	runner_says 1 "no lane 'nonsense'" "" nonsense
}

# on KERNEL BUGS [REPORT...]: the checkers of this kernel find them.
on() {
	local kernel=$1 plant=$2 report
	shift 2
	ends '^reports on the console: ' "$plant" \
		stress "$kernel" 1 --append "loglevel=7 $kmemleak"
	for report; do shows "$report"; done
}

# The checkers themselves: a lane that finds nothing proves nothing where they sleep.
# The first report of lockdep is its last, and KASAN's is lockdep's.
lane_checkers() {
	local kmemleak=kmemleak=off
	on san sleep,preempt,ubsan,list,kasan 'BUG: sleeping function called' \
		'BUG: using smp_processor_id() in preemptible' 'UBSAN: shift-out-of-bounds' \
		'list_del corruption' 'BUG: KASAN: slab-use-after-free in plant_kasan'
	on san lockdep 'WARNING: possible circular locking'
	on san heldlock 'WARNING: held lock freed!' 'is freeing memory .* with a lock still held there'
	on san nesting 'BUG: Invalid wait context'
	on san rcu 'WARNING: suspicious RCU usage'
	on kcsan race 'BUG: KCSAN: data-race in race'
	on rt nesting 'BUG: sleeping function called'
	local kmemleak="" scan=1
	on san leak '^unreferenced object' '^kmemleak: scanned twice'
}

# ---- main ------------------------------------------------------------------

case ${1:-} in
"") set -- "${LANES[@]}" ;;
--full) set -- "${LANES_FULL[@]}" ;;
esac
for lane; do
	declare -F "lane_${lane//[.-]/_}" >/dev/null ||
		die "check.sh has no lane '$lane'; there are: ${LANES_FULL[*]}"
done
mkdir -p "$LOGS"
for lane; do
	start=$SECONDS passed=0 failed=0 skipped=0
	"lane_${lane//[.-]/_}" || fail "the lane came to no end"
	[ $((passed + failed + skipped)) -gt 0 ] || fail "the lane tested nothing"
	printf '%-18s %d passed, %d failed, %d skipped (%d s)\n' "$lane" \
		$passed $failed $skipped $((SECONDS - start))
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
done
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ $total_failed = 0 ]
