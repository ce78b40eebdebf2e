/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Turns a test of the kernel's allocators into one of goheap. The compiler includes
 * this ahead of the test.
 *
 * JUDGE_KUNIT		the test is of KUnit
 * JUDGE_SLUB_KUNIT	it counts errors, and calls what mm/slab.h declares
 * JUDGE_KASAN		it looks for KASAN's reports on the console
 * JUDGE_LEFT_ALONE	keep SLUB, and only see to KUnit: what the test says on its own ground
 * JUDGE_KEEPS_PR_FMT	it defines no pr_fmt()
 */
#ifndef _GOHEAP_JUDGE_H
#define _GOHEAP_JUDGE_H

/* All that a test includes comes first, so that no header is rewired. */
#include <linux/bitops.h>
#include <linux/delay.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kasan.h>
#include <linux/kernel.h>
#include <linux/kfence.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/printk.h>
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
 * struct judge_cache - what stands in for an object cache
 * @heap: all its objects
 * @size: of one, rounded up to the alignment
 * @object_size: of one, as asked for
 * @offset: where SLUB would keep the pointer to the next free object
 * @flags: SLAB_*; of these SLAB_TYPESAFE_BY_RCU has objects freed after a grace period,
 *	and SLAB_POISON, SLAB_RED_ZONE and SLAB_STORE_USER become the heap's
 * @ctor: runs at every allocation, as no object remembers that it was constructed
 */
struct judge_cache {
	struct goheap *heap;
	unsigned int size;
	unsigned int object_size;
	unsigned int offset;
	slab_flags_t flags;
	void (*ctor)(void *object);
};

struct judge_cache *judge_cache_create(const char *name, unsigned int size, unsigned int align,
				       slab_flags_t flags, void (*ctor)(void *object));
void judge_cache_destroy(struct judge_cache *cache);
void *judge_cache_alloc(struct judge_cache *cache, gfp_t gfp);
void *judge_cache_alloc_sized(struct judge_cache *cache, gfp_t gfp, size_t size);
void judge_cache_free(struct judge_cache *cache, void *p);
int judge_cache_alloc_bulk(struct judge_cache *cache, gfp_t gfp, size_t n, void **p);
void judge_cache_free_bulk(struct judge_cache *cache, size_t n, void **p);
void judge_cache_validate(struct judge_cache *cache);
void judge_rcu_barrier(void);
void judge_free_sensitive(const void *p);
int judge_mempool_sized(mempool_t *pool, int min_nr, size_t size);
int judge_mempool_cache(mempool_t *pool, int min_nr, struct judge_cache *cache);

#ifndef JUDGE_LEFT_ALONE

#define kmem_cache		judge_cache

#undef kmem_cache_create
#undef kmem_cache_alloc
#undef kmem_cache_alloc_bulk
#undef __kmalloc_cache_noprof
#define kmem_cache_create(name, size, align, flags, ctor) \
	judge_cache_create(name, size, align, flags, ctor)
#define kmem_cache_destroy(cache)		judge_cache_destroy(cache)
#define kmem_cache_alloc(cache, gfp)		judge_cache_alloc(cache, gfp)
#define kmem_cache_alloc_bulk(cache, gfp, n, p)	judge_cache_alloc_bulk(cache, gfp, n, p)
#define kmem_cache_free(cache, p)		judge_cache_free(cache, p)
#define kmem_cache_free_bulk(cache, n, p)	judge_cache_free_bulk(cache, n, p)
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
#define rcu_barrier()			judge_rcu_barrier()

/* The largest object that shares a span with others. */
#undef KMALLOC_MAX_CACHE_SIZE
#define KMALLOC_MAX_CACHE_SIZE		32768

#undef mempool_init_kmalloc_pool
#undef mempool_init_slab_pool
#define mempool_init_kmalloc_pool(pool, min_nr, size)	judge_mempool_sized(pool, min_nr, size)
#define mempool_init_slab_pool(pool, min_nr, cache)	judge_mempool_cache(pool, min_nr, cache)

#endif /* !JUDGE_LEFT_ALONE */

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
