// SPDX-License-Identifier: GPL-2.0
/*
 * Frees that cannot be: what was wrong, which object, who called. The free has
 * been refused by the time this is called; the heap is as it was. Likewise, in
 * heaps that are debugged, writes to where nobody may write.
 *
 * See internal.h for an overview.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/seq_buf.h>
#include <linux/string.h>

#include "internal.h"

static const char *const what_names[GH_NR_MISUSES] = {
	[GH_DOUBLE_FREE]	= "double free",
	[GH_FREE_IN_FREE_RUN]	= "double free",
	[GH_INTERIOR]		= "interior pointer",
	[GH_FOREIGN]		= "not a goheap object",
	[GH_WRONG_HEAP]		= "wrong heap",
	[GH_WRONG_SIZE]		= "wrong size",
	[GH_BAD_OBJECT]		= "stray kfree() or put_page()",
	[GH_OVERFLOW]		= "overflow",
	[GH_USE_AFTER_FREE]	= "write after free",
};

static bool panic_on_misuse;
static atomic_long_t nr_misuses;

/* Of what is printed; everything is counted. */
struct ratelimit_state gh_misuse_limit =
	RATELIMIT_STATE_INIT("goheap_misuse", 5 * HZ, 20);

/* The text of the latest report, for tests. Reports that race may mix. */
char gh_last_report[GH_REPORT_MAX];

static int on_misuse_set(const char *val, const struct kernel_param *kp)
{
	if (sysfs_streq(val, "panic"))
		panic_on_misuse = true;
	else if (sysfs_streq(val, "warn"))
		panic_on_misuse = false;
	else
		return -EINVAL;
	return 0;
}

static int on_misuse_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", panic_on_misuse ? "panic" : "warn");
}

static const struct kernel_param_ops on_misuse_ops = {
	.set = on_misuse_set,
	.get = on_misuse_get,
};

module_param_cb(on_misuse, &on_misuse_ops, NULL, 0644);
MODULE_PARM_DESC(on_misuse, "what a bad free does beyond being refused and reported: warn (default) or panic");

/**
 * gh_misuse_count() - how many bad frees there were
 *
 * Context: Any.
 * Return: the count since the module was loaded.
 */
unsigned long gh_misuse_count(void)
{
	return atomic_long_read(&nr_misuses);
}

static void describe(char *buf, size_t size, const void *p, struct gh_span *s)
{
	unsigned long off = (unsigned long)p - s->base;
	unsigned int class = gh_sc_class(s->spanclass);
	/* NULL if the span is going away just now */
	struct goheap *heap = READ_ONCE(s->heap);
	int n;

	n = scnprintf(buf, size, " (span %p, heap %s, ", (void *)s->base,
		      heap ? heap->name : "none");
	if (s->flags & GH_F_LARGE)
		n += scnprintf(buf + n, size - n, "class 0 (%u bytes), offset %lu", s->limit, off);
	else if (s->flags & GH_F_TINY)
		n += scnprintf(buf + n, size - n, "tiny block %lu, byte %lu",
			       off / GH_TINY_BLOCK, off % GH_TINY_BLOCK);
	else
		n += scnprintf(buf + n, size - n, "class %u (%u bytes), object %u, offset %lu",
			       class, gh_classes[class].size, gh_span_index(s, off),
			       off - (unsigned long)gh_span_index(s, off) * s->elemsize);
	scnprintf(buf + n, size - n, "%s)", gh_sc_noscan(s->spanclass) ? ", noscan" : "");
}

static void report(enum gh_misuse what, const void *p, struct gh_span *s, const char *detail)
{
	char where[GH_REPORT_MAX - 128] = "";

	atomic_long_inc(&nr_misuses);
	if (s)
		describe(where, sizeof(where), p, s);
	snprintf(gh_last_report, sizeof(gh_last_report), "misuse: %s%s: %p%s", what_names[what],
		 detail, p, where);
	if (panic_on_misuse)
		panic("goheap: misuse: %s%s: %p%s\n", what_names[what], detail, p, where);
	if (!__ratelimit(&gh_misuse_limit))
		return;
	pr_err("misuse: %s%s: %p%s\n", what_names[what], detail, p, where);
	if (s)
		gh_debug_explain(s, p);
	dump_stack();
}

/**
 * gh_misuse() - report a bad free
 * @what: what was wrong
 * @p: what was to be freed
 * @s: the span that it belongs to, if any; SMALL or LARGE
 *
 * Context: Any.
 */
void gh_misuse(enum gh_misuse what, const void *p, struct gh_span *s)
{
	report(what, p, s, "");
}

/**
 * gh_misuse_size() - report a free with a size that is not the object's
 * @p: the object
 * @s: its span
 * @size: the size
 *
 * Context: Any.
 */
void gh_misuse_size(const void *p, struct gh_span *s, size_t size)
{
	char detail[40];

	scnprintf(detail, sizeof(detail), " (%zu bytes)", size);
	report(GH_WRONG_SIZE, p, s, detail);
}

/**
 * gh_misuse_damage() - report that an object, or what is free, was written to
 * @p: the object
 * @s: its span
 * @damage: where and what
 *
 * Context: Any.
 */
void gh_misuse_damage(const void *p, struct gh_span *s, const struct gh_damage *damage)
{
	char detail[96];

	scnprintf(detail, sizeof(detail), " (from byte %zu on: %*ph)", damage->offset,
		  (int)damage->nr, damage->bytes);
	report(damage->what, p, s, detail);
}

static enum gh_misuse classify_tiny(struct gh_span *s, unsigned long off)
{
	/* Inside an object that lives; or where one lived, and neighbours still do. */
	return gh_tiny_did_start(s, off) || gh_tiny_start(s, off) < 0 ? GH_DOUBLE_FREE :
									 GH_INTERIOR;
}

static enum gh_misuse classify(struct gh_span *s, unsigned long off)
{
	if (s->flags & GH_F_TINY)
		return classify_tiny(s, off);
	if (!(s->flags & GH_F_LARGE) &&
	    (unsigned long)gh_span_index(s, off) * s->elemsize == off)
		return GH_DOUBLE_FREE;
	return GH_INTERIOR;
}

/**
 * gh_misuse_address() - report the free of something that is no live object
 * @p: any address
 *
 * Context: Any, preemption off.
 */
void gh_misuse_address(const void *p)
{
	unsigned long addr = (unsigned long)p;
	struct gh_span *s = gh_span_of(p);

	if (s && addr - s->base < READ_ONCE(s->limit))
		gh_misuse(classify(s, addr - s->base), p, s);
	else if (s && READ_ONCE(s->state) != GH_SPAN_FREE)
		gh_misuse(GH_INTERIOR, p, NULL);	/* behind the last object */
	else
		gh_misuse(gh_map_owns(addr) ? GH_FREE_IN_FREE_RUN : GH_FOREIGN, p, NULL);
}
