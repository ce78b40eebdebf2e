// SPDX-License-Identifier: GPL-2.0
/*
 * The floor: a stack of addresses for each CPU and size class, without a check.
 *
 * What does not fit into a CPU's stack goes to the store of its class, a magazine at a time,
 * and comes back from there. There is a magazine for each batch of objects that were made, and
 * a batch is no more than a magazine holds: so if a stack of two magazines is full, a magazine
 * is empty somewhere, and a free never needs memory.
 */
#include "bench.h"
#include "floor.h"

#include <linux/align.h>
#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#define BATCH_BYTES	65536UL		/* of one batch, unless one object is larger */

/* Fills a page. */
struct magazine {
	struct list_head node;		/* full or empty */
	struct list_head made;		/* all of a class */
	void *mem;			/* the batch that the magazine was made with */
	size_t bytes;
	void *slot[(PAGE_SIZE - 2 * sizeof(struct list_head) - 2 * sizeof(long)) / sizeof(void *)];
};

static_assert(sizeof(struct magazine) == PAGE_SIZE);
static_assert(FLOOR_CLASSES - 1 <= U8_MAX);

#define MAGAZINE	ARRAY_SIZE(((struct magazine *)NULL)->slot)
#define STACK		(2 * MAGAZINE)

struct floor_stack {
	void **top;			/* the first free slot */
	void **base;
	void **limit;
};

struct floor_cpu {
	struct floor_stack stacks[FLOOR_CLASSES];
	void **slots;			/* of all stacks */
};

/* What the CPUs do not need now. Preemption is off where the lock is taken. */
struct floor_store {
	raw_spinlock_t lock;		/* protects all lists from the other CPUs */
	struct list_head full;
	struct list_head empty;
	struct list_head made;
} ____cacheline_aligned_in_smp;

static struct floor_cpu __percpu *cpus;
static struct floor_store stores[FLOOR_CLASSES];

static u8 *page_class;			/* of each page of the direct map */
static unsigned long page_class_at;	/* where it would be for the page at address 0 */

static u8 *class_of(const void *p)
{
	return (u8 *)(page_class_at + ((unsigned long)p >> PAGE_SHIFT));
}

static size_t class_bytes(unsigned int class)
{
	unsigned int shift = class < 16 ? 0 : class / 8 - 1;

	return (class - 8UL * shift + 1) << (shift + 3);
}

/* ---- stacks and stores ------------------------------------------------------ */

/* Preemption is off; the stack is full. False if there is no magazine, which cannot be. */
static bool stack_spill(struct floor_stack *s, struct floor_store *store)
{
	struct magazine *mag;

	raw_spin_lock(&store->lock);
	mag = list_first_entry_or_null(&store->empty, struct magazine, node);
	if (mag) {
		s->top -= MAGAZINE;
		memcpy(mag->slot, s->top, sizeof(mag->slot));
		list_move(&mag->node, &store->full);
	}
	raw_spin_unlock(&store->lock);
	return !WARN_ON_ONCE(!mag);
}

/* Preemption is off; the stack is empty. False if there is nothing in the store. */
static bool stack_fill(struct floor_stack *s, struct floor_store *store)
{
	struct magazine *mag;

	raw_spin_lock(&store->lock);
	mag = list_first_entry_or_null(&store->full, struct magazine, node);
	if (mag) {
		memcpy(s->top, mag->slot, sizeof(mag->slot));
		s->top += MAGAZINE;
		list_move(&mag->node, &store->empty);
	}
	raw_spin_unlock(&store->lock);
	return mag;
}

/* An address that does not fit; called with preemption off, returns with it on. */
static noinline void free_full(const void *p, unsigned int class, struct floor_stack *s)
{
	/* without a magazine the address is lost until floor_reset() */
	if (stack_spill(s, &stores[class]))
		*s->top++ = (void *)p;
	preempt_enable();
}

/* ---- new memory ------------------------------------------------------------- */

/* A magazine and memory for a batch of the class; NULL if there is none. */
static struct magazine *batch_make(unsigned int class)
{
	size_t size = class_bytes(class);
	struct magazine *mag = (void *)__get_free_page(GFP_KERNEL);

	if (!mag)
		return NULL;
	mag->bytes = PAGE_ALIGN(max(min(MAGAZINE * size, BATCH_BYTES), size));
	mag->mem = alloc_pages_exact(mag->bytes, GFP_KERNEL | __GFP_NOWARN);
	if (!mag->mem) {
		free_page((unsigned long)mag);
		return NULL;
	}
	/* the tag, where there are some, would be in the way of class_of() */
	mag->mem = kasan_reset_tag(mag->mem);
	return mag;
}

static void batch_publish(struct magazine *mag, unsigned int class)
{
	struct floor_store *store = &stores[class];
	size_t at;

	for (at = 0; at < mag->bytes; at += PAGE_SIZE)
		*class_of(mag->mem + at) = class;
	preempt_disable();
	raw_spin_lock(&store->lock);
	list_add(&mag->node, &store->empty);
	list_add(&mag->made, &store->made);
	raw_spin_unlock(&store->lock);
	preempt_enable();
}

/* The first object of a new batch; the others are freed, the last one first. */
static void *alloc_batch(unsigned int class)
{
	struct magazine *mag = batch_make(class);
	size_t size = class_bytes(class), i;

	if (!mag)
		return NULL;
	batch_publish(mag, class);
	for (i = min(mag->bytes / size, MAGAZINE) - 1; i; i--)
		floor_free(mag->mem + i * size);
	return mag->mem;
}

/* The stack is empty; called with preemption off, returns with it on. */
static noinline void *alloc_dry(unsigned int class, struct floor_stack *s)
{
	void *p = stack_fill(s, &stores[class]) ? *--s->top : NULL;

	preempt_enable();
	return p ?: alloc_batch(class);
}

/* ---- allocation and free ---------------------------------------------------- */

static __always_inline void *pop(unsigned int class)
{
	struct floor_stack *s;
	void *p;

	preempt_disable();
	s = &this_cpu_ptr(cpus)->stacks[class];
	if (unlikely(s->top == s->base))
		return alloc_dry(class, s);
	p = *--s->top;
	preempt_enable();
	return p;
}

/**
 * floor_alloc_class - take an address of a class
 * @class: from floor_class()
 *
 * Context: Process context; may sleep.
 * Return: the address, or NULL if there is no memory.
 */
noinline void *floor_alloc_class(unsigned int class)
{
	return pop(class);
}

/**
 * floor_alloc_any - take an address for a size that is not a constant
 * @size: how many bytes
 *
 * Context: Process context; may sleep.
 * Return: the address, or NULL if there is no memory or @size is 0 or above FLOOR_MAX.
 */
noinline void *floor_alloc_any(size_t size)
{
	if (unlikely(size - 1 >= FLOOR_MAX))
		return NULL;
	return pop(floor_class(size));
}

/**
 * floor_free - put an address back
 * @p: the address, on any CPU; or NULL
 *
 * Context: Process context.
 */
noinline void floor_free(const void *p)
{
	struct floor_stack *s;
	unsigned int class;

	if (unlikely(!p))
		return;
	preempt_disable();
	class = *class_of(p);
	s = &this_cpu_ptr(cpus)->stacks[class];
	if (unlikely(s->top == s->limit))
		return free_full(p, class, s);
	*s->top++ = (void *)p;
	preempt_enable();
}

/* As many as there are in this CPU's stack. */
static unsigned int pop_many(unsigned int class, unsigned int n, void **p)
{
	struct floor_stack *s;

	preempt_disable();
	s = &this_cpu_ptr(cpus)->stacks[class];
	n = min_t(size_t, n, s->top - s->base);
	s->top -= n;
	memcpy(p, s->top, n * sizeof(*p));
	preempt_enable();
	return n;
}

/**
 * floor_alloc_bulk - take many addresses
 * @size: how many bytes each
 * @n: how many of them
 * @p: where they go
 *
 * Context: Process context; may sleep.
 * Return: how many there are.
 */
unsigned int floor_alloc_bulk(size_t size, unsigned int n, void **p)
{
	unsigned int got;

	if (unlikely(size - 1 >= FLOOR_MAX))
		return 0;
	for (got = pop_many(floor_class(size), n, p); got < n; got++) {
		p[got] = floor_alloc(size);
		if (!p[got])
			break;
	}
	return got;
}

/* As many as fit into this CPU's stacks. */
static unsigned int push_many(unsigned int n, void **p)
{
	struct floor_cpu *cpu;
	struct floor_stack *s;
	unsigned int i;

	preempt_disable();
	cpu = this_cpu_ptr(cpus);
	for (i = 0; i < n; i++) {
		s = &cpu->stacks[*class_of(p[i])];
		if (unlikely(s->top == s->limit))
			break;
		*s->top++ = p[i];
	}
	preempt_enable();
	return i;
}

/**
 * floor_free_bulk - put many addresses back
 * @n: how many
 * @p: the addresses, none of them NULL
 *
 * Context: Process context.
 */
void floor_free_bulk(unsigned int n, void **p)
{
	unsigned int i = push_many(n, p);

	for (; i < n; i++)
		floor_free(p[i]);
}

/**
 * floor_realloc - larger memory with the same content
 * @p: the address; not NULL
 * @size: how many bytes
 *
 * Context: Process context; may sleep.
 * Return: the address, the same one if there is room; NULL if there is no memory, and @p
 * lives on then.
 */
void *floor_realloc(void *p, size_t size)
{
	size_t bytes = class_bytes(*class_of(p));
	void *q;

	if (size <= bytes)
		return p;
	q = floor_alloc(size);
	if (q) {
		memcpy(q, p, bytes);
		floor_free(p);
	}
	return q;
}

/* ---- start and end ---------------------------------------------------------- */

static void store_reset(struct floor_store *store)
{
	struct magazine *mag, *next;

	list_for_each_entry_safe(mag, next, &store->made, made) {
		free_pages_exact(mag->mem, mag->bytes);
		free_page((unsigned long)mag);
	}
	INIT_LIST_HEAD(&store->full);
	INIT_LIST_HEAD(&store->empty);
	INIT_LIST_HEAD(&store->made);
}

/**
 * floor_reset - give all memory back
 *
 * What was allocated is gone, whether it was freed or not.
 *
 * Context: Process context; nobody allocates or frees.
 */
void floor_reset(void)
{
	unsigned int cpu, class;

	for (class = 0; class < FLOOR_CLASSES; class++) {
		for_each_possible_cpu(cpu) {
			struct floor_stack *s = &per_cpu_ptr(cpus, cpu)->stacks[class];

			s->top = s->base;
		}
		store_reset(&stores[class]);
	}
}

static int stacks_init(struct floor_cpu *cpu)
{
	unsigned int class;
	void **slot;

	slot = vmalloc(array3_size(FLOOR_CLASSES, STACK, sizeof(*slot)));
	if (!slot)
		return -ENOMEM;
	cpu->slots = slot;
	for (class = 0; class < FLOOR_CLASSES; class++, slot += STACK)
		cpu->stacks[class] = (struct floor_stack) {
			.top = slot, .base = slot, .limit = slot + STACK,
		};
	return 0;
}

/**
 * floor_init - make the stacks, all of them empty
 *
 * Context: Process context; may sleep.
 * Return: 0 or -ENOMEM. In both cases floor_exit() frees what is there.
 */
int floor_init(void)
{
	unsigned int cpu, class;

	for (class = 0; class < FLOOR_CLASSES; class++) {
		raw_spin_lock_init(&stores[class].lock);
		INIT_LIST_HEAD(&stores[class].made);
		store_reset(&stores[class]);
	}
	page_class = vzalloc(((unsigned long)high_memory - PAGE_OFFSET) >> PAGE_SHIFT);
	page_class_at = (unsigned long)page_class - (PAGE_OFFSET >> PAGE_SHIFT);
	cpus = alloc_percpu(struct floor_cpu);
	if (!page_class || !cpus)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		if (stacks_init(per_cpu_ptr(cpus, cpu)))
			return -ENOMEM;
	return 0;
}

/**
 * floor_exit - free everything
 *
 * Context: Process context; floor_init() was called, or nothing was.
 */
void floor_exit(void)
{
	unsigned int cpu;

	if (cpus) {
		floor_reset();
		for_each_possible_cpu(cpu)
			vfree(per_cpu_ptr(cpus, cpu)->slots);
	}
	free_percpu(cpus);
	vfree(page_class);
}
