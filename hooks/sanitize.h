/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What KASAN, KMSAN, KCSAN, kmemleak, lockdep and debugobjects are told, so that they see
 * in goheap's objects what they see in kmalloc()'s. All of it is nothing on kernels
 * without them.
 *
 * Before goheap itself writes to an object, it opens the object. The sanitizers are told
 * of an allocation before the caller gets the object, and of a free before another CPU
 * can get it. Free memory is closed: KASAN reports every access.
 */
#ifndef _GOHEAP_SANITIZE_H
#define _GOHEAP_SANITIZE_H

#include <linux/kconfig.h>
#include <linux/string.h>
#include <linux/types.h>

#include "base/spanclass.h"
#include "heap.h"
#include "span.h"

#define GH_KASAN	IS_ENABLED(CONFIG_KASAN_GENERIC)
#define GH_POISONS	(GH_KASAN || IS_ENABLED(CONFIG_KMSAN))
#define GH_SANITIZES	(GH_POISONS || IS_ENABLED(CONFIG_KCSAN) || \
			 IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))

/*
 * Two checks of memory that is freed. lockdep: does the caller hold a lock in the memory?
 * debugobjects: is there an active object in the memory? The latter is not exported.
 */
#if !defined(MODULE) && IS_ENABLED(CONFIG_DEBUG_OBJECTS_FREE)
#define GH_CHECKS_FREES	1
#else
#define GH_CHECKS_FREES	IS_ENABLED(CONFIG_LOCKDEP)
#endif

/* sanitize.c */
#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern void (*gh_test_check)(const void *p, size_t bytes);
#endif
void gh_do_check_freed_bytes(const void *p, size_t bytes);
void gh_tell_alloc(void *p, size_t size, size_t usable, bool noscan, gfp_t gfp);
void gh_tell_leak_checker(const void *p, size_t size, bool noscan, gfp_t gfp);
void gh_tell_free(const void *p, size_t usable);
void gh_tell_free_kept(const struct gh_span *s, const void *p);
void gh_tell_forget(const void *p);
void gh_do_forget_pending(void);
void gh_do_unpoison(const void *p, size_t bytes);
void gh_do_poison(const void *p, size_t bytes);
void gh_do_tail(const void *p, size_t size, size_t usable);
void gh_do_poison_pages(unsigned long base, size_t bytes);
void gh_do_tiny(unsigned long block, unsigned int steps);

/*
 * Allocated: @size of @usable bytes are its owner's. Where @gfp may be used, since
 * kmemleak allocates.
 */
static __always_inline void *gh_sanitize_alloc(void *p, size_t size, size_t usable, bool noscan,
					       gfp_t gfp)
{
	if (GH_SANITIZES)
		gh_tell_alloc(p, size, usable, noscan, gfp);
	return p;
}

/* The same for an object that was constructed before: its bytes mean something already. */
static __always_inline void *gh_sanitize_alloc_kept(void *p, size_t size, size_t usable,
						    bool noscan, gfp_t gfp)
{
	if (GH_KASAN)
		gh_do_tail(p, size, usable);
	if (GH_SANITIZES)
		gh_tell_leak_checker(p, size, noscan, gfp);
	return p;
}

/* These bytes are about to be freed. Any context, no lock and no section: there may be a report. */
static __always_inline void gh_check_freed_bytes(const void *p, size_t bytes)
{
	if (GH_CHECKS_FREES)
		gh_do_check_freed_bytes(p, bytes);
}

/* Freed: nobody but the caller can have it yet. Any context. */
static __always_inline void gh_sanitize_free(const void *p, size_t usable)
{
	if (GH_SANITIZES)
		gh_tell_free(p, usable);
}

/* The same for a small object; the free objects of some heaps keep their content. */
static __always_inline void gh_sanitize_free_small(const struct gh_span *s, const void *p)
{
	if (!GH_SANITIZES)
		return;
	if (unlikely(gh_span_flags(s) & GH_F_KEEP))
		gh_tell_free_kept(s, p);
	else
		gh_tell_free(p, s->elemsize);
}

/* Freed, but readers may look at it for a grace period. Any context. */
static __always_inline void gh_sanitize_forget(const void *p)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		gh_tell_forget(p);
}

/* Pages are about to go back to the kernel. Any context but NMI. */
static __always_inline void gh_sanitize_forget_pending(void)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		gh_do_forget_pending();
}

/* goheap is about to touch all of an object. */
static __always_inline void gh_unpoison(const void *p, size_t bytes)
{
	if (GH_KASAN)
		gh_do_unpoison(p, bytes);
}

/* An object that gh_sanitize_forget() was told about: its readers have gone. */
static __always_inline void gh_poison(const void *p, size_t bytes)
{
	if (GH_POISONS)
		gh_do_poison(p, bytes);
}

/* The owner's part of an object has another size. */
static __always_inline void gh_sanitize_resize(const void *p, size_t size, size_t usable)
{
	if (GH_KASAN)
		gh_do_tail(p, size, usable);
}

/* Pages with no object, or no live object, in them. */
static __always_inline void gh_poison_pages(unsigned long base, size_t bytes)
{
	if (GH_KASAN)
		gh_do_poison_pages(base, bytes);
}

/* Tell which 4-byte steps of a tiny block belong to live objects. */
static __always_inline void gh_sanitize_tiny(unsigned long block, unsigned int steps)
{
	if (GH_KASAN)
		gh_do_tiny(block, steps);
}

/* memset() of an object that may be closed. */
static __always_inline void *gh_clear(void *p, size_t bytes)
{
	gh_unpoison(p, bytes);
	return memset(p, 0, bytes);
}

/* An object of the class, of which @size bytes were asked for, is its owner's now. */
static __always_inline void *gh_post_alloc(void *p, size_t size, unsigned int sc, gfp_t gfp)
{
	return gh_sanitize_alloc(p, size, gh_sc_bytes(sc), gh_sc_noscan(sc), gfp);
}

/* The same for an object of an object cache. */
static __always_inline void *gh_post_alloc_object(const struct gh_objects *o, void *p, gfp_t gfp)
{
	if (GH_SANITIZES && o->keep)
		return gh_sanitize_alloc_kept(p, o->size, o->class.size, o->noscan, gfp);
	return gh_sanitize_alloc(p, o->size, o->class.size, o->noscan, gfp);
}

#endif /* _GOHEAP_SANITIZE_H */
