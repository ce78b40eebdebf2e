// SPDX-License-Identifier: GPL-2.0
/*
 * Limbo: spans wait here, token held, if their freed objects have to wait for an RCU grace
 * period, or if an NMI could not deal with them.
 */

#include <linux/irq_work.h>
#include <linux/sched.h>

#include "base/compat.h"
#include "base/context.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "span.h"
#include "spans/limbo.h"

/*
 * Spans with their token held, linked by @queue. Any context adds spans. The RCU callback takes
 * them off, and so does gh_limbo_flush().
 */
static LLIST_HEAD(limbo);

/* Where spans go from here; set once, before there are any. */
static const struct gh_limbo_exits *exits __ro_after_init;

static atomic_t limbo_armed;
static struct rcu_head limbo_rcu;

static void limbo_callback(struct rcu_head *rcu);

static void limbo_arm(void)
{
	if (!atomic_xchg(&limbo_armed, 1))
		gh_call_rcu(&limbo_rcu, limbo_callback);
}

static void limbo_irq(struct irq_work *work)
{
	limbo_arm();
}

/* HARD: on PREEMPT_RT a dying CPU parks its irq_work thread first, and might not run it. */
static struct irq_work limbo_irq_work = IRQ_WORK_INIT_HARD(limbo_irq);

static void limbo_enter(struct gh_span *s)
{
	llist_add(&s->queue, &limbo);
	if (gh_is_nested())
		irq_work_queue(&limbo_irq_work);
	else
		limbo_arm();
}

/**
 * gh_limbo_add() - deal with a span later
 * @s: the caller has its token and hands it over
 *
 * Context: Any.
 */
void gh_limbo_add(struct gh_span *s)
{
	atomic_long_inc(&s->heap->limbo);
	limbo_enter(s);
}

static void limbo_leave(struct gh_span *s)
{
	struct goheap *heap = s->heap;

	if (gh_span_rcu_pending(s)) {
		limbo_enter(s);
		return;
	}
	if (gh_span_flags(s) & GH_F_LARGE) {
		if (want_init_on_free())
			gh_clear((void *)s->base, s->limit);
		gh_sanitize_forget((void *)s->base);
		gh_poison((void *)s->base, s->limit);
		exits->large(s);
	} else {
		exits->small(s);
	}
	/* Last: gh_limbo_flush() waits for this, and then the heap is freed. */
	atomic_long_sub_return_release(1, &heap->limbo);
}

static void limbo_leave_all(struct llist_node *list)
{
	struct gh_span *s, *next;

	llist_for_each_entry_safe(s, next, list, queue) {
		preempt_disable();
		limbo_leave(s);
		preempt_enable();
	}
}

/*
 * Let the spans of a heap leave limbo if they need not wait any more. Any number of CPUs may
 * do this at a time. Spans of other heaps go back before the caller may be preempted:
 * otherwise their memory, and goheap_destroy() of their heap, would wait for the caller.
 */
static void limbo_sweep(struct goheap *heap)
{
	struct llist_node *own = NULL;
	struct gh_span *s, *next;

	preempt_disable();
	llist_for_each_entry_safe(s, next, llist_del_all(&limbo), queue) {
		if (s->heap == heap) {
			s->queue.next = own;
			own = &s->queue;
		} else {
			limbo_enter(s);
		}
	}
	preempt_enable();
	limbo_leave_all(own);
}

static void limbo_callback(struct rcu_head *rcu)
{
	/* Before the list is taken: a span that is added later must arm limbo again. */
	atomic_xchg(&limbo_armed, 0);
	limbo_leave_all(llist_del_all(&limbo));
}

/**
 * gh_limbo_flush() - wait until nothing of a heap is in limbo
 * @heap: nobody frees its objects meanwhile
 *
 * Waits for the grace periods of the objects only. Does not wait for RCU callbacks, nor for the
 * irq_work: on some kernels only one caller at a time may wait for an irq_work.
 *
 * Context: Process context.
 */
void gh_limbo_flush(struct goheap *heap)
{
	/* No CPU in limbo_leave() looks at the heap after this; pairs with limbo_leave(). */
	while (atomic_long_read_acquire(&heap->limbo)) {
		limbo_sweep(heap);
		/* Spans that are left wait for a grace period, or another CPU has them. */
		if (atomic_long_read(&heap->limbo))
			schedule_timeout_uninterruptible(1);
	}
}

/**
 * gh_limbo_init() - say where spans go from limbo
 * @to: called with preemption off
 *
 * Context: Process context; nothing is in limbo yet.
 */
void __init gh_limbo_init(const struct gh_limbo_exits *to)
{
	exits = to;
}

/**
 * gh_limbo_exit() - wait until no callback will look at limbo again
 *
 * Context: Process context. No heap is left.
 */
void gh_limbo_exit(void)
{
	irq_work_sync(&limbo_irq_work);
	rcu_barrier();
}

/**
 * gh_limbo_wait() - wait until nothing is in limbo, for a second at most
 * @heap: of which heap
 *
 * The callback that empties limbo is on its way. No rcu_barrier(): a grace period may wait
 * for the caller, for example while a CPU goes offline, and other CPUs may add spans to
 * limbo for ever.
 *
 * Context: Process context, any lock held that may be held while sleeping.
 * Return: false if nothing was there.
 */
bool gh_limbo_wait(struct goheap *heap)
{
	unsigned long until = jiffies + HZ;

	if (!atomic_long_read(&heap->limbo))
		return false;
	while (atomic_long_read(&heap->limbo) && time_before(jiffies, until))
		schedule_timeout_uninterruptible(1);
	return true;
}
