// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_misuse - free something that must not be freed
 *
 * insmod goheap_misuse.ko kind=KIND commits one misuse, then checks that what it
 * must not have harmed is unharmed and that the heap still works. Loading fails if
 * not. The report and its words are for goheap_misuse.sh to check.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "goheap.h"

#include "lib/cases.h"

static char *kind = "double";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "which misuse");

/* Free @p as something foreign; the caller's bytes must stay as they are. */
static int free_foreign(void *p, size_t n)
{
	memset(p, 0x5a, n);
	goheap_free(p);
	return memchr_inv(p, 0x5a, n) ? -EUCLEAN : 0;
}

static int misuse_double(void)
{
	void *p = goheap_alloc(64, GFP_KERNEL);

	goheap_free(p);
	goheap_free(p);
	return 0;
}

static int free_here(void *p)
{
	goheap_free(p);
	return 0;
}

static int misuse_double_remote(void)
{
	void *p = goheap_alloc(64, GFP_KERNEL);
	int cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());

	if (cpu >= nr_cpu_ids) {
		goheap_free(p);
		return -ENODEV;
	}
	goheap_free(p);
	return smp_call_on_cpu(cpu, free_here, p, false);
}

static int misuse_interior(void)
{
	char *p = goheap_alloc(256, GFP_KERNEL);
	int err = 0;

	if (!p)
		return -ENOMEM;
	goheap_free(p + 8);
	if (goheap_base(p + 8) != p)
		err = -EUCLEAN;
	goheap_free(p);
	return err;
}

static int misuse_stack(void)
{
	char buf[64];

	return free_foreign(buf, sizeof(buf));
}

static int misuse_vmalloc(void)
{
	void *p = vmalloc(PAGE_SIZE);
	int err = p ? free_foreign(p, PAGE_SIZE) : -ENOMEM;

	vfree(p);
	return err;
}

static int misuse_kmalloc(void)
{
	void *p = kmalloc(64, GFP_KERNEL);
	int err = p ? free_foreign(p, 64) : -ENOMEM;

	kfree(p);
	return err;
}

static int misuse_text(void)
{
	goheap_free(misuse_text);
	return 0;
}

static int misuse_null_page(void)
{
	goheap_free((void *)0x100);
	return 0;
}

static int misuse_noncanonical(void)
{
	goheap_free((void *)0x0123456789abcde0);
	return 0;
}

static int misuse_wrong_heap(void)
{
	struct goheap *heap = goheap_create("misuse", NULL);
	void *p = goheap_alloc(64, GFP_KERNEL);
	int err = 0;

	if (IS_ERR(heap) || !p) {
		err = -ENOMEM;
	} else {
		goheap_heap_free(heap, p);
		if (goheap_base(p) != p)
			err = -EUCLEAN;
	}
	goheap_free(p);
	goheap_destroy(heap);
	return err;
}

static int misuse_wrong_size(void)
{
	void *p = goheap_alloc(100, GFP_KERNEL);
	int err = 0;

	if (!p)
		return -ENOMEM;
	goheap_free_sized(p, 5000);
	if (goheap_base(p) != p)
		err = -EUCLEAN;
	goheap_free_sized(p, 100);
	return err;
}

/* Two tenants of one block: freeing one twice must not take the other along. */
static int misuse_tiny_double(void)
{
	char *a = goheap_alloc_noscan(4, GFP_KERNEL);
	char *b = goheap_alloc_noscan(4, GFP_KERNEL);
	int err = 0;

	if (!a || !b) {
		err = -ENOMEM;
		goheap_free(a);
	} else {
		goheap_free(a);
		goheap_free(a);
		if (goheap_base(b) != b)
			err = -EUCLEAN;
	}
	goheap_free(b);
	return err;
}

/* Not refused: goheap finds the heap, and what is in it, when it is unloaded. */
static int misuse_abandoned_heap(void)
{
	struct goheap *heap = goheap_create("abandoned", NULL);
	int i;

	if (IS_ERR(heap))
		return PTR_ERR(heap);
	for (i = 0; i < 3; i++)
		if (!goheap_heap_alloc(heap, 100, GFP_KERNEL, 0))
			return -ENOMEM;
	return 0;
}

static const struct test_case kinds[] = {
	{ "double", misuse_double },
	{ "double_remote", misuse_double_remote },
	{ "interior", misuse_interior },
	{ "stack", misuse_stack },
	{ "vmalloc", misuse_vmalloc },
	{ "kmalloc", misuse_kmalloc },
	{ "text", misuse_text },
	{ "null_page", misuse_null_page },
	{ "noncanonical", misuse_noncanonical },
	{ "wrong_heap", misuse_wrong_heap },
	{ "wrong_size", misuse_wrong_size },
	{ "tiny_double", misuse_tiny_double },
	{ "abandoned_heap", misuse_abandoned_heap },
};

#define NR_OBJECTS	512

/* Objects of many sizes, none on top of another. */
static int heap_works(void)
{
	unsigned char **p __free(goheap_free) = goheap_calloc(NR_OBJECTS, sizeof(*p), GFP_KERNEL);
	unsigned int i;
	int err = 0;

	if (!p)
		return -ENOMEM;
	for (i = 0; i < NR_OBJECTS && !err; i++) {
		p[i] = goheap_alloc(1 + i * 7, GFP_KERNEL);
		if (p[i])
			memset(p[i], i, 1 + i * 7);
		else
			err = -ENOMEM;
	}
	for (i = 0; i < NR_OBJECTS; i++) {
		if (p[i] && memchr_inv(p[i], i, 1 + i * 7))
			err = -EUCLEAN;
		goheap_free(p[i]);
	}
	return err;
}

static int __init misuse_init(void)
{
	return run_named(kinds, "kind", kind) ?: heap_works();
}

module_runs(misuse_init);
MODULE_DESCRIPTION("goheap misuse, one kind at a time");
MODULE_LICENSE("GPL");
