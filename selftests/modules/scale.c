// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_scale - what an operation costs when more and more CPUs work at a time
 *
 * For guests whose clock counts the instructions of all CPUs together
 * (tools/guest/boot.sh --icount); tools/bench/scale.sh prints the table. Loading this
 * module sets a workload up and runs it once. Writing to the parameter "go" runs it
 * again on all online CPUs; then "insns" tells how many instructions that was.
 *
 * The workloads, each with @ops operations on each CPU:
 *
 *   own	allocate 64 bytes and free them
 *   replace	free a random one of 256 objects of mixed sizes, allocate another
 *   handover	allocate an object of mixed size for the next CPU, which frees it
 *
 * An object cache has objects of 64 bytes whatever the size; the others get what is asked for.
 *
 * All CPUs are taken from the scheduler and run with interrupts off, so that no
 * tick is counted. Where one has to wait, and now and then anyway, it executes the
 * instruction of cpu_relax(), at which QEMU turns to the next CPU.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/processor.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/topology.h>

#include "goheap.h"

#include "lib/allocators.h"
#include "lib/cases.h"
#include "lib/clock.h"
#include "lib/cpus.h"

#define LIVE		256		/* objects of a CPU in "replace" */
#define RING_SIZE	64		/* objects on their way to a CPU */
#define TURN		16		/* operations until another CPU has its turn */
#define SIZE		64		/* of an object in "own", and in an object cache */

/* goheap in two more ways, beside those of enum allocator. */
#define HEAP		(NONE + 1)
#define OBJECT		(NONE + 2)

/* Interrupts are off. */
#define GFP		(GFP_NOWAIT | __GFP_NOWARN)

static unsigned int ops = 20000;
module_param(ops, uint, 0444);
MODULE_PARM_DESC(ops, "operations on each CPU, a multiple of 16 (default 20000)");

static char *workload = "own";
module_param(workload, charp, 0444);
MODULE_PARM_DESC(workload, "own, replace or handover (default own)");

static char *with = "goheap";
module_param(with, charp, 0444);
MODULE_PARM_DESC(with, "goheap, heap (a private one), object (an object cache), kmalloc, or none for the cost of the loop (default goheap)");

static ulong insns;
module_param(insns, ulong, 0444);
MODULE_PARM_DESC(insns, "instructions that the last run took, on all CPUs together");

/* What one CPU works with. */
struct worker {
	struct worker *next;		/* on the next CPU */
	u32 seed;
	unsigned long nulls;		/* allocations that failed */
	u64 start;
	u64 end;
	void *objects[LIVE];
	unsigned int head ____cacheline_aligned_in_smp;	/* written by the CPU before */
	unsigned int tail ____cacheline_aligned_in_smp;	/* written by this CPU */
	void *ring[RING_SIZE];
};

static struct worker **workers;		/* by CPU */
static atomic_t arrived;		/* workers at the meetings so far */
static unsigned int which;
static struct goheap *heap;
static struct goheap_cache *cache;

/* ---- the allocators --------------------------------------------------------- */

static __always_inline void *alloc_one(struct worker *w, const unsigned int which, size_t size)
{
	void *p;

	if (which == HEAP)
		p = goheap_heap_alloc(heap, size, GFP, 0);
	else if (which == OBJECT)
		p = goheap_cache_alloc(cache, GFP);
	else
		p = alloc_by(which, NULL, size, GFP);
	if (which != NONE && unlikely(!p))
		w->nulls++;
	return p;
}

static __always_inline void free_one(const unsigned int which, void *p)
{
	if (which == HEAP)
		goheap_heap_free(heap, p);
	else if (which == OBJECT)
		goheap_cache_free(cache, p);
	else
		free_by(which, NULL, p);
}

static void free_allocators(void)
{
	goheap_destroy(heap);
	goheap_cache_destroy(cache);
}

static int make_allocators(void)
{
	heap = goheap_create("scale", NULL);
	cache = goheap_cache_create("scale-object", SIZE, 0, 0, NULL);
	if (!IS_ERR(heap) && !IS_ERR(cache))
		return 0;
	free_allocators();
	return -ENOMEM;
}

/* ---- the workloads ---------------------------------------------------------- */

static u32 next_random(struct worker *w)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return w->seed;
}

/* 16 to 1023 bytes: every octave as often as any other. */
static size_t mixed_size(u32 random)
{
	u32 low = 16U << (random >> 28) % 6;

	return low + (random >> 12 & (low - 1));
}

static __always_inline void own(struct worker *w, const unsigned int which)
{
	unsigned int i;

	for (i = 1; i <= ops; i++) {
		free_one(which, alloc_one(w, which, SIZE));
		if (i % TURN == 0)
			cpu_relax();
	}
}

static __always_inline void replace(struct worker *w, const unsigned int which)
{
	unsigned int i;
	void **obj;

	for (i = 1; i <= ops; i++) {
		obj = &w->objects[(next_random(w) >> 16) % LIVE];
		free_one(which, *obj);
		*obj = alloc_one(w, which, mixed_size(next_random(w)));
		if (i % TURN == 0)
			cpu_relax();
	}
}

/* Up to a turn of objects for the next CPU. Returns how many. */
static __always_inline unsigned int give(struct worker *w, const unsigned int which)
{
	struct worker *next = w->next;
	unsigned int head = next->head, n;

	for (n = 0; n < TURN; n++) {
		/* pairs with the release in take(): the slot was read */
		if (head - smp_load_acquire(&next->tail) == RING_SIZE)
			break;
		next->ring[head++ % RING_SIZE] = alloc_one(w, which,
							   mixed_size(next_random(w)));
	}
	/* pairs with the acquire in take(): the slots are filled */
	smp_store_release(&next->head, head);
	return n;
}

static __always_inline unsigned int take(struct worker *w, const unsigned int which)
{
	/* pairs with the release in give() */
	unsigned int head = smp_load_acquire(&w->head), tail = w->tail, n;

	for (n = 0; n < TURN && tail != head; n++)
		free_one(which, w->ring[tail++ % RING_SIZE]);
	/* pairs with the acquire in give(): the slots are read */
	smp_store_release(&w->tail, tail);
	return n;
}

static __always_inline void handover(struct worker *w, const unsigned int which)
{
	unsigned int given = 0, taken = 0;

	while (given < ops || taken < ops) {
		if (given < ops)
			given += give(w, which);
		taken += take(w, which);
		cpu_relax();
	}
}

/* Compiled for each allocator, so that no test for it is counted but one. */
#define DEFINE_WORK(name)					\
static void name##_work(struct worker *w)			\
{								\
	switch (which) {					\
	case NONE:						\
		name(w, NONE);					\
		break;						\
	case KMALLOC:						\
		name(w, KMALLOC);				\
		break;						\
	case HEAP:						\
		name(w, HEAP);					\
		break;						\
	case OBJECT:						\
		name(w, OBJECT);				\
		break;						\
	default:						\
		name(w, GOHEAP);				\
		break;						\
	}							\
}

DEFINE_WORK(own)
DEFINE_WORK(replace)
DEFINE_WORK(handover)

static const struct workload {
	const char *name;
	void (*work)(struct worker *w);
} works[] = {
	{ "own", own_work },
	{ "replace", replace_work },
	{ "handover", handover_work },
};

static const struct workload *chosen;

/* ---- a run ------------------------------------------------------------------- */

static void meet(int all)
{
	atomic_inc(&arrived);
	while (atomic_read_acquire(&arrived) < all)
		cpu_relax();
}

/* On every CPU at a time, interrupts off. */
static int run_cpu(void *unused)
{
	struct worker *w = workers[smp_processor_id()];
	int cpus = num_online_cpus();

	meet(cpus);
	w->start = clock_insns();
	chosen->work(w);
	w->end = clock_insns();
	meet(2 * cpus);
	return 0;
}

static int run(void)
{
	u64 start = U64_MAX, end = 0;
	unsigned long nulls = 0;
	int cpu;

	atomic_set(&arrived, 0);
	stop_machine(run_cpu, NULL, cpu_online_mask);
	for_each_online_cpu(cpu) {
		start = min(start, workers[cpu]->start);
		end = max(end, workers[cpu]->end);
		nulls += workers[cpu]->nulls;
	}
	insns = end - start;
	if (nulls) {
		pr_err("%lu allocations failed: give the guest more memory\n", nulls);
		return -ENOMEM;
	}
	return 0;
}

static int go_set(const char *val, const struct kernel_param *kp)
{
	return workers ? run() : -EINVAL;
}

static const struct kernel_param_ops go_ops = { .set = go_set };
module_param_cb(go, &go_ops, NULL, 0200);
MODULE_PARM_DESC(go, "write anything to run the workload");

/* ---- set-up ------------------------------------------------------------------ */

static const struct {
	const char *name;
	unsigned int which;
} ways[] = {
	{ "none", NONE },
	{ "kmalloc", KMALLOC },
	{ "goheap", GOHEAP },
	{ "heap", HEAP },
	{ "object", OBJECT },
};

static int choose_work(void)
{
	const typeof(ways[0]) *way = find_named(ways, "with", with);

	if (!ops || ops % TURN) {
		pr_err("ops=%u: must be a multiple of %d\n", ops, TURN);
		return -EINVAL;
	}
	if (!way)
		return -EINVAL;
	which = way->which;
	chosen = find_named(works, "workload", workload);
	return chosen ? 0 : -EINVAL;
}

static void free_workers(void)
{
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		for (i = 0; workers[cpu] && i < LIVE; i++)
			free_one(which, workers[cpu]->objects[i]);
		kfree(workers[cpu]);
	}
	kfree(workers);
}

static int make_workers(void)
{
	int cpu;

	workers = kcalloc(nr_cpu_ids, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	for_each_online_cpu(cpu) {
		workers[cpu] = kzalloc_node(sizeof(**workers), GFP_KERNEL, cpu_to_node(cpu));
		if (!workers[cpu]) {
			free_workers();
			return -ENOMEM;
		}
		workers[cpu]->seed = cpu + 1;
	}
	for_each_online_cpu(cpu)
		workers[cpu]->next = workers[next_cpu(cpu)];
	return 0;
}

static int __init scale_init(void)
{
	int err;

	err = choose_work() ?: make_allocators();
	if (err)
		return err;
	err = make_workers();
	if (err)
		goto free_allocators;
	err = run();
	if (err)
		goto free_workers;
	return 0;

free_workers:
	free_workers();
free_allocators:
	free_allocators();
	return err;
}

static void __exit scale_exit(void)
{
	free_workers();
	free_allocators();
}

module_init(scale_init);
module_exit(scale_exit);

MODULE_DESCRIPTION("Instructions per operation of goheap and kmalloc on many CPUs");
MODULE_LICENSE("GPL");
