// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps at their limit: making room before an allocation fails.
 */

#include <linux/gfp.h>
#include <linux/atomic.h>

#include "front/limit.h"
#include "heap.h"
#include "percpu/drain.h"
#include "spans/limbo.h"

/**
 * gh_limit_make_room() - a heap is at its limit: have it give back what it does not need
 * @heap: which heap
 * @gfp: of the allocation
 * @room: zeroed before the first call for an allocation
 *
 * What holds the limit may be nobody's: empty spans and parked ones in the caches of all
 * CPUs, and what waits for RCU. If the caller cannot wait, it is given back for the next
 * allocation.
 *
 * Context: Any that @gfp allows.
 * Return: true if it is worth trying again.
 */
bool gh_limit_make_room(struct goheap *heap, gfp_t gfp, struct gh_room *room)
{
	switch (room->tries++) {
	case 0:
		room->waits = atomic_long_read(&heap->limbo);
		break;
	case 1:
		/* What comes, or has come since, out of limbo goes to the owners of its spans. */
		if (!gh_limbo_wait(heap) && !room->waits)
			return false;
		break;
	default:
		return false;
	}
	gh_drain_flush_heap(heap, gfp);
	return gfpflags_allow_blocking(gfp);
}
