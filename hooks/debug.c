// SPDX-License-Identifier: GPL-2.0
/*
 * Debug mode: what SLUB does with slab_debug, for heaps that are created with
 * GOHEAP_POISON, GOHEAP_REDZONE and GOHEAP_TRACK or that goheap.debug= names.
 *
 * An object of such a heap has a record, which is not in the span (records.c). The bytes
 * that were not asked for are a red zone; free objects are poisoned. An overflow, or a
 * write after free, is found when the object is freed or allocated the next time, when
 * its span goes, and by the validator.
 *
 * These heaps have no caches: every allocation is served by the central lists,
 * every free is a remote one. So debug mode costs the fast paths nothing. A record
 * is guarded by the lock of its span's records, inside of the central lock.
 *
 * Not compiled with KASAN's checks: this file looks at bytes that no object owns.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/kasan.h>
#include <linux/module.h>
#include <linux/poison.h>
#include <linux/string.h>

#include "base/context.h"
#include "base/heap_page.h"
#include "goheap.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/records.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "hooks/track.h"
#include "span.h"

/* The shortest red zone; longer if the size class leaves more room. */
#define RED_BYTES	8
#define RED		SLUB_RED_ACTIVE

/* ---- which heaps -------------------------------------------------------------------- */

static char *debug;
module_param(debug, charp, 0444);
MODULE_PARM_DESC(debug, "debug heaps, as slab_debug: letters P (poison), Z (red zones), U (track users), F (nothing, checks are always on), then the names of heaps, all if none; several of these, separated by ;");

static int letter_flag(char letter)
{
	switch (toupper(letter)) {
	case 'F':
	case '-':
		return 0;
	case 'P':
		return GOHEAP_POISON;
	case 'Z':
		return GOHEAP_REDZONE;
	case 'U':
		return GOHEAP_TRACK;
	default:
		return -EINVAL;
	}
}

/* A block is letters and names, separated by commas. Does it name @heap? @all: it has no names. */
static bool block_names(const char *block, size_t len, const char *heap, bool *all)
{
	const char *end = block + len, *name = memchr(block, ',', len);
	size_t n;

	*all = !name;
	while (name) {
		name++;
		n = strcspn(name, ",;");
		if (n == strlen(heap) && !strncmp(name, heap, n))
			return true;
		name = name + n < end ? name + n : NULL;
	}
	return false;
}

static int block_flags(const char *block, size_t len)
{
	int flags = 0, flag;
	size_t i;

	for (i = 0; i < len && block[i] != ','; i++) {
		flag = letter_flag(block[i]);
		if (flag < 0)
			return flag;
		flags |= flag;
	}
	return i ? flags : -EINVAL;
}

/**
 * gh_debug_parse() - what a goheap.debug= says about a heap
 * @text: the parameter, or NULL
 * @heap: the heap's name
 *
 * A block that names the heap counts more than one that names none.
 *
 * Context: Any.
 * Return: GOHEAP_POISON, GOHEAP_REDZONE and GOHEAP_TRACK, or -EINVAL if the text
 * has a letter that means nothing.
 */
int gh_debug_parse(const char *text, const char *heap)
{
	int flags, everybody = 0, named = -1;
	bool all;
	size_t len;

	for (; text && *text; text += len + !!text[len]) {
		len = strcspn(text, ";");
		flags = block_flags(text, len);
		if (flags < 0)
			return flags;
		if (block_names(text, len, heap, &all))
			named = flags;
		else if (all)
			everybody = flags;
	}
	return named < 0 ? everybody : named;
}

/**
 * gh_debug_init() - refuse a parameter that makes no sense
 *
 * Context: Process context, module init.
 * Return: 0 or -EINVAL.
 */
int gh_debug_init(void)
{
	if (gh_debug_parse(debug, "") >= 0)
		return 0;
	pr_err("debug=%s: what is before the first comma may be letters of F, P, U, Z\n", debug);
	return -EINVAL;
}

/**
 * gh_debug_flags() - how a new heap is debugged
 * @name: the heap's
 *
 * Context: Process context.
 * Return: GOHEAP_POISON, GOHEAP_REDZONE and GOHEAP_TRACK as goheap.debug= says.
 */
unsigned int gh_debug_flags(const char *name)
{
	return max(gh_debug_parse(debug, name), 0);
}

/**
 * gh_debug_room_for() - how large an object has to be, but for its alignment
 * @size: what was asked for
 * @flags: GOHEAP_REDZONE and others
 *
 * Context: Any.
 * Return: @size, with a red zone if the flags say so.
 */
size_t gh_debug_room_for(size_t size, unsigned int flags)
{
	return flags & GOHEAP_REDZONE ? size + RED_BYTES : size;
}

/**
 * gh_debug_room() - how large an object has to be
 * @heap: in which heap
 * @size: what was asked for
 * @align: a wider alignment than that of @size, a power of two, or 0
 *
 * Context: Any.
 * Return: @size, with a red zone if the heap has them, and a multiple of what @size and
 * @align say about the alignment.
 */
size_t gh_debug_room(const struct goheap *heap, size_t size, size_t align)
{
	size_t room = gh_debug_room_for(size, heap->debug);

	room = ALIGN(room, max(align, size & -size));
	return room <= GH_MAX_SIZE ? room : size;
}

/* ---- bytes that are nobody's --------------------------------------------------------- */

/* Find the first byte in [from, to) that is not @value. False if there is none. */
static bool find_damage(const u8 *p, size_t from, size_t to, u8 value, struct gh_damage *damage)
{
	const u8 *bad;

	if (from >= to)
		return false;
	/* The kernel's memchr_inv() is compiled with KASAN's checks. */
	kasan_disable_current();
	bad = memchr_inv(p + from, value, to - from);
	kasan_enable_current();
	if (!bad)
		return false;
	damage->offset = bad - p;
	damage->nr = min_t(size_t, to - damage->offset, sizeof(damage->bytes));
	memcpy(damage->bytes, bad, damage->nr);
	return true;
}

static void poison(u8 *p, size_t usable)
{
	memset(p, POISON_FREE, usable - 1);
	p[usable - 1] = POISON_END;
}

static bool poison_is_damaged(const u8 *p, size_t usable, struct gh_damage *damage)
{
	return find_damage(p, 0, usable - 1, POISON_FREE, damage) ||
	       find_damage(p, usable - 1, usable, POISON_END, damage);
}

/* Look for damage, and mend the bytes, so that each damage is reported once. */
static bool is_damaged(struct gh_records *r, struct gh_record *record, u8 *p, size_t usable,
		       struct gh_damage *damage)
{
	lockdep_assert_held(&r->lock);
	if (record->state == GH_RECORD_LIVE && r->flags & GOHEAP_REDZONE &&
	    find_damage(p, record->size, usable, RED, damage)) {
		damage->what = GH_OVERFLOW;
		memset(p + record->size, RED, usable - record->size);
		return true;
	}
	if (record->state == GH_RECORD_FREE && r->flags & GOHEAP_POISON &&
	    poison_is_damaged(p, usable, damage)) {
		damage->what = GH_USE_AFTER_FREE;
		poison(p, usable);
		return true;
	}
	return false;
}

/* ---- what happens to an object ------------------------------------------------------- */

/* Fill the object for its new user, and the bytes after the object as a red zone. */
static void prepare(struct gh_records *r, u8 *p, size_t size, size_t usable, bool zero,
		    bool dirty)
{
	lockdep_assert_held(&r->lock);
	if (zero)
		memset(p, 0, dirty ? usable : 0);
	else if (r->flags & GOHEAP_POISON)
		memset(p, POISON_INUSE, size);
	if (r->flags & GOHEAP_REDZONE)
		memset(p + size, RED, usable - size);
}

/**
 * gh_debug_alloc() - an object was allocated
 * @s: its span
 * @idx: which object
 * @size: what was asked for
 * @gfp: see goheap_alloc()
 * @dirty: it may hold something other than zeroes
 *
 * Context: Any that @gfp allows, preemption off.
 * Return: false, in NMI only, if nothing could be done: the caller frees the
 * object as if it had never been.
 */
bool gh_debug_alloc(struct gh_span *s, unsigned int idx, size_t size, gfp_t gfp, bool dirty)
{
	size_t usable = gh_span_object_bytes(s);
	struct gh_records *r = s->records;
	struct gh_record *record = &r->of[idx];
	void *p = gh_span_object(s, idx);
	struct gh_track event = {};
	struct gh_damage damage;
	bool damaged = false, done;
	unsigned long flags;

	if (r->flags & GOHEAP_TRACK)
		gh_track_now(&event, gfp);
	done = gh_lock_or_try(&r->lock, flags);
	if (done) {
		damaged = record->state == GH_RECORD_FREE &&
			  is_damaged(r, record, p, usable, &damage);
		/* If the object is damaged, keep @freed: the report shows who freed the object. */
		if (!damaged)
			record->freed = (struct gh_track){};
		record->size = size;
		record->state = GH_RECORD_LIVE;
		prepare(r, p, size, usable, gh_heap_zeroes(s->heap, gfp), dirty);
		gh_unlock(&r->lock, flags);
	}
	if (damaged)
		gh_misuse_damage(p, s, &damage);
	/* After the report, which shows the caller before. No other CPU writes to @alloc. */
	record->alloc = event;
	return done;
}

/* The object is free now, and has no readers left. */
static void mark_freed(const struct gh_span *s, struct gh_record *record, u8 *p, size_t usable)
{
	struct gh_records *r = s->records;

	lockdep_assert_held(&r->lock);
	record->state = GH_RECORD_FREE;
	if (r->flags & GOHEAP_POISON)
		poison(p, usable);
	else if (want_init_on_free() && !(s->flags & GH_F_KEEP))
		memset(p, 0, usable);
}

/**
 * gh_debug_free() - an object is about to be freed
 * @s: its span
 * @idx: which object
 * @life: the span's, when the object was found
 * @rcu: readers may be looking at it
 *
 * If the object is free already, nothing is done here, and the caller finds the double free.
 *
 * Context: Any, preemption off.
 */
void gh_debug_free(struct gh_span *s, unsigned int idx, u32 life, bool rcu)
{
	struct gh_records *r = gh_records_of(s, idx);
	void *p = gh_span_object(s, idx);
	struct gh_track event = {};
	struct gh_damage damage;
	struct gh_record *record;
	bool damaged = false;
	unsigned long flags;
	size_t usable;

	if (!r)
		return;
	record = &r->of[idx];
	if (r->flags & GOHEAP_TRACK)
		gh_track_now(&event, 0);
	if (!gh_lock_or_try(&r->lock, flags))
		return;
	/*
	 * Until the records are gone, the span is the one of these records. If the free is
	 * late, span and records are of another life, and the caller finds the double free.
	 */
	if (record->state == GH_RECORD_LIVE && !r->gone && gh_span_lives_on(s, life)) {
		p = gh_span_object(s, idx);
		usable = gh_span_object_bytes(s);
		record->freed = event;
		damaged = is_damaged(r, record, p, usable, &damage);
		if (rcu || s->flags & GH_F_LARGE)
			record->state = GH_RECORD_WAITING;
		else
			mark_freed(s, record, p, usable);
	}
	gh_unlock(&r->lock, flags);
	if (damaged)
		gh_misuse_damage(p, s, &damage);
}

/**
 * gh_debug_merged() - remote frees were taken over
 * @s: the span
 * @word: of which word
 * @bits: which objects
 *
 * Context: The central lock.
 */
void gh_debug_merged(struct gh_span *s, unsigned int word, unsigned long bits)
{
	struct gh_records *r = s->records;
	unsigned long flags, bit;
	unsigned int idx;

	gh_lock(&r->lock, flags);
	for_each_set_bit(bit, &bits, BITS_PER_LONG) {
		idx = word * BITS_PER_LONG + bit;
		/* LIVE: an NMI freed the object, and could not take the lock. */
		if (r->of[idx].state != GH_RECORD_WAITING && r->of[idx].state != GH_RECORD_LIVE)
			continue;
		mark_freed(s, &r->of[idx], gh_span_object(s, idx), s->elemsize);
		if (!(s->flags & GH_F_KEEP))
			gh_poison(gh_span_object(s, idx), s->elemsize);
	}
	gh_unlock(&r->lock, flags);
}

/**
 * gh_debug_validate() - look for overflows and writes after free
 * @s: any span
 *
 * Context: Any but NMI, preemption off.
 * Return: how many objects were damaged; each was reported, and mended.
 */
unsigned int gh_debug_validate(struct gh_span *s)
{
	struct gh_records *r = gh_records_of(s, 0);
	unsigned int idx, found = 0;
	struct gh_damage damage;
	unsigned long flags;
	bool damaged;
	void *p;

	for (idx = 0; r && idx < r->nr; idx++) {
		gh_lock(&r->lock, flags);
		/* Under the lock, and only if the records are not gone: else it is another life. */
		p = gh_span_object(s, idx);
		damaged = !r->gone &&
			  is_damaged(r, &r->of[idx], p, gh_span_object_bytes(s), &damage);
		gh_unlock(&r->lock, flags);
		if (!damaged)
			continue;
		gh_misuse_damage(p, s, &damage);
		found++;
	}
	return found;
}

