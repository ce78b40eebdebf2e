// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_stress - a randomised test of every way in and out of goheap
 *
 * Threads on all CPUs allocate, check, resize, free and hand each other objects
 * for as long as ops= or seconds= says. The first and the last 64 bytes of each
 * object hold a pattern made from its address and a generation number, so that two
 * owners of one byte find out. What the interface promises about alignment, usable
 * size and goheap_base() is checked too. Interrupts of three kinds allocate and
 * free in the middle of it, RCU readers look at objects that others free, and
 * private heaps come and go.
 *
 * Loading the module runs the test. The last line says how it went:
 *
 *   passed ops=1000000 seed=42 nulls=0
 *   FAILED seed=42 thread=1 step=31337: ...
 *
 * and a failure makes loading fail with EIO. What a step asks for depends on the
 * seed, the thread and the number of the step alone, so the same seed asks the
 * same again, whatever the timing.
 *
 * Where the kernel injects failures, those of tasks with make-it-fail set hit the
 * threads here and nobody else.
 *
 * The idea of a harness like this is that of TCMalloc's test harness.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "lib/cases.h"
#include "lib/cpus.h"

#include "stress.h"

#define EVENTS_EVERY	8		/* steps */
#define MOVE_EVERY	1024

static unsigned int threads;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "threads, 0 for one per CPU (default), at most 64");

static unsigned long ops;
module_param(ops, ulong, 0444);
MODULE_PARM_DESC(ops, "steps of all threads together (default 1000000, or no end with seconds=)");

static unsigned int seconds;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "stop after so many, even if there are steps left (default 0: never)");

static bool pin = true;
module_param(pin, bool, 0444);
MODULE_PARM_DESC(pin, "each thread is on one CPU at a time, and changes it (default); or as the scheduler likes");

static bool stop;
module_param(stop, bool, 0644);
MODULE_PARM_DESC(stop, "write 1 to end it");

unsigned long seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "what the randomness starts from, 0 for a new one (default)");

unsigned int budget_kb = 4096;
module_param(budget_kb, uint, 0444);
MODULE_PARM_DESC(budget_kb, "most KiB that a thread owns at a time (default 4096)");

struct worker *workers;
unsigned int nr_workers;
struct goheap *heaps[NR_HEAPS];
atomic_long_t nulls;
atomic_long_t event_ops;
atomic_long_t side_ops;

static atomic_long_t steps_done;
static unsigned long deadline;
static struct team team = TEAM_INIT(team);

/* ---- the threads ------------------------------------------------------------ */

/* What task-filter of the kernel's fault injection looks at. */
void may_be_failed(void)
{
#ifdef CONFIG_FAULT_INJECTION
	current->make_it_fail = 1;
#endif
}

/* To one CPU, or to wherever the scheduler likes if that one is not there. */
static void move(unsigned int cpu)
{
	if (!cpu_online(cpu) || go_to(cpu))
		go_anywhere();
}

static bool is_over(void)
{
	return is_failed() || READ_ONCE(stop) || (seconds && time_after_eq(jiffies, deadline));
}

static void work(struct worker *w)
{
	unsigned long step;

	for (step = 0; step < w->steps && !is_over(); step++) {
		struct draw d = draw_start(w->id, step);

		WRITE_ONCE(w->step, step);
		step_random(w, &d);
		if (step % EVENTS_EVERY == 0) {
			take_inbox(w);
			burst_take(w, &d);
			events_serve(w, &d);
		}
		if (pin && step % MOVE_EVERY == MOVE_EVERY - 1)
			move(below(&d, nr_cpu_ids));
		cond_resched();
	}
	atomic_long_add(step, &steps_done);
}

static void worker_main(struct mate *mate)
{
	struct worker *w = container_of(mate, struct worker, mate);

	may_be_failed();
	work(w);
	events_stop(w);
	drop_all(w);
}

static int worker_create(struct worker *w, unsigned int id, int cpu)
{
	w->id = id;
	w->steps = div_u64(ops, nr_workers) + (id < ops % nr_workers);
	raw_spin_lock_init(&w->raw_lock);
	spin_lock_init(&w->lock);
	spin_lock_init(&w->inbox_lock);
	events_init(w);
	w->objects = kvcalloc(MAX_OBJECTS, sizeof(*w->objects), GFP_KERNEL);
	if (!w->objects)
		return -ENOMEM;
	return team_hire(&team, &w->mate, pin ? cpu : ANY_CPU, worker_main);
}

/* Once all are done: nobody hands over any more. */
static void worker_destroy(struct worker *w)
{
	struct draw d = draw_start(w->id, ULONG_MAX);

	burst_take(w, &d);
	drop_all(w);
	kvfree(w->objects);
}

static void workers_work(void)
{
	deadline = jiffies + seconds * HZ;
	team_start(&team);
	/* Whoever kills insmod gets an end to it, after a step or so. */
	if (team_wait(&team))
		fail(workers, "interrupted");
}

static int workers_run(void)
{
	int cpu = cpumask_first(cpu_online_mask), err = 0;
	unsigned int i;

	for (i = 0; i < nr_workers && !err; i++, cpu = next_cpu(cpu))
		err = worker_create(&workers[i], i, cpu);	/* to be destroyed in any case */
	if (!err)
		workers_work();
	team_end(&team);
	while (i--)
		worker_destroy(&workers[i]);
	return err;
}

/* ---- the module ------------------------------------------------------------- */

/* One plain heap, two that are often at their limit, one that may leak (and does not). */
static const struct goheap_params heap_params[NR_HEAPS] = {
	{ },
	{ .limit = 1024 * 1024 },
	{ .flags = GOHEAP_LEAK_OK },
	{ .limit = 128 * 1024 },
};

static void heaps_destroy(void)
{
	unsigned int i;

	for (i = 0; i < NR_HEAPS; i++) {
		if (!IS_ERR_OR_NULL(heaps[i]))
			goheap_destroy(heaps[i]);
		heaps[i] = NULL;
	}
}

static int heaps_create(void)
{
	char name[24];
	unsigned int i;

	for (i = 0; i < NR_HEAPS; i++) {
		snprintf(name, sizeof(name), "goheap_stress-%u", i);
		heaps[i] = goheap_create(name, &heap_params[i]);
		if (IS_ERR(heaps[i])) {
			int err = PTR_ERR(heaps[i]);

			heaps_destroy();
			return err;
		}
	}
	return 0;
}

static void source_fill(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(source) - 1; i++)
		source[i] = 1 + i % 251;
}

static int report(void)
{
	/* pairs with the release in fail(): the text is complete */
	if (smp_load_acquire(&failed)) {
		pr_err("FAILED seed=%lu %s\n", seed, failure);
		return -EIO;
	}
	pr_info("%ld more in interrupts, %ld in bursts, visits and before RCU readers\n",
		atomic_long_read(&event_ops), atomic_long_read(&side_ops));
	pr_info("passed ops=%ld seed=%lu nulls=%ld\n", atomic_long_read(&steps_done), seed,
		atomic_long_read(&nulls));
	return 0;
}

static int stress_run(void)
{
	int err = heaps_create();

	if (err)
		return err;
	err = visits_start();
	if (!err) {
		err = workers_run();
		visits_stop();
	}
	shared_drop_all();
	heaps_destroy();
	return err ?: report();
}

static int __init stress_init(void)
{
	int err;

	nr_workers = threads ?: num_online_cpus();
	if (nr_workers > MAX_THREADS || !budget_kb) {
		pr_err("threads=%u budget_kb=%u: at most %d threads, and more than 0 KiB\n",
		       threads, budget_kb, MAX_THREADS);
		return -EINVAL;
	}
	if (!ops)
		ops = seconds ? LONG_MAX : 1000000;
	while (!seed)
		seed = get_random_u32();
	source_fill();
	workers = kvcalloc(nr_workers, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	pr_info("start threads=%u ops=%lu seconds=%u seed=%lu budget_kb=%u\n",
		nr_workers, ops, seconds, seed, budget_kb);
	err = stress_run();
	kvfree(workers);
	return err;
}

module_runs(stress_init);

MODULE_DESCRIPTION("Randomised test of goheap");
MODULE_LICENSE("GPL");
