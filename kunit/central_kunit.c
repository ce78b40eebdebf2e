// SPDX-License-Identifier: GPL-2.0
/*
 * Central lists, with spans of a private heap whose caches nobody uses.
 */

#include <linux/rcupdate.h>

#include "lib_model.h"
#include "testlib.h"

#define SC		(10 * 2)	/* 128 bytes, 64 objects */
#define OBJECTS		64

static const struct goheap_params leak_ok = { .flags = GOHEAP_LEAK_OK };

static int init(struct kunit *test)
{
	int err = gh_test_init(test);

	if (err)
		return err;
	test->priv = gh_test_heap(test, "kunit-central", &leak_ok);
	return gh_central_make(test->priv, SC, GFP_KERNEL) ? 0 : -ENOMEM;
}

static struct gh_central *central_of(struct kunit *test)
{
	struct goheap *heap = test->priv;

	return gh_central_of(heap, numa_mem_id(), SC);
}

/* A span with so many live objects; the token is held. */
static struct gh_span *new_span(struct kunit *test, unsigned int live)
{
	struct gh_span *s = gh_spans_new_small(test->priv, SC, GFP_KERNEL, NUMA_NO_NODE, NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(s));
	while (live--)
		gh_test_take(s);
	return s;
}

static struct gh_span *fetch(struct kunit *test)
{
	struct goheap *heap = test->priv;
	struct gh_cache *cache;
	struct gh_span *s = NULL;

	preempt_disable();
	cache = gh_test_cache(heap);
	if (gh_section_enter(cache)) {
		s = gh_central_fetch(cache->heap, cache, SC, numa_mem_id());
		gh_section_exit(cache);
	}
	preempt_enable();
	return s;
}

/* Take the token of a span that nobody else frees into, and give the span away. */
static bool put(struct gh_span *s)
{
	bool done;

	preempt_disable();
	atomic_set(&s->claimed, 1);
	done = gh_central_put(s);
	preempt_enable();
	return done;
}

static void free_remotely(struct gh_span *s, unsigned int idx)
{
	atomic_long_or(BIT(idx % BITS_PER_LONG), &s->words[idx / BITS_PER_LONG].remote);
}

static void check(struct kunit *test, unsigned int nr_spans)
{
	KUNIT_EXPECT_NULL(test, gh_central_validate(central_of(test)));
	KUNIT_EXPECT_EQ(test, central_of(test)->nr_spans, nr_spans);
}

static void test_gh_central_fetch_from_nothing(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, fetch(test), NULL);
	check(test, 0);
}

static void test_gh_central_fetch_fullest_first(struct kunit *test)
{
	static const unsigned int live[] = { 20, 60, OBJECTS, 4, 40 };
	static const unsigned int order[] = { 60, 40, 20, 4 };
	struct gh_span *s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(live); i++)
		KUNIT_EXPECT_TRUE(test, put(new_span(test, live[i])));
	check(test, ARRAY_SIZE(live));
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		s = fetch(test);
		KUNIT_ASSERT_NOT_NULL(test, s);
		KUNIT_EXPECT_EQ(test, gh_span_nfree(s), OBJECTS - order[i]);
		KUNIT_EXPECT_PTR_EQ(test, s->owner, gh_test_cache(test->priv));
	}
	KUNIT_EXPECT_PTR_EQ_MSG(test, fetch(test), NULL, "a full span was handed out");
	check(test, 1);
}

static void test_gh_central_put_every_bucket(struct kunit *test)
{
	struct gh_span *s;
	unsigned int live;

	for (live = 1; live <= OBJECTS; live++) {
		s = new_span(test, live);
		KUNIT_EXPECT_TRUE(test, put(s));
		KUNIT_EXPECT_EQ_MSG(test, s->bucket, (OBJECTS - live + 15) / 16 ?
				    (OBJECTS - live + 15) / 16 - 1 : GH_BUCKET_FULL,
				    "%u live objects", live);
		KUNIT_EXPECT_FALSE_MSG(test, list_empty(&central_of(test)->lists[s->bucket]),
				       "%u live objects", live);
		KUNIT_EXPECT_EQ(test, atomic_read(&s->claimed), 0);
		check(test, 1);
		gh_central_remove(s);
		atomic_set(&s->claimed, 1);
		gh_spans_free(s);
	}
	check(test, 0);
}

static void test_gh_central_put_empty_span(struct kunit *test)
{
	struct gh_span *s = new_span(test, 0);

	KUNIT_EXPECT_FALSE(test, put(s));
	KUNIT_EXPECT_PTR_EQ(test, s->owner, NULL);
	KUNIT_EXPECT_EQ_MSG(test, atomic_read(&s->claimed), 1, "the token is the caller's");
	check(test, 0);
	gh_spans_free(s);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), 0L);
}

static void test_gh_central_put_merges(struct kunit *test)
{
	struct gh_span *s = new_span(test, 40);

	free_remotely(s, 3);
	free_remotely(s, 39);
	KUNIT_EXPECT_TRUE(test, put(s));
	KUNIT_EXPECT_EQ(test, gh_span_nfree(s), OBJECTS - 38);
	KUNIT_EXPECT_FALSE(test, gh_span_has_remote(s));
	check(test, 1);
}

static void test_gh_central_put_turns_out_empty(struct kunit *test)
{
	struct gh_span *s = new_span(test, 2);

	free_remotely(s, 0);
	free_remotely(s, 1);
	KUNIT_EXPECT_FALSE(test, put(s));
	check(test, 0);
	gh_spans_free(s);
}

static void test_gh_central_put_rcu_pending(struct kunit *test)
{
	struct gh_span *s = new_span(test, 1);
	bool taken;

	rcu_read_lock();
	gh_span_rcu_mark(s);
	free_remotely(s, 0);
	taken = put(s);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, taken);
	/* It comes back from limbo by itself, is found empty, and goes. */
	gh_test_flush_limbo();
	check(test, 0);
	KUNIT_EXPECT_EQ(test, gh_test_pages(test->priv), 0L);
}

static int merge(struct gh_span *s)
{
	int ret;

	preempt_disable();
	ret = gh_span_claim(s) ? gh_central_merge(s) : -EBUSY;
	preempt_enable();
	return ret;
}

static void test_gh_central_merge_moves_span(struct kunit *test)
{
	struct gh_span *s = new_span(test, OBJECTS);
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, put(s));
	KUNIT_EXPECT_EQ(test, s->bucket, GH_BUCKET_FULL);
	for (i = 0; i < OBJECTS - 1; i++) {
		free_remotely(s, i);
		KUNIT_EXPECT_EQ(test, merge(s), 0);
		KUNIT_EXPECT_EQ(test, s->bucket, i / 16);
		check(test, 1);
	}
}

static void test_gh_central_merge_last_object(struct kunit *test)
{
	struct gh_span *s = new_span(test, 1);

	KUNIT_EXPECT_TRUE(test, put(s));
	free_remotely(s, 0);
	KUNIT_EXPECT_EQ(test, merge(s), 0);
	check(test, 0);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(test->priv), 0L, "an empty span stays");
}

static void test_gh_central_merge_owned(struct kunit *test)
{
	struct gh_span *s = new_span(test, 5);

	KUNIT_EXPECT_TRUE(test, put(s));
	KUNIT_ASSERT_PTR_EQ(test, fetch(test), s);
	free_remotely(s, 0);
	KUNIT_EXPECT_EQ(test, merge(s), -EXDEV);
	KUNIT_EXPECT_EQ_MSG(test, atomic_read(&s->claimed), 1, "the token is the caller's");
	KUNIT_EXPECT_TRUE_MSG(test, gh_span_has_remote(s), "only the owner may merge");
	check(test, 0);
}

static void *alloc(struct kunit *test, bool *fresh)
{
	void *p;

	preempt_disable();
	p = gh_central_alloc(test->priv, SC, numa_mem_id(), fresh);
	preempt_enable();
	return p;
}

static void test_gh_central_alloc_fullest_first(struct kunit *test)
{
	struct gh_span *fuller = new_span(test, 60), *emptier = new_span(test, 10);
	unsigned int i;
	bool fresh;

	KUNIT_EXPECT_PTR_EQ(test, alloc(test, &fresh), NULL);
	KUNIT_EXPECT_TRUE(test, put(fuller));
	KUNIT_EXPECT_TRUE(test, put(emptier));
	for (i = 60; i < OBJECTS; i++)
		KUNIT_EXPECT_PTR_EQ(test, alloc(test, &fresh), gh_span_object(fuller, i));
	KUNIT_EXPECT_EQ(test, fuller->bucket, GH_BUCKET_FULL);
	for (i = 10; i < OBJECTS; i++)
		KUNIT_EXPECT_PTR_EQ(test, alloc(test, &fresh), gh_span_object(emptier, i));
	KUNIT_EXPECT_PTR_EQ(test, alloc(test, &fresh), NULL);
	check(test, 2);
}

static void *add(struct gh_span *s, bool *fresh)
{
	void *p;

	preempt_disable();
	p = gh_central_add(s, fresh);
	preempt_enable();
	return p;
}

static void test_gh_central_add_new_span(struct kunit *test)
{
	struct gh_span *s = new_span(test, 0);
	bool was_fresh = s->flags & GH_F_FRESH, fresh = !was_fresh;

	KUNIT_EXPECT_PTR_EQ(test, add(s, &fresh), (void *)s->base);
	KUNIT_EXPECT_EQ(test, fresh, was_fresh);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->claimed), 0);
	KUNIT_EXPECT_EQ(test, gh_span_nfree(s), OBJECTS - 1);
	check(test, 1);
}

/* More than are looked at under one hold of the lock, and all in the order they were in. */
static void test_gh_central_validate_many(struct kunit *test)
{
	struct gh_central *central = central_of(test);
	struct gh_span *first, *last, *s;
	unsigned int i, nr = 0;

	for (i = 0; i < 200; i++) {
		s = new_span(test, 1);
		KUNIT_ASSERT_TRUE(test, put(s));
	}
	first = list_first_entry(&central->lists[s->bucket], struct gh_span, list);
	last = list_last_entry(&central->lists[s->bucket], struct gh_span, list);
	check(test, 200);
	s = list_first_entry(&central->lists[s->bucket], struct gh_span, list);
	KUNIT_EXPECT_PTR_EQ(test, s, first);
	s = list_last_entry(&central->lists[s->bucket], struct gh_span, list);
	KUNIT_EXPECT_PTR_EQ(test, s, last);
	/* Far behind the first few. */
	list_for_each_entry(s, &central->lists[first->bucket], list)
		if (++nr == 150)
			break;
	s->flags |= GH_F_LARGE;
	KUNIT_EXPECT_NOT_NULL(test, gh_central_validate(central));
	s->flags &= ~GH_F_LARGE;
	check(test, 200);
}

static void test_gh_central_validate_finds_damage(struct kunit *test)
{
	struct gh_central *central = central_of(test);
	struct gh_span *s = new_span(test, 30);

	KUNIT_EXPECT_TRUE(test, put(s));
	KUNIT_ASSERT_NULL(test, gh_central_validate(central));
	central->nr_spans++;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_central_validate(central), "count");
	central->nr_spans--;
	s->owner = gh_test_cache(test->priv);
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_central_validate(central), "owner");
	s->owner = NULL;
	s->bucket++;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_central_validate(central), "bucket");
	s->bucket--;
	s->words[0].free = 1;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_central_validate(central), "occupancy");
	s->words[0].free = ~0UL << 30;
	KUNIT_EXPECT_NULL(test, gh_central_validate(central));
}

/* ---- a random walk ------------------------------------------------------- */

#define SPANS	12

struct model {
	struct gh_span *span[SPANS];	/* NULL: not there */
	bool owned[SPANS];		/* by us, otherwise listed */
	struct gh_test_walk walk;
};

static unsigned int model_listed(const struct model *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < SPANS; i++)
		n += m->span[i] && !m->owned[i];
	return n;
}

/* How many quarters of the span are free, rounded up; 0 if it is full. */
static unsigned int quarters(const struct gh_span *s)
{
	return DIV_ROUND_UP(gh_span_nfree(s), OBJECTS / 4);
}

static void do_put(struct model *m, unsigned int i)
{
	bool empty = gh_span_is_empty(m->span[i]);

	m->walk.errors += put(m->span[i]) == empty;
	m->owned[i] = false;
	if (!empty)
		return;
	gh_spans_free(m->span[i]);
	m->span[i] = NULL;
}

static void do_fetch(struct kunit *test, struct model *m)
{
	unsigned int i, found = SPANS, best = 5;
	struct gh_span *s = fetch(test);

	for (i = 0; i < SPANS; i++) {
		if (m->span[i] && m->span[i] == s)
			found = i;
		if (m->span[i] && !m->owned[i] && quarters(m->span[i]))
			best = min(best, quarters(m->span[i]));
	}
	if (!s) {
		m->walk.errors += best != 5;
		return;
	}
	KUNIT_ASSERT_LT(test, found, SPANS);
	m->walk.errors += m->owned[found] || quarters(s) != best;
	m->owned[found] = true;
}

/* Some live object of a listed span is freed by somebody who does not own it. */
static void do_remote_free(struct model *m, unsigned int i)
{
	struct gh_span *s = m->span[i];
	unsigned int idx = gh_test_below(&m->walk.rnd, OBJECTS);
	bool last = gh_span_nfree(s) == OBJECTS - 1;

	if (!gh_span_is_live(s, idx))
		return;
	preempt_disable();
	gh_remote_free(s, idx, s->life);
	preempt_enable();
	if (last)
		m->span[i] = NULL;
}

static void do_own(struct model *m, unsigned int i)
{
	struct gh_span *s = m->span[i];

	if (gh_test_below(&m->walk.rnd, 2) && gh_span_nfree(s))
		gh_test_take(s);
	else
		gh_span_give(s, gh_test_below(&m->walk.rnd, OBJECTS));
}

static bool step_change(struct gh_test_walk *w)
{
	struct model *m = w->priv;
	unsigned int i = gh_test_below(&w->rnd, SPANS);

	if (!m->span[i]) {
		m->span[i] = new_span(w->test, gh_test_below(&w->rnd, OBJECTS + 1));
		m->owned[i] = true;
	} else if (!m->owned[i]) {
		do_remote_free(m, i);
	} else if (gh_test_below(&w->rnd, 4)) {
		do_own(m, i);
	} else {
		do_put(m, i);
	}
	return true;
}

static bool step_fetch(struct gh_test_walk *w)
{
	do_fetch(w->test, w->priv);
	return true;
}

static const struct gh_test_op central_ops[] = {
	{ 8, step_change },
	{ 1, step_fetch },
	{}
};

static void check_list(struct gh_test_walk *w)
{
	struct gh_central *central = central_of(w->test);

	w->errors += !!gh_central_validate(central);
	w->errors += central->nr_spans != model_listed(w->priv);
}

static void test_gh_central_random(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->walk = (struct gh_test_walk){
		.test = test, .priv = m, .ops = central_ops, .check = check_list,
		.seed = 4711, .rounds = GH_TEST_ROUNDS(22500),
	};
	gh_test_walk(&m->walk);
	/* What is still ours has no owner that destroying the heap would know. */
	for (i = 0; i < SPANS; i++)
		if (m->span[i] && m->owned[i])
			m->span[i]->owner = gh_test_cache(test->priv);
}

static struct kunit_case central_cases[] = {
	KUNIT_CASE(test_gh_central_fetch_from_nothing),
	KUNIT_CASE(test_gh_central_fetch_fullest_first),
	KUNIT_CASE(test_gh_central_put_every_bucket),
	KUNIT_CASE(test_gh_central_put_empty_span),
	KUNIT_CASE(test_gh_central_put_merges),
	KUNIT_CASE(test_gh_central_put_turns_out_empty),
	KUNIT_CASE(test_gh_central_put_rcu_pending),
	KUNIT_CASE(test_gh_central_merge_moves_span),
	KUNIT_CASE(test_gh_central_merge_last_object),
	KUNIT_CASE(test_gh_central_merge_owned),
	KUNIT_CASE(test_gh_central_alloc_fullest_first),
	KUNIT_CASE(test_gh_central_add_new_span),
	KUNIT_CASE(test_gh_central_validate_many),
	KUNIT_CASE(test_gh_central_validate_finds_damage),
	KUNIT_CASE(test_gh_central_random),
	{}
};

static struct kunit_suite central_suite = {
	.name = "goheap_central",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = central_cases,
};

kunit_test_suite(central_suite);
