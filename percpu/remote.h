/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Freeing what another CPU owns. No section needed, preemption off.
 */
#ifndef _GOHEAP_PERCPU_REMOTE_H
#define _GOHEAP_PERCPU_REMOTE_H

#include <linux/compiler.h>
#include <linux/types.h>

struct gh_cache;
struct gh_span;

void gh_remote_close_inbox(struct gh_cache *cache);	/* no section, nobody uses it */

#ifdef CONFIG_GOHEAP_KUNIT_TEST
typedef void gh_test_fn(void);
extern gh_test_fn *gh_test_after_bit;

/* A hook for tests, which do here what another CPU could do at this point. */
static inline void gh_remote_bit_is_set(void)
{
	gh_test_fn *fn = READ_ONCE(gh_test_after_bit);

	if (unlikely(fn))
		fn();
}
#else
static inline void gh_remote_bit_is_set(void) { }
#endif

void gh_remote_free(struct gh_span *s, unsigned int idx, u32 life);
void gh_remote_free_rcu(struct gh_span *s, unsigned int idx, u32 life);
void gh_remote_free_large(struct gh_span *s, u32 life, bool rcu);
void gh_remote_notify(struct gh_span *s, bool rcu);
void gh_remote_hand_over(struct gh_span *s);

#endif /* _GOHEAP_PERCPU_REMOTE_H */
