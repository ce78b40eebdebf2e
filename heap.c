// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps: making them, taking them down, their limit, and the spans they get from
 * and give to the page heap.
 *
 * See internal.h for an overview.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/ctype.h>
#include <linux/kmemleak.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "internal.h"

/* Of goheap_params. */
#define DEBUG_FLAGS	(GOHEAP_POISON | GOHEAP_REDZONE | GOHEAP_TRACK)

/* Guards the list. A heap's events come after it is on the list, and before it leaves. */
DEFINE_MUTEX(gh_heaps_mutex);
LIST_HEAD(gh_heaps);
static u8 last_id;		/* gh_heaps_mutex */

/* Told of heaps that come and go: see enum gh_heap_event. */
BLOCKING_NOTIFIER_HEAD(gh_heap_chain);

/* ---- spans ---------------------------------------------------------------------- */

static bool charge(struct goheap *heap, unsigned int npages)
{
	long pages = atomic_long_read(&heap->pages);

	do {
		if (pages + npages > heap->limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&heap->pages, &pages, pages + npages));
	return true;
}

/*
 * Pages, charged to the heap, with records for @nr objects if the heap wants them. -EDQUOT:
 * the heap's limit is reached, but more can be had when the heap gives something back.
 */
static struct gh_span *new_pages(struct goheap *heap, const struct gh_want *w, unsigned int nr,
				 gfp_t gfp, int nid)
{
	struct gh_records *records = gh_debug_records(heap, nr, gfp);
	struct gh_span *s;
	int err = -ENOMEM;

	if (!records)
		return ERR_PTR(-ENOMEM);
	if (!charge(heap, w->npages)) {
		err = w->npages > heap->limit ? -ENOMEM : -EDQUOT;
		goto drop;
	}
	s = gh_arena_alloc(w, gfp, nid == NUMA_NO_NODE ? gh_mem_node() : nid);
	if (!s)
		goto uncharge;
	/* Who is late to free what the descriptor was before may look. */
	WRITE_ONCE(s->records, IS_ERR(records) ? NULL : records);
	return s;

uncharge:
	atomic_long_sub(w->npages, &heap->pages);
drop:
	gh_debug_drop(records);
	return ERR_PTR(err);
}

/**
 * gh_heap_new_span() - make a span of free objects
 * @heap: whose
 * @sc: span class or GH_SC_TINY
 * @gfp: see goheap_alloc()
 * @nid: node, or NUMA_NO_NODE for the nearest
 *
 * Context: Any that @gfp allows; no lock and no section held.
 * Return: the span, token held, without an owner; -EDQUOT if the heap's limit is reached,
 * -ENOMEM if there is no memory.
 */
struct gh_span *gh_heap_new_span(struct goheap *heap, unsigned int sc, gfp_t gfp, int nid)
{
	const struct gh_class *class = &gh_classes[gh_sc_class(sc)];
	const struct gh_want w = {
		.npages = class->span_bytes >> GH_PAGE_SHIFT,
		.align = max(class->align >> GH_PAGE_SHIFT, 1U),
		.kind = gh_span_kind(sc),
		.state = GH_SPAN_SMALL,
		.gentle = gh_sc_shorter(sc) != sc,
	};
	struct gh_span *s;

	s = new_pages(heap, &w, class->objects, gfp, nid);
	if (IS_ERR(s))
		return s;
	gh_close_pages(s->base, gh_span_bytes(s));
	gh_span_init_small(s, heap, sc);
	gh_arena_commit(s);
	return s;
}

/* What this CPU freed lately, if it has the right length; live again. */
static struct gh_span *unpark(struct goheap *heap, unsigned int npages, unsigned int align,
			      bool noscan)
{
	struct gh_span *s = NULL;
	struct gh_cache *cache;

	preempt_disable();
	cache = this_cpu_ptr(heap->cache);
	/* An interrupt may be here before the section is. */
	if (gh_peek(cache->parked) && gh_section_enter(cache)) {
		s = gh_cache_unpark(cache, npages, align);
		if (s) {
			gh_span_reuse_large(s, noscan);
			cache->large_allocs++;
			cache->large_live++;
		}
		gh_section_exit(cache);
	}
	preempt_enable();
	return s;
}

/**
 * gh_heap_new_large() - make a span of one live object
 * @heap: whose
 * @size: how many bytes
 * @align: alignment in bytes, a power of two
 * @gfp: see goheap_alloc()
 * @noscan: the object holds no pointers
 * @nid: node, or NUMA_NO_NODE for the nearest
 * @zero: cleared if the pages are known to be zero
 *
 * Context: Any that @gfp allows; no lock and no section held.
 * Return: the span, -EDQUOT or -ENOMEM.
 */
struct gh_span *gh_heap_new_large(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				  bool noscan, int nid, bool *zero)
{
	const struct gh_want w = {
		.npages = DIV_ROUND_UP(size, GH_PAGE_SIZE),
		.align = max_t(size_t, align >> GH_PAGE_SHIFT, 1),
		.kind = GH_KIND_1,
		.state = GH_SPAN_LARGE,
	};
	struct gh_span *s = NULL;

	if (nid == NUMA_NO_NODE)
		s = unpark(heap, w.npages, w.align, noscan);
	if (s)
		return s;
	s = new_pages(heap, &w, 1, gfp, nid);
	if (IS_ERR(s))
		return s;
	if (!s->needzero)
		*zero = false;
	gh_span_init_large(s, heap, gh_span_bytes(s), noscan);
	gh_arena_commit(s);
	atomic_long_inc(&heap->large_allocs);
	atomic_long_inc(&heap->large_live);
	return s;
}

/*
 * Clear what freeing did not, in a span whose pages go: what nobody freed before the heap was
 * destroyed, and what was freed while readers were looking and not merged since.
 */
static void wipe(struct gh_span *s)
{
	unsigned long bit, left;
	unsigned int i;

	if (s->flags & GH_F_LARGE) {
		if (gh_span_is_live(s, 0))
			gh_clear((void *)s->base, s->limit);
		return;
	}
	for (i = 0; i < gh_span_nwords(s); i++) {
		left = gh_span_valid_bits(s, i) & ~s->words[i].free;
		for_each_set_bit(bit, &left, BITS_PER_LONG)
			gh_clear(gh_span_object(s, i * BITS_PER_LONG + bit), s->elemsize);
	}
}

/**
 * gh_heap_free_span() - give a span back to the page heap
 * @s: no object in it is live; token held; on no list
 *
 * Context: Any but NMI; no lock held.
 */
void gh_heap_free_span(struct gh_span *s)
{
	struct gh_records *records = s->records;

	/* Before anything of the objects is lost. */
	if (records)
		gh_debug_validate(s);
	if (want_init_on_free())
		wipe(s);
	/*
	 * An object that was freed twice at once has both bits, and whoever set the
	 * second is late to see to the merge. Nobody waits for its readers: for one of
	 * the two frees there were none.
	 */
	if (unlikely(!(s->flags & GH_F_LARGE) && gh_span_has_remote(s))) {
		WRITE_ONCE(s->rcu_used, false);
		gh_span_merge(s);
	}
	if (records) {
		WRITE_ONCE(s->records, NULL);
		gh_debug_drop(records);
	}
	atomic_long_sub(s->npages, &s->heap->pages);
	gh_close_pages(s->base, gh_span_bytes(s));
	gh_arena_free(s);
}

/**
 * gh_heap_free_large() - a large object is gone: park its span, or give it back
 * @s: LARGE
 *
 * Context: Any but NMI, preemption off; no lock and no section held.
 */
void gh_heap_free_large(struct gh_span *s)
{
	struct gh_cache *cache = this_cpu_ptr(s->heap->cache);
	bool parked = false;

	if (likely(gh_section_enter(cache))) {
		cache->large_live--;
		parked = !s->records && gh_cache_park(cache, s);
		gh_section_exit(cache);
	} else {
		atomic_long_dec(&s->heap->large_live);
	}
	if (!parked)
		gh_heap_free_span(s);
}

/**
 * gh_heap_count_large() - sum the counts of large objects
 * @heap: of which heap
 * @allocs: how many were ever allocated
 * @live: how many are live, or were freed and are not given back yet: they wait for a
 *	grace period
 *
 * Context: Any. Exact when nobody uses the heap meanwhile.
 */
void gh_heap_count_large(const struct goheap *heap, unsigned long *allocs, unsigned long *live)
{
	const struct gh_cache *cache;
	int cpu;

	*allocs = atomic_long_read(&heap->large_allocs);
	*live = atomic_long_read(&heap->large_live);
	for_each_possible_cpu(cpu) {
		cache = per_cpu_ptr(heap->cache, cpu);
		*allocs += gh_peek(cache->large_allocs);
		*live += gh_peek(cache->large_live);
	}
}

/* ---- CPUs that went away ------------------------------------------------------------- */

/**
 * gh_heap_abandon() - take over what a CPU's cache owns
 * @cache: the CPU is dead
 *
 * Waits for nobody: a token may be in limbo for as long as others go on freeing into
 * its span by goheap_free_rcu().
 *
 * Context: Process context.
 */
void gh_heap_abandon(struct gh_cache *cache)
{
	struct gh_span *s;

	gh_cache_forget(cache);
	while ((s = list_first_entry_or_null(&cache->owned, struct gh_span, list))) {
		list_del_init(&s->list);
		preempt_disable();
		gh_central_take_over(s);
		preempt_enable();
		cond_resched();
	}
	gh_cache_close_inbox(cache);
	/* Nobody flushes the cache any more, and somebody may wait for that. */
	gh_reclaim_flushed();
}

/* When a CPU's inboxes were closed: a grace period that began before. */
static DEFINE_PER_CPU(unsigned long, closed_at);

/**
 * gh_heap_cpu_dead() - take over what a dead CPU owned
 * @cpu: it runs no more
 *
 * Context: Process context, CPU hotplug.
 * Return: 0.
 */
int gh_heap_cpu_dead(unsigned int cpu)
{
	struct goheap *heap;

	mutex_lock(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		gh_heap_abandon(per_cpu_ptr(heap->cache, cpu));
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

/**
 * gh_heap_cpu_prepare() - a CPU is about to come, or to come back
 * @cpu: it does not run yet
 *
 * A free that saw an owner before the CPU died, and has not come to its inbox yet, must
 * not find it open again: the span is somebody else's. Such a free has preemption off.
 * The wait is here, where it costs nothing as a rule, and not in gh_heap_cpu_dead(): the
 * timers of a CPU that just died stand still, and grace periods may need them.
 *
 * Context: Process context, CPU hotplug.
 * Return: 0.
 */
int gh_heap_cpu_prepare(unsigned int cpu)
{
	cond_synchronize_rcu(per_cpu(closed_at, cpu));
	open_inboxes(cpu);
	return 0;
}

/* ---- making and taking down ------------------------------------------------------------- */

static void free_heap(struct goheap *heap)
{
	int nid;

	if (heap->nodes)
		for_each_node(nid)
			kvfree(heap->nodes[nid]);
	kfree(heap->nodes);
	free_percpu(heap->cache);
	kfree(heap);
}

static void free_heap_rcu(struct rcu_head *rcu)
{
	free_heap(container_of(rcu, struct goheap, rcu));
}

static int init_nodes(struct goheap *heap)
{
	int nid;

	heap->nodes = kcalloc(nr_node_ids, sizeof(*heap->nodes), GFP_KERNEL);
	if (!heap->nodes)
		return -ENOMEM;
	for_each_node(nid) {
		heap->nodes[nid] = kvzalloc_node(sizeof(*heap->nodes[nid]), GFP_KERNEL,
						 node_online(nid) ? nid : NUMA_NO_NODE);
		if (!heap->nodes[nid])
			return -ENOMEM;
		gh_central_init(heap->nodes[nid]);
	}
	return 0;
}

static struct goheap *new_heap(const char *name, const struct goheap_params *params)
{
	struct goheap *heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	int cpu;

	if (!heap)
		return ERR_PTR(-ENOMEM);
	strscpy(heap->name, name, sizeof(heap->name));
	heap->limit = LONG_MAX;
	heap->debug = gh_debug_flags(name);
	if (params) {
		heap->flags = params->flags;
		heap->debug |= params->flags & DEBUG_FLAGS;
		if (params->limit)
			heap->limit = max(params->limit >> GH_PAGE_SHIFT, 1UL);
	}
	heap->cache = alloc_percpu(struct gh_cache);
	/* It points to free objects, and to nothing that kmemleak looks for. */
	kmemleak_free_percpu(heap->cache);
	if (!heap->cache || init_nodes(heap)) {
		free_heap(heap);
		return ERR_PTR(-ENOMEM);
	}
	for_each_possible_cpu(cpu)
		gh_cache_init(per_cpu_ptr(heap->cache, cpu), heap, cpu);
	return heap;
}

/*
 * A name is a column of tables in debugfs, where a line that begins with '#' is no record;
 * a directory there; and a word of goheap.debug=, on the kernel's command line as well. What
 * ends a word in one of these cannot be in a name.
 */
static bool name_has_bad_characters(const char *name)
{
	if (*name == '#')
		return true;
	for (; *name; name++)
		if (!isascii(*name) || !isgraph(*name) || strchr("/,;\"", *name))
			return true;
	return false;
}

static bool name_is_bad(const char *name)
{
	return !name || !*name || strnlen(name, GH_NAME_MAX) == GH_NAME_MAX ||
	       name_has_bad_characters(name) || !strcmp(name, ".") || !strcmp(name, "..");
}

static bool name_is_taken(const char *name)
{
	struct goheap *heap;

	lockdep_assert_held(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		if (!strcmp(heap->name, name))
			return true;
	return false;
}

struct goheap *goheap_create(const char *name, const struct goheap_params *params)
{
	struct goheap *heap;

	if (name_is_bad(name) || (params && params->flags & ~(GOHEAP_LEAK_OK | DEBUG_FLAGS)))
		return ERR_PTR(-EINVAL);
	heap = new_heap(name, params);
	if (IS_ERR(heap))
		return heap;
	if (heap->debug & GOHEAP_TRACK && gh_track_init()) {
		free_heap(heap);
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&gh_heaps_mutex);
	if (name_is_taken(name)) {
		mutex_unlock(&gh_heaps_mutex);
		free_heap(heap);
		return ERR_PTR(-EEXIST);
	}
	heap->id = ++last_id;
	list_add_tail(&heap->link, &gh_heaps);
	mutex_unlock(&gh_heaps_mutex);
	blocking_notifier_call_chain(&gh_heap_chain, GH_HEAP_CREATED, heap);
	return heap;
}
EXPORT_SYMBOL_GPL(goheap_create);

struct leaks {
	struct gh_span *spans;
	unsigned long objects;
	unsigned long bytes;
	unsigned long by_class[GH_NR_CLASSES];
	unsigned int show;		/* how many more are shown by themselves */
};

/* Leaks that are shown by themselves, if it is known who made them. */
#define SHOW_LEAKS	16

static unsigned int count_live(struct gh_span *s)
{
	struct gh_span_counts counts;

	if (s->flags & GH_F_TINY)
		return gh_block_count(s);
	gh_span_count(s, &counts);
	return counts.live;
}

/* Or kmemleak would stumble over whoever gets the pages next. */
static void forget_leaks(struct gh_span *s)
{
	unsigned long off, step = s->flags & GH_F_TINY ? GH_TINY_STEP : gh_span_object_bytes(s);
	struct gh_ref ref;

	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return;
	for (off = 0; off < s->limit; off += step)
		if (gh_lookup_live((void *)(s->base + off), &ref))
			gh_sanitize_forget((void *)(s->base + off));
}

static bool collect(struct gh_span *s, void *arg)
{
	struct leaks *leaks = arg;
	unsigned int live = count_live(s);

	leaks->objects += live;
	leaks->bytes += live * gh_span_object_bytes(s);
	leaks->by_class[gh_sc_class(s->spanclass)] += live;
	gh_debug_leaks(s, &leaks->show);
	forget_leaks(s);
	if (s->state == GH_SPAN_SMALL) {
		if (!s->owner)
			gh_central_remove(s);
		gh_span_claim(s);
	}
	s->next = leaks->spans;
	leaks->spans = s;
	return true;
}

static void report_leaks(const struct goheap *heap, const struct leaks *leaks)
{
	unsigned int class;

	if (!leaks->objects || heap->flags & GOHEAP_LEAK_OK)
		return;
	pr_warn("heap %s is gone with %lu objects leaked, up to %lu bytes\n", heap->name,
		leaks->objects, leaks->bytes);
	for (class = 0; class < GH_NR_CLASSES; class++) {
		if (!leaks->by_class[class])
			continue;
		if (class)
			pr_warn("  %lu leaked of class %u, up to %u bytes each\n",
				leaks->by_class[class], class, gh_classes[class].size);
		else
			pr_warn("  %lu leaked of more than %u bytes each\n",
				leaks->by_class[class], GH_SMALL_MAX);
	}
}

static void cancel_drains(struct goheap *heap)
{
	struct gh_cache *cache;
	int cpu;

	for_each_possible_cpu(cpu) {
		cache = per_cpu_ptr(heap->cache, cpu);
		/* Waiting takes a grace period on some kernels, whether it is queued or not. */
		if (irq_work_is_busy(&cache->kick))
			irq_work_sync(&cache->kick);
		cancel_work_sync(&cache->drain);
	}
}

#ifdef CONFIG_GOHEAP_KUNIT_TEST
atomic_t gh_test_waits;
#endif

/*
 * Frees that have set their bit and not let go of the span yet come to an end, and
 * so do the readers of what was freed by goheap_free_rcu(). Expedited: the caller waits.
 */
static void wait_for_all(struct goheap *heap)
{
	synchronize_rcu_expedited();
#ifdef CONFIG_GOHEAP_KUNIT_TEST
	atomic_inc(&gh_test_waits);
#endif
	WRITE_ONCE(heap->quiet, true);
}

static bool has_spans(const struct goheap *heap)
{
	return atomic_long_read(&heap->pages) || atomic_long_read(&heap->limbo);
}

static void quiesce(struct goheap *heap)
{
	int cpu;

	if (has_spans(heap))
		wait_for_all(heap);
	gh_limbo_flush(heap);
	/* What came out of limbo may have filled an inbox once more. */
	cancel_drains(heap);
	for_each_possible_cpu(cpu)
		gh_cache_flush_all(per_cpu_ptr(heap->cache, cpu));
}

void goheap_destroy(struct goheap *heap)
{
	struct leaks leaks = {};
	struct gh_span *s;

	if (IS_ERR_OR_NULL(heap))
		return;
	leaks.show = heap->flags & GOHEAP_LEAK_OK ? 0 : SHOW_LEAKS;
	blocking_notifier_call_chain(&gh_heap_chain, GH_HEAP_GOING, heap);
	mutex_lock(&gh_heaps_mutex);
	list_del(&heap->link);
	mutex_unlock(&gh_heaps_mutex);
	quiesce(heap);
	if (has_spans(heap))
		gh_map_walk(heap, collect, &leaks);
	report_leaks(heap, &leaks);
	while ((s = leaks.spans)) {
		leaks.spans = s->next;
		gh_check_freed_bytes((void *)s->base, gh_span_bytes(s));
		gh_heap_free_span(s);
		cond_resched();
	}
	/* A lookup of a wild pointer may still have found one of the spans. */
	gh_call_rcu(&heap->rcu, free_heap_rcu);
}
EXPORT_SYMBOL_GPL(goheap_destroy);

/**
 * gh_heap_destroy_all() - take every heap down
 *
 * Whoever made a private heap and left it behind cannot be using it any more: the
 * module could not go.
 *
 * Context: Process context, module exit.
 */
void gh_heap_destroy_all(void)
{
	struct goheap *heap, *next;

	list_for_each_entry_safe(heap, next, &gh_heaps, link) {
		if (heap != gh_default)
			pr_warn("heap %s was never destroyed\n", heap->name);
		goheap_destroy(heap);
	}
}
