// SPDX-License-Identifier: GPL-2.0
/*
 * Without preemption, whoever allocates in a loop lets others have the CPU.
 */

#include <linux/sizes.h>

#include "lib_object.h"
#include "testlib.h"

#define YIELD_NR	600		/* objects: several spans of each size */

static void *tiny(size_t size, gfp_t gfp)
{
	return goheap_alloc_noscan(size, gfp);
}

static void *zeroed(size_t size, gfp_t gfp)
{
	return goheap_zalloc(size, gfp);
}

static void *plain(size_t size, gfp_t gfp)
{
	return (goheap_alloc)(size, gfp);
}

/* How often others could have had the CPU while objects were allocated. */
static unsigned long yields(struct kunit *test, void *(*fn)(size_t, gfp_t), size_t size, gfp_t gfp,
			    unsigned long *refills)
{
	unsigned long before = gh_test_cache(gh_default)->refills, n;
	void **p = gh_test_array(test, YIELD_NR);
	unsigned int i;

	gh_test_yields = 0;
	WRITE_ONCE(gh_test_yielder, current);
	for (i = 0; i < YIELD_NR; i++)
		p[i] = fn(size, gfp);
	WRITE_ONCE(gh_test_yielder, NULL);
	n = gh_test_yields;
	*refills = gh_test_cache(gh_default)->refills - before;
	goheap_free_bulk(YIELD_NR, p);
	return n;
}

/* A loop that allocates and never sleeps must not keep the CPU without preemption. */
static void test_goheap_alloc_yields_when_it_refills(struct kunit *test)
{
	static const struct {
		void *(*fn)(size_t size, gfp_t gfp);
		size_t size;
	} of[] = { { plain, 64 }, { zeroed, 64 }, { tiny, 100 }, { tiny, 3 }, { tiny, 12 } };
	unsigned long n, refills;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(of); i++) {
		n = yields(test, of[i].fn, of[i].size, GFP_KERNEL, &refills);
		KUNIT_EXPECT_GT_MSG(test, refills, 0UL, "row %u", i);
		/* A tiny object for which there is nothing left refills twice. */
		KUNIT_EXPECT_GE_MSG(test, 2 * n, refills, "row %u", i);
		n = yields(test, of[i].fn, of[i].size, GFP_ATOMIC, &refills);
		KUNIT_EXPECT_EQ_MSG(test, n, 0UL, "row %u: it may not sleep", i);
	}
}

static void test_goheap_alloc_bulk_yields_between_batches(struct kunit *test)
{
	void **p = gh_test_array(test, YIELD_NR);

	KUNIT_ASSERT_NOT_NULL(test, p);
	gh_test_yields = 0;
	WRITE_ONCE(gh_test_yielder, current);
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(64, GFP_KERNEL, YIELD_NR, p), YIELD_NR);
	WRITE_ONCE(gh_test_yielder, NULL);
	KUNIT_EXPECT_GE(test, gh_test_yields, YIELD_NR / 64UL);
	goheap_free_bulk(YIELD_NR, p);
}

/* A large object that was freed a moment ago needs no pages, but it is no fast path. */
static void test_goheap_alloc_yields_for_large(struct kunit *test)
{
	unsigned int i;

	gh_test_yields = 0;
	WRITE_ONCE(gh_test_yielder, current);
	for (i = 0; i < 8; i++)
		goheap_free(goheap_alloc(SZ_64K, GFP_KERNEL));
	WRITE_ONCE(gh_test_yielder, NULL);
	KUNIT_EXPECT_GE(test, gh_test_yields, 8UL);
}

static struct kunit_case yield_cases[] = {
	KUNIT_CASE(test_goheap_alloc_yields_when_it_refills),
	KUNIT_CASE(test_goheap_alloc_bulk_yields_between_batches),
	KUNIT_CASE(test_goheap_alloc_yields_for_large),
	{}
};

static struct kunit_suite yield_suite = {
	.name = "goheap_yield",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = yield_cases,
};

kunit_test_suite(yield_suite);
