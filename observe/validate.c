// SPDX-License-Identifier: GPL-2.0
/*
 * The whole heap, checked: page heaps, arenas, central lists, spans, and that all
 * counters say the same. For tests, and for whoever suspects damage.
 */

#include <linux/bitmap.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>

#include "base/context.h"
#include "base/peek.h"
#include "base/spanclass.h"
#include "central.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/sanitize.h"
#include "observe/validate.h"
#include "pages/chunk.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "percpu/park.h"
#include "percpu/stock.h"
#include "span.h"
#include "spans/block.h"

struct tally {
	int nid;
	unsigned long small;
	unsigned long large;
	unsigned long small_spans;
	unsigned long large_spans;
	unsigned long large_held;	/* live, or pending: freed, and not given back yet */
	const char *wrong;
};

static bool tally(struct gh_span *s, struct tally *t)
{
	struct gh_span_counts counts;
	const char *wrong;

	if (t->nid != NUMA_NO_NODE && s->nid != t->nid)
		return true;
	if (s->state == GH_SPAN_LARGE) {
		t->large += s->npages;
		t->large_spans++;
		gh_span_count(s, &counts);
		t->large_held += counts.live + counts.pending;
		if (s->nelems != 1 || s->limit > gh_span_bytes(s))
			t->wrong = "a large span has a wrong size";
		return true;
	}
	t->small += s->npages;
	t->small_spans++;
	wrong = gh_block_validate(s);
	if (wrong)
		t->wrong = wrong;
	return true;
}

static bool tally_span(struct gh_span *s, void *arg)
{
	/* data_race(): what is being used may look wrong; see gh_validate(). */
	return data_race(tally(s, arg));
}

static bool debug_span(struct gh_span *s, void *arg)
{
	unsigned int *found = arg;

	*found += gh_debug_validate(s);
	return true;
}

/* What the page heap counts as small spans, and CPUs have not cut off their stocks yet. */
static void tally_stocks(struct tally *t)
{
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		gh_stock_count(heap, t->nid, &t->small, &t->small_spans);
	mutex_unlock(&gh_heaps_mutex);
}

static const char *check_node(struct gh_page_heap *ph)
{
	struct tally t = { .nid = ph->nid };
	unsigned long flags;
	const char *wrong;

	wrong = gh_pageheap_validate(ph);
	if (wrong)
		return wrong;
	gh_map_walk(NULL, tally_span, &t);
	if (t.wrong)
		return t.wrong;
	tally_stocks(&t);
	gh_lock(&ph->lock, flags);
	if (t.small != ph->small || t.small_spans != ph->small_spans)
		wrong = "a page heap's small spans are miscounted";
	else if (t.large != ph->large || t.large_spans != ph->large_spans)
		wrong = "a page heap's large spans are miscounted";
	gh_unlock(&ph->lock, flags);
	return wrong;
}

static const char *check_bitmaps(const struct gh_arena *arena)
{
	if (arena->nr_owned != bitmap_weight(arena->owned, GH_ARENA_PAGES))
		return "an arena's pages are miscounted";
	return bitmap_subset(arena->in_use, arena->owned, GH_ARENA_PAGES) ? NULL :
	       "an arena has pages in use that are not ours";
}

/* What the arenas say is ours and in use against what the page heaps say. */
static const char *check_arenas(void)
{
	unsigned long owned = 0, in_use = 0, n;
	struct gh_page_heap *ph;
	struct gh_arena *arena;
	const char *wrong = NULL;
	int nid;

	rcu_read_lock();
	for (n = 0; (arena = gh_map_next(&n)); n++) {
		owned += gh_peek(arena->nr_owned);
		/* data_race(): as for tally_span() */
		in_use += data_race(bitmap_weight(arena->in_use, GH_ARENA_PAGES));
		/* data_race(): as above */
		wrong = data_race(check_bitmaps(arena)) ?: wrong;
	}
	rcu_read_unlock();
	for_each_node(nid) {
		ph = gh_page_heaps[nid];
		owned -= gh_peek(ph->taken) - gh_peek(ph->returned);
		in_use -= gh_peek(ph->small) + gh_peek(ph->large);
	}
	if (!wrong && owned)
		wrong = "arenas and page heaps disagree on the pages that are ours";
	return !wrong && in_use ? "arenas and page heaps disagree on the pages in use" : wrong;
}

static const char *check_heap(struct goheap *heap)
{
	struct tally t = { .nid = NUMA_NO_NODE };
	struct gh_central *central;
	unsigned long allocs, live;
	unsigned int sc;
	const char *wrong;
	int nid;

	for_each_node(nid) {
		for (sc = 0; sc < GH_NR_SLOTS; sc++) {
			central = gh_central_of(heap, nid, sc);
			wrong = central ? gh_central_validate(central) : NULL;
			if (wrong)
				return wrong;
		}
	}
	gh_map_walk(heap, tally_span, &t);
	gh_stock_count(heap, NUMA_NO_NODE, &t.small, &t.small_spans);
	if (t.small + t.large != atomic_long_read(&heap->pages))
		return "a heap's pages are miscounted";
	gh_park_count(heap, &allocs, &live);
	return t.large_held != live ? "a heap's large objects are miscounted" : t.wrong;
}

static const char *check_heaps(void)
{
	struct goheap *heap;
	const char *wrong = NULL;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		wrong = wrong ?: check_heap(heap);
	mutex_unlock(&gh_heaps_mutex);
	return wrong;
}

/**
 * gh_validate() - walk the whole heap and check that everything fits
 *
 * Holds no lock for long, so what is being used meanwhile may look wrong: an error
 * counts if it stays while nobody allocates or frees.
 *
 * Context: Process context.
 * Return: NULL, or what is wrong, in words.
 */
const char *gh_validate(void)
{
	const char *wrong = check_arenas();
	int nid;
	unsigned int damaged = 0;

	for_each_node(nid)
		wrong = wrong ?: check_node(gh_page_heaps[nid]);
	wrong = wrong ?: check_heaps();
	gh_map_walk(NULL, debug_span, &damaged);
	gh_chunk_check_all();
	return wrong ?: damaged ? "objects are damaged: see the log" : NULL;
}
