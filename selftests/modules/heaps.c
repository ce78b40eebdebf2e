// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_heaps - many heaps, or many object caches, at a time
 *
 * Makes them, uses every @use-th of them, and destroys all. Prints how long that took for
 * each, beside kmem_caches:
 *
 *   kind=heap count=1000 create=5120 use=930 destroy=2210
 *
 * While heaps are there, goheap_heaps.sh reads what they cost: "hold" keeps them until rmmod.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "goheap.h"

#define SIZE		200

static unsigned int count = 1000;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "How many of each kind");

static unsigned int use = 1;
module_param(use, uint, 0444);
MODULE_PARM_DESC(use, "Allocate and free an object in each use-th of them; 0: in none");

static bool hold;
module_param(hold, bool, 0444);
MODULE_PARM_DESC(hold, "Make heaps, and keep them until the module is unloaded");

/* What is made: each has the same three functions. */
struct kind {
	const char *name;
	void *(*make)(const char *name);
	bool (*use)(void *made);
	void (*destroy)(void *made);
};

static void **all;

static void *make_heap(const char *name)
{
	return goheap_create(name, NULL);
}

static bool use_heap(void *heap)
{
	void *p = goheap_heap_alloc(heap, SIZE, GFP_KERNEL, 0);

	goheap_heap_free(heap, p);
	return p;
}

static void destroy_heap(void *heap)
{
	goheap_destroy(heap);
}

static void *make_object_cache(const char *name)
{
	return goheap_cache_create(name, SIZE, 0, 0, NULL);
}

static bool use_object_cache(void *cache)
{
	void *p = goheap_cache_alloc(cache, GFP_KERNEL);

	goheap_cache_free(cache, p);
	return p;
}

static void destroy_object_cache(void *cache)
{
	goheap_cache_destroy(cache);
}

/* Caches with a constructor are not merged into one. */
static void construct(void *p)
{
	*(unsigned long *)p = 0;
}

static void *make_kmem_cache(const char *name)
{
	return kmem_cache_create(name, SIZE, 0, 0, construct) ?: ERR_PTR(-ENOMEM);
}

static bool use_kmem_cache(void *cache)
{
	void *p = kmem_cache_alloc(cache, GFP_KERNEL);

	if (p)
		kmem_cache_free(cache, p);
	return p;
}

static void destroy_kmem_cache(void *cache)
{
	kmem_cache_destroy(cache);
}

static const struct kind kinds[] = {
	{ "heap", make_heap, use_heap, destroy_heap },
	{ "object_cache", make_object_cache, use_object_cache, destroy_object_cache },
	{ "kmem_cache", make_kmem_cache, use_kmem_cache, destroy_kmem_cache },
};

static int make_all(const struct kind *kind)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "heaps-%u", i);
		all[i] = kind->make(name);
		if (IS_ERR(all[i]))
			return PTR_ERR(all[i]);
		cond_resched();
	}
	return 0;
}

static int use_all(const struct kind *kind)
{
	unsigned int i;

	for (i = 0; use && i < count; i += use) {
		if (!kind->use(all[i]))
			return -ENOMEM;
		cond_resched();
	}
	return 0;
}

static void destroy_all(const struct kind *kind)
{
	unsigned int i;

	for (i = 0; i < count && !IS_ERR_OR_NULL(all[i]); i++) {
		kind->destroy(all[i]);
		all[i] = NULL;
		cond_resched();
	}
}

static unsigned long long each(ktime_t from, ktime_t to, unsigned int nr)
{
	return nr ? div_u64(ktime_to_ns(ktime_sub(to, from)), nr) : 0;
}

static int measure(const struct kind *kind)
{
	ktime_t start = ktime_get(), made, used, gone;
	int err;

	err = make_all(kind);
	made = ktime_get();
	if (!err)
		err = use_all(kind);
	used = ktime_get();
	destroy_all(kind);
	gone = ktime_get();
	if (!err)
		pr_info("kind=%s count=%u create=%llu use=%llu destroy=%llu\n", kind->name, count,
			each(start, made, count),
			each(made, used, use ? DIV_ROUND_UP(count, use) : 0),
			each(used, gone, count));
	return err;
}

static int __init heaps_init(void)
{
	unsigned int i;
	int err = 0;

	if (!count)
		return -EINVAL;
	all = kvcalloc(count, sizeof(*all), GFP_KERNEL);
	if (!all)
		return -ENOMEM;
	if (hold) {
		err = make_all(&kinds[0]) ?: use_all(&kinds[0]);
		if (!err)
			return 0;
		destroy_all(&kinds[0]);
	}
	for (i = 0; i < ARRAY_SIZE(kinds) && !err; i++)
		err = measure(&kinds[i]);
	if (err)
		pr_err("FAILED: %d\n", err);
	kvfree(all);
	all = NULL;
	return err;
}

static void __exit heaps_exit(void)
{
	if (!all)
		return;
	destroy_all(&kinds[0]);
	kvfree(all);
}

module_init(heaps_init);
module_exit(heaps_exit);
MODULE_DESCRIPTION("Many heaps at a time");
MODULE_LICENSE("GPL");
