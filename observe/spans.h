/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Spans, as debugfs shows them.
 */
#ifndef _GOHEAP_OBSERVE_SPANS_H
#define _GOHEAP_OBSERVE_SPANS_H

#include <linux/types.h>

#include "span.h"

struct dentry;
struct gh_span;
struct goheap;

/* A span as it was for a moment. */
struct gh_snapshot {
	unsigned long base;
	unsigned long npages;
	struct goheap *heap;
	struct gh_span_counts counts;
	unsigned int sc;
	size_t size;			/* of an object */
	int cpu;			/* -1: none */
	int nid;
	bool large;
};

void gh_show_spans(struct dentry *dir, struct goheap *heap);
bool gh_snapshot_take(const struct gh_span *s, struct gh_snapshot *snap);

#endif /* _GOHEAP_OBSERVE_SPANS_H */
