// SPDX-License-Identifier: GPL-2.0
/*
 * Telling KASAN, KMSAN, KCSAN, kmemleak and lockdep about objects; see sanitize.h. Compiled
 * without KASAN's checks: it writes KASAN's shadow.
 *
 * KASAN's own functions for slabs want a kmem_cache. A module can call kasan_poison(),
 * which is exported and in no header. The shadow values are those of
 * mm/kasan/kasan.h, because KASAN chooses the words of a report by the value.
 */

#include <linux/bitops.h>
#include <linux/debug_locks.h>
#include <linux/debugobjects.h>
#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/kcsan-checks.h>
#include <linux/kmemleak.h>
#include <linux/kmsan-checks.h>
#include <linux/slab.h>

#include "base/context.h"
#include "heap.h"
#include "hooks/sanitize.h"
#include "span.h"

#if GH_KASAN
#define GRANULE		8U

#define FREE_PAGES	0xff		/* "use-after-free" */
#define REDZONE		0xfc		/* "slab-out-of-bounds" */
#define FREED		0xfb		/* "slab-use-after-free" */

/* Whole granules. */
static void poison(const void *p, size_t bytes, u8 value)
{
	kasan_poison(p, round_up(bytes, GRANULE), value, false);
}

/* All bytes of a granule, or as many as @value says. */
static void set_granule(const void *p, u8 value)
{
	*(u8 *)kasan_mem_to_shadow(p) = value;
}

/**
 * gh_do_unpoison() - let KASAN allow access
 * @p: an object
 * @bytes: how much of it
 *
 * Context: Any.
 */
void gh_do_unpoison(const void *p, size_t bytes)
{
	poison(p, bytes, 0);
}

/**
 * gh_do_tail() - let KASAN allow access to what was asked for, and no more
 * @p: an object
 * @size: what was asked for
 * @usable: what there is
 *
 * Context: Any.
 */
void gh_do_tail(const void *p, size_t size, size_t usable)
{
	size_t whole = round_down(size, GRANULE);

	poison(p, whole, 0);
	if (size != whole) {
		/* At once: the object may be type-safe, and have readers. */
		set_granule(p + whole, size - whole);
		whole += GRANULE;
	}
	if (whole < usable)
		poison(p + whole, usable - whole, REDZONE);
}

/**
 * gh_do_poison_pages() - let KASAN allow no access to pages
 * @base: address of the first
 * @bytes: how many bytes of them
 *
 * Context: Any.
 */
void gh_do_poison_pages(unsigned long base, size_t bytes)
{
	poison((void *)base, bytes, FREE_PAGES);
}

/**
 * gh_do_tiny() - let KASAN allow access to the live objects of a tiny block
 * @block: its address
 * @steps: a bit for each of its 4 steps of 4 bytes
 *
 * A granule is two steps. Its shadow cannot say that only the second step is live:
 * in that case the first step is open as well.
 *
 * Context: Nobody else changes the block.
 */
void gh_do_tiny(unsigned long block, unsigned int steps)
{
	static const u8 values[] = { FREED, GRANULE / 2, 0, 0 };

	set_granule((void *)block, values[steps & 3]);
	set_granule((void *)block + GRANULE, values[steps >> 2 & 3]);
}

static void kasan_alloc(const void *p, size_t size, size_t usable)
{
	gh_do_tail(p, size, usable);
}

static void kasan_close(const void *p, size_t bytes)
{
	poison(p, bytes, FREED);
}
#else
static void kasan_alloc(const void *p, size_t size, size_t usable) { }
static void kasan_close(const void *p, size_t bytes) { }
#endif

/*
 * Objects that were freed in NMI, where kmemleak cannot be called. kmemleak has to forget
 * such an object before its memory is used again: otherwise kmemleak turns itself off.
 */
static atomic_long_t freed_in_nmi[1024];
static atomic_t nr_freed_in_nmi;

static void forget_later(const void *p)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(freed_in_nmi); i++) {
		if (atomic_long_cmpxchg(&freed_in_nmi[i], 0, (long)p))
			continue;
		/* After the pointer: a reader that sees the count finds the pointer. */
		atomic_inc(&nr_freed_in_nmi);
		return;
	}
}

/**
 * gh_do_forget_pending() - memory is about to be used anew
 *
 * Context: Any but NMI.
 */
void gh_do_forget_pending(void)
{
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(freed_in_nmi) && atomic_read(&nr_freed_in_nmi) > 0; i++) {
		p = (void *)atomic_long_xchg(&freed_in_nmi[i], 0);
		if (!p)
			continue;
		atomic_dec(&nr_freed_in_nmi);
		kmemleak_free(p);
	}
}

/**
 * gh_tell_leak_checker() - tell kmemleak about a new object
 * @p: the object
 * @size: what was asked for
 * @noscan: it holds no pointers
 * @gfp: the caller's
 *
 * Context: Any that @gfp allows. Where nothing can be allocated kmemleak does not
 * learn of the object, and may report as leaked what is reachable from there only.
 */
void gh_tell_leak_checker(const void *p, size_t size, bool noscan, gfp_t gfp)
{
	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) || !gh_memory_begin(gfp))
		return;
	gh_do_forget_pending();
	kmemleak_alloc(p, size, 1, gfp);
	if (noscan)
		kmemleak_no_scan(p);
	gh_memory_end(gfp);
}

/**
 * gh_tell_alloc() - an object has an owner
 * @p: the object
 * @size: what was asked for
 * @usable: what there is
 * @noscan: it holds no pointers
 * @gfp: the caller's
 *
 * Context: Any that @gfp allows.
 */
void gh_tell_alloc(void *p, size_t size, size_t usable, bool noscan, gfp_t gfp)
{
	kasan_alloc(p, size, usable);
	if (want_init_on_alloc(gfp))
		kmsan_unpoison_memory(p, size);
	else
		kmsan_poison_memory(p, size, gfp);
	gh_tell_leak_checker(p, size, noscan, gfp);
}

/**
 * gh_tell_forget() - kmemleak need not look for an object any more
 * @p: the object
 *
 * Context: Any.
 */
void gh_tell_forget(const void *p)
{
	if (gh_in_nmi())
		forget_later(p);
	else
		kmemleak_free(p);
}

#ifdef CONFIG_GOHEAP_KUNIT_TEST
static void tell_test(const void *p, size_t bytes)
{
	if (gh_test_check)
		gh_test_check(p, bytes);
}
#else
static void tell_test(const void *p, size_t bytes) { }
#endif

/* Not exported, so only for a built-in goheap. Not in NMI: interrupted code may hold its locks. */
static void check_active_objects(const void *p, size_t bytes)
{
#ifndef MODULE
	if (!gh_is_nested())
		debug_check_no_obj_freed(p, bytes);
#endif
}

/**
 * gh_do_check_freed_bytes() - is memory in use that is about to be freed?
 * @p: where it starts
 * @bytes: how much
 *
 * Context: Any; no lock of goheap and no section held.
 */
void gh_do_check_freed_bytes(const void *p, size_t bytes)
{
	tell_test(p, bytes);
	debug_check_no_locks_freed(p, bytes);
	check_active_objects(p, bytes);
}

/**
 * gh_do_poison() - nobody may touch an object
 * @p: the object
 * @bytes: how large it is
 *
 * Context: Any.
 */
void gh_do_poison(const void *p, size_t bytes)
{
	kmsan_poison_memory(p, bytes, GFP_NOWAIT);
	kasan_close(p, bytes);
}

/**
 * gh_tell_free() - an object has no owner any more
 * @p: the object
 * @usable: what there is of it
 *
 * Context: Any; nobody else can have the object yet.
 */
void gh_tell_free(const void *p, size_t usable)
{
	/* While an object is freed, no other CPU may use the object. */
	__kcsan_check_access(p, usable, KCSAN_ACCESS_WRITE | KCSAN_ACCESS_ASSERT);
	gh_sanitize_forget(p);
	gh_poison(p, usable);
}

/**
 * gh_tell_free_kept() - an object has no owner any more, and keeps its content
 * @s: a span with GH_F_KEEP
 * @p: the object
 *
 * Readers may look at a type-safe object, and other CPUs may use its lock.
 *
 * Context: Any; nobody else can have the object yet.
 */
void gh_tell_free_kept(const struct gh_span *s, const void *p)
{
	gh_sanitize_forget(p);
	if (s->heap->objects.typesafe)
		return;
	__kcsan_check_access(p, s->elemsize, KCSAN_ACCESS_WRITE | KCSAN_ACCESS_ASSERT);
	kasan_close(p, s->elemsize);
}
