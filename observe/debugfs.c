// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/goheap: all files only read, except "trim".
 * Documentation/goheap.rst explains every column.
 */

#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "base/heap_page.h"
#include "base/peek.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "heap.h"
#include "hooks/fault.h"
#include "observe/debugfs.h"
#include "observe/spans.h"
#include "observe/stats.h"
#include "observe/validate.h"
#include "pages/map.h"
#include "percpu/slot.h"
#include "reclaim.h"

static struct dentry *root, *heaps_dir;

/* ---- size_classes -------------------------------------------------------------- */

static int size_classes_show(struct seq_file *m, void *v)
{
	const struct gh_class *c;
	unsigned int i;

	seq_puts(m, "#class bytes/obj bytes/span objects tail_waste max_waste% align\n");
	for (i = 1; i < GH_NR_CLASSES; i++) {
		c = &gh_classes[i];
		seq_printf(m, "%6u %9u %10u %7u %10u %7u.%02u %5u\n", i, c->size,
			   c->span_bytes, c->objects, c->span_bytes - c->objects * c->size,
			   c->max_waste / 100, c->max_waste % 100, c->align);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(size_classes);

/* ---- arenas ----------------------------------------------------------------------------- */

static unsigned int longest_run(const unsigned long *owned, const unsigned long *in_use)
{
	unsigned int i, run = 0, longest = 0;

	for (i = 0; i < GH_ARENA_PAGES; i++) {
		run = test_bit(i, owned) && !test_bit(i, in_use) ? run + 1 : 0;
		longest = max(longest, run);
	}
	return longest;
}

static void show_arena(struct seq_file *m, struct gh_arena *arena)
{
	/* data_race(): a number to show, of a bitmap that changes meanwhile. */
	unsigned int owned = data_race(bitmap_weight(arena->owned, GH_ARENA_PAGES));
	/* data_race(): as above */
	unsigned int in_use = data_race(bitmap_weight(arena->in_use, GH_ARENA_PAGES));

	seq_printf(m, "%p %u %u %u %lu %u\n", (void *)arena->base, owned, in_use,
		   owned - min(owned, in_use), gh_peek(arena->nr_returned),
		   data_race(longest_run(arena->owned, arena->in_use)));	/* as above */
}

static int arenas_show(struct seq_file *m, void *v)
{
	struct gh_arena *arena;
	unsigned long n;

	seq_puts(m, "#arena pages_owned in_use idle released largest_run\n");
	rcu_read_lock();
	for (n = 0; (arena = gh_map_next(&n)); n++) {
		show_arena(m, arena);
		gh_rcu_resched();
	}
	rcu_read_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arenas);

/* ---- percpu ------------------------------------------------------------------------------- */

static unsigned int inbox_length(struct gh_cache *cache)
{
	/* From another CPU only "empty or not" can be seen. */
	return gh_cache_has_arrivals(cache);
}

static void show_cache(struct seq_file *m, struct gh_cache *cache)
{
	unsigned long spans = 0, bytes = 0, refills = 0;
	unsigned int sc, n, magazines = 0;
	const struct gh_slots *slots;
	const struct gh_bin *bin;

	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		slots = gh_cache_peek_slots(cache, sc);
		if (!slots)
			continue;
		bin = &slots->bin[sc % 2];
		n = gh_peek(bin->nr_partial) + !!gh_peek(bin->active);
		spans += n;
		bytes += n * (unsigned long)gh_heap_class(cache->heap, sc)->span_bytes;
		refills += gh_peek(bin->refills);
		magazines += !!gh_peek(bin->magazine);
	}
	seq_printf(m, "%s %d %lu %lu %lu %lu %lu %u %lu %lu %u\n", cache->heap->name, cache->cpu,
		   spans, bytes, (unsigned long)gh_peek(cache->parked_pages) << GH_PAGE_SHIFT,
		   (unsigned long)gh_peek(cache->stock.pages) << GH_PAGE_SHIFT,
		   refills, inbox_length(cache), gh_peek(cache->drained),
		   gh_peek(cache->flushes), magazines);
}

static void show_heap_caches(struct seq_file *m, struct goheap *heap)
{
	int cpu;

	for_each_online_cpu(cpu)
		show_cache(m, per_cpu_ptr(heap->cache, cpu));
}

static int percpu_show(struct seq_file *m, void *v)
{
	struct goheap *heap;

	seq_puts(m, "#heap cpu spans bytes parked stock refills inbox_pending spans_drained flushes magazines\n");
	if (m->private) {
		show_heap_caches(m, m->private);
		return 0;
	}
	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		show_heap_caches(m, heap);
	mutex_unlock(&gh_heaps_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(percpu);

/* ---- validate ------------------------------------------------------------------------------- */

static int validate_show(struct seq_file *m, void *v)
{
	const char *wrong = gh_validate();

	seq_puts(m, "#what result\n");
	if (wrong)
		seq_printf(m, "heap error: %s\n", wrong);
	else
		seq_puts(m, "heap ok\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(validate);

/* ---- trim ----------------------------------------------------------------------------------- */

static int trim_set(void *data, u64 val)
{
	if (val != 1)
		return -EINVAL;
	gh_reclaim_trim();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(trim_fops, NULL, trim_set, "%llu\n");

/* ---- files ---------------------------------------------------------------------------------- */

/* Not under gh_heaps_mutex: making files takes long, and locks. */
static void add_heap(struct goheap *heap)
{
	lockdep_assert_not_held(&gh_heaps_mutex);
	heap->dir = debugfs_create_dir(heap->name, heaps_dir);
	gh_show_stats(heap->dir, heap);
	gh_show_spans(heap->dir, heap);
	debugfs_create_file("percpu", 0400, heap->dir, heap, &percpu_fops);
}

/* While the heap is on the list: no new heap can have its name, and need its directory. */
static void remove_heap(struct goheap *heap)
{
	debugfs_remove(heap->dir);	/* waits for readers */
	heap->dir = NULL;
}

static int heap_event(struct notifier_block *nb, unsigned long event, void *heap)
{
	if (event == GH_HEAP_CREATED)
		add_heap(heap);
	else
		remove_heap(heap);
	return NOTIFY_OK;
}

static struct notifier_block heap_nb = { .notifier_call = heap_event };

/**
 * gh_debugfs_init() - show everything
 *
 * Context: Process context; the default heap exists.
 */
void gh_debugfs_init(void)
{
	root = debugfs_create_dir("goheap", NULL);
	debugfs_create_file("size_classes", 0400, root, NULL, &size_classes_fops);
	gh_show_stats(root, NULL);
	gh_show_spans(root, NULL);
	debugfs_create_file("arenas", 0400, root, NULL, &arenas_fops);
	debugfs_create_file("percpu", 0400, root, NULL, &percpu_fops);
	debugfs_create_file("validate", 0400, root, NULL, &validate_fops);
	debugfs_create_file("trim", 0200, root, NULL, &trim_fops);
	gh_fault_debugfs_init(root);
	heaps_dir = debugfs_create_dir("heaps", root);
	blocking_notifier_chain_register(&gh_heap_chain, &heap_nb);
	add_heap(gh_default);		/* which is older than its directory */
}

/**
 * gh_debugfs_exit() - show nothing
 *
 * Context: Process context; waits for readers.
 */
void gh_debugfs_exit(void)
{
	blocking_notifier_chain_unregister(&gh_heap_chain, &heap_nb);
	debugfs_remove(root);
	gh_fault_debugfs_exit();
}
