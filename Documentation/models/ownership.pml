/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who may touch a span: the owner, the token, the bitmaps, the lists.
 *
 * Checked with spin; see tools/testing/models.sh. One descriptor with two objects, which
 * lives again and again; CPUs 0 and 1, which allocate and free at random for ever;
 * and by -D
 *
 *   IRQ	an interrupt on CPU 0, between any two of its steps, or an NMI
 *   BAD	frees of what was freed already, or is being freed
 *   RCU	goheap_free_rcu(), grace periods and limbo
 *   DEAD	CPU 1 goes away and comes back; with RCU it is CPU 0 that frees by RCU
 *
 * A step here is one access to what others see. Memory is sequentially
 * consistent: what may be reordered is the business of Documentation/litmus.
 *
 * Each -DBREAK_* takes one thing away, and spin has to find out.
 */

#define BOTH	3		/* objects are bits: 1 and 2 */
#define NONE	2		/* no cache */

/* Who, for the central lock. */
#define CPU0	1
#define CPU1	2
#define INTR	3
#define HOTPLUG	4
#define CALLBACK 5

/* May the section be entered? */
#ifndef BREAK_SECTION
#define CAN_ENTER(c)	(!busy[c])
#else
#define CAN_ENTER(c)	true
#endif

/* ---- struct gh_span ---- */
bit small;			/* SMALL or FREE */
byte owner = NONE;
bit queued = 1;			/* the token */
byte free_bits, remote;
bit listed;			/* GH_F_LISTED */
bit pending;			/* the cookie's grace period is not over */
#ifdef BAD
bit past[6];			/* the life that this free began in is over */
#endif

/* ---- where it is ---- */
bit inbox[2];
bit partial[2];
bit current[2];
bit central;
bit limbo;

/* ---- struct gh_cache, gh_slot ---- */
bit busy[2];
byte avail[2];
byte magazine[2];		/* room for one object */

byte central_lock;
bit interrupted;		/* CPU 0 is */
bit nmi;
bit dead;
bit closed;			/* the inbox of CPU 1 */
byte late;			/* frees that saw CPU 1 as the owner, and go to its inbox */
byte marking;			/* frees between the cookie and their end */

/* ---- what is true, whatever the above says ---- */
byte live;			/* allocated, and no free of it has landed */
byte held;			/* live, and nobody has begun to free it */
byte twice;			/* two frees landed, which was not reported yet */
byte suspect;			/* somebody frees it, or did, who must not */
byte wanted[3];			/* frees under way */
byte unused;			/* not handed out in this life */
byte readers;			/* may still be read by somebody under RCU */
bit leaving;			/* empty, and nobody will look at it any more */

/* The object is the caller's: it must be free, and nobody else's. */
inline hand_out(obj)
{
	assert(small);
	assert(free_bits & obj);
	assert(!(live & obj));
	assert(!(twice & obj));
	assert(!(readers & obj));
	free_bits = free_bits & ~obj;
	live = live | obj;
	held = held | obj;
	unused = unused & ~obj;
	suspect = (wanted[obj] -> suspect | obj : suspect & ~obj)
}

/* A free takes effect: the first one, or a second. */
inline land(obj)
{
	if
	:: live & obj -> live = live & ~obj
	:: else -> twice = twice | obj
	fi
}

/*
 * Since this free began its object was handed out anew: not unless two freed it. As with
 * any use after free nobody can tell, and it does not happen here. Or the span is
 * just going: then what is freed for the second time goes with it.
 *
 * If the span has gone, and maybe come back, the freeing CPU finds out. The bit and the
 * look before it are one step here: what may happen if they are not is said in
 * design.rst.
 */
#ifdef BAD
#define is_stale(obj)	(leaving || (held & obj))
#ifndef BREAK_LIFE
#define is_late		past[who]
#else
#define is_late		false
#endif
#else
#define is_stale(obj)	false
#define is_late		false
#endif

/* A free is refused. */
inline report(obj)
{
	assert(suspect & obj)
}

inline lock_central()
{
	atomic { central_lock == 0 -> central_lock = who }
}

/* span.h: gh_span_claim(); sets @got */
inline claim()
{
	got = !queued;
	queued = 1
}

inline unclaim()
{
	d_step { assert(queued); queued = 0 }
}

/* spans/merge.c: gh_span_merge(); sets @again for -EAGAIN */
inline merge()
{
	if
	:: d_step { remote == 0 -> again = 0 }
	:: d_step { remote != 0 -> again = 0; r = remote };
		if
#ifndef BREAK_RCU
		:: pending -> again = 1
		:: d_step { !pending ->
#else
		:: d_step {
#endif
			assert(!(r & free_bits & ~twice));
			twice = twice & ~(r & free_bits);
			free_bits = free_bits | r };
			d_step { remote = remote & ~r; r = 0 }
		fi
	fi
}

inline limbo_add()
{
	assert(small && queued && !limbo);
	limbo = 1
}

/* percpu/cache.c: merge() */
inline merge_own()
{
	merge();
	d_step {
		r = 0;
		if
#ifndef BREAK_AGAIN
		:: again ->
			claim();
			if
			:: got -> limbo_add()
			:: else
			fi
#endif
		:: else
		fi
	}
}

/* spans/alloc.c: gh_spans_free() */
inline free_span()
{
	d_step {
		leaving = 1;
#ifndef BREAK_REPORT
		twice = twice & ~(remote & free_bits);
#endif
		assert(!twice);
	};
	d_step {
		assert(small && queued && owner == NONE && !central && !limbo);
		assert(!partial[0] && !partial[1] && !inbox[0] && !inbox[1]);
		assert(!live);
		listed = 0;
#ifdef BAD
		past[CPU0] = 1; past[CPU1] = 1; past[INTR] = 1;
#endif
		small = 0
	}
}

/* central.c: merge_unowned(), dispose(); drops the lock */
inline merge_unowned()
{
#ifdef BREAK_SETTLE
	merge();
	unclaim();
#else
	unclaim();
	merge();
#endif
	d_step {
		r = 0;
		act = 0;
		if
		:: again || free_bits == BOTH ->
			claim();
			act = got;
			central = (act && !again -> 0 : central)
		:: else
		fi;
		central_lock = 0
	};
	if
	:: d_step { act && again -> limbo_add(); act = 0 }
	:: act && !again -> free_span()
	:: else
	fi
}

/* percpu/remote.c: gh_remote_hand_over() with central.c: gh_central_merge() */
inline deliver()
{
	do
#ifdef DEAD
	:: atomic { owner == 1 -> late++ };
		d_step {
			late--;
#ifndef BREAK_CLOSE
			got = !closed;
#else
			got = 1;
#endif
			if
			:: got -> assert(queued && !inbox[1]); inbox[1] = 1
			:: else
			fi
		};
		if
		:: got -> break
		:: else
		fi
	:: d_step { owner == 0 ->
		assert(queued && !inbox[0]);
		inbox[0] = 1 };
		break
#else
	:: d_step { owner != NONE ->
		assert(queued && !inbox[owner]);
		inbox[owner] = 1 };
		break
#endif
	:: d_step { owner == NONE && who == INTR && nmi -> limbo_add() };
		break
	:: owner == NONE && !(who == INTR && nmi) ->
		atomic {
			central_lock == 0;
			if
#ifndef BREAK_DELIVER
			:: owner != NONE -> got = 0
			:: else -> got = 1;
#else
			:: true -> got = 1;
#endif
				central_lock = who
		fi };
		if
		:: got -> merge_unowned(); break
		:: else
		fi
	od
}

/* percpu/remote.c: gh_remote_free(), gh_remote_free_rcu() */
inline free_remotely()
{
	if
	:: rcu -> d_step { marking++; pending = 1 }
	:: else
	fi;
#ifndef BREAK_LOOK
	d_step {
		got = (free_bits & o) == 0;
		if
		:: !got -> report(o)
		:: else
		fi
	};
#else
	got = 1;
#endif
	d_step {
		if
		:: got && is_late -> report(o); got = 0
		:: !got || (!is_late && is_stale(o)) -> got = 0
		:: else ->
			if
			:: remote & o -> report(o); got = 0
			:: else ->
				remote = remote | o;
				land(o);
				readers = (rcu -> readers | o : readers)
			fi
		fi
	};
#ifdef BREAK_LOOK
	d_step {
		if
		:: got && (free_bits & o) -> report(o)
		:: else
		fi
	};
#endif
	d_step {
		if
		:: got ->
			claim();
			if
			:: got && rcu -> limbo_add(); got = 0
			:: else
			fi
		:: else
		fi
	};
	if
	:: got -> deliver()
	:: else
	fi;
	if
	:: rcu -> marking--
	:: else
	fi
}

/* ---- in the section of cache c; others do not look at most of this ---- */

inline push(c)
{
	partial[c] = (listed -> partial[c] : 1);
	listed = 1
}

/* percpu/magazine.c: gh_magazine_empty() */
inline unpin_slot(c)
{
#ifndef BREAK_MAGAZINE
	if
	:: magazine[c] -> magazine[c] = 0; push(c)
	:: else
	fi
#else
	skip
#endif
}

/* percpu/cache.c: use_span(), set_current(); sets @got */
inline set_current(c)
{
	avail[c] = free_bits & ~remote;
	got = avail[c] != 0;
	current[c] = got;
	listed = got
}

/* percpu/cache.c: inbox_merge_one() */
inline inbox_merge_one(c)
{
	assert(owner == c);
#ifdef BREAK_RECHECK
	inbox[c] = 0;
	merge_own();
	unclaim();
#else
	d_step { inbox[c] = 0; unclaim() };
	merge_own();
#endif
	d_step {
		if
		:: free_bits -> push(c)
		:: else
		fi
	}
}

/* percpu/cache.c: gh_cache_disown(); if it fails, the span stays listed as it was */
inline disown(c)
{
	d_step {
		claim();
#ifdef BREAK_DISOWN
		got = 1
#endif
	};
	if
	:: got ->
		lock_central();
		d_step {
			partial[c] = 0;
			listed = 0;
			owner = NONE;
			central = 1
		};
		merge_unowned()
	:: else
	fi
}

/* percpu/cache.c: release(), of an empty span on the partial list */
inline release(c)
{
	d_step {
		claim();
#ifdef BREAK_RELEASE
		got = 1;
#endif
		partial[c] = (got -> 0 : partial[c])
	};
	if
	:: got ->
		owner = NONE;
		free_span()
	:: else
	fi
}

/* percpu/cache.c: tidy() */
inline tidy(c)
{
	d_step { unpin_slot(c) };
	if
	:: partial[c] && free_bits == BOTH -> release(c)
	:: partial[c] -> disown(c)
	:: !partial[c]
	fi
}

/* percpu/cache.c: gh_cache_flush_some() */
inline flush(c)
{
	d_step { unpin_slot(c) };
	if
	:: current[c] ->
		d_step { avail[c] = 0; current[c] = 0 };
		merge_own();
		d_step {
			listed = 0;
			if
			:: free_bits -> push(c)
			:: else
			fi
		}
	:: else
	fi;
	if
	:: partial[c] -> disown(c)
	:: else
	fi
}

/* percpu/slot.h: gh_cache_take(); sets @got, and then leaves the section */
inline take(c)
{
	d_step {
		o = (magazine[c] -> magazine[c] : (avail[c] & 1 -> 1 : avail[c]));
#ifndef BREAK_TWICE
		got = o && !(remote & o);
#else
		got = o != 0;
#endif
		if
		:: got ->
			assert(owner == c);
			if
			:: magazine[c] -> magazine[c] = 0
			:: else -> avail[c] = avail[c] & ~o
			fi;
			hand_out(o);
			busy[c] = 0
		:: else
		fi;
		o = 0
	}
}

/* percpu/cache.c: gh_cache_refill(), without the central list; sets @got */
inline refill(c)
{
	d_step {
		/* has_others() */
		if
		:: magazine[c] -> magazine[c] = 0; push(c)
		:: else
		fi;
		avail[c] = avail[c] & ~remote;
		/* reuse_current() */
		if
		:: !avail[c] && current[c] -> avail[c] = free_bits & ~remote
		:: else
		fi;
		got = avail[c] != 0
	};
	if
	:: !got && current[c] ->
		if
		:: remote != 0 -> merge_own()
		:: else
		fi;
		d_step { set_current(c) }
	:: else
	fi;
	if
	:: !got && partial[c] -> d_step { partial[c] = 0; set_current(c) }
	:: else
	fi;
	if
	:: !got && inbox[c] && !(who == INTR && nmi) ->
		inbox_merge_one(c);
		d_step {
			got = 0;
			if
			:: partial[c] -> partial[c] = 0; set_current(c)
			:: else
			fi
		}
	:: else
	fi
}

/* central.c: gh_central_fetch(); the lock guards one step, in NMI it is tried */
inline fetch(c)
{
	atomic {
		central_lock == 0 || (who == INTR && nmi);
		if
		:: !central_lock && central && free_bits -> central = 0; owner = c; got = 1
		:: else
		fi
	};
	d_step {
		if
		:: got -> set_current(c)
		:: else
		fi
	}
}

/* central.c: gh_central_alloc(), for interrupted sections; sets @got */
inline alloc_central()
{
	atomic {
		central_lock == 0 || (who == INTR && nmi);
#ifndef BREAK_CENTRAL_TWICE
		o = free_bits & ~remote;
#else
		o = free_bits;
#endif
		o = (o & 1 -> 1 : o);
		if
		:: !central_lock && central && o -> hand_out(o); got = 1
		:: else
		fi;
		o = 0
	}
}

/* spans/alloc.c: gh_spans_new_small(), front/slow.c: alloc_install() */
inline alloc_new(c)
{
	if
	:: d_step { !small -> small = 1; leaving = 0; free_bits = BOTH; remote = 0;
		    pending = 0; unused = BOTH };
		if
		:: atomic { CAN_ENTER(c) -> busy[c] = 1 };
			owner = c;
			d_step {
				unclaim();
				if
				:: magazine[c] || avail[c] -> push(c)
				:: else -> set_current(c)
				fi
			};
			take(c);
			busy[c] = 0
		:: else ->
			atomic {
				central_lock == 0;
				hand_out(1);
				central = 1;
				unclaim()
			}
		fi
	:: small
	fi
}

/* goheap.c: goheap_alloc() and gh_slow_alloc() */
inline alloc(c)
{
	if
	:: atomic { CAN_ENTER(c) -> busy[c] = 1 };
		take(c);
		if
		:: !got ->
			refill(c);
			if
			:: !got && central -> fetch(c)
			:: else
			fi;
			if
			:: got -> take(c)
			:: else
			fi;
			busy[c] = 0
		:: else
		fi
	:: else -> alloc_central()
	fi;
	if
	:: !got && !(who == INTR && nmi) -> alloc_new(c)
	:: else
	fi
}

/* goheap.c: the own part of free_object(); span.h: gh_word_give() */
inline free_own(c)
{
	d_step {
		got = ((free_bits | remote) & o) == 0;
		if
		:: !got -> report(o)
		:: else
		fi
	};
	d_step {
		if
		:: got && is_late -> report(o)
		:: !got || (!is_late && is_stale(o))
		:: else ->
			free_bits = free_bits | o;
			land(o);
			/* gh_cache_keep() */
			if
			:: !magazine[c] -> magazine[c] = o
			:: else -> push(c)
			fi
		fi;
		busy[c] = 0
	}
}

/* goheap.c: free_object() */
inline free_object(c)
{
	if
	:: rcu || owner != c -> free_remotely()
	:: !rcu && owner == c ->
		if
		:: !CAN_ENTER(c) -> free_remotely()
		:: atomic { CAN_ENTER(c) -> busy[c] = 1 };
#ifndef BREAK_OWNER
			if
			:: owner == c -> free_own(c)
			:: else -> busy[c] = 0; free_remotely()
			fi
#else
			free_own(c)
#endif
		fi
	fi
}

/* Which object to free: one that is live, or with BAD one that is not. */
inline choose()
{
	atomic {
		if
		:: held & 1 -> o = 1; held = held & ~o
		:: held & 2 -> o = 2; held = held & ~o
#ifdef BAD
		:: !(held & 1) && wanted[1] < 2 && small -> o = 1; bad = 1
		:: !(held & 2) && wanted[2] < 2 && small -> o = 2; bad = 1
#endif
		fi;
		if
		:: bad -> suspect = suspect | o
		:: else
		fi;
		wanted[o]++;
#ifdef BAD
		past[who] = 0;
#endif
#ifdef RCU
#ifdef DEAD
		rcu = who == CPU0
#else
		rcu = who == CPU1
#endif
#endif
	}
}

/* What a caller does on a CPU whose cache is c. */
inline operation(c)
{
	if
	:: alloc(c)
	:: choose();
		free_object(c)
	:: atomic { CAN_ENTER(c) && !(who == INTR && nmi) && partial[c] + magazine[c] ->
		busy[c] = 1 };
		tidy(c);
		busy[c] = 0
	fi
}

/* The cache's work. */
inline work(c)
{
	busy[c] = 1;
	if
	:: inbox[c] -> inbox_merge_one(c)
	:: flush(c)
	fi;
	busy[c] = 0
}

inline forget()
{
	atomic {
		wanted[o] = (o -> wanted[o] - 1 : 0);
#ifdef BAD
		past[who] = 0;
#endif
		bad = 0; rcu = 0; o = 0; got = 0; again = 0; act = 0; r = 0
	}
}

#define LOCALS(me)	byte who = me, o, r; bit got, again, act, bad, rcu

active proctype cpu0() provided (!interrupted)
{
	LOCALS(CPU0);
idle:
	do
	:: operation(0); forget()
	:: work(0); forget()
	od
}

active proctype cpu1()
{
	LOCALS(CPU1);
idle:
	do
	:: !dead;
		if
#if defined(IRQ) || (defined(RCU) && !defined(DEAD))
		:: choose(); free_object(1)
#else
		:: operation(1)
		:: work(1)
#endif
		fi;
		forget()
	od
}

#ifdef IRQ
/* In one go: the same step by step is what CPU 1 does. */
active proctype intr()
{
	LOCALS(INTR);
	byte left = IRQ;
	do
	:: atomic { left ->
		left--;
		if
		:: central_lock == 0
		:: nmi = 1
		fi;
		interrupted = 1;
		operation(0);
		forget();
		interrupted = 0;
		nmi = 0 }
	od
}
#endif

#ifdef RCU
/* A grace period that begins after a mark ends after the free that made it. */
active proctype grace()
{
	do
	:: d_step { pending && !marking -> pending = 0; readers = 0 }
	:: d_step { readers && !pending && !marking -> readers = 0 }
	od
}
#endif

/* spans/limbo.c: limbo_callback() */
active proctype callback()
{
	LOCALS(CALLBACK);
idle:
	do
	:: d_step { limbo && !pending -> limbo = 0 };
		deliver();
		forget()
	od
}

#ifdef DEAD
/* percpu/hotplug.c: cpu_dead(), cpu_prepare() */
active proctype hotplug()
{
	LOCALS(HOTPLUG);
idle:
	do
	:: atomic { cpu1@idle && owner == 1 -> dead = 1 };
		/* percpu/cache.c: gh_cache_forget() */
		d_step { magazine[1] = 0; avail[1] = 0; current[1] = 0; partial[1] = 0 };
		/* central.c: gh_central_take_over() */
		d_step { claim() };
		lock_central();
		d_step { listed = 0; owner = NONE; central = 1 };
		if
		:: got -> merge_unowned()
		:: else -> central_lock = 0
		fi;
		/* percpu/remote.c: gh_remote_close_inbox() */
		d_step { closed = 1; got = inbox[1]; inbox[1] = 0 };
#ifndef BREAK_DEAD
		if
		:: got -> deliver()
		:: else
		fi;
#endif
		forget();
		/* A grace period: frees from before have left the inbox alone. */
#ifndef BREAK_OPEN
		d_step { !late -> closed = 0; dead = 0 }
#else
		d_step { closed = 0; dead = 0 }
#endif
	od
}
#endif

/* When nobody is doing anything: nothing is lost, and nothing is left over. */
#ifdef DEAD
#define QUIET	(cpu0@idle && cpu1@idle && callback@idle && hotplug@idle && !interrupted)
#else
#define QUIET	(cpu0@idle && cpu1@idle && callback@idle && !interrupted)
#endif

active proctype monitor()
{
	do
	:: atomic { QUIET ->
		assert(!central_lock && !busy[0] && !busy[1]);
		if
		:: small ->
			/* every object is live or free */
			assert((free_bits | remote) == (BOTH & ~live));
			assert((free_bits & remote) == twice);
			/* the token is somewhere where it will be given back */
			assert(!queued || limbo || (owner != NONE && inbox[owner]));
			/* what was freed is taken over, or somebody will */
			assert(queued || !remote);
			assert((owner == NONE) == central);
			assert(owner != 0 || listed == (current[0] || partial[0]));
			assert(owner != 1 || listed == (current[1] || partial[1]));
			/* what is free can be found */
			assert(owner == NONE || queued || listed ||
			       free_bits == magazine[owner])
		:: else ->
			assert(!live && !twice && queued && owner == NONE);
			assert(!central && !limbo && !inbox[0] && !inbox[1]);
			assert(!partial[0] && !partial[1] && !magazine[0] && !magazine[1]);
			assert(!avail[0] && !avail[1])
		fi }
	od
}
