// SPDX-License-Identifier: GPL-2.0
/*
 * The page heap of a node: free runs of heap pages, by length and address, under one lock.
 */

#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rbtree.h>
#include <linux/slab.h>

#include "base/context.h"
#include "base/gfp.h"
#include "base/heap_page.h"
#include "base/peek.h"
#include "hooks/sanitize.h"
#include "pages/chunk.h"
#include "pages/desc.h"
#include "pages/fit.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "pages/run.h"
#include "span.h"

struct gh_page_heap **gh_page_heaps;

/**
 * gh_nearest_node() - the node to take memory from if a node has none
 * @nid: the node
 *
 * Context: Any.
 * Return: a node that has memory for the kernel.
 */
int gh_nearest_node(int nid)
{
	int other, nearest = first_node(node_states[N_NORMAL_MEMORY]);

	for_each_node_state(other, N_NORMAL_MEMORY)
		if (node_distance(nid, other) < node_distance(nid, nearest))
			nearest = other;
	return nearest;
}

/* ---- spare descriptors ---------------------------------------------------------------- */

static void spare_push(struct gh_page_heap *ph, struct gh_span *s)
{
	lockdep_assert_held(&ph->lock);
	s->npages = 0;
	WRITE_ONCE(s->base, 0);
	gh_spares_push(&ph->spares[s->kind], s);
}

static struct gh_span *spare_pop(struct gh_page_heap *ph, enum gh_desc_kind kind)
{
	lockdep_assert_held(&ph->lock);
	return gh_spares_pop(&ph->spares[kind]);
}

/* Up to @nr descriptors, linked by @next. All but the first one only if they cost no effort. */
static struct gh_span *new_descs(enum gh_desc_kind kind, int nid, unsigned int nr, gfp_t gfp)
{
	struct gh_span *list = NULL, *s;

	for (; nr; nr--, gfp = gh_gfp_light(gfp)) {
		s = gh_desc_new(kind, nid, gfp);
		if (!s)
			break;
		s->next = list;
		list = s;
	}
	return list;
}

/* Descriptors that describe nothing yet: @nr, or at least one. No lock is held. */
static int spare_add(struct gh_page_heap *ph, enum gh_desc_kind kind, unsigned int nr, gfp_t gfp)
{
	struct gh_span *list, *s;
	unsigned long flags;

	if (!gh_memory_begin(gfp))
		return -ENOMEM;
	list = new_descs(kind, ph->nid, nr, gfp);
	gh_memory_end(gfp);
	if (!list)
		return -ENOMEM;
	gh_lock(&ph->lock, flags);
	ph->locked++;
	while ((s = list)) {
		list = s->next;
		spare_push(ph, s);
	}
	gh_unlock(&ph->lock, flags);
	return 0;
}

/**
 * gh_pageheap_trim_spares() - free descriptors that describe nothing
 * @ph: whose
 * @keep: how many of each kind stay
 *
 * Context: Process context.
 */
void gh_pageheap_trim_spares(struct gh_page_heap *ph, unsigned int keep)
{
	struct gh_span *s;
	enum gh_desc_kind kind;
	unsigned long flags;

	for (kind = 0; kind < GH_NR_KINDS; kind++) {
		do {
			gh_lock(&ph->lock, flags);
			s = ph->spares[kind].nr > keep ? spare_pop(ph, kind) : NULL;
			gh_unlock(&ph->lock, flags);
			if (s)
				gh_desc_delete(s);
		} while (s);
	}
}

/* ---- runs ------------------------------------------------------------------------------- */

static bool run_less(struct rb_node *a, const struct rb_node *b)
{
	const struct gh_span *x = rb_entry(a, struct gh_span, run);
	const struct gh_span *y = rb_entry(b, struct gh_span, run);

	return x->npages != y->npages ? x->npages < y->npages : x->base < y->base;
}

static void run_insert(struct gh_page_heap *ph, struct gh_span *s)
{
	struct gh_arena *arena = gh_arena_of(s->base);

	lockdep_assert_held(&ph->lock);
	rb_add(&s->run, &ph->runs, run_less);
	ph->nr_runs++;
	ph->changes++;
	ph->idle += s->npages;
	gh_map_set(arena, s->base, s);
	gh_map_set(arena, gh_run_end(s) - GH_PAGE_SIZE, s);
}

/* The pages' map entries still name the run; the caller sets them anew. */
static void run_erase(struct gh_page_heap *ph, struct gh_span *s)
{
	lockdep_assert_held(&ph->lock);
	rb_erase(&s->run, &ph->runs);
	ph->nr_runs--;
	ph->changes++;
	ph->idle -= s->npages;
}

/* The free run of this page heap that starts or ends with the page at @addr, or NULL. */
static struct gh_span *run_at(struct gh_page_heap *ph, struct gh_arena *arena,
			      unsigned long addr)
{
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	if (ALIGN_DOWN(addr, GH_ARENA_SIZE) != arena->base)
		return NULL;
	s = READ_ONCE(arena->spans[gh_arena_page(addr)]);
	if (!s || READ_ONCE(s->nid) != ph->nid || READ_ONCE(s->state) != GH_SPAN_FREE)
		return NULL;
	return s->base <= addr && addr < gh_run_end(s) ? s : NULL;
}

/* Add pages to the free runs, and join them with the runs on both sides. Returns the run. */
static struct gh_span *run_free(struct gh_page_heap *ph, struct gh_span *s)
{
	struct gh_arena *arena = gh_arena_of(s->base);
	struct gh_span *left = run_at(ph, arena, s->base - GH_PAGE_SIZE);
	struct gh_span *right = run_at(ph, arena, gh_run_end(s));

	lockdep_assert_held(&ph->lock);
	if (left) {
		run_erase(ph, left);
		gh_map_set(arena, gh_run_end(left) - GH_PAGE_SIZE, NULL);
		gh_map_set(arena, s->base, NULL);
		WRITE_ONCE(s->base, left->base);
		WRITE_ONCE(s->npages, s->npages + left->npages);
		s->needzero |= left->needzero;
		spare_push(ph, left);
	}
	if (right) {
		run_erase(ph, right);
		gh_map_set(arena, right->base, NULL);
		gh_map_set(arena, right->base - GH_PAGE_SIZE, NULL);
		WRITE_ONCE(s->npages, s->npages + right->npages);
		s->needzero |= right->needzero;
		spare_push(ph, right);
	}
	run_insert(ph, s);
	return s;
}

/* A descriptor for pages that are in no tree. There is a spare one. */
static struct gh_span *run_new(struct gh_page_heap *ph, unsigned long base, unsigned int npages,
			       bool needzero)
{
	struct gh_span *s = spare_pop(ph, GH_KIND_1);

	WRITE_ONCE(s->base, base);
	WRITE_ONCE(s->npages, npages);
	s->needzero = needzero;
	return s;
}

/* Put [from, to), which was cut off an allocated run, back into the free runs. */
static void run_put_rest(struct gh_page_heap *ph, unsigned long from, unsigned long to,
			 bool needzero)
{
	if (from != to)
		run_insert(ph, run_new(ph, from, (to - from) >> GH_PAGE_SHIFT, needzero));
}

/*
 * Cut @npages at @start out of a run, as a span of kind @kind that is not initialised yet. The
 * caller has checked that there are enough spare descriptors.
 */
static struct gh_span *run_cut_at(struct gh_page_heap *ph, struct gh_span *run,
				  unsigned long start, unsigned int npages, enum gh_desc_kind kind)
{
	unsigned long end = start + ((unsigned long)npages << GH_PAGE_SHIFT);
	unsigned long run_start = run->base, run_stop = gh_run_end(run);
	struct gh_arena *arena = gh_arena_of(start);
	struct gh_span *s = run;

	lockdep_assert_held(&ph->lock);
	run_erase(ph, run);
	if (run->kind != kind) {
		s = spare_pop(ph, kind);
		s->needzero = run->needzero;
		spare_push(ph, run);
	}
	WRITE_ONCE(s->base, start);
	WRITE_ONCE(s->npages, npages);
	/* Until the commit, neighbours would find the run's descriptor, which may be freed. */
	gh_map_set(arena, start, s);
	gh_map_set(arena, end - GH_PAGE_SIZE, s);
	run_put_rest(ph, run_start, start, s->needzero);
	run_put_rest(ph, end, run_stop, s->needzero);
	return s;
}

static void count_alloc(struct gh_page_heap *ph, struct gh_span *s, enum gh_span_state state)
{
	lockdep_assert_held(&ph->lock);
	if (state == GH_SPAN_LARGE) {
		ph->large += s->npages;
		ph->large_spans++;
		ph->large_allocs++;
	} else {
		ph->small += s->npages;
		ph->small_spans++;
	}
	ph->peak = max(ph->peak, ph->small + ph->large);
	WRITE_ONCE(s->state, state);
	gh_map_mark(gh_arena_of(s->base), s->base, s->npages, true);
}

static void count_free(struct gh_page_heap *ph, const struct gh_span *s)
{
	lockdep_assert_held(&ph->lock);
	if (s->state == GH_SPAN_LARGE) {
		ph->large -= s->npages;
		ph->large_spans--;
	} else {
		ph->small -= s->npages;
		ph->small_spans--;
	}
}

/*
 * Take the heap pages of a kernel page with a memory error out of the run, for good. A kernel
 * page may be several heap pages; it goes back after all of them were set aside.
 */
static void set_aside(struct gh_page_heap *ph, struct gh_span *run, unsigned long bad)
{
	unsigned long unit = ALIGN_DOWN(bad, GH_RELEASE_SIZE);
	unsigned long end = min(unit + GH_RELEASE_SIZE, gh_run_end(run));
	unsigned long start = max(unit, run->base);
	struct gh_arena *arena = gh_arena_of(start);
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	s = run_cut_at(ph, run, start, (end - start) >> GH_PAGE_SHIFT, run->kind);
	/* Otherwise the page would be joined with a neighbour that becomes free. */
	gh_map_set(arena, start, NULL);
	gh_map_set(arena, end - GH_PAGE_SIZE, NULL);
	s->next = ph->poisoned;
	WRITE_ONCE(ph->poisoned, s);
	ph->nr_poisoned += s->npages;
}

/*
 * Are there enough spare descriptors to cut the span out of the run? One for the span, unless
 * the run's own will do, and one for each rest. If not, @missing says which kind to add.
 */
static bool spares_suffice(struct gh_page_heap *ph, const struct gh_span *run,
			   const struct gh_want *w, enum gh_desc_kind *missing)
{
	unsigned long start = gh_fit_start(run, w);
	unsigned long end = start + ((unsigned long)w->npages << GH_PAGE_SHIFT);
	unsigned int rests = (start != run->base) + (end != gh_run_end(run));
	unsigned int have = ph->spares[GH_KIND_1].nr;
	enum gh_desc_kind kind = w->kind;

	lockdep_assert_held(&ph->lock);
	if (run->kind != kind) {
		*missing = kind;
		if (!ph->spares[kind].nr)
			return false;
		/* One is used, and the run's becomes one. */
		have -= kind == GH_KIND_1;
		have += run->kind == GH_KIND_1;
	}
	*missing = GH_KIND_1;
	return have >= rests;
}

/* ---- stocks ------------------------------------------------------------------------------- */

/* Spare descriptors that a stock leaves to those who cannot add any, as in NMI. */
#define SPARES_LEFT	8U

/* What was not cut off. */
static void stock_put(struct gh_page_heap *ph, struct gh_stock *stock)
{
	lockdep_assert_held(&ph->lock);
	ph->small_spans -= stock->descs.nr;
	ph->small -= stock->pages;
	while (stock->descs.nr)
		gh_spares_move(&ph->spares[GH_KIND_1], &stock->descs);
	if (!stock->pages)
		return;
	gh_map_mark(gh_arena_of(stock->base), stock->base, stock->pages, false);
	run_free(ph, run_new(ph, stock->base, stock->pages, stock->needzero));
}

/* How many spans as the one that is wanted can follow it in the stock? */
static unsigned int stock_spans(const struct gh_page_heap *ph, const struct gh_span *run,
				const struct gh_want *w)
{
	unsigned int nr = min_t(unsigned int, w->stock->most, run->npages) / w->npages;

	/* A descriptor for each, of which the run's is one, and one for what is left of the run. */
	return min(nr, ph->spares[GH_KIND_1].nr - min(ph->spares[GH_KIND_1].nr, SPARES_LEFT));
}

/* At least @nr descriptors for a stock, in bundles. */
static void stock_take_descs(struct gh_page_heap *ph, struct gh_stock *stock, unsigned int nr)
{
	lockdep_assert_held(&ph->lock);
	while (stock->descs.nr < nr)
		gh_spares_move(&stock->descs, &ph->spares[GH_KIND_1]);
	while (stock->descs.nr > nr && ph->spares[GH_KIND_1].nr < SPARES_LEFT)
		spare_push(ph, gh_spares_pop(&stock->descs));
}

/* Fill an empty stock with free pages that follow a span. */
static void stock_fill(struct gh_page_heap *ph, const struct gh_span *s, const struct gh_want *w)
{
	struct gh_arena *arena = gh_arena_of(s->base);
	struct gh_span *run = run_at(ph, arena, gh_run_end(s));
	struct gh_stock *stock = w->stock;
	unsigned int nr;

	lockdep_assert_held(&ph->lock);
	nr = run ? stock_spans(ph, run, w) : 0;
	if (!nr)
		return;
	run = run_cut_at(ph, run, run->base, nr * w->npages, GH_KIND_1);
	/* Otherwise the pages would be joined with a neighbour that becomes free. */
	gh_map_set(arena, run->base, NULL);
	gh_map_set(arena, gh_run_end(run) - GH_PAGE_SIZE, NULL);
	gh_map_mark(arena, run->base, run->npages, true);
	stock->base = run->base;
	stock->pages = run->npages;
	stock->needzero = run->needzero;
	stock->nid = ph->nid;
	spare_push(ph, run);
	stock_take_descs(ph, stock, nr);
	ph->small += stock->pages;
	ph->small_spans += stock->descs.nr;
	ph->peak = max(ph->peak, ph->small + ph->large);
}

/* A CPU has a stock of its own node only. */
static bool wants_stock(const struct gh_page_heap *ph, const struct gh_want *w)
{
	return w->stock && ph->nid == gh_mem_node();
}

/**
 * gh_pageheap_put_stock() - give back what is left of a stock
 * @stock: may be used up
 *
 * Context: Any but NMI; no lock held.
 */
void gh_pageheap_put_stock(struct gh_stock *stock)
{
	struct gh_page_heap *ph;
	unsigned long flags;

	if (!stock->descs.nr)
		return;
	ph = gh_page_heaps[stock->nid];
	gh_lock(&ph->lock, flags);
	ph->locked++;
	stock_put(ph, stock);
	gh_unlock(&ph->lock, flags);
}

/* ---- spans that go out ---------------------------------------------------------------------- */

/*
 * Cut a span out of a run. There are enough spares for that. If a page has a memory error, the
 * page is set aside: -EHWPOISON, the rest of the run is sound; or -EAGAIN, there are not enough
 * spares to set the page aside.
 */
static struct gh_span *run_cut(struct gh_page_heap *ph, struct gh_span *run,
			       const struct gh_want *w)
{
	unsigned long start = gh_fit_start(run, w), bad = gh_find_poison(start, w->npages);
	struct gh_span *s;

	if (unlikely(bad)) {
		if (ph->spares[GH_KIND_1].nr < 2)
			return ERR_PTR(-EAGAIN);
		set_aside(ph, run, bad);
		return ERR_PTR(-EHWPOISON);
	}
	s = run_cut_at(ph, run, start, w->npages, w->kind);
	count_alloc(ph, s, w->state);
	if (wants_stock(ph, w))
		stock_fill(ph, s, w);
	return s;
}

/*
 * -EAGAIN: a descriptor is @missing. -ENOSPC: no run fits. -EBUSY: NMI, and the lock
 * is taken. -EHWPOISON: a bad page was set aside, the rest of the run is sound: try again.
 */
static struct gh_span *alloc_run(struct gh_page_heap *ph, const struct gh_want *w,
				 enum gh_desc_kind *missing)
{
	unsigned long flags;
	struct gh_span *run, *s;

	if (!gh_lock_or_try(&ph->lock, flags))
		return ERR_PTR(-EBUSY);
	ph->locked++;
	run = gh_fit_find(ph, w);
	if (!run)
		s = ERR_PTR(-ENOSPC);
	else if (!spares_suffice(ph, run, w, missing))
		s = ERR_PTR(-EAGAIN);
	else
		s = run_cut(ph, run, w);
	gh_unlock(&ph->lock, flags);
	return s;
}

/* Descriptors that are added at a time, for the next spans as well. */
#define SPARES_ADDED	16
#define SPARES_ADDED_ATOMIC	4

/* The kind that every cut needs, and every other span, is not added one at a time. */
static unsigned int spares_to_add(const struct gh_want *w, enum gh_desc_kind missing)
{
	if (missing != GH_KIND_1)
		return 1;
	return w->atomic ? SPARES_ADDED_ATOMIC : SPARES_ADDED;
}

/* So that the stock need not be small for want of descriptors. If there are none, it is. */
static void add_spares_for_stock(struct gh_page_heap *ph, const struct gh_want *w, gfp_t gfp)
{
	unsigned int need = w->stock->most / w->npages + 2 + SPARES_LEFT;
	unsigned int have = gh_peek(ph->spares[GH_KIND_1].nr);
	unsigned int most = w->atomic ? SPARES_ADDED_ATOMIC : need;

	if (have < need)
		spare_add(ph, GH_KIND_1, min(need - have, most), gh_gfp_light(gfp));
}

/**
 * gh_pageheap_alloc() - take pages from the free runs
 * @ph: which
 * @w: what is wanted
 * @gfp: how hard to try for descriptors
 *
 * Context: Any that @gfp allows; no lock held.
 * Return: a span; -ENOSPC if no run fits; -EAGAIN if a descriptor is missing; -EBUSY in NMI,
 * if the lock is taken.
 */
struct gh_span *gh_pageheap_alloc(struct gh_page_heap *ph, const struct gh_want *w, gfp_t gfp)
{
	enum gh_desc_kind missing;
	struct gh_span *s;

	if (wants_stock(ph, w))
		add_spares_for_stock(ph, w, gfp);
	do {
		s = alloc_run(ph, w, &missing);
	} while (s == ERR_PTR(-EHWPOISON) ||
		 (s == ERR_PTR(-EAGAIN) &&
		  !spare_add(ph, missing, spares_to_add(w, missing), gfp)));
	return s;
}

/**
 * gh_pageheap_grow() - add a run of new pages, and take the wanted span from the run
 * @ph: which
 * @run: the pages
 * @descs: three descriptors: one of @w's kind, two for what is cut off; the page heap's now
 * @w: what is wanted, and fits
 *
 * In one step: otherwise another CPU might take the run, or gh_fit_find() might not find
 * the run again.
 *
 * Context: Any but NMI; no lock held.
 * Return: a span; -EHWPOISON if a bad page was set aside, and the rest is sound.
 */
struct gh_span *gh_pageheap_grow(struct gh_page_heap *ph, struct gh_span *run,
				 struct gh_span *descs[3], const struct gh_want *w)
{
	unsigned long flags;
	struct gh_span *s;
	unsigned int i;

	gh_lock(&ph->lock, flags);
	ph->locked++;
	ph->taken += run->npages;
	for (i = 0; i < 3; i++)
		spare_push(ph, descs[i]);
	s = run_cut(ph, run_free(ph, run), w);
	gh_unlock(&ph->lock, flags);
	return s;
}

/* ---- spans that come back ---------------------------------------------------------------- */

/* So many spans come back under one hold of the lock, with interrupts off. */
#define MOST_FREES	(IS_ENABLED(CONFIG_PREEMPT_RT) ? 8 : 32)

/* A span becomes free pages, which are no run yet: the map still names the span. */
static void begin_free(struct gh_page_heap *ph, struct gh_span *s)
{
	lockdep_assert_held(&ph->lock);
	count_free(ph, s);
	gh_span_init_free(s);
}

/* The pages become a run. Their map entries name spans that are no longer: once for each page. */
static void end_free(struct gh_page_heap *ph, struct gh_span *run)
{
	struct gh_arena *arena = gh_arena_of(run->base);

	lockdep_assert_held(&ph->lock);
	gh_map_mark(arena, run->base, run->npages, false);
	if (run->npages > 2)
		gh_map_set_range(arena, run->base + GH_PAGE_SIZE, run->npages - 2, NULL);
	run_free(ph, run);
}

/* Can the span join pages that came back just before it? */
static bool adjoins(const struct gh_span *run, const struct gh_span *s)
{
	return (gh_run_end(run) == s->base || gh_run_end(s) == run->base) && s->nid == run->nid &&
	       s->base >> GH_ARENA_SHIFT == run->base >> GH_ARENA_SHIFT;
}

static void join(struct gh_page_heap *ph, struct gh_span *run, struct gh_span *s)
{
	begin_free(ph, s);
	WRITE_ONCE(run->base, min(run->base, s->base));
	WRITE_ONCE(run->npages, run->npages + s->npages);
	run->needzero |= s->needzero;
	spare_push(ph, s);
}

/* Free the first span of the list, and those after it that adjoin. Returns the rest. */
static struct gh_span *free_neighbours(struct gh_page_heap *ph, struct gh_span *list,
				       unsigned int *budget)
{
	struct gh_span *run = list, *s = list->next, *next;

	begin_free(ph, run);
	for (--*budget; s && *budget && adjoins(run, s); --*budget) {
		next = s->next;
		join(ph, run, s);
		s = next;
	}
	end_free(ph, run);
	return s;
}

static struct gh_span *free_some(struct gh_page_heap *ph, struct gh_span *list)
{
	unsigned int budget = MOST_FREES;
	unsigned long flags;

	gh_lock(&ph->lock, flags);
	ph->locked++;
	while (list && budget && list->nid == ph->nid)
		list = free_neighbours(ph, list, &budget);
	gh_unlock(&ph->lock, flags);
	return list;
}

/**
 * gh_pageheap_free_list() - make spans free runs
 * @list: spans without live objects, linked by @next; tokens held, on no other list
 *
 * Spans that follow each other on the list, and are neighbours in memory, cost the least.
 *
 * Context: Any but NMI; no lock held.
 */
void gh_pageheap_free_list(struct gh_span *list)
{
	while (list)
		list = free_some(gh_page_heaps[list->nid], list);
}

/* ---- pages that leave ------------------------------------------------------------------ */

static unsigned long cut_for_release(struct gh_page_heap *ph, unsigned long max,
				     struct gh_run_key *key, unsigned long *addr)
{
	unsigned long start, end, stop;
	struct gh_arena *arena;
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	s = gh_fit_for_release(ph, max, key, &start, &end);
	if (!s)
		return 0;
	stop = gh_run_end(s);
	arena = gh_arena_of(s->base);
	run_erase(ph, s);
	gh_map_set(arena, s->base, NULL);
	gh_map_set(arena, stop - GH_PAGE_SIZE, NULL);
	run_put_rest(ph, end, stop, s->needzero);
	WRITE_ONCE(s->npages, (start - s->base) >> GH_PAGE_SHIFT);
	if (s->npages)
		run_insert(ph, s);
	else
		spare_push(ph, s);
	*addr = start;
	ph->returned += (end - start) >> GH_PAGE_SHIFT;
	return (end - start) >> GH_PAGE_SHIFT;
}

/**
 * gh_pageheap_cut() - take pages out of the free runs that go back to the kernel
 * @ph: which
 * @max: how many heap pages at most
 * @key: where the walk is, from the longest run down; its @npages is 0 after the last
 * @addr: set to where they start
 *
 * Context: Process context, or a shrinker; no lock held.
 * Return: how many heap pages; 0 if the runs that were looked at have none.
 */
unsigned long gh_pageheap_cut(struct gh_page_heap *ph, unsigned long max, struct gh_run_key *key,
			      unsigned long *addr)
{
	unsigned long flags, n;

	/* A run that ends within a page of the kernel leaves two. */
	if (GH_RELEASE_PAGES > 1 && !gh_peek(ph->spares[GH_KIND_1].nr))
		spare_add(ph, GH_KIND_1, 1, GH_GFP_SPARE);
	gh_lock(&ph->lock, flags);
	n = cut_for_release(ph, max, key, addr);
	gh_unlock(&ph->lock, flags);
	return n;
}

/* How many heap pages of a kernel page are set aside. */
static unsigned int nr_aside(struct gh_page_heap *ph, unsigned long unit)
{
	unsigned int nr = 0;
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	for (s = ph->poisoned; s; s = s->next)
		if (ALIGN_DOWN(s->base, GH_RELEASE_SIZE) == unit)
			nr += s->npages;
	return nr;
}

static void drop_aside(struct gh_page_heap *ph, unsigned long unit)
{
	struct gh_span **link = &ph->poisoned, *s;

	lockdep_assert_held(&ph->lock);
	while ((s = *link)) {
		if (ALIGN_DOWN(s->base, GH_RELEASE_SIZE) == unit) {
			WRITE_ONCE(*link, s->next);
			spare_push(ph, s);
		} else {
			link = &s->next;
		}
	}
	ph->nr_poisoned -= GH_RELEASE_PAGES;
	ph->returned += GH_RELEASE_PAGES;
}

/**
 * gh_pageheap_cut_poisoned() - take out a page of the kernel that is all set aside
 * @ph: of which page heap
 *
 * Context: Process context, or a shrinker; no lock held.
 * Return: its address, or 0 if there is none.
 */
unsigned long gh_pageheap_cut_poisoned(struct gh_page_heap *ph)
{
	unsigned long unit = 0, flags;
	struct gh_span *s;

	gh_lock(&ph->lock, flags);
	for (s = ph->poisoned; s && !unit; s = s->next)
		if (nr_aside(ph, ALIGN_DOWN(s->base, GH_RELEASE_SIZE)) == GH_RELEASE_PAGES)
			unit = ALIGN_DOWN(s->base, GH_RELEASE_SIZE);
	if (unit)
		drop_aside(ph, unit);
	gh_unlock(&ph->lock, flags);
	return unit;
}

/**
 * gh_pageheap_forgive() - make free runs of pages with memory errors
 * @ph: whose
 *
 * The pages that are still here share a kernel page with heap pages that are not set aside.
 *
 * Context: Process context, nobody allocates any more.
 */
void gh_pageheap_forgive(struct gh_page_heap *ph)
{
	struct gh_span *s;
	unsigned long flags;

	gh_lock(&ph->lock, flags);
	while ((s = ph->poisoned)) {
		WRITE_ONCE(ph->poisoned, s->next);
		ph->nr_poisoned -= s->npages;
		run_free(ph, s);
	}
	gh_unlock(&ph->lock, flags);
}

/**
 * gh_pageheap_idle_pages() - what a shrinker could have
 * @ph: of which node
 *
 * Context: Any.
 * Return: kernel pages in free runs.
 */
unsigned long gh_pageheap_idle_pages(const struct gh_page_heap *ph)
{
	return (gh_peek(ph->idle) << GH_PAGE_SHIFT) >> PAGE_SHIFT;
}

/* ---- checks -------------------------------------------------------------------------- */

/* A check of the free runs: between two holds of the lock the runs may change. */
struct check {
	struct gh_run_key next;		/* the runs below were not looked at yet */
	unsigned long changes;		/* gh_page_heap.changes when the check began */
	unsigned long idle;
	unsigned long nr;
	bool done;
};

/* How many runs are checked under one hold of the lock. */
#define MOST_CHECKS	128

static const char *check_run(struct gh_page_heap *ph, const struct gh_span *s)
{
	struct rb_node *next = rb_next(&s->run);

	lockdep_assert_held(&ph->lock);
	if (s->state != GH_SPAN_FREE || s->limit || !atomic_read(&s->claimed))
		return "a run's state, limit or token is not that of free pages";
	if (next && !run_less((struct rb_node *)&s->run, next))
		return "the runs are not in order";
	if (gh_span_of((void *)s->base) != s || gh_span_of((void *)(gh_run_end(s) - 1)) != s)
		return "a run's addresses find another span";
	/* two neighbours that are not one */
	if (run_at(ph, gh_arena_of(s->base), s->base - GH_PAGE_SIZE) ||
	    run_at(ph, gh_arena_of(s->base), gh_run_end(s)))
		return "two runs are neighbours, and not one";
	return NULL;
}

static const char *check_some(struct gh_page_heap *ph, struct check *c)
{
	struct rb_node *node = gh_fit_below(ph, &c->next);
	unsigned int looks;
	struct gh_span *s;
	const char *wrong = NULL;

	for (looks = 0; node && looks < MOST_CHECKS && !wrong; looks++) {
		s = rb_entry(node, struct gh_span, run);
		wrong = check_run(ph, s);
		c->idle += s->npages;
		c->nr++;
		c->next = (struct gh_run_key){ .npages = s->npages, .base = s->base };
		node = rb_prev(node);
	}
	c->done = !node;
	return wrong;
}

/* All runs were checked: do the sums fit? */
static const char *check_sums(const struct gh_page_heap *ph, const struct check *c)
{
	/* If the runs changed during the check, the sums mix different times. */
	if (ph->changes == c->changes && (c->idle != ph->idle || c->nr != ph->nr_runs))
		return "the runs are miscounted";
	return ph->idle + ph->nr_poisoned + ph->small + ph->large + ph->returned != ph->taken ?
	       "pages were lost or gained" : NULL;
}

/**
 * gh_pageheap_validate() - check a page heap
 * @ph: which
 *
 * Context: Any but NMI.
 * Return: NULL, or what is wrong, in words.
 */
const char *gh_pageheap_validate(struct gh_page_heap *ph)
{
	struct check c = { .next.npages = ULONG_MAX, .changes = gh_peek(ph->changes) };
	unsigned long flags;
	const char *wrong;

	do {
		gh_lock(&ph->lock, flags);
		wrong = check_some(ph, &c);
		if (!wrong && c.done)
			wrong = check_sums(ph, &c);
		gh_unlock(&ph->lock, flags);
	} while (!wrong && !c.done);
	return wrong;
}

/* ---- start and stop ------------------------------------------------------------------ */

/**
 * gh_pageheap_exit() - free the page heaps
 *
 * Context: Process context; they have no pages.
 */
void gh_pageheap_exit(void)
{
	int nid;

	for_each_node(nid)
		kfree(gh_page_heaps[nid]);
	kfree(gh_page_heaps);
}

/**
 * gh_pageheap_init() - make an empty page heap for every node
 *
 * Context: Process context.
 * Return: 0 or -ENOMEM.
 */
int gh_pageheap_init(void)
{
	struct gh_page_heap *ph;
	int nid;

	gh_page_heaps = kcalloc(nr_node_ids, sizeof(*gh_page_heaps), GFP_KERNEL);
	if (!gh_page_heaps)
		return -ENOMEM;
	for_each_node(nid) {
		ph = kzalloc_node(sizeof(*ph), GFP_KERNEL,
				  node_online(nid) ? nid : NUMA_NO_NODE);
		if (!ph) {
			gh_pageheap_exit();
			return -ENOMEM;
		}
		raw_spin_lock_init(&ph->lock);
		ph->runs = RB_ROOT;
		ph->scarce_until = jiffies;
		ph->nid = nid;
		gh_page_heaps[nid] = ph;
	}
	return 0;
}
