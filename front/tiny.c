// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects: below 16 bytes and pointer-free, several to a 16-byte block, as in the Go
 * runtime. Unlike in Go each tiny object can be freed, and checked, by itself. The
 * bookkeeping of blocks is in spans/block.c.
 *
 * A CPU keeps up to three blocks open, with one, two and three free steps. Space
 * in a block is not used again before all of the block is free: when the last
 * object of an open block is freed, the block is closed, and free.
 *
 * Objects with __GFP_ZERO are never tiny: the size that was asked for is not
 * recorded, so goheap_realloc() could not tell the object's zeroes from what the
 * block held before.
 */

#include <linux/bitops.h>
#include <linux/math.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "base/context.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "front/slow.h"
#include "front/tiny.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "pages/map.h"
#include "percpu/cache.h"
#include "percpu/remote.h"
#include "percpu/slot.h"
#include "span.h"
#include "spans/block.h"

/* ---- allocation -------------------------------------------------------------------- */

/* The fullest open block with room for the object. */
static __always_inline void *alloc_in_open(struct gh_cache *cache, unsigned int steps, size_t align)
{
	struct gh_tiny_open *open;
	unsigned int left, first;
	unsigned long block;

	for (left = steps; left <= GH_TINY_OPEN; left++) {
		open = gh_tiny_open_with(cache, left);
		block = open->block;
		first = GH_TINY_STEPS - left;
		if (align > GH_TINY_STEP)
			first = round_up(first, 2);
		if (!block || first + steps > GH_TINY_STEPS)
			continue;
		WRITE_ONCE(*open->live, *open->live | gh_block_object_bits(first, steps));
		gh_block_sanitize(block, *open->live);
		open->block = 0;
		gh_tiny_open_block(cache, block, open->live, GH_TINY_STEPS - first - steps);
		cache->tiny_allocs++;
		return (void *)(block + first * GH_TINY_STEP);
	}
	return NULL;
}

static void *alloc_block(struct gh_cache *cache, unsigned int steps, bool *refilled)
{
	void *block = gh_cache_take(cache, GH_SC_TINY);
	u8 *live;

	*refilled = !block && gh_cache_refill(cache, GH_SC_TINY);
	if (*refilled)
		block = gh_cache_take(cache, GH_SC_TINY);
	if (!block)
		return NULL;
	live = gh_block_init(gh_span_of(block), (unsigned long)block, steps);
	gh_tiny_open_block(cache, (unsigned long)block, live, GH_TINY_STEPS - steps);
	cache->tiny_allocs++;
	return block;
}

/* A block for one object alone: if the section is not to be had, or a new span is needed. */
static noinline void *alloc_alone(struct goheap *heap, unsigned int steps, gfp_t gfp)
{
	void *block = gh_slow_alloc(heap, GH_SC_TINY, GH_TINY_BLOCK, gfp, NUMA_NO_NODE);

	if (!block)
		return NULL;
	preempt_disable();
	gh_block_init(gh_span_of(block), (unsigned long)block, steps);
	preempt_enable();
	atomic_long_inc(&heap->tiny_alone);
	return block;
}

static __always_inline void *told(void *p, size_t size, gfp_t gfp)
{
	if (GH_SANITIZES && p)
		gh_tell_leak_checker(p, size, true, gfp);
	return p;
}

/* When this CPU's cache cannot serve; in a debugged heap the object is not a tiny one. */
static noinline void *alloc_elsewhere(struct goheap *heap, size_t size, gfp_t gfp)
{
	if (heap->debug)
		return gh_slow_alloc(heap, gh_size_class(size) * 2 + 1, size, gfp, NUMA_NO_NODE);
	return told(alloc_alone(heap, DIV_ROUND_UP(size, GH_TINY_STEP), gfp), size, gfp);
}

static __always_inline void *finish(void *p, size_t size, gfp_t gfp)
{
	/* Clear all bytes that goheap_size() will report. */
	if (want_init_on_alloc(0))
		memset(p, 0, ALIGN(size, GH_TINY_STEP));
	return told(p, size, gfp);
}

/* Allocate at the start of a new block, and keep the block open. Leaves the section. */
static noinline void *alloc_in_new(struct gh_cache *cache, size_t size, gfp_t gfp)
{
	bool refilled;
	void *p = alloc_block(cache, DIV_ROUND_UP(size, GH_TINY_STEP), &refilled);

	gh_section_exit(cache);
	preempt_enable();
	if (!p)
		return alloc_elsewhere(cache->heap, size, gfp);
	if (refilled)
		gh_yield(gfp);
	return finish(p, size, gfp);
}

/* The end of the fast path when other tasks wait for the CPU. */
static noinline __cold void *yield_with(void *p, gfp_t gfp)
{
	gh_yield_wanted(gfp);
	return p;
}

/**
 * gh_tiny_alloc() - allocate a tiny object
 * @heap: where
 * @size: 1 to GH_TINY_MAX bytes
 * @align: 1, 2, 4 or 8
 * @gfp: see goheap_alloc(), and without __GFP_ZERO
 *
 * Context: Any that @gfp allows.
 * Return: the object, or NULL.
 */
void *gh_tiny_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp)
{
	unsigned int steps = DIV_ROUND_UP(size, GH_TINY_STEP);
	struct gh_cache *cache;
	void *p;

	gh_might_alloc(gfp);
	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (unlikely(!gh_section_enter(cache))) {
		preempt_enable();
		return alloc_elsewhere(heap, size, gfp);
	}
	p = alloc_in_open(cache, steps, align);
	if (!p)
		return alloc_in_new(cache, size, gfp);
	gh_section_exit(cache);
	if (unlikely(gh_preempt_enable_is_wanted()))
		return yield_with(finish(p, size, gfp), gfp);
	return finish(p, size, gfp);
}

/* ---- freeing ----------------------------------------------------------------------- */

/**
 * gh_tiny_free_own() - free a tiny object of a span of ours
 * @cache: ours
 * @s: a tiny span that it owns
 * @off: where in it
 *
 * Context: The section.
 * Return: false if no live object starts there.
 */
bool gh_tiny_free_own(struct gh_cache *cache, struct gh_span *s, unsigned long off)
{
	unsigned int idx = off / GH_TINY_BLOCK, start = gh_block_start_bit(off % GH_TINY_BLOCK);
	unsigned long block = s->base + idx * GH_TINY_BLOCK;
	u8 *live = gh_block_live(s, off);
	struct gh_word *w;

	/* In the section no merge moves gone to live: the order of the two reads is free. */
	if (off >= s->limit || !gh_block_may_start(off) ||
	    !(*live & ~gh_block_gone(s, off) & start))
		return false;
	gh_sanitize_forget((void *)(s->base + off));
	WRITE_ONCE(*live, *live & ~start);
	gh_block_sanitize(block, *live);
	/* An object that is gone but not merged counts as live: RCU readers may look at it. */
	if (*live & GH_TINY_STARTS)
		return true;
	gh_block_leave(block);
	gh_tiny_close_block(cache, block);
	/* The block's remote bit does not matter: see gh_block_merge(). */
	w = gh_span_word(s, idx);
	WRITE_ONCE(w->free, w->free | BIT(idx % BITS_PER_LONG));
	if (!gh_cache_keep(cache, s, w, idx, (void *)block))
		gh_cache_list(cache, s);
	return true;
}

/* Free a tiny object remotely: set its gone bit, and the remote bit of its block. */
static bool free_remote(struct gh_span *s, unsigned long off, u32 life, bool rcu)
{
	unsigned int idx = off / GH_TINY_BLOCK;

	if (rcu)
		gh_span_rcu_mark(s);
	/*
	 * Read live before setting gone: gh_block_take_gone() clears live first, too. The full
	 * barriers of both atomic operations pair with the one in gh_block_merge().
	 */
	if (!gh_block_may_start(off) ||
	    !(READ_ONCE(*gh_block_live(s, off)) & gh_block_start_bit(off % GH_TINY_BLOCK)) ||
	    !gh_span_lives_on(s, life))
		return false;
	gh_sanitize_forget((void *)(s->base + off));
	if (test_and_set_bit(gh_block_step(off), gh_span_tiny_gone(s)))
		return false;
	if (gh_word_set_remote(gh_span_word(s, idx), idx))
		gh_remote_notify(s, rcu);
	return true;
}

/**
 * gh_tiny_free() - free a tiny object
 * @s: a tiny span
 * @off: where in it
 * @life: the span's, when the object was found
 * @rcu: the memory may be used again only after a grace period
 *
 * Context: Any, preemption off.
 * Return: false if no live object starts there.
 */
bool gh_tiny_free(struct gh_span *s, unsigned long off, u32 life, bool rcu)
{
	struct gh_cache *cache = READ_ONCE(s->owner);
	bool own, freed = false;

	if (!gh_block_may_start(off))
		return false;
	if (rcu || !cache || cache->cpu != raw_smp_processor_id() || !gh_section_enter(cache))
		return free_remote(s, off, life, rcu);
	own = READ_ONCE(s->owner) == cache && gh_span_lives_on(s, life);
	if (own)
		freed = gh_tiny_free_own(cache, s, off);
	gh_section_exit(cache);
	return own ? freed : free_remote(s, off, life, false);
}
