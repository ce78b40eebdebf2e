// SPDX-License-Identifier: GPL-2.0
/*
 * The page heap. Every case starts with one that holds nothing idle, so that what
 * is carved out of a fresh chunk lies side by side and free runs have known sizes.
 */

#include <linux/topology.h>

#include "lib_model.h"
#include "lib_pages.h"
#include "testlib.h"

/* ---- fit, split, coalesce ------------------------------------------------ */

static void test_gh_arena_alloc_best_fit(struct kunit *test)
{
	/* Runs of 3, 9, 5 and 7 pages between spans of one; the rest is one run. */
	static const unsigned int sizes[] = { 3, 1, 9, 1, 5, 1, 7, 1 };
	static const unsigned int want[] = { 4, 6, 3, 8 };
	static const unsigned int from[] = { 4, 6, 0, 2 };
	struct gh_span *spans[ARRAY_SIZE(sizes)], *got[ARRAY_SIZE(want)];
	unsigned long base[ARRAY_SIZE(sizes)];
	unsigned int i;

	gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
	for (i = 0; i < ARRAY_SIZE(sizes); i += 2) {
		base[i] = spans[i]->base;
		gh_test_free_pages(spans[i]);
	}
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 5UL);
	gh_test_check_pages(test);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		got[i] = gh_test_pages_span(test, want[i], 1);
		KUNIT_EXPECT_EQ_MSG(test, got[i]->base, base[from[i]], "%u pages", want[i]);
		gh_test_check_pages(test);
	}
	for (i = 0; i < ARRAY_SIZE(want); i++)
		gh_test_free_pages(got[i]);
	for (i = 1; i < ARRAY_SIZE(sizes); i += 2)
		gh_test_free_pages(spans[i]);
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 1UL);
	gh_test_check_pages(test);
}

static void test_gh_arena_alloc_lowest_of_equal_runs(struct kunit *test)
{
	static const unsigned int sizes[] = { 4, 1, 4, 1, 4, 1 };
	struct gh_span *spans[ARRAY_SIZE(sizes)], *s;
	unsigned long base;
	unsigned int i;

	gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
	base = spans[0]->base;
	gh_test_free_pages(spans[4]);
	gh_test_free_pages(spans[0]);
	gh_test_free_pages(spans[2]);
	s = gh_test_pages_span(test, 3, 1);
	KUNIT_EXPECT_EQ(test, s->base, base);
	gh_test_free_pages(s);
	for (i = 1; i < ARRAY_SIZE(sizes); i += 2)
		gh_test_free_pages(spans[i]);
	gh_test_check_pages(test);
}

static void test_gh_arena_alloc_splits(struct kunit *test)
{
	struct gh_span *s = gh_test_pages_span(test, 1, 1), *t;
	unsigned long idle = gh_test_here()->idle;

	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 1UL);
	t = gh_test_pages_span(test, 5, 1);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, idle - 5);
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 1UL);
	KUNIT_EXPECT_EQ_MSG(test, t->base, s->base + GH_PAGE_SIZE, "from the front of the rest");
	gh_test_check_pages(test);
	gh_test_free_pages(t);
	gh_test_free_pages(s);
}

/* Free the three in this order: each must become one with its neighbours. */
static void coalesce(struct kunit *test, const unsigned int order[3])
{
	static const unsigned int sizes[] = { 1, 2, 3, 4, 1 };
	struct gh_span *spans[ARRAY_SIZE(sizes)], *run;
	unsigned long base;
	unsigned int i;

	gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
	base = spans[1]->base;
	for (i = 0; i < 3; i++) {
		gh_test_free_pages(spans[order[i]]);
		gh_test_check_pages(test);
	}
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 2UL);
	run = gh_test_span_of((void *)base);
	KUNIT_ASSERT_NOT_NULL(test, run);
	KUNIT_EXPECT_EQ(test, run->base, base);
	KUNIT_EXPECT_EQ(test, run->npages, 9);
	KUNIT_EXPECT_EQ(test, run->state, GH_SPAN_FREE);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of((void *)(base + 9 * GH_PAGE_SIZE - 1)), run);
	gh_test_free_pages(spans[0]);
	gh_test_free_pages(spans[4]);
	KUNIT_EXPECT_EQ(test, gh_test_here()->nr_runs, 1UL);
	gh_test_check_pages(test);
	gh_test_start_idle();
}

static void test_gh_arena_free_coalesces(struct kunit *test)
{
	static const unsigned int orders[][3] = {
		{ 1, 2, 3 }, { 3, 2, 1 }, { 1, 3, 2 }, { 2, 1, 3 }, { 2, 3, 1 }, { 3, 1, 2 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(orders); i++)
		coalesce(test, orders[i]);
}

/* Of three neighbours in use only the given one, if any, holds other than zeroes. */
static bool needs_zeroing(struct kunit *test, unsigned int dirty)
{
	const struct gh_want w = { .npages = 9, .align = 1, .state = GH_SPAN_LARGE };
	static const unsigned int sizes[] = { 1, 2, 3, 4, 1 };
	struct gh_span *spans[ARRAY_SIZE(sizes)], *s;
	bool needzero;
	unsigned int i;

	gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
	for (i = 1; i <= 3; i++)
		spans[i]->needzero = i == dirty;
	gh_test_free_pages(spans[1]);
	gh_test_free_pages(spans[3]);
	gh_test_free_pages(spans[2]);
	s = gh_arena_alloc(&w, GFP_KERNEL, numa_mem_id());
	KUNIT_ASSERT_NOT_NULL(test, s);
	needzero = s->needzero;
	gh_span_init_large(s, gh_default, gh_span_bytes(s), false);
	gh_arena_commit(s);
	gh_test_free_pages(s);
	gh_test_free_pages(spans[0]);
	gh_test_free_pages(spans[4]);
	gh_test_start_idle();
	return needzero;
}

static void test_gh_arena_alloc_needzero(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, needs_zeroing(test, 0));
	KUNIT_EXPECT_TRUE_MSG(test, needs_zeroing(test, 1), "left");
	KUNIT_EXPECT_TRUE_MSG(test, needs_zeroing(test, 2), "middle");
	KUNIT_EXPECT_TRUE_MSG(test, needs_zeroing(test, 3), "right");
}

static void test_gh_arena_alloc_aligned(struct kunit *test)
{
	unsigned int align, most = GH_MAX_SIZE >> GH_PAGE_SHIFT;
	struct gh_span *s, *odd;

	for (align = 2; align <= most; align *= 2) {
		odd = gh_test_pages_span(test, 1, 1);
		s = gh_test_pages_span(test, align, align);
		KUNIT_EXPECT_EQ_MSG(test, s->base & (align * GH_PAGE_SIZE - 1), 0UL,
				    "%u pages", align);
		gh_test_check_pages(test);
		gh_test_free_pages(s);
		s = gh_test_pages_span(test, 1, align);
		KUNIT_EXPECT_EQ_MSG(test, s->base & (align * GH_PAGE_SIZE - 1), 0UL,
				    "1 page, by %u", align);
		gh_test_check_pages(test);
		gh_test_free_pages(s);
		gh_test_free_pages(odd);
		gh_test_check_pages(test);
	}
}

/* More short runs that are not aligned than run_find() wants to look at. */
static void test_gh_arena_alloc_aligned_among_many(struct kunit *test)
{
	static const unsigned int sizes[] = { [0 ... 39] = 3 };
	struct gh_span *spans[ARRAY_SIZE(sizes)], *s;
	unsigned int i;

	gh_test_carve(test, sizes, ARRAY_SIZE(sizes), spans);
	for (i = 0; i < ARRAY_SIZE(sizes); i += 2)
		gh_test_free_pages(spans[i]);
	s = gh_test_pages_span(test, 2, 64);
	KUNIT_EXPECT_EQ(test, s->base & (64 * GH_PAGE_SIZE - 1), 0UL);
	gh_test_check_pages(test);
	gh_test_free_pages(s);
	for (i = 1; i < ARRAY_SIZE(sizes); i += 2)
		gh_test_free_pages(spans[i]);
	gh_test_check_pages(test);
}

#define GRID	4		/* heap pages */

/* Runs of two pages, none of which is aligned to two, all over a chunk. */
static void make_odd_runs(struct kunit *test, struct gh_span **spans)
{
	static const unsigned int sizes[] = { 1, 2, 1 };
	unsigned int i, n = GH_TEST_CHUNK_PAGES / GRID * 3, all[GH_TEST_CHUNK_PAGES / GRID * 3];

	for (i = 0; i < n; i++)
		all[i] = sizes[i % 3];
	gh_test_carve(test, all, n, spans);
	for (i = 1; i < n; i += 3)
		gh_test_free_pages(spans[i]);
}

static void free_rest(struct gh_span **spans)
{
	unsigned int i;

	for (i = 0; i < GH_TEST_CHUNK_PAGES / GRID * 3; i++)
		if (i % 3 != 1)
			gh_test_free_pages(spans[i]);
}

/* The lock is held, and interrupts are off, while they are looked at. */
static void test_gh_arena_alloc_looks_at_few_runs(struct kunit *test)
{
	struct gh_span *spans[GH_TEST_CHUNK_PAGES / GRID * 3], *s;
	struct gh_page_heap *ph = gh_test_here();
	unsigned long before;

	make_odd_runs(test, spans);
	before = ph->looks;
	s = gh_test_pages_span(test, 2, 2);
	KUNIT_EXPECT_LE(test, ph->looks - before, 16UL);
	KUNIT_EXPECT_EQ(test, s->base & (2 * GH_PAGE_SIZE - 1), 0UL);
	gh_test_check_pages(test);
	gh_test_free_pages(s);
	free_rest(spans);
}

/* What was taken from the kernel is what the caller gets, or he would grow for ever. */
static void test_gh_arena_alloc_grows_once_among_odd_runs(struct kunit *test)
{
	struct gh_span *spans[GH_TEST_CHUNK_PAGES / GRID * 3], *s[8];
	struct gh_page_heap *ph = gh_test_here();
	unsigned int order = get_order(2 * GH_PAGE_SIZE), i;
	unsigned long before;

	make_odd_runs(test, spans);
	before = ph->taken;
	WRITE_ONCE(gh_test_max_order, order);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		s[i] = gh_test_pages_span(test, 2, 2);
	WRITE_ONCE(gh_test_max_order, UINT_MAX);
	KUNIT_EXPECT_LE(test, ph->taken - before,
			ARRAY_SIZE(s) * ((PAGE_SIZE << order) >> GH_PAGE_SHIFT));
	gh_test_check_pages(test);
	for (i = 0; i < ARRAY_SIZE(s); i++)
		gh_test_free_pages(s[i]);
	free_rest(spans);
}

/* Of runs that hold no whole page of the kernel, a few at a time. */
static void test_gh_arena_scavenge_looks_at_few_runs(struct kunit *test)
{
	struct gh_span *spans[GH_TEST_CHUNK_PAGES / GRID * 3];
	struct gh_page_heap *ph = gh_test_here();
	unsigned long before;

	make_odd_runs(test, spans);
	before = ph->looks;
	gh_arena_scavenge(ph, ULONG_MAX);
	/* Each is looked at once, whether it is given back or not. */
	KUNIT_EXPECT_LE(test, ph->looks - before, GH_TEST_CHUNK_PAGES / GRID * 2UL);
	gh_test_check_pages(test);
	free_rest(spans);
}

/* ---- validate ------------------------------------------------------------ */

static void test_gh_arena_validate_finds_damage(struct kunit *test)
{
	struct gh_page_heap *ph = gh_test_here();
	struct gh_span *s = gh_test_pages_span(test, 1, 1), *run;

	run = gh_test_span_of((void *)(s->base + GH_PAGE_SIZE));
	KUNIT_ASSERT_NOT_NULL(test, run);
	gh_test_check_pages(test);
	ph->idle++;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_pageheap_validate(ph), "idle pages");
	ph->idle--;
	ph->taken++;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_pageheap_validate(ph), "ledger");
	ph->taken--;
	run->limit = 8;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_pageheap_validate(ph), "addresses match");
	run->limit = 0;
	atomic_set(&run->claimed, 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_pageheap_validate(ph), "token");
	atomic_set(&run->claimed, 1);
	run->npages--;
	KUNIT_EXPECT_NOT_NULL_MSG(test, gh_pageheap_validate(ph), "length");
	run->npages++;
	gh_test_check_pages(test);
	gh_test_free_pages(s);
}

/* ---- a random walk ------------------------------------------------------- */

#define SPANS	48

struct model {
	struct gh_span *span[SPANS];
	unsigned long base[SPANS];
	unsigned int npages[SPANS];
	unsigned long in_use;		/* heap pages before the test */
	struct gh_test_walk walk;
};

static bool overlaps(const struct model *m, unsigned int i, unsigned long base,
		     unsigned int npages)
{
	return m->span[i] && base < m->base[i] + m->npages[i] * GH_PAGE_SIZE &&
	       m->base[i] < base + npages * GH_PAGE_SIZE;
}

static unsigned long model_pages(const struct model *m)
{
	unsigned long n = m->in_use;
	unsigned int i;

	for (i = 0; i < SPANS; i++)
		n += m->span[i] ? m->npages[i] : 0;
	return n;
}

/* A page's first and last word say whose it is. */
static void mark(struct model *m, unsigned int i)
{
	unsigned int page;
	unsigned long *p;

	for (page = 0; page < m->npages[i]; page++) {
		p = (unsigned long *)(m->base[i] + page * GH_PAGE_SIZE);
		p[0] = i;
		p[GH_PAGE_SIZE / sizeof(*p) - 1] = page;
	}
}

static unsigned int marks_lost(const struct model *m, unsigned int i)
{
	unsigned int page, lost = 0;
	unsigned long *p;

	for (page = 0; page < m->npages[i]; page++) {
		p = (unsigned long *)(m->base[i] + page * GH_PAGE_SIZE);
		lost += p[0] != i || p[GH_PAGE_SIZE / sizeof(*p) - 1] != page;
	}
	return lost;
}

static void do_alloc(struct model *m, unsigned int i)
{
	unsigned int align = 1U << gh_test_below(&m->walk.rnd, 5);
	unsigned int most = gh_test_below(&m->walk.rnd, 8) ? 10 : 90;
	unsigned int npages = 1 + gh_test_below(&m->walk.rnd, most);
	struct gh_span *s = gh_test_pages_span(m->walk.test, npages, align);
	unsigned int j;

	for (j = 0; j < SPANS; j++)
		m->walk.errors += overlaps(m, j, s->base, npages);
	m->walk.errors += s->base % (align * GH_PAGE_SIZE) != 0;
	m->span[i] = s;
	m->base[i] = s->base;
	m->npages[i] = npages;
	mark(m, i);
}

static void do_free(struct model *m, unsigned int i)
{
	m->walk.errors += m->span[i]->base != m->base[i] || marks_lost(m, i);
	gh_test_free_pages(m->span[i]);
	m->span[i] = NULL;
}

static bool step_change(struct gh_test_walk *w)
{
	struct model *m = w->priv;
	unsigned int i = gh_test_below(&w->rnd, SPANS);

	if (m->span[i])
		do_free(m, i);
	else
		do_alloc(m, i);
	return true;
}

static bool step_scavenge(struct gh_test_walk *w)
{
	gh_arena_scavenge(gh_test_here(), gh_test_below(&w->rnd, 200));
	return true;
}

static const struct gh_test_op arena_ops[] = {
	{ 63, step_change },
	{ 1, step_scavenge },
	{}
};

static void check_pages(struct gh_test_walk *w)
{
	struct gh_page_heap *ph = gh_test_here();

	w->errors += !!gh_pageheap_validate(ph);
	w->errors += ph->small + ph->large != model_pages(w->priv);
}

static void test_gh_arena_random(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->in_use = gh_test_here()->small + gh_test_here()->large;
	m->walk = (struct gh_test_walk){
		.test = test, .priv = m, .ops = arena_ops, .check = check_pages,
		.seed = 42, .rounds = GH_TEST_ROUNDS(10000),
	};
	gh_test_walk(&m->walk);
	for (i = 0; i < SPANS; i++)
		if (m->span[i])
			do_free(m, i);
	KUNIT_EXPECT_EQ(test, m->walk.errors, 0U);
	gh_test_check_pages(test);
}

static struct kunit_case arena_cases[] = {
	KUNIT_CASE(test_gh_arena_alloc_best_fit),
	KUNIT_CASE(test_gh_arena_alloc_lowest_of_equal_runs),
	KUNIT_CASE(test_gh_arena_alloc_splits),
	KUNIT_CASE(test_gh_arena_free_coalesces),
	KUNIT_CASE(test_gh_arena_alloc_needzero),
	KUNIT_CASE(test_gh_arena_alloc_aligned),
	KUNIT_CASE(test_gh_arena_alloc_aligned_among_many),
	KUNIT_CASE(test_gh_arena_alloc_looks_at_few_runs),
	KUNIT_CASE(test_gh_arena_alloc_grows_once_among_odd_runs),
	KUNIT_CASE(test_gh_arena_scavenge_looks_at_few_runs),
	KUNIT_CASE(test_gh_arena_validate_finds_damage),
	KUNIT_CASE(test_gh_arena_random),
	{}
};

static struct kunit_suite arena_suite = {
	.name = "goheap_arena",
	.init = gh_test_init_idle,
	.exit = gh_test_exit_idle,
	.test_cases = arena_cases,
};

kunit_test_suite(arena_suite);
