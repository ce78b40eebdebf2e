// SPDX-License-Identifier: GPL-2.0
/*
 * The page heap of the case's node. See lib_pages.h.
 */

#include <linux/sizes.h>

#include "lib_pages.h"

struct gh_page_heap *gh_test_here(void)
{
	return gh_page_heaps[numa_mem_id()];
}

void gh_test_set_peak(unsigned long pages)
{
	struct gh_page_heap *ph = gh_test_here();
	unsigned long flags;

	gh_lock(&ph->lock, flags);
	ph->peak = pages;
	gh_unlock(&ph->lock, flags);
}

void gh_test_start_idle(void)
{
	gh_reclaim_trim();
	gh_test_set_peak(1UL << 30);
}

int gh_test_init_idle(struct kunit *test)
{
	int err = gh_test_init(test);

	if (err)
		return err;
	gh_test_stop_ticks(true);
	gh_test_flush_limbo();
	gh_test_start_idle();
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, 0UL);
	return 0;
}

void gh_test_exit_idle(struct kunit *test)
{
	gh_test_set_peak(gh_test_here()->small + gh_test_here()->large);
	gh_test_stop_ticks(false);
	gh_test_exit(test);
}

void gh_test_limit_blocks(size_t bytes)
{
	gh_test_flush_limbo();
	gh_reclaim_trim();
	WRITE_ONCE(gh_test_max_order, get_order(bytes));
}

void gh_test_unlimit_blocks(void)
{
	WRITE_ONCE(gh_test_max_order, UINT_MAX);
	gh_test_here()->scarce_until = jiffies;
}

struct gh_span *gh_test_pages_span(struct kunit *test, unsigned int npages, unsigned int align)
{
	const struct gh_want w = {
		.npages = npages,
		.align = align,
		.state = GH_SPAN_LARGE,
	};
	struct gh_span *s = gh_arena_alloc(&w, GFP_KERNEL, numa_mem_id());

	KUNIT_ASSERT_NOT_NULL(test, s);
	gh_span_init_large(s, gh_default, gh_span_bytes(s), false);
	gh_arena_commit(s);
	KUNIT_EXPECT_EQ(test, s->npages, npages);
	return s;
}

void gh_test_carve(struct kunit *test, const unsigned int *sizes, unsigned int n,
		   struct gh_span **spans)
{
	unsigned long addr = 0;
	unsigned int i;

	/* All of the chunk at once, to learn where it is. */
	spans[0] = gh_test_pages_span(test, GH_TEST_CHUNK_PAGES, 1);
	addr = spans[0]->base;
	KUNIT_ASSERT_EQ(test, gh_test_here()->idle, 0UL);
	gh_test_free_pages(spans[0]);
	for (i = 0; i < n; i++) {
		spans[i] = gh_test_pages_span(test, sizes[i], 1);
		KUNIT_ASSERT_EQ(test, spans[i]->base, addr);
		addr += gh_span_bytes(spans[i]);
	}
}

void gh_test_check_pages(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, gh_pageheap_validate(gh_test_here()));
}

bool gh_test_owns(unsigned long addr)
{
	bool ret;

	preempt_disable();
	ret = gh_map_owns(addr);
	preempt_enable();
	return ret;
}
