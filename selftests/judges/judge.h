/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Turns a test of the kernel's allocators into one of goheap. The compiler includes
 * this ahead of the test.
 *
 * JUDGE_KUNIT		the test is of KUnit
 * JUDGE_SLUB_KUNIT	it counts errors, and calls what mm/slab.h declares
 * JUDGE_KASAN		it looks for KASAN's reports on the console
 * JUDGE_USER		it is one of a user of kmem_cache, which becomes part of the module
 * JUDGE_LEFT_ALONE	keep SLUB, and only see to KUnit: what the test says on its own ground
 * JUDGE_KEEPS_PR_FMT	it defines no pr_fmt()
 */
#ifndef _GOHEAP_JUDGE_H
#define _GOHEAP_JUDGE_H

/* All that a test includes comes first, so that no header is rewired. */
#include <linux/args.h>
#include <linux/bitops.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kasan.h>
#include <linux/kernel.h>
#include <linux/kfence.h>
#include <linux/maple_tree.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/radix-tree.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#ifdef JUDGE_KUNIT
#include <kunit/device.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#endif
#ifdef JUDGE_KASAN
#include <trace/events/printk.h>
#include "kasan.h"			/* mm/kasan/kasan.h */
#endif

#ifdef JUDGE_SLUB_KUNIT
#define MM_SLAB_H			/* mm/slab.h has nothing to say about us */
#endif

#ifndef JUDGE_KASAN
#define JUDGE_KASAN	0
#endif

#include "goheap.h"

#ifndef JUDGE_KEEPS_PR_FMT
#undef pr_fmt				/* the test defines its own */
#endif

/* ---- object caches ----------------------------------------------------------- */

/**
 * struct judge_cache - a kmem_cache of goheap's
 * @objects: the object cache, or NULL
 * @heap: with SLAB_KMALLOC instead of an object cache
 * @object_size: bytes of an object, as asked for
 * @offset: where SLUB would keep the pointer to the next free object
 * @flags: SLAB_*
 */
struct judge_cache {
	struct goheap_cache *objects;
	struct goheap *heap;
	unsigned int object_size;
	unsigned int offset;
	slab_flags_t flags;
};

struct judge_cache *judge_cache_create(const char *name, unsigned int size, unsigned int align,
				       slab_flags_t flags, void (*ctor)(void *object));
void judge_cache_destroy(struct judge_cache *cache);
void *judge_cache_alloc(struct judge_cache *cache, gfp_t gfp);
void *judge_cache_alloc_sized(struct judge_cache *cache, gfp_t gfp, size_t size);
void judge_cache_free(struct judge_cache *cache, void *p);
int judge_cache_alloc_bulk(struct judge_cache *cache, gfp_t gfp, size_t n, void **p);
void judge_cache_free_bulk(struct judge_cache *cache, size_t n, void **p);
int judge_cache_shrink(struct judge_cache *cache);

static inline void *judge_cache_alloc_lru(struct judge_cache *cache, struct list_lru *lru,
					  gfp_t gfp)
{
	return judge_cache_alloc(cache, gfp);
}

void judge_cache_validate(struct judge_cache *cache);
void judge_rcu_barrier(void);
void judge_free_sensitive(const void *p);
int judge_mempool_sized(mempool_t *pool, int min_nr, size_t size);
int judge_mempool_cache(mempool_t *pool, int min_nr, struct judge_cache *cache);

#ifndef JUDGE_LEFT_ALONE

#define kmem_cache		judge_cache

#ifdef JUDGE_USER
struct kmem_cache *judge_keep(struct kmem_cache *cache);
#else
#define judge_keep(cache)	(cache)
#endif

#undef kmem_cache_create
#undef kmem_cache_alloc
#undef kmem_cache_alloc_bulk
#undef kmem_cache_alloc_lru
#undef __kmalloc_cache_noprof
#define kmem_cache_create(args...) \
	CONCATENATE(judge_create_, COUNT_ARGS(args))(args)
#define judge_create_5(name, size, align, flags, ctor) \
	judge_keep(judge_cache_create(name, size, align, flags, ctor))
#define judge_create_4(name, size, args, flags) \
	judge_keep(judge_cache_create(name, size, (args)->align, flags, (args)->ctor))
#define kmem_cache_destroy(cache)		judge_cache_destroy(cache)
#define kmem_cache_alloc(cache, gfp)		judge_cache_alloc(cache, gfp)
#define kmem_cache_alloc_lru			judge_cache_alloc_lru
#define kmem_cache_alloc_bulk(cache, gfp, n, p)	judge_cache_alloc_bulk(cache, gfp, n, p)
#define kmem_cache_free(cache, p)		judge_cache_free(cache, p)
#define kmem_cache_free_bulk(cache, n, p)	judge_cache_free_bulk(cache, n, p)
#define kmem_cache_shrink(cache)		judge_cache_shrink(cache)
#define __kmalloc_cache_noprof(cache, gfp, size) judge_cache_alloc_sized(cache, gfp, size)

/* ---- kmalloc() ----------------------------------------------------------------- */

#undef kmalloc
#undef kmalloc_array
#undef kmalloc_node
#undef krealloc
#undef kzalloc
#undef kzalloc_node
#define kmalloc(size, gfp)		goheap_alloc(size, gfp)
#define kmalloc_array(n, size, gfp)	goheap_alloc_array(n, size, gfp)
#define kmalloc_node(size, gfp, nid)	goheap_alloc_node(size, gfp, nid)
#define kzalloc(size, gfp)		goheap_zalloc(size, gfp)
#define kzalloc_node(size, gfp, nid)	goheap_alloc_node(size, (gfp) | __GFP_ZERO, nid)
#define krealloc(p, size, gfp)		goheap_realloc(p, size, gfp)
#define ksize(p)			goheap_size(p)
#define kfree(p)			goheap_free(p)
#define kfree_sensitive(p)		judge_free_sensitive(p)

#undef kfree_rcu
#define kfree_rcu(p, head)		((void)sizeof((p)->head), goheap_free_rcu(p))
#ifndef JUDGE_USER
#define rcu_barrier()			judge_rcu_barrier()
#endif

/* The largest object that shares a span with others. */
#undef KMALLOC_MAX_CACHE_SIZE
#define KMALLOC_MAX_CACHE_SIZE		32768

#undef mempool_init_kmalloc_pool
#undef mempool_init_slab_pool
#define mempool_init_kmalloc_pool(pool, min_nr, size)	judge_mempool_sized(pool, min_nr, size)
#define mempool_init_slab_pool(pool, min_nr, cache)	judge_mempool_cache(pool, min_nr, cache)

#endif /* !JUDGE_LEFT_ALONE */

/* ---- a user of kmem_cache ---------------------------------------------------------- */

#ifdef JUDGE_USER

#ifdef JUDGE_LEFT_ALONE

struct kmem_cache *judge_keep(struct kmem_cache *cache);

/* The kernel has a cache of that name. */
#undef kmem_cache_create
#define kmem_cache_create(args...) \
	CONCATENATE(judge_create_, COUNT_ARGS(args))(args)
#define judge_create_5(name, size, to, flags, construct)				\
	judge_create_4(name, size, (&(struct kmem_cache_args) {				\
				    .align = to, .ctor = construct }), flags)
#define judge_create_4(name, size, args, flags) \
	judge_keep(__kmem_cache_create_args("judge-" name, size, args, flags))

#endif

/*
 * Objects that a caller takes before it needs them, as the newest kernels have them and do not
 * export them.
 */
struct slab_sheaf {
	unsigned int nr;
	unsigned int room;
	void *objects[];
};

static inline int judge_sheaf_fill(struct kmem_cache *cache, gfp_t gfp, struct slab_sheaf *sheaf,
				   unsigned int n)
{
	if (n <= sheaf->nr)
		return 0;
	if (!kmem_cache_alloc_bulk(cache, gfp, n - sheaf->nr, sheaf->objects + sheaf->nr))
		return -ENOMEM;
	sheaf->nr = n;
	return 0;
}

static inline struct slab_sheaf *judge_sheaf_new(struct kmem_cache *cache, gfp_t gfp,
						 unsigned int n)
{
	struct slab_sheaf *sheaf = kzalloc(struct_size(sheaf, objects, n), gfp);

	if (!sheaf)
		return NULL;
	sheaf->room = n;
	if (!judge_sheaf_fill(cache, gfp, sheaf, n))
		return sheaf;
	kfree(sheaf);
	return NULL;
}

static inline int judge_sheaf_refill(struct kmem_cache *cache, gfp_t gfp,
				     struct slab_sheaf **sheaf, unsigned int n)
{
	struct slab_sheaf *larger;

	if (n > (*sheaf)->room) {
		larger = krealloc(*sheaf, struct_size(larger, objects, n), gfp);
		if (!larger)
			return -ENOMEM;
		larger->room = n;
		*sheaf = larger;
	}
	return judge_sheaf_fill(cache, gfp, *sheaf, n);
}

static inline void *judge_sheaf_take(struct kmem_cache *cache, gfp_t gfp, struct slab_sheaf *sheaf)
{
	return sheaf->nr ? sheaf->objects[--sheaf->nr] : NULL;
}

static inline unsigned int judge_sheaf_size(struct slab_sheaf *sheaf)
{
	return sheaf->nr;
}

static inline void judge_sheaf_return(struct kmem_cache *cache, gfp_t gfp,
				      struct slab_sheaf *sheaf)
{
	if (sheaf->nr)
		kmem_cache_free_bulk(cache, sheaf->nr, sheaf->objects);
	kfree(sheaf);
}

#undef kmem_cache_alloc_from_sheaf
#define kmem_cache_prefill_sheaf	judge_sheaf_new
#define kmem_cache_refill_sheaf		judge_sheaf_refill
#define kmem_cache_alloc_from_sheaf	judge_sheaf_take
#define kmem_cache_sheaf_size		judge_sheaf_size
#define kmem_cache_return_sheaf		judge_sheaf_return

/* The kernel knows which CPUs go, and exports these. */
static inline int judge_cpuhp(enum cpuhp_state state, const char *name,
			      int (*startup)(unsigned int cpu), int (*teardown)(unsigned int cpu))
{
	return 0;
}

#undef cpuhp_setup_state_nocalls
#define cpuhp_setup_state_nocalls	judge_cpuhp
#undef __EXPORT_SYMBOL
#define __EXPORT_SYMBOL(...)

/* judge_user.c, which is JUDGE_USER_MAIN, has the user's cache made and the test run. */
void JUDGE_USER_INIT(void);
int judge_user_test(void);
void judge_user_exit(void);

#ifndef JUDGE_USER_MAIN
#undef module_init
#undef module_exit
#define module_init(test)	int judge_user_test(void) __copy(test) __alias(test)
#define module_exit(nothing)	void judge_user_exit(void) __copy(nothing) __alias(nothing)
#endif

#endif /* JUDGE_USER */

/* ---- KUnit ----------------------------------------------------------------------- */

#ifdef JUDGE_KUNIT

int judge_suite(struct kunit_suite *suite, bool alone);

/* judge.ko has a word with the suite before KUnit runs it. */
static struct kunit_suite *judge_the_suite;

static int __init __maybe_unused judge_module_init(void)
{
	return judge_suite(judge_the_suite, JUDGE_KASAN);
}

static void __exit __maybe_unused judge_module_exit(void)
{
}

#undef kunit_test_suite
#define kunit_test_suite(suite)					\
	kunit_test_suites(&suite);				\
	static struct kunit_suite *judge_the_suite = &suite;	\
	module_init(judge_module_init);				\
	module_exit(judge_module_exit)

#endif /* JUDGE_KUNIT */

/* ---- errors, as slub_kunit counts them ---------------------------------------------- */

void judge_errors_to(int *errors);

#ifdef JUDGE_SLUB_KUNIT

static inline void judge_add_resource(struct kunit *test, void *init, void *free,
				      struct kunit_resource *resource, const char *name,
				      void *data)
{
	judge_errors_to(data);
}

#define kunit_add_named_resource	judge_add_resource
#define validate_slab_cache(cache)	judge_cache_validate(cache)

#endif /* JUDGE_SLUB_KUNIT */

/* ---- reports, as kasan_test looks for them ------------------------------------------ */

char *judge_find(const char *line, const char *what, size_t len);

#if JUDGE_KASAN

/* Asked for "BUG: KASAN: " it finds goheap's own reports of bad frees, too. */
#define strnstr(line, what, len)	judge_find(line, what, len)

/* The guest was booted with kasan_multi_shot. */
#define kasan_save_enable_multi_shot()	true
#define kasan_restore_multi_shot(on)	((void)(on))
#define kasan_test_rust_uaf()		((void)0)

/* Compilers that cannot do so themselves are shown the checked functions. */
#ifndef CONFIG_CC_HAS_KASAN_MEMINTRINSIC_PREFIX
#define CONFIG_CC_HAS_KASAN_MEMINTRINSIC_PREFIX 1
#undef memset
#undef memmove
#undef memcpy
#define memset(p, c, n)			__asan_memset(p, c, n)
#define memmove(to, from, n)		__asan_memmove(to, from, n)
#define memcpy(to, from, n)		__asan_memcpy(to, from, n)
#endif

#endif /* JUDGE_KASAN */

#endif /* _GOHEAP_JUDGE_H */
