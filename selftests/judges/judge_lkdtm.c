// SPDX-License-Identifier: GPL-2.0
/*
 * Runs one of LKDTM's heap cases, without the rest of LKDTM: insmod with run=CASE.
 * The console tells when it began, when it was done, and when all was cleaned up; if
 * it ever was.
 */

#include "lkdtm.h"

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

static char *run;
module_param(run, charp, 0);
MODULE_PARM_DESC(run, "the case");

char *lkdtm_kernel_info = "kernel";

static void (*find(const char *name))(void)
{
	size_t i;

	for (i = 0; i < heap_crashtypes.len; i++)
		if (!strcmp(heap_crashtypes.crashtypes[i].name, name))
			return heap_crashtypes.crashtypes[i].func;
	return NULL;
}

static int __init judge_lkdtm_init(void)
{
	void (*fn)(void) = run ? find(run) : NULL;

	if (!fn)
		return -ENOENT;
	lkdtm_heap_init();
	pr_info("%s begins\n", run);
	fn();
	pr_info("%s done\n", run);
	return 0;
}
module_init(judge_lkdtm_init);

static void __exit judge_lkdtm_exit(void)
{
	lkdtm_heap_exit();
	pr_info("%s is over\n", run);
}
module_exit(judge_lkdtm_exit);

MODULE_DESCRIPTION("LKDTM's heap cases, one at a time");
MODULE_LICENSE("GPL");
