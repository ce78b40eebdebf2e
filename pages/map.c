// SPDX-License-Identifier: GPL-2.0
/*
 * The map from any address to its span: a flat table of arenas, by address, and in each
 * arena a table of spans, by page. The table of arenas covers all memory. When more
 * memory is plugged in, a larger table takes its place.
 *
 * Lookups hold no lock: what they find outlives an RCU grace period.
 */

#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "base/compat.h"
#include "base/context.h"
#include "base/gfp.h"
#include "base/heap_page.h"
#include "base/peek.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "pages/chunk.h"
#include "pages/map.h"
#include "span.h"

struct gh_map *gh_map;

/*
 * Guards which arenas are in the map and which of their pages are owned, against
 * CPUs that take chunks from the kernel or give pages back.
 */
static DEFINE_RAW_SPINLOCK(map_lock);
static unsigned long nr_arenas;			/* map_lock */

static unsigned long arena_number(unsigned long addr)
{
	return (addr >> GH_ARENA_SHIFT) - gh_map->first;
}

static struct gh_arena *arena_new(unsigned long base, gfp_t gfp)
{
	struct gh_arena *arena = NULL;

	if (gh_order_exists(get_order(sizeof(*arena))))
		arena = alloc_pages_exact(sizeof(*arena), gh_gfp_of_tables(gfp));
	if (!arena && gfpflags_allow_blocking(gfp))
		arena = __vmalloc(sizeof(*arena), gh_gfp_of_vmalloc(gfp));
	if (arena)
		arena->base = base;
	return arena;
}

static void arena_delete(struct gh_arena *arena)
{
	if (is_vmalloc_addr(arena))
		vfree(arena);
	else if (arena)
		free_pages_exact(arena, sizeof(*arena));
}

static void arena_delete_rcu(struct rcu_head *rcu)
{
	arena_delete(container_of(rcu, struct gh_arena, rcu));
}

static struct gh_map *map_new(unsigned long first, unsigned long nr, gfp_t gfp)
{
	struct gh_map *map;

	/* In an interrupt vmalloc() must not even be tried, whatever the flags. */
	if (gfpflags_allow_blocking(gfp))
		map = kvzalloc(struct_size(map, arenas, nr), gh_gfp_of_vmalloc(gfp));
	else
		map = kzalloc(struct_size(map, arenas, nr), gh_gfp_of_tables(gfp));
	if (map) {
		map->first = first;
		map->nr = nr;
	}
	return map;
}

static void map_delete_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct gh_map, rcu));
}

/* What try_claim() may need. Parts that try_claim() does not use are freed again. */
struct spares {
	struct gh_map *map;
	struct gh_arena *arena;
};

/* A larger map takes the place of this one. */
static void replace_map(struct spares *spares)
{
	struct gh_map *old = gh_map;

	lockdep_assert_held(&map_lock);
	memcpy(spares->map->arenas, old->arenas, flex_array_size(old, arenas, old->nr));
	/* Pairs with the address dependency in gh_arena_of(). */
	smp_store_release(&gh_map, spares->map);
	spares->map = NULL;
	gh_call_rcu(&old->rcu, map_delete_rcu);
}

/* The arena, added if there is a spare one; NULL if something is missing. */
static struct gh_arena *publish(unsigned long n, struct spares *spares)
{
	lockdep_assert_held(&map_lock);
	if (n >= gh_map->nr) {
		if (!spares->map || n >= spares->map->nr)
			return NULL;
		replace_map(spares);
	}
	if (!gh_map->arenas[n] && spares->arena) {
		/* Pairs with the address dependency in gh_arena_of(). */
		smp_store_release(&gh_map->arenas[n], spares->arena);
		spares->arena = NULL;
		nr_arenas++;
	}
	return gh_map->arenas[n];
}

static bool try_claim(unsigned long addr, unsigned int npages, struct spares *spares)
{
	struct gh_arena *arena;
	unsigned long flags;

	gh_lock(&map_lock, flags);
	arena = publish(arena_number(addr), spares);
	if (arena) {
		bitmap_set(arena->owned, gh_arena_page(addr), npages);
		arena->nr_owned += npages;
	}
	gh_unlock(&map_lock, flags);
	return arena;
}

/* Make a larger map if there is more memory now than when the map was made. */
static struct gh_map *larger_map(unsigned long addr, gfp_t gfp)
{
	unsigned long n, first, nr;
	struct gh_map *map;

	rcu_read_lock();
	map = READ_ONCE(gh_map);
	first = map->first;
	nr = map->nr;
	rcu_read_unlock();
	n = (addr >> GH_ARENA_SHIFT) - first;
	/* An address below the map's first arena gives a number far beyond the last. */
	if (n < nr || n > ULONG_MAX / 2)
		return NULL;
	return map_new(first, max(n + 1, 2 * nr), gfp);
}

/**
 * gh_map_claim() - enter pages into the map as ours
 * @addr: the first one
 * @npages: how many heap pages, all in one arena
 * @gfp: how hard to try
 *
 * Context: Any that @gfp allows; no lock held.
 * Return: 0 or -ENOMEM.
 */
int gh_map_claim(unsigned long addr, unsigned int npages, gfp_t gfp)
{
	struct spares spares = {};
	bool done;

	if (try_claim(addr, npages, &spares))
		return 0;
	spares.map = larger_map(addr, gfp);
	spares.arena = arena_new(ALIGN_DOWN(addr, GH_ARENA_SIZE), gfp);
	done = try_claim(addr, npages, &spares);
	kvfree(spares.map);
	arena_delete(spares.arena);
	return done ? 0 : -ENOMEM;
}

/**
 * gh_map_unclaim() - the pages are no longer ours
 * @addr: the first one
 * @npages: how many heap pages, all in one arena
 *
 * An arena without pages of ours is freed after its last reader.
 *
 * Context: Any but NMI; no lock held.
 */
void gh_map_unclaim(unsigned long addr, unsigned int npages)
{
	struct gh_arena *arena;
	unsigned long n, flags;
	bool gone;

	gh_lock(&map_lock, flags);
	n = arena_number(addr);
	arena = gh_map->arenas[n];
	bitmap_clear(arena->owned, gh_arena_page(addr), npages);
	arena->nr_owned -= npages;
	arena->nr_returned += npages;
	gone = !arena->nr_owned;
	if (gone) {
		WRITE_ONCE(gh_map->arenas[n], NULL);
		nr_arenas--;
	}
	gh_unlock(&map_lock, flags);
	if (gone)
		gh_call_rcu(&arena->rcu, arena_delete_rcu);
}

/**
 * gh_map_set_range() - let the addresses of several pages find a span
 * @arena: of the pages
 * @addr: the first one
 * @npages: how many
 * @s: the span, or NULL
 *
 * Context: Any; the pages are the caller's to give.
 */
void gh_map_set_range(struct gh_arena *arena, unsigned long addr, unsigned int npages,
		      struct gh_span *s)
{
	struct gh_span **p = &arena->spans[gh_arena_page(addr)];
	struct gh_span **end = p + npages;

	gh_smp_wmb();	/* pairs with the address dependency in gh_span_of() */
	while (p < end)
		WRITE_ONCE(*p++, s);
}

/**
 * gh_map_mark() - say whether pages are in use
 * @arena: of the pages
 * @addr: the first one
 * @npages: how many
 * @used: are they?
 *
 * Atomic, because two nodes may meet in an arena; a word at a time.
 *
 * Context: Any; the pages are the caller's.
 */
void gh_map_mark(struct gh_arena *arena, unsigned long addr, unsigned int npages, bool used)
{
	unsigned int page = gh_arena_page(addr), end = page + npages, n;
	atomic_long_t *word;
	unsigned long bits;

	for (; page < end; page += n) {
		n = min_t(unsigned int, end - page, BITS_PER_LONG - page % BITS_PER_LONG);
		bits = GENMASK(n - 1, 0) << page % BITS_PER_LONG;
		word = (atomic_long_t *)&arena->in_use[page / BITS_PER_LONG];
		if (used)
			atomic_long_or(bits, word);
		else
			atomic_long_andnot(bits, word);
	}
}

/**
 * gh_map_owns() - is this address in a page of ours, free or not?
 * @addr: any
 *
 * Context: Any, preemption off.
 * Return: true if so.
 */
bool gh_map_owns(unsigned long addr)
{
	struct gh_arena *arena = gh_arena_of(addr);

	/* data_race(): changes of other bits in the same word do not matter. */
	return arena && data_race(test_bit(gh_arena_page(addr), arena->owned));
}

/**
 * gh_map_next() - walk the arenas
 * @n: number of the first arena to look at; gets the number of the one found
 *
 * Context: RCU read side, which also bounds the use of the answer.
 * Return: the arena, or NULL when there are no more.
 */
struct gh_arena *gh_map_next(unsigned long *n)
{
	struct gh_map *map = READ_ONCE(gh_map);
	struct gh_arena *arena;

	for (; *n < map->nr; ++*n) {
		arena = READ_ONCE(map->arenas[*n]);
		if (arena)
			return arena;
	}
	return NULL;
}

/**
 * gh_map_span_at() - the span that starts at a page
 * @arena: where
 * @page: which of its pages
 * @heap: whose span it has to be, or NULL
 *
 * Context: RCU read side, which also bounds the use of the answer.
 * Return: the span, not FREE a moment ago, or NULL.
 */
struct gh_span *gh_map_span_at(struct gh_arena *arena, unsigned int page, struct goheap *heap)
{
	struct gh_span *s = READ_ONCE(arena->spans[page]);

	/* Most spans are of other heaps; to read each span would cost a cache miss. */
	if (heap && READ_ONCE(arena->heaps[page]) != heap->id)
		return NULL;
	/* Pairs with smp_store_release() in gh_span_init_*(). 0: the span is not in use. */
	if (!s || !smp_load_acquire(&s->limit))
		return NULL;
	if (READ_ONCE(s->base) != arena->base + ((unsigned long)page << GH_PAGE_SHIFT))
		return NULL;
	return !heap || READ_ONCE(s->heap) == heap ? s : NULL;
}

static bool walk_arena(struct gh_arena *arena, struct goheap *heap, gh_span_fn *fn, void *arg)
{
	struct gh_span *s;
	unsigned int i;

	for (i = 0; i < GH_ARENA_PAGES; i++) {
		s = gh_map_span_at(arena, i, heap);
		if (s && !fn(s, arg))
			return false;
	}
	return true;
}

/**
 * gh_map_walk() - walk spans, by address
 * @heap: whose, or NULL for all
 * @fn: called for each; stops the walk by returning false. It may free the span.
 * @arg: for @fn
 *
 * Spans that come or go meanwhile may be missed.
 *
 * Context: Process context; @fn is called on the RCU read side.
 */
void gh_map_walk(struct goheap *heap, gh_span_fn *fn, void *arg)
{
	struct gh_arena *arena;
	unsigned long n;
	bool more = true;

	for (n = 0; more; n++) {
		rcu_read_lock();
		arena = gh_map_next(&n);
		more = arena && walk_arena(arena, heap, fn, arg);
		rcu_read_unlock();
		cond_resched();
	}
}

/**
 * gh_map_bytes() - bookkeeping overhead
 *
 * Context: Any.
 * Return: bytes of the map and of its arenas.
 */
unsigned long gh_map_bytes(void)
{
	struct gh_map *map;
	unsigned long bytes;

	rcu_read_lock();
	map = READ_ONCE(gh_map);
	bytes = struct_size(map, arenas, map->nr);
	rcu_read_unlock();
	return bytes + gh_peek(nr_arenas) * sizeof(struct gh_arena);
}

static unsigned long number_of_pfn(unsigned long pfn)
{
	return (unsigned long)__va(PFN_PHYS(pfn)) >> GH_ARENA_SHIFT;
}

/**
 * gh_map_init() - make an empty map
 *
 * Context: Process context.
 * Return: 0 or -ENOMEM.
 */
int gh_map_init(void)
{
	unsigned long start = ULONG_MAX, end = 0;
	int nid;

	/* Chunks are aligned physically; with this their addresses are aligned as well. */
	if (WARN_ON(!IS_ALIGNED(PAGE_OFFSET, GH_MAX_SIZE)))
		return -EINVAL;
	for_each_online_node(nid) {
		if (!node_present_pages(nid))
			continue;
		start = min(start, node_start_pfn(nid));
		end = max(end, node_end_pfn(nid));
	}
	start = number_of_pfn(start);
	end = number_of_pfn(end);
	gh_map = map_new(start, end - start + 1, GFP_KERNEL);
	return gh_map ? 0 : -ENOMEM;
}

/**
 * gh_map_exit() - free the map, which is empty
 *
 * Context: Process context.
 */
void gh_map_exit(void)
{
	rcu_barrier();	/* arenas and maps on their way out */
	kvfree(gh_map);
}
