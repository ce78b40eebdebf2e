/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all test suites share: how a case begins and ends, CPUs, private heaps, and a
 * validator of everything. Objects, reports of misuse, pages and random walks have
 * headers of their own, lib_*.h.
 */
#ifndef _GOHEAP_TESTLIB_H
#define _GOHEAP_TESTLIB_H

#include <kunit/test-bug.h>
#include <kunit/test.h>

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
#include "percpu/stock.h"
#include "reclaim.h"
#include "span.h"
#include "spans/alloc.h"
#include "spans/block.h"
#include "spans/limbo.h"
#include "spans/merge.h"

/* Rounds of a random test: instrumented kernels are a hundred times slower. */
#define GH_TEST_SLOW	(IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN))
#define GH_TEST_ROUNDS(n)	((n) / (GH_TEST_SLOW ? 16 : 1))

/*
 * Of every suite: the case runs on one CPU, and leaves all in order: nothing is damaged,
 * nothing is live, and no misuse was reported but those that the case expected.
 */
int gh_test_init(struct kunit *test);
void gh_test_exit(struct kunit *test);

/* Checks every page heap, central list, span and counter. */
void gh_test_validate(struct kunit *test);
void gh_test_flush_limbo(void);
/* A normal one, which cookies are about: synchronize_rcu() may be expedited. */
void gh_test_grace_period(void);
unsigned long gh_test_live(struct goheap *heap);
long gh_test_pages(struct goheap *heap);
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
/* Bound to the CPU; the caller wakes it. */
struct task_struct *gh_test_thread(struct kunit *test, int cpu, int (*fn)(void *), void *arg);

/* What an interrupt finds that hits the case's CPU in its section; preemption is off. */
struct gh_cache *gh_test_nest(struct goheap *heap);
void gh_test_unnest(struct gh_cache *cache);
void gh_test_free_nested(struct goheap *heap, const void *p);

/* What the case does in between is as if it were in NMI. Real ones: selftests/goheap_nmi.sh. */
unsigned long gh_test_nmi_begin(void);
void gh_test_nmi_end(unsigned long flags);

/* The slot and the bin that objects of this size come from, on the case's CPU. */
void gh_test_use_here(struct goheap *heap, size_t size);
struct gh_slot *gh_test_slot(struct goheap *heap, size_t size);
struct gh_bin *gh_test_bin(struct goheap *heap, size_t size);
struct gh_central *gh_test_central(struct goheap *heap, size_t size);
void gh_test_flush_slot(struct goheap *heap, size_t size);
/* Pages that this CPU has ahead of need go back. */
void gh_test_flush_stock(struct goheap *heap);
/* How many such pages the heap has, on all CPUs. */
unsigned long gh_test_stock(struct goheap *heap);

static inline enum gh_desc_kind gh_test_kind(unsigned int sc)
{
	return gh_span_kind(sc, gh_classes[gh_sc_class(sc)].objects);
}

static inline void gh_test_init_small(struct gh_span *s, struct goheap *heap, unsigned int sc)
{
	gh_span_init_small(s, heap, sc, gh_heap_class(heap, sc));
}

/* The next object of a span that the case made, by its number. */
static inline unsigned int gh_test_take(struct gh_span *s)
{
	bool fresh;

	return gh_span_take(s, 0, &fresh);
}

#endif /* _GOHEAP_TESTLIB_H */
