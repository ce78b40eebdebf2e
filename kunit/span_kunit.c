// SPDX-License-Identifier: GPL-2.0
/*
 * Bookkeeping inside one span, against a byte per object. The spans have no pages
 * and are in no map: span.c never looks at an object, unless it clears it.
 */

#include <linux/rcupdate.h>

#include "lib_model.h"
#include "testlib.h"

#define MAX_OBJECTS	1024

/* A descriptor as gh_arena_alloc() would hand it out. */
static struct gh_span *new_desc(struct kunit *test, unsigned int sc)
{
	const struct gh_class *class = &gh_classes[gh_sc_class(sc)];
	struct gh_span *s;

	s = kunit_kzalloc(test, gh_span_desc_bytes(gh_test_kind(sc)), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s);
	s->kind = gh_test_kind(sc);
	s->npages = class->span_bytes >> GH_PAGE_SHIFT;
	s->needzero = true;
	/* Objects are cleared when a late free is merged, so there have to be some. */
	s->base = (unsigned long)kunit_kzalloc(test, class->span_bytes, GFP_KERNEL);
	KUNIT_ASSERT_NE(test, s->base, 0UL);
	gh_span_init_free(s);
	s->state = GH_SPAN_SMALL;
	return s;
}

static struct gh_span *new_span(struct kunit *test, unsigned int sc)
{
	struct gh_span *s = new_desc(test, sc);

	gh_test_init_small(s, gh_default, sc);
	return s;
}

/* Span class with 8, 64, 170, 341 and 1024 objects: every kind, and part of a word. */
static const unsigned int some_classes[] = { 32 * 2, 10 * 2, 5 * 2, 3 * 2 + 1, 1 * 2 };

static void set_remote(struct gh_span *s, unsigned int idx)
{
	atomic_long_or(BIT(idx % BITS_PER_LONG), &s->words[idx / BITS_PER_LONG].remote);
}

/* ---- init ---------------------------------------------------------------- */

static void check_new(struct kunit *test, unsigned int sc)
{
	const struct gh_class *class = &gh_classes[gh_sc_class(sc)];
	struct gh_span *s = new_span(test, sc);

	KUNIT_EXPECT_NULL_MSG(test, gh_block_validate(s), "span class %u", sc);
	KUNIT_EXPECT_EQ_MSG(test, gh_span_nfree(s), class->objects, "span class %u", sc);
	KUNIT_EXPECT_EQ_MSG(test, s->limit, class->objects * class->size, "span class %u", sc);
	KUNIT_EXPECT_EQ(test, s->elemsize, class->size);
	KUNIT_EXPECT_EQ(test, s->spanclass, sc);
	KUNIT_EXPECT_TRUE(test, gh_span_is_empty(s));
	KUNIT_EXPECT_FALSE(test, gh_span_has_remote(s));
	KUNIT_EXPECT_FALSE(test, gh_span_rcu_pending(s));
	KUNIT_EXPECT_EQ(test, !!(s->flags & GH_F_TINY), sc == GH_SC_TINY);
	KUNIT_EXPECT_TRUE(test, s->needzero);
	kunit_kfree(test, (void *)s->base);
	kunit_kfree(test, s);
}

static void test_gh_span_init_small_every_class(struct kunit *test)
{
	unsigned int sc;

	for (sc = 2; sc <= GH_SC_TINY; sc++)
		check_new(test, sc);
}

static void test_gh_span_init_small_fresh(struct kunit *test)
{
	struct gh_span *s = new_desc(test, some_classes[0]);

	s->needzero = false;
	gh_test_init_small(s, gh_default, some_classes[0]);
	KUNIT_EXPECT_TRUE(test, s->flags & GH_F_FRESH);
	/* From now on the pages are somebody's. */
	KUNIT_EXPECT_TRUE(test, s->needzero);
	gh_test_init_small(s, gh_default, some_classes[0]);
	KUNIT_EXPECT_FALSE(test, s->flags & GH_F_FRESH);
}

static void test_gh_span_init_large_is_live(struct kunit *test)
{
	struct gh_span *s = new_desc(test, some_classes[0]);
	struct gh_span_counts counts;

	gh_span_init_large(s, gh_default, 5000, true);
	gh_span_count(s, &counts);
	KUNIT_EXPECT_EQ(test, counts.live, 1U);
	KUNIT_EXPECT_EQ(test, counts.free + counts.pending, 0U);
	KUNIT_EXPECT_TRUE(test, gh_span_is_live(s, 0));
	KUNIT_EXPECT_EQ(test, gh_span_object_bytes(s), 5000UL);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(s->spanclass));
}

static void test_gh_span_init_free_matches_no_address(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[1]);

	gh_span_init_free(s);
	KUNIT_EXPECT_EQ(test, s->limit, 0U);
	KUNIT_EXPECT_EQ(test, s->state, GH_SPAN_FREE);
	KUNIT_EXPECT_FALSE(test, gh_span_claim(s));
}

static void test_gh_span_kind_has_room(struct kunit *test)
{
	static const unsigned int room[GH_NR_KINDS] = { 64, 320, 576, 1024, 512 };
	unsigned int sc;

	for (sc = 2; sc <= GH_SC_TINY; sc++)
		KUNIT_EXPECT_LE_MSG(test, gh_classes[gh_sc_class(sc)].objects,
				    room[gh_test_kind(sc)], "span class %u", sc);
	KUNIT_EXPECT_EQ(test, gh_test_kind(GH_SC_LARGE), GH_KIND_1);
	KUNIT_EXPECT_EQ(test, gh_test_kind(GH_SC_TINY), GH_KIND_TINY);
}

/* ---- take, give, merge: a random walk ------------------------------------ */

enum { FREE, LIVE, PENDING };

struct model {
	struct gh_span *s;
	u8 state[MAX_OBJECTS];
	struct gh_test_walk walk;
};

static unsigned int model_count(const struct model *m, u8 what)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->s->nelems; i++)
		n += m->state[i] == what;
	return n;
}

static int model_first_free(const struct model *m)
{
	unsigned int i;

	for (i = 0; i < m->s->nelems; i++)
		if (m->state[i] == FREE)
			return i;
	return -1;
}

static unsigned int any_object(struct model *m)
{
	return gh_test_below(&m->walk.rnd, m->s->nelems);
}

static bool step_take(struct gh_test_walk *w)
{
	struct model *m = w->priv;
	int first = model_first_free(m);

	if (first < 0) {
		w->errors += !!gh_span_free_word(m->s);
		return true;
	}
	w->errors += gh_test_take(m->s) != first;
	m->state[first] = LIVE;
	return true;
}

static bool step_give(struct gh_test_walk *w)
{
	struct model *m = w->priv;
	unsigned int idx = any_object(m);
	bool given = gh_span_give(m->s, idx);

	w->errors += given != (m->state[idx] == LIVE);
	if (given)
		m->state[idx] = FREE;
	return true;
}

static bool step_remote(struct gh_test_walk *w)
{
	struct model *m = w->priv;
	unsigned int idx = any_object(m);

	if (m->state[idx] == LIVE) {
		set_remote(m->s, idx);
		m->state[idx] = PENDING;
	}
	return true;
}

static bool step_merge(struct gh_test_walk *w)
{
	struct model *m = w->priv;
	unsigned int i;

	w->errors += gh_span_merge(m->s) != model_count(m, PENDING);
	for (i = 0; i < m->s->nelems; i++)
		if (m->state[i] == PENDING)
			m->state[i] = FREE;
	return true;
}

static const struct gh_test_op span_ops[] = {
	{ 4, step_take },
	{ 2, step_give },
	{ 1, step_remote },
	{ 1, step_merge },
	{}
};

static void compare(struct model *m)
{
	struct gh_span_counts counts;
	unsigned int i;

	gh_span_count(m->s, &counts);
	m->walk.errors += counts.live != model_count(m, LIVE);
	m->walk.errors += counts.free != model_count(m, FREE);
	m->walk.errors += counts.pending != model_count(m, PENDING);
	m->walk.errors += gh_span_nfree(m->s) != counts.free;
	m->walk.errors += gh_span_has_remote(m->s) != !!counts.pending;
	m->walk.errors += gh_span_is_empty(m->s) != (counts.free == m->s->nelems);
	for (i = 0; i < m->s->nelems; i++)
		m->walk.errors += gh_span_is_live(m->s, i) != (m->state[i] == LIVE);
	m->walk.errors += !!gh_block_validate(m->s);
}

static void compare_sometimes(struct gh_test_walk *w)
{
	if (w->step % 64 == 0 || w->step == w->rounds - 1)
		compare(w->priv);
}

static void random_walk(struct kunit *test, struct model *m, unsigned int sc)
{
	memset(m, 0, sizeof(*m));
	m->s = new_span(test, sc);
	m->s->flags |= GH_F_LISTED;
	m->walk = (struct gh_test_walk){
		.test = test, .priv = m, .ops = span_ops, .check = compare_sometimes,
		.seed = sc, .rounds = GH_TEST_ROUNDS(8000),
	};
	gh_test_walk(&m->walk);
}

static void test_gh_span_take_give_merge_random(struct kunit *test)
{
	struct model *m = kunit_kmalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	for (i = 0; i < ARRAY_SIZE(some_classes); i++)
		random_walk(test, m, some_classes[i]);
}

static void test_gh_span_take_until_full(struct kunit *test)
{
	struct gh_span *s = new_span(test, 3 * 2);
	unsigned int i, wrong = 0;

	for (i = 0; i < s->nelems; i++)
		wrong += gh_test_take(s) != i;
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_PTR_EQ(test, gh_span_free_word(s), NULL);
	KUNIT_EXPECT_EQ(test, gh_span_nfree(s), 0);
}

static void test_gh_span_give_refuses_what_is_free(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[2]);

	s->flags |= GH_F_LISTED;
	KUNIT_EXPECT_FALSE_MSG(test, gh_span_give(s, 7), "never allocated");
	gh_test_take(s);
	set_remote(s, 0);
	KUNIT_EXPECT_FALSE_MSG(test, gh_span_give(s, 0), "freed remotely");
	gh_span_merge(s);
	KUNIT_EXPECT_FALSE_MSG(test, gh_span_give(s, 0), "freed and merged");
	gh_test_take(s);
	KUNIT_EXPECT_TRUE_MSG(test, gh_span_give(s, 0), "live");
}

static void test_gh_span_use_fresh_once_a_word(struct kunit *test)
{
	const unsigned int sc = gh_size_class(64) * 2;
	struct gh_span *s = new_desc(test, sc);

	s->needzero = false;
	gh_test_init_small(s, gh_default, sc);
	KUNIT_ASSERT_EQ(test, gh_span_nwords(s), 2U);
	KUNIT_EXPECT_TRUE(test, gh_span_use_fresh(s, 0));
	KUNIT_EXPECT_FALSE_MSG(test, gh_span_use_fresh(s, 0), "handed out before");
	KUNIT_EXPECT_TRUE(test, gh_span_use_fresh(s, 1));
	KUNIT_EXPECT_FALSE(test, gh_span_use_fresh(s, 0));
	KUNIT_EXPECT_FALSE(test, gh_span_use_fresh(s, 1));
	KUNIT_EXPECT_FALSE_MSG(test, s->flags & GH_F_FRESH, "nothing is left to ask for");
}

static void test_gh_span_use_fresh_dirty_pages(struct kunit *test)
{
	const unsigned int sc = gh_size_class(64) * 2;
	struct gh_span *s = new_desc(test, sc);

	s->needzero = true;
	gh_test_init_small(s, gh_default, sc);
	KUNIT_EXPECT_FALSE(test, gh_span_use_fresh(s, 0));
	KUNIT_EXPECT_FALSE(test, gh_span_use_fresh(s, 1));
}

static void test_gh_span_take_fresh(struct kunit *test)
{
	const unsigned int sc = gh_size_class(64) * 2;
	struct gh_span *s = new_desc(test, sc);
	unsigned int i, idx, given = 0;
	bool fresh;

	s->needzero = false;
	gh_test_init_small(s, gh_default, sc);
	for (i = 0; i < s->nelems; i++) {
		idx = gh_span_take(s, 0, &fresh);
		given += fresh;
		KUNIT_EXPECT_TRUE(test, gh_span_give(s, idx));
		KUNIT_EXPECT_EQ_MSG(test, gh_span_take(s, 0, &fresh), idx, "lowest first");
		KUNIT_EXPECT_FALSE_MSG(test, fresh, "object %u was used", idx);
	}
	KUNIT_EXPECT_EQ_MSG(test, given, 2U, "the first object of each word");
}

/* ---- validate ------------------------------------------------------------ */

static void test_gh_span_validate_finds_bits_beyond(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[2]);	/* 170 objects */
	struct gh_word *last = &s->words[gh_span_nwords(s) - 1];

	KUNIT_ASSERT_NULL(test, gh_span_validate(s));
	last->free |= BIT(170 % 64);
	KUNIT_EXPECT_NOT_NULL(test, gh_span_validate(s));
	last->free &= ~BIT(170 % 64);
	atomic_long_or(BIT(63), &last->remote);
	KUNIT_EXPECT_NOT_NULL(test, gh_span_validate(s));
	atomic_long_andnot(BIT(63), &last->remote);
	KUNIT_EXPECT_NULL(test, gh_span_validate(s));
}

static void test_gh_span_validate_finds_both_planes(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[3]);

	set_remote(s, 100);
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_span_validate(s), "free, and free once more");
	atomic_long_set(&s->words[1].remote, 0);
	KUNIT_EXPECT_NULL(test, gh_span_validate(s));
}

static void test_gh_span_validate_finds_bad_geometry(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[0]);

	s->state = GH_SPAN_FREE;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_span_validate(s), "a free run");
	s->state = GH_SPAN_SMALL;
	s->limit--;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_span_validate(s), "limit");
	s->limit++;
	s->npages--;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_span_validate(s), "more objects than pages");
	s->npages++;
	s->kind = GH_KIND_1;
	s->nelems = 65;
	s->elemsize = 8;
	s->limit = 65 * 8;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_span_validate(s), "more objects than bits");
}

/* ---- RCU ----------------------------------------------------------------- */

/*
 * A callback may come a moment before the cookie's grace period counts as over: limbo waits
 * for another one then.
 */
static void wait_for_readers(struct gh_span *s)
{
	unsigned int tries;

	for (tries = 0; gh_span_rcu_pending(s) && tries < 100; tries++)
		gh_test_grace_period();
}

static void check_rcu_mark(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[1]);
	bool before, pending;
	int merged;

	set_remote(s, gh_test_take(s));
	rcu_read_lock();
	before = gh_span_rcu_pending(s);
	gh_span_rcu_mark(s);
	pending = gh_span_rcu_pending(s);
	merged = gh_span_merge(s);
	rcu_read_unlock();
	KUNIT_EXPECT_FALSE(test, before);
	KUNIT_EXPECT_TRUE(test, pending);
	KUNIT_EXPECT_EQ(test, merged, -EAGAIN);
	KUNIT_EXPECT_TRUE(test, gh_span_has_remote(s));

	wait_for_readers(s);
	KUNIT_EXPECT_FALSE(test, gh_span_rcu_pending(s));
	KUNIT_EXPECT_EQ(test, gh_span_merge(s), 1);
	KUNIT_EXPECT_TRUE(test, gh_span_is_empty(s));
	/* The merge has told KASAN that the object is free; kunit would free it again. */
	gh_unpoison((void *)s->base, gh_span_bytes(s));
}

static void test_gh_span_rcu_mark_waits_for_readers(struct kunit *test)
{
	check_rcu_mark(test);
}

static void test_gh_span_rcu_mark_while_rcu_is_expedited(struct kunit *test)
{
	gh_rcu_expedite(true);
	check_rcu_mark(test);
	gh_rcu_expedite(false);
}

/* Nobody but limbo asks for a grace period that is not expedited. */
static void test_goheap_free_rcu_comes_back_while_rcu_is_expedited(struct kunit *test)
{
	void *p = goheap_alloc(100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	gh_rcu_expedite(true);
	goheap_free_rcu(p);
	gh_limbo_flush(gh_default);
	gh_rcu_expedite(false);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&gh_default->limbo), 0L);
}

static void test_gh_span_rcu_mark_never_goes_back(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[1]);
	unsigned long later = get_state_synchronize_rcu() + 4096;

	s->rcu_cookie = later;
	gh_span_rcu_mark(s);
	KUNIT_EXPECT_EQ(test, s->rcu_cookie, later);
	s->rcu_cookie = later - 8192;
	gh_span_rcu_mark(s);
	KUNIT_EXPECT_TRUE(test, ULONG_CMP_LT(later - 8192, s->rcu_cookie));
}

static void test_gh_span_rcu_mark_of_former_life_is_gone(struct kunit *test)
{
	struct gh_span *s = new_span(test, some_classes[1]);
	bool before, after;

	rcu_read_lock();
	gh_span_rcu_mark(s);
	before = gh_span_rcu_pending(s);
	gh_test_init_small(s, gh_default, some_classes[1]);
	after = gh_span_rcu_pending(s);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, before);
	KUNIT_EXPECT_FALSE(test, after);
}

static struct kunit_case span_cases[] = {
	KUNIT_CASE(test_gh_span_init_small_every_class),
	KUNIT_CASE(test_gh_span_init_small_fresh),
	KUNIT_CASE(test_gh_span_init_large_is_live),
	KUNIT_CASE(test_gh_span_init_free_matches_no_address),
	KUNIT_CASE(test_gh_span_kind_has_room),
	KUNIT_CASE(test_gh_span_take_give_merge_random),
	KUNIT_CASE(test_gh_span_take_until_full),
	KUNIT_CASE(test_gh_span_give_refuses_what_is_free),
	KUNIT_CASE(test_gh_span_use_fresh_once_a_word),
	KUNIT_CASE(test_gh_span_use_fresh_dirty_pages),
	KUNIT_CASE(test_gh_span_take_fresh),
	KUNIT_CASE(test_gh_span_validate_finds_bits_beyond),
	KUNIT_CASE(test_gh_span_validate_finds_both_planes),
	KUNIT_CASE(test_gh_span_validate_finds_bad_geometry),
	KUNIT_CASE(test_gh_span_rcu_mark_waits_for_readers),
	KUNIT_CASE(test_gh_span_rcu_mark_while_rcu_is_expedited),
	KUNIT_CASE(test_goheap_free_rcu_comes_back_while_rcu_is_expedited),
	KUNIT_CASE(test_gh_span_rcu_mark_never_goes_back),
	KUNIT_CASE(test_gh_span_rcu_mark_of_former_life_is_gone),
	{}
};

static struct kunit_suite span_suite = {
	.name = "goheap_span",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = span_cases,
};

kunit_test_suite(span_suite);
