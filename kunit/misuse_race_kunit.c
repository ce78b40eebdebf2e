// SPDX-License-Identifier: GPL-2.0
/*
 * Two frees of an object at the same time, and what each of them leaves half done; and
 * reports by code that may not print.
 */

#include <linux/console.h>
#include <linux/delay.h>
#include <linux/workqueue.h>

#include "lib_report.h"
#include "testlib.h"

/* ---- at the same time ---------------------------------------------------- */

/* What happens when the owner and another CPU free at the very same time. */
static void test_gh_span_merge_finds_double_free(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-merge", NULL);
	u8 *p = goheap_heap_alloc(heap, VICTIM_SIZE, GFP_KERNEL, 0);
	struct gh_span *s = gh_test_span_of(p);
	unsigned int idx, before;

	KUNIT_ASSERT_NOT_NULL(test, s);
	idx = gh_span_index(s, (unsigned long)p - s->base);
	before = gh_span_nfree(s);
	goheap_free(p);
	atomic_long_or(BIT(idx % BITS_PER_LONG), &s->words[idx / BITS_PER_LONG].remote);
	preempt_disable();
	KUNIT_EXPECT_EQ(test, gh_span_merge(s), 0);
	preempt_enable();
	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_EQ(test, gh_span_nfree(s), before + 1);
}

/* The same for a tiny object that was alone in its block. */
static void test_gh_tiny_merge_finds_double_free(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-tiny-merge", NULL);
	u8 *p = goheap_heap_alloc(heap, 4, GFP_KERNEL, GOHEAP_NOSCAN);
	struct gh_span *s = gh_test_span_of(p);
	unsigned int idx;

	KUNIT_ASSERT_NOT_NULL(test, s);
	idx = ((unsigned long)p - s->base) / GH_TINY_BLOCK;
	goheap_free(p);
	set_bit(idx * 4, gh_span_tiny_gone(s));
	atomic_long_or(BIT(idx % BITS_PER_LONG), &s->words[idx / BITS_PER_LONG].remote);
	preempt_disable();
	gh_span_merge(s);
	preempt_enable();
	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	/* Or who gets the block next could not free it. */
	KUNIT_EXPECT_FALSE(test, test_bit(idx * 4, gh_span_tiny_gone(s)));
}

struct racer {
	struct work_struct work;
	void *p;
	atomic_t *ready;
};

static void race(struct work_struct *work)
{
	struct racer *r = container_of(work, struct racer, work);
	unsigned long end = jiffies + HZ;

	atomic_inc(r->ready);
	while (atomic_read(r->ready) < 2 && time_before(jiffies, end))
		cpu_relax();
	goheap_free(r->p);
}

static void race_for(void *p, const int *cpus, struct racer *racers)
{
	atomic_t ready = ATOMIC_INIT(0);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		racers[i].p = p;
		racers[i].ready = &ready;
		INIT_WORK(&racers[i].work, race);
		schedule_work_on(cpus[i], &racers[i].work);
	}
	for (i = 0; i < 2; i++)
		flush_work(&racers[i].work);
}

static void test_goheap_free_twice_at_once(struct kunit *test)
{
	int cpus[] = { raw_smp_processor_id(), gh_test_other_cpu(test) };
	struct racer *racers = kunit_kcalloc(test, 2, sizeof(*racers), GFP_KERNEL);
	unsigned int i, rounds = GH_TEST_ROUNDS(300);
	size_t size;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, racers);
	for (i = 0; i < rounds; i++) {
		size = i % 3 ? VICTIM_SIZE : 3;
		p = i % 2 ? gh_test_victim(test, size) : gh_test_tiny_victim(test, size);
		race_for(p, cpus, racers);
	}
	/* The last of them are found when the spans are merged. */
	gh_reclaim_trim();
	gh_test_expect_reports(test, rounds, "double free");
	gh_test_validate(test);
}

static void test_goheap_free_large_twice_at_once(struct kunit *test)
{
	int cpus[] = { raw_smp_processor_id(), gh_test_other_cpu(test) };
	struct racer *racers = kunit_kcalloc(test, 2, sizeof(*racers), GFP_KERNEL);
	unsigned int i, rounds = GH_TEST_ROUNDS(100);

	KUNIT_ASSERT_NOT_NULL(test, racers);
	for (i = 0; i < rounds; i++)
		race_for(gh_test_victim(test, 50000), cpus, racers);
	gh_test_expect_reports(test, rounds, "double free");
	gh_test_validate(test);
}

/*
 * What is left when an object was freed by its owner and by another CPU at the same
 * time, and the latter has not come to tell anybody: both bits.
 */
static void free_at_once(struct gh_span *s, unsigned int idx)
{
	WRITE_ONCE(s->words[0].free, s->words[0].free | BIT(idx));
	atomic_long_or(BIT(idx), &s->words[0].remote);
}

static struct gh_span *new_span(struct kunit *test)
{
	static const struct goheap_params leak_ok = { .flags = GOHEAP_LEAK_OK };
	struct goheap *heap = gh_test_heap(test, "kunit-misuse", &leak_ok);
	unsigned int sc = gh_size_class(VICTIM_SIZE) * 2;
	struct gh_span *s;

	KUNIT_ASSERT_TRUE(test, gh_central_make(heap, sc, GFP_KERNEL));
	s = gh_spans_new_small(heap, sc, GFP_KERNEL, NUMA_NO_NODE, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(s));
	return s;
}

static void test_goheap_free_twice_at_once_then_central(struct kunit *test)
{
	struct gh_span *s = new_span(test);
	void *first, *second, *third;
	bool fresh;

	preempt_disable();
	first = gh_central_add(s, &fresh);
	free_at_once(s, 1);
	second = gh_central_alloc(s->heap, s->spanclass, s->nid, &fresh);
	gh_remote_notify(s, false);
	third = gh_central_alloc(s->heap, s->spanclass, s->nid, &fresh);
	preempt_enable();
	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_PTR_EQ(test, first, gh_span_object(s, 0));
	KUNIT_EXPECT_PTR_EQ_MSG(test, second, gh_span_object(s, 2), "freed twice, and handed out");
	KUNIT_EXPECT_PTR_EQ_MSG(test, third, gh_span_object(s, 1), "merged, and lost");
	KUNIT_EXPECT_EQ(test, goheap_size(third), s->elemsize);
	goheap_free(first);
	goheap_free(second);
	goheap_free(third);
	gh_test_expect_silence(test);
}

/*
 * The owner frees a tiny object that another CPU has just marked as gone, and uses its
 * block again before that CPU sets the block's remote bit.
 */
static void test_goheap_free_twice_at_once_then_tiny(struct kunit *test)
{
	struct goheap_params params = { .flags = GOHEAP_LEAK_OK };
	struct goheap *heap = gh_test_heap(test, "kunit-tiny-again", &params);
	u8 *first = gh_tiny_alloc(4, GFP_KERNEL, heap->cache), *p, *q;
	struct gh_cache *cache = gh_test_cache(heap);
	struct gh_span *s;
	unsigned int idx;

	p = gh_tiny_alloc(12, GFP_KERNEL, heap->cache);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_test_span_of(p);
	idx = (p - (u8 *)s->base) / GH_TINY_BLOCK;
	goheap_free(p);
	set_bit(idx * 4, gh_span_tiny_gone(s));
	do
		q = gh_tiny_alloc(12, GFP_KERNEL, heap->cache);
	while (q && q != p && gh_test_live(heap) < 1000);
	KUNIT_ASSERT_PTR_EQ(test, q, p);
	gh_test_expect_refused(test, "double free");
	gh_word_set_remote(gh_span_word(s, idx), idx);
	preempt_disable();
	gh_remote_notify(s, false);
	if (gh_section_enter(cache)) {
		gh_cache_drain(cache);
		gh_section_exit(cache);
	}
	preempt_enable();
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(q), 12UL, "the block's next tenant was freed");
	goheap_free(q);
	goheap_free(first);
	gh_test_expect_silence(test);
}

static void test_goheap_free_twice_at_once_then_release(struct kunit *test)
{
	struct gh_span *s = new_span(test);

	free_at_once(s, 1);
	preempt_disable();
	gh_spans_free(s);
	preempt_enable();
	gh_test_expect_refused(test, "double free");
}

/* ---- reports and consoles ------------------------------------------------ */

/* What the console frees when it is told to print something. */
static void *console_frees;

static void console_write(struct console *console, const char *text, unsigned int len)
{
	goheap_free(xchg(&console_frees, NULL));
}

static struct console console = {
	.name = "ghkunit",
	.write = console_write,
	.index = -1,
};

/* A console may print in a thread of its own. */
static void expect_console_freed(struct kunit *test)
{
	unsigned int tries;

	for (tries = 0; READ_ONCE(console_frees) && tries < 250; tries++)
		msleep(20);
	KUNIT_EXPECT_PTR_EQ(test, READ_ONCE(console_frees), NULL);
	WRITE_ONCE(console_frees, NULL);
}

static void unregister(void *unused)
{
	unregister_console(&console);
}

/* Every report is printed while the case runs, and on this console, too. */
static void use_console(struct kunit *test)
{
	console.flags = CON_ENABLED | CON_ANYTIME;
	register_console(&console);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, unregister, NULL), 0);
	KUNIT_ASSERT_EQ(test, gh_test_print_reports(test), 0);
}

/* What is found under the central lock, and printed by a driver that needs the lock. */
static void test_goheap_misuse_console_frees(struct kunit *test)
{
	struct gh_span *s = new_span(test);
	void *first;
	bool fresh;

	use_console(test);
	preempt_disable();
	first = gh_central_add(s, &fresh);
	WRITE_ONCE(console_frees, first);
	free_at_once(s, 1);
	gh_remote_notify(s, false);
	preempt_enable();
	gh_misuse_flush();
	gh_test_expect_refused(test, "double free");
	expect_console_freed(test);
	KUNIT_EXPECT_EQ(test, goheap_size(first), 0UL);
}

/* By the handler of an instrument: refused at once, and printed when that is possible. */
static void test_goheap_misuse_in_lock(struct kunit *test)
{
	struct gh_span *s = new_span(test);
	struct gh_central *central = gh_test_central(s->heap, VICTIM_SIZE);
	unsigned long flags;
	void *p;
	bool fresh;

	use_console(test);
	preempt_disable();
	p = gh_central_add(s, &fresh);
	WRITE_ONCE(console_frees, gh_central_alloc(s->heap, s->spanclass, s->nid, &fresh));
	preempt_enable();
	gh_lock(&central->lock, flags);
	goheap_free(p);
	goheap_free(p);
	gh_unlock(&central->lock, flags);
	gh_test_expect_refused(test, "double free");
	gh_misuse_flush();
	expect_console_freed(test);
}

static struct kunit_case misuse_race_cases[] = {
	KUNIT_CASE(test_gh_span_merge_finds_double_free),
	KUNIT_CASE(test_gh_tiny_merge_finds_double_free),
	KUNIT_CASE(test_goheap_free_twice_at_once),
	KUNIT_CASE(test_goheap_free_large_twice_at_once),
	KUNIT_CASE(test_goheap_free_twice_at_once_then_central),
	KUNIT_CASE(test_goheap_free_twice_at_once_then_tiny),
	KUNIT_CASE(test_goheap_free_twice_at_once_then_release),
	KUNIT_CASE(test_goheap_misuse_console_frees),
	KUNIT_CASE(test_goheap_misuse_in_lock),
	{}
};

static struct kunit_suite misuse_race_suite = {
	.name = "goheap_misuse_race",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = misuse_race_cases,
};

kunit_test_suite(misuse_race_suite);
