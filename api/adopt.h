/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects of goheap that reach kfree().
 */
#ifndef _GOHEAP_API_ADOPT_H
#define _GOHEAP_API_ADOPT_H

unsigned long gh_adopted(void);
int gh_adopt_init(void);
void gh_adopt_exit(void);

#endif /* _GOHEAP_API_ADOPT_H */
