/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making spans for a heap, and giving them back.
 */
#ifndef _GOHEAP_SPANS_ALLOC_H
#define _GOHEAP_SPANS_ALLOC_H

#include <linux/types.h>

#include "span.h"

struct gh_stock;
struct gh_want;
struct goheap;

void gh_spans_want_small(struct gh_want *w, const struct goheap *heap, unsigned int sc,
			 gfp_t gfp);
void gh_spans_begin_small(struct gh_span *s, struct goheap *heap, unsigned int sc);
struct gh_span *gh_spans_new_small(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid,
				   struct gh_stock *stock);
struct gh_span *gh_spans_new_large(struct goheap *heap, unsigned int npages, unsigned int align,
				   gfp_t gfp, bool noscan, int nid, bool *zero);
void gh_spans_free_list(struct gh_span *list);

static inline void gh_spans_free(struct gh_span *s)
{
	s->next = NULL;
	gh_spans_free_list(s);
}

#endif /* _GOHEAP_SPANS_ALLOC_H */
