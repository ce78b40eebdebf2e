// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation of a small object when the slot has run dry: refill, central lists, a new span.
 * All allocations of debugged heaps come here as well: these heaps have no caches.
 */

#include <linux/nodemask.h>
#include <linux/string.h>

#include "base/context.h"
#include "base/gfp.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "central.h"
#include "front/debugged.h"
#include "front/large.h"
#include "front/limit.h"
#include "front/slow.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/sanitize.h"
#include "pages/pageheap.h"
#include "percpu/cache.h"
#include "percpu/magazine.h"
#include "percpu/slot.h"
#include "percpu/slots.h"
#include "percpu/stock.h"
#include "span.h"
#include "spans/alloc.h"

/* The section is held. NULL if a new span is needed. Clears @zero if the object is zeroed. */
static void *take(struct gh_cache *cache, unsigned int sc, bool *zero)
{
	struct gh_slot *slot = gh_cache_slot(cache, sc);
	bool fresh = gh_slot_next_is_fresh(slot);
	void *p = gh_slot_take(slot);

	if (!p && gh_cache_refill(cache, sc)) {
		fresh = gh_slot_next_is_fresh(slot);
		p = gh_slot_take(slot);
	}
	*zero = *zero && !(p && fresh);
	return p;
}

/*
 * Allocate from this CPU's cache. Sets @nested if an interrupt hit the section, or if the cache
 * has no slot for the class.
 */
static void *alloc_refill(struct goheap *heap, unsigned int sc, gfp_t gfp, bool *zero,
			  bool *nested)
{
	struct gh_cache *cache;
	void *p = NULL;

	if (unlikely(!gh_cache_peek_slots(raw_cpu_ptr(heap->cache), sc)))
		gh_slots_make(heap, sc, gfp);
	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	/* The task may have moved to another CPU. */
	*nested = !gh_cache_has_slot(cache, sc) || !gh_section_enter(cache);
	if (!*nested) {
		p = take(cache, sc, zero);
		gh_section_exit(cache);
	}
	preempt_enable();
	return p;
}

/* Take an object of a new span. The cache owns the span, or without the section no CPU. */
static void *alloc_install(struct goheap *heap, struct gh_span *s, bool central, bool *zero)
{
	struct gh_cache *cache;
	bool fresh = false;
	void *p;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (!central && gh_cache_has_slot(cache, s->spanclass) && gh_section_enter(cache)) {
		gh_cache_install(cache, s);
		p = take(cache, s->spanclass, zero);
		gh_section_exit(cache);
	} else {
		p = gh_central_add(s, &fresh);
		*zero = *zero && !fresh;
	}
	preempt_enable();
	return p;
}

static void *alloc_central(struct goheap *heap, unsigned int sc, int nid, bool *zero)
{
	bool fresh = false;
	void *p;

	preempt_disable();
	p = gh_central_alloc(heap, sc, nid, &fresh);
	preempt_enable();
	*zero = *zero && !fresh;
	return p;
}

static void *alloc_any_node(struct goheap *heap, unsigned int sc, bool *zero)
{
	void *p;
	int nid;

	for_each_online_node(nid) {
		p = alloc_central(heap, sc, nid, zero);
		if (p)
			return p;
	}
	return NULL;
}

static struct gh_span *new_span(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid)
{
	struct gh_room room = {};
	struct gh_span *s;

	if (!gh_central_make(heap, sc, gfp)) {
		gh_slots_want(heap, sc);
		return NULL;
	}
	do {
		s = nid == NUMA_NO_NODE ? gh_stock_new_span(heap, sc, gfp) :
					  gh_spans_new_small(heap, sc, gfp, nid, NULL);
	} while (s == ERR_PTR(-EDQUOT) && gh_limit_make_room(heap, gfp, &room));
	return IS_ERR(s) ? NULL : s;
}

/*
 * A span of this node; easily, if the caller named the node and other nodes will do. Not inline:
 * most refills need no new span, and should not prepare for one.
 */
static noinline struct gh_span *new_span_here(struct goheap *heap, unsigned int sc, gfp_t gfp,
					      int nid)
{
	return new_span(heap, sc, nid == NUMA_NO_NODE ? gfp : gh_gfp_of_node(gfp), nid);
}

static __always_inline void *alloc_once(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid,
					bool *zero)
{
	bool central = nid != NUMA_NO_NODE, nested = false;
	struct gh_span *s;
	void *p;

	p = central ? NULL : alloc_refill(heap, sc, gfp, zero, &nested);
	if (!p && (central || nested))
		p = alloc_central(heap, sc, central ? nid : gh_mem_node(), zero);
	if (p)
		return p;
	/* The interrupted code may hold the central lock: gh_central_add() might fail. */
	if (gh_is_nested() && (central || nested))
		return NULL;
	s = new_span_here(heap, sc, gfp, nid);
	if (s)
		return alloc_install(heap, s, central || nested, zero);
	/* new_span() may have had caches flushed: the central list may have objects now. */
	if (gfp & __GFP_THISNODE)
		return alloc_central(heap, sc, central ? nid : gh_mem_node(), zero);
	p = alloc_any_node(heap, sc, zero);
	if (p || !central)
		return p;
	/* The node has nothing, and no central list of another node has objects. */
	s = new_span(heap, sc, gfp, nid);
	return s ? alloc_install(heap, s, true, zero) : NULL;
}

/*
 * Allocate without sanitizers' and debug mode's part. Sets @sc to where the object came from,
 * and clears @zero if the object is zeroed.
 */
static void *alloc_class(struct goheap *heap, unsigned int *sc, gfp_t gfp, int nid, bool *zero)
{
	void *p;

	gh_yield(gfp);
	do {
		p = alloc_once(heap, *sc, gfp, nid, zero);
		if (unlikely(!p) && gh_sc_shorter(*sc) != *sc) {
			*sc = gh_sc_shorter(*sc);
			p = alloc_once(heap, *sc, gfp, nid, zero);
		}
	} while (!p && gh_nofail_retry(gfp));
	return p;
}

/* Allocate in a debugged heap: always from the central lists. */
static void *alloc_debug_class(struct goheap *heap, unsigned int sc, size_t size, gfp_t gfp,
			       bool noscan, int nid)
{
	bool dirty = true;
	void *p;

	if (nid == NUMA_NO_NODE)
		nid = gh_mem_node();
	p = alloc_class(heap, &sc, gfp, nid, &dirty);
	if (!p)
		return NULL;
	return gh_debugged_finish(p, size, gh_heap_class(heap, sc)->size, noscan, gfp, dirty);
}

/* With a red zone. @align is as for gh_alloc(). */
static void *alloc_debug(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan,
			 int nid)
{
	size_t room = gh_debug_room(heap, size, align);

	if (room > GH_SMALL_MAX)
		return gh_large_alloc(heap, size, max(align, size & -size), gfp, noscan, nid);
	return alloc_debug_class(heap, gh_size_class(room) * 2 + noscan, size, gfp, noscan, nid);
}

/**
 * gh_slow_alloc() - allocate when the slot has run dry
 * @heap: where
 * @sc: span class or GH_SC_TINY
 * @size: what was asked for
 * @gfp: see goheap_alloc()
 * @nid: the node, or NUMA_NO_NODE for this CPU's cache
 *
 * Context: Any that @gfp allows.
 * Return: the object, zeroed if @gfp or the kernel's command line wants it, or
 * NULL.
 */
noinline void *gh_slow_alloc(struct goheap *heap, unsigned int sc, size_t size, gfp_t gfp,
			     int nid)
{
	bool zero = want_init_on_alloc(gfp);
	void *p;

	if (unlikely(heap->debug))
		return alloc_debug(heap, size, 0, gfp, gh_sc_noscan(sc), nid);
	p = alloc_class(heap, &sc, gfp, nid, &zero);
	if (p && zero)
		gh_clear(p, gh_sc_bytes(sc));
	if (nid == NUMA_NO_NODE)
		gh_magazine_consider(heap, sc, gfp);
	/* For a block, front/tiny.c tells the leak checker of each tiny object. */
	return p && sc != GH_SC_TINY ? gh_post_alloc(p, size, sc, gfp) : p;
}

/**
 * gh_slow_alloc_object() - allocate an object of an object cache
 * @heap: the object cache
 * @gfp: see goheap_alloc()
 * @nid: the node, or NUMA_NO_NODE for this CPU's cache
 *
 * Context: Any that @gfp allows.
 * Return: the object, constructed, or zeroed if @gfp or the kernel's command line wants it; or
 * NULL.
 */
void *gh_slow_alloc_object(struct goheap *heap, gfp_t gfp, int nid)
{
	const struct gh_objects *o = &heap->objects;
	bool zero = gh_heap_zeroes(heap, gfp);
	unsigned int sc = GH_SC_OBJECT;
	void *p;

	if (unlikely(heap->debug))
		return alloc_debug_class(heap, sc, o->size, gfp, o->noscan, nid);
	p = alloc_class(heap, &sc, gfp, nid, &zero);
	if (nid == NUMA_NO_NODE)
		gh_magazine_consider(heap, sc, gfp);
	if (!p)
		return NULL;
	if (zero)
		gh_clear(p, o->class.size);
	return gh_post_alloc_object(o, p, gfp);
}

/**
 * gh_slow_alloc_padded() - allocate a small object that its alignment makes larger
 * @heap: where
 * @size: how many bytes were asked for
 * @align: alignment in bytes, a power of two
 * @gfp: see goheap_alloc()
 * @noscan: the object holds no pointers
 * @nid: the node, or NUMA_NO_NODE
 *
 * For sanitizer kernels and debugged heaps, which check accesses against the size asked for.
 *
 * Context: Any that @gfp allows.
 * Return: the object, or NULL.
 */
void *gh_slow_alloc_padded(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan,
			   int nid)
{
	if (heap->debug)
		return alloc_debug(heap, size, align, gfp, noscan, nid);
	/* This CPU's cache may have spans of other nodes. */
	if (gfp & __GFP_THISNODE && nid == NUMA_NO_NODE)
		nid = gh_mem_node();
	return gh_slow_alloc(heap, gh_size_class(ALIGN(size, align)) * 2 + noscan, size, gfp, nid);
}
