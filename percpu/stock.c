// SPDX-License-Identifier: GPL-2.0
/*
 * The stock: free pages that a CPU takes from the page heap ahead of need, with descriptors, to
 * cut spans off. A heap that grows then takes the page heap's lock once for up to 32 spans, and
 * not for each. The Go runtime's per-P page cache (mpagecache.go) is the same idea.
 *
 * The pages count as the heap's, so its growth is charged here and not at each span. They are
 * nobody's objects: addresses find nothing there. All stocks of a heap together have at
 * most a 32nd of its pages, and one stock at most 256 KiB. A stock goes back when its CPU
 * is idle or goes away, whenever caches are flushed, and every ten ticks.
 *
 * Heaps with a limit have no stocks: what one CPU has put by would be missing on another.
 * Debugged heaps have no caches, and allocate by node: they never ask for a stock.
 */

#include <linux/minmax.h>
#include <linux/percpu.h>

#include "base/context.h"
#include "base/heap_page.h"
#include "base/peek.h"
#include "heap.h"
#include "pages/chunk.h"
#include "pages/pageheap.h"
#include "percpu/slot.h"
#include "percpu/stock.h"
#include "span.h"
#include "spans/alloc.h"

/* Most heap pages of a stock, and which part of the heap's pages all stocks may have. */
#define STOCK_PAGES	((256L << 10) >> GH_PAGE_SHIFT)
#define STOCK_PART	32

/* ---- how much ---------------------------------------------------------------------------- */

/* Descriptors with more words have many objects each: such spans are not wanted that often. */
static bool may_stock(const struct goheap *heap, const struct gh_want *w)
{
	return w->kind == GH_KIND_1 && heap->limit == LONG_MAX;
}

/* How many heap pages may a new stock have? These count until it is used up or given back. */
static unsigned int reserve(struct goheap *heap)
{
	long all = atomic_long_read(&heap->pages) / STOCK_PART;
	long most = min(STOCK_PAGES, all - atomic_long_read(&heap->stocked));

	if (most <= 0)
		return 0;
	if (likely(atomic_long_add_return(most, &heap->stocked) <= all))
		return most;
	atomic_long_sub(most, &heap->stocked);
	return 0;
}

static void unreserve(struct goheap *heap, unsigned int pages)
{
	if (pages)
		atomic_long_sub(pages, &heap->stocked);
}

static void give_back(struct goheap *heap, struct gh_stock *stock)
{
	unreserve(heap, stock->most);
	if (stock->pages)
		atomic_long_sub(stock->pages, &heap->pages);
	gh_pageheap_put_stock(stock);
}

/* ---- the section ------------------------------------------------------------------------- */

/*
 * Can a span be cut off the stock? If pages are left then, there must be a descriptor for
 * these. A page may have got a memory error since the stock was taken.
 */
static bool fits(const struct gh_stock *stock, const struct gh_want *w)
{
	return stock->pages >= w->npages &&
	       IS_ALIGNED(stock->base, (unsigned long)w->align << GH_PAGE_SHIFT) &&
	       (stock->descs.nr > 1 || stock->pages == w->npages) &&
	       stock->nid == gh_mem_node() && !gh_find_poison(stock->base, w->npages);
}

static struct gh_span *cut(struct goheap *heap, struct gh_stock *stock, const struct gh_want *w)
{
	struct gh_span *s = gh_spares_pop(&stock->descs);

	s->needzero = stock->needzero;
	/* A late free, or a walk, may look at a descriptor's earlier life. */
	WRITE_ONCE(s->base, stock->base);
	WRITE_ONCE(s->npages, w->npages);
	WRITE_ONCE(s->state, w->state);
	stock->base += (unsigned long)w->npages << GH_PAGE_SHIFT;
	stock->pages -= w->npages;
	/* Used up: other CPUs may have as much. */
	if (!stock->pages) {
		unreserve(heap, stock->most);
		stock->most = 0;
	}
	return s;
}

static struct gh_stock detach(struct gh_cache *cache)
{
	struct gh_stock stock = cache->stock;

	cache->stock = (struct gh_stock){};
	return stock;
}

/**
 * gh_stock_flush() - give a stock back
 * @cache: ours
 *
 * Context: The section, or nobody uses the cache.
 */
void gh_stock_flush(struct gh_cache *cache)
{
	struct gh_stock stock = detach(cache);

	give_back(cache->heap, &stock);
}

/* ---- spans ------------------------------------------------------------------------------- */

/*
 * Cut a span off this CPU's stock. If the stock has none that fits, NULL; what is left of the
 * stock is in @rest then, if a new one may take its place here.
 */
static struct gh_span *take(struct goheap *heap, const struct gh_want *w, struct gh_stock *rest,
			    bool *may_refill)
{
	struct gh_span *s = NULL;
	struct gh_cache *cache;

	*may_refill = false;
	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (gh_section_enter(cache)) {
		if (fits(&cache->stock, w)) {
			s = cut(heap, &cache->stock, w);
		} else if (!gh_is_nested()) {
			*rest = detach(cache);
			*may_refill = true;
		}
		gh_section_exit(cache);
	}
	preempt_enable();
	return s;
}

/* Let this CPU have a stock; not if it has got one meanwhile, or is of another node. */
static void keep(struct goheap *heap, struct gh_stock *stock)
{
	struct gh_stock rest = *stock;
	struct gh_cache *cache;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (stock->nid == gh_mem_node() && gh_section_enter(cache)) {
		if (!cache->stock.descs.nr) {
			rest = cache->stock;
			cache->stock = *stock;
			WRITE_ONCE(cache->filled, true);
		}
		gh_section_exit(cache);
	}
	preempt_enable();
	give_back(heap, &rest);
}

/* Take a span from the page heap, and with it a new stock. */
static struct gh_span *refill(struct goheap *heap, unsigned int sc, gfp_t gfp)
{
	struct gh_stock stock = { .most = reserve(heap) };
	struct gh_span *s;

	if (!stock.most)
		return gh_spans_new_small(heap, sc, gfp, NUMA_NO_NODE, NULL);
	s = gh_spans_new_small(heap, sc, gfp, NUMA_NO_NODE, &stock);
	unreserve(heap, stock.most - stock.pages);
	stock.most = stock.pages;
	if (!stock.pages)
		return s;
	atomic_long_add(stock.pages, &heap->pages);
	keep(heap, &stock);
	return s;
}

/**
 * gh_stock_new_span() - make a span of free objects, from the stock if that has pages
 * @heap: whose
 * @sc: span class or GH_SC_TINY
 * @gfp: see goheap_alloc()
 *
 * Context: Any that @gfp allows; no lock and no section held.
 * Return: as gh_spans_new_small().
 */
struct gh_span *gh_stock_new_span(struct goheap *heap, unsigned int sc, gfp_t gfp)
{
	struct gh_stock rest;
	bool may_refill;
	struct gh_want w;
	struct gh_span *s;

	gh_spans_want_small(&w, heap, sc, gfp);
	if (!may_stock(heap, &w))
		return gh_spans_new_small(heap, sc, gfp, NUMA_NO_NODE, NULL);
	s = take(heap, &w, &rest, &may_refill);
	if (s) {
		gh_spans_begin_small(s, heap, sc);
		return s;
	}
	if (!may_refill)
		return gh_spans_new_small(heap, sc, gfp, NUMA_NO_NODE, NULL);
	give_back(heap, &rest);
	return refill(heap, sc, gfp);
}

/**
 * gh_stock_count() - how much the stocks of a heap have
 * @heap: which
 * @nid: from which node, or NUMA_NO_NODE for all
 * @pages: grows by the heap pages
 * @spans: grows by the spans that the page heap counts, and that were not cut off
 *
 * Context: Any. Exact when nobody uses the heap meanwhile.
 */
void gh_stock_count(const struct goheap *heap, int nid, unsigned long *pages,
		    unsigned long *spans)
{
	const struct gh_stock *stock;
	int cpu;

	for_each_possible_cpu(cpu) {
		stock = &per_cpu_ptr(heap->cache, cpu)->stock;
		if (nid != NUMA_NO_NODE && nid != gh_peek(stock->nid))
			continue;
		*pages += gh_peek(stock->pages);
		*spans += gh_peek(stock->descs.nr);
	}
}
