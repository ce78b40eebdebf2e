/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail on demand.
 */
#ifndef _GOHEAP_HOOKS_FAULT_H
#define _GOHEAP_HOOKS_FAULT_H

#include <linux/compiler.h>
#include <linux/fault-inject.h>
#include <linux/kconfig.h>
#include <linux/types.h>

#ifdef CONFIG_FAULT_INJECTION
/**
 * struct gh_fault - which allocations of objects are to fail
 * @attr: the kernel's part: how likely, how often
 * @ignore_gfp_wait: spare those that may sleep
 * @verbose: 1 to log each, 2 with a call trace
 */
struct gh_fault {
	struct fault_attr attr;
	bool ignore_gfp_wait;
	u32 verbose;
};

extern struct gh_fault gh_fault;

/* fault.c */
bool gh_fault_hits(size_t size, gfp_t gfp);
unsigned int gh_fault_hits_bulk(size_t size, gfp_t gfp, unsigned int n);
void gh_fault_init_begin(void);
void gh_fault_init_end(void);
void gh_fault_debugfs_init(struct dentry *root);
void gh_fault_debugfs_exit(void);
#else
static inline bool gh_fault_hits(size_t size, gfp_t gfp) { return false; }

static inline unsigned int gh_fault_hits_bulk(size_t size, gfp_t gfp, unsigned int n)
{
	return n;
}

static inline void gh_fault_init_begin(void) { }
static inline void gh_fault_init_end(void) { }
static inline void gh_fault_debugfs_init(struct dentry *root) { }
static inline void gh_fault_debugfs_exit(void) { }
#endif

/*
 * Every public function asks once for every new object. Functions that are called by public
 * functions do not ask again.
 */
static __always_inline bool gh_should_fail(size_t size, gfp_t gfp)
{
	return IS_ENABLED(CONFIG_FAULT_INJECTION) && unlikely(gh_fault_hits(size, gfp));
}

#endif /* _GOHEAP_HOOKS_FAULT_H */
