// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/goheap: reads everything, changes nothing but by "trim".
 *
 * Spans are found through the arenas, one record at a time under RCU, so a reader
 * holds no lock, needs no memory for what it has not shown yet, and may race with
 * all that goes on. Numbers of one line are of one moment as far as nobody
 * changes that span just then.
 *
 * See internal.h for an overview; Documentation/goheap.rst explains every column.
 */

#include <linux/bitmap.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

static struct dentry *root, *heaps_dir;

/* Between two arenas, which may then be gone, let others run. */
static void breathe(void)
{
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
}

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

/* ---- spans ----------------------------------------------------------------------- */

/**
 * gh_snapshot_take() - look at a span that goes on meanwhile
 * @s: anybody's span, or one that is just going away
 * @snap: the answer
 *
 * Context: RCU read side.
 * Return: false if the span is going, or comes, just now: then nothing fits together.
 */
bool gh_snapshot_take(const struct gh_span *s, struct gh_snapshot *snap)
{
	u32 life = gh_span_life(s);
	struct gh_cache *owner;

	/* Set last, and unset before the life ends; pairs with gh_span_init_small(). */
	if (!smp_load_acquire(&s->limit))
		return false;
	owner = READ_ONCE(s->owner);
	snap->large = READ_ONCE(s->state) == GH_SPAN_LARGE;
	snap->base = READ_ONCE(s->base);
	snap->npages = READ_ONCE(s->npages);
	snap->heap = READ_ONCE(s->heap);
	snap->sc = READ_ONCE(s->spanclass);
	/* data_race(): what is of two lives is not used. */
	snap->size = data_race(gh_span_object_bytes(s));
	snap->cpu = owner ? owner->cpu : -1;
	snap->nid = s->nid;
	gh_span_count(s, &snap->counts);
	return gh_span_lives_on(s, life) && snap->heap && snap->counts.objects;
}

static const char *noscan_name(unsigned int sc)
{
	if (sc == GH_SC_TINY)
		return "tiny";
	return gh_sc_noscan(sc) ? "noscan" : "scan";
}

#define POS_PAGE_BITS	(GH_ARENA_SHIFT - GH_PAGE_SHIFT)

/* The position is arena number and page, plus 1 for the header. */
static struct gh_span *find_span(struct goheap *heap, loff_t *pos)
{
	unsigned long n = (*pos - 1) >> POS_PAGE_BITS;
	unsigned long page = (*pos - 1) & (GH_ARENA_PAGES - 1), at = n;
	struct gh_arena *arena;
	struct gh_span *s;

	while ((arena = gh_map_next(&at))) {
		if (at != n)
			page = 0;
		for (n = at; page < GH_ARENA_PAGES; page++) {
			s = gh_map_span_at(arena, page, heap);
			if (!s)
				continue;
			*pos = ((loff_t)n << POS_PAGE_BITS) + page + 1;
			return s;
		}
		at++;
		breathe();
	}
	return NULL;
}

static void *spans_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	return *pos ? find_span(m->private, pos) : SEQ_START_TOKEN;
}

static void *spans_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return find_span(m->private, pos);
}

static void spans_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static int spans_show(struct seq_file *m, void *v)
{
	struct gh_snapshot snap;
	char owner[12] = "-";

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "#address heap class noscan state owner node pages bytes objects live free pending occupancy%\n");
		return 0;
	}
	if (!gh_snapshot_take(v, &snap))
		return SEQ_SKIP;
	if (snap.cpu >= 0)
		snprintf(owner, sizeof(owner), "%d", snap.cpu);
	seq_printf(m, "%p %s %u %s %s %s %d %lu %lu %u %u %u %u %u\n", (void *)snap.base,
		   snap.heap->name, gh_sc_class(snap.sc), noscan_name(snap.sc),
		   snap.large ? "large" : snap.cpu >= 0 ? "cpu" : "central", owner, snap.nid,
		   snap.npages, snap.npages << GH_PAGE_SHIFT, snap.counts.objects, snap.counts.live,
		   snap.counts.free, snap.counts.pending,
		   snap.counts.live * 100 / snap.counts.objects);
	return 0;
}

static const struct seq_operations spans_sops = {
	.start = spans_start,
	.next = spans_next,
	.stop = spans_stop,
	.show = spans_show,
};

static int spans_open(struct inode *inode, struct file *file)
{
	int err = seq_open(file, &spans_sops);

	if (!err)
		((struct seq_file *)file->private_data)->private = inode->i_private;
	return err;
}

static const struct file_operations spans_fops = {
	.owner = THIS_MODULE,
	.open = spans_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release,
};

/* ---- occupancy -------------------------------------------------------------------- */

#define NR_BUCKETS	11		/* ten of 10 %, and full */

struct occupancy {
	unsigned long spans[GH_NR_SLOTS][NR_BUCKETS];
};

static bool add_occupancy(struct gh_span *s, void *arg)
{
	struct occupancy *o = arg;
	struct gh_snapshot snap;

	if (gh_snapshot_take(s, &snap))
		o->spans[snap.sc][snap.counts.live * (NR_BUCKETS - 1) / snap.counts.objects]++;
	return true;
}

static int occupancy_show(struct seq_file *m, void *v)
{
	struct occupancy *o = kvzalloc(sizeof(*o), GFP_KERNEL);
	unsigned long all;
	unsigned int sc, i;

	if (!o)
		return -ENOMEM;
	gh_map_walk(m->private, add_occupancy, o);
	seq_puts(m, "#class noscan spans 0-9% 10-19% 20-29% 30-39% 40-49% 50-59% 60-69% 70-79% 80-89% 90-99% full\n");
	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		for (i = 0, all = 0; i < NR_BUCKETS; i++)
			all += o->spans[sc][i];
		if (!all)
			continue;
		seq_printf(m, "%6u %6s %5lu", gh_sc_class(sc), noscan_name(sc), all);
		for (i = 0; i < NR_BUCKETS; i++)
			seq_printf(m, " %5lu", o->spans[sc][i]);
		seq_putc(m, '\n');
	}
	kvfree(o);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(occupancy);

/* ---- stats ---------------------------------------------------------------------------- */

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
};

static bool add_usage(struct gh_span *s, void *arg)
{
	struct usage *u = arg;
	struct gh_snapshot snap;
	unsigned long bytes;

	if (!gh_snapshot_take(s, &snap))
		return true;
	bytes = snap.npages << GH_PAGE_SHIFT;
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
	const struct gh_central *central = heap->nodes[nid]->central;
	unsigned int sc;

	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		if (sc != GH_SC_TINY)
			e->small_allocs += gh_peek(central[sc].allocs);
		e->central_locks += gh_peek(central[sc].locked);
	}
}

static void add_cache_events(const struct gh_cache *cache, struct events *e)
{
	unsigned int sc;

	for (sc = 0; sc < GH_SC_TINY; sc++)
		e->small_allocs += gh_peek(cache->slots[sc].allocs);
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

/* What a counter minus what is left of it says; both may be moving. */
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
	line(m, "large_bytes", usage.large);
	show_usage(m, &usage, &events);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(heap_stats);

/* The page heaps' counters; those of one node are of one moment. */
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

static void add_all_events(struct events *e)
{
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		add_events(heap, e);
	mutex_unlock(&gh_heaps_mutex);
}

static int stats_show(struct seq_file *m, void *v)
{
	struct events events = {};
	struct ledger ledger = {};
	struct usage usage = {};
	int nid;

	gh_map_walk(NULL, add_usage, &usage);
	add_all_events(&events);
	for_each_node(nid)
		add_ledger(gh_page_heaps[nid], &ledger);
	seq_puts(m, "# key value\n");
	line(m, "held_bytes", (ledger.taken - ledger.returned) << GH_PAGE_SHIFT);
	line(m, "small_bytes", ledger.small << GH_PAGE_SHIFT);
	line(m, "large_bytes", ledger.large << GH_PAGE_SHIFT);
	line(m, "idle_bytes", ledger.idle << GH_PAGE_SHIFT);
	line(m, "idle_runs", ledger.runs);
	line(m, "taken_bytes", ledger.taken << GH_PAGE_SHIFT);
	line(m, "returned_bytes", ledger.returned << GH_PAGE_SHIFT);
	line(m, "metadata_bytes", gh_arena_metadata() + gh_magazine_bytes() +
	     gh_records_bytes());
	show_usage(m, &usage, &events);
	line(m, "page_heap_locks", ledger.locked);
	line(m, "misuse", gh_misuse_count());
	line(m, "foreign_frees", gh_misuse_foreign());
	line(m, "adopted_frees", gh_adopted());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

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

	seq_puts(m, "#arena pages_owned in_use idle returned largest_run\n");
	rcu_read_lock();
	for (n = 0; (arena = gh_map_next(&n)); n++) {
		show_arena(m, arena);
		breathe();
	}
	rcu_read_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arenas);

/* ---- percpu ------------------------------------------------------------------------------- */

static unsigned int inbox_length(struct gh_cache *cache)
{
	/* Only whether there is something can be seen from outside. */
	return gh_cache_has_arrivals(cache);
}

static void show_cache(struct seq_file *m, struct gh_cache *cache)
{
	unsigned long spans = 0, bytes = 0, refills = 0;
	unsigned int sc, n, magazines = 0;
	const struct gh_bin *bin;

	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		bin = &cache->bins[sc];
		n = gh_peek(bin->nr_partial) + !!gh_peek(bin->active);
		spans += n;
		bytes += n * (unsigned long)gh_classes[gh_sc_class(sc)].span_bytes;
		refills += gh_peek(bin->refills);
		magazines += !!gh_peek(bin->magazine);
	}
	seq_printf(m, "%s %d %lu %lu %lu %lu %u %lu %lu %u\n", cache->heap->name, cache->cpu,
		   spans, bytes, (unsigned long)gh_peek(cache->parked_pages) << GH_PAGE_SHIFT,
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

	seq_puts(m, "#heap cpu spans bytes parked refills inbox drained flushes magazines\n");
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
	int err = gh_validate();

	seq_puts(m, "#what result\n");
	if (err)
		seq_printf(m, "heap error%d\n", err);
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
	debugfs_create_file("stats", 0400, heap->dir, heap, &heap_stats_fops);
	debugfs_create_file("spans", 0400, heap->dir, heap, &spans_fops);
	debugfs_create_file("occupancy", 0400, heap->dir, heap, &occupancy_fops);
	debugfs_create_file("percpu", 0400, heap->dir, heap, &percpu_fops);
}

/* While the heap is on the list, or a new one of the same name might come too early. */
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
	debugfs_create_file("stats", 0400, root, NULL, &stats_fops);
	debugfs_create_file("spans", 0400, root, NULL, &spans_fops);
	debugfs_create_file("occupancy", 0400, root, NULL, &occupancy_fops);
	debugfs_create_file("arenas", 0400, root, NULL, &arenas_fops);
	debugfs_create_file("percpu", 0400, root, NULL, &percpu_fops);
	debugfs_create_file("validate", 0400, root, NULL, &validate_fops);
	debugfs_create_file("trim", 0200, root, NULL, &trim_fops);
	gh_fault_debugfs_init(root);
	heaps_dir = debugfs_create_dir("heaps", root);
	/* The default heap is older than its directory; nobody has made another one yet. */
	add_heap(gh_default);
	blocking_notifier_chain_register(&gh_heap_chain, &heap_nb);
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
