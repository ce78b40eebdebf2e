/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocation when a slot has run dry.
 */
#ifndef _GOHEAP_FRONT_SLOW_H
#define _GOHEAP_FRONT_SLOW_H

#include <linux/types.h>

struct goheap;

void *gh_slow_alloc_object(struct goheap *heap, gfp_t gfp, int nid);
void *gh_slow_alloc_padded(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan,
			   int nid);
void *gh_slow_alloc(struct goheap *heap, unsigned int sc, size_t size, gfp_t gfp, int nid);

#endif /* _GOHEAP_FRONT_SLOW_H */
