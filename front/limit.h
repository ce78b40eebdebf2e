/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Heaps at their limit.
 */
#ifndef _GOHEAP_FRONT_LIMIT_H
#define _GOHEAP_FRONT_LIMIT_H

#include <linux/types.h>

struct goheap;

/* How often room was made for one allocation of a heap at its limit. */
struct gh_room {
	unsigned int tries;
	bool waits;			/* something was in limbo when the first try began */
};

bool gh_limit_make_room(struct goheap *heap, gfp_t gfp, struct gh_room *room);

#endif /* _GOHEAP_FRONT_LIMIT_H */
