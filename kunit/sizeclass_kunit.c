// SPDX-License-Identifier: GPL-2.0
/*
 * Size classes against the table that Go publishes, and every size against the
 * promises of kmalloc().
 */

#include "lib_object.h"
#include "testlib.h"

/* From the Go runtime's sizeclasses.go. */
static const u16 go_sizes[] = {
	0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256,
	288, 320, 352, 384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280,
	1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528,
	6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072,
	20480, 21760, 24576, 27264, 28672, 32768,
};

static const u8 go_pages[] = {
	0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1, 2, 1, 3, 2, 3, 1, 3, 2, 3, 4, 5, 6, 1, 7, 6, 5, 4,
	3, 5, 7, 2, 9, 7, 5, 8, 3, 10, 7, 4,
};

/* The comment in that file: objects of a span, some classes. */
static const struct {
	u8 class;
	u16 objects;
	u16 tail_waste;
	u16 max_waste;
} go_rows[] = {
	{  1, 1024,    0, 8750 },
	{  2,  512,    0, 4375 },
	{  3,  341,    8, 2924 },
	{  5,  170,   32, 3152 },
	{ 35,   11,  896, 1400 },
	{ 49,    6,  256,  436 },
	{ 51,    1,    0, 1561 },
	{ 65,    3,  128, 1000 },
	{ 66,    2,    0,  491 },
	{ 67,    1,    0, 1250 },
};

static void test_gh_classes_equal_gos_table(struct kunit *test)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, GH_NR_CLASSES, 68);
	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(go_sizes), 68);
	KUNIT_ASSERT_EQ(test, ARRAY_SIZE(go_pages), 68);
	for (i = 0; i < GH_NR_CLASSES; i++) {
		KUNIT_EXPECT_EQ_MSG(test, gh_classes[i].size, go_sizes[i], "class %u", i);
		KUNIT_EXPECT_EQ_MSG(test, gh_classes[i].span_bytes, go_pages[i] * 8192,
				    "class %u", i);
		if (i)
			KUNIT_EXPECT_EQ_MSG(test, gh_classes[i].objects,
					    go_pages[i] * 8192 / go_sizes[i], "class %u", i);
	}
	KUNIT_EXPECT_EQ(test, GH_SMALL_MAX, 32768);
	KUNIT_EXPECT_EQ(test, GH_PAGE_SIZE, 8192UL);
}

static void test_gh_classes_rows_as_published(struct kunit *test)
{
	const struct gh_class *c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(go_rows); i++) {
		c = &gh_classes[go_rows[i].class];
		KUNIT_EXPECT_EQ_MSG(test, c->objects, go_rows[i].objects, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, c->span_bytes - c->objects * c->size,
				    go_rows[i].tail_waste, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, c->max_waste, go_rows[i].max_waste, "row %u", i);
	}
}

/* Where objects of a class really lie, given where their span does. */
static bool aligned_to(const struct gh_class *c, unsigned int span_align, unsigned int align)
{
	return c->size % align == 0 && span_align % align == 0;
}

static unsigned int smallest_class(size_t size)
{
	unsigned int i, span_align;

	for (i = 1; i < ARRAY_SIZE(go_sizes); i++) {
		/* A lone power of two gets a span as aligned as it needs. */
		span_align = go_sizes[i] & (go_sizes[i] - 1) ? 8192 : max(go_sizes[i], 8192);
		if (go_sizes[i] >= size &&
		    aligned_to(&gh_classes[i], span_align, gh_test_promised_align(size)))
			return i;
	}
	return 0;
}

/* What a request is first rounded up to; see gh_size_class(). */
static size_t rounded(size_t size)
{
	if (IS_ENABLED(CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC) && size > 32)
		return round_up(size, size > 64 ? ARCH_DMA_MINALIGN : 64);
	return round_up(size, ARCH_KMALLOC_MINALIGN);
}

static void test_gh_size_class_every_size(struct kunit *test)
{
	unsigned int size, class, best, bad = 0;

	for (size = 1; size <= GH_SMALL_MAX; size++) {
		best = smallest_class(rounded(size));
		class = gh_size_class(size);
		if (class == best)
			continue;
		if (!bad++)
			KUNIT_FAIL(test, "size %u is in class %u and should be in %u", size,
				   class, best);
	}
	KUNIT_EXPECT_EQ(test, bad, 0U);
}

/*
 * The DMA layer copies small buffers to lines of their own, unless kmalloc() would
 * have given them whole lines; then objects of ours must have them, too. Lines have
 * 64 bytes to ARCH_DMA_MINALIGN: how many, only the machine knows.
 */
static void test_gh_size_class_fills_cache_lines(struct kunit *test)
{
#ifdef CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC
	unsigned int size, line, bad = 0;
	const struct gh_class *c;

	for (size = 1; size <= GH_SMALL_MAX; size++) {
		c = &gh_classes[gh_size_class(size)];
		for (line = 64; line <= ARCH_DMA_MINALIGN; line *= 2) {
			if (size < 2 * ARCH_DMA_MINALIGN && kmalloc_size_roundup(size) % line)
				continue;
			if (c->size % line == 0 && c->align % line == 0)
				continue;
			if (!bad++)
				KUNIT_FAIL(test, "size %u shares a line of %u bytes", size, line);
		}
	}
	KUNIT_EXPECT_EQ(test, bad, 0U);
#else
	kunit_skip(test, "this kernel's kmalloc() always gives whole cache lines, or needs none");
#endif
}

/* What callers with a size known at build time use instead of the table. */
static void test_goheap_class_of_every_size(struct kunit *test)
{
	unsigned int size;

	if (ARCH_KMALLOC_MINALIGN > 8 || IS_ENABLED(CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC))
		kunit_skip(test, "sizes are rounded up further here, and nobody uses it");
	for (size = 1; size <= GOHEAP_CLASS_MAX; size++)
		KUNIT_EXPECT_EQ_MSG(test, goheap_class_of(size), gh_size_class(size), "size %u",
				    size);
}

static void test_goheap_alloc_of_constant_size(struct kunit *test)
{
	void *p[] = {
		goheap_alloc(1, GFP_KERNEL), goheap_alloc(72, GFP_KERNEL),
		goheap_alloc(1024, GFP_KERNEL), goheap_alloc(1025, GFP_KERNEL),
		goheap_alloc(100, GFP_KERNEL | __GFP_ZERO),
	};

	KUNIT_EXPECT_EQ(test, goheap_size(p[0]), 8UL);
	KUNIT_EXPECT_EQ(test, goheap_size(p[1]), (size_t)gh_classes[gh_size_class(72)].size);
	KUNIT_EXPECT_EQ(test, goheap_size(p[2]), 1024UL);
	KUNIT_EXPECT_EQ(test, goheap_size(p[3]), 1152UL);
	KUNIT_EXPECT_EQ(test, goheap_size(p[4]), (size_t)gh_classes[gh_size_class(100)].size);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p[4], 0, 100), NULL);
	KUNIT_EXPECT_PTR_EQ(test, goheap_alloc(0, GFP_KERNEL), ZERO_SIZE_PTR);
	goheap_free_bulk(ARRAY_SIZE(p), p);
}

static void test_gh_classes_align_divides(struct kunit *test)
{
	unsigned int i;

	for (i = 1; i < GH_NR_CLASSES; i++) {
		KUNIT_EXPECT_EQ_MSG(test, gh_classes[i].align & (gh_classes[i].align - 1), 0,
				    "class %u", i);
		KUNIT_EXPECT_EQ_MSG(test, gh_classes[i].size % gh_classes[i].align, 0,
				    "class %u", i);
		KUNIT_EXPECT_GE_MSG(test, gh_classes[i].align, 8, "class %u", i);
	}
}

static unsigned int wrong_indices(struct gh_span *s, const struct gh_class *c)
{
	unsigned int off, idx, wrong = 0;

	s->recip = c->recip;
	for (off = 0; off < c->span_bytes; off++) {
		wrong += gh_span_index(s, off) != off / c->size;
		wrong += gh_span_starts(s, off, &idx) != (off % c->size == 0);
		wrong += idx != off / c->size;
	}
	return wrong;
}

static void test_gh_span_starts_every_offset(struct kunit *test)
{
	struct gh_span *s = kunit_kzalloc(test, gh_span_desc_bytes(GH_KIND_1), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	for (i = 1; i < GH_NR_CLASSES; i++)
		KUNIT_EXPECT_EQ_MSG(test, wrong_indices(s, &gh_classes[i]), 0, "class %u", i);
}

/* What a free that comes late relies on: no object starts in what is LARGE now. */
static void test_gh_span_starts_nowhere_in_large(struct kunit *test)
{
	struct gh_span *s = kunit_kzalloc(test, gh_span_desc_bytes(GH_KIND_1), GFP_KERNEL);
	unsigned int off, idx, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->recip = gh_classes[1].recip;
	gh_span_init_large(s, gh_default, 4 * GH_PAGE_SIZE, false);
	for (off = 0; off < 4 * GH_PAGE_SIZE; off++)
		wrong += gh_span_starts(s, off, &idx) || idx;
	KUNIT_EXPECT_EQ(test, wrong, 0U);
}

static void test_gh_sc_class_every_slot(struct kunit *test)
{
	unsigned int class;

	KUNIT_EXPECT_EQ(test, GH_NR_SPAN_CLASSES, 136);
	for (class = 0; class < GH_NR_CLASSES; class++) {
		KUNIT_EXPECT_EQ(test, gh_sc_class(class * 2), class);
		KUNIT_EXPECT_EQ(test, gh_sc_class(class * 2 + 1), class);
		KUNIT_EXPECT_FALSE(test, gh_sc_noscan(class * 2));
		KUNIT_EXPECT_TRUE(test, gh_sc_noscan(class * 2 + 1));
	}
	KUNIT_EXPECT_EQ(test, gh_classes[gh_sc_class(GH_SC_TINY)].size, 16);
	KUNIT_EXPECT_TRUE(test, gh_sc_noscan(GH_SC_TINY));
	KUNIT_EXPECT_EQ(test, gh_classes[GH_TINY_CLASS].objects, GH_TINY_BLOCKS);
}

static struct kunit_case sizeclass_cases[] = {
	KUNIT_CASE(test_gh_classes_equal_gos_table),
	KUNIT_CASE(test_gh_classes_rows_as_published),
	KUNIT_CASE(test_gh_size_class_every_size),
	KUNIT_CASE(test_gh_size_class_fills_cache_lines),
	KUNIT_CASE(test_goheap_class_of_every_size),
	KUNIT_CASE(test_goheap_alloc_of_constant_size),
	KUNIT_CASE(test_gh_classes_align_divides),
	KUNIT_CASE(test_gh_span_starts_every_offset),
	KUNIT_CASE(test_gh_span_starts_nowhere_in_large),
	KUNIT_CASE(test_gh_sc_class_every_slot),
	{}
};

static struct kunit_suite sizeclass_suite = {
	.name = "goheap_sizeclass",
	.init = gh_test_init,
	.exit = gh_test_exit,
	.test_cases = sizeclass_cases,
};

kunit_test_suite(sizeclass_suite);
