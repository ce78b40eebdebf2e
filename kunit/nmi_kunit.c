// SPDX-License-Identifier: GPL-2.0
/*
 * In NMI, and wherever this CPU has a lock of goheap, no lock is waited for. Real NMIs are
 * for selftests/goheap_nmi.sh.
 */

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/spinlock.h>

#include "lib_object.h"
#include "lib_pages.h"
#include "testlib.h"

#define SIZE		1024
#define PER_SPAN	8
/* More spans than are kept when a list of them is tidied up. */
#define NR_MANY		(64 * PER_SPAN)

/* An object whose span is on the central list and has room. */
static void *alloc_on_central(struct kunit *test, struct goheap *heap)
{
	void *p = gh_test_alloc(test, heap, SIZE), *q = gh_test_alloc(test, heap, SIZE);

	goheap_free(q);
	gh_reclaim_trim();
	KUNIT_ASSERT_PTR_EQ(test, gh_test_span_of(p)->owner, NULL);
	return p;
}

/* What was interrupted may hold the lock: it is not waited for. */
static void test_nmi_alloc_central_lock_taken(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nmi", NULL);
	struct gh_central *central = gh_test_central(heap, SIZE);
	void *p = alloc_on_central(test, heap), *q, *r;
	unsigned long flags = gh_test_nmi_begin(), lock_flags;

	gh_lock(&central->lock, lock_flags);
	q = goheap_heap_alloc(heap, SIZE, GFP_NOWAIT, 0);
	gh_unlock(&central->lock, lock_flags);
	r = goheap_heap_alloc(heap, SIZE, GFP_NOWAIT, 0);
	gh_test_nmi_end(flags);
	KUNIT_EXPECT_PTR_EQ(test, q, NULL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span_of(r), gh_test_span_of(p));
	goheap_free(p);
	goheap_free(r);
}

static void test_nmi_alloc_page_heap_lock_taken(struct kunit *test)
{
	static const size_t sizes_here[] = { SIZE, 100000 };
	struct goheap *heap = gh_test_heap(test, "kunit-nmi", NULL);
	unsigned long flags, lock_flags;
	void *p[8], *q, *r;
	unsigned int i;

	/* Pages, and descriptors; what is live meanwhile keeps them from going back. */
	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = gh_test_alloc(test, gh_default, 300000);
	for (i = 1; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
	for (i = 0; i < ARRAY_SIZE(sizes_here); i++) {
		goheap_free(gh_test_alloc(test, gh_default, sizes_here[i]));
		gh_test_use_here(heap, SIZE);
		flags = gh_test_nmi_begin();
		gh_lock(&gh_test_here()->lock, lock_flags);
		q = goheap_heap_alloc(heap, sizes_here[i], GFP_NOWAIT, 0);
		gh_unlock(&gh_test_here()->lock, lock_flags);
		r = goheap_heap_alloc(heap, sizes_here[i], GFP_NOWAIT, 0);
		gh_test_nmi_end(flags);
		KUNIT_EXPECT_PTR_EQ(test, q, NULL);
		KUNIT_EXPECT_NOT_NULL_MSG(test, r, "%zu bytes", sizes_here[i]);
		goheap_free(r);
	}
	goheap_free(p[0]);
}

/* In a section there is the central list; a new span could not be put there for sure. */
static void test_nmi_alloc_in_section(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nmi", NULL);
	void *p = alloc_on_central(test, heap), *q[PER_SPAN];
	struct gh_cache *cache = gh_test_nest(heap);
	unsigned long flags = gh_test_nmi_begin();
	unsigned int i;

	for (i = 0; i < PER_SPAN; i++)
		q[i] = goheap_heap_alloc(heap, SIZE, GFP_NOWAIT, 0);
	gh_test_nmi_end(flags);
	gh_test_unnest(cache);
	for (i = 0; i < PER_SPAN - 1; i++)
		KUNIT_EXPECT_NOT_NULL(test, q[i]);
	KUNIT_EXPECT_PTR_EQ(test, q[i], NULL);
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 1L);
	goheap_free_bulk(PER_SPAN, q);
	goheap_free(p);
}

/* Without an owner it would take the central lock; large, that of the page heap. */
static void test_nmi_free_waits_in_limbo(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nmi", NULL);
	struct gh_central *central = gh_test_central(heap, SIZE);
	void *p = alloc_on_central(test, heap), *large = gh_test_alloc(test, heap, 100000);
	unsigned long flags = gh_test_nmi_begin(), lock_flags;
	long waiting;
	size_t size;

	gh_lock(&central->lock, lock_flags);
	goheap_free(p);
	gh_unlock(&central->lock, lock_flags);
	gh_lock(&gh_test_here()->lock, lock_flags);
	goheap_free(large);
	gh_unlock(&gh_test_here()->lock, lock_flags);
	waiting = atomic_long_read(&heap->limbo);
	size = goheap_size(p) + goheap_size(large);
	gh_test_nmi_end(flags);
	KUNIT_EXPECT_EQ(test, waiting, 2L);
	KUNIT_EXPECT_EQ_MSG(test, size, 0UL, "freed, and live still");
	gh_limbo_flush(heap);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&heap->limbo), 0L);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

struct flusher {
	struct goheap *heap;
	struct completion done;
	bool go;
};

static int flush(void *arg)
{
	struct flusher *f = arg;

	while (!READ_ONCE(f->go))
		cpu_relax();
	gh_limbo_flush(f->heap);
	complete(&f->done);
	return 0;
}

/* Long enough for both to wait for whatever they wait for, if they do. */
#define FLUSH_MS	20

/*
 * What an NMI put into limbo is dealt with by an irq_work, which one may wait for at a
 * time on some kernels (UML, and PREEMPT_RT unless it is a hard one).
 */
static void test_gh_limbo_flush_by_two_after_nmi(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	struct flusher f = { .heap = gh_test_heap(test, "kunit-nmi", NULL) };
	void *p = alloc_on_central(test, f.heap);
	struct task_struct *thread[2];
	unsigned long flags;
	unsigned int i;

	init_completion(&f.done);
	for (i = 0; i < 2; i++) {
		thread[i] = gh_test_thread(test, cpu, flush, &f);
		get_task_struct(thread[i]);
		wake_up_process(thread[i]);
	}
	flags = gh_test_nmi_begin();
	goheap_free(p);
	WRITE_ONCE(f.go, true);
	mdelay(FLUSH_MS);
	gh_test_nmi_end(flags);
	for (i = 0; i < 2 && wait_for_completion_timeout(&f.done, 10 * HZ); i++)
		;
	KUNIT_EXPECT_EQ_MSG(test, i, 2U, "a flush hangs");
	/* One that hangs looks again. */
	wake_up_process(thread[0]);
	wake_up_process(thread[1]);
	for (; i < 2; i++)
		wait_for_completion(&f.done);
	put_task_struct(thread[0]);
	put_task_struct(thread[1]);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&f.heap->limbo), 0L);
}

/* Giving empty spans back is left to the next free that is not in NMI. */
static void test_nmi_free_many(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nmi", NULL);
	void **p = gh_test_alloc_many(test, heap, NR_MANY, SIZE);
	unsigned long flags, lock_flags;
	long pages;

	pages = gh_test_pages(heap);
	flags = gh_test_nmi_begin();
	gh_lock(&gh_test_here()->lock, lock_flags);
	gh_test_free_each(p, NR_MANY);
	gh_unlock(&gh_test_here()->lock, lock_flags);
	gh_test_nmi_end(flags);
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), pages);
	p[0] = gh_test_alloc(test, heap, SIZE);
	goheap_free(p[0]);
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

/* Whatever an instrument on a function of goheap does while this CPU has the lock. */
static void use_nested(struct kunit *test, struct goheap *heap, raw_spinlock_t *lock)
{
	void *p = alloc_on_central(test, heap), *large = gh_test_alloc(test, heap, 100000);
	unsigned long flags, size;
	void *q[3];

	gh_lock(lock, flags);
	goheap_free(p);
	goheap_free(large);
	q[0] = goheap_heap_alloc(heap, SIZE, GFP_ATOMIC, 0);
	q[1] = goheap_heap_alloc(heap, 3, GFP_ATOMIC, GOHEAP_NOSCAN);
	q[2] = goheap_heap_alloc(heap, 100000, GFP_ATOMIC, 0);
	size = goheap_size(p) + goheap_size(large);
	goheap_free_rcu(q[0]);
	goheap_free_bulk(2, q + 1);
	gh_unlock(lock, flags);
	KUNIT_EXPECT_EQ_MSG(test, size, 0UL, "freed, and live still");
	gh_limbo_flush(heap);
	KUNIT_EXPECT_EQ(test, gh_test_live(heap), 0UL);
}

static void test_nested_in_lock(struct kunit *test)
{
	struct goheap *heap = gh_test_heap(test, "kunit-nested", NULL);

	use_nested(test, heap, &gh_test_central(heap, SIZE)->lock);
	use_nested(test, heap, &gh_test_here()->lock);
	KUNIT_EXPECT_FALSE(test, gh_is_nested());
	gh_reclaim_trim();
	KUNIT_EXPECT_EQ(test, gh_test_pages(heap), 0L);
}

static struct kunit_case nmi_cases[] = {
	KUNIT_CASE(test_nmi_alloc_central_lock_taken),
	KUNIT_CASE(test_nmi_alloc_page_heap_lock_taken),
	KUNIT_CASE(test_nmi_alloc_in_section),
	KUNIT_CASE(test_nmi_free_waits_in_limbo),
	KUNIT_CASE(test_gh_limbo_flush_by_two_after_nmi),
	KUNIT_CASE(test_nmi_free_many),
	KUNIT_CASE(test_nested_in_lock),
	{}
};

static struct kunit_suite nmi_suite = {
	.name = "goheap_nmi",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = nmi_cases,
};

kunit_test_suite(nmi_suite);
