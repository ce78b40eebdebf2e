/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A CPU's part of a heap, and what the fast paths do with it.
 */
#ifndef _GOHEAP_PERCPU_SLOT_H
#define _GOHEAP_PERCPU_SLOT_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "base/spanclass.h"
#include "hooks/sanitize.h"
#include "pages/pageheap.h"
#include "span.h"
#include "spans/block.h"

struct goheap;

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
 * The magazine holds objects that were freed a moment ago, to be allocated first. The
 * free bitmaps have the bits of these objects and of @avail set, as of all free objects.
 * Another word becomes the current one only after both are used up.
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
} ____cacheline_aligned;

/**
 * struct gh_slots - what a CPU has for a size class that was used
 * @slot: for objects that may hold pointers, and for objects that hold none
 * @bin: likewise
 */
struct gh_slots {
	struct gh_slot slot[2];
	struct gh_bin bin[2];
};

/**
 * struct gh_tiny_open - a tiny block that has room left
 * @block: its address, or 0
 * @live: its byte after the bitmaps
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
 * @hint_slot: the slot of that span's class
 * @arrived: spans taken from the inbox, oldest first; their tokens are ours
 * @tiny_open: tiny blocks being filled, by free steps
 * @tiny_allocs: tiny objects allocated here
 * @refills: sum of the bins', for the idle check
 * @cpu: whose it is
 * @heap: and of which heap
 * @inbox: spans of ours that other CPUs freed into; these CPUs only read the members
 *	before. GH_INBOX_CLOSED after the CPU died, until the CPU comes back
 * @inbox_bytes: of spans in there, about
 * @owned: all spans of ours, full ones too
 * @drained: spans taken from the inbox
 * @seen_refills: @refills at the last idle check
 * @idle_ticks: idle checks that found nothing new
 * @flushes: how often the cache was given back
 * @parked: freed LARGE spans, linked by @next, newest first
 * @parked_pages: heap pages in them
 * @stock: free pages for the next spans: percpu/stock.c
 * @large_allocs: large objects ever allocated from there
 * @large_live: those, less large objects freed here
 * @extra_bytes: of the spans in the bins' @extra
 * @extra_ticks: ticks since some of those, or the stock, were last given up
 * @drain: runs the inbox, and the flush of an idle CPU, on the CPU itself
 * @kick: queues @drain from any context
 * @flush: @drain is to give everything back
 * @flushing: @drain is giving everything back just now
 * @relax: @drain is to give up some of the extra spans, and the stock
 * @wanted: slots that an interrupt could not make, and @drain will
 * @nr_made: how many of @slots were made
 * @slots: by size class, and one for tiny blocks; made on first use, see percpu/slots.c
 */
struct gh_cache {
	u8 busy;
	bool filled;
	struct gh_span *hint;
	struct gh_slot *hint_slot;
	struct llist_node *arrived;
	unsigned long tiny_allocs;
	unsigned long refills;
	struct gh_tiny_open tiny_open[GH_TINY_OPEN];
	unsigned long large_allocs;
	long large_live;
	unsigned long extra_bytes;

	int cpu ____cacheline_aligned;
	unsigned int nr_made;
	struct goheap *heap;
	DECLARE_BITMAP(wanted, GH_NR_PAIRS);

	struct llist_head inbox ____cacheline_aligned;
	unsigned long inbox_bytes;

	struct list_head owned ____cacheline_aligned;
	unsigned long drained;
	unsigned long seen_refills;
	unsigned int idle_ticks;
	unsigned int extra_ticks;
	unsigned long flushes;
	struct gh_span *parked;
	unsigned int parked_pages;
	bool flush;
	bool flushing;
	bool relax;
	struct gh_stock stock;
	struct work_struct drain;
	struct irq_work kick;
	struct gh_slots *slots[GH_NR_PAIRS];
};

extern struct gh_slots gh_no_slots;

/* Of a class that was never used here, the slot is always dry: nothing is written to it. */
static __always_inline struct gh_slot *gh_cache_slot(const struct gh_cache *cache,
						     unsigned int sc)
{
	return &cache->slots[sc / 2]->slot[sc % 2];
}

/* The slot was made. */
static inline struct gh_bin *gh_cache_bin(const struct gh_cache *cache, unsigned int sc)
{
	return &cache->slots[sc / 2]->bin[sc % 2];
}

/* Was the slot made? On the owner CPU. */
static inline bool gh_cache_has_slot(const struct gh_cache *cache, unsigned int sc)
{
	return READ_ONCE(cache->slots[sc / 2]) != &gh_no_slots;
}

/* The first span class from @sc on whose slot was made. */
static inline unsigned int gh_cache_next_slot(const struct gh_cache *cache, unsigned int sc)
{
	while (sc < GH_NR_SLOTS && !gh_cache_has_slot(cache, sc))
		sc++;
	return sc;
}

#define gh_cache_for_each_slot(cache, sc)					\
	for ((sc) = gh_cache_next_slot(cache, 0); (sc) < GH_NR_SLOTS;		\
	     (sc) = gh_cache_next_slot(cache, (sc) + 1))

/*
 * The same for readers that are not the owner CPU: what was made since then may be missed, and
 * what is found stays for as long as the heap.
 */
static inline struct gh_slots *gh_cache_peek_slots(const struct gh_cache *cache, unsigned int sc)
{
	/* What is read by way of the address is initialised; pairs with publish(). */
	struct gh_slots *slots = READ_ONCE(cache->slots[sc / 2]);

	return slots == &gh_no_slots ? NULL : slots;
}

/* Has the cache never been used? Without a slot it owns no span; it may have parked some. */
static inline bool gh_cache_is_blank(const struct gh_cache *cache)
{
	return !READ_ONCE(cache->nr_made) && !READ_ONCE(cache->filled);
}

/*
 * Enter the section. Preemption is off. False if this is an interrupt that hit a
 * section of its own CPU. No other CPU touches the flag, and an interrupt leaves the
 * flag as it was, so a compiler barrier is enough.
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

/* Was this free object of ours freed again by another CPU? */
static __always_inline bool gh_is_freed_twice(unsigned long *free, unsigned long nr)
{
	return gh_bit_is_set(atomic_long_read(&gh_word_of(free)->remote), nr);
}

/*
 * Take an object of the slot; the section is held. NULL if the slot has run dry, or if
 * another CPU freed the object a second time: then a refill skips the object, and the
 * merge of the second free reports it.
 */
static __always_inline void *gh_slot_take(struct gh_slot *slot)
{
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

static __always_inline void *gh_cache_take(struct gh_cache *cache, unsigned int sc)
{
	return gh_slot_take(gh_cache_slot(cache, sc));
}

/* The current word's objects that other CPUs freed. There is a current word. */
static inline unsigned long gh_slot_remote(const struct gh_slot *slot)
{
	return atomic_long_read(&gh_word_of(slot->word)->remote);
}

/* Open blocks: those that this CPU fills. The section is held. */
static __always_inline struct gh_tiny_open *gh_tiny_open_with(struct gh_cache *cache,
							      unsigned int steps)
{
	return &cache->tiny_open[steps - 1];
}

/* Keep a block open with @steps free at its end, in place of a block with as many. */
static inline void gh_tiny_open_block(struct gh_cache *cache, unsigned long block, u8 *live,
				      unsigned int steps)
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
	struct gh_bin *bin = gh_cache_bin(cache, s->spanclass);

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

/* Two calls at a time, one of them the work of a dead CPU, may count as one. */
static inline void gh_cache_count_flush(struct gh_cache *cache)
{
	data_race(cache->flushes++);	/* as above */
}

/*
 * Have a cache take over what other CPUs freed into its spans, on its own CPU. By an
 * irq_work: the caller may be in any context, and hold locks that queueing a work takes.
 */
static inline void gh_cache_kick(struct gh_cache *cache)
{
	irq_work_queue(&cache->kick);
}

/*
 * May this CPU free into the span on the fast path? The section is held. If not, the
 * span never becomes the hint.
 */
static __always_inline bool gh_cache_may_free(struct gh_cache *cache, struct gh_span *s)
{
	return s && READ_ONCE(s->owner) == cache && !(s->flags & GH_F_SPECIAL) &&
	       !want_init_on_free();
}

/* Will gh_slot_take() give an object that is known to be zero? */
static __always_inline bool gh_slot_next_is_fresh(const struct gh_slot *slot)
{
	return slot->fresh && !slot->top->p;
}

/*
 * The inbox of a dead CPU has this value: no span can be added any more. A freeing CPU that
 * finds the value reads the owner again.
 */
#define GH_INBOX_CLOSED		((struct llist_node *)1UL)

static inline bool gh_inbox_is_closed(const struct gh_cache *cache)
{
	return READ_ONCE(cache->inbox.first) == GH_INBOX_CLOSED;
}

/* Are there spans of ours whose remote frees the owner CPU has not taken over yet? */
static inline bool gh_cache_has_arrivals(const struct gh_cache *cache)
{
	return READ_ONCE(cache->arrived) ||
	       (!llist_empty(&cache->inbox) && !gh_inbox_is_closed(cache));
}

/*
 * An object of ours was freed, and its bit is set: put the object into the magazine, to
 * be allocated next. False if there is no room, and the span is on no list: the caller
 * has to call gh_cache_list(). The section is held.
 */
static __always_inline bool gh_slot_keep(struct gh_slot *slot, struct gh_span *s,
					 struct gh_word *w, unsigned long nr, void *p)
{
	struct gh_freed *top = slot->top;

	if (unlikely(top == slot->limit))
		return s->flags & GH_F_LISTED;
	slot->top = ++top;
	top->p = p;
	top->word = &w->free;
	top->nr = nr;
	return true;
}

static __always_inline bool gh_cache_keep(struct gh_cache *cache, struct gh_span *s,
					  struct gh_word *w, unsigned long nr, void *p)
{
	return gh_slot_keep(gh_cache_slot(cache, s->spanclass), s, w, nr, p);
}

#endif /* _GOHEAP_PERCPU_SLOT_H */
