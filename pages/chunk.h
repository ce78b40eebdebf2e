/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's pages, and how they become ours.
 */
#ifndef _GOHEAP_PAGES_CHUNK_H
#define _GOHEAP_PAGES_CHUNK_H

#include <linux/compiler.h>
#include <linux/kconfig.h>
#include <linux/mm.h>
#include <linux/types.h>

struct gh_span;
struct page;

#ifdef CONFIG_GOHEAP_KUNIT_TEST
extern unsigned int gh_test_max_order;
extern gfp_t gh_test_gfp;
extern unsigned int gh_test_asked[];

/* A test says that the kernel has no larger blocks of pages. */
static inline bool gh_order_exists(unsigned int order)
{
	return order <= READ_ONCE(gh_test_max_order);
}

/* And wants to know what the kernel was asked for, how often, and with what flags. */
static inline void gh_note_request(unsigned int order, gfp_t gfp)
{
	WRITE_ONCE(gh_test_gfp, gfp);
	/* A test looks at what its own task asked for. */
	data_race(gh_test_asked[order]++);
}
#else
static inline void gh_note_request(unsigned int order, gfp_t gfp) { }

static inline bool gh_order_exists(unsigned int order)
{
	return true;
}
#endif

struct page *gh_chunk_alloc(int nid, unsigned int need, gfp_t gfp, unsigned int *order);
int gh_chunk_own(struct page *page, unsigned int order, gfp_t gfp);
void gh_chunk_free(struct page *page, unsigned int nr);
void gh_chunk_return(int nid, unsigned long addr, unsigned long npages);
void gh_chunk_check(struct gh_span *s);
void gh_chunk_check_all(void);
unsigned long gh_chunk_find_poison(unsigned long addr, unsigned int npages);
int gh_chunk_init(void);
void gh_chunk_exit(void);

#ifdef CONFIG_GOHEAP_KUNIT_TEST
#define GH_MEMORY_FAILS	true
extern struct page *gh_test_poison;

/* A test says that this page has an error, also where the kernel handles none. */
static inline bool gh_page_is_poisoned(struct page *page)
{
	return PageHWPoison(page) || unlikely(READ_ONCE(gh_test_poison) == page);
}
#else
#define GH_MEMORY_FAILS	IS_ENABLED(CONFIG_MEMORY_FAILURE)

static inline bool gh_page_is_poisoned(struct page *page)
{
	return PageHWPoison(page);
}
#endif

static inline unsigned long gh_find_poison(unsigned long addr, unsigned int npages)
{
	return GH_MEMORY_FAILS ? gh_chunk_find_poison(addr, npages) : 0;
}

#endif /* _GOHEAP_PAGES_CHUNK_H */
