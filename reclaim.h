/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Giving memory back.
 */
#ifndef _GOHEAP_RECLAIM_H
#define _GOHEAP_RECLAIM_H

struct shrinker;

extern struct shrinker *gh_shrinker;
int gh_reclaim_init(void);
void gh_reclaim_exit(void);
void gh_reclaim_trim(void);
unsigned long gh_reclaim_last_resort(void);

#ifdef CONFIG_GOHEAP_KUNIT_TEST
/* For tests of what an idle cache holds: no cache becomes idle meanwhile. */
void gh_test_stop_ticks(bool stop);
#endif

#endif /* _GOHEAP_RECLAIM_H */
