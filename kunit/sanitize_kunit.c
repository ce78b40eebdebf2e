// SPDX-License-Identifier: GPL-2.0
/*
 * What KASAN is told about objects: read from its shadow, since a report would be
 * one. That it then reports is KASAN's own business, and that of the judges in
 * selftests/. What lockdep is asked is written down by a hook, likewise: goheap_plant.c
 * has a report of its.
 */

#include <linux/kasan.h>
#include <linux/rcupdate.h>

#include "lib_object.h"
#include "testlib.h"

/* ---- who frees what is in use -------------------------------------------------- */

/* The object that the case looks for, and what the checkers were asked about it. */
static struct {
	struct task_struct *task;
	unsigned long p;
	unsigned int nr;
	unsigned long from;
	size_t bytes;
} asked;

static void note_check(const void *p, size_t bytes)
{
	if (current != asked.task || asked.p - (unsigned long)p >= bytes)
		return;
	asked.nr++;
	asked.from = (unsigned long)p;
	asked.bytes = bytes;
}

static void stop_asking(void *unused)
{
	gh_test_check = NULL;
}

static void start_asking(struct kunit *test)
{
	if (!GH_CHECKS_FREES)
		kunit_skip(test, "needs CONFIG_LOCKDEP");
	asked.task = current;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, stop_asking, NULL), 0);
	gh_test_check = note_check;
}

static void *ask_about(struct kunit *test, void *p)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	asked.p = (unsigned long)p;
	asked.nr = 0;
	return p;
}

/* Once or more, about all of the object that was freed just now. */
static void expect_asked(struct kunit *test, const char *how, size_t size)
{
	KUNIT_EXPECT_NE_MSG(test, asked.nr, 0U, "%s", how);
	KUNIT_EXPECT_EQ_MSG(test, asked.from, asked.p, "%s", how);
	KUNIT_EXPECT_EQ_MSG(test, asked.bytes, size, "%s", how);
}

/* Of a tiny object, of classes with one word and more, and large. */
static void test_gh_check_free_every_way_out(struct kunit *test)
{
	static const size_t checked[] = { 4, 16, 112, 1024, 40960 };
	unsigned int i;
	void *p[2];
	size_t size;

	start_asking(test);
	for (i = 0; i < ARRAY_SIZE(checked); i++) {
		size = checked[i];
		goheap_free(ask_about(test, goheap_alloc_noscan(size, GFP_KERNEL)));
		expect_asked(test, "free", size);
		goheap_free_sized(ask_about(test, goheap_alloc_noscan(size, GFP_KERNEL)), size);
		expect_asked(test, "free_sized", size);
		goheap_heap_free(gh_default,
				 ask_about(test, goheap_alloc_noscan(size, GFP_KERNEL)));
		expect_asked(test, "heap_free", size);
		p[0] = goheap_alloc_noscan(size, GFP_KERNEL);
		p[1] = ask_about(test, goheap_alloc_noscan(size, GFP_KERNEL));
		goheap_free_bulk(2, p);
		expect_asked(test, "free_bulk", size);
		p[0] = ask_about(test, goheap_alloc_noscan(size, GFP_KERNEL));
		p[1] = goheap_realloc(p[0], 4 * size, GFP_KERNEL);
		expect_asked(test, "realloc", size);
		p[0] = ask_about(test, p[1]);
		size = goheap_size(p[0]);
		gh_test_free_nested(gh_default, p[0]);
		expect_asked(test, "free in an interrupt", size);
	}
}

/* Who holds a lock in an object may let go of it after this. */
static void test_gh_check_free_not_rcu(struct kunit *test)
{
	start_asking(test);
	goheap_free_rcu(ask_about(test, goheap_alloc(100, GFP_KERNEL)));
	KUNIT_EXPECT_EQ(test, asked.nr, 0U);
}

static void test_gh_check_free_destroy(struct kunit *test)
{
	struct goheap_params params = { .flags = GOHEAP_LEAK_OK };
	struct goheap *heap;

	start_asking(test);
	heap = goheap_create("kunit_leaky", &params);
	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	ask_about(test, goheap_heap_alloc(heap, 100, GFP_KERNEL, 0));
	goheap_destroy(heap);
	KUNIT_EXPECT_NE(test, asked.nr, 0U);
}

/* ---- KASAN ------------------------------------------------------------------------ */

#if GH_KASAN

#define GRANULE		8
#define FREED		0xfb

static u8 shadow(const void *p)
{
	return *(u8 *)kasan_mem_to_shadow(p);
}

static bool is_open(const void *p)
{
	u8 value = shadow(p);

	return !value || (unsigned long)p % GRANULE < (value < GRANULE ? value : 0);
}

/* How many bytes from @p on may be touched, up to @max. */
static size_t open_bytes(const void *p, size_t max)
{
	size_t n;

	for (n = 0; n < max && is_open(p + n); n++)
		;
	return n;
}

/* Exactly @size bytes of the object are open. */
static void expect_open(struct kunit *test, const void *p, size_t size)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ_MSG(test, open_bytes(p, size + GRANULE), size, "of size %zu", size);
}

static void expect_freed(struct kunit *test, const void *p, size_t size)
{
	KUNIT_EXPECT_EQ_MSG(test, shadow(p), FREED, "the start, of size %zu", size);
	KUNIT_EXPECT_EQ_MSG(test, shadow(p + size - 1), FREED, "the end, of size %zu", size);
}

/* Whose class has room behind them: one of every kind of descriptor, and large. */
static const size_t sizes[] = { 1, 7, 9, 17, 33, 100, 500, 1025, 3000, 20000, 32769, 99999 };

static void test_gh_sanitize_alloc_opens_what_was_asked_for(struct kunit *test)
{
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_alloc(sizes[i], GFP_KERNEL);
		expect_open(test, p, sizes[i]);
		goheap_free(p);
		expect_freed(test, p, sizes[i]);
	}
}

static void test_gh_sanitize_every_way_in(struct kunit *test)
{
	const size_t size = 100;
	void *p[] = {
		goheap_alloc(100, GFP_KERNEL),		/* by its class */
		(goheap_alloc)(size, GFP_KERNEL),
		goheap_zalloc(size, GFP_KERNEL),
		goheap_alloc_noscan(size, GFP_KERNEL),
		goheap_alloc_node(size, GFP_KERNEL | __GFP_THISNODE, numa_mem_id()),
		goheap_alloc_array(10, 10, GFP_KERNEL),
		goheap_calloc(10, 10, GFP_KERNEL),
		goheap_memdup("", 1, GFP_KERNEL),
		goheap_realloc(NULL, size, GFP_KERNEL),
		goheap_heap_alloc(gh_default, size, GFP_KERNEL, GOHEAP_NOSCAN),
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		expect_open(test, p[i], i == 7 ? 1 : size);
		goheap_free(p[i]);
	}
}

/* What an alignment adds is a redzone. */
static void test_gh_sanitize_aligned(struct kunit *test)
{
	gfp_t flags[] = { GFP_KERNEL, GFP_KERNEL | __GFP_ZERO, GFP_KERNEL | __GFP_THISNODE };
	size_t align;
	unsigned int i, n;
	void *p;

	for (n = 0; n < ARRAY_SIZE(flags) * ARRAY_SIZE(sizes); n++) {
		i = n % ARRAY_SIZE(sizes);
		for (align = 1; align <= SZ_64K; align *= 4) {
			p = goheap_alloc_aligned(sizes[i], align, flags[n / ARRAY_SIZE(sizes)]);
			expect_open(test, p, sizes[i]);
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, align));
			goheap_free(p);
			KUNIT_EXPECT_FALSE(test, is_open(p));
		}
	}
}

static void test_gh_sanitize_magazine(struct kunit *test)
{
	void *p, *q;

	gh_test_magazine(test, gh_default, 100);
	p = goheap_alloc(100, GFP_KERNEL);
	goheap_free(p);
	expect_freed(test, p, 100);
	q = goheap_zalloc(98, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, p, q);
	expect_open(test, q, 98);
	goheap_free(q);
}

static void test_gh_sanitize_never_allocated(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit_kasan", NULL);
	u8 *p = goheap_heap_alloc(heap, 1024, GFP_KERNEL, 0);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_FALSE(test, is_open(p + 1024));
	KUNIT_EXPECT_FALSE(test, is_open(p + 7 * 1024));
	goheap_free(p);
}

static void test_gh_sanitize_span_gone(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit_kasan", NULL);
	u8 *p = goheap_heap_alloc(heap, 1024, GFP_KERNEL, 0);

	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free(p);
	gh_test_flush_slot(heap, 1024);
	KUNIT_EXPECT_EQ(test, shadow(p), 0xff);
}

static void test_gh_sanitize_remote(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_alloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		gh_test_free_on(cpu, p);
		expect_freed(test, p, sizes[i]);
	}
}

static void test_gh_sanitize_interrupt(struct kunit *test)
{
	void *p = goheap_alloc(100, GFP_KERNEL), *q;
	struct gh_cache *cache;

	KUNIT_ASSERT_NOT_NULL(test, p);
	cache = gh_test_nest(gh_default);
	goheap_free(p);
	q = goheap_alloc(90, GFP_ATOMIC);
	gh_test_unnest(cache);
	expect_freed(test, p, 100);
	expect_open(test, q, 90);
	goheap_free(q);
}

static void test_gh_sanitize_rcu(struct kunit *test)
{
	void *p[ARRAY_SIZE(sizes)];
	size_t seen[ARRAY_SIZE(sizes)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		p[i] = goheap_alloc(sizes[i], GFP_KERNEL);
	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		goheap_free_rcu(p[i]);
		seen[i] = open_bytes(p[i], sizes[i] + 1);
	}
	rcu_read_unlock();
	gh_test_flush_limbo();
	gh_reclaim_trim();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_EQ_MSG(test, seen[i], sizes[i], "a reader of size %zu", sizes[i]);
		/* A span that this emptied may be pages again, and those are closed too. */
		KUNIT_EXPECT_FALSE_MSG(test, is_open(p[i]), "of size %zu", sizes[i]);
	}
}

static void test_gh_sanitize_bulk(struct kunit *test)
{
	unsigned int i, n = 100;
	void *p[100];

	KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(100, GFP_KERNEL, n, p), n);
	for (i = 0; i < n; i++)
		expect_open(test, p[i], 100);
	goheap_free_bulk(n, p);
	for (i = 0; i < n; i++)
		expect_freed(test, p[i], 100);
	KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(98, GFP_KERNEL | __GFP_ZERO, n, p), n);
	for (i = 0; i < n; i++)
		expect_open(test, p[i], 98);
	goheap_free_bulk(n, p);
}

static void test_gh_sanitize_size_opens_all(struct kunit *test)
{
	void *p = goheap_alloc(100, GFP_KERNEL);

	expect_open(test, p, 100);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 112);
	expect_open(test, p, 112);
	goheap_free(p);
	expect_freed(test, p, 112);
}

static void test_gh_sanitize_realloc(struct kunit *test)
{
	u8 *p = goheap_alloc(100, GFP_KERNEL), *q, *r;

	q = goheap_realloc(p, 91, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, p, q);
	expect_open(test, q, 91);
	q = goheap_realloc(p, 112, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_PTR_EQ(test, p, q);
	expect_open(test, q, 112);
	r = goheap_realloc(q, 300, GFP_KERNEL);
	KUNIT_ASSERT_PTR_NE(test, q, r);
	expect_freed(test, q, 112);
	/* Room to grow is a redzone, until it is asked for. */
	expect_open(test, r, 300);
	p = goheap_realloc(r, 400, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, p, r);
	expect_open(test, p, 400);
	goheap_free(p);
	/* What was tiny is no longer when it grows. */
	p = goheap_realloc(goheap_alloc_noscan(2, GFP_KERNEL), 5, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	expect_open(test, p, 5);
	goheap_free(p);
}

static void test_gh_sanitize_tiny(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit_kasan", NULL);
	u8 *alone = gh_tiny_alloc(8, GFP_KERNEL, heap->cache), *a, *b, *c;

	/* The first comes with its span, and shares its block with nobody. */
	goheap_free(alone);
	a = gh_tiny_alloc(8, GFP_KERNEL, heap->cache);
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_EQ(test, open_bytes(a, 16), 8);
	b = goheap_heap_alloc(heap, 3, GFP_KERNEL, GOHEAP_NOSCAN);
	KUNIT_ASSERT_PTR_EQ(test, b, a + 8);
	KUNIT_EXPECT_EQ(test, open_bytes(a, 16), 12);
	c = goheap_heap_alloc(heap, 1, GFP_KERNEL, GOHEAP_NOSCAN);
	KUNIT_ASSERT_PTR_EQ(test, c, a + 12);
	KUNIT_EXPECT_EQ(test, open_bytes(a, 16), 16);
	goheap_free(a);
	KUNIT_EXPECT_EQ(test, shadow(a), FREED);
	KUNIT_EXPECT_EQ(test, open_bytes(b, 8), 8);
	goheap_free(c);
	KUNIT_EXPECT_EQ(test, open_bytes(b, 8), 4);
	goheap_free(b);
	KUNIT_EXPECT_EQ(test, shadow(b), FREED);
}

static void test_gh_sanitize_tiny_remote(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *a = goheap_alloc_noscan(4, GFP_KERNEL), *b = goheap_alloc_noscan(4, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	gh_test_free_on(cpu, a);
	goheap_free(b);
	gh_reclaim_trim();
	KUNIT_EXPECT_FALSE(test, is_open(a));
	KUNIT_EXPECT_FALSE(test, is_open(b));
}

/* Pages that went back to the kernel are the kernel's to open and close. */
static void test_gh_sanitize_pages_go_back(struct kunit *test)
{
	u8 *p = goheap_alloc(1UL << 20, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free(p);
	gh_reclaim_trim();
	p = (u8 *)__get_free_pages(GFP_KERNEL, 8);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, open_bytes(p, PAGE_SIZE << 8), PAGE_SIZE << 8);
	free_pages((unsigned long)p, 8);
}

#else

static void test_gh_sanitize(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_KASAN_GENERIC");
}

#endif

static struct kunit_case sanitize_cases[] = {
	KUNIT_CASE(test_gh_check_free_every_way_out),
	KUNIT_CASE(test_gh_check_free_not_rcu),
	KUNIT_CASE(test_gh_check_free_destroy),
#if GH_KASAN
	KUNIT_CASE(test_gh_sanitize_alloc_opens_what_was_asked_for),
	KUNIT_CASE(test_gh_sanitize_every_way_in),
	KUNIT_CASE(test_gh_sanitize_aligned),
	KUNIT_CASE(test_gh_sanitize_magazine),
	KUNIT_CASE(test_gh_sanitize_never_allocated),
	KUNIT_CASE(test_gh_sanitize_span_gone),
	KUNIT_CASE(test_gh_sanitize_remote),
	KUNIT_CASE(test_gh_sanitize_interrupt),
	KUNIT_CASE(test_gh_sanitize_rcu),
	KUNIT_CASE(test_gh_sanitize_bulk),
	KUNIT_CASE(test_gh_sanitize_size_opens_all),
	KUNIT_CASE(test_gh_sanitize_realloc),
	KUNIT_CASE(test_gh_sanitize_tiny),
	KUNIT_CASE(test_gh_sanitize_tiny_remote),
	KUNIT_CASE(test_gh_sanitize_pages_go_back),
#else
	KUNIT_CASE(test_gh_sanitize),
#endif
	{}
};

static struct kunit_suite sanitize_suite = {
	.name = "goheap_sanitize",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = sanitize_cases,
};

kunit_test_suite(sanitize_suite);
