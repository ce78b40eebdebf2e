/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whoever loads a module does its work, on the CPU that the test tells.
 */
#ifndef _GOHEAP_TEST_CPUS_H
#define _GOHEAP_TEST_CPUS_H

#include <linux/cpumask.h>
#include <linux/sched.h>

static inline int go_to(int cpu)
{
	return set_cpus_allowed_ptr(current, cpumask_of(cpu));
}

static inline void go_anywhere(void)
{
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* After the last comes the first. */
static inline int next_cpu(int cpu)
{
	cpu = cpumask_next(cpu, cpu_online_mask);
	return cpu < nr_cpu_ids ? cpu : cpumask_first(cpu_online_mask);
}

#endif /* _GOHEAP_TEST_CPUS_H */
