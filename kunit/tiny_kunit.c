// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects. Each case has a heap of its own, so that it knows which block is
 * being filled.
 */

#include <linux/mutex.h>
#include <linux/rcupdate.h>

#include "lib_model.h"
#include "lib_object.h"
#include "testlib.h"

#define FULL	15	/* an object of so many bytes leaves no room in its block */

static void *alloc_tiny(struct kunit *test, size_t size, gfp_t gfp)
{
	struct goheap *heap = test->priv;

	return gh_tiny_alloc(size, gfp, heap->cache);
}

static int init(struct kunit *test)
{
	int err = gh_test_init(test);

	if (err)
		return err;
	test->priv = gh_test_heap(test, "kunit-tiny", NULL);
	/* The first object of all gets a block to itself, and the CPU a span. */
	goheap_free(alloc_tiny(test, FULL, GFP_KERNEL));
	return 0;
}

/* Of a block, whether or not that saves memory. */
static void *alloc(struct kunit *test, size_t size)
{
	void *p = alloc_tiny(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* As others get it. */
static void *alloc_noscan(struct kunit *test, size_t size)
{
	void *p = goheap_heap_alloc(test->priv, size, GFP_KERNEL, GOHEAP_NOSCAN);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static bool is_tiny(const void *p)
{
	return gh_test_span_of(p)->flags & GH_F_TINY;
}

/* The next object starts a block. */
static void end_blocks(struct kunit *test)
{
	struct goheap *heap = test->priv;

	preempt_disable();
	gh_tiny_close(this_cpu_ptr(heap->cache));
	preempt_enable();
}

static unsigned long block_of(const void *p)
{
	return ALIGN_DOWN((unsigned long)p, GH_TINY_BLOCK);
}

static struct gh_word *word_of(const void *p, unsigned long *bit)
{
	struct gh_span *s = gh_test_span_of(p);
	unsigned int idx = (block_of(p) - s->base) / GH_TINY_BLOCK;

	*bit = BIT(idx % BITS_PER_LONG);
	return gh_span_word(s, idx);
}

/* Is the block allocated? */
static bool block_is_taken(const void *p)
{
	unsigned long bit;
	struct gh_word *w = word_of(p, &bit);

	return !(READ_ONCE(w->free) & bit);
}

/* Has somebody left the block, and its owner not seen it? */
static bool is_pending(const void *p)
{
	unsigned long bit;
	struct gh_word *w = word_of(p, &bit);

	return atomic_long_read(&w->remote) & bit;
}

static bool try_free(struct gh_span *s, const void *p)
{
	bool freed;

	preempt_disable();
	freed = gh_tiny_free(s, (unsigned long)p - s->base, s->life, false);
	preempt_enable();
	return freed;
}

/* What free blocks hold, as far as KASAN is concerned nothing. */
static void fill_free_blocks(struct gh_span *s, u8 byte)
{
	unsigned int idx;
	void *block;

	for (idx = 0; idx < s->nelems; idx++) {
		block = gh_span_object(s, idx);
		if (block_is_taken(block))
			continue;
		gh_unpoison(block, GH_TINY_BLOCK);
		memset(block, byte, GH_TINY_BLOCK);
		gh_sanitize_tiny((unsigned long)block, 0);
	}
}

/* With init_on_alloc=1 the end of the last step had what the block held before. */
static void test_gh_tiny_alloc_clears_all_of_size(struct kunit *test)
{
	struct gh_span *s;
	size_t size, all;
	u8 *p, *q;

	if (!want_init_on_alloc(0))
		kunit_skip(test, "booted without init_on_alloc=1");
	q = alloc(test, FULL);
	s = gh_test_span_of(q);
	for (size = 1; size <= FULL; size++) {
		end_blocks(test);
		fill_free_blocks(s, 0xa5);
		p = alloc(test, size);
		OPTIMIZER_HIDE_VAR(p);
		all = goheap_size(p);
		KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p), s);
		KUNIT_EXPECT_EQ(test, all, round_up(size, 4));
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(p, 0, all), "of %zu bytes", size);
		goheap_free(p);
	}
	fill_free_blocks(s, 0);
	goheap_free(q);
}

/* ---- placing ------------------------------------------------------------- */

static void test_gh_tiny_alloc_packs(struct kunit *test)
{
	void *a = alloc(test, 8), *b = alloc(test, 8), *c = alloc(test, 8);

	KUNIT_EXPECT_EQ(test, block_of(a), (unsigned long)a);
	KUNIT_EXPECT_PTR_EQ(test, b, a + 8);
	KUNIT_EXPECT_NE(test, block_of(c), block_of(a));
	KUNIT_EXPECT_EQ(test, gh_test_span_of(a)->spanclass, GH_SC_TINY);
	goheap_free(a);
	goheap_free(b);
	goheap_free(c);
}

static void test_gh_tiny_alloc_fills_all_steps(struct kunit *test)
{
	void *p[5];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = alloc(test, 1);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_PTR_EQ(test, p[i], p[0] + 4 * i);
	KUNIT_EXPECT_NE(test, block_of(p[4]), block_of(p[0]));
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

/* The block with least room of those with enough. */
static void test_gh_tiny_alloc_best_fit(struct kunit *test)
{
	u8 *a = alloc(test, 4), *b, *c, *d, *e, *f;

	b = alloc(test, 13);		/* no room beside a */
	KUNIT_EXPECT_NE(test, block_of(b), block_of(a));
	c = alloc(test, 9);		/* starts a block, and leaves 4 */
	KUNIT_EXPECT_NE(test, block_of(c), block_of(a));
	d = alloc(test, 3);
	KUNIT_EXPECT_PTR_EQ(test, d, c + 12);
	e = alloc(test, 5);		/* leaves 4 */
	KUNIT_EXPECT_PTR_EQ_MSG(test, e, a + 4, "12 bytes were left there");
	f = alloc(test, 3);
	KUNIT_EXPECT_PTR_EQ(test, f, a + 12);
	goheap_free_bulk(6, (void *[]){ a, b, c, d, e, f });
}

static unsigned int align_of(size_t size)
{
	return size >= 8 ? 8 : size & -size;
}

static void test_gh_tiny_alloc_aligns_by_size(struct kunit *test)
{
	struct rnd_state rnd;
	void *p[64];
	unsigned int i, wrong = 0;
	size_t size;

	gh_test_seed(&rnd, 1);
	for (i = 0; i < ARRAY_SIZE(p); i++) {
		size = 1 + gh_test_below(&rnd, GH_TINY_MAX);
		p[i] = alloc_noscan(test, size);
		wrong += (unsigned long)p[i] % align_of(size) != 0;
		wrong += is_tiny(p[i]) && block_of(p[i]) != block_of(p[i] + size - 1);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

/* With @at bytes of a block used, whole steps, where does an object of @size go? */
static void place(struct kunit *test, unsigned int at, size_t size)
{
	bool fits = at && size <= 8 && at + size <= GH_TINY_BLOCK;
	unsigned int n = 0;
	void *p[5];

	end_blocks(test);
	while (n < at / 4)
		p[n++] = alloc(test, 1);
	p[n] = alloc(test, size);
	if (fits)
		KUNIT_EXPECT_PTR_EQ_MSG(test, p[n], p[0] + at, "%zu at %u", size, at);
	else
		KUNIT_EXPECT_EQ_MSG(test, block_of(p[n]), (unsigned long)p[n], "%zu at %u",
				    size, at);
	n++;
	goheap_free_bulk(n, p);
}

static void test_gh_tiny_alloc_every_offset_and_size(struct kunit *test)
{
	unsigned int at;
	size_t size;

	for (at = 0; at <= 12; at += 4)
		for (size = 1; size <= GH_TINY_MAX; size++)
			place(test, at, size);
}

static void test_gh_tiny_alloc_zeroes(struct kunit *test)
{
	unsigned int i;
	u8 *p;

	for (i = 0; i < 2000; i++) {
		p = goheap_heap_alloc(test->priv, 7, GFP_KERNEL | __GFP_ZERO, GOHEAP_NOSCAN);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, 0, 7), NULL);
		memset(p, 0xff, 7);
		goheap_free(p);
	}
}

/* ---- where that saves memory ---------------------------------------------- */

/* What is asked for twice, and not for the same size before, goes where? */
static void expect_shared(struct kunit *test, size_t size, bool shared)
{
	u8 *p, *q;

	end_blocks(test);
	p = alloc_noscan(test, size);
	end_blocks(test);
	q = alloc_noscan(test, size);
	KUNIT_EXPECT_EQ_MSG(test, is_tiny(p), shared, "%zu bytes", size);
	KUNIT_EXPECT_EQ_MSG(test, is_tiny(q), shared, "%zu bytes", size);
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(p), round_up(size, shared ? 4 : 8), "%zu bytes",
			    size);
	goheap_free(p);
	goheap_free(q);
}

static void test_goheap_alloc_noscan_shares_where_it_saves(struct kunit *test)
{
	size_t size;

	if (ARCH_KMALLOC_MINALIGN > 8)
		kunit_skip(test, "the classes of 8 and 16 bytes are not used");
	for (size = 1; size <= FULL; size++)
		expect_shared(test, size, size <= 4 || (size >= 9 && size <= 12));
}

/* With larger classes there is more to save, but for the alignment. */
static void test_goheap_alloc_noscan_shares_below_minalign(struct kunit *test)
{
	size_t size;
	void *p;

	if (ARCH_KMALLOC_MINALIGN <= 8)
		kunit_skip(test, "there are classes of 8 bytes");
	for (size = 1; size <= FULL; size++) {
		p = alloc_noscan(test, size);
		KUNIT_EXPECT_EQ_MSG(test, is_tiny(p), size < 8, "%zu bytes", size);
		goheap_free(p);
	}
}

/* While nobody takes the rest of a block, no other block gets such a rest. */
static void test_goheap_alloc_noscan_rest_waits(struct kunit *test)
{
	u8 *a, *b, *c, *d;

	if (ARCH_KMALLOC_MINALIGN > 8)
		kunit_skip(test, "objects of 9 bytes never share");
	a = alloc_noscan(test, 12);
	b = alloc_noscan(test, 9);
	KUNIT_EXPECT_TRUE(test, is_tiny(a));
	KUNIT_EXPECT_FALSE_MSG(test, is_tiny(b), "a block for nobody else");
	KUNIT_EXPECT_EQ(test, goheap_size(b), 16UL);
	c = alloc_noscan(test, 4);
	KUNIT_EXPECT_PTR_EQ_MSG(test, c, a + 12, "the rest is lost");
	d = alloc_noscan(test, 11);
	KUNIT_EXPECT_TRUE_MSG(test, is_tiny(d), "no rest waits");
	goheap_free_bulk(4, (void *[]){ a, b, c, d });
}

#define NR_MEMORY	(32 * GH_TINY_BLOCKS)

/* Heap pages for that many objects of two sizes, in turns. */
static unsigned long pages_for(struct kunit *test, size_t one, size_t other)
{
	void **p = gh_test_array(test, NR_MEMORY);
	struct goheap *heap;
	unsigned long pages;
	unsigned int i;
	char name[32];

	snprintf(name, sizeof(name), "kunit-tiny-%zu-%zu", one, other);
	heap = gh_test_heap(test, name, NULL);
	for (i = 0; i < NR_MEMORY; i++) {
		p[i] = goheap_heap_alloc(heap, i % 2 ? other : one, GFP_KERNEL, GOHEAP_NOSCAN);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
	pages = gh_test_pages(heap);
	for (i = 0; i < NR_MEMORY; i++)
		goheap_free(p[i]);
	return pages;
}

/* Two spans may be begun: one of blocks, one of the class. */
static void expect_memory(struct kunit *test, size_t one, size_t other, unsigned int bytes_of_two)
{
	unsigned long full = NR_MEMORY / 2 * bytes_of_two / GH_PAGE_SIZE;

	KUNIT_EXPECT_LE_MSG(test, pages_for(test, one, other), full + 2, "%zu and %zu bytes",
			    one, other);
}

static void test_goheap_alloc_noscan_memory(struct kunit *test)
{
	if (ARCH_KMALLOC_MINALIGN > 8)
		kunit_skip(test, "other sizes are in classes");
	expect_memory(test, 1, 4, 8);
	expect_memory(test, 3, 5, 12);
	expect_memory(test, 6, 8, 16);
	expect_memory(test, 9, 1, 16);
	expect_memory(test, 12, 4, 16);
	expect_memory(test, 12, 8, 24);
	expect_memory(test, 10, 12, 32);
	expect_memory(test, 13, 15, 32);
}

/* A string may start anywhere: with classes of 8 and 16 bytes the rest of a block never waits. */
static void test_goheap_strdup_shares_where_it_saves(struct kunit *test)
{
	static const char text[] = "fourteen chars";
	size_t size, most = ARCH_KMALLOC_MINALIGN > 8 ? FULL : 4;
	char *p[3];
	unsigned int i;

	for (size = 1; size <= FULL; size++) {
		for (i = 0; i < ARRAY_SIZE(p); i++) {
			p[i] = goheap_strdup(text + FULL - size, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, p[i]);
			KUNIT_EXPECT_STREQ(test, p[i], text + FULL - size);
			KUNIT_EXPECT_EQ_MSG(test, is_tiny(p[i]), size <= most, "%zu bytes", size);
			KUNIT_EXPECT_LE_MSG(test, goheap_size(p[i]), round_up(size, 8),
					    "%zu bytes", size);
		}
		goheap_free_bulk(ARRAY_SIZE(p), (void **)p);
	}
}

/* An interrupt that hits the section has no block to share: it would take one for itself. */
static void test_goheap_alloc_noscan_nested_shares_nothing(struct kunit *test)
{
	struct goheap *heap = test->priv;
	void *keep = goheap_heap_alloc(heap, 8, GFP_KERNEL, GOHEAP_NOSCAN), *p;
	struct gh_cache *cache;

	KUNIT_ASSERT_NOT_NULL(test, keep);
	cache = gh_test_nest(heap);
	p = goheap_heap_alloc(heap, 3, GFP_ATOMIC, GOHEAP_NOSCAN);
	gh_test_unnest(cache);
	/* On PREEMPT_RT there may be nothing. */
	if (p) {
		KUNIT_EXPECT_FALSE(test, is_tiny(p));
		KUNIT_EXPECT_EQ(test, goheap_size(p), max(8UL, 0UL + ARCH_KMALLOC_MINALIGN));
	}
	goheap_free(p);
	goheap_free(keep);
}

static void test_goheap_alloc_noscan_zeroed_shares_nothing(struct kunit *test)
{
	void *p = goheap_heap_alloc(test->priv, 3, GFP_KERNEL | __GFP_ZERO, GOHEAP_NOSCAN);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_FALSE(test, is_tiny(p));
	goheap_free(p);
}

/* What had a place in a block moves to where its new size has one; its old size is right for it. */
static void test_goheap_realloc_out_of_block(struct kunit *test)
{
	u8 *p = alloc_noscan(test, 3), *q;

	memcpy(p, "abc", 3);
	q = goheap_realloc(p, 4, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ_MSG(test, q, p, "4 bytes are in 4");
	q = goheap_realloc(p, 7, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_EQ(test, memcmp(q, "abc", 3), 0);
	if (ARCH_KMALLOC_MINALIGN <= 8)
		KUNIT_EXPECT_EQ(test, goheap_size(q), 8UL);
	p = goheap_realloc(q, 2, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_TRUE(test, is_tiny(p));
	KUNIT_EXPECT_EQ(test, memcmp(p, "ab", 2), 0);
	goheap_free_sized(p, 2);
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(p), 0UL, "2 bytes is its right size");
}

/* ---- freeing ------------------------------------------------------------- */

static void test_gh_tiny_free_last_tenant_frees_block(struct kunit *test)
{
	void *a = alloc(test, 8), *b = alloc(test, 8);

	goheap_free(a);
	KUNIT_EXPECT_TRUE(test, block_is_taken(a));
	KUNIT_EXPECT_EQ(test, goheap_size(a), 0UL);
	KUNIT_EXPECT_GE(test, goheap_size(b), 8UL);
	goheap_free(b);
	KUNIT_EXPECT_FALSE(test, block_is_taken(a));
}

static void test_gh_tiny_free_in_open_block(struct kunit *test)
{
	void *a = alloc(test, 4), *b = alloc(test, 4), *c;

	goheap_free(a);
	KUNIT_EXPECT_TRUE(test, block_is_taken(a));
	c = alloc(test, 4);
	KUNIT_EXPECT_PTR_EQ_MSG(test, c, a + 8, "space is used again too early, or not at all");
	goheap_free(b);
	KUNIT_EXPECT_TRUE(test, block_is_taken(a));
	goheap_free(c);
	KUNIT_EXPECT_FALSE_MSG(test, block_is_taken(a), "nobody is in the block");
	b = alloc(test, 8);
	KUNIT_EXPECT_EQ_MSG(test, block_of(b), (unsigned long)b, "the block was left open");
	goheap_free(b);
}

static void test_gh_tiny_free_twice(struct kunit *test)
{
	void *a = alloc(test, 8), *b = alloc(test, 8);
	struct gh_span *s = gh_test_span_of(a);

	KUNIT_EXPECT_TRUE(test, try_free(s, a));
	KUNIT_EXPECT_FALSE(test, try_free(s, a));
	KUNIT_EXPECT_FALSE_MSG(test, try_free(s, b + 1), "no object starts there");
	KUNIT_EXPECT_FALSE_MSG(test, try_free(s, b + 7), "the last byte");
	KUNIT_EXPECT_TRUE(test, try_free(s, b));
	KUNIT_EXPECT_FALSE(test, try_free(s, b));
	KUNIT_EXPECT_FALSE(test, try_free(s, a));
}

static void test_gh_tiny_free_room_in_open_block(struct kunit *test)
{
	void *a = alloc(test, 4);
	struct gh_span *s = gh_test_span_of(a);

	KUNIT_EXPECT_FALSE(test, try_free(s, a + 4));
	KUNIT_EXPECT_FALSE(test, try_free(s, a + 12));
	KUNIT_EXPECT_FALSE(test, try_free(s, a + 15));
	KUNIT_EXPECT_TRUE(test, block_is_taken(a));
	KUNIT_EXPECT_PTR_EQ(test, alloc(test, 4), a + 4);
	goheap_free(a);
	goheap_free(a + 4);
}

static void test_gh_tiny_free_from_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = test->priv;
	void *a = alloc(test, 8), *b = alloc(test, 8), *c = alloc(test, 4);

	/* Without it a tick, which comes early if memory is short, would have the bits merged. */
	mutex_lock(&gh_heaps_mutex);
	gh_test_free_on(cpu, a);
	KUNIT_EXPECT_TRUE(test, block_is_taken(a));
	KUNIT_EXPECT_TRUE(test, is_pending(a));
	KUNIT_EXPECT_EQ(test, goheap_size(a), 0UL);
	gh_test_free_on(cpu, b);
	KUNIT_EXPECT_EQ(test, goheap_size(b), 0UL);
	/* In a block that this CPU is filling. */
	gh_test_free_on(cpu, c);
	KUNIT_EXPECT_TRUE(test, is_pending(c));
	mutex_unlock(&gh_heaps_mutex);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

static void test_gh_tiny_free_rcu_waits_for_readers(struct kunit *test)
{
	void *a = alloc(test, 8), *b = alloc(test, 8), **p;
	unsigned int i, n = gh_classes[GH_TINY_CLASS].objects;
	bool reused = false, again = false;
	unsigned long block = block_of(a);

	p = kunit_kcalloc(test, 2 * n, sizeof(*p), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, p);
	rcu_read_lock();
	goheap_free_rcu(a);
	goheap_free(b);
	/* All other blocks of the span, and more. */
	for (i = 0; i < n; i++) {
		p[i] = alloc_tiny(test, FULL, GFP_ATOMIC);
		reused |= block_of(p[i]) == block;
	}
	rcu_read_unlock();
	KUNIT_EXPECT_FALSE_MSG(test, reused, "a reader's object was allocated");
	gh_test_grace_period();
	gh_test_flush_limbo();
	for (; i < 2 * n; i++) {
		p[i] = alloc_tiny(test, FULL, GFP_KERNEL);
		again |= block_of(p[i]) == block;
	}
	KUNIT_EXPECT_TRUE_MSG(test, again, "the block never comes back");
	goheap_free_bulk(2 * n, p);
}

static void test_gh_tiny_free_rcu_in_block_being_filled(struct kunit *test)
{
	void *a = alloc(test, 4), *b;
	bool pending;

	rcu_read_lock();
	goheap_free_rcu(a);
	/* Ends the block, and needs another one. */
	b = alloc_tiny(test, FULL, GFP_ATOMIC);
	pending = is_pending(a);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_NE_MSG(test, block_of(a), block_of(b), "a reader's block was allocated");
	KUNIT_EXPECT_TRUE_MSG(test, pending, "the block was free at once");
	gh_test_grace_period();
	gh_test_flush_limbo();
	goheap_free(b);
}

/*
 * Two frees meet in a block: the merge that one asked for takes the other's gone bit
 * before its remote bit is set. That one is left over then, and means nothing.
 */
static void test_gh_tiny_free_own_with_stray_remote_bit(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = test->priv;
	void *a, *b, *c, *p;
	struct gh_span *s;
	unsigned int idx;

	end_blocks(test);
	a = alloc(test, 4);
	b = alloc(test, 4);
	c = alloc(test, 4);
	KUNIT_ASSERT_EQ(test, block_of(c), block_of(a));
	end_blocks(test);
	s = gh_test_span_of(a);
	idx = (block_of(a) - s->base) / GH_TINY_BLOCK;
	/* One half of freeing a from elsewhere, all of freeing c, and the other half. */
	set_bit(((unsigned long)a - s->base) / 4, gh_span_tiny_gone(s));
	gh_test_free_on(cpu, c);
	preempt_disable();
	gh_cache_drain(gh_test_cache(heap));
	if (gh_word_set_remote(gh_span_word(s, idx), idx))
		gh_remote_notify(s, false);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, goheap_size(a), 0UL);
	goheap_free(b);
	KUNIT_EXPECT_FALSE_MSG(test, block_is_taken(b), "nobody is in the block");
	p = alloc(test, FULL);
	KUNIT_EXPECT_TRUE_MSG(test, block_is_taken(p), "a block with a live object is free");
	gh_reclaim_trim();
	KUNIT_EXPECT_TRUE(test, block_is_taken(p));
	KUNIT_EXPECT_GE(test, goheap_size(p), (size_t)FULL);
	goheap_free(p);
}

/* Another half that is left over: of the only object of a block. */
static void test_gh_tiny_validate_with_stray_remote_bit(struct kunit *test)
{
	void *a = alloc(test, FULL);
	struct gh_span *s = gh_test_span_of(a);
	unsigned int idx = (block_of(a) - s->base) / GH_TINY_BLOCK;

	goheap_free(a);
	KUNIT_EXPECT_FALSE(test, block_is_taken(a));
	KUNIT_EXPECT_TRUE(test, gh_word_set_remote(gh_span_word(s, idx), idx));
	KUNIT_EXPECT_NULL_MSG(test, gh_block_validate(s), "a bit that means nothing");
	preempt_disable();
	gh_remote_notify(s, false);
	preempt_enable();
}

static void test_gh_tiny_validate_finds_objects_in_free_block(struct kunit *test)
{
	void *a = alloc(test, FULL);
	unsigned long bit;
	struct gh_word *w = word_of(a, &bit);
	const char *wrong;

	preempt_disable();
	w->free |= bit;
	wrong = gh_block_validate(gh_span_of(a));
	w->free &= ~bit;
	preempt_enable();
	KUNIT_EXPECT_STREQ(test, wrong ?: "nothing", "objects in a tiny block that is free");
	goheap_free(a);
}

/* What waits for RCU may have gone since the merge asked about the span. */
static void test_gh_tiny_merge_waits_for_readers(struct kunit *test)
{
	void *a = alloc(test, 8), *b = alloc(test, 8), *keep = alloc(test, FULL);
	struct gh_span *s = gh_test_span_of(a);
	unsigned long bit;
	struct gh_word *w = word_of(a, &bit);
	bool again = false;

	KUNIT_ASSERT_PTR_EQ(test, gh_test_span_of(keep), s);
	rcu_read_lock();
	goheap_free_rcu(a);
	goheap_free(b);
	KUNIT_EXPECT_EQ(test, gh_block_merge(s, w - s->words, bit, &again), 0U);
	KUNIT_EXPECT_TRUE(test, again);
	KUNIT_EXPECT_TRUE_MSG(test, block_is_taken(a), "a reader's block is free");
	KUNIT_EXPECT_TRUE_MSG(test, is_pending(a), "nobody will look at it again");
	rcu_read_unlock();
	gh_test_grace_period();
	gh_test_flush_limbo();
	gh_reclaim_trim();
	KUNIT_EXPECT_FALSE(test, is_pending(a));
	KUNIT_EXPECT_FALSE(test, block_is_taken(a));
	goheap_free(keep);
}

/* ---- questions ----------------------------------------------------------- */

static void test_goheap_size_of_tenants(struct kunit *test)
{
	void *a = goheap_heap_alloc(test->priv, 4, GFP_KERNEL, GOHEAP_NOSCAN);
	void *b = alloc(test, 2);

	KUNIT_ASSERT_PTR_EQ(test, b, a + 4);
	KUNIT_EXPECT_EQ(test, goheap_size(a), 4UL);
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(b), 4UL, "another may come behind it");
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(a + 3), a);
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(b + 1), b);
	end_blocks(test);
	KUNIT_EXPECT_EQ_MSG(test, goheap_size(b), 4UL, "it lives on as it is");
	goheap_free(a);
	KUNIT_EXPECT_EQ(test, goheap_size(a), 0UL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(a), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(b + 1), b);
	goheap_free(b);
	KUNIT_EXPECT_PTR_EQ(test, goheap_base(b), NULL);
}

static void test_gh_tiny_count_counts_objects(struct kunit *test)
{
	void *p[20];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = alloc(test, 4);
		KUNIT_EXPECT_EQ(test, gh_block_count(gh_test_span_of(p[0])), i + 1);
	}
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

/* The neighbour's readers may go on; what was its space must not look like ours. */
static void test_goheap_size_stays_when_neighbour_goes(struct kunit *test)
{
	u8 *a = alloc(test, 4), *b = alloc(test, 5), *c;

	KUNIT_ASSERT_PTR_EQ(test, b, a + 4);
	rcu_read_lock();
	memset(b, 'b', 5);
	goheap_free_rcu(b);
	KUNIT_EXPECT_EQ(test, goheap_size(a), 4UL);
	c = goheap_realloc(a, 8, GFP_ATOMIC);
	KUNIT_EXPECT_PTR_NE(test, c, a);
	if (c)
		memset(c, 'c', 8);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(b, 'b', 5), NULL);
	rcu_read_unlock();
	goheap_free(c);
}

/* ---- a random walk ------------------------------------------------------- */

static size_t random_size(struct rnd_state *rnd)
{
	return 1 + gh_test_below(rnd, GH_TINY_MAX);
}

static void *random_alloc(struct gh_test_walk *w, size_t size)
{
	/* Of every size, or of those that save memory. */
	return gh_test_below(&w->rnd, 2) ? alloc(w->test, size) : alloc_noscan(w->test, size);
}

static const struct gh_test_op tiny_ops[] = {
	{ 52, gh_test_step_alloc },
	{ 45, gh_test_step_free },
	{ 3, gh_test_step_free_rcu },
	{}
};

static void test_gh_tiny_random(struct kunit *test)
{
	struct gh_test_walk w = {
		.test = test, .ops = tiny_ops, .size = random_size, .alloc = random_alloc,
		.seed = 99, .rounds = GH_TEST_ROUNDS(40000),
	};
	const struct gh_test_object *o;
	unsigned int wrong = 0;

	gh_test_walk_objects(&w, 800);
	KUNIT_EXPECT_EQ(test, gh_test_live(test->priv), (unsigned long)w.m.nr);
	for (o = w.m.objects; o < w.m.objects + w.m.nr; o++)
		wrong += goheap_base(o->p + o->size - 1) != o->p || goheap_size(o->p) < o->size;
	KUNIT_EXPECT_EQ(test, wrong, 0U);
	gh_test_model_free_all(&w.m);
}

/* This CPU's blocks may be of another node. */
static void test_goheap_strdup_thisnode_is_in_no_block(struct kunit *test)
{
	char *s = goheap_strdup("short", GFP_KERNEL | __GFP_THISNODE);

	KUNIT_ASSERT_NOT_NULL(test, s);
	KUNIT_EXPECT_STREQ(test, s, "short");
	KUNIT_EXPECT_FALSE(test, gh_test_span_of(s)->flags & GH_F_TINY);
	KUNIT_EXPECT_PTR_EQ_MSG(test, gh_test_span_of(s)->owner, NULL, "from a CPU's cache");
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(s)), numa_mem_id());
	goheap_free(s);
}

static struct kunit_case tiny_cases[] = {
	KUNIT_CASE(test_gh_tiny_alloc_clears_all_of_size),
	KUNIT_CASE(test_gh_tiny_alloc_packs),
	KUNIT_CASE(test_gh_tiny_alloc_fills_all_steps),
	KUNIT_CASE(test_gh_tiny_alloc_best_fit),
	KUNIT_CASE(test_gh_tiny_alloc_aligns_by_size),
	KUNIT_CASE(test_gh_tiny_alloc_every_offset_and_size),
	KUNIT_CASE(test_gh_tiny_alloc_zeroes),
	KUNIT_CASE(test_goheap_alloc_noscan_shares_where_it_saves),
	KUNIT_CASE(test_goheap_alloc_noscan_shares_below_minalign),
	KUNIT_CASE(test_goheap_alloc_noscan_rest_waits),
	KUNIT_CASE(test_goheap_alloc_noscan_memory),
	KUNIT_CASE(test_goheap_strdup_shares_where_it_saves),
	KUNIT_CASE(test_goheap_alloc_noscan_nested_shares_nothing),
	KUNIT_CASE(test_goheap_alloc_noscan_zeroed_shares_nothing),
	KUNIT_CASE(test_goheap_realloc_out_of_block),
	KUNIT_CASE(test_gh_tiny_free_last_tenant_frees_block),
	KUNIT_CASE(test_gh_tiny_free_in_open_block),
	KUNIT_CASE(test_gh_tiny_free_twice),
	KUNIT_CASE(test_gh_tiny_free_room_in_open_block),
	KUNIT_CASE(test_gh_tiny_free_from_other_cpu),
	KUNIT_CASE(test_gh_tiny_free_rcu_waits_for_readers),
	KUNIT_CASE(test_gh_tiny_free_rcu_in_block_being_filled),
	KUNIT_CASE(test_gh_tiny_free_own_with_stray_remote_bit),
	KUNIT_CASE(test_gh_tiny_validate_with_stray_remote_bit),
	KUNIT_CASE(test_gh_tiny_validate_finds_objects_in_free_block),
	KUNIT_CASE(test_gh_tiny_merge_waits_for_readers),
	KUNIT_CASE(test_goheap_size_of_tenants),
	KUNIT_CASE(test_gh_tiny_count_counts_objects),
	KUNIT_CASE(test_goheap_size_stays_when_neighbour_goes),
	KUNIT_CASE(test_gh_tiny_random),
	KUNIT_CASE(test_goheap_strdup_thisnode_is_in_no_block),
	{}
};

static struct kunit_suite tiny_suite = {
	.name = "goheap_tiny",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = tiny_cases,
};

kunit_test_suite(tiny_suite);
