// SPDX-License-Identifier: GPL-2.0
/*
 * Freeing what this CPU does not own, or cannot touch just now: by a bit in the
 * span's remote bitmap, and by telling whoever can take it over.
 */

#include <linux/sched.h>
#include <linux/string.h>

#include "base/context.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "central.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "percpu/park.h"
#include "percpu/remote.h"
#include "percpu/slot.h"
#include "span.h"
#include "spans/limbo.h"

/*
 * An inbox with so many bytes of spans is drained now and not with the next tick:
 * its owner may not allocate any more, and who frees would get new pages meanwhile.
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
	unsigned long bytes = gh_classes[gh_sc_class(s->spanclass)].span_bytes;

	if (!inbox_add(owner, s))
		return false;
	/* data_race(): two at a time may count as one; nothing but a delay comes of it. */
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
 * gh_remote_hand_over() - hand a span with remote bits to whoever can merge them
 * @s: the caller has its token and hands it over
 *
 * Context: Any, preemption off.
 */
void gh_remote_hand_over(struct gh_span *s)
{
	struct gh_cache *owner;

	for (;;) {
		/*
		 * With the token held an owner stays, unless its CPU dies: then the inbox
		 * is closed after the owner has changed. Without an owner, one may come.
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
 * gh_remote_notify() - a remote bit was set: see to it that somebody merges it
 * @s: a SMALL span
 * @rcu: not before a grace period is over
 *
 * Context: Any, preemption off.
 */
void gh_remote_notify(struct gh_span *s, bool rcu)
{
	/* Somebody has the token, and will merge after giving it back. */
	if (atomic_read(&s->claimed) || !gh_span_claim(s))
		return;
	if (rcu)
		gh_limbo_add(s);
	else
		gh_remote_hand_over(s);
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
	 * The bit was ours to set, so the span is ours to free. An object that was
	 * freed with an earlier cookie has waited, or this would be a second free.
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
 * gh_remote_close_inbox() - let nobody wait for a dead CPU
 * @cache: owns no span any more
 *
 * A free that has the token of a span, and saw this cache as its owner, puts the
 * span into the inbox before it is closed, and it is delivered here; or finds
 * the inbox closed, and looks at the owner again. So nobody has to be waited for.
 *
 * Context: Process context.
 */
void gh_remote_close_inbox(struct gh_cache *cache)
{
	struct llist_node *arrived = cache->arrived;
	/* Full barrier: who finds it closed finds the owner changed. */
	struct llist_node *node = xchg(&cache->inbox.first, GH_INBOX_CLOSED);

	WRITE_ONCE(cache->arrived, NULL);
	hand_over_all(arrived);
	if (node != GH_INBOX_CLOSED)
		hand_over_all(llist_reverse_order(node));
}
