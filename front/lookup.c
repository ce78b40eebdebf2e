// SPDX-License-Identifier: GPL-2.0
/*
 * From any address to the object that starts there, without faulting, or to what is wrong
 * with the address. goheap_free() has its own copy of the common case.
 */

#include "base/peek.h"
#include "front/lookup.h"
#include "hooks/records.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "pages/map.h"
#include "span.h"
#include "spans/block.h"

/**
 * gh_lookup() - find the place of an object
 * @p: any address
 * @ref: the place, if there is one
 *
 * Context: Any, preemption off.
 * Return: true if an object, live or not, could start at @p.
 */
bool gh_lookup(const void *p, struct gh_ref *ref)
{
	struct gh_span *s = gh_span_of(p);
	bool starts;
	u8 flags;

	if (!s)
		return false;
	ref->span = s;
	ref->life = gh_span_life(s);
	ref->off = (unsigned long)p - s->base;
	if (ref->off >= READ_ONCE(s->limit))
		return false;
	starts = gh_span_starts(s, ref->off, &ref->idx);
	/* A span that is changing just now may give anything. */
	if (ref->idx >= READ_ONCE(s->nelems))
		return false;
	flags = gh_span_flags(s);
	if (likely(!(flags & GH_F_SPECIAL)))
		return starts;
	if (flags & GH_F_TINY)
		return gh_block_may_start(ref->off);
	return flags & GH_F_LARGE ? !ref->off : starts;
}

/**
 * gh_lookup_live() - find a live object
 * @p: any address
 * @ref: its place
 *
 * Context: Any, preemption off.
 * Return: true if a live object starts at @p.
 */
bool gh_lookup_live(const void *p, struct gh_ref *ref)
{
	if (!gh_lookup(p, ref))
		return false;
	if (gh_span_flags(ref->span) & GH_F_TINY)
		return gh_block_is_live(ref->span, ref->off);
	return gh_span_is_live(ref->span, ref->idx);
}

/**
 * gh_ref_size() - usable bytes of a live object
 * @ref: where it is
 *
 * Context: Any, preemption off.
 * Return: bytes.
 */
size_t gh_ref_size(const struct gh_ref *ref)
{
	u8 flags = gh_span_flags(ref->span);

	if (likely(!(flags & GH_F_SPECIAL)))
		return ref->span->elemsize;
	if (flags & GH_F_TINY)
		return gh_block_object_size(ref->span, ref->off);
	if (flags & GH_F_DEBUG)
		return gh_records_size(ref->span, ref->idx);
	return gh_span_object_bytes(ref->span);
}

/**
 * gh_lookup_check_free() - is an object in use that is about to be freed?
 * @p: any address
 *
 * Context: Any; no lock of goheap and no section held.
 */
void gh_lookup_check_free(const void *p)
{
	struct gh_ref ref;
	size_t size = 0;

	preempt_disable();
	if (gh_lookup_live(p, &ref))
		size = gh_ref_size(&ref);
	preempt_enable();
	if (size)
		gh_check_freed_bytes(p, size);
}

static enum gh_misuse classify_tiny(struct gh_span *s, unsigned long off)
{
	/* Inside an object that lives; or where one lived, and neighbours still do. */
	return gh_block_did_start(s, off) || gh_block_object_start(s, off) < 0 ? GH_DOUBLE_FREE :
									 GH_INTERIOR;
}

static enum gh_misuse classify(struct gh_span *s, unsigned long off)
{
	if (s->flags & GH_F_TINY)
		return classify_tiny(s, off);
	if (!(s->flags & GH_F_LARGE) &&
	    (unsigned long)gh_span_index(s, off) * s->elemsize == off)
		return GH_DOUBLE_FREE;
	return GH_INTERIOR;
}

/**
 * gh_lookup_report() - report the free of something that is no live object
 * @p: any address
 *
 * Context: Any, preemption off.
 */
void gh_lookup_report(const void *p)
{
	unsigned long addr = (unsigned long)p;
	struct gh_span *s = gh_span_of(p);

	if (s && addr - gh_peek(s->base) < READ_ONCE(s->limit))
		/* data_race(): only the words of the report depend on it, as in compose(). */
		gh_misuse(data_race(classify(s, addr - s->base)), p, s);
	else if (s && READ_ONCE(s->state) != GH_SPAN_FREE)
		gh_misuse(GH_INTERIOR, p, NULL);	/* after the last object */
	else
		gh_misuse(gh_map_owns(addr) ? GH_FREE_UNALLOCATED : GH_FOREIGN, p, NULL);
}
