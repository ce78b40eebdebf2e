// SPDX-License-Identifier: GPL-2.0
/*
 * The table in goheap.h, DOC: Contexts, cell by cell: in each context everything
 * that may be done there is done, with objects of all sizes. That nothing sleeps
 * where it must not is for lockdep and DEBUG_ATOMIC_SLEEP to say; which gfp flags
 * reach the page allocator is seen by a tracepoint of its.
 */

#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/topology.h>
#include <linux/tracepoint.h>

#include "lib_report.h"
#include "testlib.h"

/* Three tiny, small, more than a page, large, and more than a cache parks. */
static const size_t sizes[] = {
	1, 3, 12, 16, 100, 1024, 8192, 20480, GH_SMALL_MAX, 40000, 300000
};

#define NR_SIZES	ARRAY_SIZE(sizes)
#define NR_BULK		4
#define FILL		0x5a
#define TRIES		5

struct visit;

/* Where code runs, as it sees it itself. */
#define IN_HARDIRQ	0x1
#define IN_SOFTIRQ	0x2
#define IRQS_OFF	0x4

/**
 * struct context - a row of the table
 * @name: for people
 * @run: calls enter() there, once
 * @gfp: what may be asked for there
 * @in: IN_HARDIRQ and so on
 * @never: gfp flags that must not reach the page allocator
 * @rt_pages: pages can be had there on PREEMPT_RT, too
 * @nmi: neither can they elsewhere, and large objects are freed later
 * @central: the CPU's cache is out of reach
 */
struct context {
	const char *name;
	void (*run)(struct visit *v);
	gfp_t gfp;
	unsigned int in;
	gfp_t never;
	bool rt_pages;
	bool nmi;
	bool central;
};

/**
 * struct visit - one stay in a context
 * @context: which
 * @fn: what to do there
 * @size: cold visits: of which size
 * @gfp: what to allocate with
 * @task: who was there, or was interrupted; whose page allocations are traced
 * @heap: a private one
 * @cache: an object cache
 * @gifts: from the task, by size: the visit frees them
 * @left: from the visit, by size: the task frees them
 * @in: IN_HARDIRQ and so on, as seen
 * @nulls: allocations that failed
 * @null_size: what the first one asked for
 * @errors: broken promises
 * @line: of the first one
 * @pages: how often the page allocator was called
 * @pages_gfp: all gfp flags that it got
 * @been: the visit took place
 * @done: and has ended
 */
struct visit {
	const struct context *context;
	void (*fn)(struct visit *v);
	size_t size;
	gfp_t gfp;
	struct task_struct *task;
	struct goheap *heap;
	struct goheap_cache *cache;
	void *gifts[NR_SIZES];
	void *left[NR_SIZES];
	unsigned int in;
	unsigned int nulls;
	size_t null_size;
	unsigned int errors;
	int line;
	unsigned int pages;
	gfp_t pages_gfp;
	bool been;
	struct completion done;
};

static void check(struct visit *v, bool good, int line)
{
	if (!good && !v->errors++)
		v->line = line;
}

#define CHECK(v, condition) check(v, condition, __LINE__)

/* ---- what is done there ---------------------------------------------------- */

static void *got(struct visit *v, void *p, size_t size)
{
	if (!p) {
		if (!v->nulls++)
			v->null_size = size;
		return NULL;
	}
	CHECK(v, goheap_size(p) >= size);
	CHECK(v, goheap_base(p) == p);
	memset(p, FILL, size);
	return p;
}

static void *got_zeroes(struct visit *v, void *p, size_t size)
{
	CHECK(v, !p || !memchr_inv(p, 0, size));
	return got(v, p, size);
}

/* One object of each kind at a time, so that one that was freed is enough for all. */
static void visit_ways(struct visit *v, size_t size)
{
	gfp_t gfp = v->gfp;
	void *p;

	goheap_free(got(v, goheap_alloc(size, gfp), size));
	goheap_free_sized(got_zeroes(v, goheap_zalloc(size, gfp), size), size);
	goheap_free(got(v, goheap_alloc_noscan(size, gfp), size));
	goheap_free(got(v, goheap_alloc_node(size, gfp, numa_mem_id()), size));
	goheap_free(got_zeroes(v, goheap_calloc(1, size, gfp), size));
	p = got(v, goheap_alloc_aligned(size, 64, gfp), size);
	CHECK(v, IS_ALIGNED((unsigned long)p, 64));
	goheap_free(p);
	goheap_heap_free(v->heap, got(v, goheap_heap_alloc(v->heap, size, gfp, 0), size));
	goheap_free(got(v, goheap_heap_alloc(v->heap, size, gfp, GOHEAP_NOSCAN), size));
}

/* Of one size. */
static void visit_cache(struct visit *v)
{
	size_t size = goheap_cache_size(v->cache);
	void *p[NR_BULK];
	unsigned int n;

	goheap_cache_free(v->cache, got(v, goheap_cache_alloc(v->cache, v->gfp), size));
	goheap_cache_free(v->cache, got_zeroes(v, goheap_cache_zalloc(v->cache, v->gfp), size));
	goheap_cache_free(v->cache, got(v, goheap_cache_alloc_node(v->cache, v->gfp,
								  numa_mem_id()), size));
	n = goheap_cache_alloc_bulk(v->cache, v->gfp, NR_BULK, p);
	if (n < NR_BULK)
		got(v, NULL, size);
	goheap_cache_free_bulk(v->cache, n, p);
}

static void visit_realloc(struct visit *v, size_t size)
{
	void *p = got(v, goheap_alloc_noscan(size, v->gfp), size), *q;

	q = goheap_realloc(p, 2 * size, v->gfp);
	CHECK(v, !p || !q || !memchr_inv(q, FILL, size));
	q = got(v, q, 2 * size) ?: p;
	p = goheap_realloc(q, size, v->gfp);
	CHECK(v, !p || !memchr_inv(p, FILL, size));
	goheap_free(got(v, p, size) ?: q);
}

static void visit_copies(struct visit *v, size_t size)
{
	void *p = got(v, goheap_alloc(size, v->gfp), size), *q;
	char *s = goheap_strdup("a context", v->gfp);

	q = p ? got(v, goheap_memdup(p, size, v->gfp), size) : NULL;
	CHECK(v, !s || !strcmp(s, "a context"));
	goheap_free(p);
	goheap_free(q);
	goheap_free(got(v, s, sizeof("a context")));
}

static void visit_bulk(struct visit *v, size_t size)
{
	void *p[NR_BULK];
	unsigned int i, n = goheap_alloc_bulk(size, v->gfp, NR_BULK, p);

	for (i = 0; i < n; i++)
		got(v, p[i], size);
	if (n < NR_BULK)
		got(v, NULL, size);
	goheap_free_bulk(n, p);
}

/* What the task allocated, and something for the task to free. */
static void visit_exchange(struct visit *v, unsigned int i)
{
	CHECK(v, !memchr_inv(v->gifts[i], FILL, sizes[i]));
	if (i % 2)
		goheap_free_rcu(v->gifts[i]);
	else
		goheap_free(v->gifts[i]);
	v->gifts[i] = NULL;
	if (v->context->nmi && sizes[i] > GH_SMALL_MAX)
		return;
	/* Last: it is not there again for a while. */
	goheap_free_rcu(got(v, goheap_alloc_noscan(sizes[i], v->gfp), sizes[i]));
	v->left[i] = got(v, goheap_alloc(sizes[i], v->gfp), sizes[i]);
}

static void visit_size(struct visit *v, size_t size)
{
	/* There a large object is freed later, and cannot be had again. */
	if (v->context->nmi && size > GH_SMALL_MAX)
		return;
	visit_ways(v, size);
	visit_copies(v, size);
	visit_bulk(v, size);
	if (!v->context->nmi || 2 * size <= GH_SMALL_MAX)
		visit_realloc(v, size);
}

static void visit_all(struct visit *v)
{
	unsigned int i;

	for (i = 0; i < NR_SIZES; i++)
		visit_size(v, sizes[i]);
	visit_cache(v);
	for (i = 0; i < NR_SIZES; i++)
		visit_exchange(v, i);
}

static void visit_cold(struct visit *v)
{
	goheap_free(got(v, goheap_alloc_noscan(v->size, v->gfp), v->size));
}

/* ---- what reaches the page allocator ------------------------------------------ */

/* One at a time. Interrupts on top of it do nothing that it must not. */
static struct visit *traced;

#ifdef CONFIG_TRACEPOINTS
static struct tracepoint *mm_page_alloc;

static void see_page_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp,
			   int migratetype)
{
	struct visit *v = READ_ONCE(traced);

	if (!v || v->task != current)
		return;
	v->pages++;
	v->pages_gfp |= gfp;
}

static void find_tracepoint(struct tracepoint *tp, void *arg)
{
	if (!strcmp(tp->name, "mm_page_alloc"))
		mm_page_alloc = tp;
}

static int suite_init(struct kunit_suite *suite)
{
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	return mm_page_alloc ? tracepoint_probe_register(mm_page_alloc, see_page_alloc, NULL) :
			       -ENOENT;
}

static void suite_exit(struct kunit_suite *suite)
{
	tracepoint_probe_unregister(mm_page_alloc, see_page_alloc, NULL);
	tracepoint_synchronize_unregister();
}
#else
static int suite_init(struct kunit_suite *suite)
{
	return 0;
}

static void suite_exit(struct kunit_suite *suite)
{
}
#endif

/* ---- contexts -------------------------------------------------------------- */

static unsigned int where(void)
{
	return (in_hardirq() ? IN_HARDIRQ : 0) | (in_serving_softirq() ? IN_SOFTIRQ : 0) |
	       (irqs_disabled() ? IRQS_OFF : 0);
}

static void enter(struct visit *v)
{
	v->been = true;
	v->in = where();
	v->task = current;
	WRITE_ONCE(traced, v);
	v->fn(v);
	WRITE_ONCE(traced, NULL);
	complete(&v->done);
}

static void run_noio(struct visit *v)
{
	unsigned int flags = memalloc_noio_save();

	enter(v);
	memalloc_noio_restore(flags);
}

static void run_nofs(struct visit *v)
{
	unsigned int flags = memalloc_nofs_save();

	enter(v);
	memalloc_nofs_restore(flags);
}

static void run_rcu(struct visit *v)
{
	rcu_read_lock();
	enter(v);
	rcu_read_unlock();
}

static void run_preempt_off(struct visit *v)
{
	preempt_disable();
	enter(v);
	preempt_enable();
}

static void run_bh_off(struct visit *v)
{
	local_bh_disable();
	enter(v);
	local_bh_enable();
}

static void run_irqs_off(struct visit *v)
{
	unsigned long flags;

	local_irq_save(flags);
	enter(v);
	local_irq_restore(flags);
}

static void run_spinlock(struct visit *v)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	enter(v);
	spin_unlock(&lock);
}

static void run_raw_spinlock(struct visit *v)
{
	static DEFINE_RAW_SPINLOCK(lock);

	raw_spin_lock(&lock);
	enter(v);
	raw_spin_unlock(&lock);
}

static void run_raw_spinlock_irq(struct visit *v)
{
	static DEFINE_RAW_SPINLOCK(lock);
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	enter(v);
	raw_spin_unlock_irqrestore(&lock, flags);
}

struct visit_tasklet {
	struct tasklet_struct tasklet;
	struct visit *v;
};

static void tasklet_fn(struct tasklet_struct *tasklet)
{
	enter(container_of(tasklet, struct visit_tasklet, tasklet)->v);
}

static void run_tasklet(struct visit *v)
{
	struct visit_tasklet t = { .v = v };

	tasklet_setup(&t.tasklet, tasklet_fn);
	tasklet_schedule(&t.tasklet);
	wait_for_completion(&v->done);
	tasklet_kill(&t.tasklet);
}

struct visit_timer {
	struct timer_list timer;
	struct visit *v;
};

static void timer_fn(struct timer_list *timer)
{
	enter(container_of(timer, struct visit_timer, timer)->v);
}

static void run_timer(struct visit *v)
{
	/* Not on the stack, which debug objects would have to be told. */
	static struct visit_timer t;

	t.v = v;
	timer_setup(&t.timer, timer_fn, TIMER_PINNED);
	mod_timer(&t.timer, jiffies + 1);
	wait_for_completion(&v->done);
	timer_delete_sync(&t.timer);
}

struct visit_hrtimer {
	struct hrtimer timer;
	struct visit *v;
};

static enum hrtimer_restart hrtimer_fn(struct hrtimer *timer)
{
	enter(container_of(timer, struct visit_hrtimer, timer)->v);
	return HRTIMER_NORESTART;
}

static void run_hrtimer(struct visit *v, enum hrtimer_mode mode)
{
	static struct visit_hrtimer t;	/* as above */

	t.v = v;
	gh_hrtimer_setup(&t.timer, hrtimer_fn, CLOCK_MONOTONIC, mode);
	hrtimer_start(&t.timer, ms_to_ktime(1), mode);
	wait_for_completion(&v->done);
	hrtimer_cancel(&t.timer);
}

static void run_hrtimer_soft(struct visit *v)
{
	run_hrtimer(v, HRTIMER_MODE_REL_PINNED_SOFT);
}

static void run_hrtimer_hard(struct visit *v)
{
	run_hrtimer(v, HRTIMER_MODE_REL_PINNED_HARD);
}

struct visit_irq_work {
	struct irq_work work;
	struct visit *v;
};

static void irq_work_fn(struct irq_work *work)
{
	enter(container_of(work, struct visit_irq_work, work)->v);
}

static void run_irq_work(struct visit *v)
{
	struct visit_irq_work w = { .work = IRQ_WORK_INIT_HARD(irq_work_fn), .v = v };

	irq_work_queue(&w.work);
	wait_for_completion(&v->done);
	irq_work_sync(&w.work);
}

/* An interrupt that hits the sections of both heaps. */
static void run_in_section(struct visit *v)
{
	struct gh_cache *one = gh_test_nest(gh_default), *two = gh_test_nest(v->heap);

	run_irqs_off(v);
	gh_test_unnest(two);
	gh_test_unnest(one);
}

/* Real ones are for selftests/goheap_nmi.sh. */
static void run_nmi(struct visit *v)
{
	unsigned long flags = gh_test_nmi_begin();

	enter(v);
	gh_test_nmi_end(flags);
}

/* ---- reclaim --------------------------------------------------------------- */

/* Who waits for memory, if its visit is still to come. */
static struct visit *reclaiming;
static struct page *hogs[GH_MAX_PAGE_ORDER + 1];

static void free_hog(unsigned int order)
{
	struct page *page = hogs[order];

	if (page) {
		hogs[order] = (struct page *)page_private(page);
		set_page_private(page, 0);
		__free_pages(page, order);
	}
}

static bool alloc_hog(unsigned int order)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, order);

	if (page) {
		set_page_private(page, (unsigned long)hogs[order]);
		hogs[order] = page;
	}
	return page;
}

/* Nothing to give, but enough for being asked. */
static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct visit *v = READ_ONCE(reclaiming);

	return v && v->task == current ? 1 << 20 : 0;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	struct visit *v = READ_ONCE(reclaiming);

	if (v && v->task == current) {
		WRITE_ONCE(reclaiming, NULL);
		CHECK(v, current->flags & PF_MEMALLOC);
		free_hog(GH_MAX_PAGE_ORDER);
		enter(v);
	}
	return SHRINK_STOP;
}

/*
 * Take all blocks, the largest first, until asking for one more means to reclaim. Mostly it
 * does when the largest are gone. But a kernel that can compact memory does not reclaim for
 * a large block while there are many small ones.
 */
static void hog_until_reclaim(void)
{
	int order;

	for (order = GH_MAX_PAGE_ORDER; order >= 0; order--)
		while (READ_ONCE(reclaiming) && alloc_hog(order))
			;
}

static void run_reclaim(struct visit *v)
{
	struct shrinker *shrinker = gh_shrinker_register("goheap_context_test", count, scan);
	unsigned int order;

	CHECK(v, shrinker);
	if (!shrinker)
		return;
	v->task = current;
	WRITE_ONCE(reclaiming, v);
	hog_until_reclaim();
	CHECK(v, !READ_ONCE(reclaiming));
	WRITE_ONCE(reclaiming, NULL);
	for (order = 0; order <= GH_MAX_PAGE_ORDER; order++)
		while (hogs[order])
			free_hog(order);
	gh_shrinker_unregister(shrinker);
}

/* ---- the table --------------------------------------------------------------- */

#define ATOMIC(_name, _run, ...) \
	{ .name = _name, .run = _run, .gfp = GFP_ATOMIC, .never = __GFP_DIRECT_RECLAIM, \
	  ##__VA_ARGS__ }

static const struct context contexts[] = {
	{ .name = "task", .run = enter, .gfp = GFP_KERNEL, .rt_pages = true },
	{ .name = "memalloc_noio scope", .run = run_noio, .gfp = GFP_KERNEL,
	  .never = __GFP_IO | __GFP_FS, .rt_pages = true },
	{ .name = "memalloc_nofs scope", .run = run_nofs, .gfp = GFP_KERNEL, .never = __GFP_FS,
	  .rt_pages = true },
	{ .name = "reclaim", .run = run_reclaim, .gfp = GFP_KERNEL, .rt_pages = true },
	ATOMIC("task, GFP_ATOMIC", enter, .rt_pages = true),
	{ .name = "task, GFP_NOWAIT", .run = enter, .gfp = GFP_NOWAIT,
	  .never = __GFP_DIRECT_RECLAIM, .rt_pages = true },
	ATOMIC("RCU read side", run_rcu, .rt_pages = true),
	ATOMIC("spinlock", run_spinlock, .rt_pages = true),
	ATOMIC("BH off", run_bh_off, .rt_pages = true),
	ATOMIC("tasklet", run_tasklet, .in = IN_SOFTIRQ, .rt_pages = true),
	ATOMIC("timer", run_timer, .in = IN_SOFTIRQ, .rt_pages = true),
	ATOMIC("soft hrtimer", run_hrtimer_soft, .in = IN_SOFTIRQ, .rt_pages = true),
	ATOMIC("preemption off", run_preempt_off),
	ATOMIC("interrupts off", run_irqs_off, .in = IRQS_OFF),
	ATOMIC("raw spinlock", run_raw_spinlock),
	ATOMIC("raw spinlock, interrupts off", run_raw_spinlock_irq, .in = IRQS_OFF),
	ATOMIC("hard hrtimer", run_hrtimer_hard, .in = IN_HARDIRQ | IRQS_OFF),
	ATOMIC("irq_work", run_irq_work, .in = IN_HARDIRQ | IRQS_OFF),
	ATOMIC("interrupted section", run_in_section, .in = IRQS_OFF, .central = true),
	ATOMIC("NMI by hook", run_nmi, .in = IRQS_OFF, .nmi = true),
};

static void describe(const struct context *context, char *desc)
{
	strscpy(desc, context->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(contexts, contexts, describe);

static bool has_pages(const struct context *context)
{
	return !context->nmi && (context->rt_pages || !IS_ENABLED(CONFIG_PREEMPT_RT));
}

/* ---- cases ----------------------------------------------------------------- */

static void visit(struct kunit *test, struct visit *v, const struct context *context)
{
	v->context = context;
	v->gfp = context->gfp | __GFP_NOWARN;
	v->nulls = 0;
	v->null_size = 0;
	v->pages = 0;
	v->pages_gfp = 0;
	v->been = false;
	init_completion(&v->done);
	context->run(v);
	KUNIT_EXPECT_TRUE(test, v->been);
	KUNIT_EXPECT_EQ_MSG(test, v->errors, 0U, "the first one in line %d", v->line);
	/* A hard interrupt may have hit a soft one. */
	if (context->in & IN_HARDIRQ)
		v->in &= ~IN_SOFTIRQ;
	KUNIT_EXPECT_EQ(test, v->in, context->in);
	KUNIT_EXPECT_EQ_MSG(test, v->pages_gfp & context->never, 0U,
			    "%x reached the page allocator", v->pages_gfp);
	if (!has_pages(context))
		KUNIT_EXPECT_EQ_MSG(test, v->pages, 0U, "pages were allocated");
}

static struct visit *new_visit(struct kunit *test, void (*fn)(struct visit *v))
{
	struct visit *v = kunit_kzalloc(test, sizeof(*v), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, v);
	v->fn = fn;
	v->heap = gh_default;
	return v;
}

static void give(struct kunit *test, struct visit *v)
{
	unsigned int i;

	for (i = 0; i < NR_SIZES; i++) {
		v->gifts[i] = goheap_alloc(sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, v->gifts[i]);
		memset(v->gifts[i], FILL, sizes[i]);
	}
}

static void take_back(struct kunit *test, struct visit *v)
{
	unsigned int i;

	for (i = 0; i < NR_SIZES; i++) {
		KUNIT_EXPECT_PTR_EQ(test, v->gifts[i], NULL);
		/* Or the cases after this one would fail, too. */
		goheap_free(v->gifts[i]);
		v->gifts[i] = NULL;
		if (v->left[i])
			KUNIT_EXPECT_PTR_EQ(test, memchr_inv(v->left[i], FILL, sizes[i]), NULL);
		goheap_free(v->left[i]);
		v->left[i] = NULL;
	}
}

static void visit_warm(struct kunit *test, struct visit *v, const struct context *context)
{
	give(test, v);
	visit(test, v, context);
	take_back(test, v);
}

static void destroy_cache(void *cache)
{
	goheap_cache_destroy(cache);
}

/* After the same was done in the task, what this takes is there: nothing fails. */
static void test_context_all(struct kunit *test)
{
	const struct context *context = test->param_value;
	struct visit *v = new_visit(test, visit_all);
	unsigned int tries = 0;

	v->heap = gh_test_heap(test, "kunit-context", NULL);
	v->cache = goheap_cache_create("kunit-context-cache", 200, 0, 0, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(v->cache));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, destroy_cache, v->cache), 0);
	/* Background work may give it back meanwhile. */
	do {
		visit_warm(test, v, contexts);
		visit_warm(test, v, context);
	} while (v->nulls && ++tries < TRIES);
	if (has_pages(context) || !context->central)
		KUNIT_EXPECT_EQ_MSG(test, v->nulls, 0U, "the first one asked for %zu bytes",
				    v->null_size);
	gh_test_expect_silence(test);
}

static unsigned long pages_taken(void)
{
	unsigned long taken = 0;
	int nid;

	for_each_node(nid)
		taken += READ_ONCE(gh_page_heaps[nid]->taken);
	return taken;
}

/* Nothing is there: pages come from the kernel, or NULL does. */
static void test_context_cold(struct kunit *test)
{
	static const size_t some[] = { 5, 1024, 100000 };
	const struct context *context = test->param_value;
	struct visit *v = new_visit(test, visit_cold);
	unsigned long taken;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		if (!i || context->nmi)
			gh_test_flush_limbo();
		gh_reclaim_trim();
		taken = pages_taken();
		v->size = some[i];
		visit(test, v, context);
		KUNIT_EXPECT_EQ_MSG(test, !v->nulls, has_pages(context), "%zu bytes", v->size);
		KUNIT_EXPECT_EQ(test, pages_taken() != taken, has_pages(context));
#ifdef CONFIG_TRACEPOINTS
		KUNIT_EXPECT_EQ(test, !!v->pages, has_pages(context));
		if (has_pages(context) && context->gfp & __GFP_IO)
			KUNIT_EXPECT_EQ(test, v->pages_gfp & (__GFP_IO | __GFP_FS),
					(__GFP_IO | __GFP_FS) & ~context->never);
#endif
	}
}

static struct kunit_case context_cases[] = {
	KUNIT_CASE_PARAM(test_context_all, contexts_gen_params),
	KUNIT_CASE_PARAM(test_context_cold, contexts_gen_params),
	{}
};

static struct kunit_suite context_suite = {
	.name = "goheap_context",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = context_cases,
};

kunit_test_suite(context_suite);
