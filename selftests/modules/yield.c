// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_yield - who allocates and may sleep does not keep the CPU
 *
 * Loading the module allocates and frees as loop= says, without ever sleeping otherwise,
 * until another thread of the same CPU had a few turns; if that one waits in vain for
 * half a minute, loading fails.
 *
 *   pair    one object, which needs no refill
 *   zero    one object that is cleared
 *   tiny    one tiny object
 *   large   one large object
 *   many    many objects, then all are freed
 *
 * A kernel without preemption, and without PREEMPT_DYNAMIC, takes the CPU away where goheap
 * refills only: there pair, zero and tiny fail with EOPNOTSUPP, untried.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "goheap.h"

static char *loop = "pair";
module_param(loop, charp, 0444);
MODULE_PARM_DESC(loop, "pair, zero, tiny, large or many (default pair)");

#define TURNS		20
#define WARM		10000		/* rounds, after which nothing refills but what has to */
#define PATIENCE	(30 * HZ)
#define MANY		1024

static unsigned long turns;

static int other(void *unused)
{
	while (!kthread_should_stop()) {
		WRITE_ONCE(turns, turns + 1);
		schedule();
	}
	return 0;
}

static bool do_pair(void)
{
	void *p = (goheap_alloc)(64, GFP_KERNEL);

	goheap_free(p);
	return p;
}

static bool do_zero(void)
{
	void *p = goheap_zalloc(64, GFP_KERNEL);

	goheap_free(p);
	return p;
}

static bool do_tiny(void)
{
	void *p = goheap_alloc_noscan(5, GFP_KERNEL);

	goheap_free(p);
	return p;
}

static bool do_large(void)
{
	void *p = (goheap_alloc)(SZ_64K, GFP_KERNEL);

	goheap_free(p);
	return p;
}

static bool do_many(void)
{
	void **last = NULL, **p;
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		p = (goheap_alloc)(64, GFP_KERNEL);
		if (!p)
			break;
		*p = last;
		last = p;
	}
	for (; last; last = p) {
		p = *last;
		goheap_free(last);
	}
	return i == MANY;
}

static const struct {
	const char *name;
	bool (*run)(void);
	bool refills;
} loops[] = {
	{ "pair", do_pair },
	{ "zero", do_zero },
	{ "tiny", do_tiny },
	{ "large", do_large, true },
	{ "many", do_many, true },
};

static int run(bool (*fn)(void))
{
	unsigned long until, before, n;

	for (n = 0; n < WARM; n++)
		if (!fn())
			return -ENOMEM;
	until = jiffies + PATIENCE;
	before = READ_ONCE(turns);
	for (n = 0; READ_ONCE(turns) - before < TURNS && time_before(jiffies, until); n++)
		if (!fn())
			return -ENOMEM;
	n = READ_ONCE(turns) - before;
	pr_info("%s: %lu turns in %u ms\n", loop, n, jiffies_to_msecs(jiffies - until + PATIENCE));
	return n < TURNS ? -ETIME : 0;
}

static int run_beside(bool (*fn)(void))
{
	int cpu = cpumask_first(cpu_online_mask), err;
	struct task_struct *task;

	err = set_cpus_allowed_ptr(current, cpumask_of(cpu));
	if (err)
		return err;
	task = kthread_create(other, NULL, "goheap_yield");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	wake_up_process(task);
	while (!READ_ONCE(turns))
		schedule_timeout_uninterruptible(1);
	err = run(fn);
	kthread_stop(task);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	return err;
}

static int __init yield_init(void)
{
	bool any = IS_ENABLED(CONFIG_PREEMPT_DYNAMIC) || IS_ENABLED(CONFIG_PREEMPTION);
	int err = -EINVAL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(loops); i++)
		if (!strcmp(loop, loops[i].name))
			err = any || loops[i].refills ? run_beside(loops[i].run) : -EOPNOTSUPP;
	if (err && err != -EOPNOTSUPP)
		pr_err("FAILED loop=%s: %pe\n", loop, ERR_PTR(err));
	return err;
}

static void __exit yield_exit(void)
{
}

module_init(yield_init);
module_exit(yield_exit);
MODULE_DESCRIPTION("Another thread beside a loop of goheap's allocations");
MODULE_LICENSE("GPL");
