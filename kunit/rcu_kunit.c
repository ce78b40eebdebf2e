// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_free_rcu(): readers keep their objects, and all of them come back.
 */

#include <linux/rcupdate.h>
#include <linux/string.h>

#include "lib_object.h"
#include "testlib.h"

static void test_goheap_free_rcu_waits_for_readers(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu", NULL);
	void *p[GH_TEST_PER_SPAN], *q[2 * GH_TEST_PER_SPAN], *again[GH_TEST_PER_SPAN];
	bool all, reused, kept;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	memset(p[3], 0x77, GH_TEST_SIZE);
	rcu_read_lock();
	goheap_free_rcu(p[3]);
	all = gh_test_try_fill(heap, q, 2 * GH_TEST_PER_SPAN, GH_TEST_SIZE);
	reused = gh_test_is_among(p[3], q, 2 * GH_TEST_PER_SPAN);
	kept = !memchr_inv(p[3], 0x77, GH_TEST_SIZE);
	rcu_read_unlock();
	KUNIT_ASSERT_TRUE(test, all);
	KUNIT_EXPECT_FALSE_MSG(test, reused, "a reader's object was allocated");
	KUNIT_EXPECT_TRUE_MSG(test, kept, "a reader's object was written to");
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(p[3]), 0UL, "it is not live any more");

	gh_test_grace_period();
	gh_test_flush_limbo();
	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, again, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	KUNIT_EXPECT_TRUE_MSG(test, gh_test_is_among(p[3], again, GH_TEST_PER_SPAN),
			      "it never comes back");
	p[3] = NULL;
	goheap_free_bulk(GH_TEST_PER_SPAN, p);
	goheap_free_bulk(2 * GH_TEST_PER_SPAN, q);
	goheap_free_bulk(GH_TEST_PER_SPAN, again);
}

/* The span empties while an object in it waits. */
static void test_goheap_free_rcu_then_the_rest(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu-rest", NULL);
	void *p[GH_TEST_PER_SPAN];
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	goheap_free_rcu(p[0]);
	for (i = 1; i < GH_TEST_PER_SPAN; i++)
		goheap_free(p[i]);
	gh_test_validate(test);
	gh_test_flush_limbo();
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

static struct kunit_case rcu_cases[] = {
	KUNIT_CASE(test_goheap_free_rcu_waits_for_readers),
	KUNIT_CASE(test_goheap_free_rcu_then_the_rest),
	{}
};

static struct kunit_suite rcu_suite = {
	.name = "goheap_rcu",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = rcu_cases,
};

kunit_test_suite(rcu_suite);
