// SPDX-License-Identifier: GPL-2.0
/*
 * What a CPU does with its own caches on request: take over what other CPUs freed into its
 * spans, get magazines, and give back what its caches hold. A work runs on that CPU, because
 * no other CPU may touch the cache.
 */

#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "base/compat.h"
#include "base/gfp.h"
#include "base/peek.h"
#include "base/spanclass.h"
#include "central.h"
#include "goheap.h"
#include "heap.h"
#include "percpu/cache.h"
#include "percpu/drain.h"
#include "percpu/magazine.h"
#include "percpu/park.h"
#include "percpu/slot.h"
#include "percpu/slots.h"
#include "percpu/stock.h"

/* How long an allocation waits for caches to be flushed. */
#define PATIENCE	HZ

static struct workqueue_struct *drain_queue;

/* Callers that wait until caches are flushed. */
static DECLARE_WAIT_QUEUE_HEAD(flushed);

/* ---- on the CPU itself ----------------------------------------------------------------- */

/* False if this is another CPU: the cache's own CPU went away meanwhile. */
static bool enter_own(struct gh_cache *cache)
{
	preempt_disable();
	if (cache == this_cpu_ptr(cache->heap->cache) && gh_section_enter(cache))
		return true;
	preempt_enable();
	return false;
}

static void exit_own(struct gh_cache *cache)
{
	gh_section_exit(cache);
	preempt_enable();
}

/* Flush a part of one slot in one section, on the cache's own CPU. True if there is more. */
static bool flush_slot(struct gh_cache *cache, unsigned int sc)
{
	struct gh_freed *magazine;
	bool more;

	if (!enter_own(cache))
		return false;
	more = gh_cache_flush_some(cache, sc);
	magazine = gh_magazine_detach(cache, sc);
	exit_own(cache);
	kfree(magazine);
	return more;
}

/* What is not in a slot. */
static void flush_pages(struct gh_cache *cache)
{
	if (!enter_own(cache))
		return;
	gh_park_flush(cache);
	gh_stock_flush(cache);
	exit_own(cache);
}

static void relax_slot(struct gh_cache *cache, unsigned int sc)
{
	if (!enter_own(cache))
		return;
	gh_cache_relax(cache, sc);
	exit_own(cache);
}

static void relax(struct gh_cache *cache)
{
	unsigned int sc;

	WRITE_ONCE(cache->relax, false);
	if (enter_own(cache)) {
		gh_stock_flush(cache);
		exit_own(cache);
	}
	gh_cache_for_each_slot(cache, sc)
		relax_slot(cache, sc);
}

static void drain_own(struct gh_cache *cache)
{
	if (!enter_own(cache))
		return;
	gh_cache_drain(cache);
	exit_own(cache);
}

static bool has_anything(const struct gh_cache *cache)
{
	const struct gh_bin *bin;
	unsigned int sc;

	gh_cache_for_each_slot(cache, sc) {
		bin = gh_cache_bin(cache, sc);
		if (bin->active || bin->partial || bin->magazine)
			return true;
	}
	return cache->parked || cache->stock.descs.nr;
}

/* Objects that came during the flush, or could not go, are left to the next flush. */
static void note_filled(struct gh_cache *cache)
{
	if (!enter_own(cache))
		return;
	WRITE_ONCE(cache->filled, has_anything(cache));
	exit_own(cache);
}

static void flush(struct gh_cache *cache)
{
	unsigned int sc;

	WRITE_ONCE(cache->flushing, true);
	/* A reader that sees this sees @flushing set: pairs with is_flushed(). */
	smp_store_release(&cache->flush, false);
	/* The caller may be waiting for remote frees that came after it asked. */
	drain_own(cache);
	flush_pages(cache);
	gh_cache_for_each_slot(cache, sc)
		while (flush_slot(cache, sc))
			cond_resched();
	note_filled(cache);
	gh_cache_count_flush(cache);
	/* A reader that sees this sees what was given back: pairs with is_flushed(). */
	smp_store_release(&cache->flushing, false);
	gh_drain_flushed();
}

/*
 * Slots that a caller in an interrupt could not make. No reclaim: a caller that is out of memory
 * may be waiting for this work. What fails here is asked for again with the next allocation.
 */
static void make_wanted(struct gh_cache *cache)
{
	unsigned int pair;

	for_each_set_bit(pair, cache->wanted, GH_NR_PAIRS) {
		clear_bit(pair, cache->wanted);
		gh_slots_make(cache->heap, pair * 2, GH_GFP_OPTIONAL);
		gh_central_make(cache->heap, pair * 2, GH_GFP_OPTIONAL);
	}
}

/**
 * gh_drain_work() - drain a cache, give it slots and magazines, flush or relax it if asked to
 * @work: its work
 *
 * Does nothing if the CPU went away meanwhile: gh_hotplug_abandon() has done the same.
 *
 * Context: Process context, on the cache's CPU.
 */
void gh_drain_work(struct work_struct *work)
{
	struct gh_cache *cache = container_of(work, struct gh_cache, drain);
	unsigned int sc;

	drain_own(cache);
	make_wanted(cache);
	/* Magazines that a caller in atomic context could not allocate. */
	gh_cache_for_each_slot(cache, sc)
		gh_magazine_consider(cache->heap, sc, GFP_KERNEL);
	if (READ_ONCE(cache->relax))
		relax(cache);
	if (READ_ONCE(cache->flush))
		flush(cache);
}

/**
 * gh_drain_all() - flush a cache from elsewhere
 * @cache: of a heap that nobody uses any more
 *
 * Context: Process context.
 */
void gh_drain_all(struct gh_cache *cache)
{
	unsigned int sc;
	bool more;

	preempt_disable();
	gh_cache_drain(cache);
	gh_park_flush(cache);
	gh_stock_flush(cache);
	preempt_enable();
	gh_cache_for_each_slot(cache, sc) {
		do {
			preempt_disable();
			more = gh_cache_flush_some(cache, sc);
			preempt_enable();
		} while (more);
		kfree(gh_magazine_detach(cache, sc));
	}
	gh_cache_count_flush(cache);
}

/* ---- asking for it ---------------------------------------------------------------------- */

static void kick_irq(struct irq_work *work)
{
	struct gh_cache *cache = container_of(work, struct gh_cache, kick);
	struct workqueue_struct *queue;

	rcu_read_lock();
	queue = READ_ONCE(drain_queue);
	if (queue)	/* NULL: the module is going, and all heaps with it */
		queue_work_on(cache->cpu, queue, &cache->drain);
	rcu_read_unlock();
}

/**
 * gh_drain_queue() - have a cache drained, and flushed or relaxed if that was asked for
 * @cache: of a CPU that is online
 *
 * Context: Process context, cpus_read_lock() held.
 */
void gh_drain_queue(struct gh_cache *cache)
{
	queue_work_on(cache->cpu, drain_queue, &cache->drain);
}

/**
 * gh_drain_ask_all() - have all caches of all heaps give back what they hold
 *
 * Context: Process context, cpus_read_lock() and gh_heaps_mutex held.
 */
void gh_drain_ask_all(void)
{
	struct gh_cache *cache;
	struct goheap *heap;
	int cpu;

	lockdep_assert_held(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link) {
		if (!gh_heap_has_pages(heap))
			continue;
		for_each_online_cpu(cpu) {
			cache = per_cpu_ptr(heap->cache, cpu);
			WRITE_ONCE(cache->flush, true);
			gh_drain_queue(cache);
		}
	}
}

/**
 * gh_drain_wait_all() - wait until all caches have done what they were asked for
 *
 * Context: Process context, cpus_read_lock() and gh_heaps_mutex held.
 */
void gh_drain_wait_all(void)
{
	struct goheap *heap;
	int cpu;

	lockdep_assert_held(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		for_each_online_cpu(cpu)
			flush_work(&per_cpu_ptr(heap->cache, cpu)->drain);
}

/**
 * gh_drain_is_busy() - is the work of any cache queued or running?
 *
 * Context: Process context, cpus_read_lock() and gh_heaps_mutex held.
 * Return: true if so.
 */
bool gh_drain_is_busy(void)
{
	struct goheap *heap;
	int cpu;

	lockdep_assert_held(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		for_each_online_cpu(cpu)
			if (work_busy(&per_cpu_ptr(heap->cache, cpu)->drain))
				return true;
	return false;
}

/*
 * Ask every cache of a heap that holds anything for a flush. If a CPU went away meanwhile,
 * its work does nothing: gh_hotplug_abandon() has flushed the cache.
 */
static void ask_for_flush_of(struct goheap *heap)
{
	struct gh_cache *cache;
	int cpu;

	for_each_online_cpu(cpu) {
		cache = per_cpu_ptr(heap->cache, cpu);
		if (READ_ONCE(cache->flush) ||
		    !(gh_peek(cache->filled) || gh_cache_has_arrivals(cache)))
			continue;
		WRITE_ONCE(cache->flush, true);
		gh_cache_kick(cache);
	}
}

static bool is_flushed(struct goheap *heap)
{
	struct gh_cache *cache;
	int cpu;

	for_each_online_cpu(cpu) {
		cache = per_cpu_ptr(heap->cache, cpu);
		/* @flush before @flushing; pairs with flush(). */
		if (smp_load_acquire(&cache->flush) || smp_load_acquire(&cache->flushing))
			return false;
	}
	return true;
}

/**
 * gh_drain_flush_heap() - have a heap's caches give back what they hold
 * @heap: the caller uses it
 * @gfp: may the caller wait for the flush?
 *
 * Takes no lock that a caller of goheap_alloc() could hold. Waits for a second at
 * most: a CPU may be too busy to run the work.
 *
 * Context: Any that @gfp allows.
 */
void gh_drain_flush_heap(struct goheap *heap, gfp_t gfp)
{
	ask_for_flush_of(heap);
	if (gfpflags_allow_blocking(gfp))
		wait_event_timeout(flushed, is_flushed(heap), PATIENCE);
}

/**
 * gh_drain_flushed() - a cache was flushed: tell those who wait for it
 *
 * Context: Process context.
 */
void gh_drain_flushed(void)
{
	wake_up_all(&flushed);
}

/**
 * gh_drain_cancel() - let no work of a heap run any more
 * @heap: nobody uses it
 *
 * Context: Process context.
 */
void gh_drain_cancel(struct goheap *heap)
{
	struct gh_cache *cache;
	int cpu;

	for_each_possible_cpu(cpu) {
		cache = per_cpu_ptr(heap->cache, cpu);
		/* On some kernels the sync takes a grace period even if nothing is queued. */
		if (irq_work_is_busy(&cache->kick))
			irq_work_sync(&cache->kick);
		cancel_work_sync(&cache->drain);
	}
}

/**
 * gh_drain_init_cache() - let a cache be drained
 * @cache: new
 *
 * Context: Process context.
 */
void gh_drain_init_cache(struct gh_cache *cache)
{
	INIT_WORK(&cache->drain, gh_drain_work);
	cache->kick = IRQ_WORK_INIT_HARD(kick_irq);
}

/**
 * gh_drain_init() - make the queue
 *
 * Context: Process context.
 * Return: 0 or -ENOMEM.
 */
int gh_drain_init(void)
{
	drain_queue = alloc_workqueue("goheap_drain", WQ_MEM_RECLAIM | GH_WQ_PERCPU, 0);
	return drain_queue ? 0 : -ENOMEM;
}

/**
 * gh_drain_exit() - destroy the queue
 *
 * Context: Process context; nobody allocates any more.
 */
void gh_drain_exit(void)
{
	struct workqueue_struct *queue = drain_queue;

	WRITE_ONCE(drain_queue, NULL);
	synchronize_rcu();	/* pairs with kick_irq() */
	destroy_workqueue(queue);
}
