// SPDX-License-Identifier: GPL-2.0
/*
 * From any address to the object that starts there, without faulting.
 * goheap_free() has its own copy of the common case; see internal.h.
 */

#include "internal.h"

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
		return gh_debug_size(ref->span, ref->idx);
	return gh_span_object_bytes(ref->span);
}
