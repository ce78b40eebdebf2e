// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_leak - objects that kmemleak has to find, and objects that it must not
 *
 * What is reachable from this module's data by way of goheap objects is not leaked;
 * what only a pointer-free object points to is. Each object's size says which it
 * is: goheap_leak.sh looks for it.
 */

#include <linux/module.h>
#include <linux/slab.h>

#include "goheap.h"

struct holder {
	void *kmalloced;
	struct holder *next;
	char rest[480];
};

static struct holder *held, *noscan;

static noinline int __init make(void)
{
	held = goheap_zalloc(sizeof(*held), GFP_KERNEL);
	noscan = goheap_alloc_noscan(sizeof(*noscan), GFP_KERNEL | __GFP_ZERO);
	if (!held || !noscan)
		return -ENOMEM;
	/* reachable: kmalloc-4096 from goheap, goheap from goheap, and from that */
	held->kmalloced = kmalloc(4096, GFP_KERNEL);
	held->next = goheap_zalloc(777, GFP_KERNEL);
	if (!held->kmalloced || !held->next)
		return -ENOMEM;
	held->next->kmalloced = goheap_alloc(50001, GFP_KERNEL);
	/* not: kmalloc-2048, because nobody looks for pointers in there */
	noscan->kmalloced = kmalloc(2048, GFP_KERNEL);
	return 0;
}

/* Small, large, one that shares a block, and one of many. */
static noinline int __init leak(void)
{
	void *p[3];

	if (!goheap_alloc(1001, GFP_KERNEL) || !goheap_alloc(40001, GFP_KERNEL) ||
	    !goheap_alloc_noscan(3, GFP_KERNEL) ||
	    goheap_alloc_bulk(301, GFP_KERNEL, ARRAY_SIZE(p), p) != ARRAY_SIZE(p))
		return -ENOMEM;
	goheap_free(p[0]);
	goheap_free(p[2]);
	return 0;
}

static void unmake(void)
{
	if (noscan)
		kfree(noscan->kmalloced);
	goheap_free(noscan);
	if (held && held->next)
		goheap_free(held->next->kmalloced);
	if (held) {
		goheap_free(held->next);
		kfree(held->kmalloced);
	}
	goheap_free(held);
}

static int __init leak_init(void)
{
	int err = make() ?: leak();

	if (err)
		unmake();
	return err;
}

static void __exit leak_exit(void)
{
	unmake();
}

module_init(leak_init);
module_exit(leak_exit);
MODULE_DESCRIPTION("Leaks for kmemleak to find in goheap's memory");
MODULE_LICENSE("GPL");
