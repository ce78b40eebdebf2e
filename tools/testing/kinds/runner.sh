# SPDX-License-Identifier: GPL-2.0
# Kind runner: bugs in guests that really boot fail the lane, with the sentence that names
# them. The kernel is User Mode Linux, because it is fast.

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
	ends "$2" "$3" kind_stress "$kernel" "plant=$1" ops=1000 "${@:4}"
}

# runner_says STATUS SENTENCE BUG LANE: check.sh as a whole.
runner_says() {
	local want=$1 sentence=$2 out status=0
	out=$(PLANT=$3 "$HERE/check.sh" "${@:4}" 2>&1) || status=$?
	must "check.sh ends with status $status and not $want: $out" test "$status" = "$want"
	must "check.sh does not say '$sentence': $out" grep -qE "$sentence" <<<"$out"
}

kind_runner() {
	local kernel=$1 start
	trial kind_stress "$kernel" ops=1000
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
		kind_stress "$kernel" ops=1000 --mem 4M
	ends "^1 of $EXPECTED_SUITES KTAP suites" "one suite only" \
		kind_kunit "$kernel" --append "loglevel=7 kunit.filter_glob=goheap_sizeclass"
	ends '^kunit.py: ' "a console that stops within a suite" kind_kunit "$kernel" cut=1 --mem 512M

	runner_says 0 '^[1-9][0-9]* passed, 0 failed, 0 skipped$' "" planted
	runner_says 1 '^[0-9]+ passed, [1-9][0-9]* failed, 0 skipped$' warn planted
	runner_says 1 "no lane 'nonsense'" "" nonsense
}
