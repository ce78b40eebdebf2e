// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_numa - does memory come from the node that was asked for, and go back there?
 *
 * Loading the module does what test= says, and fails if that goes wrong:
 *
 *   asked      every size, from every node with memory, by CPUs of every node
 *   home       frees by CPUs of other nodes: the pages are their node's again
 *   near       whoever asks for no node gets memory of the own node, or if that has
 *              none of another, and what was freed is used again
 *   exhausted  a node that has nothing left says NULL if it has to be that node,
 *              without a word, and others help out otherwise; later it is asked again
 *   nowhere    nodes without memory, and nodes that there are not
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "goheap.h"

#include "lib/cases.h"
#include "lib/chain.h"
#include "lib/cpus.h"

static char *test = "";
module_param(test, charp, 0444);
MODULE_PARM_DESC(test, "asked, home, near, exhausted or nowhere");

static int node_of(const void *p)
{
	return page_to_nid(virt_to_page(p));
}

static bool has_memory(int nid)
{
	return node_state(nid, N_NORMAL_MEMORY);
}

/* Says what is wrong, unless it is an object of this node. */
static int expect_node(const void *p, int nid, const char *what, size_t size)
{
	if (p && node_of(p) == nid)
		return 0;
	pr_err("%s, %zu bytes of node %d on CPU %d: %d\n", what, size, nid,
	       raw_smp_processor_id(), p ? node_of(p) : NUMA_NO_NODE);
	return -EIO;
}

static const size_t sizes[] = { 8, 24, 64, 200, 1024, 5000, 32768, 50000, 300000, 1 << 20 };

static int ask_node(int nid)
{
	unsigned int i;
	int err = 0;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_alloc_node(sizes[i], GFP_KERNEL, nid);
		err = err ?: expect_node(p, nid, "asked for", sizes[i]);
		goheap_free(p);
		p = goheap_alloc_node(sizes[i], GFP_KERNEL | __GFP_THISNODE, nid);
		err = err ?: expect_node(p, nid, "insisted on", sizes[i]);
		goheap_free(p);
	}
	return err;
}

static int run_asked(void)
{
	int cpu, nid, err = 0;

	for_each_online_cpu(cpu) {
		err = err ?: go_to(cpu);
		for_each_node_state(nid, N_NORMAL_MEMORY)
			err = err ?: ask_node(nid);
	}
	return err;
}

#define NR	4096

/* Allocate on a CPU, free on the next one, and so on. */
static int hand_round(void **p)
{
	int cpu, err = 0;
	unsigned int i;

	for_each_online_cpu(cpu) {
		err = err ?: go_to(cpu);
		for (i = 0; i < NR; i++) {
			goheap_free(p[i]);
			p[i] = goheap_alloc(256, GFP_KERNEL);
		}
	}
	for (i = 0; i < NR; i++)
		goheap_free(p[i]);
	return err;
}

/* goheap's own books say whether each page is where it belongs. */
static int run_home(void)
{
	void **p = kvcalloc(NR, sizeof(*p), GFP_KERNEL);
	int err;

	if (!p)
		return -ENOMEM;
	err = hand_round(p);
	kvfree(p);
	return err;
}

static int near_of(int cpu)
{
	int nid = cpu_to_node(cpu), other, best = NUMA_NO_NODE;

	if (has_memory(nid))
		return nid;
	for_each_node_state(other, N_NORMAL_MEMORY)
		if (best == NUMA_NO_NODE || node_distance(nid, other) < node_distance(nid, best))
			best = other;
	return best;
}

static int ask_near(int cpu)
{
	unsigned int i;
	int err = 0;
	void *p;

	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		p = goheap_alloc(sizes[i], GFP_KERNEL);
		err = expect_node(p, near_of(cpu), "unasked", sizes[i]);
		goheap_free(p);
		p = goheap_alloc(sizes[i], GFP_KERNEL | __GFP_THISNODE);
		err = err ?: expect_node(p, near_of(cpu), "here", sizes[i]);
		goheap_free(p);
	}
	return err;
}

static int run_near(void)
{
	int cpu, err = 0;

	for_each_online_cpu(cpu) {
		err = err ?: go_to(cpu);
		err = err ?: ask_near(cpu);
	}
	return err;
}

static void chain_all(struct chain *chain, int nid)
{
	void *p;

	do {
		p = goheap_alloc_node(SZ_4K, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, nid);
		cond_resched();
	} while (chain_put(chain, p, SZ_4K));
}

static int exhaust(int nid)
{
	struct chain all = {};
	void *p, *q;
	int err = 0, broken;

	chain_all(&all, nid);
	p = goheap_alloc_node(SZ_4K, GFP_NOWAIT | __GFP_THISNODE | __GFP_NOWARN, nid);
	if (p && node_of(p) != nid)
		err = expect_node(p, nid, "insisted on", SZ_4K);
	/* Without a word: who reads the log looks for it. */
	q = goheap_alloc_node(SZ_4K, GFP_KERNEL, nid);
	if (!q) {
		pr_err("nobody helps node %d out\n", nid);
		err = -EIO;
	}
	pr_info("node %d: NULL after %lu objects, then one of node %d\n", nid, all.nr,
		q ? node_of(q) : NUMA_NO_NODE);
	broken = chain_free(&all);
	err = err ?: broken;
	goheap_free(p);
	p = goheap_alloc_node(SZ_4K, GFP_KERNEL, nid);
	err = err ?: expect_node(p, nid, "asked again for", SZ_4K);
	goheap_free(p);
	goheap_free(q);
	return err;
}

static int run_exhausted(void)
{
	int nid, err = 0;

	for_each_node_state(nid, N_NORMAL_MEMORY) {
		/* by a CPU of its own, which then has memory of others in its cache */
		if (cpumask_any(cpumask_of_node(nid)) < nr_cpu_ids)
			err = err ?: go_to(cpumask_any(cpumask_of_node(nid)));
		err = err ?: exhaust(nid);
	}
	return err;
}

static int ask_nowhere(int nid)
{
	void *p = goheap_alloc_node(100, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, nid);
	void *q = goheap_alloc_node(100, GFP_KERNEL, nid);
	void *r = goheap_alloc_node(100000, GFP_KERNEL, nid);
	int err = !p && q && r ? 0 : -EIO;

	if (err)
		pr_err("node %d without memory: %p %p %p\n", nid, p, q, r);
	goheap_free(p);
	goheap_free(q);
	goheap_free(r);
	return err;
}

static int run_nowhere(void)
{
	int nid, err = ask_nowhere(MAX_NUMNODES - 1);

	for_each_online_node(nid)
		if (!has_memory(nid))
			err = err ?: ask_nowhere(nid);
	return err;
}

static const struct test_case tests[] = {
	{ "asked", run_asked },
	{ "home", run_home },
	{ "near", run_near },
	{ "exhausted", run_exhausted },
	{ "nowhere", run_nowhere },
};

static int __init numa_init(void)
{
	int err = run_named(tests, "test", test);

	go_anywhere();
	return verdict("test", test, err);
}

module_runs(numa_init);
MODULE_DESCRIPTION("goheap on machines with several memory nodes");
MODULE_LICENSE("GPL");
