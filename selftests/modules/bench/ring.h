/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects on their way from one CPU to another.
 *
 * Batches: the producer fills slots and then moves head, the consumer reads them and then
 * moves tail. One by one: a slot that is not NULL is full, as in the kernel's ptr_ring, and
 * head and tail stay out of it.
 */
#ifndef _GOHEAP_BENCH_RING_H
#define _GOHEAP_BENCH_RING_H

#include "bench.h"

#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/string.h>

#define RING_MAX	16384		/* slots */

struct ring {
	unsigned int head ____cacheline_aligned_in_smp;	/* written by the producer */
	unsigned int tail ____cacheline_aligned_in_smp;	/* written by the consumer */
	void *slot[RING_MAX] ____cacheline_aligned_in_smp;
};

/* What is handed over where an allocation failed. */
#define NO_OBJECT	ZERO_SIZE_PTR

/* Allocate @n objects of the point's size, and hand over each at once. */
static __always_inline void ring_put_each(struct bench_thread *t, const enum allocator which,
					  struct ring *ring, unsigned int mask, unsigned long n)
{
	struct kmem_cache *cache = t->job->cache;
	const size_t size = t->job->pt->size;
	unsigned long i;

	for (i = 0; i < n; i++) {
		void *p = obj_alloc(t, which, cache, size);

		while (READ_ONCE(ring->slot[i & mask])) {
			cpu_relax();
			cond_resched();
		}
		/* pairs with the acquire in ring_take_each(): what the allocator did is done */
		smp_store_release(&ring->slot[i & mask], p ?: NO_OBJECT);
	}
}

/* Free @n objects as they come. */
static __always_inline void ring_take_each(struct bench_thread *t, const enum allocator which,
					   struct ring *ring, unsigned int mask, unsigned long n)
{
	struct kmem_cache *cache = t->job->cache;
	unsigned long i;
	void *p;

	for (i = 0; i < n; i++) {
		/* pairs with the release in ring_put_each() */
		while (!(p = smp_load_acquire(&ring->slot[i & mask]))) {
			cpu_relax();
			cond_resched();
		}
		WRITE_ONCE(ring->slot[i & mask], NULL);
		if (likely(p != NO_OBJECT))
			obj_free(which, cache, p);
	}
}

/* No object under way, whatever the run before has left. */
static inline void ring_clear(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
}

#endif /* _GOHEAP_BENCH_RING_H */
