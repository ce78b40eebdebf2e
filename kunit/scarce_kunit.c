// SPDX-License-Identifier: GPL-2.0
/*
 * When the kernel has memory in short blocks only: which sizes there are still, and who
 * waits for longer ones.
 */

#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "lib_object.h"
#include "lib_pages.h"
#include "lib_report.h"
#include "testlib.h"

#define KEPT	48		/* objects that are live at a time */

/* Every so-manieth size up to @most, with @gfp; each is as good as ever. */
static void alloc_all_sizes(struct kunit *test, size_t most, gfp_t gfp)
{
	unsigned int step = GH_TEST_SLOW ? 31 : 3, i = 0;
	size_t size, sizes[KEPT] = {};
	void *p[KEPT] = {};

	for (size = 1; size <= most; size += step, i = (i + 1) % KEPT) {
		if (p[i])
			goheap_free_sized(p[i], sizes[i]);
		p[i] = (goheap_alloc)(size, gfp);
		sizes[i] = size;
		gh_test_expect_good(test, p[i], size);
		if (p[i] && gfp & __GFP_ZERO)
			KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p[i], 0, size), "size %zu", size);
		if (p[i])
			memset(p[i], 0xa5, size);
	}
	for (i = 0; i < KEPT; i++)
		if (p[i])
			goheap_free_sized(p[i], sizes[i]);
	/* Whose size was wrong would be refused. */
	gh_test_expect_silence(test);
}

static void test_goheap_alloc_every_size_from_32k_blocks(struct kunit *test)
{
	static const gfp_t flags[] = { GFP_KERNEL, GFP_ATOMIC, GFP_KERNEL | __GFP_ZERO,
				       GFP_KERNEL | __GFP_NOFAIL, GFP_NOWAIT | __GFP_NOMEMALLOC };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		gh_test_limit_blocks(SZ_32K);
		alloc_all_sizes(test, SZ_32K, flags[i]);
		gh_test_unlimit_blocks();
	}
}

/* The same with no more than what the size itself takes, down to a heap page. */
static void test_goheap_alloc_every_size_from_short_blocks(struct kunit *test)
{
	size_t most;

	for (most = SZ_8K; most <= SZ_32K; most *= 2) {
		gh_test_limit_blocks(most);
		alloc_all_sizes(test, most, GFP_KERNEL);
		gh_test_unlimit_blocks();
	}
}

/* An object from a class with shorter spans is counted, sized and freed as one of that. */
static void test_goheap_alloc_from_shorter_spans(struct kunit *test)
{
	struct gh_span_counts counts;
	struct gh_span *s;
	void *p;

	if (PAGE_SIZE > SZ_8K)
		kunit_skip(test, "spans take few pages");
	gh_test_limit_blocks(SZ_32K);
	p = (goheap_alloc)(6784, GFP_ATOMIC);
	gh_test_unlimit_blocks();
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 8192UL);
	s = gh_test_span_of(p);
	KUNIT_EXPECT_EQ(test, gh_span_bytes(s), 8192UL);
	gh_span_count(s, &counts);
	KUNIT_EXPECT_EQ(test, counts.objects, 1U);
	KUNIT_EXPECT_EQ(test, counts.live, 1U);
	p = goheap_realloc(p, 6000, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 8192UL);
	goheap_free_sized(p, 6000);
	/* With longer blocks it is as it always was. */
	p = (goheap_alloc)(6784, GFP_ATOMIC);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 6784UL);
	goheap_free(p);
}

/* What is not to be had is not asked for again for every object. */
static void test_goheap_alloc_asks_once_for_scarce_blocks(struct kunit *test)
{
	unsigned int order = get_order(5 * GH_PAGE_SIZE), before, i;
	void *p[5];

	if (PAGE_SIZE > SZ_8K)
		kunit_skip(test, "spans take few pages");
	/* No block for the long spans, and enough for the short ones at once. */
	gh_test_limit_blocks(SZ_32K);
	p[0] = (goheap_alloc)(6784, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, gh_test_here()->scarce, 5U);
	gh_test_here()->scarce_until = jiffies + 1000 * HZ;
	p[1] = (goheap_alloc)(64, GFP_KERNEL);
	before = gh_test_asked[order];
	for (i = 2; i < 4; i++)
		p[i] = (goheap_alloc)(6784, GFP_KERNEL);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_asked[order], before, "of what is scarce");
	gh_test_here()->scarce_until = jiffies;
	p[4] = (goheap_alloc)(6784, GFP_KERNEL);
	KUNIT_EXPECT_GT_MSG(test, gh_test_asked[order], before, "it may be so no more");
	goheap_free_bulk(ARRAY_SIZE(p), p);
	gh_test_unlimit_blocks();
}

static void test_goheap_heap_alloc_debug_from_shorter_spans(struct kunit *test)
{
	static const struct goheap_params params = {
		.flags = GOHEAP_POISON | GOHEAP_REDZONE | GOHEAP_TRACK,
	};
	struct goheap *heap = gh_test_heap(test, "kunit-short", &params);
	u8 *p;

	gh_test_limit_blocks(SZ_32K);
	p = goheap_heap_alloc(heap, 6700, GFP_KERNEL, 0);
	gh_test_unlimit_blocks();
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 6700UL);
	memset(p, 0, 6700);
	goheap_free(p);
	gh_test_expect_silence(test);
	p = goheap_heap_alloc(heap, 6700, GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free(p);
}

/* The kernel is told that it must not fail, where it can be. */
static void test_goheap_alloc_nofail_reaches_the_kernel(struct kunit *test)
{
	void *p;

	gh_test_limit_blocks(GH_PAGE_SIZE);
	p = (goheap_alloc_node)(64, GFP_KERNEL | __GFP_NOFAIL | __GFP_THISNODE, numa_mem_id());
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, gh_test_gfp & __GFP_NOFAIL);
	goheap_free(p);
	gh_test_unlimit_blocks();
	gh_test_limit_blocks(SZ_32K);
	p = (goheap_alloc_node)(SZ_32K, GFP_KERNEL | __GFP_NOFAIL | __GFP_THISNODE, numa_mem_id());
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, !(gh_test_gfp & __GFP_NOFAIL) == (get_order(SZ_32K) > 1));
	goheap_free(p);
	gh_test_unlimit_blocks();
}

static void blocks_come_back(struct work_struct *work)
{
	gh_test_unlimit_blocks();
}

static DECLARE_DELAYED_WORK(come_back, blocks_come_back);

/* Nor does it fail for blocks that the kernel may refuse: goheap waits, and tries again. */
static void test_goheap_alloc_nofail_waits_for_blocks(struct kunit *test)
{
	static const size_t sizes[] = { 24, 6784, SZ_32K, SZ_64K };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		gh_test_limit_blocks(PAGE_SIZE);
		schedule_delayed_work(&come_back, HZ / 10);
		p = (goheap_alloc)(sizes[i], GFP_KERNEL | __GFP_NOFAIL);
		KUNIT_EXPECT_NOT_NULL_MSG(test, p, "size %zu", sizes[i]);
		KUNIT_EXPECT_TRUE_MSG(test, PAGE_SIZE >= GH_PAGE_SIZE ||
				      READ_ONCE(gh_test_max_order) == UINT_MAX,
				      "size %zu did not wait", sizes[i]);
		flush_delayed_work(&come_back);
		goheap_free(p);
	}
	gh_test_unlimit_blocks();
}

static struct kunit_case scarce_cases[] = {
	KUNIT_CASE(test_goheap_alloc_every_size_from_32k_blocks),
	KUNIT_CASE(test_goheap_alloc_every_size_from_short_blocks),
	KUNIT_CASE(test_goheap_alloc_from_shorter_spans),
	KUNIT_CASE(test_goheap_alloc_asks_once_for_scarce_blocks),
	KUNIT_CASE(test_goheap_heap_alloc_debug_from_shorter_spans),
	KUNIT_CASE(test_goheap_alloc_nofail_reaches_the_kernel),
	KUNIT_CASE(test_goheap_alloc_nofail_waits_for_blocks),
	{}
};

static struct kunit_suite scarce_suite = {
	.name = "goheap_scarce",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = scarce_cases,
};

kunit_test_suite(scarce_suite);
