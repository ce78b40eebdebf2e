// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps with a limit: it holds, and nothing that is free is in its way.
 */

#include <linux/sizes.h>

#include "testlib.h"

/* ---- the limit ----------------------------------------------------------- */

static void test_goheap_heap_alloc_limit(struct kunit *test)
{
	static const struct goheap_params params = { .limit = 8 * GH_PAGE_SIZE + 100 };
	struct goheap *heap = gh_test_heap(test, "kunit-limit", &params);
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	void *p[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_heap_alloc(heap, 8192, gfp, 0);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	KUNIT_EXPECT_PTR_EQ(test, goheap_heap_alloc(heap, 8192, gfp, 0), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_heap_alloc(heap, 5, gfp, GOHEAP_NOSCAN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_heap_alloc(heap, 100000, gfp, 0), NULL);
	goheap_free(p[3]);
	p[3] = goheap_heap_alloc(heap, 8192, gfp, 0);
	KUNIT_EXPECT_NOT_NULL(test, p[3]);
	goheap_free_bulk(ARRAY_SIZE(p), p);
	gh_reclaim_trim();
	p[0] = goheap_heap_alloc(heap, 8 * GH_PAGE_SIZE, gfp, 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test, p[0], "what was given back counts still");
	goheap_free(p[0]);
}

/* ---- what holds a limit with nothing live -------------------------------- */

static const size_t limits[] = { SZ_64K, SZ_256K, SZ_1M };

static struct goheap *limited_heap(struct kunit *test, size_t limit, unsigned int flags)
{
	struct goheap_params params = { .limit = limit, .flags = flags };
	char name[32];

	snprintf(name, sizeof(name), "kunit-limit-%zu-%x", limit, flags);
	return gh_test_heap(test, name, &params);
}

/* Up to the limit, and all free again. */
struct visit {
	struct goheap *heap;
	size_t size;
	unsigned int flags;		/* of goheap_heap_alloc() */
	void (*free)(const void *p);
	unsigned int nr;		/* objects there were */
};

#define VISIT_MOST	GH_TEST_ROUNDS(2048)

static long fill_and_free(void *arg)
{
	struct visit *v = arg;
	void **last = NULL, **p;

	for (v->nr = 0; v->nr < VISIT_MOST; v->nr++) {
		p = goheap_heap_alloc(v->heap, v->size, GFP_KERNEL | __GFP_NOWARN, v->flags);
		if (!p)
			break;
		*p = last;
		last = p;
	}
	for (; last; last = p) {
		p = *last;
		v->free(last);
	}
	return 0;
}

/* All of the limit for one object: nothing else may hold any of it. */
static void expect_all_free(struct kunit *test, const struct visit *v)
{
	size_t limit = v->heap->limit << GH_PAGE_SHIFT;
	void *p;

	KUNIT_EXPECT_GT_MSG(test, v->nr, 0U, "limit %zu: no object of %zu bytes", limit, v->size);
	if (v->heap->debug & GOHEAP_REDZONE)
		limit -= GH_PAGE_SIZE;
	p = goheap_heap_alloc(v->heap, limit, GFP_KERNEL | __GFP_NOWARN, 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test, p, "limit %zu, held by objects of %zu bytes, flags %u",
				  limit, v->size, v->flags);
	goheap_free(p);
}

/* Long spans of a class may not; but there are shorter ones for its objects. */
static bool fits_limit(const struct visit *v)
{
	return gh_debug_room(v->heap, v->size, 0) <= v->heap->limit << GH_PAGE_SHIFT;
}

static void use_up(struct kunit *test, struct goheap *heap, void (*free)(const void *p), int cpu)
{
	static const size_t sizes[] = { 8, 48, 1024, 3000, 6784, 8192, 9400, 18432, 32768, 40000,
					100 << 10, 200 << 10 };
	struct visit v = { .heap = heap, .free = free };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
		v.size = sizes[i / 2];
		v.flags = i % 2 ? GOHEAP_NOSCAN : 0;
		if (!fits_limit(&v))
			continue;
		gh_test_on(cpu, fill_and_free, &v);
		expect_all_free(test, &v);
	}
}

/* What a class, or a length, holds is in the way of all others. */
static void test_goheap_limit_held_by_empty_spans(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		use_up(test, limited_heap(test, limits[i], 0), goheap_free,
		       raw_smp_processor_id());
}

static void test_goheap_limit_held_by_debugged_spans(struct kunit *test)
{
	unsigned int i, flags = GOHEAP_POISON | GOHEAP_REDZONE;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		use_up(test, limited_heap(test, limits[i], flags), goheap_free,
		       raw_smp_processor_id());
		use_up(test, limited_heap(test, limits[i], GOHEAP_POISON), goheap_free_rcu,
		       raw_smp_processor_id());
	}
}

static void test_goheap_limit_held_by_other_cpus(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		use_up(test, limited_heap(test, limits[i], 0), goheap_free, cpu);
}

static void test_goheap_limit_held_by_rcu(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		use_up(test, limited_heap(test, limits[i], 0), goheap_free_rcu,
		       raw_smp_processor_id());
}

static void test_goheap_limit_held_by_parked(struct kunit *test)
{
	struct goheap *heap = limited_heap(test, SZ_256K, 0);
	void *p = goheap_heap_alloc(heap, 100 << 10, GFP_KERNEL, 0);

	KUNIT_EXPECT_NOT_NULL(test, p);
	goheap_free(p);
	p = goheap_heap_alloc(heap, 200 << 10, GFP_KERNEL, 0);
	KUNIT_EXPECT_NOT_NULL(test, p);
	goheap_free(p);
}

static void free_elsewhere(const void *p)
{
	gh_test_free_on(cpumask_last(cpu_online_mask), p);
}

/* The spans are ours, what is free in them we do not know of yet. */
static void test_goheap_limit_held_by_inbox(struct kunit *test)
{
	struct visit v = { .size = 8192, .free = free_elsewhere };

	gh_test_other_cpu(test);
	v.heap = limited_heap(test, SZ_64K, 0);
	fill_and_free(&v);
	expect_all_free(test, &v);
}

/* A block that two objects share, one freed here and one by RCU. */
static void test_goheap_limit_held_by_tiny(struct kunit *test)
{
	struct goheap *heap = limited_heap(test, SZ_64K, 0);
	struct visit v = { .heap = heap, .size = 4, .nr = 1 };
	void *p = goheap_heap_alloc(heap, 4, GFP_KERNEL, GOHEAP_NOSCAN);
	void *q = goheap_heap_alloc(heap, 4, GFP_KERNEL, GOHEAP_NOSCAN);

	goheap_free_rcu(p);
	goheap_free(q);
	expect_all_free(test, &v);
}

/* Who cannot wait for other CPUs finds that they were asked. */
static void test_goheap_limit_atomic_comes_again(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = limited_heap(test, SZ_256K, 0);
	struct visit v = { .heap = heap, .size = 100 << 10, .free = goheap_free };
	unsigned int tries;
	void *p = NULL;

	gh_test_on(cpu, fill_and_free, &v);
	for (tries = 0; !p && tries < 100; tries++) {
		p = goheap_heap_alloc(heap, SZ_256K, GFP_NOWAIT | __GFP_NOWARN, 0);
		schedule_timeout_uninterruptible(HZ / 50 + 1);
	}
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_GT_MSG(test, tries, 1U, "nothing was held");
	goheap_free(p);
}

static struct kunit_case limit_cases[] = {
	KUNIT_CASE(test_goheap_heap_alloc_limit),
	KUNIT_CASE(test_goheap_limit_held_by_empty_spans),
	KUNIT_CASE(test_goheap_limit_held_by_debugged_spans),
	KUNIT_CASE(test_goheap_limit_held_by_other_cpus),
	KUNIT_CASE(test_goheap_limit_held_by_rcu),
	KUNIT_CASE(test_goheap_limit_held_by_parked),
	KUNIT_CASE(test_goheap_limit_held_by_inbox),
	KUNIT_CASE(test_goheap_limit_held_by_tiny),
	KUNIT_CASE(test_goheap_limit_atomic_comes_again),
	{}
};

static struct kunit_suite limit_suite = {
	.name = "goheap_limit",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = limit_cases,
};

kunit_test_suite(limit_suite);
