// SPDX-License-Identifier: GPL-2.0
/*
 * Every kind of bad free: it is refused, counted once, reported with the right
 * words, and harms nothing.
 */

#include <linux/bvec.h>
#include <linux/console.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/page_ref.h>
#include <linux/rcupdate.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

#define SIZE	100	/* of class 112, or of 128 where DMA may have to bounce */

/* ---- double free --------------------------------------------------------- */

static void test_goheap_free_twice(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);
	char bytes[20];

	snprintf(bytes, sizeof(bytes), "%zu bytes", goheap_size(p));
	goheap_free(p);
	gh_test_expect_silence(test);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, "heap default"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, bytes));
}

static void test_goheap_free_twice_after_other_frees(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE), *q[50];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(q); i++)
		q[i] = gh_test_victim(test, SIZE);
	goheap_free(p);
	for (i = 0; i < ARRAY_SIZE(q) / 2; i++)
		goheap_free(q[i]);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	for (; i < ARRAY_SIZE(q); i++) {
		gh_test_expect_unharmed(test, q[i], SIZE);
		goheap_free(q[i]);
	}
	gh_test_expect_silence(test);
}

static void test_goheap_free_twice_second_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_victim(test, SIZE);

	goheap_free(p);
	gh_test_free_on(cpu, p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_first_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_victim(test, SIZE);

	gh_test_free_on(cpu, p);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_both_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_victim(test, SIZE);

	gh_test_free_on(cpu, p);
	gh_test_free_on(cpu, p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_large(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 100000), *q = gh_test_victim(test, 100000);

	goheap_free(p);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	gh_test_expect_unharmed(test, q, 100000);
	goheap_free(q);
}

static void test_goheap_free_twice_after_trim(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 100000);

	goheap_free(p);
	gh_reclaim_trim();
	goheap_free(p);
	/* Nobody could know that it was an object once. */
	gh_test_expect_refused(test, "not a goheap object");
}

static void test_goheap_free_twice_in_bulk(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE), *q = gh_test_victim(test, SIZE);
	void *all[] = { p, q, p };

	goheap_free_bulk(ARRAY_SIZE(all), all);
	gh_test_expect_refused(test, "double free");
}

/* With what is in a magazine, which the fast paths do not look at bits for. */
static u8 *in_magazine(struct kunit *test)
{
	u8 *p;

	gh_test_magazine(test, gh_default, SIZE);
	p = gh_test_victim(test, SIZE);
	goheap_free(p);
	KUNIT_ASSERT_PTR_EQ(test, gh_test_slot(gh_default, SIZE)->top->p, (void *)p);
	return p;
}

/* It is there once, and can be had once. */
static void expect_once(struct kunit *test, u8 *p)
{
	u8 *q;

	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(gh_default, SIZE), 1U);
	q = gh_test_victim(test, SIZE);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	p = gh_test_victim(test, SIZE);
	KUNIT_EXPECT_PTR_NE(test, q, p);
	goheap_free(p);
	goheap_free(q);
	gh_test_expect_silence(test);
}

static void test_goheap_free_twice_from_magazine(struct kunit *test)
{
	u8 *p = in_magazine(test);

	goheap_free(p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = in_magazine(test);

	gh_test_free_on(cpu, p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_nested(struct kunit *test)
{
	u8 *p = in_magazine(test);

	gh_test_free_nested(gh_default, p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_rcu(struct kunit *test)
{
	u8 *p = in_magazine(test);

	goheap_free_rcu(p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_in_bulk(struct kunit *test)
{
	u8 *p = in_magazine(test);

	goheap_free_bulk(1, (void **)&p);
	expect_once(test, p);
}

/* ---- in a run of neighbours ---------------------------------------------- */

#define NR_RUN	12

/* What is to be freed at once: objects of an empty span, side by side. */
static void alloc_run(struct kunit *test, void **p)
{
	struct gh_span *s;
	unsigned int i;

	gh_reclaim_trim();
	KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(SIZE, GFP_KERNEL, NR_RUN, p),
			(unsigned int)NR_RUN);
	s = gh_test_span_of(p[0]);
	for (i = 0; i < NR_RUN; i++)
		KUNIT_ASSERT_PTR_EQ(test, p[i], gh_span_object(s, i));
}

/* One report, and all of it is free. */
static void expect_freed_but_one(struct kunit *test, void **p, const char *text)
{
	unsigned int i;

	gh_test_expect_refused(test, text);
	for (i = 0; i < NR_RUN; i++)
		KUNIT_EXPECT_EQ_MSG(test, goheap_size(p[i]), 0UL, "object %u", i);
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), 0UL);
}

/* The pointer is there twice: next to itself, further on, and at the end. */
static void test_goheap_free_bulk_twice_the_same(struct kunit *test)
{
	static const unsigned int places[] = { 5, 6, 8, NR_RUN };
	void *p[NR_RUN], *all[NR_RUN + 1];
	unsigned int i, place;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		alloc_run(test, p);
		place = places[i];
		memcpy(all, p, place * sizeof(*p));
		all[place] = p[4];
		memcpy(all + place + 1, p + place, (NR_RUN - place) * sizeof(*p));
		goheap_free_bulk(ARRAY_SIZE(all), all);
		expect_freed_but_one(test, p, "double free");
	}
}

/* Who is in the middle of a run was freed before: here, and by somebody else. */
static void test_goheap_free_bulk_twice_in_the_middle(struct kunit *test)
{
	void *p[NR_RUN];

	alloc_run(test, p);
	goheap_free(p[5]);
	goheap_free_bulk(NR_RUN, p);
	expect_freed_but_one(test, p, "double free");

	alloc_run(test, p);
	gh_test_free_nested(gh_default, p[5]);
	goheap_free_bulk(NR_RUN, p);
	expect_freed_but_one(test, p, "double free");

	alloc_run(test, p);
	goheap_free(p[0]);
	goheap_free_bulk(NR_RUN, p);
	expect_freed_but_one(test, p, "double free");
}

static void test_goheap_free_bulk_interior(struct kunit *test)
{
	void *p[NR_RUN], *all[NR_RUN + 1];
	unsigned int place;

	for (place = 0; place <= NR_RUN; place += NR_RUN / 2) {
		alloc_run(test, p);
		memcpy(all, p, place * sizeof(*p));
		all[place] = p[6] + 8;
		memcpy(all + place + 1, p + place, (NR_RUN - place) * sizeof(*p));
		/* It may be found when nothing around it is live. */
		goheap_free_bulk(ARRAY_SIZE(all), all);
		expect_freed_but_one(test, p, "interior pointer");
	}
}

/* It looks like the neighbour of the last object, and is none. */
static void free_behind_last(struct kunit *test, size_t size, const char *text)
{
	void *all[2], *first = gh_test_victim(test, size), *p;
	struct gh_span *s = gh_test_span_of(first);
	unsigned int n = s->nelems, i;

	for (i = 1; i < n; i++) {
		p = gh_test_victim(test, size);
		KUNIT_ASSERT_PTR_EQ(test, p, gh_span_object(s, i));
	}
	all[0] = gh_span_object(s, n - 1);
	all[1] = all[0] + s->elemsize;
	goheap_free_bulk(ARRAY_SIZE(all), all);
	gh_test_expect_refused(test, text);
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), (unsigned long)n - 1);
	for (i = 0; i < n - 1; i++)
		goheap_free(gh_span_object(s, i));
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), 0UL);
	gh_test_expect_silence(test);
}

static void test_goheap_free_bulk_behind_last_object(struct kunit *test)
{
	gh_reclaim_trim();
	/* 170 of them leave 32 bytes, but where DMA may have to bounce they are 64 long. */
	if (gh_classes[gh_size_class(48)].size == 48)
		free_behind_last(test, 48, "interior pointer");
	/* 21 of these leave 128 bytes, 11 of the others 896. */
	free_behind_last(test, 384, "interior pointer");
	free_behind_last(test, 1408, "interior pointer");
	/* None are left: it is a free page, or the kernel's. */
	free_behind_last(test, 1024, "");
}

static void free_rcu_twice(struct kunit *test, size_t size, void (*second)(const void *))
{
	u8 *p = gh_test_victim(test, size);

	rcu_read_lock();
	goheap_free_rcu(p);
	second(p);
	rcu_read_unlock();
	gh_test_expect_refused(test, "double free");
	gh_test_flush_limbo();
	gh_test_expect_silence(test);
}

static void test_goheap_free_rcu_then_free(struct kunit *test)
{
	free_rcu_twice(test, SIZE, goheap_free);
	free_rcu_twice(test, SIZE, goheap_free_rcu);
	free_rcu_twice(test, 100000, goheap_free);
	free_rcu_twice(test, 100000, goheap_free_rcu);
}

static void test_goheap_free_then_free_rcu(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);

	goheap_free(p);
	goheap_free_rcu(p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_realloc_after_free(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);

	goheap_free(p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 1000, GFP_KERNEL), NULL);
	gh_test_expect_refused(test, "double free");
}

/* What happens when the owner and another CPU free at the very same time. */
static void test_gh_span_merge_finds_double_free(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-merge", NULL);
	u8 *p = goheap_heap_alloc(heap, SIZE, GFP_KERNEL, 0);
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
	u8 *p = goheap_heap_alloc(heap, 15, GFP_KERNEL, GOHEAP_NOSCAN);
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
		size = i % 3 ? SIZE : 7;
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
	struct gh_span *s = gh_heap_new_span(heap, gh_size_class(SIZE) * 2, GFP_KERNEL,
					     NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, s);
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
	gh_remote_tell(s, false);
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
	u8 *first = goheap_heap_alloc(heap, 8, GFP_KERNEL, GOHEAP_NOSCAN), *p, *q;
	struct gh_cache *cache = gh_test_cache(heap);
	struct gh_span *s;
	unsigned int idx;

	p = goheap_heap_alloc(heap, 12, GFP_KERNEL, GOHEAP_NOSCAN);
	KUNIT_ASSERT_NOT_NULL(test, first);
	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_test_span_of(p);
	idx = (p - (u8 *)s->base) / GH_TINY_BLOCK;
	goheap_free(p);
	set_bit(idx * 4, gh_span_tiny_gone(s));
	do
		q = goheap_heap_alloc(heap, 12, GFP_KERNEL, GOHEAP_NOSCAN);
	while (q && q != p && gh_test_live(heap) < 1000);
	KUNIT_ASSERT_PTR_EQ(test, q, p);
	gh_test_expect_refused(test, "double free");
	gh_word_set_remote(gh_span_word(s, idx), idx);
	preempt_disable();
	gh_remote_tell(s, false);
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
	gh_heap_free_span(s);
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
	gh_remote_tell(s, false);
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
	struct gh_central *central = gh_test_central(s->heap, SIZE);
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

/* ---- interior pointers --------------------------------------------------- */

static void test_goheap_free_interior_small(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);

	goheap_free(p + 1);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free(p + 8);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free_rcu(p + 99);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free_sized(p + 8, SIZE);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, SIZE);
	goheap_free(p);
	gh_test_expect_silence(test);
}

static void test_goheap_free_interior_large(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 100000);

	goheap_free(p + 1);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free(p + 8192);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free_rcu(p + 99999);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, 100000);
	goheap_free(p);
	gh_test_expect_silence(test);
}

static void test_goheap_free_behind_last_object(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 384);	/* 21 of them leave 128 bytes */
	struct gh_span *s = gh_test_span_of(p);

	KUNIT_EXPECT_EQ(test, s->limit, 21 * 384);
	goheap_free((void *)s->base + 21 * 384);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, 384);
	goheap_free(p);
}

/* ---- strangers ----------------------------------------------------------- */

static void expect_foreign(struct kunit *test, const void *p)
{
	goheap_free(p);
	gh_test_expect_refused(test, "not a goheap object");
	goheap_free_rcu(p);
	gh_test_expect_refused(test, "not a goheap object");
	goheap_free_sized(p, 8);
	gh_test_expect_refused(test, "not a goheap object");
}

static void test_goheap_free_stack(struct kunit *test)
{
	long on_stack;

	expect_foreign(test, &on_stack);
}

static void test_goheap_free_vmalloc(struct kunit *test)
{
	void *p = vmalloc(PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, p);
	expect_foreign(test, p);
	vfree(p);
}

static void test_goheap_free_kmalloc(struct kunit *test)
{
	expect_foreign(test, kunit_kmalloc(test, 64, GFP_KERNEL));
}

static void test_goheap_free_text(struct kunit *test)
{
	expect_foreign(test, test_goheap_free_text);
}

static void test_goheap_free_null_page(struct kunit *test)
{
	/* Up to ZERO_SIZE_PTR, like kfree(), it does nothing. */
	goheap_free((void *)8);
	gh_test_expect_silence(test);
	expect_foreign(test, (void *)24);
	expect_foreign(test, (void *)(PAGE_SIZE - 8));
}

static void test_goheap_free_wild(struct kunit *test)
{
	/* Alone the bit could be the tag of NULL. */
	expect_foreign(test, (void *)(BIT(63) + PAGE_SIZE));
	expect_foreign(test, (void *)ULONG_MAX);
	expect_foreign(test, ERR_PTR(-ENOMEM));
	expect_foreign(test, (void *)(PAGE_OFFSET - 8));
}

/* ---- not as it was allocated --------------------------------------------- */

static void test_goheap_heap_free_wrong_heap(struct kunit *test)
{
	struct goheap *one = gh_test_heap(test, "kunit-one", NULL);
	struct goheap *two = gh_test_heap(test, "kunit-two", NULL);
	static const size_t sizes[] = { 5, SIZE, 100000 };
	unsigned int i;
	u8 *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = gh_test_victim_of(test, one, sizes[i], GOHEAP_NOSCAN);
		goheap_heap_free(two, p);
		gh_test_expect_refused(test, "wrong heap");
		KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, "kunit-one"));
		goheap_heap_free(gh_default, p);
		gh_test_expect_refused(test, "wrong heap");
		gh_test_expect_unharmed(test, p, sizes[i]);
		goheap_heap_free(one, p);
		gh_test_expect_silence(test);
	}
}

static void expect_wrong_size(struct kunit *test, u8 *p, size_t size)
{
	goheap_free_sized(p, size);
	gh_test_expect_refused(test, "wrong size");
}

static void test_goheap_free_sized_wrong_size(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE), *q = gh_test_victim(test, 100000);

	expect_wrong_size(test, p, 0);
	expect_wrong_size(test, p, goheap_size(p) + 1);
	expect_wrong_size(test, p, 8);
	expect_wrong_size(test, p, SIZE_MAX);
	gh_test_expect_unharmed(test, p, SIZE);
	expect_wrong_size(test, q, 200000);
	expect_wrong_size(test, q, 100);
	gh_test_expect_unharmed(test, q, 100000);
	goheap_free(p);
	goheap_free(q);
	gh_test_expect_silence(test);
}

static void heap_free_nested(struct goheap *heap, const void *p)
{
	struct gh_cache *cache = gh_test_nest(heap);

	goheap_heap_free(heap, p);
	gh_test_unnest(cache);
}

/* As an interrupt that hits a section of its own CPU: the checks are the same. */
static void test_goheap_heap_free_wrong_heap_nested(struct kunit *test)
{
	struct goheap *one = gh_test_heap(test, "kunit-one", NULL);
	struct goheap *two = gh_test_heap(test, "kunit-two", NULL);
	u8 *p = gh_test_victim_of(test, one, SIZE, 0);

	heap_free_nested(two, p);
	gh_test_expect_refused(test, "wrong heap");
	gh_test_expect_unharmed(test, p, SIZE);

	heap_free_nested(one, p);
	gh_test_expect_silence(test);
	KUNIT_EXPECT_EQ(test, gh_test_live(one), 0);
}

static void free_sized_nested(const void *p, size_t size)
{
	struct gh_cache *cache = gh_test_nest(gh_default);

	goheap_free_sized(p, size);
	gh_test_unnest(cache);
}

static void test_goheap_free_sized_wrong_size_nested(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);

	free_sized_nested(p, 1);
	gh_test_expect_refused(test, "wrong size");
	gh_test_expect_unharmed(test, p, SIZE);
	free_sized_nested(p, SIZE);
	gh_test_expect_silence(test);
}

/* The next free of a private heap's object needs no look at the map. */
static void test_goheap_heap_free_leaves_hint(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-hint", NULL);
	void *p = goheap_heap_alloc(heap, SIZE, GFP_KERNEL, 0);
	struct gh_span *s = gh_test_span_of(p);

	KUNIT_ASSERT_NOT_NULL(test, p);
	if (want_init_on_free()) {
		goheap_heap_free(heap, p);
		kunit_skip(test, "init_on_free=1: frees take no short cut");
	}
	KUNIT_EXPECT_PTR_NE(test, gh_test_cache(heap)->hint, s);
	goheap_heap_free(heap, p);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_cache(heap)->hint, s);
}

/* ---- references to pages ------------------------------------------------- */

/* Shares no page with others, whatever the kernel's page size is. */
#define LARGE	(32 * PAGE_SIZE)

/* As if put_page() had hit a free page of ours. */
static void test_gh_arena_scavenge_finds_stray_put(struct kunit *test)
{
	unsigned long foreign = gh_misuse_foreign();
	u8 *p = gh_test_victim(test, LARGE);

	goheap_free(p);
	put_page(virt_to_page(p));
	gh_reclaim_trim();
	gh_test_expect_refused(test, "stray kfree() or put_page()");
	KUNIT_EXPECT_EQ(test, gh_misuse_foreign(), foreign + 1);
}

static void test_gh_arena_free_finds_stray_put(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);
	unsigned int i;

	for (i = 0; i < 3; i++)
		put_page(virt_to_page(p));
	gh_test_expect_unharmed(test, p, SIZE);
	goheap_free(p);
	gh_test_expect_silence(test);
	gh_reclaim_trim();
	gh_test_expect_refused(test, "stray kfree() or put_page()");
	KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, "heap default"));
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

static void test_gh_validate_finds_stray_put(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);

	put_page(virt_to_page(p));
	gh_test_expect_silence(test);
	KUNIT_EXPECT_EQ(test, gh_validate(), 0);
	gh_test_expect_refused(test, "stray kfree() or put_page()");
	gh_test_expect_unharmed(test, p, SIZE);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

/* Whoever is given a page that was freed a moment ago on this CPU is given this one. */
static bool is_handed_out(struct kunit *test, struct page *page)
{
	struct page *got[32];
	bool found = false;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(got); i++) {
		got[i] = alloc_page(GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL(test, got[i]);
		found |= got[i] == page;
	}
	for (i = 0; i < ARRAY_SIZE(got); i++)
		if (got[i] && got[i] != page)
			__free_page(got[i]);
	return found;
}

static void test_get_page_and_put_page_leave_object_its_page(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		get_page(virt_to_page(p));
		KUNIT_EXPECT_FALSE(test, sendpage_ok(virt_to_page(p)));
		put_page(virt_to_page(p));
	}
	KUNIT_EXPECT_FALSE(test, is_handed_out(test, virt_to_page(p)));
	gh_test_expect_unharmed(test, p, SIZE);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

/* What direct I/O from a bio's pages does in fuse, NFS, ceph and 9p. */
static void test_iov_iter_get_pages_leaves_object_its_page(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 2 * PAGE_SIZE);
	struct bio_vec bvec = {
		.bv_page = virt_to_page(p),
		.bv_len = 2 * PAGE_SIZE,
		.bv_offset = offset_in_page(p),
	};
	struct page *pages[3] = {};
	struct iov_iter iter;
	unsigned int i;
	size_t off;

	iov_iter_bvec(&iter, ITER_SOURCE, &bvec, 1, bvec.bv_len);
	KUNIT_EXPECT_EQ(test, iov_iter_get_pages2(&iter, pages, bvec.bv_len, 3, &off),
			(ssize_t)bvec.bv_len);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_PTR_EQ(test, pages[i], bvec.bv_page + i);
		put_page(pages[i]);
		KUNIT_EXPECT_FALSE(test, is_handed_out(test, pages[i]));
	}
	gh_test_expect_unharmed(test, p, 2 * PAGE_SIZE);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

static void test_gh_arena_scavenge_leaves_page_to_its_last_holder(struct kunit *test)
{
	u8 *p = gh_test_victim(test, LARGE);
	struct page *page = virt_to_page(p);

	get_page(page);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_refused(test, "stray get_page()");
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_FALSE(test, is_handed_out(test, page));
	if (page_count(page) == 1)	/* and ours to put */
		put_page(page);
}

static void test_goheap_pages_look_like_nobody_elses(struct kunit *test)
{
	u8 *p = gh_test_victim(test, SIZE);
	struct page *page = virt_to_page(p);

	KUNIT_EXPECT_TRUE(test, page_has_type(page));
	KUNIT_EXPECT_FALSE(test, PageSlab(page));
	KUNIT_EXPECT_FALSE(test, PageCompound(page));
	KUNIT_EXPECT_FALSE(test, PageBuddy(page));
	KUNIT_EXPECT_FALSE(test, PageOffline(page));
	KUNIT_EXPECT_FALSE(test, PageTable(page));
	KUNIT_EXPECT_FALSE(test, PageReserved(page));
	KUNIT_EXPECT_FALSE(test, folio_mapped(page_folio(page)));
	KUNIT_EXPECT_FALSE(test, gh_page_is_large_kmalloc(page));
	goheap_free(p);
}

/* ---- tiny objects -------------------------------------------------------- */

static void test_goheap_free_twice_tiny(struct kunit *test)
{
	u8 *p, *q, *first = gh_test_tiny_victim(test, 15);

	p = gh_test_tiny_victim(test, 8);
	q = gh_test_tiny_victim(test, 7);
	goheap_free(q);
	gh_test_expect_silence(test);
	goheap_free(q);
	gh_test_expect_refused(test, "double free");
	goheap_free_rcu(q);
	gh_test_expect_refused(test, "double free");
	gh_test_expect_unharmed(test, p, 8);
	goheap_free(p);
	goheap_free(first);
	gh_test_expect_silence(test);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_tiny_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_tiny_victim(test, 8), *q = gh_test_tiny_victim(test, 8);

	gh_test_free_on(cpu, p);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	goheap_free(q);
	gh_test_free_on(cpu, q);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_interior_tiny(struct kunit *test)
{
	u8 *p = gh_test_tiny_victim(test, 15);

	goheap_free(p + 1);
	gh_test_expect_refused(test, "interior pointer");
	goheap_free(p + 15);
	gh_test_expect_refused(test, "interior pointer");
	gh_test_expect_unharmed(test, p, 15);
	goheap_free(p);
	gh_test_expect_silence(test);
}

static struct kunit_case misuse_cases[] = {
	KUNIT_CASE(test_goheap_free_twice),
	KUNIT_CASE(test_goheap_free_twice_after_other_frees),
	KUNIT_CASE(test_goheap_free_twice_second_on_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_first_on_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_both_on_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_large),
	KUNIT_CASE(test_goheap_free_twice_after_trim),
	KUNIT_CASE(test_goheap_free_twice_in_bulk),
	KUNIT_CASE(test_goheap_free_twice_from_magazine),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_nested),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_rcu),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_in_bulk),
	KUNIT_CASE(test_goheap_free_bulk_twice_the_same),
	KUNIT_CASE(test_goheap_free_bulk_twice_in_the_middle),
	KUNIT_CASE(test_goheap_free_bulk_interior),
	KUNIT_CASE(test_goheap_free_bulk_behind_last_object),
	KUNIT_CASE(test_goheap_free_rcu_then_free),
	KUNIT_CASE(test_goheap_free_then_free_rcu),
	KUNIT_CASE(test_goheap_realloc_after_free),
	KUNIT_CASE(test_gh_span_merge_finds_double_free),
	KUNIT_CASE(test_gh_tiny_merge_finds_double_free),
	KUNIT_CASE(test_goheap_free_twice_at_once),
	KUNIT_CASE(test_goheap_free_large_twice_at_once),
	KUNIT_CASE(test_goheap_free_twice_at_once_then_central),
	KUNIT_CASE(test_goheap_free_twice_at_once_then_tiny),
	KUNIT_CASE(test_goheap_free_twice_at_once_then_release),
	KUNIT_CASE(test_goheap_misuse_console_frees),
	KUNIT_CASE(test_goheap_misuse_in_lock),
	KUNIT_CASE(test_goheap_free_interior_small),
	KUNIT_CASE(test_goheap_free_interior_large),
	KUNIT_CASE(test_goheap_free_behind_last_object),
	KUNIT_CASE(test_goheap_free_stack),
	KUNIT_CASE(test_goheap_free_vmalloc),
	KUNIT_CASE(test_goheap_free_kmalloc),
	KUNIT_CASE(test_goheap_free_text),
	KUNIT_CASE(test_goheap_free_null_page),
	KUNIT_CASE(test_goheap_free_wild),
	KUNIT_CASE(test_goheap_heap_free_wrong_heap),
	KUNIT_CASE(test_goheap_free_sized_wrong_size),
	KUNIT_CASE(test_goheap_heap_free_wrong_heap_nested),
	KUNIT_CASE(test_goheap_free_sized_wrong_size_nested),
	KUNIT_CASE(test_goheap_heap_free_leaves_hint),
	KUNIT_CASE(test_gh_arena_scavenge_finds_stray_put),
	KUNIT_CASE(test_gh_arena_free_finds_stray_put),
	KUNIT_CASE(test_gh_validate_finds_stray_put),
	KUNIT_CASE(test_get_page_and_put_page_leave_object_its_page),
	KUNIT_CASE(test_iov_iter_get_pages_leaves_object_its_page),
	KUNIT_CASE(test_gh_arena_scavenge_leaves_page_to_its_last_holder),
	KUNIT_CASE(test_goheap_pages_look_like_nobody_elses),
	KUNIT_CASE(test_goheap_free_twice_tiny),
	KUNIT_CASE(test_goheap_free_twice_tiny_on_other_cpu),
	KUNIT_CASE(test_goheap_free_interior_tiny),
	{}
};

static struct kunit_suite misuse_suite = {
	.name = "goheap_misuse",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = misuse_cases,
};

kunit_test_suite(misuse_suite);
