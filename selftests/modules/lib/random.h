/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random numbers that a seed decides: what a test does can be done again.
 */
#ifndef _GOHEAP_TEST_RANDOM_H
#define _GOHEAP_TEST_RANDOM_H

#include <linux/prandom.h>
#include <linux/types.h>

/**
 * struct draw - SplitMix64; any state will do, also one that was not begun
 * @state: where it is
 *
 * It is small and needs no warming up, so a test can have one for each step.
 */
struct draw {
	u64 state;
};

u64 mix(u64 x);
u64 draw(struct draw *d);
unsigned int below(struct draw *d, unsigned int n);

u32 between(struct rnd_state *rnd, u32 from, u32 to);
void shuffle(u32 *v, unsigned int n);

#endif /* _GOHEAP_TEST_RANDOM_H */
