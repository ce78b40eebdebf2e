/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Span classes: size classes, times {may hold pointers, holds none}, and the tiny one.
 */
#ifndef _GOHEAP_BASE_SPANCLASS_H
#define _GOHEAP_BASE_SPANCLASS_H

#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/types.h>

#include "base/heap_page.h"
#include "base/sizeclass.h"

/* Span classes: class * 2 + noscan; the two of class 0 are large objects. */
#define GH_SC_LARGE		0
#define GH_NR_SPAN_CLASSES	(GH_NR_CLASSES * 2)
/* Beside the 136: blocks shared by tiny objects, and the objects of an object cache. */
#define GH_SC_TINY		GH_NR_SPAN_CLASSES
#define GH_SC_OBJECT		(GH_NR_SPAN_CLASSES + 1)
#define GH_NR_SLOTS		(GH_NR_SPAN_CLASSES + 2)
/* A slot and its neighbour, @sc / 2 of both the same, are made together on first use. */
#define GH_NR_PAIRS		(GH_NR_SLOTS / 2)

#define GH_TINY_CLASS		2	/* 16-byte blocks */
#define GH_TINY_BLOCK		16UL
#define GH_TINY_BLOCKS		(GH_PAGE_SIZE / GH_TINY_BLOCK)	/* in a span */
#define GH_TINY_MAX		15	/* largest tiny object */
#define GH_TINY_STEP		4U	/* objects start and end at these */
#define GH_TINY_OPEN		3	/* blocks that a CPU is filling */

/* Of an object cache, as of large objects, 0: see gh_heap_class(). */
static inline unsigned int gh_sc_class(unsigned int sc)
{
	if (unlikely(sc >= GH_SC_TINY))
		return sc == GH_SC_TINY ? GH_TINY_CLASS : 0;
	return sc / 2;
}

/* Not for the objects of an object cache. */
static inline bool gh_sc_noscan(unsigned int sc)
{
	return sc == GH_SC_TINY || (sc % 2 && sc != GH_SC_OBJECT);
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
	unsigned int class;

	if (sc == GH_SC_OBJECT)
		return sc;
	class = gh_size_class(roundup_pow_of_two(gh_sc_bytes(sc)));
	if (get_order(gh_classes[class].span_bytes) >=
	    get_order(gh_classes[gh_sc_class(sc)].span_bytes))
		return sc;
	return class * 2 + gh_sc_noscan(sc);
}

#endif /* _GOHEAP_BASE_SPANCLASS_H */
