/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages for spans.
 */
#ifndef _GOHEAP_ARENA_H
#define _GOHEAP_ARENA_H

#include <linux/types.h>

struct gh_page_heap;
struct gh_span;
struct gh_want;

typedef void gh_arena_grown_fn(void);
extern gh_arena_grown_fn *gh_arena_grown;
int gh_arena_init(void);
void gh_arena_exit(void);
struct gh_span *gh_arena_alloc(const struct gh_want *w, gfp_t gfp, int nid);
void gh_arena_commit(struct gh_span *s);
void gh_arena_free_list(struct gh_span *list);
unsigned long gh_arena_scavenge(struct gh_page_heap *ph, unsigned long nr);
unsigned long gh_arena_release_idle(struct gh_page_heap *ph, unsigned long kernel_pages);
unsigned long gh_arena_metadata(void);

#endif /* _GOHEAP_ARENA_H */
