/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of an object: which task allocated or freed it, where and when.
 */
#ifndef _GOHEAP_HOOKS_TRACK_H
#define _GOHEAP_HOOKS_TRACK_H

#include <linux/types.h>

/* An allocation or a free of an object. */
struct gh_track {
	u32 stack;			/* in the kernel's depot; 0 if it is not known */
	int pid;
	unsigned int cpu;
	u64 when;			/* local_clock(); 0 if it never happened */
};

int gh_track_init(void);
void gh_track_now(struct gh_track *event, gfp_t gfp);
void gh_track_print(const char *what, const struct gh_track *event);

#endif /* _GOHEAP_HOOKS_TRACK_H */
