/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A run: a span that is free pages of a page heap, and nothing else.
 */
#ifndef _GOHEAP_PAGES_RUN_H
#define _GOHEAP_PAGES_RUN_H

#include <linux/minmax.h>
#include <linux/mm.h>

#include "base/heap_page.h"
#include "span.h"

/* Pages go back at this granularity, whatever a heap page is. */
#define GH_RELEASE_PAGES	max_t(unsigned long, PAGE_SIZE >> GH_PAGE_SHIFT, 1)
#define GH_RELEASE_SIZE	(GH_RELEASE_PAGES << GH_PAGE_SHIFT)

/* The place in a walk through the runs, from the longest down, to go on after a break. */
struct gh_run_key {
	unsigned long npages;
	unsigned long base;
};

static inline unsigned long gh_run_end(const struct gh_span *s)
{
	return s->base + gh_span_bytes(s);
}

#endif /* _GOHEAP_PAGES_RUN_H */
