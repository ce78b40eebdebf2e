/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Descriptors of spans.
 */
#ifndef _GOHEAP_PAGES_DESC_H
#define _GOHEAP_PAGES_DESC_H

#include <linux/prefetch.h>
#include <linux/types.h>

#include "span.h"

/**
 * struct gh_spares - descriptors that describe nothing, of one kind
 * @top: the first one of the newest bundle
 * @nr: how many there are
 *
 * They lie in bundles, and whole bundles go from one list to another: to look at each
 * descriptor on its way would cost a cache miss for each, one after the other.
 */
struct gh_spares {
	struct gh_span *top;
	unsigned int nr;
};

/* Most descriptors of a bundle. */
#define GH_BUNDLE	16

static inline void gh_spares_push(struct gh_spares *spares, struct gh_span *s)
{
	struct gh_span *top = spares->top;
	bool joins = top && top->nr_bundled < GH_BUNDLE;

	s->next = joins ? top : NULL;
	s->bundle = joins ? top->bundle : top;
	s->nr_bundled = joins ? top->nr_bundled + 1 : 1;
	spares->top = s;
	spares->nr++;
}

static inline struct gh_span *gh_spares_pop(struct gh_spares *spares)
{
	struct gh_span *s = spares->top, *next;

	if (!s)
		return NULL;
	next = s->next;
	if (next) {
		next->bundle = s->bundle;
		next->nr_bundled = s->nr_bundled - 1;
		/* It is popped soon, and most of its fields are written then. */
		prefetchw(&next->base);
	}
	spares->top = next ?: s->bundle;
	spares->nr--;
	return s;
}

/* Move the newest bundle. There is one. */
static inline void gh_spares_move(struct gh_spares *to, struct gh_spares *from)
{
	struct gh_span *bundle = from->top;

	from->top = bundle->bundle;
	from->nr -= bundle->nr_bundled;
	bundle->bundle = to->top;
	to->top = bundle;
	to->nr += bundle->nr_bundled;
}

struct gh_span *gh_desc_new(enum gh_desc_kind kind, int nid, gfp_t gfp);
void gh_desc_delete(struct gh_span *s);
unsigned long gh_desc_bytes(void);
int gh_desc_init(void);
void gh_desc_exit(void);

#endif /* _GOHEAP_PAGES_DESC_H */
