// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU's cache, below the fast paths: the owner CPU refills a slot, takes over
 * what other CPUs freed into its spans, and keeps its partial lists short. When
 * the CPU is idle or gone, the cache gives everything back.
 */

#include <linux/prefetch.h>
#include <linux/slab.h>

#include "base/context.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "central.h"
#include "heap.h"
#include "hooks/random.h"
#include "hooks/sanitize.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "percpu/cache.h"
#include "percpu/magazine.h"
#include "percpu/park.h"
#include "percpu/slot.h"
#include "percpu/slots.h"
#include "percpu/stock.h"
#include "span.h"
#include "spans/alloc.h"
#include "spans/limbo.h"
#include "spans/merge.h"

/* A span that covers no address: the hint of a cache without a hint. */
static struct gh_span no_span;

/*
 * The first tidy-up of a partial list is at GH_TIDY_BYTES; the next ones whenever the list has
 * doubled, and always at this many bytes.
 */
#define PARTIAL_BYTES	(16UL << 20)
/*
 * A class that gave empty spans back and needs spans again may keep more of them.
 * All classes of a cache together keep at most this many bytes more.
 */
#define EXTRA_BYTES	(4UL << 20)
/*
 * Spans given to the page heap, or to the central lists, in one section. What is left is looked
 * at again when the next span is listed, with all that is kept before it.
 */
#define TIDY_BATCH	256
/* The same if others wait: the caller has turned interrupts off, or the kernel is PREEMPT_RT. */
#define FLUSH_BATCH	64
/* The same if every span is cleared. */
#define CLEAR_BATCH	4

static const struct gh_class *class_of(const struct gh_cache *cache, unsigned int sc)
{
	return gh_heap_class(cache->heap, sc);
}

/**
 * gh_cache_init() - make an empty cache
 * @cache: zeroed
 * @heap: whose
 * @cpu: and of which CPU
 *
 * Context: Any.
 */
void gh_cache_init(struct gh_cache *cache, struct goheap *heap, int cpu)
{
	unsigned int i;

	cache->heap = heap;
	cache->cpu = cpu;
	cache->hint = &no_span;
	init_llist_head(&cache->inbox);
	INIT_LIST_HEAD(&cache->owned);
	for (i = 0; i < GH_NR_PAIRS; i++)
		cache->slots[i] = &gh_no_slots;
}

/* Take over what other CPUs freed. If the objects have to wait, limbo calls for a merge later. */
static void merge(struct gh_cache *cache, struct gh_span *s)
{
	int merged = gh_span_merge(s);

	if (s->flags & GH_F_TINY)
		gh_tiny_close_empty(cache);
	if (merged == -EAGAIN && gh_span_claim(s))
		gh_limbo_add(s);
}

static __always_inline void use_word(struct gh_cache *cache, struct gh_span *s, unsigned int i,
				     unsigned long avail)
{
	struct gh_slot *slot = gh_cache_slot(cache, s->spanclass);

	slot->avail = avail;
	slot->word = &s->words[i].free;
	slot->base = s->base + i * BITS_PER_LONG * slot->size;
	slot->fresh = gh_span_use_fresh(s, i);
}

/* Let the slot have one random free object of the span, not all of a word. */
static noinline bool use_any(struct gh_cache *cache, struct gh_span *s)
{
	u32 draw = gh_random_draw();
	unsigned long avail;
	unsigned int i;

	avail = gh_span_find(s, draw, &i);
	if (avail)
		use_word(cache, s, i, gh_draw_bit(draw, avail));
	return avail;
}

/* Let the slot allocate from the span's first word with free objects, if any. */
static bool use_span(struct gh_cache *cache, struct gh_span *s)
{
	struct gh_slot *slot = gh_cache_slot(cache, s->spanclass);
	unsigned long avail = 0;
	unsigned int i;

	/* The objects that the slot still has would be handed out twice. */
	if (WARN_ON_ONCE(slot->avail || slot->top->p))
		return false;
	if (unlikely(gh_random))
		return use_any(cache, s);
	for (i = 0; i < gh_span_nwords(s); i++) {
		avail = gh_word_usable(&s->words[i]);
		if (avail)
			break;
	}
	if (avail)
		use_word(cache, s, i, avail);
	return avail;
}

/* Make the span the current one of a dry slot. False if the span is full; then it is unlisted. */
static bool set_current(struct gh_cache *cache, struct gh_span *s)
{
	if (!use_span(cache, s)) {
		WRITE_ONCE(s->flags, s->flags & ~GH_F_LISTED);
		return false;
	}
	gh_cache_bin(cache, s->spanclass)->active = s;
	WRITE_ONCE(cache->filled, true);
	WRITE_ONCE(s->flags, s->flags | GH_F_LISTED);
	return true;
}

static void drop_current(struct gh_cache *cache, unsigned int sc)
{
	gh_cache_slot(cache, sc)->avail = 0;
	gh_cache_bin(cache, sc)->active = NULL;
}

/* Use another word of the current span, or what other CPUs freed in the span. */
static bool reuse_current(struct gh_cache *cache, unsigned int sc)
{
	struct gh_span *s = gh_cache_bin(cache, sc)->active;

	if (!s)
		return false;
	if (use_span(cache, s))
		return true;
	if (gh_span_has_remote(s)) {
		merge(cache, s);
		if (use_span(cache, s))
			return true;
	}
	/* A full span is on no list until one of its objects is freed. */
	WRITE_ONCE(s->flags, s->flags & ~GH_F_LISTED);
	drop_current(cache, sc);
	return false;
}

static struct gh_span *pop_partial(struct gh_bin *bin)
{
	struct gh_span *s = bin->partial;

	if (s) {
		bin->partial = s->next;
		bin->nr_partial--;
	}
	return s;
}

/* A span is about to leave the cache. */
static void forget_hint(struct gh_cache *cache)
{
	cache->hint = &no_span;
}

/*
 * Let go of an empty span that is on no list; the span is put on the list of those that are
 * gone. False if a freeing CPU has the token just now.
 */
static bool release(struct gh_cache *cache, struct gh_span *s, struct gh_span **gone)
{
	if (!gh_span_claim(s))
		return false;
	forget_hint(cache);
	list_del_init(&s->list);
	WRITE_ONCE(s->owner, NULL);
	s->next = *gone;
	*gone = s;
	return true;
}

/* Likewise, of a span that need not be empty: if it is not, its central list gets it. */
static bool disown(struct gh_cache *cache, struct gh_span *s, struct gh_span **gone)
{
	if (!gh_span_claim(s))
		return false;
	forget_hint(cache);
	list_del_init(&s->list);
	if (!gh_central_put(s)) {
		s->next = *gone;
		*gone = s;
	}
	return true;
}

static unsigned int flush_batch(const struct gh_cache *cache)
{
	return want_init_on_free() && cache->heap->objects.keep ? CLEAR_BATCH : FLUSH_BATCH;
}

static unsigned int tidy_batch(const struct gh_cache *cache)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT) || irqs_disabled() || want_init_on_free())
		return flush_batch(cache);
	return TIDY_BATCH;
}

/*
 * Free the empty spans beyond @keep, a batch at a time. The other spans keep their
 * order. False if there are more.
 */
static bool tidy_empties(struct gh_cache *cache, struct gh_bin *bin, unsigned int keep)
{
	struct gh_span **link = &bin->partial, *s, *next, *gone = NULL;
	unsigned int budget = tidy_batch(cache);

	while ((s = *link)) {
		next = s->next;
		if (next) {
			prefetch(next);
			prefetchw(&next->base);
		}
		if (gh_span_is_empty(s) && !(keep && keep--)) {
			if (!budget--)
				break;
			if (release(cache, s, &gone)) {
				*link = next;
				bin->nr_partial--;
				bin->released++;
				continue;
			}
		}
		link = &s->next;
	}
	gh_spans_free_list(gone);
	return !s;
}

/*
 * Give the spans after the first @keep to the central list, a batch at a time: these spans
 * have been on the partial list for longest. False if there are more.
 */
static bool tidy_surplus(struct gh_cache *cache, struct gh_bin *bin, unsigned int keep)
{
	struct gh_span **link = &bin->partial, *s, *next, *gone = NULL;
	unsigned int budget = tidy_batch(cache);

	while (keep-- && *link)
		link = &(*link)->next;
	while ((s = *link) && budget--) {
		next = s->next;
		if (disown(cache, s, &gone)) {
			*link = next;
			bin->nr_partial--;
		} else {
			link = &s->next;
		}
	}
	gh_spans_free_list(gone);
	return !s;
}

/* Before a span leaves the cache: let the slot keep no object ready for allocation. */
static void unpin_slot(struct gh_cache *cache, unsigned int sc)
{
	gh_magazine_empty(cache, sc);
	if (sc == GH_SC_TINY)
		gh_tiny_close(cache);
}

static void tidy(struct gh_cache *cache, unsigned int sc)
{
	struct gh_bin *bin = gh_cache_bin(cache, sc);
	unsigned int least = gh_spans_in(GH_TIDY_BYTES, class_of(cache, sc));
	unsigned int most = gh_spans_in(PARTIAL_BYTES, class_of(cache, sc));

	if (gh_is_nested())	/* the interrupted code may hold the page heap's lock */
		return;
	unpin_slot(cache, sc);
	if (!tidy_empties(cache, bin, least / 2 + bin->extra) ||
	    (bin->nr_partial >= most && !tidy_surplus(cache, bin, most / 2))) {
		bin->limit = bin->nr_partial;	/* go on with the next span that is listed */
		return;
	}
	bin->limit = clamp(2 * bin->nr_partial, least, most);
}

/* The class needs a new span after it gave one back: let the class keep one more. */
static void miss_released(struct gh_cache *cache, unsigned int sc)
{
	struct gh_bin *bin = gh_cache_bin(cache, sc);
	unsigned long bytes = class_of(cache, sc)->span_bytes;

	if (!bin->released)
		return;
	bin->released--;
	if (cache->extra_bytes + bytes > EXTRA_BYTES)
		return;
	bin->extra++;
	cache->extra_bytes += bytes;
}

/* The class may not need its extra spans any more: keep @extra of them. */
static void forget_misses(struct gh_cache *cache, unsigned int sc, unsigned int extra)
{
	struct gh_bin *bin = gh_cache_bin(cache, sc);

	if (class_of(cache, sc)->size)
		bin->limit = gh_spans_in(GH_TIDY_BYTES, class_of(cache, sc));
	cache->extra_bytes -= (bin->extra - extra) * class_of(cache, sc)->span_bytes;
	bin->extra = extra;
	bin->released = 0;
}

/**
 * gh_cache_list() - put a span on the partial list, and tidy up if the list has grown
 * @cache: ours
 * @s: a span of ours that has a free object
 *
 * Context: The section.
 */
void gh_cache_list(struct gh_cache *cache, struct gh_span *s)
{
	struct gh_bin *bin = gh_cache_bin(cache, s->spanclass);

	gh_cache_push(cache, s);
	if (bin->nr_partial > bin->limit)
		tidy(cache, s->spanclass);
}

/* The span that has waited longest in the inbox for its remote frees to be merged. */
static struct gh_span *next_arrived(struct gh_cache *cache)
{
	struct llist_node *node = cache->arrived;

	if (!node) {
		if (!gh_cache_has_arrivals(cache))
			return NULL;
		node = llist_reverse_order(llist_del_all(&cache->inbox));
		data_race(cache->inbox_bytes = 0);	/* percpu/remote.c: inbox_push() */
	}
	WRITE_ONCE(cache->arrived, node->next);
	/* Another CPU wrote to the next span last, and has its cache line. */
	if (node->next)
		prefetchw(llist_entry(node->next, struct gh_span, queue));
	return llist_entry(node, struct gh_span, queue);
}

static void inbox_merge_one(struct gh_cache *cache, struct gh_span *s)
{
	cache->drained++;
	gh_span_unclaim(s);
	merge(cache, s);
	if (gh_span_free_word(s))
		gh_cache_list(cache, s);
}

/**
 * gh_cache_drain() - take over what others freed into our spans
 * @cache: ours
 *
 * Context: The section.
 */
void gh_cache_drain(struct gh_cache *cache)
{
	struct gh_span *s;

	while ((s = next_arrived(cache)))
		inbox_merge_one(cache, s);
}

/*
 * An object of the slot that another CPU freed a second time must not be handed out: the
 * object stays free, and the merge of the second free reports it. Has the slot other objects?
 */
static bool has_others(struct gh_cache *cache, unsigned int sc)
{
	struct gh_slot *slot = gh_cache_slot(cache, sc);

	for (; slot->top->p; slot->top--) {
		if (!gh_is_freed_twice(slot->top->word, slot->top->nr))
			return true;
		gh_cache_push(cache, gh_span_of(slot->top->p));
	}
	if (slot->avail)
		slot->avail &= ~gh_slot_remote(slot);
	return slot->avail;
}

static bool use_partial(struct gh_cache *cache, unsigned int sc)
{
	struct gh_span *s;

	while ((s = pop_partial(gh_cache_bin(cache, sc))))
		if (set_current(cache, s))
			return true;
	return false;
}

/**
 * gh_cache_refill() - make a slot able to allocate again
 * @cache: ours
 * @sc: which slot; it has run dry
 *
 * Context: The section.
 * Return: true if the slot has free objects now; false if this
 * takes a new span.
 */
bool gh_cache_refill(struct gh_cache *cache, unsigned int sc)
{
	struct gh_span *s;

	if (unlikely(cache->heap->debug || !gh_cache_has_slot(cache, sc)))
		return false;
	gh_cache_bin(cache, sc)->refills++;
	cache->refills++;
	if (has_others(cache, sc) || reuse_current(cache, sc) || use_partial(cache, sc))
		return true;
	/* As late and as few as possible: one merge of many frees is cheaper than many merges. */
	while (!gh_is_nested() && (s = next_arrived(cache))) {
		inbox_merge_one(cache, s);
		if (use_partial(cache, sc))
			return true;
	}
	s = gh_central_fetch(cache->heap, cache, sc, gh_mem_node());
	if (!s)
		return false;
	list_add(&s->list, &cache->owned);
	return set_current(cache, s);
}

/**
 * gh_cache_install() - own a new span
 * @cache: ours
 * @s: initialised, token held, no owner; its slot was made
 *
 * Context: The section.
 */
void gh_cache_install(struct gh_cache *cache, struct gh_span *s)
{
	struct gh_slot *slot = gh_cache_slot(cache, s->spanclass);

	miss_released(cache, s->spanclass);
	list_add(&s->list, &cache->owned);
	WRITE_ONCE(s->owner, cache);
	gh_span_unclaim(s);
	/* After the refill failed, an interrupt or another task may have filled the slot. */
	if (slot->top->p || slot->avail || reuse_current(cache, s->spanclass))
		gh_cache_push_partial(cache, s);
	else
		set_current(cache, s);
}

static void flush_current(struct gh_cache *cache, unsigned int sc)
{
	struct gh_bin *bin = gh_cache_bin(cache, sc);
	struct gh_span *s = bin->active;

	unpin_slot(cache, sc);
	if (!s)
		return;
	drop_current(cache, sc);
	merge(cache, s);
	if (gh_span_free_word(s))
		gh_cache_push_partial(cache, s);
	else
		WRITE_ONCE(s->flags, s->flags & ~GH_F_LISTED);
}

/**
 * gh_cache_flush_some() - give spans with free objects back
 * @cache: ours
 * @sc: of which slot
 *
 * Full spans stay: nobody could use them.
 *
 * Context: The section.
 * Return: true if there is more to do.
 */
bool gh_cache_flush_some(struct gh_cache *cache, unsigned int sc)
{
	struct gh_bin *bin = gh_cache_bin(cache, sc);
	struct gh_span *s, *kept = NULL, *gone = NULL;
	unsigned int batch = flush_batch(cache), i, done = 0;

	flush_current(cache, sc);
	forget_misses(cache, sc, 0);
	for (i = 0; i < batch; i++) {
		s = pop_partial(bin);
		if (!s)
			break;
		if (disown(cache, s, &gone)) {
			done++;
			continue;
		}
		/* A freeing CPU has the token, and queues the span in the inbox or in limbo. */
		s->next = kept;
		kept = s;
	}
	gh_spans_free_list(gone);
	while ((s = kept)) {
		kept = s->next;
		gh_cache_push_partial(cache, s);
	}
	return done && bin->partial;
}

/* No object is lost: the bitmaps have the bit of every object that the slot had ready. */
static void forget_slot(struct gh_cache *cache, unsigned int sc)
{
	struct gh_bin *bin = gh_cache_bin(cache, sc);
	struct gh_freed *magazine;

	preempt_disable();
	unpin_slot(cache, sc);
	drop_current(cache, sc);
	forget_misses(cache, sc, 0);
	magazine = gh_magazine_detach(cache, sc);
	bin->partial = NULL;
	bin->nr_partial = 0;
	preempt_enable();
	kfree(magazine);
}

/**
 * gh_cache_forget() - let a dead CPU's cache hand out nothing of its spans
 * @cache: the spans are left in its list of all, to be taken over
 *
 * Context: Process context.
 */
void gh_cache_forget(struct gh_cache *cache)
{
	unsigned int sc;

	preempt_disable();
	gh_park_flush(cache);
	gh_stock_flush(cache);
	forget_hint(cache);
	preempt_enable();
	gh_cache_for_each_slot(cache, sc)
		forget_slot(cache, sc);
	/* A flush that was asked for is done; left set, no flush would be asked for again. */
	WRITE_ONCE(cache->flush, false);
	WRITE_ONCE(cache->filled, false);
	gh_cache_count_flush(cache);
}

/**
 * gh_cache_relax() - give up half of the extra spans that a slot keeps
 * @cache: ours
 * @sc: of which slot
 *
 * Context: The section.
 */
void gh_cache_relax(struct gh_cache *cache, unsigned int sc)
{
	struct gh_bin *bin = gh_cache_bin(cache, sc);

	if (!bin->extra)
		return;
	forget_misses(cache, sc, bin->extra / 2);
	tidy(cache, sc);
}
