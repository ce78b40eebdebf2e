/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Magazines: what a CPU freed a moment ago. The section is held unless said otherwise.
 */
#ifndef _GOHEAP_PERCPU_MAGAZINE_H
#define _GOHEAP_PERCPU_MAGAZINE_H

#include <linux/types.h>

struct gh_bin;
struct gh_cache;
struct gh_freed;
struct gh_slot;
struct goheap;

void gh_magazine_none(struct gh_slot *slot, struct gh_bin *bin);
void gh_magazine_empty(struct gh_cache *cache, unsigned int sc);
struct gh_freed *gh_magazine_detach(struct gh_cache *cache, unsigned int sc);
void gh_magazine_consider(struct goheap *heap, unsigned int sc, gfp_t gfp);	/* no section */
unsigned long gh_magazine_bytes(void);
unsigned long gh_magazine_bytes_of(const struct gh_cache *cache, unsigned int sc);

#endif /* _GOHEAP_PERCPU_MAGAZINE_H */
