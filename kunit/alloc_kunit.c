// SPDX-License-Identifier: GPL-2.0
/*
 * Allocating one object: size, alignment and content are as goheap.h promises, and what
 * cannot be is refused.
 */

#include <linux/mm.h>
#include <linux/topology.h>

#include "lib_model.h"
#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

/* ---- size, alignment, content -------------------------------------------- */

static void test_goheap_alloc_every_small_size(struct kunit *test)
{
	unsigned int step = GH_TEST_SLOW ? 13 : 1;
	struct gh_test_model m;
	size_t size;
	void *p;

	gh_test_model_init(&m, test, 128);
	for (size = 1; size <= 33000; size += step) {
		p = goheap_alloc(size, GFP_KERNEL);
		gh_test_expect_good(test, p, size);
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
			gh_test_expect_good(test, p, size);
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
	goheap_free(NULL);
	goheap_free(ZERO_SIZE_PTR);
	goheap_free_rcu(NULL);
	goheap_free_rcu(ZERO_SIZE_PTR);
	goheap_free_sized(NULL, 5);
	goheap_heap_free(gh_default, ZERO_SIZE_PTR);
	gh_test_expect_silence(test);
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

static void test_goheap_alloc_refuses_zones(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_DMA32), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_HIGHMEM), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(100000, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_noscan(5, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(8, 8, GFP_KERNEL | __GFP_DMA), NULL);
}

/* ---- other ways to allocate ---------------------------------------------- */

static void test_goheap_alloc_aligned_all(struct kunit *test)
{
	static const size_t sizes[] = { 1, 8, 24, 100, 4096, 9000, 40000, 1000000 };
	size_t align;
	unsigned int i;
	void *p;

	for (align = 1; align <= goheap_max_size(); align *= 2) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			p = goheap_alloc_aligned(sizes[i], align, GFP_KERNEL);
			gh_test_expect_good(test, p, sizes[i]);
			KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, align),
					      "%zu by %zu", sizes[i], align);
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

	gh_test_expect_good(test, p, 100);
	gh_test_expect_good(test, q, 100);
	gh_test_expect_good(test, r, 100);
	gh_test_expect_good(test, s, 100000);
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

	gh_test_expect_good(test, p, 100);
	goheap_free(p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_node(100, GFP_KERNEL | __GFP_THISNODE,
						    MAX_NUMNODES + 5), NULL);
}

static void test_goheap_alloc_noscan_has_spans_of_its_own(struct kunit *test)
{
	void *p = goheap_alloc(100, GFP_KERNEL), *q = goheap_alloc_noscan(100, GFP_KERNEL);

	gh_test_expect_good(test, q, 100);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(q)->spanclass));
	KUNIT_EXPECT_FALSE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
	goheap_free(p);
	goheap_free(q);
}

/* ---- a random walk ------------------------------------------------------- */

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

static void *random_alloc(struct gh_test_walk *w, size_t size)
{
	switch (gh_test_below(&w->rnd, 4)) {
	case 0:
		return goheap_alloc_noscan(size, GFP_KERNEL);
	case 1:
		return goheap_zalloc(size, GFP_KERNEL);
	default:
		return goheap_alloc(size, GFP_KERNEL);
	}
}

static const struct gh_test_op alloc_ops[] = {
	{ 55, gh_test_step_alloc },
	{ 39, gh_test_step_free },
	{ 6, gh_test_step_free_rcu },
	{}
};

static void test_goheap_alloc_free_random(struct kunit *test)
{
	struct gh_test_walk w = {
		.test = test, .ops = alloc_ops, .size = random_size, .alloc = random_alloc,
		.seed = 2026, .rounds = GH_TEST_ROUNDS(60000),
	};

	gh_test_walk_objects(&w, 400);
	gh_test_model_free_all(&w.m);
}

static struct kunit_case alloc_cases[] = {
	KUNIT_CASE(test_goheap_alloc_every_small_size),
	KUNIT_CASE(test_goheap_alloc_large_sizes),
	KUNIT_CASE(test_goheap_alloc_size_zero),
	KUNIT_CASE(test_goheap_free_nothing),
	KUNIT_CASE(test_goheap_alloc_too_large),
	KUNIT_CASE(test_goheap_alloc_refuses_zones),
	KUNIT_CASE(test_goheap_alloc_aligned_all),
	KUNIT_CASE(test_goheap_alloc_node_all),
	KUNIT_CASE(test_goheap_alloc_node_not_there),
	KUNIT_CASE(test_goheap_alloc_noscan_has_spans_of_its_own),
	KUNIT_CASE(test_goheap_alloc_free_random),
	{}
};

static struct kunit_suite alloc_suite = {
	.name = "goheap_alloc",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = alloc_cases,
};

kunit_test_suite(alloc_suite);
