/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every test for a kernel version lives here. Supported: 6.1 and later, 64 bits.
 */
#ifndef _GOHEAP_COMPAT_H
#define _GOHEAP_COMPAT_H

#include <linux/lockdep.h>
#include <linux/version.h>
#include <linux/dcache.h>
#include <linux/fault-inject.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/stackdepot.h>
#include <linux/swap.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "goheap needs Linux 6.1 or later: build against a newer kernel (KDIR=...)"
#endif
#ifndef CONFIG_64BIT
#error "goheap needs a 64-bit kernel: its bitmaps and address map count on 64-bit words"
#endif
#ifndef CONFIG_MMU
#error "goheap needs a kernel with an MMU"
#endif
#if PAGE_SIZE < 4096
#error "goheap needs pages of 4 KiB or more"
#endif

/* Before, a cache that is like another one shares its slabs. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define GH_SLAB_NO_MERGE	0
#else
#define GH_SLAB_NO_MERGE	SLAB_NO_MERGE
#endif

/* MAX_ORDER was exclusive up to 6.3, then inclusive, then got its present name. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define GH_MAX_PAGE_ORDER	(MAX_ORDER - 1)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define GH_MAX_PAGE_ORDER	MAX_ORDER
#else
#define GH_MAX_PAGE_ORDER	MAX_PAGE_ORDER
#endif

/* Tell reclaim how many pages its shrinker gave back. */
static inline void gh_account_reclaimed(unsigned long pages)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#else
	mm_account_reclaimed_pages(pages);
#endif
}

/* What reclaim was told. For tests. */
static inline unsigned long gh_reclaimed(const struct reclaim_state *state)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	return state->reclaimed_slab;
#else
	return state->reclaimed;
#endif
}

typedef unsigned long gh_shrink_fn(struct shrinker *, struct shrink_control *);

/* 6.7 moved shrinkers from the caller's memory to the kernel's. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct shrinker *gh_shrinker_register(const char *name, gh_shrink_fn *count,
						    gh_shrink_fn *scan)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
	shrinker->flags = SHRINKER_NUMA_AWARE;
	if (register_shrinker(shrinker, "%s", name)) {
		kfree(shrinker);
		return NULL;
	}
	return shrinker;
}

static inline void gh_shrinker_unregister(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#else
static inline struct shrinker *gh_shrinker_register(const char *name, gh_shrink_fn *count,
						    gh_shrink_fn *scan)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "%s", name);

	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker_register(shrinker);
	return shrinker;
}

static inline void gh_shrinker_unregister(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#endif

/* 6.13 sets up a timer in one call. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void gh_hrtimer_setup(struct hrtimer *timer,
				    enum hrtimer_restart (*fn)(struct hrtimer *),
				    clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#else
#define gh_hrtimer_setup(timer, fn, clock, mode) hrtimer_setup(timer, fn, clock, mode)
#endif

/*
 * A page type that the kernel has not given to anybody. Up to 6.11 a type is a bit that is
 * 0 in what is all ones, from 6.12 on the highest byte; 0xff stands for no type there.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define GH_PAGE_TYPE	(~0x00010000U)
#else
#define GH_PAGE_TYPE	(0xfeU << 24)
#endif
#define GH_PAGE_NO_TYPE	UINT_MAX

/* 6.15 tells by a type which pages are an object that SLUB has no slab for. For tests. */
static inline bool gh_page_is_large_kmalloc(const struct page *page)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
	return false;
#else
	return PageLargeKmalloc(page);
#endif
}

/*
 * Since 6.2 plain callbacks may wait for ten seconds on CPUs that leave theirs to others
 * (RCU_LAZY, with nohz_full= or rcu_nocbs=). Ours give memory back, as much of it as comes
 * together meanwhile.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define gh_call_rcu	call_rcu
#else
#define gh_call_rcu	call_rcu_hurry
#endif

/*
 * User Mode Linux has fences where x86 keeps loads, and stores, in order anyway. In a remote
 * free these fences took twice the time of all the rest.
 */
#ifdef CONFIG_UML_X86
#define gh_smp_rmb()	barrier()
#define gh_smp_wmb()	barrier()

static inline u32 gh_smp_load_acquire(const u32 *p)
{
	u32 value = READ_ONCE(*p);

	barrier();
	return value;
}

#define gh_smp_store_release(p, v) do {		\
	barrier();				\
	WRITE_ONCE(*(p), v);			\
} while (0)
#else
/* Every use of one of these has a comment that says what the barrier pairs with. */
#define gh_smp_rmb()			smp_rmb()		/* see there */
#define gh_smp_wmb()			smp_wmb()		/* see there */
#define gh_smp_load_acquire(p)		smp_load_acquire(p)	/* see there */
#define gh_smp_store_release(p, v)	smp_store_release(p, v)	/* see there */
#endif

/* Sparse lost its lock annotations in 7.0, and this one went with them. */
#ifdef __cond_lock
#define gh_cond_lock(lock, taken)	__cond_lock(lock, taken)
#else
#define gh_cond_lock(lock, taken)	((void)(lock), taken)
#endif

/* Keep a stack in the kernel's depot, without an allocation unless @may_allocate. */
#if IS_ENABLED(CONFIG_STACKDEPOT)
static inline u32 gh_depot_save(unsigned long *entries, unsigned int nr, bool may_allocate)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return __stack_depot_save(entries, nr, 0, GFP_NOWAIT, may_allocate);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	return __stack_depot_save(entries, nr, GFP_NOWAIT, may_allocate);
#else
	return stack_depot_save_flags(entries, nr, GFP_NOWAIT,
				      may_allocate ? STACK_DEPOT_FLAG_CAN_ALLOC : 0);
#endif
}
#endif

/* Since 6.17 a workqueue has a flag if its works stay on the CPU that queued them. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define GH_WQ_PERCPU	0
#else
#define GH_WQ_PERCPU	WQ_PERCPU
#endif

#ifdef CONFIG_FAULT_INJECTION
/* An attribute keeps a reference to its directory, unless it has a name of its own. */
static inline void gh_fault_attr_exit(struct fault_attr *attr)
{
#ifndef FAULT_ATTR_DNAME_LEN
	dput(attr->dname);
	attr->dname = NULL;
#endif
}
#endif

#ifdef CONFIG_KASAN_GENERIC
/* Exported, the same in all, and declared in mm/kasan/kasan.h only. */
void kasan_poison(const void *addr, size_t size, u8 value, bool init);
#endif

#ifdef CONFIG_TINY_RCU
#define gh_rcu_expedite(on)	((void)(on))
#else
/* Exported, the same in all, and declared in kernel/rcu/rcu.h only. */
void rcu_expedite_gp(void);
void rcu_unexpedite_gp(void);
#define gh_rcu_expedite(on)	((on) ? rcu_expedite_gp() : rcu_unexpedite_gp())
#endif

/* Up to 6.2 a flag of its own gives GFP_ATOMIC its share of the reserves. */
#ifdef __GFP_ATOMIC
#define GH_GFP_ATOMIC	__GFP_ATOMIC
#else
#define GH_GFP_ATOMIC	0
#endif

/* 6.4 lets code tell lockdep which kinds of locks it may take, whoever calls it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define GH_DEFINE_WAIT_OVERRIDE(name)	struct lockdep_map name
#define gh_wait_override_begin(map)	((void)(map))
#define gh_wait_override_end(map)	((void)(map))
#else
#define GH_DEFINE_WAIT_OVERRIDE(name)	DEFINE_WAIT_OVERRIDE_MAP(name, LD_WAIT_CONFIG)
#define gh_wait_override_begin(map)	lock_map_acquire_try(map)
#define gh_wait_override_end(map)	lock_map_release(map)
#endif

/* Wait until all objects given to kfree_rcu() are freed; false if this kernel cannot wait. */
static inline bool gh_kvfree_rcu_barrier(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	return false;
#else
	kvfree_rcu_barrier();
	return true;
#endif
}

/* A buffer around memory of kmalloc(): 6.2 has a function of its own for that. For tests. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define gh_slab_build_skb(data)	build_skb(data, 0)
#else
#define gh_slab_build_skb(data)	slab_build_skb(data)
#endif

/*
 * Can probes take kfree()'s objects? Where kfree_rcu() does not collect, kernels since 6.15
 * round the object's address down before they come to where a probe could be.
 */
#if IS_ENABLED(CONFIG_KPROBES) && IS_ENABLED(CONFIG_HAVE_FUNCTION_ARG_ACCESS_API) && \
	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0) || IS_ENABLED(CONFIG_KVFREE_RCU_BATCHED))
#define GH_CAN_ADOPT
#endif

/* Since 6.13 krealloc() does not ask ksize(), and with KASAN it never had enough of that. */
#define GH_KREALLOC_PROBED \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0) || IS_ENABLED(CONFIG_KASAN))

/* The function that the krealloc() macros call, and its arguments. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define GH_KREALLOC_NAME	"krealloc"
#elif !defined(krealloc_noprof)
#define GH_KREALLOC_NAME	"krealloc_noprof"
#else
#define GH_KREALLOC_NAME	"krealloc_node_align_noprof"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0) || !defined(krealloc_noprof)
#define GH_KREALLOC_TAKES_NODE	0
#else
#define GH_KREALLOC_TAKES_NODE	1
#endif

/* With some configurations of 7.2 a token comes after the size. */
#ifdef DECL_TOKEN_PARAMS
#define GH_KREALLOC_SIZE	DECL_TOKEN_PARAMS(size, token)
#else
#define GH_KREALLOC_SIZE	size_t size
#endif

#endif /* _GOHEAP_COMPAT_H */
