// SPDX-License-Identifier: GPL-2.0
/*
 * Freeing what this CPU does not own, or cannot touch just now: by a bit in the
 * span's remote bitmap, and by telling whoever can take it over. Objects that
 * wait for an RCU grace period, and spans that an NMI could not deal with, wait
 * in limbo.
 *
 * See internal.h for an overview.
 */

#include <linux/irq_work.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "internal.h"

/*
 * Spans with their token held, linked by @queue. Any context adds; the RCU callback takes,
 * and whoever flushes a heap.
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

/* HARD, or a CPU that dies with PREEMPT_RT may leave it undone: its thread is parked first. */
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

/*
 * An inbox with so many bytes of spans is drained now and not with the next tick:
 * its owner may not allocate any more, and who frees would get new pages meanwhile.
 */
#define INBOX_BYTES	(4UL << 20)

/* As llist_add(). False if the inbox is closed: the span has another owner by now. */
static bool add_to_inbox(struct gh_cache *owner, struct gh_span *s)
{
	struct llist_node *first = READ_ONCE(owner->inbox.first);

	do {
		if (unlikely(first == GH_INBOX_CLOSED)) {
			/* Look at the owner after this; pairs with gh_cache_close_inbox(). */
			smp_rmb();
			return false;
		}
		s->queue.next = first;
	} while (!try_cmpxchg(&owner->inbox.first, &first, &s->queue));
	return true;
}

static bool post(struct gh_cache *owner, struct gh_span *s)
{
	unsigned long bytes = gh_classes[gh_sc_class(s->spanclass)].span_bytes;

	if (!add_to_inbox(owner, s))
		return false;
	/* data_race(): two at a time may count as one; nothing but a delay comes of it. */
	bytes += data_race(owner->inbox_bytes);
	if (bytes < INBOX_BYTES) {
		data_race(owner->inbox_bytes = bytes);	/* as above */
		return true;
	}
	data_race(owner->inbox_bytes = 0);		/* as above */
	gh_reclaim_drain(owner);
	return true;
}

/**
 * gh_remote_deliver() - hand a span with remote bits to whoever can merge them
 * @s: the caller has its token and hands it over
 *
 * Context: Any, preemption off.
 */
void gh_remote_deliver(struct gh_span *s)
{
	struct gh_cache *owner;

	for (;;) {
		/*
		 * With the token held an owner stays, unless its CPU dies: then the inbox
		 * is closed after the owner has changed. Without an owner, one may come.
		 */
		owner = READ_ONCE(s->owner);
		if (owner) {
			if (post(owner, s))
				return;
		} else if (gh_is_nested()) {
			gh_limbo_add(s);
			return;
		} else if (gh_central_merge(s) != -EXDEV) {
			return;
		}
	}
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
		gh_close((void *)s->base, s->limit);
		exits->large(s);
	} else {
		exits->small(s);
	}
	/* Last: gh_limbo_flush() waits for it, and then the heap goes. */
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
 * Whatever of a heap need not wait any more leaves. Any number of CPUs may do this at a
 * time. Other heaps' spans are not kept while the caller may be preempted: their
 * memory, and their destroyers, would wait for the caller.
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
	/* Before the list is taken: what is added after that must arm again. */
	atomic_xchg(&limbo_armed, 0);
	limbo_leave_all(llist_del_all(&limbo));
}

/**
 * gh_limbo_flush() - wait until nothing of a heap is in limbo
 * @heap: nobody frees its objects meanwhile
 *
 * Waits for the grace periods of the objects and for nothing else: not for those of
 * callbacks, nor for an irq_work, which only one may wait for at a time on some kernels.
 *
 * Context: Process context.
 */
void gh_limbo_flush(struct goheap *heap)
{
	/* Nothing of the heap is looked at after this; pairs with limbo_leave(). */
	while (atomic_long_read_acquire(&heap->limbo)) {
		limbo_sweep(heap);
		/* What is left waits for a grace period, or another CPU deals with it. */
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
 * gh_limbo_exit() - wait until nobody will look at limbo again
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
 * The callback that empties limbo is on its way. No rcu_barrier(): the caller may be
 * what a grace period waits for, a CPU that goes offline for one, and others may send
 * objects there for ever.
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

/*
 * Sets the object's remote bit. False if the object was free already.
 *
 * The freeing CPU may have been interrupted since it found the span, and the object freed
 * by another CPU meanwhile: then the bit would be that of an object of the span's next
 * life. So the span must be in the same life still, and while it is FREE all its bits are
 * set. A second look, after the bit, would tell nothing: by then another CPU may have
 * merged the bit, and let the span go, which is right.
 */
static bool set_remote(struct gh_span *s, unsigned int idx, u32 life)
{
	struct gh_word *w = gh_span_word(s, idx);

	/* Not after setting ours: the owner may have merged it by then. */
	if (READ_ONCE(w->free) & BIT(idx % BITS_PER_LONG) || !gh_span_lives_on(s, life))
		return false;
	/* Full barrier; pairs with the one in gh_span_unclaim(). */
	if (!gh_word_set_remote(w, idx))
		return false;
	gh_remote_bit_is_set();
	return true;
}

/*
 * The same for a LARGE span. It goes only when the CPU that won the bit lets it go, so
 * here the second look is worth something: the bit is taken back if it is in the next
 * life.
 */
static bool set_remote_large(struct gh_span *s, u32 life)
{
	if (!set_remote(s, 0, life))
		return false;
	if (likely(gh_span_lives_on(s, life)))
		return true;
	clear_bit(0, (unsigned long *)&s->words[0].remote);
	return false;
}

/**
 * gh_remote_tell() - a remote bit was set: see to it that somebody merges it
 * @s: a SMALL span
 * @rcu: not before a grace period is over
 *
 * Context: Any, preemption off.
 */
void gh_remote_tell(struct gh_span *s, bool rcu)
{
	/* Somebody has the token, and will merge after giving it back. */
	if (atomic_read(&s->queued) || !gh_span_claim(s))
		return;
	if (rcu)
		gh_limbo_add(s);
	else
		gh_remote_deliver(s);
}

/* Those who check memory are told before others can have the object, and of no other one. */
static bool is_to_be_told(const struct gh_span *s, unsigned int idx, u32 life)
{
	return GH_SANITIZES && gh_span_is_live(s, idx) && gh_span_lives_on(s, life);
}

/**
 * gh_remote_free() - free an object of a span that is not ours to touch
 * @s: a SMALL span
 * @idx: which object
 * @life: the span's, when the object was found
 *
 * Context: Any, preemption off.
 */
void gh_remote_free(struct gh_span *s, unsigned int idx, u32 life)
{
	void *p = gh_span_object(s, idx);

	if (is_to_be_told(s, idx, life))
		gh_sanitize_free(p, s->elemsize);
	if (unlikely(!set_remote(s, idx, life)))
		gh_misuse(GH_DOUBLE_FREE, p, s);
	else
		gh_remote_tell(s, false);
}

/**
 * gh_remote_free_rcu() - free an object after a grace period
 * @s: a SMALL span, anybody's
 * @idx: which object
 * @life: the span's, when the object was found
 *
 * Context: Any, preemption off.
 */
void gh_remote_free_rcu(struct gh_span *s, unsigned int idx, u32 life)
{
	void *p = gh_span_object(s, idx);

	gh_span_rcu_mark(s);
	if (is_to_be_told(s, idx, life))
		gh_sanitize_forget(p);
	if (unlikely(!set_remote(s, idx, life)))
		gh_misuse(GH_DOUBLE_FREE, p, s);
	else
		gh_remote_tell(s, true);
}

/**
 * gh_remote_free_large() - free a large object
 * @s: its span
 * @life: the span's, when the object was found
 * @rcu: after a grace period
 *
 * Context: Any, preemption off.
 */
void gh_remote_free_large(struct gh_span *s, u32 life, bool rcu)
{
	void *p = (void *)s->base;

	if (rcu)
		gh_span_rcu_mark(s);
	if (is_to_be_told(s, 0, life)) {
		if (rcu)
			gh_sanitize_forget(p);
		else
			gh_sanitize_free(p, s->limit);
	}
	if (unlikely(!set_remote_large(s, life))) {
		gh_misuse(GH_DOUBLE_FREE, p, s);
		return;
	}
	/*
	 * The bit was ours to set, so the span is ours to free. An object that was
	 * freed with an earlier cookie has waited, or this would be a second free.
	 */
	if (rcu || gh_is_nested()) {
		gh_limbo_add(s);
		return;
	}
	gh_heap_free_large(s);
}
