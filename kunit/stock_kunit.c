// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that a CPU takes from the page heap ahead of need.
 */

#include <linux/sizes.h>
#include <linux/string.h>

#include "lib_object.h"
#include "lib_pages.h"
#include "testlib.h"

#define LONE		SZ_8K		/* a span of one page, with one object */
#define NR		600		/* twice as many let a stock be the largest */
#define MOST		32UL		/* heap pages of a stock */
#define PART		32		/* what part of a heap all its stocks may have */

static int init(struct kunit *test)
{
	int err = gh_test_init_idle(test);

	if (!err)
		test->priv = gh_test_heap(test, "kunit-stock", NULL);
	return err;
}

/* Allocate until the heap has a stock of at least so many pages. */
static void **fill(struct kunit *test, unsigned long pages, unsigned int *nr)
{
	void **p = gh_test_array(test, 4 * NR);

	for (*nr = 0; *nr < 4 * NR && gh_test_stock(test->priv) < pages; ++*nr)
		gh_test_fill(test, test->priv, &p[*nr], 1, LONE);
	KUNIT_ASSERT_GE(test, gh_test_stock(test->priv), pages);
	return p;
}

static void expect_in_order(struct kunit *test)
{
	gh_test_check_pages(test);
	gh_test_validate(test);
}

static void expect_none(struct kunit *test, const char *after)
{
	KUNIT_EXPECT_EQ_MSG(test, gh_test_stock(test->priv), 0UL, "%s", after);
	KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&((struct goheap *)test->priv)->stocked), 0L,
			    "%s", after);
	gh_test_validate(test);
}

/* ---- what it is for ------------------------------------------------------ */

static void test_gh_stock_saves_locks(struct kunit *test)
{
	struct gh_page_heap *ph = gh_test_here();
	/* So that the largest stock is small beside the heap. */
	void **p = gh_test_alloc_many(test, test->priv, 2 * NR, LONE), **q;
	unsigned long locked = ph->locked;

	q = gh_test_alloc_many(test, test->priv, NR, LONE);
	KUNIT_EXPECT_LE(test, ph->locked - locked, NR / 10UL);
	expect_in_order(test);
	gh_test_free_each(p, 2 * NR);
	gh_test_free_each(q, NR);
	expect_in_order(test);
}

/* A stock for one class is cut up by another, whose spans are longer and aligned. */
static void test_gh_stock_serves_all_classes(struct kunit *test)
{
	static const size_t sizes[] = { SZ_8K, SZ_16K, SZ_8K, SZ_32K, 1024, 18432, SZ_4K, 24576 };
	void **p = gh_test_array(test, NR);
	unsigned int i;

	for (i = 0; i < NR; i++) {
		gh_test_fill(test, test->priv, &p[i], 1, sizes[i % ARRAY_SIZE(sizes)]);
		gh_test_expect_good(test, p[i], sizes[i % ARRAY_SIZE(sizes)]);
		memset(p[i], i, sizes[i % ARRAY_SIZE(sizes)]);
		if (i % 32 == 0)
			expect_in_order(test);
	}
	for (i = 0; i < NR; i++)
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p[i], i, sizes[i % ARRAY_SIZE(sizes)]),
				      "object %u has another's content", i);
	gh_test_free_each(p, NR);
	expect_in_order(test);
}

/* A span of more bits needs a descriptor of another kind than a stock has. */
static void test_gh_stock_is_for_common_descriptors(struct kunit *test)
{
	unsigned int nr;
	void **p = fill(test, 16, &nr), *q;
	unsigned long stock = gh_test_stock(test->priv);

	q = gh_test_alloc(test, test->priv, 16);
	KUNIT_EXPECT_EQ(test, gh_test_stock(test->priv), stock);
	KUNIT_EXPECT_NE(test, gh_test_span_of(q)->kind, GH_KIND_1);
	expect_in_order(test);
	goheap_free(q);
	gh_test_free_each(p, nr);
}

/* ---- sums ---------------------------------------------------------------- */

static bool sum_pages(struct gh_span *s, void *arg)
{
	*(unsigned long *)arg += s->npages;
	return true;
}

static void test_gh_stock_sums(struct kunit *test)
{
	struct goheap *heap = test->priv;
	struct gh_page_heap *ph = gh_test_here();
	unsigned long in_use = ph->small, pages = 0;
	unsigned int nr;
	void **p = fill(test, 32, &nr);
	unsigned long stock = gh_test_stock(heap);

	gh_map_walk(heap, sum_pages, &pages);
	KUNIT_EXPECT_EQ(test, pages, (unsigned long)nr);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&heap->pages), (long)(nr + stock));
	KUNIT_EXPECT_EQ(test, ph->small - in_use, nr + stock);
	expect_in_order(test);
	/* Each of the sums is looked at. */
	atomic_long_inc(&heap->pages);
	KUNIT_EXPECT_NOT_NULL(test, gh_validate());
	atomic_long_dec(&heap->pages);
	gh_test_cache(heap)->stock.pages++;
	KUNIT_EXPECT_NOT_NULL(test, gh_validate());
	gh_test_cache(heap)->stock.pages--;
	gh_test_cache(heap)->stock.descs.nr++;
	KUNIT_EXPECT_NOT_NULL(test, gh_validate());
	gh_test_cache(heap)->stock.descs.nr--;
	expect_in_order(test);
	gh_test_free_each(p, nr);
	expect_in_order(test);
}

/* ---- bounds -------------------------------------------------------------- */

static void test_gh_stock_bounds(struct kunit *test)
{
	struct goheap *heap = test->priv;
	void **p = gh_test_array(test, 4 * NR);
	unsigned long stock, most = 0;
	unsigned int i;

	for (i = 0; i < 4 * NR; i++) {
		gh_test_fill(test, heap, &p[i], 1, LONE);
		stock = gh_test_stock(heap);
		most = max(most, stock);
		KUNIT_EXPECT_LE(test, stock, MOST);
		KUNIT_EXPECT_LE_MSG(test, stock, (i + 1UL) / PART, "of %u pages", i + 1);
	}
	KUNIT_EXPECT_GE_MSG(test, most, MOST - 1, "a large heap has small stocks");
	gh_test_free_each(p, 4 * NR);
}

struct growth {
	struct goheap *heap;
	void **p;
	unsigned int nr;
};

static long grow_there(void *arg)
{
	struct growth *g = arg;

	gh_test_try_fill(g->heap, g->p, g->nr, LONE);
	return 0;
}

/* Together they have what one may have. */
static void test_gh_stock_bounds_of_two_cpus(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = test->priv;
	void **p = gh_test_array(test, NR);
	struct growth g = { .heap = heap, .nr = 7 };
	unsigned long stock;
	unsigned int i;

	for (i = 0; i + 14 <= NR; i += 14) {
		gh_test_fill(test, heap, &p[i], 7, LONE);
		g.p = &p[i + 7];
		gh_test_on(cpu, grow_there, &g);
		stock = gh_test_stock(heap);
		/* The heap's pages are those of spans and stocks. */
		KUNIT_EXPECT_LE_MSG(test, stock, (i + 14UL + stock) / PART, "beside %u pages",
				    i + 14);
		KUNIT_EXPECT_LE(test, atomic_long_read(&heap->stocked), (i + 14L + PART) / PART);
	}
	KUNIT_EXPECT_GT(test, per_cpu_ptr(heap->cache, cpu)->stock.pages +
			gh_test_cache(heap)->stock.pages, 0U);
	expect_in_order(test);
	gh_test_free_each(p, i);
	gh_reclaim_trim();
	expect_none(test, "trim");
}

/* A CPU that has used its stock up, and grows no more, leaves other CPUs their part. */
static void test_gh_stock_used_up(struct kunit *test)
{
	struct goheap *heap = test->priv;
	unsigned int nr, i;
	void **p = fill(test, 24, &nr);

	for (i = nr; i < 4 * NR && gh_test_stock(heap); i++)
		gh_test_fill(test, heap, &p[i], 1, LONE);
	KUNIT_EXPECT_EQ(test, gh_test_stock(heap), 0UL);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&heap->stocked), 0L);
	expect_in_order(test);
	gh_test_free_each(p, i);
}

static void expect_no_stock(struct kunit *test, const struct goheap_params *params)
{
	struct goheap *heap = gh_test_heap(test, "kunit-none", params);
	void **p = gh_test_array(test, NR);
	unsigned int i;

	for (i = 0; i < NR; i++) {
		gh_test_fill(test, heap, &p[i], 1, LONE / 2);
		KUNIT_EXPECT_EQ(test, gh_test_stock(heap), 0UL);
	}
	gh_test_free_each(p, NR);
}

/* What one CPU has ahead of need may be what another one lacks. */
static void test_gh_stock_none_with_limit(struct kunit *test)
{
	expect_no_stock(test, &(struct goheap_params){ .limit = SZ_16M });
}

static void test_gh_stock_none_if_debugged(struct kunit *test)
{
	expect_no_stock(test, &(struct goheap_params){ .flags = GOHEAP_POISON });
}

/* ---- ways back ----------------------------------------------------------- */

static void test_gh_stock_goes_back(struct kunit *test)
{
	unsigned long runs, held;
	unsigned int nr;
	void **p;

	p = fill(test, 24, &nr);
	runs = gh_test_here()->nr_runs;
	held = gh_test_pages(test->priv) - gh_test_stock(test->priv);
	gh_test_flush_stock(test->priv);
	expect_none(test, "flush of the stock");
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), (long)held);
	/* The rest that it was cut off is beside it. */
	KUNIT_EXPECT_LE(test, gh_test_here()->nr_runs, max(runs, 1UL));
	gh_test_check_pages(test);
	gh_test_free_each(p, nr);

	p = fill(test, 24, &nr);
	gh_reclaim_trim();
	expect_none(test, "trim");
	gh_test_free_each(p, nr);

	p = fill(test, 24, &nr);
	gh_reclaim_last_resort();
	gh_reclaim_last_resort();
	expect_none(test, "out of memory");
	gh_test_free_each(p, nr);

	p = fill(test, 24, &nr);
	WRITE_ONCE(gh_test_cache(test->priv)->relax, true);
	gh_drain_work(&gh_test_cache(test->priv)->drain);
	expect_none(test, "busy, but not growing");
	gh_test_free_each(p, nr);

	p = fill(test, 24, &nr);
	WRITE_ONCE(gh_test_cache(test->priv)->flush, true);
	gh_drain_work(&gh_test_cache(test->priv)->drain);
	expect_none(test, "idle");
	gh_test_free_each(p, nr);
}

/* A flush that finds nothing else, and one that comes after: the tick looks at @filled. */
static void test_gh_stock_is_looked_for(struct kunit *test)
{
	struct gh_cache *cache = gh_test_cache(test->priv);
	unsigned int nr;
	void **p = fill(test, 24, &nr);

	KUNIT_EXPECT_TRUE(test, cache->filled);
	gh_reclaim_trim();
	KUNIT_EXPECT_FALSE(test, cache->filled);
	gh_test_fill(test, test->priv, &p[nr], 1, LONE);
	KUNIT_EXPECT_GT(test, gh_test_stock(test->priv), 0UL);
	KUNIT_EXPECT_TRUE(test, cache->filled);
	gh_test_free_each(p, nr + 1);
}

static void test_gh_stock_of_dead_cpu(struct kunit *test)
{
	struct goheap *heap = test->priv;
	struct gh_cache *cache;
	unsigned int nr;
	void **p = fill(test, 24, &nr);

	cache = gh_test_nest(heap);
	preempt_enable();
	gh_hotplug_abandon(cache);
	expect_none(test, "a CPU is dead");
	init_llist_head(&cache->inbox);
	WRITE_ONCE(cache->busy, 0);
	gh_test_free_each(p, nr);
}

static void test_gh_stock_goes_with_its_heap(struct kunit *test)
{
	struct gh_page_heap *ph = gh_test_here();
	unsigned long in_use = ph->small;
	struct goheap *heap = goheap_create("kunit-end", &(struct goheap_params){});
	void **p;

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	p = gh_test_alloc_many(test, heap, NR, LONE);
	KUNIT_EXPECT_GT(test, gh_test_stock(heap), 0UL);
	gh_test_free_each(p, NR);
	goheap_destroy(heap);
	KUNIT_EXPECT_EQ(test, ph->small, in_use);
	expect_in_order(test);
}

/* ---- neighbours ---------------------------------------------------------- */

/* Pages beside a stock become free, and are not joined with it. */
static void test_gh_stock_keeps_apart(struct kunit *test)
{
	struct goheap *heap = test->priv;
	unsigned int nr;
	void **p = fill(test, 24, &nr);
	struct gh_stock *stock = &gh_test_cache(heap)->stock;
	unsigned long base = stock->base;
	unsigned int pages = stock->pages, i;

	KUNIT_EXPECT_EQ(test, gh_test_span_of((void *)(base - 1))->base, base - LONE);
	gh_test_free_each(p, nr);
	gh_test_flush_slot(heap, LONE);
	KUNIT_EXPECT_EQ(test, stock->base, base);
	KUNIT_EXPECT_EQ(test, stock->pages, pages);
	for (i = 0; i < pages; i++)
		KUNIT_EXPECT_NULL(test, gh_test_span_of((void *)(base + i * GH_PAGE_SIZE)));
	expect_in_order(test);
	gh_test_flush_stock(heap);
	KUNIT_EXPECT_NULL(test, gh_pageheap_validate(gh_test_here()));
	KUNIT_EXPECT_TRUE(test, gh_test_owns(base));
}

/* What was written to the pages before they were free is not what a caller of zalloc() gets. */
static void test_gh_stock_needzero(struct kunit *test)
{
	void **p = gh_test_alloc_many(test, test->priv, NR, LONE);
	unsigned int i;

	for (i = 0; i < NR; i++)
		memset(p[i], 0xa5, LONE);
	gh_test_free_each(p, NR);
	/* To the page heap, which keeps as much as it once had in use. */
	for (i = 0; i < NR && gh_test_pages(test->priv) > gh_test_stock(test->priv); i++)
		gh_test_flush_slot(test->priv, LONE);
	KUNIT_ASSERT_EQ(test, gh_test_pages(test->priv), (long)gh_test_stock(test->priv));
	for (i = 0; i < NR; i++) {
		p[i] = goheap_heap_alloc(test->priv, LONE, GFP_KERNEL | __GFP_ZERO, 0);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p[i], 0, LONE), "object %u", i);
	}
	gh_test_free_each(p, NR);
}

/* Fresh pages need not be cleared, from a stock either. */
static void test_gh_stock_fresh(struct kunit *test)
{
	unsigned int nr;
	void **p = fill(test, 24, &nr);

	KUNIT_EXPECT_EQ(test, gh_test_cache(test->priv)->stock.needzero,
			!want_init_on_alloc(GFP_KERNEL));
	gh_test_free_each(p, nr);
}

/* ---- errors -------------------------------------------------------------- */

/* The stock's next page gets a memory error. */
static void test_gh_stock_with_poisoned_page(struct kunit *test)
{
	struct goheap *heap = test->priv;
	struct gh_page_heap *ph = gh_test_here();
	unsigned int nr, more = 80, i;
	void **p = fill(test, 24, &nr);
	unsigned long addr = gh_test_cache(heap)->stock.base + 3 * GH_PAGE_SIZE;

	WRITE_ONCE(gh_test_poison, virt_to_page((void *)addr));
	for (i = nr; i < nr + more; i++) {
		gh_test_fill(test, heap, &p[i], 1, LONE);
		KUNIT_EXPECT_FALSE_MSG(test, (unsigned long)p[i] / PAGE_SIZE <= addr / PAGE_SIZE &&
				       addr / PAGE_SIZE < ((unsigned long)p[i] + LONE) / PAGE_SIZE,
				       "object %u", i);
	}
	KUNIT_EXPECT_GE(test, ph->nr_poisoned, 1UL);
	expect_in_order(test);
	gh_test_free_each(p, nr + more);
	gh_reclaim_trim();
	WRITE_ONCE(gh_test_poison, NULL);
	expect_in_order(test);
}

/* Interrupted code may hold the page heap's lock: what is in the stock can be had. */
static void test_gh_stock_in_nmi(struct kunit *test)
{
	struct goheap *heap = test->priv;
	unsigned int nr, i, got = 0;
	void **p = fill(test, 24, &nr), **q = gh_test_array(test, 64);
	unsigned long stock = gh_test_stock(heap), flags = gh_test_nmi_begin(), lock_flags;

	gh_lock(&gh_test_here()->lock, lock_flags);
	for (i = 0; i < 64; i++)
		got += gh_test_try_fill(heap, &q[i], 1, LONE);
	gh_unlock(&gh_test_here()->lock, lock_flags);
	gh_test_nmi_end(flags);
	KUNIT_EXPECT_EQ(test, got, (unsigned int)stock);
	KUNIT_EXPECT_EQ(test, gh_test_stock(heap), 0UL);
	expect_in_order(test);
	gh_test_free_each(q, got);
	gh_test_free_each(p, nr);
}

/* Who cannot have descriptors made, as in NMI, finds some whatever the stocks have. */
static void test_gh_stock_leaves_spares(struct kunit *test)
{
	void **p = gh_test_array(test, NR);
	unsigned int i, before = 0;

	for (i = 0; i < NR; i++) {
		gh_test_fill(test, test->priv, &p[i], 1, LONE);
		if (gh_test_stock(test->priv) > before)
			KUNIT_EXPECT_GE_MSG(test, gh_test_here()->spares[GH_KIND_1].nr, 4U,
					    "a stock of %lu pages", gh_test_stock(test->priv));
		before = gh_test_stock(test->priv);
	}
	gh_test_free_each(p, NR);
}

/* An interrupt that hits the section leaves the stock alone. */
static void test_gh_stock_nested(struct kunit *test)
{
	struct goheap *heap = test->priv;
	unsigned int nr;
	void **p = fill(test, 24, &nr), *q;
	unsigned long stock = gh_test_stock(heap);
	struct gh_cache *cache = gh_test_nest(heap);

	q = goheap_heap_alloc(heap, LONE, GFP_ATOMIC, 0);
	gh_test_unnest(cache);
	KUNIT_EXPECT_EQ(test, gh_test_stock(heap), stock);
	expect_in_order(test);
	goheap_free(q);
	gh_test_free_each(p, nr);
}

/* The CPU's node has changed, as it can on a machine whose nodes get their memory late. */
static void test_gh_stock_of_other_node(struct kunit *test)
{
	struct goheap *heap = test->priv;
	unsigned int nr;
	void **p = fill(test, 24, &nr);
	struct gh_stock *stock = &gh_test_cache(heap)->stock;
	int nid, other = NUMA_NO_NODE;
	unsigned int cpu;
	struct growth g;

	for_each_node_state(nid, N_NORMAL_MEMORY)
		if (nid != gh_mem_node() && nr_cpus_node(nid))
			other = nid;
	if (other == NUMA_NO_NODE) {
		gh_test_free_each(p, nr);
		kunit_skip(test, "no other node has memory and CPUs");
	}
	gh_test_flush_stock(heap);
	cpu = cpumask_first(cpumask_of_node(other));
	g = (struct growth){ .heap = heap, .p = &p[nr], .nr = 1 };
	gh_test_on(cpu, grow_there, &g);
	/* As if this CPU had taken its stock there. */
	swap(*stock, per_cpu_ptr(heap->cache, cpu)->stock);
	KUNIT_ASSERT_EQ(test, stock->nid, other);
	KUNIT_ASSERT_GT(test, stock->pages, 0U);
	p[nr + 1] = gh_test_alloc(test, heap, LONE);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(p[nr + 1])), gh_mem_node());
	KUNIT_EXPECT_EQ(test, stock->nid, gh_mem_node());
	expect_in_order(test);
	gh_test_free_each(p, nr + 2);
	expect_in_order(test);
}

static struct kunit_case stock_cases[] = {
	KUNIT_CASE(test_gh_stock_saves_locks),
	KUNIT_CASE(test_gh_stock_serves_all_classes),
	KUNIT_CASE(test_gh_stock_is_for_common_descriptors),
	KUNIT_CASE(test_gh_stock_sums),
	KUNIT_CASE(test_gh_stock_bounds),
	KUNIT_CASE(test_gh_stock_bounds_of_two_cpus),
	KUNIT_CASE(test_gh_stock_used_up),
	KUNIT_CASE(test_gh_stock_none_with_limit),
	KUNIT_CASE(test_gh_stock_none_if_debugged),
	KUNIT_CASE(test_gh_stock_goes_back),
	KUNIT_CASE(test_gh_stock_is_looked_for),
	KUNIT_CASE(test_gh_stock_of_dead_cpu),
	KUNIT_CASE(test_gh_stock_goes_with_its_heap),
	KUNIT_CASE(test_gh_stock_keeps_apart),
	KUNIT_CASE(test_gh_stock_needzero),
	KUNIT_CASE(test_gh_stock_fresh),
	KUNIT_CASE(test_gh_stock_with_poisoned_page),
	KUNIT_CASE(test_gh_stock_in_nmi),
	KUNIT_CASE(test_gh_stock_leaves_spares),
	KUNIT_CASE(test_gh_stock_nested),
	KUNIT_CASE(test_gh_stock_of_other_node),
	{}
};

static struct kunit_suite stock_suite = {
	.name = "goheap_stock",
	.init = init,
	.exit = gh_test_exit_idle,
	.test_cases = stock_cases,
};

kunit_test_suite(stock_suite);
