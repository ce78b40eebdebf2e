// SPDX-License-Identifier: GPL-2.0
/*
 * Resizing: where an object is if that will do, else by a copy that has room to grow.
 */

#include <linux/error-injection.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "base/gfp.h"
#include "base/heap_page.h"
#include "base/spanclass.h"
#include "front/lookup.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/fault.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "span.h"

/* What goheap_realloc() has to know about the old object. */
struct old {
	struct goheap *heap;
	size_t size;
	bool noscan;
	bool tiny;
	bool debug;
};

/* @heap: whose the object should be, or NULL. Reports what is no live object, or another's. */
static bool look_up_old(const void *p, const struct goheap *heap, struct old *old)
{
	struct gh_ref ref;
	bool live;

	preempt_disable();
	live = gh_lookup_live(p, &ref);
	if (live && heap && ref.span->heap != heap) {
		gh_misuse(GH_WRONG_HEAP, p, ref.span);
		live = false;
	} else if (live) {
		old->heap = ref.span->heap;
		/* An object cache has objects of one size only. */
		if (old->heap->objects.size)
			old->heap = gh_default;
		old->size = gh_ref_size(&ref);
		old->noscan = gh_span_noscan(ref.span);
		old->tiny = gh_span_flags(ref.span) & GH_F_TINY;
		old->debug = gh_span_flags(ref.span) & GH_F_DEBUG;
		/* It is about to be copied, or to get more or less room. */
		if (!old->tiny)
			gh_unpoison(p, old->size);
	} else {
		gh_lookup_report(p);
	}
	preempt_enable();
	return live;
}

/* Is the object right for its new size where it is? */
static bool stays(const void *p, const struct old *old, size_t size)
{
	/* Always move in debug mode: this finds uses of pointers to the old place. */
	if (old->debug)
		return false;
	if (size >= 8 && !IS_ALIGNED((unsigned long)p, ARCH_KMALLOC_MINALIGN))
		return false;
	return size <= old->size && size > old->size / 2 &&
	       IS_ALIGNED((unsigned long)p, size & -size);
}

/* Tell the sanitizers of a new size; the object stays where it is. */
static void told(void *p, size_t size, const struct old *old, gfp_t gfp)
{
	if (!GH_SANITIZES)
		return;
	gh_sanitize_forget(p);
	if (!old->tiny)
		gh_sanitize_resize(p, size, old->size);
	gh_tell_leak_checker(p, size, old->noscan, gfp);
}

/* Above this an object gets less room to grow. */
#define ROOM_MAX	(256UL << 10)

/*
 * An object that grew will grow again: it gets as much room as kmalloc() would have
 * given, and a very large object a quarter more. At least half of the room is used.
 */
static size_t with_room(const struct old *old, size_t size)
{
	if (size <= old->size || size > GH_MAX_SIZE || old->debug)
		return size;
	if (size <= ROOM_MAX)
		return roundup_pow_of_two(size);
	return min(size + size / 4, GH_MAX_SIZE);
}

static void *alloc_new(const struct old *old, size_t size, gfp_t gfp)
{
	size_t room = with_room(old, size);
	void *p = NULL;

	/*
	 * The alignment that @size is promised; a power of two has more than enough. Nobody
	 * waits for the sake of the room.
	 */
	if (room > size)
		p = gh_alloc(old->heap, room, room > ROOM_MAX ? size & -size : 0,
			     gh_gfp_easy(gfp),
			     old->noscan, NUMA_NO_NODE);
	if (!p)
		return gh_alloc(old->heap, size, 0, gfp, old->noscan, NUMA_NO_NODE);
	/*
	 * The caller may use the room only after it asks for it. No object is tiny that has
	 * grown: it has room for 8 bytes.
	 */
	gh_sanitize_resize(p, size, round_up(room, ARCH_KMALLOC_MINALIGN));
	return p;
}

static void *resize(struct goheap *heap, const void *p, size_t size, gfp_t gfp)
{
	struct old old;
	void *new;

	p = kasan_reset_tag(p);
	if (!look_up_old(p, heap, &old))
		return NULL;
	if (stays(p, &old, size)) {
		/* so that the bytes are zero when the object grows again */
		if (want_init_on_alloc(gfp))
			memset((void *)p + size, 0, old.size - size);
		told((void *)p, size, &old, gfp);
		return (void *)p;
	}
	if (gh_should_fail(size, gfp))
		return NULL;
	new = alloc_new(&old, size, gfp);
	if (!new)
		return NULL;
	memcpy(new, p, min(size, old.size));
	goheap_free(p);
	return new;
}

void *goheap_realloc(const void *p, size_t size, gfp_t gfp)
{
	if (!size) {
		goheap_free(p);
		return ZERO_SIZE_PTR;
	}
	if (ZERO_OR_NULL_PTR(p))
		return goheap_alloc(size, gfp);
	return resize(NULL, p, size, gfp);
}
EXPORT_SYMBOL_GPL(goheap_realloc);
ALLOW_ERROR_INJECTION(goheap_realloc, NULL);

void *goheap_heap_realloc(struct goheap *heap, const void *p, size_t size, gfp_t gfp)
{
	if (!size) {
		goheap_heap_free(heap, p);
		return ZERO_SIZE_PTR;
	}
	if (ZERO_OR_NULL_PTR(p))
		return goheap_heap_alloc(heap, size, gfp, 0);
	return resize(heap ?: gh_default, p, size, gfp);
}
EXPORT_SYMBOL_GPL(goheap_heap_realloc);
ALLOW_ERROR_INJECTION(goheap_heap_realloc, NULL);

void *goheap_realloc_array(const void *p, size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(check_mul_overflow(n, size, &bytes)))
		return NULL;
	return goheap_realloc(p, bytes, gfp);
}
EXPORT_SYMBOL_GPL(goheap_realloc_array);
ALLOW_ERROR_INJECTION(goheap_realloc_array, NULL);
