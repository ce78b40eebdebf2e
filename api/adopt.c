// SPDX-License-Identifier: GPL-2.0
/*
 * Objects of goheap that reach the kernel's own allocator: kfree(), kfree_rcu(),
 * ksize(), krealloc() and what is built on them.
 *
 * The kernel takes a page that is not SLUB's for one large kmalloc() object, and
 * depending on its version warns, leaks, or writes to the neighbours. With adopt=1 goheap
 * stands before the two or three functions that such pages reach, by kprobes or, in a
 * kernel that has them, by hooks (packaging/in-tree). An object of goheap is then freed,
 * measured or resized by goheap. Of kmalloc()'s objects, large ones pay for a probe when
 * they are freed, and all of them in ksize(); through the hooks nobody does.
 *
 * The kernel skips a probe that is hit in the middle of another one on the same CPU. Such a
 * call does what it would without adopt=1; rmmod says how many there were.
 *
 * A probe's handler does not do the work. The handler may run as in NMI, and kfree()
 * was called elsewhere. The handler lets its caller return into a function of the same
 * arguments here, as a live patch does.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "api/adopt.h"
#include "base/compat.h"
#include "base/peek.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "pages/map.h"
#include "pages/pageheap.h"
#include "reclaim.h"

static bool adopt;
module_param(adopt, bool, 0444);
MODULE_PARM_DESC(adopt, "let kfree(), ksize() and krealloc() take objects of goheap (default: N)");

static atomic_long_t nr_adopted;

/**
 * gh_adopted() - how many objects of goheap the kernel's kfree() was given, with adopt=1
 *
 * Context: Any.
 * Return: the count since the module was loaded.
 */
unsigned long gh_adopted(void)
{
	return atomic_long_read(&nr_adopted);
}

#if defined(SLAB_FOREIGN_HOOKS) || defined(GH_CAN_ADOPT)
static void adopt_free(const void *p)
{
	atomic_long_inc(&nr_adopted);
	goheap_free(p);
}
#endif

#if defined(SLAB_FOREIGN_HOOKS)

/* ---- a kernel with hooks ---------------------------------------------------------------- */

static bool is_ours(const void *p)
{
	bool ours;

	preempt_disable();
	ours = gh_map_owns((unsigned long)p);
	preempt_enable();
	return ours;
}

static bool hook_free(const void *p)
{
	if (!is_ours(p))
		return false;
	adopt_free(p);
	return true;
}

static const struct slab_foreign_hooks hooks = {
	.free = hook_free,
	.size = goheap_size,
	.base = goheap_base,
};

static int begin(void)
{
	return slab_set_foreign_hooks(&hooks);
}

static void end(void)
{
	slab_set_foreign_hooks(NULL);
}

#elif defined(GH_CAN_ADOPT)

/* ---- a kernel with probes ---------------------------------------------------------------- */

/* Callers that a probe sent here and that have not left yet. */
static atomic_t nr_inside;

/* May an object that fits stay where it is? */
static bool may_stay(const void *p, unsigned long align, gfp_t gfp, int nid)
{
	if (!IS_ALIGNED((unsigned long)p, align))
		return false;
	return !(gfp & __GFP_THISNODE) || nid == NUMA_NO_NODE ||
	       nid == page_to_nid(virt_to_page(p));
}

static void *move(const void *p, size_t size, unsigned long align, gfp_t gfp, int nid)
{
	size_t have = goheap_size(p);
	void *new = gh_alloc(gh_default, size, align, gfp, false, nid);

	if (new) {
		memcpy(new, p, min(have, size));
		adopt_free(p);
	}
	return new;
}

/* krealloc(); @size is not 0. Making an object smaller must not fail. */
static void *resize(void *p, size_t size, unsigned long align, gfp_t gfp, int nid)
{
	bool fits = size <= goheap_size(p);
	void *new;

	/* If the object is dead, goheap_realloc() reports that, and nothing is copied. */
	if (goheap_size(p) && !may_stay(p, align, gfp, nid))
		return move(p, size, align, gfp, nid);
	new = goheap_realloc(p, size, gfp);
	return !new && fits ? p : new;
}

/* The first argument is a page or a folio. */
static void instead_of_free(void *page, const void *p)
{
	adopt_free(p);
	atomic_dec(&nr_inside);
}

static size_t instead_of_size(const void *p)
{
	size_t size = goheap_size(p);

	atomic_dec(&nr_inside);
	return size;
}

static void *krealloc_ours(const void *p, size_t size, unsigned long align, gfp_t gfp,
			   int nid)
{
	void *new = ZERO_SIZE_PTR;

	if (size)
		new = resize((void *)p, size, align, gfp, nid);
	else
		adopt_free(p);
	atomic_dec(&nr_inside);
	return new;
}

#if GH_KREALLOC_TAKES_NODE
static void *instead_of_realloc(const void *p, GH_KREALLOC_SIZE, unsigned long align, gfp_t gfp,
				int nid)
{
	return krealloc_ours(p, size, align, gfp, nid);
}
#else
static void *instead_of_realloc(const void *p, GH_KREALLOC_SIZE, gfp_t gfp)
{
	return krealloc_ours(p, size, 1, gfp, NUMA_NO_NODE);
}
#endif

/**
 * struct detour - what stands before one of the kernel's functions
 * @kp: the probe
 * @arg: which argument is the object
 * @to: where callers with an object of goheap go
 */
struct detour {
	struct kprobe kp;
	unsigned int arg;
	void *to;
};

static int divert(struct kprobe *kp, struct pt_regs *regs)
{
	struct detour *d = container_of(kp, struct detour, kp);
	unsigned long p = regs_get_kernel_argument(regs, d->arg);

	if (ZERO_OR_NULL_PTR((void *)p) || !gh_map_owns(p))
		return 0;
	atomic_inc(&nr_inside);
	instruction_pointer_set(regs, (unsigned long)d->to);
	return 1;
}

NOKPROBE_SYMBOL(divert);

/* A probe with a post handler is neither optimised nor shared, and may change the IP. */
static void never_called(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

NOKPROBE_SYMBOL(never_called);

#define DETOUR(name, nr, fn) {						\
	.kp = {								\
		.symbol_name = name,					\
		.pre_handler = divert,					\
		.post_handler = never_called,				\
	},								\
	.arg = nr,							\
	.to = fn,							\
}

static struct detour detours[] = {
	DETOUR("free_large_kmalloc", 1, instead_of_free),
	DETOUR("__ksize", 0, instead_of_size),
	DETOUR(GH_KREALLOC_NAME, 0, instead_of_realloc),
};

static unsigned int nr_detours(void)
{
	/* The last one is for kernels whose krealloc() does not ask ksize(). */
	return ARRAY_SIZE(detours) - !GH_KREALLOC_PROBED;
}

static int begin(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < nr_detours(); i++) {
		err = register_kprobe(&detours[i].kp);
		if (!err)
			continue;
		pr_err("adopt=1 needs a probe on %s(), which this kernel does not take (%d): load goheap without adopt=1\n",
		       detours[i].kp.symbol_name, err);
		while (i--)
			unregister_kprobe(&detours[i].kp);
		return err;
	}
	return 0;
}

static void end(void)
{
	unsigned int i;

	for (i = 0; i < nr_detours(); i++) {
		unregister_kprobe(&detours[i].kp);
		if (detours[i].kp.nmissed)
			pr_warn("adopt=1: %lu calls of %s() went by\n", detours[i].kp.nmissed,
				detours[i].kp.symbol_name);
	}
	while (atomic_read(&nr_inside))
		msleep(20);
	/* A caller that has left the count may not have returned yet. */
	synchronize_rcu_tasks();
}

#else

static int begin(void)
{
	pr_err("adopt=1 needs a kernel with CONFIG_KPROBES, since 6.15 with CONFIG_KVFREE_RCU_BATCHED as well, or with packaging/in-tree: load goheap without adopt=1\n");
	return -EOPNOTSUPP;
}

static void end(void)
{
}

#endif

/* ---- start and stop ----------------------------------------------------------------------- */

static bool anything_lives(void)
{
	int nid;

	gh_reclaim_trim();
	for_each_node(nid)
		if (gh_peek(gh_page_heaps[nid]->small) || gh_peek(gh_page_heaps[nid]->large))
			return true;
	return false;
}

/* All objects given to kfree_rcu() must be freed before the probes go. */
static void wait_for_kfree_rcu(void)
{
	unsigned long timeout = jiffies + 20 * HZ;

	if (gh_kvfree_rcu_barrier())
		return;
	/* The kernel collects for 5 s, at most twice. What lives after that has leaked. */
	while (anything_lives() && time_before(jiffies, timeout))
		msleep(100);
}

/**
 * gh_adopt_init() - take objects of goheap from the kernel's allocator, if adopt=1
 *
 * Context: Process context.
 * Return: 0, or what makes it impossible; the reason is in the log.
 */
int __init gh_adopt_init(void)
{
	return adopt ? begin() : 0;
}

/**
 * gh_adopt_exit() - stop taking objects from the kernel's allocator
 *
 * Context: Process context. Nobody calls kfree() on objects of goheap any more.
 */
void gh_adopt_exit(void)
{
	if (!adopt)
		return;
	wait_for_kfree_rcu();
	end();
}
