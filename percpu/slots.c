// SPDX-License-Identifier: GPL-2.0
/*
 * Slots are made when a CPU first uses a size class of a heap, so that a heap costs little on
 * CPUs, and for sizes, that never use the heap. They are kept for as long as the heap.
 */

#include <linux/kmemleak.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "base/context.h"
#include "base/gfp.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "heap.h"
#include "percpu/magazine.h"
#include "percpu/slot.h"
#include "percpu/slots.h"

static void init_slot(struct gh_slot *slot, struct gh_bin *bin, const struct gh_class *class)
{
	gh_magazine_none(slot, bin);
	/* The class of large objects, or the heap is no object cache. */
	if (!class->size)
		return;
	slot->size = class->size;
	bin->limit = gh_spans_in(GH_TIDY_BYTES, class);
}

/* The cache's own CPU in the section, or nobody uses the cache yet. */
static void publish(struct gh_cache *cache, unsigned int sc, struct gh_slots *slots)
{
	init_slot(&slots->slot[0], &slots->bin[0], gh_heap_class(cache->heap, sc & ~1U));
	init_slot(&slots->slot[1], &slots->bin[1], gh_heap_class(cache->heap, sc | 1U));
	/* For readers on other CPUs; pairs with gh_cache_peek_slots(). */
	smp_store_release(&cache->slots[sc / 2], slots);
	WRITE_ONCE(cache->nr_made, cache->nr_made + 1);
}

/* False if there is nothing to do, or if this is an interrupt that hit the section. */
static bool install(struct gh_cache *cache, unsigned int sc, struct gh_slots *slots)
{
	bool missing;

	if (!gh_section_enter(cache))
		return false;
	missing = !gh_cache_has_slot(cache, sc);
	if (missing)
		publish(cache, sc, slots);
	gh_section_exit(cache);
	return missing;
}

static struct gh_slots *new_slots(gfp_t gfp, int nid)
{
	struct gh_slots *slots = kzalloc_node(sizeof(*slots), gfp, nid);

	if (slots)
		kmemleak_ignore(slots);		/* they point to free objects */
	return slots;
}

/**
 * gh_slots_want() - have this CPU's slots of a size class, and its central lists, made soon
 * @heap: of which heap
 * @sc: one of the span classes
 *
 * For callers that cannot ask the kernel for memory: the cache's work does that.
 *
 * Context: Any.
 */
void gh_slots_want(struct goheap *heap, unsigned int sc)
{
	struct gh_cache *cache = raw_cpu_ptr(heap->cache);

	if (!test_and_set_bit(sc / 2, cache->wanted))
		gh_cache_kick(cache);
}

/**
 * gh_slots_make() - make this CPU's slots of a size class
 * @heap: of which heap
 * @sc: one of the span classes
 * @gfp: of the allocation that needs a slot
 *
 * Fails silently: without a slot the central lists serve. If the kernel cannot be asked for
 * memory here, slots and central lists are made by the cache's work a moment later.
 *
 * Context: Any that @gfp allows; no section held.
 */
void gh_slots_make(struct goheap *heap, unsigned int sc, gfp_t gfp)
{
	struct gh_slots *slots;
	bool used = true;

	if (!gh_memory_begin(gfp)) {
		gh_slots_want(heap, sc);
		return;
	}
	slots = new_slots(GH_GFP_OPTIONAL, numa_mem_id());
	if (slots) {
		preempt_disable();
		used = install(this_cpu_ptr(heap->cache), sc, slots);
		preempt_enable();
	}
	if (!used)
		kfree(slots);
	gh_memory_end(gfp);
}

/**
 * gh_slots_make_all() - make all slots of a cache that has none of them yet
 * @cache: nobody uses it: its CPU is not online, or its heap is new
 *
 * Fails silently: a slot that is missing is made on first use.
 *
 * Context: Process context.
 */
void gh_slots_make_all(struct gh_cache *cache)
{
	struct gh_slots *slots;
	unsigned int sc;

	for (sc = 0; sc < GH_NR_SLOTS; sc += 2) {
		if (gh_cache_has_slot(cache, sc))
			continue;
		slots = new_slots(GFP_KERNEL, cpu_to_mem(cache->cpu));
		if (!slots)
			return;
		publish(cache, sc, slots);
	}
}

/**
 * gh_slots_free() - free all slots of a cache
 * @cache: nobody uses it, and it holds nothing
 *
 * Context: Any but NMI.
 */
void gh_slots_free(struct gh_cache *cache)
{
	unsigned int i;

	if (!cache->nr_made)
		return;
	for (i = 0; i < GH_NR_PAIRS; i++)
		if (cache->slots[i] != &gh_no_slots)
			kfree(cache->slots[i]);
}

/**
 * gh_slots_bytes() - bookkeeping overhead
 * @cache: any CPU's
 *
 * Context: Any.
 * Return: bytes of slots and magazines.
 */
unsigned long gh_slots_bytes(const struct gh_cache *cache)
{
	const struct gh_slots *slots;
	unsigned long bytes = 0;
	unsigned int sc;

	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		slots = gh_cache_peek_slots(cache, sc);
		if (!slots)
			continue;
		if (sc % 2 == 0)
			bytes += sizeof(*slots);
		bytes += gh_magazine_bytes_of(cache, sc);
	}
	return bytes;
}
