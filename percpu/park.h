/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Large spans that a CPU keeps for a moment.
 */
#ifndef _GOHEAP_PERCPU_PARK_H
#define _GOHEAP_PERCPU_PARK_H

#include <linux/types.h>

struct gh_cache;
struct gh_span;
struct goheap;

void gh_park_flush(struct gh_cache *cache);
struct gh_span *gh_park_take(struct goheap *heap, unsigned int npages, unsigned int align,
			     bool noscan);
void gh_park_free_large(struct gh_span *s);
void gh_park_count(const struct goheap *heap, unsigned long *allocs, unsigned long *live);

#endif /* _GOHEAP_PERCPU_PARK_H */
