// SPDX-License-Identifier: GPL-2.0
/*
 * What debug mode knows of the objects of a span: a record for each.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kmemleak.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "base/compat.h"
#include "base/context.h"
#include "base/gfp.h"
#include "base/peek.h"
#include "goheap.h"
#include "heap.h"
#include "hooks/records.h"
#include "hooks/sanitize.h"
#include "hooks/track.h"
#include "span.h"

static atomic_long_t bytes;

static size_t records_bytes(unsigned int nr)
{
	return sizeof(struct gh_records) + nr * sizeof(struct gh_record);
}

/**
 * gh_records_new() - make the records of a new span
 * @heap: whose the span will be
 * @nr: how many objects
 * @gfp: see goheap_alloc()
 *
 * Context: Any that @gfp allows.
 * Return: the records; NULL if there is no memory; ERR_PTR(-ENOENT) if the heap is
 * not debugged.
 */
struct gh_records *gh_records_new(const struct goheap *heap, unsigned int nr, gfp_t gfp)
{
	struct gh_records *r;

	if (!heap->debug)
		return ERR_PTR(-ENOENT);
	if (!gh_memory_begin(gfp))
		return NULL;
	r = kzalloc(records_bytes(nr), gh_gfp_of_metadata(gfp));
	gh_memory_end(gfp);
	if (!r)
		return NULL;
	kmemleak_ignore(r);	/* only the span knows it, where kmemleak does not look */
	raw_spin_lock_init(&r->lock);
	r->flags = heap->debug;
	r->nr = nr;
	atomic_long_add(records_bytes(nr), &bytes);
	return r;
}

/**
 * gh_records_of() - the records of an object
 * @s: a span that may be going just now
 * @idx: which object
 *
 * Context: Any, preemption off.
 * Return: the records, or NULL if the span has none of that object.
 */
struct gh_records *gh_records_of(const struct gh_span *s, unsigned int idx)
{
	struct gh_records *r = READ_ONCE(s->records);

	return r && idx < r->nr ? r : NULL;
}

static void free_records(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct gh_records, rcu));
}

/**
 * gh_records_drop() - let go of records
 * @r: from gh_records_new()
 *
 * Context: Any but NMI.
 */
void gh_records_drop(struct gh_records *r)
{
	unsigned long flags;

	if (IS_ERR_OR_NULL(r))
		return;
	gh_lock(&r->lock, flags);
	r->gone = true;
	gh_unlock(&r->lock, flags);
	atomic_long_sub(records_bytes(r->nr), &bytes);
	gh_call_rcu(&r->rcu, free_records);
}

/**
 * gh_records_bytes() - bookkeeping overhead
 *
 * Context: Any.
 * Return: bytes of all records.
 */
unsigned long gh_records_bytes(void)
{
	return atomic_long_read(&bytes);
}

/**
 * gh_records_bytes_of() - bookkeeping overhead of a span
 * @s: any span
 *
 * Context: RCU read side.
 * Return: bytes of its records.
 */
unsigned long gh_records_bytes_of(const struct gh_span *s)
{
	const struct gh_records *r = READ_ONCE(s->records);

	return r ? records_bytes(r->nr) : 0;
}

static bool copy_facts(const struct gh_record *record, struct gh_facts *facts)
{
	facts->size = record->size;
	facts->alloc = record->alloc;
	facts->freed = record->freed;
	return record->state != GH_RECORD_NEVER;
}

/**
 * gh_records_learn() - what is known about an object
 * @s: a span of any heap
 * @p: an address in it
 * @facts: the answer, to be printed when that is possible
 *
 * Context: Any, preemption off.
 */
void gh_records_learn(const struct gh_span *s, const void *p, struct gh_facts *facts)
{
	unsigned int idx = gh_span_index(s, (unsigned long)p - s->base);
	const struct gh_records *r = gh_records_of(s, idx);

	/*
	 * data_race(): if the object changes hands just now, the facts mix both owners.
	 * No lock here: the caller may hold it. The misuse happened long before.
	 */
	facts->known = r && data_race(copy_facts(&r->of[idx], facts));
}

/**
 * gh_records_explain() - print what is known about an object
 * @facts: from gh_records_learn()
 *
 * Context: Any; no lock and no section held.
 */
void gh_records_explain(const struct gh_facts *facts)
{
	if (!facts->known)
		return;
	pr_err("  %u bytes were asked for\n", facts->size);
	gh_track_print("allocated", &facts->alloc);
	gh_track_print("freed", &facts->freed);
}

/**
 * gh_records_size() - what was asked for
 * @s: a span of a debugged heap
 * @idx: a live object in it
 *
 * Context: Any, preemption off.
 * Return: bytes.
 */
size_t gh_records_size(const struct gh_span *s, unsigned int idx)
{
	const struct gh_records *r = gh_records_of(s, idx);

	return r ? gh_peek(r->of[idx].size) : 0;
}

/**
 * gh_records_leaks() - print who allocated what is left in a span
 * @s: a span of any heap
 * @max: how many objects at most; less those that were printed
 *
 * Context: Any, preemption off.
 */
void gh_records_leaks(const struct gh_span *s, unsigned int *max)
{
	const struct gh_records *r = s->records;
	struct gh_facts facts;
	unsigned int idx;

	if (!r || !(r->flags & GOHEAP_TRACK))
		return;
	for (idx = 0; idx < r->nr && *max; idx++) {
		if (r->of[idx].state != GH_RECORD_LIVE)
			continue;
		pr_err("leaked: %p\n", gh_span_object(s, idx));
		gh_records_learn(s, gh_span_object(s, idx), &facts);
		gh_records_explain(&facts);
		--*max;
	}
}
