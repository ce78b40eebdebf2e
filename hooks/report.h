/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reports of misuse.
 */
#ifndef _GOHEAP_HOOKS_REPORT_H
#define _GOHEAP_HOOKS_REPORT_H

#include <linux/ratelimit_types.h>
#include <linux/types.h>

struct gh_span;

enum gh_misuse {
	GH_DOUBLE_FREE,
	GH_FREE_UNALLOCATED,
	GH_INTERIOR,
	GH_FOREIGN,
	GH_WRONG_HEAP,
	GH_WRONG_SIZE,
	GH_STRAY_PUT,
	GH_STRAY_GET,
	GH_OVERFLOW,
	GH_USE_AFTER_FREE,
	GH_NR_MISUSES
};

/* The bytes of a bad write. */
struct gh_damage {
	enum gh_misuse what;		/* GH_OVERFLOW or GH_USE_AFTER_FREE */
	size_t offset;			/* in the object */
	unsigned int nr;
	u8 bytes[16];
};

#define GH_REPORT_MAX	512
extern char gh_last_report[GH_REPORT_MAX];

extern struct ratelimit_state gh_misuse_limit;
void gh_misuse(enum gh_misuse what, const void *p, struct gh_span *s);
void gh_misuse_later(enum gh_misuse what, const void *p, struct gh_span *s);
void gh_misuse_size(const void *p, struct gh_span *s, size_t size);
void gh_misuse_damage(const void *p, struct gh_span *s, const struct gh_damage *damage);
unsigned long gh_misuse_count(void);
unsigned long gh_misuse_foreign(void);
void gh_misuse_flush(void);

#endif /* _GOHEAP_HOOKS_REPORT_H */
