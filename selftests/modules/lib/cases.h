/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What module parameters name, and how a module says what became of it. The tables here are
 * arrays whose entries begin with a name.
 */
#ifndef _GOHEAP_TEST_CASES_H
#define _GOHEAP_TEST_CASES_H

#include <linux/build_bug.h>
#include <linux/module.h>
#include <linux/stddef.h>

/**
 * struct test_case - something that a parameter can ask for
 * @name: how it is called
 * @run: does it; 0 or an error
 */
struct test_case {
	const char *name;
	int (*run)(void);
};

const void *find_entry(const void *table, size_t bytes, size_t size, const char *param,
		       const char *name);

/**
 * find_named() - look for an entry of a table; complain if there is none
 * @table: an array of structures that begin with "const char *name"
 * @param: the parameter that names it, for the complaint
 * @which: the name
 *
 * Return: the entry, or NULL.
 */
#define find_named(table, param, which) ({					\
	BUILD_BUG_ON(offsetof(typeof((table)[0]), name));			\
	(typeof((table)[0]) *)find_entry(table, sizeof(table),			\
					 sizeof((table)[0]), param, which);	\
})

/**
 * run_named() - run the test case of a table that has this name
 * @table: an array of struct test_case
 * @param: the parameter that names it, for the complaint
 * @which: the name
 *
 * Return: what the case returns, or -EINVAL if there is none with this name.
 */
#define run_named(table, param, which) ({					\
	const struct test_case *found_ = find_named(table, param, which);	\
										\
	found_ ? found_->run() : -EINVAL;						\
})

int verdict(const char *param, const char *name, int err);
int finished(int err);

/**
 * module_runs() - a module that has done all when it is loaded
 * @init: what it does then
 *
 * Nothing is left for an exit to do, but only a module that has one can be unloaded.
 */
#define module_runs(init)							\
static void __exit init##_exit(void)						\
{										\
}										\
module_init(init);								\
module_exit(init##_exit)

#endif /* _GOHEAP_TEST_CASES_H */
