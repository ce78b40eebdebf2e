// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_trickle - objects of one CPU that another one frees, one by one, by
 * goheap_free_rcu()
 *
 * So the spans of the first CPU are in limbo nearly all the time. How many objects
 * are left is for goheap_hotplug.sh to read.
 */

#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "goheap.h"

#include "lib/team.h"

#define NR		4096

static unsigned int owner = 1;
module_param(owner, uint, 0444);
MODULE_PARM_DESC(owner, "CPU that allocates");

static unsigned int pause_ms = 5;
module_param(pause_ms, uint, 0444);
MODULE_PARM_DESC(pause_ms, "Milliseconds between two frees");

static unsigned int left;
module_param(left, uint, 0444);
MODULE_PARM_DESC(left, "Objects not freed yet");

static void *objects[NR];
static struct team team = TEAM_INIT(team);
static struct mate mate;

static long allocate(void *unused)
{
	while (left < NR) {
		objects[left] = goheap_alloc(8, GFP_KERNEL);
		if (!objects[left])
			return -ENOMEM;
		WRITE_ONCE(left, left + 1);
	}
	return 0;
}

static void free_last(void)
{
	WRITE_ONCE(left, left - 1);
	goheap_free_rcu(objects[left]);
}

static void trickle(struct mate *unused)
{
	while (!kthread_should_stop()) {
		if (left)
			free_last();
		msleep(pause_ms);
	}
}

static void free_rest(void)
{
	while (left)
		free_last();
}

static int __init goheap_trickle_init(void)
{
	int err = work_on_cpu(owner, allocate, NULL);

	err = err ?: team_hire(&team, &mate, cpumask_first(cpu_online_mask), trickle);
	team_start(&team);
	if (err)
		free_rest();
	return err;
}

static void __exit goheap_trickle_exit(void)
{
	team_end(&team);
	free_rest();
}

module_init(goheap_trickle_init);
module_exit(goheap_trickle_exit);
MODULE_DESCRIPTION("Objects that are freed one by one after grace periods");
MODULE_AUTHOR("The goheap developers");
MODULE_LICENSE("GPL");
