// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts that hit a section of their CPU, and allocate and free in it.
 */

#include <linux/irq_work.h>

#include "lib_model.h"
#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

static void test_goheap_alloc_nested(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nested", NULL);
	void *p[GH_TEST_PER_SPAN], *q;
	struct gh_cache *cache;
	struct gh_span *s;

	/* A span on the central list, for kernels where no page could be had. */
	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, 2, GH_TEST_SIZE));
	goheap_free(p[1]);
	gh_reclaim_trim();
	cache = gh_test_nest(heap);
	q = goheap_heap_alloc(heap, GH_TEST_SIZE, GFP_ATOMIC, 0);
	s = gh_span_of(q);
	gh_test_unnest(cache);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_PTR_EQ(test, s->owner, NULL);
	KUNIT_EXPECT_PTR_EQ(test, s, gh_test_span_of(p[0]));
	goheap_free(q);
	goheap_free(p[0]);
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

static void test_goheap_alloc_nested_new_span(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nested-new", NULL);
	struct gh_cache *cache = gh_test_nest(heap);
	void *p = goheap_heap_alloc(heap, GH_TEST_SIZE, GFP_ATOMIC, 0);
	void *q = goheap_heap_alloc(heap, 3, GFP_ATOMIC, GOHEAP_NOSCAN);
	void *r = goheap_heap_alloc(heap, 100000, GFP_ATOMIC, 0);

	gh_test_unnest(cache);
	/* On PREEMPT_RT the page allocator sleeps, so there may be nothing. */
	if (!IS_ENABLED(CONFIG_PREEMPT_RT)) {
		gh_test_expect_good(test, p, GH_TEST_SIZE);
		KUNIT_EXPECT_NOT_NULL(test, q);
		gh_test_expect_good(test, r, 100000);
	}
	goheap_free(p);
	goheap_free(q);
	goheap_free(r);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
}

static void test_goheap_free_nested(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nested-free", NULL);
	void *p[GH_TEST_PER_SPAN], *again[2];
	struct gh_cache *cache;
	bool remote;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	cache = gh_test_nest(heap);
	goheap_free(p[1]);
	goheap_free_rcu(p[6]);
	remote = gh_span_has_remote(gh_span_of(p[0]));
	gh_test_unnest(cache);
	KUNIT_EXPECT_TRUE_MSG(test, remote, "the bitmap was touched within the section");
	gh_test_grace_period();
	gh_test_flush_limbo();
	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, again, 2, GH_TEST_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_test_is_among(p[1], again, 2));
	KUNIT_EXPECT_TRUE(test, gh_test_is_among(p[6], again, 2));
	goheap_free_bulk(GH_TEST_PER_SPAN, p);
}

struct interrupt {
	struct irq_work work;
	struct goheap *heap;
	struct rnd_state rnd;
	void *p[32];
	atomic_t runs;
	unsigned int overlaps;
};

static void interrupt(struct irq_work *work)
{
	struct interrupt *in = container_of(work, struct interrupt, work);
	unsigned int i = gh_test_below(&in->rnd, ARRAY_SIZE(in->p));
	unsigned long *p = in->p[i];

	if (p) {
		in->overlaps += *p != (unsigned long)p;
		goheap_free(p);
		in->p[i] = NULL;
	} else {
		p = goheap_heap_alloc(in->heap, 8 + gh_test_below(&in->rnd, 200),
				      GFP_ATOMIC | __GFP_NOWARN, 0);
		if (p)
			*p = (unsigned long)p;
		in->p[i] = p;
	}
	atomic_inc(&in->runs);
}

/* Interrupts wherever they hit, while the task uses the same heap. */
static void test_goheap_alloc_free_interrupted(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-irq", NULL);
	struct interrupt *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	struct gh_test_model m;
	unsigned int i;
	size_t size;

	KUNIT_ASSERT_NOT_NULL(test, in);
	gh_test_model_init(&m, test, 64);
	gh_test_seed(&in->rnd, 7);
	in->heap = heap;
	/* Where slab may not be called in a hard one goheap does not do it. */
	in->work = IS_ENABLED(CONFIG_PREEMPT_RT) ? IRQ_WORK_INIT_HARD(interrupt) :
						   IRQ_WORK_INIT(interrupt);
	for (i = 0; i < GH_TEST_ROUNDS(20000); i++) {
		irq_work_queue(&in->work);
		size = 8 + i % 200;
		if (m.nr < m.max)
			gh_test_model_add(&m, goheap_heap_alloc(heap, size, GFP_KERNEL, 0), size);
		else
			goheap_free(gh_test_model_del(&m, i * 31 % m.max));
	}
	irq_work_sync(&in->work);
	KUNIT_EXPECT_GT(test, atomic_read(&in->runs), 0);
	KUNIT_EXPECT_EQ(test, in->overlaps, 0);
	goheap_free_bulk(ARRAY_SIZE(in->p), in->p);
	gh_test_model_free_all(&m);
	gh_test_expect_silence(test);
}

static struct kunit_case nested_cases[] = {
	KUNIT_CASE(test_goheap_alloc_nested),
	KUNIT_CASE(test_goheap_alloc_nested_new_span),
	KUNIT_CASE(test_goheap_free_nested),
	KUNIT_CASE(test_goheap_alloc_free_interrupted),
	{}
};

static struct kunit_suite nested_suite = {
	.name = "goheap_nested",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = nested_cases,
};

kunit_test_suite(nested_suite);
