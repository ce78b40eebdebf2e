// SPDX-License-Identifier: GPL-2.0
/*
 * Private heaps: names, leaks, and that they share no span.
 */

#include <linux/string.h>

#include "testlib.h"

/* ---- names --------------------------------------------------------------- */

static void test_goheap_create_bad_names(struct kunit *test)
{
	static const struct goheap_params bad_flags = { .flags = 0x80 };
	char name[GH_NAME_MAX + 1];
	struct goheap *heap;

	memset(name, 'x', GH_NAME_MAX);
	name[GH_NAME_MAX] = '\0';
	KUNIT_EXPECT_PTR_EQ(test, goheap_create(name, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("", NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create(NULL, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("a/b", NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("..", NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("kunit", &bad_flags), ERR_PTR(-EINVAL));
	name[GH_NAME_MAX - 1] = '\0';
	heap = goheap_create(name, NULL);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(heap), "63 characters");
	goheap_destroy(heap);
}

/* A blank shifted the columns of a table, a newline forged a record. */
static void test_goheap_create_name_breaks_tables(struct kunit *test)
{
	static const char *const bad[] = {
		"two words", " x", "x ", "x\ty", "x\n", "x\ndefault 0 0 0", "\r", "x\x01",
		"x\x1b[1m", "x\x7f", "\xc3\xa4", "x\x80", "x\xa0", "P,x", ",", "x;Z", "#x", "\"x",
		".", "/",
	};
	/* A file's name elsewhere, and every other mark, which goheap.debug= can name too. */
	static const char *const good[] = { "stats", "-x#.!$%&'()*+:<=>?@[\\]^_`{|}~" };
	char text[64];
	struct goheap *heap;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		heap = goheap_create(bad[i], NULL);
		KUNIT_EXPECT_PTR_EQ_MSG(test, heap, ERR_PTR(-EINVAL), "bad name %u", i);
		goheap_destroy(heap);
	}
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		heap = goheap_create(good[i], NULL);
		KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(heap), "%s", good[i]);
		goheap_destroy(heap);
		snprintf(text, sizeof(text), "P;Z,a,%s,b", good[i]);
		KUNIT_EXPECT_EQ(test, gh_debug_parse(text, good[i]), GOHEAP_REDZONE);
	}
}

static void test_goheap_create_name_taken(struct kunit *test)
{
	gh_test_heap(test, "kunit-taken", NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("kunit-taken", NULL), ERR_PTR(-EEXIST));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("default", NULL), ERR_PTR(-EEXIST));
	goheap_destroy(ERR_PTR(-EEXIST));
	goheap_destroy(NULL);
}

/* ---- whose objects are where --------------------------------------------- */

static void test_goheap_heap_alloc_spans_not_shared(struct kunit *test)
{
	struct goheap *heaps[] = { gh_default, gh_test_heap(test, "kunit-one", NULL),
				   gh_test_heap(test, "kunit-two", NULL) };
	static const size_t sizes[] = { 3, 64, 5000, 50000 };
	void *p[60];
	unsigned int i, j, strangers = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(p); j++) {
			p[j] = goheap_heap_alloc(heaps[j % 3], sizes[i], GFP_KERNEL,
						 GOHEAP_NOSCAN);
			KUNIT_ASSERT_NOT_NULL(test, p[j]);
			strangers += gh_test_span_of(p[j])->heap != heaps[j % 3];
		}
		for (j = 0; j < ARRAY_SIZE(p); j++)
			goheap_heap_free(heaps[j % 3], p[j]);
	}
	KUNIT_EXPECT_EQ(test, strangers, 0);
}

static void leak(struct kunit *test, const char *name, unsigned int flags)
{
	struct goheap_params params = { .flags = flags };
	struct goheap *heap = goheap_create(name, &params);
	static const size_t sizes[] = { 3, 100, 2000, 70000 };
	unsigned int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_NOT_NULL(test, goheap_heap_alloc(heap, sizes[i], GFP_KERNEL,
							      GOHEAP_NOSCAN));
	goheap_free(goheap_heap_alloc(heap, 500, GFP_KERNEL, 0));
	goheap_destroy(heap);
}

static void test_goheap_destroy_reports_leaks(struct kunit *test)
{
	leak(test, "kunit-leaky", 0);
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("heap kunit-leaky is gone with 4 objects leaked"));
	leak(test, "kunit-leak-ok", GOHEAP_LEAK_OK);
	KUNIT_EXPECT_FALSE(test, gh_test_log_has("heap kunit-leak-ok is gone"));
}

static void test_goheap_destroy_without_leaks(struct kunit *test)
{
	struct goheap *heap = goheap_create("kunit-tidy", NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	goheap_free(goheap_heap_alloc(heap, 100, GFP_KERNEL, 0));
	/* Destroying the heap has to wait for these. */
	goheap_free_rcu(goheap_heap_alloc(heap, 100, GFP_KERNEL, 0));
	goheap_free_rcu(goheap_heap_alloc(heap, 3, GFP_KERNEL, GOHEAP_NOSCAN));
	goheap_free_rcu(goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0));
	goheap_destroy(heap);
	KUNIT_EXPECT_FALSE(test, gh_test_log_has("heap kunit-tidy is gone"));
}

static struct kunit_case heap_cases[] = {
	KUNIT_CASE(test_goheap_create_bad_names),
	KUNIT_CASE(test_goheap_create_name_breaks_tables),
	KUNIT_CASE(test_goheap_create_name_taken),
	KUNIT_CASE(test_goheap_heap_alloc_spans_not_shared),
	KUNIT_CASE(test_goheap_destroy_reports_leaks),
	KUNIT_CASE(test_goheap_destroy_without_leaks),
	{}
};

static struct kunit_suite heap_suite = {
	.name = "goheap_heap",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = heap_cases,
};

kunit_test_suite(heap_suite);
