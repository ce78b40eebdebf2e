// SPDX-License-Identifier: GPL-2.0
/*
 * Object caches: what kmem_cache is to kmalloc(). An object cache is a heap whose spans are
 * cut for one exact size, with one slot in each CPU's cache. Everything below works as for any
 * heap: misuse is found, other CPUs free remotely, the heap is shown in debugfs.
 */

#include <linux/cache.h>
#include <linux/error-injection.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "api/bulk.h"
#include "api/heaps.h"
#include "arena.h"
#include "base/context.h"
#include "base/gfp.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "front/large.h"
#include "front/slow.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/fault.h"
#include "hooks/sanitize.h"
#include "pages/pageheap.h"
#include "percpu/drain.h"
#include "percpu/slot.h"
#include "span.h"

#define CACHE_FLAGS	(GOHEAP_CACHE_NOSCAN | GOHEAP_CACHE_HWALIGN | \
			 GOHEAP_CACHE_TYPESAFE_BY_RCU | GOHEAP_CACHE_ACCOUNT)

/* A span is not longer: order 3, above which the page allocator does not try hard. */
#define SPAN_MAX	(GH_SMALL_MAX >> GH_PAGE_SHIFT)

/* ---- geometry -------------------------------------------------------------------------- */

/* As SLUB: small objects are aligned to a part of a cache line that divides it. */
static size_t alignment(size_t size, size_t align, unsigned int flags)
{
	size_t line = cache_line_size();

	align = max_t(size_t, align, ARCH_SLAB_MINALIGN);
	if (flags & GOHEAP_CACHE_HWALIGN) {
		while (size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	return max_t(size_t, align, sizeof(void *));
}

/* Bytes that a span takes with its descriptor, for each thousand objects. */
static unsigned long cost(const struct gh_class *class)
{
	enum gh_desc_kind kind = gh_span_kind(GH_SC_OBJECT, class->objects);

	return (class->span_bytes + gh_span_desc_bytes(kind)) * 1000UL / class->objects;
}

/*
 * The length of span that costs least. A longer one has to save a 128th: shorter spans are
 * sooner empty. The tail wastes an eighth at most, unless four pages cannot be cut better.
 */
static void choose_spans(struct gh_objects *o, size_t bytes, size_t align)
{
	unsigned int least = DIV_ROUND_UP(max(bytes, align), GH_PAGE_SIZE), npages;
	struct gh_class class;

	gh_class_make(&o->least, bytes, align, least);
	o->class = o->least;
	for (npages = least + 1; npages <= SPAN_MAX; npages++) {
		gh_class_make(&class, bytes, align, npages);
		if (cost(&class) * 128 < cost(&o->class) * 127)
			o->class = class;
	}
}

static bool is_bad(size_t size, size_t align, unsigned int flags)
{
	return !size || size > GH_SMALL_MAX || align > GH_SMALL_MAX ||
	       (align && !is_power_of_2(align)) ||
	       flags & ~(CACHE_FLAGS | GOHEAP_LEAK_OK | GH_DEBUG_FLAGS);
}

struct goheap_cache *goheap_cache_create(const char *name, size_t size, size_t align,
					 unsigned int flags, void (*ctor)(void *))
{
	struct goheap_params params = { .flags = flags & ~CACHE_FLAGS };
	struct gh_objects o = {
		.size = size,
		.ctor = ctor,
		.typesafe = flags & GOHEAP_CACHE_TYPESAFE_BY_RCU,
		.keep = ctor || flags & GOHEAP_CACHE_TYPESAFE_BY_RCU,
		.noscan = flags & GOHEAP_CACHE_NOSCAN,
	};
	struct goheap *heap;
	size_t bytes;

	if (is_bad(size, align, flags) || gh_heap_name_is_bad(name))
		return ERR_PTR(-EINVAL);
	align = alignment(size, align, flags);
	bytes = ALIGN(gh_debug_room_for(size, gh_debug_flags(name) | flags), align);
	/* No room for a red zone: then the heap has none. */
	if (bytes > GH_SMALL_MAX)
		bytes = ALIGN(size, align);
	choose_spans(&o, bytes, align);
	heap = gh_heap_create(name, &params, &o);
	return IS_ERR(heap) ? ERR_CAST(heap) : container_of(heap, struct goheap_cache, heap);
}
EXPORT_SYMBOL_GPL(goheap_cache_create);
ALLOW_ERROR_INJECTION(goheap_cache_create, ERRNO);

void goheap_cache_destroy(struct goheap_cache *cache)
{
	if (!IS_ERR_OR_NULL(cache))
		goheap_destroy(&cache->heap);
}
EXPORT_SYMBOL_GPL(goheap_cache_destroy);

unsigned int goheap_cache_size(const struct goheap_cache *cache)
{
	return cache->heap.objects.size;
}
EXPORT_SYMBOL_GPL(goheap_cache_size);

/* ---- allocation ------------------------------------------------------------------------- */

/* Without this CPU's slot: of a node, refused flags, a dry slot. */
static noinline void *alloc_slowly(struct goheap_cache *cache, gfp_t gfp, int nid)
{
	struct goheap *heap = &cache->heap;

	if (gfp & GH_GFP_REFUSED)
		return gh_large_refuse(heap->objects.size, gfp);
	/* This CPU's cache may have spans of other nodes. */
	if (gfp & __GFP_THISNODE && nid == NUMA_NO_NODE)
		nid = gh_mem_node();
	return gh_slow_alloc_object(heap, gfp, nid);
}

/* Called with preemption off, out of the section. */
static noinline void *alloc_dry(struct goheap_cache *cache, gfp_t gfp)
{
	preempt_enable();
	return alloc_slowly(cache, gfp, NUMA_NO_NODE);
}

/* The end of the fast path when other tasks wait for the CPU. */
static noinline __cold void *yield_with(void *p, gfp_t gfp)
{
	gh_yield_wanted(gfp);
	return p;
}

static __always_inline void *alloc_slot(struct goheap_cache *cache, gfp_t gfp, bool zero)
{
	struct gh_objects *o = &cache->heap.objects;
	struct gh_cache *mine;
	struct gh_slot *slot;
	bool fresh;
	void *p;

	gh_might_alloc(gfp);
	preempt_disable();
	mine = this_cpu_ptr(cache->heap.cache);
	if (unlikely(!gh_section_enter(mine)))
		return alloc_dry(cache, gfp);
	slot = gh_cache_slot(mine, GH_SC_OBJECT);
	fresh = zero && gh_slot_next_is_fresh(slot);
	p = gh_slot_take(slot);
	if (unlikely(!p)) {
		gh_section_exit(mine);
		return alloc_dry(cache, gfp);
	}
	gh_section_exit(mine);
	if (zero && !fresh)
		gh_clear(p, o->class.size);
	if (unlikely(gh_preempt_enable_is_wanted()))
		return yield_with(gh_post_alloc_object(o, p, gfp), gfp);
	return gh_post_alloc_object(o, p, gfp);
}

static noinline void *alloc_uncommon(struct goheap_cache *cache, gfp_t gfp)
{
	if (WARN_ON_ONCE(gfp & __GFP_ZERO && cache->heap.objects.ctor))
		return NULL;
	if (gfp & GH_GFP_UNCOMMON & ~__GFP_ZERO)
		return alloc_slowly(cache, gfp, NUMA_NO_NODE);
	if (gh_heap_zeroes(&cache->heap, gfp))
		return alloc_slot(cache, gfp, true);
	return alloc_slot(cache, gfp, false);
}

void *goheap_cache_alloc(struct goheap_cache *cache, gfp_t gfp)
{
	if (gh_should_fail(cache->heap.objects.size, gfp))
		return NULL;
	if (unlikely(gfp & GH_GFP_UNCOMMON) || want_init_on_alloc(0))
		return alloc_uncommon(cache, gfp);
	return alloc_slot(cache, gfp, false);
}
EXPORT_SYMBOL_GPL(goheap_cache_alloc);
ALLOW_ERROR_INJECTION(goheap_cache_alloc, NULL);

/*
 * This CPU's cache holds spans of other nodes if the own node had no memory left before. The
 * caller asked for the own node: if that node has memory again, replace @p by an object of it.
 */
static void *migrate_to_node(struct goheap_cache *cache, void *p, gfp_t gfp, int nid)
{
	void *q;

	if (!p || page_to_nid(virt_to_page(p)) == nid)
		return p;
	q = alloc_slowly(cache, gh_gfp_of_node(gfp), nid);
	if (!q)
		return p;
	goheap_cache_free(cache, p);
	return q;
}

void *goheap_cache_alloc_node(struct goheap_cache *cache, gfp_t gfp, int nid)
{
	int asked = nid;
	void *p;

	if (gh_should_fail(cache->heap.objects.size, gfp) || unlikely(!gh_choose_node(&nid, gfp)) ||
	    WARN_ON_ONCE(gfp & __GFP_ZERO && cache->heap.objects.ctor))
		return NULL;
	if (nid != NUMA_NO_NODE)
		return alloc_slowly(cache, gfp, nid);
	p = alloc_uncommon(cache, gfp);
	if (asked == NUMA_NO_NODE || nr_online_nodes == 1 || asked != gh_mem_node())
		return p;
	return migrate_to_node(cache, p, gfp, asked);
}
EXPORT_SYMBOL_GPL(goheap_cache_alloc_node);
ALLOW_ERROR_INJECTION(goheap_cache_alloc_node, NULL);

unsigned int goheap_cache_alloc_bulk(struct goheap_cache *cache, gfp_t gfp, unsigned int n,
				     void **p)
{
	const struct gh_objects *o = &cache->heap.objects;
	bool batches = !(gfp & (GH_GFP_REFUSED | __GFP_THISNODE | __GFP_ZERO)) &&
		       !want_init_on_alloc(0);
	unsigned int i = 0, got;

	n = gh_fault_hits_bulk(o->size, gfp, n);
	gh_might_alloc(gfp);
	while (i < n) {
		got = batches ? gh_bulk_take(&cache->heap, GH_SC_OBJECT, n - i, p + i) : 0;
		for (; got; got--, i++)
			p[i] = gh_post_alloc_object(o, p[i], gfp);
		if (i == n)
			break;
		gh_yield(gfp);
		p[i] = alloc_uncommon(cache, gfp);
		if (!p[i])
			break;
		i++;
	}
	return i;
}
EXPORT_SYMBOL_GPL(goheap_cache_alloc_bulk);

/* ---- freeing ---------------------------------------------------------------------------- */

void goheap_cache_free_bulk(struct goheap_cache *cache, unsigned int n, void **p)
{
	unsigned int i = 0;

	while (i < n) {
		i += gh_bulk_give(&cache->heap, n - i, p + i);
		/* The end of the batch, or an object that takes the slow path. */
		if (i < n)
			goheap_heap_free(&cache->heap, p[i++]);
	}
}
EXPORT_SYMBOL_GPL(goheap_cache_free_bulk);

int goheap_cache_shrink(struct goheap_cache *cache)
{
	long before = atomic_long_read(&cache->heap.pages), after;
	int nid;

	gh_drain_flush_heap(&cache->heap, GFP_KERNEL);
	after = atomic_long_read(&cache->heap.pages);
	for_each_online_node(nid)
		if (after < before)
			before -= gh_arena_scavenge(gh_page_heaps[nid], before - after);
	return !!after;
}
EXPORT_SYMBOL_GPL(goheap_cache_shrink);
