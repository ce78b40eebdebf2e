// SPDX-License-Identifier: GPL-2.0
/*
 * The forms of the functions: of a heap, of a node, typed; copies of text, and memory that may
 * be vmalloc()'s.
 */

#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "lib_pages.h"
#include "lib_report.h"
#include "testlib.h"

struct tail {
	u32 nr;
	u64 of[];
};

static const char *name_of(const void *p)
{
	return gh_test_span_of(p)->heap->name;
}

/* An object of @size bytes of the heap, zeroed if @zero. */
static void expect(struct kunit *test, struct goheap *heap, void *p, size_t size, bool zero)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_STREQ(test, name_of(p), (heap ?: gh_default)->name);
	KUNIT_EXPECT_GE(test, goheap_size(p), size);
	if (zero)
		KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, size));
	memset(p, 0xa5, size);
	goheap_heap_free(heap, p);
}

static void all_forms(struct kunit *test, struct goheap *heap, unsigned int flags)
{
	int nid = numa_mem_id();
	void *p;

	expect(test, heap, goheap_heap_alloc(heap, 100, GFP_KERNEL, flags), 100, false);
	expect(test, heap, goheap_heap_zalloc(heap, 100, GFP_KERNEL, flags), 100, true);
	expect(test, heap, goheap_heap_alloc_node(heap, 100, GFP_KERNEL, flags, nid), 100, false);
	expect(test, heap, goheap_heap_alloc_node(heap, 100, GFP_KERNEL | __GFP_ZERO, flags,
						  NUMA_NO_NODE), 100, true);
	p = goheap_heap_alloc_aligned(heap, 100, 256, GFP_KERNEL, flags);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, 256));
	expect(test, heap, p, 100, false);
	expect(test, heap, goheap_heap_alloc_array(heap, 7, 13, GFP_KERNEL, flags), 91, false);
	expect(test, heap, goheap_heap_calloc(heap, 7, 13, GFP_KERNEL, flags), 91, true);
	expect(test, heap, goheap_heap_zalloc(heap, 100000, GFP_KERNEL, flags), 100000, true);
}

static void test_goheap_heap_forms(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-forms", NULL);

	all_forms(test, NULL, 0);
	all_forms(test, heap, 0);
	all_forms(test, NULL, GOHEAP_NOSCAN);
	all_forms(test, heap, GOHEAP_NOSCAN);
	gh_test_expect_silence(test);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
}

static void test_goheap_heap_forms_noscan(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-forms", NULL);
	void *p = goheap_heap_calloc(heap, 8, 8, GFP_KERNEL, GOHEAP_NOSCAN);
	void *q = goheap_heap_alloc_node(heap, 64, GFP_KERNEL, 0, numa_mem_id());

	KUNIT_EXPECT_TRUE(test, gh_span_noscan(gh_test_span_of(p)));
	KUNIT_EXPECT_FALSE(test, gh_span_noscan(gh_test_span_of(q)));
	goheap_free(p);
	goheap_free(q);
}

static void test_goheap_heap_forms_overflow(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-forms", NULL);
	size_t half = SIZE_MAX / 2 + 1, most = SIZE_MAX;
	void *p = goheap_alloc(8, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(half);
	OPTIMIZER_HIDE_VAR(most);
	KUNIT_EXPECT_NULL(test, goheap_heap_calloc(heap, half, 2, GFP_KERNEL, 0));
	KUNIT_EXPECT_NULL(test, goheap_heap_alloc_array(heap, half + 8, 2, GFP_KERNEL, 0));
	KUNIT_EXPECT_NULL(test, goheap_calloc_node(half, 2, GFP_KERNEL, NUMA_NO_NODE));
	KUNIT_EXPECT_NULL(test, goheap_realloc_array(p, half, 2, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, goheap_memdup_nul("", most, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, goheap_size(p), 8UL);
	goheap_free(p);
}

static void test_goheap_heap_alloc_bulk_of_heap(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-forms", NULL);
	void *p[100];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, goheap_heap_alloc_bulk(heap, 48, GFP_KERNEL, 100, p), 100U);
	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_STREQ(test, name_of(p[i]), "kunit-forms");
		memset(p[i], i, 48);
	}
	goheap_free_bulk(100, p);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	KUNIT_ASSERT_EQ(test, goheap_heap_alloc_bulk(NULL, 48, GFP_KERNEL, 100, p), 100U);
	KUNIT_EXPECT_STREQ(test, name_of(p[99]), "default");
	goheap_free_bulk(100, p);
}

static void test_goheap_heap_realloc_of_heap(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-forms", NULL);
	u8 *p = goheap_heap_realloc(heap, NULL, 20, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x42, 20);
	p = goheap_heap_realloc(heap, p, 50000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_STREQ(test, name_of(p), "kunit-forms");
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0x42, 20));
	KUNIT_EXPECT_PTR_EQ(test, goheap_heap_realloc(heap, p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	p = goheap_realloc_array(NULL, 10, 30, GFP_KERNEL);
	p = goheap_realloc_array(p, 100, 30, GFP_KERNEL);
	KUNIT_EXPECT_GE(test, goheap_size(p), 3000UL);
	goheap_free(p);
	gh_test_expect_silence(test);
}

/* ---- text -------------------------------------------------------------------------------- */

static void expect_text(struct kunit *test, struct goheap *heap, char *p, const char *text)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_STREQ(test, p, text);
	KUNIT_EXPECT_STREQ(test, name_of(p), (heap ?: gh_default)->name);
	KUNIT_EXPECT_TRUE(test, gh_span_noscan(gh_test_span_of(p)));
	goheap_heap_free(heap, p);
}

static void text_of(struct kunit *test, struct goheap *heap)
{
	static const char words[] = "The quick brown fox";
	char *p;

	expect_text(test, heap, goheap_heap_strdup(heap, words, GFP_KERNEL), words);
	expect_text(test, heap, goheap_heap_strdup(heap, "", GFP_KERNEL), "");
	expect_text(test, heap, goheap_heap_strndup(heap, words, 9, GFP_KERNEL), "The quick");
	expect_text(test, heap, goheap_heap_strndup(heap, words, 1000, GFP_KERNEL), words);
	expect_text(test, heap, goheap_heap_memdup_nul(heap, words, 3, GFP_KERNEL), "The");
	expect_text(test, heap, goheap_heap_asprintf(heap, GFP_KERNEL, "%s, %d", "fox", 7),
		    "fox, 7");
	p = goheap_heap_asprintf(heap, GFP_KERNEL, "%*s", 50000, "fox");
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, strlen(p), 50000UL);
	KUNIT_EXPECT_STREQ(test, p + 49997, "fox");
	goheap_free(p);
	KUNIT_EXPECT_NULL(test, goheap_heap_strdup(heap, NULL, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, goheap_heap_strndup(heap, NULL, 5, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, goheap_heap_memdup_nul(heap, NULL, 5, GFP_KERNEL));
}

static void test_goheap_text(struct kunit *test)
{
	text_of(test, NULL);
	text_of(test, gh_test_heap(test, "kunit-forms", NULL));
	expect_text(test, NULL, goheap_asprintf(GFP_ATOMIC, "%c%x", 'a', 0xbc), "abc");
	expect_text(test, NULL, goheap_strndup("abcdef", 2, GFP_KERNEL), "ab");
	expect_text(test, NULL, goheap_memdup_nul("abcdef", 5, GFP_KERNEL), "abcde");
}

static void test_goheap_memdup_user_bad(struct kunit *test)
{
	void *p = goheap_memdup_user((const void __user *)TASK_SIZE_MAX, 64);

	KUNIT_EXPECT_PTR_EQ(test, p, ERR_PTR(-EFAULT));
	p = goheap_memdup_user((const void __user *)8, SIZE_MAX / 2);
	KUNIT_EXPECT_PTR_EQ(test, p, ERR_PTR(-ENOMEM));
}

/* ---- the rest ---------------------------------------------------------------------------- */

static void test_goheap_node_arrays(struct kunit *test)
{
	expect(test, NULL, goheap_alloc_array_node(5, 40, GFP_KERNEL, numa_mem_id()), 200, false);
	expect(test, NULL, goheap_calloc_node(5, 40, GFP_KERNEL, NUMA_NO_NODE), 200, true);
}

static void test_goheap_typed(struct kunit *test)
{
	struct tail *t = goheap_zalloc_flex(struct tail, of, 10, GFP_KERNEL), *u;

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_EXPECT_GE(test, goheap_size(t), struct_size(t, of, 10));
	KUNIT_EXPECT_EQ(test, t->of[9], 0ULL);
	u = goheap_alloc_obj(*t, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, u);
	goheap_free(u);
	u = goheap_zalloc_objs(struct tail, 3, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, u);
	KUNIT_EXPECT_GE(test, goheap_size(u), 3 * sizeof(*u));
	goheap_free(u);
	goheap_free(t);
}

static void test_goheap_kvalloc_each_kind(struct kunit *test)
{
	static const size_t sizes[] = { 0, 1, 4096, 5000, 100000, SZ_4M, SZ_8M };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_kvalloc(sizes[i], GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL_MSG(test, p, "%zu bytes", sizes[i]);
		KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, sizes[i]));
		if (sizes[i] <= PAGE_SIZE)
			KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(p));
		KUNIT_EXPECT_EQ(test, goheap_owns(p), sizes[i] && !is_vmalloc_addr(p));
		goheap_kvfree(p);
	}
	/* No vmalloc() for those who may not sleep. */
	KUNIT_EXPECT_NULL(test, goheap_kvalloc(SZ_8M, GFP_ATOMIC | __GFP_NOWARN));
	goheap_kvfree(NULL);
	gh_test_expect_silence(test);
}

/* Pages side by side are not to be had: vmalloc() helps. */
static void test_goheap_kvalloc_fragmented(struct kunit *test)
{
	void *p;

	gh_test_limit_blocks(SZ_32K);
	p = goheap_kvalloc(SZ_1M, GFP_KERNEL);
	gh_test_unlimit_blocks();
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(p));
	memset(p, 1, SZ_1M);
	goheap_kvfree(p);
}

static void test_goheap_free_sensitive_clears(struct kunit *test)
{
	u8 *p = goheap_alloc(100, GFP_KERNEL), *q;

	memset(p, 0x77, 100);
	q = p;
	OPTIMIZER_HIDE_VAR(q);
	goheap_free_sensitive(p);
	KUNIT_EXPECT_EQ(test, goheap_size(q), 0UL);
	gh_unpoison(q, 100);
	/* The last one freed comes first. */
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0, 100));
	gh_poison(q, 112);
	goheap_free_sensitive(NULL);
	goheap_free_sensitive(ZERO_SIZE_PTR);
	gh_test_expect_silence(test);
}

static void test_goheap_size_roundup_is_size(struct kunit *test)
{
	size_t size;
	void *p;

	KUNIT_EXPECT_EQ(test, goheap_size_roundup(0), 0UL);
	KUNIT_EXPECT_EQ(test, goheap_size_roundup(SIZE_MAX), SIZE_MAX);
	for (size = 1; size < 200000; size += size / 7 + 1) {
		p = goheap_alloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ_MSG(test, goheap_size_roundup(size), goheap_size(p), "%zu bytes",
				    size);
		goheap_free(p);
	}
}

static void test_goheap_owns_pages(struct kunit *test)
{
	u8 *p = goheap_alloc(64, GFP_KERNEL);
	void *foreign = kmalloc(64, GFP_KERNEL);

	KUNIT_EXPECT_TRUE(test, goheap_owns(p));
	KUNIT_EXPECT_TRUE(test, goheap_owns(p + 5));
	KUNIT_EXPECT_FALSE(test, goheap_owns(foreign));
	KUNIT_EXPECT_FALSE(test, goheap_owns(NULL));
	KUNIT_EXPECT_FALSE(test, goheap_owns(test_goheap_owns_pages));
	KUNIT_EXPECT_FALSE(test, goheap_owns((void *)~0UL));
	kfree(foreign);
	goheap_free(p);
}

static struct kunit_case forms_cases[] = {
	KUNIT_CASE(test_goheap_heap_forms),
	KUNIT_CASE(test_goheap_heap_forms_noscan),
	KUNIT_CASE(test_goheap_heap_forms_overflow),
	KUNIT_CASE(test_goheap_heap_alloc_bulk_of_heap),
	KUNIT_CASE(test_goheap_heap_realloc_of_heap),
	KUNIT_CASE(test_goheap_text),
	KUNIT_CASE(test_goheap_memdup_user_bad),
	KUNIT_CASE(test_goheap_node_arrays),
	KUNIT_CASE(test_goheap_typed),
	KUNIT_CASE(test_goheap_kvalloc_each_kind),
	KUNIT_CASE(test_goheap_kvalloc_fragmented),
	KUNIT_CASE(test_goheap_free_sensitive_clears),
	KUNIT_CASE(test_goheap_size_roundup_is_size),
	KUNIT_CASE(test_goheap_owns_pages),
	{}
};

static struct kunit_suite forms_suite = {
	.name = "goheap_forms",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = forms_cases,
};

kunit_test_suite(forms_suite);
