// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_insn - how many instructions goheap, kmalloc() and kmem_cache take
 *
 * For guests whose clock counts instructions (tools/guest/boot.sh --icount). Loading
 * this module prints one line for each row and allocator, in instructions per
 * object:
 *
 *   op=pair size=64 live=16 order=in-order with=goheap insn=75.6 alloc=36.4 free=39.2
 *
 * What is counted is what a caller pays: arguments, call, function, return. The
 * loop, and the array that holds the objects, are measured without an
 * allocator and taken off. Interrupts are off, and the best of a few repeats
 * counts, the first of which warms up.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irqflags.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include "goheap.h"

#include "lib/allocators.h"
#include "lib/cases.h"
#include "lib/clock.h"
#include "lib/random.h"

#define MAX_LIVE	10000
#define OBJECTS		4096UL		/* at least that many in one measurement */
#define REPEATS		5
#define BULK		64

/* Interrupts are off. */
#define GFP		(GFP_NOWAIT | __GFP_NOWARN)

/* ---- the clock -------------------------------------------------------------- */

/* Two instructions for each of @n; the assembler's output is known, C's is not. */
static noinline u64 spin(unsigned long n)
{
	u64 start = clock_insns();

#ifdef __x86_64__
	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (n));
#endif
	return clock_insns() - start;
}

static bool clock_counts_insns(void)
{
	unsigned long flags;
	u64 less, more;

	local_irq_save(flags);
	spin(1000);
	less = spin(1000);
	more = spin(101000);
	local_irq_restore(flags);
	return more - less == 200000;
}

/* ---- the loops -------------------------------------------------------------- */

enum op { PAIR, ZALLOC, NOSCAN, STRDUP, SIZED, PRIVATE, OBJECT, OBJECT_ZERO };

/* Allocations and frees of one measurement, and what they took. */
struct run {
	enum allocator which;
	unsigned int live;
	unsigned long rounds;
	unsigned long nulls;
	u64 alloc;
	u64 free;
};

static void **objects;			/* MAX_LIVE */
static u32 *free_order;			/* MAX_LIVE indices into objects[] */
static struct kmem_cache *cache;	/* of the size that is measured */
static struct goheap *heap;
static struct goheap_cache *object_cache;	/* of 64 bytes */

static __always_inline void *alloc_one(const enum allocator which, const enum op op,
				       const size_t size)
{
	void *p = objects;

	/* One move, as for a result: the loop holds objects in a register anyway. */
	if (which == NONE) {
		OPTIMIZER_HIDE_VAR(p);
		return p;
	}
	if (op == STRDUP)
		return strdup_by(which, "eth0", GFP);
	if (which == GOHEAP && op == PRIVATE)
		return goheap_heap_alloc(heap, size, GFP, 0);
	if (which == GOHEAP && op == NOSCAN)
		return goheap_alloc_noscan(size, GFP);
	if (which == GOHEAP && op == OBJECT)
		return goheap_cache_alloc(object_cache, GFP);
	if (which == GOHEAP && op == OBJECT_ZERO)
		return goheap_cache_zalloc(object_cache, GFP);
	return op == ZALLOC || op == OBJECT_ZERO ? zalloc_by(which, cache, size, GFP) :
			      alloc_by(which, cache, size, GFP);
}

static __always_inline void free_one(const enum allocator which, const enum op op,
				     const size_t size, void *p)
{
	if (which == GOHEAP && op == SIZED)
		goheap_free_sized(p, size);
	else if (which == GOHEAP && op == PRIVATE)
		goheap_heap_free(heap, p);
	else if (which == GOHEAP && (op == OBJECT || op == OBJECT_ZERO))
		goheap_cache_free(object_cache, p);
	else
		free_by(which, cache, p);
}

/* Compiled for each allocator, operation and size, as a caller's code would be. */
static __always_inline void loops(struct run *r, const enum allocator which, const enum op op,
				  const size_t size)
{
	unsigned long rounds = r->rounds;
	unsigned int live = r->live;
	void **objs = objects;
	u32 *order = free_order;
	unsigned int i;
	u64 start, mid;

	while (rounds--) {
		start = clock_insns();
		for (i = 0; i < live; i++)
			objs[i] = alloc_one(which, op, size);
		mid = clock_insns();
		for (i = 0; i < live; i++)
			free_one(which, op, size, objs[order[i]]);
		r->free += clock_insns() - mid;
		r->alloc += mid - start;
		for (i = 0; i < live; i++)
			r->nulls += !objs[i];
	}
}

static __always_inline void loops_of(struct run *r, const enum op op, const size_t size)
{
	switch (r->which) {
	case NONE:
		loops(r, NONE, op, size);
		break;
	case KMALLOC:
		loops(r, KMALLOC, op, size);
		break;
	case CACHE:
		loops(r, CACHE, op, size);
		break;
	default:
		loops(r, GOHEAP, op, size);
		break;
	}
}

#define DEFINE_LOOPS(name, op, size)				\
static void name(struct run *r)					\
{								\
	loops_of(r, op, size);					\
}

DEFINE_LOOPS(pair_16, PAIR, 16)
DEFINE_LOOPS(pair_64, PAIR, 64)
DEFINE_LOOPS(pair_256, PAIR, 256)
DEFINE_LOOPS(pair_1024, PAIR, 1024)
DEFINE_LOOPS(zalloc_64, ZALLOC, 64)
DEFINE_LOOPS(noscan_4, NOSCAN, 4)
DEFINE_LOOPS(noscan_8, NOSCAN, 8)
DEFINE_LOOPS(noscan_12, NOSCAN, 12)
DEFINE_LOOPS(strdup_eth0, STRDUP, 5)
DEFINE_LOOPS(sized_64, SIZED, 64)
DEFINE_LOOPS(private_64, PRIVATE, 64)
DEFINE_LOOPS(object_64, OBJECT, 64)
DEFINE_LOOPS(object_zero_64, OBJECT_ZERO, 64)

/* kmalloc() has no such call; kfree_bulk() is kmem_cache_free_bulk() without the cache. */
static void bulk_64(struct run *r)
{
	unsigned long rounds = r->rounds;
	void **objs = objects;
	unsigned int got;
	u64 start, mid;

	while (rounds--) {
		start = clock_insns();
		switch (r->which) {
		case NONE:
			got = BULK;
			break;
		case CACHE:
			got = kmem_cache_alloc_bulk(cache, GFP, BULK, objs) ? BULK : 0;
			break;
		default:
			got = goheap_alloc_bulk(64, GFP, BULK, objs);
			break;
		}
		mid = clock_insns();
		if (r->which == CACHE)
			kmem_cache_free_bulk(cache, got, objs);
		else if (r->which == GOHEAP)
			goheap_free_bulk(got, objs);
		r->free += clock_insns() - mid;
		r->alloc += mid - start;
		r->nulls += BULK - got;
	}
}

/* ---- one row ---------------------------------------------------------------- */

struct row {
	const char *op;
	void (*run)(struct run *r);
	unsigned int allocators;
	unsigned int size;
	unsigned int live;
	bool random;
};

/* The best of some repeats. */
static struct run measure(const struct row *row, enum allocator which)
{
	struct run best = {}, r;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < REPEATS; i++) {
		r = (struct run) {
			.which = which,
			.live = row->live,
			.rounds = DIV_ROUND_UP(OBJECTS, row->live),
			.nulls = best.nulls,
		};
		local_irq_save(flags);
		row->run(&r);
		local_irq_restore(flags);
		if (i > 1 && best.alloc + best.free <= r.alloc + r.free)
			best.nulls = r.nulls;
		else
			best = r;
		cond_resched();
	}
	return best;
}

/* Tenths of an instruction per object, without the loop's own. */
static u64 tenths(const struct run *r, u64 all, u64 loop)
{
	unsigned long objs = r->rounds * r->live;

	return div64_u64((all - min(all, loop)) * 10 + objs / 2, objs);
}

static void print_result(const struct row *row, const struct run *r, const struct run *none)
{
	u64 both = tenths(r, r->alloc + r->free, none->alloc + none->free);
	u64 alloc = tenths(r, r->alloc, none->alloc), free = tenths(r, r->free, none->free);

	pr_info("op=%s size=%u live=%u order=%s with=%s insn=%llu.%llu alloc=%llu.%llu free=%llu.%llu\n",
		row->op, row->size, row->live, row->random ? "random" : "in-order",
		allocator_name(r->which), both / 10, both % 10, alloc / 10, alloc % 10,
		free / 10, free % 10);
}

static int measure_row(const struct row *row)
{
	struct run none, r;
	unsigned int i;

	for (i = 0; i < row->live; i++)
		free_order[i] = i;
	if (row->random)
		shuffle(free_order, row->live);
	cache = kmem_cache_create("goheap_insn", row->size, 0, 0, NULL);
	if (!cache)
		return -ENOMEM;
	none = measure(row, NONE);
	for (i = 0; i < NR_ALLOCATORS; i++) {
		if (!(row->allocators & BIT(i)))
			continue;
		r = measure(row, i);
		if (r.nulls) {
			pr_err("%lu allocations of %u bytes failed: give the guest more memory\n",
			       r.nulls, row->size);
			kmem_cache_destroy(cache);
			return -ENOMEM;
		}
		print_result(row, &r, &none);
	}
	kmem_cache_destroy(cache);
	return 0;
}

/* ---- all of them ------------------------------------------------------------- */

static const struct row others[] = {
	{ "zalloc",  zalloc_64,   ALL,         64,   16 },
	{ "noscan",  noscan_4,    NO_CACHE,    4,    1 },
	{ "noscan",  noscan_4,    NO_CACHE,    4,    16 },
	{ "noscan",  noscan_8,    NO_CACHE,    8,    16 },
	{ "noscan",  noscan_12,   NO_CACHE,    12,   16 },
	{ "strdup",  strdup_eth0, NO_CACHE,    5,    16 },
	{ "bulk",    bulk_64,     NO_KMALLOC,  64,   BULK },
	{ "sized",   sized_64,    BIT(GOHEAP), 64,   16 },
	{ "private", private_64,  BIT(GOHEAP), 64,   16 },
	{ "object",  object_64,   NO_KMALLOC,  64,   16 },
	{ "ozalloc", object_zero_64, NO_KMALLOC, 64, 16 },
};

static int measure_pairs(void (*run)(struct run *r), unsigned int size)
{
	static const unsigned int lives[] = { 1, 16, 128, 1024, MAX_LIVE };
	unsigned int i;
	int err = 0;

	for (i = 0; i < 2 * ARRAY_SIZE(lives) && !err; i++) {
		struct row row = {
			"pair", run, ALL, size, lives[i % ARRAY_SIZE(lives)],
			i >= ARRAY_SIZE(lives)
		};

		if (row.live > 1 || !row.random)
			err = measure_row(&row);
	}
	return err;
}

static int measure_all(void)
{
	unsigned int i;
	int err;

	err = measure_pairs(pair_16, 16) ?: measure_pairs(pair_64, 64) ?:
	      measure_pairs(pair_256, 256) ?: measure_pairs(pair_1024, 1024);
	for (i = 0; i < ARRAY_SIZE(others) && !err; i++)
		err = measure_row(&others[i]);
	return err;
}

static int __init insn_init(void)
{
	int err = -ENOMEM;

	if (!clock_counts_insns()) {
		pr_err("the clock does not count instructions: boot with tools/guest/boot.sh --icount\n");
		return -ENODEV;
	}
	heap = goheap_create("insn", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	object_cache = goheap_cache_create("insn-objects", 64, 0, 0, NULL);
	if (IS_ERR(object_cache)) {
		err = PTR_ERR(object_cache);
		goto destroy_heap;
	}
	objects = kvcalloc(MAX_LIVE, sizeof(*objects), GFP_KERNEL);
	free_order = kvcalloc(MAX_LIVE, sizeof(*free_order), GFP_KERNEL);
	if (objects && free_order) {
		pr_info("kernel=%s init_on_alloc=%d\n", init_utsname()->release,
			want_init_on_alloc(0));
		err = measure_all();
	}
	kvfree(free_order);
	kvfree(objects);
	goheap_cache_destroy(object_cache);
destroy_heap:
	goheap_destroy(heap);
	return finished(err);
}

module_runs(insn_init);

MODULE_DESCRIPTION("Instruction counts of goheap, kmalloc and kmem_cache");
MODULE_LICENSE("GPL");
