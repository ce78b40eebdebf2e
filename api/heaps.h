/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making heaps and taking them down.
 */
#ifndef _GOHEAP_API_HEAPS_H
#define _GOHEAP_API_HEAPS_H

#include <linux/atomic.h>

void gh_heap_destroy_all(void);

#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern atomic_t gh_test_waits;		/* grace periods that goheap_destroy() waited for */
#endif

#endif /* _GOHEAP_API_HEAPS_H */
