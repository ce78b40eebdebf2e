/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A span: contiguous heap pages cut into equal objects, and all bookkeeping of these.
 */
#ifndef _GOHEAP_SPAN_H
#define _GOHEAP_SPAN_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/llist.h>
#include <linux/math.h>
#include <linux/rbtree_types.h>
#include <linux/types.h>

#include "base/compat.h"
#include "base/heap_page.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "heap.h"

struct gh_cache;
struct gh_records;

enum gh_span_state {
	GH_SPAN_FREE,			/* a run of free pages */
	GH_SPAN_SMALL,
	GH_SPAN_LARGE,
};

/* gh_span.flags; while the span is SMALL or LARGE only GH_F_LISTED and GH_F_FRESH change */
#define GH_F_LARGE	0x01
#define GH_F_TINY	0x02
#define GH_F_DEBUG	0x04		/* has records: see hooks/debug.c */
#define GH_F_SPECIAL	(GH_F_LARGE | GH_F_TINY | GH_F_DEBUG)
#define GH_F_WORDS	0x20		/* more than one word in each bitmap */
#define GH_F_KEEP	0x40		/* free objects keep their content: see struct gh_objects */
#define GH_F_LISTED	0x08		/* current, or on its owner's partial list */
#define GH_F_FRESH	0x10		/* words from gh_span.fresh on: never handed out, zero */

/* Descriptors by how many bitmap words they have room for. */
enum gh_desc_kind {
	GH_KIND_1,			/* up to 64 objects: one cache line is hot */
	GH_KIND_5,			/* up to 320 */
	GH_KIND_9,			/* up to 576 */
	GH_KIND_16,			/* up to 1024 */
	GH_KIND_TINY,			/* 512 blocks, 12 more bits for each */
	GH_NR_KINDS
};

/* A word of each bitmap, side by side: a free touches one cache line. */
struct gh_word {
	unsigned long free;		/* owner or central lock; read by all */
	atomic_long_t remote;
};

/**
 * struct gh_span - contiguous heap pages, and all bookkeeping of their objects
 * @run: in the page heap's tree; FREE only
 * @list: in a central list, or in its owner's list of all; SMALL only
 * @rcu: frees the descriptor
 * @bundle: the bundle below this one, in a list of spare descriptors
 * @nr_bundled: descriptors in this bundle, linked by @next
 * @heap: which heap the objects belong to
 * @rcu_cookie: no remote bit may be merged before this grace period is over
 * @life: changes when the span stops being what it was: see gh_span_life()
 * @npages: length in heap pages
 * @nelems: how many objects
 * @nid: node of the pages, and of the page heap that they came from
 * @state: enum gh_span_state
 * @kind: enum gh_desc_kind; never changes
 * @bucket: which central list
 * @fresh: the first word whose objects were never handed out, if GH_F_FRESH
 * @needzero: the pages may hold something other than zeroes
 * @rcu_used: @rcu_cookie means something
 * @records: of its objects, if the heap is debugged
 * @base: address of the first object
 * @queue: in an inbox or in limbo; belongs to the holder of the token
 * @owner: the cache that owns the span, or NULL
 * @next: in the owner's partial list, or another list private to its holder
 * @limit: bytes covered by objects; 0 when FREE, so that no address matches
 * @recip: reciprocal of @elemsize
 * @claimed: the token
 * @elemsize: bytes of an object; 0 for LARGE, whose one object is @limit long
 * @spanclass: span class, or GH_SC_TINY
 * @flags: GH_F_*; the changing ones belong to the owner
 * @words: the bitmaps; after them, tiny spans have 12 more bits for every block
 */
struct gh_span {
	union {
		struct rb_node run;
		struct list_head list;
		struct rcu_head rcu;
		struct {
			struct gh_span *bundle;
			unsigned int nr_bundled;
		};
	};
	struct goheap *heap;
	unsigned long rcu_cookie;
	u32 life;
	u16 npages;
	u16 nelems;
	u16 nid;
	u8 state;
	u8 kind;
	u8 bucket;
	u8 fresh;
	bool needzero;
	bool rcu_used;
	struct gh_records *records;

	unsigned long base ____cacheline_aligned;
	struct llist_node queue;
	struct gh_cache *owner;
	struct gh_span *next;
	u32 limit;
	u32 recip;
	atomic_t claimed;
	u16 elemsize;
	u8 spanclass;
	u8 flags;
	struct gh_word words[];
};

static_assert(GH_NR_SLOTS <= U8_MAX);
static_assert(GH_SMALL_MAX <= U16_MAX);
static_assert(offsetof(struct gh_span, words) == 112);	/* one pair fills two cache lines */

/* Do the objects hold no pointers? */
static inline bool gh_span_noscan(const struct gh_span *s)
{
	const struct goheap *heap;

	if (unlikely(s->spanclass == GH_SC_OBJECT)) {
		heap = READ_ONCE(s->heap);	/* NULL if the span is going away just now */
		return heap && heap->objects.noscan;
	}
	return gh_sc_noscan(s->spanclass);
}

static inline unsigned int gh_span_nwords(const struct gh_span *s)
{
	/* most spans have one word: @nelems, in a cold cache line, is not read then */
	return s->flags & GH_F_WORDS ? DIV_ROUND_UP(s->nelems, BITS_PER_LONG) : 1;
}

/*
 * The flags of a span that another CPU may own: the owner CPU may change two flags meanwhile.
 * The owner, and a holder of the central lock, need not use this.
 */
static __always_inline u8 gh_span_flags(const struct gh_span *s)
{
	return READ_ONCE(s->flags);
}

static inline unsigned long gh_span_bytes(const struct gh_span *s)
{
	return (unsigned long)READ_ONCE(s->npages) << GH_PAGE_SHIFT;
}

static inline size_t gh_span_object_bytes(const struct gh_span *s)
{
	return s->elemsize ?: s->limit;
}

static inline void *gh_span_object(const struct gh_span *s, unsigned int idx)
{
	return (void *)(s->base + (unsigned long)idx * s->elemsize);
}

/* Exact for every offset below @limit: scripts/mksizeclass.c proves it. */
static __always_inline unsigned int gh_span_index(const struct gh_span *s, unsigned long off)
{
	return (u64)off * s->recip >> 32;
}

/*
 * The same, and does an object start there? The lower half of the product is the
 * remainder in units of 2^32 / elemsize: Lemire, Kaser and Kurz, "Faster
 * remainder by direct computation" (2019). Proved likewise. Never for LARGE.
 */
static __always_inline bool gh_span_starts(const struct gh_span *s, unsigned long off,
					   unsigned int *idx)
{
	u32 recip = s->recip;
	u64 product = (u64)off * recip;

	*idx = product >> 32;
	return (u32)product < recip;
}

/*
 * Which of its lives a span is in. A caller that neither owns nor locks the span asks for the
 * life, reads the span, and then asks gh_span_lives_on(). If the life has changed, the caller
 * has read a mix of two lives.
 */
static __always_inline u32 gh_span_life(const struct gh_span *s)
{
	/* Pairs with gh_span_end_life(). */
	return gh_smp_load_acquire(&s->life);
}

/* Is the span in the same life still? All reads of the span come before. */
static __always_inline bool gh_span_lives_on(const struct gh_span *s, u32 life)
{
	gh_smp_rmb();	/* pairs with gh_span_end_life() */
	return READ_ONCE(s->life) == life;
}

/* A reader that sees a later write to the span finds another life. */
static inline void gh_span_end_life(struct gh_span *s)
{
	WRITE_ONCE(s->life, s->life + 1);
	gh_smp_wmb();	/* pairs with gh_span_life() and gh_span_lives_on() */
}

/* Bits of a word that stand for objects. */
static inline unsigned long gh_span_valid_bits(const struct gh_span *s, unsigned int word)
{
	unsigned int left = s->nelems - word * BITS_PER_LONG;

	return left < BITS_PER_LONG ? BIT(left) - 1 : ~0UL;
}

/* The data of spans/block.c after the bitmaps: a byte for every block ... */
static inline u8 *gh_span_tiny_live(struct gh_span *s)
{
	return (u8 *)&s->words[GH_TINY_BLOCKS / BITS_PER_LONG];
}

/* ... and four bits. */
static inline unsigned long *gh_span_tiny_gone(struct gh_span *s)
{
	return (unsigned long *)(gh_span_tiny_live(s) + GH_TINY_BLOCKS);
}

/* Takes the token. True if nobody had it. */
static inline bool gh_span_claim(struct gh_span *s)
{
	return !atomic_xchg(&s->claimed, 1);
}

/*
 * Gives the token back. The caller must look for remote bits after this: a freeing CPU
 * that sets a remote bit, and finds the token taken, relies on the holder to merge.
 * The full barrier pairs with that of gh_word_set_remote() in gh_remote_free().
 */
static inline void gh_span_unclaim(struct gh_span *s)
{
	atomic_xchg(&s->claimed, 0);
}

/* Counts of a span that CPUs may be using meanwhile; the counts sum to @objects. */
struct gh_span_counts {
	unsigned int objects;
	unsigned int live;
	unsigned int free;
	unsigned int pending;		/* freed remotely, not merged yet */
};

enum gh_desc_kind gh_span_kind(unsigned int sc, unsigned int objects);
size_t gh_span_desc_bytes(enum gh_desc_kind kind);
void gh_span_init_small(struct gh_span *s, struct goheap *heap, unsigned int sc,
			const struct gh_class *class);
void gh_span_init_large(struct gh_span *s, struct goheap *heap, size_t size, bool noscan);
void gh_span_reuse_large(struct gh_span *s, bool noscan);
void gh_span_init_free(struct gh_span *s);
bool gh_span_rcu_pending(const struct gh_span *s);
void gh_span_rcu_mark(struct gh_span *s);
unsigned int gh_span_nfree(const struct gh_span *s);
unsigned long gh_span_find(const struct gh_span *s, u32 draw, unsigned int *word);
unsigned long gh_draw_bit(u32 draw, unsigned long bits);
int gh_span_take(struct gh_span *s, u32 draw, bool *fresh);
bool gh_span_use_fresh(struct gh_span *s, unsigned int word);
void gh_span_count(const struct gh_span *s, struct gh_span_counts *counts);
bool gh_span_is_live(const struct gh_span *s, unsigned int idx);
const char *gh_span_validate(struct gh_span *s);

/* The first word with free objects; NULL if the span is full. The caller guards it. */
static inline unsigned long *gh_span_free_word(struct gh_span *s)
{
	unsigned int i;

	for (i = 0; i < gh_span_nwords(s); i++)
		if (s->words[i].free)
			return &s->words[i].free;
	return NULL;
}

/*
 * Sets the object's remote bit, with a full barrier. False if the bit was set.
 * test_and_set_bit() rather than an atomic_long_t operation: on x86 that is one
 * instruction, without a cmpxchg loop.
 */
static __always_inline bool gh_word_set_remote(struct gh_word *w, unsigned int idx)
{
	return !test_and_set_bit(idx % BITS_PER_LONG, (unsigned long *)&w->remote);
}

/* Was anything freed remotely and not merged yet? A moment later the answer may be another. */
static inline bool gh_span_has_remote(const struct gh_span *s)
{
	unsigned int i;

	for (i = 0; i < gh_span_nwords(s); i++)
		if (atomic_long_read(&s->words[i].remote))
			return true;
	return false;
}

static __always_inline struct gh_word *gh_span_word(struct gh_span *s, unsigned int idx)
{
	/* In bytes: one instruction less. */
	struct gh_word *w = (void *)s->words + (idx / (BITS_PER_LONG / sizeof(*w)) & -sizeof(*w));

	OPTIMIZER_HIDE_VAR(w);	/* compilers would do the sum anew for each member */
	return w;
}

/*
 * Bit @nr % BITS_PER_LONG of a word. On x86-64 the instructions take the remainder, and need no
 * mask; compilers add a mask if two operations share it.
 */
#ifdef CONFIG_X86_64
static __always_inline bool gh_bit_is_set(unsigned long word, unsigned long nr)
{
	bool set;

	asm("bt %2, %1" : "=@ccc" (set) : "r" (word), "r" (nr));
	return set;
}

static __always_inline unsigned long gh_bit_set(unsigned long word, unsigned long nr)
{
	asm("bts %1, %0" : "+r" (word) : "r" (nr) : "cc");
	return word;
}

static __always_inline unsigned long gh_bit_clear(unsigned long word, unsigned long nr)
{
	asm("btr %1, %0" : "+r" (word) : "r" (nr) : "cc");
	return word;
}
#else
static __always_inline bool gh_bit_is_set(unsigned long word, unsigned long nr)
{
	return word >> nr % BITS_PER_LONG & 1;
}

static __always_inline unsigned long gh_bit_set(unsigned long word, unsigned long nr)
{
	return word | BIT(nr % BITS_PER_LONG);
}

static __always_inline unsigned long gh_bit_clear(unsigned long word, unsigned long nr)
{
	return word & ~BIT(nr % BITS_PER_LONG);
}
#endif

/* Objects that may be handed out: free, and not freed once more at the same time. */
static inline unsigned long gh_word_usable(const struct gh_word *w)
{
	return w->free & ~atomic_long_read(&w->remote);
}

/*
 * Free an object by the number of its bit; the caller guards the span. If the object was free
 * already, nothing is done, and the answer is false.
 */
static __always_inline bool gh_word_give(struct gh_word *w, unsigned long nr)
{
	unsigned long old = w->free;

	if (unlikely(gh_bit_is_set(old | atomic_long_read(&w->remote), nr)))
		return false;
	WRITE_ONCE(w->free, gh_bit_set(old, nr));
	return true;
}

static inline bool gh_span_give(struct gh_span *s, unsigned int idx)
{
	return gh_word_give(gh_span_word(s, idx), idx);
}

static inline bool gh_span_is_empty(const struct gh_span *s)
{
	unsigned int i;

	for (i = 0; i < gh_span_nwords(s); i++)
		if (s->words[i].free != gh_span_valid_bits(s, i))
			return false;
	return true;
}

#endif /* _GOHEAP_SPAN_H */
