// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of strings and of memory.
 */

#include <linux/error-injection.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "goheap.h"
#include "goheap_core.h"
#include "heap.h"
#include "hooks/fault.h"

/* A copy of @len bytes, and a NUL. @s may be changing: the copy ends there all the same. */
static __always_inline char *copy_text(struct goheap *heap, const char *s, size_t len, gfp_t gfp)
{
	size_t size;
	char *p;

	if (unlikely(check_add_overflow(len, (size_t)1, &size)))
		return NULL;
	if (gh_should_fail(size, gfp))
		return NULL;
	p = gh_alloc_string(heap ?: gh_default, size, gfp);
	if (p) {
		memcpy(p, s, len);
		p[len] = '\0';
	}
	return p;
}

char *goheap_heap_strdup(struct goheap *heap, const char *s, gfp_t gfp)
{
	return s ? copy_text(heap, s, strlen(s), gfp) : NULL;
}
EXPORT_SYMBOL_GPL(goheap_heap_strdup);
ALLOW_ERROR_INJECTION(goheap_heap_strdup, NULL);

char *goheap_strdup(const char *s, gfp_t gfp)
{
	return s ? copy_text(gh_default, s, strlen(s), gfp) : NULL;
}
EXPORT_SYMBOL_GPL(goheap_strdup);
ALLOW_ERROR_INJECTION(goheap_strdup, NULL);

char *goheap_heap_strndup(struct goheap *heap, const char *s, size_t max, gfp_t gfp)
{
	return s ? copy_text(heap, s, strnlen(s, max), gfp) : NULL;
}
EXPORT_SYMBOL_GPL(goheap_heap_strndup);
ALLOW_ERROR_INJECTION(goheap_heap_strndup, NULL);

char *goheap_heap_memdup_nul(struct goheap *heap, const char *s, size_t len, gfp_t gfp)
{
	return s ? copy_text(heap, s, len, gfp) : NULL;
}
EXPORT_SYMBOL_GPL(goheap_heap_memdup_nul);
ALLOW_ERROR_INJECTION(goheap_heap_memdup_nul, NULL);

char *goheap_heap_vasprintf(struct goheap *heap, gfp_t gfp, const char *fmt, va_list args)
{
	va_list again;
	int len, wrote;
	char *p;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (gh_should_fail(len + 1, gfp))
		return NULL;
	p = gh_alloc_string(heap ?: gh_default, len + 1, gfp);
	if (!p)
		return NULL;
	wrote = vsnprintf(p, len + 1, fmt, args);
	WARN_ONCE(wrote != len, "an argument of \"%s\" changed meanwhile: %d, then %d characters\n",
		  fmt, len, wrote);
	return p;
}
EXPORT_SYMBOL_GPL(goheap_heap_vasprintf);
ALLOW_ERROR_INJECTION(goheap_heap_vasprintf, NULL);

char *goheap_heap_asprintf(struct goheap *heap, gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *p;

	va_start(args, fmt);
	p = goheap_heap_vasprintf(heap, gfp, fmt, args);
	va_end(args);
	return p;
}
EXPORT_SYMBOL_GPL(goheap_heap_asprintf);
ALLOW_ERROR_INJECTION(goheap_heap_asprintf, NULL);

char *goheap_asprintf(gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *p;

	va_start(args, fmt);
	p = goheap_heap_vasprintf(NULL, gfp, fmt, args);
	va_end(args);
	return p;
}
EXPORT_SYMBOL_GPL(goheap_asprintf);
ALLOW_ERROR_INJECTION(goheap_asprintf, NULL);

void *goheap_heap_memdup(struct goheap *heap, const void *src, size_t len, gfp_t gfp)
{
	void *p = goheap_heap_alloc(heap, len, gfp, 0);

	if (!ZERO_OR_NULL_PTR(p))
		memcpy(p, src, len);
	return p;
}
EXPORT_SYMBOL_GPL(goheap_heap_memdup);
ALLOW_ERROR_INJECTION(goheap_heap_memdup, NULL);

void *goheap_memdup(const void *src, size_t len, gfp_t gfp)
{
	void *p = goheap_alloc(len, gfp);

	if (!ZERO_OR_NULL_PTR(p))
		memcpy(p, src, len);
	return p;
}
EXPORT_SYMBOL_GPL(goheap_memdup);
ALLOW_ERROR_INJECTION(goheap_memdup, NULL);

void *goheap_memdup_user(const void __user *src, size_t len)
{
	void *p = goheap_alloc(len, GFP_USER | __GFP_NOWARN);

	if (!p)
		return ERR_PTR(-ENOMEM);
	if (!len || !copy_from_user(p, src, len))
		return p;
	goheap_free(p);
	return ERR_PTR(-EFAULT);
}
EXPORT_SYMBOL_GPL(goheap_memdup_user);
ALLOW_ERROR_INJECTION(goheap_memdup_user, ERRNO);
