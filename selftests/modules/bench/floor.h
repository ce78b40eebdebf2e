/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The floor of goheap_bench: what a pattern costs with as little allocator as there can be.
 *
 * Each CPU has a stack of addresses for each size class. An allocation takes the top one,
 * a free puts the address back. Nothing is checked: whether the address is an object, or live,
 * or of this allocator. Addresses change sides without a look at whose they were. No memory is
 * given back before floor_reset(). Nobody can use such an allocator; what another takes
 * beyond the floor is its price for doing more, and the floor itself is mostly the loop.
 *
 * Classes are eight to each power of two from 64 bytes on, and multiples of 8 bytes below.
 */
#ifndef _GOHEAP_BENCH_FLOOR_H
#define _GOHEAP_BENCH_FLOOR_H

#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/types.h>

#define FLOOR_MAX	KMALLOC_MAX_SIZE
#define FLOOR_CLASSES	(8 * (const_ilog2(FLOOR_MAX) - 7) + 16)

/* Classes are ranges of size - 1: its three bits after the first, and where the first is. */
static __always_inline unsigned int floor_class(size_t size)
{
	unsigned int shift = ilog2((size - 1) | 127) - 3;

	return ((size - 1) >> shift) + 8 * (shift - 3);
}

void *floor_alloc_class(unsigned int class);
void *floor_alloc_any(size_t size);
void floor_free(const void *p);
unsigned int floor_alloc_bulk(size_t size, unsigned int n, void **p);
void floor_free_bulk(unsigned int n, void **p);
void *floor_realloc(void *p, size_t size);

/**
 * floor_alloc() - take an address
 * @size: how many bytes; as with kmalloc(), a constant saves the way to the class
 *
 * Context: Process context; may sleep.
 * Return: memory of that size, or NULL.
 */
static __always_inline void *floor_alloc(size_t size)
{
	if (__builtin_constant_p(size) && size && size <= FLOOR_MAX)
		return floor_alloc_class(floor_class(size));
	return floor_alloc_any(size);
}

void floor_reset(void);
int floor_init(void);
void floor_exit(void);

#endif /* _GOHEAP_BENCH_FLOOR_H */
