/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which run: for an allocation, and to be given back.
 */
#ifndef _GOHEAP_PAGES_FIT_H
#define _GOHEAP_PAGES_FIT_H

#include <linux/rbtree_types.h>

struct gh_page_heap;
struct gh_run_key;
struct gh_span;
struct gh_want;
struct rb_node;

unsigned long gh_fit_start(const struct gh_span *s, const struct gh_want *w);
struct gh_span *gh_fit_find(struct gh_page_heap *ph, const struct gh_want *w);
struct rb_node *gh_fit_below(struct gh_page_heap *ph, const struct gh_run_key *key);
struct gh_span *gh_fit_for_release(struct gh_page_heap *ph, unsigned long max,
				   struct gh_run_key *key, unsigned long *start,
				   unsigned long *end);

#endif /* _GOHEAP_PAGES_FIT_H */
