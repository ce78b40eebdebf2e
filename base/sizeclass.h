/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Size to class and class to geometry. Pure arithmetic over generated tables;
 * scripts/mksizeclass.c makes them.
 */
#ifndef _GOHEAP_SIZECLASS_H
#define _GOHEAP_SIZECLASS_H

#include <linux/align.h>
#include <linux/compiler.h>
#include <linux/slab.h>
#include <linux/types.h>

#include "sizeclass_gen.h"

/**
 * struct gh_class - geometry of a size class
 * @size: bytes of an object
 * @span_bytes: bytes of a span
 * @objects: objects in a span
 * @recip: reciprocal of @size: offset * recip >> 32 is the object's index
 * @align: what every object is aligned to
 * @max_waste: worst waste of a span, in 1/10000
 */
struct gh_class {
	u32 size;
	u32 span_bytes;
	u32 objects;
	u32 recip;
	u32 align;
	u32 max_waste;
};

extern const struct gh_class gh_classes[GH_NR_CLASSES];
void gh_class_make(struct gh_class *class, unsigned int size, unsigned int align,
		   unsigned int npages);
extern const u8 gh_class_lookup[GH_SMALL_MAX / 8];

/**
 * gh_size_class() - class for a request
 * @size: 1 to GH_SMALL_MAX bytes
 *
 * One table and no branch: the sizes of a real load are hard to predict.
 *
 * Return: the smallest class that holds @size, rounded up to a multiple of 8, and
 * keeps kmalloc()'s alignment.
 */
static __always_inline unsigned int gh_size_class(size_t size)
{
	/* DMA to non-coherent devices: no two objects in one cache line ... */
	if (ARCH_KMALLOC_MINALIGN > 8)
		size = ALIGN(size, ARCH_KMALLOC_MINALIGN);
#ifdef CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC
	/* ... or bouncing, which is skipped where kmalloc() would fill the line. */
	else if (size > 32)
		size = ALIGN(size, size > 64 ? ARCH_DMA_MINALIGN : 64);
#endif
	return gh_class_lookup[(size - 1) / 8];
}

#endif /* _GOHEAP_SIZECLASS_H */
