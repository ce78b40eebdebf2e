/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page heap of the case's node, and what the kernel has for it.
 */
#ifndef _GOHEAP_LIB_PAGES_H
#define _GOHEAP_LIB_PAGES_H

#include "testlib.h"

/* What the page heap asks the kernel for if it may choose, in heap pages. */
#define GH_TEST_CHUNK_PAGES	(SZ_1M >> GH_PAGE_SHIFT)

/* The page heap of the case's node. */
struct gh_page_heap *gh_test_here(void);
/* Let the background retain what is idle while a case runs, or nothing. */
void gh_test_set_peak(unsigned long pages);

/* Of a suite whose cases begin with nothing idle, and give back themselves what is. */
int gh_test_init_idle(struct kunit *test);
void gh_test_exit_idle(struct kunit *test);
/* In the middle of a case: nothing is idle again. */
void gh_test_start_idle(void);

/* The kernel has no longer block than this; what is idle may be longer. */
void gh_test_limit_blocks(size_t bytes);
void gh_test_unlimit_blocks(void);

/* What the kernel takes back at a time, in heap pages. */
#define GH_TEST_KERNEL_PAGE	max(PAGE_SIZE >> GH_PAGE_SHIFT, 1UL)

/* A span of so many pages that is nobody's object. */
struct gh_span *gh_test_pages_span(struct kunit *test, unsigned int npages, unsigned int align);
/* Let go of one. */
static inline void gh_test_free_pages(struct gh_span *s)
{
	s->next = NULL;
	gh_arena_free_list(s);
}

/* Spans side by side that fill a chunk: the n-th is sizes[n] pages long. */
void gh_test_carve(struct kunit *test, const unsigned int *sizes, unsigned int n,
		   struct gh_span **spans);

/* The page heap is in order. */
void gh_test_check_pages(struct kunit *test);
/* Is there a span, or a free run? */
bool gh_test_owns(unsigned long addr);

#endif /* _GOHEAP_LIB_PAGES_H */
