// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects: parked, freed elsewhere, and after a grace period.
 */

#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "testlib.h"

/* ---- after a grace period ------------------------------------------------ */

static void test_goheap_free_rcu_large(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu-large", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);
	long during, after;
	bool kept;

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x77, 100000);
	rcu_read_lock();
	goheap_free_rcu(p);
	during = gh_test_pages(heap);
	kept = !memchr_inv(p, 0x77, 100000);
	rcu_read_unlock();
	gh_test_grace_period();
	gh_test_flush_limbo();
	gh_reclaim_trim();
	after = gh_test_pages(heap);
	KUNIT_EXPECT_EQ(test, during, 13);
	KUNIT_EXPECT_TRUE(test, kept);
	KUNIT_EXPECT_EQ(test, after, 0);
}

static bool counts_are(struct gh_span *s, unsigned int free, unsigned int pending)
{
	struct gh_span_counts counts;

	gh_span_count(s, &counts);
	return counts.objects == 1 && counts.free == free && counts.pending == pending;
}

/* What goheap_free_rcu() does, in two steps: "heap error-28" stood there in between. */
static void test_goheap_free_rcu_large_is_healthy(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu-large", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);
	struct gh_span *s;

	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_test_span_of(p);
	KUNIT_EXPECT_TRUE(test, counts_are(s, 0, 0));
	gh_span_rcu_mark(s);
	gh_word_set_remote(&s->words[0], 0);
	gh_test_validate(test);
	KUNIT_EXPECT_TRUE_MSG(test, counts_are(s, 0, 1), "it waits for readers");
	preempt_disable();
	gh_limbo_add(s);
	preempt_enable();
	gh_test_flush_limbo();
	gh_test_validate(test);
}

static void test_goheap_free_large_counts(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-parked", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0), *q;
	struct gh_span *s;
	bool parked, live;

	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_test_span_of(p);
	preempt_disable();
	goheap_free(p);
	parked = counts_are(s, 1, 0);
	q = goheap_heap_alloc(heap, 100000, GFP_ATOMIC, 0);
	live = counts_are(s, 0, 0);
	preempt_enable();
	KUNIT_EXPECT_TRUE_MSG(test, parked, "nobody waits for it");
	KUNIT_EXPECT_PTR_EQ(test, p, q);
	KUNIT_EXPECT_TRUE_MSG(test, live, "it has an owner again");
	gh_test_validate(test);
	goheap_free(q);
	gh_test_validate(test);
}

/* ---- freed elsewhere, and parked ----------------------------------------- */

static void test_goheap_free_large_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = gh_test_heap(test, "kunit-remote-large", NULL);
	void *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);

	KUNIT_ASSERT_NOT_NULL(test, p);
	gh_test_free_on(cpu, p);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

/* A freed large span waits for the next allocation of its length, and no other. */
static void test_gh_cache_park_by_length(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-park", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0), *other, *same;

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x33, 100000);
	goheap_free(p);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(heap), 13L, "not parked");
	other = goheap_heap_alloc(heap, 110000, GFP_KERNEL, 0);
	same = goheap_heap_alloc(heap, 99000, GFP_KERNEL | __GFP_ZERO, 0);
	KUNIT_EXPECT_PTR_NE(test, other, p);
	KUNIT_EXPECT_PTR_EQ(test, same, p);
	KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(same, 0, 99000), NULL, "dirty");
	goheap_free(other);
	goheap_free(same);
}

static void test_gh_cache_park_is_aligned(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-park-align", NULL);
	void *p[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_heap_alloc(heap, 65528, GFP_KERNEL, 0);
	goheap_free_bulk(ARRAY_SIZE(p), p);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_heap_alloc(heap, 65536, GFP_KERNEL, 0);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p[i], 65536));
	}
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

static void test_gh_cache_park_is_bounded(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-park-bound", NULL);
	void *p[40];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);
	goheap_free_bulk(ARRAY_SIZE(p), p);
	KUNIT_EXPECT_LE(test, gh_test_pages(heap), (long)(SZ_1M >> GH_PAGE_SHIFT));
	KUNIT_EXPECT_GT(test, gh_test_pages(heap), 13L);
	p[0] = goheap_heap_alloc(heap, SZ_1M, GFP_KERNEL, 0);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), (long)(SZ_1M >> GH_PAGE_SHIFT));
	goheap_free(p[0]);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(heap), 0L, "too long to be parked");
}

static struct kunit_case large_cases[] = {
	KUNIT_CASE(test_goheap_free_rcu_large),
	KUNIT_CASE(test_goheap_free_rcu_large_is_healthy),
	KUNIT_CASE(test_goheap_free_large_counts),
	KUNIT_CASE(test_goheap_free_large_from_other_cpu),
	KUNIT_CASE(test_gh_cache_park_by_length),
	KUNIT_CASE(test_gh_cache_park_is_aligned),
	KUNIT_CASE(test_gh_cache_park_is_bounded),
	{}
};

static struct kunit_suite large_suite = {
	.name = "goheap_large",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = large_cases,
};

kunit_test_suite(large_suite);
