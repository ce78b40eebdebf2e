// SPDX-License-Identifier: GPL-2.0
/*
 * Freeing an object of a span that this CPU does not own, or cannot touch just
 * now: the freeing CPU sets a bit in the span's remote bitmap, and hands the span
 * to the CPU or the code that can merge the bit.
 */

#include <linux/sched.h>
#include <linux/string.h>

#include "base/context.h"
#include "central.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "percpu/park.h"
#include "percpu/remote.h"
#include "percpu/slot.h"
#include "span.h"
#include "spans/limbo.h"

/*
 * An inbox with so many bytes of spans is drained now and not with the next tick: the
 * owner CPU may not allocate any more, and the freeing CPU would take new pages meanwhile.
 */
#define INBOX_BYTES	(4UL << 20)

/* As llist_add(). False if the inbox is closed: the span has another owner by now. */
static bool inbox_add(struct gh_cache *owner, struct gh_span *s)
{
	struct llist_node *first = READ_ONCE(owner->inbox.first);

	do {
		if (unlikely(first == GH_INBOX_CLOSED)) {
			/* Look at the owner after this; pairs with gh_remote_close_inbox(). */
			smp_rmb();
			return false;
		}
		s->queue.next = first;
	} while (!try_cmpxchg(&owner->inbox.first, &first, &s->queue));
	return true;
}

static bool inbox_push(struct gh_cache *owner, struct gh_span *s)
{
	unsigned long bytes = s->limit;

	if (!inbox_add(owner, s))
		return false;
	/* data_race(): two CPUs at a time may count as one; that only delays a kick. */
	bytes += data_race(owner->inbox_bytes);
	if (bytes < INBOX_BYTES) {
		data_race(owner->inbox_bytes = bytes);	/* as above */
		return true;
	}
	data_race(owner->inbox_bytes = 0);		/* as above */
	gh_cache_kick(owner);
	return true;
}

/**
 * gh_remote_hand_over() - hand a span with remote bits to its inbox, or merge the bits
 * @s: the caller has its token and hands it over
 *
 * Context: Any, preemption off.
 */
void gh_remote_hand_over(struct gh_span *s)
{
	struct gh_cache *owner;

	for (;;) {
		/*
		 * While the caller has the token, an owner stays, unless its CPU dies: then
		 * first the owner changes, and after that the inbox is closed. A span
		 * without an owner may get one at any time.
		 */
		owner = READ_ONCE(s->owner);
		if (owner) {
			if (inbox_push(owner, s))
				return;
		} else if (gh_is_nested()) {
			gh_limbo_add(s);
			return;
		} else if (gh_central_merge(s) != -EXDEV) {
			return;
		}
	}
}

/*
 * Sets the object's remote bit. False if the object was free already.
 *
 * The freeing CPU may be interrupted after it found the span. Another CPU may free the same
 * object meanwhile, and the span may go: the bit would then be set on an object of the span's
 * next life. So the span must still be in the same life; while a span is FREE all its bits
 * are set. A second look at the life, after the bit is set, would tell nothing: another CPU
 * may rightly have merged the bit, and let the span go.
 */
static bool set_remote(struct gh_span *s, unsigned int idx, u32 life)
{
	struct gh_word *w = gh_span_word(s, idx);

	/* Before our bit is set: after that the owner CPU may merge the bit at any time. */
	if (READ_ONCE(w->free) & BIT(idx % BITS_PER_LONG) || !gh_span_lives_on(s, life))
		return false;
	/* Full barrier; pairs with the one in gh_span_unclaim(). */
	if (!gh_word_set_remote(w, idx))
		return false;
	gh_remote_bit_is_set();
	return true;
}

/*
 * The same for a LARGE span. Only the CPU that won the bit lets the span go. So a second look
 * tells something here: if the span is in its next life, the bit is taken back.
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
 * gh_remote_notify() - a remote bit was set: have the bit merged
 * @s: a SMALL span
 * @rcu: the merge has to wait for a grace period
 *
 * Context: Any, preemption off.
 */
void gh_remote_notify(struct gh_span *s, bool rcu)
{
	/* If another CPU has the token, that CPU merges after giving the token back. */
	if (atomic_read(&s->claimed) || !gh_span_claim(s))
		return;
	if (rcu)
		gh_limbo_add(s);
	else
		gh_remote_hand_over(s);
}

/* Tell the sanitizers before another CPU can get the object, and only of a live object. */
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
		gh_sanitize_free_small(s, p);
	if (unlikely(!set_remote(s, idx, life)))
		gh_misuse(GH_DOUBLE_FREE, p, s);
	else
		gh_remote_notify(s, false);
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
		gh_remote_notify(s, true);
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
	 * This CPU has set the bit, so this CPU frees the span. No grace period of an earlier
	 * goheap_free_rcu() is pending: such a free would have set the bit.
	 */
	if (rcu || gh_is_nested()) {
		gh_limbo_add(s);
		return;
	}
	gh_park_free_large(s);
}

static void hand_over_all(struct llist_node *list)
{
	struct gh_span *s, *next;

	llist_for_each_entry_safe(s, next, list, queue) {
		preempt_disable();
		gh_remote_hand_over(s);
		preempt_enable();
		cond_resched();
	}
}

/**
 * gh_remote_close_inbox() - close the inbox of a dead CPU, and hand over its spans
 * @cache: owns no span any more
 *
 * A freeing CPU may have the token of a span, and have seen this cache as the owner. If
 * that CPU puts the span into the inbox before the xchg(), the span is handed over here.
 * After the xchg(), that CPU finds the inbox closed, and reads the owner again.
 *
 * Context: Process context.
 */
void gh_remote_close_inbox(struct gh_cache *cache)
{
	struct llist_node *arrived = cache->arrived;
	/* Full barrier: a CPU that sees the inbox closed sees the owner changed. */
	struct llist_node *node = xchg(&cache->inbox.first, GH_INBOX_CLOSED);

	WRITE_ONCE(cache->arrived, NULL);
	hand_over_all(arrived);
	if (node != GH_INBOX_CLOSED)
		hand_over_all(llist_reverse_order(node));
}
