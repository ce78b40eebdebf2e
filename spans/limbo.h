/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where spans wait for a grace period.
 */
#ifndef _GOHEAP_SPANS_LIMBO_H
#define _GOHEAP_SPANS_LIMBO_H

#include <linux/types.h>

struct gh_span;
struct goheap;

/* What is done with a span when nothing in it has to wait any more. */
struct gh_limbo_exits {
	void (*small)(struct gh_span *s);	/* token held, and handed over */
	void (*large)(struct gh_span *s);
};

void gh_limbo_init(const struct gh_limbo_exits *to);
void gh_limbo_add(struct gh_span *s);
void gh_limbo_flush(struct goheap *heap);		/* may sleep */
bool gh_limbo_wait(struct goheap *heap);		/* may sleep */
void gh_limbo_exit(void);				/* may sleep */

#endif /* _GOHEAP_SPANS_LIMBO_H */
