#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# kernel.sh NAME...: make a kernel ready and print its directory, one line each:
#   kdir    what to give to make as KDIR=
#   image   what to boot
#   arch    what to give to make as ARCH=
#   make    more of what to give to make, if there is more
#
#   6.1 6.12 6.1-rt 6.12-rt   stock Debian kernels, downloaded and unpacked
#   base san kcsan rt         our own small ones from linux-source-6.12
#   uml 7.2                   User Mode Linux and x86-64 from Debian's newest source
#   arm64 arm64-64k           arm64 with pages of 4 KiB and of 64 KiB, cross-compiled
#   arm64-tags                arm64 with KASAN's software tags
#   kmsan                     x86-64 with KMSAN, compiled by clang
#   umlfault uml-up           uml with fault injection; uml without CONFIG_SMP
#   umlhooks                  uml with the patches of packaging/in-tree
#
# Everything is kept below $GOHEAP_CACHE (default ~/.cache/goheap).

. "$(dirname "$0")/../lib.sh"

RECIPE=1			# part of the key of every kernel built here
BUILD_NEEDS=(gcc make bc bison flex libelf-dev libssl-dev cpio kmod xz-utils python3 rsync)

# Prints the directory if the kernel is in it. Otherwise the caller makes it, and
# is alone in doing so.
is_ready() {
	if [ ! -e "$1/ready" ]; then
		exec 9>"$CACHE/lock"
		flock 9
		[ -e "$1/ready" ] || return 1
	fi
	echo "$1"
}

# ---- stock kernels -------------------------------------------------------

declare -A FLAVOUR=([6.1]=cloud [6.12]=6.12-cloud [6.1-rt]=rt [6.12-rt]=6.12-rt)

# The dependencies of PACKAGE that belong to a kernel, by their real names.
kernel_depends() {
	apt-cache depends --no-recommends --no-suggests "$1" |
		sed -n 's/^ *Depends: \(linux-[a-z0-9.+-]*\)$/\1/p'
}

stock_kernel() {
	local name=$1 dir=$CACHE/stock-$1 tmp headers image common
	! is_ready "$dir" || return 0
	apt_lists_ready || apt_refresh
	headers=$(kernel_depends "linux-headers-${FLAVOUR[$name]}-amd64" | head -n 1)
	[ -n "$headers" ] || { apt_refresh
		headers=$(kernel_depends "linux-headers-${FLAVOUR[$name]}-amd64" | head -n 1); }
	[ -n "$headers" ] ||
		die "no linux-headers-${FLAVOUR[$name]}-amd64 here: add bookworm-security to the apt sources"
	image=linux-image-${headers#linux-headers-}
	common=$(kernel_depends "$headers" | grep -E '^linux-(headers|kbuild)-')
	tmp=$dir.tmp
	rm -rf "$tmp"
	say "downloading $headers and $image"
	# shellcheck disable=SC2086
	fetch_debs "$tmp/deb" "$headers" "$image" $common
	for deb in "$tmp"/deb/linux-{headers,kbuild}-*.deb; do
		dpkg-deb -x "$deb" "$tmp"
	done
	dpkg-deb --fsys-tarfile "$tmp/deb/$image"_*.deb | tar x -C "$tmp" --wildcards './boot/vmlinuz-*'
	# the one absolute path in Debian's header packages
	sed -i "s#include /usr/src#include $dir/usr/src#" "$tmp/usr/src/$headers/Makefile"
	ln -s "usr/src/$headers" "$tmp/kdir"
	(cd "$tmp" && ln -s boot/vmlinuz-* image)
	echo x86_64 >"$tmp/arch"
	rm -rf "$tmp/deb"
	touch "$tmp/ready"
	rm -rf "$dir"
	mv "$tmp" "$dir"
	echo "$dir"
}

# ---- sources -------------------------------------------------------------

# source_tree 6.12|newest: the unpacked tree, as a path.
source_tree() {
	local link=$CACHE/source-$1 package=linux-source-6.12 tmp=$CACHE/source-$1.tmp
	[ ! -e "$link/Makefile" ] || { readlink -f "$link"; return; }
	need_packages xz-utils
	apt_lists_ready || apt_refresh
	if [ "$1" = newest ]; then
		private_lists sid amd64
		package=$(apt-cache "${APT_OPTIONS[@]}" depends linux-source |
			sed -n 's/^ *Depends: //p' | head -n 1)
		[ -n "$package" ] || die "Debian sid has no linux-source package today"
	fi
	rm -rf "$tmp"
	say "downloading and unpacking $package (1.7 GB on disk)"
	fetch_debs "$tmp" "$package"
	dpkg-deb --fsys-tarfile "$tmp"/linux-source-*.deb |
		tar xO --wildcards './usr/src/linux-source-*.tar.xz' | tar xJ -C "$tmp"
	rm "$tmp"/linux-source-*.deb
	rm -rf "$CACHE/src-$package"
	mv "$tmp"/linux-source-* "$CACHE/src-$package"
	rm -rf "$tmp"
	ln -sfn "src-$package" "$link"
	readlink -f "$link"
}

# patched_tree TREE PATCH...: a tree of links to that one's files, but for what the patches
# change.
patched_tree() {
	local tree=$1-patched patch
	rm -rf "$tree"
	cp -al "$1" "$tree"
	for patch in "${@:2}"; do
		run_logged "$CACHE/patch.log" patch -d "$tree" -p1 -i "$patch"
	done
	echo "$tree"
}

# ---- kernels of our own --------------------------------------------------

declare -A SOURCE=([base]=6.12 [san]=6.12 [kcsan]=6.12 [rt]=6.12 [uml]=newest [7.2]=newest
	[arm64]=6.12 [arm64-64k]=6.12 [arm64-tags]=6.12 [kmsan]=6.12 [umlfault]=newest
	[uml-up]=newest [umlhooks]=newest)
declare -A FRAGMENTS=([base]=base [san]="base san" [kcsan]="base kcsan" [rt]="base rt"
	[uml]=uml [7.2]="base probes" [umlfault]="uml umlfault"
	[uml-up]="uml uml-up" [umlhooks]=uml
	[arm64]="base arm64" [arm64-64k]="base arm64 arm64-64k"
	[arm64-tags]="base arm64 arm64-tags" [kmsan]="base kmsan")

# What is not said here: ARCH is x86_64, the compiler gcc.
declare -A ARCHES=([uml]=um [umlfault]=um [uml-up]=um [umlhooks]=um
	[arm64]=arm64 [arm64-64k]=arm64 [arm64-tags]=arm64)
declare -A CROSS=([arm64]=aarch64-linux-gnu-)
declare -A IMAGES=([x86_64]=arch/x86/boot/bzImage [um]=linux [arm64]=arch/arm64/boot/Image)
declare -A PATCHES=([umlhooks]=packaging/in-tree)
declare -A COMPILER=([kmsan]=clang)
declare -A PACKAGE=([aarch64-linux-gnu-gcc]=gcc-aarch64-linux-gnu)

compiler_version() {
	"$1" -dumpfullversion 2>/dev/null || "$1" -dumpversion 2>/dev/null || :
}

fragments() {
	local f
	for f in ${FRAGMENTS[$1]}; do echo "$TOP/tools/guest/configs/$f.config"; done
}

patches() {
	[ -z "${PATCHES[$1]:-}" ] || ls "$TOP/${PATCHES[$1]}"/*.patch
}

# A fragment line that did not land would silently test less than it says. The
# last fragment to name an option is the one that counts.
check_config() {
	local config=$1 line missing=
	shift
	while read -r line; do
		case $line in
		*=n) ! grep -q "^${line%=n}=" "$config" || missing+=" $line" ;;
		*) grep -qx "$line" "$config" || missing+=" $line" ;;
		esac
	done < <(cat "$@" | grep '^CONFIG_' | tac | awk -F= '!seen[$1]++')
	[ -z "$missing" ] || die "the kernel's configuration refused:$missing"
}

own_kernel() {
	local name=$1 key dir src arch cc more image
	arch=${ARCHES[$name]:-x86_64} cc=${COMPILER[$name]:-${CROSS[$arch]:-}gcc}
	image=${IMAGES[$arch]} more=""
	case $cc in
	gcc) ;;
	clang) more="CC=clang" ;;
	*) more="CROSS_COMPILE=${cc%gcc}" ;;
	esac
	[ -z "$more" ] || need_packages "${PACKAGE[$cc]:-$cc}"
	key=$( (cat $(fragments "$name") $(patches "$name"); compiler_version "$cc"; echo "$RECIPE") |
		sha256sum | cut -c 1-12)
	dir=$CACHE/own-$name-$key
	! is_ready "$dir" || return 0
	need_packages "${BUILD_NEEDS[@]}"
	src=$(source_tree "${SOURCE[$name]}")
	# shellcheck disable=SC2046
	[ -z "${PATCHES[$name]:-}" ] || src=$(need_packages patch; patched_tree "$src" $(patches "$name"))
	rm -rf "$CACHE/own-$name-"????????????	# as many as the key has: not those of NAME-OTHER
	mkdir -p "$dir/kdir"
	# shellcheck disable=SC2206
	local mk=(make -C "$src" "O=$dir/kdir" "ARCH=$arch" $more "-j$JOBS")
	say "building the $name kernel (3 to 5 minutes; log: $dir/log)"
	run_logged "$dir/log" "${mk[@]}" tinyconfig
	# shellcheck disable=SC2046
	run_logged "$dir/log" env "ARCH=$arch" "$src/scripts/kconfig/merge_config.sh" -m \
		-O "$dir/kdir" "$dir/kdir/.config" $(fragments "$name")
	run_logged "$dir/log" "${mk[@]}" olddefconfig
	# shellcheck disable=SC2046
	check_config "$dir/kdir/.config" $(fragments "$name")
	run_logged "$dir/log" nice "${mk[@]}" "${image##*/}" modules
	cp "$dir/kdir/$image" "$dir/image"
	echo "$arch" >"$dir/arch"
	echo "$more" >"$dir/make"
	# what external modules need stays; the rest is most of the bytes
	find "$dir/kdir" \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' \) \
		-not -path '*/scripts/*' -not -path '*/tools/*' -not -name 'vmlinux.h' -type f -delete
	touch "$dir/ready"
	echo "$dir"
}

[ $# -gt 0 ] || die "usage: kernel.sh NAME... (${!FLAVOUR[*]} ${!SOURCE[*]})"
mkdir -p "$CACHE"
for name in "$@"; do
	if [ -n "${FLAVOUR[$name]:-}" ]; then stock_kernel "$name"
	elif [ -n "${SOURCE[$name]:-}" ]; then own_kernel "$name"
	elif [ "$name" = source ]; then source_tree 6.12
	elif [ "$name" = source-newest ]; then source_tree newest
	else die "no kernel '$name': there are ${!FLAVOUR[*]} ${!SOURCE[*]}"
	fi
done
