// SPDX-License-Identifier: GPL-2.0
/*
 * Many objects at a time: whole words of a span's bitmap, and what lies side by side.
 */

#include <linux/bitops.h>
#include <linux/module.h>

#include "api/bulk.h"
#include "base/context.h"
#include "base/gfp.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "front/lookup.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/fault.h"
#include "hooks/sanitize.h"
#include "pages/map.h"
#include "percpu/cache.h"
#include "percpu/slot.h"
#include "span.h"

/* How many bits are set from @bit on, which is. */
static unsigned int ones_from(unsigned long word, unsigned int bit)
{
	unsigned long zeroes = ~(word >> bit);

	return zeroes ? __ffs(zeroes) : BITS_PER_LONG;
}

/* @n addresses, @size bytes apart. */
static __always_inline void fill(void **p, unsigned int n, unsigned long at, unsigned long size)
{
	for (; n >= 4; n -= 4, p += 4, at += 4 * size) {
		p[0] = (void *)at;
		p[1] = (void *)(at + size);
		p[2] = (void *)(at + 2 * size);
		p[3] = (void *)(at + 3 * size);
	}
	for (; n; n--, p++, at += size)
		*p = (void *)at;
}

/* Up to @n objects of the slot's current word, by runs; the section is held. */
static unsigned int take_word(struct gh_slot *slot, unsigned int n, void **p)
{
	unsigned long left = slot->avail, size = slot->size;
	unsigned int i = 0, run, bit;

	if (unlikely(!left || left & gh_slot_remote(slot)))
		return 0;
	while (i < n && left) {
		bit = __ffs(left);
		run = min(n - i, ones_from(left, bit));
		left &= ~(GENMASK(run - 1, 0) << bit);
		fill(p + i, run, slot->base + bit * size, size);
		i += run;
	}
	if (i) {
		WRITE_ONCE(*slot->word, *slot->word ^ slot->avail ^ left);
		slot->avail = left;
		slot->allocs += i;
	}
	return i;
}

/* Up to @n objects, fewer if this takes a new span; the section is held. */
static unsigned int take_bulk(struct gh_cache *cache, unsigned int sc, unsigned int n, void **p)
{
	struct gh_slot *slot = gh_cache_slot(cache, sc);
	unsigned int i = 0;

	do {
		i += take_word(slot, n - i, p + i);
		while (i < n && (p[i] = gh_slot_take(slot)))
			i++;
	} while (i < n && gh_cache_refill(cache, sc));
	return i;
}

/* Objects taken or freed in one section at most. */
#define BULK_BATCH	64U

/**
 * gh_bulk_take() - allocate objects in one section
 * @heap: of which heap
 * @sc: of which span class
 * @n: how many at most
 * @p: where they go
 *
 * The sanitizers are not told.
 *
 * Context: Any.
 * Return: how many; fewer than @n if there are many, or if this takes a new span.
 */
unsigned int gh_bulk_take(struct goheap *heap, unsigned int sc, unsigned int n, void **p)
{
	struct gh_cache *cache;
	unsigned int i = 0;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (likely(gh_section_enter(cache))) {
		i = take_bulk(cache, sc, min(n, BULK_BATCH), p);
		gh_section_exit(cache);
	}
	preempt_enable();
	return i;
}

static void finish_batch(unsigned int sc, size_t size, gfp_t gfp, unsigned int n, void **p)
{
	if (!GH_SANITIZES && !want_init_on_alloc(gfp))
		return;
	while (n--) {
		if (want_init_on_alloc(gfp))
			gh_clear(p[n], gh_sc_bytes(sc));
		gh_post_alloc(p[n], size, sc, gfp);
	}
}

unsigned int goheap_heap_alloc_bulk(struct goheap *heap, size_t size, gfp_t gfp, unsigned int n,
				    void **p)
{
	bool batches = size - 1 < GH_SMALL_MAX && !(gfp & (GH_GFP_REFUSED | __GFP_THISNODE));
	unsigned int i = 0, sc, got;

	heap = heap ?: gh_default;
	n = gh_fault_hits_bulk(size, gfp, n);
	gh_might_alloc(gfp);
	while (i < n) {
		if (batches) {
			sc = gh_size_class(size) * 2;
			got = gh_bulk_take(heap, sc, n - i, p + i);
			finish_batch(sc, size, gfp, got, p + i);
			i += got;
			if (i < n)
				gh_yield(gfp);
		}
		if (i == n)
			break;
		p[i] = gh_alloc(heap, size, 0, gfp, false, NUMA_NO_NODE);
		if (!p[i])
			break;
		i++;
	}
	return i;
}
EXPORT_SYMBOL_GPL(goheap_heap_alloc_bulk);

unsigned int goheap_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p)
{
	return goheap_heap_alloc_bulk(gh_default, size, gfp, n, p);
}
EXPORT_SYMBOL_GPL(goheap_alloc_bulk);

/* How many of the first @n pointers are @size bytes apart, each above the one before. */
static __always_inline unsigned int in_row(void **p, unsigned int n, unsigned long size)
{
	unsigned long at = (unsigned long)p[0];
	unsigned int i = 1;

	/* One branch for four. */
	for (; i + 4 <= n; i += 4, at += 4 * size)
		if (((unsigned long)p[i] ^ (at + size)) |
		    ((unsigned long)p[i + 1] ^ (at + 2 * size)) |
		    ((unsigned long)p[i + 2] ^ (at + 3 * size)) |
		    ((unsigned long)p[i + 3] ^ (at + 4 * size)))
			break;
	for (; i < n && (unsigned long)p[i] == at + size; i++)
		at += size;
	return i;
}

/*
 * Free the first pointers of @p that are neighbours in one word of a span's bitmap.
 * Returns how many: none if the first is no live object. @size is that of an object.
 */
static unsigned int free_neighbours(struct gh_span *s, unsigned long size, unsigned int n, void **p)
{
	unsigned long off = (unsigned long)p[0] - s->base, mask, taken;
	unsigned int idx, bit, run, i;
	struct gh_word *w;

	if (off >= s->limit || !gh_span_starts(s, off, &idx))
		return 0;
	w = gh_span_word(s, idx);
	bit = idx % BITS_PER_LONG;
	n = min3(n, (unsigned int)BITS_PER_LONG - bit, s->nelems - idx);
	run = in_row(p, n, size);
	mask = GENMASK(run - 1, 0) << bit;
	taken = (w->free | atomic_long_read(&w->remote)) & mask;
	if (unlikely(taken)) {
		/* Up to the first that is free already. */
		run = __ffs(taken) - bit;
		mask &= BIT(bit + run) - 1;
	}
	WRITE_ONCE(w->free, w->free | mask);
	for (i = 0; GH_SANITIZES && i < run; i++)
		gh_sanitize_free_small(s, p[i]);
	return run;
}

/*
 * Free the first pointers of @p that are live objects of one span of ours; the
 * section is held. Returns how many: goheap_free() has to look at the next one.
 */
static unsigned int free_run(struct gh_cache *cache, unsigned int n, void **p)
{
	struct gh_span *s = gh_span_of(p[0]);
	unsigned int i = 0, run;
	unsigned long size;

	if (!gh_cache_may_free(cache, s))
		return 0;
	size = s->elemsize;
	do {
		run = free_neighbours(s, size, n - i, p + i);
		i += run;
	} while (run && i < n);
	if (i)
		gh_cache_list(cache, s);
	return i;
}

static void check_batch(unsigned int n, void **p)
{
	while (GH_CHECKS_FREES && n--)
		gh_check_free(p[n]);
}

/**
 * gh_bulk_give() - free objects in one section
 * @heap: whose objects they should be
 * @n: how many
 * @p: the objects
 *
 * Context: Any; no section held.
 * Return: how many of the first were freed; fewer than @n if there are many, or if the next one
 * is no live object of a span that this CPU owns.
 */
unsigned int gh_bulk_give(struct goheap *heap, unsigned int n, void **p)
{
	struct gh_cache *cache;
	unsigned int i = 0, run;

	n = min(n, BULK_BATCH);
	check_batch(n, p);
	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	if (likely(gh_section_enter(cache))) {
		do {
			run = free_run(cache, n - i, p + i);
			i += run;
		} while (run && i < n);
		gh_section_exit(cache);
	}
	preempt_enable();
	return i;
}

void goheap_free_bulk(unsigned int n, void **p)
{
	unsigned int i = 0;

	while (i < n) {
		i += gh_bulk_give(gh_default, n - i, p + i);
		/* The end of the batch, or an object that takes the slow path. */
		if (i < n)
			goheap_free(p[i++]);
	}
}
EXPORT_SYMBOL_GPL(goheap_free_bulk);
