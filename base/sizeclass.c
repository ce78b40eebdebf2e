// SPDX-License-Identifier: GPL-2.0
/* The generated size class tables, and geometry for other sizes. */

#include <linux/math.h>
#include <linux/minmax.h>

#include "base/heap_page.h"
#include "base/sizeclass.h"

const struct gh_class gh_classes[] = { GH_CLASS_TABLE };
const u8 gh_class_lookup[] = { GH_CLASS_LOOKUP };

/* As many bits as the largest descriptor has: see gh_span_kind(). */
#define MOST_OBJECTS	1024U

/**
 * gh_class_make() - the geometry of spans for objects of any size
 * @class: the answer
 * @size: bytes of an object, 8 to the length of the span
 * @align: what every object is aligned to; @size is a multiple of it
 * @npages: length of the span in heap pages, at most 32 KiB
 *
 * The reciprocal r is 2^32 / @size rounded up: r * @size = 2^32 + e with e < @size. For an
 * offset q * @size + m the product with r is q * 2^32 + (q * e + m * r). What is in brackets
 * is below r exactly if m is 0, and always below 2^32, if (q + 1) * e < r. That holds: q *
 * @size <= 2^15, so (q + 1) * e < 2^16, and r >= 2^17. Lemire, Kaser and Kurz (2019).
 *
 * Context: Any.
 */
void gh_class_make(struct gh_class *class, unsigned int size, unsigned int align,
		   unsigned int npages)
{
	unsigned int bytes = npages << GH_PAGE_SHIFT;

	class->size = size;
	class->span_bytes = bytes;
	class->objects = min(bytes / size, MOST_OBJECTS);
	class->recip = DIV_ROUND_UP_ULL(1ULL << 32, size);
	class->align = align;
	class->max_waste = (bytes - class->objects * size) * 10000ULL / bytes;
}
