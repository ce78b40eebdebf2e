// SPDX-License-Identifier: GPL-2.0
/*
 * Spans that go back to the page heap together, and descriptors that come together.
 */

#include <linux/sizes.h>
#include <linux/topology.h>

#include "lib_object.h"
#include "lib_pages.h"
#include "testlib.h"

/* One run of pages, cut into spans of these lengths. */
static const unsigned int sizes[] = { 1, 2, 3, 1, 4, 1, 10, 2 };
#define NR	ARRAY_SIZE(sizes)

/* Link spans in this order. */
static struct gh_span *chain(struct gh_span **spans, const unsigned int *order, unsigned int nr)
{
	struct gh_span *list = NULL;

	while (nr--) {
		spans[order[nr]]->next = list;
		list = spans[order[nr]];
	}
	return list;
}

/* The first and the last page of a run find it, those between find nothing. */
static void expect_run(struct kunit *test, unsigned long base, unsigned int npages)
{
	struct gh_span *run = gh_test_span_of((void *)base);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ(test, run->base, base);
	KUNIT_EXPECT_EQ(test, run->npages, npages);
	for (i = 1; i < npages; i++)
		KUNIT_EXPECT_PTR_EQ_MSG(test, gh_test_span_of((void *)(base + i * GH_PAGE_SIZE)),
					i == npages - 1 ? run : NULL, "page %u", i);
}

static void free_in_order(struct kunit *test, const unsigned int *order, bool at_once)
{
	struct gh_page_heap *ph = gh_test_here();
	unsigned long base, locked, in_use, spares, changes;
	struct gh_span *spans[NR];

	in_use = ph->small + ph->large;
	gh_test_carve(test, sizes, NR, spans);
	base = spans[1]->base;
	spares = ph->spares[GH_KIND_1].nr;
	locked = ph->locked;
	changes = ph->changes;
	/* All but the first and the last, which keep the rest of the chunk away. */
	gh_arena_free_list(chain(spans, order, NR - 2));
	KUNIT_EXPECT_LE(test, ph->locked - locked, 2UL);
	if (at_once)
		KUNIT_EXPECT_EQ_MSG(test, ph->changes - changes, 1UL, "the tree was changed");
	KUNIT_EXPECT_EQ(test, ph->nr_runs, 2UL);
	KUNIT_EXPECT_EQ(test, ph->spares[GH_KIND_1].nr, spares + NR - 3);
	KUNIT_EXPECT_EQ(test, ph->small + ph->large, in_use + sizes[0] + sizes[NR - 1]);
	expect_run(test, base, 21);
	gh_test_check_pages(test);
	gh_test_free_pages(spans[0]);
	gh_test_free_pages(spans[NR - 1]);
	KUNIT_EXPECT_EQ(test, ph->nr_runs, 1UL);
	gh_test_check_pages(test);
	gh_test_validate(test);
	gh_test_start_idle();
}

static void test_gh_arena_free_list_joins_neighbours(struct kunit *test)
{
	static const unsigned int orders[][NR - 2] = {
		{ 1, 2, 3, 4, 5, 6 },		/* upward */
		{ 6, 5, 4, 3, 2, 1 },		/* downward */
		{ 3, 4, 2, 5, 1, 6 },		/* from the middle, to both sides */
#define NR_AT_ONCE	3
		{ 1, 3, 5, 2, 4, 6 },		/* no neighbours that follow each other */
		{ 1, 2, 5, 6, 4, 3 },		/* two parts that a third one joins */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(orders); i++)
		free_in_order(test, orders[i], i < NR_AT_ONCE);
}

/* Each of two neighbours is next to a free run already. */
static void test_gh_arena_free_list_joins_free_runs(struct kunit *test)
{
	static const unsigned int outer[] = { 1, 4 }, inner[] = { 2, 3 };
	struct gh_span *spans[NR];
	unsigned long base;
	unsigned int i;

	gh_test_carve(test, sizes, NR, spans);
	base = spans[1]->base;
	gh_arena_free_list(chain(spans, outer, 2));
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 3UL);
	gh_arena_free_list(chain(spans, inner, 2));
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 2UL);
	expect_run(test, base, 10);
	gh_test_check_pages(test);
	gh_test_free_pages(spans[0]);
	for (i = 5; i < NR; i++)
		gh_test_free_pages(spans[i]);
	gh_test_check_pages(test);
}

/* One page with content among them: all of the run has to be cleared. */
static void test_gh_arena_free_list_needzero(struct kunit *test)
{
	static const unsigned int order[] = { 1, 2, 3 };
	struct gh_span *spans[NR], *run;
	unsigned int i, dirty;
	unsigned long base;

	for (dirty = 0; dirty <= 3; dirty++) {
		gh_test_carve(test, sizes, NR, spans);
		base = spans[1]->base;
		for (i = 1; i <= 3; i++)
			spans[i]->needzero = i == dirty;
		gh_arena_free_list(chain(spans, order, 3));
		run = gh_test_span_of((void *)base);
		KUNIT_ASSERT_NOT_NULL(test, run);
		KUNIT_EXPECT_EQ(test, run->npages, 6);
		KUNIT_EXPECT_EQ_MSG(test, run->needzero, dirty > 0, "span %u", dirty);
		gh_test_free_pages(spans[0]);
		for (i = 4; i < NR; i++)
			gh_test_free_pages(spans[i]);
		gh_test_start_idle();
	}
}

/* Interrupts are off while spans come back: not for as long as there are some. */
static void test_gh_arena_free_list_lets_go_of_the_lock(struct kunit *test)
{
	static const unsigned int ones[] = { [0 ... 99] = 1 };
	struct gh_span *spans[ARRAY_SIZE(ones)];
	struct gh_page_heap *ph = gh_test_here();
	unsigned int order[ARRAY_SIZE(ones)], i;
	unsigned long locked;

	gh_test_carve(test, ones, ARRAY_SIZE(ones), spans);
	for (i = 0; i < ARRAY_SIZE(ones); i++)
		order[i] = i;
	locked = ph->locked;
	gh_arena_free_list(chain(spans, order, ARRAY_SIZE(ones)));
	KUNIT_EXPECT_GE(test, ph->locked - locked, ARRAY_SIZE(ones) / 32UL);
	KUNIT_EXPECT_LE(test, ph->locked - locked, ARRAY_SIZE(ones) / 4UL);
	KUNIT_EXPECT_EQ(test, ph->nr_runs, 1UL);
	gh_test_check_pages(test);
}

/* A span of each of two nodes in turn. */
static void test_gh_arena_free_list_of_two_nodes(struct kunit *test)
{
	const struct gh_want w = { .npages = 1, .align = 1, .state = GH_SPAN_LARGE };
	int nid = numa_mem_id(), other = next_node_in(nid, node_states[N_NORMAL_MEMORY]);
	struct gh_span *s, *list = NULL;
	unsigned int i;

	if (other == nid)
		kunit_skip(test, "there is one node with memory");
	for (i = 0; i < 8; i++) {
		s = gh_arena_alloc(&w, GFP_KERNEL | __GFP_THISNODE, i % 2 ? nid : other);
		KUNIT_ASSERT_NOT_NULL(test, s);
		gh_span_init_large(s, gh_default, gh_span_bytes(s), false);
		gh_arena_commit(s);
		s->next = list;
		list = s;
	}
	gh_arena_free_list(list);
	KUNIT_EXPECT_NULL(test, gh_pageheap_validate(gh_page_heaps[nid]));
	KUNIT_EXPECT_NULL(test, gh_pageheap_validate(gh_page_heaps[other]));
	gh_test_validate(test);
}

/* ---- those of a heap ------------------------------------------------------- */

/* A small span of a heap, empty, that nobody else knows. */
static struct gh_span *empty_span(struct kunit *test, struct goheap *heap)
{
	unsigned int sc = gh_size_class(GH_TEST_SIZE) * 2;
	struct gh_span *s = gh_spans_new_small(heap, sc, GFP_KERNEL, NUMA_NO_NODE, NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(s));
	return s;
}

static void test_gh_spans_free_list_uncharges_each_heap(struct kunit *test)
{
	struct goheap *a = gh_test_heap(test, "kunit-a", NULL);
	struct goheap *b = gh_test_heap(test, "kunit-b", NULL);
	static const bool of_b[] = { 0, 0, 1, 1, 1, 0, 1 };
	struct gh_span *spans[ARRAY_SIZE(of_b)], *list = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(of_b); i++) {
		spans[i] = empty_span(test, of_b[i] ? b : a);
		spans[i]->next = list;
		list = spans[i];
	}
	KUNIT_EXPECT_EQ(test, gh_test_pages(a), 3L);
	KUNIT_EXPECT_EQ(test, gh_test_pages(b), 4L);
	gh_spans_free_list(list);
	KUNIT_EXPECT_EQ(test, gh_test_pages(a), 0L);
	KUNIT_EXPECT_EQ(test, gh_test_pages(b), 0L);
	gh_test_validate(test);
}

#define LONE	SZ_8K			/* a span with one object */

/* How often the page heap is locked while so many spans are freed. */
static unsigned long locks_of_frees(struct kunit *test, struct goheap *heap, unsigned int nr)
{
	void **p = gh_test_alloc_many(test, heap, nr, LONE);
	unsigned long locked = gh_test_here()->locked;

	gh_test_free_each(p, nr);
	kunit_kfree(test, p);
	return gh_test_here()->locked - locked;
}

static void test_gh_cache_tidies_up_in_batches(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-a", NULL);

	KUNIT_EXPECT_LE(test, locks_of_frees(test, heap, 512), 512UL / 4);
	KUNIT_EXPECT_LE(test, gh_test_pages(heap), 64L);
}

static void test_gh_cache_flushes_in_batches(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-a", NULL);
	unsigned long locked;

	/* Too few to be tidied up. */
	KUNIT_ASSERT_EQ(test, locks_of_frees(test, heap, 24), 0UL);
	locked = gh_test_here()->locked;
	gh_test_flush_slot(heap, LONE);
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
	KUNIT_EXPECT_LE(test, gh_test_here()->locked - locked, 24UL / 4);
}

static void test_gh_park_flush_is_a_batch(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-a", NULL);
	void **p = gh_test_alloc_many(test, heap, 16, SZ_64K);
	unsigned long locked;

	gh_test_free_each(p, 16);
	KUNIT_ASSERT_GE(test, gh_test_pages(heap), 128L);
	preempt_disable();
	locked = gh_test_here()->locked;
	gh_park_flush(gh_test_cache(heap));
	locked = gh_test_here()->locked - locked;
	preempt_enable();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
	KUNIT_EXPECT_LE(test, locked, 4UL);
}

/* ---- descriptors ------------------------------------------------------------ */

/* How many descriptors are left after one was missing, and was needed? */
static unsigned int left_after_alloc(struct kunit *test, gfp_t gfp)
{
	struct goheap *heap = gh_test_heap(test, "kunit-a", NULL);
	unsigned int left;
	void *p;

	gh_pageheap_trim_spares(gh_test_here(), 0);
	/* The rest of a chunk is there to be cut. */
	p = goheap_heap_alloc(heap, LONE, gfp, 0);
	left = gh_test_here()->spares[GH_KIND_1].nr;
	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free(p);
	return left;
}

static void test_goheap_alloc_adds_spares_together(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 1, 1);

	KUNIT_EXPECT_GE(test, left_after_alloc(test, GFP_KERNEL), 8U);
	gh_test_free_pages(s);
}

/* In one section or one interrupt, a few. */
static void test_goheap_alloc_adds_few_spares_if_atomic(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 1, 1);
	unsigned int left = left_after_alloc(test, GFP_ATOMIC);

	KUNIT_EXPECT_GE(test, left, 1U);
	KUNIT_EXPECT_LE(test, left, 4U);
	gh_test_free_pages(s);
}

static struct kunit_case batch_cases[] = {
	KUNIT_CASE(test_gh_arena_free_list_joins_neighbours),
	KUNIT_CASE(test_gh_arena_free_list_joins_free_runs),
	KUNIT_CASE(test_gh_arena_free_list_needzero),
	KUNIT_CASE(test_gh_arena_free_list_lets_go_of_the_lock),
	KUNIT_CASE(test_gh_arena_free_list_of_two_nodes),
	KUNIT_CASE(test_gh_spans_free_list_uncharges_each_heap),
	KUNIT_CASE(test_gh_cache_tidies_up_in_batches),
	KUNIT_CASE(test_gh_cache_flushes_in_batches),
	KUNIT_CASE(test_gh_park_flush_is_a_batch),
	KUNIT_CASE(test_goheap_alloc_adds_spares_together),
	KUNIT_CASE(test_goheap_alloc_adds_few_spares_if_atomic),
	{}
};

static struct kunit_suite batch_suite = {
	.name = "goheap_batch",
	.init = gh_test_init_idle,
	.exit = gh_test_exit_idle,
	.test_cases = batch_cases,
};

kunit_test_suite(batch_suite);
