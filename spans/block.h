/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tiny blocks: what a tiny span keeps of the objects in them. See block.c for the layout.
 */
#ifndef _GOHEAP_SPANS_BLOCK_H
#define _GOHEAP_SPANS_BLOCK_H

#include <linux/align.h>
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "base/spanclass.h"
#include "hooks/sanitize.h"
#include "span.h"

#define GH_TINY_STEPS	(GH_TINY_BLOCK / GH_TINY_STEP)

#define GH_TINY_STARTS		(BIT(GH_TINY_STEPS) - 1)

static __always_inline unsigned int gh_block_start_bit(unsigned int at)
{
	return 1U << at / GH_TINY_STEP;
}

static __always_inline unsigned int gh_block_edge_bit(unsigned int at)
{
	return gh_block_start_bit(at) << GH_TINY_STEPS;
}

/* Of @steps from @first on. What ends at the block's end needs no mark there. */
static __always_inline u8 gh_block_object_bits(unsigned int first, unsigned int steps)
{
	return (0x11U << first | 0x10U << (first + steps)) & U8_MAX;
}

static __always_inline u8 *gh_block_live(struct gh_span *s, unsigned long off)
{
	return gh_span_tiny_live(s) + off / GH_TINY_BLOCK;
}

/* Number of a step among all of the span's. */
static __always_inline unsigned long gh_block_step(unsigned long off)
{
	return off / GH_TINY_STEP;
}

static __always_inline unsigned int gh_block_gone(struct gh_span *s, unsigned long off)
{
	unsigned long first = off / GH_TINY_BLOCK * GH_TINY_STEPS;

	return READ_ONCE(gh_span_tiny_gone(s)[first / BITS_PER_LONG]) >> first % BITS_PER_LONG &
	       GH_TINY_STARTS;
}

/* The same of the object that starts at @off, which is a multiple of GH_TINY_STEP. */
static __always_inline bool gh_block_is_gone(struct gh_span *s, unsigned long off)
{
	unsigned long step = gh_block_step(off);

	return gh_bit_is_set(READ_ONCE(gh_span_tiny_gone(s)[step / BITS_PER_LONG]), step);
}

/* For KASAN: which steps hold a live object, or one that is gone and not merged. */
static __always_inline void gh_block_sanitize(unsigned long block, u8 live)
{
	unsigned int step, steps = 0;
	bool inside = false;

	for (step = 0; GH_KASAN && step < GH_TINY_STEPS; step++) {
		if (live & gh_block_edge_bit(step * GH_TINY_STEP))
			inside = live & gh_block_start_bit(step * GH_TINY_STEP);
		steps |= inside << step;
	}
	gh_sanitize_tiny(block, steps);
}

/* A block has lost its last object. The owner's section, or the central lock. */
static __always_inline void gh_block_leave(unsigned long block)
{
	if (want_init_on_free())
		gh_clear((void *)block, GH_TINY_BLOCK);
	gh_sanitize_tiny(block, 0);
}

/* Could an object start at this offset of a tiny span? Blocks fill all of its one page. */
static __always_inline bool gh_block_may_start(unsigned long off)
{
	return !(off & ~(GH_PAGE_SIZE - GH_TINY_STEP));
}

unsigned int gh_block_take_gone(struct gh_span *s, unsigned int idx, unsigned int gone);
unsigned int gh_block_merge(struct gh_span *s, unsigned int word, unsigned long blocks,
			    bool *again);
bool gh_block_is_live(struct gh_span *s, unsigned long off);
bool gh_block_did_start(struct gh_span *s, unsigned long off);
long gh_block_object_start(struct gh_span *s, unsigned long off);
size_t gh_block_object_size(struct gh_span *s, unsigned long off);
const char *gh_block_validate(struct gh_span *s);
unsigned int gh_block_count(struct gh_span *s);

/* Put the first object, of @steps, into a block that was just allocated. Nothing is gone. */
static __always_inline u8 *gh_block_start(struct gh_span *s, unsigned long block,
					  unsigned int steps)
{
	u8 *live = gh_block_live(s, block - s->base);

	WRITE_ONCE(*live, gh_block_object_bits(0, steps));
	gh_block_sanitize(block, *live);
	return live;
}

/*
 * The same if a gone bit may be left in the block: the owner CPU and another CPU freed the
 * same object at the same time, and the other CPU has not set the remote bit yet. When that
 * bit is merged, the block has new objects.
 */
static inline u8 *gh_block_init(struct gh_span *s, unsigned long block, unsigned int steps)
{
	unsigned int gone = gh_block_gone(s, block - s->base);

	if (unlikely(gone))
		gh_block_take_gone(s, (block - s->base) / GH_TINY_BLOCK, gone);
	return gh_block_start(s, block, steps);
}

#endif /* _GOHEAP_SPANS_BLOCK_H */
