# SPDX-License-Identifier: GPL-2.0
# Sourced by the scripts beside it: messages, the cache, Debian packages, consoles.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${GOHEAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/goheap}
JOBS=${JOBS:-$(nproc)}
LOGS=$TOP/build/logs

# A guest that takes so many seconds has hung: the slowest takes a tenth of that on a
# machine that has nothing else to do.
PATIENCE=1500

export PYTHONDONTWRITEBYTECODE=1

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'goheap: %s\n' "$*" >&2; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else die "need root for '$*': run it as root, or install sudo"
	fi
}

# run_logged LOG COMMAND...: quiet unless it fails.
run_logged() {
	local log=$1 rc=0
	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 || rc=$?
	[ "$rc" = 0 ] || { tail -n 25 "$log" >&2; die "'$*' failed ($rc); the whole log is $log"; }
}

apt_lists_ready() {
	[ -n "$(apt-cache pkgnames linux-headers-cloud-amd64 2>/dev/null)" ]
}

apt_refresh() {
	[ -z "${APT_FRESH:-}" ] || return 0
	say "reading the package lists (apt-get update)"
	as_root apt-get -qq update >&2 || apt_lists_ready ||
		die "apt-get update failed: check the network and the apt sources"
	APT_FRESH=1
}

# need_packages NAME...: install what is missing, nothing else.
need_packages() {
	local missing=() p
	command -v apt-get >/dev/null ||
		die "this script installs Debian packages; on other systems install these yourself: $*"
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	apt_refresh
	say "installing ${missing[*]}"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
		--no-install-recommends "${missing[@]}" >/dev/null ||
		die "apt-get could not install: ${missing[*]}"
}

# fetch_debs DIR NAME...: download without installing (a kernel's packages would
# pull in an initramfs and a new udev on the host).
fetch_debs() {
	local dir=$1
	shift
	mkdir -p "$dir"
	(cd "$dir" && apt-get -qq "${APT_OPTIONS[@]}" download "$@" 2>&1 |
		{ grep -v 'unsandboxed' || :; } >&2; exit "${PIPESTATUS[0]}") ||
		die "could not download $*: check the network, then run this again"
}
APT_OPTIONS=(-o APT::Sandbox::User=root)

# private_lists SUITE ARCH: the distribution's own mirror as if the system had that
# suite and architecture, through lists of its own, so that its apt never learns of it.
private_lists() {
	local suite=$1 arch=$2 root=$CACHE/$1 uri
	[ "$arch" = amd64 ] || root+=-$arch
	mkdir -p "$root/lists/partial" "$root/cache/archives/partial"
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		grep -E '/debian/?$' | head -n 1)
	[ -n "$uri" ] || die "found no Debian mirror in the apt sources"
	echo "deb [arch=$arch signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" \
		>"$root/sources.list"
	APT_OPTIONS+=(-o "Dir::Etc::sourcelist=$root/sources.list" -o Dir::Etc::sourceparts=-
		-o "Dir::State::lists=$root/lists" -o "Dir::Cache=$root/cache"
		-o "APT::Architectures::=$arch")
	say "reading the package lists of Debian $suite for $arch"
	apt-get -qq "${APT_OPTIONS[@]}" update >&2 || die "cannot read the package lists of Debian $suite for $arch"
}

# busybox_for ARCH: a static one, as a path; ARCH is the kernel's word.
busybox_for() {
	local dir=$CACHE/busybox-$1 suite
	case $1 in
	x86_64|um) need_packages busybox-static >&2; echo /bin/busybox; return ;;
	esac
	exec 7>"$CACHE/lock-busybox"
	flock 7
	if [ ! -e "$dir/bin/busybox" ]; then
		suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
		(private_lists "$suite" "$1"
		rm -rf "$dir.tmp"
		fetch_debs "$dir.tmp" "busybox-static:$1"
		dpkg-deb -x "$dir.tmp"/busybox-static_*.deb "$dir.tmp"
		rm "$dir.tmp"/*.deb
		rm -rf "$dir"
		mv "$dir.tmp" "$dir") || exit
	fi
	exec 7>&-
	echo "$dir/bin/busybox"
}

# Lines as the kernel and the scripts wrote them: no timestamps, no caller.
plain() {
	sed -E 's/\r$//; s/^\[ *[0-9]+\.[0-9]+\](\[ *[CT][0-9]+\])? //' "$1"
}
