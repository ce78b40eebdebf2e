// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of their own on one CPU: zeroed objects, strings, many at once, larger ones. Objects are
 * written to where these calls do it.
 */
#include "bench.h"

#include <linux/minmax.h>
#include <linux/string.h>

static __always_inline void *floor_zalloc(size_t size)
{
	void *p = floor_alloc(size);

	return p ? memset(p, 0, size) : NULL;
}

static __always_inline void *obj_zalloc(struct bench_thread *t, const enum allocator which,
					struct kmem_cache *cache, size_t size)
{
	return counted(t, which == FLOOR ? floor_zalloc(size) :
					   zalloc_by(which, cache, size, GFP_KERNEL));
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

DEFINE_LOOPS(zalloc);

int bench_zalloc(void)
{
	static const unsigned int sizes[] = { 16, 64, 256, 1024, 4096 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "zalloc", .loops = &zalloc_loops, .allocators = EXACT_SIZE,
			.size = sizes[i], .live = 1, .count = 100000,
		});
	}
	return err;
}

/*
 * zfresh: zeroed objects out of memory that the kernel has just handed over. Every
 * run keeps its own until all are done, or the next one would find them used. There is no
 * floor: nearly all is the kernel's work.
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

DEFINE_LOOPS(zfresh);

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
			.pattern = "zfresh", .loops = &zfresh_loops, .allocators = NO_CACHE,
			.size = sizes[i], .live = 1, .count = (4UL << 20) / sizes[i],
		});
		free_fresh(KMALLOC);
		free_fresh(GOHEAP);
	}
	return err;
}

/* strdup: copies of short names, as of files and devices; freed all together. */
static const char * const names[] = {
	"lo", "eth0", "wlp3s0", "docker0", "bin", "lib", "etc", "usr",
	"passwd", "vmlinuz", "Makefile", "README.md", "libc.so.6",
	"tty1", "sda1", "nvme0n1p2",
};

static __always_inline void *floor_strdup(const char *s)
{
	size_t size = strlen(s) + 1;
	void *p = floor_alloc(size);

	return p ? memcpy(p, s, size) : NULL;
}

static __always_inline void *obj_strdup(const enum allocator which, const char *s)
{
	return which == FLOOR ? floor_strdup(s) : strdup_by(which, s, GFP_KERNEL);
}

static __always_inline void strdup_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long rounds = t->job->count / ARRAY_SIZE(names);
	void **objs = t->objs;
	unsigned int i;

	t->start = clock_ticks();
	while (rounds--) {
		for (i = 0; i < ARRAY_SIZE(names); i++)
			objs[i] = counted(t, obj_strdup(which, names[i]));
		for (i = 0; i < ARRAY_SIZE(names); i++)
			obj_free(which, NULL, objs[i]);
	}
	t->end = clock_ticks();
}

DEFINE_LOOPS(strdup);

int bench_strdup(void)
{
	return measure(&(struct point) {
		.pattern = "strdup", .loops = &strdup_loops, .allocators = ANY_SIZE,
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
		case FLOOR:
			got = floor_alloc_bulk(size, live, objs);
			floor_free_bulk(got, objs);
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

DEFINE_LOOPS(bulk);

int bench_bulk(void)
{
	static const unsigned int sizes[] = { 64, 256 };
	static const unsigned int lives[] = { 16, 64, 256 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(lives) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "bulk", .loops = &bulk_loops, .allocators = EXACT_SIZE,
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
	switch (which) {
	case KMALLOC:
		return krealloc(p, size, GFP_KERNEL);
	case FLOOR:
		return floor_realloc(p, size);
	default:
		return goheap_realloc(p, size, GFP_KERNEL);
	}
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

DEFINE_LOOPS(realloc);

int bench_realloc(void)
{
	return measure(&(struct point) {
		.pattern = "realloc", .loops = &realloc_loops, .allocators = ANY_SIZE,
		.sizes = "16-65536", .live = 1, .order = "growing",
		.round = grow_calls(), .count = 50000,
	});
}
