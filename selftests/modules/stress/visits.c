// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_stress - heaps that come and go while threads use them
 *
 * A visit's thread makes a heap, lets everybody use it for some milliseconds,
 * waits until nobody does any more, and takes it down; then the next one. Most
 * have a limit that is reached at once.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>

#include "stress.h"

#define NR_BOXES	32
#define MAX_VISIT_MS	20

struct visit {
	unsigned int id;
	struct mate mate;
	struct goheap *heap;
	bool leaks;			/* GOHEAP_LEAK_OK */
	atomic_t users;			/* 0: there is no heap; one is the thread's */
	raw_spinlock_t lock;		/* guards box[] */
	struct object box[NR_BOXES];
};

static struct visit visits[NR_VISITS];
static struct team visitors = TEAM_INIT(visitors);

/* ---- users, in any context -------------------------------------------------- */

static bool visit_enter(struct visit *v)
{
	/* fully ordered: what was before atomic_set_release() is seen */
	return atomic_inc_not_zero(&v->users);
}

static void visit_leave(struct visit *v)
{
	/* pairs with the acquire in visit_end() */
	(void)atomic_fetch_dec_release(&v->users);
}

/* Take out what is in the box and put @o there, which may be nothing. */
static struct object box_exchange(struct visit *v, unsigned int i, const struct object *o)
{
	unsigned long flags;
	struct object old;

	raw_spin_lock_irqsave(&v->lock, flags);
	old = v->box[i];
	v->box[i] = *o;
	raw_spin_unlock_irqrestore(&v->lock, flags);
	return old;
}

static void visit_free(const struct worker *w, struct visit *v, struct draw *d,
		       const struct object *o)
{
	static const enum free_way ways[] = { FREE, FREE_SIZED, FREE_RCU };

	if (!object_check(w, o))
		return;
	if (below(d, 4))
		free_by(w, ways[below(d, ARRAY_SIZE(ways))], o);
	else
		goheap_heap_free(v->heap, o->p);
}

/* An object of the visit's heap; one without a p if the heap is at its limit. */
static struct object visit_alloc(const struct worker *w, struct visit *v, struct draw *d,
				 gfp_t gfp)
{
	struct object o = { .size = draw_size(d, 32 * 1024) };

	o.noscan = below(d, 2);
	o.p = goheap_heap_alloc(v->heap, o.size, gfp, o.noscan ? GOHEAP_NOSCAN : 0);
	if (!o.p)
		atomic_long_inc(&nulls);
	else
		welcome(w, d, &o, promised_align(o.size, o.noscan));
	return o;
}

void visit_step(const struct worker *w, struct draw *d, gfp_t gfp)
{
	struct visit *v = &visits[below(d, NR_VISITS)];
	struct object none = {}, o;

	if (!visit_enter(v))
		return;
	o = below(d, 2) ? visit_alloc(w, v, d, gfp) : none;
	o = box_exchange(v, below(d, NR_BOXES), &o);
	if (o.p)
		visit_free(w, v, d, &o);
	visit_leave(v);
	atomic_long_inc(&side_ops);
}

/* ---- the thread ------------------------------------------------------------- */

static bool visit_begin(struct visit *v, struct draw *d)
{
	struct goheap_params params = {};
	char name[32];

	if (below(d, 4))
		params.limit = draw_size(d, 512 * 1024);
	v->leaks = below(d, 2);
	if (v->leaks)
		params.flags = GOHEAP_LEAK_OK;
	snprintf(name, sizeof(name), "goheap_stress-visit%u", v->id);
	v->heap = goheap_create(name, &params);
	if (IS_ERR(v->heap)) {
		if (PTR_ERR(v->heap) != -ENOMEM)
			fail(NULL, "goheap_create() says %ld", PTR_ERR(v->heap));
		return false;
	}
	/* pairs with the atomic_inc_not_zero() in visit_enter() */
	atomic_set_release(&v->users, 1);
	return true;
}

/* Some objects are left behind if the heap allows it. */
static void visit_end(struct visit *v, struct draw *d)
{
	struct object none = {}, o;
	unsigned int i;

	visit_leave(v);
	/* pairs with the release in visit_leave(): they are done with the heap */
	while (atomic_read_acquire(&v->users))
		usleep_range(1000, 2000);
	for (i = 0; i < NR_BOXES; i++) {
		o = box_exchange(v, i, &none);
		if (o.p && !(v->leaks && below(d, 2)))
			visit_free(NULL, v, d, &o);
	}
	goheap_destroy(v->heap);
}

static void visit_main(struct mate *mate)
{
	struct visit *v = container_of(mate, struct visit, mate);
	u64 round = 0;

	may_be_failed();
	while (!kthread_should_stop()) {
		struct draw d = draw_start(MAX_THREADS * (1 + NR_EVENT_KINDS) + v->id, round++);

		if (!visit_begin(v, &d)) {
			usleep_range(1000, 2000);
			continue;
		}
		usleep_range(1000 * (1 + below(&d, MAX_VISIT_MS)), 1000 * (2 + MAX_VISIT_MS));
		visit_end(v, &d);
	}
}

int visits_start(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < NR_VISITS && !err; i++) {
		visits[i].id = i;
		raw_spin_lock_init(&visits[i].lock);
		err = team_hire(&visitors, &visits[i].mate, ANY_CPU, visit_main);
	}
	if (err)
		visits_stop();
	else
		team_start(&visitors);
	return err;
}

void visits_stop(void)
{
	team_end(&visitors);
}
