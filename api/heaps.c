// SPDX-License-Identifier: GPL-2.0
/*
 * Making heaps and taking them down, with a report of what leaked.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/error-injection.h>
#include <linux/kmemleak.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "api/heaps.h"
#include "base/compat.h"
#include "base/heap_page.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "central.h"
#include "front/lookup.h"
#include "goheap.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/records.h"
#include "hooks/sanitize.h"
#include "hooks/track.h"
#include "pages/map.h"
#include "percpu/cache.h"
#include "percpu/drain.h"
#include "percpu/slot.h"
#include "percpu/slots.h"
#include "span.h"
#include "spans/alloc.h"
#include "spans/block.h"
#include "spans/limbo.h"

static void free_heap(struct goheap *heap)
{
	int cpu;

	if (heap->cache)
		for_each_possible_cpu(cpu)
			gh_slots_free(per_cpu_ptr(heap->cache, cpu));
	gh_central_free(heap);
	free_percpu(heap->cache);
	kfree(heap);
}

static void free_heap_rcu(struct rcu_head *rcu)
{
	free_heap(container_of(rcu, struct goheap, rcu));
}

static void set_objects(struct goheap *heap, const struct gh_objects *objects)
{
	heap->objects = *objects;
	/* Poison would overwrite what free objects are to keep. */
	if (objects->keep)
		heap->debug &= ~GOHEAP_POISON;
	if (gh_debug_room_for(objects->size, heap->debug) > objects->class.size) {
		pr_warn("heap %s: no red zones, objects of %zu bytes are too large for them\n",
			heap->name, objects->size);
		heap->debug &= ~GOHEAP_REDZONE;
	}
}

static void set_params(struct goheap *heap, const struct goheap_params *params,
		       const struct gh_objects *objects)
{
	heap->limit = LONG_MAX;
	heap->debug = gh_debug_flags(heap->name);
	if (params) {
		heap->flags = params->flags;
		heap->debug |= params->flags & GH_DEBUG_FLAGS;
		if (params->limit)
			heap->limit = max(params->limit >> GH_PAGE_SHIFT, 1UL);
	}
	if (objects)
		set_objects(heap, objects);
}

static struct goheap *new_heap(const char *name, const struct goheap_params *params,
			       const struct gh_objects *objects)
{
	struct goheap *heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	int cpu;

	if (!heap)
		return ERR_PTR(-ENOMEM);
	strscpy(heap->name, name, sizeof(heap->name));
	set_params(heap, params, objects);
	heap->cache = alloc_percpu(struct gh_cache);
	/* A cache points to free objects, and to nothing that kmemleak looks for. */
	kmemleak_free_percpu(heap->cache);
	if (!heap->cache) {
		kfree(heap);
		return ERR_PTR(-ENOMEM);
	}
	for_each_possible_cpu(cpu) {
		gh_cache_init(per_cpu_ptr(heap->cache, cpu), heap, cpu);
		gh_drain_init_cache(per_cpu_ptr(heap->cache, cpu));
	}
	return heap;
}

/**
 * gh_heap_create() - make a heap of any kind
 * @name: see goheap_create()
 * @params: likewise
 * @objects: if it is to be an object cache, or NULL
 *
 * Context: Process context, may sleep.
 * Return: as goheap_create().
 */
struct goheap *gh_heap_create(const char *name, const struct goheap_params *params,
			      const struct gh_objects *objects)
{
	struct goheap *heap;

	if (gh_heap_name_is_bad(name) ||
	    (params && params->flags & ~(GOHEAP_LEAK_OK | GH_DEBUG_FLAGS)))
		return ERR_PTR(-EINVAL);
	heap = new_heap(name, params, objects);
	if (IS_ERR(heap))
		return heap;
	if (heap->debug & GOHEAP_TRACK && gh_track_init()) {
		free_heap(heap);
		return ERR_PTR(-ENOMEM);
	}
	if (gh_heap_add(heap)) {
		free_heap(heap);
		return ERR_PTR(-EEXIST);
	}
	return heap;
}

struct goheap *goheap_create(const char *name, const struct goheap_params *params)
{
	return gh_heap_create(name, params, NULL);
}
EXPORT_SYMBOL_GPL(goheap_create);
ALLOW_ERROR_INJECTION(goheap_create, ERRNO);

struct leaks {
	struct gh_span *spans;
	unsigned long objects;
	unsigned long bytes;
	unsigned long by_class[GH_NR_CLASSES];
	unsigned int show;		/* how many more are shown one by one */
};

/* How many leaks are shown one by one, if their allocating caller is recorded. */
#define SHOW_LEAKS	16

static unsigned int count_live(struct gh_span *s)
{
	struct gh_span_counts counts;

	if (s->flags & GH_F_TINY)
		return gh_block_count(s);
	gh_span_count(s, &counts);
	return counts.live;
}

/* Without this, kmemleak would complain when the pages are used for something else. */
static void forget_leaks(struct gh_span *s)
{
	unsigned long off, step = s->flags & GH_F_TINY ? GH_TINY_STEP : gh_span_object_bytes(s);
	struct gh_ref ref;

	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return;
	for (off = 0; off < s->limit; off += step)
		if (gh_lookup_live((void *)(s->base + off), &ref))
			gh_sanitize_forget((void *)(s->base + off));
}

static bool collect(struct gh_span *s, void *arg)
{
	struct leaks *leaks = arg;
	unsigned int live = count_live(s);

	leaks->objects += live;
	leaks->bytes += live * gh_span_object_bytes(s);
	leaks->by_class[gh_sc_class(s->spanclass)] += live;
	gh_records_leaks(s, &leaks->show);
	forget_leaks(s);
	if (s->state == GH_SPAN_SMALL) {
		if (!s->owner)
			gh_central_remove(s);
		gh_span_claim(s);
	}
	s->next = leaks->spans;
	leaks->spans = s;
	return true;
}

static void report_leaks(const struct goheap *heap, const struct leaks *leaks)
{
	unsigned int class;

	if (!leaks->objects || heap->flags & GOHEAP_LEAK_OK)
		return;
	pr_warn("heap %s is gone with %lu objects leaked, up to %lu bytes\n", heap->name,
		leaks->objects, leaks->bytes);
	for (class = 0; class < GH_NR_CLASSES; class++) {
		if (!leaks->by_class[class])
			continue;
		if (class)
			pr_warn("  %lu leaked of class %u, up to %u bytes each\n",
				leaks->by_class[class], class, gh_classes[class].size);
		else if (heap->objects.size)
			pr_warn("  %lu leaked of %zu bytes each\n", leaks->by_class[class],
				heap->objects.size);
		else
			pr_warn("  %lu leaked of more than %u bytes each\n",
				leaks->by_class[class], GH_SMALL_MAX);
	}
}

#ifdef CONFIG_GOHEAP_KUNIT_TEST
atomic_t gh_test_waits;
#endif

/*
 * Wait for frees that have set their bit and still use the span, and for the readers of
 * objects that goheap_free_rcu() freed. Expedited, because the caller waits.
 */
static void wait_for_all(struct goheap *heap)
{
	synchronize_rcu_expedited();
#ifdef CONFIG_GOHEAP_KUNIT_TEST
	atomic_inc(&gh_test_waits);
#endif
	WRITE_ONCE(heap->quiet, true);
}

static bool has_spans(const struct goheap *heap)
{
	return atomic_long_read(&heap->pages) || atomic_long_read(&heap->limbo);
}

/* Empty spans of type-safe objects wait for callbacks that look at the heap. */
static void wait_for_typesafe(const struct goheap *heap)
{
	if (heap->objects.typesafe && has_spans(heap))
		rcu_barrier();
}

static void quiesce(struct goheap *heap)
{
	int cpu;

	if (has_spans(heap))
		wait_for_all(heap);
	gh_limbo_flush(heap);
	/* Spans from limbo may have been queued in an inbox once more. */
	gh_drain_cancel(heap);
	for_each_possible_cpu(cpu)
		gh_drain_all(per_cpu_ptr(heap->cache, cpu));
	wait_for_typesafe(heap);
}

void goheap_destroy(struct goheap *heap)
{
	struct leaks leaks = {};
	struct gh_span *s;

	if (IS_ERR_OR_NULL(heap))
		return;
	leaks.show = heap->flags & GOHEAP_LEAK_OK ? 0 : SHOW_LEAKS;
	gh_heap_remove(heap);
	quiesce(heap);
	if (has_spans(heap))
		gh_map_walk(heap, collect, &leaks);
	report_leaks(heap, &leaks);
	while ((s = leaks.spans)) {
		leaks.spans = s->next;
		gh_check_freed_bytes((void *)s->base, gh_span_bytes(s));
		gh_spans_free(s);
		cond_resched();
	}
	wait_for_typesafe(heap);
	/* A lookup of a wild pointer may still use one of the spans, and its heap. */
	gh_call_rcu(&heap->rcu, free_heap_rcu);
}
EXPORT_SYMBOL_GPL(goheap_destroy);

/**
 * gh_heap_destroy_all() - take every heap down
 *
 * If a module left a private heap here, that module has gone already: otherwise goheap
 * could not be unloaded. So the heap is not in use any more.
 *
 * Context: Process context, module exit.
 */
void gh_heap_destroy_all(void)
{
	struct goheap *heap, *next;

	list_for_each_entry_safe(heap, next, &gh_heaps, link) {
		if (heap != gh_default)
			pr_warn("heap %s was never destroyed\n", heap->name);
		goheap_destroy(heap);
	}
}
