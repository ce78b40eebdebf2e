// SPDX-License-Identifier: GPL-2.0
/*
 * Patterns between CPUs, and patterns on all of them. Where several CPUs work, the
 * time counts until all are done, and the objects are those of one CPU, so that
 * perfect scaling shows as the same time.
 */
#include "bench.h"
#include "ring.h"

#include <linux/atomic.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#define CROSS_RING	1024
#define CROSS_BATCH	64
#define XMALLOC_BATCH	4096

/* ---- one allocates, another frees ------------------------------------------- */

static __always_inline void produce(struct bench_thread *t, const enum allocator which,
				    struct ring *ring, const bool touch)
{
	const struct point *pt = t->job->pt;
	const unsigned int batch = pt->batch, live = pt->live;
	struct kmem_cache *cache = t->job->cache;
	unsigned int head = 0, end = t->job->count, i;

	while (head != end) {
		/* the consumer is done with the slots before it lets go of them */
		while (head + batch - smp_load_acquire(&ring->tail) > live) {
			cpu_relax();
			cond_resched();
		}
		for (i = 0; i < batch; i++, head++) {
			size_t size = pt->size ?: steps[head % NR_STEPS].size;
			void *p = obj_alloc(t, which, cache, size);

			if (touch)
				obj_touch(p, size);
			ring->slot[head & (live - 1)] = p;
		}
		/* pairs with the acquire in consume(): the slots are filled */
		smp_store_release(&ring->head, head);
	}
}

static __always_inline void consume(struct bench_thread *t, const enum allocator which,
				    struct ring *ring)
{
	const unsigned int batch = t->job->pt->batch, live = t->job->pt->live;
	struct kmem_cache *cache = t->job->cache;
	unsigned int tail = 0, end = t->job->count, i;

	while (tail != end) {
		/* pairs with the release in produce() */
		while (smp_load_acquire(&ring->head) == tail) {
			cpu_relax();
			cond_resched();
		}
		for (i = 0; i < batch; i++)
			obj_free(which, cache, ring->slot[tail++ & (live - 1)]);
		/* pairs with the acquire in produce(): the slots are read */
		smp_store_release(&ring->tail, tail);
	}
}

/* Every even thread allocates for the odd one after it. */
static __always_inline void hand_over(struct bench_thread *t, const enum allocator which,
				      const bool touch)
{
	struct ring *ring = &rings[t->id / 2];

	if (t->id % 2 == 0) {
		ring->head = 0;
		ring->tail = 0;
	}
	meet(t);
	t->start = clock_ticks();
	if (t->id % 2 == 0)
		produce(t, which, ring, touch);
	else
		consume(t, which, ring);
	t->end = clock_ticks();
}

static __always_inline void cross_loop(struct bench_thread *t, const enum allocator which)
{
	hand_over(t, which, false);
}

DEFINE_LOOPS(cross);

static __always_inline void cross_each_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int mask = t->job->pt->live - 1;
	struct ring *ring = &rings[t->id / 2];

	if (t->id % 2 == 0)
		ring_clear(ring);
	meet(t);
	t->start = clock_ticks();
	if (t->id % 2 == 0)
		ring_put_each(t, which, ring, mask, t->job->count);
	else
		ring_take_each(t, which, ring, mask, t->job->count);
	t->end = clock_ticks();
}

DEFINE_LOOPS(cross_each);

/* cross: a stream of objects that are freed soon after, in small batches or one by one. */
static int cross_size(size_t size)
{
	struct point pt = {
		.pattern = "cross", .loops = &cross_loops, .allocators = EXACT_SIZE, .threads = 2,
		.size = size, .live = CROSS_RING, .batch = CROSS_BATCH,
		.order = "in-order", .count = 200000,
	};
	int err;

	BUILD_BUG_ON_NOT_POWER_OF_2(CROSS_RING);
	BUILD_BUG_ON(CROSS_RING > RING_MAX);
	err = measure(&pt);
	if (err)
		return err;
	pt.loops = &cross_each_loops;
	pt.order = "one-by-one";
	return measure(&pt);
}

int bench_cross(void)
{
	return cross_size(64) ?: cross_size(128) ?: cross_size(1024);
}

static __always_inline void xmalloc_loop(struct bench_thread *t, const enum allocator which)
{
	hand_over(t, which, true);
}

DEFINE_LOOPS(xmalloc);

/*
 * xmalloc: after xmalloc-test of mimalloc-bench, which has it from Lever and
 * Boreham. One side only allocates, 4096 objects to a batch, the other only frees
 * whole batches. There any number of threads share a list of up to 100 batches
 * under a mutex; here there are two, and a ring of four batches, so that what is
 * between them costs next to nothing.
 */
int bench_xmalloc(void)
{
	struct point pt = {
		.pattern = "xmalloc", .loops = &xmalloc_loops, .allocators = EXACT_SIZE,
		.threads = 2, .size = 64, .live = 4 * XMALLOC_BATCH, .batch = XMALLOC_BATCH,
		.round = XMALLOC_BATCH, .order = "in-order", .count = 400000,
	};
	int err;

	BUILD_BUG_ON(4 * XMALLOC_BATCH > RING_MAX);
	err = measure(&pt);
	if (err)
		return err;
	make_steps(slot_uniform, 1, size_by_octave, 8, 2048);
	pt.size = 0;
	pt.sizes = "8-2048";
	pt.allocators = ANY_SIZE;
	return measure(&pt);
}

/* ---- slots of all ----------------------------------------------------------- */

/* slots: replace objects in slots that both CPUs share; half are the other's. */
static __always_inline void slots_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int live = t->job->pt->live;
	unsigned long n = t->job->count;
	unsigned long offset = t->id * (NR_STEPS / 2);
	unsigned long i;

	for (i = t->id; i < live; i += t->job->nr_threads)
		shared[i] = obj_alloc(t, which, NULL, steps[i].size);
	meet(t);
	t->start = clock_ticks();
	for (i = 0; i < n; i++) {
		const struct step *s = &steps[(i + offset) % NR_STEPS];
		void *p = obj_alloc(t, which, NULL, s->size);

		obj_free(which, NULL, xchg(&shared[s->slot], p));
	}
	t->end = clock_ticks();
	meet(t);
	for (i = t->id; i < live; i += t->job->nr_threads)
		obj_free(which, NULL, xchg(&shared[i], NULL));
}

DEFINE_LOOPS(slots);

int bench_slots(void)
{
	make_steps(slot_uniform, 8192, size_by_octave, 16, 1024);
	return measure(&(struct point) {
		.pattern = "slots", .loops = &slots_loops, .allocators = ANY_SIZE, .threads = 2,
		.sizes = "16-1024", .live = 8192, .order = "random", .count = 200000,
	});
}

/* ---- all CPUs --------------------------------------------------------------- */

/* Twice as many, and at last as many as there may be. */
static unsigned int more_threads(unsigned int n, unsigned int most)
{
	return n < most ? min(2 * n, most) : most + 1;
}

/* How much more gets done by all threads than by the first number of them. */
static void print_scaling(const struct point *pt, const u64 *base, unsigned int base_threads)
{
	unsigned int i;

	for (i = 0; i < NR_ALLOCATORS; i++) {
		u64 percent;

		if (!(pt->allocators & BIT(i)))
			continue;
		percent = div64_u64(base[i] * 100 * pt->threads / base_threads,
				    max(last_median(i), 1ULL));
		pr_info("pattern=%s order=%s alloc=%s scaling=%llu.%02llu base=%u\n",
			pt->pattern, pt->order, allocator_name(i), percent / 100, percent % 100,
			base_threads);
	}
}

/* The same work on more and more CPUs: any number from 1, or pairs of them from 2. */
static int scale_up(struct point *pt, unsigned int from)
{
	unsigned int most = rounddown(max_threads, from);
	u64 base[NR_ALLOCATORS] = {};
	unsigned int n, i;
	char order[24];
	int err;

	pt->order = order;
	for (n = from; n <= most; n = more_threads(n, most)) {
		snprintf(order, sizeof(order), "%u-cpu%s", n, n == 1 ? "" : "s");
		pt->threads = n;
		err = measure(pt);
		if (err)
			return err;
		if (n > from)
			print_scaling(pt, base, from);
		for (i = 0; n == from && i < NR_ALLOCATORS; i++)
			base[i] = last_median(i);
	}
	return 0;
}

/* scale: each CPU works for itself, or for its neighbour. */
int bench_scale(void)
{
	struct point pair = {
		.pattern = "scale-pair", .loops = &pair_loops, .allocators = EXACT_SIZE,
		.size = 128, .live = 1, .count = 400000,
	};
	struct point replace = {
		.pattern = "scale-replace", .loops = &replace_loops, .allocators = ANY_SIZE,
		.sizes = "16-1024", .live = 4096, .count = 200000,
	};
	struct point cross = {
		.pattern = "scale-cross", .loops = &cross_loops, .allocators = EXACT_SIZE,
		.size = 256, .live = CROSS_RING, .batch = CROSS_BATCH, .count = 200000,
	};

	make_steps(slot_uniform, replace.live, size_by_octave, 16, 1024);
	return scale_up(&pair, 1) ?: scale_up(&replace, 1) ?: scale_up(&cross, 2);
}
