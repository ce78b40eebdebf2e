// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are freed twice: every second free is refused, counted once, reported with
 * the right words, and harms nothing.
 */

#include <linux/rcupdate.h>
#include <linux/string.h>

#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

/* ---- double free --------------------------------------------------------- */

static void test_goheap_free_twice(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);
	char bytes[20];

	snprintf(bytes, sizeof(bytes), "%zu bytes", goheap_size(p));
	goheap_free(p);
	gh_test_expect_silence(test);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, "heap default"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(gh_last_report, bytes));
}

static void test_goheap_free_twice_after_other_frees(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE), *q[50];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(q); i++)
		q[i] = gh_test_victim(test, VICTIM_SIZE);
	goheap_free(p);
	for (i = 0; i < ARRAY_SIZE(q) / 2; i++)
		goheap_free(q[i]);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	for (; i < ARRAY_SIZE(q); i++) {
		gh_test_expect_unharmed(test, q[i], VICTIM_SIZE);
		goheap_free(q[i]);
	}
	gh_test_expect_silence(test);
}

static void test_goheap_free_twice_second_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	goheap_free(p);
	gh_test_free_on(cpu, p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_first_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	gh_test_free_on(cpu, p);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_both_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	gh_test_free_on(cpu, p);
	gh_test_free_on(cpu, p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_large(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 100000), *q = gh_test_victim(test, 100000);

	goheap_free(p);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	gh_test_expect_unharmed(test, q, 100000);
	goheap_free(q);
}

static void test_goheap_free_twice_after_trim(struct kunit *test)
{
	u8 *p = gh_test_victim(test, 100000);

	goheap_free(p);
	gh_reclaim_trim();
	goheap_free(p);
	/* Nobody could know that it was an object once. */
	gh_test_expect_refused(test, "not a goheap object");
}

static void test_goheap_free_twice_in_bulk(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE), *q = gh_test_victim(test, VICTIM_SIZE);
	void *all[] = { p, q, p };

	goheap_free_bulk(ARRAY_SIZE(all), all);
	gh_test_expect_refused(test, "double free");
}

/* With what is in a magazine, which the fast paths do not look at bits for. */
static u8 *in_magazine(struct kunit *test)
{
	u8 *p;

	gh_test_magazine(test, gh_default, VICTIM_SIZE);
	p = gh_test_victim(test, VICTIM_SIZE);
	goheap_free(p);
	KUNIT_ASSERT_PTR_EQ(test, gh_test_slot(gh_default, VICTIM_SIZE)->top->p, (void *)p);
	return p;
}

/* It is there once, and can be had once. */
static void expect_once(struct kunit *test, u8 *p)
{
	u8 *q;

	gh_test_expect_refused(test, "double free");
	KUNIT_EXPECT_EQ(test, gh_test_magazine_nr(gh_default, VICTIM_SIZE), 1U);
	q = gh_test_victim(test, VICTIM_SIZE);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	p = gh_test_victim(test, VICTIM_SIZE);
	KUNIT_EXPECT_PTR_NE(test, q, p);
	goheap_free(p);
	goheap_free(q);
	gh_test_expect_silence(test);
}

static void test_goheap_free_twice_from_magazine(struct kunit *test)
{
	u8 *p = in_magazine(test);

	goheap_free(p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = in_magazine(test);

	gh_test_free_on(cpu, p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_nested(struct kunit *test)
{
	u8 *p = in_magazine(test);

	gh_test_free_nested(gh_default, p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_rcu(struct kunit *test)
{
	u8 *p = in_magazine(test);

	goheap_free_rcu(p);
	expect_once(test, p);
}

static void test_goheap_free_twice_from_magazine_in_bulk(struct kunit *test)
{
	u8 *p = in_magazine(test);

	goheap_free_bulk(1, (void **)&p);
	expect_once(test, p);
}

/* ---- resized, and by RCU ------------------------------------------------- */

static void free_rcu_twice(struct kunit *test, size_t size, void (*second)(const void *))
{
	u8 *p = gh_test_victim(test, size);

	rcu_read_lock();
	goheap_free_rcu(p);
	second(p);
	rcu_read_unlock();
	gh_test_expect_refused(test, "double free");
	gh_test_flush_limbo();
	gh_test_expect_silence(test);
}

static void test_goheap_free_rcu_then_free(struct kunit *test)
{
	free_rcu_twice(test, VICTIM_SIZE, goheap_free);
	free_rcu_twice(test, VICTIM_SIZE, goheap_free_rcu);
	free_rcu_twice(test, 100000, goheap_free);
	free_rcu_twice(test, 100000, goheap_free_rcu);
}

static void test_goheap_free_then_free_rcu(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	goheap_free(p);
	goheap_free_rcu(p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_realloc_after_free(struct kunit *test)
{
	u8 *p = gh_test_victim(test, VICTIM_SIZE);

	goheap_free(p);
	KUNIT_EXPECT_PTR_EQ(test, goheap_realloc(p, 1000, GFP_KERNEL), NULL);
	gh_test_expect_refused(test, "double free");
}

/* ---- tiny objects -------------------------------------------------------- */

static void test_goheap_free_twice_tiny(struct kunit *test)
{
	u8 *p, *q, *first = gh_test_tiny_victim(test, 4);

	p = gh_test_tiny_victim(test, 4);
	q = gh_test_tiny_victim(test, 3);
	goheap_free(q);
	gh_test_expect_silence(test);
	goheap_free(q);
	gh_test_expect_refused(test, "double free");
	goheap_free_rcu(q);
	gh_test_expect_refused(test, "double free");
	gh_test_expect_unharmed(test, p, 4);
	goheap_free(p);
	goheap_free(first);
	gh_test_expect_silence(test);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
}

static void test_goheap_free_twice_tiny_on_other_cpu(struct kunit *test)
{
	int cpu = gh_test_other_cpu(test);
	u8 *p = gh_test_tiny_victim(test, 4), *q = gh_test_tiny_victim(test, 4);

	gh_test_free_on(cpu, p);
	goheap_free(p);
	gh_test_expect_refused(test, "double free");
	goheap_free(q);
	gh_test_free_on(cpu, q);
	gh_test_expect_refused(test, "double free");
}

static struct kunit_case misuse_double_cases[] = {
	KUNIT_CASE(test_goheap_free_twice),
	KUNIT_CASE(test_goheap_free_twice_after_other_frees),
	KUNIT_CASE(test_goheap_free_twice_second_on_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_first_on_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_both_on_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_large),
	KUNIT_CASE(test_goheap_free_twice_after_trim),
	KUNIT_CASE(test_goheap_free_twice_in_bulk),
	KUNIT_CASE(test_goheap_free_twice_from_magazine),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_other_cpu),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_nested),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_rcu),
	KUNIT_CASE(test_goheap_free_twice_from_magazine_in_bulk),
	KUNIT_CASE(test_goheap_free_rcu_then_free),
	KUNIT_CASE(test_goheap_free_then_free_rcu),
	KUNIT_CASE(test_goheap_realloc_after_free),
	KUNIT_CASE(test_goheap_free_twice_tiny),
	KUNIT_CASE(test_goheap_free_twice_tiny_on_other_cpu),
	{}
};

static struct kunit_suite misuse_double_suite = {
	.name = "goheap_misuse_double",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = misuse_double_cases,
};

kunit_test_suite(misuse_double_suite);
