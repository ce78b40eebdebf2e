/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Descriptors of spans.
 */
#ifndef _GOHEAP_PAGES_DESC_H
#define _GOHEAP_PAGES_DESC_H

#include <linux/types.h>

#include "span.h"

struct gh_span;

struct gh_span *gh_desc_new(enum gh_desc_kind kind, int nid, gfp_t gfp);
void gh_desc_delete(struct gh_span *s);
unsigned long gh_desc_bytes(void);
int gh_desc_init(void);
void gh_desc_exit(void);

#endif /* _GOHEAP_PAGES_DESC_H */
