/* SPDX-License-Identifier: GPL-2.0 */
/*
 * goheap internals: overview, locking, structures, and what files offer each other
 *
 * Nouns, outermost first:
 *
 *   cache	per heap and CPU: one current span per span class (cache.c, tiny.c)
 *   magazine	per cache and span class: objects freed a moment ago (magazine.c)
 *   central	per heap, node and span class: spans that no CPU owns (central.c)
 *   page heap	per node: free runs of heap pages (arena.c)
 *   arena	a 16 MiB window of the direct map: whose page is it? (map.c)
 *   span	contiguous heap pages cut into equal objects (span.c)
 *   heap	the default one and private ones: caches and central lists (heap.c)
 *
 * A heap page is 8 KiB whatever the kernel's page size is. A span class is a
 * size class, times {may hold pointers, holds none}.
 *
 * Allocating a small object, each step amortized over the ones before it:
 *
 *   1. The object that was freed last (magazine); else a set bit of the current
 *	word of the current span's free bitmap.
 *   2. Other words of that span; spans of ours with free objects (partial list);
 *	spans of ours that other CPUs freed into (inbox), one at a time.
 *   3. The fullest span of the node's central list.
 *   4. A new span from the page heap: the best fitting run of free pages.
 *   5. A chunk of pages from the kernel, 1 MiB where it can be had.
 *
 * Freeing:
 *
 *   1. Address to arena to span to object; check that the object is live.
 *   2. Owned by this CPU: set the bit in the free bitmap, and put the object into
 *	the magazine. If that is full, a span that was full joins the partial list.
 *   3. Otherwise set the bit in the remote bitmap; the first to do so since the
 *	owner looked queues the span in the owner's inbox, or merges it into its
 *	central list if it has no owner.
 *   4. Spans that are empty go to the page heap when a partial list has grown,
 *	when the CPU goes idle, and on trim; free runs go back to the kernel in
 *	the background, under memory pressure, and on trim.
 *
 * Who may do what to a small span:
 *
 *   state    owner    found in                         free bitmap guarded by
 *   -------  -------  -------------------------------  ----------------------
 *   FREE     NULL     page heap's tree                 page heap lock
 *   SMALL    a cache  current, partial list, or no     that cache's section
 *		       list (full, or all its
 *		       free objects cached)
 *   SMALL    NULL     central list                     central lock
 *   LARGE    NULL     nowhere                          nobody: one object
 *
 * The remote bitmap is everybody's, with atomic operations only.
 *
 * The token (gh_span.queued): whoever turns it from 0 to 1 may queue the span, or
 * change its owner, or release it, and nobody else may until it is 0 again; but a CPU
 * that fetches a span from a central list becomes its owner without it, and so does
 * the central list when the owner's CPU dies.
 * Spans that are not SMALL keep it at 1, so that a free which was late to look
 * at it cannot queue a span that has gone.
 *
 * The section: preemption off and gh_cache.busy set. An interrupt that finds it
 * set knows that it hit the middle of a section on its own CPU, and does without:
 * it frees remotely and allocates from the central lists.
 *
 * Lock order. But for the last no two locks of goheap are ever held together, and no
 * page or descriptor is allocated or freed with one held:
 *
 *   gh_heaps_mutex		list of heaps; inside cpus_read_lock()
 *     cache section		not a lock, but taken before one
 *	 gh_central.lock	raw, irqs off
 *	 gh_page_heap.lock	raw, irqs off
 *	 map_lock		raw, irqs off
 *	   gh_records.lock	raw, irqs off; debugged heaps only; innermost
 *
 * Memory of spans, arenas and heaps outlives an RCU grace period, and every
 * lookup by address runs with preemption off, so a lookup of a wild pointer may
 * find a span that is changing under it, but never something that is not a span.
 */
#ifndef _GOHEAP_INTERNAL_H
#define _GOHEAP_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/fault-inject.h>
#include <linux/irq_work.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/ratelimit_types.h>
#include <linux/rbtree.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "base/compat.h"
#include "base/context.h"
#include "base/gfp.h"
#include "goheap.h"
#include "hooks/sanitize.h"
#include "base/sizeclass.h"

#define GH_PAGE_SHIFT		13
#define GH_PAGE_SIZE		BIT(GH_PAGE_SHIFT)
#define GH_MAX_SIZE		min_t(size_t, 4UL << 20, PAGE_SIZE << GH_MAX_PAGE_ORDER)

/* Span classes: class * 2 + noscan; the two of class 0 are large objects. */
#define GH_SC_LARGE		0
#define GH_NR_SPAN_CLASSES	(GH_NR_CLASSES * 2)
/* Blocks shared by tiny objects have a slot of their own beside the 136. */
#define GH_SC_TINY		GH_NR_SPAN_CLASSES
#define GH_NR_SLOTS		(GH_NR_SPAN_CLASSES + 1)

#define GH_TINY_CLASS		2	/* 16-byte blocks */
#define GH_TINY_BLOCK		16UL
#define GH_TINY_BLOCKS		(GH_PAGE_SIZE / GH_TINY_BLOCK)	/* in a span */
#define GH_TINY_MAX		15	/* largest tiny object */
#define GH_TINY_STEP		4U	/* objects start and end at these */
#define GH_TINY_OPEN		3	/* blocks that a CPU is filling */

static inline unsigned int gh_sc_class(unsigned int sc)
{
	return sc == GH_SC_TINY ? GH_TINY_CLASS : sc / 2;
}

static inline bool gh_sc_noscan(unsigned int sc)
{
	return sc == GH_SC_TINY || sc % 2;
}

/* Bytes of an object; 0 if large. */
static inline unsigned int gh_sc_bytes(unsigned int sc)
{
	return gh_classes[gh_sc_class(sc)].size;
}

/*
 * Where objects of a class are taken from when the pages of its spans cannot be had side
 * by side: the class of the next power of two, if its spans are shorter, or the same.
 */
static inline unsigned int gh_sc_shorter(unsigned int sc)
{
	unsigned int class = gh_size_class(roundup_pow_of_two(gh_sc_bytes(sc)));

	if (get_order(gh_classes[class].span_bytes) >=
	    get_order(gh_classes[gh_sc_class(sc)].span_bytes))
		return sc;
	return class * 2 + gh_sc_noscan(sc);
}

/*
 * A word that is written plainly, by its CPU or with its lock held, and read by
 * somebody else who wants a number to show, or a hint. Marking the many who write
 * instead would cost instructions where allocations are made.
 */
#define gh_peek(x)	data_race(READ_ONCE(x))

/* ---- spans ------------------------------------------------------------------ */

/* random.c; preemption off */
extern bool gh_random;
void gh_random_init(void);
u32 gh_random_draw(void);

enum gh_span_state {
	GH_SPAN_FREE,			/* a run of free pages */
	GH_SPAN_SMALL,
	GH_SPAN_LARGE,
};

/* gh_span.flags; all but two never change while the span is SMALL or LARGE */
#define GH_F_LARGE	0x01
#define GH_F_TINY	0x02
#define GH_F_DEBUG	0x04		/* has records: see debug.c */
#define GH_F_SPECIAL	(GH_F_LARGE | GH_F_TINY | GH_F_DEBUG)
#define GH_F_WORDS	0x20		/* more than one word in each bitmap */
#define GH_F_LISTED	0x08		/* current, or on its owner's partial list */
#define GH_F_FRESH	0x10		/* words from gh_span.fresh on: never handed out, zero */

/* Descriptors by how many bitmap words they have room for. */
enum gh_kind {
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
 * @heap: which heap the objects belong to
 * @rcu_cookie: no remote bit may be merged before this grace period is over
 * @life: changes when the span stops being what it was: see gh_span_life()
 * @npages: length in heap pages
 * @nelems: how many objects
 * @nid: node of the pages, and of the page heap that they came from
 * @state: enum gh_span_state
 * @kind: enum gh_kind; never changes
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
 * @mul: reciprocal of @elemsize
 * @queued: the token
 * @elemsize: bytes of an object; 0 for LARGE, whose one object is @limit long
 * @spanclass: span class, or GH_SC_TINY
 * @flags: GH_F_*; the changing ones belong to the owner
 * @words: the bitmaps; tiny spans have 12 more bits for every block behind them
 */
struct gh_span {
	union {
		struct rb_node run;
		struct list_head list;
		struct rcu_head rcu;
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
	u32 mul;
	atomic_t queued;
	u16 elemsize;
	u8 spanclass;
	u8 flags;
	struct gh_word words[];
};

static_assert(GH_NR_SLOTS <= U8_MAX);
static_assert(GH_SMALL_MAX <= U16_MAX);
static_assert(offsetof(struct gh_span, words) == 112);	/* one pair fills two cache lines */

static inline unsigned int gh_span_nwords(const struct gh_span *s)
{
	/* most have one, and need not look at the cold line for it */
	return s->flags & GH_F_WORDS ? DIV_ROUND_UP(s->nelems, BITS_PER_LONG) : 1;
}

/*
 * The flags of a span that may be another CPU's, of which that one changes two meanwhile.
 * The owner, and who has the central lock, need not use this.
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

/* Exact for every offset below @limit: tools/mksizeclass.c proves it. */
static __always_inline unsigned int gh_span_index(const struct gh_span *s, unsigned long off)
{
	return (u64)off * s->mul >> 32;
}

/*
 * The same, and does an object start there? The lower half of the product is the
 * remainder in units of 2^32 / elemsize: Lemire, Kaser and Kurz, "Faster
 * remainder by direct computation" (2019). Proved likewise. Never for LARGE.
 */
static __always_inline bool gh_span_starts(const struct gh_span *s, unsigned long off,
					   unsigned int *idx)
{
	u32 mul = s->mul;
	u64 product = (u64)off * mul;

	*idx = product >> 32;
	return (u32)product < mul;
}

/*
 * Which of its lives a span is in. Whoever uses a span that is neither owned nor locked
 * asks first, then looks at it, and asks again: if the answer is another one, what was
 * seen belongs to more than one life.
 */
static __always_inline u32 gh_span_life(const struct gh_span *s)
{
	/* Pairs with gh_span_end_life(). */
	return gh_smp_load_acquire(&s->life);
}

/* The second question. What was seen of the span comes before. */
static __always_inline bool gh_span_lives_on(const struct gh_span *s, u32 life)
{
	gh_smp_rmb();	/* pairs with gh_span_end_life() */
	return READ_ONCE(s->life) == life;
}

/* Whoever sees what is written after this finds another life. */
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

/* What spans/block.c keeps behind the bitmaps: a byte for every block ... */
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
	return !atomic_xchg(&s->queued, 1);
}

/*
 * Gives the token back. Who sets a remote bit and then finds the token taken
 * relies on its holder to merge; so look for remote bits after this, always.
 * The full barrier pairs with that of gh_word_set_remote() in gh_remote_free().
 */
static inline void gh_span_unclaim(struct gh_span *s)
{
	atomic_xchg(&s->queued, 0);
}

/* Counts of a span as seen from outside, while its CPUs go on; they sum to @objects. */
struct gh_span_counts {
	unsigned int objects;
	unsigned int live;
	unsigned int free;
	unsigned int pending;		/* freed remotely, not merged yet */
};

/* span.c: bookkeeping inside one span; the caller serialises */
enum gh_kind gh_span_kind(unsigned int sc);
size_t gh_span_desc_bytes(enum gh_kind kind);
void gh_span_init_small(struct gh_span *s, struct goheap *heap, unsigned int sc);
void gh_span_init_large(struct gh_span *s, struct goheap *heap, size_t size, bool noscan);
void gh_span_reuse_large(struct gh_span *s, bool noscan);
void gh_span_init_free(struct gh_span *s);
int gh_span_merge(struct gh_span *s);
bool gh_span_rcu_pending(const struct gh_span *s);
void gh_span_rcu_mark(struct gh_span *s);
unsigned int gh_span_nfree(const struct gh_span *s);
unsigned long gh_span_find(const struct gh_span *s, u32 draw, unsigned int *word);
unsigned int gh_draw_word(u32 draw, unsigned int nwords);
unsigned long gh_draw_bit(u32 draw, unsigned long bits);
int gh_span_take(struct gh_span *s, u32 draw, bool *fresh);
bool gh_span_use_fresh(struct gh_span *s, unsigned int word);
void gh_span_count(const struct gh_span *s, struct gh_span_counts *counts);
bool gh_span_is_live(const struct gh_span *s, unsigned int idx);
int gh_span_validate(struct gh_span *s);

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
 * Sets the object's remote bit, with a full barrier. False if it was set. The
 * operation on a bit rather than on an atomic_long_t: on x86 it is one
 * instruction that cannot be made to repeat.
 */
static __always_inline bool gh_word_set_remote(struct gh_word *w, unsigned int idx)
{
	return !test_and_set_bit(idx % BITS_PER_LONG, (unsigned long *)&w->remote);
}

/* Was anything freed remotely and not merged yet? A moment later it may be. */
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

	OPTIMIZER_HIDE_VAR(w);	/* or compilers do the sum anew for each member */
	return w;
}

/*
 * Bit @nr % BITS_PER_LONG of a word. x86-64 takes that remainder by itself, and needs no
 * mask; compilers make one when they see the mask used twice.
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
 * Free an object by the number of its bit; the caller guards the span. False, and nothing
 * is done, if it was free already.
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
	return gh_span_nfree(s) == s->nelems;
}

/* ---- tiny blocks: spans/block.c -------------------------------------------------------- */

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
	return 0x11U << first | 0x10U << (first + steps);
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
	unsigned long first = gh_block_step(ALIGN_DOWN(off, GH_TINY_BLOCK));

	return READ_ONCE(gh_span_tiny_gone(s)[first / BITS_PER_LONG]) >> first % BITS_PER_LONG &
	       GH_TINY_STARTS;
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

/* Could an object start at this offset of a tiny span? */
static inline bool gh_block_may_start(unsigned long off)
{
	return off % GH_TINY_STEP == 0;
}

unsigned int gh_block_take_gone(struct gh_span *s, unsigned int idx, unsigned int gone);
void gh_block_leave(unsigned long block);
unsigned int gh_block_merge(struct gh_span *s, unsigned int word, unsigned long blocks,
			    bool *again);
bool gh_block_is_live(struct gh_span *s, unsigned long off);
bool gh_block_did_start(struct gh_span *s, unsigned long off);
long gh_block_object_start(struct gh_span *s, unsigned long off);
size_t gh_block_object_size(struct gh_span *s, unsigned long off);
bool gh_block_validate(struct gh_span *s);
unsigned int gh_block_count(struct gh_span *s);

/*
 * Put the first object, of @steps, into a block that was just allocated. An object may be gone
 * in there that the owner CPU freed at the same time as another CPU did. That CPU has not
 * set the remote bit yet; when the bit is merged, the block has other tenants.
 */
static inline u8 *gh_block_init(struct gh_span *s, unsigned long block, unsigned int steps)
{
	u8 *live = gh_block_live(s, block - s->base);
	unsigned int gone = gh_block_gone(s, block - s->base);

	if (unlikely(gone))
		gh_block_take_gone(s, (block - s->base) / GH_TINY_BLOCK, gone);
	WRITE_ONCE(*live, gh_block_object_bits(0, steps));
	gh_block_sanitize(block, *live);
	return live;
}

/* ---- arenas and the page heap -------------------------------------------------- */

#define GH_ARENA_SHIFT		24
#define GH_ARENA_SIZE		BIT(GH_ARENA_SHIFT)
#define GH_ARENA_PAGES		(GH_ARENA_SIZE >> GH_PAGE_SHIFT)

/**
 * struct gh_arena - a 16 MiB window of the direct map, aligned to its size
 * @rcu: frees it after the last lookup
 * @base: first address
 * @nr_owned: heap pages that are ours; map_lock
 * @nr_returned: heap pages ever given back; map_lock
 * @owned: which are ours; map_lock
 * @in_use: which are in a SMALL or LARGE span; atomic bit operations
 * @heaps: &goheap.id of the span that starts at the heap page, or did: who looks for one
 *	heap's spans need not look at others'
 * @spans: span of every heap page; of a free run only the first and the last
 *	page's is set
 */
struct gh_arena {
	struct rcu_head rcu;
	unsigned long base;
	unsigned int nr_owned;
	unsigned long nr_returned;
	DECLARE_BITMAP(owned, GH_ARENA_PAGES);
	DECLARE_BITMAP(in_use, GH_ARENA_PAGES);
	u8 heaps[GH_ARENA_PAGES];
	struct gh_span *spans[GH_ARENA_PAGES];
};

/**
 * struct gh_map - arenas, by address
 * @rcu: frees it after the last lookup, when a larger one took its place
 * @first: number of the first one
 * @nr: bound of @arenas
 * @arenas: NULL where no page is ours; come and go by RCU
 */
struct gh_map {
	struct rcu_head rcu;
	unsigned long first;
	unsigned long nr;
	struct gh_arena *arenas[];
};

extern struct gh_map *gh_map;

static __always_inline struct gh_arena *gh_arena_of(unsigned long addr)
{
	/* This and what hangs on it pair with smp_store_release() in map.c. */
	struct gh_map *map = READ_ONCE(gh_map);
	/* What is below the first arena wraps to far above the last one. */
	unsigned long n = (addr >> GH_ARENA_SHIFT) - map->first;

	return likely(n < map->nr) ? READ_ONCE(map->arenas[n]) : NULL;
}

static __always_inline unsigned int gh_arena_page(unsigned long addr)
{
	return (addr & (GH_ARENA_SIZE - 1)) >> GH_PAGE_SHIFT;
}

/*
 * The span of any address, or NULL. The span may be FREE, and then matches no
 * address by @limit. Call with preemption off, and do not keep the result.
 *
 * KASAN may have a tag in the upper bits of a pointer. Those to goheap's objects have none,
 * and goheap's functions take it off what they are given.
 */
static __always_inline struct gh_span *gh_span_of(const void *p)
{
	unsigned long addr = (unsigned long)p;
	struct gh_arena *arena = gh_arena_of(addr);

	if (unlikely(!arena))
		return NULL;
	return READ_ONCE(arena->spans[gh_arena_page(addr)]);
}

typedef bool gh_span_fn(struct gh_span *s, void *arg);

/* map.c */
int gh_map_init(void);
void gh_map_exit(void);
int gh_map_claim(unsigned long addr, unsigned int npages, gfp_t gfp);
void gh_map_unclaim(unsigned long addr, unsigned int npages);
void gh_map_set(struct gh_arena *arena, unsigned long addr, struct gh_span *s);
void gh_map_set_range(struct gh_arena *arena, unsigned long addr, unsigned int npages,
		      struct gh_span *s);
void gh_map_mark(struct gh_arena *arena, struct gh_span *s, bool used);
bool gh_map_owns(unsigned long addr);
struct gh_arena *gh_map_next(unsigned long *n);
struct gh_span *gh_map_span_at(struct gh_arena *arena, unsigned int page, struct goheap *heap);
void gh_map_walk(struct goheap *heap, gh_span_fn *fn, void *arg);
unsigned long gh_map_bytes(void);

/**
 * struct gh_page_heap - free heap pages of one node
 * @lock: guards everything here, and runs and spans while they change between
 *	FREE and not; taken by CPUs that need or give back spans, by the
 *	scavenger, the shrinker and debugfs
 * @runs: free runs by length, then address
 * @spare: descriptors without pages, by kind, linked by @next
 * @nr_spare: how many
 * @poisoned: heap pages with memory errors that were in runs, linked by @next
 * @nr_poisoned: how many heap pages
 * @nr_runs: free runs
 * @changes: how often one came or went
 * @idle: heap pages in free runs
 * @small: heap pages in SMALL spans
 * @large: heap pages in LARGE spans
 * @small_spans: SMALL spans
 * @large_spans: LARGE spans
 * @large_allocs: LARGE spans ever allocated
 * @peak: most heap pages in use, decaying; what the scavenger keeps follows it
 * @taken: heap pages ever taken from the kernel
 * @returned: heap pages ever given back
 * @locked: how often @lock was taken to hand out spans or to take them back
 * @looks: runs ever looked at, one after the other, under @lock
 * @scarce: so many heap pages, or more, could not be had side by side
 * @scarce_until: it is of no use to ask for them before; jiffies
 * @nid: the node
 */
struct gh_page_heap {
	raw_spinlock_t lock;
	struct rb_root runs;
	struct gh_span *spare[GH_NR_KINDS];
	unsigned int nr_spare[GH_NR_KINDS];
	struct gh_span *poisoned;
	unsigned long nr_poisoned;
	unsigned long nr_runs;
	unsigned long changes;
	unsigned long idle;
	unsigned long small;
	unsigned long large;
	unsigned long small_spans;
	unsigned long large_spans;
	unsigned long large_allocs;
	unsigned long peak;
	unsigned long taken;
	unsigned long returned;
	unsigned long locked;
	unsigned long looks;
	unsigned int scarce;
	unsigned long scarce_until;
	int nid;
} ____cacheline_aligned;

extern struct gh_page_heap **gh_page_heaps;	/* by node */

int gh_nearest_node(int nid);

/*
 * The node that this CPU gets memory from. A node without memory, or with movable memory
 * only, has page heaps and central lists like all, but nothing would ever be found there.
 */
static inline int gh_mem_node(void)
{
	int nid = numa_mem_id();

	return likely(node_state(nid, N_NORMAL_MEMORY)) ? nid : gh_nearest_node(nid);
}

#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern unsigned int gh_test_max_order;
extern gfp_t gh_test_gfp;
extern unsigned int gh_test_asked[];

/* A test says that the kernel has no larger blocks of pages. */
static inline bool gh_order_exists(unsigned int order)
{
	return order <= READ_ONCE(gh_test_max_order);
}

/* And wants to know what the kernel was asked for, how often, and with what flags. */
static inline void gh_note_request(unsigned int order, gfp_t gfp)
{
	WRITE_ONCE(gh_test_gfp, gfp);
	/* A test looks at what its own task asked for. */
	data_race(gh_test_asked[order]++);
}
#else
static inline void gh_note_request(unsigned int order, gfp_t gfp) { }

static inline bool gh_order_exists(unsigned int order)
{
	return true;
}
#endif

/**
 * struct gh_want - the pages that a span needs
 * @npages: how many heap pages
 * @align: of the first one, in heap pages; a power of two
 * @kind: of the descriptor
 * @state: what the span will be: SMALL or LARGE
 * @gentle: shorter spans will do, see gh_sc_shorter(): no reserves, and little reclaim
 */
struct gh_want {
	unsigned int npages;
	unsigned int align;
	enum gh_kind kind;
	enum gh_span_state state;
	bool gentle;
};

/* pages/desc.c */
struct gh_span *gh_desc_new(enum gh_kind kind, int nid, gfp_t gfp);
void gh_desc_delete(struct gh_span *s);
unsigned long gh_desc_bytes(void);
int gh_desc_init(void);
void gh_desc_exit(void);

/* pages/chunk.c */
struct page *gh_chunk_alloc(int nid, unsigned int need, gfp_t gfp, unsigned int *order);
int gh_chunk_own(struct page *page, unsigned int order, gfp_t gfp);
void gh_chunk_free(struct page *page, unsigned int nr);
void gh_chunk_return(int nid, unsigned long addr, unsigned long npages);
void gh_chunk_check(struct gh_span *s);
void gh_chunk_check_all(void);
unsigned long gh_chunk_find_poison(unsigned long addr, unsigned int npages);
int gh_chunk_init(void);
void gh_chunk_exit(void);

/* pages/fit.c */
struct gh_run_key;
unsigned long gh_fit_start(const struct gh_span *s, const struct gh_want *w);
struct gh_span *gh_fit_find(struct gh_page_heap *ph, const struct gh_want *w);
struct rb_node *gh_fit_below(struct gh_page_heap *ph, const struct gh_run_key *key);
struct gh_span *gh_fit_for_release(struct gh_page_heap *ph, unsigned long max,
				   struct gh_run_key *key, unsigned long *start,
				   unsigned long *end);

/* pages/pageheap.c */
int gh_pageheap_add_spare(struct gh_page_heap *ph, enum gh_kind kind, gfp_t gfp);
void gh_pageheap_trim_spares(struct gh_page_heap *ph, unsigned int keep);
struct gh_span *gh_pageheap_alloc(struct gh_page_heap *ph, const struct gh_want *w, gfp_t gfp);
struct gh_span *gh_pageheap_grow(struct gh_page_heap *ph, struct gh_span *run,
				 struct gh_span *descs[3], const struct gh_want *w);
void gh_pageheap_free(struct gh_span *s);
unsigned long gh_pageheap_cut(struct gh_page_heap *ph, unsigned long max, struct gh_run_key *key,
			      unsigned long *addr);
unsigned long gh_pageheap_cut_poisoned(struct gh_page_heap *ph);
void gh_pageheap_forgive(struct gh_page_heap *ph);
unsigned long gh_pageheap_idle_pages(const struct gh_page_heap *ph);
int gh_pageheap_validate(struct gh_page_heap *ph);
int gh_pageheap_init(void);
void gh_pageheap_exit(void);

/* arena.c */
extern void (*gh_arena_grown)(void);
int gh_arena_init(void);
void gh_arena_exit(void);
struct gh_span *gh_arena_alloc(const struct gh_want *w, gfp_t gfp, int nid);
void gh_arena_commit(struct gh_span *s);
void gh_arena_free(struct gh_span *s);
unsigned long gh_arena_scavenge(struct gh_page_heap *ph, unsigned long nr);
unsigned long gh_arena_release_idle(struct gh_page_heap *ph, unsigned long kernel_pages);
unsigned long gh_arena_metadata(void);

#ifdef CONFIG_GOHEAP_KUNIT_TEST
#define GH_MEMORY_FAILS	true
extern struct page *gh_test_poison;

/* A test says that this page has an error, also where the kernel handles none. */
static inline bool gh_page_is_poisoned(struct page *page)
{
	return PageHWPoison(page) || unlikely(READ_ONCE(gh_test_poison) == page);
}
#else
#define GH_MEMORY_FAILS	IS_ENABLED(CONFIG_MEMORY_FAILURE)

static inline bool gh_page_is_poisoned(struct page *page)
{
	return PageHWPoison(page);
}
#endif

static inline unsigned long gh_find_poison(unsigned long addr, unsigned int npages)
{
	return GH_MEMORY_FAILS ? gh_chunk_find_poison(addr, npages) : 0;
}

/* ---- central lists ---------------------------------------------------------------- */

/* Occupancy buckets: the fullest first, then those without a free object. */
#define GH_NR_BUCKETS		4
#define GH_BUCKET_FULL		GH_NR_BUCKETS

/**
 * struct gh_central - spans of one span class and node that no CPU owns
 * @lock: guards the lists and the free bitmaps of the spans on them; taken by
 *	CPUs that fetch or put a span, by remote frees into a span without an
 *	owner, and by allocations of interrupted contexts
 * @lists: by occupancy; the last one holds full spans
 * @nr_spans: spans on all lists
 * @allocs: objects ever allocated here, one at a time
 * @locked: how often @lock was taken to hand out spans or to take them back
 */
struct gh_central {
	raw_spinlock_t lock;
	unsigned int nr_spans;
	struct list_head lists[GH_NR_BUCKETS + 1];
	unsigned long allocs;
	unsigned long locked;
} ____cacheline_aligned;

struct gh_node {
	struct gh_central central[GH_NR_SLOTS];
};

/* central.c */
void gh_central_init(struct gh_node *node);
struct gh_span *gh_central_fetch(struct goheap *heap, struct gh_cache *owner, unsigned int sc,
				 int nid);
bool gh_central_put(struct gh_span *s);
void gh_central_take_over(struct gh_span *s);
int gh_central_merge(struct gh_span *s);
void *gh_central_alloc(struct goheap *heap, unsigned int sc, int nid, bool *fresh);
void *gh_central_add(struct gh_span *s, bool *fresh);
void gh_central_remove(struct gh_span *s);
int gh_central_validate(struct gh_central *central);

/* ---- per-CPU caches ------------------------------------------------------------------ */

/**
 * struct gh_freed - an object in a magazine
 * @p: the object, or NULL below the oldest one
 * @word: the word of its span's free bitmap
 * @nr: of its bit in there, modulo the bits of a word
 */
struct gh_freed {
	void *p;
	unsigned long *word;
	unsigned long nr;
};

/**
 * struct gh_slot - what an allocation reads and writes
 * @top: newest entry of the magazine; an entry without an object if it is empty
 * @limit: @top when the magazine is full
 * @avail: objects of the current word that the slot may hand out
 * @word: the current word of the current span's free bitmap
 * @base: address of that word's first object
 * @size: bytes of an object
 * @allocs: objects ever allocated here
 * @fresh: the objects of @avail are zero
 *
 * The magazine holds objects that were freed a moment ago, to be allocated first.
 * They, and those of @avail, are set in the free bitmaps like all that are free;
 * but no other word is made the current one before both are used up.
 */
struct gh_slot {
	struct gh_freed *top;
	struct gh_freed *limit;
	unsigned long avail;
	unsigned long *word;
	unsigned long base;
	unsigned long size;
	unsigned long allocs;
	bool fresh;
};

/**
 * struct gh_bin - what a refill needs, per slot
 * @active: the current span: the one that @word of the slot points into, or NULL
 * @partial: spans of ours with free objects, linked by @next, newest first
 * @nr_partial: how many
 * @limit: tidy up when there are more than this
 * @released: empty spans given back that were not missed yet
 * @extra: how many more empty spans to keep, because some were missed
 * @refills: how often the slot ran dry
 * @magazine: memory of the slot's magazine, or NULL
 * @magazine_after: how many refills show that the slot is worth one
 */
struct gh_bin {
	struct gh_span *active;
	struct gh_span *partial;
	unsigned int nr_partial;
	unsigned int limit;
	unsigned int released;
	unsigned int extra;
	unsigned long refills;
	struct gh_freed *magazine;
	unsigned long magazine_after;
};

/**
 * struct gh_tiny_open - a tiny block that has room left
 * @block: its address, or 0
 * @live: its byte behind the bitmaps
 */
struct gh_tiny_open {
	unsigned long block;
	u8 *live;
};

/**
 * struct gh_cache - a CPU's part of a heap
 * @busy: in the section; set and cleared by this CPU only
 * @filled: spans or magazines may be here that a flush would give back
 * @hint: the span of ours that was last freed into, to be tried before the map;
 *	an empty one rather than NULL
 * @arrived: spans taken from the inbox, oldest first; their tokens are ours
 * @tiny_open: tiny blocks being filled, by free steps
 * @tiny_allocs: tiny objects allocated here
 * @refills: sum of the bins', for the idle check
 * @cpu: whose it is
 * @heap: and of which heap
 * @inbox: spans of ours that others freed into; what is before it they only read.
 *	GH_INBOX_CLOSED from when the CPU died until it comes back
 * @inbox_bytes: of spans in there, about
 * @owned: all spans of ours, full ones too
 * @drained: spans taken from the inbox
 * @seen_refills: @refills at the last idle check
 * @idle_ticks: idle checks that found nothing new
 * @flushes: how often the cache was given back
 * @parked: freed LARGE spans, linked by @next, newest first
 * @parked_pages: heap pages in them
 * @large_allocs: large objects ever allocated from there
 * @large_live: those, less large objects freed here
 * @extra_bytes: of the spans in the bins' @extra
 * @extra_ticks: ticks since some of those were last given up
 * @drain: runs the inbox, and the flush of an idle CPU, on the CPU itself
 * @kick: queues @drain from any context
 * @flush: what @drain is to do: give all back
 * @flushing: and it is doing it
 * @relax: or: give some of the extra spans up
 * @slots: by span class; the last is for tiny blocks
 * @bins: likewise
 */
struct gh_cache {
	u8 busy;
	bool filled;
	struct gh_span *hint;
	struct llist_node *arrived;
	unsigned long tiny_allocs;
	unsigned long refills;
	struct gh_tiny_open tiny_open[GH_TINY_OPEN];

	int cpu ____cacheline_aligned;
	struct goheap *heap;

	struct llist_head inbox ____cacheline_aligned;
	unsigned long inbox_bytes;

	struct list_head owned ____cacheline_aligned;
	unsigned long drained;
	unsigned long seen_refills;
	unsigned int idle_ticks;
	unsigned long flushes;
	struct gh_span *parked;
	unsigned int parked_pages;
	unsigned long large_allocs;
	long large_live;
	unsigned long extra_bytes;
	unsigned int extra_ticks;
	struct work_struct drain;
	struct irq_work kick;
	bool flush;
	bool flushing;
	bool relax;
	struct gh_slot slots[GH_NR_SLOTS] ____cacheline_aligned;
	struct gh_bin bins[GH_NR_SLOTS];
};

/*
 * The section. Preemption is off. False if this is an interrupt that hit a
 * section of its own CPU. No other CPU touches the flag, and an interrupt leaves
 * it as it was, so nothing but the compiler could do harm.
 */
static __always_inline bool gh_section_enter(struct gh_cache *cache)
{
	/* Not READ_ONCE(): for that compilers load first and compare then. */
	if (unlikely(data_race(cache->busy)))
		return false;
	WRITE_ONCE(cache->busy, 1);
	barrier();	/* pairs with the program order of an interrupt */
	return true;
}

static __always_inline void gh_section_exit(struct gh_cache *cache)
{
	barrier();	/* pairs with the program order of an interrupt */
	WRITE_ONCE(cache->busy, 0);
}

static __always_inline struct gh_word *gh_word_of(unsigned long *free)
{
	return container_of(free, struct gh_word, free);
}

/* Was this one of our free objects freed again, by another CPU? */
static __always_inline bool gh_is_freed_twice(unsigned long *free, unsigned long nr)
{
	return gh_bit_is_set(atomic_long_read(&gh_word_of(free)->remote), nr);
}

/*
 * An object of the slot; the section is held. NULL if it has run dry, or if the
 * object was freed once more at the same time as it was freed here: then a refill
 * leaves it to the merge, which reports it.
 */
static __always_inline void *gh_cache_take(struct gh_cache *cache, unsigned int sc)
{
	struct gh_slot *slot = &cache->slots[sc];
	struct gh_freed *top = slot->top;
	unsigned long *word, nr;
	void *p = top->p;

	if (likely(p)) {
		word = top->word;
		nr = top->nr;
		if (unlikely(gh_is_freed_twice(word, nr)))
			return NULL;
		slot->top = top - 1;
	} else {
		if (unlikely(!slot->avail))
			return NULL;
		word = slot->word;
		nr = __ffs(slot->avail);
		if (unlikely(gh_is_freed_twice(word, nr)))
			return NULL;
		slot->avail &= slot->avail - 1;
		p = (void *)(slot->base + nr * slot->size);
	}
	WRITE_ONCE(*word, gh_bit_clear(*word, nr));
	slot->allocs++;
	return p;
}

/* The current word's objects that others freed. There is a current word. */
static inline unsigned long gh_slot_remote(const struct gh_slot *slot)
{
	return atomic_long_read(&gh_word_of(slot->word)->remote);
}

/* Open blocks: those that this CPU fills. The section is held. */
static __always_inline struct gh_tiny_open *gh_tiny_open_with(struct gh_cache *cache, unsigned int steps)
{
	return &cache->tiny_open[steps - 1];
}

/* @steps are free at the end of the block; one that had as many is given up. */
static inline void gh_tiny_open_block(struct gh_cache *cache, unsigned long block, u8 *live, unsigned int steps)
{
	struct gh_tiny_open *open;

	if (!steps)
		return;
	open = gh_tiny_open_with(cache, steps);
	open->block = block;
	open->live = live;
}

static inline void gh_tiny_close_block(struct gh_cache *cache, unsigned long block)
{
	unsigned int i;

	for (i = 0; i < GH_TINY_OPEN; i++)
		if (cache->tiny_open[i].block == block)
			cache->tiny_open[i].block = 0;
}

/* A merge found blocks empty: they are free now. No open block is empty otherwise. */
static inline void gh_tiny_close_empty(struct gh_cache *cache)
{
	struct gh_tiny_open *open;

	for (open = cache->tiny_open; open < cache->tiny_open + GH_TINY_OPEN; open++)
		if (open->block && !(*open->live & GH_TINY_STARTS))
			open->block = 0;
}

/* Stop filling blocks, all of which have live objects. */
static inline void gh_tiny_close(struct gh_cache *cache)
{
	unsigned int i;

	for (i = 0; i < GH_TINY_OPEN; i++)
		cache->tiny_open[i].block = 0;
}

static inline void gh_cache_push_partial(struct gh_cache *cache, struct gh_span *s)
{
	struct gh_bin *bin = &cache->bins[s->spanclass];

	WRITE_ONCE(cache->filled, true);
	WRITE_ONCE(s->flags, s->flags | GH_F_LISTED);
	s->next = bin->partial;
	bin->partial = s;
	bin->nr_partial++;
}

/* A span of ours that has a free object: let refills find it. The section is held. */
static inline void gh_cache_push(struct gh_cache *cache, struct gh_span *s)
{
	if (!(s->flags & GH_F_LISTED))
		gh_cache_push_partial(cache, s);
}

/* Two at a time, one of them the work of a dead CPU, may count as one. */
static inline void gh_cache_count_flush(struct gh_cache *cache)
{
	data_race(cache->flushes++);	/* as above */
}

/*
 * Have a cache take over what others freed into its spans, on its CPU. By way of an
 * interrupt: the caller may be anywhere, and hold locks that queueing work takes.
 */
static inline void gh_cache_kick(struct gh_cache *cache)
{
	irq_work_queue(&cache->kick);
}

/*
 * May this CPU free into the span without more ado? The section is held. If not,
 * no hint leads there either.
 */
static __always_inline bool gh_cache_may_free(struct gh_cache *cache, struct gh_span *s)
{
	return s && READ_ONCE(s->owner) == cache && !(s->flags & GH_F_SPECIAL) &&
	       !want_init_on_free();
}

/* Will gh_cache_take() give an object that is known to be zero? */
static __always_inline bool gh_cache_next_is_fresh(const struct gh_cache *cache, unsigned int sc)
{
	return cache->slots[sc].fresh && !cache->slots[sc].top->p;
}

/*
 * What the inbox of a CPU holds that died: nothing can be added to it any more, and
 * whoever wanted to looks at the owner again.
 */
#define GH_INBOX_CLOSED		((struct llist_node *)1UL)

static inline bool gh_inbox_is_closed(const struct gh_cache *cache)
{
	return READ_ONCE(cache->inbox.first) == GH_INBOX_CLOSED;
}

/* Did others free into spans of ours since we last took all of that over? */
static inline bool gh_cache_has_arrivals(const struct gh_cache *cache)
{
	return READ_ONCE(cache->arrived) ||
	       (!llist_empty(&cache->inbox) && !gh_inbox_is_closed(cache));
}

/* cache.c; the section is held unless said otherwise */
void gh_cache_init(struct gh_cache *cache, struct goheap *heap, int cpu);
bool gh_cache_refill(struct gh_cache *cache, unsigned int sc);
void gh_cache_install(struct gh_cache *cache, struct gh_span *s);
void gh_cache_list(struct gh_cache *cache, struct gh_span *s);
void gh_cache_drain(struct gh_cache *cache);
bool gh_cache_flush_some(struct gh_cache *cache, unsigned int sc);
void gh_park_flush(struct gh_cache *cache);
void gh_drain_all(struct gh_cache *cache);	/* no section, nobody uses it */
void gh_cache_forget(struct gh_cache *cache);		/* likewise */
void gh_cache_relax(struct gh_cache *cache, unsigned int sc);

/* percpu/park.c */
struct gh_span *gh_park_take(struct goheap *heap, unsigned int npages, unsigned int align,
			     bool noscan);

/* percpu/drain.c; process context */
int gh_drain_init(void);
void gh_drain_exit(void);
void gh_drain_work(struct work_struct *work);
void gh_drain_init_cache(struct gh_cache *cache);
void gh_drain_queue(struct gh_cache *cache);
void gh_drain_ask_all(void);
void gh_drain_wait_all(void);
bool gh_drain_is_busy(void);
void gh_drain_cancel(struct goheap *heap);
void gh_remote_close_inbox(struct gh_cache *cache);	/* no section, nobody uses it */

/*
 * An object of ours was freed, and its bit is set: let it be the next one to be
 * allocated. False if there is no room for that, and gh_cache_list() has to let
 * its span be found. The section is held.
 */
static __always_inline bool gh_cache_keep(struct gh_cache *cache, struct gh_span *s,
					  struct gh_word *w, unsigned long nr, void *p)
{
	struct gh_slot *slot = &cache->slots[s->spanclass];
	struct gh_freed *top = slot->top;

	if (unlikely(top == slot->limit))
		return s->flags & GH_F_LISTED;
	slot->top = ++top;
	top->p = p;
	top->word = &w->free;
	top->nr = nr;
	return true;
}

/* magazine.c; the section is held unless said otherwise */
void gh_magazine_none(struct gh_cache *cache, unsigned int sc);
void gh_magazine_empty(struct gh_cache *cache, unsigned int sc);
struct gh_freed *gh_magazine_detach(struct gh_cache *cache, unsigned int sc);
void gh_magazine_consider(struct goheap *heap, unsigned int sc, gfp_t gfp);	/* no section */
unsigned long gh_magazine_bytes(void);

#ifdef CONFIG_GOHEAP_KUNIT_TEST
typedef void gh_test_fn(void);
extern gh_test_fn *gh_test_after_bit;

/* A test does what another CPU could do just now. */
static inline void gh_remote_bit_is_set(void)
{
	gh_test_fn *fn = READ_ONCE(gh_test_after_bit);

	if (unlikely(fn))
		fn();
}
#else
static inline void gh_remote_bit_is_set(void) { }
#endif

/* remote.c: no section needed, preemption off */
void gh_remote_free(struct gh_span *s, unsigned int idx, u32 life);
void gh_remote_free_rcu(struct gh_span *s, unsigned int idx, u32 life);
void gh_remote_free_large(struct gh_span *s, u32 life, bool rcu);
void gh_remote_tell(struct gh_span *s, bool rcu);
void gh_remote_deliver(struct gh_span *s);
/* What is done with a span when nothing in it has to wait any more. */
struct gh_limbo_exits {
	void (*small)(struct gh_span *s);	/* token held, and handed over */
	void (*large)(struct gh_span *s);
};

void gh_limbo_init(const struct gh_limbo_exits *to);
void gh_limbo_add(struct gh_span *s);
void gh_limbo_flush(struct goheap *heap);		/* may sleep */
bool gh_limbo_wait(struct goheap *heap);		/* likewise */
void gh_limbo_exit(void);				/* likewise */

/* ---- heaps ------------------------------------------------------------------------------ */

#define GH_NAME_MAX	64

/**
 * struct goheap - a heap
 * @cache: per CPU
 * @nodes: central lists, by node
 * @pages: heap pages in spans of this heap
 * @limit: most of them at a time
 * @large_allocs: large objects ever allocated, but for the caches' own count
 * @large_live: large objects now, likewise, and those that wait for a grace period
 * @tiny_alone: tiny objects ever allocated with a block to themselves
 * @id: of its spans in &gh_arena.heaps; many heaps may have the same
 * @limbo: spans in limbo
 * @quiet: it is going, and a grace period has passed since anything was freed: nothing
 *	in it waits for readers any more
 * @flags: GOHEAP_LEAK_OK
 * @debug: GOHEAP_POISON, GOHEAP_REDZONE, GOHEAP_TRACK; if any, the caches stay empty
 * @link: in the list of heaps; gh_heaps_mutex
 * @dir: in debugfs
 * @rcu: frees the heap
 * @name: for people
 */
struct goheap {
	struct gh_cache __percpu *cache;
	struct gh_node **nodes;
	atomic_long_t pages;
	unsigned long limit;
	atomic_long_t large_allocs;
	atomic_long_t large_live;
	atomic_long_t tiny_alone;
	atomic_long_t limbo;
	u8 id;
	bool quiet;
	unsigned int flags;
	unsigned int debug;
	struct list_head link;
	struct dentry *dir;
	struct rcu_head rcu;
	char name[GH_NAME_MAX];
};

extern struct goheap *gh_default;
bool gh_heap_charge(struct goheap *heap, unsigned int npages);
bool gh_heap_name_is_bad(const char *name);
int gh_heap_add(struct goheap *heap);
void gh_heap_remove(struct goheap *heap);
extern struct list_head gh_heaps;
extern struct mutex gh_heaps_mutex;

/* What listeners are told; the heap is on the list of heaps, no lock is held. */
enum gh_heap_event {
	GH_HEAP_CREATED,
	GH_HEAP_GOING,			/* returns when nobody looks at the heap any more */
};

extern struct blocking_notifier_head gh_heap_chain;

/* front/limit.c */
/* How often room was made for one allocation of a heap at its limit. */
struct gh_room {
	unsigned int tries;
	bool waits;			/* something was in limbo when the first try began */
};

bool gh_limit_make_room(struct goheap *heap, gfp_t gfp, struct gh_room *room);

/* front/debugged.c */
void *gh_debugged_finish(void *p, size_t size, size_t usable, bool noscan, gfp_t gfp, bool dirty);

/* front/large.c */
void *gh_large_refuse(size_t size, gfp_t gfp);
void *gh_large_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan, int nid);

/* front/slow.c */
void *gh_slow_alloc_padded(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan,
			   int nid);

/* goheap.c */
void gh_core_init(void);
void *gh_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan, int nid);
void *gh_slow_alloc(struct goheap *heap, unsigned int sc, size_t size, gfp_t gfp, int nid);

/* tiny.c */
void *gh_tiny_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp);
bool gh_tiny_free(struct gh_span *s, unsigned long off, u32 life, bool rcu);
bool gh_tiny_free_own(struct gh_cache *cache, struct gh_span *s, unsigned long off);

/* heap.c */
struct gh_span *gh_spans_new_small(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid);
struct gh_span *gh_spans_new_large(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				  bool noscan, int nid, bool *zero);
void gh_spans_free(struct gh_span *s);
void gh_park_free_large(struct gh_span *s);
void gh_park_count(const struct goheap *heap, unsigned long *allocs, unsigned long *live);
void gh_hotplug_abandon(struct gh_cache *cache);
int gh_hotplug_dead(unsigned int cpu);
int gh_hotplug_prepare(unsigned int cpu);
void gh_heap_destroy_all(void);
#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern atomic_t gh_test_waits;		/* grace periods that goheap_destroy() waited for */
#endif

/* reclaim.c */
extern struct shrinker *gh_shrinker;
int gh_reclaim_init(void);
void gh_reclaim_exit(void);
void gh_reclaim_trim(void);
void gh_drain_flush_heap(struct goheap *heap, gfp_t gfp);
void gh_drain_flushed(void);
unsigned long gh_reclaim_last_resort(void);

/* A live object, as resolved from an address. */
struct gh_ref {
	struct gh_span *span;
	unsigned long off;		/* from the span's base */
	unsigned int idx;
	u32 life;			/* of the span */
};

/* lookup.c; preemption off */
bool gh_lookup(const void *p, struct gh_ref *ref);
bool gh_lookup_live(const void *p, struct gh_ref *ref);
size_t gh_ref_size(const struct gh_ref *ref);
void gh_lookup_check_free(const void *p);
void gh_lookup_report(const void *p);

/*
 * The caller is about to free this, which may be no object at all. Any context, and in no
 * section: there may be a report. Not what has to wait for readers: the caller may let go
 * of a lock in there after goheap_free_rcu().
 */
static __always_inline void gh_check_free(const void *p)
{
	if (GH_CHECKS_FREES)
		gh_lookup_check_free(p);
}

/* ---- failing on demand ------------------------------------------------------------------- */

/* An object of the class, of which @size bytes were asked for, is its owner's now. */
static __always_inline void *gh_post_alloc(void *p, size_t size, unsigned int sc, gfp_t gfp)
{
	return gh_sanitize_alloc(p, size, gh_sc_bytes(sc), gh_sc_noscan(sc), gfp);
}

#ifdef CONFIG_FAULT_INJECTION
/**
 * struct gh_fault - which allocations of objects are to fail
 * @attr: the kernel's part: how likely, how often
 * @ignore_gfp_wait: spare those that may sleep
 * @verbose: 1 to log each, 2 with a call trace
 */
struct gh_fault {
	struct fault_attr attr;
	bool ignore_gfp_wait;
	u32 verbose;
};

extern struct gh_fault gh_fault;

/* fault.c */
bool gh_fault_hits(size_t size, gfp_t gfp);
unsigned int gh_fault_hits_bulk(size_t size, gfp_t gfp, unsigned int n);
void gh_fault_init_begin(void);
void gh_fault_init_end(void);
void gh_fault_debugfs_init(struct dentry *root);
void gh_fault_debugfs_exit(void);
#else
static inline bool gh_fault_hits(size_t size, gfp_t gfp) { return false; }

static inline unsigned int gh_fault_hits_bulk(size_t size, gfp_t gfp, unsigned int n)
{
	return n;
}

static inline void gh_fault_init_begin(void) { }
static inline void gh_fault_init_end(void) { }
static inline void gh_fault_debugfs_init(struct dentry *root) { }
static inline void gh_fault_debugfs_exit(void) { }
#endif

/*
 * Every public function asks once for every object, and for nothing that is done
 * without a new one; what they call does not ask again.
 */
static __always_inline bool gh_should_fail(size_t size, gfp_t gfp)
{
	return IS_ENABLED(CONFIG_FAULT_INJECTION) && unlikely(gh_fault_hits(size, gfp));
}

/* ---- misuse ----------------------------------------------------------------------------- */

enum gh_misuse {
	GH_DOUBLE_FREE,
	GH_FREE_IN_FREE_RUN,
	GH_INTERIOR,
	GH_FOREIGN,
	GH_WRONG_HEAP,
	GH_WRONG_SIZE,
	GH_STRAY_PUT,
	GH_STRAY_GET,
	GH_OVERFLOW,
	GH_USE_AFTER_FREE,
	GH_NR_MISUSES
};

/* What somebody wrote where nobody may. */
struct gh_damage {
	enum gh_misuse what;		/* GH_OVERFLOW or GH_USE_AFTER_FREE */
	size_t offset;			/* in the object */
	unsigned int nr;
	u8 bytes[16];
};

/* misuse.c */
#define GH_REPORT_MAX	512
extern char gh_last_report[GH_REPORT_MAX];
extern struct ratelimit_state gh_misuse_limit;
void gh_misuse(enum gh_misuse what, const void *p, struct gh_span *s);
void gh_misuse_later(enum gh_misuse what, const void *p, struct gh_span *s);
void gh_misuse_size(const void *p, struct gh_span *s, size_t size);
void gh_misuse_damage(const void *p, struct gh_span *s, const struct gh_damage *damage);
unsigned long gh_misuse_count(void);
unsigned long gh_misuse_foreign(void);
void gh_misuse_flush(void);

/* ---- debug mode ------------------------------------------------------------------------- */

/* Somebody did something to an object. */
struct gh_event {
	u32 stack;			/* in the kernel's depot; 0 if it is not known */
	int pid;
	unsigned int cpu;
	u64 when;			/* local_clock(); 0 if it never happened */
};

/* What debug mode knows of an object. */
struct gh_facts {
	bool known;
	u32 size;			/* that was asked for */
	struct gh_event alloc;
	struct gh_event freed;
};

enum gh_record_state {
	GH_RECORD_NEVER,				/* allocated since the span was made */
	GH_RECORD_LIVE,
	GH_RECORD_WAITING,			/* for readers, after goheap_free_rcu() */
	GH_RECORD_FREE,
};

/**
 * struct gh_record - what is known about an object
 * @size: what was asked for
 * @state: enum gh_record_state
 * @alloc: the latest allocation
 * @freed: the latest free
 */
struct gh_record {
	u32 size;
	u8 state;
	struct gh_event alloc;
	struct gh_event freed;
};

/**
 * struct gh_records - the records of a span
 * @rcu: frees them after the last one who looks at the span
 * @lock: guards them, and the bytes of objects that are free or beyond @size;
 *	taken by those who allocate, free, merge and validate
 * @flags: the heap's, GOHEAP_POISON and so on
 * @nr: how many
 * @gone: the span is no longer one of these objects; a wild free may still look
 * @of: by the object's index
 */
struct gh_records {
	struct rcu_head rcu;
	raw_spinlock_t lock;
	unsigned int flags;
	unsigned int nr;
	bool gone;
	struct gh_record of[];
};


/* track.c */
int gh_track_init(void);
void gh_track(struct gh_event *event, gfp_t gfp);
void gh_track_print(const char *what, const struct gh_event *event);

/* debug.c; preemption off unless said otherwise */
int gh_debug_parse(const char *text, const char *heap);
int gh_debug_init(void);
unsigned int gh_debug_flags(const char *name);
size_t gh_debug_room(const struct goheap *heap, size_t size, size_t align);
struct gh_records *gh_records_of(const struct gh_span *s, unsigned int idx);
struct gh_records *gh_records_new(const struct goheap *heap, unsigned int nr, gfp_t gfp);
void gh_records_drop(struct gh_records *r);
bool gh_debug_alloc(struct gh_span *s, unsigned int idx, size_t size, gfp_t gfp, bool dirty);
void gh_debug_free(struct gh_span *s, unsigned int idx, u32 life, bool rcu);
void gh_debug_merged(struct gh_span *s, unsigned int word, unsigned long bits);
size_t gh_records_size(const struct gh_span *s, unsigned int idx);
unsigned int gh_debug_validate(struct gh_span *s);
void gh_records_learn(const struct gh_span *s, const void *p, struct gh_facts *facts);
void gh_records_explain(const struct gh_facts *facts);
void gh_records_leaks(const struct gh_span *s, unsigned int *max);
unsigned long gh_records_bytes(void);

/* validate.c */
int gh_validate(void);

/* adopt.c */
unsigned long gh_adopted(void);
int gh_adopt_init(void);
void gh_adopt_exit(void);

/* A span as it was for a moment. */
struct gh_snapshot {
	unsigned long base;
	unsigned long npages;
	struct goheap *heap;
	struct gh_span_counts counts;
	unsigned int sc;
	size_t size;			/* of an object */
	int cpu;			/* -1: none */
	int nid;
	bool large;
};

/* Between two arenas, which may then be gone, let others run. */
static inline void gh_rcu_resched(void)
{
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
}

/* observe/spans.c */
const char *gh_show_kind(unsigned int sc);
void gh_show_spans(struct dentry *dir, struct goheap *heap);

/* observe/stats.c */
void gh_show_stats(struct dentry *dir, struct goheap *heap);

/* debugfs.c */
bool gh_snapshot_take(const struct gh_span *s, struct gh_snapshot *snap);
void gh_debugfs_init(void);
void gh_debugfs_exit(void);

#endif /* _GOHEAP_INTERNAL_H */
