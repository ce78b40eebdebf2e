// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: spans and their occupancy.
 *
 * Spans are found through the arenas, one record at a time under RCU. So a reader
 * holds no lock, needs no memory for spans that were not shown yet, and may race with
 * all changes. The numbers of one line belong together if no CPU changes the span
 * just then.
 */

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "base/heap_page.h"
#include "base/peek.h"
#include "base/spanclass.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "observe/spans.h"
#include "pages/map.h"
#include "percpu/slot.h"
#include "span.h"

/* ---- spans ----------------------------------------------------------------------- */

/**
 * gh_snapshot_take() - read a span that CPUs may be using meanwhile
 * @s: anybody's span, or one that is just going away
 * @snap: the answer
 *
 * Context: RCU read side.
 * Return: false if the span starts or ends a life just now.
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
	/* data_race(): a mix of two lives is not used. */
	snap->size = data_race(gh_span_object_bytes(s));
	snap->cpu = owner ? owner->cpu : -1;
	snap->nid = s->nid;
	gh_span_count(s, &snap->counts);
	return gh_span_lives_on(s, life) && snap->heap && snap->counts.objects;
}

/* What the objects of a span class are. */
static const char *kind_name(unsigned int sc)
{
	if (sc == GH_SC_TINY)
		return "tiny";
	if (sc == GH_SC_OBJECT)
		return "object";
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
		gh_rcu_resched();
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
		seq_puts(m, "#address heap class kind state owner node pages bytes objects live free pending occupancy%\n");
		return 0;
	}
	if (!gh_snapshot_take(v, &snap))
		return SEQ_SKIP;
	if (snap.cpu >= 0)
		snprintf(owner, sizeof(owner), "%d", snap.cpu);
	seq_printf(m, "%p %s %u %s %s %s %d %lu %lu %u %u %u %u %u\n", (void *)snap.base,
		   snap.heap->name, gh_sc_class(snap.sc), kind_name(snap.sc),
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
	seq_puts(m, "#class kind spans 0-9% 10-19% 20-29% 30-39% 40-49% 50-59% 60-69% 70-79% 80-89% 90-99% full\n");
	for (sc = 0; sc < GH_NR_SLOTS; sc++) {
		for (i = 0, all = 0; i < NR_BUCKETS; i++)
			all += o->spans[sc][i];
		if (!all)
			continue;
		seq_printf(m, "%6u %6s %5lu", gh_sc_class(sc), kind_name(sc), all);
		for (i = 0; i < NR_BUCKETS; i++)
			seq_printf(m, " %5lu", o->spans[sc][i]);
		seq_putc(m, '\n');
	}
	kvfree(o);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(occupancy);

/**
 * gh_show_spans() - make the files about spans
 * @dir: where
 * @heap: whose spans, or NULL for all
 *
 * Context: Process context.
 */
void gh_show_spans(struct dentry *dir, struct goheap *heap)
{
	debugfs_create_file("spans", 0400, dir, heap, &spans_fops);
	debugfs_create_file("occupancy", 0400, dir, heap, &occupancy_fops);
}
