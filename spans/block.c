// SPDX-License-Identifier: GPL-2.0
/*
 * Bookkeeping of tiny blocks: what a tiny span keeps of the objects in its blocks.
 *
 * A block has four steps of four bytes; objects start and end at steps. After its
 * bitmaps a tiny span has
 *
 *   live		a byte for each block, guarded like the free bitmap:
 *	bits 0 to 3	a live object starts at this step
 *	bits 4 to 7	an object started or ended at this step; these bits stay until
 *			the block is used again: while an object lives, its extent is
 *			known, even if its neighbours are freed
 *   gone		four bits for each block, atomic: the object that starts at this
 *			step was freed by a CPU that may not change @live
 *
 * The block's bit in the remote bitmap says that some of its objects are gone. A
 * merge clears the remote bit first and then moves gone to live. So a freeing CPU
 * that sets a gone bit, and finds the remote bit set, relies on the merge.
 */

#include <linux/bitops.h>
#include <linux/string.h>

#include "base/spanclass.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "span.h"
#include "spans/block.h"

/**
 * gh_block_take_gone() - take over the objects of a block that other CPUs freed
 * @s: a tiny span
 * @idx: which block
 * @gone: their bits
 *
 * Context: The owner's section, or the central lock; or the block is the caller's.
 * Return: bits of the objects that are live then.
 */
unsigned int gh_block_take_gone(struct gh_span *s, unsigned int idx, unsigned int gone)
{
	unsigned long off = idx * GH_TINY_BLOCK, first = gh_block_step(off);
	atomic_long_t *word = (atomic_long_t *)&gh_span_tiny_gone(s)[first / BITS_PER_LONG];
	u8 *live = gh_block_live(s, off), twice = gone & ~*live;
	unsigned int step;
	void *p;

	for (step = 0; gone >> step; step++) {
		p = (void *)(s->base + off + step * GH_TINY_STEP);
		if (twice & BIT(step))
			gh_misuse_later(GH_DOUBLE_FREE, p, s);
		else if (gone & BIT(step))
			gh_sanitize_forget(p);
	}
	WRITE_ONCE(*live, *live & ~gone);
	gh_block_sanitize(s->base + off, *live);
	atomic_long_fetch_andnot((unsigned long)gone << first % BITS_PER_LONG, word);
	return *live & GH_TINY_STARTS;
}

/**
 * gh_block_merge() - take over what was freed remotely in the blocks of a word
 * @s: a tiny span
 * @word: which
 * @blocks: their remote bits
 * @again: set if some objects have to wait for RCU; their blocks' bits are set again
 *
 * A remote bit alone means nothing. A freeing CPU sets the gone bit, and then the remote bit.
 * In between, a merge for another free may take the gone bit. The remote bit is then set late:
 * on a block with other objects, or with none, or in a later life of the span. The later life
 * is tiny as well, because the kind of a descriptor never changes.
 *
 * After the merge the owner CPU closes its open blocks that are empty now:
 * gh_tiny_close_empty().
 *
 * Context: The owner's section, or the central lock.
 * Return: how many blocks became free.
 */
unsigned int gh_block_merge(struct gh_span *s, unsigned int word, unsigned long blocks, bool *again)
{
	struct gh_word *w = &s->words[word];
	unsigned long bit, empty = 0;
	unsigned int idx, gone;

	/* A full barrier; pairs with those in front/tiny.c: free_remote(). */
	atomic_long_fetch_andnot(blocks, &w->remote);
	for_each_set_bit(bit, &blocks, BITS_PER_LONG) {
		idx = word * BITS_PER_LONG + bit;
		gone = gh_block_gone(s, idx * GH_TINY_BLOCK);
		if (!gone)
			continue;
		/* Asked after @gone was read: the answer holds for all objects in @gone. */
		if (gh_span_rcu_pending(s)) {
			atomic_long_or(BIT(bit), &w->remote);
			*again = true;
			continue;
		}
		/* If the block is free, the object was freed twice, and was reported. */
		if (gh_block_take_gone(s, idx, gone) || w->free & BIT(bit))
			continue;
		gh_block_leave(s->base + idx * GH_TINY_BLOCK);
		empty |= BIT(bit);
	}
	WRITE_ONCE(w->free, w->free | empty);
	return hweight_long(empty);
}

/**
 * gh_block_is_live() - does a live tiny object start here?
 * @s: a tiny span
 * @off: where in it
 *
 * Context: Any, preemption off.
 * Return: true if so.
 */
bool gh_block_is_live(struct gh_span *s, unsigned long off)
{
	unsigned int start = gh_block_start_bit(off % GH_TINY_BLOCK);

	if (!gh_block_may_start(off) || gh_block_gone(s, off) & start)
		return false;
	/* Live is cleared before gone; pairs with the atomic in gh_block_take_gone(). */
	smp_rmb();
	return READ_ONCE(*gh_block_live(s, off)) & start;
}

/**
 * gh_block_did_start() - has an object started, or ended, here?
 * @s: a tiny span
 * @off: where in it
 *
 * Context: Any, preemption off.
 * Return: true if so, since the block was last free.
 */
bool gh_block_did_start(struct gh_span *s, unsigned long off)
{
	return gh_block_may_start(off) &&
	       READ_ONCE(*gh_block_live(s, off)) & gh_block_edge_bit(off % GH_TINY_BLOCK);
}

/* End of the object that starts at @at, in its block. */
static unsigned int object_end(unsigned int bits, unsigned int at)
{
	unsigned long edges = bits >> GH_TINY_STEPS & ~(BIT(at / GH_TINY_STEP + 1) - 1);

	return edges ? __ffs(edges) * GH_TINY_STEP : GH_TINY_BLOCK;
}

/**
 * gh_block_object_start() - where the tiny object that holds an address starts
 * @s: a tiny span
 * @off: the address, in the span
 *
 * Context: Any, preemption off.
 * Return: offset of the live object, or -1.
 */
long gh_block_object_start(struct gh_span *s, unsigned long off)
{
	unsigned int at = off % GH_TINY_BLOCK, bits = READ_ONCE(*gh_block_live(s, off));
	unsigned long below = bits & ~gh_block_gone(s, off) & GH_TINY_STARTS;

	below &= BIT(at / GH_TINY_STEP + 1) - 1;
	if (!below || object_end(bits, __fls(below) * GH_TINY_STEP) <= at)
		return -1;
	return ALIGN_DOWN(off, GH_TINY_BLOCK) + __fls(below) * GH_TINY_STEP;
}

/**
 * gh_block_object_size() - usable bytes of a tiny object
 * @s: a tiny span
 * @off: where a live object starts
 *
 * Context: Any, preemption off.
 * Return: bytes; the same as long as the object lives.
 */
size_t gh_block_object_size(struct gh_span *s, unsigned long off)
{
	unsigned int at = off % GH_TINY_BLOCK;

	return object_end(READ_ONCE(*gh_block_live(s, off)), at) - at;
}

/* A remote bit of a block that is free means nothing: see gh_block_merge(). */
static bool free_blocks_are_empty(struct gh_span *s)
{
	unsigned int idx;

	for (idx = 0; idx < s->nelems; idx++)
		if (s->words[idx / BITS_PER_LONG].free & BIT(idx % BITS_PER_LONG) &&
		    gh_span_tiny_live(s)[idx] & GH_TINY_STARTS)
			return false;
	return true;
}

/**
 * gh_block_validate() - check that a span makes sense, and its blocks if it is tiny
 * @s: a SMALL span that nobody is changing
 *
 * Context: The owner's section or the central lock, and no frees under way.
 * Return: NULL, or what is wrong, in words.
 */
const char *gh_block_validate(struct gh_span *s)
{
	const char *wrong = gh_span_validate(s);

	if (!wrong && s->flags & GH_F_TINY && !free_blocks_are_empty(s))
		wrong = "objects in a tiny block that is free";
	return wrong;
}

/**
 * gh_block_count() - count tiny objects
 * @s: a tiny span
 *
 * Context: Any.
 * Return: how many are live.
 */
unsigned int gh_block_count(struct gh_span *s)
{
	unsigned int idx, n = 0;

	for (idx = 0; idx < s->nelems; idx++)
		n += hweight8(READ_ONCE(gh_span_tiny_live(s)[idx]) & GH_TINY_STARTS &
			      ~gh_block_gone(s, idx * GH_TINY_BLOCK));
	return n;
}
