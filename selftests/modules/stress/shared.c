// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_stress - objects that RCU readers look at, bursts, lookups of any address
 */
#include <linux/mm.h>
#include <linux/processor.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "stress.h"

/* ---- what readers look at --------------------------------------------------- */

#define NR_SHARED	64
#define MAX_SHARED	2048UL

/* Tells itself what its content has to be: readers have nothing else to go by. */
struct shared {
	u32 size;			/* of data[] */
	u32 generation;
	u8 data[];
};

static struct shared __rcu *table[NR_SHARED];

static u64 shared_key(const struct shared *s)
{
	return mix((unsigned long)s ^ (u64)s->generation << 32 ^ s->size);
}

/* Until the reader is done it stays as it was, freed or not. */
static bool shared_check(const struct worker *w, const struct shared *s)
{
	size_t size = s->size, wrong;

	if (size > MAX_SHARED) {
		fail(w, "shared object %p: overwritten under a reader", s);
		return false;
	}
	wrong = edge_check(s->data, size, shared_key(s));
	if (wrong == size)
		return true;
	fail(w, "shared object %p of %zu bytes: byte %zu was overwritten under a reader with %02x",
	     s, size, wrong, s->data[wrong]);
	return false;
}

static struct shared *shared_new(struct draw *d, gfp_t gfp)
{
	u32 size = draw_size(d, MAX_SHARED), generation = draw(d);
	unsigned int heap = below(d, NR_HEAPS + 2);
	struct shared *s;

	size = min_t(u32, size, MAX_SHARED);
	if (heap < NR_HEAPS)
		s = goheap_heap_alloc(heaps[heap], sizeof(*s) + size, gfp, 0);
	else if (heap == NR_HEAPS)
		s = goheap_alloc_noscan(sizeof(*s) + size, gfp);
	else
		s = goheap_alloc(sizeof(*s) + size, gfp);
	if (!s) {
		atomic_long_inc(&nulls);
		return NULL;
	}
	s->size = size;
	s->generation = generation;
	edge_fill(s->data, size, shared_key(s));
	return s;
}

/* The old one is checked once more behind its own end. */
static void shared_replace(const struct worker *w, unsigned int i, struct shared *new)
{
	struct shared *old;

	rcu_read_lock();
	old = unrcu_pointer(xchg(&table[i], RCU_INITIALIZER(new)));
	if (old) {
		goheap_free_rcu(old);
		shared_check(w, old);
	}
	rcu_read_unlock();
}

static void shared_read(const struct worker *w, unsigned int i, unsigned int times)
{
	const struct shared *s;

	rcu_read_lock();
	s = rcu_dereference(table[i]);
	while (s && times-- && shared_check(w, s))
		cpu_relax();
	rcu_read_unlock();
}

/* Any context that @gfp allows. */
void shared_step(const struct worker *w, struct draw *d, gfp_t gfp)
{
	unsigned int i = below(d, NR_SHARED);

	if (below(d, 3))
		shared_read(w, i, 1 + below(d, 8));
	else
		shared_replace(w, i, shared_new(d, gfp));
	atomic_long_inc(&side_ops);
}

/* Nobody reads any more. */
void shared_drop_all(void)
{
	unsigned int i;

	for (i = 0; i < NR_SHARED; i++)
		shared_replace(NULL, i, NULL);
}

/* ---- bursts ----------------------------------------------------------------- */

/*
 * One thread allocates many objects of a size and another frees them all: inboxes
 * overflow, and spans become empty in long rows. With the largest small size
 * every object has its span for itself. The last kind is a comb: the thread itself
 * frees all but every fourth, so that its list of spans gets longer than it may.
 */
static const struct {
	size_t least, most;
	unsigned int nr;
} bursts[] = {
	{ 28 * 1024, 32 * 1024, 300 },
	{ 33, 4096, 500 },
	{ 1, 64, 1000 },
	{ 32 * 1024 + 1, 128 * 1024, 60 },
	{ 1537, 2048, 12000 },
};

#define COMB	(ARRAY_SIZE(bursts) - 1)

static unsigned int draw_burst(struct draw *d)
{
	return below(d, 32) ? below(d, COMB) : COMB;
}

static bool burst_check(const struct worker *w, const struct burst *b)
{
	struct object o = b->like;
	unsigned int i;

	for (i = 0; i < b->nr; i++) {
		o.p = b->p[i];
		if (!object_check(w, &o))
			return false;
	}
	return true;
}

static void burst_free(struct worker *w, struct burst *b, struct draw *d)
{
	enum context context = draw_context(d, NR_FREE_CONTEXTS);
	unsigned int i, bulk = 1 + below(d, 256), way = below(d, 4);
	unsigned long flags = 0;

	if (!burst_check(w, b))
		return;			/* the end, and a leak */
	for (i = 0; i < b->nr; i += bulk) {
		unsigned int n = min(bulk, b->nr - i);

		context_enter(w, context, &flags);
		if (way == 0 && b->like.size <= 4096)
			while (n--)
				goheap_free_rcu(b->p[i + n]);
		else if (way == 1)
			while (n--)
				goheap_free_sized(b->p[i + n], b->like.size);
		else
			goheap_free_bulk(n, b->p + i);
		context_leave(w, context, flags);
		cond_resched();
	}
	atomic_long_add(b->nr, &side_ops);
	kvfree(b);
}

static unsigned int burst_alloc(struct burst *b, unsigned int nr, gfp_t gfp)
{
	unsigned int i;

	if (!b->like.noscan)
		return goheap_alloc_bulk(b->like.size, gfp, nr, b->p);
	for (i = 0; i < nr; i++) {
		b->p[i] = goheap_alloc_noscan(b->like.size, gfp);
		if (!b->p[i])
			break;
	}
	return i;
}

static void burst_fill(struct burst *b)
{
	struct object o = b->like;
	unsigned int i;

	for (i = 0; i < b->nr; i++) {
		o.p = b->p[i];
		object_fill(&o);
	}
}

/* Leaves every fourth: few spans become empty, and none stays full. */
static void burst_comb(const struct worker *w, struct burst *b)
{
	struct object o = b->like;
	unsigned int i, kept = 0;

	for (i = 0; i < b->nr; i++) {
		o.p = b->p[i];
		if (i % 4 == 0)
			b->p[kept++] = o.p;
		else if (object_check(w, &o))
			goheap_free(o.p);
	}
	b->nr = kept;
}

void step_burst(struct worker *w, struct draw *d)
{
	struct worker *to = &workers[below(d, nr_workers)];
	unsigned int kind = draw_burst(d), nr;
	struct burst *b;

	b = kvzalloc(struct_size(b, p, bursts[kind].nr), GFP_KERNEL | __GFP_NOWARN);
	if (!b)
		return;
	b->like.size = bursts[kind].least + below(d, bursts[kind].most - bursts[kind].least + 1);
	b->like.used = b->like.size;
	b->like.generation = draw(d);
	b->like.noscan = below(d, 2);
	nr = min_t(size_t, bursts[kind].nr, 2UL * budget_kb * 1024 / b->like.size);
	b->nr = burst_alloc(b, nr, draw_gfp(d, PLAIN));
	atomic_long_add(nr - b->nr, &nulls);
	atomic_long_add(b->nr, &side_ops);
	burst_fill(b);
	if (kind == COMB)
		burst_comb(w, b);
	/* pairs with the xchg() in burst_take() */
	if (cmpxchg(&to->burst, NULL, b))
		burst_free(w, b, d);
}

void burst_take(struct worker *w, struct draw *d)
{
	struct burst *b;

	if (!READ_ONCE(w->burst))
		return;
	/* pairs with the cmpxchg() in step_burst() */
	b = xchg(&w->burst, NULL);
	if (b)
		burst_free(w, b, d);
}

/* ---- lookups ---------------------------------------------------------------- */

/* Whatever is there, or is about to go: an object that holds the address, or none. */
static void lookup_any(struct worker *w, unsigned long addr)
{
	unsigned long base = (unsigned long)goheap_base((void *)addr);
	size_t size = goheap_size((void *)addr);

	if (base && (base > addr || addr - base >= goheap_max_size()))
		fail(w, "goheap_base() of %lx says %lx", addr, base);
	else if (size > goheap_max_size())
		fail(w, "goheap_size() of %lx says %zu", addr, size);
}

#define NEAR	(64UL << 20)

void step_lookup(struct worker *w, struct draw *d)
{
	u64 any = draw(d) >> below(d, 64);
	unsigned long near = draw(d) % NEAR - NEAR / 2;
	struct object *o;

	lookup_any(w, any);
	lookup_any(w, (unsigned long)w + near);
	if (!w->nr)
		return;
	o = &w->objects[below(d, w->nr)];
	lookup_any(w, (unsigned long)o->p + near);
	lookup_any(w, (unsigned long)o->p + goheap_size(o->p));
}
