// SPDX-License-Identifier: GPL-2.0
/*
 * Resizing: the content stays, and so does the object where it can.
 */

#include <linux/string.h>

#include "lib_object.h"
#include "testlib.h"

/* With room to grow the object is longer, and less aligned, than what was asked for. */
static void test_goheap_realloc_large_is_aligned(struct kunit *test)
{
	void *p[4], *q;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc(300 << 10, GFP_KERNEL);
		q = goheap_realloc(p[i], 512 << 10, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, q);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)q, 512 << 10));
		KUNIT_EXPECT_PTR_EQ_MSG(test, goheap_realloc(q, 512 << 10, GFP_KERNEL), q,
					"it is right where it is");
		p[i] = q;
	}
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

static void resize(struct kunit *test, u8 **p, size_t *from, size_t to)
{
	u8 *q;

	memset(*p, 0x3c, *from);
	q = goheap_realloc(*p, to, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	gh_test_expect_good(test, q, to);
	KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(q, 0x3c, min(*from, to)), NULL,
				"%zu to %zu", *from, to);
	*p = q;
	*from = to;
}

static void test_goheap_realloc_keeps_content(struct kunit *test)
{
	static const size_t sizes[] = { 8, 9, 200, 5000, 40000, 500000, 70000, 30000, 60, 1 };
	size_t size = 3;
	unsigned int i;
	u8 *p = goheap_alloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		resize(test, &p, &size, sizes[i]);
	goheap_free(p);
}

static void test_goheap_realloc_in_place(struct kunit *test)
{
	void *p = goheap_alloc(900, GFP_KERNEL), *q;
	size_t usable = goheap_size(p);

	KUNIT_ASSERT_NOT_NULL(test, p);
	q = goheap_realloc(p, usable, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	q = goheap_realloc(q, usable / 2 + 1, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	q = goheap_realloc(q, usable / 4, GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE_MSG(test, q, p, "three quarters of the space are wasted");
	goheap_free(q);
}

static void test_goheap_realloc_of_nothing_and_to_nothing(struct kunit *test)
{
	void *p = goheap_realloc(NULL, 100, GFP_KERNEL);
	void *q = goheap_realloc(ZERO_SIZE_PTR, 100, GFP_KERNEL);

	gh_test_expect_good(test, p, 100);
	gh_test_expect_good(test, q, 100);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(p), 0UL, "it is not freed");
	goheap_free(q);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(NULL, 0, GFP_KERNEL), ZERO_SIZE_PTR);
}

static void test_goheap_realloc_fails(struct kunit *test)
{
	u8 *p = goheap_alloc(100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x3c, 100);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, goheap_max_size() + 1,
						 GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, 0x3c, 100), NULL);
	KUNIT_EXPECT_GE(test, goheap_size(p), 100UL);
	goheap_free(p);
}

static void test_goheap_realloc_stays_what_it_is(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-realloc", NULL);
	void *p = goheap_heap_alloc(heap, 100, GFP_KERNEL, GOHEAP_NOSCAN);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p = goheap_realloc(p, 10000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p)->heap, heap);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
	p = goheap_realloc(p, 100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p)->heap, heap);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
	goheap_free(p);
}

static void zero_grow(struct kunit *test, bool noscan)
{
	static const size_t sizes[] = { 5, 12, 60, 1000, 40000 };
	unsigned int i;
	size_t had;
	u8 *p;

	p = noscan ? goheap_alloc_noscan(3, GFP_KERNEL | __GFP_ZERO) :
		     goheap_zalloc(3, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_ASSERT_NOT_NULL(test, p);
		had = i ? sizes[i - 1] : 3;
		memset(p, 0x3c, had);
		had = goheap_size(p);
		p = goheap_realloc(p, sizes[i], GFP_KERNEL | __GFP_ZERO);
		if (p && sizes[i] > had)
			KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(p + had, 0, sizes[i] - had),
						NULL, "to %zu", sizes[i]);
	}
	goheap_free(p);
}

static void test_goheap_realloc_zeroes(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++)
		gh_test_dirty(test, gh_test_sizes[i]);
	zero_grow(test, false);
	zero_grow(test, true);
}

/* What goheap_alloc_aligned() gave stays only where the object stays. */
static void test_goheap_realloc_of_aligned(struct kunit *test)
{
	u8 *p = goheap_alloc_aligned(100, 4096, GFP_KERNEL), *q;
	void *plain = goheap_alloc(200, GFP_KERNEL);
	size_t size = goheap_size(plain);

	goheap_free(plain);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x3c, 100);
	q = goheap_realloc(p, 3000, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, q, p);
	q = goheap_realloc(p, 200, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0x3c, 100));
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(q), size, "nobody pays for an alignment for ever");
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)q, 8));
	goheap_free(q);
}

static struct kunit_case realloc_cases[] = {
	KUNIT_CASE(test_goheap_realloc_large_is_aligned),
	KUNIT_CASE(test_goheap_realloc_keeps_content),
	KUNIT_CASE(test_goheap_realloc_in_place),
	KUNIT_CASE(test_goheap_realloc_of_nothing_and_to_nothing),
	KUNIT_CASE(test_goheap_realloc_fails),
	KUNIT_CASE(test_goheap_realloc_stays_what_it_is),
	KUNIT_CASE(test_goheap_realloc_zeroes),
	KUNIT_CASE(test_goheap_realloc_of_aligned),
	{}
};

static struct kunit_suite realloc_suite = {
	.name = "goheap_realloc",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = realloc_cases,
};

kunit_test_suite(realloc_suite);
