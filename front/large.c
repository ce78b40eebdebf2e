// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects: each has a span to itself.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/string.h>

#include "base/context.h"
#include "base/gfp.h"
#include "base/heap_page.h"
#include "front/debugged.h"
#include "front/large.h"
#include "front/limit.h"
#include "goheap.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/sanitize.h"
#include "percpu/park.h"
#include "span.h"
#include "spans/alloc.h"

/**
 * gh_large_refuse() - say why an allocation is impossible
 * @size: how many bytes
 * @gfp: the caller's
 *
 * Context: Any.
 * Return: NULL.
 */
noinline void *gh_large_refuse(size_t size, gfp_t gfp)
{
	if (gfp & GH_GFP_REFUSED)
		pr_warn_once("zones cannot be chosen: gfp %pGg refused\n", &gfp);
	else if (!(gfp & __GFP_NOWARN))
		pr_warn_once("%zu bytes are more than goheap_max_size()\n", size);
	return NULL;
}

static struct gh_span *new_large(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				 bool noscan, int nid, bool *zero)
{
	unsigned int pages_align = max_t(size_t, align >> GH_PAGE_SHIFT, 1);
	unsigned int npages = DIV_ROUND_UP(size, GH_PAGE_SIZE);
	struct gh_room room = {};
	struct gh_span *s = NULL;

	if (nid == NUMA_NO_NODE)
		s = gh_park_take(heap, npages, pages_align, noscan);
	if (s)
		return s;
	do {
		s = gh_spans_new_large(heap, npages, pages_align, gfp, noscan, nid, zero);
	} while (s == ERR_PTR(-EDQUOT) && gh_limit_make_room(heap, gfp, &room));
	return IS_ERR(s) ? NULL : s;
}

/**
 * gh_large_alloc() - allocate an object with a span of its own
 * @heap: where
 * @size: how many bytes
 * @align: alignment in bytes, a power of two
 * @gfp: see goheap_alloc()
 * @noscan: the object holds no pointers
 * @nid: the node, or NUMA_NO_NODE
 *
 * Context: Any that @gfp allows.
 * Return: the object, or NULL.
 */
void *gh_large_alloc(struct goheap *heap, size_t size, size_t align, gfp_t gfp, bool noscan,
		     int nid)
{
	bool zero = want_init_on_alloc(gfp);
	struct gh_span *s;

	if (unlikely(size > GH_MAX_SIZE || align > GH_MAX_SIZE))
		return gh_large_refuse(size, gfp);
	gh_yield(gfp);
	do {
		s = new_large(heap, gh_debug_room(heap, size, 0), align, gfp, noscan, nid, &zero);
	} while (!s && gh_nofail_retry(gfp));
	if (!s)
		return NULL;
	if (unlikely(heap->debug))
		return gh_debugged_finish((void *)s->base, size, s->limit, noscan, gfp, zero);
	if (zero)
		gh_clear((void *)s->base, s->limit);
	return gh_sanitize_alloc((void *)s->base, size, s->limit, noscan, gfp);
}
