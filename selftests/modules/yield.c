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
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "goheap.h"

#include "lib/cases.h"
#include "lib/chain.h"
#include "lib/cpus.h"
#include "lib/team.h"

static char *loop = "pair";
module_param(loop, charp, 0444);
MODULE_PARM_DESC(loop, "pair, zero, tiny, large or many (default pair)");

#define TURNS		20
#define WARM		10000		/* rounds, after which nothing refills but what has to */
#define PATIENCE	(30 * HZ)
#define MANY		1024

static unsigned long turns;

static void other(struct mate *unused)
{
	while (!kthread_should_stop()) {
		WRITE_ONCE(turns, turns + 1);
		schedule();
	}
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
	void *p = goheap_alloc_noscan(3, GFP_KERNEL);

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
	struct chain chain = {};
	void *p;

	while (chain.nr < MANY && chain_put(&chain, (goheap_alloc)(64, GFP_KERNEL), 64))
		;
	/* chain_free() would give the CPU away */
	while ((p = chain_pop(&chain)))
		goheap_free(p);
	return chain.nr == MANY;
}

static const struct loop {
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
	static struct team team = TEAM_INIT(team);
	static struct mate mate;
	int cpu = cpumask_first(cpu_online_mask), err;

	err = go_to(cpu) ?: team_hire(&team, &mate, cpu, other);
	if (!err) {
		team_start(&team);
		while (!READ_ONCE(turns))
			schedule_timeout_uninterruptible(1);
		err = run(fn);
	}
	team_end(&team);
	go_anywhere();
	return err;
}

static int __init yield_init(void)
{
	bool any = IS_ENABLED(CONFIG_PREEMPT_DYNAMIC) || IS_ENABLED(CONFIG_PREEMPTION);
	const struct loop *l = find_named(loops, "loop", loop);

	if (l && !any && !l->refills)
		return -EOPNOTSUPP;
	return verdict("loop", loop, l ? run_beside(l->run) : -EINVAL);
}

module_runs(yield_init);
MODULE_DESCRIPTION("Another thread beside a loop of goheap's allocations");
MODULE_LICENSE("GPL");
