/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making a CPU's slots on first use.
 */
#ifndef _GOHEAP_PERCPU_SLOTS_H
#define _GOHEAP_PERCPU_SLOTS_H

#include <linux/types.h>

#include "base/sizeclass.h"

struct gh_cache;
struct goheap;

/* The first tidy-up of a slot's partial list is at this many bytes of spans. */
#define GH_TIDY_BYTES	(256UL << 10)

static inline unsigned int gh_spans_in(unsigned long bytes, const struct gh_class *class)
{
	return bytes / class->span_bytes;
}

void gh_slots_make(struct goheap *heap, unsigned int sc, gfp_t gfp);
void gh_slots_want(struct goheap *heap, unsigned int sc);
void gh_slots_make_all(struct gh_cache *cache);		/* nobody uses it */
void gh_slots_free(struct gh_cache *cache);		/* nobody uses it */
unsigned long gh_slots_bytes(const struct gh_cache *cache);

#endif /* _GOHEAP_PERCPU_SLOTS_H */
