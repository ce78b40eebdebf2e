/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations of debugged heaps.
 */
#ifndef _GOHEAP_FRONT_DEBUGGED_H
#define _GOHEAP_FRONT_DEBUGGED_H

#include <linux/types.h>

void *gh_debugged_finish(void *p, size_t size, size_t usable, bool noscan, gfp_t gfp, bool dirty);

#endif /* _GOHEAP_FRONT_DEBUGGED_H */
