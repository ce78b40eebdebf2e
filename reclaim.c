// SPDX-License-Identifier: GPL-2.0
/*
 * Giving memory back: in the background (as the Go runtime's scavenger), under
 * memory pressure (a shrinker, and before the OOM killer kills), and on request
 * (debugfs, module exit).
 *
 * CPUs' caches come first, then free runs. Only its own CPU touches a cache. So the
 * background work asks a CPU to drain its cache if other CPUs freed into its spans,
 * and to flush its cache if the slots did not refill for a while. The shrinker cannot
 * wait for CPUs, and offers free runs only. Before the OOM killer runs, its caller
 * waits for the CPUs.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "arena.h"
#include "base/compat.h"
#include "base/context.h"
#include "base/heap_page.h"
#include "base/peek.h"
#include "goheap.h"
#include "heap.h"
#include "pages/pageheap.h"
#include "percpu/drain.h"
#include "percpu/slot.h"
#include "reclaim.h"

#define TICK			HZ
/* A cache that did not refill for so many ticks is given back. */
#define IDLE_TICKS		3
/* How long a cache keeps all of its extra spans, and its stock: it may need them again. */
#define EXTRA_TICKS		10
/* Go retains a tenth more than the recent peak. */
#define RETAIN_PERCENT		110
/* How fast a peak is forgotten: this part of the excess a tick. */
#define PEAK_DECAY		4
/* Retain at least one chunk: less is not worth the trouble. */
#define RETAIN_LEAST		((1UL << 20) >> GH_PAGE_SHIFT)
/* The tick under memory pressure. If it were shorter, a busy cache would look idle. */
#define PRESSED_TICK		(HZ / 10)
/* How long the OOM killer waits for caches to be flushed. */
#define PATIENCE		HZ
/* Descriptors without pages that a node keeps, of each kind. */
#define SPARES_KEPT		64

/* Not the drain queue: the tick takes gh_heaps_mutex, and trim waits for drains under it. */
static struct workqueue_struct *tick_queue;
struct shrinker *gh_shrinker;

static void tick(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(tick_work, tick);

/* Start the tick: pages were taken that may be idle later. Called where pages can be allocated. */
static void wake_scavenger(void)
{
	if (!delayed_work_pending(&tick_work))
		queue_delayed_work(tick_queue, &tick_work, TICK);
}

static bool cache_is_idle(struct gh_cache *cache)
{
	unsigned long refills = gh_peek(cache->refills);

	if (refills != cache->seen_refills) {
		cache->seen_refills = refills;
		cache->idle_ticks = 0;
		return false;
	}
	return ++cache->idle_ticks >= IDLE_TICKS;
}

/*
 * Has the cache kept extra spans, or a stock, for EXTRA_TICKS? Then it is to give up half of the
 * spans, and the stock: a busy CPU need not be one whose heap grows.
 */
static bool has_had_extra(struct gh_cache *cache)
{
	if (!gh_peek(cache->extra_bytes) && !gh_peek(cache->stock.descs.nr))
		return false;
	if (++cache->extra_ticks < EXTRA_TICKS)
		return false;
	cache->extra_ticks = 0;
	return true;
}

static void tick_cache(struct gh_cache *cache)
{
	/* Most caches hold nothing: one read is enough. */
	bool filled = gh_peek(cache->filled);
	bool idle = filled && cache_is_idle(cache), relax = filled && has_had_extra(cache);

	if (idle)
		WRITE_ONCE(cache->flush, true);
	if (relax)
		WRITE_ONCE(cache->relax, true);
	if (idle || relax || gh_cache_has_arrivals(cache))
		gh_drain_queue(cache);
}

static void tick_caches(void)
{
	struct goheap *heap;
	int cpu;

	/* A CPU that comes up holds nothing; gh_hotplug_abandon() empties one that goes down. */
	cpus_read_lock();
	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link) {
		if (!gh_heap_has_pages(heap))
			continue;
		for_each_online_cpu(cpu)
			tick_cache(per_cpu_ptr(heap->cache, cpu));
	}
	mutex_unlock(&gh_heaps_mutex);
	cpus_read_unlock();
}

/* Heap pages that a node holds beyond what it is likely to need again soon. */
static unsigned long excess(struct gh_page_heap *ph)
{
	unsigned long in_use, retain, held, flags;

	gh_lock(&ph->lock, flags);
	in_use = ph->small + ph->large;
	held = in_use + ph->idle;
	ph->peak = max(in_use, ph->peak - DIV_ROUND_UP(ph->peak - in_use, PEAK_DECAY));
	retain = ph->peak * RETAIN_PERCENT / 100;
	gh_unlock(&ph->lock, flags);
	/* If nothing is in use, retain nothing. */
	retain = in_use ? max(retain, in_use + RETAIN_LEAST) : 0;
	return held > retain ? held - retain : 0;
}

static bool tick_node(struct gh_page_heap *ph)
{
	gh_arena_scavenge(ph, excess(ph));
	gh_pageheap_trim_spares(ph, SPARES_KEPT);
	return gh_peek(ph->taken) != gh_peek(ph->returned);
}

static bool tick_all(void)
{
	bool more = false;
	int nid;

	tick_caches();
	for_each_node(nid)
		more |= tick_node(gh_page_heaps[nid]);
	return more;
}

#ifdef CONFIG_GOHEAP_KUNIT_TEST
static bool ticks_stopped;

static bool ticks_are_stopped(void)
{
	return READ_ONCE(ticks_stopped);
}
#else
static bool ticks_are_stopped(void)
{
	return false;
}
#endif

static void tick(struct work_struct *work)
{
	bool more = ticks_are_stopped();

	if (!more)
		more = tick_all();
	if (more)
		queue_delayed_work(tick_queue, &tick_work, TICK);
}

#ifdef CONFIG_GOHEAP_KUNIT_TEST
void gh_test_stop_ticks(bool stop)
{
	WRITE_ONCE(ticks_stopped, stop);
	cancel_delayed_work_sync(&tick_work);
	queue_delayed_work(tick_queue, &tick_work, TICK);
}
#endif

static void flush_caches(void)
{
	cpus_read_lock();
	mutex_lock(&gh_heaps_mutex);
	gh_drain_ask_all();
	gh_drain_wait_all();
	mutex_unlock(&gh_heaps_mutex);
	cpus_read_unlock();
}

/**
 * gh_reclaim_trim() - give back all that is idle
 *
 * Context: Process context.
 */
void gh_reclaim_trim(void)
{
	int nid;

	flush_caches();
	for_each_node(nid) {
		gh_arena_scavenge(gh_page_heaps[nid], ULONG_MAX);
		gh_pageheap_trim_spares(gh_page_heaps[nid], 0);
	}
}

/* ---- memory pressure -------------------------------------------------------------- */

/* A shrinker cannot wait for caches: let the next tick come soon. */
static void tick_soon(void)
{
	static unsigned long next = INITIAL_JIFFIES;

	if (time_before(jiffies, READ_ONCE(next)))
		return;
	WRITE_ONCE(next, jiffies + PRESSED_TICK);
	mod_delayed_work(tick_queue, &tick_work, 0);
}

static unsigned long shrink_count(struct shrinker *s, struct shrink_control *sc)
{
	struct gh_page_heap *ph = gh_page_heaps[sc->nid];
	unsigned long idle = gh_pageheap_idle_pages(ph);

	if (idle)
		return idle;
	/* For 0 the kernel would not call shrink_scan(), but caches may hold idle spans. */
	if (gh_peek(ph->small) || gh_peek(ph->large))
		tick_soon();
	return SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long done = gh_arena_release_idle(gh_page_heaps[sc->nid], sc->nr_to_scan);

	gh_account_reclaimed(done);
	tick_soon();
	return done ?: SHRINK_STOP;
}

static unsigned long release_all(void)
{
	unsigned long done = 0;
	int nid;

	for_each_node(nid)
		done += gh_arena_scavenge(gh_page_heaps[nid], ULONG_MAX);
	return (done << GH_PAGE_SHIFT) >> PAGE_SHIFT;
}

/* Not flush_work(): a CPU that stays busy for ever must not block the OOM killer. */
static void flush_caches_patiently(void)
{
	unsigned long until = jiffies + PATIENCE;

	gh_drain_ask_all();
	do {
		schedule_timeout_uninterruptible(1);
	} while (gh_drain_is_busy() && time_before(jiffies, until));
}

/**
 * gh_reclaim_last_resort() - give back all that is idle, before somebody is killed
 *
 * The caller may be in the middle of any code that allocates, also in goheap_create() or in
 * CPU hotplug: so locks are only tried. Nothing here waits for a task that allocates:
 * while the caller waits, no other task can call the OOM killer.
 *
 * Context: Process context.
 * Return: how many kernel pages went.
 */
unsigned long gh_reclaim_last_resort(void)
{
	unsigned long done = release_all();

	if (done || !cpus_read_trylock())
		return done;
	if (mutex_trylock(&gh_heaps_mutex)) {
		flush_caches_patiently();
		mutex_unlock(&gh_heaps_mutex);
	}
	cpus_read_unlock();
	return release_all();
}

static int oom_event(struct notifier_block *nb, unsigned long action, void *data)
{
	unsigned long *freed = data;

	*freed += gh_reclaim_last_resort();
	return NOTIFY_OK;
}

static struct notifier_block oom_nb = { .notifier_call = oom_event };

/* ---- init and exit ---------------------------------------------------------------- */

/**
 * gh_reclaim_init() - start giving back
 *
 * Context: Process context.
 * Return: 0 or a negative error.
 */
int gh_reclaim_init(void)
{
	tick_queue = alloc_workqueue("goheap_tick", WQ_UNBOUND, 0);
	if (!tick_queue)
		return -ENOMEM;
	if (gh_drain_init())
		goto destroy_tick;
	gh_shrinker = gh_shrinker_register("goheap", shrink_count, shrink_scan);
	if (!gh_shrinker)
		goto exit_drain;
	if (register_oom_notifier(&oom_nb))
		goto unregister_shrinker;
	WRITE_ONCE(gh_arena_grown, wake_scavenger);
	return 0;

unregister_shrinker:
	gh_shrinker_unregister(gh_shrinker);
exit_drain:
	gh_drain_exit();
destroy_tick:
	destroy_workqueue(tick_queue);
	return -ENOMEM;
}

/**
 * gh_reclaim_exit() - stop
 *
 * Context: Process context; nobody allocates any more.
 */
void gh_reclaim_exit(void)
{
	WRITE_ONCE(gh_arena_grown, NULL);
	unregister_oom_notifier(&oom_nb);
	gh_shrinker_unregister(gh_shrinker);
	cancel_delayed_work_sync(&tick_work);
	gh_drain_exit();
	destroy_workqueue(tick_queue);
}
