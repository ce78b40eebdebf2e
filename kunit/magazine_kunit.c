// SPDX-License-Identifier: GPL-2.0
/*
 * Magazines: who gets one, that the object freed last comes back first, and that
 * whatever becomes of a magazine, no object is lost and none is handed out twice.
 */

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/string.h>

#include "lib_model.h"
#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

#define SIZE		1024
#define PER_SPAN	8
#define NR_SPANS	20		/* fewer than are tidied up */
#define NR		(NR_SPANS * PER_SPAN)

static int init(struct kunit *test)
{
	int err = gh_test_init(test);

	/* Of the default heap, and what earlier cases left. */
	gh_reclaim_trim();
	if (!err)
		test->priv = gh_test_heap(test, "kunit-magazine", NULL);
	return err;
}

/* Spans without a free object, and an empty magazine. */
static void **fill_spans(struct kunit *test)
{
	void **p;

	gh_test_magazine(test, test->priv, SIZE);
	p = gh_test_alloc_many(test, test->priv, NR, SIZE);
	KUNIT_ASSERT_EQ(test, gh_test_pages(test->priv), (long)NR_SPANS);
	return p;
}

/* Every @step-th was freed: the same many can be had again without another span. */
static void expect_again(struct kunit *test, void **p, unsigned int step)
{
	struct gh_test_model m;
	unsigned int i;

	for (i = 0; i < NR; i += step)
		p[i] = gh_test_alloc(test, test->priv, SIZE);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(test->priv), (long)NR_SPANS, "objects are lost");
	gh_test_model_init(&m, test, NR);
	for (i = 0; i < NR; i++)
		gh_test_model_add(&m, p[i], SIZE);
	gh_test_model_free_all(&m);
}

/* ---- getting one --------------------------------------------------------- */

/* Fill spans with allocations like this; how many refills did a magazine take? */
static unsigned long refills_for_magazine(struct kunit *test, gfp_t gfp)
{
	struct gh_bin *bin = gh_test_bin(test->priv, SIZE);
	unsigned long before = bin->refills, after = 0;
	void *p[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_heap_alloc(test->priv, SIZE, gfp, 0);
		if (bin->magazine && !after)
			after = bin->refills - before;
	}
	gh_test_free_each(p, ARRAY_SIZE(p));
	return after;
}

static void test_gh_magazine_consider_after_refills(struct kunit *test)
{
	unsigned long refills = refills_for_magazine(test, GFP_KERNEL);

	KUNIT_EXPECT_NE_MSG(test, refills, 0UL, "no magazine");
	KUNIT_EXPECT_GT_MSG(test, refills, 4UL, "hardly used, and has a magazine");
	/* A slot that lost it has to show again that it is worth one. */
	gh_reclaim_trim();
	KUNIT_ASSERT_NULL(test, gh_test_bin(test->priv, SIZE)->magazine);
	refills = refills_for_magazine(test, GFP_KERNEL);
	KUNIT_EXPECT_NE_MSG(test, refills, 0UL, "no magazine for the second time");
	KUNIT_EXPECT_GT_MSG(test, refills, 4UL, "hardly used again, and has a magazine");
}

/* A caller that may not sleep gets none itself; the cache's work brings one. */
static void test_gh_magazine_consider_atomic(struct kunit *test)
{
	struct gh_cache *cache;
	unsigned long refills;
	void *p;

	/* PREEMPT_RT makes no slot with preemption off, and gets no pages. */
	p = gh_test_alloc(test, test->priv, SIZE);
	preempt_disable();
	cache = gh_test_cache(test->priv);
	refills = refills_for_magazine(test, GFP_ATOMIC);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, refills, 0UL);
	irq_work_sync(&cache->kick);
	flush_work(&cache->drain);
	KUNIT_EXPECT_NOT_NULL(test, gh_test_bin(test->priv, SIZE)->magazine);
	goheap_free(p);
}

/* 64 KiB of objects, but from 3 to 41 of them. */
static unsigned int expected_capacity(size_t size)
{
	if (size > 65536 / 3)
		return 3;
	return size < 65536 / 41 ? 41 : 65536 / size;
}

static void test_gh_magazine_capacity_every_class(struct kunit *test)
{
	struct goheap *heap = test->priv;
	unsigned int class, expected;
	unsigned long bytes = 0;
	struct gh_slot *slot;
	size_t size;

	KUNIT_ASSERT_EQ(test, gh_magazine_bytes(), 0UL);
	for (class = 1; class < GH_NR_CLASSES; class++) {
		size = gh_classes[class].size;
		expected = expected_capacity(gh_classes[gh_size_class(size)].size);
		slot = gh_test_slot(heap, size);
		if (gh_test_bin(heap, size)->magazine)
			continue;
		gh_test_magazine(test, heap, size);
		KUNIT_EXPECT_EQ_MSG(test, slot->limit - gh_test_bin(heap, size)->magazine,
				    expected, "class %u", class);
		KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(heap, size), 0U);
		/* An empty entry is below the oldest. */
		bytes += (expected + 1) * sizeof(struct gh_freed);
		KUNIT_EXPECT_EQ_MSG(test, gh_magazine_bytes(), bytes, "class %u", class);
	}
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_magazine_bytes(), 0UL);
}

/* ---- what is in it ------------------------------------------------------- */

static void test_gh_cache_keep_last_freed_first(struct kunit *test)
{
	void **p = fill_spans(test);
	unsigned int i;

	/* Of one span and of others, up and down. */
	for (i = 0; i < 40; i++)
		goheap_free(p[i * 7 % NR]);
	KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(test->priv, SIZE), 40U);
	while (i--)
		KUNIT_EXPECT_PTR_EQ(test, gh_test_alloc(test, test->priv, SIZE), p[i * 7 % NR]);
	KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(test->priv, SIZE), 0U);
	gh_test_free_each(p, NR);
}

/* To everybody who looks, an object in a magazine is free. */
static void test_gh_cache_keep_is_free(struct kunit *test)
{
	void **p = fill_spans(test);
	struct gh_span *s = gh_test_span_of(p[0]);
	unsigned int idx = gh_span_index(s, (unsigned long)p[0] - s->base);

	KUNIT_ASSERT_EQ(test, gh_span_nfree(s), 0U);
	goheap_free(p[0]);
	KUNIT_ASSERT_PTR_EQ(test, gh_test_slot(test->priv, SIZE)->top->p, p[0]);
	KUNIT_EXPECT_EQ(test, s->words[0].free, BIT(idx));
	KUNIT_EXPECT_FALSE(test, gh_span_is_live(s, idx));
	KUNIT_EXPECT_EQ(test, goheap_size(p[0]), 0UL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(p[0] + 1), NULL);
	KUNIT_EXPECT_EQ(test, gh_test_live(test->priv), (unsigned long)NR - 1);
	p[0] = gh_test_alloc(test, test->priv, SIZE);
	KUNIT_EXPECT_EQ(test, s->words[0].free, 0UL);
	KUNIT_EXPECT_TRUE(test, gh_span_is_live(s, idx));
	gh_test_free_each(p, NR);
}

static void test_gh_cache_keep_overflow_is_listed(struct kunit *test)
{
	void **p = fill_spans(test);
	unsigned int i;

	for (i = 0; i < NR; i++)
		goheap_free(p[i * 7 % NR]);
	KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(test->priv, SIZE), expected_capacity(SIZE));
	expect_again(test, p, 1);
}

static void test_goheap_alloc_tiny_blocks_from_magazine(struct kunit *test)
{
	struct goheap *heap = test->priv;
	struct gh_test_model m;
	struct gh_slot *slot;
	struct gh_bin *bin;
	unsigned int i;
	void *p;

	gh_test_model_init(&m, test, 2048);
	gh_test_model_add(&m, gh_tiny_alloc(15, GFP_KERNEL, heap->cache), 15);
	bin = gh_cache_bin(gh_test_cache(heap), GH_SC_TINY);
	slot = gh_cache_slot(gh_test_cache(heap), GH_SC_TINY);
	while (!bin->magazine && m.nr < m.max)
		gh_test_model_add(&m, gh_tiny_alloc(15, GFP_KERNEL, heap->cache), 15);
	KUNIT_ASSERT_NOT_NULL(test, bin->magazine);
	for (i = 0; i < 30; i++) {
		p = gh_test_model_del(&m, i * 31 % m.nr);
		goheap_free(p);
		KUNIT_EXPECT_PTR_EQ(test, slot->top->p, p);
	}
	KUNIT_EXPECT_EQ(test, slot->top - bin->magazine, 30L);
	gh_test_model_add(&m, gh_tiny_alloc(13, GFP_KERNEL, heap->cache), 13);
	KUNIT_EXPECT_PTR_EQ(test, m.objects[m.nr - 1].p, p);
	for (i = 0; i < 100; i++)
		gh_test_model_add(&m, goheap_heap_alloc(heap, 1 + i % 15, GFP_KERNEL,
							GOHEAP_NOSCAN), 1 + i % 15);
	gh_test_model_free_all(&m);
}

/* ---- losing it ----------------------------------------------------------- */

/* A free object in every span, all of them in the magazine and nowhere else. */
static void **fill_magazine(struct kunit *test)
{
	void **p = fill_spans(test);
	unsigned int i;

	for (i = 0; i < NR; i += PER_SPAN)
		goheap_free(p[i]);
	KUNIT_ASSERT_EQ(test, gh_test_magazine_nr(test->priv, SIZE), (unsigned int)NR_SPANS);
	KUNIT_ASSERT_EQ(test, gh_test_bin(test->priv, SIZE)->nr_partial, 0U);
	return p;
}

static void test_gh_magazine_empty_keeps_objects(struct kunit *test)
{
	void **p = fill_magazine(test);

	preempt_disable();
	gh_magazine_empty(gh_test_cache(test->priv), gh_size_class(SIZE) * 2);
	preempt_enable();
	KUNIT_EXPECT_NOT_NULL(test, gh_test_bin(test->priv, SIZE)->magazine);
	KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(test->priv, SIZE), 0U);
	expect_again(test, p, PER_SPAN);
}

static void test_gh_magazine_detach_keeps_objects(struct kunit *test)
{
	unsigned long before = gh_magazine_bytes();
	void **p = fill_magazine(test);
	struct gh_freed *magazine;

	KUNIT_EXPECT_GT(test, gh_magazine_bytes(), before);
	preempt_disable();
	magazine = gh_magazine_detach(gh_test_cache(test->priv), gh_size_class(SIZE) * 2);
	preempt_enable();
	kfree(magazine);
	KUNIT_EXPECT_NOT_NULL(test, magazine);
	KUNIT_EXPECT_NULL(test, gh_test_bin(test->priv, SIZE)->magazine);
	KUNIT_EXPECT_NULL(test, gh_test_slot(test->priv, SIZE)->top->p);
	KUNIT_EXPECT_EQ(test, gh_magazine_bytes(), before);
	expect_again(test, p, PER_SPAN);
}

/* Every span has a live object, so all stay: on the central list. */
static void test_gh_reclaim_trim_keeps_objects(struct kunit *test)
{
	void **p = fill_magazine(test);

	gh_reclaim_trim();
	KUNIT_EXPECT_NULL(test, gh_test_bin(test->priv, SIZE)->magazine);
	KUNIT_EXPECT_EQ(test, gh_magazine_bytes(), 0UL);
	expect_again(test, p, PER_SPAN);
}

static void test_gh_reclaim_trim_detaches(struct kunit *test)
{
	void **p = fill_spans(test);

	gh_test_free_each(p, NR);
	KUNIT_ASSERT_GT(test, gh_test_magazine_nr(test->priv, SIZE), 0U);
	KUNIT_ASSERT_GT(test, gh_magazine_bytes(), 0UL);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_magazine_bytes(), 0UL);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(test->priv), 0L, "a magazine keeps a span");
}

/* Entries whose span is not, or no longer, the cache's, or whose bit is not set. */
static unsigned int strays(struct goheap *heap)
{
	struct gh_cache *cache;
	struct gh_freed *freed;
	unsigned int n = 0;
	struct gh_span *s;

	preempt_disable();
	cache = gh_test_cache(heap);
	for (freed = gh_test_slot(heap, SIZE)->top; freed->p; freed--) {
		s = gh_span_of(freed->p);
		n += !s || s->owner != cache || !(*freed->word & BIT(freed->nr % BITS_PER_LONG));
	}
	preempt_enable();
	return n;
}

/*
 * Spans are given back while some of their objects are in the magazine, and the
 * others on the partial list.
 */
static void test_gh_cache_list_tidies_magazine_first(struct kunit *test)
{
	unsigned int i, n = 100 * PER_SPAN, wrong = 0;
	long pages, most;
	void **p;

	gh_test_magazine(test, test->priv, SIZE);
	p = gh_test_alloc_many(test, test->priv, n, SIZE);
	most = gh_test_pages(test->priv);
	pages = most;
	for (i = 0; i < n; i++) {
		goheap_free(p[i]);
		if (gh_test_pages(test->priv) == pages)
			continue;
		pages = gh_test_pages(test->priv);
		wrong += strays(test->priv);
	}
	KUNIT_EXPECT_LT_MSG(test, pages, most, "nothing was tidied up");
	KUNIT_EXPECT_EQ(test, wrong, 0U);
}

/* ---- a random walk ------------------------------------------------------- */

/* With one word of objects, several, and part of one. */
static const size_t sizes[] = { 8, 48, 64, 128, SIZE, 1408, 9472 };

static size_t random_size(struct rnd_state *rnd)
{
	return sizes[gh_test_below(rnd, ARRAY_SIZE(sizes))];
}

static void *random_alloc(struct gh_test_walk *w, size_t size)
{
	return goheap_alloc(size, GFP_KERNEL);
}

static bool step_alloc_bulk(struct gh_test_walk *w)
{
	unsigned int i, got, n = min(1 + gh_test_below(&w->rnd, 100), w->m.max - w->m.nr);
	size_t size = random_size(&w->rnd);
	void *p[100];

	got = goheap_alloc_bulk(size, GFP_KERNEL, n, p);
	w->errors += got != n;
	for (i = 0; i < got; i++)
		gh_test_model_add(&w->m, p[i], size);
	return n;
}

static bool step_free_bulk(struct gh_test_walk *w)
{
	unsigned int i, n = min(1 + gh_test_below(&w->rnd, 100), w->m.nr);
	/* Neighbours were added one after the other; or anything. */
	bool mixed = gh_test_below(&w->rnd, 2);
	void *p[100];

	for (i = n; i--; )
		p[i] = mixed ? gh_test_walk_del(w) : gh_test_model_del(&w->m, w->m.nr - 1);
	goheap_free_bulk(n, p);
	return n;
}

static bool step_trim(struct gh_test_walk *w)
{
	gh_reclaim_trim();
	return true;
}

/* Steps after which there was an object in a magazine. */
static unsigned int nr_with_magazine;

static void look_for_magazine(struct gh_test_walk *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (!gh_test_magazine_nr(gh_default, sizes[i]))
			continue;
		nr_with_magazine++;
		break;
	}
}

static const struct gh_test_op magazine_ops[] = {
	{ 240, gh_test_step_alloc },
	{ 240, gh_test_step_free },
	{ 8, step_alloc_bulk },
	{ 8, step_free_bulk },
	{ 16, gh_test_step_free_elsewhere },
	{ 1, step_trim },
	{}
};

static void test_gh_magazine_random(struct kunit *test)
{
	struct gh_test_walk w = {
		.test = test, .ops = magazine_ops, .check = look_for_magazine,
		.size = random_size, .alloc = random_alloc,
		.seed = 1992, .rounds = GH_TEST_ROUNDS(40000),
	};

	gh_test_other_cpu(test);
	nr_with_magazine = 0;
	gh_test_walk_objects(&w, 600);
	KUNIT_EXPECT_GT_MSG(test, nr_with_magazine, w.step / 2,
			    "hardly ever was there an object in a magazine");
	gh_test_model_free_all(&w.m);
	gh_test_expect_silence(test);
}

/* All that is free is in the magazine: an idle CPU gives that back as well. */
static void test_gh_reclaim_idle_magazine(struct kunit *test)
{
	void **p = fill_spans(test);
	unsigned int i;

	gh_test_flush_slot(test->priv, SIZE);
	for (i = 0; i < PER_SPAN; i++)
		goheap_free(p[i]);
	KUNIT_EXPECT_NULL(test, gh_test_bin(test->priv, SIZE)->active);
	KUNIT_EXPECT_NULL(test, gh_test_bin(test->priv, SIZE)->partial);
	/* Some seconds; timers that may wait for an idle CPU can take longer. */
	for (i = 0; i < 300 && gh_test_pages(test->priv) == NR_SPANS; i++)
		msleep(100);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), (long)NR_SPANS - 1);
	for (i = PER_SPAN; i < NR; i++)
		goheap_free(p[i]);
}

/* ---- looked at by who has moved -------------------------------------------- */

/* What the owner of a bin does, again and again; nobody else uses the heap. */
static int change_bin(void *arg)
{
	struct gh_cache *cache = arg;
	unsigned int sc = gh_size_class(SIZE) * 2;

	while (!kthread_should_stop()) {
		gh_cache_bin(cache, sc)->refills++;
		gh_magazine_none(gh_cache_slot(cache, sc), gh_cache_bin(cache, sc));
		cond_resched();
	}
	return 0;
}

/*
 * Whoever asks whether a slot is worth a magazine may be on another CPU meanwhile. KCSAN
 * looks at one access in thousands, so ask that often.
 */
static void test_gh_magazine_consider_from_elsewhere_is_no_race(struct kunit *test)
{
	struct gh_cache *cache = gh_test_cache(test->priv);
	int i, cpu = gh_test_other_cpu(test);
	struct task_struct *task;

	task = gh_test_thread(test, cpu, change_bin, cache);
	wake_up_process(task);
	for (i = 0; i < 200000; i++)
		gh_magazine_consider(test->priv, gh_size_class(SIZE) * 2, GFP_KERNEL);
	kthread_stop(task);
	KUNIT_EXPECT_NULL(test, gh_test_bin(test->priv, SIZE)->magazine);
}

static struct kunit_case magazine_cases[] = {
	KUNIT_CASE(test_gh_magazine_consider_after_refills),
	KUNIT_CASE(test_gh_magazine_consider_atomic),
	KUNIT_CASE(test_gh_magazine_capacity_every_class),
	KUNIT_CASE(test_gh_cache_keep_last_freed_first),
	KUNIT_CASE(test_gh_cache_keep_is_free),
	KUNIT_CASE(test_gh_cache_keep_overflow_is_listed),
	KUNIT_CASE(test_goheap_alloc_tiny_blocks_from_magazine),
	KUNIT_CASE(test_gh_magazine_empty_keeps_objects),
	KUNIT_CASE(test_gh_magazine_detach_keeps_objects),
	KUNIT_CASE(test_gh_reclaim_trim_keeps_objects),
	KUNIT_CASE(test_gh_reclaim_trim_detaches),
	KUNIT_CASE(test_gh_cache_list_tidies_magazine_first),
	KUNIT_CASE(test_gh_reclaim_idle_magazine),
	KUNIT_CASE(test_gh_magazine_random),
	KUNIT_CASE(test_gh_magazine_consider_from_elsewhere_is_no_race),
	{}
};

static struct kunit_suite magazine_suite = {
	.name = "goheap_magazine",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = magazine_cases,
};

kunit_test_suite(magazine_suite);
