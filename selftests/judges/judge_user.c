// SPDX-License-Identifier: GPL-2.0
/*
 * A user of kmem_cache, whose test and whose code are in this module: the latter is that of
 * the kernel, but has a cache of its own. Loading has the user make its cache, and runs the
 * test. Unloading waits for objects that RCU keeps and takes the cache down, which reports
 * what is left.
 *
 * JUDGE_USER_INIT makes the cache.
 */

#include "judge.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

static struct kmem_cache *user_cache;

/**
 * judge_keep() - note the cache that the user makes
 * @cache: the cache, or NULL
 *
 * Return: @cache
 */
struct kmem_cache *judge_keep(struct kmem_cache *cache)
{
	user_cache = cache;
	return cache;
}

static int __init judge_user_init(void)
{
	JUDGE_USER_INIT();
	if (!user_cache)
		return -ENOMEM;
	/* A module that is gone could not run the callbacks that a failed test has left. */
	pr_info("test ends with %d\n", judge_user_test());
	return 0;
}
module_init(judge_user_init);

static void __exit judge_user_end(void)
{
	/* A callback may free a node of which others hang, in a callback each. */
	rcu_barrier();
	rcu_barrier();
	kmem_cache_destroy(user_cache);
}
module_exit(judge_user_end);

MODULE_DESCRIPTION("A user of kmem_cache with its test");
MODULE_LICENSE("GPL");
