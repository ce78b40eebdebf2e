/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A CPU's cache, below the fast paths. The section is held unless said otherwise.
 */
#ifndef _GOHEAP_PERCPU_CACHE_H
#define _GOHEAP_PERCPU_CACHE_H

#include <linux/types.h>

struct gh_cache;
struct gh_span;
struct goheap;

void gh_cache_init(struct gh_cache *cache, struct goheap *heap, int cpu);	/* no section */
bool gh_cache_refill(struct gh_cache *cache, unsigned int sc);
void gh_cache_install(struct gh_cache *cache, struct gh_span *s);
void gh_cache_list(struct gh_cache *cache, struct gh_span *s);
void gh_cache_drain(struct gh_cache *cache);
bool gh_cache_flush_some(struct gh_cache *cache, unsigned int sc);
void gh_cache_forget(struct gh_cache *cache);		/* no section, nobody uses it */
void gh_cache_relax(struct gh_cache *cache, unsigned int sc);

#endif /* _GOHEAP_PERCPU_CACHE_H */
