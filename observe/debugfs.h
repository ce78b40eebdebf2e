/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The files in debugfs.
 */
#ifndef _GOHEAP_OBSERVE_DEBUGFS_H
#define _GOHEAP_OBSERVE_DEBUGFS_H

void gh_debugfs_init(void);
void gh_debugfs_exit(void);

#endif /* _GOHEAP_OBSERVE_DEBUGFS_H */
