// SPDX-License-Identifier: GPL-2.0
/*
 * Threads of a test: made on their CPUs, started together, joined.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/topology.h>

#include "team.h"

/* The thread ends in kthread_stop() only, so no code of a module runs when the module goes. */
static int mate_main(void *data)
{
	struct mate *mate = data;

	mate->work(mate);
	complete(&mate->done);
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/**
 * team_hire - make a thread, which does nothing before team_start()
 * @team: the team
 * @mate: the thread, whatever it contains
 * @cpu: the only CPU that it runs on, or ANY_CPU
 * @work: what it is to do; it may go on until kthread_should_stop()
 *
 * Return: 0, or an error. Who was hired before waits for team_end() then, too.
 */
int team_hire(struct team *team, struct mate *mate, int cpu, void (*work)(struct mate *mate))
{
	int nid = cpu == ANY_CPU ? NUMA_NO_NODE : cpu_to_node(cpu);

	*mate = (struct mate) { .team = team, .work = work };
	init_completion(&mate->done);
	mate->task = kthread_create_on_node(mate_main, mate, nid, KBUILD_MODNAME "/%d", team->nr);
	if (IS_ERR(mate->task))
		return PTR_ERR(mate->task);
	if (cpu != ANY_CPU)
		kthread_bind(mate->task, cpu);
	list_add_tail(&mate->node, &team->mates);
	team->nr++;
	return 0;
}

/**
 * team_start - let all threads begin
 * @team: the team, all of which was hired
 */
void team_start(struct team *team)
{
	struct mate *mate;

	list_for_each_entry(mate, &team->mates, node)
		wake_up_process(mate->task);
}

/*
 * The wait is made of short ones: a kernel that looks for hung tasks takes a long one for
 * such a task.
 */
static bool mate_wait(struct mate *mate)
{
	long left;

	do
		left = wait_for_completion_killable_timeout(&mate->done, 10 * HZ);
	while (!left);
	return left > 0;
}

/**
 * team_wait - wait until all have done their work
 * @team: the team, which was started
 *
 * Return: 0, or -EINTR if somebody kills the caller. The threads go on working then:
 * team_end() waits for them.
 */
int team_wait(struct team *team)
{
	struct mate *mate;

	list_for_each_entry(mate, &team->mates, node)
		if (!mate_wait(mate))
			return -EINTR;
	return 0;
}

/**
 * team_end - join all threads, also those that never began
 * @team: the team, which can be hired anew afterwards
 */
void team_end(struct team *team)
{
	struct mate *mate, *next;

	list_for_each_entry_safe(mate, next, &team->mates, node) {
		kthread_stop(mate->task);
		list_del(&mate->node);
	}
	team->nr = 0;
	atomic_set(&team->arrived, 0);
}

/**
 * team_meet - wait until every thread of the team is here
 * @mate: the thread that calls
 */
void team_meet(struct mate *mate)
{
	struct team *team = mate->team;
	int all = ++mate->meetings * team->nr;

	atomic_inc(&team->arrived);
	while (atomic_read_acquire(&team->arrived) < all) {
		cpu_relax();
		cond_resched();
	}
}
