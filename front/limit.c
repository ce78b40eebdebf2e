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
 * Pages without live objects count towards the limit as well: empty and parked spans in
 * the caches of all CPUs, and spans that wait for RCU. If the caller cannot wait, these pages
 * are given back too late for this allocation, and help the next one.
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
		/* A span that leaves limbo goes to its owner's inbox: flush the caches again. */
		if (!gh_limbo_wait(heap) && !room->waits)
			return false;
		break;
	default:
		return false;
	}
	gh_drain_flush_heap(heap, gfp);
	return gfpflags_allow_blocking(gfp);
}
