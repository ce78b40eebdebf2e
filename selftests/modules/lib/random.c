// SPDX-License-Identifier: GPL-2.0
/*
 * Random numbers that a seed decides: what a test does can be done again.
 */
#include <linux/minmax.h>

#include "random.h"

/**
 * mix - spread the bits of a number all over
 * @x: the number
 *
 * Return: the finaliser of SplitMix64, applied to @x.
 */
u64 mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/**
 * draw - the next random number
 * @d: where it is drawn from; any context, but one caller at a time
 *
 * Return: 64 random bits.
 */
u64 draw(struct draw *d)
{
	d->state += 0x9e3779b97f4a7c15ULL;
	return mix(d->state);
}

/**
 * below - a random number from 0
 * @d: where it is drawn from
 * @n: how many there are to choose from
 *
 * Return: 0 to @n - 1.
 */
unsigned int below(struct draw *d, unsigned int n)
{
	return (u32)draw(d) % n;
}

/**
 * between - a random number of a range, by the kernel's generator
 * @rnd: the generator
 * @from: the least
 * @to: the most
 *
 * Return: @from to @to.
 */
u32 between(struct rnd_state *rnd, u32 from, u32 to)
{
	return from + prandom_u32_state(rnd) % (to - from + 1);
}

/**
 * shuffle - bring numbers into a random order, the same each time
 * @v: the numbers
 * @n: how many they are
 */
void shuffle(u32 *v, unsigned int n)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, n);
	while (n > 1) {
		unsigned int i = prandom_u32_state(&rnd) % n--;

		swap(v[i], v[n]);
	}
}
