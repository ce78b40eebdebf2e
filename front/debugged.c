// SPDX-License-Identifier: GPL-2.0
/*
 * Where an allocation of a debugged heap meets debug mode.
 */

#include <linux/preempt.h>

#include "front/debugged.h"
#include "front/lookup.h"
#include "hooks/debug.h"
#include "hooks/sanitize.h"
#include "percpu/remote.h"
#include "span.h"

/* Free an object that could not be recorded, as if it had never been allocated. */
static void undo(const struct gh_ref *ref)
{
	if (ref->span->flags & GH_F_LARGE)
		gh_remote_free_large(ref->span, ref->life, false);
	else
		gh_remote_free(ref->span, ref->idx, ref->life);
}

/**
 * gh_debugged_finish() - an object of a debugged heap was allocated: record and prepare it
 * @p: the object
 * @size: what was asked for
 * @usable: what there is
 * @noscan: it holds no pointers
 * @gfp: see goheap_alloc()
 * @dirty: it may hold something other than zeroes
 *
 * Context: Any that @gfp allows.
 * Return: the object; NULL, in NMI only, if nothing could be recorded: it is free again.
 */
void *gh_debugged_finish(void *p, size_t size, size_t usable, bool noscan, gfp_t gfp, bool dirty)
{
	struct gh_ref ref;
	bool done;

	preempt_disable();
	gh_lookup(p, &ref);
	done = gh_debug_alloc(ref.span, ref.idx, size, gfp, dirty);
	/* This NMI could not take the records' lock. */
	if (!done)
		undo(&ref);
	preempt_enable();
	if (!done)
		return NULL;
	/* The span of an object that is allocated stays. */
	if (GH_SANITIZES && ref.span->flags & GH_F_KEEP)
		return gh_sanitize_alloc_kept(p, size, usable, noscan, gfp);
	return gh_sanitize_alloc(p, size, usable, noscan, gfp);
}
