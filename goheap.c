// SPDX-License-Identifier: GPL-2.0
/*
 * The front end: allocation and free on the fast path, and the module.
 *
 * See internal.h for an overview.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "internal.h"

/* The default heap's caches: one load less than through it. */
static struct gh_cache __percpu *default_caches;

/* ---- allocation ------------------------------------------------------------------ */

static noinline void *refuse(size_t size, gfp_t gfp)
{
	if (gfp & GH_GFP_REFUSED)
		pr_warn_once("zones cannot be chosen: gfp %pGg refused\n", &gfp);
	else if (!(gfp & __GFP_NOWARN))
		pr_warn_once("%zu bytes are more than goheap_max_size()\n", size);
	return NULL;
}

/* An object of the class, of which @size bytes were asked for, is its owner's now. */
static __always_inline void *told(void *p, size_t size, unsigned int sc, gfp_t gfp)
{
	return gh_sanitize_alloc(p, size, gh_sc_bytes(sc), gh_sc_noscan(sc), gfp);
}

/* The section is held; NULL if this takes a new span. @zero is cleared if it is done. */
static void *take(struct gh_cache *cache, unsigned int sc, bool *zero)
{
	bool fresh = gh_cache_next_is_fresh(cache, sc);
	void *p = gh_cache_take(cache, sc);

	if (!p && gh_cache_refill(cache, sc)) {
		fresh = gh_cache_next_is_fresh(cache, sc);
		p = gh_cache_take(cache, sc);
	}
	*zero = *zero && !(p && fresh);
	return p;
}

/* With this CPU's cache, if its section can be had. */
static void *alloc_refill(struct goheap *heap, unsigned int sc, bool *zero, bool *nested)
{
	struct gh_cache *cache;
	void *p = NULL;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	*nested = !gh_section_enter(cache);
	if (!*nested) {
		p = take(cache, sc, zero);
		gh_section_exit(cache);
	}
	preempt_enable();
	return p;
}

/* Own a new span and take an object; without the section, centrally. */
static void *alloc_install(struct goheap *heap, struct gh_span *s, bool central, bool *zero)
{
	struct gh_cache *cache;
	bool fresh = false;
	void *p;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (!central && gh_section_enter(cache)) {
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

/* How often room was made for one allocation of a heap at its limit. */
struct room {
	unsigned int tries;
	bool waits;			/* something was in limbo when the first try began */
};

/*
 * What holds the limit may be nobody's: empty spans and parked ones in the caches of all
 * CPUs, and what waits for RCU. A caller that cannot wait has it given back for the next
 * allocation. True if it is worth trying again.
 */
static noinline bool make_room(struct goheap *heap, gfp_t gfp, struct room *room)
{
	switch (room->tries++) {
	case 0:
		room->waits = atomic_long_read(&heap->limbo);
		break;
	case 1:
		/* What comes, or has come since, out of limbo goes to the owners of its spans. */
		if (!gh_limbo_wait(heap) && !room->waits)
			return false;
		break;
	default:
		return false;
	}
	gh_drain_flush_heap(heap, gfp);
	return gfpflags_allow_blocking(gfp);
}

static struct gh_span *new_span(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid)
{
	struct room room = {};
	struct gh_span *s;

	do {
		s = gh_spans_new_small(heap, sc, gfp, nid);
	} while (s == ERR_PTR(-EDQUOT) && make_room(heap, gfp, &room));
	return IS_ERR(s) ? NULL : s;
}

static __always_inline void *alloc_once(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid,
					bool *zero)
{
	bool central = nid != NUMA_NO_NODE, nested = false;
	struct gh_span *s;
	void *p;

	p = central ? NULL : alloc_refill(heap, sc, zero, &nested);
	if (!p && (central || nested))
		p = alloc_central(heap, sc, central ? nid : gh_mem_node(), zero);
	if (p)
		return p;
	/* The central lock could be taken there: gh_central_add() might fail. */
	if (gh_is_nested() && (central || nested))
		return NULL;
	s = new_span(heap, sc, central ? gh_gfp_of_node(gfp) : gfp, nid);
	if (s)
		return alloc_install(heap, s, central || nested, zero);
	/* Caches may have been flushed for its sake, and have left something here. */
	if (gfp & __GFP_THISNODE)
		return alloc_central(heap, sc, central ? nid : gh_mem_node(), zero);
	p = alloc_any_node(heap, sc, zero);
	if (p || !central)
		return p;
	/* The node has nothing, and no other has objects to spare. */
	s = new_span(heap, sc, gfp, nid);
	return s ? alloc_install(heap, s, true, zero) : NULL;
}

static void *alloc_large(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
			 bool noscan, int nid);

/* A failed allocation that must not fail waits a moment. False if it may fail. */
static bool nofail_retry(gfp_t gfp)
{
	if (!gh_gfp_is_nofail(gfp))
		return false;
	schedule_timeout_uninterruptible(1);
	return true;
}

/* As if it had never been allocated. */
static void undo(const struct gh_ref *ref)
{
	if (ref->span->flags & GH_F_LARGE)
		gh_remote_free_large(ref->span, ref->life, false);
	else
		gh_remote_free(ref->span, ref->idx, ref->life);
}

/* Leave the caller what debug mode leaves of an object, and record it. */
static void *debugged(void *p, size_t size, size_t usable, bool noscan, gfp_t gfp, bool dirty)
{
	struct gh_ref ref;
	bool done;

	preempt_disable();
	gh_lookup(p, &ref);
	done = gh_debug_alloc(ref.span, ref.idx, size, gfp, dirty);
	/* An NMI hit the records' lock. */
	if (!done)
		undo(&ref);
	preempt_enable();
	return done ? gh_sanitize_alloc(p, size, usable, noscan, gfp) : NULL;
}

/*
 * In a heap that is debugged: with a red zone, and always from the central lists. @align
 * as for gh_alloc().
 */
static void *alloc_debug(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan,
			 int nid)
{
	size_t room = gh_debug_room(heap, size, align);
	bool dirty = true;
	unsigned int sc;
	void *p;

	if (room > GH_SMALL_MAX)
		return alloc_large(heap, size, max(align, size & -size), gfp, noscan, nid);
	sc = gh_size_class(room) * 2 + noscan;
	if (nid == NUMA_NO_NODE)
		nid = gh_mem_node();
	gh_yield(gfp);
	do {
		p = alloc_once(heap, sc, gfp, nid, &dirty);
		if (!p && gh_sc_shorter(sc) != sc) {
			sc = gh_sc_shorter(sc);
			p = alloc_once(heap, sc, gfp, nid, &dirty);
		}
	} while (!p && nofail_retry(gfp));
	if (!p)
		return NULL;
	return debugged(p, size, gh_sc_bytes(sc), noscan, gfp, dirty);
}

/**
 * gh_alloc_slow() - allocate when the slot has run dry
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
noinline void *gh_alloc_slow(struct goheap *heap, unsigned int sc, size_t size, gfp_t gfp,
			     int nid)
{
	bool zero = want_init_on_alloc(gfp);
	void *p;

	if (unlikely(heap->debug))
		return alloc_debug(heap, size, 0, gfp, gh_sc_noscan(sc), nid);
	gh_yield(gfp);
	do {
		p = alloc_once(heap, sc, gfp, nid, &zero);
		if (unlikely(!p) && gh_sc_shorter(sc) != sc)
			return gh_alloc_slow(heap, gh_sc_shorter(sc), size, gfp, nid);
	} while (!p && nofail_retry(gfp));
	if (p && zero)
		gh_clear(p, gh_sc_bytes(sc));
	if (nid == NUMA_NO_NODE)
		gh_magazine_consider(heap, sc, gfp);
	/* tiny.c tells about what it makes of a block */
	return p && sc != GH_SC_TINY ? told(p, size, sc, gfp) : p;
}

/*
 * How a fast path goes on, with preemption off, when the slot has run dry. It finds
 * the class anew, so that the fast path need not remember it and saves no register.
 */
static noinline void *alloc_dry(size_t size, gfp_t gfp, bool noscan, struct gh_cache *cache)
{
	preempt_enable();
	return gh_alloc_slow(cache->heap, gh_size_class(size) * 2 + noscan, size, gfp,
			     NUMA_NO_NODE);
}

/*
 * How one ends when others wait for the CPU. Not with the object, but with the byte behind
 * its first: compilers would keep the object where its argument goes, and copy it on
 * the fast path to where results go.
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

/* What was never handed out of zeroed pages needs no clearing. */
static __always_inline void *zeroed(void *p, bool fresh, unsigned int sc, size_t size, gfp_t gfp)
{
	return told(fresh ? p : gh_clear(p, gh_sc_bytes(sc)), size, sc, gfp);
}

static noinline __cold void *yield_zeroed(void *p, bool fresh, unsigned int sc, size_t size,
					  gfp_t gfp)
{
	gh_yield_wanted(gfp);
	return zeroed(p, fresh, sc, size, gfp);
}

static noinline void *alloc_zeroed(struct gh_cache __percpu *caches, unsigned int sc, size_t size,
				   gfp_t gfp)
{
	struct gh_cache *cache;
	bool fresh;
	void *p;

	gh_might_alloc(gfp);
	preempt_disable();
	cache = this_cpu_ptr(caches);
	if (unlikely(!gh_section_enter(cache)))
		return alloc_dry(size, gfp, gh_sc_noscan(sc), cache);
	fresh = gh_cache_next_is_fresh(cache, sc);
	p = gh_cache_take(cache, sc);
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
	unsigned int sc = class * 2 + noscan;
	struct gh_cache *cache;
	void *p;

	if (want_init_on_alloc(0))
		return alloc_zeroed(caches, sc, size, gfp);
	gh_might_alloc(gfp);
	preempt_disable();
	cache = this_cpu_ptr(caches);
	if (unlikely(!gh_section_enter(cache)))
		return alloc_dry(size, gfp, noscan, cache);
	p = gh_cache_take(cache, sc);
	if (unlikely(!p)) {
		gh_section_exit(cache);
		return alloc_dry(size, gfp, noscan, cache);
	}
	gh_section_exit(cache);
	if (unlikely(gh_preempt_enable_is_wanted()))
		return yield_with(told(p, size, sc, gfp) + 1, gfp);
	return told(p, size, sc, gfp);
}

static __always_inline void *alloc_small(struct gh_cache __percpu *caches, size_t size, gfp_t gfp,
					 bool noscan, int nid)
{
	unsigned int class = gh_size_class(size);

	if (unlikely(nid != NUMA_NO_NODE))
		return gh_alloc_slow(heap_of(caches), class * 2 + noscan, size, gfp, nid);
	return alloc_slot(caches, class, size, gfp, noscan);
}

static struct gh_span *new_large(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				 bool noscan, int nid, bool *zero)
{
	struct room room = {};
	struct gh_span *s;

	if (nid == NUMA_NO_NODE) {
		s = gh_park_take(heap, DIV_ROUND_UP(size, GH_PAGE_SIZE),
				 max_t(size_t, align >> GH_PAGE_SHIFT, 1), noscan);
		if (s)
			return s;
	}
	do {
		s = gh_spans_new_large(heap, size, align, gfp, noscan, nid, zero);
	} while (s == ERR_PTR(-EDQUOT) && make_room(heap, gfp, &room));
	return IS_ERR(s) ? NULL : s;
}

static noinline void *alloc_large(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				  bool noscan, int nid)
{
	bool zero = want_init_on_alloc(gfp);
	struct gh_span *s;

	if (unlikely(size > GH_MAX_SIZE || align > GH_MAX_SIZE))
		return refuse(size, gfp);
	gh_yield(gfp);
	do {
		s = new_large(heap, gh_debug_room(heap, size, 0), align, gfp, noscan, nid, &zero);
	} while (!s && nofail_retry(gfp));
	if (!s)
		return NULL;
	if (unlikely(heap->debug))
		return debugged((void *)s->base, size, s->limit, noscan, gfp, zero);
	if (zero)
		gh_clear((void *)s->base, s->limit);
	return gh_sanitize_alloc((void *)s->base, size, s->limit, noscan, gfp);
}

/* What kmalloc() promises for the size, for tiny ones. */
static size_t tiny_align(size_t size)
{
	return size >= 8 ? 8 : size & -size;
}

static __always_inline bool is_tiny(size_t size, gfp_t gfp, bool noscan)
{
	return noscan && size <= GH_TINY_MAX && !(gfp & __GFP_ZERO);
}

/* What the fast path does not want to know about. */
static noinline void *alloc_uncommon(struct gh_cache __percpu *caches, size_t size, gfp_t gfp,
				bool noscan, int nid)
{
	unsigned int sc;

	if (gfp & GH_GFP_REFUSED)
		return refuse(size, gfp);
	if (!size)
		return ZERO_SIZE_PTR;
	if (size > GH_SMALL_MAX)
		return alloc_large(heap_of(caches), size, size & -size, gfp, noscan, nid);
	sc = gh_size_class(size) * 2 + noscan;
	/* __GFP_THISNODE: this CPU's cache may have spans of other nodes */
	if (gfp & __GFP_THISNODE && nid == NUMA_NO_NODE)
		nid = gh_mem_node();
	if (nid != NUMA_NO_NODE)
		return gh_alloc_slow(heap_of(caches), sc, size, gfp, nid);
	return alloc_zeroed(caches, sc, size, gfp);
}

static __always_inline void *alloc_any(struct gh_cache __percpu *caches, size_t size, gfp_t gfp,
				       bool noscan, int nid)
{
	/* size 0 counts as large here */
	if (unlikely(gfp & GH_GFP_UNCOMMON) || unlikely(size - 1 >= GH_SMALL_MAX))
		return alloc_uncommon(caches, size, gfp, noscan, nid);
	if (is_tiny(size, gfp, noscan) && nid == NUMA_NO_NODE &&
	    (size < 8 || ARCH_KMALLOC_MINALIGN <= 8))
		return gh_tiny_alloc(heap_of(caches), size, tiny_align(size), gfp);
	return alloc_small(caches, size, gfp, noscan, nid);
}

/*
 * A small object that @align makes larger, where somebody looks whether its owner keeps to
 * the @size bytes that he asked for.
 */
static noinline void *alloc_padded(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				   bool noscan, int nid)
{
	if (heap->debug)
		return alloc_debug(heap, size, align, gfp, noscan, nid);
	/* As in alloc_uncommon(). */
	if (gfp & __GFP_THISNODE && nid == NUMA_NO_NODE)
		nid = gh_mem_node();
	return gh_alloc_slow(heap, gh_size_class(ALIGN(size, align)) * 2 + noscan, size, gfp, nid);
}

/**
 * gh_alloc() - allocate, with everything said
 * @heap: where
 * @size: how many bytes
 * @align: at least this alignment, a power of two; 0 for what kmalloc() promises;
 *	   1 lets strings share a block
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

	if (noscan && align == 1 && size - 1 < GH_TINY_MAX && !(gfp & GH_GFP_UNCOMMON))
		return gh_tiny_alloc(heap, size, 1, gfp);
	aligned = ALIGN(size, align ?: 1);
	if (unlikely(aligned < size))
		return NULL;
	if (unlikely(aligned != size) && (GH_SANITIZES || heap->debug) &&
	    aligned <= GH_SMALL_MAX && !(gfp & GH_GFP_REFUSED))
		return alloc_padded(heap, size, align, gfp, noscan, nid);
	/* A multiple of @align is aligned to it, up to where a page of objects ends. */
	if (aligned <= GH_SMALL_MAX || !size || gfp & GH_GFP_REFUSED)
		return alloc_any(heap->cache, aligned, gfp, noscan, nid);
	return alloc_large(heap, size, max(align, size & -size), gfp, noscan, nid);
}

/* Turns a node into none if this CPU's cache, or any node, will do. False if it is not there. */
static bool choose_node(int *nid, gfp_t gfp)
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
 * This CPU's cache has spans of other nodes when its own had no memory left. Is there
 * some again? Then it is that which was asked for.
 */
static void *bring_home(void *p, size_t size, gfp_t gfp, int nid)
{
	void *q;

	if (ZERO_OR_NULL_PTR(p) || page_to_nid(virt_to_page(p)) == nid)
		return p;
	q = alloc_any(default_caches, size, gh_gfp_of_node(gfp), false, nid);
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

void *goheap_alloc_class(unsigned int class, size_t size, gfp_t gfp)
{
	/* The slots of class 0 are always dry, and the class is found anew then. */
	if (WARN_ON_ONCE(class >= GH_NR_CLASSES))
		return NULL;
	if (gh_should_fail(size, gfp))
		return NULL;
	if (unlikely(gfp & GH_GFP_UNCOMMON))
		return alloc_uncommon(default_caches, size, gfp, false, NUMA_NO_NODE);
	return alloc_slot(default_caches, class, size, gfp, false);
}
EXPORT_SYMBOL_GPL(goheap_alloc_class);

void *goheap_zalloc(size_t size, gfp_t gfp)
{
	if (gh_should_fail(size, gfp))
		return NULL;
	gfp |= __GFP_ZERO;
	if (likely((gfp & GH_GFP_UNCOMMON) == __GFP_ZERO && size - 1 < GH_SMALL_MAX))
		return alloc_zeroed(default_caches, gh_size_class(size) * 2, size, gfp);
	return alloc_uncommon(default_caches, size, gfp, false, NUMA_NO_NODE);
}
EXPORT_SYMBOL_GPL(goheap_zalloc);

void *goheap_alloc_noscan(size_t size, gfp_t gfp)
{
	if (gh_should_fail(size, gfp))
		return NULL;
	return alloc_any(default_caches, size, gfp, true, NUMA_NO_NODE);
}
EXPORT_SYMBOL_GPL(goheap_alloc_noscan);

void *goheap_alloc_node(size_t size, gfp_t gfp, int nid)
{
	int asked = nid;
	void *p;

	if (gh_should_fail(size, gfp) || unlikely(!choose_node(&nid, gfp)))
		return NULL;
	p = alloc_any(default_caches, size, gfp, false, nid);
	if (nid == asked || nr_online_nodes == 1 || asked != gh_mem_node())
		return p;
	return bring_home(p, size, gfp, asked);
}
EXPORT_SYMBOL_GPL(goheap_alloc_node);

void *goheap_heap_alloc(struct goheap *heap, size_t size, gfp_t gfp, unsigned int flags)
{
	if (WARN_ON_ONCE(flags & ~GOHEAP_NOSCAN))
		return NULL;
	if (gh_should_fail(size, gfp))
		return NULL;
	return alloc_any(heap->cache, size, gfp, flags & GOHEAP_NOSCAN, NUMA_NO_NODE);
}
EXPORT_SYMBOL_GPL(goheap_heap_alloc);

/* How many bits are set from @bit on, which is. */
static unsigned int ones_from(unsigned long word, unsigned int bit)
{
	unsigned long zeroes = ~(word >> bit);

	return zeroes ? __ffs(zeroes) : BITS_PER_LONG;
}

/* @n addresses, @size bytes apart. */
static __always_inline void fill(void **p, unsigned int n, unsigned long at, unsigned long size)
{
	for (; n >= 4; n -= 4, p += 4, at += 4 * size) {
		p[0] = (void *)at;
		p[1] = (void *)(at + size);
		p[2] = (void *)(at + 2 * size);
		p[3] = (void *)(at + 3 * size);
	}
	for (; n; n--, p++, at += size)
		*p = (void *)at;
}

/* Up to @n objects of the slot's current word, by runs; the section is held. */
static unsigned int take_word(struct gh_slot *slot, unsigned int n, void **p)
{
	unsigned long left = slot->avail, size = slot->size;
	unsigned int i = 0, run, bit;

	if (unlikely(!left || left & gh_slot_remote(slot)))
		return 0;
	while (i < n && left) {
		bit = __ffs(left);
		run = min(n - i, ones_from(left, bit));
		left &= ~(GENMASK(run - 1, 0) << bit);
		fill(p + i, run, slot->base + bit * size, size);
		i += run;
	}
	if (i) {
		WRITE_ONCE(*slot->word, *slot->word ^ slot->avail ^ left);
		slot->avail = left;
		slot->allocs += i;
	}
	return i;
}

/* Up to @n objects, fewer if this takes a new span; the section is held. */
static unsigned int take_bulk(struct gh_cache *cache, unsigned int sc, unsigned int n, void **p)
{
	struct gh_slot *slot = &cache->slots[sc];
	unsigned int i = 0;

	do {
		i += take_word(slot, n - i, p + i);
		while (i < n && (p[i] = gh_cache_take(cache, sc)))
			i++;
	} while (i < n && gh_cache_refill(cache, sc));
	return i;
}

/* Objects taken or freed in one section at most. */
#define BULK_BATCH	64U

static unsigned int alloc_batch(unsigned int sc, unsigned int n, void **p)
{
	struct gh_cache *cache;
	unsigned int i = 0;

	preempt_disable();
	cache = this_cpu_ptr(default_caches);
	if (likely(gh_section_enter(cache))) {
		i = take_bulk(cache, sc, min(n, BULK_BATCH), p);
		gh_section_exit(cache);
	}
	preempt_enable();
	return i;
}

static void finish_batch(unsigned int sc, size_t size, gfp_t gfp, unsigned int n, void **p)
{
	if (!GH_SANITIZES && !want_init_on_alloc(gfp))
		return;
	while (n--) {
		if (want_init_on_alloc(gfp))
			gh_clear(p[n], gh_sc_bytes(sc));
		told(p[n], size, sc, gfp);
	}
}

unsigned int goheap_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p)
{
	bool batches = size - 1 < GH_SMALL_MAX && !(gfp & (GH_GFP_REFUSED | __GFP_THISNODE));
	unsigned int i = 0, sc, got;

	n = gh_fault_hits_bulk(size, gfp, n);
	gh_might_alloc(gfp);
	while (i < n) {
		if (batches) {
			sc = gh_size_class(size) * 2;
			got = alloc_batch(sc, n - i, p + i);
			finish_batch(sc, size, gfp, got, p + i);
			i += got;
			if (i < n)
				gh_yield(gfp);
		}
		if (i == n)
			break;
		p[i] = alloc_any(default_caches, size, gfp, false, NUMA_NO_NODE);
		if (!p[i])
			break;
		i++;
	}
	return i;
}
EXPORT_SYMBOL_GPL(goheap_alloc_bulk);

/* ---- free ---------------------------------------------------------------------------- */

static noinline void free_twice(struct gh_cache *cache, struct gh_span *s, unsigned int idx)
{
	gh_section_exit(cache);
	gh_misuse(GH_DOUBLE_FREE, gh_span_object(s, idx), s);
}

/* Not what was freed already, and has an owner in the span's next life. */
static noinline void clear_object(struct gh_span *s, unsigned int idx, u32 life)
{
	if (gh_span_is_live(s, idx) && gh_span_lives_on(s, life))
		gh_clear(gh_span_object(s, idx), s->elemsize);
}

/* @cpu is this one. */
static __always_inline void free_object(struct gh_span *s, unsigned int idx, u32 life, int cpu)
{
	struct gh_cache *cache = READ_ONCE(s->owner);

	if (want_init_on_free())
		clear_object(s, idx, life);
	if (!cache || cache->cpu != cpu || unlikely(!gh_section_enter(cache))) {
		gh_remote_free(s, idx, life);
	} else if (unlikely(READ_ONCE(s->owner) != cache || !gh_span_lives_on(s, life))) {
		/* An interrupt gave the span away meanwhile, and may have got it back. */
		gh_section_exit(cache);
		gh_remote_free(s, idx, life);
	} else if (unlikely(!gh_span_give(s, idx))) {
		free_twice(cache, s, idx);
	} else {
		gh_sanitize_free(gh_span_object(s, idx), s->elemsize);
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
	/* The bound matters when @p is wild and the span is changing just now. */
	if (unlikely(!gh_span_starts(s, off, &idx) || idx >= READ_ONCE(s->nelems)))
		goto misuse;
	free_object(s, idx, life, cpu);
	return;
misuse:
	gh_lookup_report(p);
}

/*
 * How a free goes on, with preemption off, when it is not as simple as it hopes. All of
 * these functions are called last, so that the fast path saves no registers.
 */

/*
 * Whatever is not a live object of the cache's: of another heap or CPU, tiny, large, free
 * already, or none at all. @s is what gh_span_of() says.
 */
static noinline void free_elsewhere(struct gh_cache *cache, struct gh_span *s, const void *p)
{
	bool done = s && READ_ONCE(s->owner) == cache && s->flags & GH_F_TINY &&
		    gh_tiny_free_own(cache, s, (unsigned long)p - s->base);

	gh_section_exit(cache);
	if (!done && likely(!ZERO_OR_NULL_PTR(p)))
		free_any(s, p, cache->cpu);
	preempt_enable();
}

/* An interrupt that hit a section of its own CPU. */
static noinline void free_interrupting(const void *p)
{
	if (likely(!ZERO_OR_NULL_PTR(p)))
		free_any(gh_span_of(p), p, raw_smp_processor_id());
	preempt_enable();
}

/* A live object of another heap. An address without a live object is left to the free. */
static bool is_of_other_heap(const struct gh_span *s, const void *p, const struct goheap *heap)
{
	struct gh_ref ref;

	return s && READ_ONCE(s->heap) != heap && gh_lookup_live(p, &ref);
}

static noinline void heap_free_elsewhere(struct gh_cache *cache, struct gh_span *s, const void *p)
{
	if (likely(!is_of_other_heap(s, p, cache->heap)))
		return free_elsewhere(cache, s, p);
	gh_section_exit(cache);
	gh_misuse(GH_WRONG_HEAP, p, s);
	preempt_enable();
}

static noinline void heap_free_interrupting(struct gh_cache *cache, const void *p)
{
	struct gh_span *s = gh_span_of(p);

	if (likely(!is_of_other_heap(s, p, cache->heap)))
		return free_interrupting(p);
	gh_misuse(GH_WRONG_HEAP, p, s);
	preempt_enable();
}

/* Could an object of @have usable bytes have been asked for as @size? */
static bool size_matches(const struct gh_ref *ref, size_t size)
{
	size_t have = gh_ref_size(ref);
	u8 flags = gh_span_flags(ref->span);

	if (!size || size > have)
		return false;
	if (unlikely(flags & (GH_F_TINY | GH_F_DEBUG)))
		return size == have || flags & GH_F_TINY;
	/* goheap_realloc() leaves an object where it is down to half of its space. */
	if (size > have / 2)
		return true;
	return size <= GH_SMALL_MAX && gh_size_class(size) == gh_sc_class(ref->span->spanclass);
}

/* A live object that was not asked for as @size bytes. */
static bool is_of_other_size(const void *p, size_t size, struct gh_ref *ref)
{
	return gh_lookup_live(p, ref) && !size_matches(ref, size);
}

static noinline void free_sized_elsewhere(struct gh_cache *cache, struct gh_span *s, const void *p,
					  size_t size)
{
	struct gh_ref ref;

	if (likely(!is_of_other_size(p, size, &ref)))
		return free_elsewhere(cache, s, p);
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

static noinline void list_freed(struct gh_cache *cache, struct gh_span *s)
{
	gh_cache_list(cache, s);
	gh_section_exit(cache);
	preempt_enable();
}

/*
 * May this CPU free into the span without more ado? The section is held. If not,
 * no hint leads there either.
 */
static __always_inline bool is_own(struct gh_cache *cache, struct gh_span *s)
{
	return s && READ_ONCE(s->owner) == cache && !(s->flags & GH_F_SPECIAL) &&
	       !want_init_on_free();
}

/* What the caller of a free says about the object, and a free has to check. */
enum free_check {
	CHECK_NOTHING,
	CHECK_HEAP,
	CHECK_SIZE,
};

static __always_inline void go_elsewhere(struct gh_cache *cache, struct gh_span *s, const void *p,
					 const enum free_check check, size_t size)
{
	if (check == CHECK_HEAP)
		heap_free_elsewhere(cache, s, p);
	else if (check == CHECK_SIZE)
		free_sized_elsewhere(cache, s, p, size);
	else
		free_elsewhere(cache, s, p);
}

static __always_inline void go_interrupting(struct gh_cache *cache, const void *p,
					    const enum free_check check, size_t size)
{
	if (check == CHECK_HEAP)
		heap_free_interrupting(cache, p);
	else if (check == CHECK_SIZE)
		free_sized_interrupting(p, size);
	else
		free_interrupting(p);
}

/*
 * Frees an object of the heap that has @caches. All objects of other heaps go elsewhere:
 * with CHECK_NOTHING that is allowed.
 */
static __always_inline void free_small(struct gh_cache __percpu *caches, const void *p,
				       const enum free_check check, size_t size)
{
	struct gh_cache *cache;
	struct gh_span *s;
	unsigned long off, have;
	struct gh_word *w;
	unsigned int idx;

	p = kasan_reset_tag(p);
	gh_check_free(p);
	preempt_disable();
	cache = this_cpu_ptr(caches);
	if (unlikely(!gh_section_enter(cache)))
		return go_interrupting(cache, p, check, size);
	/*
	 * The hint is ours, so it holds still. That it is tried first saves three
	 * loads that each wait for the one before, where a branch is predicted.
	 */
	s = cache->hint;
	off = (unsigned long)p - s->base;
	if (off >= s->limit) {
		s = gh_span_of(p);
		if (unlikely(!is_own(cache, s)))
			return go_elsewhere(cache, s, p, check, size);
		cache->hint = s;
		off = (unsigned long)p - s->base;
		if (unlikely(off >= s->limit))
			return go_elsewhere(cache, s, p, check, size);
	}
	if (unlikely(!gh_span_starts(s, off, &idx)))
		return go_elsewhere(cache, s, p, check, size);
	if (check == CHECK_SIZE) {
		/* Most sizes are right at first sight; size_matches() knows the others. */
		have = cache->slots[s->spanclass].size;
		if (unlikely(size > have || size <= have / 2))
			return go_elsewhere(cache, s, p, check, size);
	}
	w = gh_span_word(s, idx);
	if (unlikely(!gh_word_give(w, idx)))
		return go_elsewhere(cache, s, p, check, size);
	gh_sanitize_free(p, s->elemsize);
	if (unlikely(!gh_cache_keep(cache, s, w, idx, (void *)p)))
		return list_freed(cache, s);
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
	free_small(heap->cache, p, CHECK_HEAP, 0);
}
EXPORT_SYMBOL_GPL(goheap_heap_free);

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

/* How many of the first @n pointers are @size bytes apart, each above the one before. */
static __always_inline unsigned int in_row(void **p, unsigned int n, unsigned long size)
{
	unsigned long at = (unsigned long)p[0];
	unsigned int i = 1;

	/* One branch for four. */
	for (; i + 4 <= n; i += 4, at += 4 * size)
		if (((unsigned long)p[i] ^ (at + size)) |
		    ((unsigned long)p[i + 1] ^ (at + 2 * size)) |
		    ((unsigned long)p[i + 2] ^ (at + 3 * size)) |
		    ((unsigned long)p[i + 3] ^ (at + 4 * size)))
			break;
	for (; i < n && (unsigned long)p[i] == at + size; i++)
		at += size;
	return i;
}

/*
 * Free the first pointers of @p that are neighbours in one word of a span's bitmap.
 * Returns how many: none if the first is no live object. @size is that of an object.
 */
static unsigned int free_neighbours(struct gh_span *s, unsigned long size, unsigned int n, void **p)
{
	unsigned long off = (unsigned long)p[0] - s->base, mask, taken;
	unsigned int idx, bit, run, i;
	struct gh_word *w;

	if (off >= s->limit || !gh_span_starts(s, off, &idx))
		return 0;
	w = gh_span_word(s, idx);
	bit = idx % BITS_PER_LONG;
	n = min3(n, (unsigned int)BITS_PER_LONG - bit, s->nelems - idx);
	run = in_row(p, n, size);
	mask = GENMASK(run - 1, 0) << bit;
	taken = (w->free | atomic_long_read(&w->remote)) & mask;
	if (unlikely(taken)) {
		/* Up to the first that is free already. */
		run = __ffs(taken) - bit;
		mask &= BIT(bit + run) - 1;
	}
	WRITE_ONCE(w->free, w->free | mask);
	for (i = 0; GH_SANITIZES && i < run; i++)
		gh_sanitize_free(p[i], size);
	return run;
}

/*
 * Free the first pointers of @p that are live objects of one span of ours; the
 * section is held. Returns how many: goheap_free() has to look at the next one.
 */
static unsigned int free_run(struct gh_cache *cache, unsigned int n, void **p)
{
	struct gh_span *s = gh_span_of(p[0]);
	unsigned int i = 0, run;
	unsigned long size;

	if (!is_own(cache, s))
		return 0;
	size = cache->slots[s->spanclass].size;
	do {
		run = free_neighbours(s, size, n - i, p + i);
		i += run;
	} while (run && i < n);
	if (i)
		gh_cache_list(cache, s);
	return i;
}

static void check_batch(unsigned int n, void **p)
{
	while (GH_CHECKS_FREES && n--)
		gh_check_free(p[n]);
}

static unsigned int free_batch(unsigned int n, void **p)
{
	struct gh_cache *cache;
	unsigned int i = 0, run;

	check_batch(n, p);
	preempt_disable();
	cache = this_cpu_ptr(default_caches);
	if (likely(gh_section_enter(cache))) {
		do {
			run = free_run(cache, n - i, p + i);
			i += run;
		} while (run && i < n);
		gh_section_exit(cache);
	}
	preempt_enable();
	return i;
}

void goheap_free_bulk(unsigned int n, void **p)
{
	unsigned int i = 0;

	while (i < n) {
		i += free_batch(min(n - i, BULK_BATCH), p + i);
		/* The end of the batch, or something that is not as simple as that. */
		if (i < n)
			goheap_free(p[i++]);
	}
}
EXPORT_SYMBOL_GPL(goheap_free_bulk);

/* ---- module ------------------------------------------------------------------------------ */

static int cpu_dead_state;

static const struct gh_limbo_exits limbo_exits = {
	.small = gh_remote_deliver,
	.large = gh_park_free_large,
};

static int __init start(void)
{
	int err;

	gh_limbo_init(&limbo_exits);
	err = gh_debug_init();
	if (err)
		return err;
	gh_random_init();
	err = gh_arena_init();
	if (err)
		return err;
	gh_default = goheap_create("default", &(struct goheap_params){ .flags = 0 });
	if (IS_ERR(gh_default)) {
		err = PTR_ERR(gh_default);
		goto exit_arena;
	}
	default_caches = gh_default->cache;
	err = gh_reclaim_init();
	if (err)
		goto destroy_default;
	err = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "goheap:dead", gh_hotplug_prepare,
					gh_hotplug_dead);
	if (err < 0)
		goto exit_reclaim;
	cpu_dead_state = err;
	err = gh_adopt_init();
	if (err)
		goto remove_dead_state;
	gh_debugfs_init();
	return 0;

remove_dead_state:
	cpuhp_remove_state_nocalls(cpu_dead_state);
exit_reclaim:
	gh_reclaim_exit();
destroy_default:
	goheap_destroy(gh_default);
	gh_limbo_exit();
exit_arena:
	gh_arena_exit();
	gh_misuse_flush();
	return err;
}

static int __init goheap_init(void)
{
	int err;

	gh_fault_init_begin();
	err = start();
	gh_fault_init_end();
	return err;
}

static void __exit goheap_exit(void)
{
	gh_debugfs_exit();
	gh_adopt_exit();
	cpuhp_remove_state_nocalls(cpu_dead_state);
	gh_reclaim_exit();
	gh_heap_destroy_all();
	gh_limbo_exit();
	gh_arena_exit();
	gh_misuse_flush();
}

module_init(goheap_init);
module_exit(goheap_exit);
MODULE_DESCRIPTION("The Go runtime's heap as a slab-style allocator");
MODULE_AUTHOR("The goheap developers");
MODULE_LICENSE("GPL");
