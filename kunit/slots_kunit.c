// SPDX-License-Identifier: GPL-2.0
/*
 * Slots and central lists are made on first use: what a heap costs that does nothing, and what
 * an allocation does that cannot make them.
 */

#include <linux/delay.h>
#include <linux/numa.h>

#include "lib_object.h"
#include "percpu/slots.h"
#include "testlib.h"

#define SIZE	64
#define SC	(gh_size_class(SIZE) * 2)

static unsigned int nr_central(const struct goheap *heap)
{
	unsigned int i, n = 0;

	for (i = 0; i < GH_NR_PAIRS; i++)
		n += !!heap->central[i];
	return n;
}

static void test_goheap_create_is_light(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	int cpu;

	if (IS_ENABLED(CONFIG_LOCKDEP) || IS_ENABLED(CONFIG_DEBUG_OBJECTS) ||
	    L1_CACHE_BYTES > 64)
		kunit_skip(test, "works and cache lines are larger here");
	KUNIT_EXPECT_LE(test, sizeof(struct gh_cache), 1024UL);
	KUNIT_EXPECT_LE(test, sizeof(struct goheap), 1024UL);
	KUNIT_EXPECT_EQ(test, gh_central_bytes(heap), 0UL);
	for_each_possible_cpu(cpu)
		KUNIT_EXPECT_EQ(test, gh_slots_bytes(per_cpu_ptr(heap->cache, cpu)), 0UL);
}

static void test_goheap_heap_alloc_makes_one_pair(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	struct gh_cache *cache = gh_test_cache(heap);
	void *p, *q;

	p = goheap_heap_alloc(heap, SIZE, GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_EQ(test, cache->nr_made, 1U);
	KUNIT_EXPECT_EQ(test, nr_central(heap), 1U);
	KUNIT_EXPECT_TRUE(test, gh_cache_has_slot(cache, SC));
	KUNIT_EXPECT_FALSE(test, gh_cache_has_slot(cache, SC + 2));
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p)->owner, cache);
	/* Objects without pointers have the other slot of the pair, and spans of their own. */
	q = goheap_heap_alloc(heap, SIZE, GFP_KERNEL, GOHEAP_NOSCAN);
	KUNIT_EXPECT_EQ(test, cache->nr_made, 1U);
	KUNIT_EXPECT_NE(test, gh_test_span_of(p)->spanclass, gh_test_span_of(q)->spanclass);
	KUNIT_EXPECT_EQ(test, gh_slots_bytes(cache), sizeof(struct gh_slots));
	goheap_free(p);
	goheap_free(q);
}

static void test_goheap_heap_alloc_leaves_other_cpus_blank(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	struct gh_cache *other = per_cpu_ptr(heap->cache, gh_test_other_cpu(test));

	goheap_free(goheap_heap_alloc(heap, SIZE, GFP_KERNEL, 0));
	KUNIT_EXPECT_FALSE(test, gh_cache_is_blank(gh_test_cache(heap)));
	KUNIT_EXPECT_TRUE(test, gh_cache_is_blank(other));
	KUNIT_EXPECT_EQ(test, other->nr_made, 0U);
}

/* As in a section that was interrupted: the slots cannot be made just then. */
static void test_goheap_heap_alloc_without_slot(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	struct gh_cache *cache;
	void *p, *q;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "no pages can be asked for with preemption off");
	cache = gh_test_nest(heap);
	p = goheap_heap_alloc(heap, SIZE, GFP_ATOMIC, 0);
	gh_test_unnest(cache);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_EXPECT_FALSE(test, gh_cache_has_slot(cache, SC));
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(p)->owner, NULL);
	q = goheap_heap_alloc(heap, SIZE, GFP_ATOMIC, 0);
	KUNIT_EXPECT_TRUE(test, gh_cache_has_slot(cache, SC));
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(q), gh_test_span_of(p));
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(q)->owner, cache);
	goheap_free(p);
	goheap_free(q);
}

static void *alloc_in_nmi(struct goheap *heap)
{
	unsigned long flags = gh_test_nmi_begin();
	void *p = goheap_heap_alloc(heap, SIZE, GFP_NOWAIT, 0);

	gh_test_nmi_end(flags);
	return p;
}

/* The first NMI finds no slot; a CPU that allocates in NMIs only must not go without for ever. */
static void test_nmi_alloc_first_of_class(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	struct gh_cache *cache = gh_test_cache(heap);
	void *p, *pages = gh_test_alloc(test, gh_default, 8 * GH_PAGE_SIZE);
	unsigned int i;

	goheap_free(pages);		/* leaves idle pages */
	gh_test_flush_limbo();
	p = alloc_in_nmi(heap);
	KUNIT_EXPECT_PTR_EQ(test, p, NULL);
	for (i = 0; i < 500 && !nr_central(heap); i++)
		msleep(20);
	KUNIT_ASSERT_EQ(test, nr_central(heap), 1U);
	KUNIT_ASSERT_TRUE(test, gh_cache_has_slot(cache, SC));
	KUNIT_EXPECT_TRUE(test, bitmap_empty(cache->wanted, GH_NR_PAIRS));
	goheap_free(gh_test_alloc(test, gh_default, SIZE));
	p = alloc_in_nmi(heap);
	KUNIT_EXPECT_NOT_NULL(test, p);
	goheap_free(p);
}

/* A CPU that never used a heap has nothing that could be taken over, and an inbox nobody knows. */
static void test_gh_hotplug_abandon_blank_cache(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	struct gh_cache *cache = gh_test_cache(heap);
	unsigned long flushes = cache->flushes;

	gh_hotplug_abandon(cache);
	KUNIT_EXPECT_FALSE(test, gh_inbox_is_closed(cache));
	KUNIT_EXPECT_EQ(test, cache->flushes, flushes);
}

/* All classes of a heap at once, made by whoever comes first. */
static void test_goheap_heap_alloc_all_classes(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	unsigned int class;
	void *p;

	for (class = 1; class < GH_NR_CLASSES; class++) {
		p = goheap_heap_alloc(heap, gh_classes[class].size, GFP_KERNEL, 0);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_EQ(test, goheap_size(p), (size_t)gh_classes[class].size);
		goheap_free(p);
	}
	KUNIT_EXPECT_EQ(test, gh_test_cache(heap)->nr_made, (unsigned int)GH_NR_CLASSES - 1);
	p = goheap_heap_alloc(heap, 3, GFP_KERNEL, GOHEAP_NOSCAN);
	KUNIT_EXPECT_TRUE(test, gh_cache_has_slot(gh_test_cache(heap), GH_SC_TINY));
	goheap_free(p);
}

/* NMIs, and holders of raw locks on PREEMPT_RT, find all slots of the default heap. */
static void test_gh_hotplug_default_has_all_slots(struct kunit *test)
{
	unsigned int sc;
	int cpu;

	for_each_online_cpu(cpu)
		for (sc = 0; sc < GH_NR_SLOTS; sc++)
			KUNIT_EXPECT_NOT_NULL_MSG(test,
				gh_cache_peek_slots(per_cpu_ptr(gh_default->cache, cpu), sc),
				"CPU %d, span class %u", cpu, sc);
}

/* As on a CPU that comes online while the heap has pages already. */
static void test_gh_slots_make_all(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	struct gh_cache *cache = gh_test_cache(heap);
	struct gh_slots *made;

	goheap_free(gh_test_alloc(test, heap, SIZE));
	made = cache->slots[SC / 2];
	gh_slots_make_all(cache);
	KUNIT_EXPECT_PTR_EQ(test, cache->slots[SC / 2], made);
	KUNIT_EXPECT_EQ(test, cache->nr_made, (unsigned int)GH_NR_PAIRS);
	gh_slots_make_all(cache);
	KUNIT_EXPECT_EQ(test, cache->nr_made, (unsigned int)GH_NR_PAIRS);
	goheap_free(gh_test_alloc(test, heap, 20000));
	gh_test_validate(test);
}

/* The slots are there and the central lists could not be made: the work makes these, too. */
static void test_gh_slots_want_central(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-slots", NULL);
	struct gh_cache *cache = gh_test_cache(heap);
	unsigned int i;

	gh_slots_make(heap, SC, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, gh_cache_has_slot(cache, SC));
	KUNIT_ASSERT_EQ(test, nr_central(heap), 0U);
	KUNIT_EXPECT_NULL(test, alloc_in_nmi(heap));
	for (i = 0; i < 500 && !nr_central(heap); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, nr_central(heap), 1U);
}

static struct kunit_case slots_cases[] = {
	KUNIT_CASE(test_goheap_create_is_light),
	KUNIT_CASE(test_goheap_heap_alloc_makes_one_pair),
	KUNIT_CASE(test_goheap_heap_alloc_leaves_other_cpus_blank),
	KUNIT_CASE(test_goheap_heap_alloc_without_slot),
	KUNIT_CASE(test_nmi_alloc_first_of_class),
	KUNIT_CASE(test_gh_hotplug_abandon_blank_cache),
	KUNIT_CASE(test_goheap_heap_alloc_all_classes),
	KUNIT_CASE(test_gh_hotplug_default_has_all_slots),
	KUNIT_CASE(test_gh_slots_make_all),
	KUNIT_CASE(test_gh_slots_want_central),
	{}
};

static struct kunit_suite slots_suite = {
	.name = "goheap_slots",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = slots_cases,
};

kunit_test_suite(slots_suite);
