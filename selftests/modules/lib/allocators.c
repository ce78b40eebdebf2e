// SPDX-License-Identifier: GPL-2.0
/*
 * Names of the allocators that goheap is measured against.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/printk.h>

#include "allocators.h"

static const char * const names[] = {
	[KMALLOC] = "kmalloc",
	[CACHE] = "kmem_cache",
	[GOHEAP] = "goheap",
	[FLOOR] = "floor",
	[NONE] = "none",
};

/**
 * allocator_name - what results and parameters call an allocator
 * @which: the allocator
 *
 * Return: its name.
 */
const char *allocator_name(enum allocator which)
{
	return names[which];
}

/**
 * allocator_named - the allocator of this name; complain if there is none
 * @param: the parameter that names it, for the complaint
 * @name: the name
 * @allowed: BIT() of each that the caller can do with
 *
 * Return: the allocator, or -EINVAL.
 */
int allocator_named(const char *param, const char *name, unsigned long allowed)
{
	int which = match_string(names, ARRAY_SIZE(names), name);

	if (which >= 0 && allowed & BIT(which))
		return which;
	pr_err("%s=%s: modinfo says what it can be\n", param, name);
	return -EINVAL;
}
