/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Taking over what was freed remotely.
 */
#ifndef _GOHEAP_SPANS_MERGE_H
#define _GOHEAP_SPANS_MERGE_H

struct gh_span;

int gh_span_merge(struct gh_span *s);

#endif /* _GOHEAP_SPANS_MERGE_H */
