// SPDX-License-Identifier: GPL-2.0
/*
 * Making spans for a heap, and giving them back to the page heap.
 */

#include <linux/bitmap.h>
#include <linux/mm.h>

#include "arena.h"
#include "base/compat.h"
#include "base/heap_page.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/records.h"
#include "hooks/sanitize.h"
#include "pages/pageheap.h"
#include "span.h"
#include "spans/alloc.h"
#include "spans/merge.h"

/*
 * Pages, charged to the heap, with records for @nr objects if the heap wants them. -EDQUOT:
 * the heap's limit is reached, but more can be had when the heap gives something back.
 */
static struct gh_span *new_pages(struct goheap *heap, const struct gh_want *w, unsigned int nr,
				 gfp_t gfp, int nid)
{
	struct gh_records *records;
	struct gh_span *s;

	if (!gh_heap_charge(heap, w->npages))
		return ERR_PTR(w->npages > heap->limit ? -ENOMEM : -EDQUOT);
	records = gh_records_new(heap, nr, gfp);
	if (!records)
		goto uncharge;
	s = gh_arena_alloc(w, gfp, nid == NUMA_NO_NODE ? gh_mem_node() : nid);
	if (!s)
		goto drop;
	/* A late free of an object of the descriptor's earlier life may read this. */
	WRITE_ONCE(s->records, IS_ERR(records) ? NULL : records);
	return s;

drop:
	gh_records_drop(records);
uncharge:
	atomic_long_sub(w->npages, &heap->pages);
	return ERR_PTR(-ENOMEM);
}

/* The geometry of a span of that length: an object cache has two. */
static const struct gh_class *class_of(const struct goheap *heap, unsigned int sc,
				       unsigned int npages)
{
	if (sc == GH_SC_OBJECT && npages << GH_PAGE_SHIFT == heap->objects.least.span_bytes)
		return &heap->objects.least;
	return gh_heap_class(heap, sc);
}

static void want_class(struct gh_want *w, unsigned int sc, const struct gh_class *class)
{
	w->npages = class->span_bytes >> GH_PAGE_SHIFT;
	w->align = max(class->align >> GH_PAGE_SHIFT, 1U);
	w->kind = gh_span_kind(sc, class->objects);
}

/* Will shorter spans do, if need be? */
static bool has_shorter(const struct goheap *heap, unsigned int sc)
{
	if (sc == GH_SC_OBJECT)
		return heap->objects.least.span_bytes < heap->objects.class.span_bytes;
	return gh_sc_shorter(sc) != sc;
}

/**
 * gh_spans_want_small() - say which pages a span of small objects needs
 * @w: to be filled in
 * @heap: whose it will be
 * @sc: span class, GH_SC_TINY or GH_SC_OBJECT
 * @gfp: see goheap_alloc()
 *
 * Context: Any.
 */
void gh_spans_want_small(struct gh_want *w, const struct goheap *heap, unsigned int sc,
			 gfp_t gfp)
{
	*w = (struct gh_want) {
		.state = GH_SPAN_SMALL,
		.gentle = has_shorter(heap, sc),
		.atomic = !gfpflags_allow_blocking(gfp),
	};
	want_class(w, sc, gh_heap_class(heap, sc));
}

/* Have every object of a new span constructed. */
static void construct(const struct gh_objects *o, struct gh_span *s, unsigned int nr)
{
	void *p = (void *)s->base;

	for (; nr--; p += o->class.size) {
		gh_unpoison(p, o->class.size);
		o->ctor(p);
		gh_poison_pages((unsigned long)p, o->class.size);
	}
}

/**
 * gh_spans_begin_small() - cut the pages of a span into free objects
 * @s: its pages are charged to the heap
 * @heap: whose
 * @sc: span class, GH_SC_TINY or GH_SC_OBJECT
 *
 * Context: Any; nobody else knows the span yet. No lock and no section held.
 */
void gh_spans_begin_small(struct gh_span *s, struct goheap *heap, unsigned int sc)
{
	const struct gh_class *class = class_of(heap, sc, s->npages);

	gh_poison_pages(s->base, gh_span_bytes(s));
	/* Before any other CPU can find the objects. */
	if (heap->objects.ctor)
		construct(&heap->objects, s, class->objects);
	gh_span_init_small(s, heap, sc, class);
	gh_arena_commit(s);
}

/**
 * gh_spans_new_small() - make a span of free objects
 * @heap: whose
 * @sc: span class, GH_SC_TINY or GH_SC_OBJECT
 * @gfp: see goheap_alloc()
 * @nid: node, or NUMA_NO_NODE for the nearest
 * @stock: see &gh_want.stock; the heap is not charged for what is in it
 *
 * Context: Any that @gfp allows; no lock and no section held.
 * Return: the span, token held, without an owner; -EDQUOT if the heap's limit is reached,
 * -ENOMEM if there is no memory, or the limit is less than a span.
 */
struct gh_span *gh_spans_new_small(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid,
				   struct gh_stock *stock)
{
	const struct gh_class *class = gh_heap_class(heap, sc);
	struct gh_want w;
	struct gh_span *s;

	gh_spans_want_small(&w, heap, sc, gfp);
	w.stock = stock;
	s = new_pages(heap, &w, class->objects, gfp, nid);
	if (IS_ERR(s) && sc == GH_SC_OBJECT && w.gentle) {
		/* In fragmented memory: as short as an object allows. */
		want_class(&w, sc, &heap->objects.least);
		w.gentle = false;
		s = new_pages(heap, &w, heap->objects.least.objects, gfp, nid);
	}
	if (!IS_ERR(s))
		gh_spans_begin_small(s, heap, sc);
	return s;
}

/**
 * gh_spans_new_large() - make a span of one live object
 * @heap: whose
 * @npages: how many heap pages
 * @align: of the first one, in heap pages; a power of two
 * @gfp: see goheap_alloc()
 * @noscan: the object holds no pointers
 * @nid: node, or NUMA_NO_NODE for the nearest
 * @zero: cleared if the pages are known to be zero
 *
 * Context: Any that @gfp allows; no lock and no section held.
 * Return: the span, -EDQUOT or -ENOMEM.
 */
struct gh_span *gh_spans_new_large(struct goheap *heap, unsigned int npages, unsigned int align,
				   gfp_t gfp, bool noscan, int nid, bool *zero)
{
	const struct gh_want w = {
		.npages = npages,
		.align = align,
		.kind = GH_KIND_1,
		.state = GH_SPAN_LARGE,
		.atomic = !gfpflags_allow_blocking(gfp),
	};
	struct gh_span *s;

	s = new_pages(heap, &w, 1, gfp, nid);
	if (IS_ERR(s))
		return s;
	if (!s->needzero)
		*zero = false;
	gh_span_init_large(s, heap, gh_span_bytes(s), noscan);
	gh_arena_commit(s);
	atomic_long_inc(&heap->large_allocs);
	atomic_long_inc(&heap->large_live);
	return s;
}

/*
 * Clear the objects that no free has cleared, in a span whose pages go: objects that leaked when
 * the heap was destroyed, and objects freed by goheap_free_rcu() that were not merged yet.
 */
static void wipe(struct gh_span *s)
{
	unsigned long bit, left;
	unsigned int i;

	if (s->flags & GH_F_LARGE) {
		if (gh_span_is_live(s, 0))
			gh_clear((void *)s->base, s->limit);
		return;
	}
	/* No free has cleared anything. */
	if (s->flags & GH_F_KEEP) {
		gh_clear((void *)s->base, s->limit);
		return;
	}
	for (i = 0; i < gh_span_nwords(s); i++) {
		left = gh_span_valid_bits(s, i) & ~s->words[i].free;
		for_each_set_bit(bit, &left, BITS_PER_LONG)
			gh_clear(gh_span_object(s, i * BITS_PER_LONG + bit), s->elemsize);
	}
}

static void drop_records(struct gh_span *s)
{
	struct gh_records *records = s->records;

	if (!records)
		return;
	WRITE_ONCE(s->records, NULL);
	gh_records_drop(records);
}

static void prepare_free(struct gh_span *s)
{
	/* First, while the objects' bytes are still as the last users left them. */
	if (s->records)
		gh_debug_validate(s);
	if (want_init_on_free() && !s->heap->objects.typesafe)
		wipe(s);
	/*
	 * If two CPUs freed an object at the same time, both of its bits are set, and the
	 * merge of the second free is late: merge here. No grace period is waited for: one
	 * of the two frees came when the object had no readers.
	 */
	if (unlikely(!(s->flags & GH_F_LARGE) && gh_span_has_remote(s))) {
		WRITE_ONCE(s->rcu_used, false);
		gh_span_merge(s);
	}
	/* A report may name who used a type-safe object for as long as the object can be found. */
	if (s->heap->objects.typesafe)
		return;
	drop_records(s);
	gh_poison_pages(s->base, gh_span_bytes(s));
}

/* Once for spans of one heap that follow each other. */
static void uncharge(const struct gh_span *s)
{
	unsigned long npages = 0;

	for (; s; s = s->next) {
		npages += s->npages;
		if (s->next && s->next->heap == s->heap)
			continue;
		atomic_long_sub(npages, &s->heap->pages);
		npages = 0;
	}
}

/* The readers of the type-safe objects have gone. */
static void release_rcu(struct rcu_head *rcu)
{
	struct gh_span *s = container_of(rcu, struct gh_span, rcu);

	if (want_init_on_free())
		wipe(s);
	drop_records(s);
	gh_poison_pages(s->base, gh_span_bytes(s));
	s->next = NULL;
	uncharge(s);
	gh_arena_free_list(s);
}

/* Spans of type-safe objects may have readers, and go one by one. Returns the other spans. */
static struct gh_span *defer_typesafe(struct gh_span *list)
{
	struct gh_span **link = &list, *s;

	while ((s = *link)) {
		if (likely(!s->heap->objects.typesafe)) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		gh_call_rcu(&s->rcu, release_rcu);
	}
	return list;
}

/**
 * gh_spans_free_list() - give spans back to the page heap
 * @list: linked by @next. No object in them is live; tokens held; on no other list
 *
 * The pages of type-safe objects go after a grace period; until then the span counts as its
 * heap's, and has free objects only.
 *
 * Context: Any but NMI; no lock held.
 */
void gh_spans_free_list(struct gh_span *list)
{
	struct gh_span *s;

	for (s = list; s; s = s->next)
		prepare_free(s);
	list = defer_typesafe(list);
	if (!list)
		return;
	uncharge(list);
	gh_arena_free_list(list);
}
