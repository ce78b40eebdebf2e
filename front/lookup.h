/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From any address to an object. Preemption is off.
 */
#ifndef _GOHEAP_FRONT_LOOKUP_H
#define _GOHEAP_FRONT_LOOKUP_H

#include <linux/compiler.h>
#include <linux/types.h>

#include "hooks/sanitize.h"

/* A live object, as resolved from an address. */
struct gh_ref {
	struct gh_span *span;
	unsigned long off;		/* from the span's base */
	unsigned int idx;
	u32 life;			/* of the span */
};

bool gh_lookup(const void *p, struct gh_ref *ref);
bool gh_lookup_live(const void *p, struct gh_ref *ref);
size_t gh_ref_size(const struct gh_ref *ref);
void gh_lookup_check_free(const void *p);
void gh_lookup_report(const void *p);

/*
 * Check an address that the caller is about to free; it may be no object at all. Any context, in
 * no section: there may be a report. Not for goheap_free_rcu(): the caller may release a lock
 * in the object after that.
 */
static __always_inline void gh_check_free(const void *p)
{
	if (GH_CHECKS_FREES)
		gh_lookup_check_free(p);
}

#endif /* _GOHEAP_FRONT_LOOKUP_H */
