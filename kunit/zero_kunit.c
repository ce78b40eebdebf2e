// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are to be zero are, whoever had their memory before; and what is zero
 * already is not written again.
 */

#include <linux/string.h>

#include "lib_object.h"
#include "lib_pages.h"
#include "testlib.h"

static void expect_zeroes(struct kunit *test, size_t size, gfp_t gfp)
{
	void *p[16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc(size, gfp);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(p[i], 0, size), NULL, "size %zu", size);
		memset(p[i], 0x5a, size);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
}

static void test_goheap_zalloc_after_use(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++) {
		gh_test_dirty(test, gh_test_sizes[i]);
		expect_zeroes(test, gh_test_sizes[i], GFP_KERNEL | __GFP_ZERO);
		/* The same with spans that went back to the page heap. */
		gh_test_dirty(test, gh_test_sizes[i]);
		gh_reclaim_trim();
		expect_zeroes(test, gh_test_sizes[i], GFP_KERNEL | __GFP_ZERO);
	}
}

/* The next spans are of pages that are known to be zero, as with init_on_alloc=1. */
static void provide_zeroes(struct kunit *test)
{
	struct gh_span *s;

	gh_reclaim_trim();
	s = gh_test_pages_span(test, GH_TEST_CHUNK_PAGES, 1);
	memset((void *)s->base, 0, gh_span_bytes(s));
	s->needzero = false;
	gh_test_free_pages(s);
}

#define NR_WORDY	200

/* Several words of objects, the first part of which was used before. */
static void test_goheap_zalloc_partly_used_span(struct kunit *test)
{
	static const size_t wordy[] = { 8, 16, 48, 64, 1024, 8192 };
	void **p = gh_test_array(test, NR_WORDY);
	unsigned int i, j, used;
	size_t size;

	for (i = 0; i < ARRAY_SIZE(wordy); i++) {
		size = wordy[i];
		for (used = 1; used < NR_WORDY; used += 33) {
			provide_zeroes(test);
			KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(size, GFP_KERNEL, used, p), used);
			for (j = 0; j < used; j++)
				memset(p[j], 0xa5, size);
			if (used % 2)
				goheap_free_bulk(used, p);
			else
				for (j = 0; j < used; j++)
					goheap_free(p[j]);
			for (j = 0; j < NR_WORDY; j++) {
				p[j] = goheap_zalloc(size, GFP_KERNEL);
				KUNIT_ASSERT_NOT_NULL(test, p[j]);
				KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p[j], 0, size),
						      "%u of size %zu were used", used, size);
			}
			goheap_free_bulk(NR_WORDY, p);
		}
	}
}

/* The slot runs dry in a word that was zero, and goes on in a span that is not. */
static void test_goheap_zalloc_used_span_after_zeroes(struct kunit *test)
{
	const size_t used = 48 * GH_PAGE_SIZE;	/* too long to be parked, and the best fit */
	void *large, *p, *q;

	provide_zeroes(test);
	large = goheap_alloc(used, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, large);
	memset(large, 0xa5, used);
	p = goheap_zalloc(GH_PAGE_SIZE, GFP_KERNEL);
	goheap_free(large);
	memset(large, 0xa5, used);
	gh_test_flush_stock(gh_default);
	q = goheap_zalloc(GH_PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_TRUE_MSG(test, q >= large && q < large + used, "not where it was used");
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, GH_PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0, GH_PAGE_SIZE));
	goheap_free(p);
	goheap_free(q);
}

/* The slot allocates from a word that was never used, and has objects before it. */
static void *never_used(struct kunit *test, size_t size, void **p)
{
	struct gh_slot *slot = gh_test_slot(gh_default, size);
	unsigned int i;

	provide_zeroes(test);
	gh_test_magazine(test, gh_default, size);
	for (i = 0; i < 1024; i++) {
		p[i] = goheap_zalloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		if (slot->fresh && hweight_long(slot->avail) > 1)
			return p[i];
	}
	KUNIT_FAIL_AND_ABORT(test, "size %zu: no new word of zeroed pages", size);
	return NULL;
}

/* Whatever the current word is like, what comes from a magazine was used. */
static void test_goheap_zalloc_from_magazine(struct kunit *test)
{
	static const size_t some[] = { 8, 64, 1024 };
	void **p = gh_test_array(test, 1024), *q;
	struct gh_slot *slot;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		memset(p, 0, 1024 * sizeof(*p));
		slot = gh_test_slot(gh_default, some[i]);
		q = never_used(test, some[i], p);
		memset(q, 0xa5, some[i]);
		goheap_free(q);
		/* Where it is freed something may have cleared it; that is not the point. */
		gh_unpoison(q, some[i]);
		memset(q, 0xa5, some[i]);
		KUNIT_ASSERT_PTR_EQ(test, slot->top->p, q);
		KUNIT_EXPECT_TRUE(test, slot->fresh);
		KUNIT_EXPECT_PTR_EQ(test, goheap_zalloc(some[i], GFP_KERNEL), q);
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(q, 0, some[i]), "size %zu", some[i]);
		goheap_free_bulk(1024, p);
	}
}

/* What is zero already is not cleared again: a mark in it stays. */
static void test_goheap_zalloc_leaves_zeroes_alone(struct kunit *test)
{
	void **p = gh_test_array(test, 1024);
	struct gh_slot *slot = gh_test_slot(gh_default, 64);
	u8 *next, *q;

	never_used(test, 64, p);
	next = (u8 *)slot->base + __ffs(slot->avail) * slot->size;
	gh_unpoison(next, 64);
	KUNIT_EXPECT_NULL(test, memchr_inv(next, 0, 64));
	next[7] = 0x77;
	q = goheap_zalloc(64, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, next);
	KUNIT_EXPECT_EQ(test, q[7], 0x77);
	goheap_free(q);
	goheap_free_bulk(1024, p);
}

static void test_goheap_alloc_init_on_alloc(struct kunit *test)
{
	unsigned int i;

	if (!want_init_on_alloc(0))
		kunit_skip(test, "booted without init_on_alloc=1");
	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++) {
		gh_test_dirty(test, gh_test_sizes[i]);
		expect_zeroes(test, gh_test_sizes[i], GFP_KERNEL);
	}
}

static struct kunit_case zero_cases[] = {
	KUNIT_CASE(test_goheap_zalloc_after_use),
	KUNIT_CASE(test_goheap_zalloc_partly_used_span),
	KUNIT_CASE(test_goheap_zalloc_used_span_after_zeroes),
	KUNIT_CASE(test_goheap_zalloc_from_magazine),
	KUNIT_CASE(test_goheap_zalloc_leaves_zeroes_alone),
	KUNIT_CASE(test_goheap_alloc_init_on_alloc),
	{}
};

static struct kunit_suite zero_suite = {
	.name = "goheap_zero",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = zero_cases,
};

kunit_test_suite(zero_suite);
