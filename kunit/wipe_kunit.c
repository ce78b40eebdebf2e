// SPDX-License-Identifier: GPL-2.0
/*
 * What booting with init_on_alloc=1 and init_on_free=1 promises: nobody sees what others
 * left.
 */

#include <linux/string.h>

#include "lib_object.h"
#include "testlib.h"

/* All that its owner may use, of NR_STALE objects. */
#define NR_STALE	40U

static void fill_whole(struct kunit *test, size_t size, bool noscan, void **p, unsigned int *dirty)
{
	unsigned int i;

	for (i = 0; i < NR_STALE; i++) {
		p[i] = noscan ? goheap_alloc_noscan(size, GFP_KERNEL) :
				goheap_alloc(size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		OPTIMIZER_HIDE_VAR(p[i]);
		*dirty += !!memchr_inv(p[i], 0, goheap_size(p[i]));
		memset(p[i], 0xa5, goheap_size(p[i]));
	}
}

/* Of a tiny object the last bytes were what the block held before. */
static void test_goheap_alloc_init_on_alloc_all_of_size(struct kunit *test)
{
	static const size_t sizes[] = { 17, 33, 100, 1025, 5000, 20000, 33000, 100000 };
	unsigned int i, dirty, ignored = 0;
	void *p[NR_STALE];
	size_t size;

	if (!want_init_on_alloc(0))
		kunit_skip(test, "booted without init_on_alloc=1");
	for (i = 0; i < 2 * (15 + ARRAY_SIZE(sizes)); i++) {
		size = i / 2 < 15 ? i / 2 + 1 : sizes[i / 2 - 15];
		dirty = 0;
		fill_whole(test, size, i % 2, p, &ignored);
		goheap_free_bulk(NR_STALE, p);
		fill_whole(test, size, i % 2, p, &dirty);
		goheap_free_bulk(NR_STALE, p);
		KUNIT_EXPECT_EQ_MSG(test, dirty, 0U, "of size %zu%s", size,
				    i % 2 ? ", without pointers" : "");
	}
}

static void test_goheap_realloc_init_on_alloc(struct kunit *test)
{
	u8 *p = goheap_alloc(112, GFP_KERNEL), *q;

	if (!want_init_on_alloc(0)) {
		goheap_free(p);
		kunit_skip(test, "booted without init_on_alloc=1");
	}
	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0xa5, 112);
	q = goheap_realloc(p, 60, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	q = goheap_realloc(q, 112, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, q, p);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(q + 60, 0, 52), "what it lost and gained");
	q = goheap_realloc(q, 300, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_NULL(test, memchr_inv(q + 112, 0, 300 - 112));
	goheap_free(q);
}

static void test_goheap_free_init_on_free(struct kunit *test)
{
	unsigned int i;
	u8 *p;

	if (!want_init_on_free())
		kunit_skip(test, "booted without init_on_free=1");
	for (i = 0; i < ARRAY_SIZE(gh_test_sizes); i++) {
		p = goheap_alloc(gh_test_sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, p);
		if (gh_test_span_of(p)->flags & GH_F_LARGE) {
			goheap_free(p);
			continue;
		}
		memset(p, 0xa5, gh_test_sizes[i]);
		goheap_free(p);
		gh_unpoison(p, gh_test_sizes[i]);
		KUNIT_EXPECT_PTR_EQ_MSG(test, memchr_inv(p, 0, gh_test_sizes[i]), NULL,
					"size %zu", gh_test_sizes[i]);
		gh_poison(p, gh_test_sizes[i]);
	}
}

#define SECRET		0x5ec2e75ec2e75ec2UL
#define NR_SECRETS	6U

static void *hide_secret(struct kunit *test, struct goheap *heap, size_t size, bool noscan)
{
	void *p = goheap_heap_alloc(heap, size, GFP_KERNEL, noscan ? GOHEAP_NOSCAN : 0);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset_l(p, SECRET, size / sizeof(long));
	return p;
}

/* Pages that went back to the kernel may be anybody's by now; they are mapped. */
static unsigned int find_secret(const void *p, size_t size)
{
	unsigned int found = 0;
	size_t off;

	for (off = 0; off + sizeof(long) <= size; off += sizeof(long))
		found += READ_ONCE_NOCHECK(*(unsigned long *)(p + off)) == SECRET;
	return found;
}

/* As goheap_free_rcu() does; and nobody merges it in time. */
static void free_unmerged(const void *p)
{
	struct gh_ref ref;

	preempt_disable();
	if (gh_lookup_live(p, &ref) && !(ref.span->flags & (GH_F_TINY | GH_F_LARGE))) {
		gh_span_rcu_mark(ref.span);
		gh_word_set_remote(gh_span_word(ref.span, ref.idx), ref.idx);
	}
	preempt_enable();
}

static void leave_secrets(struct kunit *test, unsigned int flags)
{
	static const size_t sizes[] = { 8, 96, 4096, 20480, 100000 };
	struct goheap_params params = { .flags = GOHEAP_LEAK_OK | flags };
	struct goheap *heap = goheap_create("kunit-secret", &params);
	void *p[ARRAY_SIZE(sizes)][NR_SECRETS];
	unsigned int i, j;

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (j = 0; j < NR_SECRETS; j++)
			p[i][j] = hide_secret(test, heap, sizes[i], j % 2);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		goheap_free(p[i][0]);
		goheap_free_rcu(p[i][1]);
		free_unmerged(p[i][2]);
	}
	goheap_destroy(heap);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (j = 0; j < NR_SECRETS; j++)
			KUNIT_EXPECT_EQ_MSG(test, find_secret(p[i][j], sizes[i]), 0U,
					    "of %zu bytes, number %u", sizes[i], j);
}

/* What was live went to the page heap, and to the next owner, as it was. */
static void test_goheap_destroy_init_on_free(struct kunit *test)
{
	if (!want_init_on_free())
		kunit_skip(test, "booted without init_on_free=1");
	leave_secrets(test, 0);
	leave_secrets(test, GOHEAP_REDZONE);
	leave_secrets(test, GOHEAP_POISON | GOHEAP_REDZONE | GOHEAP_TRACK);
}

static struct kunit_case wipe_cases[] = {
	KUNIT_CASE(test_goheap_alloc_init_on_alloc_all_of_size),
	KUNIT_CASE(test_goheap_realloc_init_on_alloc),
	KUNIT_CASE(test_goheap_free_init_on_free),
	KUNIT_CASE(test_goheap_destroy_init_on_free),
	{}
};

static struct kunit_suite wipe_suite = {
	.name = "goheap_wipe",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = wipe_cases,
};

kunit_test_suite(wipe_suite);
