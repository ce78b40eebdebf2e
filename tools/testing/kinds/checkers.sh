# SPDX-License-Identifier: GPL-2.0
# Kind checkers: every checker of the instrumented kernels finds the bug planted for it. A
# lane that finds nothing proves nothing where they sleep.

# on KERNEL BUGS [REPORT...]: the checkers of this kernel find them.
on() {
	local kernel=$1 bugs=$2 report options=(--append "loglevel=7 kmemleak=off")
	shift 2
	[ "$bugs" != leak ] || options=(scan=1 --append loglevel=7)
	ends '^reports on the console: ' "$bugs" \
		kind_stress "$kernel" "plant=$bugs" ops=1 "${options[@]}"
	for report; do shows "$report"; done
}

# The first report of lockdep is its last, and KASAN's is lockdep's.
kind_checkers() {
	on san sleep,preempt,ubsan,list,kasan 'BUG: sleeping function called' \
		'BUG: using smp_processor_id\(\) in preemptible' 'UBSAN: shift-out-of-bounds' \
		'list_del corruption' 'BUG: KASAN: slab-use-after-free in plant_kasan'
	on san lockdep 'WARNING: possible circular locking'
	on san heldlock 'WARNING: held lock freed!' 'is freeing memory .* with a lock still held there'
	on san nesting 'BUG: Invalid wait context'
	on san rcu 'WARNING: suspicious RCU usage'
	on kcsan race 'BUG: KCSAN: data-race in race'
	on rt nesting 'BUG: sleeping function called'
	on san leak '^unreferenced object' '^kmemleak: scanned twice'
}
