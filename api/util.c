// SPDX-License-Identifier: GPL-2.0
/*
 * What is built from allocation and free: arrays, alignment, memory of any length, and
 * questions about objects.
 */

#include <linux/error-injection.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "base/gfp.h"
#include "base/heap_page.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "front/lookup.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/fault.h"
#include "hooks/sanitize.h"
#include "pages/map.h"
#include "span.h"
#include "spans/block.h"

size_t goheap_max_size(void)
{
	return GH_MAX_SIZE;
}
EXPORT_SYMBOL_GPL(goheap_max_size);

/* ---- arrays, alignment ------------------------------------------------------------------ */

void *goheap_heap_zalloc(struct goheap *heap, size_t size, gfp_t gfp, unsigned int flags)
{
	return goheap_heap_alloc(heap, size, gfp | __GFP_ZERO, flags);
}
EXPORT_SYMBOL_GPL(goheap_heap_zalloc);
ALLOW_ERROR_INJECTION(goheap_heap_zalloc, NULL);

void *goheap_heap_alloc_aligned(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				unsigned int flags)
{
	if (WARN_ON_ONCE(!is_power_of_2(align)) || gh_flags_are_bad(flags))
		return NULL;
	if (gh_should_fail(size, gfp))
		return NULL;
	return gh_alloc(heap ?: gh_default, size, align, gfp, flags & GOHEAP_NOSCAN, NUMA_NO_NODE);
}
EXPORT_SYMBOL_GPL(goheap_heap_alloc_aligned);
ALLOW_ERROR_INJECTION(goheap_heap_alloc_aligned, NULL);

void *goheap_alloc_aligned(size_t size, size_t align, gfp_t gfp)
{
	return goheap_heap_alloc_aligned(gh_default, size, align, gfp, 0);
}
EXPORT_SYMBOL_GPL(goheap_alloc_aligned);
ALLOW_ERROR_INJECTION(goheap_alloc_aligned, NULL);

void *goheap_heap_alloc_array(struct goheap *heap, size_t n, size_t size, gfp_t gfp,
			      unsigned int flags)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return goheap_heap_alloc(heap, bytes, gfp, flags);
}
EXPORT_SYMBOL_GPL(goheap_heap_alloc_array);
ALLOW_ERROR_INJECTION(goheap_heap_alloc_array, NULL);

void *goheap_alloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return goheap_alloc(bytes, gfp);
}
EXPORT_SYMBOL_GPL(goheap_alloc_array);
ALLOW_ERROR_INJECTION(goheap_alloc_array, NULL);

void *goheap_heap_calloc(struct goheap *heap, size_t n, size_t size, gfp_t gfp,
			 unsigned int flags)
{
	return goheap_heap_alloc_array(heap, n, size, gfp | __GFP_ZERO, flags);
}
EXPORT_SYMBOL_GPL(goheap_heap_calloc);
ALLOW_ERROR_INJECTION(goheap_heap_calloc, NULL);

void *goheap_calloc(size_t n, size_t size, gfp_t gfp)
{
	return goheap_alloc_array(n, size, gfp | __GFP_ZERO);
}
EXPORT_SYMBOL_GPL(goheap_calloc);
ALLOW_ERROR_INJECTION(goheap_calloc, NULL);

void *goheap_alloc_array_node(size_t n, size_t size, gfp_t gfp, int nid)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return goheap_alloc_node(bytes, gfp, nid);
}
EXPORT_SYMBOL_GPL(goheap_alloc_array_node);
ALLOW_ERROR_INJECTION(goheap_alloc_array_node, NULL);

void *goheap_calloc_node(size_t n, size_t size, gfp_t gfp, int nid)
{
	return goheap_alloc_array_node(n, size, gfp | __GFP_ZERO, nid);
}
EXPORT_SYMBOL_GPL(goheap_calloc_node);
ALLOW_ERROR_INJECTION(goheap_calloc_node, NULL);

/* ---- pages, or vmalloc() ---------------------------------------------------------------- */

void goheap_free_sensitive(const void *p)
{
	size_t size = goheap_size(p);

	if (size)
		memzero_explicit((void *)p, size);
	goheap_free(p);
}
EXPORT_SYMBOL_GPL(goheap_free_sensitive);

void *goheap_kvalloc(size_t size, gfp_t gfp)
{
	void *p = NULL;

	if (size <= PAGE_SIZE)
		return goheap_alloc(size, gfp);
	/* As kvmalloc(): pages side by side if these are easily had. */
	if (size <= GH_MAX_SIZE)
		p = goheap_alloc(size, gh_gfp_of_kv(gfp));
	if (p || !gfpflags_allow_blocking(gfp) || gfp & GH_GFP_REFUSED)
		return p;
	if (unlikely(size > INT_MAX)) {
		WARN_ON_ONCE(!(gfp & __GFP_NOWARN));
		return NULL;
	}
	return __vmalloc(size, gh_gfp_of_kv_vmalloc(gfp));
}
EXPORT_SYMBOL_GPL(goheap_kvalloc);
ALLOW_ERROR_INJECTION(goheap_kvalloc, NULL);

void goheap_kvfree(const void *p)
{
	if (is_vmalloc_addr(p))
		vfree(p);
	else
		goheap_free(p);
}
EXPORT_SYMBOL_GPL(goheap_kvfree);

/* ---- questions -------------------------------------------------------------------------- */

size_t goheap_size_roundup(size_t size)
{
	if (!size || size > GH_MAX_SIZE)
		return size;
	if (gh_default->debug)
		return size;
	if (size > GH_SMALL_MAX)
		return ALIGN(size, GH_PAGE_SIZE);
	return gh_classes[gh_size_class(size)].size;
}
EXPORT_SYMBOL_GPL(goheap_size_roundup);

bool goheap_owns(const void *addr)
{
	bool owns;

	addr = kasan_reset_tag(addr);
	preempt_disable();
	owns = gh_map_owns((unsigned long)addr);
	preempt_enable();
	return owns;
}
EXPORT_SYMBOL_GPL(goheap_owns);

size_t goheap_size(const void *p)
{
	struct gh_ref ref;
	size_t size = 0;

	if (ZERO_OR_NULL_PTR(p))
		return 0;
	p = kasan_reset_tag(p);
	preempt_disable();
	if (gh_lookup_live(p, &ref)) {
		size = gh_ref_size(&ref);
		/* The caller may use all of this size; a tiny object is all open anyway. */
		if (!(gh_span_flags(ref.span) & GH_F_TINY))
			gh_unpoison(p, size);
	}
	preempt_enable();
	return size;
}
EXPORT_SYMBOL_GPL(goheap_size);

static void *base_of(struct gh_span *s, unsigned long off)
{
	unsigned int idx = gh_span_index(s, off);
	long start;

	if (gh_span_flags(s) & GH_F_TINY) {
		start = gh_block_object_start(s, off);
		return start < 0 ? NULL : (void *)(s->base + start);
	}
	/* A span that is changing just now may give anything. */
	if (idx >= READ_ONCE(s->nelems))
		return NULL;
	return gh_span_is_live(s, idx) ? gh_span_object(s, idx) : NULL;
}

void *goheap_base(const void *addr)
{
	struct gh_span *s;
	unsigned long off;
	void *base = NULL;

	addr = kasan_reset_tag(addr);
	preempt_disable();
	s = gh_span_of(addr);
	if (s) {
		off = (unsigned long)addr - s->base;
		if (off < READ_ONCE(s->limit))
			base = base_of(s, off);
	}
	preempt_enable();
	return base;
}
EXPORT_SYMBOL_GPL(goheap_base);
