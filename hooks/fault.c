// SPDX-License-Identifier: GPL-2.0
/*
 * Allocations that fail on demand, on kernels with CONFIG_FAULT_INJECTION: what
 * failslab is to kmalloc(), for objects of goheap. To goheap's own requests for
 * pages and descriptors, failslab and fail_page_alloc apply as to all others.
 *
 * Not built on other kernels, where gh_should_fail() is a constant.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/module.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>

#include "base/compat.h"
#include "base/context.h"
#include "base/peek.h"
#include "hooks/fault.h"

/*
 * attr.verbose is always 0: modules cannot tell should_fail() to keep silent about
 * a single failure, so the message is ours.
 */
struct gh_fault gh_fault = {
	.attr = FAULT_ATTR_INITIALIZER,
	.ignore_gfp_wait = true,
	.verbose = 2,
};

static noinline void tell(size_t size, gfp_t gfp)
{
	if (!gh_peek(gh_fault.verbose) || !__ratelimit(&gh_fault.attr.ratelimit_state))
		return;
	pr_notice("fail_goheap: an allocation of %zu bytes fails, gfp %pGg\n", size, &gfp);
	if (gh_peek(gh_fault.verbose) > 1)
		dump_stack();
}

/**
 * gh_fault_hits() - is this allocation to fail?
 * @size: how many bytes
 * @gfp: the caller's
 *
 * Use gh_should_fail(), which costs nothing on kernels without fault injection.
 *
 * Context: Any. False where should_fail() cannot be called: in NMI, and on
 * PREEMPT_RT in sections that cannot be preempted.
 * Return: true if so.
 */
bool gh_fault_hits(size_t size, gfp_t gfp)
{
	if (!size || gfp & __GFP_NOFAIL || !gh_may_allocate_pages())
		return false;
	if (gh_peek(gh_fault.ignore_gfp_wait) && gfpflags_allow_blocking(gfp))
		return false;
	if (!should_fail(&gh_fault.attr, size))
		return false;
	if (!(gfp & __GFP_NOWARN))
		tell(size, gfp);
	return true;
}

/**
 * gh_fault_hits_bulk() - how many allocations go well before one is to fail?
 * @size: how many bytes each
 * @gfp: the caller's
 * @n: how many are wanted
 *
 * Context: Any.
 * Return: up to @n.
 */
unsigned int gh_fault_hits_bulk(size_t size, gfp_t gfp, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && !gh_fault_hits(size, gfp); i++)
		;
	return i;
}

/* ---- parameters --------------------------------------------------------------- */

static int set_attr(const char *text, const struct kernel_param *param)
{
	return setup_fault_attr(&gh_fault.attr, (char *)text) ? 0 : -EINVAL;
}

static const struct kernel_param_ops attr_ops = { .set = set_attr };

module_param_cb(fail_goheap, &attr_ops, NULL, 0);
MODULE_PARM_DESC(fail_goheap, "<interval>,<probability>,<space>,<times> as for failslab=");

static unsigned int fail_init_nth;
module_param(fail_init_nth, uint, 0444);
MODULE_PARM_DESC(fail_init_nth,
		 "which allocation of the module's start is to fail; reads 0 if one did");

/**
 * gh_fault_init_begin() - the module starts: let an allocation of it fail if asked to
 *
 * Context: The task that loads the module.
 */
void __init gh_fault_init_begin(void)
{
	gh_fault.attr.verbose = 0;
	if (fail_init_nth)
		current->fail_nth = fail_init_nth;
}

/**
 * gh_fault_init_end() - the module has started, or has failed to
 *
 * Context: The task that loads the module.
 */
void __init gh_fault_init_end(void)
{
	if (!fail_init_nth)
		return;
	fail_init_nth = current->fail_nth;
	current->fail_nth = 0;
}

/* ---- debugfs ------------------------------------------------------------------- */

/**
 * gh_fault_debugfs_init() - show what fails
 * @root: goheap's directory
 *
 * Context: Process context.
 */
void gh_fault_debugfs_init(struct dentry *root)
{
	struct dentry *dir = fault_create_debugfs_attr("fail_goheap", root, &gh_fault.attr);

	if (IS_ERR(dir))
		return;
	debugfs_lookup_and_remove("verbose", dir);
	debugfs_create_u32("verbose", 0600, dir, &gh_fault.verbose);
	debugfs_create_bool("ignore-gfp-wait", 0600, dir, &gh_fault.ignore_gfp_wait);
}

/**
 * gh_fault_debugfs_exit() - the directory is gone
 *
 * Context: Process context.
 */
void gh_fault_debugfs_exit(void)
{
	gh_fault_attr_exit(&gh_fault.attr);
}
