/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random placement.
 */
#ifndef _GOHEAP_HOOKS_RANDOM_H
#define _GOHEAP_HOOKS_RANDOM_H

#include <linux/types.h>

extern bool gh_random;
void gh_random_init(void);
u32 gh_random_draw(void);

#endif /* _GOHEAP_HOOKS_RANDOM_H */
