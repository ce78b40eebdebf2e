// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_memory - how much memory do goheap and the kernel's slabs hold for the same objects?
 *
 * Loading the module allocates what pattern= says with alloc=, and logs how many
 * bytes were asked for and how many the kernel has less since. Unloading frees.
 * Between the two debugfs can tell what goheap's part is made of.
 *
 * What is held is counted in free pages of the kernel, for either allocator, so
 * bookkeeping counts wherever it is kept. Nothing else may go on meanwhile.
 *
 * handoff, comb and wander go on for rounds= and log the most that they saw.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "base/compat.h"
#include "goheap.h"

#include "lib/allocators.h"
#include "lib/cases.h"
#include "lib/cpus.h"
#include "lib/random.h"

static char *pattern = "mix";
module_param(pattern, charp, 0444);
MODULE_PARM_DESC(pattern, "mix, strings, size, object, above, large, handoff, comb or wander (default mix)");

static char *alloc = "goheap";
module_param(alloc, charp, 0444);
MODULE_PARM_DESC(alloc, "goheap or kmalloc; for object, goheap or kmem_cache: a cache of either (default goheap)");

static unsigned int size = 1000;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "bytes of an object: size, object, comb, wander (default 1000)");

static unsigned int count = 40000;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "objects: mix, strings, object (default 40000)");

static unsigned int mib = 64;
module_param(mib, uint, 0444);
MODULE_PARM_DESC(mib, "MiB to ask for, unless it is count= objects (default 64)");

static unsigned int rounds = 20;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "how often: handoff, comb, wander (default 20)");

#define MAX_MIB		1024		/* the guests have no more */

static enum allocator which;

/* ---- what the kernel has left ----------------------------------------------- */

/* What a CPU has not told the zone's counter yet, and the pages it keeps at hand. */
static long cpu_free_pages(struct zone *zone, int cpu)
{
	long pages = READ_ONCE(per_cpu_ptr(zone->per_cpu_pageset, cpu)->count);

#ifdef CONFIG_SMP
	pages += per_cpu_ptr(zone->per_cpu_zonestats, cpu)->vm_stat_diff[NR_FREE_PAGES];
#endif
	return pages;
}

static long zone_free_pages(struct zone *zone)
{
	long pages = atomic_long_read(&zone->vm_stat[NR_FREE_PAGES]);
	int cpu;

	for_each_online_cpu(cpu)
		pages += cpu_free_pages(zone, cpu);
	return pages;
}

static long free_pages_left(void)
{
	struct zone *zone;
	long pages = 0;
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			if (populated_zone(zone))
				pages += zone_free_pages(zone);
		}
	}
	return pages;
}

static long pages_before;

/* What was freed before and waits for RCU must not look as if it came from us. */
static void baseline(void)
{
	rcu_barrier();
	pages_before = free_pages_left();
}

static long held_bytes(void)
{
	return (pages_before - free_pages_left()) * (long)PAGE_SIZE;
}

/* ---- objects ----------------------------------------------------------------- */

#define STRING_MAX	15		/* bytes, its NUL included */

/* Of pattern=object, one of the two. */
static struct goheap_cache *goheap_cache;
static struct kmem_cache *kmem_cache;

struct object {
	void *p;
	unsigned int size;
	bool string;
};

static bool object_alloc(struct object *o)
{
	static const char text[STRING_MAX] = "fourteen bytes";

	if (goheap_cache)
		o->p = goheap_cache_alloc(goheap_cache, GFP_KERNEL);
	else if (o->string)
		o->p = strdup_by(which, text + STRING_MAX - o->size, GFP_KERNEL);
	else
		o->p = alloc_by(which, kmem_cache, o->size, GFP_KERNEL);
	return o->p;
}

static void object_free(void *p)
{
	free_by(which, kmem_cache, p);
}

/* ---- sizes ------------------------------------------------------------------- */

/*
 * What /proc/slabinfo shows of a machine that has been up for a while, with each
 * cache's size spread over its neighbourhood: one object in ten is a short string,
 * three in four have 16 to 256 bytes (list nodes, extents, buffer heads, dentries,
 * files), then come radix tree nodes, inodes and sockets, and a few buffers of up
 * to 8 KiB, which hold half of the bytes. The mean is 252 bytes.
 */
static void draw_mix(struct rnd_state *rnd, struct object *o)
{
	static const struct {
		unsigned int per_mille;
		unsigned int from, to;
	} mix[] = {
		{  90,    2,   15 },	/* strings */
		{ 150,   16,   32 },
		{ 180,   33,   64 },
		{ 110,   65,   96 },
		{ 110,   97,  128 },
		{ 120,  129,  192 },
		{  80,  193,  256 },
		{  70,  257,  512 },
		{  50,  513, 1024 },
		{  20, 1025, 2048 },
		{  13, 2049, 4096 },
		{   7, 4097, 8192 },
	};
	unsigned int dice = prandom_u32_state(rnd) % 1000, i;

	for (i = 0; dice >= mix[i].per_mille; i++)
		dice -= mix[i].per_mille;
	o->string = !i;
	o->size = between(rnd, mix[i].from, mix[i].to);
}

static void draw_string(struct rnd_state *rnd, struct object *o)
{
	o->string = true;
	o->size = between(rnd, 1, STRING_MAX);
}

static void draw_size(struct rnd_state *rnd, struct object *o)
{
	o->size = size;
}

/* The worst for an allocator that rounds to powers of two; as many of each. */
static void draw_above(struct rnd_state *rnd, struct object *o)
{
	o->size = (1U << between(rnd, 5, 12)) + 1;
}

static void draw_large(struct rnd_state *rnd, struct object *o)
{
	o->size = between(rnd, 33 << 10, 260 << 10);
}

/* ---- filling ------------------------------------------------------------------ */

struct pile {
	void (*draw)(struct rnd_state *rnd, struct object *o);
	struct rnd_state rnd;
	struct object *objects;
	unsigned int nr;
	unsigned int room;
	size_t bytes;			/* asked for, in all of them */
};

static int pile_init(struct pile *pile, unsigned int room,
		     void (*draw)(struct rnd_state *rnd, struct object *o), u64 seed)
{
	pile->draw = draw;
	prandom_seed_state(&pile->rnd, seed);
	pile->room = room;
	pile->objects = kvcalloc(room, sizeof(*pile->objects), GFP_KERNEL);
	return pile->objects ? 0 : -ENOMEM;
}

static void pile_destroy(struct pile *pile)
{
	while (pile->nr)
		object_free(pile->objects[--pile->nr].p);
	kvfree(pile->objects);
	pile->objects = NULL;
}

/* Draw an object into a place that is empty. */
static bool pile_put(struct pile *pile, struct object *o)
{
	*o = (struct object) {};
	pile->draw(&pile->rnd, o);
	if (!object_alloc(o))
		return false;
	pile->bytes += o->size;
	return true;
}

static int pile_fill(struct pile *pile, size_t bytes)
{
	while (pile->nr < pile->room && pile->bytes < bytes) {
		if (!pile_put(pile, &pile->objects[pile->nr]))
			return -ENOMEM;
		pile->nr++;
		if (pile->nr % 1024 == 0)
			cond_resched();
	}
	return 0;
}

/* ---- the patterns -------------------------------------------------------------- */

/* What stays until the module is unloaded: one for each producer. */
#define MAX_PILES	2
static struct pile piles[MAX_PILES];

static size_t wanted(void)
{
	return (size_t)mib << 20;
}

static void say(size_t asked, long held)
{
	pr_info("pattern=%s size=%u alloc=%s asked=%zu held=%ld\n",
		pattern, size, alloc, asked, held);
}

static int run_fill(void (*draw)(struct rnd_state *rnd, struct object *o),
		    unsigned int room, size_t bytes)
{
	struct pile *pile = &piles[0];
	int err;

	err = pile_init(pile, room, draw, 1);
	if (err)
		return err;
	baseline();
	err = pile_fill(pile, bytes);
	if (!err)
		say(pile->bytes, held_bytes());
	return err;
}

static int run_mix(void)
{
	return run_fill(draw_mix, count, SIZE_MAX);
}

static int run_strings(void)
{
	return run_fill(draw_string, count, SIZE_MAX);
}

static int run_size(void)
{
	return run_fill(draw_size, wanted() / size + 1, wanted());
}

/* Neither shares its slabs with other caches. */
static int make_cache(void)
{
	if (which == GOHEAP) {
		goheap_cache = goheap_cache_create("goheap_memory", size, 0, 0, NULL);
		return PTR_ERR_OR_ZERO(goheap_cache);
	}
	kmem_cache = kmem_cache_create("goheap_memory", size, 0, GH_SLAB_NO_MERGE, NULL);
	return kmem_cache ? 0 : -ENOMEM;
}

static int run_object(void)
{
	struct pile *pile = &piles[0];
	int err;

	err = pile_init(pile, count, draw_size, 1);
	if (err)
		return err;
	baseline();
	err = make_cache() ?: pile_fill(pile, SIZE_MAX);
	if (!err)
		say(pile->bytes, held_bytes());
	return err;
}

static int run_above(void)
{
	return run_fill(draw_above, wanted() / 512, wanted());
}

static int run_large(void)
{
	return run_fill(draw_large, (wanted() >> 15) + 1, wanted());
}

/* ---- handoff: some CPUs allocate, another one frees ---------------------------- */

#define BATCH		64
#define NR_BATCHES	16

/* Objects on their way to the CPU that frees. */
struct batch {
	unsigned int nr;
	void *p[BATCH];
};

struct producer {
	struct work_struct work;
	struct pile *pile;
	struct batch batches[NR_BATCHES];
	unsigned int head;		/* the batch being filled */
	unsigned int tail;		/* the next one to be freed; written by who frees */
	bool done;
	int err;
};

struct freer {
	struct work_struct work;
	struct producer *producers;
};

static struct workqueue_struct *queue;

/* The most that was seen at the end of a round. */
struct peak {
	size_t asked;
	long held;
};

static void peak_update(struct peak *peak, size_t asked, long held)
{
	peak->asked = max(peak->asked, asked);
	peak->held = max(peak->held, held);
}

/* Looking again is cheaper than being woken up by another CPU of a guest. */
static void wait_a_little(void)
{
	usleep_range(20, 50);
}

static void producer_publish(struct producer *producer)
{
	/* pairs with the acquire in free_batches(): the batch is complete */
	smp_store_release(&producer->head, producer->head + 1);
	/* pairs with the release in free_batches(): the batch is empty again */
	while (producer->head - smp_load_acquire(&producer->tail) == NR_BATCHES)
		wait_a_little();
}

static void producer_hand_over(struct producer *producer, void *p)
{
	struct batch *batch = &producer->batches[producer->head % NR_BATCHES];

	batch->p[batch->nr++] = p;
	if (batch->nr == BATCH)
		producer_publish(producer);
}

/* False if there is nothing to free. */
static bool free_batches(struct producer *producer)
{
	struct batch *batch;

	/* pairs with the release in producer_publish() */
	if (producer->tail == smp_load_acquire(&producer->head))
		return false;
	batch = &producer->batches[producer->tail % NR_BATCHES];
	while (batch->nr)
		object_free(batch->p[--batch->nr]);
	/* pairs with the acquire in producer_publish() */
	smp_store_release(&producer->tail, producer->tail + 1);
	return true;
}

/* False if no producer will ever have anything to free again. */
static bool free_from_all(struct freer *freer)
{
	bool more = false, found = false;
	unsigned int i;

	for (i = 0; i < MAX_PILES; i++) {
		/* pairs with the release in producer_work(): nothing comes after that */
		more |= !smp_load_acquire(&freer->producers[i].done);
		found |= free_batches(&freer->producers[i]);
	}
	if (more && !found)
		wait_a_little();
	return more || found;
}

static void freer_work(struct work_struct *work)
{
	struct freer *freer = container_of(work, struct freer, work);

	while (free_from_all(freer))
		cond_resched();
}

static int replace_one(struct producer *producer)
{
	struct pile *pile = producer->pile;
	struct object *o = &pile->objects[prandom_u32_state(&pile->rnd) % pile->nr];
	struct object new;

	if (!pile_put(pile, &new))
		return -ENOMEM;
	pile->bytes -= o->size;
	producer_hand_over(producer, o->p);
	*o = new;
	return 0;
}

static void producer_replace_all(struct producer *producer)
{
	unsigned int i;

	for (i = 0; i < producer->pile->nr && !producer->err; i++) {
		producer->err = replace_one(producer);
		if (i % 1024 == 0)
			cond_resched();
	}
	producer_publish(producer);
}

/* One round: fill up at first, then replace as many objects as there are. */
static void producer_work(struct work_struct *work)
{
	struct producer *producer = container_of(work, struct producer, work);

	if (producer->pile->nr)
		producer_replace_all(producer);
	else
		producer->err = pile_fill(producer->pile, wanted() / MAX_PILES);
	/* pairs with the acquire in free_from_all() */
	smp_store_release(&producer->done, true);
}

static int producer_init(struct producer *producer, unsigned int id)
{
	producer->pile = &piles[id];
	INIT_WORK(&producer->work, producer_work);
	/* The mean of the mix is far above 64 bytes. */
	return pile_init(producer->pile, wanted() / MAX_PILES / 64, draw_mix, id + 1);
}

/* Each producer has a CPU to itself, and so has who frees, if there are enough. */
static int handoff_round(struct producer *producers)
{
	struct freer freer = { .producers = producers };
	int cpu = cpumask_first(cpu_online_mask), err = 0;
	unsigned int i;

	INIT_WORK_ONSTACK(&freer.work, freer_work);
	for (i = 0; i < MAX_PILES; i++, cpu = next_cpu(cpu)) {
		producers[i].done = false;
		queue_work_on(cpu, queue, &producers[i].work);
	}
	queue_work_on(cpumask_last(cpu_online_mask), queue, &freer.work);
	flush_workqueue(queue);
	destroy_work_on_stack(&freer.work);
	for (i = 0; i < MAX_PILES; i++)
		err = err ?: producers[i].err;
	return err;
}

static int handoff_rounds(struct producer *producers)
{
	struct peak peak = {};
	unsigned int i;
	int err;

	baseline();
	for (i = 0; i <= rounds; i++) {
		err = handoff_round(producers);
		if (err)
			return err;
		peak_update(&peak, piles[0].bytes + piles[1].bytes, held_bytes());
	}
	say(peak.asked, peak.held);
	return 0;
}

static int run_handoff(void)
{
	struct producer *producers;
	unsigned int i;
	int err = -ENOMEM;

	producers = kvcalloc(MAX_PILES, sizeof(*producers), GFP_KERNEL);
	queue = alloc_workqueue("goheap_memory", GH_WQ_PERCPU | WQ_CPU_INTENSIVE, 0);
	if (!producers || !queue)
		goto free;
	for (i = 0, err = 0; i < MAX_PILES && !err; i++)
		err = producer_init(&producers[i], i);
	if (!err)
		err = handoff_rounds(producers);
free:
	if (queue)
		destroy_workqueue(queue);
	kvfree(producers);
	return err;
}

/* ---- comb: one object in 64 stays, and pins what is around it ------------------ */

#define COMB_EVERY	64

/* The teeth are moved to the pile of what stays; the rest is freed. */
static void comb(struct pile *all, struct pile *teeth)
{
	unsigned int i;

	for (i = 0; i < all->nr; i++) {
		if (i % COMB_EVERY == 0)
			teeth->objects[teeth->nr++] = all->objects[i];
		else
			object_free(all->objects[i].p);
		if (i % 1024 == 0)
			cond_resched();
	}
	all->nr = 0;
	all->bytes = 0;
	teeth->bytes = (size_t)teeth->nr * size;
}

static void drop_teeth(struct pile *teeth)
{
	while (teeth->nr)
		object_free(teeth->objects[--teeth->nr].p);
	teeth->bytes = 0;
}

/*
 * The teeth of a round are freed in the next one, when it has allocated all of its
 * own. Who wanders frees on another CPU than it allocated on, and goes on from there.
 */
static int comb_rounds(struct pile *all, struct pile *teeth, bool wander)
{
	int cpu = cpumask_first(cpu_online_mask), err;
	struct peak peak = {};
	unsigned int i;

	baseline();
	for (i = 0; i < rounds; i++) {
		err = pile_fill(all, wanted());
		if (err)
			return err;
		peak_update(&peak, all->bytes + teeth->bytes, held_bytes());
		if (wander)
			cpu = next_cpu(cpu);
		err = go_to(cpu);
		if (err)
			return err;
		drop_teeth(teeth);
		comb(all, teeth);
	}
	say(peak.asked, peak.held);
	if (!wander)
		pr_info("pattern=teeth size=%u alloc=%s asked=%zu held=%ld\n",
			size, alloc, teeth->bytes, held_bytes());
	return 0;
}

static int comb_piles(bool wander)
{
	unsigned int room = wanted() / size + 1;
	int err;

	err = pile_init(&piles[0], room, draw_size, 1);
	if (!err)
		err = pile_init(&piles[1], room / COMB_EVERY + 1, draw_size, 1);
	return err ?: comb_rounds(&piles[0], &piles[1], wander);
}

static int run_comb(void)
{
	return comb_piles(false);
}

static int run_wander(void)
{
	return comb_piles(true);
}

/* ---- the module ------------------------------------------------------------------ */

static const struct test_case patterns[] = {
	{ "mix", run_mix },
	{ "strings", run_strings },
	{ "size", run_size },
	{ "object", run_object },
	{ "above", run_above },
	{ "large", run_large },
	{ "handoff", run_handoff },
	{ "comb", run_comb },
	{ "wander", run_wander },
};

static int check_params(void)
{
	bool cached = !strcmp(pattern, "object");
	int found = allocator_named("alloc", alloc, cached ? NO_KMALLOC : NO_CACHE);

	if (found < 0)
		return found;
	which = found;
	if (!size || size > goheap_max_size() || !count || !mib || mib > MAX_MIB) {
		pr_err("size=%u count=%u mib=%u: must be above 0, and mib at most %d\n",
		       size, count, mib, MAX_MIB);
		return -EINVAL;
	}
	return 0;
}

static void free_piles(void)
{
	unsigned int i;

	for (i = 0; i < MAX_PILES; i++)
		pile_destroy(&piles[i]);
	goheap_cache_destroy(goheap_cache);
	kmem_cache_destroy(kmem_cache);
}

static int __init memory_init(void)
{
	int err;

	err = check_params();
	if (err)
		return err;
	err = go_to(cpumask_first(cpu_online_mask)) ?:
	      run_named(patterns, "pattern", pattern);
	if (err) {
		pr_err("stopped by error %d\n", err);
		free_piles();
	}
	return err;
}

static void __exit memory_exit(void)
{
	free_piles();
}

module_init(memory_init);
module_exit(memory_exit);

MODULE_DESCRIPTION("Memory that goheap and the kernel's slabs hold");
MODULE_LICENSE("GPL");
