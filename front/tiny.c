// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects: pointer-free ones that share 16-byte blocks, as in the Go runtime, where
 * that saves memory: gh_tiny_saves(). Unlike in Go each tiny object can be freed, and
 * checked, by itself. The bookkeeping of blocks is in spans/block.c.
 *
 * A CPU keeps open the blocks that have room left: one for each number of free steps. An
 * object of more than 8 bytes starts a block, so that it is aligned. Space in a block is not
 * used again before all of the block is free: when the last object of an open block is freed,
 * the block is closed, and free.
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
#include "front/lookup.h"
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

static __always_inline void *told(void *p, size_t size, gfp_t gfp)
{
	if (GH_SANITIZES)
		gh_tell_leak_checker(p, size, true, gfp);
	return p;
}

/* Clear all bytes that goheap_size() will report. */
static noinline void *cleared(void *p, size_t size, gfp_t gfp)
{
	return told(memset(p, 0, ALIGN(size, GH_TINY_STEP)), size, gfp);
}

static __always_inline void *finish(void *p, size_t size, gfp_t gfp)
{
	return want_init_on_alloc(0) ? cleared(p, size, gfp) : told(p, size, gfp);
}

/* The end of the fast path when other tasks wait for the CPU. */
static noinline __cold void *yield_with(void *p, size_t size, gfp_t gfp)
{
	gh_yield_wanted(gfp);
	return finish(p, size, gfp);
}

/* The object is found: count it, and leave the section. */
static __always_inline void *leave_with(struct gh_cache *cache, void *p, size_t size, gfp_t gfp)
{
	cache->tiny_allocs++;
	gh_section_exit(cache);
	if (unlikely(gh_preempt_enable_is_wanted()))
		return yield_with(p, size, gfp);
	return finish(p, size, gfp);
}

/* Where no block can be shared, in a debugged heap for one, the object is not a tiny one. */
static noinline void *alloc_in_class(struct goheap *heap, size_t size, gfp_t gfp)
{
	return gh_slow_alloc(heap, gh_size_class(size) * 2 + 1, size, gfp, NUMA_NO_NODE);
}

/* A new span is needed: its first block is for one object alone. */
static noinline void *alloc_in_span(struct goheap *heap, size_t size, gfp_t gfp)
{
	void *block;

	if (heap->debug)
		return alloc_in_class(heap, size, gfp);
	block = gh_slow_alloc(heap, GH_SC_TINY, GH_TINY_BLOCK, gfp, NUMA_NO_NODE);
	if (!block)
		return NULL;
	preempt_disable();
	gh_block_init(gh_span_of(block), (unsigned long)block, DIV_ROUND_UP(size, GH_TINY_STEP));
	preempt_enable();
	atomic_long_inc(&heap->tiny_alone);
	return told(block, size, gfp);
}

/* What alloc_in_new() leaves: @block has a gone bit from before, or is NULL. Leaves the section. */
static noinline void *alloc_in_new_slow(size_t size, gfp_t gfp, struct gh_cache *cache, void *block)
{
	unsigned int steps = DIV_ROUND_UP(size, GH_TINY_STEP);
	u8 *live;

	if (!block && gh_cache_refill(cache, GH_SC_TINY))
		block = gh_cache_take(cache, GH_SC_TINY);
	if (!block) {
		gh_section_exit(cache);
		preempt_enable();
		return alloc_in_span(cache->heap, size, gfp);
	}
	live = gh_block_init(gh_span_of(block), (unsigned long)block, steps);
	gh_tiny_open_block(cache, (unsigned long)block, live, GH_TINY_STEPS - steps);
	block = leave_with(cache, block, size, gfp);
	gh_yield(gfp);
	return block;
}

/* Put @steps of an object into a block of ours, and keep the block open. */
static __always_inline void start_block(struct gh_cache *cache, struct gh_span *s,
					unsigned long block, unsigned int steps)
{
	u8 *live = gh_block_start(s, block, steps);

	gh_tiny_open_block(cache, block, live, GH_TINY_STEPS - steps);
}

/* Allocate at the start of a new block. Leaves the section. */
static noinline void *alloc_in_new(size_t size, gfp_t gfp, struct gh_cache *cache)
{
	void *block = gh_cache_take(cache, GH_SC_TINY);
	struct gh_span *s;

	if (unlikely(!block))
		return alloc_in_new_slow(size, gfp, cache, NULL);
	s = gh_span_of(block);
	if (unlikely(gh_block_gone(s, (unsigned long)block - s->base)))
		return alloc_in_new_slow(size, gfp, cache, block);
	/* What most objects need is a constant. */
	if (size <= GH_TINY_STEP)
		start_block(cache, s, (unsigned long)block, 1);
	else
		start_block(cache, s, (unsigned long)block, DIV_ROUND_UP(size, GH_TINY_STEP));
	return leave_with(cache, block, size, gfp);
}

/*
 * Allocate @steps in the open block that has @left of them free, if there is such a block.
 * Both are constants.
 */
static __always_inline bool alloc_in_open(struct gh_cache *cache, const unsigned int left,
					  const unsigned int steps, void **p)
{
	struct gh_tiny_open *open = gh_tiny_open_with(cache, left);
	const unsigned int first = GH_TINY_STEPS - left;
	unsigned long block = open->block;
	u8 *live;

	if (!block)
		return false;
	live = open->live;
	WRITE_ONCE(*live, *live | gh_block_object_bits(first, steps));
	gh_block_sanitize(block, *live);
	open->block = 0;
	gh_tiny_open_block(cache, block, live, left - steps);
	*p = (void *)(block + first * GH_TINY_STEP);
	return true;
}

/* Allocate in the fullest open block with room for the object. */
static __always_inline bool alloc_beside(struct gh_cache *cache, size_t size, void **p)
{
	if (size <= GH_TINY_STEP)
		return alloc_in_open(cache, 1, 1, p) || alloc_in_open(cache, 2, 1, p) ||
		       alloc_in_open(cache, 3, 1, p);
	if (size <= 2 * GH_TINY_STEP)
		return alloc_in_open(cache, 2, 2, p) || alloc_in_open(cache, 3, 2, p);
	return false;
}

/**
 * gh_tiny_alloc() - allocate a tiny object
 * @size: 1 to GH_TINY_MAX bytes
 * @gfp: see goheap_alloc(), and without __GFP_ZERO
 * @caches: of which heap
 *
 * Context: Any that @gfp allows.
 * Return: the object, or NULL. It is aligned to GH_TINY_STEP, and above 8 bytes to
 * GH_TINY_BLOCK.
 */
void *gh_tiny_alloc(size_t size, gfp_t gfp, struct gh_cache __percpu *caches)
{
	struct gh_cache *cache;
	void *p;

	gh_might_alloc(gfp);
	preempt_disable();
	cache = this_cpu_ptr(caches);
	if (unlikely(!gh_section_enter(cache))) {
		preempt_enable();
		return alloc_in_class(cache->heap, size, gfp);
	}
	if (!alloc_beside(cache, size, &p))
		return alloc_in_new(size, gfp, cache);
	return leave_with(cache, p, size, gfp);
}

/* ---- freeing ----------------------------------------------------------------------- */

/*
 * Mark the object that starts at @off as free. False if no live object starts there. The
 * section is held, and the span is the cache's.
 */
static __always_inline bool mark_free(struct gh_span *s, unsigned long off)
{
	unsigned int step = gh_block_step(off) % GH_TINY_STEPS;
	u8 *live = gh_block_live(s, off);

	/* In the section no merge moves gone to live: the order of the two reads is free. */
	if (unlikely(!gh_block_may_start(off) || !gh_bit_is_set(*live, step) ||
		     gh_block_is_gone(s, off)))
		return false;
	gh_sanitize_forget((void *)(s->base + off));
	WRITE_ONCE(*live, gh_bit_clear(*live, step));
	gh_block_sanitize(s->base + ALIGN_DOWN(off, GH_TINY_BLOCK), *live);
	return true;
}

/*
 * Free a block after mark_free() of its last object. False if the caller has to call
 * gh_cache_list(). The section is held.
 */
static __always_inline bool free_block(struct gh_cache *cache, struct gh_span *s,
				       unsigned int idx)
{
	unsigned long block = s->base + idx * GH_TINY_BLOCK;
	struct gh_word *w = gh_span_word(s, idx);

	gh_block_leave(block);
	gh_tiny_close_block(cache, block);
	/* The block's remote bit does not matter: see gh_block_merge(). */
	WRITE_ONCE(w->free, gh_bit_set(w->free, idx));
	return gh_cache_keep(cache, s, w, idx, (void *)block);
}

/* The same of any object: an object that is gone but not merged may have RCU readers, and stays. */
static __always_inline bool leave_block(struct gh_cache *cache, struct gh_span *s,
					unsigned long off)
{
	return *gh_block_live(s, off) & GH_TINY_STARTS ||
	       free_block(cache, s, off / GH_TINY_BLOCK);
}

static noinline void refuse(struct gh_cache *cache, struct gh_span *s, const void *p)
{
	gh_section_exit(cache);
	gh_lookup_report(p);
	preempt_enable();
}

static noinline void list_left(struct gh_cache *cache, struct gh_span *s)
{
	gh_cache_list(cache, s);
	gh_section_exit(cache);
	preempt_enable();
}

/**
 * gh_tiny_free_here() - free a tiny object of a span of ours
 * @p: any address in there
 * @s: a tiny span that @cache owns
 * @cache: ours
 *
 * What is no live object is reported.
 *
 * Context: The section, which is left, and preemption enabled.
 */
void gh_tiny_free_here(const void *p, struct gh_span *s, struct gh_cache *cache)
{
	unsigned long off = (unsigned long)p - s->base;

	if (unlikely(!mark_free(s, off)))
		return refuse(cache, s, p);
	if (unlikely(!leave_block(cache, s, off)))
		return list_left(cache, s);
	gh_section_exit(cache);
	preempt_enable();
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
	bool own, freed;

	if (!gh_block_may_start(off))
		return false;
	if (rcu || !cache || cache->cpu != raw_smp_processor_id() || !gh_section_enter(cache))
		return free_remote(s, off, life, rcu);
	own = READ_ONCE(s->owner) == cache && gh_span_lives_on(s, life);
	freed = own && mark_free(s, off);
	if (freed && !leave_block(cache, s, off))
		gh_cache_list(cache, s);
	gh_section_exit(cache);
	return own ? freed : free_remote(s, off, life, false);
}
