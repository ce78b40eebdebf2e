/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The map from any address to its span.
 */
#ifndef _GOHEAP_PAGES_MAP_H
#define _GOHEAP_PAGES_MAP_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "base/compat.h"
#include "base/heap_page.h"
#include "hooks/sanitize.h"

struct goheap;

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
 * @in_use: which are in a SMALL or LARGE span, or in a stock; atomic bit operations
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
	/* This and what hangs on it pair with smp_store_release() here and in map.c. */
	struct gh_map *map = READ_ONCE(gh_map);
	/* For an address below the first arena, @n wraps to far above the last one. */
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
 * KASAN may put a tag into the upper bits of a pointer. Pointers to goheap's objects have no
 * tag, and goheap's functions remove the tag of a pointer argument.
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
int gh_map_init(void);
void gh_map_exit(void);
int gh_map_claim(unsigned long addr, unsigned int npages, gfp_t gfp);
void gh_map_unclaim(unsigned long addr, unsigned int npages);
/* Let a page's addresses find a span, or NULL. The page is the caller's to give. */
static inline void gh_map_set(struct gh_arena *arena, unsigned long addr, struct gh_span *s)
{
	/* Pairs with the address dependency in gh_span_of(). */
	gh_smp_store_release(&arena->spans[gh_arena_page(addr)], s);
}

void gh_map_set_range(struct gh_arena *arena, unsigned long addr, unsigned int npages,
		      struct gh_span *s);
void gh_map_mark(struct gh_arena *arena, unsigned long addr, unsigned int npages, bool used);
bool gh_map_owns(unsigned long addr);
struct gh_arena *gh_map_next(unsigned long *n);
struct gh_span *gh_map_span_at(struct gh_arena *arena, unsigned int page, struct goheap *heap);
void gh_map_walk(struct goheap *heap, gh_span_fn *fn, void *arg);
unsigned long gh_map_bytes(void);

#endif /* _GOHEAP_PAGES_MAP_H */
