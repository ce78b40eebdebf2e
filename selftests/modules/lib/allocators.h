/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One call for every allocator that goheap is measured against. With @which a constant the
 * compiler leaves that allocator's call alone: no test for it, and no indirect call.
 */
#ifndef _GOHEAP_TEST_ALLOCATORS_H
#define _GOHEAP_TEST_ALLOCATORS_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "goheap.h"

/**
 * enum allocator - who is asked for an object
 * @KMALLOC: kmalloc() and its like
 * @CACHE: a kmem_cache of that size
 * @GOHEAP: goheap's default heap
 * @FLOOR: goheap_bench's own (bench/floor.h), which the calls below cannot reach
 * @NR_ALLOCATORS: number of those above
 * @NONE: nobody; the result is not NULL. This measures the loop.
 */
enum allocator { KMALLOC, CACHE, GOHEAP, FLOOR, NR_ALLOCATORS, NONE = NR_ALLOCATORS };

#define ALL		(BIT(KMALLOC) | BIT(CACHE) | BIT(GOHEAP))
#define NO_CACHE	(BIT(KMALLOC) | BIT(GOHEAP))
#define NO_KMALLOC	(BIT(CACHE) | BIT(GOHEAP))

const char *allocator_name(enum allocator which);
int allocator_named(const char *param, const char *name, unsigned long allowed);

static __always_inline void *alloc_by(const enum allocator which, struct kmem_cache *cache,
				      const size_t size, const gfp_t gfp)
{
	void *none = ZERO_SIZE_PTR;

	BUILD_BUG_ON(__builtin_constant_p(which) && which == FLOOR);
	switch (which) {
	case NONE:
		OPTIMIZER_HIDE_VAR(none);
		return none;
	case KMALLOC:
		return kmalloc(size, gfp);
	case CACHE:
		return kmem_cache_alloc(cache, gfp);
	default:
		return goheap_alloc(size, gfp);
	}
}

static __always_inline void *zalloc_by(const enum allocator which, struct kmem_cache *cache,
				       const size_t size, const gfp_t gfp)
{
	return which == GOHEAP ? goheap_zalloc(size, gfp) :
				 alloc_by(which, cache, size, gfp | __GFP_ZERO);
}

/* kmem_cache has no such call. */
static __always_inline void *strdup_by(const enum allocator which, const char *s, const gfp_t gfp)
{
	return which == KMALLOC ? kstrdup(s, gfp) : goheap_strdup(s, gfp);
}

static __always_inline void free_by(const enum allocator which, struct kmem_cache *cache, void *p)
{
	BUILD_BUG_ON(__builtin_constant_p(which) && which == FLOOR);
	switch (which) {
	case NONE:
		OPTIMIZER_HIDE_VAR(p);
		break;
	case KMALLOC:
		kfree(p);
		break;
	case CACHE:
		kmem_cache_free(cache, p);
		break;
	default:
		goheap_free(p);
		break;
	}
}

#endif /* _GOHEAP_TEST_ALLOCATORS_H */
