// SPDX-License-Identifier: GPL-2.0
/*
 * The map from addresses to spans.
 */

#include <linux/rcupdate.h>
#include <linux/vmalloc.h>

#include "lib_pages.h"
#include "testlib.h"

static void test_gh_span_of_every_page(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 7, 1);
	unsigned long off;

	for (off = 0; off < gh_span_bytes(s); off += GH_PAGE_SIZE / 2) {
		KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of((void *)(s->base + off)), s);
		KUNIT_EXPECT_TRUE(test, gh_test_owns(s->base + off));
	}
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of((void *)(s->base + off - 1)), s);
	KUNIT_EXPECT_PTR_NE(test, gh_test_span_of((void *)(s->base + off)), s);
	KUNIT_EXPECT_PTR_NE(test, gh_test_span_of((void *)(s->base - 1)), s);
	gh_test_free_pages(s);
	KUNIT_EXPECT_TRUE_MSG(test, gh_test_owns(s->base), "free, but not given back");
}

static void expect_foreign(struct kunit *test, unsigned long addr)
{
	struct gh_span *s = gh_test_span_of((void *)addr);

	KUNIT_EXPECT_FALSE_MSG(test, gh_test_owns(addr), "%#lx", addr);
	KUNIT_EXPECT_TRUE_MSG(test, !s || addr - s->base >= s->limit, "%#lx", addr);
}

static void test_gh_span_of_foreign_addresses(struct kunit *test)
{
	void *slab = kunit_kmalloc(test, 64, GFP_KERNEL);
	void *pages = vmalloc(PAGE_SIZE);
	unsigned int bit;
	int on_stack;

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	expect_foreign(test, (unsigned long)slab);
	expect_foreign(test, (unsigned long)pages);
	expect_foreign(test, (unsigned long)&on_stack);
	expect_foreign(test, (unsigned long)test_gh_span_of_foreign_addresses);
	expect_foreign(test, (unsigned long)jiffies);
	expect_foreign(test, PAGE_OFFSET - 1);
	expect_foreign(test, 0);
	expect_foreign(test, ULONG_MAX);
	for (bit = 0; bit < BITS_PER_LONG; bit++) {
		if (BIT(bit) < PAGE_OFFSET)
			expect_foreign(test, BIT(bit));
		expect_foreign(test, ~0UL << bit << 1);
	}
	vfree(pages);
}

/* Is the arena, which is in short blocks only, from vmalloc()? */
static bool claims_by_vmalloc(unsigned long addr, gfp_t gfp)
{
	bool ret;

	WRITE_ONCE(gh_test_max_order, 0);
	ret = !gh_map_claim(addr, 1, gfp);
	WRITE_ONCE(gh_test_max_order, UINT_MAX);
	if (!ret)
		return false;
	rcu_read_lock();
	ret = is_vmalloc_addr(gh_arena_of(addr));
	rcu_read_unlock();
	gh_map_unclaim(addr, 1);
	rcu_barrier();	/* for the arena */
	return ret;
}

/* Whatever flags a caller has: vmalloc() warns of those that it does not take. */
static void test_gh_map_claim_asks_vmalloc_rightly(struct kunit *test)
{
	static const gfp_t flags[] = {
		GFP_KERNEL | __GFP_MEMALLOC, GFP_KERNEL | __GFP_NOMEMALLOC,
		GFP_KERNEL | __GFP_NOFAIL, GFP_NOFS | __GFP_HIGH,
	};
	unsigned long addr, bare;
	unsigned int i;

	/* A whole heap page that is not goheap's. */
	addr = __get_free_pages(GFP_KERNEL, get_order(GH_PAGE_SIZE));
	KUNIT_ASSERT_NE(test, addr, 0UL);
	bare = (unsigned long)kasan_reset_tag((void *)addr);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		KUNIT_EXPECT_TRUE_MSG(test, claims_by_vmalloc(bare, flags[i]), "row %u", i);
	free_pages(addr, get_order(GH_PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, gh_test_log_has("Unexpected gfp"));
}

static bool find_span(struct gh_span *s, void *arg)
{
	struct gh_span **wanted = arg;

	if (s != *wanted)
		return true;
	*wanted = NULL;
	return false;
}

static void test_gh_map_walk_finds_span(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 3, 1), *wanted = s;

	gh_map_walk(gh_default, find_span, &wanted);
	KUNIT_EXPECT_PTR_EQ(test, wanted, NULL);
	gh_test_free_pages(s);
	wanted = s;
	gh_map_walk(NULL, find_span, &wanted);
	KUNIT_EXPECT_PTR_EQ_MSG(test, wanted, s, "it is free");
}

static struct kunit_case map_cases[] = {
	KUNIT_CASE(test_gh_span_of_every_page),
	KUNIT_CASE(test_gh_span_of_foreign_addresses),
	KUNIT_CASE(test_gh_map_claim_asks_vmalloc_rightly),
	KUNIT_CASE(test_gh_map_walk_finds_span),
	{}
};

static struct kunit_suite map_suite = {
	.name = "goheap_map",
	.init = gh_test_init_idle,
	.exit = gh_test_exit_idle,
	.test_cases = map_cases,
};

kunit_test_suite(map_suite);
