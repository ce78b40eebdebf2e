// SPDX-License-Identifier: GPL-2.0
/*
 * Reports of misuse. A bad free: what was wrong, which object, which caller. The
 * free was refused before the report; the heap is as it was. In debugged heaps
 * also a bad write: an overflow, or a write after free.
 *
 * Nothing is printed while this CPU holds a lock of goheap or is in a section: a
 * console driver may allocate and free, and prints slowly. A report that is made
 * there is written down, and a work prints the report later.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "base/context.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "goheap.h"
#include "heap.h"
#include "hooks/records.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "span.h"

static const char *const what_names[GH_NR_MISUSES] = {
	[GH_DOUBLE_FREE]	= "double free",
	[GH_FREE_UNALLOCATED]	= "double free",
	[GH_INTERIOR]		= "interior pointer",
	[GH_FOREIGN]		= "not a goheap object",
	[GH_WRONG_HEAP]		= "wrong heap",
	[GH_WRONG_SIZE]		= "wrong size",
	[GH_STRAY_PUT]		= "stray kfree() or put_page()",
	[GH_STRAY_GET]		= "stray get_page()",
	[GH_OVERFLOW]		= "overflow",
	[GH_USE_AFTER_FREE]	= "write after free",
};

static bool panic_on_misuse;
static atomic_long_t nr_misuses;
static atomic_long_t nr_foreign;	/* stray kfree() and put_page() */

/* At most so many reports are printed at a time; all reports are counted. */
#define BURST	20
struct ratelimit_state gh_misuse_limit =
	RATELIMIT_STATE_INIT("goheap_misuse", 5 * HZ, BURST);

/* The text of the latest report, for tests. Reports that race may mix. */
char gh_last_report[GH_REPORT_MAX];

static int on_misuse_set(const char *val, const struct kernel_param *kp)
{
	if (sysfs_streq(val, "panic"))
		WRITE_ONCE(panic_on_misuse, true);
	else if (sysfs_streq(val, "warn"))
		WRITE_ONCE(panic_on_misuse, false);
	else
		return -EINVAL;
	return 0;
}

static int on_misuse_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", READ_ONCE(panic_on_misuse) ? "panic" : "warn");
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

/**
 * gh_misuse_foreign() - how many kfree() or put_page() of goheap's memory came to light
 *
 * Context: Any.
 * Return: the count since the module was loaded.
 */
unsigned long gh_misuse_foreign(void)
{
	return atomic_long_read(&nr_foreign);
}

/* Count a report, also if it is not printed. */
static void count(enum gh_misuse what)
{
	atomic_long_inc(&nr_misuses);
	if (what == GH_STRAY_PUT)
		atomic_long_inc(&nr_foreign);
}

static size_t describe_small(char *buf, size_t size, const struct gh_span *s, unsigned long off)
{
	unsigned int idx = gh_span_index(s, off);
	size_t n;

	if (s->spanclass == GH_SC_OBJECT)
		n = scnprintf(buf, size, "object cache");
	else
		n = scnprintf(buf, size, "class %u", gh_sc_class(s->spanclass));
	return n + scnprintf(buf + n, size - n, " (%u bytes), object %u, offset %lu", s->elemsize,
			     idx, off - (unsigned long)idx * s->elemsize);
}

static size_t describe(char *buf, size_t size, const void *p, struct gh_span *s)
{
	unsigned long off = (unsigned long)p - s->base;
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
		n += describe_small(buf + n, size - n, s, off);
	return scnprintf(buf + n, size - n, "%s)", gh_span_noscan(s) ? ", noscan" : "");
}

/**
 * struct report - what is known about a misuse
 * @text: in one line
 * @facts: what debug mode knows of the object
 */
struct report {
	char text[GH_REPORT_MAX];
	struct gh_facts facts;
};

static void compose(struct report *r, enum gh_misuse what, const void *p, struct gh_span *s,
		    const char *detail)
{
	size_t n = scnprintf(r->text, sizeof(r->text), "misuse: %s%s: %p", what_names[what],
			     detail, p);

	r->facts.known = false;
	if (s) {
		/* data_race(): correct users of the span do not wait for a misuse. */
		data_race(describe(r->text + n, sizeof(r->text) - n, p, s));
		gh_records_learn(s, p, &r->facts);
	}
	/* data_race(): see gh_last_report */
	data_race(strscpy(gh_last_report, r->text, sizeof(gh_last_report)));
}

static void print(const struct report *r)
{
	if (READ_ONCE(panic_on_misuse))
		panic("goheap: %s\n", r->text);
	pr_err("%s\n", r->text);
	gh_records_explain(&r->facts);
}

/* ---- reports that have to wait ------------------------------------------------------ */

#define DEPTH	16

enum late_state {
	UNUSED,
	BEING_WRITTEN,
	TO_BE_PRINTED,
};

/**
 * struct late - a report that waits for the work
 * @state: enum late_state
 * @report: what is to be printed
 * @nr: how many of @stack there are
 * @stack: of the caller, if the caller is to blame
 */
struct late {
	atomic_t state;
	struct report report;
	unsigned int nr;
	unsigned long stack[DEPTH];
};

/* More than BURST, so that no report is lost unless the work has to wait for long. */
static struct late late[BURST + BURST / 2];
static atomic_t nr_lost;

static void print_late(struct late *l)
{
	print(&l->report);
#if IS_ENABLED(CONFIG_STACKTRACE)
	stack_trace_print(l->stack, l->nr, 2);
#endif
	/* All reads of the report come before this; pairs with unused_late(). */
	atomic_set_release(&l->state, UNUSED);
}

static void print_all(struct work_struct *work)
{
	unsigned int i, lost;

	for (i = 0; i < ARRAY_SIZE(late); i++)
		if (atomic_read_acquire(&late[i].state) == TO_BE_PRINTED)
			print_late(&late[i]);
	lost = atomic_xchg(&nr_lost, 0);
	if (lost)
		pr_err("%u more reports of misuse were lost\n", lost);
}

static DECLARE_WORK(late_work, print_all);

static void queue_late_work(struct irq_work *work)
{
	schedule_work(&late_work);
}

/* An irq_work, because the reporting CPU may hold the workqueue's locks. */
static struct irq_work late_irq_work = IRQ_WORK_INIT_HARD(queue_late_work);

static struct late *unused_late(void)
{
	struct late *l;

	for (l = late; l < late + ARRAY_SIZE(late); l++)
		if (atomic_cmpxchg(&l->state, UNUSED, BEING_WRITTEN) == UNUSED)
			return l;
	return NULL;
}

static unsigned int save_stack(unsigned long *stack)
{
#if IS_ENABLED(CONFIG_STACKTRACE)
	return stack_trace_save(stack, DEPTH, 3);
#else
	return 0;
#endif
}

/* @guilty: the caller made the mistake, and did not only find it. */
static void write_down(const struct report *r, bool guilty)
{
	struct late *l = unused_late();

	if (l) {
		l->report = *r;
		l->nr = guilty ? save_stack(l->stack) : 0;
		/* All writes to the report come before this; pairs with print_all(). */
		atomic_set_release(&l->state, TO_BE_PRINTED);
	} else {
		atomic_inc(&nr_lost);
	}
	irq_work_queue(&late_irq_work);
}

/**
 * gh_misuse_flush() - wait until every report is printed
 *
 * Context: Process context, one caller at a time.
 */
void gh_misuse_flush(void)
{
	irq_work_sync(&late_irq_work);
	flush_work(&late_work);
}

/* ---- reports -------------------------------------------------------------------------- */

/* The rate limit is asked after the text was composed: tests read the text. */
static bool is_printed(void)
{
	return READ_ONCE(panic_on_misuse) || __ratelimit(&gh_misuse_limit);
}

static void report(enum gh_misuse what, const void *p, struct gh_span *s, const char *detail)
{
	struct report r;

	count(what);
	compose(&r, what, p, s, detail);
	if (!is_printed())
		return;
	if (gh_holds_lock()) {
		write_down(&r, true);
		return;
	}
	print(&r);
	dump_stack();
}

/**
 * gh_misuse() - report a bad free
 * @what: what was wrong
 * @p: what was to be freed
 * @s: the span that it belongs to, if any; SMALL or LARGE
 *
 * Context: Any; the caller is in no section.
 */
void gh_misuse(enum gh_misuse what, const void *p, struct gh_span *s)
{
	report(what, p, s, "");
}

/**
 * gh_misuse_later() - report a bad free that another caller made
 * @what: what was wrong
 * @p: what was freed
 * @s: the span that it belongs to
 *
 * For merges of what other CPUs freed: the stack of the merging CPU tells nothing.
 *
 * Context: Any, sections and goheap's locks included.
 */
void gh_misuse_later(enum gh_misuse what, const void *p, struct gh_span *s)
{
	struct report r;

	count(what);
	compose(&r, what, p, s, "");
	if (is_printed())
		write_down(&r, false);
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

