/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What debug mode knows of objects.
 */
#ifndef _GOHEAP_HOOKS_RECORDS_H
#define _GOHEAP_HOOKS_RECORDS_H

#include <linux/spinlock_types.h>
#include <linux/types.h>

#include "hooks/track.h"

struct gh_span;
struct goheap;

/* What debug mode knows of an object. */
struct gh_facts {
	bool known;
	u32 size;			/* that was asked for */
	struct gh_track alloc;
	struct gh_track freed;
};

enum gh_record_state {
	GH_RECORD_NEVER,			/* never allocated since the span was made */
	GH_RECORD_LIVE,
	GH_RECORD_WAITING,			/* for readers, after goheap_free_rcu() */
	GH_RECORD_FREE,
};

/**
 * struct gh_record - what is known about an object
 * @size: what was asked for
 * @state: enum gh_record_state
 * @alloc: the latest allocation
 * @freed: the latest free
 */
struct gh_record {
	u32 size;
	u8 state;
	struct gh_track alloc;
	struct gh_track freed;
};

/**
 * struct gh_records - the records of a span
 * @rcu: frees them after the last one who looks at the span
 * @lock: guards them, and the bytes of objects that are free or beyond @size;
 *	taken by those who allocate, free, merge and validate
 * @flags: the heap's, GOHEAP_POISON and so on
 * @nr: how many
 * @gone: the span no longer has these objects; a wild free may still read the records
 * @of: by the object's index
 */
struct gh_records {
	struct rcu_head rcu;
	raw_spinlock_t lock;
	unsigned int flags;
	unsigned int nr;
	bool gone;
	struct gh_record of[];
};

struct gh_records *gh_records_of(const struct gh_span *s, unsigned int idx);
struct gh_records *gh_records_new(const struct goheap *heap, unsigned int nr, gfp_t gfp);
void gh_records_drop(struct gh_records *r);
size_t gh_records_size(const struct gh_span *s, unsigned int idx);
void gh_records_learn(const struct gh_span *s, const void *p, struct gh_facts *facts);
void gh_records_explain(const struct gh_facts *facts);
void gh_records_leaks(const struct gh_span *s, unsigned int *max);
unsigned long gh_records_bytes(void);
unsigned long gh_records_bytes_of(const struct gh_span *s);

#endif /* _GOHEAP_HOOKS_RECORDS_H */
