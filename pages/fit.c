// SPDX-License-Identifier: GPL-2.0
/*
 * Which run is taken for an allocation, and which run is given back to the kernel.
 */

#include <linux/rbtree.h>

#include "base/heap_page.h"
#include "hooks/sanitize.h"
#include "pages/fit.h"
#include "pages/pageheap.h"
#include "pages/run.h"
#include "span.h"

static struct gh_span *run_lower_bound(struct gh_page_heap *ph, unsigned int npages)
{
	struct rb_node *node = ph->runs.rb_node;
	struct gh_span *best = NULL, *s;

	while (node) {
		s = rb_entry(node, struct gh_span, run);
		if (s->npages >= npages) {
			best = s;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return best;
}

/*
 * How many runs are looked at under one hold of the lock. There may be very many, and
 * interrupts are off.
 */
#define MOST_LOOKS	16

/**
 * gh_fit_find() - choose a run
 * @ph: of which page heap
 * @w: what is wanted
 *
 * Best fit: the shortest run, then the lowest address. If the first few runs are not aligned
 * as wanted, a run that is long enough at any address.
 *
 * Context: The page heap's lock.
 * Return: the run; NULL if there is none, and it is time to grow.
 */
struct gh_span *gh_fit_find(struct gh_page_heap *ph, const struct gh_want *w)
{
	struct gh_span *s = run_lower_bound(ph, w->npages);
	struct rb_node *next;
	unsigned int looks;

	lockdep_assert_held(&ph->lock);
	for (looks = 0; s && looks < MOST_LOOKS; looks++) {
		ph->looks++;
		if (gh_fit_start(s, w))
			return s;
		next = rb_next(&s->run);
		s = next ? rb_entry(next, struct gh_span, run) : NULL;
	}
	return s ? run_lower_bound(ph, w->npages + w->align - 1) : NULL;
}

/**
 * gh_fit_below() - go on with a walk through the runs, from the longest down
 * @ph: of which page heap
 * @key: the latest run of the walk
 *
 * Context: The page heap's lock.
 * Return: the longest run below it, or NULL.
 */
struct rb_node *gh_fit_below(struct gh_page_heap *ph, const struct gh_run_key *key)
{
	struct rb_node *node = ph->runs.rb_node, *best = NULL;
	struct gh_span *s;

	lockdep_assert_held(&ph->lock);
	while (node) {
		s = rb_entry(node, struct gh_span, run);
		if (s->npages < key->npages || (s->npages == key->npages && s->base < key->base)) {
			best = node;
			node = node->rb_right;
		} else {
			node = node->rb_left;
		}
	}
	return best;
}

/* The end of a run that can be released: up to @max heap pages from *@start to *@end. */
static bool run_releases(struct gh_page_heap *ph, const struct gh_span *s, unsigned long max,
			 unsigned long *start, unsigned long *end)
{
	const unsigned long unit = GH_RELEASE_PAGES << GH_PAGE_SHIFT;

	*end = ALIGN_DOWN(gh_run_end(s), unit);
	*start = *end - min(max << GH_PAGE_SHIFT, *end - min(*end, s->base));
	*start = ALIGN(*start, unit);
	return *start < *end && (*end == gh_run_end(s) || ph->spares[GH_KIND_1].nr);
}

/**
 * gh_fit_for_release() - choose a run to give back to the kernel, at least in part
 * @ph: of which page heap
 * @max: how many heap pages at most
 * @key: where the walk is; moves on
 * @start: set to where the pages start
 * @end: and to where they end
 *
 * The longest run goes first, from its end: it is the least likely to be needed for a best
 * fit soon.
 *
 * Context: The page heap's lock.
 * Return: the run; NULL if none was found soon.
 */
struct gh_span *gh_fit_for_release(struct gh_page_heap *ph, unsigned long max,
				   struct gh_run_key *key, unsigned long *start,
				   unsigned long *end)
{
	struct rb_node *node = gh_fit_below(ph, key);
	unsigned int looks;
	struct gh_span *s;

	for (looks = 0; node && looks < MOST_LOOKS; looks++) {
		s = rb_entry(node, struct gh_span, run);
		if (s->npages < GH_RELEASE_PAGES)
			break;
		ph->looks++;
		if (run_releases(ph, s, max, start, end))
			return s;
		*key = (struct gh_run_key){ .npages = s->npages, .base = s->base };
		node = rb_prev(node);
	}
	if (looks < MOST_LOOKS)
		key->npages = 0;	/* there are no more */
	return NULL;
}
