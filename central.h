/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Central lists: spans of one span class and node that no CPU owns.
 */
#ifndef _GOHEAP_CENTRAL_H
#define _GOHEAP_CENTRAL_H

#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "base/spanclass.h"
#include "heap.h"

struct gh_cache;
struct gh_span;

/* Occupancy buckets: the fullest first, then those without a free object. */
#define GH_NR_BUCKETS		4
#define GH_BUCKET_FULL		GH_NR_BUCKETS

/**
 * struct gh_central - spans of one span class and node that no CPU owns
 * @lock: guards the lists and the free bitmaps of the spans on them; taken by
 *	CPUs that fetch or put a span, by remote frees into a span without an
 *	owner, and by allocations of interrupted contexts
 * @lists: by occupancy; the last one holds full spans
 * @nr_spans: spans on all lists
 * @allocs: objects ever allocated here, one at a time
 * @locked: how often @lock was taken to hand out spans or to take them back
 */
struct gh_central {
	raw_spinlock_t lock;
	unsigned int nr_spans;
	struct list_head lists[GH_NR_BUCKETS + 1];
	unsigned long allocs;
	unsigned long locked;
} ____cacheline_aligned;

/* Of a size class on a node: for objects that may hold pointers, and for those that hold none. */
struct gh_central_pair {
	struct gh_central of[2];
};

/* NULL if the heap never had a span of the class. */
static inline struct gh_central *gh_central_of(const struct goheap *heap, int nid, unsigned int sc)
{
	/* What is read by way of the address is initialised; pairs with gh_central_make(). */
	struct gh_central_pair **nodes = READ_ONCE(heap->central[sc / 2]);

	return nodes ? &nodes[nid]->of[sc % 2] : NULL;
}

bool gh_central_make(struct goheap *heap, unsigned int sc, gfp_t gfp);
void gh_central_free(struct goheap *heap);
unsigned long gh_central_bytes(const struct goheap *heap);
struct gh_span *gh_central_fetch(struct goheap *heap, struct gh_cache *owner, unsigned int sc,
				 int nid);
bool gh_central_put(struct gh_span *s);
void gh_central_take_over(struct gh_span *s);
int gh_central_merge(struct gh_span *s);
void *gh_central_alloc(struct goheap *heap, unsigned int sc, int nid, bool *fresh);
void *gh_central_add(struct gh_span *s, bool *fresh);
void gh_central_remove(struct gh_span *s);
const char *gh_central_validate(struct gh_central *central);

#endif /* _GOHEAP_CENTRAL_H */
