// SPDX-License-Identifier: GPL-2.0
/*
 * Patterns that imitate applications, made after the descriptions of well-known
 * benchmarks of user space, in code of our own. Those write to their objects, some
 * to all of it; here the first and the last byte are written, so that the object's
 * cache lines come to the CPU but copying speed is not what is measured.
 */
#include "bench.h"

#include <linux/atomic.h>
#include <linux/bitmap.h>

/* ---- larson ----------------------------------------------------------------- */

#define LARSON_SLOTS		5000
#define LARSON_GENERATIONS	5

/* All slots of all threads are filled by one, each thread's turn by turn. */
static __always_inline void larson_fill(struct bench_thread *t, const enum allocator which)
{
	struct job *job = t->job;
	unsigned int slot, i;

	for (slot = 0; slot < LARSON_SLOTS; slot++)
		for (i = 0; i < job->nr_threads; i++)
			job->thread[i].objs[slot] =
				obj_alloc(t, which, NULL, steps[slot].size);
}

/*
 * larson: after Larson and Krishnan, "Memory Allocation for Long-Running Server
 * Applications" (1998), with the sizes and slots of mimalloc-bench. A server's
 * thread keeps replacing random objects of its sessions; then it ends, and its
 * sessions go on in another thread, which frees what this one allocated. There a
 * generation replaces every object 100 times, here 20 times.
 */
static __always_inline void larson_loop(struct bench_thread *t, const enum allocator which)
{
	struct job *job = t->job;
	unsigned long n = job->count / LARSON_GENERATIONS, i;
	unsigned long at = t->id * (NR_STEPS / 2);
	unsigned int generation;

	if (t->id == 0)
		larson_fill(t, which);
	meet(t);
	t->start = clock_ticks();
	for (generation = 0; generation < LARSON_GENERATIONS; generation++) {
		void **objs = job->thread[(t->id + generation) % job->nr_threads].objs;

		for (i = 0; i < n; i++) {
			const struct step *s = &steps[at++ % NR_STEPS];

			obj_free(which, NULL, objs[s->slot]);
			objs[s->slot] = obj_alloc(t, which, NULL, s->size);
			obj_touch(objs[s->slot], s->size);
		}
		meet(t);
	}
	t->end = clock_ticks();
	for (i = 0; i < LARSON_SLOTS; i++)
		obj_free(which, NULL, t->objs[i]);
}

DEFINE_LOOPS(larson);

int bench_larson(void)
{
	make_steps(slot_uniform, LARSON_SLOTS, between, 8, 999);
	return measure(&(struct point) {
		.pattern = "larson", .loops = &larson_loops, .allocators = ANY_SIZE, .threads = 2,
		.sizes = "8-999", .live = LARSON_SLOTS, .order = "random",
		.round = LARSON_GENERATIONS, .count = 500000,
	});
}

/* ---- pareto ----------------------------------------------------------------- */

#define PARETO_SLOTS	16384
#define PARETO_LEVELS	6

/* Four of five picks go to a fifth of the slots, and so again within each part. */
static u32 slot_pareto(struct rnd_state *rnd, u32 slots)
{
	u32 low = 0, level;

	for (level = 0; level < PARETO_LEVELS && slots >= 5; level++) {
		u32 hot = slots / 5;

		if (prandom_u32_state(rnd) % 5) {
			slots = hot;
		} else {
			low += hot;
			slots -= hot;
		}
	}
	return low + prandom_u32_state(rnd) % slots;
}

/* Each octave half as often as the one below it. */
static u32 size_pareto(struct rnd_state *rnd, u32 min, u32 max)
{
	u32 low = min;

	while (2 * low < max && prandom_u32_state(rnd) & 1)
		low *= 2;
	return low + 1 + prandom_u32_state(rnd) % low;
}

/*
 * pareto: after alloc-test by node-dot-cpp. Few slots, and small sizes, get most of
 * the traffic. A full slot is emptied, an empty one filled; two steps are an object.
 */
static __always_inline void pareto_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long n = 2 * t->job->count, i;
	unsigned long offset = t->id * (NR_STEPS / 2);
	void **objs = t->objs;

	for (i = 0; i < PARETO_SLOTS; i++)
		objs[i] = i % 2 ? obj_alloc(t, which, NULL, steps[i].size) : NULL;
	meet(t);
	t->start = clock_ticks();
	for (i = 0; i < n; i++) {
		const struct step *s = &steps[(i + offset) % NR_STEPS];
		void *p = objs[s->slot];

		if (p) {
			obj_free(which, NULL, p);
			objs[s->slot] = NULL;
		} else {
			p = obj_alloc(t, which, NULL, s->size);
			obj_touch(p, s->size);
			objs[s->slot] = p;
		}
	}
	t->end = clock_ticks();
	for (i = 0; i < PARETO_SLOTS; i++)
		obj_free(which, NULL, objs[i]);
}

DEFINE_LOOPS(pareto);

int bench_pareto(void)
{
	struct point pt = {
		.pattern = "pareto", .loops = &pareto_loops, .allocators = ANY_SIZE,
		.sizes = "5-1024", .live = PARETO_SLOTS / 2, .order = "1-cpu",
		.count = 200000,
	};
	int err;

	BUILD_BUG_ON(PARETO_SLOTS > MAX_LIVE);
	make_steps(slot_pareto, PARETO_SLOTS, size_pareto, 4, 1024);
	err = measure(&pt);
	if (err)
		return err;
	pt.threads = 2;
	pt.order = "2-cpus";
	return measure(&pt);
}

/* ---- scripts ---------------------------------------------------------------- */

#define NO_PEER		U16_MAX

static void script_alloc(struct step **s, u32 slot, u32 size)
{
	*(*s)++ = (struct step) { .size = size, .slot = slot };
}

static void script_free(struct step **s, u32 slot)
{
	*(*s)++ = (struct step) { .slot = slot, .peer = NO_PEER };
}

static void script_swap(struct step **s, u32 slot, u32 peer)
{
	*(*s)++ = (struct step) { .slot = slot, .peer = peer };
}

/* Do what a script says: fill a slot, empty it, or swap it with one of all. */
static __always_inline void follow(struct bench_thread *t, const enum allocator which,
				   const struct step *s, const struct step *end)
{
	void **objs = t->objs;

	for (; s < end; s++) {
		if (s->size) {
			void *p = obj_alloc(t, which, NULL, s->size);

			obj_touch(p, s->size);
			objs[s->slot] = p;
		} else if (s->peer == NO_PEER) {
			obj_free(which, NULL, objs[s->slot]);
			objs[s->slot] = NULL;
		} else {
			objs[s->slot] = xchg(&shared[s->peer], objs[s->slot]);
		}
	}
}

/* ---- mstress ---------------------------------------------------------------- */

#define MSTRESS_OBJECTS	7500		/* of a thread in a round */
#define MSTRESS_SHARED	1000

static const struct step *mstress_end[2];

/* Small ones; now and then one a hundred times as large, seldom a thousand times. */
static u32 mstress_size(struct rnd_state *rnd, u32 powers)
{
	u32 size = 8 << prandom_u32_state(rnd) % powers;
	u32 luck = prandom_u32_state(rnd) % 1000;

	return luck < 2 ? 1000 * size : luck < 19 ? 100 * size : size;
}

/* Short-lived objects fill the slots from the first up, others from the last down. */
static void mstress_script(unsigned int id)
{
	struct step *s = steps + id * (NR_STEPS / 2);
	u32 nr_short = 0, nr_kept = 0, slot;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1 + id);
	while (nr_short + nr_kept < MSTRESS_OBJECTS) {
		if (prandom_u32_state(&rnd) % 100 < 51)
			script_alloc(&s, nr_short++, mstress_size(&rnd, 5));
		else
			script_alloc(&s, MSTRESS_OBJECTS - ++nr_kept, mstress_size(&rnd, 7));
		if (nr_short && prandom_u32_state(&rnd) % 100 < 67)
			script_free(&s, prandom_u32_state(&rnd) % nr_short);
		if (prandom_u32_state(&rnd) % 100 >= 26)
			continue;
		slot = prandom_u32_state(&rnd) % (nr_short + nr_kept);
		script_swap(&s, slot < nr_short ? slot : MSTRESS_OBJECTS - 1 - (slot - nr_short),
			    prandom_u32_state(&rnd) % MSTRESS_SHARED);
	}
	for (slot = 0; slot < MSTRESS_OBJECTS; slot++)
		script_free(&s, slot);
	mstress_end[id] = s;
}

/* Empty every @nth of the slots that threads share, each thread its part. */
static __always_inline void mstress_clear(struct bench_thread *t, const enum allocator which,
					  unsigned int nth)
{
	unsigned int i;

	for (i = t->id * nth; i < MSTRESS_SHARED; i += t->job->nr_threads * nth)
		obj_free(which, NULL, xchg(&shared[i], NULL));
}

/*
 * mstress: after mstress of mimalloc-bench. Most objects live shortly, some are kept
 * until the thread ends, and a quarter of the time one changes places with an
 * object that any thread may take. Then all threads end, half of the shared objects
 * are freed, and it begins again.
 */
static __always_inline void mstress_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long rounds = t->job->count / MSTRESS_OBJECTS;

	meet(t);
	t->start = clock_ticks();
	while (rounds--) {
		follow(t, which, steps + t->id * (NR_STEPS / 2), mstress_end[t->id]);
		meet(t);
		mstress_clear(t, which, 2);
		meet(t);
	}
	t->end = clock_ticks();
	mstress_clear(t, which, 1);
}

DEFINE_LOOPS(mstress);

int bench_mstress(void)
{
	/* each object is allocated, freed twice at most, and swapped once */
	BUILD_BUG_ON(4 * MSTRESS_OBJECTS > NR_STEPS / 2);
	BUILD_BUG_ON(MSTRESS_OBJECTS > MAX_LIVE || MSTRESS_SHARED > MAX_LIVE);
	mstress_script(0);
	mstress_script(1);
	return measure(&(struct point) {
		.pattern = "mstress", .loops = &mstress_loops, .allocators = ANY_SIZE, .threads = 2,
		.sizes = "8-512000", .live = MSTRESS_OBJECTS, .order = "random",
		.count = 150000,
	});
}

/* ---- sh6 -------------------------------------------------------------------- */

#define SH6_RING	10000
#define SH6_STAY	(SH6_RING / 5)
#define SH6_LARGEST	1000
#define SH6_OBJECTS	19300		/* that the sizes below make */

struct sh6 {
	struct step *next;
	unsigned long *full;		/* which slots hold an object */
	unsigned int slot;		/* looked at next */
	unsigned int stay;		/* first of those that live longer */
	unsigned int objects;
};

static void sh6_empty(struct sh6 *sh, unsigned int slot)
{
	if (!__test_and_clear_bit(slot, sh->full))
		return;
	script_free(&sh->next, slot);
}

/* All but a window of slots: what is below it in order, what is above in reverse. */
static void sh6_sweep(struct sh6 *sh)
{
	unsigned int slot;

	for (slot = 0; slot < sh->stay; slot++)
		sh6_empty(sh, slot);
	for (slot = SH6_RING; slot-- > sh->stay + SH6_STAY;)
		sh6_empty(sh, slot);
	sh->stay = (sh->stay + SH6_STAY) % SH6_RING;
}

static void sh6_alloc(struct sh6 *sh, unsigned int size)
{
	sh->slot = find_next_zero_bit(sh->full, SH6_RING, sh->slot);
	if (sh->slot >= SH6_RING) {
		sh6_sweep(sh);
		sh->slot = find_first_zero_bit(sh->full, SH6_RING);
	}
	__set_bit(sh->slot, sh->full);
	script_alloc(&sh->next, sh->slot, size);
	sh->objects++;
}

/* A ladder of sizes, and for each of them its half, its quarter and so on. */
static void sh6_script(struct sh6 *sh)
{
	unsigned int top, size, i;

	for (top = 1; top < SH6_LARGEST; top = top * 3 / 2 + 1)
		for (size = top; size; size /= 2)
			for (i = 0; i < (size < 100 ? 250 : 50); i++)
				sh6_alloc(sh, size);
	for (i = 0; i < SH6_RING; i++)
		sh6_empty(sh, i);
}

static const struct step *sh6_end;

/*
 * sh6: after the description of sh6bench by MicroQuill; no code of it was used.
 * Batches of growing sizes fill a ring of pointers; whenever it is full, a fifth of
 * the objects stay, the rest is freed, partly in order and partly in reverse.
 */
static __always_inline void sh6_loop(struct bench_thread *t, const enum allocator which)
{
	unsigned long rounds = t->job->count / SH6_OBJECTS;

	t->start = clock_ticks();
	while (rounds--)
		follow(t, which, steps, sh6_end);
	t->end = clock_ticks();
}

DEFINE_LOOPS(sh6);

int bench_sh6(void)
{
	struct sh6 sh = { .next = steps };

	BUILD_BUG_ON(2 * SH6_OBJECTS > NR_STEPS || SH6_RING > MAX_LIVE);
	sh.full = bitmap_zalloc(SH6_RING, GFP_KERNEL);
	if (!sh.full)
		return -ENOMEM;
	sh6_script(&sh);
	sh6_end = sh.next;
	bitmap_free(sh.full);
	if (WARN_ON_ONCE(sh.objects != SH6_OBJECTS))
		return -EINVAL;
	return measure(&(struct point) {
		.pattern = "sh6", .loops = &sh6_loops, .allocators = ANY_SIZE,
		.sizes = "1-709", .live = SH6_RING, .order = "ring",
		.round = SH6_OBJECTS, .count = 10 * SH6_OBJECTS,
	});
}
