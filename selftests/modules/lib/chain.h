/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Any number of objects, without an array: the first word of each points to the one before.
 */
#ifndef _GOHEAP_TEST_CHAIN_H
#define _GOHEAP_TEST_CHAIN_H

#include <linux/types.h>

/**
 * struct chain - objects, the latest of which is found first
 * @last: the latest
 * @nr: how many there are
 * @bytes: what was asked for, in all of them
 */
struct chain {
	void **last;
	unsigned long nr;
	size_t bytes;
};

bool chain_put(struct chain *chain, void **p, size_t size);
void *chain_pop(struct chain *chain);
int chain_free(struct chain *chain);

#endif /* _GOHEAP_TEST_CHAIN_H */
