// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_instrument - a tracer inside goheap whose handler uses goheap
 *
 * insmod goheap_instrument.ko rounds=N puts ftrace on every function of goheap, and on
 * those of the kernel that goheap calls with a lock held. The handler allocates and frees.
 * Two threads work meanwhile. A lock that the handler waits for is held by what the
 * handler interrupted, and the CPU hangs. Loading succeeds if nothing hangs and
 * what the handler got was the handler's alone.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "goheap.h"

#include "lib/cases.h"
#include "lib/team.h"

static unsigned int rounds = 300;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "what each thread is to do");

static const size_t sizes[] = { 5, 8, 48, 200, 1024, 6784, 8192, 24000, 40000, 100000 };

static atomic_long_t nr_handled, nr_inside, nr_got, nr_wrong;

#ifdef CONFIG_DYNAMIC_FTRACE

/* ---- the handler ----------------------------------------------------------------------- */

static DEFINE_PER_CPU(unsigned int, busy);
static DEFINE_PER_CPU(unsigned int, turn);

static void use_goheap(unsigned int n)
{
	size_t size = sizes[n % ARRAY_SIZE(sizes)];
	gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	u8 *p = n & 1 ? goheap_alloc(size, gfp) : goheap_alloc_noscan(size, gfp);

	/* There may be none: what was interrupted may have the lock. */
	if (!p)
		return;
	memset(p, n, size);
	if (memchr_inv(p, n & 0xff, size) || goheap_size(p) < size)
		atomic_long_inc(&nr_wrong);
	atomic_long_inc(&nr_got);
	if (n % 3)
		goheap_free(p);
	else
		goheap_free_rcu(p);
}

/* Functions of the kernel are looked at where goheap called them. */
static bool called_by_goheap(unsigned long parent_ip)
{
	char name[KSYM_SYMBOL_LEN];

	if (parent_ip - (unsigned long)goheap_alloc + SZ_1M > 2 * SZ_1M)
		return false;
	sprint_symbol(name, parent_ip);
	return strstr(name, "[goheap]");
}

static void handle(unsigned long ip, unsigned long parent_ip)
{
	if (!called_by_goheap(ip)) {
		if (!called_by_goheap(parent_ip))
			return;
		atomic_long_inc(&nr_inside);
	}
	atomic_long_inc(&nr_handled);
	use_goheap(this_cpu_inc_return(turn));
}

static void notrace handler(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			    struct ftrace_regs *regs)
{
	preempt_disable_notrace();
	/* What the handler calls is traced, too. */
	if (!__this_cpu_read(busy)) {
		__this_cpu_write(busy, 1);
		handle(ip, parent_ip);
		__this_cpu_write(busy, 0);
	}
	preempt_enable_notrace();
}

static struct ftrace_ops ops = { .func = handler };

static const char *const filters[] = {
	"gh_*", "goheap_*", "rb_erase", "rb_insert_color",
};

static int begin(void)
{
	unsigned char filter[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(filters); i++) {
		/* It writes to the filter. Of an inlined function there is nothing to trace. */
		strscpy(filter, filters[i], sizeof(filter));
		ftrace_set_filter(&ops, filter, strlen(filter), !i);
	}
	return register_ftrace_function(&ops);
}

static void end(void)
{
	unregister_ftrace_function(&ops);
}

#else

static int begin(void)
{
	pr_info("this kernel has no function tracer: not supported\n");
	return -EOPNOTSUPP;
}

static void end(void)
{
}

#endif

/* ---- what is traced ---------------------------------------------------------------------- */

static void work(unsigned int round)
{
	void *p[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = goheap_alloc(sizes[(round + i) % ARRAY_SIZE(sizes)], GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(p); i++)
		goheap_free(p[i]);
}

static void worker(struct mate *unused)
{
	struct goheap_params params = { .flags = 0 };
	struct goheap *heap;
	unsigned int i;
	char name[20];

	snprintf(name, sizeof(name), "traced-%d", current->pid);
	for (i = 0; i < rounds; i++) {
		work(i);
		if (i % 50)
			continue;
		heap = goheap_create(name, &params);
		if (IS_ERR(heap))
			continue;
		goheap_free(goheap_heap_alloc(heap, 300, GFP_KERNEL, 0));
		goheap_destroy(heap);
	}
}

static int run(void)
{
	static struct team team = TEAM_INIT(team);
	static struct mate mates[2];
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(mates); i++)
		err = err ?: team_hire(&team, &mates[i], ANY_CPU, worker);
	if (!err) {
		team_start(&team);
		err = team_wait(&team);
	}
	team_end(&team);
	return err;
}

static int __init goheap_instrument_init(void)
{
	int err = begin();

	if (err)
		return err;
	err = run();
	end();
	pr_info("%ld times in the handler, %ld of them below goheap; %ld objects\n",
		atomic_long_read(&nr_handled), atomic_long_read(&nr_inside),
		atomic_long_read(&nr_got));
	if (!atomic_long_read(&nr_got) || atomic_long_read(&nr_wrong)) {
		pr_err("FAILED: %ld objects were somebody else's as well\n",
		       atomic_long_read(&nr_wrong));
		return err ?: -EUCLEAN;
	}
	return err;
}

module_runs(goheap_instrument_init);
MODULE_DESCRIPTION("goheap, used by a tracer in the middle of goheap");
MODULE_LICENSE("GPL");
