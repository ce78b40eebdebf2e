// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects: below 16 bytes and pointer-free, several to a 16-byte block, as
 * in the Go runtime. Unlike there each can be freed, and checked, by itself.
 *
 * A block has four steps of four bytes; objects start and end at steps. A tiny
 * span keeps, behind its bitmaps,
 *
 *   live		a byte for each block, guarded like the free bitmap:
 *	bits 0 to 3	a live object starts at this step
 *	bits 4 to 7	an object started or ended at this step; these stay until the
 *			block is used again, so that the extent of an object is
 *			known while it lives, whatever happens to its neighbours
 *   gone		four bits for each block, atomic: the object that starts at this
 *			step was freed by somebody who may not change @live
 *
 * and the block's bit in the remote bitmap says that some of its objects are gone.
 * A merge clears that bit first and then moves gone to live, so that whoever sets
 * a gone bit and finds the remote bit set can rely on the merge to see it.
 *
 * A CPU keeps up to three blocks open, with one, two and three free steps. Space
 * in a block is not used again before all of the block is free: an open block
 * whose last object goes is closed, and free.
 *
 * What is asked for with __GFP_ZERO is not put here: where the bytes end that
 * were asked for is not recorded, so goheap_realloc() could not tell its zeroes
 * from what the block held before.
 *
 * See internal.h for an overview.
 */

#include <linux/bitops.h>
#include <linux/math.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "internal.h"

#define STEP		GH_TINY_STEP
#define NR_STEPS	(GH_TINY_BLOCK / STEP)
#define STARTS		(BIT(NR_STEPS) - 1)

static unsigned int start_bit(unsigned int at)
{
	return 1U << at / STEP;
}

static unsigned int edge_bit(unsigned int at)
{
	return start_bit(at) << NR_STEPS;
}

/* Of @steps from @first on. What ends at the block's end needs no mark there. */
static u8 object_bits(unsigned int first, unsigned int steps)
{
	return 0x11U << first | 0x10U << (first + steps);
}

static u8 *live_of(struct gh_span *s, unsigned long off)
{
	return gh_span_tiny_live(s) + off / GH_TINY_BLOCK;
}

/* Number of a step among all of the span's. */
static unsigned long step_of(unsigned long off)
{
	return off / STEP;
}

static unsigned int gone_of(struct gh_span *s, unsigned long off)
{
	unsigned long first = step_of(ALIGN_DOWN(off, GH_TINY_BLOCK));

	return READ_ONCE(gh_span_tiny_gone(s)[first / BITS_PER_LONG]) >> first % BITS_PER_LONG &
	       STARTS;
}

/* For KASAN: which steps hold a live object, or one that is gone and not merged. */
static void sanitize(unsigned long block, u8 live)
{
	unsigned int step, steps = 0;
	bool inside = false;

	for (step = 0; GH_KASAN && step < NR_STEPS; step++) {
		if (live & edge_bit(step * STEP))
			inside = live & start_bit(step * STEP);
		steps |= inside << step;
	}
	gh_sanitize_tiny(block, steps);
}

/* ---- open blocks ------------------------------------------------------------------- */

static struct gh_tiny_open *open_with(struct gh_cache *cache, unsigned int steps)
{
	return &cache->tiny_open[steps - 1];
}

/* @steps are free at the end of the block; one that had as many is given up. */
static void open_block(struct gh_cache *cache, unsigned long block, u8 *live, unsigned int steps)
{
	struct gh_tiny_open *open;

	if (!steps)
		return;
	open = open_with(cache, steps);
	open->block = block;
	open->live = live;
}

static void close_block(struct gh_cache *cache, unsigned long block)
{
	unsigned int i;

	for (i = 0; i < GH_TINY_OPEN; i++)
		if (cache->tiny_open[i].block == block)
			cache->tiny_open[i].block = 0;
}

/**
 * gh_tiny_close_empty() - stop filling blocks that a merge found empty
 * @cache: ours
 *
 * Such a block is free: its bit is set. No open block is empty otherwise.
 *
 * Context: The section, or nobody uses the cache.
 */
void gh_tiny_close_empty(struct gh_cache *cache)
{
	struct gh_tiny_open *open;

	for (open = cache->tiny_open; open < cache->tiny_open + GH_TINY_OPEN; open++)
		if (open->block && !(*open->live & STARTS))
			open->block = 0;
}

/**
 * gh_tiny_close() - stop filling blocks
 * @cache: ours
 *
 * Context: The section, or nobody uses the cache.
 */
void gh_tiny_close(struct gh_cache *cache)
{
	unsigned int i;

	/* None of them is empty, so nothing else is to be done. */
	for (i = 0; i < GH_TINY_OPEN; i++)
		cache->tiny_open[i].block = 0;
}

/* ---- allocation -------------------------------------------------------------------- */

/* The fullest open block with room for the object. */
static __always_inline void *alloc_in_open(struct gh_cache *cache, unsigned int steps, size_t align)
{
	struct gh_tiny_open *open;
	unsigned int left, first;
	unsigned long block;

	for (left = steps; left <= GH_TINY_OPEN; left++) {
		open = open_with(cache, left);
		block = open->block;
		first = NR_STEPS - left;
		if (align > STEP)
			first = round_up(first, 2);
		if (!block || first + steps > NR_STEPS)
			continue;
		WRITE_ONCE(*open->live, *open->live | object_bits(first, steps));
		sanitize(block, *open->live);
		open->block = 0;
		open_block(cache, block, open->live, NR_STEPS - first - steps);
		cache->tiny_allocs++;
		return (void *)(block + first * STEP);
	}
	return NULL;
}

/* Gone bits of a block move to @live. Returns what is live then. */
static noinline unsigned int take_gone(struct gh_span *s, unsigned int idx, unsigned int gone)
{
	unsigned long off = idx * GH_TINY_BLOCK, first = step_of(off);
	atomic_long_t *word = (atomic_long_t *)&gh_span_tiny_gone(s)[first / BITS_PER_LONG];
	u8 *live = live_of(s, off), twice = gone & ~*live;
	unsigned int step;

	for (step = 0; gone >> step; step++) {
		if (twice & BIT(step))
			gh_misuse_later(GH_DOUBLE_FREE, (void *)(s->base + off + step * STEP), s);
		else if (gone & BIT(step))
			gh_sanitize_forget((void *)(s->base + off + step * STEP));
	}
	WRITE_ONCE(*live, *live & ~gone);
	sanitize(s->base + off, *live);
	atomic_long_fetch_andnot((unsigned long)gone << first % BITS_PER_LONG, word);
	return *live & STARTS;
}

/*
 * At the start of a block that was just allocated. An object may be gone in there that
 * its owner freed at the same time: whoever said so has not set the remote bit yet,
 * and when it is merged the block has other tenants.
 */
static u8 *begin(struct gh_span *s, unsigned long block, unsigned int steps)
{
	u8 *live = live_of(s, block - s->base);
	unsigned int gone = gone_of(s, block - s->base);

	if (unlikely(gone))
		take_gone(s, (block - s->base) / GH_TINY_BLOCK, gone);
	WRITE_ONCE(*live, object_bits(0, steps));
	sanitize(block, *live);
	return live;
}

static void *alloc_block(struct gh_cache *cache, unsigned int steps, bool *refilled)
{
	void *block = gh_cache_take(cache, GH_SC_TINY);

	*refilled = !block && gh_cache_refill(cache, GH_SC_TINY);
	if (*refilled)
		block = gh_cache_take(cache, GH_SC_TINY);
	if (!block)
		return NULL;
	open_block(cache, (unsigned long)block,
		   begin(gh_span_of(block), (unsigned long)block, steps), NR_STEPS - steps);
	cache->tiny_allocs++;
	return block;
}

/* A block for one object alone: when the section or a new span is needed. */
static noinline void *alloc_alone(struct goheap *heap, unsigned int steps, gfp_t gfp)
{
	void *block = gh_alloc_slow(heap, GH_SC_TINY, GH_TINY_BLOCK, gfp, NUMA_NO_NODE);

	if (!block)
		return NULL;
	preempt_disable();
	begin(gh_span_of(block), (unsigned long)block, steps);
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

/* Where this CPU's cache cannot serve: of a debugged heap, not at all. */
static noinline void *alloc_elsewhere(struct goheap *heap, size_t size, gfp_t gfp)
{
	if (heap->debug)
		return gh_alloc_slow(heap, gh_size_class(size) * 2 + 1, size, gfp, NUMA_NO_NODE);
	return told(alloc_alone(heap, DIV_ROUND_UP(size, STEP), gfp), size, gfp);
}

static __always_inline void *finish(void *p, size_t size, gfp_t gfp)
{
	/* All that goheap_size() will say is its owner's. */
	if (want_init_on_alloc(0))
		memset(p, 0, ALIGN(size, STEP));
	return told(p, size, gfp);
}

/* At the start of a block, which it opens. The section is held, and left. */
static noinline void *alloc_in_new(struct gh_cache *cache, size_t size, gfp_t gfp)
{
	bool refilled;
	void *p = alloc_block(cache, DIV_ROUND_UP(size, STEP), &refilled);

	gh_section_exit(cache);
	preempt_enable();
	if (!p)
		return alloc_elsewhere(cache->heap, size, gfp);
	if (refilled)
		gh_yield(gfp);
	return finish(p, size, gfp);
}

/* How the fast path ends when others wait for the CPU. */
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
	unsigned int steps = DIV_ROUND_UP(size, STEP);
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
 * gh_tiny_may_start() - could an object start here?
 * @off: where in a tiny span
 *
 * Context: Any.
 * Return: false if none ever does.
 */
bool gh_tiny_may_start(unsigned long off)
{
	return off % STEP == 0;
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
	unsigned int start = start_bit(off % GH_TINY_BLOCK);

	if (!gh_tiny_may_start(off) || gone_of(s, off) & start)
		return false;
	/* Cleared before gone is; pairs with the atomic operation in take_gone(). */
	smp_rmb();
	return READ_ONCE(*live_of(s, off)) & start;
}

/* The block has lost its last object. */
static void leave_block(unsigned long block)
{
	if (want_init_on_free())
		gh_clear((void *)block, GH_TINY_BLOCK);
	gh_sanitize_tiny(block, 0);
}

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
	unsigned int idx = off / GH_TINY_BLOCK, start = start_bit(off % GH_TINY_BLOCK);
	unsigned long block = s->base + idx * GH_TINY_BLOCK;
	u8 *live = live_of(s, off);
	struct gh_word *w;

	/* Nobody moves gone to live meanwhile, so their order does not matter. */
	if (off >= s->limit || !gh_tiny_may_start(off) || !(*live & ~gone_of(s, off) & start))
		return false;
	gh_sanitize_forget((void *)(s->base + off));
	WRITE_ONCE(*live, *live & ~start);
	sanitize(block, *live);
	/* Those that are gone and not merged count as live here: who knows who reads them. */
	if (*live & STARTS)
		return true;
	leave_block(block);
	close_block(cache, block);
	/* Whatever its remote bit says: see gh_tiny_merge(). */
	w = gh_span_word(s, idx);
	WRITE_ONCE(w->free, w->free | BIT(idx % BITS_PER_LONG));
	if (!gh_cache_keep(cache, s, w, idx, (void *)block))
		gh_cache_list(cache, s);
	return true;
}

/* By a gone bit, and by the remote bit of its block. */
static bool free_remote(struct gh_span *s, unsigned long off, u32 life, bool rcu)
{
	unsigned int idx = off / GH_TINY_BLOCK;

	if (rcu)
		gh_span_rcu_mark(s);
	/*
	 * Live before gone: take_gone() clears them in this order. The full barriers
	 * of both atomic operations pair with the one in gh_tiny_merge().
	 */
	if (!gh_tiny_may_start(off) ||
	    !(READ_ONCE(*live_of(s, off)) & start_bit(off % GH_TINY_BLOCK)) ||
	    !gh_span_lives_on(s, life))
		return false;
	gh_sanitize_forget((void *)(s->base + off));
	if (test_and_set_bit(step_of(off), gh_span_tiny_gone(s)))
		return false;
	if (gh_word_set_remote(gh_span_word(s, idx), idx))
		gh_remote_tell(s, rcu);
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

	if (!gh_tiny_may_start(off))
		return false;
	if (rcu || !cache || cache->cpu != raw_smp_processor_id() || !gh_section_enter(cache))
		return free_remote(s, off, life, rcu);
	own = READ_ONCE(s->owner) == cache && gh_span_lives_on(s, life);
	if (own)
		freed = gh_tiny_free_own(cache, s, off);
	gh_section_exit(cache);
	return own ? freed : free_remote(s, off, life, false);
}

/**
 * gh_tiny_merge() - take over what was freed remotely in the blocks of a word
 * @s: a tiny span
 * @word: which
 * @blocks: their remote bits
 * @again: set if some objects have to wait for RCU; their blocks' bits are set again
 *
 * A remote bit alone means nothing: between somebody's gone bit and remote bit, a
 * merge that another free asked for may have taken the one. The other is then set on
 * a block that has other tenants, or none, or in a later life of the span, which is
 * a tiny one for as long as there is its descriptor.
 *
 * The owner closes those of the span's blocks that it was filling and that are empty now:
 * gh_tiny_close_empty().
 *
 * Context: The owner's section, or the central lock.
 * Return: how many blocks became free.
 */
unsigned int gh_tiny_merge(struct gh_span *s, unsigned int word, unsigned long blocks, bool *again)
{
	struct gh_word *w = &s->words[word];
	unsigned long bit, empty = 0;
	unsigned int idx, gone;

	/* A full barrier; pairs with those in free_remote(). */
	atomic_long_fetch_andnot(blocks, &w->remote);
	for_each_set_bit(bit, &blocks, BITS_PER_LONG) {
		idx = word * BITS_PER_LONG + bit;
		gone = gone_of(s, idx * GH_TINY_BLOCK);
		if (!gone)
			continue;
		/* Asked after @gone was read, and about no more than that. */
		if (gh_span_rcu_pending(s)) {
			atomic_long_or(BIT(bit), &w->remote);
			*again = true;
			continue;
		}
		/* In a block that is free, it was freed twice, which take_gone() reports. */
		if (take_gone(s, idx, gone) || w->free & BIT(bit))
			continue;
		leave_block(s->base + idx * GH_TINY_BLOCK);
		empty |= BIT(bit);
	}
	WRITE_ONCE(w->free, w->free | empty);
	return hweight_long(empty);
}

/* ---- questions --------------------------------------------------------------------- */

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
	return gh_tiny_may_start(off) &&
	       READ_ONCE(*live_of(s, off)) & edge_bit(off % GH_TINY_BLOCK);
}

/* End of the object that starts at @at, in its block. */
static unsigned int object_end(unsigned int bits, unsigned int at)
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
	unsigned int at = off % GH_TINY_BLOCK, bits = READ_ONCE(*live_of(s, off));
	unsigned long below = bits & ~gone_of(s, off) & STARTS & (BIT(at / STEP + 1) - 1);

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

	return object_end(READ_ONCE(*live_of(s, off)), at) - at;
}

/**
 * gh_tiny_validate() - check that a tiny span makes sense
 * @s: a tiny span that nobody is changing
 *
 * A remote bit of a block that is free means nothing: see gh_tiny_merge().
 *
 * Context: The owner's section or the central lock, and no frees under way.
 * Return: false if there are objects in a block that is free.
 */
bool gh_tiny_validate(struct gh_span *s)
{
	unsigned int idx;

	for (idx = 0; idx < s->nelems; idx++)
		if (s->words[idx / BITS_PER_LONG].free & BIT(idx % BITS_PER_LONG) &&
		    gh_span_tiny_live(s)[idx] & STARTS)
			return false;
	return true;
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
	unsigned int idx, n = 0;

	for (idx = 0; idx < s->nelems; idx++)
		n += hweight8(READ_ONCE(gh_span_tiny_live(s)[idx]) & STARTS &
			      ~gone_of(s, idx * GH_TINY_BLOCK));
	return n;
}
