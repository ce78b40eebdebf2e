// SPDX-License-Identifier: GPL-2.0
/*
 * Tiny objects: below 16 bytes and pointer-free, several to a 16-byte block, as
 * in the Go runtime. Unlike there each can be freed, and checked, by itself.
 *
 * A tiny span has a live bit for every byte: set where a live object starts. The
 * 16 bits of a block lie in one word, so the free that clears the last of them
 * knows it, and frees the block. The block that a CPU is filling has the bit of
 * its last byte set as well, where no object may start, so that nobody frees it.
 * Space in a block is not used again before all of the block is free.
 *
 * What is asked for with __GFP_ZERO is not put here: where an object ends is not
 * recorded, so goheap_realloc() could not tell its zeroes from what a neighbour
 * has left behind it.
 *
 * See internal.h for an overview.
 */

#include <linux/bitops.h>
#include <linux/string.h>

#include "internal.h"

#define HOLD	BIT(GH_TINY_HOLD)
#define MASK	(BIT(GH_TINY_BLOCK) - 1)

/* Bits of a block lie in its word from here on. */
static unsigned int block_shift(unsigned long off)
{
	return ALIGN_DOWN(off, GH_TINY_BLOCK) % BITS_PER_LONG;
}

static unsigned long block_bits(struct gh_span *s, unsigned long off)
{
	unsigned long word = atomic_long_read(gh_span_tiny_live(s, off));

	return word >> block_shift(off) & MASK;
}

/* Atomic, because neighbours of the block share the word. */
static void flip(struct gh_span *s, unsigned long off, unsigned long bits)
{
	atomic_long_xor(bits << block_shift(off), gh_span_tiny_live(s, off));
}

/* Clears bits of a block. Returns those it had. */
static unsigned long clear(struct gh_span *s, unsigned long off, unsigned long bits)
{
	unsigned long word = atomic_long_fetch_andnot(bits << block_shift(off),
						      gh_span_tiny_live(s, off));

	return word >> block_shift(off) & MASK;
}

/* Make the object live, and go on after it or let the block go. */
static void *place(struct gh_cache *cache, unsigned long block, unsigned int at, size_t size,
		   bool held)
{
	struct gh_span *s = cache->tiny_span;
	bool hold = at + size < GH_TINY_HOLD;

	flip(s, block - s->base, BIT(at) | (held == hold ? 0 : HOLD));
	smp_mb__after_atomic();		/* pairs with smp_rmb() in filled_to() */
	WRITE_ONCE(cache->tiny, hold ? block | (at + size) : 0);
	cache->tiny_allocs++;
	return (void *)(block + at);
}

static void *alloc_in_block(struct gh_cache *cache, size_t size, size_t align)
{
	unsigned long block = ALIGN_DOWN(cache->tiny, GH_TINY_BLOCK);
	unsigned int at = ALIGN(cache->tiny - block, align);

	if (!cache->tiny || at + size > GH_TINY_BLOCK || at >= GH_TINY_HOLD)
		return NULL;
	return place(cache, block, at, size, true);
}

static void *alloc_new_block(struct gh_cache *cache, size_t size)
{
	unsigned long block;

	gh_tiny_retire(cache);
	block = (unsigned long)gh_cache_take(cache, GH_SC_TINY);
	if (!block) {
		if (!gh_cache_refill(cache, GH_SC_TINY))
			return NULL;
		block = (unsigned long)gh_cache_take(cache, GH_SC_TINY);
	}
	cache->tiny_span = cache->bins[GH_SC_TINY].active;
	return place(cache, block, 0, size, false);
}

/* A block for one object alone: when the section or a new span is needed. */
static void *alloc_alone(struct goheap *heap, gfp_t gfp)
{
	struct gh_span *s;
	void *block;

	block = gh_alloc_slow(heap, GH_SC_TINY, gfp, NUMA_NO_NODE);
	if (!block)
		return NULL;
	preempt_disable();
	s = gh_span_of(block);
	flip(s, (unsigned long)block - s->base, BIT(0));
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
		p = alloc_alone(heap, gfp);
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
	unsigned long off, old;

	if (!cache->tiny)
		return;
	off = ALIGN_DOWN(cache->tiny, GH_TINY_BLOCK) - s->base;
	old = clear(s, off, HOLD);
	/* Not before: filled_to() goes by the cursor while the bit is set. */
	WRITE_ONCE(cache->tiny, 0);
	if (old != HOLD)
		return;
	/* All its objects went while it was held. */
	if (want_init_on_free())
		memset((void *)(s->base + off), 0, GH_TINY_BLOCK);
	if (s->owner != cache || gh_span_rcu_pending(s)) {
		gh_remote_free(s, off / GH_TINY_BLOCK);
		return;
	}
	gh_cache_give(s, off / GH_TINY_BLOCK);
	if (gh_span_at_edge(s))
		gh_cache_edge(cache, s);
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

	if (at == GH_TINY_HOLD)
		return false;
	if (rcu)
		gh_span_rcu_mark(s);
	old = clear(s, off, BIT(at));
	if (!(old & BIT(at)))
		return false;
	if (old == BIT(at))
		free_block(s, off);
	return true;
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
	return block_bits(s, off) & ~HOLD & BIT(off % GH_TINY_BLOCK);
}

/**
 * gh_tiny_start() - where the tiny object that holds an address starts
 * @s: a tiny span
 * @off: the address, in the span
 *
 * Where objects end is not recorded: what lies between a live object and the
 * next one counts as the former's.
 *
 * Context: Any, preemption off.
 * Return: offset of the last live object at or below @off in its block, or -1.
 */
long gh_tiny_start(struct gh_span *s, unsigned long off)
{
	unsigned long below = block_bits(s, off) & ~HOLD & (BIT(off % GH_TINY_BLOCK + 1) - 1);

	return below ? (long)(ALIGN_DOWN(off, GH_TINY_BLOCK) + __fls(below)) : -1;
}

/*
 * First unused byte of a block that some CPU is filling; its end if none is; 0 if
 * it was just taken up, and so has no object that anybody knows of.
 */
static unsigned int filled_to(struct gh_span *s, unsigned long off)
{
	unsigned long block = s->base + ALIGN_DOWN(off, GH_TINY_BLOCK), tiny;
	int cpu;

	if (!(block_bits(s, off) & HOLD))
		return GH_TINY_BLOCK;
	for_each_possible_cpu(cpu) {
		tiny = READ_ONCE(per_cpu_ptr(s->cache, cpu)->tiny);
		if (ALIGN_DOWN(tiny, GH_TINY_BLOCK) == block)
			return tiny - block;
	}
	/* The bit goes before the cursor does: pairs with clear() and flip(). */
	smp_rmb();
	return block_bits(s, off) & HOLD ? 0 : GH_TINY_BLOCK;
}

/**
 * gh_tiny_size() - usable bytes of a tiny object
 * @s: a tiny span
 * @off: where a live object starts
 *
 * Context: Any, preemption off.
 * Return: bytes up to what is or may become another object.
 */
size_t gh_tiny_size(struct gh_span *s, unsigned long off)
{
	unsigned int at = off % GH_TINY_BLOCK;
	unsigned int end = filled_to(s, off);
	unsigned long above = block_bits(s, off) & ~HOLD & ~(BIT(at + 1) - 1);

	if (above)
		end = min_t(unsigned int, end, __ffs(above));
	return end > at ? end - at : 1;
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
	unsigned long holds = HOLD | HOLD << 16 | HOLD << 32 | HOLD << 48;
	unsigned long off, n = 0;

	for (off = 0; off < gh_classes[GH_TINY_CLASS].span_bytes; off += BITS_PER_LONG)
		n += hweight_long(atomic_long_read(gh_span_tiny_live(s, off)) & ~holds);
	return n;
}
