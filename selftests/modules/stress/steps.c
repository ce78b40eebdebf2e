// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_stress - contexts, allocating, freeing, resizing, handing over
 */
#include <linux/bottom_half.h>
#include <linux/irqflags.h>
#include <linux/math.h>
#include <linux/nodemask.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "stress.h"

/* ---- contexts --------------------------------------------------------------- */

/* Mostly plain; else a section in which nothing may sleep, or not everything. */
enum context draw_context(struct draw *d, unsigned int most)
{
	return below(d, 4) ? PLAIN : below(d, most);
}

/*
 * Sparse wants a function to leave locks as it found them, which the next two do not. So
 * it is not shown them.
 */
#ifndef __CHECKER__
void context_enter(struct worker *w, enum context where, unsigned long *flags)
{
	switch (where) {
	case NO_IO:
		*flags = memalloc_noio_save();
		break;
	case NO_PREEMPT:
		preempt_disable();
		break;
	case NO_SOFTIRQ:
		local_bh_disable();
		break;
	case NO_IRQ:
		local_irq_save(*flags);
		break;
	case READER:
		rcu_read_lock();
		break;
	case LOCKED:
		spin_lock(&w->lock);
		break;
	case RAW_LOCKED:
		raw_spin_lock_irqsave(&w->raw_lock, *flags);
		break;
	default:
		break;
	}
}

void context_leave(struct worker *w, enum context where, unsigned long flags)
{
	switch (where) {
	case NO_IO:
		memalloc_noio_restore(flags);
		break;
	case NO_PREEMPT:
		preempt_enable();
		break;
	case NO_SOFTIRQ:
		local_bh_enable();
		break;
	case NO_IRQ:
		local_irq_restore(flags);
		break;
	case READER:
		rcu_read_unlock();
		break;
	case LOCKED:
		spin_unlock(&w->lock);
		break;
	case RAW_LOCKED:
		raw_spin_unlock_irqrestore(&w->raw_lock, flags);
		break;
	default:
		break;
	}
}

#endif /* __CHECKER__ */

gfp_t draw_gfp(struct draw *d, enum context context)
{
	static const gfp_t atomic[] = { GFP_ATOMIC, GFP_NOWAIT };
	static const gfp_t any[] = { GFP_KERNEL, GFP_KERNEL, GFP_NOIO, GFP_NOWAIT };

	if (context == PLAIN || context == NO_IO)
		return __GFP_NOWARN | any[below(d, ARRAY_SIZE(any))];
	return __GFP_NOWARN | atomic[below(d, ARRAY_SIZE(atomic))];
}

/* ---- what a thread owns ----------------------------------------------------- */

/* Room for a bulk allocation is kept, so that most callers need not look. */
bool has_room(const struct worker *w)
{
	return w->nr < MAX_OBJECTS - MAX_BULK;
}

static bool is_full(const struct worker *w)
{
	return !has_room(w) || w->bytes >= (size_t)budget_kb * 1024;
}

void own(struct worker *w, const struct object *o)
{
	w->objects[w->nr++] = *o;
	w->bytes += o->size;
}

struct object disown(struct worker *w, unsigned int i)
{
	struct object o = w->objects[i];

	w->objects[i] = w->objects[--w->nr];
	w->bytes -= o.size;
	return o;
}

/* ---- allocating ------------------------------------------------------------- */

static const char * const alloc_names[] = {
	"goheap_alloc", "goheap_zalloc", "goheap_alloc_noscan", "goheap_alloc_noscan(__GFP_ZERO)",
	"goheap_alloc_node", "goheap_alloc_aligned", "goheap_alloc_array", "goheap_calloc",
	"goheap_strdup", "goheap_memdup", "goheap_alloc_bulk", "goheap_heap_alloc",
	"goheap_heap_alloc(GOHEAP_NOSCAN)", "goheap_realloc(NULL)",
};

static_assert(ARRAY_SIZE(alloc_names) == NR_ALLOC_WAYS);

char source[4096];

/* Put a fresh object to use: check the promises, fill it, own it. */
bool welcome(const struct worker *w, struct draw *d, struct object *o, size_t align)
{
	if (!promises_check(w, d, o, align))
		return false;
	if (o->zeroed && !zeroes_check(w, o, 0))
		return false;
	o->used = o->size;
	if (!below(d, 4)) {
		o->used = goheap_size(o->p);
		OPTIMIZER_HIDE_VAR(o->p);	/* the compiler knows only of size bytes */
	}
	o->generation = draw(d);
	object_fill(o);
	return true;
}

/* A copy has what was copied; a string nothing behind its end. */
static bool copy_check(struct worker *w, const struct object *o, const char *from, bool string)
{
	size_t n = o->size - string;

	if (!memcmp(o->p, from, n) && (!string || !((char *)o->p)[n]))
		return true;
	fail(w, "copy %p of %zu bytes differs from what was copied", o->p, o->size);
	return false;
}

static void alloc_bulk(struct worker *w, struct draw *d)
{
	unsigned int want = 1 + below(d, MAX_BULK), got, i;
	struct object o = { .size = draw_size(d, 4096) };
	enum context context = draw_context(d, NR_ALLOC_CONTEXTS);
	gfp_t gfp = draw_gfp(d, context);
	unsigned long flags = 0;
	void *p[MAX_BULK];

	o.zeroed = !below(d, 4);
	context_enter(w, context, &flags);
	got = goheap_alloc_bulk(o.size, gfp | (o.zeroed ? __GFP_ZERO : 0), want, p);
	context_leave(w, context, flags);
	if (got > want) {
		fail(w, "goheap_alloc_bulk() was asked for %u and returned %u", want, got);
		return;
	}
	atomic_long_add(want - got, &nulls);
	for (i = 0; i < got && !is_failed(); i++) {
		o.p = p[i];
		if (welcome(w, d, &o, promised_align(o.size, false)))
			own(w, &o);
	}
}

/* Size 0 is no object, and freeing it does nothing. */
static void alloc_nothing(struct worker *w)
{
	void *p = goheap_alloc(0, GFP_KERNEL);

	if (p != ZERO_SIZE_PTR || goheap_size(p) || goheap_base(p))
		fail(w, "size 0 gives %p, goheap_size() %zu, goheap_base() %p", p,
		     goheap_size(p), goheap_base(p));
	goheap_free(p);
	goheap_free(NULL);
}

/*
 * For some thousand steps a thread may ask for objects of a kind only, so that its
 * slots run dry and spans come and go: one size, one to a span, tiny, or few to
 * a span.
 */
#define FOCUS_STEPS	4096

static size_t focus_size(const struct worker *w, struct draw *d)
{
	struct draw focus = draw_start(w->id + (2 + NR_EVENT_KINDS) * MAX_THREADS,
				       READ_ONCE(w->step) / FOCUS_STEPS);

	switch (below(&focus, 8)) {
	case 0:
		return draw_size(&focus, 32 * 1024);
	case 1:
		return 28 * 1024 + 1 + below(d, 4 * 1024);
	case 2:
		return 1 + below(d, 15);
	case 3:
		return draw_size(d, 4) * 8 * 1024;
	default:
		return 0;
	}
}

static size_t alloc_size(const struct worker *w, struct draw *d, enum alloc_way way)
{
	size_t size;

	if (way == STRDUP || way == MEMDUP)
		return draw_size(d, sizeof(source));
	size = focus_size(w, d);
	if (size)
		return size;
	if (!below(d, 256))
		return draw_size(d, 1024 * 1024);
	return draw_size(d, 64 * 1024);
}

/* One with memory, mostly another than this CPU's if there are some. */
static int draw_node(struct draw *d)
{
	int nid = below(d, nr_node_ids);

	return node_state(nid, N_MEMORY) ? nid : numa_mem_id();
}

/* The call itself; fills in what is special about the object. */
void *alloc_by(struct draw *d, enum alloc_way way, struct object *o, gfp_t gfp, size_t *align)
{
	unsigned int n = 1 + below(d, 16);
	int nid = NUMA_NO_NODE;

	o->zeroed = way == ZALLOC || way == NOSCAN_ZERO || way == CALLOC;
	o->noscan = way == NOSCAN || way == NOSCAN_ZERO || way == STRDUP || way == HEAP_NOSCAN;
	if (way == ARRAY || way == CALLOC)
		o->size = roundup(o->size, n);
	if (way == HEAP || way == HEAP_NOSCAN)
		o->heap = 1 + below(d, NR_HEAPS);
	*align = promised_align(o->size, o->noscan);

	switch (way) {
	case ZALLOC:
		return goheap_zalloc(o->size, gfp);
	case NOSCAN:
		return goheap_alloc_noscan(o->size, gfp);
	case NOSCAN_ZERO:
		return goheap_alloc_noscan(o->size, gfp | __GFP_ZERO);
	case NODE:
		if (n & 1)
			nid = draw_node(d);
		if (nid != NUMA_NO_NODE && n & 2)
			gfp |= __GFP_THISNODE;
		return goheap_alloc_node(o->size, gfp, nid);
	case ALIGNED:
		*align = 1UL << below(d, 15);
		o->aligned = true;
		return goheap_alloc_aligned(o->size, *align, gfp);
	case ARRAY:
		return goheap_alloc_array(n, o->size / n, gfp);
	case CALLOC:
		return goheap_calloc(n, o->size / n, gfp);
	case STRDUP:
		*align = 1;
		return goheap_strdup(source + sizeof(source) - o->size, gfp);
	case MEMDUP:
		return goheap_memdup(source, o->size, gfp);
	case HEAP:
		return goheap_heap_alloc(heaps[o->heap - 1], o->size, gfp, 0);
	case HEAP_NOSCAN:
		return goheap_heap_alloc(heaps[o->heap - 1], o->size, gfp, GOHEAP_NOSCAN);
	case REALLOC_NULL:
		return goheap_realloc(NULL, o->size, gfp);
	default:
		return goheap_alloc(o->size, gfp);
	}
}

/* Not in a private heap: its limit may be all that there is to wait for. */
static bool draw_nofail(struct draw *d, enum alloc_way way, enum context context)
{
	return !below(d, 64) && context == PLAIN && way != HEAP && way != HEAP_NOSCAN;
}

/* The pointer is what a call for @o may return, and the copy is one. */
static bool result_check(struct worker *w, const struct object *o, enum alloc_way way, bool nofail)
{
	if (!o->p && !nofail) {
		atomic_long_inc(&nulls);
		return false;
	}
	if (ZERO_OR_NULL_PTR(o->p)) {
		fail(w, "%s of %zu bytes%s returned %p", alloc_names[way], o->size,
		     nofail ? " with __GFP_NOFAIL" : "", o->p);
		return false;
	}
	if (way == STRDUP)
		return copy_check(w, o, source + sizeof(source) - o->size, true);
	return way != MEMDUP || copy_check(w, o, source, false);
}

static void step_alloc(struct worker *w, struct draw *d)
{
	enum alloc_way way = below(d, NR_ALLOC_WAYS);
	enum context context = draw_context(d, NR_ALLOC_CONTEXTS);
	gfp_t gfp = draw_gfp(d, context);
	bool nofail = draw_nofail(d, way, context);
	struct object o = {};
	unsigned long flags = 0;
	size_t align;

	if (!below(d, 512))
		alloc_nothing(w);
	if (way == BULK) {
		alloc_bulk(w, d);
		return;
	}
	if (nofail)
		gfp = GFP_KERNEL | __GFP_NOFAIL;
	o.size = alloc_size(w, d, way);
	context_enter(w, context, &flags);
	o.p = alloc_by(d, way, &o, gfp, &align);
	context_leave(w, context, flags);
	if (result_check(w, &o, way, nofail) && welcome(w, d, &o, align))
		own(w, &o);
}

/* ---- freeing ---------------------------------------------------------------- */

/* Until the reader is done, an object that was freed behind its back stays. */
static void free_rcu_checked(const struct worker *w, const struct object *o)
{
	rcu_read_lock();
	goheap_free_rcu(o->p);
	object_check(w, o);
	rcu_read_unlock();
}

void free_by(const struct worker *w, enum free_way way, const struct object *o)
{
	switch (way) {
	case FREE_SIZED:
		if (o->aligned)
			goheap_free(o->p);
		else
			goheap_free_sized(o->p, o->size);
		break;
	case FREE_RCU:
		/* grace periods are long: keep what waits for one small */
		if (o->size <= 2048)
			free_rcu_checked(w, o);
		else
			goheap_free(o->p);
		break;
	case HEAP_FREE:
		if (o->heap)
			goheap_heap_free(heaps[o->heap - 1], o->p);
		else
			goheap_free(o->p);
		break;
	case REALLOC_0:
		if (goheap_realloc(o->p, 0, GFP_NOWAIT) != ZERO_SIZE_PTR)
			fail(w, "goheap_realloc() to 0 bytes did not return ZERO_SIZE_PTR");
		break;
	default:
		goheap_free(o->p);
		break;
	}
}

static void free_bulk(struct worker *w, struct draw *d)
{
	unsigned int want = 1 + below(d, MAX_BULK), n = 0;
	enum context context = draw_context(d, NR_FREE_CONTEXTS);
	unsigned long flags = 0;
	void *p[MAX_BULK];

	while (n < want && w->nr) {
		struct object o = disown(w, below(d, w->nr));

		if (!object_check(w, &o))
			break;
		p[n++] = o.p;
	}
	if (n < want && !below(d, 4))
		p[n++] = below(d, 2) ? NULL : ZERO_SIZE_PTR;
	context_enter(w, context, &flags);
	goheap_free_bulk(n, p);
	context_leave(w, context, flags);
}

static void step_free(struct worker *w, struct draw *d)
{
	enum free_way way = below(d, NR_FREE_WAYS);
	enum context context = draw_context(d, NR_FREE_CONTEXTS);
	unsigned long flags = 0;
	struct object o;

	if (!w->nr)
		return;
	if (way == FREE_BULK) {
		free_bulk(w, d);
		return;
	}
	o = disown(w, below(d, w->nr));
	if (!object_check(w, &o))
		return;
	context_enter(w, context, &flags);
	free_by(w, way, &o);
	context_leave(w, context, flags);
}

/* ---- the other steps -------------------------------------------------------- */

/* What became of @old; false if it is lost, or was moved to no avail. */
static bool realloc_check(struct worker *w, struct draw *d, const struct object *old,
			  size_t old_usable, const struct object *new)
{
	if (!new->p) {
		atomic_long_inc(&nulls);
		return false;
	}
	return content_check(w, old, new->p, min(old->size, new->size)) &&
		(!old->zeroed || zeroes_check(w, new, old_usable)) &&
		promises_check(w, d, new, promised_align(new->size, new->noscan));
}

/* Once more: the object is another one then, or still the same. */
static bool realloc_one(struct worker *w, struct draw *d, struct object *o, size_t size)
{
	enum context context = draw_context(d, NR_ALLOC_CONTEXTS);
	gfp_t gfp = draw_gfp(d, context) | (o->zeroed ? __GFP_ZERO : 0);
	size_t usable = goheap_size(o->p);
	unsigned long flags = 0;
	struct object new = *o;

	/* the bytes behind the asked size need not move along */
	o->used = o->size;
	object_fill(o);
	new.size = size;
	context_enter(w, context, &flags);
	new.p = goheap_realloc(o->p, size, gfp);
	context_leave(w, context, flags);
	if (!realloc_check(w, d, o, usable, &new))
		return false;
	new.used = new.size;
	new.aligned = false;
	new.generation = draw(d);
	object_fill(&new);
	*o = new;
	return true;
}

/* Mostly once to any size; else as a buffer grows, a half at a time. */
static void step_realloc(struct worker *w, struct draw *d)
{
	unsigned int times = below(d, 4) ? 1 : 2 + below(d, 8);
	struct object o;

	if (!w->nr)
		return;
	o = disown(w, below(d, w->nr));
	if (!object_check(w, &o))
		return;
	while (times--) {
		size_t size = times ? min_t(size_t, o.size + o.size / 2 + 1, 64 * 1024) :
				      draw_size(d, 64 * 1024);

		if (!realloc_one(w, d, &o, size))
			break;
	}
	if (object_check(w, &o))
		own(w, &o);
}

static void step_check(struct worker *w, struct draw *d)
{
	struct object *o;

	if (!w->nr)
		return;
	o = &w->objects[below(d, w->nr)];
	if (!object_check(w, o) || !promises_check(w, d, o, 1))
		return;
	o->generation++;
	object_fill(o);
}

/* Give an object to another thread, unless its inbox is full. */
static void step_hand_over(struct worker *w, struct draw *d)
{
	struct worker *to = &workers[below(d, nr_workers)];
	bool room;

	if (!w->nr)
		return;
	spin_lock(&to->inbox_lock);
	room = to->nr_inbox < MAX_INBOX;
	if (room)
		to->inbox[to->nr_inbox++] = disown(w, below(d, w->nr));
	spin_unlock(&to->inbox_lock);
}

void take_inbox(struct worker *w)
{
	spin_lock(&w->inbox_lock);
	while (w->nr_inbox && has_room(w))
		own(w, &w->inbox[--w->nr_inbox]);
	spin_unlock(&w->inbox_lock);
}

/* ---- any step --------------------------------------------------------------- */

static void step_rare(struct worker *w, struct draw *d)
{
	gfp_t gfp = draw_gfp(d, PLAIN);

	switch (below(d, 4)) {
	case 0:
		visit_step(w, d, gfp);
		break;
	case 1:
		/* those are some hundred steps in one */
		if (!below(d, 32))
			step_burst(w, d);
		break;
	case 2:
		step_lookup(w, d);
		break;
	default:
		step_check(w, d);
		break;
	}
}

void step_random(struct worker *w, struct draw *d)
{
	unsigned int dice = below(d, 100);

	if (dice < 42 && is_full(w))
		dice = 42;		/* free something instead */
	if (dice < 42)
		step_alloc(w, d);
	else if (dice < 84)
		step_free(w, d);
	else if (dice < 87)
		step_realloc(w, d);
	else if (dice < 94)
		step_hand_over(w, d);
	else if (dice < 96)
		shared_step(w, d, GFP_NOWAIT | __GFP_NOWARN);
	else
		step_rare(w, d);
}

void drop(const struct worker *w, const struct object *o)
{
	if (is_failed() || object_check(w, o))
		goheap_free(o->p);
}

void drop_all(struct worker *w)
{
	unsigned int n = 0;

	take_inbox(w);
	while (w->nr) {
		struct object o = disown(w, w->nr - 1);

		drop(w, &o);
		if (!(++n % 64))
			cond_resched();
	}
}
