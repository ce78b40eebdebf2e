/* SPDX-License-Identifier: GPL-2.0 */
/*
 * goheap_bench - what its files share
 *
 *   main.c     parameters, what they select, what is said about the kernel
 *   harness.c  calibration, runs, results; threads and clock are those of ../lib
 *   floor.c    no allocator: what the loops cost by themselves
 *   tables.c   random choices, all made before the clock starts
 *   sizes.c    pair, batch and replace; sizes that the compiler knows, or does not
 *   objects.c  object caches beside kmem_caches
 *   single.c   other patterns on one CPU
 *   cross.c    patterns between CPUs, and on all of them
 *   bursts.c   many objects at once, on one CPU and between two
 *   mixes.c    patterns that imitate applications
 */
#ifndef _GOHEAP_BENCH_H
#define _GOHEAP_BENCH_H

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cache.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "goheap.h"

#include "lib/allocators.h"
#include "lib/cases.h"
#include "lib/clock.h"
#include "lib/random.h"
#include "lib/team.h"

#include "floor.h"

#define MAX_RUNS	64
#define MAX_LAYOUTS	3
#define MAX_LIVE	20000		/* objects that one thread holds at a time */
#define NR_STEPS	65536		/* random steps, made before the clock starts */
#define CACHE_MAX	(32 * 1024)	/* largest object tried with a kmem_cache */

struct bench_thread;

/* A loop, several times over: the same code at different places in cache lines. */
struct layouts {
	void (*loop[MAX_LAYOUTS])(struct bench_thread *t);
};

/* A pattern, compiled for each allocator. */
struct loops {
	const struct layouts *of[NR_ALLOCATORS];
};

/* One line of the result for each allocator. */
struct point {
	const char *pattern;
	const char *order;
	const char *sizes;		/* instead of size, where it is mixed */
	const struct loops *loops;
	unsigned int allocators;
	unsigned int threads;		/* 0 is one */
	size_t size;
	unsigned int live;
	unsigned int batch;		/* objects that are handed over together */
	unsigned int round;		/* objects that only go together; 0 is live */
	unsigned long count;		/* objects of each thread, at scale=100 */
};

/* One run of one point with one allocator. */
struct job {
	const struct point *pt;
	enum allocator which;
	unsigned int layout;
	struct kmem_cache *cache;	/* for CACHE */
	unsigned int nr_threads;
	unsigned long count;		/* objects that each thread has to do */
	struct team team;
	struct bench_thread *thread;
};

/* One of the threads of a job, bound to its CPU. */
struct bench_thread {
	struct mate mate;
	struct job *job;
	unsigned int id;
	unsigned long nulls;		/* allocations that failed */
	u64 start, end;			/* of the measured loop, by the clock */
	void **objs;			/* MAX_LIVE, its own */
} ____cacheline_aligned_in_smp;

/*
 * What to do next: replace what is in @slot by an object of @size. Scripts, which
 * say themselves what to do, read it as follow() in mixes.c explains.
 */
struct step {
	u32 size;
	u16 slot;
	u16 peer;
};

/* ---- harness.c -------------------------------------------------------------- */

extern unsigned int runs, layouts, scale, max_threads;
extern bool ticks;
extern void **shared;			/* MAX_LIVE slots of all threads; NULL between runs */
extern struct ring *rings;		/* one for each two threads, see ring.h */

int harness_init(void);
void harness_exit(void);
int measure(const struct point *pt);
u64 last_median(enum allocator which);

/* Wait until every thread of the job is here. */
static inline void meet(struct bench_thread *t)
{
	team_meet(&t->mate);
}

/* ---- tables.c --------------------------------------------------------------- */

extern u32 *free_order;			/* MAX_LIVE slots, in the order of their frees */
extern struct step *steps;		/* NR_STEPS */

typedef u32 (*size_fn)(struct rnd_state *rnd, u32 min, u32 max);
typedef u32 (*slot_fn)(struct rnd_state *rnd, u32 slots);

int tables_init(void);
void tables_exit(void);
void make_order(unsigned int live, bool reverse, bool random);
void make_steps(slot_fn slot, u32 slots, size_fn size, u32 min, u32 max);
u32 size_by_octave(struct rnd_state *rnd, u32 min, u32 max);
u32 slot_uniform(struct rnd_state *rnd, u32 slots);

/* ---- patterns --------------------------------------------------------------- */

extern const struct loops pair_loops, replace_loops;

int bench_pair(void);
int bench_batch(void);
int bench_replace(void);
int bench_object(void);
int bench_strdup(void);
int bench_zalloc(void);
int bench_zfresh(void);
int bench_bulk(void);
int bench_realloc(void);
int bench_cross(void);
int bench_burst(void);
int bench_xmalloc(void);
int bench_slots(void);
int bench_scale(void);
int bench_larson(void);
int bench_pareto(void);
int bench_mstress(void);
int bench_sh6(void);

/* ---- the allocators --------------------------------------------------------- */

/* Who can do a pattern with one size, and who a pattern with any sizes. */
#define EXACT_SIZE	(ALL | BIT(FLOOR))
#define ANY_SIZE	(NO_CACHE | BIT(FLOOR))

/* Instructions that do nothing, so that what comes after them lies elsewhere. */
static __always_inline void pad_code(const int nops)
{
	asm volatile(".rept %c0\n\tnop\n\t.endr" : : "i" (nops));
}

/*
 * A pattern is NAME_loop(). It is compiled once per allocator with @which a constant: no
 * indirect call, and no test for the allocator, is measured. Each of these functions is there
 * in MAX_LAYOUTS layouts: where its loop lies in cache lines and in the predictors of branches
 * differs, and nothing else. The steps are odd, because compilers align loops.
 */
#define DEFINE_LOOP(name, which, layout)						\
static noinline __aligned(64) void name##_##which##_##layout(struct bench_thread *t)	\
{											\
	pad_code((layout) * 21);							\
	name##_loop(t, which);								\
}

#define DEFINE_LAYOUTS(name, which)							\
	DEFINE_LOOP(name, which, 0)							\
	DEFINE_LOOP(name, which, 1)							\
	DEFINE_LOOP(name, which, 2)							\
static const struct layouts name##_##which = { .loop = {					\
	name##_##which##_0, name##_##which##_1, name##_##which##_2			\
} }

#define DEFINE_LOOPS_AS(qualifiers, name)						\
	DEFINE_LAYOUTS(name, KMALLOC);							\
	DEFINE_LAYOUTS(name, CACHE);							\
	DEFINE_LAYOUTS(name, GOHEAP);							\
	DEFINE_LAYOUTS(name, FLOOR);							\
qualifiers struct loops name##_loops = {						\
	.of[KMALLOC] = &name##_KMALLOC,						\
	.of[CACHE] = &name##_CACHE,							\
	.of[GOHEAP] = &name##_GOHEAP,						\
	.of[FLOOR] = &name##_FLOOR,							\
}

#define DEFINE_LOOPS(name)		DEFINE_LOOPS_AS(static const, name)
#define DEFINE_SHARED_LOOPS(name)	DEFINE_LOOPS_AS(const, name)

static __always_inline void *counted(struct bench_thread *t, void *p)
{
	if (unlikely(!p))
		t->nulls++;
	return p;
}

static __always_inline void *obj_alloc(struct bench_thread *t, const enum allocator which,
				       struct kmem_cache *cache, const size_t size)
{
	return counted(t, which == FLOOR ? floor_alloc(size) :
					   alloc_by(which, cache, size, GFP_KERNEL));
}

static __always_inline void obj_free(const enum allocator which, struct kmem_cache *cache, void *p)
{
	if (which == FLOOR)
		floor_free(p);
	else if (which != CACHE || likely(p))	/* the others take NULL */
		free_by(which, cache, p);
}

/* The mixes write to what they get, as applications do: its first and last byte. */
static __always_inline void obj_touch(void *p, size_t size)
{
	if (unlikely(!p))
		return;
	WRITE_ONCE(*(u8 *)p, 1);
	WRITE_ONCE(((u8 *)p)[size - 1], 1);
}

#endif /* _GOHEAP_BENCH_H */
