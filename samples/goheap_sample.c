// SPDX-License-Identifier: GPL-2.0
/*
 * goheap_sample - a key-value store on goheap
 *
 * Entries live in a private heap, names and values on the default heap as
 * pointer-free objects. Readers use RCU only: goheap_free_rcu() needs no rcu_head
 * in what it frees, not even in a string.
 *
 *   cd /sys/kernel/debug/goheap_kv
 *   echo set NAME VALUE >cmd
 *   echo get NAME >cmd; cat value
 *   echo del NAME >cmd
 *   echo fill N >cmd		set k0, k1, ... to 0 to 1023 letters
 *   echo clear >cmd
 *   cat list
 */
#include <linux/debugfs.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringhash.h>
#include <linux/uaccess.h>

#include "goheap.h"

#define KV_MAX_LINE	4096

struct kv_entry {
	struct hlist_node node;
	char *name;
	char *value;
};

static struct goheap *kv_heap;
static struct dentry *kv_dir;
static DEFINE_HASHTABLE(kv_table, 10);
static DEFINE_MUTEX(kv_lock);		/* writers, and kv_answer */
static char *kv_answer;			/* what the last get found */

static unsigned int kv_hash(const char *name)
{
	return full_name_hash(NULL, name, strlen(name));
}

static struct kv_entry *kv_find(const char *name)
{
	struct kv_entry *e;

	hash_for_each_possible_rcu(kv_table, e, node, kv_hash(name),
				   lockdep_is_held(&kv_lock)) {
		if (!strcmp(e->name, name))
			return e;
	}
	return NULL;
}

static void kv_del(struct kv_entry *e)
{
	hash_del_rcu(&e->node);
	goheap_free_rcu(e->name);
	goheap_free_rcu(e->value);
	goheap_free_rcu(e);
}

/* Takes @value over; readers see the old entry, then the new one before it. */
static int kv_set(const char *name, char *value)
{
	struct kv_entry *old = kv_find(name);
	struct kv_entry *e = goheap_heap_alloc(kv_heap, sizeof(*e), GFP_KERNEL, 0);
	char *copy = goheap_strdup(name, GFP_KERNEL);

	if (!e || !copy || !value) {
		goheap_free(value);
		goheap_free(copy);
		goheap_free(e);
		return -ENOMEM;
	}
	e->name = copy;
	e->value = value;
	hash_add_rcu(kv_table, &e->node, kv_hash(name));
	if (old)
		kv_del(old);
	return 0;
}

static int kv_get(const char *name)
{
	struct kv_entry *e = kv_find(name);

	goheap_free(kv_answer);
	kv_answer = e ? goheap_strdup(e->value, GFP_KERNEL) : NULL;
	return e ? 0 : -ENOENT;
}

static int kv_fill(unsigned int n)
{
	unsigned int i, len;
	char name[16], *value;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		len = hash_32(i, 10);
		value = goheap_alloc_noscan(len + 1, GFP_KERNEL);
		if (value) {
			memset(value, 'a' + i % 26, len);
			value[len] = '\0';
		}
		snprintf(name, sizeof(name), "k%u", i);
		err = kv_set(name, value);
		cond_resched();
	}
	return err;
}

static void kv_clear(void)
{
	struct hlist_node *next;
	struct kv_entry *e;
	int bucket;

	hash_for_each_safe(kv_table, bucket, next, e, node)
		kv_del(e);
	goheap_free(kv_answer);
	kv_answer = NULL;
}

static int kv_command(char *line)
{
	char *verb = strsep(&line, " ");
	char *name = line ? strsep(&line, " ") : NULL;
	struct kv_entry *e;
	unsigned int n;

	if (!strcmp(verb, "clear")) {
		kv_clear();
		return 0;
	}
	if (!name || !*name)
		return -EINVAL;
	if (!strcmp(verb, "set"))
		return line ? kv_set(name, goheap_strdup(line, GFP_KERNEL)) : -EINVAL;
	if (!strcmp(verb, "get"))
		return kv_get(name);
	if (!strcmp(verb, "fill"))
		return kstrtouint(name, 0, &n) ?: kv_fill(n);
	if (strcmp(verb, "del"))
		return -EINVAL;
	e = kv_find(name);
	if (!e)
		return -ENOENT;
	kv_del(e);
	return 0;
}

static ssize_t cmd_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char *line = len < KV_MAX_LINE ? memdup_user_nul(buf, len) : ERR_PTR(-E2BIG);
	int err;

	if (IS_ERR(line))
		return PTR_ERR(line);
	mutex_lock(&kv_lock);
	err = kv_command(strim(line));
	mutex_unlock(&kv_lock);
	kfree(line);
	return err ?: len;
}

static const struct file_operations cmd_fops = { .owner = THIS_MODULE, .write = cmd_write };

static int value_show(struct seq_file *m, void *unused)
{
	mutex_lock(&kv_lock);
	if (kv_answer)
		seq_printf(m, "%s\n", kv_answer);
	mutex_unlock(&kv_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(value);

static int list_show(struct seq_file *m, void *unused)
{
	struct kv_entry *e;
	int bucket;

	rcu_read_lock();
	hash_for_each_rcu(kv_table, bucket, e, node)
		seq_printf(m, "%s %s\n", e->name, e->value);
	rcu_read_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(list);

static int __init kv_init(void)
{
	kv_heap = goheap_create("kv", NULL);
	if (IS_ERR(kv_heap))
		return PTR_ERR(kv_heap);
	kv_dir = debugfs_create_dir("goheap_kv", NULL);
	debugfs_create_file("cmd", 0200, kv_dir, NULL, &cmd_fops);
	debugfs_create_file("value", 0400, kv_dir, NULL, &value_fops);
	debugfs_create_file("list", 0400, kv_dir, NULL, &list_fops);
	return 0;
}

static void __exit kv_exit(void)
{
	debugfs_remove(kv_dir);
	kv_clear();
	goheap_destroy(kv_heap);
}

module_init(kv_init);
module_exit(kv_exit);
MODULE_DESCRIPTION("key-value store on goheap");
MODULE_LICENSE("GPL");
