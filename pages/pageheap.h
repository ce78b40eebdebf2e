/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The page heap of a node: free runs of heap pages.
 */
#ifndef _GOHEAP_PAGES_PAGEHEAP_H
#define _GOHEAP_PAGES_PAGEHEAP_H

#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/nodemask.h>
#include <linux/rbtree_types.h>
#include <linux/spinlock_types.h>
#include <linux/topology.h>
#include <linux/types.h>

#include "pages/desc.h"
#include "span.h"

struct gh_run_key;
struct gh_span;
struct gh_stock;

/**
 * struct gh_page_heap - free heap pages of one node
 * @lock: guards everything here, and runs and spans while they change between
 *	FREE and not; taken by CPUs that need or give back spans, by the
 *	scavenger, the shrinker and debugfs
 * @runs: free runs by length, then address
 * @spares: descriptors without pages, by kind
 * @poisoned: heap pages with memory errors that were in runs, linked by @next
 * @nr_poisoned: how many heap pages
 * @nr_runs: free runs
 * @changes: how often one came or went
 * @idle: heap pages in free runs
 * @small: heap pages in SMALL spans, and in stocks
 * @large: heap pages in LARGE spans
 * @small_spans: SMALL spans, and those that can be cut off stocks
 * @large_spans: LARGE spans
 * @large_allocs: LARGE spans ever allocated
 * @peak: most heap pages in use, decaying; what the scavenger keeps follows it
 * @taken: heap pages ever taken from the kernel
 * @returned: heap pages ever given back
 * @locked: how often @lock was taken to hand out spans or to take them back
 * @looks: runs ever looked at, one after the other, under @lock
 * @scarce: so many heap pages, or more, could not be had side by side
 * @scarce_until: it is of no use to ask for them before; jiffies
 * @nid: the node
 */
struct gh_page_heap {
	raw_spinlock_t lock;
	struct rb_root runs;
	struct gh_spares spares[GH_NR_KINDS];
	struct gh_span *poisoned;
	unsigned long nr_poisoned;
	unsigned long nr_runs;
	unsigned long changes;
	unsigned long idle;
	unsigned long small;
	unsigned long large;
	unsigned long small_spans;
	unsigned long large_spans;
	unsigned long large_allocs;
	unsigned long peak;
	unsigned long taken;
	unsigned long returned;
	unsigned long locked;
	unsigned long looks;
	unsigned int scarce;
	unsigned long scarce_until;
	int nid;
} ____cacheline_aligned;

extern struct gh_page_heap **gh_page_heaps;	/* by node */
int gh_nearest_node(int nid);

/*
 * The node that this CPU gets memory from. A node without memory, or with movable memory only,
 * has a page heap and central lists as every node, but they are always empty.
 */
static inline int gh_mem_node(void)
{
	int nid = numa_mem_id();

	return likely(node_state(nid, N_NORMAL_MEMORY)) ? nid : gh_nearest_node(nid);
}

/**
 * struct gh_stock - free pages that were taken ahead of need, to be cut into spans
 * @base: address of the first one
 * @descs: for the spans; one at least while there are pages
 * @pages: heap pages
 * @most: heap pages that may be taken
 * @nid: node of the pages, and of the page heap that they came from
 * @needzero: the pages may hold something other than zeroes
 *
 * No tree has the pages, and the map names nothing there: no neighbour is joined with them. A
 * page heap counts them, and as many spans as there are descriptors, as SMALL.
 */
struct gh_stock {
	unsigned long base;
	struct gh_spares descs;
	unsigned int pages;
	unsigned int most;
	int nid;
	bool needzero;
};

/**
 * struct gh_want - the pages that a span needs
 * @npages: how many heap pages
 * @align: of the first one, in heap pages; a power of two
 * @kind: of the descriptor
 * @state: what the span will be: SMALL or LARGE
 * @gentle: shorter spans will do, see gh_sc_shorter(): no reserves, and little reclaim
 * @atomic: the caller may not sleep, and is kept waiting for few descriptors ahead of need
 * @stock: to be filled with pages that follow the span's, for others as long; or NULL
 */
struct gh_want {
	unsigned int npages;
	unsigned int align;
	enum gh_desc_kind kind;
	enum gh_span_state state;
	bool gentle;
	bool atomic;
	struct gh_stock *stock;
};

void gh_pageheap_trim_spares(struct gh_page_heap *ph, unsigned int keep);
struct gh_span *gh_pageheap_alloc(struct gh_page_heap *ph, const struct gh_want *w, gfp_t gfp);
struct gh_span *gh_pageheap_grow(struct gh_page_heap *ph, struct gh_span *run,
				 struct gh_span *descs[3], const struct gh_want *w);
void gh_pageheap_free_list(struct gh_span *list);
void gh_pageheap_put_stock(struct gh_stock *stock);
unsigned long gh_pageheap_cut(struct gh_page_heap *ph, unsigned long max, struct gh_run_key *key,
			      unsigned long *addr);
unsigned long gh_pageheap_cut_poisoned(struct gh_page_heap *ph);
void gh_pageheap_forgive(struct gh_page_heap *ph);
unsigned long gh_pageheap_idle_pages(const struct gh_page_heap *ph);
const char *gh_pageheap_validate(struct gh_page_heap *ph);
int gh_pageheap_init(void);
void gh_pageheap_exit(void);

#endif /* _GOHEAP_PAGES_PAGEHEAP_H */
