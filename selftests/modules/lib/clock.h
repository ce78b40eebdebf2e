/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clocks that are cheaper to read than ktime. get_cycles() is 0 on User Mode Linux.
 */
#ifndef _GOHEAP_TEST_CLOCK_H
#define _GOHEAP_TEST_CLOCK_H

#include <linux/ktime.h>
#include <linux/types.h>

#ifdef __x86_64__
#define CLOCK_NAME	"tsc"
static __always_inline u64 clock_insns(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (u64)high << 32 | low;
}

/* In order: nothing that comes before is still under way. */
static __always_inline u64 clock_ticks(void)
{
	asm volatile("lfence" : : : "memory");
	return clock_insns();
}
#else
#define CLOCK_NAME	"ktime"
static __always_inline u64 clock_insns(void)
{
	return ktime_get_ns();
}

static __always_inline u64 clock_ticks(void)
{
	return ktime_get_ns();
}
#endif

#endif /* _GOHEAP_TEST_CLOCK_H */
