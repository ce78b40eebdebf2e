// SPDX-License-Identifier: GPL-2.0
/*
 * What the rewired tests need beside goheap: kmem_cache's interface to its object caches, the
 * number of errors reported, and cases left out by name. See judge.h.
 */

#include <linux/kmod.h>
#include <linux/kmsg_dump.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/umh.h>

/* Only for prototypes; goheap is called by its own names here. */
#define JUDGE_LEFT_ALONE
#define JUDGE_KEEPS_PR_FMT
#if IS_ENABLED(CONFIG_KUNIT)
#define JUDGE_KUNIT
#endif
#include "judge.h"

/* ---- errors --------------------------------------------------------------------- */

/* SLUB counts what it finds, and then once more that it was put right or listed. */
#define PER_FINDING	2

static int *errors;
static unsigned int seen;

/* The lines in which goheap reports something, damage or a bad free or a leak. */
static const char *const reports[] = {
	"goheap: misuse: ", "objects leaked",
};

static bool is_report(const char *line)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(reports); i++)
		if (strstr(line, reports[i]))
			return true;
	return false;
}

/* All since boot: the log has them, and nothing else tells a module. */
static unsigned int nr_reports(void)
{
	static char line[1024];
	struct kmsg_dump_iter iter;
	unsigned int n = 0;
	size_t len;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = '\0';
		n += is_report(line);
	}
	return n;
}

static void count_errors(void)
{
	unsigned int n;

	if (!errors)
		return;
	n = nr_reports();
	*errors += (n - seen) * PER_FINDING;
	seen = n;
}

/**
 * judge_errors_to() - count errors from here on
 * @to: where they go
 */
void judge_errors_to(int *to)
{
	errors = to;
	seen = nr_reports();
}
EXPORT_SYMBOL_GPL(judge_errors_to);

/* ---- object caches ------------------------------------------------------------------ */

/*
 * goheap's red zone is that of a live object, and what is free is poisoned as a whole;
 * SLUB's is checked in free objects, too.
 */
static unsigned int debug_flags(slab_flags_t flags)
{
	return (flags & SLAB_POISON ? GOHEAP_POISON : 0) |
	       (flags & SLAB_RED_ZONE ? GOHEAP_REDZONE | GOHEAP_POISON : 0) |
	       (flags & SLAB_STORE_USER ? GOHEAP_TRACK : 0);
}

static unsigned int cache_flags(slab_flags_t flags)
{
	return debug_flags(flags) |
	       (flags & SLAB_HWCACHE_ALIGN ? GOHEAP_CACHE_HWALIGN : 0) |
	       (flags & SLAB_TYPESAFE_BY_RCU ? GOHEAP_CACHE_TYPESAFE_BY_RCU : 0) |
	       (flags & SLAB_ACCOUNT ? GOHEAP_CACHE_ACCOUNT : 0);
}

/* One of kmalloc()'s own caches has objects of which not all was asked for. */
static int make_heap(struct judge_cache *cache, const char *name)
{
	const struct goheap_params params = { .flags = debug_flags(cache->flags) };

	cache->heap = goheap_create(name, &params);
	return PTR_ERR_OR_ZERO(cache->heap);
}

static int make_objects(struct judge_cache *cache, const char *name, unsigned int align,
			void (*ctor)(void *object))
{
	/* SLUB takes alignments that are no powers of two, and heeds none that is below 8. */
	cache->objects = goheap_cache_create(name, cache->object_size, align > 8 ? align : 0,
					     cache_flags(cache->flags), ctor);
	return PTR_ERR_OR_ZERO(cache->objects);
}

/**
 * judge_cache_create() - kmem_cache_create()
 * @name: of the cache; need not be unique
 * @size: bytes of an object
 * @align: 0 or a power of two
 * @flags: SLAB_*
 * @ctor: makes an object what it is
 *
 * Return: the cache, or NULL.
 */
struct judge_cache *judge_cache_create(const char *name, unsigned int size, unsigned int align,
				       slab_flags_t flags, void (*ctor)(void *object))
{
	static atomic_t nr;
	struct judge_cache *cache;
	char unique[48];
	int err;

	cache = kzalloc(sizeof(*cache), GFP_KERNEL);
	if (!cache)
		return NULL;
	snprintf(unique, sizeof(unique), "%.32s-%d", name, atomic_inc_return(&nr));
	cache->object_size = size;
	cache->offset = ALIGN_DOWN(size / 2, sizeof(void *));
	cache->flags = flags;
	err = flags & SLAB_KMALLOC ? make_heap(cache, unique) :
				     make_objects(cache, unique, align, ctor);
	if (err) {
		pr_err("%s of %u bytes: %d\n", unique, size, err);
		kfree(cache);
		return NULL;
	}
	return cache;
}
EXPORT_SYMBOL_GPL(judge_cache_create);

/**
 * judge_cache_destroy() - kmem_cache_destroy()
 * @cache: the cache or NULL
 */
void judge_cache_destroy(struct judge_cache *cache)
{
	if (!cache)
		return;
	goheap_cache_destroy(cache->objects);
	goheap_destroy(cache->heap);
	kfree(cache);
	count_errors();
}
EXPORT_SYMBOL_GPL(judge_cache_destroy);

/**
 * judge_cache_alloc() - kmem_cache_alloc()
 * @cache: the cache
 * @gfp: flags
 *
 * Return: the object, or NULL.
 */
void *judge_cache_alloc(struct judge_cache *cache, gfp_t gfp)
{
	return cache->heap ? goheap_heap_alloc(cache->heap, cache->object_size, gfp, 0) :
			     goheap_cache_alloc(cache->objects, gfp);
}
EXPORT_SYMBOL_GPL(judge_cache_alloc);

/**
 * judge_cache_alloc_sized() - what kmalloc() asks its caches for
 * @cache: a cache with SLAB_KMALLOC
 * @gfp: flags
 * @size: at most the size of its objects
 *
 * Return: the object, or NULL.
 */
void *judge_cache_alloc_sized(struct judge_cache *cache, gfp_t gfp, size_t size)
{
	return goheap_heap_alloc(cache->heap, size, gfp, 0);
}
EXPORT_SYMBOL_GPL(judge_cache_alloc_sized);

/**
 * judge_cache_free() - kmem_cache_free()
 * @cache: the cache; with NULL the object alone has to tell
 * @p: the object
 */
void judge_cache_free(struct judge_cache *cache, void *p)
{
	if (!cache)
		goheap_free(p);
	else if (cache->heap)
		goheap_heap_free(cache->heap, p);
	else
		goheap_cache_free(cache->objects, p);
}
EXPORT_SYMBOL_GPL(judge_cache_free);

/**
 * judge_cache_alloc_bulk() - kmem_cache_alloc_bulk(), which gives all or nothing
 * @cache: the cache, without SLAB_KMALLOC
 * @gfp: flags
 * @n: how many
 * @p: where they go
 *
 * Return: @n or 0.
 */
int judge_cache_alloc_bulk(struct judge_cache *cache, gfp_t gfp, size_t n, void **p)
{
	unsigned int got = goheap_cache_alloc_bulk(cache->objects, gfp, n, p);

	if (got == n)
		return n;
	goheap_cache_free_bulk(cache->objects, got, p);
	return 0;
}
EXPORT_SYMBOL_GPL(judge_cache_alloc_bulk);

/**
 * judge_cache_free_bulk() - kmem_cache_free_bulk()
 * @cache: the cache, without SLAB_KMALLOC
 * @n: how many
 * @p: the objects
 */
void judge_cache_free_bulk(struct judge_cache *cache, size_t n, void **p)
{
	goheap_cache_free_bulk(cache->objects, n, p);
}
EXPORT_SYMBOL_GPL(judge_cache_free_bulk);

/**
 * judge_cache_shrink() - kmem_cache_shrink()
 * @cache: the cache, without SLAB_KMALLOC
 *
 * Return: 0 if nothing is left in it.
 */
int judge_cache_shrink(struct judge_cache *cache)
{
	return goheap_cache_shrink(cache->objects);
}
EXPORT_SYMBOL_GPL(judge_cache_shrink);

/* ---- validation, grace periods ------------------------------------------------------ */

/* As an administrator would. */
static void shell(char *command)
{
	char *argv[4] = { "/bin/sh", "-c", command, NULL };
	char *envp[2] = { "PATH=/bin", NULL };

	call_usermodehelper(argv[0], argv, envp, UMH_WAIT_PROC);
}

/**
 * judge_cache_validate() - look for damage
 * @cache: not asked for: all of goheap is looked at
 */
void judge_cache_validate(struct judge_cache *cache)
{
	shell("cat /sys/kernel/debug/goheap/validate");
	count_errors();
}
EXPORT_SYMBOL_GPL(judge_cache_validate);

/**
 * judge_rcu_barrier() - wait until what goheap_free_rcu() was given is free
 *
 * Their spans take them over when they please, or when somebody trims.
 */
void judge_rcu_barrier(void)
{
	rcu_barrier();
	shell("echo 1 >/sys/kernel/debug/goheap/trim");
}
EXPORT_SYMBOL_GPL(judge_rcu_barrier);

/* ---- others ------------------------------------------------------------------------- */

/**
 * judge_free_sensitive() - kfree_sensitive()
 * @p: the object; of a dead one goheap_size() says 0, and the free is reported
 */
void judge_free_sensitive(const void *p)
{
	memzero_explicit((void *)p, goheap_size(p));
	goheap_free(p);
}
EXPORT_SYMBOL_GPL(judge_free_sensitive);

static void *pool_alloc(gfp_t gfp, void *size)
{
	return goheap_alloc((size_t)size, gfp);
}

static void pool_free(void *p, void *size)
{
	goheap_free(p);
}

static void *pool_alloc_cache(gfp_t gfp, void *cache)
{
	return judge_cache_alloc(cache, gfp);
}

static void pool_free_cache(void *p, void *cache)
{
	judge_cache_free(cache, p);
}

/**
 * judge_mempool_sized() - mempool_init_kmalloc_pool()
 * @pool: the pool
 * @min_nr: how many elements it keeps
 * @size: bytes of one
 *
 * Return: 0 or an error.
 */
int judge_mempool_sized(mempool_t *pool, int min_nr, size_t size)
{
	return mempool_init(pool, min_nr, pool_alloc, pool_free, (void *)size);
}
EXPORT_SYMBOL_GPL(judge_mempool_sized);

/**
 * judge_mempool_cache() - mempool_init_slab_pool()
 * @pool: the pool
 * @min_nr: how many elements it keeps
 * @cache: where they come from
 *
 * Return: 0 or an error.
 */
int judge_mempool_cache(mempool_t *pool, int min_nr, struct judge_cache *cache)
{
	return mempool_init(pool, min_nr, pool_alloc_cache, pool_free_cache, cache);
}
EXPORT_SYMBOL_GPL(judge_mempool_cache);

/**
 * judge_find() - strnstr() that takes goheap's reports for KASAN's
 * @line: of the console
 * @what: the word that KASAN begins a report with, or another
 * @len: of @line
 *
 * Return: where, or NULL.
 */
char *judge_find(const char *line, const char *what, size_t len)
{
	char *p = strnstr(line, what, len);

	return p || strcmp(what, "BUG: KASAN: ") ? p : strnstr(line, reports[0], len);
}
EXPORT_SYMBOL_GPL(judge_find);

/* ---- KUnit ---------------------------------------------------------------------------- */

#if IS_ENABLED(CONFIG_KUNIT)

#define MAX_SKIPS	64

static char *skip[MAX_SKIPS];
static int nr_skip;
module_param_array(skip, charp, &nr_skip, 0);
MODULE_PARM_DESC(skip, "cases that are not to run");

static int (*suite_init)(struct kunit *test);
static bool alone;

static int case_init(struct kunit *test)
{
	int i;

	for (i = 0; i < nr_skip; i++)
		if (!strcmp(test->name, skip[i]))
			kunit_skip(test, "see selftests/judges/expected");
	if (alone)
		current->kunit_test = NULL;
	return suite_init ? suite_init(test) : 0;
}

/**
 * judge_suite() - prepare a suite that KUnit will run next
 * @suite: the suite
 * @want_alone: KASAN must not know which test runs. It would have every report
 *	fail the test, as long as the kernel was built without kasan_test.
 *
 * Return: 0.
 */
int judge_suite(struct kunit_suite *suite, bool want_alone)
{
	suite_init = suite->init;
	suite->init = case_init;
	alone = want_alone;
	return 0;
}
EXPORT_SYMBOL_GPL(judge_suite);

#endif

/* ---- a heap in use --------------------------------------------------------------------- */

#define MANY		4096

static unsigned int warm[4];
static int nr_warm;
module_param_array(warm, uint, &nr_warm, 0);
MODULE_PARM_DESC(warm, "sizes of which many objects come and go first");

/* So that the next object is the one that was freed last, as it is in a heap in use. */
static int warm_up(size_t size)
{
	void **chain = NULL, **p;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		p = goheap_alloc(size, GFP_KERNEL);
		if (!p)
			break;
		*p = chain;
		chain = p;
	}
	while (chain) {
		p = chain;
		chain = *p;
		goheap_free(p);
	}
	return i == MANY ? 0 : -ENOMEM;
}

static int __init judge_init(void)
{
	int i, err = 0;

	for (i = 0; i < nr_warm && !err; i++)
		err = warm_up(warm[i]);
	return err;
}
module_init(judge_init);

static void __exit judge_exit(void)
{
}
module_exit(judge_exit);

MODULE_DESCRIPTION("What the kernel's tests need to judge goheap");
MODULE_LICENSE("GPL");
