// SPDX-License-Identifier: GPL-2.0
/*
 * Where pages come from: the page heap (best fit over free runs, one lock per
 * node), growth from the kernel's page allocator, and the way back. Whose pages
 * are whose is in map.c.
 *
 * Pages come in chunks that are split into single ones, so that any of them can go
 * back alone. While they are ours their reference count is far below 0, so that nobody
 * who gets or puts them can be the last one, and frees them under a live object.
 *
 * See internal.h for an overview.
 */

#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/pfn.h>
#include <linux/slab.h>

#include "internal.h"

#define CHUNK_ORDER	min_t(unsigned int, get_order(1UL << 20), GH_MAX_PAGE_ORDER)

/* Pages go back at this granularity, whatever a heap page is. */
#define RELEASE_PAGES	max_t(unsigned long, PAGE_SIZE >> GH_PAGE_SHIFT, 1)
#define RELEASE_SIZE	(RELEASE_PAGES << GH_PAGE_SHIFT)

/* Blocks that were not to be had are not asked for again so soon by the gentle. */
#define SCARCE_FOR	(HZ / 10)

struct gh_page_heap **gh_page_heaps;

/* Called when pages were taken from the kernel; reclaim.c sets it. */
void (*gh_arena_grown)(void);

static struct kmem_cache *desc_caches[GH_NR_KINDS];
static atomic_long_t nr_descs[GH_NR_KINDS];

/* ---- descriptors -------------------------------------------------------------------- */

static struct gh_span *desc_new(enum gh_kind kind, int nid, gfp_t gfp)
{
	struct gh_span *s = kmem_cache_alloc_node(desc_caches[kind], gfp, nid);

	if (!s)
		return NULL;
	s->kind = kind;
	s->nid = nid;
	s->npages = 0;
	s->base = 0;
	s->records = NULL;
	s->nelems = 0;
	s->spanclass = 0;
	s->flags = 0;
	s->life = 0;
	gh_span_init_free(s);
	atomic_long_inc(&nr_descs[kind]);
	return s;
}

static void desc_free(struct rcu_head *rcu)
{
	struct gh_span *s = container_of(rcu, struct gh_span, rcu);

	kmem_cache_free(desc_caches[s->kind], s);
}

/* A lookup of a wild pointer may still look at it. */
static void desc_delete(struct gh_span *s)
{
	atomic_long_dec(&nr_descs[s->kind]);
	gh_call_rcu(&s->rcu, desc_free);
}

static void spare_push(struct gh_page_heap *ph, struct gh_span *s)
{
	lockdep_assert_held(&ph->lock);
	s->npages = 0;
	WRITE_ONCE(s->base, 0);
	s->next = ph->spare[s->kind];
	ph->spare[s->kind] = s;
	ph->nr_spare[s->kind]++;
}

static struct gh_span *spare_pop(struct gh_page_heap *ph, enum gh_kind kind)
{
	struct gh_span *s = ph->spare[kind];

	lockdep_assert_held(&ph->lock);
	if (s) {
		ph->spare[kind] = s->next;
		ph->nr_spare[kind]--;
	}
	return s;
}

static int spare_add(struct gh_page_heap *ph, enum gh_kind kind, gfp_t gfp)
{
	struct gh_span *s;
	unsigned long flags;

	if (!gh_memory_begin(gfp))
		return -ENOMEM;
	s = desc_new(kind, ph->nid, gfp);
	gh_memory_end(gfp);
	if (!s)
		return -ENOMEM;
	gh_lock(&ph->lock, flags);
	ph->locked++;
	spare_push(ph, s);
	gh_unlock(&ph->lock, flags);
	return 0;
}

/**
 * gh_arena_trim_spares() - free descriptors that describe nothing
 * @ph: whose
 * @keep: how many of each kind stay
 *
 * Context: Process context.
 */
void gh_arena_trim_spares(struct gh_page_heap *ph, unsigned int keep)
{
	struct gh_span *s;
	enum gh_kind kind;
	unsigned long flags;

	for (kind = 0; kind < GH_NR_KINDS; kind++) {
		do {
			gh_lock(&ph->lock, flags);
			s = ph->nr_spare[kind] > keep ? spare_pop(ph, kind) : NULL;
			gh_unlock(&ph->lock, flags);
			if (s)
				desc_delete(s);
		} while (s);
	}
}

/**
 * gh_arena_metadata() - bookkeeping overhead
 *
 * Context: Any.
 * Return: bytes of descriptors and of the map.
 */
unsigned long gh_arena_metadata(void)
{
	unsigned long bytes = gh_map_bytes();
	enum gh_kind kind;

	for (kind = 0; kind < GH_NR_KINDS; kind++)
		bytes += atomic_long_read(&nr_descs[kind]) *
			 kmem_cache_size(desc_caches[kind]);
	return bytes;
}

/* ---- free runs -------------------------------------------------------------------------- */

static bool run_less(struct rb_node *a, const struct rb_node *b)
{
	const struct gh_span *x = rb_entry(a, struct gh_span, run);
	const struct gh_span *y = rb_entry(b, struct gh_span, run);

	return x->npages != y->npages ? x->npages < y->npages : x->base < y->base;
}

static unsigned long run_end(const struct gh_span *s)
{
	return s->base + gh_span_bytes(s);
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
	gh_map_set(arena, run_end(s) - GH_PAGE_SIZE, s);
}

/* The pages' map entries still name the run; whoever takes it sets them anew. */
static void run_erase(struct gh_page_heap *ph, struct gh_span *s)
{
	lockdep_assert_held(&ph->lock);
	rb_erase(&s->run, &ph->runs);
	ph->nr_runs--;
	ph->changes++;
	ph->idle -= s->npages;
}

/* A free run of this page heap that has a page at @addr at its edge. */
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
	return s->base <= addr && addr < run_end(s) ? s : NULL;
}

/* Add pages to the free runs, as one with the runs on both sides, which is returned. */
static struct gh_span *run_free(struct gh_page_heap *ph, struct gh_span *s)
{
	struct gh_arena *arena = gh_arena_of(s->base);
	struct gh_span *left = run_at(ph, arena, s->base - GH_PAGE_SIZE);
	struct gh_span *right = run_at(ph, arena, run_end(s));

	lockdep_assert_held(&ph->lock);
	if (left) {
		run_erase(ph, left);
		gh_map_set(arena, run_end(left) - GH_PAGE_SIZE, NULL);
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

/* Where in the run an aligned piece would start; 0 if it has none. */
static unsigned long run_fits(const struct gh_span *s, const struct gh_want *w)
{
	unsigned long start = ALIGN(s->base, (unsigned long)w->align << GH_PAGE_SHIFT);

	return start + ((unsigned long)w->npages << GH_PAGE_SHIFT) <= run_end(s) ? start : 0;
}

static struct gh_span *run_lower_bound(struct gh_page_heap *ph, unsigned int npages)
{
	struct rb_node *node = ph->runs.rb_node;
	struct gh_span *best = NULL, *s;

	while (node) {
		s = rb_entry(node, struct gh_span, run);
		if (s->npages >= npages) {
			best = s;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/*
 * How many runs are looked at under one hold of the lock. There may be very many, and
 * interrupts are off.
 */
#define MOST_LOOKS	16

/*
 * Best fit: the shortest run, then the lowest address. If the first few are not placed
 * as they should be, one that is long enough wherever it lies; NULL if there is none,
 * and it is time to grow.
 */
static struct gh_span *run_find(struct gh_page_heap *ph, const struct gh_want *w)
{
	struct gh_span *s = run_lower_bound(ph, w->npages);
	struct rb_node *next;
	unsigned int looks;

	lockdep_assert_held(&ph->lock);
	for (looks = 0; s && looks < MOST_LOOKS; looks++) {
		ph->looks++;
		if (run_fits(s, w))
			return s;
		next = rb_next(&s->run);
		s = next ? rb_entry(next, struct gh_span, run) : NULL;
	}
	return s ? run_lower_bound(ph, w->npages + w->align - 1) : NULL;
}

/* Put [from, to), cut off an allocated run, back. */
static void run_put_rest(struct gh_page_heap *ph, unsigned long from, unsigned long to,
			 bool needzero)
{
	struct gh_span *s;

	if (from == to)
		return;
	s = spare_pop(ph, GH_KIND_1);
	WRITE_ONCE(s->base, from);
	WRITE_ONCE(s->npages, (to - from) >> GH_PAGE_SHIFT);
	s->needzero = needzero;
	run_insert(ph, s);
}

/*
 * Cut @npages at @start out of a run, as a span of kind @kind that is nothing yet. Enough
 * spares are there.
 */
static struct gh_span *run_cut_at(struct gh_page_heap *ph, struct gh_span *run,
				  unsigned long start, unsigned int npages, enum gh_kind kind)
{
	unsigned long end = start + ((unsigned long)npages << GH_PAGE_SHIFT);
	unsigned long run_start = run->base, run_stop = run_end(run);
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
	/* Or neighbours would see the run's descriptor, which may go, until the commit. */
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

/**
 * gh_arena_find_poison() - is there a page with a memory error?
 * @addr: the first address
 * @npages: how many heap pages
 *
 * Context: Any; the pages are ours.
 * Return: address of the first such page of the kernel, or 0.
 */
unsigned long gh_arena_find_poison(unsigned long addr, unsigned int npages)
{
	unsigned long end = addr + ((unsigned long)npages << GH_PAGE_SHIFT);

	for (addr = ALIGN_DOWN(addr, PAGE_SIZE); addr < end; addr += PAGE_SIZE)
		if (gh_page_is_poisoned(virt_to_page((void *)addr)))
			return addr;
	return 0;
}

/*
 * Take what a run has of a page with a memory error out of the run, for good. A page
 * of the kernel may be several of the heap, and goes back when all of them are here.
 */
static void set_aside(struct gh_page_heap *ph, struct gh_span *run, unsigned long bad)
{
	unsigned long unit = ALIGN_DOWN(bad, RELEASE_SIZE);
	unsigned long start = max(unit, run->base), end = min(unit + RELEASE_SIZE, run_end(run));
	struct gh_arena *arena = gh_arena_of(start);
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	s = run_cut_at(ph, run, start, (end - start) >> GH_PAGE_SHIFT, run->kind);
	/* Or it would become one with its neighbours. */
	gh_map_set(arena, start, NULL);
	gh_map_set(arena, end - GH_PAGE_SIZE, NULL);
	s->next = ph->poisoned;
	WRITE_ONCE(ph->poisoned, s);
	ph->nr_poisoned += s->npages;
}

/*
 * Enough descriptors to cut that out of the run: one of its own, unless the run's will do,
 * and for what is cut off at both ends. If not, @missing says which to add.
 */
static bool spares_suffice(struct gh_page_heap *ph, const struct gh_span *run,
			   const struct gh_want *w, enum gh_kind *missing)
{
	unsigned long start = run_fits(run, w);
	unsigned long end = start + ((unsigned long)w->npages << GH_PAGE_SHIFT);
	unsigned int rests = (start != run->base) + (end != run_end(run));
	unsigned int have = ph->nr_spare[GH_KIND_1];
	enum gh_kind kind = w->kind;

	lockdep_assert_held(&ph->lock);
	if (run->kind != kind) {
		*missing = kind;
		if (!ph->nr_spare[kind])
			return false;
		/* One is used, and the run's becomes one. */
		have -= kind == GH_KIND_1;
		have += run->kind == GH_KIND_1;
	}
	*missing = GH_KIND_1;
	return have >= rests;
}

/*
 * Cut out of a run a span that fits there. Enough spares are there. -EHWPOISON: the run was
 * not sound, but what is left of it is; or -EAGAIN if there are none to set the page
 * aside.
 */
static struct gh_span *run_cut(struct gh_page_heap *ph, struct gh_span *run, const struct gh_want *w)
{
	unsigned long start = run_fits(run, w), bad = gh_find_poison(start, w->npages);
	struct gh_span *s;

	if (unlikely(bad)) {
		if (ph->nr_spare[GH_KIND_1] < 2)
			return ERR_PTR(-EAGAIN);
		set_aside(ph, run, bad);
		return ERR_PTR(-EHWPOISON);
	}
	s = run_cut_at(ph, run, start, w->npages, w->kind);
	count_alloc(ph, s, w->state);
	return s;
}

/*
 * -EAGAIN: a descriptor is @missing. -ENOSPC: no run fits. -EBUSY: NMI, and the lock
 * is taken. -EHWPOISON: the run was not sound, but what is left of it is: look again.
 */
static struct gh_span *alloc_run(struct gh_page_heap *ph, const struct gh_want *w,
				 enum gh_kind *missing)
{
	unsigned long flags;
	struct gh_span *run, *s;

	if (!gh_lock_or_try(&ph->lock, flags))
		return ERR_PTR(-EBUSY);
	ph->locked++;
	run = run_find(ph, w);
	if (!run)
		s = ERR_PTR(-ENOSPC);
	else if (!spares_suffice(ph, run, w, missing))
		s = ERR_PTR(-EAGAIN);
	else
		s = run_cut(ph, run, w);
	gh_unlock(&ph->lock, flags);
	return s;
}

static struct gh_span *alloc_from(struct gh_page_heap *ph, const struct gh_want *w, gfp_t gfp)
{
	enum gh_kind missing;
	struct gh_span *s;

	do {
		s = alloc_run(ph, w, &missing);
	} while (s == ERR_PTR(-EHWPOISON) ||
		 (s == ERR_PTR(-EAGAIN) && !spare_add(ph, missing, gfp)));
	return s;
}

/* ---- pages from the kernel and back -------------------------------------------------------- */

static void account_pages(int nid, long heap_pages)
{
	/* Held by an allocator and not free for others: what slab means there. */
	mod_node_page_state(NODE_DATA(nid), NR_SLAB_UNRECLAIMABLE_B,
			    heap_pages * (long)GH_PAGE_SIZE);
}

/*
 * The reference count of a page that is ours: a billion gets or puts away from where
 * somebody would take it for free, or for one that may be lent out.
 */
#define COUNT_OURS	(INT_MIN / 2)

/* How many more gets than puts others did. */
static int page_strays(struct page *page)
{
	return page_ref_count(page) - COUNT_OURS;
}

/*
 * KASAN's tag would be in the pointers that others make from the page. Whoever happens
 * to have a reference now puts it later, which does no harm.
 */
static void page_own(struct page *page)
{
	page_kasan_tag_reset(page);
	page->page_type = GH_PAGE_TYPE;
	page_ref_add(page, COUNT_OURS - 1);
}

/*
 * The page goes back: by us, or if somebody has a reference by whoever puts the last
 * one. Then nobody else is given the page before.
 */
static void page_disown(struct page *page)
{
	int strays = page_strays(page);

	if (unlikely(strays))
		gh_misuse_later(strays > 0 ? GH_STRAY_GET : GH_STRAY_PUT, page_address(page), NULL);
	page->page_type = GH_PAGE_NO_TYPE;
	page_ref_add(page, 1 - COUNT_OURS - min(strays, 0));
	__free_page(page);
}

/*
 * What was put and not gotten: report it once, and make up for it. What was gotten may
 * be put yet.
 */
static void page_check(struct page *page, const void *p, struct gh_span *s)
{
	int count = page_ref_count(page);

	if (likely(count >= COUNT_OURS))
		return;
	if (atomic_cmpxchg(&page->_refcount, count, COUNT_OURS) == count)
		gh_misuse_later(GH_STRAY_PUT, p, s);
}

static void check_pages(struct gh_span *s)
{
	unsigned long addr = s->base;

	for (; addr < run_end(s); addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE)
		page_check(virt_to_page((void *)addr), (void *)addr, s);
}

static void check_owned(struct gh_arena *arena)
{
	unsigned long addr, end = arena->base + GH_ARENA_SIZE;
	struct gh_span *s;

	for (addr = arena->base; addr < end; addr += min(PAGE_SIZE, GH_PAGE_SIZE)) {
		if (!test_bit(gh_arena_page(addr), arena->owned))
			continue;
		s = gh_span_of((void *)addr);
		if (s && addr - s->base >= READ_ONCE(s->limit))
			s = NULL;
		page_check(virt_to_page((void *)addr), (void *)addr, s);
	}
}

/**
 * gh_arena_check_pages() - report whoever put pages of ours
 *
 * A page that goes back meanwhile is not taken for ours: its count is above what it
 * was.
 *
 * Context: Process context.
 */
void gh_arena_check_pages(void)
{
	struct gh_arena *arena;
	unsigned long n;

	for (n = 0;; n++) {
		rcu_read_lock();
		arena = gh_map_next(&n);
		if (arena)
			check_owned(arena);
		rcu_read_unlock();
		if (!arena)
			return;
		cond_resched();
	}
}

static void free_pages_singly(struct page *page, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		__free_page(page + i);
}

static struct page *pages_of(int nid, unsigned int order, gfp_t gfp)
{
	gh_note_request(order, gfp);
	return gh_order_exists(order) ? alloc_pages_node(nid, gfp, order) : NULL;
}

/*
 * A chunk of at least @need pages. Large ones only when they cost nothing, and never
 * out of a reserve; the order that is really needed as hard as the caller allows.
 */
static struct page *chunk_alloc(int nid, unsigned int need, gfp_t gfp, unsigned int *order)
{
	struct page *page;

	for (*order = max(need, CHUNK_ORDER); *order > need; --*order) {
		page = pages_of(nid, *order, gh_gfp_light(gfp));
		if (page)
			return page;
	}
	return pages_of(nid, *order, gh_gfp_needed(gfp, need));
}

static int chunk_own(struct page *page, unsigned int order, gfp_t gfp)
{
	unsigned long addr = (unsigned long)kasan_reset_tag(page_address(page));
	unsigned int npages = (PAGE_SIZE << order) >> GH_PAGE_SHIFT;
	int err = gh_map_claim(addr, npages, gfp);
	unsigned int i;

	if (err)
		return err;
	for (i = 0; i < 1U << order; i++)
		page_own(page + i);
	return 0;
}

/* Descriptors for a chunk, and for what is cut out of it; more come from its neighbours. */
struct chunk_descs {
	struct gh_span *run;
	struct gh_span *span;
	struct gh_span *rest[2];
};

static void descs_delete(struct chunk_descs *d)
{
	if (d->run)
		desc_delete(d->run);
	if (d->span)
		desc_delete(d->span);
	if (d->rest[0])
		desc_delete(d->rest[0]);
	if (d->rest[1])
		desc_delete(d->rest[1]);
}

static bool descs_new(struct chunk_descs *d, enum gh_kind kind, int nid, gfp_t gfp)
{
	d->run = desc_new(GH_KIND_1, nid, gfp);
	d->span = d->run ? desc_new(kind, nid, gfp) : NULL;
	d->rest[0] = d->span ? desc_new(GH_KIND_1, nid, gfp) : NULL;
	d->rest[1] = d->rest[0] ? desc_new(GH_KIND_1, nid, gfp) : NULL;
	if (d->rest[1])
		return true;
	descs_delete(d);
	return false;
}

/*
 * Make split pages a free run of their node, and cut out of it, before anybody else can,
 * what they were taken for. It would not always be found again: see run_find().
 */
static struct gh_span *chunk_add(struct page *page, unsigned int order, bool zeroed,
				 const struct gh_want *w, gfp_t gfp)
{
	unsigned int npages = (PAGE_SIZE << order) >> GH_PAGE_SHIFT;
	struct gh_page_heap *ph = gh_page_heaps[page_to_nid(page)];
	struct chunk_descs d;
	unsigned long flags;
	struct gh_span *s;

	if (!descs_new(&d, w->kind, ph->nid, gfp))
		return ERR_PTR(-ENOMEM);
	if (chunk_own(page, order, gfp)) {
		descs_delete(&d);
		return ERR_PTR(-ENOMEM);
	}
	d.run->base = (unsigned long)page_address(page);
	d.run->npages = npages;
	d.run->needzero = !zeroed;
	account_pages(ph->nid, npages);
	gh_lock(&ph->lock, flags);
	ph->locked++;
	ph->taken += npages;
	spare_push(ph, d.span);
	spare_push(ph, d.rest[0]);
	spare_push(ph, d.rest[1]);
	s = run_cut(ph, run_free(ph, d.run), w);
	gh_unlock(&ph->lock, flags);
	return s;
}

static void tell_growth(void)
{
	void (*grown)(void) = READ_ONCE(gh_arena_grown);

	if (grown)
		grown();
}

static struct gh_span *take_chunk(int nid, const struct gh_want *w, gfp_t gfp)
{
	unsigned long bytes = (unsigned long)max(w->npages, w->align) << GH_PAGE_SHIFT;
	unsigned int order;
	struct gh_span *s;
	struct page *page;

	page = chunk_alloc(nid, get_order(bytes), gfp, &order);
	if (!page)
		return ERR_PTR(-ENOMEM);
	split_page(page, order);
	s = chunk_add(page, order, want_init_on_alloc(gfp), w, gfp & ~__GFP_THISNODE);
	if (IS_ERR(s) && s != ERR_PTR(-EHWPOISON))
		free_pages_singly(page, 1U << order);
	else
		tell_growth();
	return s;
}

/* Out of pages that the kernel is asked for. */
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

/* From one node, which grows if it has to. */
static struct gh_span *alloc_growing(int nid, const struct gh_want *w, gfp_t gfp)
{
	struct gh_span *s = alloc_from(gh_page_heaps[nid], w, gfp & ~__GFP_THISNODE);

	return s == ERR_PTR(-ENOSPC) ? grow(nid, w, gfp) : s;
}

/**
 * gh_nearest_node() - whose memory does a node use that has none
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

static bool is_scarce(const struct gh_page_heap *ph, const struct gh_want *w)
{
	return w->npages >= gh_peek(ph->scarce) && time_before(jiffies, gh_peek(ph->scarce_until));
}

/* Two at a time may mix it up; then somebody asks once more, or once less. */
static void note_scarce(struct gh_page_heap *ph, const struct gh_want *w)
{
	if (time_before(jiffies, gh_peek(ph->scarce_until)) && w->npages > gh_peek(ph->scarce))
		return;
	WRITE_ONCE(ph->scarce, w->npages);
	WRITE_ONCE(ph->scarce_until, jiffies + SCARCE_FOR);
}

/* What there is on any node. */
static struct gh_span *alloc_idle(const struct gh_want *w, gfp_t gfp)
{
	struct gh_span *s;
	int nid;

	for_each_online_node(nid) {
		s = alloc_from(gh_page_heaps[nid], w, gfp);
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
	/* From whatever node the kernel thinks best, with reclaim. */
	return IS_ERR(s) ? grow(nid, w, gfp) : s;
}

static struct gh_span *alloc_gently(int nid, const struct gh_want *w, gfp_t gfp)
{
	struct gh_page_heap *ph = gh_page_heaps[nid];
	struct gh_span *s;

	gfp = gh_gfp_gentle(gfp, get_order((unsigned long)w->npages << GH_PAGE_SHIFT));
	if (is_scarce(ph, w))
		return gfp & __GFP_THISNODE ? alloc_from(ph, w, gfp) : alloc_idle(w, gfp);
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

/* Atomic, because two nodes may meet in an arena; a word at a time. */
static void mark_in_use(struct gh_arena *arena, struct gh_span *s, bool used)
{
	unsigned int page = gh_arena_page(s->base), end = page + s->npages, n;
	atomic_long_t *word;
	unsigned long bits;

	for (; page < end; page += n) {
		n = min_t(unsigned int, end - page, BITS_PER_LONG - page % BITS_PER_LONG);
		bits = GENMASK(n - 1, 0) << page % BITS_PER_LONG;
		word = (atomic_long_t *)&arena->in_use[page / BITS_PER_LONG];
		if (used)
			atomic_long_or(bits, word);
		else
			atomic_long_andnot(bits, word);
	}
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

	/* The arena stays while pages in it are ours; the map may be replaced. */
	rcu_read_lock();
	arena = gh_arena_of(s->base);
	rcu_read_unlock();
	if (s->heap)
		WRITE_ONCE(arena->heaps[gh_arena_page(s->base)], s->heap->id);
	gh_map_set_range(arena, s->base, s->npages, s);
	mark_in_use(arena, s, true);
}

/**
 * gh_arena_free() - give the pages of a span back to the page heap
 * @s: a span without live objects, token held, on no list
 *
 * Context: Any but NMI; no lock held.
 */
void gh_arena_free(struct gh_span *s)
{
	struct gh_page_heap *ph = gh_page_heaps[s->nid];
	struct gh_arena *arena;
	unsigned long flags;

	check_pages(s);
	gh_lock(&ph->lock, flags);
	ph->locked++;
	arena = gh_arena_of(s->base);
	mark_in_use(arena, s, false);
	count_free(ph, s);
	gh_span_init_free(s);
	if (s->npages > 2)
		gh_map_set_range(arena, s->base + GH_PAGE_SIZE, s->npages - 2, NULL);
	run_free(ph, s);
	gh_unlock(&ph->lock, flags);
}

/* Where a walk through the runs, from the longest down, goes on after a break. */
struct run_key {
	unsigned long npages;
	unsigned long base;
};

/* The longest run below the key. */
static struct rb_node *run_below(struct gh_page_heap *ph, const struct run_key *key)
{
	struct rb_node *node = ph->runs.rb_node, *best = NULL;
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	while (node) {
		s = rb_entry(node, struct gh_span, run);
		if (s->npages < key->npages || (s->npages == key->npages && s->base < key->base)) {
			best = node;
			node = node->rb_right;
		} else {
			node = node->rb_left;
		}
	}
	return best;
}

/* Of a run, what can be released at its end: up to @max heap pages from *@start to *@end. */
static bool run_releases(struct gh_page_heap *ph, const struct gh_span *s, unsigned long max,
			 unsigned long *start, unsigned long *end)
{
	const unsigned long unit = RELEASE_PAGES << GH_PAGE_SHIFT;

	*end = ALIGN_DOWN(run_end(s), unit);
	*start = *end - min(max << GH_PAGE_SHIFT, *end - min(*end, s->base));
	*start = ALIGN(*start, unit);
	return *start < *end && (*end == run_end(s) || ph->nr_spare[GH_KIND_1]);
}

/* The longest run below @key that can be released, at least in part; NULL if not found soon. */
static struct gh_span *find_for_release(struct gh_page_heap *ph, unsigned long max,
					struct run_key *key, unsigned long *start,
					unsigned long *end)
{
	struct rb_node *node = run_below(ph, key);
	unsigned int looks;
	struct gh_span *s;

	for (looks = 0; node && looks < MOST_LOOKS; looks++) {
		s = rb_entry(node, struct gh_span, run);
		if (s->npages < RELEASE_PAGES)
			break;
		ph->looks++;
		if (run_releases(ph, s, max, start, end))
			return s;
		*key = (struct run_key){ .npages = s->npages, .base = s->base };
		node = rb_prev(node);
	}
	if (looks < MOST_LOOKS)
		key->npages = 0;	/* there are no more */
	return NULL;
}

/* Cut up to @max heap pages off the end of the longest run below @key that can lose some. */
static unsigned long cut_for_release(struct gh_page_heap *ph, unsigned long max,
				     struct run_key *key, unsigned long *addr)
{
	unsigned long start, end, stop;
	struct gh_arena *arena;
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	s = find_for_release(ph, max, key, &start, &end);
	if (!s)
		return 0;
	stop = run_end(s);
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

static void give_back(struct gh_page_heap *ph, unsigned long addr, unsigned long npages)
{
	unsigned long i;

	gh_map_unclaim(addr, npages);
	account_pages(ph->nid, -(long)npages);
	for (i = 0; i < npages << GH_PAGE_SHIFT; i += PAGE_SIZE)
		page_disown(virt_to_page((void *)(addr + i)));
}

/* Of a page of the kernel, how many heap pages are set aside. */
static unsigned int nr_aside(struct gh_page_heap *ph, unsigned long unit)
{
	unsigned int nr = 0;
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	for (s = ph->poisoned; s; s = s->next)
		if (ALIGN_DOWN(s->base, RELEASE_SIZE) == unit)
			nr += s->npages;
	return nr;
}

static void drop_aside(struct gh_page_heap *ph, unsigned long unit)
{
	struct gh_span **link = &ph->poisoned, *s;

	lockdep_assert_held(&ph->lock);
	while ((s = *link)) {
		if (ALIGN_DOWN(s->base, RELEASE_SIZE) == unit) {
			WRITE_ONCE(*link, s->next);
			spare_push(ph, s);
		} else {
			link = &s->next;
		}
	}
	ph->nr_poisoned -= RELEASE_PAGES;
	ph->returned += RELEASE_PAGES;
}

/* A page of the kernel that is all set aside, and no longer ours; 0 if there is none. */
static unsigned long cut_poisoned(struct gh_page_heap *ph)
{
	unsigned long unit = 0, flags;
	struct gh_span *s;

	gh_lock(&ph->lock, flags);
	for (s = ph->poisoned; s && !unit; s = s->next)
		if (nr_aside(ph, ALIGN_DOWN(s->base, RELEASE_SIZE)) == RELEASE_PAGES)
			unit = ALIGN_DOWN(s->base, RELEASE_SIZE);
	if (unit)
		drop_aside(ph, unit);
	gh_unlock(&ph->lock, flags);
	return unit;
}

/* The kernel, to which they are known, gives them to nobody. */
static void release_poisoned(struct gh_page_heap *ph)
{
	unsigned long unit;

	if (likely(!READ_ONCE(ph->poisoned)))
		return;
	while ((unit = cut_poisoned(ph)))
		give_back(ph, unit, RELEASE_PAGES);
}

/**
 * gh_arena_forgive() - make free runs of pages with memory errors
 * @ph: whose
 *
 * Those that are still here share a page of the kernel with others that are not set aside.
 *
 * Context: Process context, nobody allocates any more.
 */
void gh_arena_forgive(struct gh_page_heap *ph)
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

/* At most this many heap pages leave under one hold of the lock: 4 MiB. */
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
	struct run_key key = { .npages = ULONG_MAX };
	unsigned long addr, flags, n, done = 0;

	gh_sanitize_forget_pending();
	release_poisoned(ph);
	while (done < nr && key.npages) {
		/* A run that ends within a page of the kernel leaves two. */
		if (RELEASE_PAGES > 1 && !gh_peek(ph->nr_spare[GH_KIND_1]))
			spare_add(ph, GH_KIND_1, GH_GFP_SPARE);
		gh_lock(&ph->lock, flags);
		n = cut_for_release(ph, min(max(nr - done, RELEASE_PAGES), RELEASE_BATCH), &key,
				    &addr);
		gh_unlock(&ph->lock, flags);
		cond_resched();
		if (!n)
			continue;
		give_back(ph, addr, n);
		done += n;
	}
	return done;
}

/**
 * gh_arena_idle_pages() - what a shrinker could have
 * @ph: of which node
 *
 * Context: Any.
 * Return: kernel pages in free runs.
 */
unsigned long gh_arena_idle_pages(const struct gh_page_heap *ph)
{
	return (gh_peek(ph->idle) << GH_PAGE_SHIFT) >> PAGE_SHIFT;
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

/* A check of the free runs, which may be interrupted and goes on. */
struct check {
	struct run_key next;		/* the runs below were not looked at yet */
	unsigned long changes;		/* of the runs, when it began */
	unsigned long idle;
	unsigned long nr;
	bool done;
};

/* How many runs are checked under one hold of the lock. */
#define MOST_CHECKS	128

static int check_run(struct gh_page_heap *ph, const struct gh_span *s)
{
	struct rb_node *next = rb_next(&s->run);

	lockdep_assert_held(&ph->lock);
	if (s->state != GH_SPAN_FREE || s->limit || !atomic_read(&s->queued))
		return -1;
	if (next && !run_less((struct rb_node *)&s->run, next))
		return -2;
	if (gh_span_of((void *)s->base) != s || gh_span_of((void *)(run_end(s) - 1)) != s)
		return -3;
	/* two neighbours that are not one */
	if (run_at(ph, gh_arena_of(s->base), s->base - GH_PAGE_SIZE) ||
	    run_at(ph, gh_arena_of(s->base), run_end(s)))
		return -4;
	return 0;
}

static int check_some(struct gh_page_heap *ph, struct check *c)
{
	struct rb_node *node = run_below(ph, &c->next);
	unsigned int looks;
	struct gh_span *s;
	int ret = 0;

	for (looks = 0; node && looks < MOST_CHECKS && !ret; looks++) {
		s = rb_entry(node, struct gh_span, run);
		ret = check_run(ph, s);
		c->idle += s->npages;
		c->nr++;
		c->next = (struct run_key){ .npages = s->npages, .base = s->base };
		node = rb_prev(node);
	}
	c->done = !node;
	return ret;
}

/* All runs were looked at: do the sums fit? */
static int check_sums(const struct gh_page_heap *ph, const struct check *c)
{
	/* If not all at once, they are those of no time. */
	if (ph->changes == c->changes && (c->idle != ph->idle || c->nr != ph->nr_runs))
		return -5;
	return ph->idle + ph->nr_poisoned + ph->small + ph->large + ph->returned != ph->taken ?
	       -6 : 0;
}

/**
 * gh_arena_validate() - check a page heap
 * @ph: which
 *
 * Context: Any but NMI.
 * Return: 0, or a negative number that tells what is wrong.
 */
int gh_arena_validate(struct gh_page_heap *ph)
{
	struct check c = { .next.npages = ULONG_MAX, .changes = gh_peek(ph->changes) };
	unsigned long flags;
	int ret;

	do {
		gh_lock(&ph->lock, flags);
		ret = check_some(ph, &c);
		if (!ret && c.done)
			ret = check_sums(ph, &c);
		gh_unlock(&ph->lock, flags);
	} while (!ret && !c.done);
	return ret;
}

/* ---- init and exit -------------------------------------------------------------------------- */

static bool owns_pfn_range(unsigned long pfn, unsigned long nr)
{
	unsigned long addr = (unsigned long)__va(PFN_PHYS(pfn));
	unsigned long end = addr + (nr << PAGE_SHIFT);
	bool owns = false;

	rcu_read_lock();
	for (; addr < end && !owns; addr += GH_PAGE_SIZE) {
		if (gh_arena_of(addr))
			owns = gh_map_owns(addr);
		else	/* to the last page of the window */
			addr |= GH_ARENA_SIZE - GH_PAGE_SIZE;
	}
	rcu_read_unlock();
	return owns;
}

/*
 * Our pages cannot move. The kernel sees that by their counts, but takes those with
 * memory errors for nobody's.
 */
static int memory_event(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct memory_notify *range = data;

	if (action == MEM_GOING_OFFLINE && owns_pfn_range(range->start_pfn, range->nr_pages))
		return notifier_from_errno(-EBUSY);
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = { .notifier_call = memory_event };

static void free_page_heaps(void)
{
	int nid;

	for_each_node(nid)
		kfree(gh_page_heaps[nid]);
	kfree(gh_page_heaps);
}

static int init_page_heaps(void)
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
			free_page_heaps();
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

static void destroy_desc_caches(void)
{
	enum gh_kind kind;

	for (kind = 0; kind < GH_NR_KINDS; kind++)
		kmem_cache_destroy(desc_caches[kind]);
}

/*
 * kmemleak must not take a span's base for a pointer to its first object. Where it is not,
 * our caches may share slabs with others.
 */
#define UNSEEN	(IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) ? SLAB_NOLEAKTRACE : 0)

static int create_desc_caches(void)
{
	static const char *const names[GH_NR_KINDS] = {
		"goheap_span_1", "goheap_span_5", "goheap_span_9", "goheap_span_16",
		"goheap_span_tiny",
	};
	enum gh_kind kind;

	for (kind = 0; kind < GH_NR_KINDS; kind++) {
		desc_caches[kind] = kmem_cache_create(names[kind], gh_span_desc_bytes(kind), 0,
						      SLAB_HWCACHE_ALIGN | UNSEEN, NULL);
		if (!desc_caches[kind]) {
			destroy_desc_caches();
			return -ENOMEM;
		}
	}
	return 0;
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
	err = create_desc_caches();
	if (err)
		goto exit_map;
	err = init_page_heaps();
	if (err)
		goto destroy_caches;
	err = register_memory_notifier(&memory_nb);
	if (err)
		goto free_heaps;
	return 0;

free_heaps:
	free_page_heaps();
destroy_caches:
	destroy_desc_caches();
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

	unregister_memory_notifier(&memory_nb);
	for_each_node(nid) {
		ph = gh_page_heaps[nid];
		gh_arena_forgive(ph);
		gh_arena_scavenge(ph, ULONG_MAX);
		WARN(ph->taken != ph->returned, "goheap: %lu heap pages of node %d are lost\n",
		     ph->taken - ph->returned, nid);
		gh_arena_trim_spares(ph, 0);
	}
	rcu_barrier();	/* for desc_free() */
	free_page_heaps();
	destroy_desc_caches();
	gh_map_exit();
}
