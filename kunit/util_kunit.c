// SPDX-License-Identifier: GPL-2.0
/*
 * What is built on allocating and freeing: arrays, copies, many at a time, and frees that
 * know the size, or the scope.
 */

#include <linux/string.h>

#include "lib_model.h"
#include "testlib.h"

static void test_goheap_calloc_overflow(struct kunit *test)
{
	size_t half = SIZE_MAX / 2 + 1;

	OPTIMIZER_HIDE_VAR(half);
	KUNIT_EXPECT_PTR_EQ(test, goheap_calloc(half, 2, GFP_KERNEL), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_array(half + 8, 2, GFP_KERNEL), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_array(3, half, GFP_KERNEL), NULL);
}

static void test_goheap_alloc_array_holds_all(struct kunit *test)
{
	u8 *p = goheap_calloc(37, 11, GFP_KERNEL), *q = goheap_alloc_array(3, 1000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, 0, 37 * 11), NULL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_GE(test, goheap_size(q), 3000UL);
	goheap_free(p);
	goheap_free(q);
}

static void test_goheap_alloc_bulk_all_sizes(struct kunit *test)
{
	static const size_t sizes[] = { 8, 64, 1000, 50000 };
	struct gh_test_model m;
	void *p[100];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		gh_test_model_init(&m, test, ARRAY_SIZE(p));
		KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(sizes[i], GFP_KERNEL, ARRAY_SIZE(p), p),
				ARRAY_SIZE(p));
		for (j = 0; j < ARRAY_SIZE(p); j++)
			gh_test_model_add(&m, p[j], sizes[i]);
		for (j = 0; j < ARRAY_SIZE(p); j++)
			KUNIT_EXPECT_TRUE(test, gh_test_model_intact(&m, j));
		KUNIT_EXPECT_EQ(test, m.errors, 0U);
		p[7] = NULL;
		p[8] = ZERO_SIZE_PTR;
		goheap_free(m.objects[7].p);
		goheap_free(m.objects[8].p);
		goheap_free_bulk(ARRAY_SIZE(p), p);
	}
}

static void test_goheap_alloc_bulk_stops(struct kunit *test)
{
	void *p[3];

	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(64, GFP_KERNEL, 0, p), 0U);
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(goheap_max_size() + 1, GFP_KERNEL | __GFP_NOWARN,
						3, p), 0U);
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(64, GFP_KERNEL | __GFP_DMA, 3, p), 0U);
}

static void test_goheap_strdup_copies(struct kunit *test)
{
	static const char * const strings[] = { "", "a", "fourteen chars", "fifteen chars..",
						"a string that is not tiny at all" };
	unsigned int i;
	char *p;

	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		p = goheap_strdup(strings[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_STREQ(test, p, strings[i]);
		KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
		goheap_free(p);
	}
	KUNIT_EXPECT_PTR_EQ(test, goheap_strdup(NULL, GFP_KERNEL), NULL);
}

static void test_goheap_memdup_copies(struct kunit *test)
{
	static const char text[] = "as it was";
	char *p = goheap_memdup(text, sizeof(text), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_MEMEQ(test, p, text, sizeof(text));
	goheap_free(p);
}

static void free_sized(struct kunit *test, void *p, size_t size)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free_sized(p, size);
	if (!goheap_size(p))
		return;
	KUNIT_FAIL(test, "size %zu is refused", size);
	goheap_free(p);
}

static void test_goheap_free_sized_right_sizes(struct kunit *test)
{
	unsigned int step = GH_TEST_SLOW ? 37 : 3;
	size_t size;

	for (size = 1; size < 40000; size += step)
		free_sized(test, goheap_alloc(size, GFP_KERNEL), size);
	for (size = 1; size < 20; size++)
		free_sized(test, goheap_alloc_noscan(size, GFP_KERNEL), size);
}

static void test_goheap_free_sized_after_realloc(struct kunit *test)
{
	void *p = goheap_alloc(1000, GFP_KERNEL);

	p = goheap_realloc(p, 600, GFP_KERNEL);
	free_sized(test, p, 600);
	p = goheap_realloc(goheap_alloc(100000, GFP_KERNEL), 60000, GFP_KERNEL);
	free_sized(test, p, 60000);
}

static void test_goheap_free_by_scope(struct kunit *test)
{
	void *seen;

	{
		void *p __free(goheap_free) = goheap_alloc(100, GFP_KERNEL);

		seen = p;
		KUNIT_EXPECT_GE(test, goheap_size(seen), 100UL);
	}
	KUNIT_EXPECT_EQ(test, goheap_size(seen), 0UL);
	{
		void *p __free(goheap_free) = NULL;
		void *q __free(goheap_free) = ERR_PTR(-ENOMEM);

		KUNIT_EXPECT_PTR_NE(test, p, q);
	}
}

static struct kunit_case util_cases[] = {
	KUNIT_CASE(test_goheap_calloc_overflow),
	KUNIT_CASE(test_goheap_alloc_array_holds_all),
	KUNIT_CASE(test_goheap_alloc_bulk_all_sizes),
	KUNIT_CASE(test_goheap_alloc_bulk_stops),
	KUNIT_CASE(test_goheap_strdup_copies),
	KUNIT_CASE(test_goheap_memdup_copies),
	KUNIT_CASE(test_goheap_free_sized_right_sizes),
	KUNIT_CASE(test_goheap_free_sized_after_realloc),
	KUNIT_CASE(test_goheap_free_by_scope),
	{}
};

static struct kunit_suite util_suite = {
	.name = "goheap_util",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = util_cases,
};

kunit_test_suite(util_suite);
