// SPDX-License-Identifier: GPL-2.0
/*
 * Questions about addresses: which object is that, and how large?
 */

#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "testlib.h"

static void test_goheap_base_interior(struct kunit *test)
{
	static const size_t sizes[] = { 8, 48, 1000, 32768, 100000 };
	unsigned int i;
	size_t off;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_alloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		for (off = 0; off < sizes[i]; off += 1 + sizes[i] / 50)
			KUNIT_EXPECT_PTR_EQ(test, goheap_base(p + off), p);
		KUNIT_EXPECT_PTR_NE(test, goheap_base(p + goheap_size(p)), p);
		KUNIT_EXPECT_PTR_NE(test, goheap_base(p - 1), p);
		KUNIT_EXPECT_EQ_MSG(test, goheap_size(p + 1), 0UL, "no object starts there");
		goheap_free(p);
		KUNIT_EXPECT_PTR_EQ(test, goheap_base(p), NULL);
		KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	}
}

/* As if it came from page_address() of a page that has a tag. */
static void *tagged(const void *p)
{
	return (void *)(((unsigned long)p & ~(0xffUL << 56)) | 0xa5UL << 56);
}

static void test_goheap_takes_tagged_pointers(struct kunit *test)
{
	void *p, *q;

	if (!IS_ENABLED(CONFIG_KASAN_SW_TAGS) && !IS_ENABLED(CONFIG_KASAN_HW_TAGS))
		kunit_skip(test, "KASAN puts no tags into pointers here");
	p = goheap_alloc(100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, kasan_reset_tag(p), p);
	KUNIT_EXPECT_PTR_EQ(test, page_address(virt_to_page(p)), (void *)((long)p & PAGE_MASK));
	KUNIT_EXPECT_EQ(test, goheap_size(tagged(p)), goheap_size(p));
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(tagged(p + 50)), p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(tagged(p), 98, GFP_KERNEL), p);
	goheap_free_sized(tagged(p), 98);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	q = goheap_alloc(100, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, kasan_reset_tag(q), q);
	p = tagged(q);
	goheap_free_bulk(1, &p);
	q = tagged(goheap_alloc(100, GFP_KERNEL));
	goheap_heap_free(gh_default, q);
	q = tagged(goheap_alloc(100000, GFP_KERNEL));
	goheap_free_rcu(q);
	gh_test_flush_limbo();
	KUNIT_EXPECT_EQ(test, goheap_size(q), 0UL);
}

static void test_goheap_base_foreign(struct kunit *test)
{
	void *slab = kunit_kmalloc(test, 64, GFP_KERNEL), *pages = vmalloc(PAGE_SIZE);
	int on_stack;
	const void *addrs[] = {
		NULL, (void *)1, (void *)PAGE_SIZE, ZERO_SIZE_PTR, (void *)ULONG_MAX, &on_stack,
		slab, pages, test_goheap_base_foreign, (void *)PAGE_OFFSET,
		(void *)(PAGE_OFFSET - 1), (void *)BIT(63), (void *)(BIT(63) - 1),
		ERR_PTR(-ENOMEM),
	};
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		KUNIT_EXPECT_PTR_EQ_MSG(test, goheap_base(addrs[i]), NULL, "address %u", i);
		KUNIT_EXPECT_EQ_MSG(test, goheap_size(addrs[i]), 0UL, "address %u", i);
	}
	vfree(pages);
}

static struct kunit_case lookup_cases[] = {
	KUNIT_CASE(test_goheap_base_interior),
	KUNIT_CASE(test_goheap_takes_tagged_pointers),
	KUNIT_CASE(test_goheap_base_foreign),
	{}
};

static struct kunit_suite lookup_suite = {
	.name = "goheap_lookup",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = lookup_cases,
};

kunit_test_suite(lookup_suite);
