// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors live again and again. Whoever found one and was interrupted may go on
 * when the span has objects of another kind: a free that is late, a reader of debugfs.
 */

#include <linux/kthread.h>
#include <linux/sched.h>

#include "lib_report.h"
#include "testlib.h"

/* A descriptor with pages that no map knows, big enough for either of two classes. */
static struct gh_span *new_desc(struct kunit *test, unsigned int sc, unsigned int next_sc)
{
	struct gh_span *s;

	KUNIT_ASSERT_EQ(test, gh_test_kind(sc), gh_test_kind(next_sc));
	s = kunit_kzalloc(test, gh_span_desc_bytes(gh_test_kind(sc)), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	s->kind = gh_test_kind(sc);
	s->npages = 1;
	s->needzero = true;
	s->base = (unsigned long)kunit_kzalloc(test, GH_PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NE(test, s->base, 0UL);
	gh_span_init_free(s);
	return s;
}

/* The span goes and comes back. Its objects are live. */
static void live_as(struct gh_span *s, unsigned int sc)
{
	bool fresh;

	gh_span_init_free(s);
	s->state = GH_SPAN_SMALL;
	gh_test_init_small(s, gh_default, sc);
	while (gh_span_take(s, 0, &fresh) >= 0)
		;
}

static void expect_nothing_freed(struct kunit *test, struct gh_span *s)
{
	struct gh_span_counts counts;

	gh_span_count(s, &counts);
	KUNIT_EXPECT_EQ(test, counts.live, s->nelems);
	KUNIT_EXPECT_FALSE(test, gh_span_has_remote(s));
	KUNIT_EXPECT_NULL(test, gh_span_validate(s));
}

/* ---- late frees ------------------------------------------------------------ */

static void test_gh_remote_free_large_late(struct kunit *test)
{
	unsigned int sc = gh_size_class(1024) * 2;
	struct gh_span *s = new_desc(test, GH_SC_LARGE, sc);
	u32 life;

	gh_span_init_large(s, gh_default, GH_PAGE_SIZE, false);
	life = s->life;
	live_as(s, sc);
	preempt_disable();
	gh_remote_free_large(s, life, false);
	preempt_enable();
	gh_test_expect_report(test, "double free");
	expect_nothing_freed(test, s);
}

/* What was parked has another owner. */
static void test_gh_remote_free_large_late_parked(struct kunit *test)
{
	void *p = goheap_alloc(50000, GFP_KERNEL), *q;
	struct gh_span *s = gh_test_span_of(p);
	u32 life;

	KUNIT_ASSERT_NOT_NULL(test, p);
	life = s->life;
	goheap_free(p);
	q = goheap_alloc(50000, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	preempt_disable();
	gh_remote_free_large(s, life, false);
	preempt_enable();
	gh_test_expect_report(test, "double free");
	KUNIT_EXPECT_GE(test, goheap_size(q), (size_t)50000);
	goheap_free(q);
}

/* 512 objects of 16 bytes, then 341 of 24: objects of the one end where the other ends. */
#define LATE_IDX	350U

static struct gh_span *outlived(struct kunit *test, u32 *life)
{
	struct gh_span *s = new_desc(test, 2 * 2, 3 * 2);

	live_as(s, 2 * 2);
	*life = s->life;
	live_as(s, 3 * 2);
	KUNIT_ASSERT_LT(test, s->nelems, LATE_IDX);
	return s;
}

static void test_gh_remote_free_late(struct kunit *test)
{
	u32 life;
	struct gh_span *s = outlived(test, &life);

	preempt_disable();
	gh_remote_free(s, 7, life);
	gh_test_expect_report(test, "double free");
	gh_remote_free(s, LATE_IDX, life);
	gh_test_expect_report(test, "double free");
	gh_remote_free_rcu(s, 7, life);
	preempt_enable();
	gh_test_expect_report(test, "double free");
	expect_nothing_freed(test, s);
}

/* The freeing CPU has set the bit, and not looked whether it was right. */
static void test_gh_span_merge_stray_bit(struct kunit *test)
{
	u32 life;
	struct gh_span *s = outlived(test, &life);

	gh_word_set_remote(gh_span_word(s, LATE_IDX), LATE_IDX);
	gh_word_set_remote(gh_span_word(s, 340), 340);
	KUNIT_EXPECT_EQ(test, gh_span_merge(s), 1);
	KUNIT_EXPECT_EQ(test, gh_span_nfree(s), 1U);
	KUNIT_EXPECT_EQ(test, gh_test_take(s), 340U);
	atomic_long_andnot(BIT(LATE_IDX % BITS_PER_LONG), &gh_span_word(s, LATE_IDX)->remote);
	expect_nothing_freed(test, s);
}

static void test_gh_tiny_free_late(struct kunit *test)
{
	struct gh_span *s = new_desc(test, GH_SC_TINY, GH_SC_TINY);
	u32 life;

	live_as(s, GH_SC_TINY);
	life = s->life;
	live_as(s, GH_SC_TINY);
	*gh_span_tiny_live(s) = 0x11;
	preempt_disable();
	KUNIT_EXPECT_FALSE(test, gh_tiny_free(s, 0, life, false));
	KUNIT_EXPECT_TRUE(test, gh_block_is_live(s, 0));
	KUNIT_EXPECT_EQ(test, *gh_span_tiny_gone(s), 0UL);
	preempt_enable();
	expect_nothing_freed(test, s);
}

/* ---- frees that are right ---------------------------------------------------- */

#define LAST_SIZE	4096U		/* two of them are a span */

static struct task_struct *first_freer;
static void *other_half;

/* As if another CPU freed the rest of the span just after this one set its bit. */
static void free_other_half(void)
{
	void *p = other_half;

	if (current != first_freer || !p)
		return;
	other_half = NULL;
	goheap_free(p);
}

static void *alloc_centrally(struct goheap *heap)
{
	return gh_slow_alloc(heap, gh_size_class(LAST_SIZE) * 2, LAST_SIZE, GFP_KERNEL,
			     gh_mem_node());
}

/*
 * Who sets the last bit but one may find the span gone, because who set the last one merged
 * both. That was taken for a double free once.
 */
static void test_goheap_free_whose_span_goes_at_once_is_no_double_free(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-halves", NULL);
	void *p = alloc_centrally(heap), *q = alloc_centrally(heap);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_PTR_EQ(test, gh_test_span_of(p), gh_test_span_of(q));
	KUNIT_ASSERT_NULL(test, gh_test_span_of(p)->owner);
	first_freer = current;
	other_half = q;
	WRITE_ONCE(gh_test_after_bit, free_other_half);
	goheap_free(p);
	WRITE_ONCE(gh_test_after_bit, NULL);
	KUNIT_EXPECT_NULL(test, other_half);
	gh_test_expect_silence(test);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(heap), 0L, "the span has gone");
}

/* ---- readers --------------------------------------------------------------- */

/* One object of 8 KiB, then 64 of 128 bytes, as fast as it goes. */
static int live_on_and_on(void *span)
{
	const unsigned int sc[] = { gh_size_class(GH_PAGE_SIZE) * 2, gh_size_class(128) * 2 };
	unsigned int i = 0;

	while (!kthread_should_stop()) {
		preempt_disable();
		live_as(span, sc[i++ % 2]);
		preempt_enable();
		cond_resched();
	}
	return 0;
}

static bool fits_together(const struct gh_snapshot *snap)
{
	const struct gh_class *class = &gh_classes[gh_sc_class(snap->sc)];

	return snap->counts.objects == class->objects && snap->size == class->size &&
	       snap->counts.live <= class->objects;
}

static void test_gh_snapshot_take_two_lives(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct gh_span *s = new_desc(test, gh_size_class(GH_PAGE_SIZE) * 2,
				     gh_size_class(128) * 2);
	unsigned int i, taken = 0, wrong = 0, rounds = GH_TEST_ROUNDS(1000000);
	struct gh_snapshot snap;
	struct task_struct *task;

	task = gh_test_thread(test, cpu, live_on_and_on, s);
	wake_up_process(task);
	for (i = 0; i < rounds; i++) {
		if (gh_snapshot_take(s, &snap)) {
			taken++;
			wrong += !fits_together(&snap);
		}
		cond_resched();
	}
	kthread_stop(task);
	KUNIT_EXPECT_GT(test, taken, 0U);
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0U, "of %u that were taken", taken);
}

/* Whoever saw where a free run began does not free what came to lie there. */
static void test_gh_span_init_begins_a_life(struct kunit *test)
{
	unsigned int sc = gh_size_class(1024) * 2;
	struct gh_span *s = new_desc(test, GH_SC_LARGE, sc);
	u32 life = s->life;

	s->state = GH_SPAN_SMALL;
	gh_test_init_small(s, gh_default, sc);
	KUNIT_EXPECT_NE(test, s->life, life);
	gh_span_init_free(s);
	life = s->life;
	gh_span_init_large(s, gh_default, GH_PAGE_SIZE, false);
	KUNIT_EXPECT_NE(test, s->life, life);
}

/* Unless the test moves, the object is of a span of this CPU's. */
static bool free_own_late(const void *p, bool *own)
{
	struct gh_span *s;
	bool freed;

	preempt_disable();
	s = gh_span_of(p);
	*own = s->owner == this_cpu_ptr(gh_default->cache);
	freed = *own && gh_tiny_free(s, (unsigned long)p - s->base, s->life - 1, false);
	preempt_enable();
	return freed;
}

static void test_gh_tiny_free_own_late(struct kunit *test)
{
	unsigned int tries;
	bool own = false;
	void *p;

	for (tries = 0; !own && tries < 1000; tries++) {
		p = goheap_alloc_noscan(3, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_FALSE(test, free_own_late(p, &own));
		KUNIT_EXPECT_GE(test, goheap_size(p), (size_t)3);
		goheap_free(p);
	}
	KUNIT_EXPECT_TRUE(test, own);
}

static void test_gh_debug_free_late(struct kunit *test)
{
	const struct goheap_params params = { .flags = GOHEAP_POISON };
	struct goheap *heap = gh_test_heap(test, "kunit-late", &params);
	u8 *p = goheap_heap_alloc(heap, 100, GFP_KERNEL, 0);
	struct gh_span *s;

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x42, 100);
	s = gh_test_span_of(p);
	preempt_disable();
	gh_debug_free(s, gh_span_index(s, (unsigned long)p - s->base), s->life - 1, false);
	preempt_enable();
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p, 0x42, 100), "it was poisoned under its owner");
	goheap_free(p);
}

static struct kunit_case life_cases[] = {
	KUNIT_CASE(test_gh_span_init_begins_a_life),
	KUNIT_CASE(test_gh_tiny_free_own_late),
	KUNIT_CASE(test_gh_debug_free_late),
	KUNIT_CASE(test_gh_remote_free_large_late),
	KUNIT_CASE(test_gh_remote_free_large_late_parked),
	KUNIT_CASE(test_gh_remote_free_late),
	KUNIT_CASE(test_gh_span_merge_stray_bit),
	KUNIT_CASE(test_gh_tiny_free_late),
	KUNIT_CASE(test_goheap_free_whose_span_goes_at_once_is_no_double_free),
	KUNIT_CASE(test_gh_snapshot_take_two_lives),
	{}
};

static struct kunit_suite life_suite = {
	.name = "goheap_life_misuse",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = life_cases,
};

kunit_test_suite(life_suite);
