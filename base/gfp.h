/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The gfp policy of goheap, all in one place: which flags of a caller are refused, which
 * reach the kernel's page allocator, and which flags goheap adds for its own requests.
 */
#ifndef _GOHEAP_GFP_H
#define _GOHEAP_GFP_H

#include <linux/gfp.h>
#include <linux/sched.h>

#include "base/compat.h"

/* Zones that callers may not ask for; kmalloc() has caches of their own for DMA. */
#define GH_GFP_REFUSED	(__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM)

/* Flags that the fast path of an allocation leaves to the slow path. */
#define GH_GFP_UNCOMMON	(GH_GFP_REFUSED | __GFP_THISNODE | __GFP_ZERO)

/* What a request for pages inherits from the caller of an allocation. */
#define GH_GFP_INHERITED \
	(__GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN | \
	 __GFP_RETRY_MAYFAIL | __GFP_NORETRY | __GFP_NOFAIL | __GFP_THISNODE | \
	 __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_NOLOCKDEP | GH_GFP_ATOMIC)

/* The page allocator takes requests that must not fail for so many pages only. */
#define GH_NOFAIL_ORDER	1

/* A magazine is never needed: nobody waits for one, and no reserve is used. */
#define GH_GFP_OPTIONAL	(GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* A spare descriptor, needed to give pages back: likewise, but reserves may be used. */
#define GH_GFP_SPARE	(GFP_NOWAIT | __GFP_NOWARN)

/* Without __GFP_NOFAIL if the caller may not wait: it cannot wait for ever either. */
static inline gfp_t gh_gfp_inherited(gfp_t gfp)
{
	if (!gfpflags_allow_blocking(gfp))
		gfp &= ~__GFP_NOFAIL;
	return gfp & GH_GFP_INHERITED;
}

/* May this allocation wait until it succeeds? */
static inline bool gh_gfp_is_nofail(gfp_t gfp)
{
	return gfp & __GFP_NOFAIL && gfpflags_allow_blocking(gfp);
}

/* A failed allocation that must not fail waits a moment. False if it may fail. */
static inline bool gh_nofail_retry(gfp_t gfp)
{
	if (!gh_gfp_is_nofail(gfp))
		return false;
	schedule_timeout_uninterruptible(1);
	return true;
}

/* For what the caller can do without: no warning and no reclaim. */
static inline gfp_t gh_gfp_easy(gfp_t gfp)
{
	return (gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_NOFAIL)) | __GFP_NOWARN;
}

/* For a node's own pages first: easily, if other nodes will do. */
static inline gfp_t gh_gfp_of_node(gfp_t gfp)
{
	if (gfp & __GFP_THISNODE)
		return gfp;
	return gh_gfp_easy(gfp) | __GFP_THISNODE;
}

/*
 * For a block of pages that the caller can do without: no reserves, and above
 * PAGE_ALLOC_COSTLY_ORDER no reclaim. No warning: the next, smaller block is asked for with all
 * that the caller allows.
 */
static inline gfp_t gh_gfp_gentle(gfp_t gfp, unsigned int order)
{
	if (order > PAGE_ALLOC_COSTLY_ORDER)
		gfp &= ~__GFP_DIRECT_RECLAIM;
	gfp &= ~(__GFP_NOFAIL | __GFP_RETRY_MAYFAIL | __GFP_HIGH | __GFP_MEMALLOC | GH_GFP_ATOMIC);
	return gfp | __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC;
}

/* For a chunk larger than needed: only if it costs nothing, and never out of a reserve. */
static inline gfp_t gh_gfp_light(gfp_t gfp)
{
	return (gfp | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC) &
	       ~(__GFP_RECLAIM | __GFP_HIGH | __GFP_MEMALLOC | __GFP_NOFAIL);
}

/* For the chunk that is needed. No warning if the caller waits for ever. */
static inline gfp_t gh_gfp_needed(gfp_t gfp, unsigned int order)
{
	if (gfp & __GFP_NOFAIL && order > GH_NOFAIL_ORDER)
		gfp = (gfp & ~__GFP_NOFAIL) | __GFP_NOWARN;
	return gfp;
}

/* For the map's tables, from the page allocator. Not for ever: see GH_NOFAIL_ORDER. */
static inline gfp_t gh_gfp_of_tables(gfp_t gfp)
{
	return (gfp & ~__GFP_NOFAIL) | __GFP_ZERO | __GFP_NOWARN;
}

/* The caller's flags that vmalloc() accepts: it warns of other flags, and uses no reserves. */
static inline gfp_t gh_gfp_of_vmalloc(gfp_t gfp)
{
	return (gfp & (GFP_KERNEL | __GFP_NORETRY | __GFP_RETRY_MAYFAIL | __GFP_NOLOCKDEP)) |
	       __GFP_ZERO | __GFP_NOWARN;
}

/* For memory that vmalloc() gives if pages side by side are hard to get. */
static inline gfp_t gh_gfp_of_kv(gfp_t gfp)
{
	gfp |= __GFP_NOWARN;
	if (!(gfp & __GFP_RETRY_MAYFAIL))
		gfp |= __GFP_NORETRY;
	return gfp & ~__GFP_NOFAIL;
}

/* The same, when these were not to be had. */
static inline gfp_t gh_gfp_of_kv_vmalloc(gfp_t gfp)
{
	return gfp & (GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY |
		      __GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NOLOCKDEP);
}

/*
 * For what a heap writes down about a span, from kmalloc(): as hard as the caller lets goheap try
 * for the span itself. From any node, and not for ever: the allocation as a whole is retried.
 */
static inline gfp_t gh_gfp_of_metadata(gfp_t gfp)
{
	return gh_gfp_inherited(gfp) & ~(__GFP_THISNODE | __GFP_NOFAIL);
}

#endif /* _GOHEAP_GFP_H */
