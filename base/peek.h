/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking at what others change meanwhile.
 */
#ifndef _GOHEAP_BASE_PEEK_H
#define _GOHEAP_BASE_PEEK_H

#include <linux/compiler.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

/*
 * A word that is written plainly, by its CPU or with its lock held, and read by
 * somebody else who wants a number to show, or a hint. Marking the many who write
 * instead would cost instructions where allocations are made.
 */
#define gh_peek(x)	data_race(READ_ONCE(x))

/* Between two arenas, which may then be gone, let others run. */
static inline void gh_rcu_resched(void)
{
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
}

#endif /* _GOHEAP_BASE_PEEK_H */
