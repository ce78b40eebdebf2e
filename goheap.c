// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation and free on the fast path, and the overview of goheap.
 *
 * Nouns, outermost first
 *
 *   heap	caches and central lists, a limit, a name (heap.c)
 *   cache	per heap and CPU: slots, one per span class (percpu/slot.h)
 *   slot	what the next allocation of a span class takes (percpu/slot.h)
 *   magazine	per slot: objects freed a moment ago (percpu/magazine.c)
 *   inbox	per cache: spans of its own that other CPUs freed into (percpu/remote.c)
 *   stock	per cache: free pages and descriptors for the next spans (percpu/stock.c)
 *   central	per heap, node and span class: spans that no CPU owns (central.c)
 *   page heap	per node: free runs of heap pages (pages/pageheap.c)
 *   chunk	pages of the kernel, taken together (pages/chunk.c)
 *   arena	a 16 MiB window of the direct map: which span has a page? (pages/map.c)
 *   span	contiguous heap pages cut into equal objects (span.c)
 *   block	16 bytes of a tiny span, shared by tiny objects (spans/block.c)
 *   limbo	where spans wait whose frees have to wait (spans/limbo.c)
 *
 * A heap page is 8 KiB whatever the kernel's page size is. A span class is a size class,
 * times {may hold pointers, holds none}; tiny blocks have a span class of their own.
 *
 * Allocating a small object, each step amortized over the steps before it
 *
 *   1. The object in the slot that was freed last (magazine); else a set bit of the current
 *	word of the current span's free bitmap.
 *   2. Other words of that span, and what other CPUs freed in it; spans of the cache with
 *	free objects (partial list); spans from the inbox, one at a time.
 *   3. A span of the node's central list: the first one of the fullest bucket.
 *   4. A new span: cut off the CPU's stock; else from the page heap, the best fitting run of
 *	free pages, and a stock of the pages that follow.
 *   5. A chunk of pages from the kernel, 1 MiB where it can be had.
 *
 * A heap at its limit is made to give back what it does not need before step 4 fails
 * (front/limit.c). An interrupt that hits a section, and a caller that wants another
 * node, allocate from the central lists instead.
 *
 * Tiny objects (without pointers, 1 to 4 or 9 to 12 bytes) fill blocks that the CPU keeps open;
 * each new block comes by the steps above. Large objects (above 32 KiB) take a parked span of the
 * same length, or steps 4 and 5. Heaps that are debugged have no slots, and allocate from
 * the central lists.
 *
 * Freeing
 *
 *   1. Address to arena to span to object. The object must be live, or the free is reported
 *	and refused.
 *   2. If this CPU's cache owns the span: set the bit in the free bitmap, and put the object
 *	into the magazine. If there is no room, the span joins the partial list.
 *   3. Otherwise: set the bit in the remote bitmap. Whoever then takes the token queues the
 *	span in the owner's inbox, or merges its remote bits if the span has no owner.
 *   4. goheap_free_rcu(): the bit in the remote bitmap is set at once, and not merged before
 *	the span's grace period is over. The span waits in limbo.
 *   5. A large object: the one bit of the remote bitmap decides who frees it; the winner
 *	parks the span, or gives it back.
 *   6. A tiny object: the owner clears its bit in the block; others set its gone bit, and
 *	the block's remote bit. The block is free when its last object goes.
 *   7. An object of a debugged heap: its record is brought up to date, then as in 3.
 *   8. Empty spans go to the page heap when a partial list has grown, when the CPU was idle
 *	for some seconds, when a heap is at its limit, and on trim. Free runs go back to
 *	the kernel in the background, under memory pressure, and on trim.
 *
 * Where a span can be
 *
 *   state  owner    place                                free bitmap guarded by
 *   -----  -------  -----------------------------------  ----------------------
 *   FREE   NULL     page heap: tree of runs              page heap lock
 *   FREE   NULL     page heap: spare, without pages      page heap lock
 *   FREE   NULL     stock: spare, without pages          that cache's section
 *   FREE   NULL     page heap: set aside, poisoned       page heap lock
 *   SMALL  NULL     new: known to its maker only         its maker
 *   SMALL  a cache  current span of a slot               that cache's section
 *   SMALL  a cache  partial list                         that cache's section
 *   SMALL  a cache  no list: full, or all its free       that cache's section
 *		     objects are in the slot
 *   SMALL  NULL     central list                         central lock
 *   SMALL  NULL     RCU callback: empty, was type-safe   nobody
 *   LARGE  NULL     nowhere: its object is live          nobody: one object
 *   LARGE  NULL     parked in a cache                    that cache's section
 *   LARGE  NULL     limbo: freed, with readers           nobody
 *
 * A SMALL span may at the same time be in an inbox, among a cache's arrived spans, or in limbo:
 * these are linked by gh_span.queue, which belongs to the holder of the token. All spans of
 * a cache are on its list gh_cache.owned as well.
 *
 * The remote bitmap is everybody's, with atomic operations only; plain stores initialise it
 * while nobody else knows the span.
 *
 * The token (gh_span.claimed)
 *
 * Whoever turns it from 0 to 1 may queue the span, and release it or change its owner, and
 * nobody else may until it is 0 again. Two changes of the owner need no token, because the
 * central lock and the inbox sort out who was late: a CPU that fetches a span from a central
 * list, and the take-over of a dead CPU's spans.
 * Spans that are not SMALL keep the token at 1, so that a free that is late cannot queue
 * a span that has gone.
 *
 * The section
 *
 * Preemption off and gh_cache.busy set. An interrupt that finds it set knows that it hit the
 * middle of a section on its own CPU, and does without: it frees remotely and allocates
 * from the central lists.
 *
 * Lock order
 *
 *   1. cpus_read_lock()
 *   2.   gh_heaps_mutex	list of heaps
 *   3.     cache section	not a lock, but taken before one
 *   4.       gh_central.lock	raw, irqs off
 *   4.       gh_page_heap.lock	raw, irqs off
 *   4.       map_lock		raw, irqs off
 *   5.         gh_records.lock	raw, irqs off; debugged heaps only
 *
 * No two locks of one number are ever held together. No page and no descriptor is allocated
 * or freed, and nothing is reported, with a raw lock held; a report that is made there is
 * written down and printed later (hooks/report.c). All raw locks are taken by gh_lock(),
 * which counts them, so that whoever interrupts a holder only tries (base/context.h).
 *
 * Lifetimes
 *
 * Memory of spans, arenas and heaps outlives an RCU grace period, and every lookup by address
 * runs with preemption off. So a lookup of a wild pointer may find a span that is changing
 * under it, but never something that is not a span; gh_span_life() tells such lives apart.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/error-injection.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "base/context.h"
#include "base/gfp.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "front/large.h"
#include "front/lookup.h"
#include "front/slow.h"
#include "front/tiny.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/fault.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "percpu/cache.h"
#include "percpu/remote.h"
#include "percpu/slot.h"
#include "span.h"

/* The default heap's caches: one load less than gh_default->cache. */
static struct gh_cache __percpu *default_caches;

/**
 * gh_core_init() - the default heap was made
 *
 * Context: Process context; nobody allocates yet.
 */
void __init gh_core_init(void)
{
	default_caches = gh_default->cache;
}

/* ---- allocation ------------------------------------------------------------------ */

/*
 * The slow path after a slot has run dry; called with preemption off. The class is computed
 * anew here, so that the fast path does not save a register for the class.
 */
static noinline void *alloc_dry(size_t size, gfp_t gfp, bool noscan, struct gh_cache *cache)
{
	preempt_enable();
	return gh_slow_alloc(cache->heap, gh_size_class(size) * 2 + noscan, size, gfp,
			     NUMA_NO_NODE);
}

/*
 * The end of a fast path when other tasks wait for the CPU. The argument is the object's
 * address plus 1. With the plain address, compilers would keep the object in the argument
 * register, and the fast path would need a copy to the result register.
 */
static noinline __cold void *yield_with(void *behind, gfp_t gfp)
{
	gh_yield_wanted(gfp);
	return behind - 1;
}

static struct goheap *heap_of(struct gh_cache __percpu *caches)
{
	return raw_cpu_ptr(caches)->heap;
}

/* A fresh object is in zeroed pages and was never handed out: no need to clear it. */
static __always_inline void *zeroed(void *p, bool fresh, unsigned int sc, size_t size, gfp_t gfp)
{
	return gh_post_alloc(fresh ? p : gh_clear(p, gh_sc_bytes(sc)), size, sc, gfp);
}

static noinline __cold void *yield_zeroed(void *p, bool fresh, unsigned int sc, size_t size,
					  gfp_t gfp)
{
	gh_yield_wanted(gfp);
	return zeroed(p, fresh, sc, size, gfp);
}

static noinline void *alloc_zeroed(size_t size, gfp_t gfp, struct gh_cache __percpu *caches,
				   unsigned int sc)
{
	struct gh_cache *cache;
	struct gh_slot *slot;
	bool fresh;
	void *p;

	gh_might_alloc(gfp);
	preempt_disable();
	cache = this_cpu_ptr(caches);
	if (unlikely(!gh_section_enter(cache)))
		return alloc_dry(size, gfp, gh_sc_noscan(sc), cache);
	slot = gh_cache_slot(cache, sc);
	fresh = gh_slot_next_is_fresh(slot);
	p = gh_slot_take(slot);
	gh_section_exit(cache);
	if (unlikely(!p))
		return alloc_dry(size, gfp, gh_sc_noscan(sc), cache);
	if (unlikely(gh_preempt_enable_is_wanted()))
		return yield_zeroed(p, fresh, sc, size, gfp);
	return zeroed(p, fresh, sc, size, gfp);
}

static __always_inline void *alloc_slot(struct gh_cache __percpu *caches, unsigned int class,
					size_t size, gfp_t gfp, bool noscan)
{
	struct gh_cache *cache;
	void *p;

	if (want_init_on_alloc(0))
		return alloc_zeroed(size, gfp, caches, class * 2 + noscan);
	gh_might_alloc(gfp);
	preempt_disable();
	cache = this_cpu_ptr(caches);
	if (unlikely(!gh_section_enter(cache)))
		return alloc_dry(size, gfp, noscan, cache);
	/* Not by the span class: compilers would multiply by two and divide again. */
	p = gh_slot_take(&cache->slots[class]->slot[noscan]);
	if (unlikely(!p)) {
		gh_section_exit(cache);
		return alloc_dry(size, gfp, noscan, cache);
	}
	gh_section_exit(cache);
	if (unlikely(gh_preempt_enable_is_wanted()))
		return yield_with(gh_post_alloc(p, size, class * 2 + noscan, gfp) + 1, gfp);
	return gh_post_alloc(p, size, class * 2 + noscan, gfp);
}

static __always_inline void *alloc_small(struct gh_cache __percpu *caches, size_t size, gfp_t gfp,
					 bool noscan, int nid)
{
	unsigned int class = gh_size_class(size);

	if (unlikely(nid != NUMA_NO_NODE))
		return gh_slow_alloc(heap_of(caches), class * 2 + noscan, size, gfp, nid);
	return alloc_slot(caches, class, size, gfp, noscan);
}

/* Does the object go into a block? @gfp is without __GFP_ZERO. */
static __always_inline bool is_tiny(struct gh_cache __percpu *caches, size_t size, bool noscan)
{
	return noscan && gh_tiny_saves(size) && (size <= 8 || !gh_tiny_rest_waits(caches));
}

/* All allocations that the fast path cannot do: large, zeroed, of a node, refused flags. */
static noinline void *alloc_uncommon(size_t size, gfp_t gfp, struct gh_cache __percpu *caches,
				     bool noscan, int nid)
{
	unsigned int sc;

	if (gfp & GH_GFP_REFUSED)
		return gh_large_refuse(size, gfp);
	if (!size)
		return ZERO_SIZE_PTR;
	if (size > GH_SMALL_MAX)
		return gh_large_alloc(heap_of(caches), size, size & -size, gfp, noscan, nid);
	sc = gh_size_class(size) * 2 + noscan;
	/* __GFP_THISNODE: not from this CPU's cache, which may have spans of other nodes */
	if (gfp & __GFP_THISNODE && nid == NUMA_NO_NODE)
		nid = gh_mem_node();
	if (nid != NUMA_NO_NODE)
		return gh_slow_alloc(heap_of(caches), sc, size, gfp, nid);
	return alloc_zeroed(size, gfp, caches, sc);
}

static __always_inline void *alloc_any(struct gh_cache __percpu *caches, size_t size, gfp_t gfp,
				       bool noscan, int nid)
{
	/* size 0 counts as large here */
	if (unlikely(gfp & GH_GFP_UNCOMMON) || unlikely(size - 1 >= GH_SMALL_MAX))
		return alloc_uncommon(size, gfp, caches, noscan, nid);
	if (nid == NUMA_NO_NODE && is_tiny(caches, size, noscan))
		return gh_tiny_alloc(size, gfp, caches);
	return alloc_small(caches, size, gfp, noscan, nid);
}

/**
 * gh_alloc() - allocate, with everything said
 * @heap: where
 * @size: how many bytes
 * @align: at least this alignment, a power of two; 0 for what kmalloc() promises
 * @gfp: see goheap_alloc()
 * @noscan: the object holds no pointers
 * @nid: the node, or NUMA_NO_NODE
 *
 * Context: Any that @gfp allows.
 * Return: the object, or NULL.
 */
void *gh_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan, int nid)
{
	size_t aligned;

	aligned = ALIGN(size, align ?: 1);
	if (unlikely(aligned < size))
		return NULL;
	if (unlikely(aligned != size) && (GH_SANITIZES || heap->debug) &&
	    aligned <= GH_SMALL_MAX && !(gfp & GH_GFP_REFUSED))
		return gh_slow_alloc_padded(heap, size, align, gfp, noscan, nid);
	/* A multiple of @align is aligned to it, up to where a page of objects ends. */
	if (aligned <= GH_SMALL_MAX || !size || gfp & GH_GFP_REFUSED)
		return alloc_any(heap->cache, aligned, gfp, noscan, nid);
	return gh_large_alloc(heap, size, max(align, size & -size), gfp, noscan, nid);
}

/**
 * gh_alloc_string() - allocate room for a string
 * @heap: where
 * @size: how many bytes
 * @gfp: see goheap_alloc()
 *
 * Context: Any that @gfp allows.
 * Return: the room, which may start anywhere, or NULL.
 */
void *gh_alloc_string(struct goheap *heap, size_t size, gfp_t gfp)
{
	if (unlikely(gfp & GH_GFP_UNCOMMON) || unlikely(size - 1 >= GH_SMALL_MAX))
		return alloc_uncommon(size, gfp, heap->cache, true, NUMA_NO_NODE);
	if (gh_tiny_saves_string(size))
		return gh_tiny_alloc(size, gfp, heap->cache);
	return alloc_small(heap->cache, size, gfp, true, NUMA_NO_NODE);
}

/**
 * gh_choose_node() - what does a wish for a node mean here?
 * @nid: the node; NUMA_NO_NODE afterwards if this CPU's cache, or any node, will do
 * @gfp: the caller's
 *
 * Context: Any.
 * Return: false if the node has to be that one and is not online.
 */
bool gh_choose_node(int *nid, gfp_t gfp)
{
	bool online = *nid >= 0 && *nid < nr_node_ids && node_online(*nid);

	if (*nid == NUMA_NO_NODE)
		return true;
	if (gfp & __GFP_THISNODE)
		return online;
	if (!online || !node_state(*nid, N_NORMAL_MEMORY) || *nid == gh_mem_node())
		*nid = NUMA_NO_NODE;
	return true;
}

/*
 * This CPU's cache holds spans of other nodes if the own node had no memory left before. The
 * caller asked for the own node: if that node has memory again, replace @p by an object of it.
 */
static void *migrate_to_node(struct gh_cache __percpu *caches, void *p, size_t size, gfp_t gfp,
			     bool noscan, int nid)
{
	void *q;

	if (ZERO_OR_NULL_PTR(p) || page_to_nid(virt_to_page(p)) == nid)
		return p;
	q = alloc_any(caches, size, gh_gfp_of_node(gfp), noscan, nid);
	if (!q)
		return p;
	goheap_free(p);
	return q;
}

void *(goheap_alloc)(size_t size, gfp_t gfp)
{
	if (gh_should_fail(size, gfp))
		return NULL;
	return alloc_any(default_caches, size, gfp, false, NUMA_NO_NODE);
}
EXPORT_SYMBOL_GPL(goheap_alloc);
ALLOW_ERROR_INJECTION(goheap_alloc, NULL);

void *goheap_alloc_class(unsigned int class, size_t size, gfp_t gfp)
{
	/* Class 0 is allowed: its slots are always dry, and alloc_dry() finds the class anew. */
	if (WARN_ON_ONCE(class >= GH_NR_CLASSES))
		return NULL;
	if (gh_should_fail(size, gfp))
		return NULL;
	if (unlikely(gfp & GH_GFP_UNCOMMON))
		return alloc_uncommon(size, gfp, default_caches, false, NUMA_NO_NODE);
	return alloc_slot(default_caches, class, size, gfp, false);
}
EXPORT_SYMBOL_GPL(goheap_alloc_class);
ALLOW_ERROR_INJECTION(goheap_alloc_class, NULL);

void *goheap_zalloc(size_t size, gfp_t gfp)
{
	if (gh_should_fail(size, gfp))
		return NULL;
	gfp |= __GFP_ZERO;
	if (likely((gfp & GH_GFP_UNCOMMON) == __GFP_ZERO && size - 1 < GH_SMALL_MAX))
		return alloc_zeroed(size, gfp, default_caches, gh_size_class(size) * 2);
	return alloc_uncommon(size, gfp, default_caches, false, NUMA_NO_NODE);
}
EXPORT_SYMBOL_GPL(goheap_zalloc);
ALLOW_ERROR_INJECTION(goheap_zalloc, NULL);

void *goheap_alloc_noscan(size_t size, gfp_t gfp)
{
	if (gh_should_fail(size, gfp))
		return NULL;
	return alloc_any(default_caches, size, gfp, true, NUMA_NO_NODE);
}
EXPORT_SYMBOL_GPL(goheap_alloc_noscan);
ALLOW_ERROR_INJECTION(goheap_alloc_noscan, NULL);

static __always_inline void *alloc_node(struct gh_cache __percpu *caches, size_t size, gfp_t gfp,
					bool noscan, int nid)
{
	int asked = nid;
	void *p;

	if (gh_should_fail(size, gfp) || unlikely(!gh_choose_node(&nid, gfp)))
		return NULL;
	p = alloc_any(caches, size, gfp, noscan, nid);
	if (nid == asked || nr_online_nodes == 1 || asked != gh_mem_node())
		return p;
	return migrate_to_node(caches, p, size, gfp, noscan, asked);
}

void *goheap_alloc_node(size_t size, gfp_t gfp, int nid)
{
	return alloc_node(default_caches, size, gfp, false, nid);
}
EXPORT_SYMBOL_GPL(goheap_alloc_node);
ALLOW_ERROR_INJECTION(goheap_alloc_node, NULL);

static noinline void *heap_alloc_flags(struct gh_cache __percpu *caches, size_t size, gfp_t gfp,
				       unsigned int flags)
{
	if (gh_flags_are_bad(flags))
		return NULL;
	return alloc_any(caches, size, gfp, true, NUMA_NO_NODE);
}

static __always_inline struct gh_cache __percpu *caches_of(const struct goheap *heap)
{
	return likely(heap) ? heap->cache : default_caches;
}

void *goheap_heap_alloc(struct goheap *heap, size_t size, gfp_t gfp, unsigned int flags)
{
	struct gh_cache __percpu *caches = caches_of(heap);

	if (gh_should_fail(size, gfp))
		return NULL;
	/* A constant, not a flag, where it is fast. */
	if (likely(!flags))
		return alloc_any(caches, size, gfp, false, NUMA_NO_NODE);
	return heap_alloc_flags(caches, size, gfp, flags);
}
EXPORT_SYMBOL_GPL(goheap_heap_alloc);
ALLOW_ERROR_INJECTION(goheap_heap_alloc, NULL);

void *goheap_heap_alloc_node(struct goheap *heap, size_t size, gfp_t gfp, unsigned int flags,
			     int nid)
{
	if (gh_flags_are_bad(flags))
		return NULL;
	return alloc_node(caches_of(heap), size, gfp, flags & GOHEAP_NOSCAN, nid);
}
EXPORT_SYMBOL_GPL(goheap_heap_alloc_node);
ALLOW_ERROR_INJECTION(goheap_heap_alloc_node, NULL);

/* ---- free ---------------------------------------------------------------------------- */

static noinline void free_twice(struct gh_cache *cache, struct gh_span *s, unsigned int idx)
{
	gh_section_exit(cache);
	gh_misuse(GH_DOUBLE_FREE, gh_span_object(s, idx), s);
}

/* Clear the object, unless it was freed already: it may be another object in the next life. */
static noinline void clear_object(struct gh_span *s, unsigned int idx, u32 life)
{
	if (gh_span_is_live(s, idx) && gh_span_lives_on(s, life))
		gh_clear(gh_span_object(s, idx), s->elemsize);
}

/* @cpu is this one. */
static __always_inline void free_object(struct gh_span *s, unsigned int idx, u32 life, int cpu)
{
	struct gh_cache *cache = READ_ONCE(s->owner);

	if (want_init_on_free() && !(gh_span_flags(s) & GH_F_KEEP))
		clear_object(s, idx, life);
	if (!cache || cache->cpu != cpu || unlikely(!gh_section_enter(cache))) {
		gh_remote_free(s, idx, life);
	} else if (unlikely(READ_ONCE(s->owner) != cache || !gh_span_lives_on(s, life))) {
		/* An interrupt gave the span away before the section, and may have got it back. */
		gh_section_exit(cache);
		gh_remote_free(s, idx, life);
	} else if (unlikely(!gh_span_give(s, idx))) {
		free_twice(cache, s, idx);
	} else {
		gh_sanitize_free_small(s, gh_span_object(s, idx));
		if (!gh_cache_keep(cache, s, gh_span_word(s, idx), idx, gh_span_object(s, idx)))
			gh_cache_list(cache, s);
		gh_section_exit(cache);
	}
}

static noinline void free_tiny(struct gh_span *s, u32 life, const void *p, bool rcu)
{
	if (!gh_tiny_free(s, (unsigned long)p - s->base, life, rcu))
		gh_lookup_report(p);
}

static noinline void free_large(struct gh_span *s, u32 life, const void *p, bool rcu)
{
	if ((unsigned long)p != s->base) {
		gh_misuse(GH_INTERIOR, p, s);
		return;
	}
	if (gh_span_flags(s) & GH_F_DEBUG)
		gh_debug_free(s, 0, life, rcu);
	if (want_init_on_free() && !rcu && gh_span_is_live(s, 0) && gh_span_lives_on(s, life))
		gh_clear((void *)s->base, s->limit);
	gh_remote_free_large(s, life, rcu);
}

static noinline void free_debug(struct gh_span *s, unsigned long off, u32 life, const void *p)
{
	unsigned int idx;

	if (!gh_span_starts(s, off, &idx) || idx >= READ_ONCE(s->nelems)) {
		gh_lookup_report(p);
		return;
	}
	gh_debug_free(s, idx, life, false);
	gh_remote_free(s, idx, life);
}

static __always_inline void free_special(struct gh_span *s, u8 flags, unsigned long off, u32 life,
					 const void *p)
{
	if (flags & GH_F_TINY)
		free_tiny(s, life, p, false);
	else if (flags & GH_F_LARGE)
		free_large(s, life, p, false);
	else
		free_debug(s, off, life, p);
}

static __always_inline void free_any(struct gh_span *s, const void *p, int cpu)
{
	unsigned long off;
	unsigned int idx;
	u32 life;
	u8 flags;

	if (unlikely(!s))
		goto misuse;
	life = gh_span_life(s);
	off = (unsigned long)p - s->base;
	if (unlikely(off >= READ_ONCE(s->limit)))
		goto misuse;
	flags = gh_span_flags(s);
	if (unlikely(flags & GH_F_SPECIAL)) {
		free_special(s, flags, off, life, p);
		return;
	}
	/* @idx can be out of bounds if @p is wild and the span is changing just now. */
	if (unlikely(!gh_span_starts(s, off, &idx) || idx >= READ_ONCE(s->nelems)))
		goto misuse;
	free_object(s, idx, life, cpu);
	return;
misuse:
	gh_lookup_report(p);
}

/*
 * The slow paths of a free, called with preemption off. The fast path makes only tail calls to
 * these functions, so that it saves no registers; @p comes first, as in goheap_free(), so that
 * it is moved to no other register.
 */

/*
 * Free an address that is not a live object of the cache's spans: an object of another heap
 * or CPU, large, free already, or no object at all. @s is what gh_span_of() says.
 */
static noinline void free_elsewhere(const void *p, struct gh_span *s, struct gh_cache *cache)
{
	gh_section_exit(cache);
	if (likely(!ZERO_OR_NULL_PTR(p)))
		free_any(s, p, cache->cpu);
	preempt_enable();
}

/* Free in an interrupt that hit a section of its own CPU. */
static noinline void free_interrupting(const void *p)
{
	if (likely(!ZERO_OR_NULL_PTR(p)))
		free_any(gh_span_of(p), p, raw_smp_processor_id());
	preempt_enable();
}

static __always_inline bool is_of_other_heap(const struct gh_span *s, const struct goheap *heap)
{
	return s && READ_ONCE(s->heap) != heap;
}

/* Is @p a live object, of another heap then? If not, the free itself reports it. */
static noinline __cold bool report_other_heap(const void *p, struct gh_span *s)
{
	struct gh_ref ref;

	if (!gh_lookup_live(p, &ref))
		return false;
	gh_misuse(GH_WRONG_HEAP, p, s);
	return true;
}

static noinline __cold void free_of_other_heap(const void *p, struct gh_span *s,
					       struct gh_cache *cache)
{
	gh_section_exit(cache);
	if (!report_other_heap(p, s))
		free_any(s, p, cache->cpu);
	preempt_enable();
}

static noinline void heap_free_elsewhere(const void *p, struct gh_span *s, struct gh_cache *cache)
{
	if (likely(!is_of_other_heap(s, cache->heap)))
		return free_elsewhere(p, s, cache);
	free_of_other_heap(p, s, cache);
}

static noinline void heap_free_interrupting(const void *p, struct gh_cache *cache)
{
	struct gh_span *s = gh_span_of(p);

	if (unlikely(is_of_other_heap(s, cache->heap)) && report_other_heap(p, s))
		preempt_enable();
	else
		free_interrupting(p);
}

/* Could an object of @have usable bytes have been asked for as @size? */
static bool size_matches(const struct gh_ref *ref, size_t size)
{
	size_t have = gh_ref_size(ref);
	u8 flags = gh_span_flags(ref->span);

	if (!size || size > have)
		return false;
	if (unlikely(flags & GH_F_DEBUG))
		return size == have;
	if (unlikely(flags & GH_F_TINY))
		return size > have / 2 || have == GH_TINY_STEP;
	/* Objects of an object cache have one size; what is usable may be more than twice that. */
	if (unlikely(ref->span->spanclass == GH_SC_OBJECT))
		return size == ref->span->heap->objects.size;
	/* goheap_realloc() leaves an object where it is down to half of its space. */
	if (size > have / 2)
		return true;
	return size <= GH_SMALL_MAX && gh_size_class(size) == gh_sc_class(ref->span->spanclass);
}

/* Is @p a live object that was not asked for as @size bytes? */
static bool is_of_other_size(const void *p, size_t size, struct gh_ref *ref)
{
	return gh_lookup_live(p, ref) && !size_matches(ref, size);
}

static noinline void free_sized_elsewhere(const void *p, size_t size, struct gh_span *s,
					  struct gh_cache *cache)
{
	struct gh_ref ref;

	if (likely(!is_of_other_size(p, size, &ref)))
		return free_elsewhere(p, s, cache);
	gh_section_exit(cache);
	gh_misuse_size(p, ref.span, size);
	preempt_enable();
}

static noinline void free_sized_interrupting(const void *p, size_t size)
{
	struct gh_ref ref;

	if (likely(!is_of_other_size(p, size, &ref)))
		return free_interrupting(p);
	gh_misuse_size(p, ref.span, size);
	preempt_enable();
}

/*
 * @p is in the register that goheap_free() got it in. Without __noclone compilers would drop the
 * argument, and goheap_free() would need a copy.
 */
static noinline __noclone void list_freed(const void *p, struct gh_span *s, struct gh_cache *cache)
{
	gh_cache_list(cache, s);
	gh_section_exit(cache);
	preempt_enable();
}

/* What the caller of a free says about the object; the free checks it. */
enum free_check {
	CHECK_NOTHING,
	CHECK_HEAP,
	CHECK_SIZE,
};

static __always_inline void go_elsewhere(struct gh_cache *cache, struct gh_span *s, const void *p,
					 const enum free_check check, size_t size)
{
	if (check == CHECK_HEAP)
		heap_free_elsewhere(p, s, cache);
	else if (check == CHECK_SIZE)
		free_sized_elsewhere(p, size, s, cache);
	else
		free_elsewhere(p, s, cache);
}

static __always_inline void go_interrupting(struct gh_cache *cache, const void *p,
					    const enum free_check check, size_t size)
{
	if (check == CHECK_HEAP)
		heap_free_interrupting(p, cache);
	else if (check == CHECK_SIZE)
		free_sized_interrupting(p, size);
	else
		free_interrupting(p);
}

/* Which way an address is freed. */
enum free_way {
	FREE_ELSEWHERE,
	FREE_OWN,		/* the span is the cache's, and an object of it may start there */
	FREE_OWN_TINY,		/* the span is the cache's, and tiny */
};

/*
 * The span of an address, and where in it. The hint is tried first: that saves three loads
 * that each wait for the one before, where a branch is predicted. The cache owns the span of
 * the hint, so the span holds still.
 */
static __always_inline enum free_way find_own(struct gh_cache *cache, const void *p,
					      struct gh_span **s, unsigned long *off)
{
	*s = cache->hint;
	*off = (unsigned long)p - (*s)->base;
	if (*off < (*s)->limit)
		return FREE_OWN;
	*s = gh_span_of(p);
	if (unlikely(!*s || READ_ONCE((*s)->owner) != cache))
		return FREE_ELSEWHERE;
	if (unlikely((*s)->flags & GH_F_SPECIAL || want_init_on_free()))
		return gh_span_flags(*s) & GH_F_TINY ? FREE_OWN_TINY : FREE_ELSEWHERE;
	cache->hint = *s;
	cache->hint_slot = gh_cache_slot(cache, (*s)->spanclass);
	*off = (unsigned long)p - (*s)->base;
	return likely(*off < (*s)->limit) ? FREE_OWN : FREE_ELSEWHERE;
}

/*
 * Free an object of the heap that has @caches. An object of another heap takes the slow path:
 * with CHECK_NOTHING such a free is allowed.
 */
static __always_inline void free_small(struct gh_cache __percpu *caches, const void *p,
				       const enum free_check check, size_t size)
{
	struct gh_cache *cache;
	struct gh_span *s;
	unsigned long off, have;
	enum free_way way;
	struct gh_word *w;
	unsigned int idx;

	p = kasan_reset_tag(p);
	gh_check_free(p);
	preempt_disable();
	cache = this_cpu_ptr(caches);
	if (unlikely(!gh_section_enter(cache)))
		return go_interrupting(cache, p, check, size);
	way = find_own(cache, p, &s, &off);
	if (unlikely(way == FREE_OWN_TINY && check != CHECK_SIZE))
		return gh_tiny_free_here(p, s, cache);
	if (unlikely(way != FREE_OWN || !gh_span_starts(s, off, &idx)))
		return go_elsewhere(cache, s, p, check, size);
	if (check == CHECK_SIZE) {
		/* Most sizes are right at first sight; size_matches() knows the others. */
		have = s->elemsize;
		if (unlikely(size > have || size <= have / 2))
			return go_elsewhere(cache, s, p, check, size);
	}
	w = gh_span_word(s, idx);
	if (unlikely(!gh_word_give(w, idx)))
		return go_elsewhere(cache, s, p, check, size);
	gh_sanitize_free_small(s, p);
	/* The span is the hint now. */
	if (unlikely(!gh_slot_keep(cache->hint_slot, s, w, idx, (void *)p)))
		return list_freed(p, s, cache);
	gh_section_exit(cache);
	preempt_enable();
}

void goheap_free(const void *p)
{
	free_small(default_caches, p, CHECK_NOTHING, 0);
}
EXPORT_SYMBOL_GPL(goheap_free);

void goheap_free_sized(const void *p, size_t size)
{
	free_small(default_caches, p, CHECK_SIZE, size);
}
EXPORT_SYMBOL_GPL(goheap_free_sized);

void goheap_heap_free(struct goheap *heap, const void *p)
{
	free_small(caches_of(heap), p, CHECK_HEAP, 0);
}
EXPORT_SYMBOL_GPL(goheap_heap_free);

/* Here, and not in api/objcache.c: no jump to the one above. */
void goheap_cache_free(struct goheap_cache *cache, const void *p)
{
	free_small(cache->heap.cache, p, CHECK_HEAP, 0);
}
EXPORT_SYMBOL_GPL(goheap_cache_free);

static void free_rcu(const struct gh_ref *ref)
{
	if (unlikely(gh_span_flags(ref->span) & GH_F_DEBUG))
		gh_debug_free(ref->span, ref->idx, ref->life, true);
	gh_remote_free_rcu(ref->span, ref->idx, ref->life);
}

void goheap_free_rcu(const void *p)
{
	struct gh_ref ref;

	if (unlikely(ZERO_OR_NULL_PTR(p)))
		return;
	p = kasan_reset_tag(p);
	preempt_disable();
	if (unlikely(!gh_lookup(p, &ref)))
		gh_lookup_report(p);
	else if (gh_span_flags(ref.span) & GH_F_TINY)
		free_tiny(ref.span, ref.life, p, true);
	else if (gh_span_flags(ref.span) & GH_F_LARGE)
		free_large(ref.span, ref.life, p, true);
	else
		free_rcu(&ref);
	preempt_enable();
}
EXPORT_SYMBOL_GPL(goheap_free_rcu);

