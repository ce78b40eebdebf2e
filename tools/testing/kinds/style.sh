# SPDX-License-Identifier: GPL-2.0
# Kind style: what can be said of the sources by reading them. As many files at a time as there
# are CPUs: what is found are lines for tally.

# try WHAT COMMAND...: a test that is a command.
try() {
	local what=$1 said ok=1
	shift
	said=$("$@" 2>&1) || ok=""
	[ -z "$said" ] || sed 's/^/hint /' <<<"$said"
	if [ -n "$ok" ]; then echo "pass 1"; else echo "fail $what"; fi
}

# Its two complaints about asking for the kernel's version are meant for code that
# lives in one version. Its checks (not errors, not warnings) are shown only.
checkpatch() {
	local said
	said=$("$source/scripts/checkpatch.pl" --no-tree --terse --strict \
		--ignore=LINUX_VERSION_CODE,CONSTANT_COMPARISON -f "$1" 2>&1) && return
	echo "$said"
	grep -q '^total: 0 errors, 0 warnings' <<<"$said"
}

# style_of FILE
style_of() {
	case $1 in
	*.c|*.h)
		try "checkpatch: $1" checkpatch "$TOP/$1"
		try "kernel-doc: $1" "$source/scripts/kernel-doc" -none -Wall -Werror "$TOP/$1"
		;;
	selftests/*.sh|tools/*/guest-*|tools/guest/init|tools/guest/demo)
		try "syntax: $1" busybox sh -n "$TOP/$1"
		;;
	*.sh|.ci/run) try "syntax: $1" bash -n "$TOP/$1" ;;
	*.py) try "syntax: $1" python3 -c "compile(open('$TOP/$1').read(), '$1', 'exec')" ;;
	esac
}

kind_style() {
	local file
	need_packages perl python3 busybox-static
	source=$("$TOP/tools/guest/kernel.sh" source) || { fail "no kernel source"; return; }
	export TOP source
	export -f try checkpatch style_of
	while read -r file; do
		[ ! -e "$TOP/$file" ] || printf '%s\0' "$file"
	done < <(git -C "$TOP" ls-files --cached --others --exclude-standard) |
		xargs -0 -n 1 -P "$JOBS" bash -c 'style_of "$1"' style >"$work/style" ||
		fail "a file could not be looked at"
	tally <"$work/style"
}
