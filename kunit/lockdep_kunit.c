// SPDX-License-Identifier: GPL-2.0
/*
 * Callers that may not do what they ask for: every allocation asks lockdep, whether or not
 * it needs pages this time.
 */

#include <linux/string.h>
#include <linux/tracepoint.h>

#include "testlib.h"

#if defined(CONFIG_TRACEPOINTS) && defined(CONFIG_PROVE_LOCKING)
static struct tracepoint *lock_acquire_event;

static void find_lock_acquire(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "lock_acquire"))
		lock_acquire_event = tp;
}

struct asked {
	struct task_struct *task;
	unsigned int times;
};

/* What lockdep is told by everything that may reclaim. */
static void see_lock(void *data, struct lockdep_map *lock, unsigned int subclass, int trylock,
		     int read, int check, struct lockdep_map *nest, unsigned long ip)
{
	struct asked *asked = data;

	if (asked->task == current && lock->name && !strcmp(lock->name, "fs_reclaim"))
		asked->times++;
}

static void *alloc_by(unsigned int way)
{
	switch (way) {
	case 0:
		return goheap_alloc(100, GFP_KERNEL);
	case 1:
		return (goheap_alloc)(100, GFP_KERNEL);
	case 2:
		return goheap_zalloc(100, GFP_KERNEL);
	case 3:
		return goheap_alloc_noscan(100, GFP_KERNEL);
	case 4:
		return goheap_alloc_noscan(3, GFP_KERNEL);
	case 5:
		return goheap_alloc_aligned(100, 64, GFP_KERNEL);
	case 6:
		return goheap_heap_alloc(gh_default, 100, GFP_KERNEL, 0);
	case 7:
		return goheap_strdup("lockdep", GFP_KERNEL);
	default:
		return goheap_alloc(100000, GFP_KERNEL);
	}
}

#define NR_ALLOC_WAYS	9
#define NR_BULK		4

/* On the fast paths as well, or it would depend on the cache who finds the bug. */
static void test_goheap_alloc_asks_lockdep(struct kunit *test)
{
	struct asked asked = { .task = current };
	void *p[NR_BULK];
	unsigned int i;

	for_each_kernel_tracepoint(find_lock_acquire, NULL);
	KUNIT_ASSERT_NOT_NULL(test, lock_acquire_event);
	KUNIT_ASSERT_EQ(test, tracepoint_probe_register(lock_acquire_event, see_lock, &asked), 0);
	for (i = 0; i < NR_ALLOC_WAYS; i++) {
		/* The second one comes from the CPU's cache. */
		goheap_free(alloc_by(i));
		asked.times = 0;
		p[0] = alloc_by(i);
		KUNIT_EXPECT_GT_MSG(test, asked.times, 0U, "way %u", i);
		goheap_free(p[0]);
	}
	asked.times = 0;
	KUNIT_EXPECT_EQ(test, goheap_alloc_bulk(100, GFP_KERNEL, NR_BULK, p), NR_BULK);
	KUNIT_EXPECT_GT(test, asked.times, 0U);
	goheap_free_bulk(NR_BULK, p);
	asked.times = 0;
	goheap_free(goheap_alloc(100, GFP_ATOMIC));
	KUNIT_EXPECT_EQ(test, asked.times, 0U);
	tracepoint_probe_unregister(lock_acquire_event, see_lock, &asked);
	tracepoint_synchronize_unregister();
}
#else
static void test_goheap_alloc_asks_lockdep(struct kunit *test)
{
	kunit_skip(test, "needs CONFIG_PROVE_LOCKING and CONFIG_TRACEPOINTS");
}
#endif

static struct kunit_case lockdep_cases[] = {
	KUNIT_CASE(test_goheap_alloc_asks_lockdep),
	{}
};

static struct kunit_suite lockdep_suite = {
	.name = "goheap_lockdep",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = lockdep_cases,
};

kunit_test_suite(lockdep_suite);
