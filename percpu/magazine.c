// SPDX-License-Identifier: GPL-2.0
/*
 * Magazines: the objects that a CPU freed a moment ago, to be allocated next, newest
 * first. A magazine needs no search in a bitmap, and no branch that depends on how full
 * a span is: with random sizes and lifetimes such branches take most of the time. The
 * free bitmaps stay the truth: an object in a magazine has its bit set in the free
 * bitmap of its span. So every check and every reader finds the object free, and a
 * magazine can be emptied without a change of a bit.
 *
 * The idea of a small LIFO per CPU and size is that of Bonwick and Adams,
 * "Magazines and Vmem" (USENIX 2001), and of TCMalloc's thread caches.
 *
 * A slot gets a magazine when it is used a lot, and loses it when its CPU is idle.
 */

#include <linux/kmemleak.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "base/gfp.h"
#include "base/peek.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "heap.h"
#include "hooks/random.h"
#include "pages/map.h"
#include "percpu/magazine.h"
#include "percpu/slot.h"

/* Refills of a slot until it gets a magazine. */
#define WORTH_IT	8

/* Bytes of objects in a magazine, within bounds on their number. */
#define BYTES		(64UL << 10)
#define LEAST		3U
#define MOST		41U		/* with the empty one: 1008 bytes */

/* The magazine of a slot without one: empty and full at the same time. */
static struct gh_freed no_magazine __ro_after_init;

#define DRY	{ .top = &no_magazine, .limit = &no_magazine }

/* The slots of all size classes that a cache was not used for yet. */
struct gh_slots gh_no_slots __ro_after_init = { .slot = { DRY, DRY } };

static atomic_long_t bytes;

static unsigned int capacity(const struct goheap *heap, unsigned int sc)
{
	return clamp_t(unsigned int, BYTES / gh_heap_class(heap, sc)->size, LEAST, MOST);
}

static size_t size_of(const struct goheap *heap, unsigned int sc)
{
	return (capacity(heap, sc) + 1) * sizeof(struct gh_freed);
}

/**
 * gh_magazine_none() - let a slot have no magazine
 * @slot: its magazine is empty, or it never had one
 * @bin: of the slot
 *
 * Context: The section, or nobody uses the slot.
 */
void gh_magazine_none(struct gh_slot *slot, struct gh_bin *bin)
{
	slot->top = &no_magazine;
	slot->limit = &no_magazine;
	bin->magazine = NULL;
	bin->magazine_after = bin->refills + WORTH_IT;
}

/**
 * gh_magazine_empty() - empty a magazine: its objects are found by their bits only
 * @cache: ours
 * @sc: of which slot
 *
 * Context: The section.
 */
void gh_magazine_empty(struct gh_cache *cache, unsigned int sc)
{
	struct gh_slot *slot = gh_cache_slot(cache, sc);

	for (; slot->top->p; slot->top--)
		gh_cache_push(cache, gh_span_of(slot->top->p));
}

/**
 * gh_magazine_detach() - take a slot's magazine away
 * @cache: ours
 * @sc: of which slot
 *
 * Context: The section, or nobody uses the cache.
 * Return: what to kfree() when that is possible, or NULL.
 */
struct gh_freed *gh_magazine_detach(struct gh_cache *cache, unsigned int sc)
{
	struct gh_freed *magazine = gh_cache_bin(cache, sc)->magazine;

	if (!magazine)
		return NULL;
	gh_magazine_empty(cache, sc);
	gh_magazine_none(gh_cache_slot(cache, sc), gh_cache_bin(cache, sc));
	atomic_long_sub(size_of(cache->heap, sc), &bytes);
	return magazine;
}

static bool attach(struct gh_cache *cache, unsigned int sc, struct gh_freed *magazine)
{
	struct gh_slot *slot = gh_cache_slot(cache, sc);

	/* The task may have moved to a CPU without such a slot. */
	if (!gh_cache_has_slot(cache, sc) || gh_cache_bin(cache, sc)->magazine ||
	    !gh_section_enter(cache))
		return false;
	gh_cache_bin(cache, sc)->magazine = magazine;
	WRITE_ONCE(cache->filled, true);
	slot->top = magazine;
	slot->limit = magazine + capacity(cache->heap, sc);
	gh_section_exit(cache);
	atomic_long_add(size_of(cache->heap, sc), &bytes);
	return true;
}

static bool is_worth_it(struct goheap *heap, unsigned int sc)
{
	const struct gh_slots *slots = gh_cache_peek_slots(raw_cpu_ptr(heap->cache), sc);
	const struct gh_bin *bin;

	/* A magazine allocates the newest first, and goheap.random=1 a random object. */
	/* A heap without pages is not asked to give magazines back. */
	if (gh_random || !slots || !gh_heap_class(heap, sc)->size || !gh_heap_has_pages(heap))
		return false;
	bin = &slots->bin[sc % 2];
	/* The task may move to another CPU here: attach() checks again. */
	return !gh_peek(bin->magazine) && gh_peek(bin->refills) >= gh_peek(bin->magazine_after);
}

/**
 * gh_magazine_consider() - give this CPU's slot a magazine if it is worth it
 * @heap: of which heap
 * @sc: of which slot
 * @gfp: of the allocation that came here
 *
 * Fails silently: a magazine is never needed.
 *
 * Context: Any that @gfp allows.
 */
void gh_magazine_consider(struct goheap *heap, unsigned int sc, gfp_t gfp)
{
	struct gh_freed *magazine;
	bool attached;

	if (!is_worth_it(heap, sc))
		return;
	if (!gfpflags_allow_blocking(gfp)) {
		/* The caller is in atomic context; the work calls this in process context. */
		gh_cache_kick(raw_cpu_ptr(heap->cache));
		return;
	}
	/* Zeroed: the first entry has no object, and stays below the oldest. */
	magazine = kzalloc_node(size_of(heap, sc), GH_GFP_OPTIONAL, numa_mem_id());
	if (!magazine)
		return;
	kmemleak_ignore(magazine);	/* it points to free objects */
	preempt_disable();
	attached = attach(this_cpu_ptr(heap->cache), sc, magazine);
	preempt_enable();
	if (!attached)
		kfree(magazine);
}

/**
 * gh_magazine_bytes() - bookkeeping overhead
 *
 * Context: Any.
 * Return: bytes of all magazines.
 */
unsigned long gh_magazine_bytes(void)
{
	return atomic_long_read(&bytes);
}

/**
 * gh_magazine_bytes_of() - bookkeeping overhead
 * @cache: any CPU's
 * @sc: of which slot
 *
 * Context: Any.
 * Return: bytes of the slot's magazine.
 */
unsigned long gh_magazine_bytes_of(const struct gh_cache *cache, unsigned int sc)
{
	const struct gh_slots *slots = gh_cache_peek_slots(cache, sc);

	return slots && gh_peek(slots->bin[sc % 2].magazine) ? size_of(cache->heap, sc) : 0;
}
