// SPDX-License-Identifier: GPL-2.0
/*
 * The harness: runs a pattern on threads bound to CPUs, the allocators by turns,
 * and prints what their clocks say.
 */
#include "bench.h"
#include "ring.h"

#include <linux/cpumask.h>
#include <linux/math.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

unsigned int max_threads;
void **shared;
struct ring *rings;

static struct bench_thread *threads;	/* max_threads */
static u64 tick_mult;			/* ns per tick, times 2^20 */

/* All in tenths of a ns per object. */
struct result {
	u64 ns10[MAX_LAYOUTS][MAX_RUNS];	/* sorted at the end */
	u64 med;				/* of the layouts' medians */
	unsigned long nulls;
};

static struct result results[NR_ALLOCATORS];

/* ---- the clock -------------------------------------------------------------- */

/* Read both clocks at the same moment, as nearly as a few attempts get it. */
static void clock_read(u64 *tick, u64 *ns)
{
	u64 best = U64_MAX;
	int i;

	for (i = 0; i < 32; i++) {
		u64 before = clock_ticks();
		u64 now = ktime_get_ns();
		u64 after = clock_ticks();

		if (after - before < best) {
			best = after - before;
			*tick = before;
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
	tick_mult = ticks ? 1 << 20 : div64_u64((ns1 - ns0) << 20, ticks1 - ticks0);
	return 0;
}

/* ---- threads ---------------------------------------------------------------- */

static void bench_thread_main(struct mate *mate)
{
	struct bench_thread *t = container_of(mate, struct bench_thread, mate);

	struct job *job = t->job;

	job->pt->loops->of[job->which]->loop[job->layout](t);
}

/* The first CPU usually takes the interrupts, so one thread alone avoids it. */
static unsigned int job_cpu(unsigned int id)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (id && !--id)
			return cpu;
	return cpumask_last(cpu_online_mask);
}

static int thread_create(struct job *job, unsigned int id)
{
	struct bench_thread *t = &job->thread[id];

	*t = (struct bench_thread) { .job = job, .id = id, .objs = t->objs };
	return team_hire(&job->team, &t->mate, job_cpu(id), bench_thread_main);
}

/* Run the job's threads to their end. */
static int job_run(struct job *job)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < job->nr_threads && !err; i++)
		err = thread_create(job, i);
	if (!err) {
		team_start(&job->team);
		err = team_wait(&job->team);
	}
	team_end(&job->team);
	return err;
}

/*
 * Tenths of a nanosecond per object of one thread, from the first thread's start to
 * the last one's end: threads that had to take turns on a CPU do not look parallel.
 */
static u64 job_ns10(const struct job *job)
{
	u64 start = U64_MAX, end = 0;
	unsigned int i;

	for (i = 0; i < job->nr_threads; i++) {
		start = min(start, job->thread[i].start);
		end = max(end, job->thread[i].end);
	}
	return div64_u64(mul_u64_u64_shr(end - start, tick_mult, 20) * 10, job->count);
}

/* ---- results ---------------------------------------------------------------- */

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void sort_u64(u64 *v, unsigned int n)
{
	sort(v, n, sizeof(*v), compare_u64, NULL);
}

static void finish(struct result *r)
{
	u64 medians[MAX_LAYOUTS];
	unsigned int i;

	for (i = 0; i < layouts; i++) {
		sort_u64(r->ns10[i], runs);
		medians[i] = r->ns10[i][runs / 2];
	}
	sort_u64(medians, layouts);
	r->med = medians[layouts / 2];
}

static u64 least(const struct result *r)
{
	u64 ns10 = r->ns10[0][0];
	unsigned int i;

	for (i = 1; i < layouts; i++)
		ns10 = min(ns10, r->ns10[i][0]);
	return ns10;
}

static u64 most(const struct result *r)
{
	u64 ns10 = r->ns10[0][runs - 1];
	unsigned int i;

	for (i = 1; i < layouts; i++)
		ns10 = max(ns10, r->ns10[i][runs - 1]);
	return ns10;
}

/* Of the latest point, in tenths of a ns. */
u64 last_median(enum allocator which)
{
	return results[which].med;
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

/* Minimum, median and maximum of each layout. */
static const char *layouts_text(const struct result *r)
{
	static char text[120];
	unsigned int i, k;
	int len;

	if (layouts == 1)
		return "";
	len = scnprintf(text, sizeof(text), " layouts=");
	for (i = 0; i < layouts; i++) {
		const u64 of[] = { r->ns10[i][0], r->ns10[i][runs / 2], r->ns10[i][runs - 1] };

		for (k = 0; k < ARRAY_SIZE(of); k++)
			len += scnprintf(text + len, sizeof(text) - len, "%s%llu.%llu",
					 k ? "/" : i ? "," : "", of[k] / 10, of[k] % 10);
	}
	return text;
}

static void print_result(const struct point *pt, enum allocator which)
{
	char ratio[40] = "", nulls[40] = "";
	const struct result *r = &results[which];
	u64 min = least(r), max = most(r);

	if (which == GOHEAP && pt->allocators & BIT(KMALLOC)) {
		u64 percent = div64_u64(results[KMALLOC].med * 100, max(r->med, 1ULL));

		snprintf(ratio, sizeof(ratio), " ratio=%llu.%02llu", percent / 100, percent % 100);
	}
	if (r->nulls)
		snprintf(nulls, sizeof(nulls), " nulls=%lu", r->nulls);
	pr_info("%s alloc=%s min=%llu.%llu med=%llu.%llu max=%llu.%llu%s%s%s\n",
		point_text(pt), allocator_name(which), min / 10, min % 10,
		r->med / 10, r->med % 10, max / 10, max % 10, ratio, nulls,
		layouts_text(r));
}

/* One run with one allocator, in the layout of the job. */
static int point_run(struct job *job, enum allocator which)
{
	unsigned int i;
	int err;

	if (fatal_signal_pending(current))
		return -EINTR;
	job->which = which;
	err = job_run(job);
	if (err)
		return err;
	for (i = 0; i < job->nr_threads; i++)
		results[which].nulls += job->thread[i].nulls;
	cond_resched();
	return 0;
}

/* All runs of a point, the allocators and the layouts by turns. The first only warms up. */
static int point_runs(struct job *job)
{
	unsigned int i, run, which;
	int err;

	for (run = 0; run <= runs * layouts; run++) {
		job->layout = run % layouts;
		for (i = 0; i < NR_ALLOCATORS; i++) {
			which = (run + i) % NR_ALLOCATORS;
			if (!(job->pt->allocators & BIT(which)))
				continue;
			err = point_run(job, which);
			if (err)
				return err;
			if (run)
				results[which].ns10[job->layout][(run - 1) / layouts] =
					job_ns10(job);
		}
	}
	return 0;
}

/* Whole rounds, at least one, of scale percent of the objects. */
static unsigned long scaled(const struct point *pt)
{
	unsigned long round = pt->round ?: pt->live;

	return max(mult_frac(pt->count, scale, 100UL) / round, 1UL) * round;
}

/* Measure a point and print its lines. */
int measure(const struct point *pt)
{
	struct job job = {
		.pt = pt,
		.nr_threads = pt->threads ?: 1,
		.count = scaled(pt),
		.team = TEAM_INIT(job.team),
		.thread = threads,
	};
	unsigned int which;
	int err;

	if (job.nr_threads > max_threads) {
		pr_info("%s skipped=needs-%u-online-cpus\n", point_text(pt), job.nr_threads);
		return 0;
	}
	if (pt->allocators & BIT(CACHE)) {
		job.cache = kmem_cache_create("goheap_bench", pt->size, 0, 0, NULL);
		if (!job.cache)
			return -ENOMEM;
	}
	memset(results, 0, sizeof(results));
	err = point_runs(&job);
	kmem_cache_destroy(job.cache);
	floor_reset();
	for (which = 0; !err && which < NR_ALLOCATORS; which++) {
		if (!(pt->allocators & BIT(which)))
			continue;
		finish(&results[which]);
		print_result(pt, which);
	}
	return err;
}

void harness_exit(void)
{
	unsigned int i;

	for (i = 0; threads && i < max_threads; i++)
		vfree(threads[i].objs);
	vfree(threads);
	vfree(rings);
	vfree(shared);
	floor_exit();
}

int harness_init(void)
{
	unsigned int i;
	int err;

	err = clock_calibrate() ?: floor_init();
	if (err)
		return err;
	max_threads = num_online_cpus();
	shared = vzalloc(array_size(MAX_LIVE, sizeof(*shared)));
	rings = vzalloc(array_size(DIV_ROUND_UP(max_threads, 2), sizeof(*rings)));
	threads = vzalloc(array_size(max_threads, sizeof(*threads)));
	if (!shared || !rings || !threads)
		return -ENOMEM;
	for (i = 0; i < max_threads; i++) {
		threads[i].objs = vzalloc(array_size(MAX_LIVE, sizeof(void *)));
		if (!threads[i].objs)
			return -ENOMEM;
	}
	return 0;
}
