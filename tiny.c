// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects: below 16 bytes and pointer-free, several to a 16-byte block, as
 * in the Go runtime. Unlike there each can be freed, and checked, by itself.
 *
 * Objects start and end at even bytes. A tiny span has 16 bits for every block,
 * in one word, so that each change is one atomic operation:
 *
 *   bits 0 to 6	a live object starts at byte 0, 2, ... 12
 *   bit 7		some CPU is filling the block (nothing starts at byte 14)
 *   bits 8 to 15	an object starts or ends at byte 0, 2, ... 14
 *
 * The free that clears the last of bits 0 to 7 knows it, and frees the block. Bits
 * 8 to 15 stay until the block is used again; with them the extent of an object
 * is known while it lives, whatever happens to its neighbours. Space in a block
 * is not used again before all of the block is free.
 *
 * What is asked for with __GFP_ZERO is not put here: where the bytes end that
 * were asked for is not recorded, so goheap_realloc() could not tell its zeroes
 * from what the block held before.
 *
 * See internal.h for an overview.
 */

#include <linux/bitops.h>
#include <linux/string.h>

#include "internal.h"

#define STEP		2U		/* objects start and end at multiples */
#define NR_STEPS	(GH_TINY_BLOCK / STEP)
#define HOLD		BIT(7)
#define TAKEN		0xffUL		/* live objects and the hold */
#define MASK		0xffffUL

static unsigned long start_bit(unsigned int at)
{
	return BIT(at / STEP);
}

/* What ends at the block's end needs no mark there. */
static unsigned long edge_bit(unsigned int at)
{
	return BIT(at / STEP) << NR_STEPS & MASK;
}

/* Bits of a block lie in its word from here on. */
static unsigned int block_shift(unsigned long off)
{
	return off / GH_TINY_BLOCK * 16 % BITS_PER_LONG;
}

static atomic_long_t *block_word(struct gh_span *s, unsigned long off)
{
	return gh_span_tiny_live(s, off / GH_TINY_BLOCK * 16);
}

static unsigned long block_bits(struct gh_span *s, unsigned long off)
{
	return atomic_long_read(block_word(s, off)) >> block_shift(off) & MASK;
}

/* Clears bits of a block. Returns those it had. */
static unsigned long clear(struct gh_span *s, unsigned long off, unsigned long bits)
{
	unsigned long word = atomic_long_fetch_andnot(bits << block_shift(off),
						      block_word(s, off));

	return word >> block_shift(off) & MASK;
}

/* A block that nobody else knows gets new bits; neighbours share the word. */
static void reset(struct gh_span *s, unsigned long off, unsigned long bits)
{
	bits ^= block_bits(s, off);
	atomic_long_xor(bits << block_shift(off), block_word(s, off));
}

static unsigned long object_bits(unsigned int at, unsigned int end)
{
	return start_bit(at) | edge_bit(at) | edge_bit(end);
}

/* Go on after the object, or let the block go if nothing can start there. */
static void *advance(struct gh_cache *cache, unsigned long block, unsigned int at,
		     unsigned int end)
{
	bool hold = end < GH_TINY_BLOCK - STEP;

	cache->tiny = hold ? block | end : 0;
	cache->tiny_allocs++;
	if (!hold)	/* not the last bit: the object is live */
		clear(cache->tiny_span, block - cache->tiny_span->base, HOLD);
	return (void *)(block + at);
}

static void *alloc_in_block(struct gh_cache *cache, size_t size, size_t align)
{
	unsigned long block = ALIGN_DOWN(cache->tiny, GH_TINY_BLOCK);
	unsigned int at = ALIGN(cache->tiny - block, max_t(size_t, align, STEP));
	unsigned int end = ALIGN(at + size, STEP);
	struct gh_span *s = cache->tiny_span;
	unsigned long off;

	if (!cache->tiny || end > GH_TINY_BLOCK || at >= GH_TINY_BLOCK - STEP)
		return NULL;
	off = block - s->base;
	atomic_long_or(object_bits(at, end) << block_shift(off), block_word(s, off));
	return advance(cache, block, at, end);
}

static void *alloc_new_block(struct gh_cache *cache, size_t size)
{
	unsigned int end = ALIGN(size, STEP);
	unsigned long block;
	struct gh_span *s;

	gh_tiny_retire(cache);
	block = (unsigned long)gh_cache_take(cache, GH_SC_TINY);
	if (!block) {
		if (!gh_cache_refill(cache, GH_SC_TINY))
			return NULL;
		block = (unsigned long)gh_cache_take(cache, GH_SC_TINY);
	}
	s = gh_span_of((void *)block);
	cache->tiny_span = s;
	reset(s, block - s->base, object_bits(0, end) | HOLD);
	return advance(cache, block, 0, end);
}

/* A block for one object alone: when the section or a new span is needed. */
static void *alloc_alone(struct goheap *heap, size_t size, gfp_t gfp)
{
	struct gh_span *s;
	void *block;

	block = gh_alloc_slow(heap, GH_SC_TINY, gfp, NUMA_NO_NODE);
	if (!block)
		return NULL;
	preempt_disable();
	s = gh_span_of(block);
	reset(s, (unsigned long)block - s->base, object_bits(0, ALIGN(size, STEP)));
	preempt_enable();
	atomic_long_inc(&heap->tiny_alone);
	return block;
}

/**
 * gh_tiny_alloc() - allocate a tiny object
 * @heap: where
 * @size: 1 to GH_TINY_MAX bytes
 * @align: 1, 2, 4 or 8
 * @gfp: see goheap_alloc()
 *
 * Context: Any that @gfp allows.
 * Return: the object, or NULL.
 */
void *gh_tiny_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp)
{
	struct gh_cache *cache;
	void *p = NULL;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (likely(gh_section_enter(cache))) {
		p = alloc_in_block(cache, size, align) ?: alloc_new_block(cache, size);
		gh_section_exit(cache);
	}
	preempt_enable();
	if (unlikely(!p))
		p = alloc_alone(heap, size, gfp);
	if (p && want_init_on_alloc(gfp))
		memset(p, 0, size);
	return p;
}

static void free_block(struct gh_span *s, unsigned long off)
{
	unsigned int idx = off / GH_TINY_BLOCK;

	/* A tenant that went before this one may have readers yet. */
	if (gh_span_rcu_pending(s))
		gh_remote_free_rcu(s, idx);
	else
		gh_free_object(s, idx);
}

/**
 * gh_tiny_retire() - stop filling the current block
 * @cache: ours
 *
 * Context: The section.
 */
void gh_tiny_retire(struct gh_cache *cache)
{
	struct gh_span *s = cache->tiny_span;
	unsigned long off;
	unsigned int idx;

	if (!cache->tiny)
		return;
	off = ALIGN_DOWN(cache->tiny, GH_TINY_BLOCK) - s->base;
	cache->tiny = 0;
	if ((clear(s, off, HOLD) & TAKEN) != HOLD)
		return;
	/* All its objects went while it was held. */
	if (want_init_on_free())
		memset((void *)(s->base + off), 0, GH_TINY_BLOCK);
	if (s->owner != cache || gh_span_rcu_pending(s)) {
		gh_remote_free(s, off / GH_TINY_BLOCK);
		return;
	}
	idx = off / GH_TINY_BLOCK;
	gh_span_give(s, idx);
	if (!gh_cache_keep(cache, s, gh_span_word(s, idx), idx, (void *)(s->base + off)))
		gh_cache_list(cache, s);
}

/**
 * gh_tiny_free() - free a tiny object
 * @s: a tiny span
 * @off: where in it
 * @rcu: the memory may be used again only after a grace period
 *
 * Context: Any, preemption off.
 * Return: false if no live object starts there.
 */
bool gh_tiny_free(struct gh_span *s, unsigned long off, bool rcu)
{
	unsigned int at = off % GH_TINY_BLOCK;
	unsigned long old;

	if (!gh_tiny_may_start(off))
		return false;
	if (rcu)
		gh_span_rcu_mark(s);
	old = clear(s, off, start_bit(at));
	if (!(old & start_bit(at)))
		return false;
	if ((old & TAKEN) == start_bit(at))
		free_block(s, off);
	return true;
}

/**
 * gh_tiny_may_start() - could an object start here?
 * @off: where in a tiny span
 *
 * Context: Any.
 * Return: false if none ever does.
 */
bool gh_tiny_may_start(unsigned long off)
{
	return off % STEP == 0 && off % GH_TINY_BLOCK != GH_TINY_BLOCK - STEP;
}

/**
 * gh_tiny_did_start() - has an object started, or ended, here?
 * @s: a tiny span
 * @off: where in it
 *
 * Context: Any, preemption off.
 * Return: true if so, since the block was last free.
 */
bool gh_tiny_did_start(struct gh_span *s, unsigned long off)
{
	return gh_tiny_may_start(off) && block_bits(s, off) & edge_bit(off % GH_TINY_BLOCK);
}

/**
 * gh_tiny_is_live() - does a live tiny object start here?
 * @s: a tiny span
 * @off: where in it
 *
 * Context: Any, preemption off.
 * Return: true if so.
 */
bool gh_tiny_is_live(struct gh_span *s, unsigned long off)
{
	return gh_tiny_may_start(off) && block_bits(s, off) & start_bit(off % GH_TINY_BLOCK);
}

/* End of the object that starts at @at, in its block. */
static unsigned int object_end(unsigned long bits, unsigned int at)
{
	unsigned long edges = bits >> NR_STEPS & ~(BIT(at / STEP + 1) - 1);

	return edges ? __ffs(edges) * STEP : GH_TINY_BLOCK;
}

/**
 * gh_tiny_start() - where the tiny object that holds an address starts
 * @s: a tiny span
 * @off: the address, in the span
 *
 * Context: Any, preemption off.
 * Return: offset of the live object, or -1.
 */
long gh_tiny_start(struct gh_span *s, unsigned long off)
{
	unsigned int at = off % GH_TINY_BLOCK;
	unsigned long bits = block_bits(s, off);
	unsigned long below = bits & TAKEN & ~HOLD & (BIT(at / STEP + 1) - 1);

	if (!below || object_end(bits, __fls(below) * STEP) <= at)
		return -1;
	return ALIGN_DOWN(off, GH_TINY_BLOCK) + __fls(below) * STEP;
}

/**
 * gh_tiny_size() - usable bytes of a tiny object
 * @s: a tiny span
 * @off: where a live object starts
 *
 * Context: Any, preemption off.
 * Return: bytes; the same as long as the object lives.
 */
size_t gh_tiny_size(struct gh_span *s, unsigned long off)
{
	unsigned int at = off % GH_TINY_BLOCK;

	return object_end(block_bits(s, off), at) - at;
}

/**
 * gh_tiny_count() - count tiny objects
 * @s: a tiny span
 *
 * Context: Any.
 * Return: how many are live.
 */
unsigned int gh_tiny_count(struct gh_span *s)
{
	const unsigned long starts = (TAKEN & ~HOLD) * 0x0001000100010001UL;
	unsigned int i, n = 0;

	for (i = 0; i < s->nelems; i += BITS_PER_LONG / 16)
		n += hweight_long(atomic_long_read(block_word(s, i * GH_TINY_BLOCK)) & starts);
	return n;
}
