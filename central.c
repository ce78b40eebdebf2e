// SPDX-License-Identifier: GPL-2.0
/*
 * Central lists: spans of one span class and node that no CPU owns, the fullest
 * handed out first so that the emptiest get a chance to become free. The only
 * file that moves a span between a central list and a cache or the page heap.
 */

#include <linux/list.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "base/context.h"
#include "base/gfp.h"
#include "base/peek.h"
#include "base/spanclass.h"
#include "central.h"
#include "goheap.h"
#include "heap.h"
#include "hooks/random.h"
#include "hooks/sanitize.h"
#include "span.h"
#include "spans/alloc.h"
#include "spans/block.h"
#include "spans/limbo.h"
#include "spans/merge.h"

/* The span exists, and so do its central lists. */
static struct gh_central *central_of(const struct gh_span *s)
{
	return gh_central_of(s->heap, s->nid, s->spanclass);
}

static unsigned int bucket_of(const struct gh_span *s)
{
	unsigned int nfree = gh_span_nfree(s);

	return nfree ? (nfree - 1) * GH_NR_BUCKETS / s->nelems : GH_BUCKET_FULL;
}

static void list_span(struct gh_central *central, struct gh_span *s)
{
	lockdep_assert_held(&central->lock);
	s->bucket = bucket_of(s);
	list_add(&s->list, &central->lists[s->bucket]);
	central->nr_spans++;
}

static void unlist_span(struct gh_central *central, struct gh_span *s)
{
	lockdep_assert_held(&central->lock);
	list_del_init(&s->list);
	central->nr_spans--;
}

static void relist_span(struct gh_central *central, struct gh_span *s)
{
	unsigned int bucket = bucket_of(s);

	lockdep_assert_held(&central->lock);
	if (bucket == s->bucket)
		return;
	s->bucket = bucket;
	list_move(&s->list, &central->lists[bucket]);
}

static struct gh_span *fullest(struct gh_central *central)
{
	unsigned int i;

	lockdep_assert_held(&central->lock);
	for (i = 0; i < GH_NR_BUCKETS; i++)
		if (!list_empty(&central->lists[i]))
			return list_first_entry(&central->lists[i], struct gh_span, list);
	return NULL;
}

/* ---- made on first use --------------------------------------------------------------- */

static void init_central(struct gh_central *central)
{
	unsigned int i;

	raw_spin_lock_init(&central->lock);
	for (i = 0; i <= GH_NR_BUCKETS; i++)
		INIT_LIST_HEAD(&central->lists[i]);
}

static void free_pairs(struct gh_central_pair **nodes)
{
	int nid;

	if (!nodes)
		return;
	for_each_node(nid)
		kfree(nodes[nid]);
	kfree(nodes);
}

static struct gh_central_pair **new_pairs(gfp_t gfp)
{
	struct gh_central_pair **nodes = kcalloc(nr_node_ids, sizeof(*nodes), gfp);
	int nid;

	if (!nodes)
		return NULL;
	for_each_node(nid) {
		nodes[nid] = kzalloc_node(sizeof(*nodes[nid]), gfp,
					  node_online(nid) ? nid : NUMA_NO_NODE);
		if (!nodes[nid]) {
			free_pairs(nodes);
			return NULL;
		}
		init_central(&nodes[nid]->of[0]);
		init_central(&nodes[nid]->of[1]);
	}
	return nodes;
}

/**
 * gh_central_make() - make the central lists of a size class, if they are not there
 * @heap: of which heap
 * @sc: one of the span classes
 * @gfp: how hard to try
 *
 * Call before a span of the class is made: a span may have to be listed where no memory can
 * be allocated.
 *
 * Context: Any that @gfp allows; no lock and no section held.
 * Return: true if they are there now.
 */
bool gh_central_make(struct goheap *heap, unsigned int sc, gfp_t gfp)
{
	struct gh_central_pair **nodes;

	if (likely(READ_ONCE(heap->central[sc / 2])))
		return true;
	if (!gh_memory_begin(gfp))
		return false;
	nodes = new_pairs(gh_gfp_of_metadata(gfp));
	/* Whoever finds the lists finds them initialised; pairs with gh_central_of(). */
	if (nodes && cmpxchg_release(&heap->central[sc / 2], NULL, nodes))
		free_pairs(nodes);
	gh_memory_end(gfp);
	return READ_ONCE(heap->central[sc / 2]);
}

/**
 * gh_central_free() - free a heap's central lists
 * @heap: nobody uses it
 *
 * Context: Any but NMI.
 */
void gh_central_free(struct goheap *heap)
{
	unsigned int i;

	for (i = 0; i < GH_NR_PAIRS; i++)
		free_pairs(heap->central[i]);
}

/**
 * gh_central_bytes() - bookkeeping overhead
 * @heap: of which heap
 *
 * Context: Any.
 * Return: bytes of its central lists.
 */
unsigned long gh_central_bytes(const struct goheap *heap)
{
	unsigned long bytes = nr_node_ids * sizeof(struct gh_central_pair *) +
			      num_possible_nodes() * sizeof(struct gh_central_pair);
	unsigned int i, made = 0;

	for (i = 0; i < GH_NR_PAIRS; i++)
		made += !!READ_ONCE(heap->central[i]);
	return made * bytes;
}

/* ---- spans come and go ----------------------------------------------------------------- */

/**
 * gh_central_fetch() - hand a span with free objects to a CPU
 * @heap: of which heap
 * @owner: the cache of that CPU
 * @sc: span class or GH_SC_TINY
 * @nid: of which node
 *
 * Needs no token: a remote free that holds the token finds the new owner under the lock.
 *
 * Context: @owner's section.
 * Return: the fullest span, or NULL.
 */
struct gh_span *gh_central_fetch(struct goheap *heap, struct gh_cache *owner, unsigned int sc,
				 int nid)
{
	struct gh_central *central = gh_central_of(heap, nid, sc);
	struct gh_span *s = NULL;
	unsigned long flags;

	if (!central || !gh_peek(central->nr_spans) || !gh_lock_or_try(&central->lock, flags))
		return NULL;
	central->locked++;
	s = fullest(central);
	if (s) {
		unlist_span(central, s);
		WRITE_ONCE(s->owner, owner);
	}
	gh_unlock(&central->lock, flags);
	return s;
}

/*
 * May an empty span go? If the heap looks for writes after free, its last span stays, because
 * its freed objects are still to be checked. A heap with a limit lets the last span go, too.
 */
static bool may_release(const struct gh_central *central, const struct gh_span *s)
{
	const struct goheap *heap = s->heap;

	lockdep_assert_held(&central->lock);
	return !(heap->debug & GOHEAP_POISON) || central->nr_spans > 1 || heap->limit != LONG_MAX;
}

/* What becomes of a span when the central lock is no longer held. */
enum fate {
	SPAN_STAYS,
	SPAN_WAITS,			/* the span has objects that wait for RCU */
	SPAN_GOES,			/* the span is empty, and unlisted */
};

/*
 * Give the token back, then merge the remote frees that came meanwhile. If something is left
 * to be done, the caller has the token again.
 */
static enum fate merge_unowned(struct gh_central *central, struct gh_span *s)
{
	enum fate fate = SPAN_STAYS;

	lockdep_assert_held(&central->lock);
	gh_span_unclaim(s);
	if (gh_span_merge(s) == -EAGAIN)
		fate = SPAN_WAITS;
	relist_span(central, s);
	if (fate == SPAN_STAYS && gh_span_is_empty(s) && may_release(central, s))
		fate = SPAN_GOES;
	/* If another CPU has the token, that CPU comes here next and does the rest. */
	if (fate == SPAN_STAYS || !gh_span_claim(s))
		return SPAN_STAYS;
	if (fate == SPAN_GOES)
		unlist_span(central, s);
	return fate;
}

/* The central lock is no longer held: spans go from here. */
static void dispose(struct gh_span *s, enum fate fate)
{
	if (fate == SPAN_WAITS)
		gh_limbo_add(s);
	else if (fate == SPAN_GOES)
		gh_spans_free(s);
}

/**
 * gh_central_put() - take a span from a CPU
 * @s: the caller owns it and has its token; it is on no list
 *
 * Context: The owner's section, or the owner's CPU is dead.
 * Return: false if the span turned out empty: the caller still has the span, with the
 * token, and without an owner.
 */
bool gh_central_put(struct gh_span *s)
{
	struct gh_central *central = central_of(s);
	unsigned long flags;
	enum fate fate;

	gh_lock(&central->lock, flags);
	central->locked++;
	WRITE_ONCE(s->flags, s->flags & ~GH_F_LISTED);
	/* The section's writes to the bitmap come first; pairs with the lock. */
	WRITE_ONCE(s->owner, NULL);
	list_span(central, s);
	fate = merge_unowned(central, s);
	gh_unlock(&central->lock, flags);
	if (fate == SPAN_WAITS)
		gh_limbo_add(s);
	return fate != SPAN_GOES;
}

/**
 * gh_central_take_over() - take a span from a dead CPU, whoever has the token
 * @s: owned by the dead CPU's cache, which has forgotten it
 *
 * If a freeing CPU has the token, that CPU may have seen the dead CPU's cache as the owner:
 * see gh_remote_close_inbox().
 *
 * Context: Process context, preemption off.
 */
void gh_central_take_over(struct gh_span *s)
{
	struct gh_central *central = central_of(s);
	bool claimed = gh_span_claim(s);
	enum fate fate = SPAN_STAYS;
	unsigned long flags;

	gh_lock(&central->lock, flags);
	central->locked++;
	WRITE_ONCE(s->flags, s->flags & ~GH_F_LISTED);
	WRITE_ONCE(s->owner, NULL);
	list_span(central, s);
	if (claimed)
		fate = merge_unowned(central, s);
	gh_unlock(&central->lock, flags);
	dispose(s, fate);
}

/**
 * gh_central_merge() - merge remote frees of a span without an owner
 * @s: a SMALL span, token held
 *
 * Context: Any but NMI, preemption off.
 * Return: 0, the token is given back; -EXDEV, the token is still held: the span
 * has an owner, and the caller should put the span into the owner's inbox.
 */
int gh_central_merge(struct gh_span *s)
{
	struct gh_central *central = central_of(s);
	enum fate fate = SPAN_STAYS;
	unsigned long flags;
	bool owned;

	gh_lock(&central->lock, flags);
	central->locked++;
	owned = READ_ONCE(s->owner);
	if (!owned)
		fate = merge_unowned(central, s);
	gh_unlock(&central->lock, flags);
	dispose(s, fate);
	return owned ? -EXDEV : 0;
}

static void *take_object(struct gh_central *central, struct gh_span *s, bool *fresh)
{
	int idx;

	lockdep_assert_held(&central->lock);
	idx = gh_span_take(s, gh_random ? gh_random_draw() : 0, fresh);
	if (unlikely(idx < 0))
		return NULL;
	central->allocs++;
	return gh_span_object(s, idx);
}

/**
 * gh_central_alloc() - allocate one object without a CPU's cache
 * @heap: from which heap
 * @sc: span class or GH_SC_TINY
 * @nid: of which node
 * @fresh: set if the object is known to be zero
 *
 * For interrupted sections, and for objects of another node.
 *
 * Context: Any.
 * Return: an object, or NULL.
 */
void *gh_central_alloc(struct goheap *heap, unsigned int sc, int nid, bool *fresh)
{
	struct gh_central *central = gh_central_of(heap, nid, sc);
	struct gh_span *s;
	unsigned long flags;
	void *p = NULL;

	if (!central || !gh_peek(central->nr_spans) || !gh_lock_or_try(&central->lock, flags))
		return NULL;
	central->locked++;
	s = fullest(central);
	if (s) {
		p = take_object(central, s, fresh);
		relist_span(central, s);
	}
	gh_unlock(&central->lock, flags);
	return p;
}

/**
 * gh_central_add() - list a new span and allocate its first object
 * @s: initialised, token held
 * @fresh: set if the object is known to be zero
 *
 * Context: Any.
 * Return: the object; NULL, in NMI only, if the lock could not be taken: the
 * caller still has the span.
 */
void *gh_central_add(struct gh_span *s, bool *fresh)
{
	struct gh_central *central = central_of(s);
	unsigned long flags;
	void *p;

	if (!gh_lock_or_try(&central->lock, flags))
		return NULL;
	central->locked++;
	p = take_object(central, s, fresh);
	list_span(central, s);
	gh_span_unclaim(s);
	gh_unlock(&central->lock, flags);
	return p;
}

/**
 * gh_central_remove() - take a span off its list for good
 * @s: a span that nobody else uses any more
 *
 * Context: A heap is being taken down.
 */
void gh_central_remove(struct gh_span *s)
{
	struct gh_central *central = central_of(s);
	unsigned long flags;

	gh_lock(&central->lock, flags);
	unlist_span(central, s);
	gh_unlock(&central->lock, flags);
}

/* A check of the lists: between two holds of the lock the lists may change. */
struct check {
	struct gh_span *first;		/* first span checked: at the head again, all were seen */
	unsigned long locked;		/* how often the lock was taken when the check began */
	unsigned int nr;
	bool done;			/* the list was checked to its end, or has changed */
	bool changed;			/* a list has changed: @nr mixes different times */
};

/* How many spans are checked under one hold of the lock. */
#define MOST_CHECKS	64

/* A checked span moves to the end of its list: after a full round the order is as before. */
static const char *check_some(struct gh_central *central, unsigned int i, struct check *c)
{
	struct list_head *list = &central->lists[i];
	unsigned int checks;
	struct gh_span *s;
	const char *wrong = NULL;

	lockdep_assert_held(&central->lock);
	if (c->locked != central->locked) {
		c->locked = central->locked;
		c->changed = true;
		c->done = c->first;		/* the check was in the middle of this list */
	}
	for (checks = 0; checks < MOST_CHECKS && !c->done && !wrong; checks++) {
		s = list_first_entry_or_null(list, struct gh_span, list);
		c->done = !s || s == c->first;
		if (c->done)
			break;
		if (!c->first)
			c->first = s;
		wrong = gh_block_validate(s);
		if (!wrong && (s->owner || s->bucket != i || bucket_of(s) != i))
			wrong = "a span is in the wrong central list, or has an owner";
		list_move_tail(&s->list, list);
		c->nr++;
	}
	return wrong;
}

static const char *check_list(struct gh_central *central, unsigned int i, struct check *c)
{
	unsigned long flags;
	const char *wrong;

	c->first = NULL;
	c->done = false;
	do {
		gh_lock(&central->lock, flags);
		wrong = check_some(central, i, c);
		gh_unlock(&central->lock, flags);
	} while (!wrong && !c->done);
	return wrong;
}

/**
 * gh_central_validate() - check the central lists of a span class
 * @central: which
 *
 * Looks at a few spans at a time. If a list changes meanwhile, some of its spans are skipped.
 *
 * Context: Any but NMI; no frees of its objects under way.
 * Return: NULL, or what is wrong, in words.
 */
const char *gh_central_validate(struct gh_central *central)
{
	struct check c = { .locked = gh_peek(central->locked) };
	unsigned int i, nr = gh_peek(central->nr_spans);
	const char *wrong = NULL;

	for (i = 0; i <= GH_NR_BUCKETS && !wrong; i++)
		wrong = check_list(central, i, &c);
	if (!wrong && c.nr != nr && !c.changed && c.locked == gh_peek(central->locked))
		wrong = "a central list's spans are miscounted";
	return wrong;
}
