// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU's cache behind the fast paths: what others freed into its spans, empty
 * spans that it keeps because it missed some, and counts of large objects.
 */

#include <linux/completion.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "lib_object.h"
#include "testlib.h"

static int init(struct kunit *test)
{
	int err = gh_test_init(test);

	if (!err)
		test->priv = gh_test_heap(test, "kunit-cache", NULL);
	return err;
}

/* ---- arrivals ------------------------------------------------------------ */

#define SIZE		1024
#define PER_SPAN	8
#define NR_SPANS	5
#define NR		(NR_SPANS * PER_SPAN)

/* Free the second object of full spans, in this order, as somebody else would. */
static void free_remotely(struct goheap *heap, void **p, unsigned int first, unsigned int nr)
{
	struct gh_cache *cache = gh_test_nest(heap);
	unsigned int i;

	for (i = first; i < first + nr; i++)
		goheap_free(p[i * PER_SPAN + 1]);
	gh_test_unnest(cache);
}

/* Spans that have something to be merged. */
static unsigned int nr_waiting(void **p)
{
	unsigned int i, n = 0;

	for (i = 0; i < NR_SPANS; i++)
		n += gh_span_has_remote(gh_span_of(p[i * PER_SPAN]));
	return n;
}

/* The first of the spans that arrived were merged, and only they. */
struct arrival {
	void *p;
	unsigned long drained;
	unsigned int waiting;
	bool more;
};

static void test_gh_cache_refill_merges_oldest_arrival(struct kunit *test)
{
	void **p = gh_test_alloc_many(test, test->priv, NR, SIZE);
	struct gh_cache *cache = gh_test_cache(test->priv);
	struct arrival seen[3];
	unsigned int i;

	KUNIT_ASSERT_EQ(test, gh_test_pages(test->priv), (long)NR_SPANS);
	/* Without interruption by work that drains. The last span is the current one. */
	preempt_disable();
	seen[0].drained = cache->drained;
	free_remotely(test->priv, p, 0, 2);
	for (i = 0; i < 3; i++) {
		/* The third arrives when one that came before it still waits. */
		if (i == 1)
			free_remotely(test->priv, p, 2, 1);
		seen[i].p = goheap_heap_alloc(test->priv, SIZE, GFP_ATOMIC, 0);
		seen[i].drained = cache->drained - (i ? 0 : seen[0].drained);
		seen[i].waiting = nr_waiting(p);
		seen[i].more = gh_cache_has_arrivals(cache);
	}
	preempt_enable();
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), (long)NR_SPANS);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ_MSG(test, seen[i].p, p[i * PER_SPAN + 1], "arrival %u", i);
	KUNIT_EXPECT_EQ(test, seen[0].drained, 1UL);
	KUNIT_EXPECT_EQ(test, seen[1].drained - seen[0].drained, 1UL);
	KUNIT_EXPECT_EQ(test, seen[2].drained - seen[1].drained, 1UL);
	KUNIT_EXPECT_EQ(test, seen[0].waiting, 1U);
	KUNIT_EXPECT_EQ(test, seen[1].waiting, 1U);
	KUNIT_EXPECT_EQ(test, seen[2].waiting, 0U);
	KUNIT_EXPECT_TRUE(test, seen[0].more);
	KUNIT_EXPECT_TRUE(test, seen[1].more);
	KUNIT_EXPECT_FALSE(test, seen[2].more);
	gh_test_free_each(p, NR);
}

/* Those that were taken from the inbox already, and those that were not. */
static void test_gh_cache_drain_merges_all(struct kunit *test)
{
	void **p = gh_test_alloc_many(test, test->priv, NR, SIZE), *q;
	struct gh_cache *cache = gh_test_cache(test->priv);
	unsigned int waiting, left;
	unsigned long drained;
	bool arrived, more;

	preempt_disable();
	drained = cache->drained;
	free_remotely(test->priv, p, 0, 3);
	q = goheap_heap_alloc(test->priv, SIZE, GFP_ATOMIC, 0);
	free_remotely(test->priv, p, 3, 1);
	waiting = nr_waiting(p);
	arrived = cache->arrived && !llist_empty(&cache->inbox);
	gh_cache_drain(cache);
	left = nr_waiting(p);
	more = gh_cache_has_arrivals(cache);
	drained = cache->drained - drained;
	preempt_enable();
	KUNIT_EXPECT_PTR_EQ(test, q, p[1]);
	KUNIT_EXPECT_EQ(test, waiting, 3U);
	KUNIT_EXPECT_TRUE(test, arrived);
	KUNIT_EXPECT_EQ(test, left, 0U);
	KUNIT_EXPECT_FALSE(test, more);
	KUNIT_EXPECT_EQ(test, drained, 4UL);
	/* They can be allocated. */
	gh_test_fill(test, test->priv, &p[PER_SPAN + 1], 1, SIZE);
	gh_test_fill(test, test->priv, &p[2 * PER_SPAN + 1], 1, SIZE);
	gh_test_fill(test, test->priv, &p[3 * PER_SPAN + 1], 1, SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), (long)NR_SPANS);
	KUNIT_EXPECT_EQ(test, gh_test_live(test->priv), (unsigned long)NR);
	gh_test_free_each(p, NR);
}

static void test_goheap_free_arrives_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	void **p = gh_test_alloc_many(test, test->priv, NR, SIZE);
	unsigned int i;

	for (i = 0; i < NR; i++)
		gh_test_free_on(cpu, p[i]);
	KUNIT_EXPECT_EQ(test, gh_test_live(test->priv), 0UL);
	gh_test_fill(test, test->priv, p, NR, SIZE);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(test->priv), (long)NR_SPANS,
			    "new spans instead of ours");
	gh_test_free_each(p, NR);
}

/* ---- extra empty spans --------------------------------------------------- */

#define LONE		32768	/* a span with one object */
#define LONE_PAGES	(LONE >> GH_PAGE_SHIFT)
#define NR_LONE		64
#define EXTRA_BYTES	SZ_4M

static struct gh_bin *lone_bin(struct kunit *test)
{
	return gh_test_bin(test->priv, LONE);
}

/* Allocate and free so many spans; how many heap pages are kept then? */
static long cycle(struct kunit *test, unsigned int n, size_t size)
{
	void **p = gh_test_alloc_many(test, test->priv, n, size);

	gh_test_free_each(p, n);
	kunit_kfree(test, p);
	return gh_test_pages(test->priv) - gh_test_stock(test->priv);
}

static void expect_extra(struct kunit *test, unsigned int extra)
{
	KUNIT_EXPECT_EQ(test, lone_bin(test)->extra, extra);
	KUNIT_EXPECT_EQ(test, gh_test_cache(test->priv)->extra_bytes, (unsigned long)extra * LONE);
}

static void test_gh_cache_install_keeps_what_was_missed(struct kunit *test)
{
	unsigned int released;
	long first, again;

	first = cycle(test, NR_LONE, LONE);
	released = lone_bin(test)->released;
	expect_extra(test, 0);
	KUNIT_ASSERT_LT(test, first, (long)NR_LONE * LONE_PAGES);
	KUNIT_ASSERT_EQ(test, released, (unsigned int)(NR_LONE - first / LONE_PAGES));
	again = cycle(test, NR_LONE, LONE);
	expect_extra(test, released);
	KUNIT_EXPECT_GT_MSG(test, again, first, "as many are given back as if none was missed");
	/* Once is enough. */
	KUNIT_EXPECT_EQ(test, cycle(test, NR_LONE, LONE), again);
	expect_extra(test, released);
}

/* What was given back and is not missed does not make a cache keep more. */
static void test_gh_cache_install_without_miss(struct kunit *test)
{
	cycle(test, NR_LONE, LONE);
	KUNIT_EXPECT_GT(test, lone_bin(test)->released, 0U);
	cycle(test, 2, LONE);
	cycle(test, 100, SIZE);
	expect_extra(test, 0);
}

static void test_gh_cache_install_extra_is_bounded(struct kunit *test)
{
	struct gh_cache *cache = gh_test_cache(test->priv);
	unsigned int i, extra;

	for (i = 0; i < 3; i++)
		cycle(test, EXTRA_BYTES / LONE + 50, LONE);
	expect_extra(test, EXTRA_BYTES / LONE);
	/* All classes together. */
	for (i = 0; i < 3; i++)
		cycle(test, 200, 8192);
	extra = gh_test_bin(test->priv, 8192)->extra;
	KUNIT_EXPECT_EQ(test, extra, 0U);
	KUNIT_EXPECT_EQ(test, cache->extra_bytes, (unsigned long)EXTRA_BYTES);
}

static void test_gh_cache_flush_forgets_misses(struct kunit *test)
{
	cycle(test, NR_LONE, LONE);
	cycle(test, NR_LONE, LONE);
	KUNIT_ASSERT_GT(test, lone_bin(test)->extra, 0U);
	gh_reclaim_trim();
	expect_extra(test, 0);
	KUNIT_EXPECT_EQ(test, lone_bin(test)->released, 0U);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), 0L);
	cycle(test, NR_LONE, LONE);
	expect_extra(test, 0);
}

static void test_gh_cache_work_relaxes_by_halves(struct kunit *test)
{
	struct gh_cache *cache = gh_test_cache(test->priv);
	long before, pages, first = cycle(test, NR_LONE, LONE);
	unsigned int extra;

	pages = cycle(test, NR_LONE, LONE);
	extra = lone_bin(test)->extra;
	KUNIT_ASSERT_GT(test, extra, 2U);
	/* Not asked for. */
	gh_drain_work(&cache->drain);
	expect_extra(test, extra);
	while (extra) {
		before = pages;
		extra /= 2;
		WRITE_ONCE(cache->relax, true);
		gh_drain_work(&cache->drain);
		KUNIT_EXPECT_FALSE(test, cache->relax);
		expect_extra(test, extra);
		pages = gh_test_pages(test->priv);
		KUNIT_EXPECT_LE(test, pages, before);
	}
	KUNIT_EXPECT_LE_MSG(test, pages, first, "spans are kept that nobody remembers");
	KUNIT_EXPECT_GT_MSG(test, pages, 0L, "flushed");
}

/* ---- counts of large objects --------------------------------------------- */

#define LARGE	100000

static void expect_large(struct kunit *test, unsigned long allocs, unsigned long live)
{
	unsigned long a, l;

	gh_park_count(test->priv, &a, &l);
	KUNIT_EXPECT_EQ(test, a, allocs);
	KUNIT_EXPECT_EQ(test, l, live);
	/* That compares with the spans. */
	gh_test_validate(test);
}

static void test_gh_heap_count_large_parked(struct kunit *test)
{
	struct gh_cache *cache = gh_test_cache(test->priv);
	void *p[3];

	expect_large(test, 0, 0);
	gh_test_fill(test, test->priv, p, 3, LARGE);
	expect_large(test, 3, 3);
	goheap_free(p[0]);
	goheap_free(p[1]);
	KUNIT_EXPECT_NOT_NULL(test, cache->parked);
	expect_large(test, 3, 1);
	gh_test_fill(test, test->priv, p, 2, LARGE);
	KUNIT_EXPECT_NULL(test, cache->parked);
	expect_large(test, 5, 3);
	gh_test_free_each(p, 3);
	expect_large(test, 5, 0);
	gh_reclaim_trim();
	KUNIT_EXPECT_NULL(test, cache->parked);
	expect_large(test, 5, 0);
}

static void test_gh_heap_count_large_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	void *p[3];

	gh_test_fill(test, test->priv, p, 3, LARGE);
	gh_test_free_on(cpu, p[0]);
	expect_large(test, 3, 2);
	gh_test_free_on(cpu, p[1]);
	expect_large(test, 3, 1);
	/* Those are parked there, and not to be had here. */
	gh_test_fill(test, test->priv, p, 2, LARGE);
	expect_large(test, 5, 3);
	goheap_free(p[0]);
	gh_test_fill(test, test->priv, p, 1, LARGE);
	gh_test_free_on(cpu, p[0]);
	gh_test_free_on(cpu, p[1]);
	goheap_free(p[2]);
	expect_large(test, 6, 0);
	gh_reclaim_trim();
	expect_large(test, 6, 0);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), 0L);
}

static void test_gh_heap_count_large_nested(struct kunit *test)
{
	struct gh_cache *cache;
	void *p[2], *q;

	gh_test_fill(test, test->priv, p, 2, LARGE);
	goheap_free(p[0]);
	cache = gh_test_nest(test->priv);
	goheap_free(p[1]);
	/* Not the parked one; none at all where the page allocator sleeps. */
	q = goheap_heap_alloc(test->priv, LARGE, GFP_ATOMIC, 0);
	gh_test_unnest(cache);
	expect_large(test, 2 + !!q, !!q);
	goheap_free(q);
	expect_large(test, 2 + !!q, 0);
}

static void test_gh_heap_count_large_rcu(struct kunit *test)
{
	void *p[2];

	gh_test_fill(test, test->priv, p, 2, LARGE);
	goheap_free_rcu(p[0]);
	gh_test_flush_limbo();
	expect_large(test, 2, 1);
	gh_test_fill(test, test->priv, p, 1, LARGE);
	goheap_free_rcu(p[0]);
	goheap_free(p[1]);
	gh_test_flush_limbo();
	expect_large(test, 3, 0);
}

/* ---- what a cache has ---------------------------------------------------- */

static unsigned int nr_owned(struct gh_cache *cache)
{
	unsigned int n = 0;
	struct gh_span *s;

	preempt_disable();
	list_for_each_entry(s, &cache->owned, list)
		n += s->owner == cache;
	preempt_enable();
	return n;
}

/* Full ones, that no other list has; of other heaps nothing is looked at. */
static void test_gh_cache_owned_has_all_spans(struct kunit *test)
{
	void **p = gh_test_alloc_many(test, test->priv, NR, SIZE);
	struct gh_cache *cache = gh_test_cache(test->priv);

	KUNIT_EXPECT_EQ(test, nr_owned(cache), (unsigned int)NR_SPANS);
	goheap_free(p[1]);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, nr_owned(cache), NR_SPANS - 1U);
	/* From the central list. */
	gh_test_fill(test, test->priv, &p[1], 1, SIZE);
	KUNIT_EXPECT_EQ(test, nr_owned(cache), (unsigned int)NR_SPANS);
	gh_test_free_each(p, NR);
	gh_reclaim_trim();
	KUNIT_EXPECT_TRUE(test, list_empty(&cache->owned));
}

static void test_gh_map_span_at_skips_others_unseen(struct kunit *test)
{
	void **p = gh_test_alloc_many(test, test->priv, 1, SIZE);
	struct gh_span *s = gh_test_span_of(p[0]), *seen, *unseen;
	unsigned int page = gh_arena_page(s->base);
	struct goheap *heap = test->priv;
	struct gh_arena *arena;

	preempt_disable();
	arena = gh_arena_of(s->base);
	seen = gh_map_span_at(arena, page, heap);
	arena->heaps[page]++;
	unseen = gh_map_span_at(arena, page, heap);
	arena->heaps[page]--;
	preempt_enable();
	KUNIT_EXPECT_PTR_EQ(test, seen, s);
	KUNIT_EXPECT_NULL(test, unseen);
	gh_test_free_each(p, 1);
}

/* Or the tick would look for something in all bins of all caches, for ever. */
static void test_gh_cache_filled_until_flushed(struct kunit *test)
{
	struct gh_cache *cache = gh_test_cache(test->priv);
	void *p;

	KUNIT_EXPECT_FALSE(test, cache->filled);
	gh_test_fill(test, test->priv, &p, 1, SIZE);
	KUNIT_EXPECT_TRUE(test, cache->filled);
	gh_reclaim_trim();
	KUNIT_EXPECT_FALSE(test, cache->filled);
	goheap_free(p);
	gh_test_fill(test, test->priv, &p, 1, LARGE);
	gh_reclaim_trim();
	KUNIT_EXPECT_FALSE(test, cache->filled);
	goheap_free(p);
	KUNIT_EXPECT_TRUE_MSG(test, cache->filled, "it is parked");
	gh_reclaim_trim();
	KUNIT_EXPECT_FALSE(test, cache->filled);
}

/* ---- a CPU that died ----------------------------------------------------- */

/* A grace period that is not over before the test says so. */
#define FOR_EVER	BIT(20)

/* Nobody uses the case's cache any more, its own work included: as if its CPU had died. */
static struct gh_cache *let_die(struct goheap *heap)
{
	struct gh_cache *cache = gh_test_nest(heap);

	preempt_enable();
	return cache;
}

static void revive(struct gh_cache *cache)
{
	init_llist_head(&cache->inbox);
	WRITE_ONCE(cache->busy, 0);
}

struct takeover {
	struct work_struct work;
	struct completion done;
	struct gh_cache *cache;
};

static void take_over(struct work_struct *work)
{
	struct takeover *t = container_of(work, struct takeover, work);

	gh_hotplug_abandon(t->cache);
	complete(&t->done);
}

/* The grace periods that the spans wait for are over, or not for long. */
static void set_cookies(void **p, unsigned int nr_spans, unsigned long from_now)
{
	unsigned int i;

	for (i = 0; i < nr_spans; i++)
		WRITE_ONCE(gh_test_span_of(p[i * PER_SPAN])->rcu_cookie,
			   get_state_synchronize_rcu() + from_now);
}

static void expect_no_owners(struct kunit *test, void **p)
{
	unsigned int i;

	for (i = 0; i < NR_SPANS; i++)
		KUNIT_EXPECT_NULL(test, gh_test_span_of(p[i * PER_SPAN])->owner);
}

static void expect_central(struct kunit *test, unsigned int nr_spans)
{
	struct gh_central *central = gh_test_central(test->priv, SIZE);

	KUNIT_EXPECT_EQ(test, central->nr_spans, nr_spans);
	KUNIT_EXPECT_NULL(test, gh_central_validate(central));
}

static void test_gh_heap_abandon_waits_for_no_token_in_limbo(struct kunit *test)
{
	struct takeover t;
	unsigned int i;
	void **p;

	if (IS_ENABLED(CONFIG_TINY_RCU))
		kunit_skip(test, "no grace period is for ever where RCU is tiny");
	p = gh_test_alloc_many(test, test->priv, NR, SIZE);
	t.cache = let_die(test->priv);
	set_cookies(p, NR_SPANS, FOR_EVER);
	for (i = 0; i < NR_SPANS; i++)
		goheap_free_rcu(p[i * PER_SPAN + 1]);
	init_completion(&t.done);
	INIT_WORK_ONSTACK(&t.work, take_over);
	queue_work(system_unbound_wq, &t.work);
	KUNIT_EXPECT_NE_MSG(test, wait_for_completion_timeout(&t.done, 10 * HZ), 0UL,
			    "it waits for a grace period");
	expect_no_owners(test, p);
	KUNIT_EXPECT_EQ(test, nr_waiting(p), (unsigned int)NR_SPANS);
	set_cookies(p, NR_SPANS, 0);
	flush_work(&t.work);
	destroy_work_on_stack(&t.work);
	gh_test_flush_limbo();
	KUNIT_EXPECT_EQ(test, nr_waiting(p), 0U);
	expect_central(test, NR_SPANS);
	revive(t.cache);
	/* What was freed can be allocated. */
	for (i = 0; i < NR_SPANS; i++)
		gh_test_fill(test, test->priv, &p[i * PER_SPAN + 1], 1, SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), (long)NR_SPANS);
	gh_test_free_each(p, NR);
}

/* What is in the inbox, and what was taken out of it but not merged. */
static void test_gh_heap_abandon_merges_inbox(struct kunit *test)
{
	void **p = gh_test_alloc_many(test, test->priv, NR, SIZE), *q;
	struct gh_cache *cache;
	unsigned int i;

	preempt_disable();
	free_remotely(test->priv, p, 0, 3);
	q = goheap_heap_alloc(test->priv, SIZE, GFP_ATOMIC, 0);
	free_remotely(test->priv, p, 3, 1);
	cache = let_die(test->priv);
	preempt_enable();
	KUNIT_EXPECT_PTR_EQ(test, q, p[1]);
	gh_hotplug_abandon(cache);
	expect_no_owners(test, p);
	KUNIT_EXPECT_EQ(test, nr_waiting(p), 0U);
	for (i = 0; i < NR_SPANS; i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&gh_test_span_of(p[i * PER_SPAN])->claimed), 0);
	expect_central(test, NR_SPANS);
	KUNIT_EXPECT_FALSE(test, gh_cache_has_arrivals(cache));
	revive(cache);
	for (i = 1; i < 4; i++)
		gh_test_fill(test, test->priv, &p[i * PER_SPAN + 1], 1, SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), (long)NR_SPANS);
	gh_test_free_each(p, NR);
}

struct late_free {
	struct work_struct work;
	struct completion looking;
	struct gh_span *span;
};

static void deliver(struct work_struct *work)
{
	struct late_free *f = container_of(work, struct late_free, work);

	preempt_disable();
	complete(&f->looking);
	gh_remote_hand_over(f->span);
	preempt_enable();
}

/* A free that saw the owner before its CPU died, and comes to the inbox after. */
static void test_gh_remote_deliver_to_closed_inbox_looks_again(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	void **p = gh_test_alloc_many(test, test->priv, NR, SIZE);
	struct late_free f = { .span = gh_test_span_of(p[0]) };
	struct gh_cache *cache;

	KUNIT_ASSERT_TRUE(test, gh_span_claim(f.span));
	cache = let_die(test->priv);
	goheap_free(p[1]);
	gh_hotplug_abandon(cache);
	expect_no_owners(test, p);
	KUNIT_EXPECT_TRUE(test, gh_span_has_remote(f.span));
	WRITE_ONCE(f.span->owner, cache);
	init_completion(&f.looking);
	INIT_WORK_ONSTACK(&f.work, deliver);
	schedule_work_on(cpu, &f.work);
	wait_for_completion(&f.looking);
	WRITE_ONCE(f.span->owner, NULL);
	flush_work(&f.work);
	destroy_work_on_stack(&f.work);
	KUNIT_EXPECT_FALSE(test, gh_span_has_remote(f.span));
	KUNIT_EXPECT_EQ(test, atomic_read(&f.span->claimed), 0);
	revive(cache);
	gh_test_fill(test, test->priv, &p[1], 1, SIZE);
	gh_test_free_each(p, NR);
}

/* ---- the end of a heap --------------------------------------------------- */

static struct goheap *heap_to_destroy(struct kunit *test)
{
	struct goheap *heap = goheap_create("kunit-end", &(struct goheap_params){});

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	return heap;
}

/* For how many grace periods it waited. */
static int destroy(struct goheap *heap)
{
	int before = atomic_read(&gh_test_waits);

	goheap_destroy(heap);
	return atomic_read(&gh_test_waits) - before;
}

static void test_goheap_destroy_idle_heap_waits_for_nobody(struct kunit *test)
{
	struct goheap *heap = heap_to_destroy(test);
	void *p;

	KUNIT_EXPECT_EQ(test, destroy(heap), 0);
	heap = heap_to_destroy(test);
	p = goheap_heap_alloc(heap, SIZE, GFP_KERNEL, 0);
	goheap_free_rcu(p);
	gh_limbo_flush(heap);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
	KUNIT_EXPECT_EQ(test, destroy(heap), 0);
}

/* Spans in a cache, in its inbox, parked, on a central list and in limbo. */
static void fill_everywhere(struct kunit *test, struct goheap *heap)
{
	void *p[6];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = gh_test_alloc(test, heap, i < 4 ? SIZE << i : LARGE);
	goheap_free(p[0]);
	gh_test_free_nested(heap, p[1]);
	set_cookies(&p[2], 1, FOR_EVER);
	goheap_free_rcu(p[2]);
	goheap_free_rcu(p[3]);
	goheap_free(p[4]);
	set_cookies(&p[5], 1, FOR_EVER);
	goheap_free_rcu(p[5]);
}

static void test_goheap_destroy_waits_for_one_grace_period(struct kunit *test)
{
	struct goheap *heap = heap_to_destroy(test);

	fill_everywhere(test, heap);
	KUNIT_EXPECT_GE(test, atomic_long_read(&heap->limbo), 2L);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	KUNIT_EXPECT_EQ(test, destroy(heap), 1);
}

struct reader {
	struct work_struct work;
	struct completion reading;
	const u8 *p;
	bool stop;
	bool kept;
};

static void read(struct work_struct *work)
{
	struct reader *r = container_of(work, struct reader, work);

	rcu_read_lock();
	complete(&r->reading);
	while (!READ_ONCE(r->stop))
		cpu_relax();
	r->kept = !memchr_inv(r->p, 0x77, SIZE);
	rcu_read_unlock();
}

struct end {
	struct work_struct work;
	struct completion over;
	struct goheap *heap;
};

static void end(struct work_struct *work)
{
	struct end *e = container_of(work, struct end, work);

	goheap_destroy(e->heap);
	complete(&e->over);
}

/* Of what was freed by goheap_free_rcu(), while nobody frees or allocates any more. */
static void test_goheap_destroy_waits_for_readers(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct end e = { .heap = heap_to_destroy(test) };
	struct reader r = { .p = goheap_heap_alloc(e.heap, SIZE, GFP_KERNEL, 0) };

	KUNIT_ASSERT_NOT_NULL(test, r.p);
	memset((void *)r.p, 0x77, SIZE);
	init_completion(&r.reading);
	init_completion(&e.over);
	INIT_WORK_ONSTACK(&r.work, read);
	INIT_WORK_ONSTACK(&e.work, end);
	schedule_work_on(cpu, &r.work);
	wait_for_completion(&r.reading);
	goheap_free_rcu(r.p);
	queue_work(system_unbound_wq, &e.work);
	KUNIT_EXPECT_EQ_MSG(test, wait_for_completion_timeout(&e.over, HZ / 10), 0UL,
			    "there is a reader");
	WRITE_ONCE(r.stop, true);
	wait_for_completion(&e.over);
	flush_work(&r.work);
	flush_work(&e.work);
	destroy_work_on_stack(&r.work);
	destroy_work_on_stack(&e.work);
	KUNIT_EXPECT_TRUE_MSG(test, r.kept, "a reader's object was written to");
}

static struct kunit_case cache_cases[] = {
	KUNIT_CASE(test_gh_cache_refill_merges_oldest_arrival),
	KUNIT_CASE(test_gh_cache_drain_merges_all),
	KUNIT_CASE(test_goheap_free_arrives_from_other_cpu),
	KUNIT_CASE(test_gh_cache_install_keeps_what_was_missed),
	KUNIT_CASE(test_gh_cache_install_without_miss),
	KUNIT_CASE(test_gh_cache_install_extra_is_bounded),
	KUNIT_CASE(test_gh_cache_flush_forgets_misses),
	KUNIT_CASE(test_gh_cache_work_relaxes_by_halves),
	KUNIT_CASE(test_gh_heap_count_large_parked),
	KUNIT_CASE(test_gh_heap_count_large_other_cpu),
	KUNIT_CASE(test_gh_heap_count_large_nested),
	KUNIT_CASE(test_gh_heap_count_large_rcu),
	KUNIT_CASE(test_gh_cache_owned_has_all_spans),
	KUNIT_CASE(test_gh_map_span_at_skips_others_unseen),
	KUNIT_CASE(test_gh_cache_filled_until_flushed),
	KUNIT_CASE(test_gh_heap_abandon_waits_for_no_token_in_limbo),
	KUNIT_CASE(test_gh_heap_abandon_merges_inbox),
	KUNIT_CASE(test_gh_remote_deliver_to_closed_inbox_looks_again),
	KUNIT_CASE(test_goheap_destroy_idle_heap_waits_for_nobody),
	KUNIT_CASE(test_goheap_destroy_waits_for_one_grace_period),
	KUNIT_CASE(test_goheap_destroy_waits_for_readers),
	{}
};

static struct kunit_suite cache_suite = {
	.name = "goheap_cache",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = cache_cases,
};

kunit_test_suite(cache_suite);
