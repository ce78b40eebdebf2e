/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tiny objects.
 */
#ifndef _GOHEAP_FRONT_TINY_H
#define _GOHEAP_FRONT_TINY_H

#include <linux/compiler.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/types.h>

#include "base/peek.h"
#include "base/spanclass.h"
#include "percpu/slot.h"

struct gh_span;

/*
 * Does an object without pointers take less memory in a block than in its class?
 *
 *   1 to 4 bytes	Yes: 4 bytes of a block, where the class has 8.
 *   5 to 8 bytes	No: 8 bytes either way.
 *   9 to 12 bytes	Yes, if an object of up to 4 bytes takes the rest of the block: 16 bytes
 *			for both.
 *   13 to 15 bytes	No: nothing fits in beside.
 *
 * Where ARCH_KMALLOC_MINALIGN is more than 8, no class is smaller than that. There the answer
 * is yes below 8 bytes, and no above, where kmalloc() promises that alignment.
 */
static __always_inline bool gh_tiny_saves(size_t size)
{
	if (ARCH_KMALLOC_MINALIGN > 8)
		return size < 8;
	return !((size - 1) & ~0xbUL);
}

/* The same for the copy of a string, which may start anywhere, and leaves no rest unused. */
static __always_inline bool gh_tiny_saves_string(size_t size)
{
	return size <= (ARCH_KMALLOC_MINALIGN > 8 ? GH_TINY_MAX : GH_TINY_STEP);
}

/*
 * Does the rest of a block wait for an object of up to 4 bytes? Then nobody takes such rests
 * just now. The caller may be on another CPU when the answer comes: it is only advice.
 */
static __always_inline bool gh_tiny_rest_waits(struct gh_cache __percpu *caches)
{
	return gh_peek(gh_tiny_open_with(raw_cpu_ptr(caches), 1)->block);
}

void *gh_tiny_alloc(size_t size, gfp_t gfp, struct gh_cache __percpu *caches);
bool gh_tiny_free(struct gh_span *s, unsigned long off, u32 life, bool rcu);
void gh_tiny_free_here(const void *p, struct gh_span *s, struct gh_cache *cache);

#endif /* _GOHEAP_FRONT_TINY_H */
