/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a caller is, what may be done there, and goheap's locks.
 *
 * A CPU counts the locks of goheap that it holds: the count goes up before the CPU takes
 * a lock, and down after the CPU released it. While the count is not 0, other code on
 * that CPU has interrupted the holder: an NMI, or a handler of ftrace, a kprobe or BPF
 * on a function that the holder calls. Such code only tries to lock: the holder cannot
 * go on before the handler returns.
 */
#ifndef _GOHEAP_CONTEXT_H
#define _GOHEAP_CONTEXT_H

#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "base/compat.h"

DECLARE_PER_CPU(unsigned int, gh_locks_held);

/* With interrupts off all the while, and the count around the lock. */
#define gh_lock(lock, flags) do {		\
	local_irq_save(flags);			\
	__this_cpu_inc(gh_locks_held);		\
	raw_spin_lock(lock);			\
} while (0)

#define gh_unlock(lock, flags) do {		\
	raw_spin_unlock(lock);			\
	__this_cpu_dec(gh_locks_held);		\
	local_irq_restore(flags);		\
} while (0)

bool gh_lock_any_context(raw_spinlock_t *lock, unsigned long *flags);

/* Interrupted code may hold the lock: false if the lock cannot be taken. */
#define gh_lock_or_try(lock, flags)	gh_cond_lock(lock, gh_lock_any_context(lock, &(flags)))

#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern struct task_struct *gh_test_nmi;

/* In tests also true for a task that has turned interrupts off, and plays an NMI. */
static inline bool gh_in_nmi(void)
{
	return in_nmi() || unlikely(READ_ONCE(gh_test_nmi) == current);
}
#else
static inline bool gh_in_nmi(void)
{
	return in_nmi();
}
#endif

/*
 * Does this CPU hold a lock of goheap, taken by the caller or by code that the caller
 * interrupted? The first test is for a caller that may move to another CPU, and read the
 * count of that CPU: a holder has interrupts off.
 */
static inline bool gh_holds_lock(void)
{
	return irqs_disabled() && raw_cpu_read(gh_locks_held);
}

/* May interrupted code hold a lock of goheap? Not for a caller that may hold one itself. */
static inline bool gh_is_nested(void)
{
	return gh_in_nmi() || gh_holds_lock();
}

static inline bool gh_may_allocate_pages(void)
{
	if (gh_is_nested())
		return false;
	/* On PREEMPT_RT the page allocator's locks sleep. */
	return !IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible();
}

/*
 * May the caller allocate with these flags? Kernels with such checks check every call, as
 * for kmalloc(). On other kernels this costs the fast paths nothing.
 */
static __always_inline void gh_might_alloc(gfp_t gfp)
{
	if (IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP) || IS_ENABLED(CONFIG_PROVE_LOCKING))
		might_alloc(gfp);
}

#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern struct task_struct *gh_test_yielder;
extern unsigned long gh_test_yields;

/* A test counts how often its task gets here. */
static inline void gh_count_yield(void)
{
	if (READ_ONCE(gh_test_yielder) == current)
		gh_test_yields++;
}
#else
static inline void gh_count_yield(void) { }
#endif

/*
 * Off the fast paths: if the caller may sleep, and other tasks wait for the CPU, let them
 * run, as kmalloc() does. On kernels without preemption nothing else would.
 */
static inline void gh_yield(gfp_t gfp)
{
	might_alloc(gfp);
	if (!gfpflags_allow_blocking(gfp))
		return;
	gh_count_yield();
	cond_resched();
}

/*
 * preempt_enable() at the end of a fast path. True if other tasks wait for the CPU: the
 * caller then calls gh_yield_wanted(). With PREEMPT_DYNAMIC preempt_enable() tests for
 * that anyway, and with preempt=voluntary calls a function that does nothing.
 */
static __always_inline bool gh_preempt_enable_is_wanted(void)
{
#ifdef CONFIG_PREEMPT_DYNAMIC
	barrier();
	return unlikely(preempt_count_dec_and_test());
#else
	preempt_enable();
	return false;
#endif
}

static inline void gh_yield_wanted(gfp_t gfp)
{
	preempt_disable();
	preempt_enable();	/* which does what it would have done before */
	gh_yield(gfp);
}

bool gh_memory_begin(gfp_t gfp);
void gh_memory_end(gfp_t gfp);

#endif /* _GOHEAP_CONTEXT_H */
