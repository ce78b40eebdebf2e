/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reports of misuse: which ones a case expects. Any other fails it, at the latest when it
 * ends. And objects to misuse, which must survive that.
 */
#ifndef _GOHEAP_LIB_REPORT_H
#define _GOHEAP_LIB_REPORT_H

#include "testlib.h"

/* What was reported so far is not this case's. */
void gh_test_forget_reports(void);

/* Since the last call of any of these there was one report, and it has this text. */
void gh_test_expect_report(struct kunit *test, const char *text);
/* Or so many, the last one with this text. */
void gh_test_expect_reports(struct kunit *test, unsigned int nr, const char *text);
/* Or none. */
void gh_test_expect_silence(struct kunit *test);
/* One report, and the misuse has damaged nothing. */
void gh_test_expect_refused(struct kunit *test, const char *text);

/* Until the case ends every report is printed, however many there are. */
int gh_test_print_reports(struct kunit *test);

/* Of class 112, or of 128 where DMA may have to bounce. */
#define VICTIM_SIZE	100

/* An object of the default heap, one without pointers, or of another heap; with content. */
u8 *gh_test_victim(struct kunit *test, size_t size);
u8 *gh_test_tiny_victim(struct kunit *test, size_t size);
u8 *gh_test_victim_of(struct kunit *test, struct goheap *heap, size_t size, unsigned int flags);
/* It is live still, and has its content. */
void gh_test_expect_unharmed(struct kunit *test, const u8 *p, size_t size);

#endif /* _GOHEAP_LIB_REPORT_H */
