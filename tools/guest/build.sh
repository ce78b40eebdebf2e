#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# build.sh KERNEL [kunit] [VAR=VALUE...]: build goheap, its sample and the test
# modules for a kernel that kernel.sh knows, with a warning as an error,
# and print where. The sources are copied to build/KERNEL first, so that no
# kernel's objects disturb another's. VAR=VALUE goes to make (C=2, say).

. "$(dirname "$0")/../lib.sh"

[ $# -gt 0 ] || die "usage: build.sh KERNEL [kunit] [VAR=VALUE...]"
name=$1 flavour=$1
shift
if [ "${1:-}" = kunit ]; then
	flavour+=-kunit
	shift
	set -- CONFIG_GOHEAP_KUNIT_TEST=y "$@"
fi
dir=$TOP/build/$flavour
log=$TOP/build/logs/build-$flavour.log

need_packages gcc make rsync dwarves libelf1
kernel=$("$TOP/tools/guest/kernel.sh" "$name")
# shellcheck disable=SC2046,SC2207
mk=(make -C "$kernel/kdir" "ARCH=$(cat "$kernel/arch")" $(cat "$kernel/make" 2>/dev/null || :)
	"-j$JOBS" W=1)

mkdir -p "$dir"
exec 8>"$TOP/build/.lock-$flavour"
flock 8
# What git ignores (objects above all) is neither copied nor deleted.
rsync -a --delete-after --exclude=/.git --filter=':- .gitignore' "$TOP/" "$dir/"

build_all() {
	local part
	"${mk[@]}" "M=$dir" "$@" modules || return
	for part in samples selftests/modules; do
		[ -e "$dir/$part/Kbuild" ] || continue
		# modpost does not notice that the versions of goheap's symbols changed
		[ "$dir/$part/Module.symvers" -nt "$dir/Module.symvers" ] ||
			rm -f "$dir/$part/Module.symvers"
		"${mk[@]}" "M=$dir/$part" "KBUILD_EXTRA_SYMBOLS=$dir/Module.symvers" \
			"$@" modules || return
	done
}
run_logged "$log" build_all "$@"

# Debian's kernels are built by a sibling of this compiler, and say so; what pahole
# a cached kernel was built with does not matter to its modules.
if grep -iE 'warning|error:' "$log" |
   grep -vE 'the compiler differs|pahole version differs' >"$log.warnings"; then
	cat "$log.warnings" >&2
	find "$dir" -name '*.o' -delete		# or the next run would not see them
	die "the build for $name has warnings; the whole log is $log"
fi
rm "$log.warnings"
echo "$dir"
