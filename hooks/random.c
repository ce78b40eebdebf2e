// SPDX-License-Identifier: GPL-2.0
/*
 * Random placement: with goheap.random=1 an allocation takes a random free object
 * of a span, so that an attacker who knows one address cannot predict the next.
 *
 * A refill then gives a slot one object at a time. Slots have no magazines: a
 * magazine would give back the object that was freed last.
 */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/siphash.h>

#include "hooks/random.h"

bool gh_random;
module_param_named(random, gh_random, bool, 0444);
MODULE_PARM_DESC(random, "allocate any free object of a span rather than the next one (default off)");

/* Not get_random_u32(): an NMI, or a holder of a raw spinlock, must not take its lock. */
static hsiphash_key_t key;
static DEFINE_PER_CPU(u32, draws);

/**
 * gh_random_init() - choose a key
 *
 * Context: Process context.
 */
void gh_random_init(void)
{
	get_random_bytes(&key, sizeof(key));
}

/**
 * gh_random_draw() - draw a number
 *
 * Context: Any, preemption off.
 * Return: 32 bits that cannot be predicted without the key.
 */
u32 gh_random_draw(void)
{
	return hsiphash_2u32(this_cpu_inc_return(draws), raw_smp_processor_id(), &key);
}
