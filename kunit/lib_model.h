/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random walks, and a reference model of live objects that is too dumb to be wrong.
 */
#ifndef _GOHEAP_LIB_MODEL_H
#define _GOHEAP_LIB_MODEL_H

#include <linux/prandom.h>

#include "testlib.h"

/* The same numbers in every run. */
void gh_test_seed(struct rnd_state *rnd, u64 seed);
u32 gh_test_below(struct rnd_state *rnd, u32 bound);

/* ---- the model ----------------------------------------------------------- */

struct gh_test_object {
	u8 *p;
	size_t size;
	u8 fill;
};

/**
 * struct gh_test_model - live objects, each with content of its own
 * @test: whose
 * @objects: in no order
 * @nr: how many there are
 * @max: how many there can be
 * @fill: of the object added last
 * @errors: overlaps, and objects that did not keep their content
 */
struct gh_test_model {
	struct kunit *test;
	struct gh_test_object *objects;
	unsigned int nr;
	unsigned int max;
	u8 fill;
	unsigned int errors;
};

void gh_test_model_init(struct gh_test_model *m, struct kunit *test, unsigned int max);
void gh_test_model_add(struct gh_test_model *m, void *p, size_t size);
bool gh_test_model_intact(struct gh_test_model *m, unsigned int i);
void *gh_test_model_del(struct gh_test_model *m, unsigned int i);
void gh_test_model_free_all(struct gh_test_model *m);

/* ---- walks --------------------------------------------------------------- */

struct gh_test_walk;

/**
 * struct gh_test_op - a step that a random walk may take
 * @weight: how often, compared with the others
 * @step: takes it; false if it cannot be taken now, and another one has to be
 */
struct gh_test_op {
	unsigned int weight;
	bool (*step)(struct gh_test_walk *w);
};

/**
 * struct gh_test_walk - random steps from a table
 * @test: whose
 * @ops: the table, up to a row without weight
 * @check: looks after each step whether all is well; or NULL
 * @seed: of the random numbers
 * @rounds: how many steps to take
 * @step: how many were taken
 * @errors: what went wrong
 * @rnd: random numbers for the steps
 * @priv: the suite's
 * @m: live objects, of a walk by gh_test_walk_objects(); the rest is for such walks, too
 * @size: a random size for the next one
 * @alloc: allocates it
 */
struct gh_test_walk {
	struct kunit *test;
	const struct gh_test_op *ops;
	void (*check)(struct gh_test_walk *w);
	u64 seed;
	unsigned int rounds;
	unsigned int step;
	unsigned int errors;
	struct rnd_state rnd;
	void *priv;
	struct gh_test_model m;
	size_t (*size)(struct rnd_state *rnd);
	void *(*alloc)(struct gh_test_walk *w, size_t size);
};

/* Ends early if something goes wrong, and expects that nothing did. */
void gh_test_walk(struct gh_test_walk *w);

/* At most @max objects at a time. The caller frees what is live at the end: the model's. */
void gh_test_walk_objects(struct gh_test_walk *w, unsigned int max);

/* Takes a random object out of the model; NULL if there is none. */
void *gh_test_walk_del(struct gh_test_walk *w);

/* Steps that allocate an object, or free one. */
bool gh_test_step_alloc(struct gh_test_walk *w);
bool gh_test_step_free(struct gh_test_walk *w);
bool gh_test_step_free_rcu(struct gh_test_walk *w);
bool gh_test_step_free_elsewhere(struct gh_test_walk *w);

#endif /* _GOHEAP_LIB_MODEL_H */
