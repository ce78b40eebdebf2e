/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The heap page: the unit in which goheap counts memory, 8 KiB whatever the kernel's page size is.
 */
#ifndef _GOHEAP_BASE_HEAP_PAGE_H
#define _GOHEAP_BASE_HEAP_PAGE_H

#include <linux/bits.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "base/compat.h"

#define GH_PAGE_SHIFT		13
#define GH_PAGE_SIZE		BIT(GH_PAGE_SHIFT)
#define GH_MAX_SIZE		min_t(size_t, 4UL << 20, PAGE_SIZE << GH_MAX_PAGE_ORDER)

#endif /* _GOHEAP_BASE_HEAP_PAGE_H */
