// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_stress - interrupts that allocate and free in the middle of it
 *
 * A thread has a timer that fires in a hard interrupt, one that fires in a soft
 * interrupt, and a call to any CPU: by an interrupt from elsewhere, wherever that
 * CPU is just now, or by irq_work.
 */
#include <linux/cpumask.h>
#include <linux/rcupdate.h>

#include "stress.h"

/*
 * Where it need not, a timer does not insist on a hard interrupt: lockdep would
 * take it for one on PREEMPT_RT too and object to the page allocator's locks.
 * Calls between CPUs have no such choice, but irq_work has.
 */
#define HARD_MODE (IS_ENABLED(CONFIG_PREEMPT_RT) ? \
		   HRTIMER_MODE_REL_PINNED_HARD : HRTIMER_MODE_REL_PINNED)
#define SOFT_MODE HRTIMER_MODE_REL_PINNED_SOFT
#define CALL_BY_IRQ_WORK (IS_ENABLED(CONFIG_PROVE_LOCKING) && !IS_ENABLED(CONFIG_PREEMPT_RT))

/* ---- mail ------------------------------------------------------------------- */

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

/* ---- in the interrupt ------------------------------------------------------- */

static void event_free(struct event *e, struct draw *d)
{
	static const enum free_way ways[] = { FREE, FREE_SIZED, FREE_RCU, HEAP_FREE };
	struct object o;

	if (!mail_take(&e->mail.to_event[below(d, MAX_MAIL)], &o))
		return;
	if (object_check(e->worker, &o))
		free_by(e->worker, ways[below(d, ARRAY_SIZE(ways))], &o);
	atomic_long_inc(&event_ops);
}

static void event_alloc(struct event *e, struct draw *d)
{
	static const enum alloc_way ways[] = { ALLOC, ZALLOC, NOSCAN, ALIGNED, HEAP };
	struct object *box = &e->mail.to_thread[below(d, MAX_MAIL)];
	struct object o = { .size = draw_size(d, 4096) };
	size_t align;

	if (!mail_has_room(box))
		return;
	o.p = alloc_by(d, ways[below(d, ARRAY_SIZE(ways))], &o, GFP_ATOMIC | __GFP_NOWARN, &align);
	if (!o.p)
		atomic_long_inc(&nulls);
	else if (welcome(e->worker, d, &o, align))
		mail_put(box, &o);
	atomic_long_inc(&event_ops);
}

static void event_run(struct event *e)
{
	unsigned int who = e->worker->id + (1 + e->kind) * MAX_THREADS;
	struct draw d = draw_start(who, ++e->count);
	unsigned int i;

	for (i = 0; i < 3 && !is_failed(); i++) {
		event_free(e, &d);
		event_alloc(e, &d);
	}
	if (!below(&d, 4))
		shared_step(e->worker, &d, GFP_ATOMIC | __GFP_NOWARN);
	if (!below(&d, 4))
		visit_step(e->worker, &d, GFP_ATOMIC | __GFP_NOWARN);
}

/* In a hard or soft interrupt, in the middle of whatever the thread is doing. */
static enum hrtimer_restart timer_event(struct hrtimer *hrtimer)
{
	event_run(container_of(hrtimer, struct event, hrtimer));
	return HRTIMER_NORESTART;
}

static void call_done(struct event *e)
{
	event_run(e);
	/* pairs with the acquire in call_is_free() */
	smp_store_release(&e->calling, 0);
}

static void call_irq_work(struct irq_work *work)
{
	call_done(container_of(work, struct event, irq_work));
}

static void call_event(void *data)
{
	struct event *e = data;

	if (CALL_BY_IRQ_WORK || e->count % 4 == 0)
		irq_work_queue(&e->irq_work);
	else
		call_done(e);
}

/* ---- in the thread ---------------------------------------------------------- */

static bool call_is_free(const struct event *e)
{
	/* pairs with the release in call_done() */
	return !smp_load_acquire(&e->calling);
}

/* CPUs come and go: if the one that was drawn is not there, so be it. */
static void call(struct event *e, unsigned int cpu)
{
	WRITE_ONCE(e->calling, 1);
	if (smp_call_function_single_async(cpu, &e->csd))
		WRITE_ONCE(e->calling, 0);
}

/*
 * Let it happen soon, if it is not waiting to already: a slow machine then has
 * fewer events, not an endless interrupt.
 */
static void event_start(struct event *e, struct draw *d)
{
	ktime_t soon = ns_to_ktime(below(d, 50 * NSEC_PER_USEC));
	unsigned int cpu = below(d, nr_cpu_ids);

	if (e->kind == CALL) {
		/* more would be all that the CPUs do */
		if (!below(d, 4) && call_is_free(e))
			call(e, cpu);
	} else if (!hrtimer_active(&e->hrtimer)) {
		hrtimer_start(&e->hrtimer, soon, e->kind == HARD_TIMER ? HARD_MODE : SOFT_MODE);
	}
}

static void event_serve(struct worker *w, struct draw *d, struct event *e)
{
	unsigned int i = below(d, MAX_MAIL);
	struct object o;

	if (has_room(w) && mail_take(&e->mail.to_thread[i], &o))
		own(w, &o);
	i = below(d, MAX_MAIL);
	if (w->nr && mail_has_room(&e->mail.to_event[i])) {
		o = disown(w, below(d, w->nr));
		mail_put(&e->mail.to_event[i], &o);
	}
	event_start(e, d);
}

/* Exchange mail with all events, and start them again. */
void events_serve(struct worker *w, struct draw *d)
{
	struct event *e;

	for (e = w->events; e < w->events + NR_EVENT_KINDS; e++)
		event_serve(w, d, e);
}

void events_init(struct worker *w)
{
	enum event_kind kind;

	for (kind = 0; kind < NR_EVENT_KINDS; kind++) {
		struct event *e = &w->events[kind];

		e->kind = kind;
		e->worker = w;
		gh_hrtimer_setup(&e->hrtimer, timer_event, CLOCK_MONOTONIC,
				 kind == SOFT_TIMER ? SOFT_MODE : HARD_MODE);
		INIT_CSD(&e->csd, call_event, e);
		init_irq_work(&e->irq_work, call_irq_work);
	}
}

static void drop_mail(struct worker *w, struct mail *mail)
{
	struct object o;
	unsigned int i;

	for (i = 0; i < MAX_MAIL; i++) {
		if (mail_take(&mail->to_event[i], &o))
			drop(w, &o);
		if (mail_take(&mail->to_thread[i], &o))
			drop(w, &o);
	}
}

/* In the thread, when it is done. */
void events_stop(struct worker *w)
{
	struct event *e;

	for (e = w->events; e < w->events + NR_EVENT_KINDS; e++) {
		hrtimer_cancel(&e->hrtimer);
		while (!call_is_free(e))
			cond_resched();
		irq_work_sync(&e->irq_work);
		drop_mail(w, &e->mail);
	}
	synchronize_rcu();	/* the last call may have some instructions to go */
}
