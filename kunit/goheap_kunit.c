// SPDX-License-Identifier: GPL-2.0
/*
 * The front end: what goheap.h promises, from the outside, and the paths behind it
 * that only other CPUs, interrupts and grace periods take.
 */

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "testlib.h"

/* ---- size, alignment, content ------------------------------------------------------- */

static size_t promised_align(size_t size)
{
	return max_t(size_t, size & -size, ARCH_KMALLOC_MINALIGN);
}

static bool aligned(const void *p, size_t align)
{
	return !((unsigned long)p & (align - 1));
}

/* What is wrong with an object just allocated? */
static const char *fault_of(void *p, size_t size)
{
	if (ZERO_OR_NULL_PTR(p))
		return "no object";
	if (!aligned(p, promised_align(size)))
		return "alignment";
	if (goheap_size(p) < size)
		return "usable size";
	if (goheap_base(p + size - 1) != p || goheap_base(p) != p)
		return "base";
	return NULL;
}

static void expect_good(struct kunit *test, void *p, size_t size)
{
	const char *fault = fault_of(p, size);

	if (fault)
		KUNIT_FAIL(test, "size %zu: %s", size, fault);
}

static void test_goheap_alloc_every_small_size(struct kunit *test)
{
	unsigned int step = GH_TEST_SLOW ? 13 : 1;
	struct gh_test_model m;
	size_t size;
	void *p;

	gh_test_model_init(&m, test, 128);
	for (size = 1; size <= 33000; size += step) {
		p = goheap_alloc(size, GFP_KERNEL);
		expect_good(test, p, size);
		gh_test_model_add(&m, p, size);
		if (m.nr == m.max)
			goheap_free(gh_test_model_del(&m, size % m.max));
	}
	gh_test_model_free_all(&m);
}

static void test_goheap_alloc_large_sizes(struct kunit *test)
{
	static const int around[] = { -4096, -1, 0, 1, 4096, 8192 };
	struct gh_test_model m;
	size_t size, base;
	unsigned int i;
	void *p;

	gh_test_model_init(&m, test, 64);
	for (base = 64 << 10; base <= goheap_max_size(); base *= 2) {
		for (i = 0; i < ARRAY_SIZE(around); i++) {
			size = base + around[i];
			if (size > goheap_max_size())
				continue;
			p = goheap_alloc(size, GFP_KERNEL);
			expect_good(test, p, size);
			gh_test_model_add(&m, p, size);
			if (i % 2)
				goheap_free(gh_test_model_del(&m, m.nr - 1));
		}
	}
	gh_test_model_free_all(&m);
}

static void test_goheap_alloc_size_zero(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_zalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_noscan(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_calloc(0, 8, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(0, 64, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_memdup("", 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, goheap_size(ZERO_SIZE_PTR), 0UL);
}

static void test_goheap_free_nothing(struct kunit *test)
{
	unsigned long misuses = gh_misuse_count();

	goheap_free(NULL);
	goheap_free(ZERO_SIZE_PTR);
	goheap_free_rcu(NULL);
	goheap_free_rcu(ZERO_SIZE_PTR);
	goheap_free_sized(NULL, 5);
	goheap_heap_free(gh_default, ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, gh_misuse_count(), misuses);
}

static void test_goheap_alloc_too_large(struct kunit *test)
{
	size_t most = goheap_max_size();

	OPTIMIZER_HIDE_VAR(most);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(most + 1, GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(-most, GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(-most + 1, most,
						       GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(8, 2 * most,
						       GFP_KERNEL | __GFP_NOWARN), NULL);
}

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

static void test_goheap_alloc_refuses_zones(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_DMA32), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_HIGHMEM), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(100000, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_noscan(5, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(8, 8, GFP_KERNEL | __GFP_DMA), NULL);
}

/* ---- zeroing ----------------------------------------------------------------------------- */

static const size_t some_sizes[] = { 5, 8, 100, 1024, 5000, 32768, 40000, 300000 };

static void dirty_and_free(struct kunit *test, size_t size)
{
	void *p[16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		memset(p[i], 0xa5, size);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
}

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

	for (i = 0; i < ARRAY_SIZE(some_sizes); i++) {
		dirty_and_free(test, some_sizes[i]);
		expect_zeroes(test, some_sizes[i], GFP_KERNEL | __GFP_ZERO);
		/* The same with spans that went back to the page heap. */
		dirty_and_free(test, some_sizes[i]);
		gh_reclaim_trim();
		expect_zeroes(test, some_sizes[i], GFP_KERNEL | __GFP_ZERO);
	}
}

static void test_goheap_alloc_init_on_alloc(struct kunit *test)
{
	unsigned int i;

	if (!want_init_on_alloc(0))
		kunit_skip(test, "booted without init_on_alloc=1");
	for (i = 0; i < ARRAY_SIZE(some_sizes); i++) {
		dirty_and_free(test, some_sizes[i]);
		expect_zeroes(test, some_sizes[i], GFP_KERNEL);
	}
}

static void test_goheap_free_init_on_free(struct kunit *test)
{
	unsigned int i;
	u8 *p;

	if (!want_init_on_free())
		kunit_skip(test, "booted without init_on_free=1");
	for (i = 0; i < ARRAY_SIZE(some_sizes); i++) {
		p = goheap_alloc(some_sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		if (gh_test_span_of(p)->flags & GH_F_LARGE) {
			goheap_free(p);
			continue;
		}
		memset(p, 0xa5, some_sizes[i]);
		goheap_free(p);
		KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(p, 0, some_sizes[i]), NULL,
					"size %zu", some_sizes[i]);
	}
}

/* ---- other ways to allocate ------------------------------------------------------------------- */

static void test_goheap_alloc_aligned_all(struct kunit *test)
{
	static const size_t sizes[] = { 1, 8, 24, 100, 4096, 9000, 40000, 1000000 };
	size_t align;
	unsigned int i;
	void *p;

	for (align = 1; align <= goheap_max_size(); align *= 2) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			p = goheap_alloc_aligned(sizes[i], align, GFP_KERNEL);
			expect_good(test, p, sizes[i]);
			KUNIT_EXPECT_TRUE_MSG(test, aligned(p, align), "%zu by %zu", sizes[i],
					      align);
			goheap_free(p);
		}
	}
}

static void test_goheap_alloc_node_all(struct kunit *test)
{
	void *p = goheap_alloc_node(100, GFP_KERNEL, numa_mem_id());
	void *q = goheap_alloc_node(100, GFP_KERNEL | __GFP_THISNODE, numa_mem_id());
	void *r = goheap_alloc_node(100, GFP_KERNEL, NUMA_NO_NODE);
	void *s = goheap_alloc_node(100000, GFP_KERNEL | __GFP_THISNODE, numa_mem_id());

	expect_good(test, p, 100);
	expect_good(test, q, 100);
	expect_good(test, r, 100);
	expect_good(test, s, 100000);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(q)), numa_mem_id());
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(s)), numa_mem_id());
	goheap_free(p);
	goheap_free(q);
	goheap_free(r);
	goheap_free(s);
}

static void test_goheap_alloc_node_not_there(struct kunit *test)
{
	void *p = goheap_alloc_node(100, GFP_KERNEL, MAX_NUMNODES + 5);

	expect_good(test, p, 100);
	goheap_free(p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_node(100, GFP_KERNEL | __GFP_THISNODE,
						    MAX_NUMNODES + 5), NULL);
}

static void test_goheap_alloc_noscan_has_spans_of_its_own(struct kunit *test)
{
	void *p = goheap_alloc(100, GFP_KERNEL), *q = goheap_alloc_noscan(100, GFP_KERNEL);

	expect_good(test, q, 100);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(q)->spanclass));
	KUNIT_EXPECT_FALSE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
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

static void test_goheap_free_sized_right_sizes(struct kunit *test)
{
	unsigned long misuses = gh_misuse_count();
	unsigned int step = GH_TEST_SLOW ? 37 : 3;
	size_t size;

	for (size = 1; size < 40000; size += step)
		goheap_free_sized(goheap_alloc(size, GFP_KERNEL), size);
	for (size = 1; size < 20; size++)
		goheap_free_sized(goheap_alloc_noscan(size, GFP_KERNEL), size);
	goheap_free_sized(goheap_alloc_aligned(100, 4096, GFP_KERNEL), 4096);
	goheap_free_sized(goheap_alloc_aligned(100, 1 << 20, GFP_KERNEL), 1 << 20);
	KUNIT_EXPECT_EQ(test, gh_misuse_count(), misuses);
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

/* ---- realloc --------------------------------------------------------------------------------------- */

static void resize(struct kunit *test, u8 **p, size_t *from, size_t to)
{
	u8 *q;

	memset(*p, 0x3c, *from);
	q = goheap_realloc(*p, to, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	expect_good(test, q, to);
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

	expect_good(test, p, 100);
	expect_good(test, q, 100);
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

	for (i = 0; i < ARRAY_SIZE(some_sizes); i++)
		dirty_and_free(test, some_sizes[i]);
	zero_grow(test, false);
	zero_grow(test, true);
}

/* ---- questions about addresses -------------------------------------------------------------------------- */

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

/* ---- a random walk ------------------------------------------------------------------------------------------ */

static size_t random_size(struct rnd_state *rnd)
{
	switch (gh_test_below(rnd, 16)) {
	case 0:
		return 1 + gh_test_below(rnd, 200000);
	case 1 ... 3:
		return 1 + gh_test_below(rnd, 20000);
	default:
		return 1 + gh_test_below(rnd, 600);
	}
}

static void *random_alloc(struct rnd_state *rnd, size_t size)
{
	switch (gh_test_below(rnd, 4)) {
	case 0:
		return goheap_alloc_noscan(size, GFP_KERNEL);
	case 1:
		return goheap_zalloc(size, GFP_KERNEL);
	default:
		return goheap_alloc(size, GFP_KERNEL);
	}
}

static void test_goheap_alloc_free_random(struct kunit *test)
{
	struct gh_test_model m;
	struct rnd_state rnd;
	unsigned int i, victim;
	size_t size;

	gh_test_model_init(&m, test, 400);
	gh_test_seed(&rnd, 2026);
	for (i = 0; i < GH_TEST_ROUNDS(60000); i++) {
		if (m.nr < m.max && gh_test_below(&rnd, 100) < 55) {
			size = random_size(&rnd);
			gh_test_model_add(&m, random_alloc(&rnd, size), size);
		} else if (m.nr) {
			victim = gh_test_below(&rnd, m.nr);
			if (gh_test_below(&rnd, 8))
				goheap_free(gh_test_model_del(&m, victim));
			else
				goheap_free_rcu(gh_test_model_del(&m, victim));
		}
	}
	gh_test_validate(test);
	gh_test_model_free_all(&m);
}

static struct kunit_case front_cases[] = {
	KUNIT_CASE(test_goheap_alloc_every_small_size),
	KUNIT_CASE(test_goheap_alloc_large_sizes),
	KUNIT_CASE(test_goheap_alloc_size_zero),
	KUNIT_CASE(test_goheap_free_nothing),
	KUNIT_CASE(test_goheap_alloc_too_large),
	KUNIT_CASE(test_goheap_calloc_overflow),
	KUNIT_CASE(test_goheap_alloc_array_holds_all),
	KUNIT_CASE(test_goheap_alloc_refuses_zones),
	KUNIT_CASE(test_goheap_zalloc_after_use),
	KUNIT_CASE(test_goheap_alloc_init_on_alloc),
	KUNIT_CASE(test_goheap_free_init_on_free),
	KUNIT_CASE(test_goheap_alloc_aligned_all),
	KUNIT_CASE(test_goheap_alloc_node_all),
	KUNIT_CASE(test_goheap_alloc_node_not_there),
	KUNIT_CASE(test_goheap_alloc_noscan_has_spans_of_its_own),
	KUNIT_CASE(test_goheap_alloc_bulk_all_sizes),
	KUNIT_CASE(test_goheap_alloc_bulk_stops),
	KUNIT_CASE(test_goheap_strdup_copies),
	KUNIT_CASE(test_goheap_memdup_copies),
	KUNIT_CASE(test_goheap_free_sized_right_sizes),
	KUNIT_CASE(test_goheap_free_by_scope),
	KUNIT_CASE(test_goheap_realloc_keeps_content),
	KUNIT_CASE(test_goheap_realloc_in_place),
	KUNIT_CASE(test_goheap_realloc_of_nothing_and_to_nothing),
	KUNIT_CASE(test_goheap_realloc_fails),
	KUNIT_CASE(test_goheap_realloc_stays_what_it_is),
	KUNIT_CASE(test_goheap_realloc_zeroes),
	KUNIT_CASE(test_goheap_base_interior),
	KUNIT_CASE(test_goheap_base_foreign),
	KUNIT_CASE(test_goheap_alloc_free_random),
	{}
};

static struct kunit_suite front_suite = {
	.name = "goheap_front",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = front_cases,
};
kunit_test_suite(front_suite);
