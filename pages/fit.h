/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which run is taken for an allocation, and which run is given back to the kernel.
 */
#ifndef _GOHEAP_PAGES_FIT_H
#define _GOHEAP_PAGES_FIT_H

#include <linux/align.h>
#include <linux/rbtree_types.h>

#include "base/heap_page.h"
#include "pages/pageheap.h"
#include "pages/run.h"

/* The address where the wanted span would start in a run; 0 if it does not fit. */
static inline unsigned long gh_fit_start(const struct gh_span *s, const struct gh_want *w)
{
	unsigned long start = ALIGN(s->base, (unsigned long)w->align << GH_PAGE_SHIFT);

	return start + ((unsigned long)w->npages << GH_PAGE_SHIFT) <= gh_run_end(s) ? start : 0;
}

struct gh_span *gh_fit_find(struct gh_page_heap *ph, const struct gh_want *w);
struct rb_node *gh_fit_below(struct gh_page_heap *ph, const struct gh_run_key *key);
struct gh_span *gh_fit_for_release(struct gh_page_heap *ph, unsigned long max,
				   struct gh_run_key *key, unsigned long *start,
				   unsigned long *end);

#endif /* _GOHEAP_PAGES_FIT_H */
