// SPDX-License-Identifier: GPL-2.0
/*
 * Pages for spans: from the free runs of a node, from the kernel if there are none that fit,
 * and back.
 */

#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/nodemask.h>

#include "arena.h"
#include "base/context.h"
#include "base/gfp.h"
#include "base/heap_page.h"
#include "base/peek.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "pages/chunk.h"
#include "pages/desc.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "pages/run.h"
#include "span.h"

/* After long runs were not to be had, gentle requests do not ask again for so long. */
#define SCARCE_FOR	(HZ / 10)

/* Called when pages were taken from the kernel; reclaim.c sets it. */
gh_arena_grown_fn *gh_arena_grown;

/* Descriptors for a chunk, for the span that is cut out, and for the rests on both sides. */
struct chunk_descs {
	struct gh_span *run;
	struct gh_span *cut[3];
};

static void descs_delete(struct chunk_descs *d)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(d->cut); i++)
		if (d->cut[i])
			gh_desc_delete(d->cut[i]);
	if (d->run)
		gh_desc_delete(d->run);
}

static bool descs_new(struct chunk_descs *d, enum gh_desc_kind kind, int nid, gfp_t gfp)
{
	*d = (struct chunk_descs){};
	d->run = gh_desc_new(GH_KIND_1, nid, gfp);
	d->cut[0] = d->run ? gh_desc_new(kind, nid, gfp) : NULL;
	d->cut[1] = d->cut[0] ? gh_desc_new(GH_KIND_1, nid, gfp) : NULL;
	d->cut[2] = d->cut[1] ? gh_desc_new(GH_KIND_1, nid, gfp) : NULL;
	if (d->cut[2])
		return true;
	descs_delete(d);
	return false;
}

/* Cut the wanted span out of the split pages, and make the rest free runs of their node. */
static struct gh_span *chunk_add(struct page *page, unsigned int order, bool zeroed,
				 const struct gh_want *w, gfp_t gfp)
{
	struct gh_page_heap *ph = gh_page_heaps[page_to_nid(page)];
	struct chunk_descs d;

	if (!descs_new(&d, w->kind, ph->nid, gfp))
		return ERR_PTR(-ENOMEM);
	if (gh_chunk_own(page, order, gfp)) {
		descs_delete(&d);
		return ERR_PTR(-ENOMEM);
	}
	d.run->base = (unsigned long)page_address(page);
	d.run->npages = (PAGE_SIZE << order) >> GH_PAGE_SHIFT;
	d.run->needzero = !zeroed;
	return gh_pageheap_grow(ph, d.run, d.cut, w);
}

static void tell_growth(void)
{
	gh_arena_grown_fn *grown = READ_ONCE(gh_arena_grown);

	if (grown)
		grown();
}

static struct gh_span *take_chunk(int nid, const struct gh_want *w, gfp_t gfp)
{
	unsigned long bytes = (unsigned long)max(w->npages, w->align) << GH_PAGE_SHIFT;
	unsigned int order;
	struct gh_span *s;
	struct page *page;

	page = gh_chunk_alloc(nid, get_order(bytes), gfp, &order);
	if (!page)
		return ERR_PTR(-ENOMEM);
	split_page(page, order);
	s = chunk_add(page, order, want_init_on_alloc(gfp), w, gfp & ~__GFP_THISNODE);
	if (IS_ERR(s) && s != ERR_PTR(-EHWPOISON))
		gh_chunk_free(page, 1U << order);
	else
		tell_growth();
	return s;
}

/* Take a span out of new pages of the kernel. */
static struct gh_span *grow(int nid, const struct gh_want *w, gfp_t gfp)
{
	struct gh_span *s;

	if (!gh_memory_begin(gfp))
		return ERR_PTR(-EBUSY);
	do {
		s = take_chunk(nid, w, gfp);
	} while (s == ERR_PTR(-EHWPOISON));
	gh_memory_end(gfp);
	return s;
}

/* Take a span from one node, with new pages of the kernel if no run fits. */
static struct gh_span *alloc_growing(int nid, const struct gh_want *w, gfp_t gfp)
{
	struct gh_span *s = gh_pageheap_alloc(gh_page_heaps[nid], w, gfp & ~__GFP_THISNODE);

	return s == ERR_PTR(-ENOSPC) ? grow(nid, w, gfp) : s;
}

static bool is_scarce(const struct gh_page_heap *ph, const struct gh_want *w)
{
	return w->npages >= gh_peek(ph->scarce) && time_before(jiffies, gh_peek(ph->scarce_until));
}

/* Two CPUs at a time may mix the values; then a request is made once more, or once less. */
static void note_scarce(struct gh_page_heap *ph, const struct gh_want *w)
{
	if (time_before(jiffies, gh_peek(ph->scarce_until)) && w->npages > gh_peek(ph->scarce))
		return;
	WRITE_ONCE(ph->scarce, w->npages);
	WRITE_ONCE(ph->scarce_until, jiffies + SCARCE_FOR);
}

/* Take a span from the free runs of any node. */
static struct gh_span *alloc_idle(const struct gh_want *w, gfp_t gfp)
{
	struct gh_span *s;
	int nid;

	for_each_online_node(nid) {
		s = gh_pageheap_alloc(gh_page_heaps[nid], w, gfp);
		if (!IS_ERR(s))
			return s;
	}
	return ERR_PTR(-ENOSPC);
}

static struct gh_span *alloc_span(int nid, const struct gh_want *w, gfp_t gfp)
{
	struct gh_span *s;

	if (gfp & __GFP_THISNODE)
		return alloc_growing(nid, w, gfp);
	/* No reclaim for the sake of the node: other nodes may have plenty. */
	s = alloc_growing(nid, w, gh_gfp_of_node(gfp));
	if (IS_ERR(s))
		s = alloc_idle(w, gfp);
	/* New pages from the node that the kernel prefers, with reclaim. */
	return IS_ERR(s) ? grow(nid, w, gfp) : s;
}

static struct gh_span *alloc_gently(int nid, const struct gh_want *w, gfp_t gfp)
{
	struct gh_page_heap *ph = gh_page_heaps[nid];
	struct gh_span *s;

	gfp = gh_gfp_gentle(gfp, get_order((unsigned long)w->npages << GH_PAGE_SHIFT));
	if (is_scarce(ph, w))
		return gfp & __GFP_THISNODE ? gh_pageheap_alloc(ph, w, gfp) : alloc_idle(w, gfp);
	s = alloc_span(nid, w, gfp);
	if (s == ERR_PTR(-ENOMEM))
		note_scarce(ph, w);
	return s;
}

/**
 * gh_arena_alloc() - allocate the pages of a span
 * @w: which pages
 * @gfp: how hard to try, and whether other nodes will do
 * @nid: the node
 *
 * Call gh_arena_commit() when the span is initialised.
 *
 * Context: Any that @gfp allows; no lock held. In NMI, and where the kernel's
 * page allocator cannot be called, only what is already here can be had.
 * Return: a span with pages and the token held, or NULL.
 */
struct gh_span *gh_arena_alloc(const struct gh_want *w, gfp_t gfp, int nid)
{
	struct gh_span *s;

	gfp = gh_gfp_inherited(gfp);
	s = w->gentle ? alloc_gently(nid, w, gfp) : alloc_span(nid, w, gfp);
	return IS_ERR(s) ? NULL : s;
}

/**
 * gh_arena_commit() - let addresses find a span
 * @s: from gh_arena_alloc(), initialised
 *
 * Context: Any.
 */
void gh_arena_commit(struct gh_span *s)
{
	struct gh_arena *arena;

	/* The arena stays while pages in it are ours; only the map may be replaced. */
	rcu_read_lock();
	arena = gh_arena_of(s->base);
	rcu_read_unlock();
	if (s->heap)
		WRITE_ONCE(arena->heaps[gh_arena_page(s->base)], s->heap->id);
	gh_map_set_range(arena, s->base, s->npages, s);
}

/**
 * gh_arena_free_list() - give the pages of spans back to the page heap
 * @list: spans without live objects, linked by @next; tokens held, on no other list
 *
 * Context: Any but NMI; no lock held.
 */
void gh_arena_free_list(struct gh_span *list)
{
	struct gh_span *s;

	for (s = list; s; s = s->next)
		gh_chunk_check(s);
	gh_pageheap_free_list(list);
}

/* Give back pages with memory errors: the kernel knows them, and gives them to nobody. */
static void release_poisoned(struct gh_page_heap *ph)
{
	unsigned long unit;

	if (likely(!READ_ONCE(ph->poisoned)))
		return;
	while ((unit = gh_pageheap_cut_poisoned(ph)))
		gh_chunk_return(ph->nid, unit, GH_RELEASE_PAGES);
}

/* At most this many heap pages are cut off at a time: 4 MiB. */
#define RELEASE_BATCH	512UL

/**
 * gh_arena_scavenge() - give idle pages back to the kernel
 * @ph: whose
 * @nr: how many heap pages, at most; rounded up to whole pages of the kernel
 *
 * The longest runs go first, from their end, because they are the least likely
 * to be needed for a best fit soon.
 *
 * Context: Process context, or a shrinker. No lock held.
 * Return: how many heap pages went.
 */
unsigned long gh_arena_scavenge(struct gh_page_heap *ph, unsigned long nr)
{
	struct gh_run_key key = { .npages = ULONG_MAX };
	unsigned long addr, n, done = 0;

	gh_sanitize_forget_pending();
	release_poisoned(ph);
	while (done < nr && key.npages) {
		n = gh_pageheap_cut(ph, min(max(nr - done, GH_RELEASE_PAGES), RELEASE_BATCH),
				    &key, &addr);
		cond_resched();
		if (!n)
			continue;
		gh_chunk_return(ph->nid, addr, n);
		done += n;
	}
	return done;
}

/**
 * gh_arena_release_idle() - give idle pages back
 * @ph: of which node
 * @kernel_pages: how many, at most, but for a heap page's rest
 *
 * Context: As for gh_arena_scavenge().
 * Return: how many kernel pages went.
 */
unsigned long gh_arena_release_idle(struct gh_page_heap *ph, unsigned long kernel_pages)
{
	unsigned long want = DIV_ROUND_UP(kernel_pages << PAGE_SHIFT, GH_PAGE_SIZE);

	return (gh_arena_scavenge(ph, want) << GH_PAGE_SHIFT) >> PAGE_SHIFT;
}

/**
 * gh_arena_metadata() - bookkeeping overhead
 *
 * Context: Any.
 * Return: bytes of descriptors and of the map.
 */
unsigned long gh_arena_metadata(void)
{
	return gh_map_bytes() + gh_desc_bytes();
}

/**
 * gh_arena_init() - make an empty page heap and an empty map
 *
 * Context: Process context.
 * Return: 0 or a negative error.
 */
int gh_arena_init(void)
{
	int err;

	err = gh_map_init();
	if (err)
		return err;
	err = gh_desc_init();
	if (err)
		goto exit_map;
	err = gh_pageheap_init();
	if (err)
		goto exit_desc;
	err = gh_chunk_init();
	if (err)
		goto exit_pageheap;
	return 0;

exit_pageheap:
	gh_pageheap_exit();
exit_desc:
	gh_desc_exit();
exit_map:
	gh_map_exit();
	return err;
}

/**
 * gh_arena_exit() - give every page back
 *
 * Context: Process context. No heap is left.
 */
void gh_arena_exit(void)
{
	struct gh_page_heap *ph;
	int nid;

	gh_chunk_exit();
	for_each_node(nid) {
		ph = gh_page_heaps[nid];
		gh_pageheap_forgive(ph);
		gh_arena_scavenge(ph, ULONG_MAX);
		WARN(ph->taken != ph->returned, "goheap: %lu heap pages of node %d are lost\n",
		     ph->taken - ph->returned, nid);
		gh_pageheap_trim_spares(ph, 0);
	}
	gh_pageheap_exit();
	gh_desc_exit();
	gh_map_exit();
}
