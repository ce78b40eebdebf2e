/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making spans for a heap, and giving them back.
 */
#ifndef _GOHEAP_SPANS_ALLOC_H
#define _GOHEAP_SPANS_ALLOC_H

#include <linux/types.h>

struct gh_span;
struct goheap;

struct gh_span *gh_spans_new_small(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid);
struct gh_span *gh_spans_new_large(struct goheap *heap, unsigned int npages, unsigned int align,
				   gfp_t gfp, bool noscan, int nid, bool *zero);
void gh_spans_free(struct gh_span *s);

#endif /* _GOHEAP_SPANS_ALLOC_H */
