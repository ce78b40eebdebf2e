// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_pages - what others do to the pages of objects
 *
 * insmod goheap_pages.ko what=KIND does one thing to the page of a live object and checks
 * that the object keeps its page and its content. Loading fails if not. What goheap has
 * to say of it is for goheap_pages.sh to check.
 *
 *   get_put	get_page() and put_page()
 *   iov	iov_iter_get_pages2(), as direct I/O does from a bio's pages
 *   put	put_page() alone
 *   get	get_page() alone, until the object and goheap are done with the page
 *   kfree	kfree() of the object
 *   error	a memory error: the page is not handed out again
 *   look	nothing; says what the page looks like
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bvec.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "goheap.h"

#include "lib/cases.h"

#ifndef ITER_SOURCE
#define ITER_SOURCE	WRITE
#endif

#define SIZE		(64UL << 10)
#define NR_OTHERS	64

static char *what = "look";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "get_put, iov, put, get, kfree, error or look");

static struct page *held;

/* Would the page allocator give the page to somebody? */
static bool is_handed_out(const struct page *page)
{
	struct page *others[NR_OTHERS];
	bool found = false;
	int i;

	for (i = 0; i < NR_OTHERS; i++) {
		others[i] = alloc_page(GFP_KERNEL);
		found |= others[i] == page;
	}
	for (i = 0; i < NR_OTHERS; i++)
		if (others[i])
			__free_page(others[i]);
	return found;
}

static int do_get_put(void *p)
{
	get_page(virt_to_page(p));
	put_page(virt_to_page(p));
	return 0;
}

static int do_iov(void *p)
{
	struct bio_vec bvec = { .bv_page = virt_to_page(p), .bv_len = PAGE_SIZE };
	struct page *page = NULL;
	struct iov_iter iter;
	ssize_t got;
	size_t off;

	iov_iter_bvec(&iter, ITER_SOURCE, &bvec, 1, PAGE_SIZE);
	got = iov_iter_get_pages2(&iter, &page, PAGE_SIZE, 1, &off);
	if (got != PAGE_SIZE || page != virt_to_page(p)) {
		pr_err("iov_iter_get_pages2() gives %zd\n", got);
		return -EIO;
	}
	put_page(page);
	return 0;
}

static int do_put(void *p)
{
	put_page(virt_to_page(p));
	return 0;
}

static int do_get(void *p)
{
	held = virt_to_page(p);
	get_page(held);
	return 0;
}

static int do_kfree(void *p)
{
	kfree(p);
	return 0;
}

/* Its answer is for those who could have isolated the page: nobody can. */
static int do_error(void *p)
{
#ifdef CONFIG_MEMORY_FAILURE
	int err = memory_failure(page_to_pfn(virt_to_page(p)), 0);

	pr_info("memory_failure() gives %d\n", err);
	return PageHWPoison(virt_to_page(p)) ? 0 : -EIO;
#else
	return -EOPNOTSUPP;
#endif
}

static int do_look(void *p)
{
	struct page *page = virt_to_page(p);

	pr_info("pfn %#lx, count %d, type %d, slab %d, compound %d, reserved %d, sendpage_ok %d\n",
		page_to_pfn(page), page_count(page), page_has_type(page), PageSlab(page),
		PageCompound(page), PageReserved(page), sendpage_ok(page));
	return page_has_type(page) && !PageSlab(page) && !PageCompound(page) &&
	       !PageReserved(page) && !sendpage_ok(page) ? 0 : -EINVAL;
}

static const struct kind {
	const char *name;
	int (*fn)(void *p);
} kinds[] = {
	{ "get_put", do_get_put },
	{ "iov", do_iov },
	{ "put", do_put },
	{ "get", do_get },
	{ "kfree", do_kfree },
	{ "error", do_error },
	{ "look", do_look },
};

static int try(const struct kind *kind, void *p)
{
	int err;

	memset(p, 0x5a, SIZE);
	err = kind->fn(p);
	if (!err && (is_handed_out(virt_to_page(p)) || memchr_inv(p, 0x5a, SIZE) ||
		     goheap_base(p) != p))
		err = -EUCLEAN;
	return err;
}

/* No page with a memory error is in any of so many objects, live at the same time. */
static int look_for_errors(void)
{
	void *p[16];
	int i, err = 0;
	size_t off;

	for (i = 0; i < ARRAY_SIZE(p); i++) {
		p[i] = goheap_alloc(SIZE, GFP_KERNEL);
		for (off = 0; p[i] && off < SIZE; off += PAGE_SIZE)
			if (PageHWPoison(virt_to_page(p[i] + off)))
				err = -EHWPOISON;
	}
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
	return err;
}

static int __init start(void)
{
	const struct kind *kind = find_named(kinds, "kind", what);
	void *p = goheap_alloc(SIZE, GFP_KERNEL);
	int err = !kind ? -EINVAL : !p ? -ENOMEM : try(kind, p);

	goheap_free(p);
	return verdict("what", what, err ?: look_for_errors());
}

static void __exit end(void)
{
	int count;

	if (!held)
		return;
	count = page_count(held);
	if (count == 1 && !is_handed_out(held))
		put_page(held);
	else
		pr_err("FAILED the page that is held has a count of %d\n", count);
}

module_init(start);
module_exit(end);

MODULE_DESCRIPTION("What others do to the pages of goheap's objects");
MODULE_LICENSE("GPL");
