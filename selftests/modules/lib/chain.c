// SPDX-License-Identifier: GPL-2.0
/*
 * Any number of objects, without an array: the first word of each points to the one before.
 */
#include <linux/errno.h>
#include <linux/sched.h>

#include "goheap.h"

#include "chain.h"

/**
 * chain_put - add an object
 * @chain: the chain
 * @p: the object, or NULL if there was no memory
 * @size: its size
 *
 * Return: whether there was memory.
 */
bool chain_put(struct chain *chain, void **p, size_t size)
{
	if (!p)
		return false;
	*p = chain->last;
	chain->last = p;
	chain->nr++;
	chain->bytes += size;
	return true;
}

/**
 * chain_pop - take the latest object out
 * @chain: the chain, whose number and bytes are left as they were
 *
 * Return: the object, or NULL if there is none.
 */
void *chain_pop(struct chain *chain)
{
	void **p = chain->last;

	if (p)
		chain->last = *p;
	return p;
}

/**
 * chain_free - free all objects
 * @chain: the chain
 *
 * Return: 0 if every object kept its link, or -EIO.
 */
int chain_free(struct chain *chain)
{
	unsigned long n = 0;
	void *p;

	while ((p = chain_pop(chain))) {
		goheap_free(p);
		n++;
		cond_resched();
	}
	return n == chain->nr ? 0 : -EIO;
}
