// SPDX-License-Identifier: GPL-2.0
/*
 * The front end: what goheap.h promises, from the outside, and the paths behind it
 * that only other CPUs, interrupts and grace periods take.
 */

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "lib_model.h"
#include "lib_object.h"
#include "lib_pages.h"
#include "lib_report.h"
#include "testlib.h"

/* ---- size, alignment, content -------------------------------------------- */

static void test_goheap_alloc_every_small_size(struct kunit *test)
{
	unsigned int step = GH_TEST_SLOW ? 13 : 1;
	struct gh_test_model m;
	size_t size;
	void *p;

	gh_test_model_init(&m, test, 128);
	for (size = 1; size <= 33000; size += step) {
		p = goheap_alloc(size, GFP_KERNEL);
		gh_test_expect_good(test, p, size);
		gh_test_model_add(&m, p, size);
		if (m.nr == m.max)
			goheap_free(gh_test_model_del(&m, size % m.max));
	}
	gh_test_model_free_all(&m);
}

/* ---- memory in short blocks only ------------------------------------------ */

#define KEPT	48		/* objects that are live at a time */

/* Every so-manieth size up to @most, with @gfp; each is as good as ever. */
static void alloc_all_sizes(struct kunit *test, size_t most, gfp_t gfp)
{
	unsigned int step = GH_TEST_SLOW ? 31 : 3, i = 0;
	size_t size, sizes[KEPT] = {};
	void *p[KEPT] = {};

	for (size = 1; size <= most; size += step, i = (i + 1) % KEPT) {
		if (p[i])
			goheap_free_sized(p[i], sizes[i]);
		p[i] = (goheap_alloc)(size, gfp);
		sizes[i] = size;
		gh_test_expect_good(test, p[i], size);
		if (p[i] && gfp & __GFP_ZERO)
			KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p[i], 0, size), "size %zu", size);
		if (p[i])
			memset(p[i], 0xa5, size);
	}
	for (i = 0; i < KEPT; i++)
		if (p[i])
			goheap_free_sized(p[i], sizes[i]);
	/* Whose size was wrong would be refused. */
	gh_test_expect_silence(test);
}

static void test_goheap_alloc_every_size_from_32k_blocks(struct kunit *test)
{
	static const gfp_t flags[] = { GFP_KERNEL, GFP_ATOMIC, GFP_KERNEL | __GFP_ZERO,
				       GFP_KERNEL | __GFP_NOFAIL, GFP_NOWAIT | __GFP_NOMEMALLOC };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		gh_test_limit_blocks(SZ_32K);
		alloc_all_sizes(test, SZ_32K, flags[i]);
		gh_test_unlimit_blocks();
	}
}

/* The same with no more than what the size itself takes, down to a heap page. */
static void test_goheap_alloc_every_size_from_short_blocks(struct kunit *test)
{
	size_t most;

	for (most = SZ_8K; most <= SZ_32K; most *= 2) {
		gh_test_limit_blocks(most);
		alloc_all_sizes(test, most, GFP_KERNEL);
		gh_test_unlimit_blocks();
	}
}

/* An object from a class with shorter spans is counted, sized and freed as one of that. */
static void test_goheap_alloc_from_shorter_spans(struct kunit *test)
{
	struct gh_span_counts counts;
	struct gh_span *s;
	void *p;

	if (PAGE_SIZE > SZ_8K)
		kunit_skip(test, "spans take few pages");
	gh_test_limit_blocks(SZ_32K);
	p = (goheap_alloc)(6784, GFP_ATOMIC);
	gh_test_unlimit_blocks();
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 8192UL);
	s = gh_test_span_of(p);
	KUNIT_EXPECT_EQ(test, gh_span_bytes(s), 8192UL);
	gh_span_count(s, &counts);
	KUNIT_EXPECT_EQ(test, counts.objects, 1U);
	KUNIT_EXPECT_EQ(test, counts.live, 1U);
	p = goheap_realloc(p, 6000, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 8192UL);
	goheap_free_sized(p, 6000);
	/* With longer blocks it is as it always was. */
	p = (goheap_alloc)(6784, GFP_ATOMIC);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 6784UL);
	goheap_free(p);
}

/* What is not to be had is not asked for again for every object. */
static void test_goheap_alloc_asks_once_for_scarce_blocks(struct kunit *test)
{
	unsigned int order = get_order(5 * GH_PAGE_SIZE), before, i;
	void *p[5];

	if (PAGE_SIZE > SZ_8K)
		kunit_skip(test, "spans take few pages");
	/* No block for the long spans, and enough for the short ones at once. */
	gh_test_limit_blocks(SZ_32K);
	p[0] = (goheap_alloc)(6784, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, gh_test_here()->scarce, 5U);
	gh_test_here()->scarce_until = jiffies + 1000 * HZ;
	p[1] = (goheap_alloc)(64, GFP_KERNEL);
	before = gh_test_asked[order];
	for (i = 2; i < 4; i++)
		p[i] = (goheap_alloc)(6784, GFP_KERNEL);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_asked[order], before, "of what is scarce");
	gh_test_here()->scarce_until = jiffies;
	p[4] = (goheap_alloc)(6784, GFP_KERNEL);
	KUNIT_EXPECT_GT_MSG(test, gh_test_asked[order], before, "it may be so no more");
	goheap_free_bulk(ARRAY_SIZE(p), p);
	gh_test_unlimit_blocks();
}

static void test_goheap_heap_alloc_debug_from_shorter_spans(struct kunit *test)
{
	static const struct goheap_params params = {
		.flags = GOHEAP_POISON | GOHEAP_REDZONE | GOHEAP_TRACK,
	};
	struct goheap *heap = gh_test_heap(test, "kunit-short", &params);
	u8 *p;

	gh_test_limit_blocks(SZ_32K);
	p = goheap_heap_alloc(heap, 6700, GFP_KERNEL, 0);
	gh_test_unlimit_blocks();
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 6700UL);
	memset(p, 0, 6700);
	goheap_free(p);
	gh_test_expect_silence(test);
	p = goheap_heap_alloc(heap, 6700, GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free(p);
}

/* The kernel is told that it must not fail, where it can be. */
static void test_goheap_alloc_nofail_reaches_the_kernel(struct kunit *test)
{
	void *p;

	gh_test_limit_blocks(GH_PAGE_SIZE);
	p = (goheap_alloc_node)(64, GFP_KERNEL | __GFP_NOFAIL | __GFP_THISNODE, numa_mem_id());
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, gh_test_gfp & __GFP_NOFAIL);
	goheap_free(p);
	gh_test_unlimit_blocks();
	gh_test_limit_blocks(SZ_32K);
	p = (goheap_alloc_node)(SZ_32K, GFP_KERNEL | __GFP_NOFAIL | __GFP_THISNODE, numa_mem_id());
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, !(gh_test_gfp & __GFP_NOFAIL) == (get_order(SZ_32K) > 1));
	goheap_free(p);
	gh_test_unlimit_blocks();
}

static void blocks_come_back(struct work_struct *work)
{
	gh_test_unlimit_blocks();
}

static DECLARE_DELAYED_WORK(come_back, blocks_come_back);

/* Nor does it fail for blocks that the kernel may refuse: goheap waits, and tries again. */
static void test_goheap_alloc_nofail_waits_for_blocks(struct kunit *test)
{
	static const size_t sizes[] = { 24, 6784, SZ_32K, SZ_64K };
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		gh_test_limit_blocks(0);
		schedule_delayed_work(&come_back, HZ / 10);
		p = (goheap_alloc)(sizes[i], GFP_KERNEL | __GFP_NOFAIL);
		KUNIT_EXPECT_NOT_NULL_MSG(test, p, "size %zu", sizes[i]);
		flush_delayed_work(&come_back);
		goheap_free(p);
	}
	gh_test_unlimit_blocks();
}

static void test_goheap_alloc_large_sizes(struct kunit *test)
{
	static const int around[] = { -4096, -1, 0, 1, 4096, 8192 };
	struct gh_test_model m;
	size_t size, base;
	unsigned int i;
	void *p;

	gh_test_model_init(&m, test, 64);
	for (base = 64 << 10; base <= goheap_max_size(); base *= 2) {
		for (i = 0; i < ARRAY_SIZE(around); i++) {
			size = base + around[i];
			if (size > goheap_max_size())
				continue;
			p = goheap_alloc(size, GFP_KERNEL);
			gh_test_expect_good(test, p, size);
			gh_test_model_add(&m, p, size);
			if (i % 2)
				goheap_free(gh_test_model_del(&m, m.nr - 1));
		}
	}
	gh_test_model_free_all(&m);
}

static void test_goheap_alloc_size_zero(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_zalloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_noscan(0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_calloc(0, 8, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(0, 64, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, goheap_memdup("", 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, goheap_size(ZERO_SIZE_PTR), 0UL);
}

static void test_goheap_free_nothing(struct kunit *test)
{
	goheap_free(NULL);
	goheap_free(ZERO_SIZE_PTR);
	goheap_free_rcu(NULL);
	goheap_free_rcu(ZERO_SIZE_PTR);
	goheap_free_sized(NULL, 5);
	goheap_heap_free(gh_default, ZERO_SIZE_PTR);
	gh_test_expect_silence(test);
}

static void test_goheap_alloc_too_large(struct kunit *test)
{
	size_t most = goheap_max_size();

	OPTIMIZER_HIDE_VAR(most);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(most + 1, GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(-most, GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(-most + 1, most,
						       GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(8, 2 * most,
						       GFP_KERNEL | __GFP_NOWARN), NULL);
}

static void test_goheap_calloc_overflow(struct kunit *test)
{
	size_t half = SIZE_MAX / 2 + 1;

	OPTIMIZER_HIDE_VAR(half);
	KUNIT_EXPECT_PTR_EQ(test, goheap_calloc(half, 2, GFP_KERNEL), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_array(half + 8, 2, GFP_KERNEL), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_array(3, half, GFP_KERNEL), NULL);
}

static void test_goheap_alloc_array_holds_all(struct kunit *test)
{
	u8 *p = goheap_calloc(37, 11, GFP_KERNEL), *q = goheap_alloc_array(3, 1000, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, 0, 37 * 11), NULL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_GE(test, goheap_size(q), 3000UL);
	goheap_free(p);
	goheap_free(q);
}

static void test_goheap_alloc_refuses_zones(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_DMA32), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(64, GFP_KERNEL | __GFP_HIGHMEM), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(100000, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_noscan(5, GFP_KERNEL | __GFP_DMA), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_aligned(8, 8, GFP_KERNEL | __GFP_DMA), NULL);
}

/* ---- zeroing ------------------------------------------------------------- */

static void expect_zeroes(struct kunit *test, size_t size, gfp_t gfp)
{
	void *p[16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc(size, gfp);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(p[i], 0, size), NULL, "size %zu", size);
		memset(p[i], 0x5a, size);
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
}

static void test_goheap_zalloc_after_use(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++) {
		gh_test_dirty(test, gh_test_sizes[i]);
		expect_zeroes(test, gh_test_sizes[i], GFP_KERNEL | __GFP_ZERO);
		/* The same with spans that went back to the page heap. */
		gh_test_dirty(test, gh_test_sizes[i]);
		gh_reclaim_trim();
		expect_zeroes(test, gh_test_sizes[i], GFP_KERNEL | __GFP_ZERO);
	}
}

/* The next spans are of pages that are known to be zero, as with init_on_alloc=1. */
static void provide_zeroes(struct kunit *test)
{
	struct gh_span *s;

	gh_reclaim_trim();
	s = gh_test_pages_span(test, GH_TEST_CHUNK_PAGES, 1);
	memset((void *)s->base, 0, gh_span_bytes(s));
	s->needzero = false;
	gh_arena_free(s);
}

#define NR_WORDY	200

/* Several words of objects, the first part of which was used before. */
static void test_goheap_zalloc_partly_used_span(struct kunit *test)
{
	static const size_t wordy[] = { 8, 16, 48, 64, 1024, 8192 };
	void **p = gh_test_array(test, NR_WORDY);
	unsigned int i, j, used;
	size_t size;

	for (i = 0; i < ARRAY_SIZE(wordy); i++) {
		size = wordy[i];
		for (used = 1; used < NR_WORDY; used += 33) {
			provide_zeroes(test);
			KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(size, GFP_KERNEL, used, p), used);
			for (j = 0; j < used; j++)
				memset(p[j], 0xa5, size);
			if (used % 2)
				goheap_free_bulk(used, p);
			else
				for (j = 0; j < used; j++)
					goheap_free(p[j]);
			for (j = 0; j < NR_WORDY; j++) {
				p[j] = goheap_zalloc(size, GFP_KERNEL);
				KUNIT_ASSERT_NOT_NULL(test, p[j]);
				KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p[j], 0, size),
						      "%u of size %zu were used", used, size);
			}
			goheap_free_bulk(NR_WORDY, p);
		}
	}
}

/* The slot runs dry in a word that was zero, and goes on in a span that is not. */
static void test_goheap_zalloc_used_span_after_zeroes(struct kunit *test)
{
	const size_t used = 48 * GH_PAGE_SIZE;	/* too long to be parked, and the best fit */
	void *large, *p, *q;

	provide_zeroes(test);
	large = goheap_alloc(used, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, large);
	memset(large, 0xa5, used);
	p = goheap_zalloc(GH_PAGE_SIZE, GFP_KERNEL);
	goheap_free(large);
	memset(large, 0xa5, used);
	q = goheap_zalloc(GH_PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_TRUE_MSG(test, q >= large && q < large + used, "not where it was used");
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, GH_PAGE_SIZE));
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0, GH_PAGE_SIZE));
	goheap_free(p);
	goheap_free(q);
}

/* The slot allocates from a word that was never used, and has objects before it. */
static void *never_used(struct kunit *test, size_t size, void **p)
{
	struct gh_slot *slot = gh_test_slot(gh_default, size);
	unsigned int i;

	provide_zeroes(test);
	gh_test_magazine(test, gh_default, size);
	for (i = 0; i < 1024; i++) {
		p[i] = goheap_zalloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		if (slot->fresh && hweight_long(slot->avail) > 1)
			return p[i];
	}
	KUNIT_FAIL_AND_ABORT(test, "size %zu: no new word of zeroed pages", size);
	return NULL;
}

/* Whatever the current word is like, what comes from a magazine was used. */
static void test_goheap_zalloc_from_magazine(struct kunit *test)
{
	static const size_t some[] = { 8, 64, 1024 };
	void **p = gh_test_array(test, 1024), *q;
	struct gh_slot *slot;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		memset(p, 0, 1024 * sizeof(*p));
		slot = gh_test_slot(gh_default, some[i]);
		q = never_used(test, some[i], p);
		memset(q, 0xa5, some[i]);
		goheap_free(q);
		/* Where it is freed something may have cleared it; that is not the point. */
		gh_open(q, some[i]);
		memset(q, 0xa5, some[i]);
		KUNIT_ASSERT_PTR_EQ(test, slot->top->p, q);
		KUNIT_EXPECT_TRUE(test, slot->fresh);
		KUNIT_EXPECT_PTR_EQ(test, goheap_zalloc(some[i], GFP_KERNEL), q);
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(q, 0, some[i]), "size %zu", some[i]);
		goheap_free_bulk(1024, p);
	}
}

/* What is zero already is not cleared again: a mark in it stays. */
static void test_goheap_zalloc_leaves_zeroes_alone(struct kunit *test)
{
	void **p = gh_test_array(test, 1024);
	struct gh_slot *slot = gh_test_slot(gh_default, 64);
	u8 *next, *q;

	never_used(test, 64, p);
	next = (u8 *)slot->base + __ffs(slot->avail) * slot->size;
	gh_open(next, 64);
	KUNIT_EXPECT_NULL(test, memchr_inv(next, 0, 64));
	next[7] = 0x77;
	q = goheap_zalloc(64, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, next);
	KUNIT_EXPECT_EQ(test, q[7], 0x77);
	goheap_free(q);
	goheap_free_bulk(1024, p);
}

/* With room to grow the object is longer, and less aligned, than what was asked for. */
static void test_goheap_realloc_large_is_aligned(struct kunit *test)
{
	void *p[4], *q;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc(300 << 10, GFP_KERNEL);
		q = goheap_realloc(p[i], 512 << 10, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, q);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)q, 512 << 10));
		KUNIT_EXPECT_PTR_EQ_MSG(test, goheap_realloc(q, 512 << 10, GFP_KERNEL), q,
					"it is right where it is");
		p[i] = q;
	}
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

static void test_goheap_alloc_init_on_alloc(struct kunit *test)
{
	unsigned int i;

	if (!want_init_on_alloc(0))
		kunit_skip(test, "booted without init_on_alloc=1");
	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++) {
		gh_test_dirty(test, gh_test_sizes[i]);
		expect_zeroes(test, gh_test_sizes[i], GFP_KERNEL);
	}
}

/* All that its owner may use, of NR_STALE objects. */
#define NR_STALE	40U

static void fill_whole(struct kunit *test, size_t size, bool noscan, void **p, unsigned int *dirty)
{
	unsigned int i;

	for (i = 0; i < NR_STALE; i++) {
		p[i] = noscan ? goheap_alloc_noscan(size, GFP_KERNEL) :
				goheap_alloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		OPTIMIZER_HIDE_VAR(p[i]);
		*dirty += !!memchr_inv(p[i], 0, goheap_size(p[i]));
		memset(p[i], 0xa5, goheap_size(p[i]));
	}
}

/* Of a tiny object the last bytes were what the block held before. */
static void test_goheap_alloc_init_on_alloc_all_of_size(struct kunit *test)
{
	static const size_t sizes[] = { 17, 33, 100, 1025, 5000, 20000, 33000, 100000 };
	unsigned int i, dirty, ignored = 0;
	void *p[NR_STALE];
	size_t size;

	if (!want_init_on_alloc(0))
		kunit_skip(test, "booted without init_on_alloc=1");
	for (i = 0; i < 2 * (15 + ARRAY_SIZE(sizes)); i++) {
		size = i / 2 < 15 ? i / 2 + 1 : sizes[i / 2 - 15];
		dirty = 0;
		fill_whole(test, size, i % 2, p, &ignored);
		goheap_free_bulk(NR_STALE, p);
		fill_whole(test, size, i % 2, p, &dirty);
		goheap_free_bulk(NR_STALE, p);
		KUNIT_EXPECT_EQ_MSG(test, dirty, 0U, "of size %zu%s", size,
				    i % 2 ? ", without pointers" : "");
	}
}

static void test_goheap_realloc_init_on_alloc(struct kunit *test)
{
	u8 *p = goheap_alloc(112, GFP_KERNEL), *q;

	if (!want_init_on_alloc(0)) {
		goheap_free(p);
		kunit_skip(test, "booted without init_on_alloc=1");
	}
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0xa5, 112);
	q = goheap_realloc(p, 60, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	q = goheap_realloc(q, 112, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, q, p);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(q + 60, 0, 52), "what it lost and gained");
	q = goheap_realloc(q, 300, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_NULL(test, memchr_inv(q + 112, 0, 300 - 112));
	goheap_free(q);
}

static void test_goheap_free_init_on_free(struct kunit *test)
{
	unsigned int i;
	u8 *p;

	if (!want_init_on_free())
		kunit_skip(test, "booted without init_on_free=1");
	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++) {
		p = goheap_alloc(gh_test_sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		if (gh_test_span_of(p)->flags & GH_F_LARGE) {
			goheap_free(p);
			continue;
		}
		memset(p, 0xa5, gh_test_sizes[i]);
		goheap_free(p);
		gh_open(p, gh_test_sizes[i]);
		KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(p, 0, gh_test_sizes[i]), NULL,
					"size %zu", gh_test_sizes[i]);
		gh_close(p, gh_test_sizes[i]);
	}
}

#define SECRET		0x5ec2e75ec2e75ec2UL
#define NR_SECRETS	6U

static void *hide_secret(struct kunit *test, struct goheap *heap, size_t size, bool noscan)
{
	void *p = goheap_heap_alloc(heap, size, GFP_KERNEL, noscan ? GOHEAP_NOSCAN : 0);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset_l(p, SECRET, size / sizeof(long));
	return p;
}

/* Pages that went back to the kernel may be anybody's by now; they are mapped. */
static unsigned int find_secret(const void *p, size_t size)
{
	unsigned int found = 0;
	size_t off;

	for (off = 0; off + sizeof(long) <= size; off += sizeof(long))
		found += READ_ONCE_NOCHECK(*(unsigned long *)(p + off)) == SECRET;
	return found;
}

/* As goheap_free_rcu() does; and nobody merges it in time. */
static void free_unmerged(const void *p)
{
	struct gh_ref ref;

	preempt_disable();
	if (gh_lookup_live(p, &ref) && !(ref.span->flags & (GH_F_TINY | GH_F_LARGE))) {
		gh_span_rcu_mark(ref.span);
		gh_word_set_remote(gh_span_word(ref.span, ref.idx), ref.idx);
	}
	preempt_enable();
}

static void leave_secrets(struct kunit *test, unsigned int flags)
{
	static const size_t sizes[] = { 8, 96, 4096, 20480, 100000 };
	struct goheap_params params = { .flags = GOHEAP_LEAK_OK | flags };
	struct goheap *heap = goheap_create("kunit-secret", &params);
	void *p[ARRAY_SIZE(sizes)][NR_SECRETS];
	unsigned int i, j;

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (j = 0; j < NR_SECRETS; j++)
			p[i][j] = hide_secret(test, heap, sizes[i], j % 2);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		goheap_free(p[i][0]);
		goheap_free_rcu(p[i][1]);
		free_unmerged(p[i][2]);
	}
	goheap_destroy(heap);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (j = 0; j < NR_SECRETS; j++)
			KUNIT_EXPECT_EQ_MSG(test, find_secret(p[i][j], sizes[i]), 0U,
					    "of %zu bytes, number %u", sizes[i], j);
}

/* What was live went to the page heap, and to the next owner, as it was. */
static void test_goheap_destroy_init_on_free(struct kunit *test)
{
	if (!want_init_on_free())
		kunit_skip(test, "booted without init_on_free=1");
	leave_secrets(test, 0);
	leave_secrets(test, GOHEAP_REDZONE);
	leave_secrets(test, GOHEAP_POISON | GOHEAP_REDZONE | GOHEAP_TRACK);
}

/* ---- other ways to allocate ---------------------------------------------- */

static void test_goheap_alloc_aligned_all(struct kunit *test)
{
	static const size_t sizes[] = { 1, 8, 24, 100, 4096, 9000, 40000, 1000000 };
	size_t align;
	unsigned int i;
	void *p;

	for (align = 1; align <= goheap_max_size(); align *= 2) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			p = goheap_alloc_aligned(sizes[i], align, GFP_KERNEL);
			gh_test_expect_good(test, p, sizes[i]);
			KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED((unsigned long)p, align),
					      "%zu by %zu", sizes[i], align);
			goheap_free(p);
		}
	}
}

static void test_goheap_alloc_node_all(struct kunit *test)
{
	void *p = goheap_alloc_node(100, GFP_KERNEL, numa_mem_id());
	void *q = goheap_alloc_node(100, GFP_KERNEL | __GFP_THISNODE, numa_mem_id());
	void *r = goheap_alloc_node(100, GFP_KERNEL, NUMA_NO_NODE);
	void *s = goheap_alloc_node(100000, GFP_KERNEL | __GFP_THISNODE, numa_mem_id());

	gh_test_expect_good(test, p, 100);
	gh_test_expect_good(test, q, 100);
	gh_test_expect_good(test, r, 100);
	gh_test_expect_good(test, s, 100000);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(q)), numa_mem_id());
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(s)), numa_mem_id());
	goheap_free(p);
	goheap_free(q);
	goheap_free(r);
	goheap_free(s);
}

static void test_goheap_alloc_node_not_there(struct kunit *test)
{
	void *p = goheap_alloc_node(100, GFP_KERNEL, MAX_NUMNODES + 5);

	gh_test_expect_good(test, p, 100);
	goheap_free(p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc_node(100, GFP_KERNEL | __GFP_THISNODE,
						    MAX_NUMNODES + 5), NULL);
}

static void test_goheap_alloc_noscan_has_spans_of_its_own(struct kunit *test)
{
	void *p = goheap_alloc(100, GFP_KERNEL), *q = goheap_alloc_noscan(100, GFP_KERNEL);

	gh_test_expect_good(test, q, 100);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(q)->spanclass));
	KUNIT_EXPECT_FALSE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
	goheap_free(p);
	goheap_free(q);
}

static void test_goheap_alloc_bulk_all_sizes(struct kunit *test)
{
	static const size_t sizes[] = { 8, 64, 1000, 50000 };
	struct gh_test_model m;
	void *p[100];
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		gh_test_model_init(&m, test, ARRAY_SIZE(p));
		KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(sizes[i], GFP_KERNEL, ARRAY_SIZE(p), p),
				ARRAY_SIZE(p));
		for (j = 0; j < ARRAY_SIZE(p); j++)
			gh_test_model_add(&m, p[j], sizes[i]);
		for (j = 0; j < ARRAY_SIZE(p); j++)
			KUNIT_EXPECT_TRUE(test, gh_test_model_intact(&m, j));
		KUNIT_EXPECT_EQ(test, m.errors, 0U);
		p[7] = NULL;
		p[8] = ZERO_SIZE_PTR;
		goheap_free(m.objects[7].p);
		goheap_free(m.objects[8].p);
		goheap_free_bulk(ARRAY_SIZE(p), p);
	}
}

static void test_goheap_alloc_bulk_stops(struct kunit *test)
{
	void *p[3];

	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(64, GFP_KERNEL, 0, p), 0U);
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(goheap_max_size() + 1, GFP_KERNEL | __GFP_NOWARN,
						3, p), 0U);
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(64, GFP_KERNEL | __GFP_DMA, 3, p), 0U);
}

static void test_goheap_strdup_copies(struct kunit *test)
{
	static const char * const strings[] = { "", "a", "fourteen chars", "fifteen chars..",
						"a string that is not tiny at all" };
	unsigned int i;
	char *p;

	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		p = goheap_strdup(strings[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_STREQ(test, p, strings[i]);
		KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
		goheap_free(p);
	}
	KUNIT_EXPECT_PTR_EQ(test, goheap_strdup(NULL, GFP_KERNEL), NULL);
}

static void test_goheap_memdup_copies(struct kunit *test)
{
	static const char text[] = "as it was";
	char *p = goheap_memdup(text, sizeof(text), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_MEMEQ(test, p, text, sizeof(text));
	goheap_free(p);
}

static void free_sized(struct kunit *test, void *p, size_t size)
{
	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free_sized(p, size);
	if (!goheap_size(p))
		return;
	KUNIT_FAIL(test, "size %zu is refused", size);
	goheap_free(p);
}

static void test_goheap_free_sized_right_sizes(struct kunit *test)
{
	unsigned int step = GH_TEST_SLOW ? 37 : 3;
	size_t size;

	for (size = 1; size < 40000; size += step)
		free_sized(test, goheap_alloc(size, GFP_KERNEL), size);
	for (size = 1; size < 20; size++)
		free_sized(test, goheap_alloc_noscan(size, GFP_KERNEL), size);
}

static void test_goheap_free_sized_after_realloc(struct kunit *test)
{
	void *p = goheap_alloc(1000, GFP_KERNEL);

	p = goheap_realloc(p, 600, GFP_KERNEL);
	free_sized(test, p, 600);
	p = goheap_realloc(goheap_alloc(100000, GFP_KERNEL), 60000, GFP_KERNEL);
	free_sized(test, p, 60000);
}

static void test_goheap_free_by_scope(struct kunit *test)
{
	void *seen;

	{
		void *p __free(goheap_free) = goheap_alloc(100, GFP_KERNEL);

		seen = p;
		KUNIT_EXPECT_GE(test, goheap_size(seen), 100UL);
	}
	KUNIT_EXPECT_EQ(test, goheap_size(seen), 0UL);
	{
		void *p __free(goheap_free) = NULL;
		void *q __free(goheap_free) = ERR_PTR(-ENOMEM);

		KUNIT_EXPECT_PTR_NE(test, p, q);
	}
}

/* ---- realloc ------------------------------------------------------------- */

static void resize(struct kunit *test, u8 **p, size_t *from, size_t to)
{
	u8 *q;

	memset(*p, 0x3c, *from);
	q = goheap_realloc(*p, to, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	gh_test_expect_good(test, q, to);
	KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(q, 0x3c, min(*from, to)), NULL,
				"%zu to %zu", *from, to);
	*p = q;
	*from = to;
}

static void test_goheap_realloc_keeps_content(struct kunit *test)
{
	static const size_t sizes[] = { 8, 9, 200, 5000, 40000, 500000, 70000, 30000, 60, 1 };
	size_t size = 3;
	unsigned int i;
	u8 *p = goheap_alloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		resize(test, &p, &size, sizes[i]);
	goheap_free(p);
}

static void test_goheap_realloc_in_place(struct kunit *test)
{
	void *p = goheap_alloc(900, GFP_KERNEL), *q;
	size_t usable = goheap_size(p);

	KUNIT_ASSERT_NOT_NULL(test, p);
	q = goheap_realloc(p, usable, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	q = goheap_realloc(q, usable / 2 + 1, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	q = goheap_realloc(q, usable / 4, GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE_MSG(test, q, p, "three quarters of the space are wasted");
	goheap_free(q);
}

static void test_goheap_realloc_of_nothing_and_to_nothing(struct kunit *test)
{
	void *p = goheap_realloc(NULL, 100, GFP_KERNEL);
	void *q = goheap_realloc(ZERO_SIZE_PTR, 100, GFP_KERNEL);

	gh_test_expect_good(test, p, 100);
	gh_test_expect_good(test, q, 100);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(p), 0UL, "it is not freed");
	goheap_free(q);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(NULL, 0, GFP_KERNEL), ZERO_SIZE_PTR);
}

static void test_goheap_realloc_fails(struct kunit *test)
{
	u8 *p = goheap_alloc(100, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x3c, 100);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, goheap_max_size() + 1,
						 GFP_KERNEL | __GFP_NOWARN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, 0x3c, 100), NULL);
	KUNIT_EXPECT_GE(test, goheap_size(p), 100UL);
	goheap_free(p);
}

static void test_goheap_realloc_stays_what_it_is(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-realloc", NULL);
	void *p = goheap_heap_alloc(heap, 100, GFP_KERNEL, GOHEAP_NOSCAN);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p = goheap_realloc(p, 10000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p)->heap, heap);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
	p = goheap_realloc(p, 100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p)->heap, heap);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(gh_test_span_of(p)->spanclass));
	goheap_free(p);
}

static void zero_grow(struct kunit *test, bool noscan)
{
	static const size_t sizes[] = { 5, 12, 60, 1000, 40000 };
	unsigned int i;
	size_t had;
	u8 *p;

	p = noscan ? goheap_alloc_noscan(3, GFP_KERNEL | __GFP_ZERO) :
		     goheap_zalloc(3, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_ASSERT_NOT_NULL(test, p);
		had = i ? sizes[i - 1] : 3;
		memset(p, 0x3c, had);
		had = goheap_size(p);
		p = goheap_realloc(p, sizes[i], GFP_KERNEL | __GFP_ZERO);
		if (p && sizes[i] > had)
			KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(p + had, 0, sizes[i] - had),
						NULL, "to %zu", sizes[i]);
	}
	goheap_free(p);
}

static void test_goheap_realloc_zeroes(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++)
		gh_test_dirty(test, gh_test_sizes[i]);
	zero_grow(test, false);
	zero_grow(test, true);
}

/* What goheap_alloc_aligned() gave stays only where the object stays. */
static void test_goheap_realloc_of_aligned(struct kunit *test)
{
	u8 *p = goheap_alloc_aligned(100, 4096, GFP_KERNEL), *q;
	void *plain = goheap_alloc(200, GFP_KERNEL);
	size_t size = goheap_size(plain);

	goheap_free(plain);
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x3c, 100);
	q = goheap_realloc(p, 3000, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, q, p);
	q = goheap_realloc(p, 200, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0x3c, 100));
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(q), size, "nobody pays for an alignment for ever");
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)q, 8));
	goheap_free(q);
}

/* ---- questions about addresses ------------------------------------------- */

static void test_goheap_base_interior(struct kunit *test)
{
	static const size_t sizes[] = { 8, 48, 1000, 32768, 100000 };
	unsigned int i;
	size_t off;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_alloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		for (off = 0; off < sizes[i]; off += 1 + sizes[i] / 50)
			KUNIT_EXPECT_PTR_EQ(test, goheap_base(p + off), p);
		KUNIT_EXPECT_PTR_NE(test, goheap_base(p + goheap_size(p)), p);
		KUNIT_EXPECT_PTR_NE(test, goheap_base(p - 1), p);
		KUNIT_EXPECT_EQ_MSG(test, goheap_size(p + 1), 0UL, "no object starts there");
		goheap_free(p);
		KUNIT_EXPECT_PTR_EQ(test, goheap_base(p), NULL);
		KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	}
}

/* As if it came from page_address() of a page that has a tag. */
static void *tagged(const void *p)
{
	return (void *)(((unsigned long)p & ~(0xffUL << 56)) | 0xa5UL << 56);
}

static void test_goheap_takes_tagged_pointers(struct kunit *test)
{
	void *p, *q;

	if (!IS_ENABLED(CONFIG_KASAN_SW_TAGS) && !IS_ENABLED(CONFIG_KASAN_HW_TAGS))
		kunit_skip(test, "KASAN puts no tags into pointers here");
	p = goheap_alloc(100, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_PTR_EQ(test, kasan_reset_tag(p), p);
	KUNIT_EXPECT_PTR_EQ(test, page_address(virt_to_page(p)), (void *)((long)p & PAGE_MASK));
	KUNIT_EXPECT_EQ(test, goheap_size(tagged(p)), goheap_size(p));
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(tagged(p + 50)), p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(tagged(p), 98, GFP_KERNEL), p);
	goheap_free_sized(tagged(p), 98);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	q = goheap_alloc(100, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, kasan_reset_tag(q), q);
	p = tagged(q);
	goheap_free_bulk(1, &p);
	q = tagged(goheap_alloc(100, GFP_KERNEL));
	goheap_heap_free(gh_default, q);
	q = tagged(goheap_alloc(100000, GFP_KERNEL));
	goheap_free_rcu(q);
	gh_test_flush_limbo();
	KUNIT_EXPECT_EQ(test, goheap_size(q), 0UL);
}

static void test_goheap_base_foreign(struct kunit *test)
{
	void *slab = kunit_kmalloc(test, 64, GFP_KERNEL), *pages = vmalloc(PAGE_SIZE);
	int on_stack;
	const void *addrs[] = {
		NULL, (void *)1, (void *)PAGE_SIZE, ZERO_SIZE_PTR, (void *)ULONG_MAX, &on_stack,
		slab, pages, test_goheap_base_foreign, (void *)PAGE_OFFSET,
		(void *)(PAGE_OFFSET - 1), (void *)BIT(63), (void *)(BIT(63) - 1),
		ERR_PTR(-ENOMEM),
	};
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < ARRAY_SIZE(addrs); i++) {
		KUNIT_EXPECT_PTR_EQ_MSG(test, goheap_base(addrs[i]), NULL, "address %u", i);
		KUNIT_EXPECT_EQ_MSG(test, goheap_size(addrs[i]), 0UL, "address %u", i);
	}
	vfree(pages);
}

/* ---- a random walk ------------------------------------------------------- */

static size_t random_size(struct rnd_state *rnd)
{
	switch (gh_test_below(rnd, 16)) {
	case 0:
		return 1 + gh_test_below(rnd, 200000);
	case 1 ... 3:
		return 1 + gh_test_below(rnd, 20000);
	default:
		return 1 + gh_test_below(rnd, 600);
	}
}

static void *random_alloc(struct gh_test_walk *w, size_t size)
{
	switch (gh_test_below(&w->rnd, 4)) {
	case 0:
		return goheap_alloc_noscan(size, GFP_KERNEL);
	case 1:
		return goheap_zalloc(size, GFP_KERNEL);
	default:
		return goheap_alloc(size, GFP_KERNEL);
	}
}

static const struct gh_test_op alloc_ops[] = {
	{ 55, gh_test_step_alloc },
	{ 39, gh_test_step_free },
	{ 6, gh_test_step_free_rcu },
	{}
};

static void test_goheap_alloc_free_random(struct kunit *test)
{
	struct gh_test_walk w = {
		.test = test, .ops = alloc_ops, .size = random_size, .alloc = random_alloc,
		.seed = 2026, .rounds = GH_TEST_ROUNDS(60000),
	};

	gh_test_walk_objects(&w, 400);
	gh_test_model_free_all(&w.m);
}

/* ---- grace periods ------------------------------------------------------- */

static void test_goheap_free_rcu_waits_for_readers(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu", NULL);
	void *p[GH_TEST_PER_SPAN], *q[2 * GH_TEST_PER_SPAN], *again[GH_TEST_PER_SPAN];
	bool all, reused, kept;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	memset(p[3], 0x77, GH_TEST_SIZE);
	rcu_read_lock();
	goheap_free_rcu(p[3]);
	all = gh_test_try_fill(heap, q, 2 * GH_TEST_PER_SPAN, GH_TEST_SIZE);
	reused = gh_test_is_among(p[3], q, 2 * GH_TEST_PER_SPAN);
	kept = !memchr_inv(p[3], 0x77, GH_TEST_SIZE);
	rcu_read_unlock();
	KUNIT_ASSERT_TRUE(test, all);
	KUNIT_EXPECT_FALSE_MSG(test, reused, "a reader's object was allocated");
	KUNIT_EXPECT_TRUE_MSG(test, kept, "a reader's object was written to");
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(p[3]), 0UL, "it is not live any more");

	gh_test_grace_period();
	gh_test_flush_limbo();
	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, again, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	KUNIT_EXPECT_TRUE_MSG(test, gh_test_is_among(p[3], again, GH_TEST_PER_SPAN),
			      "it never comes back");
	p[3] = NULL;
	goheap_free_bulk(GH_TEST_PER_SPAN, p);
	goheap_free_bulk(2 * GH_TEST_PER_SPAN, q);
	goheap_free_bulk(GH_TEST_PER_SPAN, again);
}

static void test_goheap_free_rcu_large(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu-large", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);
	long during, after;
	bool kept;

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x77, 100000);
	rcu_read_lock();
	goheap_free_rcu(p);
	during = gh_test_pages(heap);
	kept = !memchr_inv(p, 0x77, 100000);
	rcu_read_unlock();
	gh_test_grace_period();
	gh_test_flush_limbo();
	gh_reclaim_trim();
	after = gh_test_pages(heap);
	KUNIT_EXPECT_EQ(test, during, 13);
	KUNIT_EXPECT_TRUE(test, kept);
	KUNIT_EXPECT_EQ(test, after, 0);
}

static bool counts_are(struct gh_span *s, unsigned int free, unsigned int pending)
{
	struct gh_span_counts counts;

	gh_span_count(s, &counts);
	return counts.objects == 1 && counts.free == free && counts.pending == pending;
}

/* What goheap_free_rcu() does, in two steps: "heap error-28" stood there in between. */
static void test_goheap_free_rcu_large_is_healthy(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu-large", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);
	struct gh_span *s;

	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_test_span_of(p);
	KUNIT_EXPECT_TRUE(test, counts_are(s, 0, 0));
	gh_span_rcu_mark(s);
	gh_word_set_remote(&s->words[0], 0);
	gh_test_validate(test);
	KUNIT_EXPECT_TRUE_MSG(test, counts_are(s, 0, 1), "it waits for readers");
	preempt_disable();
	gh_limbo_add(s);
	preempt_enable();
	gh_test_flush_limbo();
	gh_test_validate(test);
}

static void test_goheap_free_large_counts(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-parked", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0), *q;
	struct gh_span *s;
	bool parked, live;

	KUNIT_ASSERT_NOT_NULL(test, p);
	s = gh_test_span_of(p);
	preempt_disable();
	goheap_free(p);
	parked = counts_are(s, 1, 0);
	q = goheap_heap_alloc(heap, 100000, GFP_ATOMIC, 0);
	live = counts_are(s, 0, 0);
	preempt_enable();
	KUNIT_EXPECT_TRUE_MSG(test, parked, "nobody waits for it");
	KUNIT_EXPECT_PTR_EQ(test, p, q);
	KUNIT_EXPECT_TRUE_MSG(test, live, "it has an owner again");
	gh_test_validate(test);
	goheap_free(q);
	gh_test_validate(test);
}

/* The span empties while an object in it waits. */
static void test_goheap_free_rcu_then_the_rest(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-rcu-rest", NULL);
	void *p[GH_TEST_PER_SPAN];
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	goheap_free_rcu(p[0]);
	for (i = 1; i < GH_TEST_PER_SPAN; i++)
		goheap_free(p[i]);
	gh_test_validate(test);
	gh_test_flush_limbo();
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

/* ---- other CPUs ---------------------------------------------------------- */

static void test_goheap_free_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = gh_test_heap(test, "kunit-remote", NULL);
	void *p[GH_TEST_PER_SPAN], *again[2];

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	gh_test_free_on(cpu, p[2]);
	gh_test_free_on(cpu, p[5]);
	KUNIT_EXPECT_EQ(test, goheap_size(p[2]), 0UL);
	/* The span is full, so the next allocation looks into the inbox. */
	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, again, 2, GH_TEST_SIZE));
	KUNIT_EXPECT_TRUE(test, gh_test_is_among(p[2], again, 2));
	KUNIT_EXPECT_TRUE(test, gh_test_is_among(p[5], again, 2));
	goheap_free_bulk(GH_TEST_PER_SPAN, p);
}

static void test_goheap_free_all_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = gh_test_heap(test, "kunit-remote-all", NULL);
	void *p[3 * GH_TEST_PER_SPAN];
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, ARRAY_SIZE(p), GH_TEST_SIZE));
	for (i = 0; i < ARRAY_SIZE(p); i++)
		gh_test_free_on(cpu, p[i]);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

static void test_goheap_free_large_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = gh_test_heap(test, "kunit-remote-large", NULL);
	void *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);

	KUNIT_ASSERT_NOT_NULL(test, p);
	gh_test_free_on(cpu, p);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

/* A freed large span waits for the next allocation of its length, and no other. */
static void test_gh_cache_park_by_length(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-park", NULL);
	u8 *p = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0), *other, *same;

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x33, 100000);
	goheap_free(p);
	KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(heap), 13L, "not parked");
	other = goheap_heap_alloc(heap, 110000, GFP_KERNEL, 0);
	same = goheap_heap_alloc(heap, 99000, GFP_KERNEL | __GFP_ZERO, 0);
	KUNIT_EXPECT_PTR_NE(test, other, p);
	KUNIT_EXPECT_PTR_EQ(test, same, p);
	KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(same, 0, 99000), NULL, "dirty");
	goheap_free(other);
	goheap_free(same);
}

static void test_gh_cache_park_is_aligned(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-park-align", NULL);
	void *p[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_heap_alloc(heap, 65528, GFP_KERNEL, 0);
	goheap_free_bulk(ARRAY_SIZE(p), p);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_heap_alloc(heap, 65536, GFP_KERNEL, 0);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p[i], 65536));
	}
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

static void test_gh_cache_park_is_bounded(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-park-bound", NULL);
	void *p[40];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0);
	goheap_free_bulk(ARRAY_SIZE(p), p);
	KUNIT_EXPECT_LE(test, gh_test_pages(heap), (long)(SZ_1M >> GH_PAGE_SHIFT));
	KUNIT_EXPECT_GT(test, gh_test_pages(heap), 13L);
	p[0] = goheap_heap_alloc(heap, SZ_1M, GFP_KERNEL, 0);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), (long)(SZ_1M >> GH_PAGE_SHIFT));
	goheap_free(p[0]);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(heap), 0L, "too long to be parked");
}

/* A span that nobody owns takes remote frees under the central lock. */
static void test_goheap_free_into_span_without_owner(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-unowned", NULL);
	void *p[GH_TEST_PER_SPAN];
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, gh_test_try_fill(heap, p, GH_TEST_PER_SPAN, GH_TEST_SIZE));
	goheap_free(p[0]);
	gh_reclaim_trim();
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p[1])->owner, NULL);
	for (i = 1; i < GH_TEST_PER_SPAN; i++) {
		goheap_free(p[i]);
		KUNIT_EXPECT_EQ(test, gh_test_live(heap), (unsigned long)GH_TEST_PER_SPAN - 1 - i);
	}
	KUNIT_EXPECT_EQ_MSG(test, gh_test_pages(heap), 0L, "the span is not freed");
}

struct exchange {
	struct work_struct work;
	struct goheap *heap;
	unsigned int rounds;
	u64 seed;
	atomic_long_t *box;		/* objects on their way to whoever finds them */
	unsigned int failed;
};

#define BOXES	64

static void exchange_work(struct work_struct *work)
{
	struct exchange *x = container_of(work, struct exchange, work);
	struct rnd_state rnd;
	size_t size;
	void *p;

	gh_test_seed(&rnd, x->seed);
	while (x->rounds--) {
		size = 1 + gh_test_below(&rnd, gh_test_below(&rnd, 32) ? 2000 : 50000);
		p = goheap_heap_alloc(x->heap, size, GFP_KERNEL, gh_test_below(&rnd, 2));
		x->failed += !p;
		p = (void *)atomic_long_xchg(&x->box[gh_test_below(&rnd, BOXES)], (long)p);
		if (gh_test_below(&rnd, 8))
			goheap_free(p);
		else
			goheap_free_rcu(p);
		if (x->rounds % 256 == 0)
			cond_resched();
	}
}

static void test_goheap_free_exchanged_between_cpus(struct kunit *test)
{
	int cpus[] = { raw_smp_processor_id(), gh_test_other_cpu(test) };
	struct goheap *heap = gh_test_heap(test, "kunit-exchange", NULL);
	struct exchange *x = kunit_kcalloc(test, 2, sizeof(*x), GFP_KERNEL);
	atomic_long_t *box = kunit_kcalloc(test, BOXES, sizeof(*box), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, x);
	KUNIT_ASSERT_NOT_NULL(test, box);
	for (i = 0; i < 2; i++) {
		x[i] = (struct exchange){ .heap = heap, .box = box, .seed = i,
					  .rounds = GH_TEST_ROUNDS(100000) };
		INIT_WORK(&x[i].work, exchange_work);
		schedule_work_on(cpus[i], &x[i].work);
	}
	for (i = 0; i < 2; i++) {
		flush_work(&x[i].work);
		KUNIT_EXPECT_EQ(test, x[i].failed, 0);
	}
	for (i = 0; i < BOXES; i++)
		goheap_free((void *)atomic_long_read(&box[i]));
	gh_test_expect_silence(test);
	gh_test_flush_limbo();
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

/* ---- interrupts ---------------------------------------------------------- */

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
	void *q = goheap_heap_alloc(heap, 5, GFP_ATOMIC, GOHEAP_NOSCAN);
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

/* ---- private heaps ------------------------------------------------------- */

static void test_goheap_create_bad_names(struct kunit *test)
{
	static const struct goheap_params bad_flags = { .flags = 0x80 };
	char name[GH_NAME_MAX + 1];
	struct goheap *heap;

	memset(name, 'x', GH_NAME_MAX);
	name[GH_NAME_MAX] = '\0';
	KUNIT_EXPECT_PTR_EQ(test, goheap_create(name, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("", NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create(NULL, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("a/b", NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("..", NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("kunit", &bad_flags), ERR_PTR(-EINVAL));
	name[GH_NAME_MAX - 1] = '\0';
	heap = goheap_create(name, NULL);
	KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(heap), "63 characters");
	goheap_destroy(heap);
}

/* A blank shifted the columns of a table, a newline forged a record. */
static void test_goheap_create_name_breaks_tables(struct kunit *test)
{
	static const char *const bad[] = {
		"two words", " x", "x ", "x\ty", "x\n", "x\ndefault 0 0 0", "\r", "x\x01",
		"x\x1b[1m", "x\x7f", "\xc3\xa4", "x\x80", "x\xa0", "P,x", ",", "x;Z", "#x", "\"x",
		".", "/",
	};
	/* A file's name elsewhere, and every other mark, which goheap.debug= can name too. */
	static const char *const good[] = { "stats", "-x#.!$%&'()*+:<=>?@[\\]^_`{|}~" };
	char text[64];
	struct goheap *heap;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		heap = goheap_create(bad[i], NULL);
		KUNIT_EXPECT_PTR_EQ_MSG(test, heap, ERR_PTR(-EINVAL), "bad name %u", i);
		goheap_destroy(heap);
	}
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		heap = goheap_create(good[i], NULL);
		KUNIT_EXPECT_FALSE_MSG(test, IS_ERR(heap), "%s", good[i]);
		goheap_destroy(heap);
		snprintf(text, sizeof(text), "P;Z,a,%s,b", good[i]);
		KUNIT_EXPECT_EQ(test, gh_debug_parse(text, good[i]), GOHEAP_REDZONE);
	}
}

static void test_goheap_create_name_taken(struct kunit *test)
{
	gh_test_heap(test, "kunit-taken", NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("kunit-taken", NULL), ERR_PTR(-EEXIST));
	KUNIT_EXPECT_PTR_EQ(test, goheap_create("default", NULL), ERR_PTR(-EEXIST));
	goheap_destroy(ERR_PTR(-EEXIST));
	goheap_destroy(NULL);
}

static void test_goheap_heap_alloc_limit(struct kunit *test)
{
	static const struct goheap_params params = { .limit = 8 * GH_PAGE_SIZE + 100 };
	struct goheap *heap = gh_test_heap(test, "kunit-limit", &params);
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	void *p[8];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_heap_alloc(heap, 8192, gfp, 0);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	KUNIT_EXPECT_PTR_EQ(test, goheap_heap_alloc(heap, 8192, gfp, 0), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_heap_alloc(heap, 5, gfp, GOHEAP_NOSCAN), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_heap_alloc(heap, 100000, gfp, 0), NULL);
	goheap_free(p[3]);
	p[3] = goheap_heap_alloc(heap, 8192, gfp, 0);
	KUNIT_EXPECT_NOT_NULL(test, p[3]);
	goheap_free_bulk(ARRAY_SIZE(p), p);
	gh_reclaim_trim();
	p[0] = goheap_heap_alloc(heap, 8 * GH_PAGE_SIZE, gfp, 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test, p[0], "what was given back counts still");
	goheap_free(p[0]);
}

/* ---- letting others have the CPU ------------------------------------------ */

#define YIELD_NR	600		/* objects: several spans of each size */

static void *tiny(size_t size, gfp_t gfp)
{
	return goheap_alloc_noscan(size, gfp);
}

static void *zeroed(size_t size, gfp_t gfp)
{
	return goheap_zalloc(size, gfp);
}

static void *plain(size_t size, gfp_t gfp)
{
	return (goheap_alloc)(size, gfp);
}

/* How often others could have had the CPU while objects were allocated. */
static unsigned long yields(struct kunit *test, void *(*fn)(size_t, gfp_t), size_t size, gfp_t gfp,
			    unsigned long *refills)
{
	unsigned long before = gh_test_cache(gh_default)->refills, n;
	void **p = gh_test_array(test, YIELD_NR);
	unsigned int i;

	gh_test_yields = 0;
	WRITE_ONCE(gh_test_yielder, current);
	for (i = 0; i < YIELD_NR; i++)
		p[i] = fn(size, gfp);
	WRITE_ONCE(gh_test_yielder, NULL);
	n = gh_test_yields;
	*refills = gh_test_cache(gh_default)->refills - before;
	goheap_free_bulk(YIELD_NR, p);
	return n;
}

/* A loop that allocates and never sleeps must not keep the CPU without preemption. */
static void test_goheap_alloc_yields_when_it_refills(struct kunit *test)
{
	static const struct {
		void *(*fn)(size_t size, gfp_t gfp);
		size_t size;
	} of[] = { { plain, 64 }, { zeroed, 64 }, { tiny, 100 }, { tiny, 5 }, { tiny, 12 } };
	unsigned long n, refills;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(of); i++) {
		n = yields(test, of[i].fn, of[i].size, GFP_KERNEL, &refills);
		KUNIT_EXPECT_GT_MSG(test, refills, 0UL, "row %u", i);
		/* A tiny object for which there is nothing left refills twice. */
		KUNIT_EXPECT_GE_MSG(test, 2 * n, refills, "row %u", i);
		n = yields(test, of[i].fn, of[i].size, GFP_ATOMIC, &refills);
		KUNIT_EXPECT_EQ_MSG(test, n, 0UL, "row %u: it may not sleep", i);
	}
}

static void test_goheap_alloc_bulk_yields_between_batches(struct kunit *test)
{
	void **p = gh_test_array(test, YIELD_NR);

	KUNIT_ASSERT_NOT_NULL(test, p);
	gh_test_yields = 0;
	WRITE_ONCE(gh_test_yielder, current);
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(64, GFP_KERNEL, YIELD_NR, p), YIELD_NR);
	WRITE_ONCE(gh_test_yielder, NULL);
	KUNIT_EXPECT_GE(test, gh_test_yields, YIELD_NR / 64UL);
	goheap_free_bulk(YIELD_NR, p);
}

/* A large object that was freed a moment ago needs no pages, but it is no fast path. */
static void test_goheap_alloc_yields_for_large(struct kunit *test)
{
	unsigned int i;

	gh_test_yields = 0;
	WRITE_ONCE(gh_test_yielder, current);
	for (i = 0; i < 8; i++)
		goheap_free(goheap_alloc(SZ_64K, GFP_KERNEL));
	WRITE_ONCE(gh_test_yielder, NULL);
	KUNIT_EXPECT_GE(test, gh_test_yields, 8UL);
}

/* ---- what holds a limit with nothing live -------------------------------- */

static const size_t limits[] = { SZ_64K, SZ_256K, SZ_1M };

static struct goheap *limited_heap(struct kunit *test, size_t limit, unsigned int flags)
{
	struct goheap_params params = { .limit = limit, .flags = flags };
	char name[32];

	snprintf(name, sizeof(name), "kunit-limit-%zu-%x", limit, flags);
	return gh_test_heap(test, name, &params);
}

/* Up to the limit, and all free again. */
struct visit {
	struct goheap *heap;
	size_t size;
	unsigned int flags;		/* of goheap_heap_alloc() */
	void (*free)(const void *p);
	unsigned int nr;		/* objects there were */
};

#define VISIT_MOST	GH_TEST_ROUNDS(2048)

static long fill_and_free(void *arg)
{
	struct visit *v = arg;
	void **last = NULL, **p;

	for (v->nr = 0; v->nr < VISIT_MOST; v->nr++) {
		p = goheap_heap_alloc(v->heap, v->size, GFP_KERNEL | __GFP_NOWARN, v->flags);
		if (!p)
			break;
		*p = last;
		last = p;
	}
	for (; last; last = p) {
		p = *last;
		v->free(last);
	}
	return 0;
}

/* All of the limit for one object: nothing else may hold any of it. */
static void expect_all_free(struct kunit *test, const struct visit *v)
{
	size_t limit = v->heap->limit << GH_PAGE_SHIFT;
	void *p;

	KUNIT_EXPECT_GT_MSG(test, v->nr, 0U, "limit %zu: no object of %zu bytes", limit, v->size);
	if (v->heap->debug & GOHEAP_REDZONE)
		limit -= GH_PAGE_SIZE;
	p = goheap_heap_alloc(v->heap, limit, GFP_KERNEL | __GFP_NOWARN, 0);
	KUNIT_EXPECT_NOT_NULL_MSG(test, p, "limit %zu, held by objects of %zu bytes, flags %u",
				  limit, v->size, v->flags);
	goheap_free(p);
}

/* Long spans of a class may not; but there are shorter ones for its objects. */
static bool fits_limit(const struct visit *v)
{
	return gh_debug_room(v->heap, v->size, 0) <= v->heap->limit << GH_PAGE_SHIFT;
}

static void use_up(struct kunit *test, struct goheap *heap, void (*free)(const void *p), int cpu)
{
	static const size_t sizes[] = { 8, 48, 1024, 3000, 6784, 8192, 9400, 18432, 32768, 40000,
					100 << 10, 200 << 10 };
	struct visit v = { .heap = heap, .free = free };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes) * 2; i++) {
		v.size = sizes[i / 2];
		v.flags = i % 2 ? GOHEAP_NOSCAN : 0;
		if (!fits_limit(&v))
			continue;
		gh_test_on(cpu, fill_and_free, &v);
		expect_all_free(test, &v);
	}
}

/* What a class, or a length, holds is in the way of all others. */
static void test_goheap_limit_held_by_empty_spans(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		use_up(test, limited_heap(test, limits[i], 0), goheap_free,
		       raw_smp_processor_id());
}

static void test_goheap_limit_held_by_debugged_spans(struct kunit *test)
{
	unsigned int i, flags = GOHEAP_POISON | GOHEAP_REDZONE;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		use_up(test, limited_heap(test, limits[i], flags), goheap_free,
		       raw_smp_processor_id());
		use_up(test, limited_heap(test, limits[i], GOHEAP_POISON), goheap_free_rcu,
		       raw_smp_processor_id());
	}
}

static void test_goheap_limit_held_by_other_cpus(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		use_up(test, limited_heap(test, limits[i], 0), goheap_free, cpu);
}

static void test_goheap_limit_held_by_rcu(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		use_up(test, limited_heap(test, limits[i], 0), goheap_free_rcu,
		       raw_smp_processor_id());
}

static void test_goheap_limit_held_by_parked(struct kunit *test)
{
	struct goheap *heap = limited_heap(test, SZ_256K, 0);
	void *p = goheap_heap_alloc(heap, 100 << 10, GFP_KERNEL, 0);

	KUNIT_EXPECT_NOT_NULL(test, p);
	goheap_free(p);
	p = goheap_heap_alloc(heap, 200 << 10, GFP_KERNEL, 0);
	KUNIT_EXPECT_NOT_NULL(test, p);
	goheap_free(p);
}

static void free_elsewhere(const void *p)
{
	gh_test_free_on(cpumask_last(cpu_online_mask), p);
}

/* The spans are ours, what is free in them we do not know of yet. */
static void test_goheap_limit_held_by_inbox(struct kunit *test)
{
	struct visit v = { .size = 8192, .free = free_elsewhere };

	gh_test_other_cpu(test);
	v.heap = limited_heap(test, SZ_64K, 0);
	fill_and_free(&v);
	expect_all_free(test, &v);
}

/* A block that two objects share, one freed here and one by RCU. */
static void test_goheap_limit_held_by_tiny(struct kunit *test)
{
	struct goheap *heap = limited_heap(test, SZ_64K, 0);
	struct visit v = { .heap = heap, .size = 4, .nr = 1 };
	void *p = goheap_heap_alloc(heap, 4, GFP_KERNEL, GOHEAP_NOSCAN);
	void *q = goheap_heap_alloc(heap, 4, GFP_KERNEL, GOHEAP_NOSCAN);

	goheap_free_rcu(p);
	goheap_free(q);
	expect_all_free(test, &v);
}

/* Who cannot wait for other CPUs finds that they were asked. */
static void test_goheap_limit_atomic_comes_again(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = limited_heap(test, SZ_256K, 0);
	struct visit v = { .heap = heap, .size = 100 << 10, .free = goheap_free };
	unsigned int tries;
	void *p = NULL;

	gh_test_on(cpu, fill_and_free, &v);
	for (tries = 0; !p && tries < 100; tries++) {
		p = goheap_heap_alloc(heap, SZ_256K, GFP_NOWAIT | __GFP_NOWARN, 0);
		schedule_timeout_uninterruptible(HZ / 50 + 1);
	}
	KUNIT_EXPECT_NOT_NULL(test, p);
	KUNIT_EXPECT_GT_MSG(test, tries, 1U, "nothing was held");
	goheap_free(p);
}

static void test_goheap_heap_alloc_spans_not_shared(struct kunit *test)
{
	struct goheap *heaps[] = { gh_default, gh_test_heap(test, "kunit-one", NULL),
				   gh_test_heap(test, "kunit-two", NULL) };
	static const size_t sizes[] = { 5, 64, 5000, 50000 };
	void *p[60];
	unsigned int i, j, strangers = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0; j < ARRAY_SIZE(p); j++) {
			p[j] = goheap_heap_alloc(heaps[j % 3], sizes[i], GFP_KERNEL,
						 GOHEAP_NOSCAN);
			KUNIT_ASSERT_NOT_NULL(test, p[j]);
			strangers += gh_test_span_of(p[j])->heap != heaps[j % 3];
		}
		for (j = 0; j < ARRAY_SIZE(p); j++)
			goheap_heap_free(heaps[j % 3], p[j]);
	}
	KUNIT_EXPECT_EQ(test, strangers, 0);
}

static void leak(struct kunit *test, const char *name, unsigned int flags)
{
	struct goheap_params params = { .flags = flags };
	struct goheap *heap = goheap_create(name, &params);
	static const size_t sizes[] = { 3, 100, 2000, 70000 };
	unsigned int i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		KUNIT_EXPECT_NOT_NULL(test, goheap_heap_alloc(heap, sizes[i], GFP_KERNEL,
							      GOHEAP_NOSCAN));
	goheap_free(goheap_heap_alloc(heap, 500, GFP_KERNEL, 0));
	goheap_destroy(heap);
}

static void test_goheap_destroy_reports_leaks(struct kunit *test)
{
	leak(test, "kunit-leaky", 0);
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("heap kunit-leaky is gone with 4 objects leaked"));
	leak(test, "kunit-leak-ok", GOHEAP_LEAK_OK);
	KUNIT_EXPECT_FALSE(test, gh_test_log_has("heap kunit-leak-ok is gone"));
}

static void test_goheap_destroy_without_leaks(struct kunit *test)
{
	struct goheap *heap = goheap_create("kunit-tidy", NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	goheap_free(goheap_heap_alloc(heap, 100, GFP_KERNEL, 0));
	/* Destroying the heap has to wait for these. */
	goheap_free_rcu(goheap_heap_alloc(heap, 100, GFP_KERNEL, 0));
	goheap_free_rcu(goheap_heap_alloc(heap, 7, GFP_KERNEL, GOHEAP_NOSCAN));
	goheap_free_rcu(goheap_heap_alloc(heap, 100000, GFP_KERNEL, 0));
	goheap_destroy(heap);
	KUNIT_EXPECT_FALSE(test, gh_test_log_has("heap kunit-tidy is gone"));
}

/* ---- giving back --------------------------------------------------------- */

static void test_gh_reclaim_trim_returns_all(struct kunit *test)
{
	void **p = gh_test_array(test, 200);
	unsigned long idle = 0, lost = 0;
	unsigned int i;
	int nid;

	for (i = 0; i < 200; i++)
		p[i] = goheap_alloc_noscan(1 + i * i, GFP_KERNEL);
	goheap_free_bulk(200, p);
	gh_test_flush_limbo();
	gh_reclaim_trim();
	for_each_node(nid) {
		idle += gh_page_heaps[nid]->idle;
		lost += gh_page_heaps[nid]->taken - gh_page_heaps[nid]->returned;
	}
	KUNIT_EXPECT_EQ(test, idle, 0UL);
	KUNIT_EXPECT_EQ_MSG(test, lost, 0UL, "pages are held though nothing is live");
	KUNIT_EXPECT_EQ(test, gh_test_pages(gh_default), 0);
}

static struct kunit_case front_cases[] = {
	KUNIT_CASE(test_goheap_realloc_large_is_aligned),
	KUNIT_CASE(test_goheap_alloc_every_small_size),
	KUNIT_CASE(test_goheap_alloc_every_size_from_32k_blocks),
	KUNIT_CASE(test_goheap_alloc_every_size_from_short_blocks),
	KUNIT_CASE(test_goheap_alloc_from_shorter_spans),
	KUNIT_CASE(test_goheap_alloc_asks_once_for_scarce_blocks),
	KUNIT_CASE(test_goheap_heap_alloc_debug_from_shorter_spans),
	KUNIT_CASE(test_goheap_alloc_nofail_reaches_the_kernel),
	KUNIT_CASE(test_goheap_alloc_nofail_waits_for_blocks),
	KUNIT_CASE(test_goheap_alloc_large_sizes),
	KUNIT_CASE(test_goheap_alloc_size_zero),
	KUNIT_CASE(test_goheap_free_nothing),
	KUNIT_CASE(test_goheap_alloc_too_large),
	KUNIT_CASE(test_goheap_calloc_overflow),
	KUNIT_CASE(test_goheap_alloc_array_holds_all),
	KUNIT_CASE(test_goheap_alloc_refuses_zones),
	KUNIT_CASE(test_goheap_zalloc_after_use),
	KUNIT_CASE(test_goheap_zalloc_partly_used_span),
	KUNIT_CASE(test_goheap_zalloc_used_span_after_zeroes),
	KUNIT_CASE(test_goheap_zalloc_from_magazine),
	KUNIT_CASE(test_goheap_zalloc_leaves_zeroes_alone),
	KUNIT_CASE(test_goheap_alloc_init_on_alloc),
	KUNIT_CASE(test_goheap_alloc_init_on_alloc_all_of_size),
	KUNIT_CASE(test_goheap_realloc_init_on_alloc),
	KUNIT_CASE(test_goheap_free_init_on_free),
	KUNIT_CASE(test_goheap_destroy_init_on_free),
	KUNIT_CASE(test_goheap_alloc_aligned_all),
	KUNIT_CASE(test_goheap_alloc_node_all),
	KUNIT_CASE(test_goheap_alloc_node_not_there),
	KUNIT_CASE(test_goheap_alloc_noscan_has_spans_of_its_own),
	KUNIT_CASE(test_goheap_alloc_bulk_all_sizes),
	KUNIT_CASE(test_goheap_alloc_bulk_stops),
	KUNIT_CASE(test_goheap_strdup_copies),
	KUNIT_CASE(test_goheap_memdup_copies),
	KUNIT_CASE(test_goheap_free_sized_right_sizes),
	KUNIT_CASE(test_goheap_free_sized_after_realloc),
	KUNIT_CASE(test_goheap_free_by_scope),
	KUNIT_CASE(test_goheap_realloc_keeps_content),
	KUNIT_CASE(test_goheap_realloc_in_place),
	KUNIT_CASE(test_goheap_realloc_of_nothing_and_to_nothing),
	KUNIT_CASE(test_goheap_realloc_fails),
	KUNIT_CASE(test_goheap_realloc_stays_what_it_is),
	KUNIT_CASE(test_goheap_realloc_zeroes),
	KUNIT_CASE(test_goheap_realloc_of_aligned),
	KUNIT_CASE(test_goheap_base_interior),
	KUNIT_CASE(test_goheap_takes_tagged_pointers),
	KUNIT_CASE(test_goheap_base_foreign),
	KUNIT_CASE(test_goheap_alloc_free_random),
	KUNIT_CASE(test_goheap_free_rcu_waits_for_readers),
	KUNIT_CASE(test_goheap_free_rcu_large),
	KUNIT_CASE(test_goheap_free_rcu_large_is_healthy),
	KUNIT_CASE(test_goheap_free_large_counts),
	KUNIT_CASE(test_goheap_free_rcu_then_the_rest),
	KUNIT_CASE(test_goheap_free_from_other_cpu),
	KUNIT_CASE(test_goheap_free_all_from_other_cpu),
	KUNIT_CASE(test_goheap_free_large_from_other_cpu),
	KUNIT_CASE(test_gh_cache_park_by_length),
	KUNIT_CASE(test_gh_cache_park_is_aligned),
	KUNIT_CASE(test_gh_cache_park_is_bounded),
	KUNIT_CASE(test_goheap_free_into_span_without_owner),
	KUNIT_CASE(test_goheap_free_exchanged_between_cpus),
	KUNIT_CASE(test_goheap_alloc_nested),
	KUNIT_CASE(test_goheap_alloc_nested_new_span),
	KUNIT_CASE(test_goheap_free_nested),
	KUNIT_CASE(test_goheap_alloc_free_interrupted),
	KUNIT_CASE(test_goheap_create_bad_names),
	KUNIT_CASE(test_goheap_create_name_breaks_tables),
	KUNIT_CASE(test_goheap_create_name_taken),
	KUNIT_CASE(test_goheap_heap_alloc_limit),
	KUNIT_CASE(test_goheap_alloc_yields_when_it_refills),
	KUNIT_CASE(test_goheap_alloc_bulk_yields_between_batches),
	KUNIT_CASE(test_goheap_alloc_yields_for_large),
	KUNIT_CASE(test_goheap_limit_held_by_empty_spans),
	KUNIT_CASE(test_goheap_limit_held_by_debugged_spans),
	KUNIT_CASE(test_goheap_limit_held_by_other_cpus),
	KUNIT_CASE(test_goheap_limit_held_by_rcu),
	KUNIT_CASE(test_goheap_limit_held_by_parked),
	KUNIT_CASE(test_goheap_limit_held_by_inbox),
	KUNIT_CASE(test_goheap_limit_held_by_tiny),
	KUNIT_CASE(test_goheap_limit_atomic_comes_again),
	KUNIT_CASE(test_goheap_heap_alloc_spans_not_shared),
	KUNIT_CASE(test_goheap_destroy_reports_leaks),
	KUNIT_CASE(test_goheap_destroy_without_leaks),
	KUNIT_CASE(test_gh_reclaim_trim_returns_all),
	{}
};

static struct kunit_suite front_suite = {
	.name = "goheap_front",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = front_cases,
};

kunit_test_suite(front_suite);
