// SPDX-License-Identifier: GPL-2.0
/*
 * pair, batch and replace: one object, some, and many of them; on one CPU, and nothing is
 * written to the objects. A caller knows the size in one of three ways, which take different
 * ways through an allocator:
 *
 *   NAME	it is a variable that the compiler cannot see through, but the same each time
 *   NAME-const	it is a constant, as sizeof is
 *   mixed	it is a variable, and differs from call to call (size says from where to where)
 */
#include "bench.h"

#define MIXED_MIN	16
#define MIXED_MAX	1024
#define MIXED		"16-1024"

static_assert(NR_STEPS % 1024 == 0);	/* the largest mixed batch starts anywhere */

/* ---- pair: allocate one, free it --------------------------------------------- */

static __always_inline void pair_of(struct bench_thread *t, const enum allocator which,
				    const size_t size)
{
	struct kmem_cache *cache = t->job->cache;
	unsigned long n = t->job->count;

	meet(t);
	t->start = clock_ticks();
	while (n--)
		obj_free(which, cache, obj_alloc(t, which, cache, size));
	t->end = clock_ticks();
}

static __always_inline void pair_loop(struct bench_thread *t, const enum allocator which)
{
	pair_of(t, which, t->job->pt->size);
}

DEFINE_SHARED_LOOPS(pair);

static __always_inline void pair_mixed_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long n = t->job->count, i;

	t->start = clock_ticks();
	for (i = 0; i < n; i++)
		obj_free(which, NULL, obj_alloc(t, which, NULL, steps[i % NR_STEPS].size));
	t->end = clock_ticks();
}

DEFINE_LOOPS(pair_mixed);

/* Loops for a constant size: NAME_BYTES_loops. */
#define DEFINE_CONST(name, bytes)								\
static __always_inline void name##_##bytes##_loop(struct bench_thread *t,			\
						  const enum allocator which)			\
{												\
	name##_of(t, which, bytes);								\
}												\
DEFINE_LOOPS(name##_##bytes)

DEFINE_CONST(pair, 16);
DEFINE_CONST(pair, 64);
DEFINE_CONST(pair, 256);
DEFINE_CONST(pair, 1024);

struct const_size {
	size_t size;
	const struct loops *loops;
};

static int pair_same(void)
{
	static const unsigned int sizes[] = {
		8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192,
		16 * 1024, 32 * 1024, 64 * 1024, 256 * 1024,
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "pair", .loops = &pair_loops, .size = sizes[i], .live = 1,
			.allocators = sizes[i] <= CACHE_MAX ? EXACT_SIZE : ANY_SIZE,
			.count = sizes[i] <= 8192 ? 200000 : 10000,
		});
	}
	return err;
}

static int pair_const(void)
{
	static const struct const_size sizes[] = {
		{ 16, &pair_16_loops }, { 64, &pair_64_loops },
		{ 256, &pair_256_loops }, { 1024, &pair_1024_loops },
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "pair-const", .loops = sizes[i].loops, .size = sizes[i].size,
			.live = 1, .allocators = EXACT_SIZE, .count = 200000,
		});
	}
	return err;
}

static int pair_mixed(void)
{
	make_steps(slot_uniform, 1, size_by_octave, MIXED_MIN, MIXED_MAX);
	return measure(&(struct point) {
		.pattern = "pair", .loops = &pair_mixed_loops, .sizes = MIXED, .live = 1,
		.allocators = ANY_SIZE, .count = 200000,
	});
}

int bench_pair(void)
{
	return pair_same() ?: pair_const() ?: pair_mixed();
}

/* ---- batch: allocate many, free them all in the order that free_order[] gives - */

static __always_inline void batch_of(struct bench_thread *t, const enum allocator which,
				     const size_t size)
{
	struct kmem_cache *cache = t->job->cache;
	const unsigned int live = t->job->pt->live;
	unsigned long rounds = t->job->count / live;
	void **objs = t->objs;
	u32 *order = free_order;
	unsigned int i;

	t->start = clock_ticks();
	while (rounds--) {
		for (i = 0; i < live; i++)
			objs[i] = obj_alloc(t, which, cache, size);
		for (i = 0; i < live; i++)
			obj_free(which, cache, objs[order[i]]);
	}
	t->end = clock_ticks();
}

static __always_inline void batch_loop(struct bench_thread *t, const enum allocator which)
{
	batch_of(t, which, t->job->pt->size);
}

DEFINE_LOOPS(batch);

DEFINE_CONST(batch, 64);
DEFINE_CONST(batch, 256);

static __always_inline void batch_mixed_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int live = t->job->pt->live;
	unsigned long rounds = t->job->count / live;
	const struct step *s = steps;
	void **objs = t->objs;
	u32 *order = free_order;
	unsigned int i;

	t->start = clock_ticks();
	while (rounds--) {
		for (i = 0; i < live; i++)
			objs[i] = obj_alloc(t, which, NULL, s++->size);
		for (i = 0; i < live; i++)
			obj_free(which, NULL, objs[order[i]]);
		if (s == steps + NR_STEPS)
			s = steps;
	}
	t->end = clock_ticks();
}

DEFINE_LOOPS(batch_mixed);

static int batch_same(void)
{
	static const unsigned int sizes[] = { 64, 256 };
	static const unsigned int lives[] = { 16, 128, 1024, 10000 };
	static const char * const orders[] = { "in-order", "reverse", "random" };
	unsigned int i, size, live, order;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(lives) * ARRAY_SIZE(orders); i++) {
		order = i % ARRAY_SIZE(orders);
		live = lives[i / ARRAY_SIZE(orders) % ARRAY_SIZE(lives)];
		size = sizes[i / ARRAY_SIZE(orders) / ARRAY_SIZE(lives)];
		make_order(live, order == 1, order == 2);
		err = measure(&(struct point) {
			.pattern = "batch", .loops = &batch_loops, .allocators = EXACT_SIZE,
			.size = size, .live = live, .order = orders[order], .count = 100000,
		});
		if (err)
			break;
	}
	return err;
}

/* Sizes that are constants, and mixed ones: few and many objects, in order. */
static int batch_others(unsigned int live)
{
	static const struct const_size sizes[] = {
		{ 64, &batch_64_loops }, { 256, &batch_256_loops },
	};
	unsigned int i;
	int err = 0;

	make_order(live, false, false);
	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "batch-const", .loops = sizes[i].loops, .size = sizes[i].size,
			.allocators = EXACT_SIZE, .live = live, .order = "in-order",
			.count = 100000,
		});
	}
	if (err)
		return err;
	make_steps(slot_uniform, 1, size_by_octave, MIXED_MIN, MIXED_MAX);
	return measure(&(struct point) {
		.pattern = "batch", .loops = &batch_mixed_loops, .allocators = ANY_SIZE,
		.sizes = MIXED, .live = live, .order = "in-order", .count = 100000,
	});
}

int bench_batch(void)
{
	return batch_same() ?: batch_others(16) ?: batch_others(1024);
}

/* ---- replace: a random one of many objects gives way to a new one ------------- */

static __always_inline void replace_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int live = t->job->pt->live;
	unsigned long offset = t->id * (NR_STEPS / 8);
	unsigned long n = t->job->count;
	void **objs = t->objs;
	unsigned long i;

	for (i = 0; i < live; i++)
		objs[i] = obj_alloc(t, which, NULL, steps[i].size);
	meet(t);
	t->start = clock_ticks();
	for (i = 0; i < n; i++) {
		const struct step *s = &steps[(i + offset) % NR_STEPS];

		obj_free(which, NULL, objs[s->slot]);
		objs[s->slot] = obj_alloc(t, which, NULL, s->size);
	}
	t->end = clock_ticks();
	for (i = 0; i < live; i++)
		obj_free(which, NULL, objs[i]);
}

DEFINE_SHARED_LOOPS(replace);

static __always_inline void replace_of(struct bench_thread *t, const enum allocator which,
				       const size_t size)
{
	struct kmem_cache *cache = t->job->cache;
	const unsigned int live = t->job->pt->live;
	unsigned long n = t->job->count;
	void **objs = t->objs;
	unsigned long i;

	for (i = 0; i < live; i++)
		objs[i] = obj_alloc(t, which, cache, size);
	t->start = clock_ticks();
	for (i = 0; i < n; i++) {
		unsigned int slot = steps[i % NR_STEPS].slot;

		obj_free(which, cache, objs[slot]);
		objs[slot] = obj_alloc(t, which, cache, size);
	}
	t->end = clock_ticks();
	for (i = 0; i < live; i++)
		obj_free(which, cache, objs[i]);
}

static __always_inline void replace_same_loop(struct bench_thread *t, const enum allocator which)
{
	replace_of(t, which, t->job->pt->size);
}

DEFINE_LOOPS(replace_same);
DEFINE_CONST(replace, 128);

int bench_replace(void)
{
	struct point pt = {
		.pattern = "replace", .loops = &replace_loops, .allocators = ANY_SIZE,
		.sizes = "16-4096", .live = MAX_LIVE, .order = "random", .count = 200000,
	};
	int err;

	make_steps(slot_uniform, MAX_LIVE, size_by_octave, 16, 4096);
	err = measure(&pt);
	if (err)
		return err;
	pt.sizes = NULL;
	pt.size = 128;
	pt.allocators = EXACT_SIZE;
	pt.loops = &replace_same_loops;
	err = measure(&pt);
	if (err)
		return err;
	pt.pattern = "replace-const";
	pt.loops = &replace_128_loops;
	return measure(&pt);
}
