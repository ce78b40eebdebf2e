// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_stress - a randomised test of every way in and out of goheap
 *
 * Threads on all CPUs allocate, check, resize, free and hand each other objects
 * for as long as ops= says. The first and the last 64 bytes of each object hold
 * a pattern made from its address and a generation number, so that two owners of
 * one byte find out. What the interface promises about alignment, usable size and
 * goheap_base() is checked too. Timers interrupt the threads and allocate and
 * free in hard and soft interrupts.
 *
 * Loading the module runs the test. The last line says how it went:
 *
 *   passed ops=1000000 seed=42 nulls=0
 *   FAILED seed=42 thread=1 step=31337: ...
 *
 * and a failure makes loading fail with EIO. What a step asks for depends on the
 * seed, the thread and the number of the step alone, so the same seed asks the
 * same again, whatever the timing.
 *
 * The idea of a harness like this is that of TCMalloc's test harness.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bottom_half.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/preempt.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "compat.h"
#include "goheap.h"

#define MAX_THREADS	64
#define MAX_OBJECTS	4096		/* that a thread owns at a time */
#define MAX_BULK	32
#define MAX_INBOX	32		/* objects on their way to a thread */
#define MAX_MAIL	8		/* objects between a thread and one of its timers */
#define NR_HEAPS	3		/* private ones */
#define EDGE		64		/* bytes with a pattern at either end */
#define TIMER_EVERY	8		/* steps */

/*
 * Where it need not, a timer does not insist on a hard interrupt: lockdep would
 * take it for one on PREEMPT_RT too and object to the page allocator's locks.
 */
#define HARD_MODE (IS_ENABLED(CONFIG_PREEMPT_RT) ? \
		   HRTIMER_MODE_REL_PINNED_HARD : HRTIMER_MODE_REL_PINNED)
#define SOFT_MODE HRTIMER_MODE_REL_PINNED_SOFT

static unsigned int threads;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "threads, 0 for one per CPU (default), at most 64");

static unsigned long ops = 1000000;
module_param(ops, ulong, 0444);
MODULE_PARM_DESC(ops, "steps of all threads together (default 1000000), 0 for until stop=1");

static bool stop;
module_param(stop, bool, 0644);
MODULE_PARM_DESC(stop, "write 1 to end it");

static bool bind = true;
module_param(bind, bool, 0444);
MODULE_PARM_DESC(bind, "each thread has a CPU of its own (default yes)");

static unsigned long seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "what the randomness starts from, 0 for a new one (default)");

static unsigned int budget_kb = 4096;
module_param(budget_kb, uint, 0444);
MODULE_PARM_DESC(budget_kb, "most KiB that a thread owns at a time (default 4096)");

struct object {
	void *p;
	size_t size;			/* asked for */
	size_t used;			/* carries the pattern; at most the usable size */
	u32 generation;
	u8 heap;			/* 0 is the default heap, n is heaps[n - 1] */
	bool noscan;
	bool zeroed;			/* asked for with __GFP_ZERO all its life */
	bool aligned;			/* its size does not tell its class */
};

/*
 * Objects between a thread and one of its timers, without a lock: an entry is
 * full if its p is set. Only the sender fills it, only the receiver empties it.
 */
struct mail {
	struct object to_timer[MAX_MAIL];
	struct object to_thread[MAX_MAIL];
};

struct timer {
	struct hrtimer hrtimer;
	struct worker *worker;
	struct mail mail;
	u64 events;
};

struct worker {
	unsigned int id;
	struct task_struct *task;
	struct completion done;
	unsigned long steps;
	unsigned long step;		/* the one that is under way */
	unsigned int nr;
	size_t bytes;			/* sizes of objects[], summed */
	struct object *objects;		/* MAX_OBJECTS */
	struct timer hard, soft;

	spinlock_t inbox_lock;		/* guards the two below against other workers */
	unsigned int nr_inbox;
	struct object inbox[MAX_INBOX];
};

static struct worker *workers;
static unsigned int nr_workers;
static struct goheap *heaps[NR_HEAPS];
static atomic_long_t nulls;		/* allocations that failed, which is allowed */
static atomic_long_t timer_ops;

/* ---- failing ---------------------------------------------------------------- */

static int failed;			/* 1: somebody writes the text below, 2: it is there */
static char failure[256];

static bool is_failed(void)
{
	return READ_ONCE(failed);
}

/* Keep the first failure and stop everybody. Any context. */
static __printf(2, 3) void fail(struct worker *w, const char *fmt, ...)
{
	va_list args;
	int n;

	if (cmpxchg(&failed, 0, 1))
		return;
	n = scnprintf(failure, sizeof(failure), "thread=%u step=%lu: ", w->id, READ_ONCE(w->step));
	va_start(args, fmt);
	vscnprintf(failure + n, sizeof(failure) - n, fmt, args);
	va_end(args);
	/* pairs with the acquire in report() */
	smp_store_release(&failed, 2);
}

/* ---- randomness ------------------------------------------------------------- */

struct draw {
	u64 state;
};

/* Spread the bits of @x all over (the finaliser of SplitMix64). */
static u64 mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static u64 draw(struct draw *d)
{
	d->state += 0x9e3779b97f4a7c15ULL;
	return mix(d->state);
}

static unsigned int below(struct draw *d, unsigned int n)
{
	return (u32)draw(d) % n;
}

/* The randomness of one step, or of one event of a timer. */
static struct draw draw_start(unsigned int who, u64 step)
{
	return (struct draw) { .state = mix(seed + mix((u64)who << 48 ^ step)) };
}

/* Every octave from 1 byte to @max as often as any other. */
static size_t draw_size(struct draw *d, size_t max)
{
	size_t low = 1UL << below(d, ilog2(max));

	return low + below(d, low + 1);
}

/* ---- contexts --------------------------------------------------------------- */

enum context { PLAIN, NO_PREEMPT, NO_SOFTIRQ, NO_IRQ, NR_CONTEXTS };

/* Mostly plain; else a section in which nothing may sleep. */
static enum context draw_context(struct draw *d)
{
	return below(d, 4) ? PLAIN : below(d, NR_CONTEXTS);
}

static void context_enter(enum context context, unsigned long *flags)
{
	switch (context) {
	case NO_PREEMPT:
		preempt_disable();
		break;
	case NO_SOFTIRQ:
		local_bh_disable();
		break;
	case NO_IRQ:
		local_irq_save(*flags);
		break;
	default:
		break;
	}
}

static void context_leave(enum context context, unsigned long flags)
{
	switch (context) {
	case NO_PREEMPT:
		preempt_enable();
		break;
	case NO_SOFTIRQ:
		local_bh_enable();
		break;
	case NO_IRQ:
		local_irq_restore(flags);
		break;
	default:
		break;
	}
}

static gfp_t draw_gfp(struct draw *d, enum context context)
{
	static const gfp_t atomic[] = { GFP_ATOMIC, GFP_NOWAIT };
	static const gfp_t any[] = { GFP_KERNEL, GFP_KERNEL, GFP_NOIO, GFP_NOWAIT };

	return __GFP_NOWARN | (context == PLAIN ? any[below(d, ARRAY_SIZE(any))] :
						  atomic[below(d, ARRAY_SIZE(atomic))]);
}

/* ---- the pattern ------------------------------------------------------------ */

static u64 object_key(const struct object *o)
{
	return mix((unsigned long)o->p ^ (u64)o->generation << 32);
}

static void edge_fill(u8 *p, size_t n, u64 key)
{
	size_t i;

	for (i = 0; i < n; i += sizeof(u64)) {
		u64 word = mix(key + i);

		memcpy(p + i, &word, min(n - i, sizeof(word)));
	}
}

/* Return the offset of the first wrong byte, or @n. */
static size_t edge_check(const u8 *p, size_t n, u64 key)
{
	size_t i, j;

	for (i = 0; i < n; i += sizeof(u64)) {
		u64 word = mix(key + i);

		if (!memcmp(p + i, &word, min(n - i, sizeof(word))))
			continue;
		for (j = 0; p[i + j] == ((u8 *)&word)[j]; j++)
			;
		return i + j;
	}
	return n;
}

static size_t head_size(size_t used)
{
	return min_t(size_t, used, EDGE);
}

static size_t tail_size(size_t used)
{
	return min_t(size_t, used - head_size(used), EDGE);
}

static void object_fill(const struct object *o)
{
	size_t tail = tail_size(o->used);

	edge_fill(o->p, head_size(o->used), object_key(o));
	edge_fill(o->p + o->used - tail, tail, ~object_key(o));
}

static bool region_check(struct worker *w, const struct object *o, const void *p,
			 size_t offset, size_t n, u64 key)
{
	size_t wrong = edge_check(p + offset, n, key);

	if (wrong == n)
		return true;
	fail(w, "object %p of %zu bytes (heap %u%s): byte %zu was overwritten with %02x", o->p,
	     o->size, o->heap, o->noscan ? ", noscan" : "", offset + wrong,
	     *(const u8 *)(p + offset + wrong));
	return false;
}

/* The content of @o, which by now is at @p with at least @size bytes left. */
static bool content_check(struct worker *w, const struct object *o, const void *p, size_t size)
{
	size_t head = head_size(o->used), tail = tail_size(o->used);

	return region_check(w, o, p, 0, min(head, size), object_key(o)) &&
		(size < o->used || region_check(w, o, p, o->used - tail, tail, ~object_key(o)));
}

static bool object_check(struct worker *w, const struct object *o)
{
	return content_check(w, o, o->p, o->used);
}

/* ---- what the interface promises -------------------------------------------- */

static size_t promised_align(size_t size, bool noscan)
{
	size_t natural = size & -size;

	if (noscan && size < 8)
		return natural;
	return max_t(size_t, natural, ARCH_KMALLOC_MINALIGN);
}

static bool promises_check(struct worker *w, struct draw *d, const struct object *o, size_t align)
{
	size_t usable = goheap_size(o->p);
	size_t offset = 0;
	void *base;

	if (!IS_ALIGNED((unsigned long)o->p, align))
		fail(w, "object %p of %zu bytes: not aligned to %zu, but %lu off", o->p,
		     o->size, align, (unsigned long)o->p % align);
	else if (!virt_addr_valid(o->p) || !virt_addr_valid(o->p + o->size - 1))
		fail(w, "object %p of %zu bytes: not in the direct map", o->p, o->size);
	else if (usable < o->size)
		fail(w, "object %p of %zu bytes: goheap_size() says %zu", o->p, o->size, usable);
	if (is_failed())
		return false;

	/* pointer-free objects below 16 bytes share a block */
	if (!o->noscan || o->size >= 16)
		offset = draw(d) % usable;
	base = goheap_base(o->p + offset);
	if (base != o->p)
		fail(w, "object %p of %zu bytes: goheap_base() of byte %zu says %p",
		     o->p, o->size, offset, base);
	return base == o->p;
}

static bool zeroes_check(struct worker *w, const struct object *o, size_t from)
{
	const u8 *wrong;

	if (from >= o->size)
		return true;
	wrong = memchr_inv(o->p + from, 0, o->size - from);
	if (wrong)
		fail(w, "object %p of %zu bytes: byte %zu is %02x and should be 0",
		     o->p, o->size, (size_t)(wrong - (u8 *)o->p), *wrong);
	return !wrong;
}

/* ---- what a thread owns ----------------------------------------------------- */

/* Room for a bulk allocation is kept, so that most callers need not look. */
static bool has_room(const struct worker *w)
{
	return w->nr < MAX_OBJECTS - MAX_BULK;
}

static bool is_full(const struct worker *w)
{
	return !has_room(w) || w->bytes >= (size_t)budget_kb * 1024;
}

static void own(struct worker *w, const struct object *o)
{
	w->objects[w->nr++] = *o;
	w->bytes += o->size;
}

static struct object disown(struct worker *w, unsigned int i)
{
	struct object o = w->objects[i];

	w->objects[i] = w->objects[--w->nr];
	w->bytes -= o.size;
	return o;
}

/* ---- allocating ------------------------------------------------------------- */

enum alloc_way {
	ALLOC, ZALLOC, NOSCAN, NOSCAN_ZERO, NODE, ALIGNED, ARRAY, CALLOC, STRDUP,
	MEMDUP, BULK, HEAP, HEAP_NOSCAN, REALLOC_NULL, NR_ALLOC_WAYS
};

static const char * const alloc_names[] = {
	"goheap_alloc", "goheap_zalloc", "goheap_alloc_noscan", "goheap_alloc_noscan(__GFP_ZERO)",
	"goheap_alloc_node", "goheap_alloc_aligned", "goheap_alloc_array", "goheap_calloc",
	"goheap_strdup", "goheap_memdup", "goheap_alloc_bulk", "goheap_heap_alloc",
	"goheap_heap_alloc(GOHEAP_NOSCAN)", "goheap_realloc(NULL)",
};

static_assert(ARRAY_SIZE(alloc_names) == NR_ALLOC_WAYS);

/* What strdup and memdup copy from: no byte of it is 0. */
static char source[4096];

/* Put a fresh object to use: check the promises, fill it, own it. */
static bool welcome(struct worker *w, struct draw *d, struct object *o, size_t align)
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
	enum context context = draw_context(d);
	gfp_t gfp = draw_gfp(d, context);
	unsigned long flags = 0;
	void *p[MAX_BULK];

	o.zeroed = !below(d, 4);
	context_enter(context, &flags);
	got = goheap_alloc_bulk(o.size, gfp | (o.zeroed ? __GFP_ZERO : 0), want, p);
	context_leave(context, flags);
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

static size_t alloc_size(struct draw *d, enum alloc_way way)
{
	if (way == STRDUP || way == MEMDUP)
		return draw_size(d, sizeof(source));
	if (!below(d, 256))
		return draw_size(d, 1024 * 1024);
	return draw_size(d, 64 * 1024);
}

/* The call itself; fills in what is special about the object. */
static void *alloc_by(struct draw *d, enum alloc_way way, struct object *o, gfp_t gfp,
		      size_t *align)
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
		if (n & 1) {
			nid = numa_mem_id();
			gfp |= __GFP_THISNODE;
		}
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

static void step_alloc(struct worker *w, struct draw *d)
{
	enum alloc_way way = below(d, NR_ALLOC_WAYS);
	enum context context = draw_context(d);
	gfp_t gfp = draw_gfp(d, context);
	struct object o = {};
	unsigned long flags = 0;
	size_t align;

	if (!below(d, 512))
		alloc_nothing(w);
	if (way == BULK) {
		alloc_bulk(w, d);
		return;
	}
	o.size = alloc_size(d, way);
	context_enter(context, &flags);
	o.p = alloc_by(d, way, &o, gfp, &align);
	context_leave(context, flags);
	if (!o.p) {
		atomic_long_inc(&nulls);
		return;
	}
	if (ZERO_OR_NULL_PTR(o.p)) {
		fail(w, "%s of %zu bytes returned %p", alloc_names[way], o.size, o.p);
		return;
	}
	if (way == STRDUP && !copy_check(w, &o, source + sizeof(source) - o.size, true))
		return;
	if (way == MEMDUP && !copy_check(w, &o, source, false))
		return;
	if (welcome(w, d, &o, align))
		own(w, &o);
}

/* ---- freeing ---------------------------------------------------------------- */

enum free_way { FREE, FREE_SIZED, FREE_RCU, FREE_BULK, HEAP_FREE, REALLOC_0, NR_FREE_WAYS };

/* Until the reader is done, an object that was freed behind its back stays. */
static void free_rcu_checked(struct worker *w, const struct object *o)
{
	rcu_read_lock();
	goheap_free_rcu(o->p);
	object_check(w, o);
	rcu_read_unlock();
}

static void free_by(struct worker *w, enum free_way way, const struct object *o)
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
	enum context context = draw_context(d);
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
	context_enter(context, &flags);
	goheap_free_bulk(n, p);
	context_leave(context, flags);
}

static void step_free(struct worker *w, struct draw *d)
{
	enum free_way way = below(d, NR_FREE_WAYS);
	enum context context = draw_context(d);
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
	context_enter(context, &flags);
	free_by(w, way, &o);
	context_leave(context, flags);
}

/* ---- the other steps -------------------------------------------------------- */

static void step_realloc(struct worker *w, struct draw *d)
{
	enum context context = draw_context(d);
	gfp_t gfp = draw_gfp(d, context);
	struct object old, new;
	size_t old_usable;
	unsigned long flags = 0;

	if (!w->nr)
		return;
	old = disown(w, below(d, w->nr));
	if (!object_check(w, &old))
		return;
	/* the bytes behind the asked size need not move along */
	old.used = old.size;
	object_fill(&old);
	old_usable = goheap_size(old.p);

	new = old;
	new.size = draw_size(d, 64 * 1024);
	context_enter(context, &flags);
	new.p = goheap_realloc(old.p, new.size, gfp | (old.zeroed ? __GFP_ZERO : 0));
	context_leave(context, flags);
	if (!new.p) {
		atomic_long_inc(&nulls);
		if (object_check(w, &old))
			own(w, &old);
		return;
	}
	if (!content_check(w, &old, new.p, min(old.size, new.size)))
		return;
	if (old.zeroed && !zeroes_check(w, &new, old_usable))
		return;
	if (!promises_check(w, d, &new, promised_align(new.size, new.noscan)))
		return;
	new.used = new.size;
	new.aligned = false;
	new.generation = draw(d);
	object_fill(&new);
	own(w, &new);
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

static void take_inbox(struct worker *w)
{
	spin_lock(&w->inbox_lock);
	while (w->nr_inbox && has_room(w))
		own(w, &w->inbox[--w->nr_inbox]);
	spin_unlock(&w->inbox_lock);
}

/* ---- timers ----------------------------------------------------------------- */

/* Take what the sender put there. */
static bool mail_take(struct object *box, struct object *o)
{
	/* pairs with the release in mail_put(): the other fields are there */
	void *p = smp_load_acquire(&box->p);

	if (!p)
		return false;
	*o = *box;
	/* pairs with the acquire in mail_has_room(): they have been read */
	smp_store_release(&box->p, NULL);
	return true;
}

static bool mail_has_room(const struct object *box)
{
	/* pairs with the release in mail_take() */
	return !smp_load_acquire(&box->p);
}

static void mail_put(struct object *box, const struct object *o)
{
	box->size = o->size;
	box->used = o->used;
	box->generation = o->generation;
	box->heap = o->heap;
	box->noscan = o->noscan;
	box->zeroed = o->zeroed;
	box->aligned = o->aligned;
	/* pairs with the acquire in mail_take() */
	smp_store_release(&box->p, o->p);
}

static void timer_free(struct timer *t, struct draw *d)
{
	static const enum free_way ways[] = { FREE, FREE_SIZED, FREE_RCU, HEAP_FREE };
	struct object o;

	if (!mail_take(&t->mail.to_timer[below(d, MAX_MAIL)], &o))
		return;
	if (object_check(t->worker, &o))
		free_by(t->worker, ways[below(d, ARRAY_SIZE(ways))], &o);
	atomic_long_inc(&timer_ops);
}

static void timer_alloc(struct timer *t, struct draw *d)
{
	static const enum alloc_way ways[] = { ALLOC, ZALLOC, NOSCAN, ALIGNED, HEAP };
	struct object *box = &t->mail.to_thread[below(d, MAX_MAIL)];
	struct object o = { .size = draw_size(d, 4096) };
	size_t align;

	if (!mail_has_room(box))
		return;
	o.p = alloc_by(d, ways[below(d, ARRAY_SIZE(ways))], &o, GFP_ATOMIC | __GFP_NOWARN, &align);
	if (!o.p)
		atomic_long_inc(&nulls);
	else if (welcome(t->worker, d, &o, align))
		mail_put(box, &o);
	atomic_long_inc(&timer_ops);
}

/* In a hard or soft interrupt, in the middle of whatever the thread is doing. */
static enum hrtimer_restart timer_event(struct hrtimer *hrtimer)
{
	struct timer *t = container_of(hrtimer, struct timer, hrtimer);
	struct draw d = draw_start(t->worker->id + MAX_THREADS, ++t->events);
	unsigned int i;

	for (i = 0; i < 3 && !is_failed(); i++) {
		timer_free(t, &d);
		timer_alloc(t, &d);
	}
	return HRTIMER_NORESTART;
}

static void timer_setup_mode(struct timer *t, struct worker *w, enum hrtimer_mode mode)
{
	t->worker = w;
	gh_hrtimer_setup(&t->hrtimer, timer_event, CLOCK_MONOTONIC, mode);
}

/*
 * Exchange mail with a timer, and let it fire soon, if it is not waiting to
 * already: a slow machine then has fewer events, not an endless interrupt.
 */
static void timer_serve(struct worker *w, struct draw *d, struct timer *t, enum hrtimer_mode mode)
{
	unsigned int i = below(d, MAX_MAIL);
	struct object o;

	if (has_room(w) && mail_take(&t->mail.to_thread[i], &o))
		own(w, &o);
	i = below(d, MAX_MAIL);
	if (w->nr && mail_has_room(&t->mail.to_timer[i])) {
		o = disown(w, below(d, w->nr));
		mail_put(&t->mail.to_timer[i], &o);
	}
	if (!hrtimer_active(&t->hrtimer))
		hrtimer_start(&t->hrtimer, ns_to_ktime(below(d, 50 * NSEC_PER_USEC)), mode);
}

/* ---- the threads ------------------------------------------------------------ */

static void step_random(struct worker *w, struct draw *d)
{
	unsigned int dice = below(d, 100);

	if (dice < 43 && is_full(w))
		dice = 43;		/* free something instead */
	if (dice < 43)
		step_alloc(w, d);
	else if (dice < 86)
		step_free(w, d);
	else if (dice < 90)
		step_realloc(w, d);
	else if (dice < 98)
		step_hand_over(w, d);
	else
		step_check(w, d);
}

static void drop(struct worker *w, const struct object *o)
{
	if (is_failed() || object_check(w, o))
		goheap_free(o->p);
}

static void drop_mail(struct worker *w, struct mail *mail)
{
	struct object o;
	unsigned int i;

	for (i = 0; i < MAX_MAIL; i++) {
		if (mail_take(&mail->to_timer[i], &o))
			drop(w, &o);
		if (mail_take(&mail->to_thread[i], &o))
			drop(w, &o);
	}
}

static void drop_all(struct worker *w)
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

static int worker_main(void *data)
{
	struct worker *w = data;
	unsigned long step;

	for (step = 0; step < w->steps && !is_failed() && !READ_ONCE(stop); step++) {
		struct draw d = draw_start(w->id, step);

		WRITE_ONCE(w->step, step);
		step_random(w, &d);
		if (step % TIMER_EVERY == 0) {
			take_inbox(w);
			timer_serve(w, &d, &w->hard, HARD_MODE);
			timer_serve(w, &d, &w->soft, SOFT_MODE);
		}
		cond_resched();
	}
	hrtimer_cancel(&w->hard.hrtimer);
	hrtimer_cancel(&w->soft.hrtimer);
	drop_mail(w, &w->hard.mail);
	drop_mail(w, &w->soft.mail);
	drop_all(w);
	complete(&w->done);

	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static int worker_create(struct worker *w, unsigned int id, unsigned int cpu)
{
	w->id = id;
	w->steps = ops ? div_u64(ops, nr_workers) + (id < ops % nr_workers) : ULONG_MAX;
	spin_lock_init(&w->inbox_lock);
	init_completion(&w->done);
	timer_setup_mode(&w->hard, w, HARD_MODE);
	timer_setup_mode(&w->soft, w, SOFT_MODE);
	w->objects = kvcalloc(MAX_OBJECTS, sizeof(*w->objects), GFP_KERNEL);
	if (!w->objects)
		return -ENOMEM;
	w->task = kthread_create(worker_main, w, "goheap_stress/%u", id);
	if (IS_ERR(w->task)) {
		kvfree(w->objects);
		return PTR_ERR(w->task);
	}
	if (bind)
		kthread_bind(w->task, cpu);
	return 0;
}

/* Once all are done: nobody hands over any more. */
static void worker_destroy(struct worker *w)
{
	kthread_stop(w->task);
	drop_all(w);
	kvfree(w->objects);
}

/* Wait for all; whoever kills insmod gets an end to it, after a step or so. */
static void workers_wait(void)
{
	unsigned int i;

	for (i = 0; i < nr_workers; i++) {
		if (!wait_for_completion_killable(&workers[i].done))
			continue;
		fail(&workers[i], "interrupted");
		wait_for_completion(&workers[i].done);
	}
}

static unsigned long steps_done(void)
{
	unsigned long done = 0;
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		done += workers[i].step + 1;
	return done;
}

static int workers_run(void)
{
	unsigned int i, nr, cpu = cpumask_first(cpu_online_mask);
	int err = 0;

	for (nr = 0; nr < nr_workers && !err; nr++) {
		err = worker_create(&workers[nr], nr, cpu);
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	if (err) {
		for (nr--; nr > 0; nr--) {
			kthread_stop(workers[nr - 1].task);
			kvfree(workers[nr - 1].objects);
		}
		return err;
	}
	for (i = 0; i < nr_workers; i++)
		wake_up_process(workers[i].task);
	workers_wait();
	if (!ops || stop)
		ops = steps_done();
	for (i = 0; i < nr_workers; i++)
		worker_destroy(&workers[i]);
	return 0;
}

/* ---- the module ------------------------------------------------------------- */

/* One plain heap, one that is often at its limit, one that may leak (and does not). */
static const struct goheap_params heap_params[NR_HEAPS] = {
	{ },
	{ .limit = 1024 * 1024 },
	{ .flags = GOHEAP_LEAK_OK },
};

static void heaps_destroy(void)
{
	unsigned int i;

	for (i = 0; i < NR_HEAPS; i++) {
		if (!IS_ERR_OR_NULL(heaps[i]))
			goheap_destroy(heaps[i]);
		heaps[i] = NULL;
	}
}

static int heaps_create(void)
{
	char name[24];
	unsigned int i;

	for (i = 0; i < NR_HEAPS; i++) {
		snprintf(name, sizeof(name), "goheap_stress-%u", i);
		heaps[i] = goheap_create(name, &heap_params[i]);
		if (IS_ERR(heaps[i])) {
			int err = PTR_ERR(heaps[i]);

			heaps_destroy();
			return err;
		}
	}
	return 0;
}

static void source_fill(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(source) - 1; i++)
		source[i] = 1 + i % 251;
}

static int report(void)
{
	/* pairs with the release in fail(): the text is complete */
	if (smp_load_acquire(&failed)) {
		pr_err("FAILED seed=%lu %s\n", seed, failure);
		return -EIO;
	}
	pr_info("passed ops=%lu seed=%lu nulls=%ld\n", ops, seed, atomic_long_read(&nulls));
	return 0;
}

static int __init stress_init(void)
{
	int err;

	nr_workers = threads ?: num_online_cpus();
	if (nr_workers > MAX_THREADS || !budget_kb) {
		pr_err("threads=%u budget_kb=%u: at most %d threads, and more than 0 KiB\n",
		       threads, budget_kb, MAX_THREADS);
		return -EINVAL;
	}
	while (!seed)
		seed = get_random_u32();
	source_fill();
	workers = kvcalloc(nr_workers, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	err = heaps_create();
	if (err)
		goto free_workers;
	pr_info("start threads=%u ops=%lu seed=%lu budget_kb=%u\n",
		nr_workers, ops, seed, budget_kb);
	err = workers_run();
	heaps_destroy();
	if (!err) {
		pr_info("%ld of the allocations and frees were in interrupts\n",
			atomic_long_read(&timer_ops));
		err = report();
	}
free_workers:
	kvfree(workers);
	return err;
}

/* Nothing is left by then; having it allows to unload. */
static void __exit stress_exit(void)
{
}

module_init(stress_init);
module_exit(stress_exit);

MODULE_DESCRIPTION("Randomised test of goheap");
MODULE_LICENSE("GPL");
