// SPDX-License-Identifier: GPL-2.0
/*
 * Object caches: geometry, constructors, type-safe memory, and that they are as strict as heaps.
 */

#include <linux/cache.h>
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

#define SIZE	200
#define MAGIC	0x676f68656170UL

/* Sizes of the kernel's own caches, primes, and the ends. */
static const size_t some_sizes[] = {
	1, 8, 9, 24, 40, 56, 72, 104, 192, 200, 263, 640, 700, 1024, 1096, 1500, 2048, 3000, 4096,
	4099, 6000, 8192, 9000, 11000, 16384, 17000, 32767, 32768,
};

static unsigned int built;

static void construct(void *p)
{
	*(unsigned long *)p = MAGIC;
	built++;
}

static void destroy(void *cache)
{
	goheap_cache_destroy(cache);
}

static struct goheap_cache *make(struct kunit *test, size_t size, size_t align,
				 unsigned int flags, void (*ctor)(void *))
{
	struct goheap_cache *c = goheap_cache_create("kunit-cache", size, align, flags, ctor);

	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(c), "%zu bytes", size);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, destroy, c), 0);
	return c;
}

static void unmake(struct kunit *test, struct goheap_cache *c)
{
	kunit_release_action(test, destroy, c);
}

static void *get(struct kunit *test, struct goheap_cache *c)
{
	void *p = goheap_cache_alloc(c, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* The heap that an object cache is. */
static struct goheap *heap_of(struct kunit *test, struct goheap_cache *c)
{
	void *p = get(test, c);
	struct goheap *heap = gh_test_span_of(p)->heap;

	goheap_free(p);
	return heap;
}

/* ---- geometry --------------------------------------------------------------------------- */

static void expect_exact(struct kunit *test, const struct gh_class *class)
{
	struct gh_span s = { .recip = class->recip };
	unsigned int off, idx, wrong = 0;

	for (off = 0; off < class->objects * class->size; off++)
		wrong += gh_span_starts(&s, off, &idx) != (off % class->size == 0) ||
			 idx != off / class->size;
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0U, "%u bytes in %u", class->size, class->span_bytes);
}

static void test_gh_class_make_is_exact(struct kunit *test)
{
	struct gh_class class;
	unsigned int size, npages;

	for (size = 8; size <= GH_SMALL_MAX; size = GH_TEST_SLOW ? size * 2 + 8 : size + 8 * 37) {
		for (npages = DIV_ROUND_UP(size, GH_PAGE_SIZE); npages <= 4; npages++) {
			gh_class_make(&class, size, 8, npages);
			expect_exact(test, &class);
		}
	}
}

static void check_geometry(struct kunit *test, size_t size)
{
	struct goheap_cache *c = make(test, size, 0, 0, NULL);
	const struct gh_class *class = &heap_of(test, c)->objects.class;
	unsigned int tail = class->span_bytes - class->objects * class->size;

	KUNIT_EXPECT_EQ(test, goheap_cache_size(c), (unsigned int)size);
	KUNIT_EXPECT_EQ(test, class->size, (u32)ALIGN(size, sizeof(void *)));
	KUNIT_EXPECT_LE(test, class->span_bytes, (u32)GH_SMALL_MAX);
	KUNIT_EXPECT_TRUE_MSG(test, tail * 8 <= class->span_bytes || size > 8192,
			      "%zu bytes: tail of %u", size, tail);
	expect_exact(test, class);
	unmake(test, c);
}

static void test_goheap_cache_create_every_size(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some_sizes); i++)
		check_geometry(test, some_sizes[i]);
}

static void test_goheap_cache_create_aligns(struct kunit *test)
{
	static const size_t aligns[] = { 0, 8, 16, 64, 256, 4096, 8192, 32768 };
	struct goheap_cache *c;
	unsigned int i, j;
	void *p[20];

	for (i = 0; i < ARRAY_SIZE(aligns); i++) {
		c = make(test, SIZE, aligns[i], 0, NULL);
		for (j = 0; j < ARRAY_SIZE(p); j++) {
			p[j] = get(test, c);
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p[j], aligns[i] ?: 8));
		}
		goheap_cache_free_bulk(c, ARRAY_SIZE(p), p);
		unmake(test, c);
	}
	c = make(test, 40, 0, GOHEAP_CACHE_HWALIGN, NULL);
	p[0] = get(test, c);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p[0], cache_line_size()));
	goheap_cache_free(c, p[0]);
}

static void test_goheap_cache_create_bad(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, NULL);

	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("a b", 8, 0, 0, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("c", 0, 0, 0, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("c", 32769, 0, 0, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("c", ~0UL, 0, 0, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("c", 8, 24, 0, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("c", 8, 65536, 0, NULL), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("c", 8, 0, 0x10000, NULL),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, goheap_cache_create("kunit-cache", 8, 0, 0, NULL),
			    ERR_PTR(-EEXIST));
	goheap_cache_destroy(NULL);
	goheap_cache_destroy(ERR_PTR(-ENOMEM));
	unmake(test, c);
}

/* Longer spans are not to be had: spans are as short as the objects allow. */
static void test_goheap_cache_alloc_shorter_spans(struct kunit *test)
{
	struct goheap_cache *c = make(test, 6000, 0, 0, NULL);
	struct goheap *heap = heap_of(test, c);
	struct gh_span *s;
	void *p, *q;

	KUNIT_EXPECT_EQ(test, heap->objects.least.span_bytes, 8192U);
	KUNIT_ASSERT_GT(test, heap->objects.class.span_bytes, 8192U);
	p = get(test, c);
	heap->limit = gh_test_pages(heap) + 1;
	s = gh_spans_new_small(heap, GH_SC_OBJECT, GFP_KERNEL, NUMA_NO_NODE, NULL);
	heap->limit = LONG_MAX;
	KUNIT_ASSERT_FALSE(test, IS_ERR(s));
	KUNIT_EXPECT_EQ(test, s->nelems, 1U);
	KUNIT_EXPECT_EQ(test, gh_span_bytes(s), 8192UL);
	preempt_disable();
	if (!gh_central_put(s))
		gh_spans_free(s);
	preempt_enable();
	q = get(test, c);
	KUNIT_EXPECT_NE(test, (unsigned long)p, (unsigned long)q);
	goheap_cache_free(c, p);
	goheap_cache_free(c, q);
}

/* ---- allocation and free ---------------------------------------------------------------- */

static void test_goheap_cache_alloc_many(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, NULL);
	unsigned int i, n = GH_TEST_ROUNDS(4096);
	void **p = kunit_kcalloc(test, n, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < n; i++) {
		p[i] = get(test, c);
		memset(p[i], i, SIZE);
	}
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(p[i], i, SIZE));
		goheap_cache_free(c, p[i]);
	}
	KUNIT_EXPECT_EQ(test, gh_test_live(heap_of(test, c)), 0UL);
	KUNIT_EXPECT_EQ(test, goheap_cache_shrink(c), 0);
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap_of(test, c)) <= 4, true);
}

static void test_goheap_cache_alloc_bulk(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, NULL);
	void **p = kunit_kcalloc(test, 300, sizeof(*p), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(c, GFP_KERNEL | __GFP_ZERO, 300, p), 300U);
	for (i = 0; i < 300; i++) {
		KUNIT_EXPECT_NULL(test, memchr_inv(p[i], 0, SIZE));
		memset(p[i], 0x5a, SIZE);
	}
	goheap_cache_free_bulk(c, 300, p);
	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(c, GFP_KERNEL, 300, p), 300U);
	goheap_cache_free_bulk(c, 300, p);
}

static void test_goheap_cache_zalloc_dirty(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, NULL);
	unsigned int i;
	void *p;

	for (i = 0; i < 100; i++) {
		p = goheap_cache_zalloc(c, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, SIZE));
		memset(p, 0xa5, SIZE);
		goheap_cache_free(c, p);
	}
	p = goheap_cache_alloc_node(c, GFP_KERNEL | __GFP_ZERO | __GFP_THISNODE, numa_mem_id());
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, SIZE));
	goheap_cache_free(c, p);
	KUNIT_EXPECT_NULL(test, goheap_cache_alloc_node(c, GFP_KERNEL | __GFP_THISNODE, 999));
}

static void test_goheap_cache_free_elsewhere(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, NULL);
	int cpu = gh_test_other_cpu(test);
	void *p = get(test, c), *q = get(test, c);

	gh_test_free_on(cpu, p);
	goheap_free_rcu(q);
	gh_test_flush_limbo();
	KUNIT_EXPECT_EQ(test, gh_test_live(heap_of(test, c)), 0UL);
}

/* goheap_free() and its relatives free objects of caches, too; a cache has one size. */
static void test_goheap_free_sized_of_cache(struct kunit *test)
{
	static const struct { size_t size, align; } of[] = {
		{ 4, 0 }, { 16, 64 }, { 24, 0 }, { 200, 0 }, { 1500, 4096 }, { 20000, 0 },
	};
	struct goheap_cache *c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(of); i++) {
		c = make(test, of[i].size, of[i].align, 0, NULL);
		goheap_free_sized(get(test, c), of[i].size);
		KUNIT_EXPECT_EQ_MSG(test, gh_test_live(heap_of(test, c)), 0UL, "%zu bytes",
				    of[i].size);
		unmake(test, c);
	}
}

/* A heap's object may grow; an object cache has nothing larger. */
static void test_goheap_realloc_leaves_cache(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, NULL);
	void *p = get(test, c), *q;

	KUNIT_EXPECT_EQ(test, goheap_size(p), (size_t)SIZE);
	memset(p, 0x3c, SIZE);
	q = goheap_realloc(p, 3 * SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(q)->heap, gh_default);
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0x3c, SIZE));
	goheap_free(q);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap_of(test, c)), 0UL);
}

/* ---- constructors and type-safe memory -------------------------------------------------- */

static void test_goheap_cache_ctor_runs_once(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, construct);
	struct goheap *heap = heap_of(test, c);
	unsigned int i, per_span = heap->objects.class.objects;
	int cpu = gh_test_other_cpu(test);
	void *p, *stays = get(test, c);

	for (i = 0; i < 100; i++) {
		p = get(test, c);
		KUNIT_EXPECT_EQ(test, *(unsigned long *)p, MAGIC);
		goheap_cache_free(c, p);
	}
	goheap_free_rcu(get(test, c));
	gh_test_flush_limbo();
	p = get(test, c);
	gh_test_free_on(cpu, p);
	for (i = 1; i < per_span; i++) {
		p = get(test, c);
		KUNIT_EXPECT_EQ(test, *(unsigned long *)p, MAGIC);
	}
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), (unsigned long)per_span);
	KUNIT_EXPECT_EQ(test, built, per_span);
	goheap_cache_free(c, stays);
	/* The others leak with the cache. */
}

static void test_goheap_cache_ctor_keeps_state(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, construct);
	unsigned char *p = get(test, c), *stays = get(test, c);

	p[SIZE - 1] = 0x77;
	goheap_cache_free(c, p);
	/* The span goes to the central list, and comes back; its first object is the next. */
	goheap_cache_shrink(c);
	KUNIT_EXPECT_PTR_EQ(test, get(test, c), (void *)p);
	KUNIT_EXPECT_EQ(test, p[SIZE - 1], 0x77);
	goheap_cache_free(c, p);
	goheap_cache_free(c, stays);
}

static long pages_of(void *heap)
{
	return gh_test_pages(heap);
}

/* All that the cache's CPU could give back goes back, but for what a reader keeps. */
static void flush_objects(struct goheap *heap)
{
	struct gh_cache *cache;

	preempt_disable();
	cache = gh_test_cache(heap);
	if (gh_section_enter(cache)) {
		while (gh_cache_flush_some(cache, GH_SC_OBJECT))
			;
		gh_stock_flush(cache);
		gh_section_exit(cache);
	}
	preempt_enable();
}

/* The page heap gets the pages after a grace period only, and destroy waits for it. */
static void test_goheap_cache_typesafe_waits(struct kunit *test)
{
	struct goheap_cache *c = make(test, 3000, 0, GOHEAP_CACHE_TYPESAFE_BY_RCU, NULL);
	struct goheap *heap = heap_of(test, c);
	unsigned int seen;
	void *p[40];
	long pages;

	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(c, GFP_KERNEL, 40, p), 40U);
	memset(p[0], 0x42, 3000);
	rcu_read_lock();
	goheap_cache_free_bulk(c, 40, p);
	pages = pages_of(heap);
	flush_objects(heap);
	/* The cache has nothing any more, and the pages are still the heap's. */
	KUNIT_EXPECT_NULL(test, gh_cache_bin(gh_test_cache(heap), GH_SC_OBJECT)->partial);
	KUNIT_EXPECT_GE(test, pages_of(heap), pages - (long)gh_test_stock(heap));
	KUNIT_EXPECT_GT(test, pages_of(heap), 0L);
	KUNIT_EXPECT_PTR_EQ(test, READ_ONCE(gh_test_span_of(p[0])->heap), heap);
	KUNIT_EXPECT_NULL(test, memchr_inv(p[0], 0x42, 3000));
	rcu_read_unlock();
	goheap_cache_shrink(c);
	gh_test_validate(test);
	for (seen = 0; seen < 500 && pages_of(heap); seen++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, pages_of(heap), 0L);
	KUNIT_ASSERT_EQ(test, goheap_cache_alloc_bulk(c, GFP_KERNEL, 40, p), 40U);
	goheap_cache_free_bulk(c, 40, p);
	unmake(test, c);
	gh_test_validate(test);
}

/* ---- misuse, debug mode, leaks ---------------------------------------------------------- */

static void test_goheap_cache_free_misuse(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, 0, NULL);
	void *p = get(test, c), *mine = gh_test_alloc(test, gh_default, SIZE);

	goheap_cache_free(c, p);
	goheap_cache_free(c, p);
	gh_test_expect_report(test, "double free");
	goheap_cache_free(c, mine);
	gh_test_expect_report(test, "wrong heap");
	p = get(test, c);
	goheap_cache_free(c, p + 8);
	gh_test_expect_report(test, "object cache (200 bytes)");
	goheap_free(mine);
	goheap_free_sized(p, SIZE - 8);
	gh_test_expect_report(test, "wrong size");
	goheap_cache_free(c, p);
}

/* goheap.debug=Z may be for all heaps, also for those with objects of the largest size. */
static void test_goheap_cache_create_no_room_for_red_zone(struct kunit *test)
{
	struct goheap_cache *c = make(test, GH_SMALL_MAX, 0, GOHEAP_REDZONE, NULL);
	void *p = get(test, c);

	KUNIT_EXPECT_TRUE(test, gh_test_log_has("no red zones"));
	memset(p, 0x11, GH_SMALL_MAX);
	goheap_cache_free(c, p);
	unmake(test, c);
	c = make(test, GH_SMALL_MAX - 4, GH_SMALL_MAX, GOHEAP_REDZONE | GOHEAP_POISON, NULL);
	p = get(test, c);
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("no red zones"));
	memset(p, 0x11, GH_SMALL_MAX - 4);
	goheap_cache_free(c, p);
}

/* A type-safe span that waits for its readers still knows who used its objects. */
static void test_goheap_cache_typesafe_keeps_records(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, GOHEAP_CACHE_TYPESAFE_BY_RCU | GOHEAP_TRACK,
				      NULL);
	void *p = get(test, c);

	rcu_read_lock();
	goheap_cache_free(c, p);
	preempt_disable();
	/* The last span of a heap that does not look for writes after free goes at once. */
	KUNIT_EXPECT_NOT_NULL(test, READ_ONCE(gh_span_of(p)->records));
	preempt_enable();
	goheap_cache_free(c, p);
	rcu_read_unlock();
	gh_test_expect_report(test, "double free");
}

static void test_goheap_cache_debugged(struct kunit *test)
{
	struct goheap_cache *c = make(test, SIZE, 0, GOHEAP_POISON | GOHEAP_REDZONE, NULL);
	unsigned char *p = get(test, c);

	KUNIT_EXPECT_EQ(test, goheap_size(p), (size_t)SIZE);
	/* KASAN would be the first to see it. */
	gh_unpoison(p + SIZE, 8);
	WRITE_ONCE(p[SIZE], 1);
	goheap_cache_free(c, p);
	gh_test_expect_report(test, "overflow");
	KUNIT_EXPECT_NOT_NULL(test, p = goheap_cache_zalloc(c, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, SIZE));
	goheap_cache_free(c, p);
	unmake(test, c);
	/* What a constructor wrote is not poisoned. */
	c = make(test, SIZE, 0, GOHEAP_POISON | GOHEAP_REDZONE, construct);
	p = get(test, c);
	KUNIT_EXPECT_EQ(test, *(unsigned long *)p, MAGIC);
	goheap_cache_free(c, p);
	p = get(test, c);
	KUNIT_EXPECT_EQ(test, *(unsigned long *)p, MAGIC);
	goheap_cache_free(c, p);
}

/* With a size of its own: the log has what earlier runs leaked. */
static void test_goheap_cache_destroy_leaks(struct kunit *test)
{
	static unsigned int size = SIZE;
	struct goheap_cache *c = make(test, ++size, 0, 0, NULL);
	char *report = kunit_kzalloc(test, 64, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, report);
	snprintf(report, 64, "2 leaked of %u bytes each", size);
	get(test, c);
	get(test, c);
	unmake(test, c);
	KUNIT_EXPECT_TRUE(test, gh_test_log_has(report));
}

static int init(struct kunit *test)
{
	built = 0;
	return gh_test_init(test);
}

static struct kunit_case objcache_cases[] = {
	KUNIT_CASE(test_gh_class_make_is_exact),
	KUNIT_CASE(test_goheap_cache_create_every_size),
	KUNIT_CASE(test_goheap_cache_create_aligns),
	KUNIT_CASE(test_goheap_cache_create_bad),
	KUNIT_CASE(test_goheap_cache_alloc_shorter_spans),
	KUNIT_CASE(test_goheap_cache_alloc_many),
	KUNIT_CASE(test_goheap_cache_alloc_bulk),
	KUNIT_CASE(test_goheap_cache_zalloc_dirty),
	KUNIT_CASE(test_goheap_cache_free_elsewhere),
	KUNIT_CASE(test_goheap_free_sized_of_cache),
	KUNIT_CASE(test_goheap_realloc_leaves_cache),
	KUNIT_CASE(test_goheap_cache_ctor_runs_once),
	KUNIT_CASE(test_goheap_cache_ctor_keeps_state),
	KUNIT_CASE(test_goheap_cache_typesafe_waits),
	KUNIT_CASE(test_goheap_cache_destroy_leaks),
	{}
};

static struct kunit_case misuse_cases[] = {
	KUNIT_CASE(test_goheap_cache_free_misuse),
	KUNIT_CASE(test_goheap_cache_debugged),
	KUNIT_CASE(test_goheap_cache_create_no_room_for_red_zone),
	KUNIT_CASE(test_goheap_cache_typesafe_keeps_records),
	{}
};

static struct kunit_suite objcache_suite = {
	.name = "goheap_objcache",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = objcache_cases,
};

static struct kunit_suite misuse_suite = {
	.name = "goheap_objcache_misuse",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = misuse_cases,
};

kunit_test_suites(&objcache_suite, &misuse_suite);
