/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads of a test: made on their CPUs, started together, joined.
 *
 *	static struct team team = TEAM_INIT(team);
 *
 *	err = team_hire(&team, &w->mate, cpu, work);	for each of them
 *	if (!err) {
 *		team_start(&team);
 *		err = team_wait(&team);
 *	}
 *	team_end(&team);
 *
 * A mate is a part of the structure that its thread works on. All functions but team_meet()
 * are for the one thread that made the team.
 */
#ifndef _GOHEAP_TEST_TEAM_H
#define _GOHEAP_TEST_TEAM_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/list.h>

#define ANY_CPU		(-1)

/**
 * struct team - threads that work together
 * @mates: the &struct mate of each, in the order in which they were hired
 * @nr: how many there are
 * @arrived: how many came to the meetings so far, all meetings together
 */
struct team {
	struct list_head mates;
	int nr;
	atomic_t arrived;
};

#define TEAM_INIT(name)	{ .mates = LIST_HEAD_INIT((name).mates) }

/**
 * struct mate - one thread of a team
 * @node: in the team's list
 * @team: the team
 * @task: the thread
 * @work: what it does
 * @done: completed when @work has returned
 * @meetings: how many this thread has been to
 */
struct mate {
	struct list_head node;
	struct team *team;
	struct task_struct *task;
	void (*work)(struct mate *mate);
	struct completion done;
	int meetings;
};

int team_hire(struct team *team, struct mate *mate, int cpu, void (*work)(struct mate *mate));
void team_start(struct team *team);
int team_wait(struct team *team);
void team_end(struct team *team);
void team_meet(struct mate *mate);

#endif /* _GOHEAP_TEST_TEAM_H */
