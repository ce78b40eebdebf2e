// SPDX-License-Identifier: GPL-2.0
/*
 * The caller's context: taking goheap's locks where a wait could be for ever, and
 * calling the kernel's page allocator where lockdep would complain without reason.
 *
 * See context.h.
 */

#include <linux/gfp.h>
#include <linux/lockdep.h>

#include "base/context.h"

DEFINE_PER_CPU(unsigned int, gh_locks_held);

/*
 * Without SMP a raw spinlock is empty, and a trylock always succeeds. There the count
 * of held locks tells: the only CPU holds all the locks that are held.
 */
static bool is_held_without_smp(void)
{
	return !IS_ENABLED(CONFIG_SMP) && __this_cpu_read(gh_locks_held) > 1;
}

/**
 * gh_lock_any_context() - take a lock; only try where the wait might be for ever
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
 * The page allocator takes spinlocks. A caller may hold a raw spinlock, or be in a
 * hard interrupt that has no thread on PREEMPT_RT. Where spinlocks do not sleep, that
 * is correct. On PREEMPT_RT the allocator is not called there. But lockdep would
 * complain on all kernels, for the sake of PREEMPT_RT.
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
 * gh_memory_end() - the kernel was asked for memory
 * @gfp: the caller's
 *
 * Context: As for gh_memory_begin().
 */
void gh_memory_end(gfp_t gfp)
{
	if (!gfpflags_allow_blocking(gfp))
		gh_wait_override_end(&any_context);
}
