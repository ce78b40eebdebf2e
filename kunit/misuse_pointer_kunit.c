// SPDX-License-Identifier: GPL-2.0
/*
 * Frees of what is no object, or not the one that the caller means.
 */

#include <linux/string.h>
#include <linux/vmalloc.h>

#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

/* ---- interior pointers --------------------------------------------------- */

static void test_goheap_free_interior_small(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	goheap_free(p + 1);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free(p + 8);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free_rcu(p + 99);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free_sized(p + 8, VICTIM_SIZE);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, VICTIM_SIZE);
	goheap_free(p);
	gh_test_expect_silence(test);
}

static void test_goheap_free_interior_large(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 100000);

	goheap_free(p + 1);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free(p + 8192);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free_rcu(p + 99999);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, 100000);
	goheap_free(p);
	gh_test_expect_silence(test);
}

static void test_goheap_free_behind_last_object(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 384);	/* 21 of them leave 128 bytes */
	struct gh_span *s = gh_test_span_of(p);

	KUNIT_EXPECT_EQ(test, s->limit, 21 * 384);
	goheap_free((void *)s->base + 21 * 384);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, 384);
	goheap_free(p);
}

/* ---- pages without objects ----------------------------------------------- */

/* All of them, and every way to free; the stock is as it was. */
static void test_goheap_free_page_of_stock(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-stock", NULL);
	void **p = gh_test_array(test, 512);
	struct gh_stock *stock = &gh_test_cache(heap)->stock;
	unsigned int pages, i, nr;
	u8 *base;

	gh_test_stop_ticks(true);
	for (nr = 0; nr < 512 && (nr < 256 || !stock->pages); nr++)
		gh_test_fill(test, heap, &p[nr], 1, 8192);
	pages = stock->pages;
	base = (u8 *)stock->base;
	KUNIT_EXPECT_GT(test, pages, 0U);
	for (i = 0; i < pages; i++) {
		goheap_free(base + i * GH_PAGE_SIZE);
		gh_test_expect_refused(test, "double free");
	}
	goheap_free(base + 100);
	gh_test_expect_refused(test, "double free");
	goheap_free_rcu(base);
	gh_test_expect_refused(test, "double free");
	goheap_free_sized(base, 8192);
	gh_test_expect_refused(test, "double free");
	goheap_heap_free(heap, base);
	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_EQ(test, goheap_size(base), 0UL);
	KUNIT_EXPECT_NULL(test, goheap_base(base + 100));
	KUNIT_EXPECT_EQ(test, stock->pages, pages);
	KUNIT_EXPECT_EQ(test, stock->base, (unsigned long)base);
	gh_test_stop_ticks(false);
	gh_test_free_each(p, nr);
	gh_test_expect_silence(test);
}

/* ---- strangers ----------------------------------------------------------- */

static void expect_foreign(struct kunit *test, const void *p)
{
	goheap_free(p);
	gh_test_expect_refused(test, "not a goheap object");
	goheap_free_rcu(p);
	gh_test_expect_refused(test, "not a goheap object");
	goheap_free_sized(p, 8);
	gh_test_expect_refused(test, "not a goheap object");
}

static void test_goheap_free_stack(struct kunit *test)
{
	long on_stack;

	expect_foreign(test, &on_stack);
}

static void test_goheap_free_vmalloc(struct kunit *test)
{
	void *p = vmalloc(PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, p);
	expect_foreign(test, p);
	vfree(p);
}

static void test_goheap_free_kmalloc(struct kunit *test)
{
	expect_foreign(test, kunit_kmalloc(test, 64, GFP_KERNEL));
}

static void test_goheap_free_text(struct kunit *test)
{
	expect_foreign(test, test_goheap_free_text);
}

static void test_goheap_free_null_page(struct kunit *test)
{
	/* Up to ZERO_SIZE_PTR, like kfree(), it does nothing. */
	goheap_free((void *)8);
	gh_test_expect_silence(test);
	expect_foreign(test, (void *)24);
	expect_foreign(test, (void *)(PAGE_SIZE - 8));
}

static void test_goheap_free_wild(struct kunit *test)
{
	/* Alone the bit could be the tag of NULL. */
	expect_foreign(test, (void *)(BIT(63) + PAGE_SIZE));
	expect_foreign(test, (void *)ULONG_MAX);
	expect_foreign(test, ERR_PTR(-ENOMEM));
	expect_foreign(test, (void *)(PAGE_OFFSET - 8));
}

/* ---- not as it was allocated --------------------------------------------- */

static void test_goheap_heap_free_wrong_heap(struct kunit *test)
{
	struct goheap *one = gh_test_heap(test, "kunit-one", NULL);
	struct goheap *two = gh_test_heap(test, "kunit-two", NULL);
	static const size_t sizes[] = { 3, VICTIM_SIZE, 100000 };
	unsigned int i;
	u8 *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = gh_test_victim_of(test, one, sizes[i], GOHEAP_NOSCAN);
		goheap_heap_free(two, p);
		gh_test_expect_refused(test, "wrong heap");
		KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, "kunit-one"));
		goheap_heap_free(gh_default, p);
		gh_test_expect_refused(test, "wrong heap");
		gh_test_expect_unharmed(test, p, sizes[i]);
		KUNIT_EXPECT_NULL(test, goheap_heap_realloc(two, p, 2 * sizes[i], GFP_KERNEL));
		gh_test_expect_refused(test, "wrong heap");
		KUNIT_EXPECT_NULL(test, goheap_heap_realloc(NULL, p, 2 * sizes[i], GFP_KERNEL));
		gh_test_expect_refused(test, "wrong heap");
		goheap_heap_free(NULL, p);
		gh_test_expect_refused(test, "wrong heap");
		gh_test_expect_unharmed(test, p, sizes[i]);
		goheap_heap_free(one, p);
		gh_test_expect_silence(test);
	}
}

static void expect_wrong_size(struct kunit *test, u8 *p, size_t size)
{
	goheap_free_sized(p, size);
	gh_test_expect_refused(test, "wrong size");
}

static void test_goheap_free_sized_wrong_size(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE), *q = gh_test_victim(test, 100000);

	expect_wrong_size(test, p, 0);
	expect_wrong_size(test, p, goheap_size(p) + 1);
	expect_wrong_size(test, p, 8);
	expect_wrong_size(test, p, SIZE_MAX);
	gh_test_expect_unharmed(test, p, VICTIM_SIZE);
	expect_wrong_size(test, q, 200000);
	expect_wrong_size(test, q, 100);
	gh_test_expect_unharmed(test, q, 100000);
	goheap_free(p);
	goheap_free(q);
	gh_test_expect_silence(test);
}

/* Objects of up to 4 bytes have 4, and those of up to 12 have 12. */
static void test_goheap_free_sized_wrong_size_tiny(struct kunit *test)
{
	u8 *p = goheap_alloc_noscan(12, GFP_KERNEL), *q = goheap_alloc_noscan(3, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	expect_wrong_size(test, p, 1);
	expect_wrong_size(test, p, 6);
	expect_wrong_size(test, p, goheap_size(p) + 1);
	expect_wrong_size(test, q, goheap_size(q) + 1);
	goheap_free_sized(p, 9);
	goheap_free_sized(q, 1);
	gh_test_expect_silence(test);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	KUNIT_EXPECT_EQ(test, goheap_size(q), 0UL);
}

static void heap_free_nested(struct goheap *heap, const void *p)
{
	struct gh_cache *cache = gh_test_nest(heap);

	goheap_heap_free(heap, p);
	gh_test_unnest(cache);
}

/* As an interrupt that hits a section of its own CPU: the checks are the same. */
static void test_goheap_heap_free_wrong_heap_nested(struct kunit *test)
{
	struct goheap *one = gh_test_heap(test, "kunit-one", NULL);
	struct goheap *two = gh_test_heap(test, "kunit-two", NULL);
	u8 *p = gh_test_victim_of(test, one, VICTIM_SIZE, 0);

	heap_free_nested(two, p);
	gh_test_expect_refused(test, "wrong heap");
	gh_test_expect_unharmed(test, p, VICTIM_SIZE);

	heap_free_nested(one, p);
	gh_test_expect_silence(test);
	KUNIT_EXPECT_EQ(test, gh_test_live(one), 0);
}

static void free_sized_nested(const void *p, size_t size)
{
	struct gh_cache *cache = gh_test_nest(gh_default);

	goheap_free_sized(p, size);
	gh_test_unnest(cache);
}

static void test_goheap_free_sized_wrong_size_nested(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	free_sized_nested(p, 1);
	gh_test_expect_refused(test, "wrong size");
	gh_test_expect_unharmed(test, p, VICTIM_SIZE);
	free_sized_nested(p, VICTIM_SIZE);
	gh_test_expect_silence(test);
}

/* The next free of a private heap's object needs no look at the map. */
static void test_goheap_heap_free_leaves_hint(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-hint", NULL);
	void *p = goheap_heap_alloc(heap, VICTIM_SIZE, GFP_KERNEL, 0);
	struct gh_span *s = gh_test_span_of(p);

	KUNIT_ASSERT_NOT_NULL(test, p);
	if (want_init_on_free()) {
		goheap_heap_free(heap, p);
		kunit_skip(test, "init_on_free=1: frees take no short cut");
	}
	KUNIT_EXPECT_PTR_NE(test, gh_test_cache(heap)->hint, s);
	goheap_heap_free(heap, p);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_cache(heap)->hint, s);
}

/* ---- tiny objects -------------------------------------------------------- */

static void test_goheap_free_interior_tiny(struct kunit *test)
{
	u8 *p = gh_test_tiny_victim(test, 4);

	goheap_free(p + 1);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free(p + 3);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, 4);
	goheap_free(p);
	gh_test_expect_silence(test);
}

static struct kunit_case misuse_pointer_cases[] = {
	KUNIT_CASE(test_goheap_free_interior_small),
	KUNIT_CASE(test_goheap_free_interior_large),
	KUNIT_CASE(test_goheap_free_behind_last_object),
	KUNIT_CASE(test_goheap_free_stack),
	KUNIT_CASE(test_goheap_free_vmalloc),
	KUNIT_CASE(test_goheap_free_kmalloc),
	KUNIT_CASE(test_goheap_free_text),
	KUNIT_CASE(test_goheap_free_null_page),
	KUNIT_CASE(test_goheap_free_wild),
	KUNIT_CASE(test_goheap_heap_free_wrong_heap),
	KUNIT_CASE(test_goheap_free_sized_wrong_size),
	KUNIT_CASE(test_goheap_free_sized_wrong_size_tiny),
	KUNIT_CASE(test_goheap_heap_free_wrong_heap_nested),
	KUNIT_CASE(test_goheap_free_sized_wrong_size_nested),
	KUNIT_CASE(test_goheap_heap_free_leaves_hint),
	KUNIT_CASE(test_goheap_free_interior_tiny),
	KUNIT_CASE(test_goheap_free_page_of_stock),
	{}
};

static struct kunit_suite misuse_pointer_suite = {
	.name = "goheap_misuse_pointer",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = misuse_pointer_cases,
};

kunit_test_suite(misuse_pointer_suite);
