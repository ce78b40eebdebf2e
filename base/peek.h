/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading a word that another CPU may be changing.
 */
#ifndef _GOHEAP_BASE_PEEK_H
#define _GOHEAP_BASE_PEEK_H

#include <linux/compiler.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

/*
 * Read a word that its CPU, or the holder of its lock, writes with plain stores. The
 * reader wants a number to show, or a hint. Marked stores instead would cost
 * instructions on the allocation paths.
 */
#define gh_peek(x)	data_race(READ_ONCE(x))

/* Let other tasks run between two arenas; afterwards the arenas may be gone. */
static inline void gh_rcu_resched(void)
{
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
}

#endif /* _GOHEAP_BASE_PEEK_H */
