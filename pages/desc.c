// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of spans: their memory.
 */

#include <linux/kmemleak.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "base/compat.h"
#include "goheap.h"
#include "hooks/sanitize.h"
#include "pages/desc.h"
#include "span.h"

static struct kmem_cache *desc_caches[GH_NR_KINDS];
static atomic_long_t nr_descs[GH_NR_KINDS];

/**
 * gh_desc_new() - make a descriptor that describes nothing
 * @kind: which kind
 * @nid: for pages of this node
 * @gfp: how hard to try
 *
 * Context: Any that @gfp allows, where the kernel can be asked for memory.
 * Return: the descriptor, or NULL.
 */
struct gh_span *gh_desc_new(enum gh_desc_kind kind, int nid, gfp_t gfp)
{
	struct gh_span *s = kmem_cache_alloc_node(desc_caches[kind], gfp, nid);

	if (!s)
		return NULL;
	s->kind = kind;
	s->nid = nid;
	s->npages = 0;
	s->base = 0;
	s->records = NULL;
	s->nelems = 0;
	s->spanclass = 0;
	s->flags = 0;
	s->life = 0;
	s->rcu_used = false;
	s->rcu_cookie = get_state_synchronize_rcu();
	gh_span_init_free(s);
	atomic_long_inc(&nr_descs[kind]);
	return s;
}

static void desc_free(struct rcu_head *rcu)
{
	struct gh_span *s = container_of(rcu, struct gh_span, rcu);

	kmem_cache_free(desc_caches[s->kind], s);
}

/**
 * gh_desc_delete() - free a descriptor
 * @s: the descriptor; a lookup of a wild pointer may still look at it
 *
 * Context: Any but NMI.
 */
void gh_desc_delete(struct gh_span *s)
{
	atomic_long_dec(&nr_descs[s->kind]);
	gh_call_rcu(&s->rcu, desc_free);
}

/**
 * gh_desc_bytes() - bookkeeping overhead
 *
 * Context: Any.
 * Return: bytes of all descriptors.
 */
unsigned long gh_desc_bytes(void)
{
	unsigned long bytes = 0;
	enum gh_desc_kind kind;

	for (kind = 0; kind < GH_NR_KINDS; kind++)
		bytes += atomic_long_read(&nr_descs[kind]) *
			 kmem_cache_size(desc_caches[kind]);
	return bytes;
}

static void destroy_desc_caches(void)
{
	enum gh_desc_kind kind;

	for (kind = 0; kind < GH_NR_KINDS; kind++)
		kmem_cache_destroy(desc_caches[kind]);
}

/*
 * kmemleak must not take a span's base for a pointer to its first object. Without kmemleak our
 * caches may share slabs with others.
 */
#define UNSEEN	(IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) ? SLAB_NOLEAKTRACE : 0)

/**
 * gh_desc_init() - make caches for descriptors
 *
 * Context: Process context.
 * Return: 0 or -ENOMEM.
 */
int gh_desc_init(void)
{
	static const char *const names[GH_NR_KINDS] = {
		"goheap_span_1", "goheap_span_5", "goheap_span_9", "goheap_span_16",
		"goheap_span_tiny",
	};
	enum gh_desc_kind kind;

	for (kind = 0; kind < GH_NR_KINDS; kind++) {
		desc_caches[kind] = kmem_cache_create(names[kind], gh_span_desc_bytes(kind), 0,
						      SLAB_HWCACHE_ALIGN | UNSEEN, NULL);
		if (!desc_caches[kind]) {
			destroy_desc_caches();
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * gh_desc_exit() - free the caches
 *
 * Context: Process context; all descriptors are deleted, some may wait for RCU.
 */
void gh_desc_exit(void)
{
	rcu_barrier();	/* for desc_free() */
	destroy_desc_caches();
}
