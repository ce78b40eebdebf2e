// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_adopt - what the kernel's own allocator does to objects of goheap
 *
 * For goheap that was loaded with adopt=1. insmod goheap_adopt.ko lets objects of every
 * kind reach kfree() and its like, and looks whether goheap freed or measured them and
 * whether neighbours are unharmed. Loading fails if not, and the log says what went
 * wrong. twice=1 frees one object by kfree() twice instead, for goheap_adopt.sh to see
 * the report.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "base/compat.h"
#include "goheap.h"

#include "lib/cases.h"

static bool twice;
module_param(twice, bool, 0444);
MODULE_PARM_DESC(twice, "free an object twice");

static bool dead;
module_param(dead, bool, 0444);
MODULE_PARM_DESC(dead, "resize, measure and clear an object that was freed");

static bool keep;
module_param(keep, bool, 0444);
MODULE_PARM_DESC(keep, "leave objects to kfree_rcu() and return");

#define NR	64		/* objects side by side, every other of which is tried */

static const size_t sizes[] = { 8, 24, 96, 512, 1024, 4096, 8192, 32768, 100000 };

static bool failed;

#define check(cond, what, size) do {					\
	if (!(cond)) {							\
		pr_err("FAILED: %s, %zu bytes\n", what, (size_t)(size));\
		failed = true;						\
	}								\
} while (0)

static u8 *objects[NR];

static bool fill(size_t size)
{
	unsigned int i;

	for (i = 0; i < NR; i++) {
		objects[i] = goheap_alloc(size, GFP_KERNEL);
		if (!objects[i])
			return false;
		memset(objects[i], i + 1, size);
	}
	return true;
}

/* Neighbours are as they were; all is freed. */
static void neighbours(const char *what, size_t size)
{
	unsigned int i;

	for (i = 0; i < NR; i += 2)
		check(!memchr_inv(objects[i], i + 1, size), what, size);
	for (i = 0; i < NR; i += 2)
		goheap_free(objects[i]);
}

/* Applies @fn to every other object of the size. */
static void try_it(const char *what, size_t size, void (*fn)(const char *what, u8 *p, size_t size))
{
	unsigned int i;

	if (!fill(size)) {
		check(false, "out of memory", size);
		return;
	}
	for (i = 1; i < NR; i += 2)
		fn(what, objects[i], size);
	neighbours(what, size);
}

static void try_kfree(const char *what, u8 *p, size_t size)
{
	kfree(p);
	check(!goheap_size(p), what, size);
}

static void try_kfree_sensitive(const char *what, u8 *p, size_t size)
{
	kfree_sensitive(p);
	check(!goheap_size(p), what, size);
	check(!memchr_inv(p + sizeof(void *), 0, size - sizeof(void *)), what, size);
}

static void try_ksize(const char *what, u8 *p, size_t size)
{
	size_t says = ksize(p);

	check(says >= size && says == goheap_size(p), what, size);
	goheap_free(p);
}

static void try_grow(const char *what, u8 *p, size_t size)
{
	u8 byte = *p, *q = krealloc(p, size * 3, GFP_KERNEL);

	check(q && q != p && !memchr_inv(q, byte, size), what, size);
	check(!goheap_size(p), what, size);
	if (q)
		memset(q, 0xa5, size * 3);
	kfree(q);
}

static void try_shrink(const char *what, u8 *p, size_t size)
{
	u8 byte = *p, *q = krealloc(p, size / 2, GFP_KERNEL);

	check(q && !memchr_inv(q, byte, size / 2), what, size);
	kfree(q);
}

static void try_krealloc_to_0(const char *what, u8 *p, size_t size)
{
	check(krealloc(p, 0, GFP_KERNEL) == ZERO_SIZE_PTR && !goheap_size(p), what, size);
}

static void try_bulk(size_t size)
{
	void *some[NR / 2];
	unsigned int i;

	if (!fill(size)) {
		check(false, "out of memory", size);
		return;
	}
	for (i = 0; i < NR / 2; i++)
		some[i] = objects[2 * i + 1];
	kfree_bulk(NR / 2, some);
	for (i = 0; i < NR / 2; i++)
		check(!goheap_size(some[i]), "kfree_bulk", size);
	neighbours("kfree_bulk", size);
}

#ifdef CONFIG_NET
static void try_skb(void)
{
	void *data = goheap_alloc(4096, GFP_KERNEL);
	struct sk_buff *skb = data ? gh_slab_build_skb(data) : NULL;

	check(skb, "slab_build_skb", 4096);
	kfree_skb(skb);
	check(!goheap_size(data), "kfree_skb", 4096);
}
#else
static void try_skb(void) { }
#endif

struct late {
	struct rcu_head rcu;
	u8 bytes[200];
};

static void leave_to_rcu(void)
{
	struct late *p;
	unsigned int i;

	for (i = 0; i < NR; i++) {
		p = goheap_alloc(sizeof(*p), GFP_KERNEL);
		if (p)
			kfree_rcu(p, rcu);
	}
}

static void try_all(size_t size)
{
	try_it("kfree", size, try_kfree);
	try_it("kfree_sensitive", size, try_kfree_sensitive);
	try_it("ksize", size, try_ksize);
	try_it("krealloc to more", size, try_grow);
	try_it("krealloc to less", size, try_shrink);
	try_it("krealloc to 0", size, try_krealloc_to_0);
	try_bulk(size);
}

static void free_twice(void)
{
	void *p = goheap_alloc(64, GFP_KERNEL);

	kfree(p);
	kfree(p);
}

/* Strings have places that kmalloc() would not give; what is tiny has no page of its own. */
static void try_tiny(void)
{
	char *p = goheap_strdup("go", GFP_KERNEL);
	char *ten = goheap_strdup("ten", GFP_KERNEL);
	char *q = krealloc(ten, 8, GFP_KERNEL);

	check(q && IS_ALIGNED((unsigned long)q, 8) && !strcmp(q, "ten"), "krealloc, tiny", 8);
	check(p && !strcmp(p, "go") && ksize(p) == goheap_size(p), "ksize, tiny", 3);
	kfree(q);
	kfree(p);
	check(!goheap_size(p) && !goheap_size(q), "kfree, tiny", 8);
}

static void try_private(void)
{
	const struct goheap_params params = { .flags = GOHEAP_REDZONE };
	struct goheap *heap = goheap_create("adopt", &params);
	u8 *p = IS_ERR(heap) ? NULL : goheap_heap_alloc(heap, 100, GFP_KERNEL, 0), *q;

	check(p, "out of memory", 100);
	if (!p)
		return;
	memset(p, 0x5a, 100);
	check(ksize(p) == 100, "ksize, private", 100);
	q = krealloc(p, 300, GFP_KERNEL);
	check(q && !memchr_inv(q, 0x5a, 100), "krealloc, private", 100);
	kfree(q);
	check(!goheap_size(p), "kfree, private", 100);
	goheap_destroy(heap);
}

/* Whatever is made of it, it is nobody else's memory. */
static void try_dead(size_t size)
{
	unsigned int i;
	u8 *p, *q;

	if (!fill(size)) {
		check(false, "out of memory", size);
		return;
	}
	p = objects[NR / 2 + 1];
	goheap_free(p);
	q = krealloc(p, 1000, GFP_KERNEL);
	if (!ZERO_OR_NULL_PTR(q))
		memset(q, 0xa5, 1000);
	kfree(q);
	check(!ksize(p), "ksize, dead", size);
	kfree_sensitive(p);
	neighbours("dead", size);
	for (i = 1; i < NR; i += 2)
		if (i != NR / 2 + 1)
			goheap_free(objects[i]);
}

static int __init goheap_adopt_init(void)
{
	unsigned int i;

	if (twice) {
		free_twice();
		return 0;
	}
	if (dead) {
		try_dead(96);
		return failed ? -EUCLEAN : 0;
	}
	leave_to_rcu();
	if (keep)
		return 0;
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		try_all(sizes[i]);
	try_tiny();
	try_private();
	try_skb();
	return failed ? -EUCLEAN : 0;
}

module_runs(goheap_adopt_init);
MODULE_DESCRIPTION("goheap's objects in the hands of the kernel's allocator");
MODULE_LICENSE("GPL");
