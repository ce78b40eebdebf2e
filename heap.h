/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a heap is.
 */
#ifndef _GOHEAP_HEAP_H
#define _GOHEAP_HEAP_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/types.h>

#include "base/sizeclass.h"
#include "base/spanclass.h"

struct dentry;
struct gh_cache;
struct gh_central_pair;

#define GH_NAME_MAX	64

/**
 * struct gh_objects - what makes a heap an object cache
 * @class: geometry of its spans
 * @least: geometry of its shortest spans, for when memory is in pieces
 * @size: what was asked for; 0 if the heap is none
 * @ctor: run for every object of a new span, or NULL
 * @typesafe: pages are not used for anything else before a grace period
 * @keep: free objects keep their content: for one of the two reasons
 * @noscan: objects hold no pointers
 */
struct gh_objects {
	struct gh_class class;
	struct gh_class least;
	size_t size;
	void (*ctor)(void *p);
	bool typesafe;
	bool keep;
	bool noscan;
};

/**
 * struct goheap - a heap
 * @cache: per CPU
 * @central: central lists by size class, and one for tiny blocks; by node; NULL until the heap
 *	makes a span of the class
 * @pages: heap pages in spans of this heap, and in the CPUs' stocks
 * @limit: most of them at a time
 * @stocked: heap pages that the CPUs' stocks had when they were taken; some may be cut off
 * @large_allocs: large objects ever allocated, but for the caches' own count
 * @large_live: large objects now, likewise, and those that wait for a grace period
 * @tiny_alone: tiny objects ever allocated with a block to themselves
 * @id: of its spans in &gh_arena.heaps; many heaps may have the same
 * @limbo: spans in limbo
 * @quiet: the heap is going, and a grace period has passed after its last free: no
 *	object of the heap waits for readers any more
 * @flags: GOHEAP_LEAK_OK
 * @debug: GOHEAP_POISON, GOHEAP_REDZONE, GOHEAP_TRACK; if any, the caches stay empty
 * @objects: of an object cache
 * @link: in the list of heaps; gh_heaps_mutex
 * @dir: in debugfs
 * @rcu: frees the heap
 * @name: for people
 */
struct goheap {
	struct gh_cache __percpu *cache;
	struct gh_central_pair **central[GH_NR_PAIRS];
	atomic_long_t pages;
	unsigned long limit;
	atomic_long_t stocked;
	atomic_long_t large_allocs;
	atomic_long_t large_live;
	atomic_long_t tiny_alone;
	atomic_long_t limbo;
	u8 id;
	bool quiet;
	unsigned int flags;
	unsigned int debug;
	struct gh_objects objects;
	struct list_head link;
	struct dentry *dir;
	struct rcu_head rcu;
	char name[GH_NAME_MAX];
};

/**
 * struct goheap_cache - an object cache
 * @heap: all of it
 */
struct goheap_cache {
	struct goheap heap;
};

extern struct goheap *gh_default;

/* The geometry of a span class. */
static inline const struct gh_class *gh_heap_class(const struct goheap *heap, unsigned int sc)
{
	return sc == GH_SC_OBJECT ? &heap->objects.class : &gh_classes[gh_sc_class(sc)];
}

/* Is a new object to be zeroed? Constructed objects are not, and type-safe ones if asked only. */
static inline bool gh_heap_zeroes(const struct goheap *heap, gfp_t gfp)
{
	if (unlikely(heap->objects.keep))
		return gfp & __GFP_ZERO;
	return want_init_on_alloc(gfp);
}

/* Without pages a heap has no spans, and its caches have nothing to give back. */
static inline bool gh_heap_has_pages(const struct goheap *heap)
{
	return atomic_long_read(&heap->pages);
}

bool gh_heap_charge(struct goheap *heap, unsigned int npages);
bool gh_heap_name_is_bad(const char *name);
int gh_heap_add(struct goheap *heap);
void gh_heap_remove(struct goheap *heap);
extern struct list_head gh_heaps;
extern struct mutex gh_heaps_mutex;

/* What listeners are told; the heap is on the list of heaps, no lock is held. */
enum gh_heap_event {
	GH_HEAP_CREATED,
	GH_HEAP_GOING,			/* returns when nobody looks at the heap any more */
};

extern struct blocking_notifier_head gh_heap_chain;

#endif /* _GOHEAP_HEAP_H */
