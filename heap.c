// SPDX-License-Identifier: GPL-2.0
/*
 * What a heap is: its name, its limit, the list of heaps, and the listeners to heaps that come
 * and go. Data only: api/heaps.c makes heaps and takes heaps down.
 */

#include <linux/ctype.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/string.h>

#include "heap.h"

struct goheap *gh_default;

/* Guards the list. A heap is on the list when listeners are told that it came, or that it goes. */
DEFINE_MUTEX(gh_heaps_mutex);
LIST_HEAD(gh_heaps);
static u8 last_id;		/* gh_heaps_mutex */

/* Told of heaps that come and go: see enum gh_heap_event. */
BLOCKING_NOTIFIER_HEAD(gh_heap_chain);

/**
 * gh_heap_charge() - count pages that a heap is about to get
 * @heap: which heap
 * @npages: how many heap pages
 *
 * Context: Any.
 * Return: false if the heap would have more than its limit, and nothing was counted.
 */
bool gh_heap_charge(struct goheap *heap, unsigned int npages)
{
	long pages = atomic_long_read(&heap->pages);

	do {
		if (pages + npages > heap->limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&heap->pages, &pages, pages + npages));
	return true;
}

/*
 * A name is a column of tables in debugfs (a line that begins with '#' is no record), the name
 * of a directory in debugfs, and a word of goheap.debug= on the kernel's command line. A
 * character that ends a word in one of these is bad.
 */
static bool name_has_bad_characters(const char *name)
{
	if (*name == '#')
		return true;
	for (; *name; name++)
		if (!isascii(*name) || !isgraph(*name) || strchr("/,;\"", *name))
			return true;
	return false;
}

/**
 * gh_heap_name_is_bad() - can no heap have this name?
 * @name: for a new heap, or NULL
 *
 * Context: Any.
 * Return: true if it cannot be shown everywhere.
 */
bool gh_heap_name_is_bad(const char *name)
{
	return !name || !*name || strnlen(name, GH_NAME_MAX) == GH_NAME_MAX ||
	       name_has_bad_characters(name) || !strcmp(name, ".") || !strcmp(name, "..");
}

static bool name_is_taken(const char *name)
{
	struct goheap *heap;

	lockdep_assert_held(&gh_heaps_mutex);
	list_for_each_entry(heap, &gh_heaps, link)
		if (!strcmp(heap->name, name))
			return true;
	return false;
}

/**
 * gh_heap_add() - put a new heap on the list, and tell those who listen
 * @heap: complete
 *
 * Context: Process context.
 * Return: 0, or -EEXIST if a heap has that name.
 */
int gh_heap_add(struct goheap *heap)
{
	mutex_lock(&gh_heaps_mutex);
	if (name_is_taken(heap->name)) {
		mutex_unlock(&gh_heaps_mutex);
		return -EEXIST;
	}
	heap->id = ++last_id;
	list_add_tail(&heap->link, &gh_heaps);
	mutex_unlock(&gh_heaps_mutex);
	blocking_notifier_call_chain(&gh_heap_chain, GH_HEAP_CREATED, heap);
	return 0;
}

/**
 * gh_heap_remove() - a heap is going: tell those who listen, and take it off the list
 * @heap: nobody uses it any more
 *
 * Context: Process context.
 */
void gh_heap_remove(struct goheap *heap)
{
	blocking_notifier_call_chain(&gh_heap_chain, GH_HEAP_GOING, heap);
	mutex_lock(&gh_heaps_mutex);
	list_del(&heap->link);
	mutex_unlock(&gh_heaps_mutex);
}
