// SPDX-License-Identifier: GPL-2.0
/*
 * What happens when memory cannot be had: every public function is called again and
 * again from the same cold start, with the first, the second, the third allocation
 * below it failing, until none is left to fail. Each time it must either work or say
 * that it did not, and leave nothing behind.
 *
 * A task's fail_nth counts the attempts of failslab, fail_page_alloc and fail_goheap
 * together. The first two spare GFP_KERNEL unless debugfs tells them not to; see
 * kunit-san in tools/testing/lanes.
 */

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "lib_object.h"
#include "testlib.h"

#if defined(CONFIG_FAILSLAB) && defined(CONFIG_FAIL_PAGE_ALLOC)

/* A call that has so many places to fail in never ends. */
#define MOST		1000U

/* The longest text that is copied. */
#define MOST_TEXT	(100UL << 10)

#define KERNEL		(GFP_KERNEL | __GFP_NOWARN)
#define NOWAIT		(GFP_NOWAIT | __GFP_NOWARN)

/* ---- failing ----------------------------------------------------------------- */

/* The next @nth attempt to allocate memory fails. */
static void arm(unsigned int nth)
{
	current->fail_nth = nth;
}

/* Did it? */
static bool disarm(void)
{
	bool failed = !current->fail_nth;

	current->fail_nth = 0;
	return failed;
}

#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc"

static bool old_ignore;
static u32 old_verbose;

static int fault_init(struct kunit *test)
{
	void *p;

	old_ignore = gh_fault.ignore_gfp_wait;
	old_verbose = gh_fault.verbose;
	gh_fault.ignore_gfp_wait = false;
	gh_fault.verbose = 0;
	arm(1);
	p = kmalloc(64, KERNEL);
	disarm();
	KUNIT_EXPECT_NULL_MSG(test, p, "echo N >/sys/kernel/debug/failslab/ignore-gfp-wait first");
	kfree(p);
	arm(1);
	p = alloc_page(KERNEL);
	disarm();
	KUNIT_EXPECT_NULL_MSG(test, p, "echo N >%s/ignore-gfp-wait, 0 >%s/min-order first",
			      FAIL_PAGES, FAIL_PAGES);
	if (p)
		__free_page(p);
	return gh_test_init(test);
}

static void fault_exit(struct kunit *test)
{
	gh_fault.ignore_gfp_wait = old_ignore;
	gh_fault.verbose = old_verbose;
	gh_test_exit(test);
}

/* ---- the ledger ---------------------------------------------------------------- */

/* All that goheap has, in numbers that do not depend on where it is. */
struct ledger {
	unsigned long live;		/* objects */
	unsigned long heaps;
	unsigned long held;		/* heap pages from the kernel */
	unsigned long used;		/* of them in spans */
	long charged;			/* to the default heap */
	unsigned long metadata;		/* bytes of descriptors and arenas */
	unsigned long magazines;	/* bytes */
};

static void read_ledger(struct ledger *l)
{
	struct list_head *heap;
	int nid;

	memset(l, 0, sizeof(*l));
	l->live = gh_test_live(NULL);
	mutex_lock(&gh_heaps_mutex);
	list_for_each(heap, &gh_heaps)
		l->heaps++;
	mutex_unlock(&gh_heaps_mutex);
	for_each_node(nid) {
		l->held += gh_page_heaps[nid]->taken - gh_page_heaps[nid]->returned;
		l->used += gh_page_heaps[nid]->small + gh_page_heaps[nid]->large;
	}
	l->charged = atomic_long_read(&gh_default->pages);
	l->metadata = gh_arena_metadata();
	l->magazines = gh_magazine_bytes();
}

/* Nothing at hand: whatever is allocated next has to come from the kernel. */
static void cool(struct ledger *l)
{
	gh_reclaim_trim();
	read_ledger(l);
}

/* Back where it was, once what was in flight has landed. */
static bool is_balanced(const struct ledger *before, struct ledger *now)
{
	unsigned int tries;

	for (tries = 0; tries < 100; tries++) {
		cool(now);
		if (!memcmp(before, now, sizeof(*now)))
			return true;
		gh_test_flush_limbo();
		schedule_timeout_uninterruptible(1);
	}
	return false;
}

static void expect_balance(struct kunit *test, const struct ledger *before, const char *what,
			   unsigned int nth)
{
	struct ledger now;

	if (is_balanced(before, &now))
		return;
	KUNIT_FAIL(test, "%s leaks when allocation %u fails", what, nth);
	KUNIT_EXPECT_EQ(test, now.live, before->live);
	KUNIT_EXPECT_EQ(test, now.heaps, before->heaps);
	KUNIT_EXPECT_EQ(test, now.held, before->held);
	KUNIT_EXPECT_EQ(test, now.used, before->used);
	KUNIT_EXPECT_EQ(test, now.charged, before->charged);
	KUNIT_EXPECT_EQ(test, now.metadata, before->metadata);
	KUNIT_EXPECT_EQ(test, now.magazines, before->magazines);
}

/* ---- one object ------------------------------------------------------------------ */

static struct goheap *heap;		/* of the case */
static char *text;			/* what is copied: no byte of it is 0 */

static void *by_alloc(size_t size, gfp_t gfp)
{
	return (goheap_alloc)(size, gfp);
}

static void *by_class(size_t size, gfp_t gfp)
{
	return goheap_alloc_class(goheap_class_of(size), size, gfp);
}

static void *by_zalloc(size_t size, gfp_t gfp)
{
	return goheap_zalloc(size, gfp);
}

static void *by_noscan(size_t size, gfp_t gfp)
{
	return goheap_alloc_noscan(size, gfp);
}

static void *by_node(size_t size, gfp_t gfp)
{
	return goheap_alloc_node(size, gfp, numa_mem_id());
}

static void *by_this_node(size_t size, gfp_t gfp)
{
	return goheap_alloc_node(size, gfp | __GFP_THISNODE, numa_mem_id());
}

static void *by_aligned(size_t size, gfp_t gfp)
{
	return goheap_alloc_aligned(size, 64 << 10, gfp);
}

static void *by_array(size_t size, gfp_t gfp)
{
	return goheap_alloc_array(size, 1, gfp);
}

static void *by_calloc(size_t size, gfp_t gfp)
{
	return goheap_calloc(size, 1, gfp);
}

static void *by_realloc(size_t size, gfp_t gfp)
{
	return goheap_realloc(NULL, size, gfp);
}

static void *by_strdup(size_t size, gfp_t gfp)
{
	return goheap_strdup(text + MOST_TEXT - size, gfp);
}

static void *by_memdup(size_t size, gfp_t gfp)
{
	return goheap_memdup(text, size, gfp);
}

static void *by_heap(size_t size, gfp_t gfp)
{
	return goheap_heap_alloc(heap, size, gfp, 0);
}

static void *by_heap_noscan(size_t size, gfp_t gfp)
{
	return goheap_heap_alloc(heap, size, gfp, GOHEAP_NOSCAN);
}

static void *by_heap_zalloc(size_t size, gfp_t gfp)
{
	return goheap_heap_zalloc(heap, size, gfp, 0);
}

static void *by_heap_node(size_t size, gfp_t gfp)
{
	return goheap_heap_alloc_node(heap, size, gfp, 0, numa_mem_id());
}

static void *by_heap_aligned(size_t size, gfp_t gfp)
{
	return goheap_heap_alloc_aligned(heap, size, 64, gfp, 0);
}

static void *by_heap_calloc(size_t size, gfp_t gfp)
{
	return goheap_heap_calloc(heap, size, 1, gfp, 0);
}

static void *by_heap_realloc(size_t size, gfp_t gfp)
{
	return goheap_heap_realloc(heap, NULL, size, gfp);
}

static void *by_calloc_node(size_t size, gfp_t gfp)
{
	return goheap_calloc_node(1, size, gfp, numa_mem_id());
}

static void *by_strndup(size_t size, gfp_t gfp)
{
	return goheap_strndup(text, size - 1, gfp);
}

static void *by_memdup_nul(size_t size, gfp_t gfp)
{
	return goheap_heap_memdup_nul(heap, text, size - 1, gfp);
}

static void *by_asprintf(size_t size, gfp_t gfp)
{
	return goheap_heap_asprintf(heap, gfp, "%s", text + MOST_TEXT - size);
}

/* A function that allocates one object. */
struct way {
	const char *name;
	void *(*alloc)(size_t size, gfp_t gfp);
	size_t most;
	bool zeroed;
	bool copied;
	bool tiny;			/* 3 bytes share a block */
	bool never_elsewhere;		/* one failure is enough */
};

#define WAY_THIS_NODE	5

static const struct way ways[] = {
	{ "goheap_alloc", by_alloc, SIZE_MAX },
	{ "goheap_alloc_class", by_class, GOHEAP_CLASS_MAX },
	{ "goheap_zalloc", by_zalloc, SIZE_MAX, .zeroed = true },
	{ "goheap_alloc_noscan", by_noscan, SIZE_MAX, .tiny = true },
	{ "goheap_alloc_node", by_node, SIZE_MAX },
	[WAY_THIS_NODE] = {
		"goheap_alloc_node THISNODE", by_this_node, SIZE_MAX, .never_elsewhere = true
	},
	{ "goheap_alloc_aligned", by_aligned, SIZE_MAX },
	{ "goheap_alloc_array", by_array, SIZE_MAX },
	{ "goheap_calloc", by_calloc, SIZE_MAX, .zeroed = true },
	{ "goheap_realloc NULL", by_realloc, SIZE_MAX },
	{ "goheap_strdup", by_strdup, MOST_TEXT, .copied = true, .tiny = true },
	{ "goheap_memdup", by_memdup, MOST_TEXT, .copied = true },
	{ "goheap_heap_alloc", by_heap, SIZE_MAX },
	{ "goheap_heap_alloc NOSCAN", by_heap_noscan, SIZE_MAX, .tiny = true },
	{ "goheap_heap_zalloc", by_heap_zalloc, SIZE_MAX, .zeroed = true },
	{ "goheap_heap_alloc_node", by_heap_node, SIZE_MAX },
	{ "goheap_heap_alloc_aligned", by_heap_aligned, SIZE_MAX },
	{ "goheap_heap_calloc", by_heap_calloc, SIZE_MAX, .zeroed = true },
	{ "goheap_heap_realloc NULL", by_heap_realloc, SIZE_MAX },
	{ "goheap_calloc_node", by_calloc_node, SIZE_MAX, .zeroed = true },
	{ "goheap_strndup", by_strndup, MOST_TEXT, .copied = true, .tiny = true },
	{ "goheap_heap_memdup_nul", by_memdup_nul, MOST_TEXT, .copied = true },
	{ "goheap_heap_asprintf", by_asprintf, MOST_TEXT, .copied = true },
};

static void way_name(const struct way *way, char *desc)
{
	strscpy(desc, way->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(way, ways, way_name);

static void expect_good(struct kunit *test, const struct way *way, void *p, size_t size)
{
	KUNIT_EXPECT_GE(test, goheap_size(p), size);
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(p), p);
	if (way->zeroed)
		KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, size));
	if (way->copied)
		KUNIT_EXPECT_EQ(test, memcmp(p, text, size - 1), 0);
	memset(p, 0xa5, size);
}

/* The call once, with allocation @nth failing. True if there was one to fail. */
static bool fail_once(struct kunit *test, const struct way *way, size_t size, gfp_t gfp,
		      unsigned int nth, void **p)
{
	struct ledger before, after;
	bool failed;

	cool(&before);
	arm(nth);
	*p = way->alloc(size, gfp);
	failed = disarm();
	KUNIT_EXPECT_TRUE_MSG(test, failed || *p, "%s(%zu) fails with all memory there is",
			      way->name, size);
	read_ledger(&after);
	KUNIT_EXPECT_EQ(test, after.live, before.live + !!*p);
	gh_test_validate(test);
	if (*p)
		expect_good(test, way, *p, size);
	goheap_free(*p);
	expect_balance(test, &before, way->name, nth);
	return failed;
}

/*
 * Until nothing is left to fail. Returns how many allocations could; @nulls gets how
 * often the call failed with them.
 */
static unsigned int fail_each(struct kunit *test, const struct way *way, size_t size, gfp_t gfp,
			      unsigned int *nulls)
{
	unsigned int nth;
	void *p;

	*nulls = 0;
	for (nth = 1; nth < MOST; nth++) {
		if (!fail_once(test, way, size, gfp, nth, &p))
			break;
		*nulls += !p;
		if (nth == 1 && !(gfp & __GFP_NOFAIL))
			KUNIT_EXPECT_NULL_MSG(test, p, "%s ignores fail_goheap", way->name);
	}
	return nth - 1;
}

/* Checkers of the kernel may take one of the failures for memory of their own. */
#define TRIES	20U

static void try_way(struct kunit *test, const struct way *way, size_t size, gfp_t gfp)
{
	unsigned int points, nulls, tries = 0, least = way->never_elsewhere ? 4 : 1;

	if (size > way->most)
		return;
	do {
		points = fail_each(test, way, size, gfp, &nulls);
	} while (nulls < least && ++tries < TRIES);
	/* Itself; a page; descriptors of the run, of the span, of the rest; an arena. */
	KUNIT_EXPECT_GE(test, points, 6U);
	KUNIT_EXPECT_LT(test, points, MOST - 1);
	/* Mostly what fails for the node is tried once more for all nodes. */
	KUNIT_EXPECT_GE_MSG(test, nulls, least, "%zu bytes, %u could fail", size, points);
}

/* What the ways need. */
static void use_ways(struct kunit *test)
{
	heap = gh_test_heap(test, "kunit-faults", NULL);
	text = kunit_kzalloc(test, MOST_TEXT, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', MOST_TEXT - 1);
}

static void test_goheap_alloc_each_way(struct kunit *test)
{
	const struct way *way = test->param_value;

	use_ways(test);
	if (way->tiny)
		try_way(test, way, 3, KERNEL);
	try_way(test, way, 100, NOWAIT);
	try_way(test, way, 100000, KERNEL);
}

static void test_goheap_alloc_max_size(struct kunit *test)
{
	try_way(test, &ways[0], goheap_max_size(), KERNEL);
}

#define PAGE_ROUNDS	4
/* In each round a chunk comes, a descriptor or an arena does not, and the chunk goes. */
#define PAGE_SLACK	((PAGE_ROUNDS << 20 >> PAGE_SHIFT) / 2)

static long lose_pages(struct kunit *test)
{
	long before = global_zone_page_state(NR_FREE_PAGES);
	unsigned int i, nulls;

	for (i = 0; i < PAGE_ROUNDS; i++)
		fail_each(test, &ways[WAY_THIS_NODE], 100, KERNEL, &nulls);
	return before - (long)global_zone_page_state(NR_FREE_PAGES);
}

/* Pages that never get as far as the ledger. Others use pages, too; but not for ever. */
static void test_gh_arena_alloc_loses_no_page(struct kunit *test)
{
	unsigned int tries = 0;
	long lost;

	do {
		lost = lose_pages(test);
	} while (lost >= PAGE_SLACK && ++tries < 4);
	KUNIT_EXPECT_LT(test, lost, (long)PAGE_SLACK);
}

/*
 * It may wait, and does: what fails once is tried again. The kernel lets no request fail that
 * says it must not, so what there is to fail is what does not say so: chunks that are
 * longer than needed, an arena, and blocks of more than two pages. What becomes of those if
 * they fail for longer is in goheap_scarce.
 */
static void test_goheap_alloc_nofail(struct kunit *test)
{
	static const size_t sizes[] = { 100, 9472, 32768, 50000 };
	const struct way *way = &ways[WAY_THIS_NODE];
	unsigned int nulls, i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_GE(test, fail_each(test, way, sizes[i], KERNEL | __GFP_NOFAIL, &nulls),
				2U);
		KUNIT_EXPECT_EQ(test, nulls, 0U);
	}
}

#define NR_GROWN	600

/* A stock is smaller for want of descriptors, or there is none. */
static void test_gh_stock_refill_each(struct kunit *test)
{
	unsigned long stock, least = ULONG_MAX, most = 0;
	struct ledger before;
	unsigned int nth;
	void *p, **grown;
	bool failed;

	use_ways(test);
	grown = gh_test_alloc_many(test, heap, NR_GROWN, 8192);
	for (nth = 1; nth < MOST; nth++) {
		cool(&before);
		arm(nth);
		p = by_heap(8192, KERNEL);
		failed = disarm();
		stock = gh_test_stock(heap);
		least = min(least, stock);
		most = max(most, stock);
		gh_test_validate(test);
		goheap_free(p);
		expect_balance(test, &before, "a stock", nth);
		if (!failed)
			break;
	}
	KUNIT_EXPECT_GT_MSG(test, nth, NR_GROWN / 32U, "descriptors do not fail one by one");
	KUNIT_EXPECT_LT(test, nth, MOST);
	KUNIT_EXPECT_EQ(test, least, 0UL);
	KUNIT_EXPECT_GE(test, most, NR_GROWN / 32UL);
	gh_test_free_each(grown, NR_GROWN);
}

/* An object that is at hand fails once, and a size that needs none never. */
static void test_gh_should_fail_once_an_object(struct kunit *test)
{
	void *p, *kept;
	unsigned int i;

	use_ways(test);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		kept = ways[i].alloc(100, KERNEL);
		goheap_free(ways[i].alloc(100, KERNEL));
		arm(2);
		p = ways[i].alloc(100, KERNEL);
		KUNIT_EXPECT_EQ_MSG(test, current->fail_nth, 1U, "%s", ways[i].name);
		disarm();
		KUNIT_EXPECT_NOT_NULL(test, p);
		goheap_free(p);
		goheap_free(kept);
	}
	arm(1);
	p = goheap_zalloc(0, KERNEL);
	KUNIT_EXPECT_FALSE(test, disarm());
	KUNIT_EXPECT_PTR_EQ(test, p, ZERO_SIZE_PTR);
}

/* ---- resizing ------------------------------------------------------------------------ */

struct resize {
	size_t from, to;
};

static bool is_filled(const u8 *p, size_t from, size_t size)
{
	while (size--)
		if (p[size] != (u8)(from + size))
			return false;
	return true;
}

static void fill(u8 *p, size_t from, size_t size)
{
	while (size--)
		p[size] = from + size;
}

static bool resize_once(struct kunit *test, const struct resize *r, unsigned int nth)
{
	struct ledger before, after;
	u8 *old, *new;
	bool failed;

	cool(&before);
	old = goheap_alloc(r->from, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, old);
	fill(old, r->from, r->from);
	gh_reclaim_trim();
	arm(nth);
	new = goheap_realloc(old, r->to, KERNEL);
	failed = disarm();
	KUNIT_EXPECT_TRUE(test, failed || new);
	if (nth == 1)
		KUNIT_EXPECT_NULL(test, new);
	read_ledger(&after);
	KUNIT_EXPECT_EQ(test, after.live, before.live + 1);
	KUNIT_EXPECT_TRUE(test, is_filled(new ?: old, r->from, min(r->from, r->to)));
	KUNIT_EXPECT_GE(test, goheap_size(new ?: old), new ? r->to : r->from);
	gh_test_validate(test);
	goheap_free(new ?: old);
	expect_balance(test, &before, "goheap_realloc", nth);
	return failed;
}

static void test_goheap_realloc_each(struct kunit *test)
{
	static const struct resize resizes[] = {
		{ 100, 5000 }, { 5000, 100 }, { 100, 300000 }, { 300000, 400000 }, { 300000, 100 },
	};
	unsigned int i, nth;

	for (i = 0; i < ARRAY_SIZE(resizes); i++) {
		for (nth = 1; nth < MOST && resize_once(test, &resizes[i], nth); nth++)
			;
		KUNIT_EXPECT_GE(test, nth, 4U);
		KUNIT_EXPECT_LT(test, nth, MOST);
	}
}

/* An object that stays where it is needs nothing. */
static void test_goheap_realloc_in_place_needs_nothing(struct kunit *test)
{
	void *p = goheap_alloc(100, GFP_KERNEL), *q;

	KUNIT_ASSERT_NOT_NULL(test, p);
	arm(1);
	q = goheap_realloc(p, 80, KERNEL);
	KUNIT_EXPECT_FALSE(test, disarm());
	KUNIT_EXPECT_PTR_EQ(test, p, q);
	goheap_free(q ?: p);
}

/* ---- many objects ----------------------------------------------------------------------- */

#define BULK	10U

static bool bulk_once(struct kunit *test, size_t size, gfp_t gfp, unsigned int nth)
{
	struct ledger before, after;
	void *p[BULK];
	unsigned int got, i;
	bool failed;

	cool(&before);
	arm(nth);
	got = goheap_alloc_bulk(size, gfp, BULK, p);
	failed = disarm();
	KUNIT_EXPECT_LE(test, got, BULK);
	if (!failed)
		KUNIT_EXPECT_EQ(test, got, BULK);
	/* First it is asked which objects are to fail. */
	if (nth <= BULK)
		KUNIT_EXPECT_EQ(test, got, nth - 1);
	read_ledger(&after);
	KUNIT_EXPECT_EQ(test, after.live, before.live + got);
	for (i = 0; i < got; i++) {
		KUNIT_EXPECT_PTR_EQ(test, goheap_base(p[i]), p[i]);
		memset(p[i], i, size);
	}
	for (i = 0; i < got; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(p[i], i, size));
	gh_test_validate(test);
	goheap_free_bulk(got, p);
	expect_balance(test, &before, "goheap_alloc_bulk", nth);
	return failed;
}

static void bulk_each(struct kunit *test, size_t size, gfp_t gfp)
{
	unsigned int nth;

	for (nth = 1; nth < MOST && bulk_once(test, size, gfp, nth); nth++)
		;
	KUNIT_EXPECT_GE(test, nth, BULK + 4);
	KUNIT_EXPECT_LT(test, nth, MOST);
}

static void test_goheap_alloc_bulk_each(struct kunit *test)
{
	bulk_each(test, 100, KERNEL);
	bulk_each(test, 40000, NOWAIT);
}

/* ---- magazines -------------------------------------------------------------------------- */

/* The object does not depend on the magazine that its slot would be worth. */
static void test_gh_magazine_consider_no_memory(struct kunit *test)
{
	struct gh_bin *bin;
	struct ledger before;
	unsigned int nth, without = 0, tries = 0;
	bool failed = true;
	void *p;

	heap = gh_test_heap(test, "kunit-faults", NULL);
	bin = gh_test_bin(heap, 64);
again:
	for (nth = 1; failed && nth < MOST; nth++) {
		cool(&before);
		bin->magazine_after = 0;
		arm(nth);
		p = goheap_heap_alloc(heap, 64, KERNEL, 0);
		failed = disarm();
		without += failed && p && !bin->magazine;
		KUNIT_EXPECT_TRUE(test, failed || bin->magazine);
		goheap_free(p);
		gh_test_validate(test);
		expect_balance(test, &before, "gh_magazine_consider", nth);
	}
	/* The cache's own work may have been quicker to give the slot one. */
	failed = !without && tries++ < 5;
	if (failed)
		goto again;
	KUNIT_EXPECT_GE_MSG(test, without, 1U, "the magazine was never what failed");
}

/* ---- heaps ------------------------------------------------------------------------------ */

static bool create_once(struct kunit *test, unsigned int nth)
{
	struct ledger before;
	struct goheap *new;
	bool failed;

	cool(&before);
	arm(nth);
	new = goheap_create("kunit-enomem", NULL);
	failed = disarm();
	if (IS_ERR(new)) {
		KUNIT_EXPECT_TRUE(test, failed);
		KUNIT_EXPECT_PTR_EQ(test, new, ERR_PTR(-ENOMEM));
	} else {
		/* Without its directory, perhaps. */
		goheap_heap_free(new, goheap_heap_alloc(new, 100, KERNEL, 0));
		gh_test_validate(test);
		goheap_destroy(new);
	}
	expect_balance(test, &before, "goheap_create", nth);
	return failed;
}

static void test_goheap_create_each(struct kunit *test)
{
	unsigned int nth;

	for (nth = 1; nth < MOST && create_once(test, nth); nth++)
		;
	/* The heap, its caches, its directory and four files. */
	KUNIT_EXPECT_GE(test, nth, 8U);
	KUNIT_EXPECT_LT(test, nth, MOST);
}

static bool create_cache_once(struct kunit *test, unsigned int nth)
{
	struct ledger before;
	struct goheap_cache *new;
	bool failed;

	cool(&before);
	arm(nth);
	new = goheap_cache_create("kunit-enomem", 6000, 0, GOHEAP_CACHE_TYPESAFE_BY_RCU, NULL);
	failed = disarm();
	if (IS_ERR(new)) {
		KUNIT_EXPECT_TRUE(test, failed);
		KUNIT_EXPECT_PTR_EQ(test, (void *)new, ERR_PTR(-ENOMEM));
	} else {
		goheap_cache_free(new, goheap_cache_alloc(new, KERNEL));
		gh_test_validate(test);
		goheap_cache_destroy(new);
	}
	expect_balance(test, &before, "goheap_cache_create", nth);
	return failed;
}

static void test_goheap_cache_create_each(struct kunit *test)
{
	unsigned int nth;

	for (nth = 1; nth < MOST && create_cache_once(test, nth); nth++)
		;
	KUNIT_EXPECT_GE(test, nth, 8U);
	KUNIT_EXPECT_LT(test, nth, MOST);
}

/* Of a cache that was never used: a slot, central lists, pages, and shorter pages. */
static bool cache_alloc_once(struct kunit *test, unsigned int nth)
{
	struct goheap_cache *new = goheap_cache_create("kunit-enomem", 6000, 0, 0, NULL);
	struct ledger before;
	bool failed;
	void *p;

	KUNIT_ASSERT_FALSE(test, IS_ERR(new));
	cool(&before);
	arm(nth);
	p = goheap_cache_alloc(new, NOWAIT);
	failed = disarm();
	KUNIT_EXPECT_TRUE(test, p || failed);
	if (p)
		memset(p, 1, 6000);
	goheap_cache_free(new, p);
	gh_test_validate(test);
	expect_balance(test, &before, "goheap_cache_alloc", nth);
	goheap_cache_destroy(new);
	return failed;
}

static void test_goheap_cache_alloc_each(struct kunit *test)
{
	unsigned int nth;

	for (nth = 1; nth < MOST && cache_alloc_once(test, nth); nth++)
		;
	KUNIT_EXPECT_GE(test, nth, 4U);
	KUNIT_EXPECT_LT(test, nth, MOST);
}

/* Was there something to fail? It worked all the same. */
static bool destroy_once(struct kunit *test)
{
	struct goheap *new = goheap_create("kunit-enomem", NULL);
	struct ledger before;
	bool failed;

	KUNIT_ASSERT_FALSE(test, IS_ERR(new));
	goheap_free_rcu(goheap_heap_alloc(new, 100, GFP_KERNEL, 0));
	goheap_free(goheap_heap_alloc(new, 100000, GFP_KERNEL, 0));
	arm(1);
	goheap_destroy(new);
	failed = disarm();
	cool(&before);
	KUNIT_EXPECT_EQ(test, before.heaps, 1UL);
	KUNIT_EXPECT_EQ(test, before.live, 0UL);
	KUNIT_EXPECT_EQ(test, before.held, 0UL);
	return failed;
}

static void test_goheap_destroy_needs_nothing(struct kunit *test)
{
	unsigned int tries = 0;

	while (destroy_once(test) && ++tries < TRIES)
		;
	KUNIT_EXPECT_LT(test, tries, TRIES);
}

/* ---- frees ---------------------------------------------------------------------------- */

static void *make(struct kunit *test, size_t size)
{
	void *p = goheap_alloc_noscan(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static long make_elsewhere(void *arg)
{
	*(void **)arg = goheap_alloc(300, GFP_KERNEL);
	return 0;
}

/* No free, and no question, allocates. */
static void test_goheap_free_needs_nothing(struct kunit *test)
{
	static const size_t sizes[] = { 3, 100, 32768, 100000 };
	unsigned int i, n = 0;
	void *p[6 * ARRAY_SIZE(sizes)], *elsewhere = NULL;
	int cpu;

	heap = gh_test_heap(test, "kunit-faults", NULL);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = make(test, sizes[i % ARRAY_SIZE(sizes)]);
	cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (cpu < nr_cpu_ids)
		gh_test_on(cpu, make_elsewhere, &elsewhere);
	arm(1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		goheap_free(p[n++]);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		goheap_free_sized(p[n++], sizes[i]);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		goheap_free_rcu(p[n++]);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		goheap_heap_free(gh_default, p[n++]);
	KUNIT_EXPECT_EQ(test, goheap_size(p[n]), 4UL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(p[n]), p[n]);
	goheap_free_bulk(ARRAY_SIZE(p) - n, p + n);
	goheap_free(elsewhere);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, current->fail_nth, 1U);
	disarm();
	gh_test_validate(test);
}

/* ---- debugfs ---------------------------------------------------------------------------- */

/* What a reader gets; the files are seq_files behind what debugfs puts before them. */
static ssize_t read_through(struct file *file, void *buf, size_t size)
{
	struct kvec vec = { .iov_base = buf, .iov_len = size };
	struct iov_iter iter;
	struct kiocb kiocb;

	init_sync_kiocb(&kiocb, file);
	iov_iter_kvec(&iter, READ, &vec, 1, size);
	return seq_read_iter(&kiocb, &iter);
}

static ssize_t read_file(const char *path, void *buf, size_t size)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	ssize_t n;

	if (IS_ERR(file))
		return PTR_ERR(file);
	n = read_through(file, buf, size);
	fput(file);
	return n;
}

static void read_each(struct kunit *test, const char *path, char *buf)
{
	struct ledger before, after;
	unsigned int nth;
	bool failed = true;
	ssize_t n;

	read_ledger(&before);
	for (nth = 1; failed && nth < MOST; nth++) {
		arm(nth);
		n = read_file(path, buf, PAGE_SIZE);
		failed = disarm();
		KUNIT_EXPECT_TRUE_MSG(test, n > 0 || (failed && n < 0), "%s: %zd", path, n);
	}
	/* The file, where debugfs finds it, the seq_file, its buffer. */
	KUNIT_EXPECT_GE_MSG(test, nth, 4U, "%s", path);
	KUNIT_EXPECT_LT_MSG(test, nth, MOST, "%s", path);
	read_ledger(&after);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(&before, &after, sizeof(after)), 0, "%s", path);
}

static void test_gh_debugfs_each_file(struct kunit *test)
{
	static const char *const names[] = {
		"size_classes", "stats", "spans", "occupancy", "arenas", "percpu", "validate",
		"heaps/kunit-faults/stats", "heaps/kunit-faults/spans",
		"heaps/kunit-faults/occupancy", "heaps/kunit-faults/percpu",
	};
	char *buf = kunit_kmalloc(test, PAGE_SIZE, GFP_KERNEL), path[80];
	unsigned int i;
	void *p;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	heap = gh_test_heap(test, "kunit-faults", NULL);
	if (read_file("/sys/kernel/debug/goheap/stats", buf, PAGE_SIZE) == -ENOENT)
		kunit_skip(test, "debugfs is not mounted");
	p = goheap_heap_alloc(heap, 100, GFP_KERNEL, 0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/goheap/%s", names[i]);
		read_each(test, path, buf);
	}
	goheap_free(p);
}

/* ---- fail_goheap itself ------------------------------------------------------------------- */

/* The attribute as it is when nobody has asked for anything. */
static const struct fault_attr quiet = FAULT_ATTR_INITIALIZER;

static void set_attr(unsigned long probability, unsigned long interval, int times)
{
	gh_fault.attr.probability = probability;
	gh_fault.attr.interval = interval;
	gh_fault.attr.count = 0;
	atomic_set(&gh_fault.attr.times, times);
	atomic_set(&gh_fault.attr.space, 0);
}

static unsigned int failures(unsigned int n, gfp_t gfp)
{
	unsigned int nulls = 0;
	void *p;

	while (n--) {
		p = goheap_alloc(100, gfp);
		nulls += !p;
		goheap_free(p);
	}
	return nulls;
}

static void test_fail_goheap_attributes(struct kunit *test)
{
	goheap_free(goheap_alloc(100, GFP_KERNEL));
	set_attr(100, 1, -1);
	KUNIT_EXPECT_EQ(test, failures(100, KERNEL), 100U);
	KUNIT_EXPECT_EQ(test, failures(100, NOWAIT), 100U);
	KUNIT_EXPECT_EQ(test, failures(100, KERNEL | __GFP_NOFAIL), 0U);
	set_attr(100, 1, 3);
	KUNIT_EXPECT_EQ(test, failures(100, KERNEL), 3U);
	set_attr(100, 10, -1);
	KUNIT_EXPECT_EQ(test, failures(100, KERNEL), 10U);
	set_attr(0, 1, -1);
	KUNIT_EXPECT_EQ(test, failures(100, KERNEL), 0U);
	gh_fault.ignore_gfp_wait = true;
	set_attr(100, 1, -1);
	KUNIT_EXPECT_EQ(test, failures(100, KERNEL), 0U);
	KUNIT_EXPECT_EQ(test, failures(100, NOWAIT), 100U);
	set_attr(quiet.probability, quiet.interval, atomic_read(&quiet.times));
}

static void test_fail_goheap_says_so(struct kunit *test)
{
	gh_fault.verbose = 1;
	arm(1);
	goheap_free(goheap_alloc(101, KERNEL));
	disarm();
	KUNIT_EXPECT_FALSE(test, gh_test_log_has("fail_goheap: an allocation of 101 bytes fails"));
	arm(1);
	goheap_free((goheap_alloc)(102, GFP_KERNEL));
	disarm();
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("fail_goheap: an allocation of 102 bytes fails"));
	gh_fault.verbose = 0;
	arm(1);
	goheap_free((goheap_alloc)(103, GFP_KERNEL));
	disarm();
	KUNIT_EXPECT_FALSE(test, gh_test_log_has("fail_goheap: an allocation of 103 bytes fails"));
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM(test_goheap_alloc_each_way, way_gen_params),
	KUNIT_CASE(test_goheap_alloc_max_size),
	KUNIT_CASE(test_goheap_alloc_nofail),
	KUNIT_CASE(test_gh_arena_alloc_loses_no_page),
	KUNIT_CASE(test_gh_stock_refill_each),
	KUNIT_CASE(test_gh_should_fail_once_an_object),
	KUNIT_CASE(test_goheap_realloc_each),
	KUNIT_CASE(test_goheap_realloc_in_place_needs_nothing),
	KUNIT_CASE(test_goheap_alloc_bulk_each),
	KUNIT_CASE(test_gh_magazine_consider_no_memory),
	KUNIT_CASE(test_goheap_create_each),
	KUNIT_CASE(test_goheap_cache_create_each),
	KUNIT_CASE(test_goheap_cache_alloc_each),
	KUNIT_CASE(test_goheap_destroy_needs_nothing),
	KUNIT_CASE(test_goheap_free_needs_nothing),
	KUNIT_CASE(test_gh_debugfs_each_file),
	KUNIT_CASE(test_fail_goheap_attributes),
	KUNIT_CASE(test_fail_goheap_says_so),
	{}
};

#else	/* no fault injection */

static int fault_init(struct kunit *test)
{
	return 0;
}

static void fault_exit(struct kunit *test)
{
}

static void test_fault_injection(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_FAILSLAB and CONFIG_FAIL_PAGE_ALLOC");
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(test_fault_injection),
	{}
};
#endif

static struct kunit_suite fault_suite = {
	.name = "goheap_injection",
	.init = fault_init,
	.exit = fault_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
