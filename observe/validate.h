/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The whole heap, checked.
 */
#ifndef _GOHEAP_OBSERVE_VALIDATE_H
#define _GOHEAP_OBSERVE_VALIDATE_H

const char *gh_validate(void);

#endif /* _GOHEAP_OBSERVE_VALIDATE_H */
