// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel gets back when it is short of memory: from the shrinker, whose
 * functions are called as the kernel calls them, and before somebody is killed.
 */

#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "lib_object.h"
#include "lib_pages.h"
#include "testlib.h"

#define SIZE	SZ_8K
#define NR	24		/* objects, fewer than a cache gives back unasked */

static void use_and_free(struct goheap *heap)
{
	void *p[NR] = {};
	unsigned int i;

	for (i = 0; i < NR; i++)
		p[i] = goheap_heap_alloc(heap, SIZE, GFP_KERNEL, 0);
	for (i = 0; i < NR; i++)
		goheap_free(p[i]);
}

static long use_there(void *heap)
{
	use_and_free(heap);
	return 0;
}

static unsigned long count(int nid)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = nid };

	return gh_shrinker->count_objects(gh_shrinker, &sc);
}

static unsigned long scan(int nid, unsigned long nr)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nid = nid, .nr_to_scan = nr };

	return gh_shrinker->scan_objects(gh_shrinker, &sc);
}

/* What is live is in the way of what is idle: the rest of its chunk. */
static void *make_idle(struct kunit *test)
{
	void *p = goheap_alloc(SZ_64K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

/* ---- the shrinker -------------------------------------------------------- */

static void test_shrinker_credits_the_caller(struct kunit *test)
{
	struct reclaim_state *old = current->reclaim_state, state = {};
	void *p = make_idle(test);
	unsigned long nr = count(gh_test_here()->nid), done;

	KUNIT_ASSERT_GE(test, nr, 16UL);
	KUNIT_ASSERT_NE(test, nr, SHRINK_EMPTY);
	current->reclaim_state = &state;
	done = scan(gh_test_here()->nid, 16);
	current->reclaim_state = old;
	KUNIT_EXPECT_EQ(test, done, 16UL);
	KUNIT_EXPECT_EQ(test, gh_reclaimed(&state), done);
	goheap_free(p);
}

/* It runs for kmalloc() in any context that may reclaim, and mostly for itself. */
static void test_shrinker_without_anything_idle(struct kunit *test)
{
	struct reclaim_state *old = current->reclaim_state, state = {};
	void *p = make_idle(test);

	current->reclaim_state = &state;
	while (scan(gh_test_here()->nid, 128) != SHRINK_STOP)
		;
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, 0UL);
	KUNIT_EXPECT_EQ(test, count(gh_test_here()->nid), SHRINK_EMPTY);
	KUNIT_EXPECT_GT(test, gh_reclaimed(&state), 0UL);
	current->reclaim_state = old;
	goheap_free(p);
}

/* A node that is short of memory has nothing of what others give up. */
static void test_shrinker_keeps_to_its_node(struct kunit *test)
{
	int nid = numa_mem_id(), other;
	unsigned long idle;
	void *p;

	other = next_online_node(nid);
	if (other == MAX_NUMNODES)
		other = first_online_node;
	if (other == nid)
		kunit_skip(test, "there is one node");
	while (scan(other, 128) != SHRINK_STOP)
		;
	p = make_idle(test);
	idle = gh_test_here()->idle;
	KUNIT_ASSERT_GT(test, idle, 0UL);
	KUNIT_EXPECT_EQ(test, count(other), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, scan(other, 128), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, idle);
	goheap_free(p);
}

/* ---- before somebody is killed ------------------------------------------- */

static void test_gh_reclaim_last_resort_idle_runs(struct kunit *test)
{
	void *p = make_idle(test);
	unsigned long idle = count(gh_test_here()->nid);

	KUNIT_EXPECT_GE(test, gh_reclaim_last_resort(), idle);
	KUNIT_EXPECT_EQ(test, gh_test_here()->idle, 0UL);
	goheap_free(p);
}

/* Nothing is idle but in caches; with the second call at the latest they are empty. */
static void empty_caches(struct kunit *test, struct goheap *heap)
{
	unsigned long held = gh_test_pages(heap), done;

	KUNIT_ASSERT_GE(test, held, (unsigned long)NR / 2);
	done = gh_reclaim_last_resort();
	done += gh_reclaim_last_resort();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
	KUNIT_EXPECT_GE(test, done, (held << GH_PAGE_SHIFT) >> PAGE_SHIFT);
}

static void test_gh_reclaim_last_resort_cache(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-resort", NULL);

	use_and_free(heap);
	empty_caches(test, heap);
}

static void test_gh_reclaim_last_resort_cache_of_other_cpu(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-resort", NULL);
	int cpu = gh_test_other_cpu(test);

	gh_test_on(cpu, use_there, heap);
	empty_caches(test, heap);
}

/* goheap_create() allocates with the mutex held, and may be what runs out of memory. */
static void test_gh_reclaim_last_resort_in_goheap_create(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-resort", NULL);
	unsigned long idle;
	void *p = make_idle(test);

	use_and_free(heap);
	idle = count(gh_test_here()->nid);
	mutex_lock(&gh_heaps_mutex);
	KUNIT_EXPECT_GE(test, gh_reclaim_last_resort(), idle);
	KUNIT_EXPECT_EQ(test, gh_reclaim_last_resort(), 0UL);
	mutex_unlock(&gh_heaps_mutex);
	KUNIT_EXPECT_GT(test, gh_test_pages(heap), 0L);
	goheap_free(p);
}

/* ---- trim ---------------------------------------------------------------- */

static void test_gh_reclaim_trim_returns_all(struct kunit *test)
{
	void **p = gh_test_array(test, 200);
	unsigned long idle = 0, lost = 0;
	unsigned int i;
	int nid;

	for (i = 0; i < 200; i++)
		p[i] = goheap_alloc_noscan(1 + i * i, GFP_KERNEL);
	goheap_free_bulk(200, p);
	gh_test_flush_limbo();
	gh_reclaim_trim();
	for_each_node(nid) {
		idle += gh_page_heaps[nid]->idle;
		lost += gh_page_heaps[nid]->taken - gh_page_heaps[nid]->returned;
	}
	KUNIT_EXPECT_EQ(test, idle, 0UL);
	KUNIT_EXPECT_EQ_MSG(test, lost, 0UL, "pages are held though nothing is live");
	KUNIT_EXPECT_EQ(test, gh_test_pages(gh_default), 0);
}

static struct kunit_case reclaim_cases[] = {
	KUNIT_CASE(test_shrinker_credits_the_caller),
	KUNIT_CASE(test_shrinker_without_anything_idle),
	KUNIT_CASE(test_shrinker_keeps_to_its_node),
	KUNIT_CASE(test_gh_reclaim_last_resort_idle_runs),
	KUNIT_CASE(test_gh_reclaim_last_resort_cache),
	KUNIT_CASE(test_gh_reclaim_last_resort_cache_of_other_cpu),
	KUNIT_CASE(test_gh_reclaim_last_resort_in_goheap_create),
	KUNIT_CASE(test_gh_reclaim_trim_returns_all),
	{}
};

static struct kunit_suite reclaim_suite = {
	.name = "goheap_reclaim",
	.init = gh_test_init_idle,
	.exit = gh_test_exit_idle,
	.test_cases = reclaim_cases,
};

kunit_test_suite(reclaim_suite);
