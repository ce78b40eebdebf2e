// SPDX-License-Identifier: GPL-2.0
/*
 * The module: what is started, and stopped in the opposite order.
 */

#include <linux/module.h>

#include "api/adopt.h"
#include "api/heaps.h"
#include "arena.h"
#include "base/spanclass.h"
#include "central.h"
#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/debug.h"
#include "hooks/fault.h"
#include "hooks/random.h"
#include "hooks/report.h"
#include "observe/debugfs.h"
#include "percpu/hotplug.h"
#include "percpu/park.h"
#include "percpu/remote.h"
#include "reclaim.h"
#include "spans/limbo.h"

static const struct gh_limbo_exits limbo_exits = {
	.small = gh_remote_hand_over,
	.large = gh_park_free_large,
};

/*
 * The default heap serves NMIs and holders of raw locks on PREEMPT_RT, where no central lists
 * can be made.
 */
static int __init make_central_lists(void)
{
	unsigned int sc;

	for (sc = 0; sc < GH_NR_SLOTS; sc++)
		if (!gh_central_make(gh_default, sc, GFP_KERNEL))
			return -ENOMEM;
	return 0;
}

static int __init goheap_start(void)
{
	int err;

	gh_limbo_init(&limbo_exits);
	err = gh_debug_init();
	if (err)
		return err;
	gh_random_init();
	err = gh_arena_init();
	if (err)
		return err;
	gh_default = goheap_create("default", &(struct goheap_params){ .flags = 0 });
	if (IS_ERR(gh_default)) {
		err = PTR_ERR(gh_default);
		goto exit_arena;
	}
	err = make_central_lists();
	if (err)
		goto destroy_default;
	gh_core_init();
	err = gh_reclaim_init();
	if (err)
		goto destroy_default;
	err = gh_hotplug_init();
	if (err)
		goto exit_reclaim;
	err = gh_adopt_init();
	if (err)
		goto exit_hotplug;
	gh_debugfs_init();
	return 0;

exit_hotplug:
	gh_hotplug_exit();
exit_reclaim:
	gh_reclaim_exit();
destroy_default:
	goheap_destroy(gh_default);
	gh_limbo_exit();
exit_arena:
	gh_arena_exit();
	gh_misuse_flush();
	return err;
}

static int __init goheap_init(void)
{
	int err;

	gh_fault_init_begin();
	err = goheap_start();
	gh_fault_init_end();
	return err;
}

static void __exit goheap_exit(void)
{
	gh_debugfs_exit();
	gh_adopt_exit();
	gh_hotplug_exit();
	gh_reclaim_exit();
	gh_heap_destroy_all();
	gh_limbo_exit();
	gh_arena_exit();
	gh_misuse_flush();
}

module_init(goheap_init);
module_exit(goheap_exit);
MODULE_DESCRIPTION("The Go runtime's heap as a slab-style allocator");
MODULE_AUTHOR("The goheap developers");
MODULE_LICENSE("GPL");
