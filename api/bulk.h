/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many objects in one section.
 */
#ifndef _GOHEAP_API_BULK_H
#define _GOHEAP_API_BULK_H

struct goheap;

unsigned int gh_bulk_take(struct goheap *heap, unsigned int sc, unsigned int n, void **p);
unsigned int gh_bulk_give(struct goheap *heap, unsigned int n, void **p);

#endif /* _GOHEAP_API_BULK_H */
