// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that another CPU frees than the one that allocated them.
 */

#include <linux/workqueue.h>

#include "lib_model.h"
#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

static void test_goheap_free_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = gh_test_heap(test, "kunit-remote", NULL);
	void *p[GH_TEST_PER_SPAN], *again[2];

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	gh_test_free_on(cpu, p[2]);
	gh_test_free_on(cpu, p[5]);
	KUNIT_EXPECT_EQ(test, goheap_size(p[2]), 0UL);
	/* The span is full, so the next allocation looks into the inbox. */
	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, again, 2, GH_TEST_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_test_is_among(p[2], again, 2));
	KUNIT_EXPECT_TRUE(test, gh_test_is_among(p[5], again, 2));
	goheap_free_bulk(GH_TEST_PER_SPAN, p);
}

static void test_goheap_free_all_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = gh_test_heap(test, "kunit-remote-all", NULL);
	void *p[3 * GH_TEST_PER_SPAN];
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, ARRAY_SIZE(p), GH_TEST_SIZE));
	for (i = 0; i < ARRAY_SIZE(p); i++)
		gh_test_free_on(cpu, p[i]);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

/* A span that nobody owns takes remote frees under the central lock. */
static void test_goheap_free_into_span_without_owner(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-unowned", NULL);
	void *p[GH_TEST_PER_SPAN];
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	goheap_free(p[0]);
	gh_reclaim_trim();
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p[1])->owner, NULL);
	for (i = 1; i < GH_TEST_PER_SPAN; i++) {
		goheap_free(p[i]);
		KUNIT_EXPECT_EQ(test, gh_test_live(heap), (unsigned long)GH_TEST_PER_SPAN - 1 - i);
	}
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(heap), 0L, "the span is not freed");
}

struct exchange {
	struct work_struct work;
	struct goheap *heap;
	unsigned int rounds;
	u64 seed;
	atomic_long_t *box;		/* objects on their way to whoever finds them */
	unsigned int failed;
};

#define BOXES	64

static void exchange_work(struct work_struct *work)
{
	struct exchange *x = container_of(work, struct exchange, work);
	struct rnd_state rnd;
	size_t size;
	void *p;

	gh_test_seed(&rnd, x->seed);
	while (x->rounds--) {
		size = 1 + gh_test_below(&rnd, gh_test_below(&rnd, 32) ? 2000 : 50000);
		p = goheap_heap_alloc(x->heap, size, GFP_KERNEL, gh_test_below(&rnd, 2));
		x->failed += !p;
		p = (void *)atomic_long_xchg(&x->box[gh_test_below(&rnd, BOXES)], (long)p);
		if (gh_test_below(&rnd, 8))
			goheap_free(p);
		else
			goheap_free_rcu(p);
		if (x->rounds % 256 == 0)
			cond_resched();
	}
}

static void test_goheap_free_exchanged_between_cpus(struct kunit *test)
{
	int cpus[] = { raw_smp_processor_id(), gh_test_other_cpu(test) };
	struct goheap *heap = gh_test_heap(test, "kunit-exchange", NULL);
	struct exchange *x = kunit_kcalloc(test, 2, sizeof(*x), GFP_KERNEL);
	atomic_long_t *box = kunit_kcalloc(test, BOXES, sizeof(*box), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, x);
	KUNIT_ASSERT_NOT_NULL(test, box);
	for (i = 0; i < 2; i++) {
		x[i] = (struct exchange){ .heap = heap, .box = box, .seed = i,
					  .rounds = GH_TEST_ROUNDS(100000) };
		INIT_WORK(&x[i].work, exchange_work);
		schedule_work_on(cpus[i], &x[i].work);
	}
	for (i = 0; i < 2; i++) {
		flush_work(&x[i].work);
		KUNIT_EXPECT_EQ(test, x[i].failed, 0);
	}
	for (i = 0; i < BOXES; i++)
		goheap_free((void *)atomic_long_read(&box[i]));
	gh_test_expect_silence(test);
	gh_test_flush_limbo();
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

static struct kunit_case remote_cases[] = {
	KUNIT_CASE(test_goheap_free_from_other_cpu),
	KUNIT_CASE(test_goheap_free_all_from_other_cpu),
	KUNIT_CASE(test_goheap_free_into_span_without_owner),
	KUNIT_CASE(test_goheap_free_exchanged_between_cpus),
	{}
};

static struct kunit_suite remote_suite = {
	.name = "goheap_remote",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = remote_cases,
};

kunit_test_suite(remote_suite);
