/* SPDX-License-Identifier: GPL-2.0 */
/*
 * goheap - a slab-style allocator after the Go runtime's heap
 *
 * The public contract. Sizes are in bytes throughout.
 *
 * A caller of kmalloc() finds every promise of kmalloc() here: memory is
 * physically contiguous and in the direct map; it is aligned to the largest
 * power of two that divides the requested size, and at least to
 * ARCH_KMALLOC_MINALIGN (except pointer-free objects below 8 bytes); a request
 * for 0 bytes gives ZERO_SIZE_PTR; freeing NULL or ZERO_SIZE_PTR does nothing;
 * any CPU may free what any other CPU allocated. kfree() is not goheap_free().
 *
 * A bad free (twice, inside an object, of memory that is not goheap's, into the
 * wrong heap, of a wrong size) is refused and reported; the heap stays right.
 */
#ifndef _GOHEAP_H
#define _GOHEAP_H

#include <linux/cleanup.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/stdarg.h>
#include <linux/slab.h>
#include <linux/types.h>

/**
 * DOC: Contexts
 *
 * Every allocation takes the caller's gfp flags and keeps their promise:
 * GFP_KERNEL may sleep, GFP_ATOMIC and GFP_NOWAIT never do. Every free may be
 * called in any context, NMI included, and never fails.
 *
 * ==============================  ==========  ======  =======  ======  =======
 * context                         GFP_KERNEL  ATOMIC  ATOMIC,  frees,  create,
 *                                                     RT       size    destroy
 * ==============================  ==========  ======  =======  ======  =======
 * task                            yes         yes     yes      yes     yes
 * task in a memalloc_noio scope   as NOIO     yes     yes      yes     no
 * task in a memalloc_nofs scope   as NOFS     yes     yes      yes     no
 * reclaim: a shrinker's callback  reserves    yes     yes      yes     no
 * RCU read side                   no          yes     yes      yes     no
 * spinlock, BH off                no          yes     yes      yes     no
 * softirq: tasklet, timer         no          yes     yes      yes     no
 * preemption or interrupts off    no          yes     held     yes     no
 * raw spinlock                    no          yes     held     yes     no
 * hardirq: hard timer, irq_work   no          yes     held     yes     no
 * NMI                             no          held    held     yes     no
 * ==============================  ==========  ======  =======  ======  =======
 *
 * ATOMIC
 *	GFP_ATOMIC and GFP_NOWAIT, with every function that allocates; the column RT
 *	is for kernels with PREEMPT_RT.
 * frees, size
 *	All functions that free, goheap_free_rcu() among them, goheap_size() and
 *	goheap_base().
 * create, destroy
 *	goheap_create(), goheap_destroy(), goheap_cache_create() and
 *	goheap_cache_destroy(). They wait for a mutex whose owner may allocate with
 *	GFP_KERNEL, hence not in scopes and not in reclaim. goheap_cache_shrink() waits
 *	for work of all CPUs; it takes no mutex.
 * yes
 *	Objects up to 32 KiB are usually served without taking a lock. When this CPU's
 *	cache and the central lists are empty, pages come from the kernel's page
 *	allocator.
 * as NOIO, as NOFS
 *	GFP_KERNEL acts as GFP_NOIO or GFP_NOFS, as for every caller of the page
 *	allocator.
 * reserves
 *	For a caller that reclaims, the page allocator does not reclaim, and gives
 *	from its reserves. goheap uses these reserves for the pages that the request
 *	needs, never for magazines or pages beyond that.
 * held
 *	The page allocator cannot be called. Only memory that goheap holds can be had:
 *	objects in this CPU's cache and in the central lists, and idle pages. When there
 *	is none, an allocation fails as if memory had run out. On a private heap, or an
 *	object cache, idle pages can be had only for a size class that was used on this CPU
 *	before: otherwise the allocation fails unless a central list has an object, and
 *	what the next one needs is made a moment later.
 *
 * In NMI, locks are only tried, because the interrupted code may hold them: an allocation
 * may fail though there is memory. If the NMI hit goheap itself on this CPU, an allocation
 * that needs a new span may fail as well. A free that would need a lock is done after the
 * NMI and a grace period: the free of a large object, or of an object in a span that no CPU
 * owns. The object counts as freed at once, and a second free is reported.
 *
 * Kernels with lockdep or DEBUG_ATOMIC_SLEEP report GFP_KERNEL where it must not be
 * used whether or not the allocation had to sleep.
 *
 * __GFP_DMA, __GFP_DMA32 and __GFP_HIGHMEM are refused: NULL, and one warning.
 * __GFP_ACCOUNT has no effect. __GFP_NOFAIL does not help above goheap_max_size(),
 * and waits for a private heap's limit as it does for memory.
 */

struct goheap;

/* ---- the default heap ------------------------------------------------------- */

/**
 * goheap_free() - free an object
 * @p: what an allocation of any goheap heap returned, NULL or ZERO_SIZE_PTR
 *
 * Context: Any context, NMI included. Mostly takes no lock if a small object was
 * allocated on this CPU.
 */
void goheap_free(const void *p);

/**
 * goheap_free_sized() - free an object whose requested size is known
 * @p: as for goheap_free()
 * @size: the size that was asked for when @p was allocated or last reallocated
 *
 * The size is checked: a size that cannot have been @p's is misuse, and nothing
 * is freed. Not for goheap_alloc_aligned(), where the alignment counts as well.
 *
 * Context: Any context, NMI included.
 */
void goheap_free_sized(const void *p, size_t size);

/**
 * goheap_free_rcu() - free an object after an RCU grace period
 * @p: any goheap object; it needs no room for an rcu_head
 *
 * Nothing is allocated and nothing is written into the object, so readers may
 * use it until they leave their read-side critical sections. A second free of
 * the same object is reported at once, not after the grace period.
 *
 * Context: Any context, NMI included. Never sleeps.
 */
void goheap_free_rcu(const void *p);

/**
 * goheap_free_bulk() - free many objects
 * @n: how many
 * @p: the objects; NULL and ZERO_SIZE_PTR are skipped
 *
 * Context: Any context, NMI included.
 */
void goheap_free_bulk(unsigned int n, void **p);

/* A pointer declared with __free(goheap_free) is freed when it leaves scope. */
DEFINE_FREE(goheap_free, void *, IS_ERR_OR_NULL(_T) ? (void)0 : goheap_free(_T))

/**
 * goheap_alloc() - allocate an object
 * @size: how many bytes
 * @gfp: GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, with __GFP_ZERO, __GFP_NOWARN,
 *       __GFP_NOFAIL, __GFP_THISNODE as wanted
 *
 * The content is undefined unless @gfp has __GFP_ZERO or the kernel was booted
 * with init_on_alloc=1.
 *
 * Context: Any context that @gfp allows; see DOC: Contexts.
 * Return: the object, or NULL when there is no memory or @size is above
 * goheap_max_size().
 */
void *goheap_alloc(size_t size, gfp_t gfp)
	__alloc_size(1) __malloc;

/**
 * goheap_zalloc() - allocate an object filled with zeroes
 * @size: how many bytes
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL.
 */
void *goheap_zalloc(size_t size, gfp_t gfp)
	__alloc_size(1) __malloc;

/**
 * goheap_alloc_noscan() - allocate an object that will hold no pointers
 * @size: how many bytes
 * @gfp: see goheap_alloc()
 *
 * Such objects live in spans of their own and are never looked into for
 * pointers. Where that saves memory several of them share a 16-byte block, unless
 * zeroes are asked for: objects of 1 to 4 bytes, aligned to the largest power of
 * two that divides their size; and an object of 9 to 12 bytes with one of up to 4.
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL.
 */
void *goheap_alloc_noscan(size_t size, gfp_t gfp)
	__alloc_size(1) __malloc;

/**
 * goheap_alloc_node() - allocate an object on a NUMA node
 * @size: how many bytes
 * @gfp: see goheap_alloc(); with __GFP_THISNODE no other node will do
 * @nid: the node, or NUMA_NO_NODE for the one this CPU is on
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL.
 */
void *goheap_alloc_node(size_t size, gfp_t gfp, int nid)
	__alloc_size(1) __malloc;

/**
 * goheap_alloc_aligned() - allocate an object with a wider alignment
 * @size: how many bytes
 * @align: a power of two, at most goheap_max_size()
 * @gfp: see goheap_alloc()
 *
 * goheap_realloc() does not keep the alignment when it moves the object. A caller that needs
 * the alignment allocates a new object, copies and frees.
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL; also, with a warning, when @align is no power of
 * two.
 */
void *goheap_alloc_aligned(size_t size, size_t align, gfp_t gfp)
	__alloc_size(1) __malloc;

/**
 * goheap_alloc_array() - allocate an array
 * @n: how many elements
 * @size: bytes of one
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the array, or NULL; also when @n * @size overflows.
 */
void *goheap_alloc_array(size_t n, size_t size, gfp_t gfp)
	__alloc_size(1, 2) __malloc;

/**
 * goheap_calloc() - allocate an array filled with zeroes
 * @n: how many elements
 * @size: bytes of one
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the array, or NULL; also when @n * @size overflows.
 */
void *goheap_calloc(size_t n, size_t size, gfp_t gfp)
	__alloc_size(1, 2) __malloc;

/**
 * goheap_realloc() - change the size of an object
 * @p: an object, NULL or ZERO_SIZE_PTR
 * @size: the new size; 0 frees @p
 * @gfp: see goheap_alloc()
 *
 * The content is kept up to the smaller of both sizes. Bytes that the object
 * gains are zero if it was allocated with __GFP_ZERO and every call for it has
 * __GFP_ZERO too, or if the kernel was booted with init_on_alloc=1. The new object
 * stays in @p's heap and stays pointer-free if @p was. An object that would waste
 * half of its space or more is moved to a smaller one; one that grows gets room to
 * grow again.
 *
 * A wider alignment that goheap_alloc_aligned() gave is not on record. An object that
 * moves is aligned as goheap_alloc() aligns the new @size, as with krealloc().
 *
 * Context: Any context that @gfp allows.
 * Return: the object, which may have moved; NULL when there is no memory, and
 * then @p is as it was; ZERO_SIZE_PTR for size 0.
 */
void *goheap_realloc(const void *p, size_t size, gfp_t gfp)
	__realloc_size(2) __must_check;

/**
 * goheap_strdup() - copy a string
 * @s: the string, or NULL
 * @gfp: see goheap_alloc()
 *
 * The copy is pointer-free and need not be aligned. Copies of up to 4 bytes share
 * 16-byte blocks.
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, or NULL.
 */
char *goheap_strdup(const char *s, gfp_t gfp)
	__malloc;

/**
 * goheap_memdup() - copy a piece of memory
 * @src: from where
 * @len: how many bytes
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, or NULL.
 */
void *goheap_memdup(const void *src, size_t len, gfp_t gfp)
	__alloc_size(2) __malloc;

/**
 * goheap_alloc_array_node() - allocate room for an array on a NUMA node
 * @n: how many elements
 * @size: bytes of each
 * @gfp: see goheap_alloc_node()
 * @nid: the node, or NUMA_NO_NODE for the one this CPU is on
 *
 * Context: Any context that @gfp allows.
 * Return: the array, or NULL; also when @n * @size overflows.
 */
void *goheap_alloc_array_node(size_t n, size_t size, gfp_t gfp, int nid)
	__alloc_size(1, 2) __malloc;

/**
 * goheap_calloc_node() - allocate a zeroed array on a NUMA node
 * @n: how many elements
 * @size: bytes of each
 * @gfp: see goheap_alloc_node()
 * @nid: the node, or NUMA_NO_NODE for the one this CPU is on
 *
 * Context: Any context that @gfp allows.
 * Return: the array, or NULL; also when @n * @size overflows.
 */
void *goheap_calloc_node(size_t n, size_t size, gfp_t gfp, int nid)
	__alloc_size(1, 2) __malloc;

/**
 * goheap_realloc_array() - resize an array
 * @p: the array, NULL or ZERO_SIZE_PTR
 * @n: how many elements it is to have
 * @size: bytes of each
 * @gfp: see goheap_realloc()
 *
 * Context: Any context that @gfp allows.
 * Return: as goheap_realloc(); NULL also when @n * @size overflows.
 */
void *goheap_realloc_array(const void *p, size_t n, size_t size, gfp_t gfp)
	__realloc_size(2, 3) __must_check;

/**
 * goheap_asprintf() - print to a string that is as long as it needs to be
 * @gfp: see goheap_alloc()
 * @fmt: as for printk()
 *
 * The copies of strings, this one included, live in spans for memory without pointers. They may
 * start anywhere.
 *
 * Context: Any context that @gfp allows.
 * Return: the string, or NULL.
 */
__printf(2, 3) __malloc char *goheap_asprintf(gfp_t gfp, const char *fmt, ...);

/**
 * goheap_memdup_user() - copy memory of user space
 * @src: what to copy
 * @len: how many bytes
 *
 * Context: Process context, may sleep.
 * Return: the copy, ERR_PTR(-ENOMEM) or ERR_PTR(-EFAULT).
 */
void *goheap_memdup_user(const void __user *src, size_t len)
	__alloc_size(2);

/**
 * goheap_kvalloc() - allocate memory that need not be contiguous
 * @size: how many bytes
 * @gfp: see goheap_alloc()
 *
 * From a heap up to a page, and above if pages side by side are easily had; else from vmalloc(),
 * if @gfp lets the caller sleep.
 *
 * Context: Any context that @gfp allows.
 * Return: the memory, to be freed by goheap_kvfree(), or NULL.
 */
void *goheap_kvalloc(size_t size, gfp_t gfp)
	__alloc_size(1) __malloc;

/**
 * goheap_kvfree() - free what goheap_kvalloc() returned
 * @p: the memory, an object of any goheap heap, NULL or ZERO_SIZE_PTR
 *
 * Context: As vfree(), because only @p tells: not in NMI, and no locks held that vfree() takes.
 */
void goheap_kvfree(const void *p);

DEFINE_FREE(goheap_kvfree, void *, IS_ERR_OR_NULL(_T) ? (void)0 : goheap_kvfree(_T))

/**
 * goheap_free_sensitive() - clear an object and free it
 * @p: the object, NULL or ZERO_SIZE_PTR
 *
 * Context: Any context, NMI included.
 */
void goheap_free_sensitive(const void *p);

/**
 * goheap_alloc_bulk() - allocate many objects of one size
 * @size: how many bytes each
 * @gfp: see goheap_alloc()
 * @n: how many objects
 * @p: where they go
 *
 * Context: Any context that @gfp allows.
 * Return: how many were allocated, 0 to @n; @p[0] up to that are valid.
 */
unsigned int goheap_alloc_bulk(size_t size, gfp_t gfp, unsigned int n, void **p);

/**
 * goheap_size() - usable size of an object
 * @p: a live object, NULL or ZERO_SIZE_PTR
 *
 * A function that both allocates and uses more than it asked for must hide the
 * pointer from FORTIFY_SOURCE in between: OPTIMIZER_HIDE_VAR(), as for ksize().
 *
 * Context: Any context.
 * Return: bytes that the owner of @p may use, at least what was asked for; 0 for
 * NULL, ZERO_SIZE_PTR and what is not a live object.
 */
size_t goheap_size(const void *p);

/**
 * goheap_base() - find the live object that holds an address
 * @addr: any address at all
 *
 * Never faults, whatever @addr is.
 *
 * Context: Any context.
 * Return: the object's start, or NULL if no live goheap object holds @addr.
 */
void *goheap_base(const void *addr);

/**
 * goheap_owns() - is an address in a page of goheap's?
 * @addr: any address at all
 *
 * Says nothing of objects: the page may hold none, or free ones. Memory from goheap_kvalloc()
 * may be vmalloc()'s.
 *
 * Context: Any context.
 * Return: true if so.
 */
bool goheap_owns(const void *addr);

/**
 * goheap_size_roundup() - how many bytes would an object have?
 * @size: what would be asked for
 *
 * As kmalloc_size_roundup(): whoever asks for so many bytes may use them all.
 *
 * Context: Any.
 * Return: what goheap_size() says of an object of the default heap that may hold pointers;
 * @size if that is 0 or above goheap_max_size().
 */
size_t goheap_size_roundup(size_t size);

/* Typed, as kmalloc_obj() and its relatives of Linux 7.0: @T is a type or a variable. */
#define goheap_alloc_obj(T, gfp)	((typeof(T) *)goheap_alloc(sizeof(typeof(T)), (gfp)))
#define goheap_zalloc_obj(T, gfp)	((typeof(T) *)goheap_zalloc(sizeof(typeof(T)), (gfp)))
#define goheap_alloc_objs(T, n, gfp)	\
	((typeof(T) *)goheap_alloc_array((n), sizeof(typeof(T)), (gfp)))
#define goheap_zalloc_objs(T, n, gfp)	((typeof(T) *)goheap_calloc((n), sizeof(typeof(T)), (gfp)))

/* With @n elements of the flexible array @member at the end. */
#define goheap_alloc_flex(T, member, n, gfp)	\
	((typeof(T) *)goheap_alloc(struct_size((typeof(T) *)NULL, member, (n)), (gfp)))
#define goheap_zalloc_flex(T, member, n, gfp)	\
	((typeof(T) *)goheap_zalloc(struct_size((typeof(T) *)NULL, member, (n)), (gfp)))

/**
 * goheap_max_size() - the largest object
 *
 * Return: bytes; 4 MiB unless this kernel's page allocator stops earlier.
 */
size_t goheap_max_size(void);

/* ---- private heaps ----------------------------------------------------------- */

/* goheap_params.flags */
#define GOHEAP_LEAK_OK	0x1	/* goheap_destroy() frees what is left without a word */

/*
 * As for kmem_cache_create() SLAB_POISON, SLAB_RED_ZONE and SLAB_STORE_USER: slow, and
 * for debugging. The parameter goheap.debug= adds to them.
 */
#define GOHEAP_POISON	0x2	/* detect writes to freed objects */
#define GOHEAP_REDZONE	0x4	/* detect writes after the end of objects */
#define GOHEAP_TRACK	0x8	/* reports tell who allocated and who freed */

/* flags of goheap_heap_alloc() */
#define GOHEAP_NOSCAN	0x1	/* the object will hold no pointers */

/**
 * struct goheap_params - how a private heap behaves; zero everywhere is fine
 * @limit: most bytes of pages that the heap may hold at a time, in steps of 8 KiB
 *	and at least one; 0 for no limit
 * @flags: GOHEAP_LEAK_OK, GOHEAP_POISON, GOHEAP_REDZONE, GOHEAP_TRACK
 */
struct goheap_params {
	size_t limit;
	unsigned int flags;
};

/**
 * goheap_create() - make a private heap
 * @name: shown in debugfs and in reports; 1 to 63 characters of ASCII that can be
 *	  seen, without '/', ',', ';', '"' and a '#' at the beginning; unique
 * @params: how it behaves, or NULL
 *
 * A private heap has caches and central lists of its own; no span is shared with
 * another heap. Free pages are shared by all heaps.
 *
 * Context: Process context, may sleep.
 * Return: the heap, or ERR_PTR: -EINVAL (bad name or flags), -EEXIST, -ENOMEM.
 */
struct goheap *goheap_create(const char *name, const struct goheap_params *params);

/**
 * goheap_destroy() - take a private heap down
 * @heap: the heap, NULL or an ERR_PTR; nobody else may be using it
 *
 * Frees all that is left in the heap and reports it as leaked, unless the heap
 * was made with GOHEAP_LEAK_OK. Waits for objects given to goheap_free_rcu().
 *
 * Context: Process context, may sleep.
 */
void goheap_destroy(struct goheap *heap);

/**
 * goheap_heap_alloc() - allocate from a private heap
 * @heap: the heap, or NULL for the default one
 * @size: how many bytes
 * @gfp: see goheap_alloc()
 * @flags: GOHEAP_NOSCAN or 0
 *
 * Freed by goheap_heap_free() or by any of the default heap's free functions.
 *
 * At the heap's limit a caller that may sleep waits until other CPUs, and grace periods,
 * have given back memory without live objects.
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL; also when the heap's limit is reached.
 */
void *goheap_heap_alloc(struct goheap *heap, size_t size, gfp_t gfp, unsigned int flags)
	__alloc_size(2) __malloc;

/**
 * goheap_heap_free() - free an object of this heap and of no other
 * @heap: the heap that @p must belong to, or NULL for the default one
 * @p: the object, NULL or ZERO_SIZE_PTR
 *
 * Context: Any context, NMI included.
 */
void goheap_heap_free(struct goheap *heap, const void *p);

/**
 * goheap_heap_zalloc() - allocate an object filled with zeroes from a heap
 * @heap: the heap, or NULL for the default one
 * @size: how many bytes
 * @gfp: see goheap_alloc()
 * @flags: GOHEAP_NOSCAN or 0
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL.
 */
void *goheap_heap_zalloc(struct goheap *heap, size_t size, gfp_t gfp, unsigned int flags)
	__alloc_size(2) __malloc;

/**
 * goheap_heap_alloc_node() - allocate from a heap, on a NUMA node
 * @heap: the heap, or NULL for the default one
 * @size: how many bytes
 * @gfp: see goheap_alloc_node()
 * @flags: GOHEAP_NOSCAN or 0
 * @nid: the node, or NUMA_NO_NODE for the one this CPU is on
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL.
 */
void *goheap_heap_alloc_node(struct goheap *heap, size_t size, gfp_t gfp, unsigned int flags,
			     int nid)
	__alloc_size(2) __malloc;

/**
 * goheap_heap_alloc_aligned() - allocate from a heap, with a wider alignment
 * @heap: the heap, or NULL for the default one
 * @size: how many bytes
 * @align: a power of two, at most goheap_max_size()
 * @gfp: see goheap_alloc()
 * @flags: GOHEAP_NOSCAN or 0
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL; also, with a warning, when @align is no power of two.
 */
void *goheap_heap_alloc_aligned(struct goheap *heap, size_t size, size_t align, gfp_t gfp,
				unsigned int flags)
	__alloc_size(2) __malloc;

/**
 * goheap_heap_alloc_array() - allocate an array from a heap
 * @heap: the heap, or NULL for the default one
 * @n: how many elements
 * @size: bytes of one
 * @gfp: see goheap_alloc()
 * @flags: GOHEAP_NOSCAN or 0
 *
 * Context: Any context that @gfp allows.
 * Return: the array, or NULL; also when @n * @size overflows.
 */
void *goheap_heap_alloc_array(struct goheap *heap, size_t n, size_t size, gfp_t gfp,
			      unsigned int flags)
	__alloc_size(2, 3) __malloc;

/**
 * goheap_heap_calloc() - allocate an array filled with zeroes from a heap
 * @heap: the heap, or NULL for the default one
 * @n: how many elements
 * @size: bytes of one
 * @gfp: see goheap_alloc()
 * @flags: GOHEAP_NOSCAN or 0
 *
 * Context: Any context that @gfp allows.
 * Return: the array, or NULL; also when @n * @size overflows.
 */
void *goheap_heap_calloc(struct goheap *heap, size_t n, size_t size, gfp_t gfp,
			 unsigned int flags)
	__alloc_size(2, 3) __malloc;

/**
 * goheap_heap_alloc_bulk() - allocate many objects of one size from a heap
 * @heap: the heap, or NULL for the default one
 * @size: how many bytes each
 * @gfp: see goheap_alloc()
 * @n: how many objects
 * @p: where they go
 *
 * Context: Any context that @gfp allows.
 * Return: how many were allocated, 0 to @n; @p[0] up to that are valid.
 */
unsigned int goheap_heap_alloc_bulk(struct goheap *heap, size_t size, gfp_t gfp, unsigned int n,
				    void **p);

/**
 * goheap_heap_strdup() - copy a string into a heap
 * @heap: the heap, or NULL for the default one
 * @s: the string, or NULL
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, as from goheap_strdup(), or NULL.
 */
char *goheap_heap_strdup(struct goheap *heap, const char *s, gfp_t gfp)
	__malloc;

/**
 * goheap_heap_memdup() - copy a piece of memory into a heap
 * @heap: the heap, or NULL for the default one
 * @src: from where
 * @len: how many bytes
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, or NULL.
 */
void *goheap_heap_memdup(struct goheap *heap, const void *src, size_t len, gfp_t gfp)
	__alloc_size(3) __malloc;

/**
 * goheap_heap_asprintf() - print to a string of a heap
 * @heap: the heap, or NULL for the default one
 * @gfp: see goheap_alloc()
 * @fmt: as for printk()
 *
 * Context: Any context that @gfp allows.
 * Return: the string, as from goheap_asprintf(), or NULL.
 */
__printf(3, 4) __malloc
char *goheap_heap_asprintf(struct goheap *heap, gfp_t gfp, const char *fmt, ...);

/**
 * goheap_heap_realloc() - resize an object of this heap and of no other
 * @heap: the heap that @p must belong to, or NULL for the default one
 * @p: the object, NULL or ZERO_SIZE_PTR
 * @size: how many bytes it is to have
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: as goheap_realloc(); NULL, and a report, also if @p is another heap's.
 */
void *goheap_heap_realloc(struct goheap *heap, const void *p, size_t size, gfp_t gfp)
	__realloc_size(3) __must_check;

/**
 * goheap_heap_strndup() - copy a string, or its beginning
 * @heap: the heap, or NULL for the default one
 * @s: the string, or NULL
 * @max: how many characters at most
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, which ends with a NUL, or NULL.
 */
char *goheap_heap_strndup(struct goheap *heap, const char *s, size_t max, gfp_t gfp)
	__malloc;

/**
 * goheap_heap_memdup_nul() - copy memory, and put a NUL behind
 * @heap: the heap, or NULL for the default one
 * @s: what to copy, or NULL
 * @len: how many bytes
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, of @len + 1 bytes, or NULL.
 */
char *goheap_heap_memdup_nul(struct goheap *heap, const char *s, size_t len, gfp_t gfp)
	__malloc;

/**
 * goheap_heap_vasprintf() - print to a string that is as long as it needs to be
 * @heap: the heap, or NULL for the default one
 * @gfp: see goheap_alloc()
 * @fmt: as for printk()
 * @args: its arguments
 *
 * Context: Any context that @gfp allows.
 * Return: the string, or NULL.
 */
__printf(3, 0) __malloc
char *goheap_heap_vasprintf(struct goheap *heap, gfp_t gfp, const char *fmt, va_list args);

/**
 * goheap_strndup() - copy a string, or its beginning
 * @s: the string, or NULL
 * @max: how many characters at most
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, which ends with a NUL, or NULL.
 */
static inline char *goheap_strndup(const char *s, size_t max, gfp_t gfp)
{
	return goheap_heap_strndup(NULL, s, max, gfp);
}

/**
 * goheap_memdup_nul() - copy memory, and put a NUL behind
 * @s: what to copy, or NULL
 * @len: how many bytes
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the copy, of @len + 1 bytes, or NULL.
 */
static inline char *goheap_memdup_nul(const char *s, size_t len, gfp_t gfp)
{
	return goheap_heap_memdup_nul(NULL, s, len, gfp);
}

/**
 * goheap_vasprintf() - print to a string that is as long as it needs to be
 * @gfp: see goheap_alloc()
 * @fmt: as for printk()
 * @args: its arguments
 *
 * Context: Any context that @gfp allows.
 * Return: the string, or NULL.
 */
static inline __printf(2, 0)
char *goheap_vasprintf(gfp_t gfp, const char *fmt, va_list args)
{
	return goheap_heap_vasprintf(NULL, gfp, fmt, args);
}

/* ---- object caches ------------------------------------------------------------ */

/* What kmem_cache is to kmalloc(): objects of one exact size, in spans of their own. */
struct goheap_cache;

/* flags of goheap_cache_create(), beside GOHEAP_LEAK_OK, _POISON, _REDZONE and _TRACK */
#define GOHEAP_CACHE_NOSCAN		0x100	/* objects hold no pointers */
#define GOHEAP_CACHE_HWALIGN		0x200	/* as SLAB_HWCACHE_ALIGN */
#define GOHEAP_CACHE_TYPESAFE_BY_RCU	0x400	/* as SLAB_TYPESAFE_BY_RCU */
#define GOHEAP_CACHE_ACCOUNT		0x800	/* no effect, as __GFP_ACCOUNT has none */

/**
 * goheap_cache_create() - make an object cache
 * @name: as for goheap_create()
 * @size: bytes of an object, 1 to 32768
 * @align: what objects are aligned to, a power of two up to 32768; 0 for the least that
 *	the kernel's slab caches promise
 * @flags: GOHEAP_CACHE_*, GOHEAP_LEAK_OK, GOHEAP_POISON, GOHEAP_REDZONE, GOHEAP_TRACK
 * @ctor: constructs an object, or NULL
 *
 * Spans of an object cache never serve objects of another type. An object takes @size bytes,
 * rounded up to the alignment, and nothing else but two bits.
 *
 * The constructor runs for all objects of a new span, in the context of the allocation that
 * needs the span, and not again: what it wrote, and what the owner left in a freed object, is
 * there when the object is allocated. So such objects are never cleared or poisoned.
 *
 * With GOHEAP_CACHE_TYPESAFE_BY_RCU the memory of an object stays an object of this cache until
 * a grace period after its span was given up. Only the span waits: a freed object may be
 * allocated again at once, and readers have to look whether it is still the object that they
 * sought, as with SLAB_TYPESAFE_BY_RCU.
 *
 * Context: Process context, may sleep.
 * Return: the object cache, or ERR_PTR: -EINVAL (bad name, size, alignment or flags),
 * -EEXIST, -ENOMEM.
 */
struct goheap_cache *goheap_cache_create(const char *name, size_t size, size_t align,
					 unsigned int flags, void (*ctor)(void *));

/* An object cache of struct @type, named after it; as KMEM_CACHE(). */
#define GOHEAP_CACHE(type, flags)						\
	goheap_cache_create(#type, sizeof(struct type), __alignof__(struct type), (flags), NULL)

/**
 * goheap_cache_destroy() - take an object cache down
 * @cache: the object cache, NULL or an ERR_PTR; nobody else may be using it
 *
 * As goheap_destroy(). Waits for readers of type-safe objects.
 *
 * Context: Process context, may sleep.
 */
void goheap_cache_destroy(struct goheap_cache *cache);

/**
 * goheap_cache_free() - free an object of this cache and of no other
 * @cache: the object cache that @p must belong to
 * @p: the object, NULL or ZERO_SIZE_PTR
 *
 * goheap_free() and its relatives free objects of caches as well.
 *
 * Context: Any context, NMI included.
 */
void goheap_cache_free(struct goheap_cache *cache, const void *p);

/**
 * goheap_cache_alloc() - allocate an object
 * @cache: the object cache
 * @gfp: see goheap_alloc(); __GFP_ZERO not with a constructor
 *
 * Context: Any context that @gfp allows; see DOC: Contexts.
 * Return: the object, or NULL.
 */
void *goheap_cache_alloc(struct goheap_cache *cache, gfp_t gfp)
	__malloc;

/**
 * goheap_cache_zalloc() - allocate an object filled with zeroes
 * @cache: the object cache; without a constructor
 * @gfp: see goheap_alloc()
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL; also, with a warning, if the cache has a constructor.
 */
static inline void *goheap_cache_zalloc(struct goheap_cache *cache, gfp_t gfp)
{
	return goheap_cache_alloc(cache, gfp | __GFP_ZERO);
}

/**
 * goheap_cache_alloc_node() - allocate an object on a NUMA node
 * @cache: the object cache
 * @gfp: see goheap_alloc_node()
 * @nid: the node, or NUMA_NO_NODE for the one this CPU is on
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL.
 */
void *goheap_cache_alloc_node(struct goheap_cache *cache, gfp_t gfp, int nid)
	__malloc;

/**
 * goheap_cache_alloc_bulk() - allocate many objects
 * @cache: the object cache
 * @gfp: see goheap_alloc()
 * @n: how many objects
 * @p: where they go
 *
 * Context: Any context that @gfp allows.
 * Return: how many were allocated, 0 to @n; @p[0] up to that are valid.
 */
unsigned int goheap_cache_alloc_bulk(struct goheap_cache *cache, gfp_t gfp, unsigned int n,
				     void **p);

/**
 * goheap_cache_free_bulk() - free many objects of this cache
 * @cache: the object cache
 * @n: how many
 * @p: the objects; NULL and ZERO_SIZE_PTR are skipped
 *
 * Context: Any context, NMI included.
 */
void goheap_cache_free_bulk(struct goheap_cache *cache, unsigned int n, void **p);

/**
 * goheap_cache_shrink() - give back what no live object needs
 * @cache: the object cache
 *
 * Context: Process context, may sleep.
 * Return: 0 if the cache has no pages any more, else 1.
 */
int goheap_cache_shrink(struct goheap_cache *cache);

/**
 * goheap_cache_size() - bytes of an object that its owner may use
 * @cache: the object cache
 *
 * Context: Any.
 * Return: what goheap_cache_create() was asked for.
 */
unsigned int goheap_cache_size(const struct goheap_cache *cache);

/* ---- sizes known at build time ---------------------------------------------------- */

/* Above, an object's alignment may put it into a larger class. */
#define GOHEAP_CLASS_MAX	1024

/* The size class of 1 to GOHEAP_CLASS_MAX bytes, as base/sizeclass.h finds it in a table. */
static __always_inline unsigned int goheap_class_of(size_t size)
{
	if (size <= 8)
		return 1;
	if (size <= 16)
		return 2;
	if (size <= 24)
		return 3;
	if (size <= 32)
		return 4;
	if (size <= 48)
		return 5;
	if (size <= 64)
		return 6;
	if (size <= 80)
		return 7;
	if (size <= 96)
		return 8;
	if (size <= 112)
		return 9;
	if (size <= 128)
		return 10;
	if (size <= 144)
		return 11;
	if (size <= 160)
		return 12;
	if (size <= 176)
		return 13;
	if (size <= 192)
		return 14;
	if (size <= 208)
		return 15;
	if (size <= 224)
		return 16;
	if (size <= 240)
		return 17;
	if (size <= 256)
		return 18;
	if (size <= 288)
		return 19;
	if (size <= 320)
		return 20;
	if (size <= 352)
		return 21;
	if (size <= 384)
		return 22;
	if (size <= 416)
		return 23;
	if (size <= 448)
		return 24;
	if (size <= 480)
		return 25;
	if (size <= 512)
		return 26;
	if (size <= 576)
		return 27;
	if (size <= 640)
		return 28;
	if (size <= 704)
		return 29;
	if (size <= 768)
		return 30;
	if (size <= 896)
		return 31;
	return 32;
}

/**
 * goheap_alloc_class() - allocate an object of a size class
 * @class: from goheap_class_of()
 * @size: what that was asked about
 * @gfp: see goheap_alloc()
 *
 * What goheap_alloc() is for a size that is known when the caller is built.
 *
 * Context: Any context that @gfp allows.
 * Return: the object, or NULL.
 */
void *goheap_alloc_class(unsigned int class, size_t size, gfp_t gfp)
	__alloc_size(2) __malloc;

static __always_inline __alloc_size(1) __malloc
void *goheap_alloc_inline(size_t size, gfp_t gfp)
{
	if (__builtin_constant_p(size) && size && size <= GOHEAP_CLASS_MAX &&
	    ARCH_KMALLOC_MINALIGN == 8 && !IS_ENABLED(CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC))
		return goheap_alloc_class(goheap_class_of(size), size, gfp);
	return goheap_alloc(size, gfp);
}

/* A pointer to the function is still to be had: without the parentheses. */
#define goheap_alloc(size, gfp)	goheap_alloc_inline(size, gfp)

#endif /* _GOHEAP_H */
