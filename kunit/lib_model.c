// SPDX-License-Identifier: GPL-2.0
/*
 * Random walks and their model. See lib_model.h.
 */

#include <linux/string.h>

#include "lib_model.h"

void gh_test_seed(struct rnd_state *rnd, u64 seed)
{
	prandom_seed_state(rnd, seed);
}

u32 gh_test_below(struct rnd_state *rnd, u32 bound)
{
	return prandom_u32_state(rnd) % bound;
}

/* ---- the model ----------------------------------------------------------- */

void gh_test_model_init(struct gh_test_model *m, struct kunit *test, unsigned int max)
{
	memset(m, 0, sizeof(*m));
	m->test = test;
	m->max = max;
	m->objects = kunit_kcalloc(test, max, sizeof(*m->objects), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->objects);
}

static bool overlap(const struct gh_test_object *o, const u8 *p, size_t size)
{
	return p < o->p + o->size && o->p < p + size;
}

void gh_test_model_add(struct gh_test_model *m, void *p, size_t size)
{
	struct gh_test_object *o;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(m->test, p);
	KUNIT_ASSERT_LT(m->test, m->nr, m->max);
	for (i = 0; i < m->nr; i++)
		if (overlap(&m->objects[i], p, size))
			m->errors++;
	o = &m->objects[m->nr++];
	*o = (struct gh_test_object){ .p = p, .size = size, .fill = ++m->fill };
	memset(p, o->fill, size);
}

bool gh_test_model_intact(struct gh_test_model *m, unsigned int i)
{
	struct gh_test_object *o = &m->objects[i];

	return !memchr_inv(o->p, o->fill, o->size);
}

/* The caller frees what this returns. */
void *gh_test_model_del(struct gh_test_model *m, unsigned int i)
{
	void *p = m->objects[i].p;

	if (!gh_test_model_intact(m, i))
		m->errors++;
	m->objects[i] = m->objects[--m->nr];
	return p;
}

void gh_test_model_free_all(struct gh_test_model *m)
{
	while (m->nr)
		goheap_free(gh_test_model_del(m, m->nr - 1));
	KUNIT_EXPECT_EQ_MSG(m->test, m->errors, 0U, "objects overlap or lost their content");
}

/* ---- walks --------------------------------------------------------------- */

/* Steps that cannot be taken, one after the other: then none can. */
#define TRIES	1000

static const struct gh_test_op *pick(struct gh_test_walk *w)
{
	const struct gh_test_op *op;
	unsigned int all = 0, at;

	for (op = w->ops; op->weight; op++)
		all += op->weight;
	at = gh_test_below(&w->rnd, all);
	for (op = w->ops; at >= op->weight; op++)
		at -= op->weight;
	return op;
}

static bool take_step(struct gh_test_walk *w)
{
	unsigned int tries;

	for (tries = 0; tries < TRIES; tries++)
		if (pick(w)->step(w))
			return true;
	return false;
}

void gh_test_walk(struct gh_test_walk *w)
{
	gh_test_seed(&w->rnd, w->seed);
	for (w->step = 0; w->step < w->rounds && !w->errors && !w->m.errors; w->step++) {
		KUNIT_ASSERT_TRUE(w->test, take_step(w));
		if (w->check)
			w->check(w);
	}
	KUNIT_EXPECT_EQ_MSG(w->test, w->errors, 0U, "in step %u of seed %llu", w->step, w->seed);
}

void gh_test_walk_objects(struct gh_test_walk *w, unsigned int max)
{
	gh_test_model_init(&w->m, w->test, max);
	gh_test_walk(w);
	gh_test_validate(w->test);
}

void *gh_test_walk_del(struct gh_test_walk *w)
{
	return w->m.nr ? gh_test_model_del(&w->m, gh_test_below(&w->rnd, w->m.nr)) : NULL;
}

bool gh_test_step_alloc(struct gh_test_walk *w)
{
	size_t size = w->size(&w->rnd);

	if (w->m.nr == w->m.max)
		return false;
	gh_test_model_add(&w->m, w->alloc(w, size), size);
	return true;
}

bool gh_test_step_free(struct gh_test_walk *w)
{
	void *p = gh_test_walk_del(w);

	goheap_free(p);
	return p;
}

bool gh_test_step_free_rcu(struct gh_test_walk *w)
{
	void *p = gh_test_walk_del(w);

	goheap_free_rcu(p);
	return p;
}

bool gh_test_step_free_elsewhere(struct gh_test_walk *w)
{
	void *p = gh_test_walk_del(w);

	if (p)
		gh_test_free_on(gh_test_other_cpu(w->test), p);
	return p;
}
