// SPDX-License-Identifier: GPL-2.0
/* The generated size class tables. */

#include "base/sizeclass.h"

const struct gh_class gh_classes[] = { GH_CLASS_TABLE };
const u8 gh_class_lookup[] = { GH_CLASS_LOOKUP };
