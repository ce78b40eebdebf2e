# SPDX-License-Identifier: GPL-2.0
# Kind style: what can be said of the sources by reading them.

# Its two complaints about asking for the kernel's version are meant for code that
# lives in one version. Its checks (not errors, not warnings) are shown only.
checkpatch() {
	"$source/scripts/checkpatch.pl" --no-tree --terse --strict \
		--ignore=LINUX_VERSION_CODE,CONSTANT_COMPARISON -f "$1" >"$work/style" 2>&1 && return
	sed 's/^/   /' "$work/style"
	grep -q '^total: 0 errors, 0 warnings' "$work/style"
}

# style_of FILE
style_of() {
	case $1 in
	*.c|*.h)
		must "checkpatch: $1" checkpatch "$TOP/$1"
		must "kernel-doc: $1" "$source/scripts/kernel-doc" -none -Wall -Werror "$TOP/$1"
		;;
	selftests/*.sh|tools/*/guest-*|tools/guest/init|tools/guest/demo)
		must "syntax: $1" busybox sh -n "$TOP/$1"
		;;
	*.sh|.ci/run) must "syntax: $1" bash -n "$TOP/$1" ;;
	*.py) must "syntax: $1" python3 -c "compile(open('$TOP/$1').read(), '$1', 'exec')" ;;
	esac
}

kind_style() {
	local source file
	need_packages perl python3 busybox-static
	source=$("$TOP/tools/guest/kernel.sh" source) || { fail "no kernel source"; return; }
	while read -r file; do
		[ ! -e "$TOP/$file" ] || style_of "$file"
	done < <(git -C "$TOP" ls-files --cached --others --exclude-standard)
}
