// SPDX-License-Identifier: GPL-2.0
/* The generated size class tables. See internal.h for an overview. */

#include "sizeclass.h"

const struct gh_class gh_classes[] = { GH_CLASS_TABLE };
const u8 gh_fine_lookup[] = { GH_FINE_LOOKUP };
const u8 gh_coarse_lookup[] = { GH_COARSE_LOOKUP };
const u8 gh_exact_lookup[] = { GH_EXACT_LOOKUP };
