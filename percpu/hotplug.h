/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUs that go and come back.
 */
#ifndef _GOHEAP_PERCPU_HOTPLUG_H
#define _GOHEAP_PERCPU_HOTPLUG_H

struct gh_cache;

void gh_hotplug_abandon(struct gh_cache *cache);
int gh_hotplug_init(void);
void gh_hotplug_exit(void);

#endif /* _GOHEAP_PERCPU_HOTPLUG_H */
