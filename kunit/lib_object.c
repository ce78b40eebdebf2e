// SPDX-License-Identifier: GPL-2.0
/*
 * Objects for the suites. See lib_object.h.
 */

#include <linux/string.h>

#include "lib_object.h"

const size_t gh_test_sizes[GH_TEST_NR_SIZES] = { 5, 8, 100, 1024, 5000, 32768, 40000, 300000 };

void **gh_test_array(struct kunit *test, unsigned int n)
{
	void **p = kunit_kcalloc(test, n, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

void *gh_test_alloc(struct kunit *test, struct goheap *heap, size_t size)
{
	void *p = goheap_heap_alloc(heap, size, GFP_KERNEL, 0);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

void gh_test_fill(struct kunit *test, struct goheap *heap, void **p, unsigned int n, size_t size)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		p[i] = gh_test_alloc(test, heap, size);
}

void **gh_test_alloc_many(struct kunit *test, struct goheap *heap, unsigned int n, size_t size)
{
	void **p = gh_test_array(test, n);

	gh_test_fill(test, heap, p, n, size);
	return p;
}

bool gh_test_try_fill(struct goheap *heap, void **p, unsigned int n, size_t size)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		p[i] = goheap_heap_alloc(heap, size, GFP_ATOMIC, 0);
		if (!p[i])
			return false;
	}
	return true;
}

void gh_test_free_each(void **p, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		goheap_free(p[i]);
}

bool gh_test_is_among(const void *p, void * const *all, unsigned int n)
{
	while (n--)
		if (all[n] == p)
			return true;
	return false;
}

/* What is wrong with an object just allocated? */
static const char *fault_of(void *p, size_t size)
{
	if (ZERO_OR_NULL_PTR(p))
		return "no object";
	if (!IS_ALIGNED((unsigned long)p, gh_test_promised_align(size)))
		return "alignment";
	if (goheap_size(p) < size)
		return "usable size";
	if (goheap_base(p + size - 1) != p || goheap_base(p) != p)
		return "base";
	return NULL;
}

void gh_test_expect_good(struct kunit *test, void *p, size_t size)
{
	const char *fault = fault_of(p, size);

	if (fault)
		KUNIT_FAIL(test, "size %zu: %s", size, fault);
}

void gh_test_dirty(struct kunit *test, size_t size)
{
	void *p[16];
	unsigned int i;

	gh_test_fill(test, gh_default, p, ARRAY_SIZE(p), size);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		memset(p[i], 0xa5, size);
	gh_test_free_each(p, ARRAY_SIZE(p));
}

/* ---- magazines ----------------------------------------------------------- */

/* Objects that are enough for a magazine, of whatever class. */
#define ENOUGH		8192

static void free_chain(void **p)
{
	void **next;

	for (; p; p = next) {
		next = *p;
		goheap_free(p);
	}
}

void gh_test_magazine(struct kunit *test, struct goheap *heap, size_t size)
{
	struct gh_bin *bin = gh_test_bin(heap, size);
	void **chain = NULL, **p;
	unsigned int n;

	for (n = 0; !bin->magazine && n < ENOUGH; n++) {
		p = goheap_heap_alloc(heap, size, GFP_KERNEL, 0);
		KUNIT_ASSERT_NOT_NULL(test, p);
		*p = chain;
		chain = p;
	}
	free_chain(chain);
	KUNIT_ASSERT_NOT_NULL_MSG(test, bin->magazine, "size %zu gets no magazine", size);
	preempt_disable();
	gh_magazine_empty(gh_test_cache(heap), gh_size_class(size) * 2);
	preempt_enable();
}

/* How many objects are in it. */
unsigned int gh_test_magazine_nr(struct goheap *heap, size_t size)
{
	struct gh_freed *magazine = gh_test_bin(heap, size)->magazine;

	return magazine ? gh_test_slot(heap, size)->top - magazine : 0;
}

