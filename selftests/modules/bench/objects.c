// SPDX-License-Identifier: GPL-2.0
/*
 * object: one exact size, from an object cache of goheap and from a kmem_cache; one object, and
 * many, on one CPU.
 */
#include "bench.h"

static struct goheap_cache *objects;	/* of the size that is measured */

static __always_inline void *object_alloc(struct bench_thread *t, const enum allocator which,
					  const size_t size)
{
	if (which == GOHEAP)
		return counted(t, goheap_cache_alloc(objects, GFP_KERNEL));
	return obj_alloc(t, which, t->job->cache, size);
}

static __always_inline void object_free(struct bench_thread *t, const enum allocator which,
					void *p)
{
	if (which == GOHEAP)
		goheap_cache_free(objects, p);
	else
		obj_free(which, t->job->cache, p);
}

static __always_inline void object_loop(struct bench_thread *t, const enum allocator which)
{
	const size_t size = t->job->pt->size;
	unsigned long n = t->job->count;

	t->start = clock_ticks();
	while (n--)
		object_free(t, which, object_alloc(t, which, size));
	t->end = clock_ticks();
}

DEFINE_LOOPS(object);

static __always_inline void object_many_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int live = t->job->pt->live;
	const size_t size = t->job->pt->size;
	unsigned long n = t->job->count / live;
	unsigned int i;

	t->start = clock_ticks();
	while (n--) {
		for (i = 0; i < live; i++)
			t->objs[i] = object_alloc(t, which, size);
		for (i = 0; i < live; i++)
			object_free(t, which, t->objs[i]);
	}
	t->end = clock_ticks();
}

DEFINE_LOOPS(object_many);

static int measure_objects(size_t size, unsigned int live)
{
	int err;

	objects = goheap_cache_create("bench-objects", size, 0, 0, NULL);
	if (IS_ERR(objects))
		return PTR_ERR(objects);
	err = measure(&(struct point) {
		.pattern = "object", .loops = live > 1 ? &object_many_loops : &object_loops,
		.allocators = BIT(CACHE) | BIT(GOHEAP) | BIT(FLOOR), .size = size, .live = live,
		.count = 100000,
	});
	goheap_cache_destroy(objects);
	return err;
}

int bench_object(void)
{
	static const unsigned int sizes[] = { 24, 40, 72, 200, 700, 1500, 3000, 6000 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++)
		err = measure_objects(sizes[i], 1) ?: measure_objects(sizes[i], 1000);
	return err;
}
