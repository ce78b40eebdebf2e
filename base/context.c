// SPDX-License-Identifier: GPL-2.0
/*
 * Where a caller is, and what may be done there: goheap's locks where waiting for
 * them would be for ever, and the kernel's page allocator where lockdep objects to it.
 *
 * See context.h.
 */

#include <linux/gfp.h>
#include <linux/lockdep.h>

#include "base/context.h"

DEFINE_PER_CPU(unsigned int, gh_locks_held);

/*
 * A lock of a kernel without SMP is nothing, and trying succeeds always. But there
 * the count says all: one CPU holds all the locks that are held.
 */
static bool is_held_without_smp(void)
{
	return !IS_ENABLED(CONFIG_SMP) && __this_cpu_read(gh_locks_held) > 1;
}

/**
 * gh_lock_any_context() - take a lock, or where that might be for ever only try to
 * @lock: which; use gh_lock_or_try(), which tells sparse
 * @flags: interrupt state
 *
 * Context: Any.
 * Return: true if the lock is held, until gh_unlock().
 */
bool gh_lock_any_context(raw_spinlock_t *lock, unsigned long *flags)
{
	bool nested = gh_is_nested();

	local_irq_save(*flags);
	__this_cpu_inc(gh_locks_held);
	if (!nested) {
		raw_spin_lock(lock);
	} else if (is_held_without_smp() || !raw_spin_trylock(lock)) {
		__this_cpu_dec(gh_locks_held);
		local_irq_restore(*flags);
		return false;
	}
	__release(lock);	/* for sparse: gh_lock_or_try() counts it for the caller */
	return true;
}

/*
 * The page allocator's locks are spinlocks, and a caller may hold a raw one, or be
 * in an interrupt that PREEMPT_RT would not make a thread of. There is nothing
 * wrong with that where spinlocks do not sleep, and where they do the allocator is
 * not called; but lockdep would object for the sake of kernels which this is not.
 */
static GH_DEFINE_WAIT_OVERRIDE(any_context);

/**
 * gh_memory_begin() - the kernel is about to be asked for memory
 * @gfp: the caller's
 *
 * Context: Any.
 * Return: false if it cannot be asked here, and gh_memory_end() need not be called.
 */
bool gh_memory_begin(gfp_t gfp)
{
	if (!gh_may_allocate_pages())
		return false;
	if (!gfpflags_allow_blocking(gfp))
		gh_wait_override_begin(&any_context);
	return true;
}

/**
 * gh_memory_end() - it was asked
 * @gfp: the caller's
 *
 * Context: As for gh_memory_begin().
 */
void gh_memory_end(gfp_t gfp)
{
	if (!gfpflags_allow_blocking(gfp))
		gh_wait_override_end(&any_context);
}
