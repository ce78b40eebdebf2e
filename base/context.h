/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a caller is, what may be done there, and goheap's locks.
 *
 * A CPU counts the locks of goheap that it holds, from before it takes one until
 * after it let go. Whoever runs on that CPU meanwhile has interrupted the holder: an
 * NMI, or the handler of an instrument (ftrace, a kprobe, BPF) on a function that the
 * holder calls. That one only tries to lock, as in NMI: the holder cannot go on
 * before the handler returns.
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

/* What was interrupted may hold the lock: false if it cannot be had. */
#define gh_lock_or_try(lock, flags)	gh_cond_lock(lock, gh_lock_any_context(lock, &(flags)))

#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern struct task_struct *gh_test_nmi;

/* A test says that its task, which has turned interrupts off, is in NMI. */
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
 * Does this CPU hold a lock of goheap, for whoever runs on it now or was interrupted? The
 * count is another CPU's if the caller moves meanwhile, hence the first look: a holder has
 * interrupts off.
 */
static inline bool gh_holds_lock(void)
{
	return irqs_disabled() && raw_cpu_read(gh_locks_held);
}

/* May what was interrupted hold a lock of goheap? Not for who may hold one himself. */
static inline bool gh_is_nested(void)
{
	return gh_in_nmi() || gh_holds_lock();
}

static inline bool gh_may_allocate_pages(void)
{
	if (gh_is_nested())
		return false;
	/* The page allocator's locks sleep there. */
	return !IS_ENABLED(CONFIG_PREEMPT_RT) || preemptible();
}

/*
 * May the caller ask for this? Kernels with checks for that ask every time, as for
 * kmalloc(); on others there would be nothing to see on the fast paths.
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
 * Off the fast paths: a caller that may sleep lets others have the CPU if they wait for
 * it, as with kmalloc(). Nobody takes it from him on kernels without preemption.
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
 * preempt_enable() at the end of a fast path. True if others wait for the CPU, and the
 * caller is to call gh_yield_wanted(). With PREEMPT_DYNAMIC preempt_enable() finds that
 * out in any case, and with preempt=voluntary calls a function that does nothing.
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
