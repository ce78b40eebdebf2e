// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_pressure - what goheap does when memory runs out
 *
 * Loading the module does what test= says, and fails if that goes wrong:
 *
 *   idle      percent= of what is available goes through goheap and is idle then;
 *             unloading frees the one object that keeps goheap from giving it back
 *   pages     percent= of what is available is taken as pages, and given back
 *   caches    both: what is idle lies in the caches of CPUs only, and the pages taken
 *             are more than there would be without it
 *   exhaust   goheap is asked with gfp= until it says no, and gets everything back
 *   reserve   an object for an atomic caller, when nobody else gets a page
 *   fragment  free memory is in blocks of up to 32 KiB only, and every size up to that is
 *             asked for, by callers that may wait and by such that may not
 *   hold      mib= of objects stay until the module goes; tells where they are
 *
 * Who loads it should be the one that the OOM killer would like best: it then stops,
 * and loading fails.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "base/compat.h"
#include "goheap.h"

#include "lib/cases.h"
#include "lib/chain.h"
#include "lib/cpus.h"

static char *test = "";
module_param(test, charp, 0444);
MODULE_PARM_DESC(test, "idle, pages, caches, exhaust, reserve, fragment or hold");

static unsigned int percent = 60;
module_param(percent, uint, 0444);
MODULE_PARM_DESC(percent, "of the memory that is available: idle, pages (default 60)");

static char *gfp = "nowait";
module_param(gfp, charp, 0444);
MODULE_PARM_DESC(gfp, "exhaust: nowait, atomic, noretry or mayfail (default nowait)");

static unsigned int mib = 64;
module_param(mib, uint, 0444);
MODULE_PARM_DESC(mib, "hold: how much (default 64)");

/* ---- memory ------------------------------------------------------------------ */

static unsigned long available(void)
{
	return max(si_mem_available(), 0L);
}

static long free_pages_now(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram;
}

/* Pages of the kernel, as any other user of memory takes them. */
static unsigned long take_pages(struct list_head *pages, unsigned long nr, gfp_t flags)
{
	struct page *page;
	unsigned long n;

	for (n = 0; n < nr && !fatal_signal_pending(current); n++) {
		page = alloc_page(flags);
		if (!page)
			break;
		list_add(&page->lru, pages);
		cond_resched();
	}
	return n;
}

static void give_pages(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
		cond_resched();
	}
}

static int take_and_give(unsigned long nr)
{
	unsigned long got;
	LIST_HEAD(pages);

	got = take_pages(&pages, nr, GFP_KERNEL);
	pr_info("got %lu of %lu pages\n", got, nr);
	give_pages(&pages);
	return got == nr ? 0 : -ENOMEM;
}

static bool chain_add(struct chain *chain, size_t size, gfp_t flags)
{
	return chain_put(chain, goheap_alloc(size, flags), size);
}

static size_t size_of_nth(unsigned long n)
{
	static const size_t sizes[] = { 16, 64, 192, 1024, 4096, 40000, 32, 9000, 512, 2048 };

	return sizes[n % ARRAY_SIZE(sizes)];
}

static int chain_fill(struct chain *chain, size_t bytes)
{
	while (chain->bytes < bytes) {
		if (!chain_add(chain, size_of_nth(chain->nr), GFP_KERNEL) ||
		    fatal_signal_pending(current)) {
			chain_free(chain);
			return -ENOMEM;
		}
		cond_resched();
	}
	return 0;
}

/* ---- the tests ----------------------------------------------------------------- */

/* What stays until the module goes. */
static struct chain kept;

/* As long as something is in use, goheap keeps about as much as it needed lately. */
static int run_idle(void)
{
	size_t bytes = (available() << PAGE_SHIFT) / 100 * percent;
	struct chain chain = {};
	int err;

	if (!chain_add(&kept, 64, GFP_KERNEL))
		return -ENOMEM;
	err = chain_fill(&chain, bytes);
	if (!err)
		err = chain_free(&chain);
	if (err)
		chain_free(&kept);
	return err;
}

static int run_pages(void)
{
	return take_and_give(available() / 100 * percent);
}

/* As much of a size as a cache keeps for the next time. */
#define PER_SIZE	SZ_128K

static size_t use_size(size_t size)
{
	struct chain chain = {};
	size_t usable = 0;

	while (chain.bytes < PER_SIZE && chain_add(&chain, size, GFP_KERNEL))
		;
	/* and as much again of those without pointers */
	while (chain.bytes < 2 * PER_SIZE &&
	       chain_put(&chain, goheap_alloc_noscan(max_t(size_t, size, 16), GFP_KERNEL), size))
		;
	if (chain.last)
		usable = goheap_size(chain.last);
	chain_free(&chain);
	return usable;
}

static int fill_cache(void)
{
	size_t size = sizeof(void *);

	while (size <= SZ_32K) {
		size = use_size(size) + 1;
		if (size == 1)
			return -ENOMEM;
	}
	return 0;
}

static int run_caches(void)
{
	unsigned long nr = available() / 100 * 94;
	int cpu, err = 0;
	long before = free_pages_now();

	for_each_online_cpu(cpu) {
		err = err ?: go_to(cpu);
		err = err ?: fill_cache();
	}
	go_anywhere();
	pr_info("caches hold %ld pages of %ld\n", before - free_pages_now(), before);
	return err ?: take_and_give(nr);
}

static gfp_t gfp_of(const char *name)
{
	if (!strcmp(name, "nowait"))
		return GFP_NOWAIT;
	if (!strcmp(name, "atomic"))
		return GFP_ATOMIC;
	if (!strcmp(name, "noretry"))
		return GFP_KERNEL | __GFP_NORETRY;
	if (!strcmp(name, "mayfail"))
		return GFP_KERNEL | __GFP_RETRY_MAYFAIL;
	return 0;
}

#define MANY_NULLS	50

static int run_exhaust(void)
{
	gfp_t flags = gfp_of(gfp) | __GFP_NOWARN;
	struct chain chain = {};
	unsigned int nulls = 0;
	int err;

	if (flags == __GFP_NOWARN)
		return -EINVAL;
	/* Small objects may still be had when larger ones cannot. */
	while (nulls < MANY_NULLS && !fatal_signal_pending(current)) {
		if (!chain_add(&chain, size_of_nth(chain.nr + nulls), flags))
			nulls++;
		cond_resched();
	}
	pr_info("gfp=%s: NULL after %lu objects, %zu KiB\n", gfp, chain.nr, chain.bytes >> 10);
	err = chain_free(&chain);
	return nulls < MANY_NULLS ? -EINTR : err;
}

/* What is left then is for the atomic: one object of it, and not a chunk. */
static int run_reserve(void)
{
	LIST_HEAD(pages);
	long before, after;
	bool found;

	take_pages(&pages, ULONG_MAX, GFP_NOWAIT | __GFP_NOWARN);
	before = free_pages_now();
	found = chain_add(&kept, 64, GFP_ATOMIC | __GFP_NOWARN);
	after = free_pages_now();
	give_pages(&pages);
	chain_free(&kept);
	pr_info("%s with %ld pages left, and took %ld of them\n", found ? "an object" : "NULL",
		before, before - after);
	return found && before - after < 128 ? 0 : -EIO;
}

/* Blocks that there shall be none of. */
#define BLOCK		SZ_64K
#define BLOCK_ORDER	get_order(BLOCK)
#define NO_BLOCK	(GFP_NOWAIT | __GFP_NOWARN | __GFP_NORETRY)

/* All but one page of each block go back. */
static void give_most(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		if (page_to_pfn(page) % (BLOCK >> PAGE_SHIFT) == 0)
			continue;
		list_del(&page->lru);
		__free_page(page);
	}
}

/* What nobody has a page of yet. */
static void take_blocks(struct list_head *blocks)
{
	struct page *page;

	while ((page = alloc_pages(NO_BLOCK, BLOCK_ORDER)))
		list_add(&page->lru, blocks);
}

static void give_blocks(struct list_head *blocks)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, blocks, lru) {
		list_del(&page->lru);
		__free_pages(page, BLOCK_ORDER);
	}
}

/* All sizes, with up to so many objects live at a time. */
#define LIVE		64

static unsigned int every_size(gfp_t flags, unsigned int *roomy)
{
	unsigned int failed = 0, i = 0;
	void *p[LIVE] = {};
	size_t size;

	for (size = 1; size <= SZ_32K; size++, i = (i + 1) % LIVE) {
		goheap_free(p[i]);
		p[i] = (goheap_alloc)(size, flags);
		failed += !p[i];
		/* More than any class wastes: from the class of the next power of two. */
		*roomy += goheap_size(p[i]) == SZ_8K && size <= 6784 && size > 6528;
		if (p[i])
			memset(p[i], 0xa5, size);
	}
	for (i = 0; i < LIVE; i++)
		goheap_free(p[i]);
	return failed;
}

static int run_fragment(void)
{
	unsigned int failed, atomic, roomy = 0;
	LIST_HEAD(blocks);
	LIST_HEAD(pages);

	if (PAGE_SIZE > SZ_16K) {
		pr_info("pages are nearly as large as blocks\n");
		return 0;
	}
	take_pages(&pages, ULONG_MAX, GFP_NOWAIT | __GFP_NOWARN);
	give_most(&pages);
	take_blocks(&blocks);
	failed = every_size(GFP_KERNEL, &roomy);
	atomic = every_size(GFP_ATOMIC, &roomy);
	give_blocks(&blocks);
	give_pages(&pages);
	pr_info("%u sizes failed, %u atomic ones; %u came from shorter spans\n", failed, atomic,
		roomy);
	return failed || atomic || !roomy ? -ENOMEM : 0;
}

/* One line for so much memory that objects lie in: the log is short. */
#define WINDOW_SHIFT	24
#define NR_WINDOWS	4096U		/* beyond, some are not told */

static int run_hold(void)
{
	static DECLARE_BITMAP(seen, NR_WINDOWS);
	int err = chain_fill(&kept, (size_t)mib << 20);
	phys_addr_t addr;
	void **p;

	if (err)
		return err;
	for (p = kept.last; p; p = *p) {
		addr = virt_to_phys(p);
		if (!test_and_set_bit((addr >> WINDOW_SHIFT) % NR_WINDOWS, seen))
			pr_info("object at %pap\n", &addr);
	}
	return 0;
}

static const struct test_case tests[] = {
	{ "idle", run_idle },
	{ "pages", run_pages },
	{ "caches", run_caches },
	{ "exhaust", run_exhaust },
	{ "reserve", run_reserve },
	{ "fragment", run_fragment },
	{ "hold", run_hold },
};

static int __init pressure_init(void)
{
	return verdict("test", test, run_named(tests, "test", test));
}

static void __exit pressure_exit(void)
{
	chain_free(&kept);
}

module_init(pressure_init);
module_exit(pressure_exit);
MODULE_DESCRIPTION("goheap when memory runs out");
MODULE_LICENSE("GPL");
