// SPDX-License-Identifier: GPL-2.0
/*
 * Parking: a CPU keeps the spans of large objects that were freed a moment ago, for the next
 * allocation of the same length.
 */

#include <linux/percpu.h>

#include "base/heap_page.h"
#include "base/peek.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "pages/chunk.h"
#include "pages/pageheap.h"
#include "percpu/park.h"
#include "percpu/slot.h"
#include "span.h"
#include "spans/alloc.h"

/* Most heap pages that a cache parks, and that a parked span may have. */
#define PARK_PAGES	((1UL << 20) >> GH_PAGE_SHIFT)
#define PARK_MAX	((256UL << 10) >> GH_PAGE_SHIFT)

/*
 * Keep a freed LARGE span. The remote bit of its object stays set while the span is parked. The
 * free bit says that the object has no readers left. False if enough spans are parked. The
 * section is held.
 */
static bool park(struct gh_cache *cache, struct gh_span *s)
{
	if (s->npages > PARK_MAX || cache->parked_pages + s->npages > PARK_PAGES ||
	    s->nid != gh_mem_node())
		return false;
	WRITE_ONCE(s->words[0].free, 1);
	s->next = cache->parked;
	cache->parked = s;
	WRITE_ONCE(cache->filled, true);
	cache->parked_pages += s->npages;
	return true;
}

/* A parked span of exactly that length, and at least so aligned. The section is held. */
static struct gh_span *unpark(struct gh_cache *cache, unsigned int npages, unsigned int align)
{
	struct gh_span **link, *s;

	for (link = &cache->parked; (s = *link); link = &s->next) {
		if (s->npages != npages ||
		    !IS_ALIGNED(s->base, (unsigned long)align << GH_PAGE_SHIFT) ||
		    unlikely(gh_find_poison(s->base, npages)))
			continue;
		*link = s->next;
		cache->parked_pages -= npages;
		cache->refills++;	/* not idle */
		return s;
	}
	return NULL;
}

/**
 * gh_park_flush() - give parked spans back
 * @cache: ours
 *
 * Context: The section.
 */
void gh_park_flush(struct gh_cache *cache)
{
	struct gh_span *parked = cache->parked;

	cache->parked = NULL;
	cache->parked_pages = 0;
	gh_spans_free_list(parked);
}

/**
 * gh_park_take() - allocate a large object from what this CPU freed lately
 * @heap: of which heap
 * @npages: exactly how long
 * @align: at least how aligned, in heap pages
 * @noscan: the object holds no pointers
 *
 * Context: Any.
 * Return: its span, or NULL.
 */
struct gh_span *gh_park_take(struct goheap *heap, unsigned int npages, unsigned int align,
			     bool noscan)
{
	struct gh_span *s = NULL;
	struct gh_cache *cache;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	/* Before the section is entered, an interrupt may take the span: unpark() looks again. */
	if (gh_peek(cache->parked) && gh_section_enter(cache)) {
		s = unpark(cache, npages, align);
		if (s) {
			gh_span_reuse_large(s, noscan);
			cache->large_allocs++;
			cache->large_live++;
		}
		gh_section_exit(cache);
	}
	preempt_enable();
	return s;
}

/**
 * gh_park_free_large() - a large object is gone: park its span, or give it back
 * @s: LARGE
 *
 * Context: Any but NMI, preemption off; no lock and no section held.
 */
void gh_park_free_large(struct gh_span *s)
{
	struct gh_cache *cache = this_cpu_ptr(s->heap->cache);
	bool parked = false;

	if (likely(gh_section_enter(cache))) {
		cache->large_live--;
		parked = !s->records && park(cache, s);
		gh_section_exit(cache);
	} else {
		atomic_long_dec(&s->heap->large_live);
	}
	if (!parked)
		gh_spans_free(s);
}

/**
 * gh_park_count() - sum the counts of large objects
 * @heap: of which heap
 * @allocs: how many were ever allocated
 * @live: how many are live, or were freed and are not given back yet: they wait for a
 *	grace period
 *
 * Context: Any. Exact when nobody uses the heap meanwhile.
 */
void gh_park_count(const struct goheap *heap, unsigned long *allocs, unsigned long *live)
{
	const struct gh_cache *cache;
	int cpu;

	*allocs = atomic_long_read(&heap->large_allocs);
	*live = atomic_long_read(&heap->large_live);
	for_each_possible_cpu(cpu) {
		cache = per_cpu_ptr(heap->cache, cpu);
		*allocs += gh_peek(cache->large_allocs);
		*live += gh_peek(cache->large_live);
	}
}
