/* Both ends of dealing: the worker's queue here, the dealer's pool in deal_pool.c. Rank 0 runs both and talks to itself
 * without messages.
 *
 * Messages (HnMessage.kind):
 *   to rank 0     ASK a=items finished since the last one   RETURN a=item b=ticket c=why   LEAVE a=items finished
 *                 DONE a=items finished since the last one  CANCEL                         BYE (the very last one)
 *   from rank 0   GRANT a=first item b=count c=ticket       GRANTED (the ask is answered)
 *                 END a=items left b=first of them c=1 where cancelled; nothing comes after it
 */
#include "deal.h"

#include <time.h>

#include "base/alloc.h"
#include "comm_ops.h"
#include "deal_pool.h"

/* Finished items are reported together: at the latest when this many have come up, or with the next ask. */
#define REPORT_EVERY 64

enum { ASK = 1, RETURN, LEAVE, DONE, CANCEL, BYE, GRANT, GRANTED, END };
enum { UNSTARTED = 0, REFUSED = 1 };

typedef struct Range {
    uint64_t first, count, ticket;
} Range;

typedef struct Taken {
    uint64_t item, ticket;
} Taken;

struct HnDeal {
    HnComm *comm;
    HnPool *pool; /* rank 0 only */
    uint64_t chunk;
    uint64_t unreported; /* items finished that rank 0 has not heard of */

    Range *queue; /* dealt to this rank, not begun: [queue_begin, queue_end) of a growing array */
    size_t queue_begin, queue_end, queue_capacity;
    uint64_t queued; /* items in it */
    Taken *taken;    /* handed to the caller, neither done nor returned */
    size_t n_taken, taken_capacity;

    bool asked;    /* an ask is out, unanswered */
    bool finished; /* END has come */
    bool cancelled;
    bool broken; /* a call failed here (memory, MPI): what was dealt may be lost, so the end is a cancel */
    uint64_t left, first_left;

    /* Rank 0 only. [size]: ranks whose ask waits for items; that sent LEAVE; that sent BYE. */
    bool *hungry, *gone, *silent;
    bool cancel_asked, end_told;
};

static HnStatus worker_message(HnDeal *deal, const HnMessage *message, HnError *err);
static HnStatus dealer_message(HnDeal *deal, int from, const HnMessage *message, HnError *err);

static HnStatus to_dealer(HnDeal *deal, uint64_t kind, uint64_t a, uint64_t b, uint64_t c, HnError *err) {
    HnMessage message = {kind, a, b, c};
    if (deal->comm->rank == 0) {
        return dealer_message(deal, 0, &message, err);
    }
    return hn_message_send(deal->comm, 0, &message, err);
}

static HnStatus to_worker(HnDeal *deal, int rank, uint64_t kind, uint64_t a, uint64_t b, uint64_t c, HnError *err) {
    HnMessage message = {kind, a, b, c};
    if (rank == 0) {
        return worker_message(deal, &message, err);
    }
    return hn_message_send(deal->comm, rank, &message, err);
}

/* ---- the dealer ------------------------------------------------------------------------------------------------ */

static HnStatus answer_ask(HnDeal *deal, int rank, HnError *err) {
    /* Towards the end chunks shrink, so that the last ones end together. */
    uint64_t fair = hn_pool_open_count(deal->pool) / (2 * (uint64_t)deal->comm->size);
    uint64_t wanted = fair < 1 ? 1 : fair < deal->chunk ? fair : deal->chunk;
    uint64_t granted = 0;
    HnPoolGrant grant;
    while (granted < wanted && hn_pool_take(deal->pool, rank, wanted - granted, &grant)) {
        HN_TRY(to_worker(deal, rank, GRANT, grant.first, grant.count, grant.ticket, err));
        granted += grant.count;
    }
    deal->hungry[rank] = granted == 0;
    return granted == 0 ? HN_OK : to_worker(deal, rank, GRANTED, 0, 0, 0, err);
}

/* After every change: feeds ranks that wait, and tells all when nothing is left to come. */
static HnStatus dealer_settle(HnDeal *deal, HnError *err) {
    if (deal->end_told) {
        return HN_OK;
    }
    for (int r = 0; r < deal->comm->size && !deal->cancel_asked; r++) {
        if (deal->hungry[r] && !deal->gone[r]) {
            HN_TRY(answer_ask(deal, r, err));
        }
    }
    uint64_t left = 0, first_left = 0;
    bool settled = hn_pool_is_settled(deal->pool, deal->gone, &left, &first_left);
    if (!settled && !deal->cancel_asked) {
        return HN_OK;
    }
    deal->end_told = true;
    for (int r = 0; r < deal->comm->size; r++) {
        HN_TRY(to_worker(deal, r, END, left, first_left, settled ? 0 : 1, err));
    }
    return HN_OK;
}

static HnStatus dealer_message(HnDeal *deal, int from, const HnMessage *message, HnError *err) {
    switch (message->kind) {
    case ASK:
        hn_pool_finish(deal->pool, message->a);
        deal->hungry[from] = true;
        break;
    case DONE:
        hn_pool_finish(deal->pool, message->a);
        break;
    case RETURN:
        HN_TRY(hn_pool_put_back(deal->pool, message->a, message->b, message->c == REFUSED ? from : -1, err));
        break;
    case LEAVE:
        hn_pool_finish(deal->pool, message->a);
        deal->gone[from] = true;
        break;
    case CANCEL:
        deal->cancel_asked = true;
        break;
    case BYE:
        deal->silent[from] = true;
        break;
    default:
        return hn_fail(err, HN_INTERNAL, "rank %d sent an unknown message to the dealer", from);
    }
    return dealer_settle(deal, err);
}

/* ---- the worker ------------------------------------------------------------------------------------------------ */

static HnStatus grow(void *address, size_t *capacity, size_t needed, size_t size, HnError *err) {
    if (needed <= *capacity) {
        return HN_OK;
    }
    size_t larger = *capacity == 0 ? 64 : 2 * *capacity;
    HN_TRY(hn_resize(address, *capacity * size, larger, size, "list of work items", err));
    *capacity = larger;
    return HN_OK;
}

static HnStatus worker_message(HnDeal *deal, const HnMessage *message, HnError *err) {
    switch (message->kind) {
    case GRANT:
        if (deal->queue_begin == deal->queue_end) {
            deal->queue_begin = deal->queue_end = 0;
        }
        HN_TRY(grow(&deal->queue, &deal->queue_capacity, deal->queue_end + 1, sizeof *deal->queue, err));
        deal->queue[deal->queue_end++] = (Range){message->a, message->b, message->c};
        deal->queued += message->b;
        return HN_OK;
    case GRANTED:
        deal->asked = false;
        return HN_OK;
    case END:
        deal->finished = true;
        deal->left = message->a;
        deal->first_left = message->b;
        deal->cancelled = message->c != 0;
        return HN_OK;
    default:
        return hn_fail(err, HN_INTERNAL, "the dealer sent an unknown message");
    }
}

static HnStatus report(HnDeal *deal, HnError *err) {
    uint64_t n = deal->unreported;
    deal->unreported = 0;
    return n == 0 ? HN_OK : to_dealer(deal, DONE, n, 0, 0, err);
}

static HnStatus ask_ahead(HnDeal *deal, HnError *err) {
    if (deal->asked || deal->finished || deal->queued > deal->chunk / 2) {
        return HN_OK;
    }
    deal->asked = true;
    uint64_t n = deal->unreported;
    deal->unreported = 0;
    return to_dealer(deal, ASK, n, 0, 0, err);
}

static HnStatus poll_messages(HnDeal *deal, HnError *err) {
    bool got = true;
    while (got) {
        HnMessage message;
        int from = 0;
        HN_TRY(hn_message_receive(deal->comm, &from, &message, &got, err));
        if (got) {
            HN_TRY(deal->comm->rank == 0 ? dealer_message(deal, from, &message, err)
                                         : worker_message(deal, &message, err));
        }
    }
    return HN_OK;
}

/* Remembers a failure for hn_deal_end. */
static HnStatus note(HnDeal *deal, HnStatus status) {
    deal->broken = deal->broken || status != HN_OK;
    return status;
}

HnStatus hn_deal_poll(HnDeal *deal, HnError *err) {
    return note(deal, poll_messages(deal, err));
}

static HnStatus next_item(HnDeal *deal, uint64_t *item, bool *got, bool *finished, HnError *err) {
    HN_TRY(poll_messages(deal, err));
    if (deal->queued == 0 && deal->n_taken == 0) {
        HN_TRY(report(deal, err));
    }
    HN_TRY(ask_ahead(deal, err));
    *finished = deal->finished;
    if (deal->queued == 0 || deal->finished) {
        return HN_OK;
    }
    Range *range = &deal->queue[deal->queue_begin];
    HN_TRY(grow(&deal->taken, &deal->taken_capacity, deal->n_taken + 1, sizeof *deal->taken, err));
    deal->taken[deal->n_taken++] = (Taken){range->first, range->ticket};
    *item = range->first++;
    *got = true;
    deal->queued--;
    if (--range->count == 0) {
        deal->queue_begin++;
    }
    return ask_ahead(deal, err);
}

HnStatus hn_deal_next(HnDeal *deal, uint64_t *item, bool *got, bool *finished, HnError *err) {
    *item = 0;
    *got = *finished = false;
    return note(deal, next_item(deal, item, got, finished, err));
}

/* Takes item off the list of those the caller works on. */
static HnStatus drop_taken(HnDeal *deal, uint64_t item, Taken *taken, HnError *err) {
    for (size_t i = 0; i < deal->n_taken; i++) {
        if (deal->taken[i].item == item) {
            *taken = deal->taken[i];
            deal->taken[i] = deal->taken[--deal->n_taken];
            return HN_OK;
        }
    }
    return hn_fail(err, HN_INTERNAL, "work item %llu is not one that this rank is working on",
                   (unsigned long long)item);
}

HnStatus hn_deal_done(HnDeal *deal, uint64_t item, HnError *err) {
    Taken taken = {0};
    HN_TRY(drop_taken(deal, item, &taken, err));
    deal->unreported++;
    if (deal->unreported >= REPORT_EVERY || (deal->queued == 0 && deal->n_taken == 0)) {
        HN_TRY(note(deal, report(deal, err)));
    }
    return hn_deal_poll(deal, err);
}

HnStatus hn_deal_return(HnDeal *deal, uint64_t item, HnError *err) {
    Taken taken = {0};
    HN_TRY(drop_taken(deal, item, &taken, err));
    HN_TRY(note(deal, to_dealer(deal, RETURN, taken.item, taken.ticket, REFUSED, err)));
    return hn_deal_poll(deal, err);
}

HnStatus hn_deal_cancel(HnDeal *deal, HnError *err) {
    return note(deal, to_dealer(deal, CANCEL, 0, 0, 0, err));
}

uint64_t hn_deal_finished_count(const HnDeal *deal) {
    return deal->pool == NULL ? 0 : hn_pool_finished_count(deal->pool);
}

/* ---- start and end --------------------------------------------------------------------------------------------- */

static void deal_free(HnDeal *deal) {
    deal->comm->dealing = false;
    hn_pool_free(&deal->pool);
    hn_free(deal->queue);
    hn_free(deal->taken);
    hn_free(deal->hungry);
    hn_free(deal->gone);
    hn_free(deal->silent);
    hn_free(deal);
}

static HnStatus start_dealer(HnDeal *deal, uint64_t n, const uint8_t *done, HnError *err) {
    size_t size = (size_t)deal->comm->size;
    deal->hungry = hn_alloc(size, sizeof *deal->hungry, "waiting ranks", err);
    deal->gone = hn_alloc(size, sizeof *deal->gone, "ranks that left", err);
    deal->silent = hn_alloc(size, sizeof *deal->silent, "ranks that ended", err);
    if (deal->hungry == NULL || deal->gone == NULL || deal->silent == NULL) {
        return HN_MEMORY;
    }
    return hn_pool_create(n, done, deal->comm->size, &deal->pool, err);
}

HnStatus hn_deal_start(HnComm *comm, uint64_t n, const uint8_t *done, uint64_t chunk, HnDeal **out, HnError *err) {
    *out = NULL;
    HnDeal *deal = NULL;
    HnStatus status = HN_OK;
    if (comm->dealing) {
        status = hn_fail(err, HN_INTERNAL, "a group deals one list of work at a time");
    } else if ((deal = hn_alloc(1, sizeof *deal, "deal", err)) == NULL) {
        status = HN_MEMORY;
    } else {
        deal->comm = comm;
        deal->chunk = chunk == 0 ? 1 : chunk;
        comm->dealing = true;
        status = comm->rank == 0 ? start_dealer(deal, n, done, err) : HN_OK;
    }
    /* Also keeps the messages of this deal from those of the last. */
    status = hn_comm_agree(comm, status, err);
    if (status == HN_OK && comm->rank == 0) {
        status = dealer_settle(deal, err); /* nothing to do at all: END at once */
    }
    if (status == HN_OK) {
        status = ask_ahead(deal, err);
    }
    if (status != HN_OK) {
        if (deal != NULL) {
            deal_free(deal);
        }
        return status;
    }
    *out = deal;
    return HN_OK;
}

/* Nothing more will be done here: what this rank holds goes back for others. */
static HnStatus give_all_back(HnDeal *deal, HnError *err) {
    for (; deal->queue_begin < deal->queue_end; deal->queue_begin++) {
        Range *range = &deal->queue[deal->queue_begin];
        for (uint64_t i = 0; i < range->count && !deal->cancelled; i++) {
            HN_TRY(to_dealer(deal, RETURN, range->first + i, range->ticket, UNSTARTED, err));
        }
    }
    deal->queued = 0;
    while (deal->n_taken > 0 && !deal->cancelled) {
        Taken taken = deal->taken[--deal->n_taken];
        HN_TRY(to_dealer(deal, RETURN, taken.item, taken.ticket, UNSTARTED, err));
    }
    return HN_OK;
}

/* Rank 0 goes on until nobody will write to it again. */
static bool all_silent(const HnDeal *deal) {
    for (int r = 0; deal->comm->rank == 0 && r < deal->comm->size; r++) {
        if (!deal->silent[r]) {
            return false;
        }
    }
    return true;
}

/* Deals on (rank 0) or waits for the end, giving back what still comes: a grant may cross our leave. */
static HnStatus see_it_through(HnDeal *deal, HnError *err) {
    struct timespec pause = {0, 500000};
    bool said_bye = false;
    if (deal->broken) {
        HN_TRY(to_dealer(deal, CANCEL, 0, 0, 0, err));
    }
    /* LEAVE goes first, so that what is given back does not come straight back to us. */
    uint64_t n = deal->unreported;
    deal->unreported = 0;
    HN_TRY(to_dealer(deal, LEAVE, n, 0, 0, err));
    for (;;) {
        HN_TRY(give_all_back(deal, err));
        if (deal->finished && !said_bye) {
            HN_TRY(to_dealer(deal, BYE, 0, 0, 0, err));
            said_bye = true;
        }
        if (said_bye && all_silent(deal)) {
            break;
        }
        nanosleep(&pause, NULL);
        HN_TRY(poll_messages(deal, err));
    }
    HN_TRY(hn_message_flush(deal->comm, err));
    return hn_comm_barrier(deal->comm, err);
}

HnStatus hn_deal_end(HnDeal **address, HnError *err) {
    HnDeal *deal = *address;
    HnStatus status = see_it_through(deal, err);
    if (status == HN_OK && deal->cancelled) {
        status = hn_fail(err, HN_INTERRUPTED,
                         "the work was stopped before its end; what is finished is kept, start the same command again");
    } else if (status == HN_OK && deal->left > 0) {
        status =
            hn_fail(err, HN_NETWORK,
                    "%llu work items are left that no rank can do (the first is item %llu): see the warnings above "
                    "for the cause, mend it and start the same command again, what is finished is kept",
                    (unsigned long long)deal->left, (unsigned long long)deal->first_left);
    }
    deal_free(deal);
    *address = NULL;
    return status;
}
