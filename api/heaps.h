/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making heaps and taking them down.
 */
#ifndef _GOHEAP_API_HEAPS_H
#define _GOHEAP_API_HEAPS_H

#include <linux/atomic.h>

#include "goheap.h"

struct gh_objects;

/* The flags of goheap_params that are for debugging. */
#define GH_DEBUG_FLAGS	(GOHEAP_POISON | GOHEAP_REDZONE | GOHEAP_TRACK)

struct goheap *gh_heap_create(const char *name, const struct goheap_params *params,
			      const struct gh_objects *objects);
void gh_heap_destroy_all(void);

#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern atomic_t gh_test_waits;		/* grace periods that goheap_destroy() waited for */
#endif

#endif /* _GOHEAP_API_HEAPS_H */
