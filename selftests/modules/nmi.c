// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_nmi - real NMIs hit CPUs that allocate and free
 *
 * A thread on every CPU allocates, checks and frees, mostly with interrupts on, and
 * sends the next CPU one NMI after another. Their handler allocates and frees too:
 * what the thread passed to it, what it passes to the thread, and what it keeps.
 * Threads exchange objects as well. Every object carries a mark made from its
 * address, so that what is handed out twice, or written by another owner, is found.
 * At the end some objects are freed twice, the second time in NMI; goheap_nmi.sh
 * looks for the reports.
 *
 * Loading the module runs the test: "passed ...", or "FAILED: ..." and EIO. Where NMIs
 * cannot be sent loading fails with EOPNOTSUPP.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/module.h>

#include "lib/cases.h"

#if defined(CONFIG_X86_64) && defined(CONFIG_X86_LOCAL_APIC)

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/apicdef.h>
#include <asm/msr.h>
#include <asm/nmi.h>

#include "goheap.h"

#include "lib/random.h"
#include "lib/team.h"

#define NR_OBJECTS	256	/* that a thread owns at most */
#define NR_OWN		32	/* and an NMI handler */
#define NR_MAIL		8	/* on their way between the two, each way */
#define NR_SHARED	64	/* between threads */
#define NMI_EVERY	4	/* steps */
#define TASK_MAX	17	/* log2 of the largest object */
#define NMI_MAX		16

static unsigned int nmis = 100000;
module_param(nmis, uint, 0444);
MODULE_PARM_DESC(nmis, "how many NMIs each CPU is to get (default 100000)");

static unsigned int seconds = 300;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "after which the test has failed (default 300)");

struct worker {
	struct mate mate;
	struct worker *victim;		/* who gets the NMIs */
	u32 apic_id;
	struct draw random;
	void *objects[NR_OBJECTS];
	unsigned long steps;

	/* An entry is full if it is set: one side fills it, the other empties it. */
	void *to_nmi[NR_MAIL];
	void *to_task[NR_MAIL];

	/* The handler's. */
	bool active;
	struct draw nmi_random;
	void *own[NR_OWN];
	void *twice;			/* to be freed, though it is free */
	unsigned long nr_nmis;
	unsigned long in_goheap;	/* that hit goheap's front end */
	unsigned long irqs_off;		/* that hit where no interrupt could */
	unsigned long allocs;
	unsigned long nulls;
};

static DEFINE_PER_CPU(struct worker *, worker_of);
static struct worker *workers;
static unsigned int nr_workers;
static struct team team = TEAM_INIT(team);
static void *shared[NR_SHARED];
static struct goheap *heap;

/* ---- failing ---------------------------------------------------------------- */

static const char *failure;
static const void *failed_object;

static void fail(const char *what, const void *p)
{
	if (!cmpxchg(&failure, NULL, what))
		WRITE_ONCE(failed_object, p);
}

static bool is_failed(void)
{
	return READ_ONCE(failure);
}

/* ---- sending NMIs --------------------------------------------------------------- */

static void __iomem *apic_regs;
static bool x2apic;

static int apic_init(void)
{
	u32 low, __maybe_unused high;

	rdmsr(MSR_IA32_APICBASE, low, high);
	x2apic = low & X2APIC_ENABLE;
	if (x2apic)
		return 0;
	apic_regs = ioremap(APIC_DEFAULT_PHYS_BASE, PAGE_SIZE);
	return apic_regs ? 0 : -ENOMEM;
}

static void apic_exit(void)
{
	if (apic_regs)
		iounmap(apic_regs);
}

static u32 own_apic_id(void)
{
	u32 low, __maybe_unused high;

	if (!x2apic)
		return readl(apic_regs + APIC_ID) >> 24;
	rdmsr(APIC_BASE_MSR + (APIC_ID >> 4), low, high);
	return low;
}

static void send_nmi(u32 apic_id)
{
	unsigned long flags;

	local_irq_save(flags);
	if (x2apic) {
		wrmsr(APIC_BASE_MSR + (APIC_ICR >> 4), APIC_DM_NMI, apic_id);
	} else {
		while (readl(apic_regs + APIC_ICR) & APIC_ICR_BUSY)
			cpu_relax();
		writel(apic_id << 24, apic_regs + APIC_ICR2);
		writel(APIC_DM_NMI, apic_regs + APIC_ICR);
	}
	local_irq_restore(flags);
}

/* ---- objects ---------------------------------------------------------------------- */

static u64 key_of(const void *p)
{
	struct draw d = { .state = (unsigned long)p };

	return draw(&d);
}

/* At both ends of all that may be used; of what is short, the first byte. */
static void mark(void *p)
{
	size_t size = goheap_size(p);
	u64 key = key_of(p);

	if (size < sizeof(key)) {
		*(u8 *)p = key;
		return;
	}
	memcpy(p + size - sizeof(key), &key, sizeof(key));
	memcpy(p, &key, sizeof(key));
}

static bool has_mark(const void *p)
{
	size_t size = goheap_size(p);
	u64 key = key_of(p);

	if (size < sizeof(key))
		return size && *(const u8 *)p == (u8)key;
	return !memcmp(p, &key, sizeof(key)) && (size < 2 * sizeof(key) ||
		!memcmp(p + size - sizeof(key), &key, sizeof(key)));
}

static void wipe(void *p)
{
	memset(p, 0, min(goheap_size(p), sizeof(u64)));
}

/* A new object: nobody else's, large enough, and zero if that was asked for. */
static void *got(void *p, size_t size, gfp_t gfp)
{
	if (!p)
		return NULL;
	if (goheap_size(p) < size || goheap_base(p) != p)
		fail("goheap_size() or goheap_base() is wrong", p);
	else if (gfp & __GFP_ZERO && memchr_inv(p, 0, size))
		fail("an object is not zero", p);
	else if (size >= sizeof(u64) && has_mark(p))
		fail("an object was handed out twice", p);
	mark(p);
	return p;
}

static void *alloc(struct draw *random, unsigned int max, gfp_t gfp)
{
	u64 r = draw(random);
	size_t low = 1UL << r % max, size = low + (r >> 32) % low;
	void *p;

	switch (r >> 8 & 3) {
	case 0:
		p = goheap_alloc_noscan(size, gfp);
		break;
	case 1:
		p = goheap_heap_alloc(heap, size, gfp, 0);
		break;
	case 2:
		gfp |= __GFP_ZERO;
		fallthrough;
	default:
		p = goheap_alloc(size, gfp);
	}
	/* FORTIFY_SOURCE knows what was asked for, and got() uses all that there is. */
	OPTIMIZER_HIDE_VAR(p);
	return got(p, size, gfp);
}

static void check_and_free(struct draw *random, void *p)
{
	if (!has_mark(p)) {
		fail("an object lost its mark", p);
		return;
	}
	wipe(p);
	switch (draw(random) & 7) {
	case 0:
		goheap_free_rcu(p);
		break;
	case 1:
		goheap_free_sized(p, goheap_size(p));
		break;
	case 2:
		goheap_free_bulk(1, &p);
		break;
	default:
		goheap_free(p);
	}
}

/* ---- in NMI ------------------------------------------------------------------------- */

static void *nmi_alloc(struct worker *w)
{
	void *p = alloc(&w->nmi_random, NMI_MAX, GFP_NOWAIT | __GFP_NOWARN);

	if (p)
		w->allocs++;
	else
		w->nulls++;
	return p;
}

static void nmi_mail(struct worker *w, unsigned int i)
{
	/* pairs with the release in exchange_mail() */
	void *p = smp_load_acquire(&w->to_nmi[i]);

	if (p) {
		check_and_free(&w->nmi_random, p);
		/* pairs with the acquire in exchange_mail() */
		smp_store_release(&w->to_nmi[i], NULL);
	}
	/* pairs with the release in exchange_mail() */
	if (!smp_load_acquire(&w->to_task[i]))
		/* pairs with the acquire in exchange_mail() */
		smp_store_release(&w->to_task[i], nmi_alloc(w));
}

static void nmi_own(struct worker *w, unsigned int i)
{
	if (w->own[i]) {
		check_and_free(&w->nmi_random, w->own[i]);
		w->own[i] = NULL;
	} else {
		w->own[i] = nmi_alloc(w);
	}
}

/* A lower bound: code of the object files that have these functions. */
static bool is_front_end(unsigned long ip)
{
	unsigned long a = (unsigned long)&goheap_free_bulk, b = (unsigned long)&(goheap_alloc);

	return ip >= min(a, b) - SZ_4K && ip < max(a, b) + SZ_4K;
}

static int nmi_handler(unsigned int type, struct pt_regs *regs)
{
	struct worker *w = this_cpu_read(worker_of);
	u64 r;

	if (!w)
		return NMI_DONE;
	if (w->twice) {
		goheap_free(w->twice);
		WRITE_ONCE(w->twice, NULL);
	} else if (READ_ONCE(w->active) && !is_failed()) {
		r = draw(&w->nmi_random);
		w->in_goheap += is_front_end(regs->ip);
		w->irqs_off += !(regs->flags & X86_EFLAGS_IF);
		nmi_mail(w, r % NR_MAIL);
		nmi_own(w, (r >> 8) % NR_OWN);
		nmi_own(w, (r >> 16) % NR_OWN);
	}
	WRITE_ONCE(w->nr_nmis, w->nr_nmis + 1);
	return NMI_HANDLED;
}

/* ---- threads -------------------------------------------------------------------------- */

static void *task_alloc(struct worker *w)
{
	unsigned long flags;
	void *p;

	if (w->random.state & 3)
		return alloc(&w->random, TASK_MAX, GFP_KERNEL);
	local_irq_save(flags);
	p = alloc(&w->random, TASK_MAX, GFP_ATOMIC | __GFP_NOWARN);
	local_irq_restore(flags);
	return p;
}

static void task_free(struct worker *w, void *p)
{
	unsigned long flags;

	if (!p)
		return;
	if (w->random.state & 3) {
		check_and_free(&w->random, p);
		return;
	}
	local_irq_save(flags);
	check_and_free(&w->random, p);
	local_irq_restore(flags);
}

static void exchange_mail(struct worker *w, unsigned int i)
{
	/* pairs with the release in nmi_mail() */
	void *p = smp_load_acquire(&w->to_task[i]);

	if (p) {
		task_free(w, p);
		/* pairs with the acquire in nmi_mail() */
		smp_store_release(&w->to_task[i], NULL);
	}
	/* pairs with the release in nmi_mail() */
	if (!smp_load_acquire(&w->to_nmi[i]))
		/* pairs with the acquire in nmi_mail() */
		smp_store_release(&w->to_nmi[i], task_alloc(w));
}

static void step(struct worker *w)
{
	u64 r = draw(&w->random);
	unsigned int i = (r >> 8) % NR_OBJECTS;

	if (w->objects[i]) {
		task_free(w, w->objects[i]);
		w->objects[i] = NULL;
	} else {
		w->objects[i] = task_alloc(w);
	}
	if (!(r & 7))
		task_free(w, xchg(&shared[(r >> 16) % NR_SHARED], task_alloc(w)));
	exchange_mail(w, (r >> 24) % NR_MAIL);
	if (!(w->steps++ % NMI_EVERY))
		send_nmi(w->victim->apic_id);
}

static bool all_hit(void)
{
	struct worker *w;

	for (w = workers; w < workers + nr_workers; w++)
		if (READ_ONCE(w->nr_nmis) < nmis)
			return false;
	return true;
}

static void free_twice(struct worker *w, void *p)
{
	unsigned int tries = 0;

	goheap_free(p);
	WRITE_ONCE(w->twice, p);
	send_nmi(w->apic_id);
	while (READ_ONCE(w->twice) && tries++ < 100)
		msleep(20);
	if (READ_ONCE(w->twice))
		fail("no NMI came", p);
}

static void free_all(void **p, unsigned int n)
{
	while (n--)
		goheap_free(xchg(&p[n], NULL));
}

static void finish_worker(struct worker *w)
{
	WRITE_ONCE(w->active, false);
	msleep(50);			/* an NMI on its way */
	free_all(w->objects, NR_OBJECTS);
	free_all(w->to_nmi, NR_MAIL);
	free_all(w->to_task, NR_MAIL);
	free_all(w->own, NR_OWN);
	if (w > workers)
		return;
	free_twice(w, goheap_alloc(100, GFP_KERNEL));
	free_twice(w, goheap_alloc_noscan(3, GFP_KERNEL));
	free_twice(w, goheap_alloc(100000, GFP_KERNEL));
}

static void work(struct mate *mate)
{
	struct worker *w = container_of(mate, struct worker, mate);
	unsigned long end = jiffies + seconds * HZ;

	w->apic_id = own_apic_id();
	this_cpu_write(worker_of, w);
	team_meet(mate);
	while (!is_failed() && !all_hit()) {
		step(w);
		cond_resched();
		if (time_after(jiffies, end))
			fail("the NMIs did not all come in time", NULL);
	}
	/* Nobody sends any more when all have come here. */
	team_meet(mate);
	finish_worker(w);
}

/* ---- the test --------------------------------------------------------------------------- */

static void hire_worker(struct worker *w, unsigned int cpu)
{
	w->victim = w + 1 < workers + nr_workers ? w + 1 : workers;
	w->active = true;
	w->random.state = cpu;
	w->nmi_random.state = cpu + 1000;
	if (team_hire(&team, &w->mate, cpu, work))
		fail("a thread could not be made", NULL);
}

static void run(void)
{
	struct worker *w = workers;
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		if (w < workers + nr_workers)
			hire_worker(w++, cpu);
	if (!is_failed()) {
		team_start(&team);
		if (team_wait(&team))
			fail("interrupted", NULL);
	}
	team_end(&team);
	for_each_possible_cpu(cpu)
		per_cpu(worker_of, cpu) = NULL;
	cpus_read_unlock();
	free_all(shared, NR_SHARED);
}

static int report(void)
{
	unsigned long sum = 0, in_goheap = 0, irqs_off = 0, allocs = 0, nulls = 0;
	struct worker *w;

	for (w = workers; w < workers + nr_workers; w++) {
		sum += w->nr_nmis;
		in_goheap += w->in_goheap;
		irqs_off += w->irqs_off;
		allocs += w->allocs;
		nulls += w->nulls;
	}
	pr_info("%lu NMIs, %lu hit goheap's front end, %lu where interrupts were off; %lu allocations, %lu without memory\n",
		sum, in_goheap, irqs_off, allocs, nulls);
	if (!in_goheap || !irqs_off || !allocs)
		fail("no NMI hit what it should", NULL);
	if (is_failed()) {
		pr_err("FAILED: %s: %p\n", failure, failed_object);
		return -EIO;
	}
	pr_info("passed nmis=%u\n", nmis);
	return 0;
}

static int __init nmi_init(void)
{
	int err;

	nr_workers = num_online_cpus();
	workers = kcalloc(nr_workers, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	err = apic_init();
	if (err)
		goto free_workers;
	heap = goheap_create("goheap_nmi", NULL);
	if (IS_ERR(heap)) {
		err = PTR_ERR(heap);
		goto exit_apic;
	}
	err = register_nmi_handler(NMI_LOCAL, nmi_handler, 0, "goheap_nmi");
	if (err)
		goto destroy_heap;
	run();
	unregister_nmi_handler(NMI_LOCAL, "goheap_nmi");
	err = report();

destroy_heap:
	goheap_destroy(heap);
exit_apic:
	apic_exit();
free_workers:
	kfree(workers);
	return err;
}

#else

static int __init nmi_init(void)
{
	return -EOPNOTSUPP;
}

#endif

module_runs(nmi_init);
MODULE_DESCRIPTION("goheap under real NMIs");
MODULE_LICENSE("GPL");
