// SPDX-License-Identifier: GPL-2.0
/*
 * Merging the remote frees of a span: remote bits become free bits, and the sanitizers and
 * debug mode are told of the freed objects. The caller owns the span or holds its central
 * list's lock.
 */

#include <linux/bitmap.h>
#include <linux/mm.h>

#include "hooks/debug.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "span.h"
#include "spans/block.h"
#include "spans/merge.h"

/* Freeing CPUs have told kmemleak already, unless they were in NMI. */
static void forget_objects(struct gh_span *s, unsigned int word, unsigned long bits)
{
	unsigned long bit;

	for_each_set_bit(bit, &bits, BITS_PER_LONG)
		gh_sanitize_forget(gh_span_object(s, word * BITS_PER_LONG + bit));
}

/* goheap_free_rcu() does not clear or poison the object: readers may still look at it. */
static void wipe_objects(struct gh_span *s, unsigned int word, unsigned long bits)
{
	unsigned long bit;
	void *p;

	for_each_set_bit(bit, &bits, BITS_PER_LONG) {
		p = gh_span_object(s, word * BITS_PER_LONG + bit);
		if (s->flags & GH_F_KEEP) {
			gh_sanitize_free_small(s, p);
			continue;
		}
		if (want_init_on_free())
			gh_clear(p, s->elemsize);
		gh_poison(p, s->elemsize);
	}
}

static void report_twice(struct gh_span *s, unsigned int word, unsigned long bits)
{
	unsigned long bit;

	for_each_set_bit(bit, &bits, BITS_PER_LONG)
		gh_misuse_later(GH_DOUBLE_FREE, gh_span_object(s, word * BITS_PER_LONG + bit), s);
}

static unsigned int merge_word(struct gh_span *s, unsigned int i, unsigned long remote)
{
	struct gh_word *w = &s->words[i];
	unsigned long twice = remote & w->free;

	/* The owner CPU and another CPU freed the object at the same time. */
	if (unlikely(twice))
		report_twice(s, i, twice);
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		forget_objects(s, i, remote & ~twice);
	if (unlikely(s->flags & GH_F_DEBUG))
		gh_debug_merged(s, i, remote & ~twice);
	else if (READ_ONCE(s->rcu_used) && (GH_POISONS || want_init_on_free()))
		wipe_objects(s, i, remote & ~twice);
	/*
	 * Set the free bits first, then clear the remote bits, so that a second free of
	 * the object finds one of the two. The full barrier orders both. It also orders
	 * the freeing CPU's accesses to the object before those of the next user.
	 */
	WRITE_ONCE(w->free, w->free | remote);
	atomic_long_fetch_andnot(remote, &w->remote);
	return hweight_long(remote & ~twice);
}

/**
 * gh_span_merge() - take over what was freed remotely
 * @s: a SMALL span
 *
 * Context: The owner's section, or the central lock.
 * Return: how many objects became free, or -EAGAIN if some have to wait for an
 * RCU grace period; the caller has to arrange for another merge.
 */
int gh_span_merge(struct gh_span *s)
{
	unsigned int i, merged = 0;
	unsigned long remote;
	bool again = false;
	int ret = 0;

	for (i = 0; i < gh_span_nwords(s); i++) {
		/* A late free may have set an invalid bit: that of an earlier life. */
		remote = atomic_long_read(&s->words[i].remote) & gh_span_valid_bits(s, i);
		if (!remote)
			continue;
		if (gh_span_rcu_pending(s)) {
			ret = -EAGAIN;
			break;
		}
		merged += s->flags & GH_F_TINY ? gh_block_merge(s, i, remote, &again) :
						 merge_word(s, i, remote);
	}
	if (again)
		ret = -EAGAIN;
	return ret ?: merged;
}
