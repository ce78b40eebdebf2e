/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sums, as debugfs shows them.
 */
#ifndef _GOHEAP_OBSERVE_STATS_H
#define _GOHEAP_OBSERVE_STATS_H

struct dentry;
struct goheap;

void gh_show_stats(struct dentry *dir, struct goheap *heap);

#endif /* _GOHEAP_OBSERVE_STATS_H */
