/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A CPU's stock of pages.
 */
#ifndef _GOHEAP_PERCPU_STOCK_H
#define _GOHEAP_PERCPU_STOCK_H

#include <linux/types.h>

struct gh_cache;
struct gh_span;
struct goheap;

struct gh_span *gh_stock_new_span(struct goheap *heap, unsigned int sc, gfp_t gfp);
void gh_stock_flush(struct gh_cache *cache);		/* the section, or nobody uses it */
void gh_stock_count(const struct goheap *heap, int nid, unsigned long *pages,
		    unsigned long *spans);

#endif /* _GOHEAP_PERCPU_STOCK_H */
