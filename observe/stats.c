// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: the sums of everything, and of a heap.
 */

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>

#include "api/adopt.h"
#include "arena.h"
#include "base/context.h"
#include "base/heap_page.h"
#include "base/peek.h"
#include "base/spanclass.h"
#include "central.h"
#include "heap.h"
#include "hooks/records.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "observe/spans.h"
#include "observe/stats.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "percpu/park.h"
#include "percpu/slot.h"
#include "percpu/slots.h"
#include "percpu/stock.h"
#include "spans/block.h"

/* Objects and bytes in spans, by walking them. */
struct usage {
	unsigned long live_objects;
	unsigned long live;
	unsigned long free;
	unsigned long pending;
	unsigned long waste;
	unsigned long large;
	unsigned long large_free;
	unsigned long large_pending;
	unsigned long small_spans;
	unsigned long large_spans;
	unsigned long large_objects;
	unsigned long tiny_objects;
	unsigned long metadata;
};

static bool add_usage(struct gh_span *s, void *arg)
{
	struct usage *u = arg;
	struct gh_snapshot snap;
	unsigned long bytes;

	if (!gh_snapshot_take(s, &snap))
		return true;
	bytes = snap.npages << GH_PAGE_SHIFT;
	u->metadata += gh_span_desc_bytes(s->kind) + gh_records_bytes_of(s);
	if (snap.large) {
		u->large += bytes;
		u->large_spans++;
		u->large_objects += snap.counts.live;
		u->large_free += snap.counts.free * bytes;
		u->large_pending += snap.counts.pending * bytes;
		return true;
	}
	u->small_spans++;
	u->live += snap.counts.live * snap.size;
	u->free += snap.counts.free * snap.size;
	u->pending += snap.counts.pending * snap.size;
	u->waste += bytes - snap.counts.objects * snap.size;
	if (snap.sc == GH_SC_TINY)
		u->tiny_objects += data_race(gh_block_count(s));	/* a number to show */
	else
		u->live_objects += snap.counts.live;
	return true;
}

struct events {
	unsigned long small_allocs;
	unsigned long tiny_allocs;
	unsigned long large_allocs;
	unsigned long central_locks;
};

static void add_central_events(const struct goheap *heap, int nid, struct events *e)
{
	const struct gh_central *central;
	unsigned int sc;

	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		central = gh_central_of(heap, nid, sc);
		if (!central)
			continue;
		if (sc != GH_SC_TINY)
			e->small_allocs += gh_peek(central->allocs);
		e->central_locks += gh_peek(central->locked);
	}
}

static void add_cache_events(const struct gh_cache *cache, struct events *e)
{
	const struct gh_slots *slots;
	unsigned int sc;

	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		slots = gh_cache_peek_slots(cache, sc);
		if (slots && sc != GH_SC_TINY)
			e->small_allocs += gh_peek(slots->slot[sc % 2].allocs);
	}
	e->tiny_allocs += gh_peek(cache->tiny_allocs);
}

static void add_events(const struct goheap *heap, struct events *e)
{
	unsigned long allocs, live;
	int i;

	for_each_possible_cpu(i)
		add_cache_events(per_cpu_ptr(heap->cache, i), e);
	for_each_node(i)
		add_central_events(heap, i, e);
	e->tiny_allocs += atomic_long_read(&heap->tiny_alone);
	gh_park_count(heap, &allocs, &live);
	e->large_allocs += allocs;
}

static void line(struct seq_file *m, const char *key, unsigned long value)
{
	seq_printf(m, "%-20s %lu\n", key, value);
}

/* @allocs - @live, but not below 0: both may change while they are read. */
static unsigned long gone(unsigned long allocs, unsigned long live)
{
	return allocs - min(allocs, live);
}

static void show_usage(struct seq_file *m, const struct usage *u, const struct events *e)
{
	line(m, "small_live_bytes", u->live);
	line(m, "small_free_bytes", u->free);
	line(m, "small_pending_bytes", u->pending);
	line(m, "small_waste_bytes", u->waste);
	line(m, "large_free_bytes", u->large_free);
	line(m, "large_pending_bytes", u->large_pending);
	line(m, "small_spans", u->small_spans);
	line(m, "large_spans", u->large_spans);
	line(m, "small_allocs", e->small_allocs);
	line(m, "small_frees", gone(e->small_allocs, u->live_objects));
	line(m, "tiny_allocs", e->tiny_allocs);
	line(m, "tiny_frees", gone(e->tiny_allocs, u->tiny_objects));
	line(m, "large_allocs", e->large_allocs);
	line(m, "large_frees", gone(e->large_allocs, u->large_objects));
	line(m, "central_locks", e->central_locks);
}

/* What a heap has of its own beside its spans. */
static unsigned long heap_metadata(const struct goheap *heap)
{
	unsigned long bytes = sizeof(*heap) + gh_central_bytes(heap);
	int cpu;

	for_each_possible_cpu(cpu)
		bytes += sizeof(struct gh_cache) + gh_slots_bytes(per_cpu_ptr(heap->cache, cpu));
	return bytes;
}

static unsigned long stock_bytes(const struct goheap *heap)
{
	unsigned long pages = 0, spans = 0;

	gh_stock_count(heap, NUMA_NO_NODE, &pages, &spans);
	return pages << GH_PAGE_SHIFT;
}

static int heap_stats_show(struct seq_file *m, void *v)
{
	struct goheap *heap = m->private;
	struct events events = {};
	struct usage usage = {};

	gh_map_walk(heap, add_usage, &usage);
	add_events(heap, &events);
	seq_puts(m, "# key value\n");
	line(m, "held_bytes", atomic_long_read(&heap->pages) << GH_PAGE_SHIFT);
	line(m, "limit_bytes", heap->limit == LONG_MAX ? 0 : heap->limit << GH_PAGE_SHIFT);
	line(m, "object_bytes", heap->objects.size);
	line(m, "large_bytes", usage.large);
	line(m, "stock_bytes", stock_bytes(heap));
	line(m, "metadata_bytes", heap_metadata(heap) + usage.metadata);
	show_usage(m, &usage, &events);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(heap_stats);

/* The page heaps' counters; the counters of one node are read under its lock. */
struct ledger {
	unsigned long small;
	unsigned long large;
	unsigned long idle;
	unsigned long runs;
	unsigned long taken;
	unsigned long returned;
	unsigned long locked;
};

static void add_ledger(struct gh_page_heap *ph, struct ledger *l)
{
	unsigned long flags;

	gh_lock(&ph->lock, flags);
	l->small += ph->small;
	l->large += ph->large;
	l->idle += ph->idle + ph->nr_poisoned;
	l->runs += ph->nr_runs;
	l->taken += ph->taken;
	l->returned += ph->returned;
	l->locked += ph->locked;
	gh_unlock(&ph->lock, flags);
}

static void add_all_heaps(struct events *e, unsigned long *metadata)
{
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link) {
		add_events(heap, e);
		*metadata += heap_metadata(heap);
	}
	mutex_unlock(&gh_heaps_mutex);
}

static unsigned long all_stock_bytes(void)
{
	unsigned long bytes = 0;
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		bytes += stock_bytes(heap);
	mutex_unlock(&gh_heaps_mutex);
	return bytes;
}

static int stats_show(struct seq_file *m, void *v)
{
	unsigned long small, stock = all_stock_bytes();
	struct events events = {};
	struct ledger ledger = {};
	struct usage usage = {};
	unsigned long metadata = gh_arena_metadata() + gh_records_bytes();
	int nid;

	gh_map_walk(NULL, add_usage, &usage);
	add_all_heaps(&events, &metadata);
	for_each_node(nid)
		add_ledger(gh_page_heaps[nid], &ledger);
	/* The page heaps count stocks as small spans. */
	small = ledger.small << GH_PAGE_SHIFT;
	stock = min(stock, small);
	seq_puts(m, "# key value\n");
	line(m, "held_bytes", (ledger.taken - ledger.returned) << GH_PAGE_SHIFT);
	line(m, "small_bytes", small - stock);
	line(m, "large_bytes", ledger.large << GH_PAGE_SHIFT);
	line(m, "stock_bytes", stock);
	line(m, "idle_bytes", ledger.idle << GH_PAGE_SHIFT);
	line(m, "idle_runs", ledger.runs);
	line(m, "taken_bytes", ledger.taken << GH_PAGE_SHIFT);
	line(m, "released_bytes", ledger.returned << GH_PAGE_SHIFT);
	line(m, "metadata_bytes", metadata);
	show_usage(m, &usage, &events);
	line(m, "page_heap_locks", ledger.locked);
	line(m, "misuse", gh_misuse_count());
	line(m, "foreign_frees", gh_misuse_foreign());
	line(m, "adopted_frees", gh_adopted());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/**
 * gh_show_stats() - make the file of sums
 * @dir: where
 * @heap: of which heap, or NULL for everything
 *
 * Context: Process context.
 */
void gh_show_stats(struct dentry *dir, struct goheap *heap)
{
	debugfs_create_file("stats", 0400, dir, heap, heap ? &heap_stats_fops : &stats_fops);
}
