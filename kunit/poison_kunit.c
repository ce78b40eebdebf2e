// SPDX-License-Identifier: GPL-2.0
/*
 * Pages with memory errors: nobody gets them, and the kernel gets them back.
 */

#include <linux/mm.h>
#include <linux/sizes.h>

#include "lib_pages.h"
#include "testlib.h"

static void poison(unsigned long addr)
{
	WRITE_ONCE(gh_test_poison, virt_to_page((void *)addr));
}

/* The kernel takes them back at once, if none of it is in use. */
static void forget_poison(struct kunit *test)
{
	WRITE_ONCE(gh_test_poison, NULL);
	gh_pageheap_forgive(gh_test_here());
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_poisoned, 0UL);
	gh_test_check_pages(test);
}

static bool is_in(unsigned long addr, const struct gh_span *s)
{
	return addr - s->base < gh_span_bytes(s);
}

/* A page at each end of a run and one in the middle goes bad, one at a time. */
static void test_gh_arena_alloc_never_gives_poisoned_page(struct kunit *test)
{
	static const unsigned int sizes[] = { 32, 1 };
	static const unsigned int bad[] = { 0, 13, 31 };
	struct gh_span *spans[ARRAY_SIZE(sizes)], *s[32];
	unsigned long addr, taken;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
		addr = spans[0]->base + bad[i] * GH_PAGE_SIZE;
		poison(addr);
		gh_test_free_pages(spans[0]);
		taken = gh_test_here()->taken;
		for (j = 0; j < 32; j++) {
			s[j] = gh_test_pages_span(test, 1, 1);
			KUNIT_EXPECT_FALSE_MSG(test, is_in(addr, s[j]), "page %u", bad[i]);
			gh_test_check_pages(test);
		}
		KUNIT_EXPECT_EQ_MSG(test, gh_test_here()->nr_poisoned, GH_TEST_KERNEL_PAGE,
				    "%u", bad[i]);
		KUNIT_EXPECT_EQ_MSG(test, gh_test_here()->taken, taken, "the rest sufficed");
		for (j = 0; j < 32; j++)
			gh_test_free_pages(s[j]);
		gh_test_free_pages(spans[1]);
		gh_reclaim_trim();
		KUNIT_EXPECT_FALSE(test, gh_test_owns(addr));
		KUNIT_EXPECT_EQ(test, gh_test_here()->nr_poisoned, 0UL);
		forget_poison(test);
		gh_test_start_idle();
	}
}

static void test_gh_arena_alloc_large_around_poisoned_page(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, GH_TEST_CHUNK_PAGES, 1), *t;
	unsigned long addr = s->base + 5 * GH_PAGE_SIZE;

	gh_test_free_pages(s);
	poison(addr);
	t = gh_test_pages_span(test, GH_TEST_CHUNK_PAGES, 1);
	KUNIT_EXPECT_FALSE(test, is_in(addr, t));
	gh_test_check_pages(test);
	gh_test_free_pages(t);
	forget_poison(test);
}

/* What arrives from the kernel is looked at as well. */
static void test_gh_arena_alloc_grows_by_poisoned_page(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 1, 1);
	unsigned long addr = round_up(s->base + 1, PAGE_SIZE), last;

	poison(addr);
	last = addr + round_up(GH_PAGE_SIZE, PAGE_SIZE);
	gh_test_free_pages(s);
	s = gh_test_pages_span(test, (last - ALIGN_DOWN(s->base, SZ_1M)) >> GH_PAGE_SHIFT, 1);
	KUNIT_EXPECT_FALSE(test, is_in(addr, s));
	gh_test_free_pages(s);
	forget_poison(test);
}

/* Only some of the kernel's page is free: the rest is set aside when it is. */
static void test_gh_arena_scavenge_keeps_part_of_poisoned_page(struct kunit *test)
{
	struct gh_span *s[16], *t;
	unsigned int i, nr = GH_TEST_KERNEL_PAGE;
	unsigned long addr;

	if (nr == 1)
		kunit_skip(test, "a page of the kernel is no more than one of the heap");
	for (i = 0; i < nr; i++)
		s[i] = gh_test_pages_span(test, 1, 1);
	addr = s[0]->base;
	poison(addr);
	gh_test_free_pages(s[0]);
	t = gh_test_pages_span(test, 1, 1);
	KUNIT_EXPECT_FALSE(test, is_in(addr, t));
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_poisoned, 1UL);
	gh_arena_scavenge(gh_test_here(), ULONG_MAX);
	KUNIT_EXPECT_TRUE(test, gh_test_owns(addr));
	for (i = 1; i < nr; i++)
		gh_test_free_pages(s[i]);
	s[0] = gh_test_pages_span(test, nr - 1, 1);
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_poisoned, (unsigned long)nr);
	gh_arena_scavenge(gh_test_here(), 0);
	KUNIT_EXPECT_FALSE(test, gh_test_owns(addr));
	gh_test_free_pages(s[0]);
	gh_test_free_pages(t);
	forget_poison(test);
}

static void test_gh_cache_unpark_leaves_poisoned_span(struct kunit *test)
{
	void *p = goheap_alloc(100000, GFP_KERNEL), *q;
	unsigned long addr = (unsigned long)p;

	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free(p);
	poison(addr + 5 * GH_PAGE_SIZE);
	q = goheap_alloc(100000, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, q);
	KUNIT_EXPECT_PTR_NE(test, q, p);
	goheap_free(q);
	gh_reclaim_trim();
	forget_poison(test);
}

static struct kunit_case poison_cases[] = {
	KUNIT_CASE(test_gh_arena_alloc_never_gives_poisoned_page),
	KUNIT_CASE(test_gh_arena_alloc_large_around_poisoned_page),
	KUNIT_CASE(test_gh_arena_alloc_grows_by_poisoned_page),
	KUNIT_CASE(test_gh_arena_scavenge_keeps_part_of_poisoned_page),
	KUNIT_CASE(test_gh_cache_unpark_leaves_poisoned_span),
	{}
};

static struct kunit_suite poison_suite = {
	.name = "goheap_poison",
	.init = gh_test_init_idle,
	.exit = gh_test_exit_idle,
	.test_cases = poison_cases,
};

kunit_test_suite(poison_suite);
