// SPDX-License-Identifier: GPL-2.0
/*
 * Debug mode and random placement. Every bad thing here is done on purpose, in
 * heaps of the cases' own, so the suite's name says misuse: its reports are wanted.
 */

#include <linux/poison.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "lib_model.h"
#include "lib_object.h"
#include "lib_report.h"
#include "testlib.h"

#define ALL	(GOHEAP_POISON | GOHEAP_REDZONE | GOHEAP_TRACK)

static struct goheap *debug_heap(struct kunit *test, unsigned int flags)
{
	struct goheap_params params = { .flags = flags };

	return gh_test_heap(test, "kunit_debug", &params);
}

/* What is in an object that nobody asked to be zero. */
static u8 new_byte(void)
{
	return want_init_on_alloc(GFP_KERNEL) ? 0 : POISON_INUSE;
}

/* KASAN would be the first to see it, and that is not what is tested here. */
static void write_byte(void *p, size_t at, u8 value)
{
	gh_unpoison((void *)round_down((unsigned long)p + at, 8), 8);
	WRITE_ONCE(((u8 *)p)[at], value);
}

/* Whose last object leaves the class no room, or much; and large ones. */
static const size_t sizes[] = {
	1, 8, 13, 16, 64, 100, 512, 1000, 4096, 8192, 20000, 32768, 32769, 100000, 1 << 20,
};

static void test_gh_debug_every_size(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	unsigned int i;
	u8 *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_heap_alloc(heap, sizes[i], GFP_KERNEL, i % 2 ? GOHEAP_NOSCAN : 0);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, sizes[i] & -sizes[i]));
		KUNIT_EXPECT_EQ(test, goheap_size(p), sizes[i]);
		KUNIT_EXPECT_EQ(test, p[0], new_byte());
		KUNIT_EXPECT_EQ(test, p[sizes[i] - 1], new_byte());
		memset(p, 0xff, sizes[i]);
		goheap_free_sized(p, sizes[i]);
		p = goheap_heap_alloc(heap, sizes[i], GFP_KERNEL | __GFP_ZERO, 0);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_NULL(test, memchr_inv(p, 0, sizes[i]));
		goheap_free(p);
	}
	gh_test_expect_silence(test);
}

static void test_gh_debug_overflow_at_free(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	unsigned int i;
	char text[40];
	u8 *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = goheap_heap_alloc(heap, sizes[i], GFP_KERNEL, 0);
		KUNIT_ASSERT_NOT_NULL(test, p);
		write_byte(p, sizes[i], 0x41);
		goheap_free(p);
		scnprintf(text, sizeof(text), "overflow (from byte %zu on: 41 cc", sizes[i]);
		gh_test_expect_report(test, text);
	}
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("1048576 bytes were asked for"));
}

static void test_gh_debug_overflow_at_free_rcu(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, GOHEAP_REDZONE);
	u8 *p = gh_test_alloc(test, heap, 24);

	KUNIT_ASSERT_NOT_NULL(test, p);
	write_byte(p, 25, 0);
	goheap_free_rcu(p);
	gh_test_expect_report(test, "overflow (from byte 25 on: 00 cc");
}

/* What an alignment adds used to be the owner's. */
static void test_gh_debug_overflow_aligned(struct kunit *test)
{
	static const size_t few[] = { 1, 100, 1000, 1024, 5000, 40000 };
	struct goheap *heap = debug_heap(test, ALL);
	unsigned int i;
	size_t align;
	char text[40];
	u8 *p;

	for (i = 0; i < ARRAY_SIZE(few); i++) {
		scnprintf(text, sizeof(text), "overflow (from byte %zu on: 41 cc", few[i]);
		for (align = 1; align <= SZ_64K; align *= 4) {
			p = gh_alloc(heap, few[i], align, GFP_KERNEL, false, NUMA_NO_NODE);
			KUNIT_ASSERT_NOT_NULL(test, p);
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, align));
			KUNIT_EXPECT_EQ(test, goheap_size(p), few[i]);
			write_byte(p, few[i], 0x41);
			goheap_free_sized(p, few[i]);
			gh_test_expect_report(test, text);
		}
	}
}

/* Without red zones as well, and whatever alignment and size say about it together. */
static void test_gh_debug_aligned_size(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, GOHEAP_POISON);
	size_t align;
	u8 *p;

	for (align = 1; align <= SZ_64K; align *= 2) {
		p = gh_alloc(heap, 96, align, GFP_KERNEL, false, NUMA_NO_NODE);
		KUNIT_ASSERT_NOT_NULL(test, p);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)p, max(align, 32)));
		KUNIT_EXPECT_EQ(test, goheap_size(p), 96UL);
		KUNIT_EXPECT_EQ(test, p[95], new_byte());
		goheap_free_sized(p, 96);
	}
	gh_test_expect_silence(test);
}

static void test_gh_debug_overflow_at_realloc(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p = gh_test_alloc(test, heap, 60), *q;

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, 0x11, 60);
	write_byte(p, 60, 0x41);
	q = goheap_realloc(p, 62, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_EXPECT_PTR_NE(test, p, q);
	KUNIT_EXPECT_NULL(test, memchr_inv(q, 0x11, 60));
	KUNIT_EXPECT_EQ(test, goheap_size(q), 62UL);
	gh_test_expect_report(test, "overflow (from byte 60 on: 41");
	goheap_free(q);
}

static void test_gh_debug_overflow_at_validate(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p = gh_test_alloc(test, heap, 60);

	KUNIT_ASSERT_NOT_NULL(test, p);
	write_byte(p, 61, 0x41);
	KUNIT_EXPECT_STREQ(test, gh_validate() ?: "nothing",
			   "objects are damaged: see the log");
	gh_test_expect_report(test, "overflow (from byte 61 on: 41");
	/* Once is enough. */
	gh_test_validate(test);
	goheap_free(p);
	gh_test_expect_silence(test);
}

/* Two objects of a span, so that it stays when one is freed. */
static u8 *freed_object(struct kunit *test, struct goheap *heap, size_t size, u8 **other)
{
	u8 *p = goheap_heap_alloc(heap, size, GFP_KERNEL, 0);

	*other = goheap_heap_alloc(heap, size, GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, *other);
	KUNIT_ASSERT_PTR_EQ(test, gh_test_span_of(p), gh_test_span_of(*other));
	goheap_free(p);
	return p;
}

static void test_gh_debug_write_after_free_at_alloc(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p, *q, *other;

	p = freed_object(test, heap, 100, &other);
	write_byte(p, 50, 0x77);
	q = goheap_heap_alloc(heap, 100, GFP_KERNEL, 0);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	gh_test_expect_report(test, "write after free (from byte 50 on: 77 6b");
	KUNIT_EXPECT_EQ(test, q[50], new_byte());
	goheap_free(q);
	goheap_free(other);
	gh_test_expect_silence(test);
}

static void test_gh_debug_write_after_free_at_validate(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p, *other;

	p = freed_object(test, heap, 100, &other);
	write_byte(p, 0, 0x77);
	KUNIT_EXPECT_STREQ(test, gh_validate() ?: "nothing",
			   "objects are damaged: see the log");
	gh_test_expect_report(test, "write after free (from byte 0 on: 77 6b");
	goheap_free(other);
}

/* Enough to fill a span. */
#define MANY	256

static void test_gh_debug_write_after_free_at_span_release(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 **p = kunit_kcalloc(test, MANY, sizeof(*p), GFP_KERNEL);
	unsigned int i, n;

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (n = 0; n < MANY; n++) {
		p[n] = goheap_heap_alloc(heap, 100, GFP_KERNEL, 0);
		KUNIT_ASSERT_NOT_NULL(test, p[n]);
		if (gh_test_span_of(p[n]) != gh_test_span_of(p[0]))
			break;
	}
	KUNIT_ASSERT_LT(test, n, MANY);
	goheap_free(p[0]);
	write_byte(p[0], 99, 0x77);
	for (i = 1; i < n; i++)
		goheap_free(p[i]);
	gh_test_expect_report(test, "write after free (from byte 99 on: 77");
	goheap_free(p[n]);
}

/* The last span of its class used to go when it was empty, and nobody looked again. */
static void test_gh_debug_write_after_free_alone(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p = gh_test_alloc(test, heap, 100);

	KUNIT_ASSERT_NOT_NULL(test, p);
	goheap_free(p);
	write_byte(p, 50, 0x77);
	KUNIT_EXPECT_STREQ(test, gh_validate() ?: "nothing",
			   "objects are damaged: see the log");
	gh_test_expect_report(test, "write after free (from byte 50 on: 77");
}

static void test_gh_debug_poisons_after_readers(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p = gh_test_alloc(test, heap, 100);
	u8 *other = gh_test_alloc(test, heap, 100);
	bool kept;

	memset(p, 0x22, 100);
	rcu_read_lock();
	goheap_free_rcu(p);
	kept = !memchr_inv(p, 0x22, 100);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, kept);
	gh_test_flush_limbo();
	gh_unpoison(p, 104);
	KUNIT_EXPECT_EQ(test, p[0], POISON_FREE);
	gh_poison(p, 104);
	goheap_free(other);
}

/* An NMI may hit the records' lock: the free is done and not recorded. */
static void test_gh_debug_poisons_what_nmi_freed(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p = gh_test_alloc(test, heap, 100);
	u8 *other = gh_test_alloc(test, heap, 100);
	struct gh_ref ref;

	memset(p, 0x22, 100);
	preempt_disable();
	if (gh_lookup_live(p, &ref))
		gh_remote_free(ref.span, ref.idx, ref.life);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, goheap_size(p), 0UL);
	gh_unpoison(p, 104);
	KUNIT_EXPECT_EQ(test, p[0], POISON_FREE);
	gh_poison(p, 104);
	write_byte(p, 50, 0x77);
	KUNIT_EXPECT_STREQ(test, gh_validate() ?: "nothing",
			   "objects are damaged: see the log");
	gh_test_expect_report(test, "write after free (from byte 50 on: 77 6b");
	goheap_free(other);
}

/* A second free is refused before it poisons anything. */
static void test_gh_debug_double_free(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	u8 *p, *q, *other;

	p = freed_object(test, heap, 100, &other);
	goheap_free(p);
	gh_test_expect_report(test, "double free");
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("  freed by task"));
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("  allocated by task"));
	q = goheap_heap_alloc(heap, 100, GFP_KERNEL, 0);
	KUNIT_EXPECT_PTR_EQ(test, q, p);
	goheap_free_rcu(q);
	goheap_free(q);
	gh_test_expect_report(test, "double free");
	goheap_free(other);
}

static void test_gh_debug_free_sized_exact(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, GOHEAP_REDZONE);
	u8 *p = gh_test_alloc(test, heap, 100);

	goheap_free_sized(p, 99);
	gh_test_expect_report(test, "wrong size (99 bytes)");
	goheap_free_sized(p, 100);
	gh_test_expect_silence(test);
}

static void test_gh_debug_leaks_name_their_maker(struct kunit *test)
{
	struct goheap_params params = { .flags = GOHEAP_TRACK };
	struct goheap *heap = goheap_create("kunit_leaky", &params);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	KUNIT_ASSERT_NOT_NULL(test, goheap_heap_alloc(heap, 777, GFP_KERNEL, 0));
	goheap_destroy(heap);
	KUNIT_EXPECT_TRUE(test, gh_test_log_has("  777 bytes were asked for"));
}

static void test_gh_debug_from_interrupts(struct kunit *test)
{
	struct goheap *heap = debug_heap(test, ALL);
	struct gh_cache *cache;
	void *p, *q;

	p = goheap_heap_alloc(heap, 40, GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, p);
	cache = gh_test_nest(heap);
	q = goheap_heap_alloc(heap, 40, GFP_ATOMIC, 0);
	goheap_free(p);
	gh_test_unnest(cache);
	KUNIT_EXPECT_NOT_NULL(test, q);
	goheap_free(q);
	gh_test_expect_silence(test);
}

static size_t random_size(struct rnd_state *rnd)
{
	return 1 + gh_test_below(rnd, gh_test_below(rnd, 8) ? 300 : 50000);
}

static void *random_alloc(struct gh_test_walk *w, size_t size)
{
	return goheap_heap_alloc(w->priv, size, GFP_KERNEL, 0);
}

static const struct gh_test_op debug_ops[] = {
	{ 32, gh_test_step_alloc },
	{ 30, gh_test_step_free },
	{ 2, gh_test_step_free_elsewhere },
	{}
};

/* The content of many objects, against a model; some are freed elsewhere. */
static void test_gh_debug_random(struct kunit *test)
{
	struct gh_test_walk w = {
		.test = test, .ops = debug_ops, .size = random_size, .alloc = random_alloc,
		.priv = debug_heap(test, ALL), .seed = 20, .rounds = GH_TEST_ROUNDS(4000),
	};

	gh_test_other_cpu(test);
	gh_test_walk_objects(&w, 64);
	gh_test_model_free_all(&w.m);
	gh_test_expect_silence(test);
}

static void test_gh_debug_parse_all(struct kunit *test)
{
	static const struct {
		const char *text;
		const char *heap;
		int flags;
	} cases[] = {
		{ NULL, "default", 0 },
		{ "", "default", 0 },
		{ "-", "default", 0 },
		{ "F", "default", 0 },
		{ "P", "default", GOHEAP_POISON },
		{ "fzpu", "default", ALL },
		{ "ZU", "x", GOHEAP_REDZONE | GOHEAP_TRACK },
		{ "P,x", "x", GOHEAP_POISON },
		{ "P,x", "y", 0 },
		{ "P,x", "xx", 0 },
		{ "P,xx", "x", 0 },
		{ "P,a,bc,d", "bc", GOHEAP_POISON },
		{ "P,a,bc,d", "d", GOHEAP_POISON },
		{ "P,a;Z,b", "b", GOHEAP_REDZONE },
		{ "P;Z,b", "b", GOHEAP_REDZONE },
		{ "Z,b;P", "b", GOHEAP_REDZONE },
		{ "Z,b;P", "c", GOHEAP_POISON },
		{ "P;-,b", "b", 0 },
		{ "P;", "b", GOHEAP_POISON },
		{ "X", "b", -EINVAL },
		{ "T", "b", -EINVAL },
		{ "P;Q,b", "c", -EINVAL },
		{ ",b", "b", -EINVAL },
		{ "P;,b", "b", -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, gh_debug_parse(cases[i].text, cases[i].heap),
				    cases[i].flags, "debug=%s for %s", cases[i].text,
				    cases[i].heap);
}

static void test_goheap_create_debug_flags(struct kunit *test)
{
	struct goheap_params params = { .flags = GOHEAP_TRACK << 1 };

	KUNIT_EXPECT_EQ(test, PTR_ERR(goheap_create("kunit_debug", &params)), -EINVAL);
}

/* ---- random placement -------------------------------------------------------------- */

#define NR	64U

static void be_orderly(void *unused)
{
	gh_random = false;
}

static struct goheap *random_heap(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, be_orderly, NULL), 0);
	gh_random = true;
	return gh_test_heap(test, "kunit_random", NULL);
}

/* How often an object is where the one before it ends. */
static unsigned int neighbours(u8 **p, unsigned int n, size_t size)
{
	unsigned int i, found = 0;

	for (i = 1; i < n; i++)
		found += p[i] == p[i - 1] + size;
	return found;
}

static void test_gh_random_order(struct kunit *test)
{
	struct goheap *heap = random_heap(test);
	struct gh_test_model m;
	unsigned int i;
	u8 *p[NR];

	gh_test_model_init(&m, test, NR);
	for (i = 0; i < NR; i++) {
		p[i] = goheap_heap_alloc(heap, 128, GFP_KERNEL, 0);
		gh_test_model_add(&m, p[i], 128);
	}
	/* One is expected. */
	KUNIT_EXPECT_LT(test, neighbours(p, NR, 128), 10U);
	gh_test_model_free_all(&m);
}

static void test_gh_random_not_what_was_freed_last(struct kunit *test)
{
	struct goheap *heap = random_heap(test);
	unsigned int i, same = 0;
	void *p, *q;

	for (i = 0; i < NR; i++) {
		p = goheap_heap_alloc(heap, 128, GFP_KERNEL, 0);
		goheap_free(p);
		q = goheap_heap_alloc(heap, 128, GFP_KERNEL, 0);
		same += p == q;
		goheap_free(q);
	}
	KUNIT_EXPECT_LT(test, same, 10U);
	KUNIT_EXPECT_NULL(test, gh_test_bin(heap, 128)->magazine);
}

static void test_gh_random_central(struct kunit *test)
{
	struct goheap *heap = random_heap(test);
	struct gh_cache *cache;
	unsigned int i;
	u8 *p[NR];

	cache = gh_test_nest(heap);
	for (i = 0; i < NR; i++)
		p[i] = goheap_heap_alloc(heap, 128, GFP_ATOMIC, 0);
	gh_test_unnest(cache);
	KUNIT_EXPECT_LT(test, neighbours(p, NR, 128), 10U);
	for (i = 0; i < NR; i++)
		goheap_free(p[i]);
}

/* Many words, zeroes, and all objects of a span. */
static void test_gh_random_zeroes(struct kunit *test)
{
	struct goheap *heap = random_heap(test);
	unsigned int i, n = 2048, dirty = 0;
	u8 **p = kunit_kcalloc(test, n, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < n; i++) {
		p[i] = goheap_heap_alloc(heap, 16, GFP_KERNEL | __GFP_ZERO, 0);
		KUNIT_ASSERT_NOT_NULL(test, p[i]);
		dirty += !!memchr_inv(p[i], 0, 16);
		memset(p[i], 0xff, 16);
		if (i % 3 == 2)
			goheap_free(p[i]);
	}
	KUNIT_EXPECT_EQ(test, dirty, 0U);
	for (i = 0; i < n; i++)
		if (i % 3 != 2)
			goheap_free(p[i]);
}

static struct kunit_case debug_cases[] = {
	KUNIT_CASE(test_gh_debug_every_size),
	KUNIT_CASE(test_gh_debug_overflow_at_free),
	KUNIT_CASE(test_gh_debug_overflow_at_free_rcu),
	KUNIT_CASE(test_gh_debug_overflow_aligned),
	KUNIT_CASE(test_gh_debug_aligned_size),
	KUNIT_CASE(test_gh_debug_overflow_at_realloc),
	KUNIT_CASE(test_gh_debug_overflow_at_validate),
	KUNIT_CASE(test_gh_debug_write_after_free_at_alloc),
	KUNIT_CASE(test_gh_debug_write_after_free_at_validate),
	KUNIT_CASE(test_gh_debug_write_after_free_at_span_release),
	KUNIT_CASE(test_gh_debug_write_after_free_alone),
	KUNIT_CASE(test_gh_debug_poisons_after_readers),
	KUNIT_CASE(test_gh_debug_poisons_what_nmi_freed),
	KUNIT_CASE(test_gh_debug_double_free),
	KUNIT_CASE(test_gh_debug_free_sized_exact),
	KUNIT_CASE(test_gh_debug_leaks_name_their_maker),
	KUNIT_CASE(test_gh_debug_from_interrupts),
	KUNIT_CASE(test_gh_debug_random),
	KUNIT_CASE(test_gh_debug_parse_all),
	KUNIT_CASE(test_goheap_create_debug_flags),
	KUNIT_CASE(test_gh_random_order),
	KUNIT_CASE(test_gh_random_not_what_was_freed_last),
	KUNIT_CASE(test_gh_random_central),
	KUNIT_CASE(test_gh_random_zeroes),
	{}
};

/* What is printed is looked for, however much was printed before. */
static int init(struct kunit *test)
{
	int err = gh_test_init(test);

	return err ?: gh_test_print_reports(test);
}

static struct kunit_suite debug_suite = {
	.name = "goheap_debug_misuse",
	.init = init,
	.exit = gh_test_exit,
	.test_cases = debug_cases,
};

kunit_test_suite(debug_suite);
