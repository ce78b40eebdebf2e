// SPDX-License-Identifier: GPL-2.0
/*
 * Which task allocated and which freed an object, for heaps that are tracked: events
 * are made when the object changes hands, and printed with a report about the object.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/math64.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <linux/stackdepot.h>
#include <linux/stacktrace.h>

#include "base/compat.h"
#include "base/context.h"
#include "hooks/track.h"

#define DEPTH	16

/* Stacks are kept in the kernel's stack depot, if the kernel has one. */
#if IS_ENABLED(CONFIG_STACKDEPOT) && IS_ENABLED(CONFIG_STACKTRACE)
static u32 save_stack(bool may_allocate)
{
	unsigned long entries[DEPTH];
	unsigned int nr;

	/* 6.1's depot would wait for a lock that this NMI may have interrupted. */
	if (gh_in_nmi())
		return 0;
	nr = stack_trace_save(entries, ARRAY_SIZE(entries), 2);
	return gh_depot_save(entries, nr, may_allocate);
}

static void print_stack(u32 stack)
{
	if (stack)
		stack_depot_print(stack);
}

/**
 * gh_track_init() - make ready for events
 *
 * Context: Process context.
 * Return: 0 or a negative error.
 */
int gh_track_init(void)
{
	return stack_depot_init();
}
#else
static u32 save_stack(bool may_allocate)
{
	return 0;
}

static void print_stack(u32 stack)
{
}

int gh_track_init(void)
{
	pr_warn("this kernel keeps no stacks: only tasks and times are tracked\n");
	return 0;
}
#endif

/**
 * gh_track_now() - make an event of what is happening
 * @event: where it goes
 * @gfp: what may be done to remember the stack; 0 for nothing
 *
 * Context: Any.
 */
void gh_track_now(struct gh_track *event, gfp_t gfp)
{
	event->stack = save_stack(gfpflags_allow_blocking(gfp) && gh_may_allocate_pages());
	event->pid = current->pid;
	event->cpu = raw_smp_processor_id();
	event->when = local_clock();
}

/**
 * gh_track_print() - print an event
 * @what: what it was
 * @event: the event; nothing is printed if there was none
 *
 * Context: Any.
 */
void gh_track_print(const char *what, const struct gh_track *event)
{
	u64 ago = local_clock() - event->when;

	if (!event->when)
		return;
	pr_err("  %s by task %d on CPU %u, %llu ms ago\n", what, event->pid, event->cpu,
	       div_u64(ago, NSEC_PER_MSEC));
	print_stack(event->stack);
}
