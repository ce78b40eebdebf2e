/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tiny objects.
 */
#ifndef _GOHEAP_FRONT_TINY_H
#define _GOHEAP_FRONT_TINY_H

#include <linux/types.h>

struct gh_cache;
struct gh_span;
struct goheap;

void *gh_tiny_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp);
bool gh_tiny_free(struct gh_span *s, unsigned long off, u32 life, bool rcu);
bool gh_tiny_free_own(struct gh_cache *cache, struct gh_span *s, unsigned long off);

#endif /* _GOHEAP_FRONT_TINY_H */
