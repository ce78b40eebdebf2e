// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's pages: taking them, finding stray gets and puts of other code, and giving
 * pages back.
 *
 * Pages come in chunks that are split into single pages, so that each page can go back
 * alone. While a page is ours its reference count is far below 0. So no stray put_page()
 * is the last one, and frees the page under a live object.
 */

#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/pfn.h>

#include "base/compat.h"
#include "base/gfp.h"
#include "base/heap_page.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "pages/chunk.h"
#include "pages/map.h"
#include "pages/run.h"
#include "span.h"

#define CHUNK_ORDER	min_t(unsigned int, get_order(1UL << 20), GH_MAX_PAGE_ORDER)

static void account(int nid, long heap_pages)
{
	/* Held by an allocator and not free for others: what slab means there. */
	mod_node_page_state(NODE_DATA(nid), NR_SLAB_UNRECLAIMABLE_B,
			    heap_pages * (long)GH_PAGE_SIZE);
}

/*
 * The reference count of a page that is ours: a billion gets or puts away from a count that
 * other code would take for that of a free page, or of one that it may use.
 */
#define COUNT_OURS	(INT_MIN / 2)

/* How many more gets than puts other code did. */
static int page_strays(struct page *page)
{
	return page_ref_count(page) - COUNT_OURS;
}

/*
 * Without the reset, pointers made from the page would have KASAN's tag. Other code may have a
 * reference just now: its later put does no harm.
 */
static void page_own(struct page *page)
{
	page_kasan_tag_reset(page);
	page->page_type = GH_PAGE_TYPE;
	page_ref_add(page, COUNT_OURS - 1);
}

/*
 * Give the page back. If other code has a reference, the last put of that code frees the page,
 * and the kernel gives the page to nobody before that.
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
 * If there were more puts than gets: report that once, and correct the count. If there were
 * more gets, the puts may still come.
 */
static void page_check(struct page *page, const void *p, struct gh_span *s)
{
	int count = page_ref_count(page);

	if (likely(count >= COUNT_OURS))
		return;
	if (atomic_cmpxchg(&page->_refcount, count, COUNT_OURS) == count)
		gh_misuse_later(GH_STRAY_PUT, p, s);
}

/**
 * gh_chunk_check() - report stray put_page() of a span's pages
 * @s: the span
 *
 * Context: Any; the pages are ours.
 */
void gh_chunk_check(struct gh_span *s)
{
	unsigned long addr = s->base;

	for (; addr < gh_run_end(s); addr = ALIGN_DOWN(addr, PAGE_SIZE) + PAGE_SIZE)
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
 * gh_chunk_check_all() - report stray put_page() of all pages of ours
 *
 * If a page goes back meanwhile, its count is higher than before, and is not reported.
 *
 * Context: Process context.
 */
void gh_chunk_check_all(void)
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

/**
 * gh_chunk_find_poison() - is there a page with a memory error?
 * @addr: the first address
 * @npages: how many heap pages
 *
 * Context: Any; the pages are ours.
 * Return: address of the first such page of the kernel, or 0.
 */
unsigned long gh_chunk_find_poison(unsigned long addr, unsigned int npages)
{
	unsigned long end = addr + ((unsigned long)npages << GH_PAGE_SHIFT);

	for (addr = ALIGN_DOWN(addr, PAGE_SIZE); addr < end; addr += PAGE_SIZE)
		if (gh_page_is_poisoned(virt_to_page((void *)addr)))
			return addr;
	return 0;
}

/**
 * gh_chunk_free() - give pages back that did not become ours
 * @page: the first one; they are split
 * @nr: how many
 *
 * Context: Any but NMI.
 */
void gh_chunk_free(struct page *page, unsigned int nr)
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

/**
 * gh_chunk_alloc() - ask the kernel for pages
 * @nid: of which node
 * @need: at least so many, as an order
 * @gfp: how hard to try
 * @order: set to how many there are
 *
 * Tries larger orders first, without effort and never out of a reserve. Then tries @need as
 * hard as the caller allows.
 *
 * Context: Any that @gfp allows.
 * Return: the first page, or NULL.
 */
struct page *gh_chunk_alloc(int nid, unsigned int need, gfp_t gfp, unsigned int *order)
{
	struct page *page;

	for (*order = max(need, CHUNK_ORDER); *order > need; --*order) {
		page = pages_of(nid, *order, gh_gfp_light(gfp));
		if (page)
			return page;
	}
	return pages_of(nid, *order, gh_gfp_needed(gfp, need));
}

/**
 * gh_chunk_own() - make pages ours
 * @page: the first one; they are split
 * @order: how many there are
 * @gfp: how hard to try
 *
 * Context: Any that @gfp allows.
 * Return: 0 or -ENOMEM.
 */
int gh_chunk_own(struct page *page, unsigned int order, gfp_t gfp)
{
	unsigned long addr = (unsigned long)kasan_reset_tag(page_address(page));
	unsigned int npages = (PAGE_SIZE << order) >> GH_PAGE_SHIFT;
	int err = gh_map_claim(addr, npages, gfp);
	unsigned int i;

	if (err)
		return err;
	for (i = 0; i < 1U << order; i++)
		page_own(page + i);
	account(page_to_nid(page), npages);
	return 0;
}

/**
 * gh_chunk_return() - give pages back to the kernel
 * @nid: of which node they are
 * @addr: the first one
 * @npages: how many heap pages; whole pages of the kernel
 *
 * Context: Any but NMI; nobody finds them any more.
 */
void gh_chunk_return(int nid, unsigned long addr, unsigned long npages)
{
	unsigned long i;

	gh_map_unclaim(addr, npages);
	account(nid, -(long)npages);
	for (i = 0; i < npages << GH_PAGE_SHIFT; i += PAGE_SIZE)
		page_disown(virt_to_page((void *)(addr + i)));
}

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
 * Our pages cannot move. The kernel sees that by their counts, but it takes a page with a
 * memory error for an unused one.
 */
static int memory_event(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct memory_notify *range = data;

	if (action == MEM_GOING_OFFLINE && owns_pfn_range(range->start_pfn, range->nr_pages))
		return notifier_from_errno(-EBUSY);
	return NOTIFY_OK;
}

static struct notifier_block memory_nb = { .notifier_call = memory_event };

/**
 * gh_chunk_init() - keep memory with pages of ours online
 *
 * Context: Process context.
 * Return: 0 or a negative error.
 */
int gh_chunk_init(void)
{
	return register_memory_notifier(&memory_nb);
}

/**
 * gh_chunk_exit() - no longer keep memory online
 *
 * Context: Process context.
 */
void gh_chunk_exit(void)
{
	unregister_memory_notifier(&memory_nb);
}
