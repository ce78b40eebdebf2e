// SPDX-License-Identifier: GPL-2.0
/*
 * What must not be freed among what may, in a run of neighbours that goes at once.
 */

#include <linux/string.h>

#include "lib_report.h"
#include "testlib.h"

#define NR_RUN	12

/* What is to be freed at once: objects of an empty span, side by side. */
static void alloc_run(struct kunit *test, void **p)
{
	struct gh_span *s;
	unsigned int i;

	gh_reclaim_trim();
	KUNIT_ASSERT_EQ(test, goheap_alloc_bulk(VICTIM_SIZE, GFP_KERNEL, NR_RUN, p),
			(unsigned int)NR_RUN);
	s = gh_test_span_of(p[0]);
	for (i = 0; i < NR_RUN; i++)
		KUNIT_ASSERT_PTR_EQ(test, p[i], gh_span_object(s, i));
}

/* One report, and all of it is free. */
static void expect_freed_but_one(struct kunit *test, void **p, const char *text)
{
	unsigned int i;

	gh_test_expect_refused(test, text);
	for (i = 0; i < NR_RUN; i++)
		KUNIT_EXPECT_EQ_MSG(test, goheap_size(p[i]), 0UL, "object %u", i);
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), 0UL);
}

/* The pointer is there twice: next to itself, further on, and at the end. */
static void test_goheap_free_bulk_twice_the_same(struct kunit *test)
{
	static const unsigned int places[] = { 5, 6, 8, NR_RUN };
	void *p[NR_RUN], *all[NR_RUN + 1];
	unsigned int i, place;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		alloc_run(test, p);
		place = places[i];
		memcpy(all, p, place * sizeof(*p));
		all[place] = p[4];
		memcpy(all + place + 1, p + place, (NR_RUN - place) * sizeof(*p));
		goheap_free_bulk(ARRAY_SIZE(all), all);
		expect_freed_but_one(test, p, "double free");
	}
}

/* Who is in the middle of a run was freed before: here, and by somebody else. */
static void test_goheap_free_bulk_twice_in_the_middle(struct kunit *test)
{
	void *p[NR_RUN];

	alloc_run(test, p);
	goheap_free(p[5]);
	goheap_free_bulk(NR_RUN, p);
	expect_freed_but_one(test, p, "double free");

	alloc_run(test, p);
	gh_test_free_nested(gh_default, p[5]);
	goheap_free_bulk(NR_RUN, p);
	expect_freed_but_one(test, p, "double free");

	alloc_run(test, p);
	goheap_free(p[0]);
	goheap_free_bulk(NR_RUN, p);
	expect_freed_but_one(test, p, "double free");
}

static void test_goheap_free_bulk_interior(struct kunit *test)
{
	void *p[NR_RUN], *all[NR_RUN + 1];
	unsigned int place;

	for (place = 0; place <= NR_RUN; place += NR_RUN / 2) {
		alloc_run(test, p);
		memcpy(all, p, place * sizeof(*p));
		all[place] = p[6] + 8;
		memcpy(all + place + 1, p + place, (NR_RUN - place) * sizeof(*p));
		/* It may be found when nothing around it is live. */
		goheap_free_bulk(ARRAY_SIZE(all), all);
		expect_freed_but_one(test, p, "interior pointer");
	}
}

/* It looks like the neighbour of the last object, and is none. */
static void free_behind_last(struct kunit *test, size_t size, const char *text)
{
	void *all[2], *first = gh_test_victim(test, size), *p;
	struct gh_span *s = gh_test_span_of(first);
	unsigned int n = s->nelems, i;

	for (i = 1; i < n; i++) {
		p = gh_test_victim(test, size);
		KUNIT_ASSERT_PTR_EQ(test, p, gh_span_object(s, i));
	}
	all[0] = gh_span_object(s, n - 1);
	all[1] = all[0] + s->elemsize;
	goheap_free_bulk(ARRAY_SIZE(all), all);
	gh_test_expect_refused(test, text);
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), (unsigned long)n - 1);
	for (i = 0; i < n - 1; i++)
		goheap_free(gh_span_object(s, i));
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), 0UL);
	gh_test_expect_silence(test);
}

static void test_goheap_free_bulk_behind_last_object(struct kunit *test)
{
	gh_reclaim_trim();
	/* 170 of them leave 32 bytes, but where DMA may have to bounce they are 64 long. */
	if (gh_classes[gh_size_class(48)].size == 48)
		free_behind_last(test, 48, "interior pointer");
	/* 21 of these leave 128 bytes, 11 of the others 896. */
	free_behind_last(test, 384, "interior pointer");
	free_behind_last(test, 1408, "interior pointer");
	/* None are left: it is a free page, or the kernel's. */
	free_behind_last(test, 1024, "");
}

static struct kunit_case misuse_bulk_cases[] = {
	KUNIT_CASE(test_goheap_free_bulk_twice_the_same),
	KUNIT_CASE(test_goheap_free_bulk_twice_in_the_middle),
	KUNIT_CASE(test_goheap_free_bulk_interior),
	KUNIT_CASE(test_goheap_free_bulk_behind_last_object),
	{}
};

static struct kunit_suite misuse_bulk_suite = {
	.name = "goheap_misuse_bulk",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = misuse_bulk_cases,
};

kunit_test_suite(misuse_bulk_suite);
