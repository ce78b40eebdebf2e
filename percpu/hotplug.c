// SPDX-License-Identifier: GPL-2.0
/*
 * CPU hotplug: the spans of a dead CPU's caches are taken over.
 */

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>

#include "central.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "percpu/cache.h"
#include "percpu/drain.h"
#include "percpu/hotplug.h"
#include "percpu/remote.h"
#include "percpu/slot.h"
#include "percpu/slots.h"
#include "span.h"

static enum cpuhp_state hotplug_state;

/**
 * gh_hotplug_abandon() - take over what a CPU's cache owns
 * @cache: the CPU is dead
 *
 * Does not wait for a token: a span may stay in limbo, with its token held, for as long as
 * other CPUs go on freeing its objects by goheap_free_rcu().
 *
 * Context: Process context.
 */
void gh_hotplug_abandon(struct gh_cache *cache)
{
	struct gh_span *s;

	/* Never used: the cache was no span's owner, and no CPU can have seen it as one. */
	if (gh_cache_is_blank(cache))
		return;
	gh_cache_forget(cache);
	while ((s = list_first_entry_or_null(&cache->owned, struct gh_span, list))) {
		list_del_init(&s->list);
		preempt_disable();
		gh_central_take_over(s);
		preempt_enable();
		cond_resched();
	}
	gh_remote_close_inbox(cache);
	/* A caller may be waiting for a flush of the cache: there will be none. */
	gh_drain_flushed();
}

/* The RCU cookie that was taken after a CPU's inboxes were closed. */
static DEFINE_PER_CPU(unsigned long, closed_at);

static int cpu_dead(unsigned int cpu)
{
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		gh_hotplug_abandon(per_cpu_ptr(heap->cache, cpu));
	mutex_unlock(&gh_heaps_mutex);
	per_cpu(closed_at, cpu) = get_state_synchronize_rcu();
	return 0;
}

static void open_inboxes(unsigned int cpu)
{
	struct gh_cache *cache;
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link) {
		cache = per_cpu_ptr(heap->cache, cpu);
		if (gh_inbox_is_closed(cache))
			init_llist_head(&cache->inbox);
	}
	mutex_unlock(&gh_heaps_mutex);
}

/*
 * A freeing CPU may have read the owner of a span before the owner CPU died, and not have come
 * to the inbox yet. That CPU must not find the inbox open again: the span has another owner
 * now. A free has preemption off, so a grace period is waited for. The wait is here, where
 * it usually costs nothing. In cpu_dead() the timers of the dead CPU stand still, and a
 * grace period may need them.
 */
static int cpu_prepare(unsigned int cpu)
{
	cond_synchronize_rcu(per_cpu(closed_at, cpu));
	open_inboxes(cpu);
	gh_slots_make_all(per_cpu_ptr(gh_default->cache, cpu));
	return 0;
}

/*
 * The default heap serves NMIs, and holders of raw locks on PREEMPT_RT, where no slot can be made:
 * a CPU that comes online has all of them. cpus_read_lock() is held.
 */
static void __init make_slots(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		gh_slots_make_all(per_cpu_ptr(gh_default->cache, cpu));
}

/**
 * gh_hotplug_init() - have CPUs that go, and come, looked after
 *
 * Context: Process context; nobody uses the default heap yet.
 * Return: 0 or a negative error.
 */
int __init gh_hotplug_init(void)
{
	int state;

	cpus_read_lock();
	make_slots();
	state = cpuhp_setup_state_nocalls_cpuslocked(CPUHP_BP_PREPARE_DYN, "goheap:dead",
						     cpu_prepare, cpu_dead);
	cpus_read_unlock();
	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

/**
 * gh_hotplug_exit() - no longer
 *
 * Context: Process context.
 */
void gh_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
