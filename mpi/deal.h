/* Dealing out work items 0 .. n-1 among worker ranks, by two-sided messages, in chunks asked for ahead of need.
 *
 * Rank 0 of the group deals, and works itself between answers: it must call hn_deal_poll (or next/done) every fraction
 * of a second. A rank that can do nothing more (its device or endpoint is lost) calls hn_deal_end at once: what it
 * holds goes to the others. One deal at a time a group. One-sided counters are not used: across nodes over TCP they
 * wait until the target enters MPI. MPI-3.1 only.
 */
#ifndef HN_DEAL_H
#define HN_DEAL_H

#include "comm.h"

typedef struct HnDeal HnDeal;
/* Collective. done[i] nonzero: item i is finished already (read on rank 0 only; may be NULL). chunk: items dealt at
 * once. */
HnStatus hn_deal_start(HnComm *comm, uint64_t n, const uint8_t *done, uint64_t chunk, HnDeal **deal, HnError *err);
/* The next item for this rank. *got = false: nothing to be had right now (ask again soon: items may come back from
 * other ranks); *finished = true: nothing ever again. Several items may be taken before the first is done. */
HnStatus hn_deal_next(HnDeal *deal, uint64_t *item, bool *got, bool *finished, HnError *err);
/* Item finished (its result is safe on disk). */
HnStatus hn_deal_done(HnDeal *deal, uint64_t item, HnError *err);
/* This rank cannot do the item: it goes back to the pool, for another rank, and never comes back here. */
HnStatus hn_deal_return(HnDeal *deal, uint64_t item, HnError *err);
/* Any rank, any time before its hn_deal_end: all ranks shall stop (a stop was asked for, or a failure that concerns
 * all). hn_deal_next of every rank soon says finished; items in hand may still be done. hn_deal_end then returns
 * HN_INTERRUPTED everywhere, unless everything was finished before the word got round. */
HnStatus hn_deal_cancel(HnDeal *deal, HnError *err);
HnStatus hn_deal_poll(HnDeal *deal, HnError *err);
uint64_t hn_deal_finished_count(const HnDeal *deal); /* rank 0: over all ranks, for the progress line */
/* Collective, but ranks may come at very different times: returns when every rank has seen the end; until then rank 0
 * goes on dealing. Items that this rank holds go back. Fails on all ranks (HN_NETWORK) where items are left that nobody
 * can do. */
HnStatus hn_deal_end(HnDeal **deal, HnError *err);

#endif
