/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Debug mode. Preemption is off unless said otherwise.
 */
#ifndef _GOHEAP_HOOKS_DEBUG_H
#define _GOHEAP_HOOKS_DEBUG_H

#include <linux/types.h>

struct gh_span;
struct goheap;

int gh_debug_parse(const char *text, const char *heap);
int gh_debug_init(void);
unsigned int gh_debug_flags(const char *name);
size_t gh_debug_room_for(size_t size, unsigned int flags);
size_t gh_debug_room(const struct goheap *heap, size_t size, size_t align);
bool gh_debug_alloc(struct gh_span *s, unsigned int idx, size_t size, gfp_t gfp, bool dirty);
void gh_debug_free(struct gh_span *s, unsigned int idx, u32 life, bool rcu);
void gh_debug_merged(struct gh_span *s, unsigned int word, unsigned long bits);
unsigned int gh_debug_validate(struct gh_span *s);

#endif /* _GOHEAP_HOOKS_DEBUG_H */
