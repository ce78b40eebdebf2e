/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Large objects.
 */
#ifndef _GOHEAP_FRONT_LARGE_H
#define _GOHEAP_FRONT_LARGE_H

#include <linux/types.h>

struct goheap;

void *gh_large_refuse(size_t size, gfp_t gfp);
void *gh_large_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan,
		     int nid);

#endif /* _GOHEAP_FRONT_LARGE_H */
