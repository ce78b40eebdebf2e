// SPDX-License-Identifier: GPL-2.0
/*
 * Random choices, all made before the clock starts. Every table is seeded by its
 * size, so each run of each allocator does the same.
 */
#include "bench.h"

#include <linux/log2.h>
#include <linux/vmalloc.h>

u32 *free_order;
struct step *steps;

/* The order in which @live objects are to be freed. */
void make_order(unsigned int live, bool reverse, bool random)
{
	unsigned int n;

	for (n = 0; n < live; n++)
		free_order[n] = reverse ? live - 1 - n : n;
	if (random)
		shuffle(free_order, live);
}

/* From @min, a power of two, to @max: every octave as often as any other. */
u32 size_by_octave(struct rnd_state *rnd, u32 min, u32 max)
{
	u32 low = min << prandom_u32_state(rnd) % ilog2(max / min);

	return low + prandom_u32_state(rnd) % (low + 1);
}

u32 slot_uniform(struct rnd_state *rnd, u32 slots)
{
	return prandom_u32_state(rnd) % slots;
}

/* Fill steps[] with slots below @slots and sizes from @min to @max. */
void make_steps(slot_fn slot, u32 slots, size_fn size, u32 min, u32 max)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, slots);
	for (i = 0; i < NR_STEPS; i++) {
		steps[i].size = size(&rnd, min, max);
		steps[i].slot = slot(&rnd, slots);
	}
}

void tables_exit(void)
{
	vfree(steps);
	vfree(free_order);
}

int tables_init(void)
{
	free_order = vzalloc(array_size(MAX_LIVE, sizeof(*free_order)));
	steps = vzalloc(array_size(NR_STEPS, sizeof(*steps)));
	return free_order && steps ? 0 : -ENOMEM;
}
