/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What goheap.c offers to what is built on it.
 */
#ifndef _GOHEAP_GOHEAP_CORE_H
#define _GOHEAP_GOHEAP_CORE_H

#include <linux/bug.h>
#include <linux/types.h>

#include "goheap.h"

struct goheap;

static inline bool gh_flags_are_bad(unsigned int flags)
{
	return WARN_ON_ONCE(flags & ~GOHEAP_NOSCAN);
}

void gh_core_init(void);
bool gh_choose_node(int *nid, gfp_t gfp);
void *gh_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan, int nid);
void *gh_alloc_string(struct goheap *heap, size_t size, gfp_t gfp);

#endif /* _GOHEAP_GOHEAP_CORE_H */
