// SPDX-License-Identifier: GPL-2.0
/*
 * Patterns on one CPU. Objects are never written to, except by zalloc, zfresh, strdup and
 * realloc, whose calls do it: what is measured is the allocator.
 */
#include "bench.h"

#include <linux/minmax.h>
#include <linux/string.h>

/* pair: allocate one, free it. */
static __always_inline void pair_loop(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const size_t size = t->job->pt->size;
	unsigned long n = t->job->count;

	meet(t);
	t->start = clock_ticks();
	while (n--)
		obj_free(which, cache, obj_alloc(t, which, cache, size));
	t->end = clock_ticks();
}

DEFINE_RUN(pair)

int bench_pair(void)
{
	static const unsigned int sizes[] = {
		8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192,
		16 * 1024, 32 * 1024, 64 * 1024, 256 * 1024,
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "pair", .run = pair_run, .size = sizes[i], .live = 1,
			.allocators = sizes[i] <= CACHE_MAX ? ALL : NO_CACHE,
			.count = sizes[i] <= 8192 ? 200000 : 10000,
		});
	}
	return err;
}

static __always_inline void *obj_zalloc(struct bench_thread *t, const enum allocator which,
					struct kmem_cache *cache, size_t size)
{
	void *p = zalloc_by(which, cache, size, GFP_KERNEL);

	if (unlikely(!p))
		t->nulls++;
	return p;
}

static __always_inline void zalloc_loop(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const size_t size = t->job->pt->size;
	unsigned long n = t->job->count;

	t->start = clock_ticks();
	while (n--)
		obj_free(which, cache, obj_zalloc(t, which, cache, size));
	t->end = clock_ticks();
}

static DEFINE_RUN(zalloc)

int bench_zalloc(void)
{
	static const unsigned int sizes[] = { 16, 64, 256, 1024, 4096 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "zalloc", .run = zalloc_run, .allocators = ALL,
			.size = sizes[i], .live = 1, .count = 100000,
		});
	}
	return err;
}

/*
 * zfresh: zeroed objects out of memory that the kernel has just handed over. Every
 * run keeps its own until all are done, or the next one would find them used.
 */
static void *fresh[NR_ALLOCATORS];

static __always_inline void zfresh_loop(struct bench_thread *t, const enum allocator which)
{
	const size_t size = t->job->pt->size;
	unsigned long n = t->job->count;
	void **p;

	t->start = clock_ticks();
	while (n--) {
		p = obj_zalloc(t, which, NULL, size);
		if (unlikely(!p))
			break;
		*p = fresh[which];
		fresh[which] = p;
	}
	t->end = clock_ticks();
}

static DEFINE_RUN(zfresh)

static void free_fresh(const enum allocator which)
{
	void **p;

	while ((p = fresh[which])) {
		fresh[which] = *p;
		obj_free(which, NULL, p);
	}
}

int bench_zfresh(void)
{
	static const unsigned int sizes[] = { 256, 1024, 4096 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "zfresh", .run = zfresh_run, .allocators = NO_CACHE,
			.size = sizes[i], .live = 1, .count = (4UL << 20) / sizes[i],
		});
		free_fresh(KMALLOC);
		free_fresh(GOHEAP);
	}
	return err;
}

/* batch: allocate many, free them all in the order that free_order[] gives. */
static __always_inline void batch_loop(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const unsigned int live = t->job->pt->live;
	const size_t size = t->job->pt->size;
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

static DEFINE_RUN(batch)

int bench_batch(void)
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
			.pattern = "batch", .run = batch_run, .allocators = ALL,
			.size = size, .live = live, .order = orders[order], .count = 100000,
		});
		if (err)
			break;
	}
	return err;
}

/* replace: a random one of many objects of mixed sizes gives way to a new one. */
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

DEFINE_RUN(replace)

int bench_replace(void)
{
	make_steps(slot_uniform, MAX_LIVE, size_by_octave, 16, 4096);
	return measure(&(struct point) {
		.pattern = "replace", .run = replace_run, .allocators = NO_CACHE,
		.sizes = "16-4096", .live = MAX_LIVE, .order = "random", .count = 200000,
	});
}

/* strdup: copies of short names, as of files and devices; freed all together. */
static const char * const names[] = {
	"lo", "eth0", "wlp3s0", "docker0", "bin", "lib", "etc", "usr",
	"passwd", "vmlinuz", "Makefile", "README.md", "libc.so.6",
	"tty1", "sda1", "nvme0n1p2",
};

static __always_inline void strdup_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long rounds = t->job->count / ARRAY_SIZE(names);
	void **objs = t->objs;
	unsigned int i;

	t->start = clock_ticks();
	while (rounds--) {
		for (i = 0; i < ARRAY_SIZE(names); i++)
			objs[i] = strdup_by(which, names[i], GFP_KERNEL);
		for (i = 0; i < ARRAY_SIZE(names); i++)
			obj_free(which, NULL, objs[i]);
	}
	t->end = clock_ticks();
}

static DEFINE_RUN(strdup)

int bench_strdup(void)
{
	return measure(&(struct point) {
		.pattern = "strdup", .run = strdup_run, .allocators = NO_CACHE,
		.sizes = "3-10", .live = ARRAY_SIZE(names), .order = "in-order", .count = 200000,
	});
}

static unsigned int kmalloc_bulk(struct bench_thread *t, size_t size, unsigned int n, void **objs)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objs[i] = obj_alloc(t, KMALLOC, NULL, size);
		if (!objs[i])
			break;
	}
	return i;
}

static void kmalloc_free_bulk(unsigned int n, void **objs)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kfree(objs[i]);
}

/*
 * bulk: many in one call. kmalloc has no such call for allocation, and one by
 * one is faster than kfree_bulk() where SLUB has sheaves (7.0 and later).
 */
static __always_inline void bulk_loop(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const unsigned int live = t->job->pt->live;
	const size_t size = t->job->pt->size;
	unsigned long rounds = t->job->count / live;
	void **objs = t->objs;
	unsigned int got;

	t->start = clock_ticks();
	while (rounds--) {
		switch (which) {
		case KMALLOC:
			got = kmalloc_bulk(t, size, live, objs);
			kmalloc_free_bulk(got, objs);
			break;
		case CACHE:
			got = kmem_cache_alloc_bulk(cache, GFP_KERNEL, live, objs) ? live : 0;
			if (got)
				kmem_cache_free_bulk(cache, got, objs);
			break;
		default:
			got = goheap_alloc_bulk(size, GFP_KERNEL, live, objs);
			goheap_free_bulk(got, objs);
			break;
		}
		t->nulls += live - got;
	}
	t->end = clock_ticks();
}

static DEFINE_RUN(bulk)

int bench_bulk(void)
{
	static const unsigned int sizes[] = { 64, 256 };
	static const unsigned int lives[] = { 16, 64, 256 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(lives) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "bulk", .run = bulk_run, .allocators = ALL,
			.size = sizes[i / ARRAY_SIZE(lives)], .live = lives[i % ARRAY_SIZE(lives)],
			.order = "in-order", .count = 200000,
		});
	}
	return err;
}

/* realloc: a buffer grows by half again and again, as one that is appended to. */
#define GROW_FROM	16
#define GROW_TO		65536

static size_t grown(size_t size)
{
	return min_t(size_t, size + size / 2, GROW_TO);
}

/* Calls that one buffer takes, the first allocation among them. */
static unsigned int grow_calls(void)
{
	unsigned int n = 1;
	size_t size;

	for (size = GROW_FROM; size < GROW_TO; size = grown(size))
		n++;
	return n;
}

static __always_inline void *obj_realloc(const enum allocator which, void *p, size_t size)
{
	return which == KMALLOC ? krealloc(p, size, GFP_KERNEL) :
				  goheap_realloc(p, size, GFP_KERNEL);
}

static __always_inline void realloc_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long n = t->job->count / t->job->pt->round;
	size_t size;
	void *p, *q;

	t->start = clock_ticks();
	while (n--) {
		p = obj_alloc(t, which, NULL, GROW_FROM);
		for (size = GROW_FROM; p && size < GROW_TO; p = q) {
			size = grown(size);
			q = obj_realloc(which, p, size);
			if (!q) {
				t->nulls++;
				break;
			}
		}
		obj_free(which, NULL, p);
	}
	t->end = clock_ticks();
}

static DEFINE_RUN(realloc)

int bench_realloc(void)
{
	return measure(&(struct point) {
		.pattern = "realloc", .run = realloc_run, .allocators = NO_CACHE,
		.sizes = "16-65536", .live = 1, .order = "growing",
		.round = grow_calls(), .count = 50000,
	});
}
