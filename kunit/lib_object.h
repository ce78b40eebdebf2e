/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects: many at a time, what every one of them promises, and magazines.
 */
#ifndef _GOHEAP_LIB_OBJECT_H
#define _GOHEAP_LIB_OBJECT_H

#include "testlib.h"

/* A span has exactly so many objects of this size, on every architecture. */
#define GH_TEST_SIZE		1024
#define GH_TEST_PER_SPAN	8

/* One of each kind: tiny, small, of a page or more, and large. */
#define GH_TEST_NR_SIZES	8
extern const size_t gh_test_sizes[GH_TEST_NR_SIZES];

/* All NULL; it goes when the case ends. */
void **gh_test_array(struct kunit *test, unsigned int n);

void *gh_test_alloc(struct kunit *test, struct goheap *heap, size_t size);
void gh_test_fill(struct kunit *test, struct goheap *heap, void **p, unsigned int n, size_t size);
/* An array of them. */
void **gh_test_alloc_many(struct kunit *test, struct goheap *heap, unsigned int n, size_t size);
/* Where nothing may sleep, and no case may end, as within a read-side critical section. */
bool gh_test_try_fill(struct goheap *heap, void **p, unsigned int n, size_t size);
/* One at a time, as no caller of goheap_free_bulk() does. */
void gh_test_free_each(void **p, unsigned int n);

bool gh_test_is_among(const void *p, void * const *all, unsigned int n);

/* What goheap.h promises for every size, as kmalloc() does. */
static inline size_t gh_test_promised_align(size_t size)
{
	return max_t(size_t, size & -size, ARCH_KMALLOC_MINALIGN);
}

/* The object is as goheap.h promises. */
void gh_test_expect_good(struct kunit *test, void *p, size_t size);

/* The next objects of this size were others', who wrote to them. */
void gh_test_dirty(struct kunit *test, size_t size);

/* Sees to it that the slot has a magazine, and leaves it empty. */
void gh_test_magazine(struct kunit *test, struct goheap *heap, size_t size);
unsigned int gh_test_magazine_nr(struct goheap *heap, size_t size);

#endif /* _GOHEAP_LIB_OBJECT_H */
