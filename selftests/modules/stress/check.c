// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_stress - failing, what a step draws, the pattern in objects, what is promised of them
 */
#include <linux/align.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "stress.h"

/* ---- failing ---------------------------------------------------------------- */

int failed;
char failure[256];

/* Keep the first failure and stop everybody. @w is NULL in a visit. Any context. */
void fail(const struct worker *w, const char *fmt, ...)
{
	va_list args;
	int n;

	if (cmpxchg(&failed, 0, 1))
		return;
	if (w)
		n = scnprintf(failure, sizeof(failure), "thread=%u step=%lu: ", w->id,
			      READ_ONCE(w->step));
	else
		n = scnprintf(failure, sizeof(failure), "visit: ");
	va_start(args, fmt);
	vscnprintf(failure + n, sizeof(failure) - n, fmt, args);
	va_end(args);
	/* pairs with the acquire in report() */
	smp_store_release(&failed, 2);
}

/* ---- randomness ------------------------------------------------------------- */

/* The randomness of one step, or of one event of a timer. */
struct draw draw_start(unsigned int who, u64 step)
{
	return (struct draw) { .state = mix(seed + mix((u64)who << 48 ^ step)) };
}

/* Every octave from 1 byte to @max as often as any other. */
size_t draw_size(struct draw *d, size_t max)
{
	size_t low = 1UL << below(d, ilog2(max));

	return low + below(d, low + 1);
}

/* ---- the pattern ------------------------------------------------------------ */

static u64 object_key(const struct object *o)
{
	return mix((unsigned long)o->p ^ (u64)o->generation << 32);
}

void edge_fill(u8 *p, size_t n, u64 key)
{
	size_t i;

	for (i = 0; i < n; i += sizeof(u64)) {
		u64 word = mix(key + i);

		memcpy(p + i, &word, min(n - i, sizeof(word)));
	}
}

/* Return the offset of the first wrong byte, or @n. */
size_t edge_check(const u8 *p, size_t n, u64 key)
{
	size_t i, j;

	for (i = 0; i < n; i += sizeof(u64)) {
		u64 word = mix(key + i);

		if (!memcmp(p + i, &word, min(n - i, sizeof(word))))
			continue;
		for (j = 0; p[i + j] == ((u8 *)&word)[j]; j++)
			;
		return i + j;
	}
	return n;
}

static size_t head_size(size_t used)
{
	return min_t(size_t, used, EDGE);
}

static size_t tail_size(size_t used)
{
	return min_t(size_t, used - head_size(used), EDGE);
}

void object_fill(const struct object *o)
{
	size_t tail = tail_size(o->used);

	edge_fill(o->p, head_size(o->used), object_key(o));
	edge_fill(o->p + o->used - tail, tail, ~object_key(o));
}

static bool region_check(const struct worker *w, const struct object *o, const void *p,
			 size_t offset, size_t n, u64 key)
{
	size_t wrong = edge_check(p + offset, n, key);

	if (wrong == n)
		return true;
	fail(w, "object %p of %zu bytes (heap %u%s): byte %zu was overwritten with %02x", o->p,
	     o->size, o->heap, o->noscan ? ", noscan" : "", offset + wrong,
	     *(const u8 *)(p + offset + wrong));
	return false;
}

/* The content of @o, which by now is at @p with at least @size bytes left. */
bool content_check(const struct worker *w, const struct object *o, const void *p, size_t size)
{
	size_t head = head_size(o->used), tail = tail_size(o->used);

	return region_check(w, o, p, 0, min(head, size), object_key(o)) &&
		(size < o->used || region_check(w, o, p, o->used - tail, tail, ~object_key(o)));
}

bool object_check(const struct worker *w, const struct object *o)
{
	return content_check(w, o, o->p, o->used);
}

/* ---- what the interface promises -------------------------------------------- */

size_t promised_align(size_t size, bool noscan)
{
	size_t natural = size & -size;

	if (noscan && size < 8)
		return natural;
	return max_t(size_t, natural, ARCH_KMALLOC_MINALIGN);
}

bool promises_check(const struct worker *w, struct draw *d, const struct object *o, size_t align)
{
	size_t usable = goheap_size(o->p);
	size_t offset = 0;
	void *base;

	if (!IS_ALIGNED((unsigned long)o->p, align))
		fail(w, "object %p of %zu bytes: not aligned to %zu, but %lu off", o->p,
		     o->size, align, (unsigned long)o->p % align);
	else if (!virt_addr_valid(o->p) || !virt_addr_valid(o->p + o->size - 1))
		fail(w, "object %p of %zu bytes: not in the direct map", o->p, o->size);
	else if (usable < o->size)
		fail(w, "object %p of %zu bytes: goheap_size() says %zu", o->p, o->size, usable);
	if (is_failed())
		return false;

	/* pointer-free objects below 16 bytes share a block */
	if (!o->noscan || o->size >= 16)
		offset = draw(d) % usable;
	base = goheap_base(o->p + offset);
	if (base != o->p)
		fail(w, "object %p of %zu bytes: goheap_base() of byte %zu says %p",
		     o->p, o->size, offset, base);
	return base == o->p;
}

bool zeroes_check(const struct worker *w, const struct object *o, size_t from)
{
	const u8 *wrong;

	if (from >= o->size)
		return true;
	wrong = memchr_inv(o->p + from, 0, o->size - from);
	if (wrong)
		fail(w, "object %p of %zu bytes: byte %zu is %02x and should be 0",
		     o->p, o->size, (size_t)(wrong - (u8 *)o->p), *wrong);
	return !wrong;
}
