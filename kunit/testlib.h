/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test suites share: CPUs, private heaps, a validator of everything, and
 * a reference model of live objects that is too dumb to be wrong.
 */
#ifndef _GOHEAP_TESTLIB_H
#define _GOHEAP_TESTLIB_H

#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/prandom.h>

#include "api/adopt.h"
#include "api/heaps.h"
#include "arena.h"
#include "base/context.h"
#include "base/gfp.h"
#include "base/heap_page.h"
#include "base/peek.h"
#include "base/sizeclass.h"
#include "base/spanclass.h"
#include "central.h"
#include "front/debugged.h"
#include "front/large.h"
#include "front/limit.h"
#include "front/lookup.h"
#include "front/slow.h"
#include "front/tiny.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/fault.h"
#include "hooks/random.h"
#include "hooks/records.h"
#include "hooks/report.h"
#include "hooks/sanitize.h"
#include "hooks/track.h"
#include "observe/debugfs.h"
#include "observe/spans.h"
#include "observe/stats.h"
#include "observe/validate.h"
#include "pages/chunk.h"
#include "pages/desc.h"
#include "pages/fit.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "pages/run.h"
#include "percpu/cache.h"
#include "percpu/drain.h"
#include "percpu/hotplug.h"
#include "percpu/magazine.h"
#include "percpu/park.h"
#include "percpu/remote.h"
#include "percpu/slot.h"
#include "reclaim.h"
#include "span.h"
#include "spans/alloc.h"
#include "spans/block.h"
#include "spans/limbo.h"
#include "spans/merge.h"

/* Rounds of a random test: instrumented kernels are a hundred times slower. */
#define GH_TEST_SLOW	(IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN))
#define GH_TEST_ROUNDS(n)	((n) / (GH_TEST_SLOW ? 16 : 1))

/* Of every suite: the case runs on one CPU, and leaves all in order. */
int gh_test_init(struct kunit *test);
void gh_test_exit(struct kunit *test);

void gh_test_seed(struct rnd_state *rnd, u64 seed);
u32 gh_test_below(struct rnd_state *rnd, u32 bound);

/* The page heap of the case's node. */
struct gh_page_heap *gh_test_here(void);
/* Let the background retain what is idle while a case runs, or nothing. */
void gh_test_set_peak(unsigned long pages);

/* Checks every page heap, central list, span and counter. */
void gh_test_validate(struct kunit *test);
void gh_test_flush_limbo(void);
/* A normal one, which cookies are about: synchronize_rcu() may be expedited. */
void gh_test_grace_period(void);
unsigned long gh_test_live(struct goheap *heap);
bool gh_test_log_has(const char *text);

/* A heap that goes when the case ends; that nothing is left in it is checked. */
struct goheap *gh_test_heap(struct kunit *test, const char *name,
			    const struct goheap_params *params);
struct gh_cache *gh_test_cache(struct goheap *heap);
struct gh_span *gh_test_span_of(const void *p);

/* Another CPU than the case's; skips the case if there is none. */
int gh_test_other_cpu(struct kunit *test);
long gh_test_on(int cpu, long (*fn)(void *), void *arg);
void gh_test_free_on(int cpu, const void *p);

/* What an interrupt finds that hits the case's CPU in its section; preemption is off. */
struct gh_cache *gh_test_nest(struct goheap *heap);
void gh_test_unnest(struct gh_cache *cache);

/* The slot and the bin that objects of this size come from, on the case's CPU. */
struct gh_slot *gh_test_slot(struct goheap *heap, size_t size);
struct gh_bin *gh_test_bin(struct goheap *heap, size_t size);

/* Sees to it that the slot has a magazine, and leaves it empty. */
void gh_test_magazine(struct kunit *test, struct goheap *heap, size_t size);
unsigned int gh_test_magazine_nr(struct goheap *heap, size_t size);

/* ---- the model ----------------------------------------------------------- */

struct gh_test_object {
	u8 *p;
	size_t size;
	u8 fill;
};

/**
 * struct gh_test_model - live objects, each with content of its own
 * @test: whose
 * @objects: in no order
 * @nr: how many there are
 * @max: how many there can be
 * @fill: of the object added last
 * @errors: overlaps, and objects that did not keep their content
 */
struct gh_test_model {
	struct kunit *test;
	struct gh_test_object *objects;
	unsigned int nr;
	unsigned int max;
	u8 fill;
	unsigned int errors;
};

void gh_test_model_init(struct gh_test_model *m, struct kunit *test, unsigned int max);
void gh_test_model_add(struct gh_test_model *m, void *p, size_t size);
bool gh_test_model_intact(struct gh_test_model *m, unsigned int i);
void *gh_test_model_del(struct gh_test_model *m, unsigned int i);
void gh_test_model_free_all(struct gh_test_model *m);

static inline unsigned int gh_test_take(struct gh_span *s)
{
	bool fresh;

	return gh_span_take(s, 0, &fresh);
}

#endif /* _GOHEAP_TESTLIB_H */
