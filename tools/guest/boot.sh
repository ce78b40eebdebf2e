#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# boot.sh KERNEL DIR [OPTION...]: boot a kernel that kernel.sh knows on a
# busybox guest with the files of DIR in its root, and run DIR/run.sh there. The
# console goes to stdout. Succeeds if the guest came to its end and run.sh
# succeeded.
#
#   --smp N         CPUs (2)
#   --mem M         memory, as QEMU writes it (1G)
#   --nodes N       NUMA nodes, which share CPUs and memory evenly (1); QEMU only
#   --numa "..."    nodes of any shape instead: CPUS:MEM of each, where - is none; QEMU
#                   only, as in --smp 3 --mem 768M --numa "0-1:512M -:256M 2:-"
#   --append "..."  more of the kernel's command line
#   --timeout S     seconds until a guest counts as hung (120)
#   --log FILE      keep the console there too
#   --icount        one emulated instruction takes one ns of the guest's time, on all
#                   CPUs together; QEMU only, and always emulated
#   --interactive   the guest's console is this terminal; no time limit

. "$(dirname "$0")/../lib.sh"

usage="usage: boot.sh KERNEL DIR [--smp N] [--mem M] [--nodes N] [--numa NODES] [--append ARGS] \
[--timeout S] [--log FILE] [--icount] [--interactive]"
[ $# -ge 2 ] || die "$usage"
name=$1 tree=$2 smp=2 mem=1G nodes=1 numa="" append="" limit=120 log="" icount="" interactive=""
shift 2
while [ $# -gt 0 ]; do
	case $1 in
	--icount) icount=1; shift; continue ;;
	--interactive) interactive=1; shift; continue ;;
	--smp) smp=${2:?$usage} ;;
	--mem) mem=${2:?$usage} ;;
	--nodes) nodes=${2:?$usage} ;;
	--numa) numa=${2:?$usage} ;;
	--append) append=${2:?$usage} ;;
	--timeout) limit=${2:?$usage} ;;
	--log) log=${2:?$usage} ;;
	*) die "boot.sh has no option '$1'; $usage" ;;
	esac
	shift 2
done
[ $((smp % nodes)) = 0 ] || die "$nodes nodes cannot share $smp CPUs evenly: give another --smp"
[ -e "$tree/run.sh" ] || die "there is no run.sh in $tree for the guest to run"

need_packages cpio
kernel=$("$TOP/tools/guest/kernel.sh" "$name")
arch=$(cat "$kernel/arch")
busybox=$(busybox_for "$arch")
# QEMU: its name, the machine and the console that the guest has there
case $arch in
x86_64) need_packages qemu-system-x86; qemu=(qemu-system-x86_64) tty=ttyS0 ;;
arm64)
	need_packages qemu-system-arm
	qemu=(qemu-system-aarch64 -machine "virt,gic-version=3") tty=ttyAMA0
	;;
esac
[ "$arch" = x86_64 ] || [ -z "$icount" ] || die "only x86-64 kernels can count instructions, and $name is none"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -n "$log" ] || log=$work/console
mkdir -p "$(dirname "$log")"

# make_root FROM TO: a root directory with busybox, /init and the files of FROM.
make_root() {
	mkdir -p "$2/bin"
	cp "$busybox" "$2/bin/"
	cp "$TOP/tools/guest/init" "$2/init"
	cp -rL "$1/." "$2/"
}

# One socket for each node, as in a real machine.
numa_options() {
	local i per=$((smp / nodes)) bytes
	bytes=$(($(numfmt --from=iec "$mem") / nodes))
	for ((i = 0; nodes > 1 && i < nodes; i++)); do
		echo "-object memory-backend-ram,id=m$i,size=${bytes}B"
		echo "-numa node,nodeid=$i,cpus=$((i * per))-$((i * per + per - 1)),memdev=m$i"
	done
}

shaped_numa_options() {
	local node i=0 cpus bytes
	for node in $numa; do
		cpus=${node%:*} bytes=${node#*:}
		[ "$bytes" = - ] || echo "-object memory-backend-ram,id=m$i,size=$bytes"
		echo "-numa node,nodeid=$i$([ "$cpus" = - ] || echo ",cpus=$cpus")$([ "$bytes" = - ] ||
			echo ",memdev=m$i")"
		i=$((i + 1))
	done
}

# qemu_boot ROOT COMMAND-LINE OPTION...
qemu_boot() {
	local root=$1 cmdline=$2 sockets=$nodes
	shift 2
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$root.cpio.gz"
	[ -z "$numa" ] || sockets=$smp
	# shellcheck disable=SC2046
	"${limited[@]}" "${qemu[@]}" -smp "$smp,sockets=$sockets" -m "$mem" \
		$([ -z "$numa" ] && numa_options || shaped_numa_options) \
		-display none -nodefaults -no-reboot -kernel "$kernel/image" -initrd "$root.cpio.gz" \
		-append "console=$tty panic=-1 quiet $cmdline" "$@"
}

uml() {
	"${limited[@]}" "$kernel/image" "mem=$mem" seccomp=on "ncpus=$smp" root=/dev/root \
		rootfstype=hostfs "rootflags=$work/root" rw init=/init "uml_dir=$work/" \
		con=fd:0,fd:1 panic=-1 quiet $append
}

# By way of a file: UML does not wait for a reader, and what a full pipe does not take is
# lost without a word.
uml_boot() {
	local status=0
	[ -z "$interactive" ] || { uml; return; }
	: >"$work/uml"
	uml >>"$work/uml" 2>&1 &
	tail -n +1 -f -s 0.1 --pid=$! "$work/uml"
	wait $! || status=$?
	return $status
}

# /dev/kvm alone proves nothing: under nested virtualisation a guest may hang in
# it. So boot this kernel once, and remember the answer until the host reboots;
# a no counts for every kernel.
kvm_works() {
	local known
	known=$CACHE/kvm-$(cat /proc/sys/kernel/random/boot_id)
	[ -w /dev/kvm ] && [ "$arch" = "$(uname -m)" ] || return 1
	if ! grep -qsxE "no|$name" "$known"; then
		say "trying for at most 5 seconds whether KVM boots this kernel"
		mkdir "$work/empty"
		: >"$work/empty/run.sh"
		make_root "$work/empty" "$work/probe"
		if limited=(timeout -k 1 5) qemu_boot "$work/probe" "" -accel kvm -cpu host \
			-serial stdio </dev/null 2>&1 | grep -q GOHEAP-GUEST-END; then
			echo "$name" >>"$known"
		else
			echo no >>"$known"
		fi
	fi
	! grep -qx no "$known"
}

# Nothing of this guest comes from the host: neither time nor random numbers. Without
# erms and fsrm the kernel does not fill memory by one instruction that counts once
# for every byte. lpj saves every CPU the 80 ms of finding it out (HZ=250).
icount_boot() {
	local fixed="nokaslr no_timer_check tsc=reliable tsc_early_khz=1000000 lpj=4000000"
	qemu_boot "$work/root" "$fixed $append" \
		-accel tcg,thread=single -icount shift=0,sleep=off -rtc base=2020-01-01,clock=vm \
		-cpu max,-erms,-fsrm,-rdrand,-rdseed "$@"
}

boot() {
	if [ "$arch" = um ]; then
		uml_boot
	elif [ -n "$icount" ]; then
		icount_boot "$@"
	elif kvm_works; then
		qemu_boot "$work/root" "$append" -accel kvm -cpu host "$@"
	else
		qemu_boot "$work/root" "$append" -accel tcg,thread=multi -cpu max "$@"
	fi
}

make_root "$tree" "$work/root"
if [ -n "$interactive" ]; then
	limited=()
	boot -serial mon:stdio
	exit
fi

# Neither QEMU nor UML tells by its exit status how the guest ended, only timeout does.
limited=(timeout -k 5 "$limit")
set +e
boot -serial stdio </dev/null 2>&1 | sed -u 's/\r//g' | tee "$log"
status=${PIPESTATUS[0]}
set -e
case $status in
124|137) echo "GOHEAP-GUEST-KILLED $limit" >>"$log" ;;
esac
end=$(grep -a '^GOHEAP-GUEST-END ' "$log" | tail -n 1) ||
	die "the $name guest did not come to its end within $limit s; its console above tells where it stopped"
[ "$end" = "GOHEAP-GUEST-END 0" ] || exit 1
