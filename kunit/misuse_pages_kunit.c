// SPDX-License-Identifier: GPL-2.0
/*
 * References to the pages of objects: those that are balanced do no harm, and those that
 * are not are found.
 */

#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/page_ref.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "lib_report.h"
#include "testlib.h"

/* Shares no page with others, whatever the kernel's page size is. */
#define LARGE	(32 * PAGE_SIZE)

/* As if put_page() had hit a free page of ours. */
static void test_gh_arena_scavenge_finds_stray_put(struct kunit *test)
{
	unsigned long foreign = gh_misuse_foreign();
	u8 *p = gh_test_victim(test, LARGE);

	goheap_free(p);
	put_page(virt_to_page(p));
	gh_reclaim_trim();
	gh_test_expect_refused(test, "stray kfree() or put_page()");
	KUNIT_EXPECT_EQ(test, gh_misuse_foreign(), foreign + 1);
}

static void test_gh_arena_free_finds_stray_put(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);
	unsigned int i;

	for (i = 0; i < 3; i++)
		put_page(virt_to_page(p));
	gh_test_expect_unharmed(test, p, VICTIM_SIZE);
	goheap_free(p);
	gh_test_expect_silence(test);
	gh_reclaim_trim();
	gh_test_expect_refused(test, "stray kfree() or put_page()");
	KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, "heap default"));
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

static void test_gh_validate_finds_stray_put(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	put_page(virt_to_page(p));
	gh_test_expect_silence(test);
	KUNIT_EXPECT_NULL(test, gh_validate());
	gh_test_expect_refused(test, "stray kfree() or put_page()");
	gh_test_expect_unharmed(test, p, VICTIM_SIZE);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

/* Whoever is given a page that was freed a moment ago on this CPU is given this one. */
static bool is_handed_out(struct kunit *test, struct page *page)
{
	struct page *got[32];
	bool found = false;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(got); i++) {
		got[i] = alloc_page(GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL(test, got[i]);
		found |= got[i] == page;
	}
	for (i = 0; i < ARRAY_SIZE(got); i++)
		if (got[i] && got[i] != page)
			__free_page(got[i]);
	return found;
}

static void test_get_page_and_put_page_leave_object_its_page(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		get_page(virt_to_page(p));
		KUNIT_EXPECT_FALSE(test, sendpage_ok(virt_to_page(p)));
		put_page(virt_to_page(p));
	}
	KUNIT_EXPECT_FALSE(test, is_handed_out(test, virt_to_page(p)));
	gh_test_expect_unharmed(test, p, VICTIM_SIZE);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

/* What direct I/O from a bio's pages does in fuse, NFS, ceph and 9p. */
static void test_iov_iter_get_pages_leaves_object_its_page(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 2 * PAGE_SIZE);
	struct bio_vec bvec = {
		.bv_page = virt_to_page(p),
		.bv_len = 2 * PAGE_SIZE,
		.bv_offset = offset_in_page(p),
	};
	struct page *pages[3] = {};
	struct iov_iter iter;
	unsigned int i;
	size_t off;

	iov_iter_bvec(&iter, ITER_SOURCE, &bvec, 1, bvec.bv_len);
	KUNIT_EXPECT_EQ(test, iov_iter_get_pages2(&iter, pages, bvec.bv_len, 3, &off),
			(ssize_t)bvec.bv_len);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_PTR_EQ(test, pages[i], bvec.bv_page + i);
		put_page(pages[i]);
		KUNIT_EXPECT_FALSE(test, is_handed_out(test, pages[i]));
	}
	gh_test_expect_unharmed(test, p, 2 * PAGE_SIZE);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_silence(test);
}

static void test_gh_arena_scavenge_leaves_page_to_its_last_holder(struct kunit *test)
{
	u8 *p = gh_test_victim(test, LARGE);
	struct page *page = virt_to_page(p);

	get_page(page);
	goheap_free(p);
	gh_reclaim_trim();
	gh_test_expect_refused(test, "stray get_page()");
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_FALSE(test, is_handed_out(test, page));
	if (page_count(page) == 1)	/* and ours to put */
		put_page(page);
}

static void test_goheap_pages_look_like_nobody_elses(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);
	struct page *page = virt_to_page(p);

	KUNIT_EXPECT_TRUE(test, page_has_type(page));
	KUNIT_EXPECT_FALSE(test, PageSlab(page));
	KUNIT_EXPECT_FALSE(test, PageCompound(page));
	KUNIT_EXPECT_FALSE(test, PageBuddy(page));
	KUNIT_EXPECT_FALSE(test, PageOffline(page));
	KUNIT_EXPECT_FALSE(test, PageTable(page));
	KUNIT_EXPECT_FALSE(test, PageReserved(page));
	KUNIT_EXPECT_FALSE(test, folio_mapped(page_folio(page)));
	KUNIT_EXPECT_FALSE(test, gh_page_is_large_kmalloc(page));
	goheap_free(p);
}

static struct kunit_case misuse_pages_cases[] = {
	KUNIT_CASE(test_gh_arena_scavenge_finds_stray_put),
	KUNIT_CASE(test_gh_arena_free_finds_stray_put),
	KUNIT_CASE(test_gh_validate_finds_stray_put),
	KUNIT_CASE(test_get_page_and_put_page_leave_object_its_page),
	KUNIT_CASE(test_iov_iter_get_pages_leaves_object_its_page),
	KUNIT_CASE(test_gh_arena_scavenge_leaves_page_to_its_last_holder),
	KUNIT_CASE(test_goheap_pages_look_like_nobody_elses),
	{}
};

static struct kunit_suite misuse_pages_suite = {
	.name = "goheap_misuse_pages",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = misuse_pages_cases,
};

kunit_test_suite(misuse_pages_suite);
