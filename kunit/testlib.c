// SPDX-License-Identifier: GPL-2.0
/*
 * What the test suites share. See testlib.h.
 */

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kmsg_dump.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>

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

/* ---- random numbers ------------------------------------------------------ */

/* The same numbers in every run. */
void gh_test_seed(struct rnd_state *rnd, u64 seed)
{
	prandom_seed_state(rnd, seed);
}

u32 gh_test_below(struct rnd_state *rnd, u32 bound)
{
	return prandom_u32_state(rnd) % bound;
}

/* ---- validation ---------------------------------------------------------- */

void gh_test_validate(struct kunit *test)
{
	int err, tries;

	/* What is wrong for good stays wrong. */
	for (tries = 0; (err = gh_validate()) && tries < TRIES; tries++)
		msleep(TRY_MS);
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "the heap is damaged");
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
	/* The case's thread is its own, and ends with it. */
	return set_cpus_allowed_ptr(current, cpumask_of(cpumask_first(cpu_online_mask)));
}

void gh_test_exit(struct kunit *test)
{
	gh_test_flush_limbo();
	gh_misuse_flush();
	gh_test_validate(test);
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

/* ---- the page heap -------------------------------------------------------- */

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

struct gh_slot *gh_test_slot(struct goheap *heap, size_t size)
{
	return &gh_test_cache(heap)->slots[gh_size_class(size) * 2];
}

struct gh_bin *gh_test_bin(struct goheap *heap, size_t size)
{
	return &gh_test_cache(heap)->bins[gh_size_class(size) * 2];
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

/* ---- the model ----------------------------------------------------------- */

void gh_test_model_init(struct gh_test_model *m, struct kunit *test, unsigned int max)
{
	memset(m, 0, sizeof(*m));
	m->test = test;
	m->max = max;
	m->objects = kunit_kcalloc(test, max, sizeof(*m->objects), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->objects);
}

static bool overlap(const struct gh_test_object *o, const u8 *p, size_t size)
{
	return p < o->p + o->size && o->p < p + size;
}

void gh_test_model_add(struct gh_test_model *m, void *p, size_t size)
{
	struct gh_test_object *o;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(m->test, p);
	KUNIT_ASSERT_LT(m->test, m->nr, m->max);
	for (i = 0; i < m->nr; i++)
		if (overlap(&m->objects[i], p, size))
			m->errors++;
	o = &m->objects[m->nr++];
	*o = (struct gh_test_object){ .p = p, .size = size, .fill = ++m->fill };
	memset(p, o->fill, size);
}

bool gh_test_model_intact(struct gh_test_model *m, unsigned int i)
{
	struct gh_test_object *o = &m->objects[i];

	return !memchr_inv(o->p, o->fill, o->size);
}

/* The caller frees what this returns. */
void *gh_test_model_del(struct gh_test_model *m, unsigned int i)
{
	void *p = m->objects[i].p;

	if (!gh_test_model_intact(m, i))
		m->errors++;
	m->objects[i] = m->objects[--m->nr];
	return p;
}

void gh_test_model_free_all(struct gh_test_model *m)
{
	while (m->nr)
		goheap_free(gh_test_model_del(m, m->nr - 1));
	KUNIT_EXPECT_EQ_MSG(m->test, m->errors, 0U, "objects overlap or lost their content");
}
