// SPDX-License-Identifier: GPL-2.0
/*
 * Reports of misuse that a case expects. See lib_report.h.
 */

#include <linux/ratelimit.h>
#include <linux/string.h>

#include "lib_report.h"

#define VICTIM_BYTE	0x42

/* Reports that are accounted for: earlier cases', and those that this one expected. */
static unsigned long known;

void gh_test_forget_reports(void)
{
	known = gh_misuse_count();
}

void gh_test_expect_reports(struct kunit *test, unsigned int nr, const char *text)
{
	KUNIT_EXPECT_EQ_MSG(test, gh_misuse_count() - known, (unsigned long)nr, "for '%s'", text);
	gh_test_forget_reports();
	if (!strstr(gh_last_report, text))
		KUNIT_FAIL(test, "'%s' is not in: %s", text, gh_last_report);
}

void gh_test_expect_report(struct kunit *test, const char *text)
{
	gh_test_expect_reports(test, 1, text);
}

void gh_test_expect_refused(struct kunit *test, const char *text)
{
	gh_test_expect_report(test, text);
	gh_test_validate(test);
}

void gh_test_expect_silence(struct kunit *test)
{
	KUNIT_EXPECT_EQ_MSG(test, gh_misuse_count() - known, 0UL, "the last one: %s",
			    gh_last_report);
	gh_test_forget_reports();
}

static void limit_again(void *interval)
{
	gh_misuse_limit.interval = (long)interval;
}

int gh_test_print_reports(struct kunit *test)
{
	void *interval = (void *)(long)gh_misuse_limit.interval;

	gh_misuse_limit.interval = 0;
	return kunit_add_action_or_reset(test, limit_again, interval);
}

u8 *gh_test_victim_of(struct kunit *test, struct goheap *heap, size_t size, unsigned int flags)
{
	u8 *p = goheap_heap_alloc(heap, size, GFP_KERNEL, flags);

	KUNIT_ASSERT_NOT_NULL(test, p);
	memset(p, VICTIM_BYTE, size);
	return p;
}

u8 *gh_test_victim(struct kunit *test, size_t size)
{
	return gh_test_victim_of(test, gh_default, size, 0);
}

u8 *gh_test_tiny_victim(struct kunit *test, size_t size)
{
	return gh_test_victim_of(test, gh_default, size, GOHEAP_NOSCAN);
}

void gh_test_expect_unharmed(struct kunit *test, const u8 *p, size_t size)
{
	KUNIT_EXPECT_GE(test, goheap_size(p), size);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(p, VICTIM_BYTE, size), NULL);
}
