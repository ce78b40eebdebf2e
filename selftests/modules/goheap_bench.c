// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_bench - goheap against kmalloc() and kmem_cache in the same boot
 *
 * Loading this module runs every pattern and prints one line for each pattern
 * and allocator, times in ns per object allocated and freed:
 *
 *   pattern=pair size=64 live=1 order=- alloc=kmalloc min=24.8 med=25.1 max=26.0
 *   pattern=pair size=64 live=1 order=- alloc=goheap min=7.5 med=7.6 max=7.9 ratio=3.30
 *
 * ratio is kmalloc's median divided by goheap's: above 1, goheap is faster. Where
 * two CPUs work at a time, the time is that of the slower one for its own share
 * of the objects, so that perfect scaling shows as the same time.
 *
 * Runs of the allocators alternate, so that a slow spell of the machine hits
 * all of them. Objects are never written to: what is measured is the allocator.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/utsname.h>

#include "goheap.h"

#define MAX_RUNS	64
#define MAX_LIVE	20000		/* objects alive at a time, in any pattern */
#define NR_STEPS	65536		/* random steps, made before the clock starts */
#define RING_SIZE	1024		/* objects between two CPUs */
#define RING_BATCH	64
#define CACHE_MAX	(32 * 1024)	/* largest object tried with a kmem_cache */

static unsigned int runs = 7;
module_param(runs, uint, 0444);
MODULE_PARM_DESC(runs, "runs of each allocator per line, 1 to 64 (default 7)");

static unsigned int scale = 100;
module_param(scale, uint, 0444);
MODULE_PARM_DESC(scale, "iterations in percent of the usual number (default 100)");

static char *patterns = "all";
module_param(patterns, charp, 0444);
MODULE_PARM_DESC(patterns, "comma-separated: pair,batch,replace,cross,both,slots,strdup,zalloc,bulk (default all)");

/* ---- the clock -------------------------------------------------------------- */

static u64 tick_mult;			/* ns per tick, times 2^20 */

/* get_cycles() is 0 on User Mode Linux, and ktime is coarse there. */
#ifdef __x86_64__
#define CLOCK_NAME	"tsc"
static __always_inline u64 clock_ticks(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
}
#else
#define CLOCK_NAME	"ktime"
static __always_inline u64 clock_ticks(void)
{
	return ktime_get_ns();
}
#endif

/* Read both clocks at the same moment, as nearly as a few attempts get it. */
static void clock_read(u64 *ticks, u64 *ns)
{
	u64 best = U64_MAX;
	int i;

	for (i = 0; i < 32; i++) {
		u64 before = clock_ticks();
		u64 now = ktime_get_ns();
		u64 after = clock_ticks();

		if (after - before < best) {
			best = after - before;
			*ticks = before;
			*ns = now;
		}
	}
}

static int clock_calibrate(void)
{
	u64 ticks0, ticks1, ns0, ns1;

	clock_read(&ticks0, &ns0);
	while (ktime_get_ns() - ns0 < 50 * NSEC_PER_MSEC)
		cond_resched();
	clock_read(&ticks1, &ns1);
	if (ticks1 <= ticks0)
		return -ENODEV;
	tick_mult = div64_u64((ns1 - ns0) << 20, ticks1 - ticks0);
	return 0;
}

/* ---- the allocators --------------------------------------------------------- */

enum allocator { KMALLOC, CACHE, GOHEAP, NR_ALLOCATORS };

static const char * const allocator_names[] = { "kmalloc", "kmem_cache", "goheap" };
static_assert(ARRAY_SIZE(allocator_names) == NR_ALLOCATORS);

#define ALL	(BIT(KMALLOC) | BIT(CACHE) | BIT(GOHEAP))
#define NO_CACHE (BIT(KMALLOC) | BIT(GOHEAP))

struct job;

/* One of the threads of a job, bound to its CPU. */
struct bench_thread {
	struct job *job;
	struct task_struct *task;
	struct completion done;
	unsigned int id;
	int meetings;			/* that this thread has been to */
	unsigned long nulls;		/* allocations that failed */
	u64 ticks;			/* what the measured loop took */
};

struct step {
	u16 slot;
	u16 size;
};

/* Pointers on their way from one CPU to another. */
struct ring {
	unsigned int head ____cacheline_aligned_in_smp;	/* written by the producer */
	unsigned int tail ____cacheline_aligned_in_smp;	/* written by the consumer */
	void *slot[RING_SIZE] ____cacheline_aligned_in_smp;
};

/* One run of one pattern with one allocator. */
struct job {
	enum allocator which;
	void (*run)(struct bench_thread *t);
	struct kmem_cache *cache;	/* for CACHE */
	size_t size;
	unsigned int live;
	unsigned int nr_threads;
	unsigned long count;		/* objects that each thread has to do */
	atomic_t arrived;		/* at the meetings so far */
	struct bench_thread thread[2];
};

static void **objects;			/* MAX_LIVE */
static u32 *free_order;			/* MAX_LIVE indices into objects[] */
static struct step *steps;		/* NR_STEPS */
static struct ring *ring;

/*
 * The loops below are compiled once per allocator, with @which a constant: no
 * indirect call, and no test for the allocator, is measured.
 */
#define DEFINE_RUN(name)					\
static void name##_run(struct bench_thread *t)			\
{								\
	switch (t->job->which) {				\
	case KMALLOC:						\
		name##_loop(t, KMALLOC);			\
		break;						\
	case CACHE:						\
		name##_loop(t, CACHE);				\
		break;						\
	default:						\
		name##_loop(t, GOHEAP);				\
		break;						\
	}							\
}

static __always_inline void *obj_alloc(struct bench_thread *t, const enum allocator which,
				       struct kmem_cache *cache, size_t size)
{
	void *p;

	switch (which) {
	case KMALLOC:
		p = kmalloc(size, GFP_KERNEL);
		break;
	case CACHE:
		p = kmem_cache_alloc(cache, GFP_KERNEL);
		break;
	default:
		p = goheap_alloc(size, GFP_KERNEL);
		break;
	}
	if (unlikely(!p))
		t->nulls++;
	return p;
}

static __always_inline void *obj_zalloc(struct bench_thread *t, const enum allocator which,
					struct kmem_cache *cache, size_t size)
{
	void *p;

	switch (which) {
	case KMALLOC:
		p = kzalloc(size, GFP_KERNEL);
		break;
	case CACHE:
		p = kmem_cache_zalloc(cache, GFP_KERNEL);
		break;
	default:
		p = goheap_zalloc(size, GFP_KERNEL);
		break;
	}
	if (unlikely(!p))
		t->nulls++;
	return p;
}

static __always_inline void obj_free(const enum allocator which, struct kmem_cache *cache, void *p)
{
	switch (which) {
	case KMALLOC:
		kfree(p);
		break;
	case CACHE:
		if (likely(p))
			kmem_cache_free(cache, p);
		break;
	default:
		goheap_free(p);
		break;
	}
}

/* ---- the patterns ----------------------------------------------------------- */

/* Wait until every thread of the job is here. */
static void meet(struct bench_thread *t)
{
	struct job *job = t->job;
	int all = ++t->meetings * job->nr_threads;

	atomic_inc(&job->arrived);
	while (atomic_read_acquire(&job->arrived) < all) {
		cpu_relax();
		cond_resched();
	}
}

/* pair, both: allocate one, free it. */
static __always_inline void pair_loop(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const size_t size = t->job->size;
	unsigned long n = t->job->count;
	u64 start;

	meet(t);
	start = clock_ticks();
	while (n--)
		obj_free(which, cache, obj_alloc(t, which, cache, size));
	t->ticks = clock_ticks() - start;
}

DEFINE_RUN(pair)

static __always_inline void zalloc_loop(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const size_t size = t->job->size;
	unsigned long n = t->job->count;
	u64 start;

	start = clock_ticks();
	while (n--)
		obj_free(which, cache, obj_zalloc(t, which, cache, size));
	t->ticks = clock_ticks() - start;
}

DEFINE_RUN(zalloc)

/* batch: allocate many, free them all in the order that free_order[] gives. */
static __always_inline void batch_loop(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const unsigned int live = t->job->live;
	const size_t size = t->job->size;
	unsigned long rounds = t->job->count / live;
	void **objs = objects;
	u32 *order = free_order;
	unsigned int i;
	u64 start;

	start = clock_ticks();
	while (rounds--) {
		for (i = 0; i < live; i++)
			objs[i] = obj_alloc(t, which, cache, size);
		for (i = 0; i < live; i++)
			obj_free(which, cache, objs[order[i]]);
	}
	t->ticks = clock_ticks() - start;
}

DEFINE_RUN(batch)

/* replace: a random one of many objects of mixed sizes gives way to a new one. */
static __always_inline void replace_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int live = t->job->live;
	unsigned long n = t->job->count;
	const struct step *step = steps;
	void **objs = objects;
	unsigned long i;
	u64 start;

	for (i = 0; i < live; i++)
		objs[i] = obj_alloc(t, which, NULL, step[i].size);
	start = clock_ticks();
	for (i = 0; i < n; i++) {
		const struct step *s = &step[i % NR_STEPS];

		obj_free(which, NULL, objs[s->slot]);
		objs[s->slot] = obj_alloc(t, which, NULL, s->size);
	}
	t->ticks = clock_ticks() - start;
	for (i = 0; i < live; i++)
		obj_free(which, NULL, objs[i]);
}

DEFINE_RUN(replace)

/* slots: the same on slots that both CPUs share; most frees are of the other's. */
static __always_inline void slots_loop(struct bench_thread *t, const enum allocator which)
{
	const unsigned int live = t->job->live;
	unsigned long n = t->job->count;
	unsigned long offset = t->id * (NR_STEPS / 2);
	const struct step *step = steps;
	void **objs = objects;
	unsigned long i;
	u64 start;

	for (i = t->id; i < live; i += t->job->nr_threads)
		objs[i] = obj_alloc(t, which, NULL, step[i].size);
	meet(t);
	start = clock_ticks();
	for (i = 0; i < n; i++) {
		const struct step *s = &step[(i + offset) % NR_STEPS];
		void *p = obj_alloc(t, which, NULL, s->size);

		obj_free(which, NULL, xchg(&objs[s->slot], p));
	}
	t->ticks = clock_ticks() - start;
	meet(t);
	for (i = t->id; i < live; i += t->job->nr_threads)
		obj_free(which, NULL, objs[i]);
}

DEFINE_RUN(slots)

static __always_inline void produce(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	const size_t size = t->job->size;
	unsigned int head = 0, end = t->job->count, i;

	while (head != end) {
		/* the consumer is done with the slots before it lets go of them */
		while (head + RING_BATCH - smp_load_acquire(&ring->tail) > RING_SIZE) {
			cpu_relax();
			cond_resched();
		}
		for (i = 0; i < RING_BATCH; i++)
			ring->slot[head++ % RING_SIZE] = obj_alloc(t, which, cache, size);
		/* pairs with the acquire in consume(): the slots are filled */
		smp_store_release(&ring->head, head);
	}
}

static __always_inline void consume(struct bench_thread *t, const enum allocator which)
{
	struct kmem_cache *cache = t->job->cache;
	unsigned int tail = 0, end = t->job->count, i;

	while (tail != end) {
		/* pairs with the release in produce() */
		while (smp_load_acquire(&ring->head) == tail) {
			cpu_relax();
			cond_resched();
		}
		for (i = 0; i < RING_BATCH; i++)
			obj_free(which, cache, ring->slot[tail++ % RING_SIZE]);
		/* pairs with the acquire in produce(): the slots are read */
		smp_store_release(&ring->tail, tail);
	}
}

/* cross: one CPU allocates, the other one frees. */
static __always_inline void cross_loop(struct bench_thread *t, const enum allocator which)
{
	u64 start;

	if (t->id == 0) {
		ring->head = 0;
		ring->tail = 0;
	}
	meet(t);
	start = clock_ticks();
	if (t->id == 0)
		produce(t, which);
	else
		consume(t, which);
	t->ticks = clock_ticks() - start;
}

DEFINE_RUN(cross)

/* strdup: copies of short names, as of files and devices; freed all together. */
static const char * const names[] = {
	"lo", "eth0", "wlp3s0", "docker0", "bin", "lib", "etc", "usr",
	"passwd", "vmlinuz", "Makefile", "README.md", "libc.so.6",
	"tty1", "sda1", "nvme0n1p2",
};

static void strdup_run(struct bench_thread *t)
{
	unsigned long rounds = t->job->count / ARRAY_SIZE(names);
	void **objs = objects;
	unsigned int i;
	u64 start;

	start = clock_ticks();
	if (t->job->which == KMALLOC) {
		while (rounds--) {
			for (i = 0; i < ARRAY_SIZE(names); i++)
				objs[i] = kstrdup(names[i], GFP_KERNEL);
			for (i = 0; i < ARRAY_SIZE(names); i++)
				kfree(objs[i]);
		}
	} else {
		while (rounds--) {
			for (i = 0; i < ARRAY_SIZE(names); i++)
				objs[i] = goheap_strdup(names[i], GFP_KERNEL);
			for (i = 0; i < ARRAY_SIZE(names); i++)
				goheap_free(objs[i]);
		}
	}
	t->ticks = clock_ticks() - start;
}

static unsigned int kmalloc_bulk(struct bench_thread *t, size_t size, unsigned int n, void **objs)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		objs[i] = obj_alloc(t, KMALLOC, NULL, size);
		if (!objs[i])
			break;
	}
	return i;
}

static void kmalloc_free_bulk(unsigned int n, void **objs)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kfree(objs[i]);
}

/*
 * bulk: many in one call. kmalloc has no such call for allocation, and one by
 * one is faster than kfree_bulk() where SLUB has sheaves (7.0 and later).
 */
static void bulk_run(struct bench_thread *t)
{
	struct kmem_cache *cache = t->job->cache;
	const unsigned int live = t->job->live;
	const size_t size = t->job->size;
	unsigned long rounds = t->job->count / live;
	void **objs = objects;
	unsigned int got;
	u64 start;

	start = clock_ticks();
	while (rounds--) {
		switch (t->job->which) {
		case KMALLOC:
			got = kmalloc_bulk(t, size, live, objs);
			kmalloc_free_bulk(got, objs);
			break;
		case CACHE:
			got = kmem_cache_alloc_bulk(cache, GFP_KERNEL, live, objs) ? live : 0;
			if (got)
				kmem_cache_free_bulk(cache, got, objs);
			break;
		default:
			got = goheap_alloc_bulk(size, GFP_KERNEL, live, objs);
			goheap_free_bulk(got, objs);
			break;
		}
		t->nulls += live - got;
	}
	t->ticks = clock_ticks() - start;
}

/* ---- one line of the result ------------------------------------------------- */

struct point {
	const char *pattern;
	const char *order;
	const char *sizes;		/* instead of size, where it is mixed */
	void (*run)(struct bench_thread *t);
	unsigned int allocators;
	unsigned int threads;
	size_t size;
	unsigned int live;
	unsigned long count;
};

struct result {
	u64 ns10[MAX_RUNS];		/* tenths of a ns per object, sorted at the end */
	unsigned long nulls;
};

static struct result results[NR_ALLOCATORS];

static int bench_thread_main(void *data)
{
	struct bench_thread *t = data;

	t->job->run(t);
	complete(&t->done);
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* The first CPU usually takes the interrupts, so one thread alone avoids it. */
static int job_cpu(unsigned int id)
{
	return id ? cpumask_first(cpu_online_mask) : cpumask_last(cpu_online_mask);
}

/* Run the job's threads to their end. */
static int job_run(struct job *job)
{
	unsigned int i, nr = 0;
	int err = 0;

	atomic_set(&job->arrived, 0);
	for (nr = 0; nr < job->nr_threads; nr++) {
		struct bench_thread *t = &job->thread[nr];

		memset(t, 0, sizeof(*t));
		t->job = job;
		t->id = nr;
		init_completion(&t->done);
		t->task = kthread_create(bench_thread_main, t, "goheap_bench/%u", nr);
		if (IS_ERR(t->task)) {
			err = PTR_ERR(t->task);
			break;
		}
		kthread_bind(t->task, job_cpu(nr));
	}
	for (i = 0; !err && i < nr; i++)
		wake_up_process(job->thread[i].task);
	for (i = 0; i < nr; i++) {
		if (!err)
			wait_for_completion(&job->thread[i].done);
		kthread_stop(job->thread[i].task);
	}
	return err;
}

/* Tenths of a nanosecond per object, by the slowest thread. */
static u64 job_ns10(const struct job *job)
{
	u64 ticks = 0;
	unsigned int i;

	for (i = 0; i < job->nr_threads; i++)
		ticks = max(ticks, job->thread[i].ticks);
	return div64_u64(mul_u64_u64_shr(ticks, tick_mult, 20) * 10, job->count);
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static u64 median(const struct result *r)
{
	return r->ns10[runs / 2];
}

/* What every line begins with. */
static const char *point_text(const struct point *pt)
{
	static char text[96];
	char size[24];

	snprintf(size, sizeof(size), "%zu", pt->size);
	snprintf(text, sizeof(text), "pattern=%s size=%s live=%u order=%s",
		 pt->pattern, pt->sizes ?: size, pt->live, pt->order ?: "-");
	return text;
}

static void print_result(const struct point *pt, enum allocator which)
{
	const struct result *r = &results[which];
	char ratio[40] = "", nulls[40] = "";

	if (which == GOHEAP && pt->allocators & BIT(KMALLOC)) {
		u64 percent = div64_u64(median(&results[KMALLOC]) * 100, max(median(r), 1ULL));

		snprintf(ratio, sizeof(ratio), " ratio=%llu.%02llu", percent / 100, percent % 100);
	}
	if (r->nulls)
		snprintf(nulls, sizeof(nulls), " nulls=%lu", r->nulls);
	pr_info("%s alloc=%s min=%llu.%llu med=%llu.%llu max=%llu.%llu%s%s\n",
		point_text(pt), allocator_names[which],
		r->ns10[0] / 10, r->ns10[0] % 10, median(r) / 10, median(r) % 10,
		r->ns10[runs - 1] / 10, r->ns10[runs - 1] % 10, ratio, nulls);
}

/* All runs of a point, the allocators by turns; the first turn only warms up. */
static int point_runs(const struct point *pt, struct job *job)
{
	unsigned int i, run, which;
	int err;

	for (run = 0; run <= runs; run++) {
		for (i = 0; i < NR_ALLOCATORS; i++) {
			which = (run + i) % NR_ALLOCATORS;
			if (!(pt->allocators & BIT(which)))
				continue;
			if (fatal_signal_pending(current))
				return -EINTR;
			job->which = which;
			err = job_run(job);
			if (err)
				return err;
			results[which].nulls += job->thread[0].nulls;
			if (job->nr_threads > 1)
				results[which].nulls += job->thread[1].nulls;
			if (run)
				results[which].ns10[run - 1] = job_ns10(job);
			cond_resched();
		}
	}
	return 0;
}

/* Whole batches, at least one, of scale percent of the objects. */
static unsigned long scaled(const struct point *pt)
{
	unsigned long batch = max_t(unsigned long, pt->live, RING_BATCH);
	unsigned long n = mult_frac(pt->count, scale, 100UL);

	return max(n / batch, 1UL) * batch;
}

static int measure(const struct point *pt)
{
	struct job job = {
		.run = pt->run,
		.size = pt->size,
		.live = pt->live,
		.nr_threads = pt->threads ?: 1,
		.count = scaled(pt),
	};
	unsigned int which;
	int err;

	if (job.nr_threads > num_online_cpus()) {
		pr_info("%s skipped=needs-%u-online-cpus\n", point_text(pt), job.nr_threads);
		return 0;
	}
	if (pt->allocators & BIT(CACHE)) {
		job.cache = kmem_cache_create("goheap_bench", pt->size, 0, 0, NULL);
		if (!job.cache)
			return -ENOMEM;
	}
	memset(results, 0, sizeof(results));
	err = point_runs(pt, &job);
	kmem_cache_destroy(job.cache);
	if (err)
		return err;
	for (which = 0; which < NR_ALLOCATORS; which++) {
		if (!(pt->allocators & BIT(which)))
			continue;
		sort(results[which].ns10, runs, sizeof(u64), compare_u64, NULL);
		print_result(pt, which);
	}
	return 0;
}

/* ---- all of the lines ------------------------------------------------------- */

static int bench_pair(void)
{
	static const unsigned int sizes[] = {
		8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192,
		16 * 1024, 32 * 1024, 64 * 1024, 256 * 1024,
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "pair", .run = pair_run, .size = sizes[i], .live = 1,
			.allocators = sizes[i] <= CACHE_MAX ? ALL : NO_CACHE,
			.count = sizes[i] <= 8192 ? 200000 : 10000,
		});
	}
	return err;
}

static void shuffle(u32 *v, unsigned int n)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, n);
	while (n > 1) {
		unsigned int i = prandom_u32_state(&rnd) % n--;

		swap(v[i], v[n]);
	}
}

static int bench_batch(void)
{
	static const unsigned int sizes[] = { 64, 256 };
	static const unsigned int lives[] = { 16, 128, 1024, 10000 };
	static const char * const orders[] = { "in-order", "reverse", "random" };
	unsigned int n, i, size, live, order;
	int err;

	for (i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(lives) * ARRAY_SIZE(orders); i++) {
		order = i % ARRAY_SIZE(orders);
		live = lives[i / ARRAY_SIZE(orders) % ARRAY_SIZE(lives)];
		size = sizes[i / ARRAY_SIZE(orders) / ARRAY_SIZE(lives)];
		for (n = 0; n < live; n++)
			free_order[n] = order == 1 ? live - 1 - n : n;
		if (order == 2)
			shuffle(free_order, live);
		err = measure(&(struct point) {
			.pattern = "batch", .run = batch_run, .allocators = ALL,
			.size = size, .live = live, .order = orders[order], .count = 100000,
		});
		if (err)
			return err;
	}
	return 0;
}

/* Slots below @live, sizes from @min to @max: every octave as often as any other. */
static void make_steps(unsigned int live, unsigned int min, unsigned int max)
{
	unsigned int octaves = ilog2(max / min);
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, live);
	for (i = 0; i < NR_STEPS; i++) {
		unsigned int low = min << prandom_u32_state(&rnd) % octaves;

		steps[i].size = low + prandom_u32_state(&rnd) % (low + 1);
		steps[i].slot = prandom_u32_state(&rnd) % live;
	}
}

static int bench_replace(void)
{
	make_steps(MAX_LIVE, 16, 4096);
	return measure(&(struct point) {
		.pattern = "replace", .run = replace_run, .allocators = NO_CACHE,
		.sizes = "16-4096", .live = MAX_LIVE, .order = "random", .count = 200000,
	});
}

static int bench_slots(void)
{
	make_steps(8192, 16, 1024);
	return measure(&(struct point) {
		.pattern = "slots", .run = slots_run, .allocators = NO_CACHE, .threads = 2,
		.sizes = "16-1024", .live = 8192, .order = "random", .count = 200000,
	});
}

static int bench_cross(void)
{
	static const unsigned int sizes[] = { 64, 128, 1024 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "cross", .run = cross_run, .allocators = ALL, .threads = 2,
			.size = sizes[i], .live = RING_SIZE, .order = "in-order", .count = 200000,
		});
	}
	return err;
}

/* Pairs on one CPU, then on both at a time: how much more do two get done? */
static int bench_both(void)
{
	u64 alone[NR_ALLOCATORS];
	struct point pt = {
		.pattern = "both", .run = pair_run, .allocators = ALL, .threads = 1,
		.size = 128, .live = 1, .order = "1-cpu", .count = 400000,
	};
	unsigned int i;
	int err;

	err = measure(&pt);
	if (err)
		return err;
	for (i = 0; i < NR_ALLOCATORS; i++)
		alone[i] = median(&results[i]);
	pt.threads = 2;
	pt.order = "2-cpus";
	err = measure(&pt);
	if (err || num_online_cpus() < 2)
		return err;
	for (i = 0; i < NR_ALLOCATORS; i++) {
		u64 percent = div64_u64(alone[i] * 200, max(median(&results[i]), 1ULL));

		pr_info("pattern=both size=%zu alloc=%s scaling=%llu.%02llu\n",
			pt.size, allocator_names[i], percent / 100, percent % 100);
	}
	return 0;
}

static int bench_strdup(void)
{
	return measure(&(struct point) {
		.pattern = "strdup", .run = strdup_run, .allocators = NO_CACHE,
		.sizes = "3-10", .live = ARRAY_SIZE(names), .order = "in-order", .count = 200000,
	});
}

static int bench_zalloc(void)
{
	static const unsigned int sizes[] = { 16, 64, 256, 1024, 4096 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "zalloc", .run = zalloc_run, .allocators = ALL,
			.size = sizes[i], .live = 1, .count = 100000,
		});
	}
	return err;
}

static int bench_bulk(void)
{
	static const unsigned int sizes[] = { 64, 256 };
	static const unsigned int lives[] = { 16, 64, 256 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(lives) && !err; i++) {
		err = measure(&(struct point) {
			.pattern = "bulk", .run = bulk_run, .allocators = ALL,
			.size = sizes[i / ARRAY_SIZE(lives)], .live = lives[i % ARRAY_SIZE(lives)],
			.order = "in-order", .count = 200000,
		});
	}
	return err;
}

static const struct {
	const char *name;
	int (*bench)(void);
} benches[] = {
	{ "pair", bench_pair },
	{ "batch", bench_batch },
	{ "replace", bench_replace },
	{ "cross", bench_cross },
	{ "both", bench_both },
	{ "slots", bench_slots },
	{ "strdup", bench_strdup },
	{ "zalloc", bench_zalloc },
	{ "bulk", bench_bulk },
};

/* Is @name, of @len bytes, the name of a pattern? */
static bool is_pattern(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(benches); i++)
		if (strlen(benches[i].name) == len && !strncmp(benches[i].name, name, len))
			return true;
	return false;
}

static bool all_patterns(void)
{
	return !strcmp(patterns, "all");
}

static bool is_selected(const char *name)
{
	const char *word, *end;

	if (all_patterns())
		return true;
	for (word = patterns; *word; word = *end ? end + 1 : end) {
		end = strchrnul(word, ',');
		if (strlen(name) == end - word && !strncmp(word, name, end - word))
			return true;
	}
	return false;
}

static int check_params(void)
{
	const char *word, *end;

	if (runs < 1 || runs > MAX_RUNS) {
		pr_err("runs=%u: must be 1 to %d\n", runs, MAX_RUNS);
		return -EINVAL;
	}
	if (!scale) {
		pr_err("scale=0 would measure nothing: give a percentage\n");
		return -EINVAL;
	}
	for (word = patterns; !all_patterns() && *word; word = *end ? end + 1 : end) {
		end = strchrnul(word, ',');
		if (!is_pattern(word, end - word)) {
			pr_err("no pattern '%.*s': modinfo lists them\n", (int)(end - word), word);
			return -EINVAL;
		}
	}
	return 0;
}

static void buffers_free(void)
{
	kvfree(ring);
	kvfree(steps);
	kvfree(free_order);
	kvfree(objects);
}

static int buffers_alloc(void)
{
	objects = kvcalloc(MAX_LIVE, sizeof(*objects), GFP_KERNEL);
	free_order = kvcalloc(MAX_LIVE, sizeof(*free_order), GFP_KERNEL);
	steps = kvcalloc(NR_STEPS, sizeof(*steps), GFP_KERNEL);
	ring = kvzalloc(sizeof(*ring), GFP_KERNEL);
	if (objects && free_order && steps && ring)
		return 0;
	buffers_free();
	return -ENOMEM;
}

static int __init bench_init(void)
{
	unsigned int i;
	int err;

	err = check_params();
	if (err)
		return err;
	err = clock_calibrate();
	if (err)
		return err;
	err = buffers_alloc();
	if (err)
		return err;
	pr_info("kernel=%s cpus=%u init_on_alloc=%d freelist_hardened=%d clock=%s runs=%u scale=%u\n",
		init_utsname()->release, num_online_cpus(), want_init_on_alloc(0),
		IS_ENABLED(CONFIG_SLAB_FREELIST_HARDENED), CLOCK_NAME, runs, scale);
	for (i = 0; i < ARRAY_SIZE(benches) && !err; i++)
		if (is_selected(benches[i].name))
			err = benches[i].bench();
	buffers_free();
	if (err)
		pr_err("stopped by error %d\n", err);
	else
		pr_info("done\n");
	return err;
}

/* Nothing is left by then; having it allows to unload. */
static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("Benchmarks of goheap against kmalloc and kmem_cache");
MODULE_LICENSE("GPL");
