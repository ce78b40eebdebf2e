// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_bench - goheap against kmalloc(), kmem_cache and no allocator in the same boot
 *
 * Loading this module runs every pattern and prints one line for each pattern
 * and allocator, times in ns per object allocated and freed:
 *
 *   pattern=pair size=64 live=1 order=- alloc=kmalloc min=24.8 med=25.1 max=26.0
 *   pattern=pair size=64 live=1 order=- alloc=goheap min=7.5 med=7.6 max=7.9 ratio=3.30
 *
 * ratio is kmalloc's median divided by goheap's: above 1, goheap is faster. Runs of
 * the allocators alternate, so that a slow spell of the machine hits all of them.
 *
 * Each loop was compiled in several layouts, which also alternate. med is the median of their
 * medians; the line ends with minimum, median and maximum of each.
 */
#include "bench.h"

#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/utsname.h>

unsigned int runs = 5;
module_param(runs, uint, 0444);
MODULE_PARM_DESC(runs, "runs of each allocator and layout per line, 1 to 64 (default 5)");

unsigned int layouts = MAX_LAYOUTS;
module_param(layouts, uint, 0444);
MODULE_PARM_DESC(layouts, "code layouts of each loop, 1 to 3 (default 3)");

unsigned int scale = 100;
module_param(scale, uint, 0444);
MODULE_PARM_DESC(scale, "iterations in percent of the usual number (default 100)");

bool ticks;
module_param(ticks, bool, 0444);
MODULE_PARM_DESC(ticks, "report ticks of the clock, for emulators that count instructions, not ns");

static char *patterns[32];
static unsigned int nr_patterns;
module_param_array(patterns, charp, &nr_patterns, 0444);
MODULE_PARM_DESC(patterns, "comma-separated; a name that there is not lists them (default all)");

static const struct test_case benches[] = {
	/* first, while no memory of goheap was used before */
	{ "zfresh", bench_zfresh },
	{ "pair", bench_pair },
	{ "batch", bench_batch },
	{ "replace", bench_replace },
	{ "zalloc", bench_zalloc },
	{ "object", bench_object },
	{ "strdup", bench_strdup },
	{ "bulk", bench_bulk },
	{ "realloc", bench_realloc },
	{ "cross", bench_cross },
	{ "xmalloc", bench_xmalloc },
	{ "slots", bench_slots },
	{ "larson", bench_larson },
	{ "pareto", bench_pareto },
	{ "mstress", bench_mstress },
	{ "sh6", bench_sh6 },
	{ "scale", bench_scale },
	{ "burst", bench_burst },
};

static bool all_patterns(void)
{
	return !nr_patterns || !strcmp(patterns[0], "all");
}

static bool is_selected(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_patterns; i++)
		if (!strcmp(patterns[i], name))
			return true;
	return all_patterns();
}

static int check_params(void)
{
	unsigned int i;

	if (runs < 1 || runs > MAX_RUNS) {
		pr_err("runs=%u: must be 1 to %d\n", runs, MAX_RUNS);
		return -EINVAL;
	}
	if (layouts < 1 || layouts > MAX_LAYOUTS) {
		pr_err("layouts=%u: must be 1 to %d\n", layouts, MAX_LAYOUTS);
		return -EINVAL;
	}
	if (!scale) {
		pr_err("scale=0 would measure nothing: give a percentage\n");
		return -EINVAL;
	}
	for (i = 0; i < nr_patterns && !all_patterns(); i++)
		if (!find_named(benches, "pattern", patterns[i]))
			return -EINVAL;
	return 0;
}

static const char *preempt_model(void)
{
	if (preempt_model_rt())
		return "rt";
	if (preempt_model_full())
		return "full";
	if (preempt_model_voluntary())
		return "voluntary";
	return preempt_model_none() ? "none" : "lazy";
}

/* Options of the kernel that slow an allocator down, either of them or both. */
#define IF_SET(option)	(IS_ENABLED(CONFIG_##option) ? "," #option : "")

static const char *debug_options(void)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s%s%s%s%s%s%s%s",
		 IF_SET(SLUB_DEBUG_ON), IF_SET(SLUB_STATS), IF_SET(LIST_HARDENED),
		 IF_SET(DEBUG_LIST), IF_SET(DEBUG_VM), IF_SET(DEBUG_PREEMPT),
		 IF_SET(DEBUG_SPINLOCK), IF_SET(PROVE_LOCKING), IF_SET(DEBUG_PAGEALLOC),
		 IF_SET(DEBUG_KMEMLEAK), IF_SET(FAULT_INJECTION), IF_SET(UBSAN),
		 IF_SET(KASAN), IF_SET(KCSAN));
	return *text ? text + 1 : "none";
}

/* goheap's checks are no option: they are in every build of it. */
static void print_header(void)
{
	pr_info("kernel=%s cpus=%u init_on_alloc=%d init_on_free=%d freelist_hardened=%d freelist_random=%d preempt=%s debug=%s goheap_checks=%s clock=%s unit=%s runs=%u layouts=%u scale=%u\n",
		init_utsname()->release, num_online_cpus(),
		want_init_on_alloc(0), want_init_on_free(),
		IS_ENABLED(CONFIG_SLAB_FREELIST_HARDENED), IS_ENABLED(CONFIG_SLAB_FREELIST_RANDOM),
		preempt_model(), debug_options(),
		"double-free,interior,foreign,wrong-heap,wrong-size",
		CLOCK_NAME, ticks ? "tick" : "ns", runs, layouts, scale);
}

static int run_benches(void)
{
	unsigned int i;
	int err = 0;

	print_header();
	for (i = 0; i < ARRAY_SIZE(benches) && !err; i++)
		if (is_selected(benches[i].name))
			err = benches[i].run();
	return err;
}

static int __init bench_init(void)
{
	int err;

	err = check_params() ?: tables_init() ?: harness_init() ?: run_benches();
	harness_exit();
	tables_exit();
	return finished(err);
}

module_runs(bench_init);

MODULE_DESCRIPTION("Benchmarks of goheap against kmalloc and kmem_cache");
MODULE_LICENSE("GPL");
