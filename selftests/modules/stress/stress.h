/* SPDX-License-Identifier: GPL-2.0 */
/*
 * goheap_stress - what its files share
 *
 *   main.c     parameters, threads, the module
 *   check.c    failing, what a step draws, the pattern in objects, what is promised of them
 *   steps.c    contexts, allocating, freeing, resizing, handing over
 *   events.c   interrupts that allocate and free in the middle of it
 *   shared.c   objects that RCU readers look at, bursts, lookups of any address
 *   visits.c   heaps that come and go while threads use them
 */
#ifndef _GOHEAP_STRESS_H
#define _GOHEAP_STRESS_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "base/compat.h"
#include "goheap.h"

#include "lib/random.h"
#include "lib/team.h"

#define MAX_THREADS	64
#define MAX_OBJECTS	4096		/* that a thread owns at a time */
#define MAX_BULK	32
#define MAX_INBOX	32		/* objects on their way to a thread */
#define MAX_MAIL	8		/* objects between a thread and one of its events */
#define NR_HEAPS	4		/* private ones that stay */
#define NR_VISITS	2		/* private ones at a time that come and go */
#define EDGE		64		/* bytes with a pattern at either end */

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
 * Objects between a thread and one of its events, without a lock: an entry is
 * full if its p is set. Only the sender fills it, only the receiver empties it.
 */
struct mail {
	struct object to_event[MAX_MAIL];
	struct object to_thread[MAX_MAIL];
};

/* Timers fire on the thread's CPU, calls on any. */
enum event_kind { HARD_TIMER, SOFT_TIMER, CALL, NR_EVENT_KINDS };

struct event {
	enum event_kind kind;
	struct worker *worker;
	struct mail mail;
	u64 count;
	struct hrtimer hrtimer;
	call_single_data_t csd;
	struct irq_work irq_work;
	int calling;			/* the call is under way */
};

/* Many objects of one size that go to another thread, which frees all at a time. */
struct burst {
	struct object like;
	unsigned int nr;
	void *p[];
};

struct worker {
	unsigned int id;
	struct mate mate;
	unsigned long steps;
	unsigned long step;		/* the one that is under way */
	unsigned int nr;
	size_t bytes;			/* sizes of objects[], summed */
	struct object *objects;		/* MAX_OBJECTS */
	struct event events[NR_EVENT_KINDS];
	raw_spinlock_t raw_lock;	/* two that guard nothing: ... */
	spinlock_t lock;		/* ... to call goheap with a lock held */
	struct burst *burst;		/* from another thread; xchg() and cmpxchg() */

	spinlock_t inbox_lock;		/* guards the two below against other workers */
	unsigned int nr_inbox;
	struct object inbox[MAX_INBOX];
};

/* main.c */
extern unsigned long seed;
extern unsigned int budget_kb;
extern struct worker *workers;
extern unsigned int nr_workers;
extern struct goheap *heaps[NR_HEAPS];
extern atomic_long_t nulls;		/* allocations that failed, which is allowed */
extern atomic_long_t event_ops;
extern atomic_long_t side_ops;		/* in shared.c and visits.c */

void may_be_failed(void);

/* ---- check.c ---------------------------------------------------------------- */

extern int failed;			/* 1: somebody writes the text below, 2: it is there */
extern char failure[256];

static inline bool is_failed(void)
{
	return READ_ONCE(failed);
}

__printf(2, 3) void fail(const struct worker *w, const char *fmt, ...);

struct draw draw_start(unsigned int who, u64 step);
size_t draw_size(struct draw *d, size_t max);

void edge_fill(u8 *p, size_t n, u64 key);
size_t edge_check(const u8 *p, size_t n, u64 key);
void object_fill(const struct object *o);
bool object_check(const struct worker *w, const struct object *o);
bool content_check(const struct worker *w, const struct object *o, const void *p, size_t size);
size_t promised_align(size_t size, bool noscan);
bool promises_check(const struct worker *w, struct draw *d, const struct object *o, size_t align);
bool zeroes_check(const struct worker *w, const struct object *o, size_t from);

/* ---- steps.c ---------------------------------------------------------------- */

/* What strdup and memdup copy from: no byte of it is 0. */
extern char source[4096];

enum context {
	PLAIN, NO_IO, NO_PREEMPT, NO_SOFTIRQ, NO_IRQ, READER, LOCKED, NR_ALLOC_CONTEXTS,
	RAW_LOCKED = NR_ALLOC_CONTEXTS, NR_FREE_CONTEXTS
};

enum alloc_way {
	ALLOC, ZALLOC, NOSCAN, NOSCAN_ZERO, NODE, ALIGNED, ARRAY, CALLOC, STRDUP,
	MEMDUP, BULK, HEAP, HEAP_NOSCAN, REALLOC_NULL, NR_ALLOC_WAYS
};

enum free_way { FREE, FREE_SIZED, FREE_RCU, FREE_BULK, HEAP_FREE, REALLOC_0, NR_FREE_WAYS };

enum context draw_context(struct draw *d, unsigned int most);
void context_enter(struct worker *w, enum context where, unsigned long *flags);
void context_leave(struct worker *w, enum context where, unsigned long flags);
gfp_t draw_gfp(struct draw *d, enum context context);
bool has_room(const struct worker *w);
void own(struct worker *w, const struct object *o);
struct object disown(struct worker *w, unsigned int i);
bool welcome(const struct worker *w, struct draw *d, struct object *o, size_t align);
void *alloc_by(struct draw *d, enum alloc_way way, struct object *o, gfp_t gfp, size_t *align);
void free_by(const struct worker *w, enum free_way way, const struct object *o);
void step_random(struct worker *w, struct draw *d);
void take_inbox(struct worker *w);
void drop(const struct worker *w, const struct object *o);
void drop_all(struct worker *w);

/* ---- events.c --------------------------------------------------------------- */

void events_init(struct worker *w);
void events_serve(struct worker *w, struct draw *d);
void events_stop(struct worker *w);

/* ---- shared.c --------------------------------------------------------------- */

void shared_step(const struct worker *w, struct draw *d, gfp_t gfp);
void shared_drop_all(void);
void step_burst(struct worker *w, struct draw *d);
void burst_take(struct worker *w, struct draw *d);
void step_lookup(struct worker *w, struct draw *d);

/* ---- visits.c --------------------------------------------------------------- */

void visit_step(const struct worker *w, struct draw *d, gfp_t gfp);
int visits_start(void);
void visits_stop(void);

#endif /* _GOHEAP_STRESS_H */
