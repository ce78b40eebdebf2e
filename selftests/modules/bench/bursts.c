// SPDX-License-Identifier: GPL-2.0
/*
 * Bursts, after Lameter's slab_test: 10000 objects of one size are allocated at once, and then
 * all of them are freed. An allocator that keeps some objects at hand gets through them in no
 * time here, and has to grow and to shrink. Sizes are those of slab_test.
 */
#include "bench.h"
#include "ring.h"

#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#define BURST		10000
#define BURST_SHARE	5		/* a fifth of memory at most, all CPUs together */

static __always_inline void burst_fill(struct bench_thread *t, const enum allocator which,
				       void **objs)
{
	const unsigned int live = t->job->pt->live;
	struct kmem_cache *cache = t->job->cache;
	const size_t size = t->job->pt->size;
	unsigned int i;

	for (i = 0; i < live; i++)
		objs[i] = obj_alloc(t, which, cache, size);
}

static __always_inline void burst_empty(struct bench_thread *t, const enum allocator which,
					void **objs)
{
	const unsigned int live = t->job->pt->live;
	struct kmem_cache *cache = t->job->cache;
	unsigned int i;

	for (i = 0; i < live; i++)
		obj_free(which, cache, objs[i]);
}

/* Each CPU frees what it allocated; where there are two, both work at the same time. */
static __always_inline void burst_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long rounds = t->job->count / t->job->pt->live;

	meet(t);
	t->start = clock_ticks();
	while (rounds--) {
		burst_fill(t, which, t->objs);
		burst_empty(t, which, t->objs);
	}
	t->end = clock_ticks();
}

DEFINE_LOOPS(burst);

/* One CPU allocates all, then the other frees all; each of them waits for the other. */
static __always_inline void burst_other_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long rounds = t->job->count / t->job->pt->live;
	void **objs = t->job->thread[0].objs;

	meet(t);
	t->start = clock_ticks();
	while (rounds--) {
		if (t->id == 0)
			burst_fill(t, which, objs);
		meet(t);
		if (t->id == 1)
			burst_empty(t, which, objs);
		meet(t);
	}
	t->end = clock_ticks();
}

DEFINE_LOOPS(burst_other);

/* One CPU allocates all, and the other frees each as soon as it is there. */
static __always_inline void burst_each_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int live = t->job->pt->live;
	unsigned long rounds = t->job->count / live;

	if (t->id == 0)
		ring_clear(rings);
	meet(t);
	t->start = clock_ticks();
	while (rounds--) {
		if (t->id == 0)
			ring_put_each(t, which, rings, RING_MAX - 1, live);
		else
			ring_take_each(t, which, rings, RING_MAX - 1, live);
		meet(t);
	}
	t->end = clock_ticks();
}

DEFINE_LOOPS(burst_each);

/* How many objects may be live: where memory is small, whole thousands of them. */
static unsigned int burst_live(size_t size, unsigned int holders)
{
	unsigned long fit = totalram_pages() / BURST_SHARE * (PAGE_SIZE / 8) / (size / 8) / holders;

	if (fit >= BURST)
		return BURST;
	return fit >= 1000 ? rounddown(fit, 1000) : max(fit, 1UL);
}

static int burst_sizes(struct point *pt, unsigned int holders)
{
	size_t size;
	int err = 0;

	for (size = 8; size <= 16 * 1024 && !err; size *= 2) {
		pt->size = size;
		pt->live = burst_live(size, holders);
		pt->count = (size <= 512 ? 5UL : 2UL) * pt->live;
		err = measure(pt);
	}
	return err;
}

int bench_burst(void)
{
	struct point one = {
		.pattern = "burst", .loops = &burst_loops, .allocators = EXACT_SIZE,
		.threads = 1, .order = "1-cpu",
	};
	struct point both = {
		.pattern = "burst", .loops = &burst_loops, .allocators = EXACT_SIZE,
		.threads = 2, .order = "2-cpus",
	};
	struct point other = {
		.pattern = "burst", .loops = &burst_other_loops, .allocators = EXACT_SIZE,
		.threads = 2, .order = "other-cpu",
	};
	struct point each = {
		.pattern = "burst", .loops = &burst_each_loops, .allocators = EXACT_SIZE,
		.threads = 2, .order = "one-by-one",
	};

	BUILD_BUG_ON(BURST > MAX_LIVE || BURST > RING_MAX);
	return burst_sizes(&one, 1) ?: burst_sizes(&both, 2) ?: burst_sizes(&other, 1) ?:
	       burst_sizes(&each, 1);
}
