/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asking CPUs to drain, flush or relax their caches.
 */
#ifndef _GOHEAP_PERCPU_DRAIN_H
#define _GOHEAP_PERCPU_DRAIN_H

#include <linux/types.h>

struct gh_cache;
struct goheap;
struct work_struct;

void gh_drain_all(struct gh_cache *cache);	/* no section, nobody uses it */
int gh_drain_init(void);
void gh_drain_exit(void);
void gh_drain_work(struct work_struct *work);
void gh_drain_init_cache(struct gh_cache *cache);
void gh_drain_queue(struct gh_cache *cache);
void gh_drain_ask_all(void);
void gh_drain_wait_all(void);
bool gh_drain_is_busy(void);
void gh_drain_cancel(struct goheap *heap);
void gh_drain_flush_heap(struct goheap *heap, gfp_t gfp);
void gh_drain_flushed(void);

#endif /* _GOHEAP_PERCPU_DRAIN_H */
