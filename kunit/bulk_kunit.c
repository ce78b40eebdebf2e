// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_alloc_bulk() and goheap_free_bulk() against the same calls one at a time:
 * words and spans that end in the middle, and pointers that have nothing to do
 * with their neighbours.
 */

#include <linux/sort.h>
#include <linux/string.h>

#include "lib_model.h"
#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

#define MOST	300

/*
 * Many words of objects; several, all full and not; one, full and not; few objects,
 * an odd number of them, and one.
 */
static const size_t sizes[] = { 8, 16, 48, 64, 128, 144, 1024, 1408, 8192, 9472, 28672, 32768 };

static int init(struct kunit *test)
{
	int err = gh_test_init(test);

	gh_reclaim_trim();
	test->priv = kunit_kcalloc(test, MOST, sizeof(void *), GFP_KERNEL);
	return err ?: test->priv ? 0 : -ENOMEM;
}

static void **alloc_bulk(struct kunit *test, size_t size, unsigned int n)
{
	KUNIT_ASSERT_EQ_MSG(test, goheap_alloc_bulk(size, GFP_KERNEL, n, test->priv), n,
			    "size %zu", size);
	return test->priv;
}

static void shuffle(void **p, unsigned int n, struct rnd_state *rnd)
{
	unsigned int i, other;

	for (i = n; i > 1; i--) {
		other = gh_test_below(rnd, i);
		swap(p[i - 1], p[other]);
	}
}

static void reverse(void **p, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n / 2; i++)
		swap(p[i], p[n - 1 - i]);
}

/* Everything was freed, and nothing else was. */
static void expect_gone(struct kunit *test, void **p, unsigned int n, unsigned long live)
{
	unsigned int i, left = 0;

	for (i = 0; i < n; i++)
		left += goheap_size(p[i]) > 0;
	KUNIT_EXPECT_EQ(test, left, 0U);
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), live);
	gh_test_validate(test);
}

/* ---- allocation ---------------------------------------------------------- */

/* Live objects that are no two the same: each keeps its number at both ends. */
static unsigned int count_bad(void **p, unsigned int n, size_t size)
{
	unsigned int i, bad = 0;
	unsigned long *word;

	for (i = 0; i < n; i++) {
		word = p[i];
		word[0] = i;
		word[size / sizeof(*word) - 1] = i;
		bad += goheap_size(p[i]) < size || goheap_base(p[i]) != p[i];
	}
	for (i = 0; i < n; i++) {
		word = p[i];
		bad += word[0] != i || word[size / sizeof(*word) - 1] != i;
	}
	return bad;
}

static void free_somehow(void **p, unsigned int n, struct rnd_state *rnd)
{
	switch (gh_test_below(rnd, 4)) {
	case 0:
		reverse(p, n);
		break;
	case 1:
		shuffle(p, n, rnd);
		break;
	}
	goheap_free_bulk(n, p);
}

static void test_goheap_alloc_bulk_every_count(struct kunit *test)
{
	unsigned int i, n, step = GH_TEST_SLOW ? 23 : 1;
	struct rnd_state rnd;
	void **p;

	gh_test_seed(&rnd, 300);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (n = 1; n <= MOST; n += step) {
			p = alloc_bulk(test, sizes[i], n);
			KUNIT_EXPECT_EQ_MSG(test, count_bad(p, n, sizes[i]), 0U,
					    "%u of size %zu", n, sizes[i]);
			free_somehow(p, n, &rnd);
		}
		expect_gone(test, p, n - step, 0);
	}
	gh_test_expect_silence(test);
}

/* From words that others have holes in, and from a magazine. */
static void test_goheap_alloc_bulk_fills_holes(struct kunit *test)
{
	void **keep = gh_test_array(test, MOST), **p;
	unsigned int i, j, bad;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		gh_test_magazine(test, gh_default, sizes[i]);
		p = alloc_bulk(test, sizes[i], MOST);
		memcpy(keep, p, MOST * sizeof(*keep));
		for (j = 0; j < MOST; j++) {
			memset(keep[j], 0x42, sizes[i]);
			if (j % 3) {
				goheap_free(keep[j]);
				keep[j] = NULL;
			}
		}
		p = alloc_bulk(test, sizes[i], MOST);
		bad = count_bad(p, MOST, sizes[i]);
		for (j = 0; j < MOST; j += 3)
			bad += !!memchr_inv(keep[j], 0x42, sizes[i]);
		KUNIT_EXPECT_EQ_MSG(test, bad, 0U, "size %zu", sizes[i]);
		goheap_free_bulk(MOST, p);
		goheap_free_bulk(MOST, keep);
		expect_gone(test, p, MOST, 0);
	}
}

/* The newest of the magazine come in the middle, where a word ends. */
static void test_goheap_alloc_bulk_uses_magazine(struct kunit *test)
{
	void **p, *q[8];
	unsigned int i, found = 0;

	gh_test_magazine(test, gh_default, 1024);
	for (i = 0; i < ARRAY_SIZE(q); i++)
		q[i] = goheap_alloc(1024, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(q); i++)
		goheap_free(q[i]);
	KUNIT_ASSERT_EQ(test, gh_test_magazine_nr(gh_default, 1024), 8U);
	p = alloc_bulk(test, 1024, 16);
	for (i = 0; i < 16 * ARRAY_SIZE(q); i++)
		found += p[i / 8] == q[i % 8];
	KUNIT_EXPECT_EQ(test, found, 8U);
	KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(gh_default, 1024), 0U);
	goheap_free_bulk(16, p);
}

/* ---- free ---------------------------------------------------------------- */

static void test_goheap_free_bulk_orders(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i;
	void **p;

	gh_test_seed(&rnd, 5);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = alloc_bulk(test, sizes[i], MOST);
		goheap_free_bulk(MOST, p);
		expect_gone(test, p, MOST, 0);
		p = alloc_bulk(test, sizes[i], MOST);
		reverse(p, MOST);
		goheap_free_bulk(MOST, p);
		expect_gone(test, p, MOST, 0);
		p = alloc_bulk(test, sizes[i], MOST);
		shuffle(p, MOST, &rnd);
		goheap_free_bulk(MOST, p);
		expect_gone(test, p, MOST, 0);
	}
	gh_test_expect_silence(test);
}

static void test_goheap_free_bulk_nothing_between(struct kunit *test)
{
	void **p = alloc_bulk(test, 64, 100);
	unsigned int i;

	for (i = 0; i < 100; i += 1 + i % 5) {
		goheap_free(p[i]);
		p[i] = i % 2 ? NULL : ZERO_SIZE_PTR;
	}
	goheap_free_bulk(100, p);
	expect_gone(test, p, 100, 0);
	for (i = 0; i < 100; i++)
		p[i] = NULL;
	goheap_free_bulk(100, p);
	goheap_free_bulk(0, p);
	gh_test_expect_silence(test);
}

/* Every part of a span's objects, so that runs start and end anywhere. */
static void free_parts(struct kunit *test, size_t size, unsigned int n)
{
	unsigned int start, len, step = GH_TEST_SLOW ? 29 : 7;
	void **p;

	for (start = 0; start < n; start += step) {
		for (len = 1; start + len <= n; len += step) {
			p = alloc_bulk(test, size, n);
			goheap_free_bulk(len, p + start);
			KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), (unsigned long)n - len);
			goheap_free_bulk(n - start - len, p + start + len);
			goheap_free_bulk(start, p);
			KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), 0UL);
		}
	}
}

static void test_goheap_free_bulk_any_part(struct kunit *test)
{
	free_parts(test, 64, 130);
	free_parts(test, 48, 171);
}

static int by_address(const void *a, const void *b)
{
	const void *p = *(void **)a, *q = *(void **)b;

	return p < q ? -1 : p > q;
}

/* Is the object the last of its span, and does the next span start where it ends? */
static bool is_edge(const void *p, const void *next, size_t size)
{
	const struct gh_span *s = gh_test_span_of(p), *t = gh_test_span_of(next);

	return s != t && p + size == next && (unsigned long)next == s->base + s->limit;
}

/*
 * Spans without waste at their end lie side by side: the last object of one and the
 * first of the other look like neighbours.
 */
static void free_across(struct kunit *test, size_t size)
{
	unsigned int per_span = gh_classes[gh_size_class(size)].objects, edges = 0, i, n;
	void **p = alloc_bulk(test, size, MOST), **found = p;

	sort(p, MOST, sizeof(*p), by_address, NULL);
	for (i = 0; i + 1 < MOST; i++) {
		if (!is_edge(p[i], p[i + 1], size))
			continue;
		edges++;
		found = p + i;
	}
	KUNIT_ASSERT_GT_MSG(test, edges, 0U, "size %zu: no spans side by side", size);
	/* Just the two, and what is around them. */
	goheap_free_bulk(2, found);
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), MOST - 2UL);
	gh_test_validate(test);
	KUNIT_EXPECT_EQ(test, goheap_size(found[0]), 0UL);
	KUNIT_EXPECT_EQ(test, goheap_size(found[1]), 0UL);
	memset(found, 0, 2 * sizeof(*found));
	goheap_free_bulk(MOST, p);
	expect_gone(test, p, MOST, 0);
	/* The whole of them. */
	p = alloc_bulk(test, size, MOST);
	sort(p, MOST, sizeof(*p), by_address, NULL);
	n = min(MOST, 3 * per_span);
	goheap_free_bulk(n, p);
	KUNIT_EXPECT_EQ(test, gh_test_live(gh_default), (unsigned long)MOST - n);
	goheap_free_bulk(MOST - n, p + n);
	expect_gone(test, p, MOST, 0);
}

static void test_goheap_free_bulk_across_spans(struct kunit *test)
{
	free_across(test, 64);
	free_across(test, 128);
	free_across(test, 256);
	free_across(test, 1024);
	free_across(test, 8192);
	gh_test_expect_silence(test);
}

static long alloc_there(void *arg)
{
	void **p = arg;

	*p = goheap_alloc(64, GFP_KERNEL);
	return 0;
}

/* Of two heaps, two CPUs, and every kind of span, in turn. */
static void mix(struct kunit *test, struct goheap *heap, int cpu, void **p)
{
	unsigned int i;

	for (i = 0; i < MOST; i++) {
		switch (i % 7) {
		case 0:
			p[i] = goheap_heap_alloc(heap, 64, GFP_KERNEL, 0);
			break;
		case 1:
			gh_test_on(cpu, alloc_there, &p[i]);
			break;
		case 2:
			p[i] = goheap_alloc_noscan(3, GFP_KERNEL);
			break;
		case 3:
			p[i] = i % 4 ? goheap_alloc(48, GFP_KERNEL) :
				       goheap_alloc(40000, GFP_KERNEL);
			break;
		case 4:
			p[i] = NULL;
			break;
		default:
			p[i] = goheap_alloc(64, GFP_KERNEL);
		}
		if (i % 7 != 4)
			KUNIT_ASSERT_NOT_NULL(test, p[i]);
	}
}

static void test_goheap_free_bulk_mixed(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct goheap *heap = gh_test_heap(test, "kunit-bulk", NULL);
	struct rnd_state rnd;
	unsigned int i;

	gh_test_seed(&rnd, 7);
	for (i = 0; i < 2; i++) {
		mix(test, heap, cpu, test->priv);
		if (i)
			shuffle(test->priv, MOST, &rnd);
		goheap_free_bulk(MOST, test->priv);
		expect_gone(test, test->priv, MOST, 0);
		KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
	}
	gh_test_expect_silence(test);
}

/* In an interrupt that hit the section nothing is freed by runs, but all is freed. */
static void test_goheap_free_bulk_nested(struct kunit *test)
{
	void **p = alloc_bulk(test, 64, 100);
	struct gh_cache *cache = gh_test_nest(gh_default);
	bool remote;

	goheap_free_bulk(100, p);
	remote = gh_span_has_remote(gh_span_of(p[0]));
	gh_test_unnest(cache);
	KUNIT_EXPECT_TRUE_MSG(test, remote, "the bitmap was touched within the section");
	expect_gone(test, p, 100, 0);
	gh_test_expect_silence(test);
}

static struct kunit_case bulk_cases[] = {
	KUNIT_CASE(test_goheap_alloc_bulk_every_count),
	KUNIT_CASE(test_goheap_alloc_bulk_fills_holes),
	KUNIT_CASE(test_goheap_alloc_bulk_uses_magazine),
	KUNIT_CASE(test_goheap_free_bulk_orders),
	KUNIT_CASE(test_goheap_free_bulk_nothing_between),
	KUNIT_CASE(test_goheap_free_bulk_any_part),
	KUNIT_CASE(test_goheap_free_bulk_across_spans),
	KUNIT_CASE(test_goheap_free_bulk_mixed),
	KUNIT_CASE(test_goheap_free_bulk_nested),
	{}
};

static struct kunit_suite bulk_suite = {
	.name = "goheap_bulk",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = bulk_cases,
};

kunit_test_suite(bulk_suite);
