// SPDX-License-Identifier: GPL-2.0
/*
 * What the test suites share. See testlib.h.
 */

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kmsg_dump.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "lib_report.h"
#include "percpu/slots.h"
#include "testlib.h"

/* How often a check is repeated that background work may have disturbed. */
#define TRIES		50
#define TRY_MS		10

struct task_struct *gh_test_nmi;
gh_test_fn *gh_test_after_bit;
struct task_struct *gh_test_yielder;
unsigned long gh_test_yields;
struct page *gh_test_poison;
void (*gh_test_check)(const void *p, size_t bytes);
unsigned int gh_test_max_order = UINT_MAX;
gfp_t gh_test_gfp;
unsigned int gh_test_asked[GH_MAX_PAGE_ORDER + 1];

/* ---- validation ---------------------------------------------------------- */

void gh_test_validate(struct kunit *test)
{
	const char *wrong;
	int tries;

	/* What is wrong for good stays wrong. */
	for (tries = 0; (wrong = gh_validate()) && tries < TRIES; tries++)
		msleep(TRY_MS);
	KUNIT_EXPECT_NULL_MSG(test, wrong, "%s", wrong);
}

static bool add_live(struct gh_span *s, void *arg)
{
	struct gh_span_counts counts;
	unsigned long *live = arg;

	gh_span_count(s, &counts);
	*live += s->flags & GH_F_TINY ? gh_block_count(s) : counts.live;
	return true;
}

/* Wait for everything that was given to goheap_free_rcu(). */
void gh_test_flush_limbo(void)
{
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		gh_limbo_flush(heap);
	mutex_unlock(&gh_heaps_mutex);
}

struct grace {
	struct rcu_head rcu;
	struct completion over;
};

static void grace_is_over(struct rcu_head *rcu)
{
	complete(&container_of(rcu, struct grace, rcu)->over);
}

void gh_test_grace_period(void)
{
	struct grace grace;

	init_rcu_head_on_stack(&grace.rcu);
	init_completion(&grace.over);
	gh_call_rcu(&grace.rcu, grace_is_over);
	wait_for_completion(&grace.over);
	destroy_rcu_head_on_stack(&grace.rcu);
}

/* Live objects of a heap, or of all. */
unsigned long gh_test_live(struct goheap *heap)
{
	unsigned long live = 0;

	gh_map_walk(heap, add_live, &live);
	return live;
}

/* Heap pages that the heap holds. */
long gh_test_pages(struct goheap *heap)
{
	return atomic_long_read(&heap->pages);
}

/* Did the kernel say so, ever? */
bool gh_test_log_has(const char *text)
{
	struct kmsg_dump_iter iter;
	char line[256];
	size_t len;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		if (strstr(line, text))
			return true;
	}
	return false;
}

/* ---- CPUs ---------------------------------------------------------------- */

int gh_test_init(struct kunit *test)
{
	gh_test_forget_reports();
	/* The case's thread is its own, and ends with it. */
	return set_cpus_allowed_ptr(current, cpumask_of(cpumask_first(cpu_online_mask)));
}

void gh_test_exit(struct kunit *test)
{
	gh_test_flush_limbo();
	gh_misuse_flush();
	gh_test_validate(test);
	gh_test_expect_silence(test);
	KUNIT_EXPECT_EQ_MSG(test, gh_test_live(gh_default), 0UL, "the test leaks");
}

int gh_test_other_cpu(struct kunit *test)
{
	unsigned int cpu = cpumask_next(raw_smp_processor_id(), cpu_online_mask);

	if (cpu >= nr_cpu_ids)
		kunit_skip(test, "needs two CPUs");
	return cpu;
}

long gh_test_on(int cpu, long (*fn)(void *), void *arg)
{
	return work_on_cpu(cpu, fn, arg);
}

static long free_it(void *p)
{
	goheap_free(p);
	return 0;
}

void gh_test_free_on(int cpu, const void *p)
{
	gh_test_on(cpu, free_it, (void *)p);
}

struct task_struct *gh_test_thread(struct kunit *test, int cpu, int (*fn)(void *), void *arg)
{
	struct task_struct *task = kthread_create_on_cpu(fn, arg, cpu, "goheap-kunit/%u");

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	return task;
}

/* ---- heaps --------------------------------------------------------------- */

static void destroy_heap(void *arg)
{
	struct kunit *test = kunit_get_current_test();
	struct goheap *heap = arg;

	if (test && !(heap->flags & GOHEAP_LEAK_OK))
		KUNIT_EXPECT_EQ_MSG(test, gh_test_live(heap), 0UL, "the test leaks");
	goheap_destroy(heap);
}

struct goheap *gh_test_heap(struct kunit *test, const char *name,
			    const struct goheap_params *params)
{
	struct goheap *heap = goheap_create(name, params);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, destroy_heap, heap), 0);
	return heap;
}

/* Of the CPU that the case is bound to. */
struct gh_cache *gh_test_cache(struct goheap *heap)
{
	return per_cpu_ptr(heap->cache, raw_smp_processor_id());
}

/* For objects that the case holds, so that their span stays. */
struct gh_span *gh_test_span_of(const void *p)
{
	struct gh_span *s;

	preempt_disable();
	s = gh_span_of(p);
	preempt_enable();
	return s;
}

struct gh_cache *gh_test_nest(struct goheap *heap)
{
	struct gh_cache *cache;

	preempt_disable();
	cache = gh_test_cache(heap);
	WRITE_ONCE(cache->busy, 1);
	return cache;
}

void gh_test_unnest(struct gh_cache *cache)
{
	WRITE_ONCE(cache->busy, 0);
	preempt_enable();
}

unsigned long gh_test_nmi_begin(void)
{
	unsigned long flags;

	local_irq_save(flags);
	WRITE_ONCE(gh_test_nmi, current);
	return flags;
}

void gh_test_nmi_end(unsigned long flags)
{
	WRITE_ONCE(gh_test_nmi, NULL);
	local_irq_restore(flags);
}

void gh_test_free_nested(struct goheap *heap, const void *p)
{
	struct gh_cache *cache = gh_test_nest(heap);

	goheap_free(p);
	gh_test_unnest(cache);
}

/* What a first allocation would make. */
static unsigned int use_class(struct goheap *heap, size_t size)
{
	unsigned int sc = gh_size_class(size) * 2;

	if (!gh_cache_peek_slots(gh_test_cache(heap), sc))
		gh_slots_make(heap, sc, GFP_ATOMIC);
	return sc;
}

/* As if the class had been used on this CPU. */
void gh_test_use_here(struct goheap *heap, size_t size)
{
	use_class(heap, size);
	gh_central_make(heap, gh_size_class(size) * 2, GFP_ATOMIC);
}

struct gh_slot *gh_test_slot(struct goheap *heap, size_t size)
{
	return gh_cache_slot(gh_test_cache(heap), use_class(heap, size));
}

struct gh_bin *gh_test_bin(struct goheap *heap, size_t size)
{
	return gh_cache_bin(gh_test_cache(heap), use_class(heap, size));
}

/* Of the case's node. */
struct gh_central *gh_test_central(struct goheap *heap, size_t size)
{
	gh_central_make(heap, gh_size_class(size) * 2, GFP_ATOMIC);
	return gh_central_of(heap, gh_mem_node(), gh_size_class(size) * 2);
}

/* As if what is idle in the slot were in nobody's way no longer. */
void gh_test_flush_slot(struct goheap *heap, size_t size)
{
	struct gh_cache *cache;

	preempt_disable();
	cache = gh_test_cache(heap);
	if (gh_section_enter(cache)) {
		gh_cache_flush_some(cache, gh_size_class(size) * 2);
		gh_section_exit(cache);
	}
	preempt_enable();
}

void gh_test_flush_stock(struct goheap *heap)
{
	struct gh_cache *cache;

	preempt_disable();
	cache = gh_test_cache(heap);
	if (gh_section_enter(cache)) {
		gh_stock_flush(cache);
		gh_section_exit(cache);
	}
	preempt_enable();
}

unsigned long gh_test_stock(struct goheap *heap)
{
	unsigned long pages = 0, spans = 0;

	gh_stock_count(heap, NUMA_NO_NODE, &pages, &spans);
	return pages;
}
