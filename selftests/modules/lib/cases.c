// SPDX-License-Identifier: GPL-2.0
/*
 * What module parameters name, and how a module says what became of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/string.h>

#include "cases.h"

static const char *name_of(const void *table, size_t size, size_t i)
{
	return *(const char * const *)(table + i * size);
}

/**
 * find_entry - look for an entry of a table; complain if there is none
 * @table: its entries begin with a pointer to their name
 * @bytes: size of the table
 * @size: of an entry
 * @param: the parameter that names it, for the complaint
 * @name: the name
 *
 * Return: the entry, or NULL.
 */
const void *find_entry(const void *table, size_t bytes, size_t size, const char *param,
		       const char *name)
{
	size_t nr = bytes / size, i;

	for (i = 0; i < nr; i++)
		if (!strcmp(name_of(table, size, i), name))
			return table + i * size;
	pr_err("no %s '%s', but these:\n", param, name);
	for (i = 0; i < nr; i++)
		pr_err("  %s\n", name_of(table, size, i));
	return NULL;
}

/**
 * verdict - say that a test failed, if it did
 * @param: the parameter that names the test
 * @name: the test
 * @err: how it ended
 *
 * The log is judged too: insmod tries once more after an error, and then all might go well.
 *
 * Return: @err
 */
int verdict(const char *param, const char *name, int err)
{
	if (err)
		pr_err("FAILED %s=%s: %pe\n", param, name, ERR_PTR(err));
	return err;
}

/**
 * finished - say that a measurement came to its end, or why it did not
 * @err: how it ended
 *
 * Return: @err
 */
int finished(int err)
{
	if (err)
		pr_err("stopped by error %d\n", err);
	else
		pr_info("done\n");
	return err;
}
