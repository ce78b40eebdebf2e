// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_plant - bugs for the test runner to find
 *
 * insmod goheap_plant.ko bug=NAME,NAME... commits these, one after the other. Each is
 * what some checker or the runner itself is for; tools/testing/check.sh looks whether
 * anybody noticed. Never load it into a kernel that is to live on.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/rcupdate.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "goheap.h"

#include "lib/cases.h"
#include "lib/team.h"

#define BUGS_MAX	8

static char *bug[BUGS_MAX];
static int nr_bugs;
module_param_array(bug, charp, &nr_bugs, 0444);
MODULE_PARM_DESC(bug, "which bugs to commit");

/* ---- what any kernel notices ------------------------------------------------ */

static int plant_warn(void)
{
	WARN(1, "planted\n");
	return 0;
}

static int plant_oops(void)
{
	int *nowhere = NULL;

	OPTIMIZER_HIDE_VAR(nowhere);
	return READ_ONCE(*nowhere);
}

static int plant_panic(void)
{
	panic("planted");
}

/* With preemption off, so that it takes its CPU along. */
static int plant_hang(void)
{
	preempt_disable();
	while (READ_ONCE(nr_bugs))
		cpu_relax();
	preempt_enable();
	return 0;
}

/* The guest is over, in good order, and its script did not come to its end. */
static int plant_halt(void)
{
	kernel_power_off();
	return 0;
}

static int plant_error(void)
{
	return -EIO;
}

static int plant_misuse(void)
{
	void *p = goheap_alloc(64, GFP_KERNEL);

	goheap_free(p);
	goheap_free(p);
	return 0;
}

/* ---- what takes a checker ---------------------------------------------------- */

static int plant_kasan(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	return READ_ONCE(*p) & 0;
}

static int plant_ubsan(void)
{
	unsigned int by = 40, n = 1;

	OPTIMIZER_HIDE_VAR(by);
	OPTIMIZER_HIDE_VAR(n);
	n <<= by;
	OPTIMIZER_HIDE_VAR(n);
	return 0;
}

static int plant_list(void)
{
	LIST_HEAD(head);
	struct list_head *entry = kzalloc(sizeof(*entry), GFP_KERNEL);

	if (!entry)
		return -ENOMEM;
	list_add(entry, &head);
	head.next = &head;
	list_del(entry);
	kfree(entry);
	return 0;
}

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);
static DEFINE_RAW_SPINLOCK(raw_lock);
static DEFINE_MUTEX(mutex);

static int plant_lockdep(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);

	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
	return 0;
}

/* Lockdep is off after its report, so nobody asks for the lock again. */
static int plant_heldlock(void)
{
	static struct lock_class_key key;
	struct lockdep_map *map = goheap_zalloc(max(sizeof(*map), 64UL), GFP_KERNEL);

	if (!map)
		return -ENOMEM;
	lockdep_init_map(map, "planted", &key, 0);
	lock_map_acquire(map);
	goheap_free(map);
	return 0;
}

/* Harmless here, a sleep with interrupts off on PREEMPT_RT. */
static int plant_nesting(void)
{
	raw_spin_lock(&raw_lock);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	raw_spin_unlock(&raw_lock);
	return 0;
}

static int plant_sleep(void)
{
	preempt_disable();
	mutex_lock(&mutex);
	mutex_unlock(&mutex);
	preempt_enable();
	return 0;
}

static int plant_preempt(void)
{
	return smp_processor_id() & 0;
}

static int plant_rcu(void)
{
	static int __rcu *pointer;

	return rcu_dereference(pointer) ? -EINVAL : 0;
}

/* Found by a scan some seconds later. */
static int plant_leak(void)
{
	void *p = kmalloc(1000, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	return p ? 0 : -ENOMEM;
}

static unsigned long raced;

static void race(struct mate *unused)
{
	unsigned long end = jiffies + HZ;

	while (time_before(jiffies, end)) {
		raced++;
		barrier();
		cond_resched();
	}
}

/* All CPUs count in one variable. */
static int plant_race(void)
{
	static struct team team = TEAM_INIT(team);
	struct mate *mates = kcalloc(nr_cpu_ids, sizeof(*mates), GFP_KERNEL);
	int cpu, err = mates ? 0 : -ENOMEM;

	for_each_online_cpu(cpu)
		err = err ?: team_hire(&team, &mates[cpu], cpu, race);
	if (!err) {
		team_start(&team);
		err = team_wait(&team);
	}
	team_end(&team);
	kfree(mates);
	return err;
}

static int plant_uninit(void)
{
	char *p = kmalloc(64, GFP_KERNEL);
	int err;

	if (!p)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(p);
	err = p[7] == 3 ? -EINVAL : 0;
	kfree(p);
	return err & 0;
}

static const struct test_case bugs[] = {
	{ "warn", plant_warn },
	{ "oops", plant_oops },
	{ "panic", plant_panic },
	{ "hang", plant_hang },
	{ "halt", plant_halt },
	{ "error", plant_error },
	{ "misuse", plant_misuse },
	{ "kasan", plant_kasan },
	{ "ubsan", plant_ubsan },
	{ "list", plant_list },
	{ "lockdep", plant_lockdep },
	{ "heldlock", plant_heldlock },
	{ "nesting", plant_nesting },
	{ "sleep", plant_sleep },
	{ "preempt", plant_preempt },
	{ "rcu", plant_rcu },
	{ "leak", plant_leak },
	{ "race", plant_race },
	{ "uninit", plant_uninit },
};

static int __init plant_init(void)
{
	int i, err = 0;

	for (i = 0; i < nr_bugs && !err; i++)
		err = run_named(bugs, "bug", bug[i]);
	return err;
}

module_runs(plant_init);
MODULE_DESCRIPTION("bugs for goheap's test runner to find");
MODULE_LICENSE("GPL");
