// SPDX-License-Identifier: GPL-2.0
/*
 * How the page heap gets chunks from the kernel, and gives pages back.
 */

#include <linux/rcupdate.h>

#include "lib_pages.h"
#include "testlib.h"

static void test_gh_arena_alloc_grows_by_a_chunk(struct kunit *test)
{
	unsigned long taken = gh_test_here()->taken;
	struct gh_span *s = gh_test_pages_span(test, 1, 1);

	KUNIT_EXPECT_GE(test, gh_test_here()->taken - taken, (unsigned long)GH_TEST_CHUNK_PAGES);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, gh_test_here()->taken - taken - 1);
	gh_test_free_pages(s);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, gh_test_here()->taken - taken);
}

static void test_gh_arena_scavenge_returns_pages(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 2, 1);
	unsigned long idle = gh_test_here()->idle, returned = gh_test_here()->returned;
	unsigned long end = s->base + (idle + 2) * GH_PAGE_SIZE;
	/* Only whole pages of the kernel go, so what shares one with the span stays. */
	unsigned long some = round_up(10, GH_TEST_KERNEL_PAGE);
	unsigned long stuck = round_up(2, GH_TEST_KERNEL_PAGE) - 2;

	KUNIT_EXPECT_TRUE(test, gh_test_owns(end - 1));
	KUNIT_EXPECT_EQ(test, gh_arena_scavenge(gh_test_here(), 10), some);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, idle - some);
	KUNIT_EXPECT_EQ(test, gh_test_here()->returned, returned + some);
	gh_test_check_pages(test);
	KUNIT_EXPECT_FALSE(test, gh_test_owns(end - some * GH_PAGE_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_test_owns(end - some * GH_PAGE_SIZE - 1));
	KUNIT_EXPECT_EQ(test, gh_arena_scavenge(gh_test_here(), ULONG_MAX), idle - some - stuck);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, stuck);
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, (unsigned long)!!stuck);
	KUNIT_EXPECT_TRUE_MSG(test, gh_test_owns(s->base + 2 * GH_PAGE_SIZE - 1), "it is in use");
	KUNIT_EXPECT_EQ(test, gh_arena_scavenge(gh_test_here(), 1), 0UL);
	gh_test_check_pages(test);
	gh_test_free_pages(s);
}

/* A run that ends within a page of the kernel is cut in two, which takes a descriptor. */
static void test_gh_arena_scavenge_without_spares(struct kunit *test)
{
	struct gh_span *s, *next, *rest;

	if (GH_TEST_KERNEL_PAGE == 1)
		kunit_skip(test, "every run ends where a page of the kernel does");
	s = gh_test_pages_span(test, GH_TEST_KERNEL_PAGE + 1, 1);
	next = gh_test_pages_span(test, 1, 1);
	rest = gh_test_pages_span(test, gh_test_here()->idle, 1);
	gh_pageheap_trim_spares(gh_test_here(), 0);
	gh_test_free_pages(s);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, GH_TEST_KERNEL_PAGE + 1);
	KUNIT_EXPECT_EQ(test, gh_arena_scavenge(gh_test_here(), ULONG_MAX), GH_TEST_KERNEL_PAGE);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, 1UL);
	gh_test_check_pages(test);
	gh_test_free_pages(next);
	gh_test_free_pages(rest);
}

static void test_gh_arena_scavenge_last_page_of_arena(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 1, 1);
	unsigned long addr = s->base;

	gh_test_free_pages(s);
	gh_arena_scavenge(gh_test_here(), ULONG_MAX);
	KUNIT_EXPECT_FALSE(test, gh_test_owns(addr));
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of((void *)addr), NULL);
	rcu_barrier();	/* an arena that has gone */
	s = gh_test_pages_span(test, 1, 1);
	KUNIT_EXPECT_TRUE(test, gh_test_owns(s->base));
	gh_test_free_pages(s);
}

static void test_gh_arena_release_idle_counts_kernel_pages(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 1, 1);
	unsigned long idle = gh_pageheap_idle_pages(gh_test_here());

	KUNIT_EXPECT_EQ(test, idle, (gh_test_here()->idle << GH_PAGE_SHIFT) >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, gh_arena_release_idle(gh_test_here(), 8), 8UL);
	KUNIT_EXPECT_EQ(test, gh_pageheap_idle_pages(gh_test_here()), idle - 8);
	gh_test_free_pages(s);
}

static void test_gh_arena_trim_spares_keeps_some(struct kunit *test)
{
	static const unsigned int sizes[] = { [0 ... 19] = 1 };
	struct gh_span *spans[ARRAY_SIZE(sizes)];
	unsigned long before;
	unsigned int i;

	gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		gh_test_free_pages(spans[i]);
	KUNIT_EXPECT_GE(test, gh_test_here()->spares[GH_KIND_1].nr, 19U);
	before = gh_arena_metadata();
	gh_pageheap_trim_spares(gh_test_here(), 4);
	KUNIT_EXPECT_EQ(test, gh_test_here()->spares[GH_KIND_1].nr, 4U);
	KUNIT_EXPECT_LT(test, gh_arena_metadata(), before);
	gh_test_check_pages(test);
}

/* Where no descriptor can be had, in an interrupt on PREEMPT_RT, there was none for this. */
static void test_gh_arena_alloc_exact_run_needs_no_spares(struct kunit *test)
{
	static const unsigned int sizes[] = { 1, 5, 1 };
	struct gh_span *spans[ARRAY_SIZE(sizes)], *s;
	unsigned long before, base;

	gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
	base = spans[1]->base;
	gh_test_free_pages(spans[1]);
	gh_pageheap_trim_spares(gh_test_here(), 0);
	before = gh_arena_metadata();
	s = gh_test_pages_span(test, 5, 1);
	KUNIT_EXPECT_EQ(test, s->base, base);
	KUNIT_EXPECT_EQ_MSG(test, gh_arena_metadata(), before, "a descriptor was made");
	gh_test_free_pages(s);
	gh_test_free_pages(spans[0]);
	gh_test_free_pages(spans[2]);
	gh_test_check_pages(test);
}

static struct kunit_case grow_cases[] = {
	KUNIT_CASE(test_gh_arena_alloc_grows_by_a_chunk),
	KUNIT_CASE(test_gh_arena_scavenge_returns_pages),
	KUNIT_CASE(test_gh_arena_scavenge_without_spares),
	KUNIT_CASE(test_gh_arena_scavenge_last_page_of_arena),
	KUNIT_CASE(test_gh_arena_release_idle_counts_kernel_pages),
	KUNIT_CASE(test_gh_arena_trim_spares_keeps_some),
	KUNIT_CASE(test_gh_arena_alloc_exact_run_needs_no_spares),
	{}
};

static struct kunit_suite grow_suite = {
	.name = "goheap_grow",
	.init = gh_test_init_idle,
	.exit = gh_test_exit_idle,
	.test_cases = grow_cases,
};

kunit_test_suite(grow_suite);
