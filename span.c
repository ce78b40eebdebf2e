// SPDX-License-Identifier: GPL-2.0
/*
 * Bookkeeping of the objects inside one span: no locks, no pages, no globals.
 * The caller owns the span or holds its central list's lock, unless the comment
 * of a function says anybody's span.
 */

#include <linux/mm.h>
#include <linux/string.h>

#include "base/compat.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "heap.h"
#include "span.h"

static const u16 kind_words[GH_NR_KINDS] = {
	[GH_KIND_1] = 1,
	[GH_KIND_5] = 5,
	[GH_KIND_9] = 9,
	[GH_KIND_16] = 16,
	[GH_KIND_TINY] = 8,
};

/* After the bitmaps of a tiny span: 12 bits for every block. */
#define TINY_BYTES	(GH_TINY_BLOCKS * 3 / 2)

/**
 * gh_span_kind() - which descriptor a span class needs
 * @sc: span class, GH_SC_TINY, GH_SC_OBJECT, or one of the two for large objects
 * @objects: in the span
 *
 * Context: Any.
 * Return: the smallest kind with room for the bitmaps.
 */
enum gh_desc_kind gh_span_kind(unsigned int sc, unsigned int objects)
{
	unsigned int words = DIV_ROUND_UP(objects, BITS_PER_LONG);
	enum gh_desc_kind kind = GH_KIND_1;

	if (sc == GH_SC_TINY)
		return GH_KIND_TINY;
	while (kind_words[kind] < words)
		kind++;
	return kind;
}

/**
 * gh_span_desc_bytes() - size of a descriptor
 * @kind: which
 *
 * Context: Any.
 * Return: bytes.
 */
size_t gh_span_desc_bytes(enum gh_desc_kind kind)
{
	size_t bytes = offsetof(struct gh_span, words) + kind_words[kind] * sizeof(struct gh_word);

	if (kind == GH_KIND_TINY)
		bytes += TINY_BYTES;
	return ALIGN(bytes, L1_CACHE_BYTES);
}

static void fill_words(struct gh_span *s)
{
	unsigned int i;

	for (i = 0; i < gh_span_nwords(s); i++) {
		WRITE_ONCE(s->words[i].free, gh_span_valid_bits(s, i));
		atomic_long_set(&s->words[i].remote, 0);
	}
	if (s->flags & GH_F_TINY)
		memset(gh_span_tiny_live(s), 0, TINY_BYTES);
}

/*
 * The span stops being free pages. A CPU that read the span while it was FREE, its base above
 * all, has to find another life.
 */
static void begin_life(struct gh_span *s)
{
	gh_smp_wmb();	/* a reader of this life sees all of it; pairs with gh_span_life() */
	gh_span_end_life(s);
}

static void init_common(struct gh_span *s, struct goheap *heap)
{
	/* Walks may read this, and late frees of the descriptor's earlier life. */
	WRITE_ONCE(s->heap, heap);
	s->next = NULL;
	if (READ_ONCE(s->rcu_used)) {
		WRITE_ONCE(s->rcu_used, false);
		WRITE_ONCE(s->rcu_cookie, get_state_synchronize_rcu());
	}
	WRITE_ONCE(s->owner, NULL);
}

/**
 * gh_span_init_small() - cut fresh pages into free objects
 * @s: from gh_arena_alloc(): pages, token held
 * @heap: whose the objects will be
 * @sc: span class, GH_SC_TINY or GH_SC_OBJECT
 * @class: its geometry
 *
 * Context: Any; nobody else knows the span yet.
 */
void gh_span_init_small(struct gh_span *s, struct goheap *heap, unsigned int sc,
			const struct gh_class *class)
{
	u8 flags = heap->objects.keep ? GH_F_KEEP : 0;

	if (sc == GH_SC_TINY)
		flags |= GH_F_TINY;
	if (class->objects > BITS_PER_LONG)
		flags |= GH_F_WORDS;
	if (s->records)
		flags |= GH_F_DEBUG;
	init_common(s, heap);
	WRITE_ONCE(s->nelems, class->objects);
	WRITE_ONCE(s->elemsize, class->size);
	WRITE_ONCE(s->recip, class->recip);
	WRITE_ONCE(s->spanclass, sc);
	s->fresh = 0;
	WRITE_ONCE(s->flags, flags | (s->needzero ? 0 : GH_F_FRESH));
	fill_words(s);
	s->needzero = true;
	begin_life(s);
	/* last: from here on addresses match */
	gh_smp_store_release(&s->limit, class->objects * class->size);
}

/**
 * gh_span_init_large() - make fresh pages one live object
 * @s: from gh_arena_alloc(): pages, token held for good
 * @heap: whose the object is
 * @size: bytes that its owner may use, at most the span's
 * @noscan: the object holds no pointers
 *
 * Context: Any; nobody else knows the span yet.
 */
void gh_span_init_large(struct gh_span *s, struct goheap *heap, size_t size, bool noscan)
{
	init_common(s, heap);
	WRITE_ONCE(s->nelems, 1);
	WRITE_ONCE(s->elemsize, 0);
	WRITE_ONCE(s->recip, 0);
	WRITE_ONCE(s->spanclass, GH_SC_LARGE + noscan);
	WRITE_ONCE(s->flags, GH_F_LARGE | (s->records ? GH_F_DEBUG : 0));
	WRITE_ONCE(s->words[0].free, 0);
	atomic_long_set(&s->words[0].remote, 0);
	s->needzero = true;
	begin_life(s);
	/* last: from here on addresses match */
	gh_smp_store_release(&s->limit, size);
}

/**
 * gh_span_reuse_large() - make the object of a freed LARGE span live again
 * @s: parked, both of its bits set
 * @noscan: the object holds no pointers
 *
 * Context: The section.
 */
void gh_span_reuse_large(struct gh_span *s, bool noscan)
{
	s->next = NULL;
	WRITE_ONCE(s->rcu_used, false);
	WRITE_ONCE(s->spanclass, GH_SC_LARGE + noscan);	/* walks see the span all the time */
	WRITE_ONCE(s->limit, gh_span_bytes(s));
	/* Without this, a late free of the object before would free the new object. */
	gh_span_end_life(s);
	WRITE_ONCE(s->words[0].free, 0);
	/* Last: until here a second free is reported. No other CPU has the new object yet. */
	atomic_long_set(&s->words[0].remote, 0);
}

/**
 * gh_span_init_free() - make a span a run of free pages
 * @s: no object in it is live, token held
 *
 * Context: Any.
 */
void gh_span_init_free(struct gh_span *s)
{
	unsigned int i;

	WRITE_ONCE(s->limit, 0);
	gh_smp_wmb();	/* a reader of another life sees limit 0; pairs with gh_span_life() */
	gh_span_end_life(s);
	/* All bits are set, so that a late free frees nothing: see set_remote(). */
	for (i = 0; i < gh_span_nwords(s); i++)
		atomic_long_set(&s->words[i].remote, -1);
	WRITE_ONCE(s->heap, NULL);
	WRITE_ONCE(s->owner, NULL);
	WRITE_ONCE(s->flags, 0);
	atomic_set(&s->claimed, 1);
	WRITE_ONCE(s->state, GH_SPAN_FREE);
}

/**
 * gh_span_rcu_mark() - let no remote bit be merged before a grace period from now
 * @s: anybody's span
 *
 * Call before the bit is set: the atomic operation that sets it orders the two.
 *
 * Context: Any.
 */
void gh_span_rcu_mark(struct gh_span *s)
{
	unsigned long new = get_state_synchronize_rcu();
	unsigned long old = READ_ONCE(s->rcu_cookie);

	/* Never go back: another CPU's bit may rely on the later cookie. */
	while (ULONG_CMP_LT(old, new) && !try_cmpxchg(&s->rcu_cookie, &old, new))
		;
	WRITE_ONCE(s->rcu_used, true);
}

/**
 * gh_span_rcu_pending() - must remote bits still wait for readers?
 * @s: anybody's span
 *
 * Context: Any. Bits read before the call are covered by the answer.
 * Return: true while the last gh_span_rcu_mark()'s grace period is not over.
 */
bool gh_span_rcu_pending(const struct gh_span *s)
{
	/* Pairs with atomic_long_fetch_or() after gh_span_rcu_mark(). */
	smp_rmb();
	return READ_ONCE(s->rcu_used) &&
	       !poll_state_synchronize_rcu(READ_ONCE(s->rcu_cookie)) &&
	       !READ_ONCE(s->heap->quiet);
}

/**
 * gh_span_nfree() - count free objects, without those freed remotely
 * @s: a SMALL span
 *
 * Context: The owner's section, or the central lock.
 * Return: how many.
 */
unsigned int gh_span_nfree(const struct gh_span *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < gh_span_nwords(s); i++)
		n += hweight_long(s->words[i].free);
	return n;
}

/**
 * gh_span_use_fresh() - objects of a word are about to be handed out
 * @s: a SMALL span
 * @word: which word
 *
 * Context: The owner's section, or the central lock.
 * Return: true if none ever was, and the pages came zeroed.
 */
bool gh_span_use_fresh(struct gh_span *s, unsigned int word)
{
	if (!(s->flags & GH_F_FRESH) || word < s->fresh)
		return false;
	s->fresh = word + 1;
	if (s->fresh == gh_span_nwords(s))
		WRITE_ONCE(s->flags, s->flags & ~GH_F_FRESH);
	return true;
}

/* The @n-th bit that is set, from 0. */
static unsigned long nth_bit(unsigned long bits, unsigned int n)
{
	unsigned int shift = 0, width, below;

	for (width = BITS_PER_LONG / 2; width; width /= 2) {
		below = hweight_long(bits >> shift & (BIT(width) - 1));
		if (n < below)
			continue;
		n -= below;
		shift += width;
	}
	return BIT(shift);
}

/* Any of @nwords. Says nothing about what gh_draw_bit() makes of @draw. */
static unsigned int draw_word(u32 draw, unsigned int nwords)
{
	return (draw >> 16) * nwords >> 16;
}

/**
 * gh_draw_bit() - choose one of the bits that are set
 * @draw: from gh_random_draw()
 * @bits: at least one
 *
 * Context: Any.
 * Return: the bit.
 */
unsigned long gh_draw_bit(u32 draw, unsigned long bits)
{
	return nth_bit(bits, (draw & U16_MAX) * hweight_long(bits) >> 16);
}

/**
 * gh_span_find() - find a word with objects that may be handed out
 * @s: a SMALL span
 * @draw: from gh_random_draw(), to begin with any word; 0 to begin with the first
 * @word: set to which it is
 *
 * Context: The owner's section, or the central lock.
 * Return: those objects of the word; 0 if the span has none.
 */
unsigned long gh_span_find(const struct gh_span *s, u32 draw, unsigned int *word)
{
	unsigned int nwords = gh_span_nwords(s), left = nwords;
	unsigned int i = draw_word(draw, nwords);
	unsigned long avail;

	while (!(avail = gh_word_usable(&s->words[i]))) {
		if (!--left)
			return 0;
		if (++i == nwords)
			i = 0;
	}
	*word = i;
	return avail;
}

/**
 * gh_span_take() - allocate one object
 * @s: a SMALL span
 * @draw: from gh_random_draw(), for any of them; 0 for the first
 * @fresh: set to whether the object is known to be zero
 *
 * Skips an object if another CPU freed it at the same time: the merge of the second free
 * reports the object.
 *
 * Context: The owner's section, or the central lock.
 * Return: the object's index, or -1 if there is none.
 */
int gh_span_take(struct gh_span *s, u32 draw, bool *fresh)
{
	unsigned long avail, bit;
	unsigned int i;

	avail = gh_span_find(s, draw, &i);
	if (!avail)
		return -1;
	bit = draw ? gh_draw_bit(draw, avail) : avail & -avail;
	WRITE_ONCE(s->words[i].free, s->words[i].free ^ bit);
	*fresh = gh_span_use_fresh(s, i);
	return i * BITS_PER_LONG + __ffs(bit);
}

/**
 * gh_span_count() - how full a span is
 * @s: anybody's span, or one that is just going away
 * @counts: the answer
 *
 * Context: Any. Exact when nobody uses the span meanwhile.
 */
void gh_span_count(const struct gh_span *s, struct gh_span_counts *counts)
{
	unsigned int i, nelems = READ_ONCE(s->nelems);
	unsigned int nwords = min_t(unsigned int, DIV_ROUND_UP(nelems, BITS_PER_LONG),
				    kind_words[s->kind]);
	unsigned long remote, free;

	counts->free = 0;
	counts->pending = 0;
	for (i = 0; i < nwords; i++) {
		/* Remote first: a bit that a merge moves from remote to free is not missed. */
		remote = atomic_long_read(&s->words[i].remote);
		smp_rmb();	/* pairs with the full barrier in merge_word() */
		free = READ_ONCE(s->words[i].free);
		counts->free += hweight_long(free);
		counts->pending += hweight_long(remote & ~free);
	}
	counts->objects = nelems;
	counts->free = min(counts->free, nelems);
	counts->pending = min(counts->pending, nelems - counts->free);
	counts->live = nelems - counts->free - counts->pending;
}

/**
 * gh_span_is_live() - is this object allocated?
 * @s: anybody's span
 * @idx: below @s->nelems
 *
 * Context: Any. A moment later the answer may be another one.
 * Return: true if neither bitmap says that it is free.
 */
bool gh_span_is_live(const struct gh_span *s, unsigned int idx)
{
	const struct gh_word *w = &s->words[idx / BITS_PER_LONG];
	unsigned long bit = BIT(idx % BITS_PER_LONG);
	unsigned long remote = atomic_long_read(&w->remote);

	smp_rmb();	/* pairs with the full barrier in merge_word() */
	return !((remote | READ_ONCE(w->free)) & bit);
}

/**
 * gh_span_validate() - check that a span makes sense
 * @s: a span that nobody is changing
 *
 * Context: The owner's section or the central lock, and no frees under way.
 * Return: NULL, or what is wrong, in words.
 */
const char *gh_span_validate(struct gh_span *s)
{
	unsigned int last = DIV_ROUND_UP(s->nelems, BITS_PER_LONG) - 1, i;

	if (s->state != GH_SPAN_SMALL || s->flags & GH_F_LARGE)
		return "a span's state or flags are not those of small objects";
	if (s->limit != s->nelems * s->elemsize || s->limit > gh_span_bytes(s))
		return "a span's limit does not fit its objects and pages";
	if (!s->nelems || last >= kind_words[s->kind] || last != gh_span_nwords(s) - 1)
		return "a span has more objects than bits";
	if ((s->words[last].free | atomic_long_read(&s->words[last].remote)) &
	    ~gh_span_valid_bits(s, last))
		return "a span has bits without objects";
	/* Remote bits of tiny blocks mean nothing alone: see gh_block_merge(). */
	if (s->flags & GH_F_TINY)
		return NULL;
	for (i = 0; i <= last; i++)
		if (s->words[i].free & atomic_long_read(&s->words[i].remote))
			return "an object is free, and freed remotely";
	return NULL;
}
