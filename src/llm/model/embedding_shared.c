/* Decoders: what sorted prompts begin with in common is computed once.
 *
 * A node is a run of sorted prompts, first .. end-1, that all share their first `depth` tokens; it is computed behind
 * what its parent shares. Nodes of one prompt are whole prompts. Ready nodes, those whose parent is in the cache, lie
 * on a stack, and a step takes from its top as many as it holds: so deep nodes come first and the cache stays small.
 *
 * A step never gets stuck for want of pages: beyond its first node it leaves enough of them for any one prompt with all
 * its levels (LEVELS forks copy a page each). So only the nodes of a single path can use these up, and it ends in a
 * prompt, whose pages come back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "embedding_private.h"
#include "lm_private.h"

enum {
    LEVELS = 16,     /* nodes above a prompt at most */
    LEAST_SAVED = 8, /* tokens that a node of its own must save */
    STEPS_CACHED = 4 /* a cache holds this many steps, beside the longest prompt */
};

typedef struct Node {
    size_t first, end;     /* of the sorted sequences */
    uint32_t begin, depth; /* tokens that its parent shares, and that it shares */
    uint32_t level;
    int32_t parent; /* sequence of the cache, or -1 */
} Node;

typedef struct Work {
    HnLmEmbedding *embedding;
    const HnLmSequence *sequences; /* [n], sorted */
    uint32_t *common;              /* [n]: with the sequence before, at least one token less than either has */
    Node *ready;                   /* [n_ready]: a stack */
    size_t n_ready;
    Node *step; /* [n_step]: of the step at hand, with their sequences in embedding->runs */
    size_t n_step;
    uint32_t waiting[HN_EMBEDDING_SEQUENCES]; /* children of a sequence that are not forked yet */
    uint32_t reserve_pages, n_open;           /* n_open: sequences of the cache in use */
} Work;

static int by_tokens(const void *a, const void *b) {
    const HnLmSequence *one = a, *two = b;
    const uint32_t n = one->n_tokens < two->n_tokens ? one->n_tokens : two->n_tokens;
    for (uint32_t t = 0; t < n; t++) {
        if (one->tokens[t] != two->tokens[t]) {
            return one->tokens[t] < two->tokens[t] ? -1 : 1;
        }
    }
    if (one->n_tokens != two->n_tokens) {
        return one->n_tokens < two->n_tokens ? -1 : 1;
    }
    return one->number < two->number ? -1 : one->number > two->number;
}

static uint32_t common_tokens(const HnLmSequence *one, const HnLmSequence *two) {
    const uint32_t most = (one->n_tokens < two->n_tokens ? one->n_tokens : two->n_tokens) - 1;
    uint32_t n = 0;
    while (n < most && one->tokens[n] == two->tokens[n]) {
        n++;
    }
    return n;
}

static void push(Work *work, Node node) {
    work->ready[work->n_ready++] = node;
    if (node.parent >= 0) {
        work->waiting[node.parent]++;
    }
}

static bool is_prompt(const Node *node) {
    return node->end == node->first + 1;
}

/* Pushes what comes behind `above`'s tokens: the parts of first .. end-1 that share more than `split` tokens, each as a
 * node of its own where that pays, else cut further; single prompts as they are. */
static void expand(Work *work, size_t first, size_t end, uint32_t split, const Node *above) {
    while (first < end) {
        Node part = {.first = first,
                     .end = first + 1,
                     .begin = above->depth,
                     .depth = UINT32_MAX,
                     .level = above->level + 1,
                     .parent = above->parent};
        for (; part.end < end && work->common[part.end] > split; part.end++) {
            part.depth = work->common[part.end] < part.depth ? work->common[part.end] : part.depth;
        }
        if (is_prompt(&part)) {
            part.depth = work->sequences[first].n_tokens;
            push(work, part);
        } else if (part.level > LEVELS) {
            expand(work, first, part.end, UINT32_MAX, above);
        } else if ((part.depth - part.begin) * (uint64_t)(part.end - first - 1) >= LEAST_SAVED) {
            push(work, part);
        } else {
            expand(work, first, part.end, part.depth, above);
        }
        first = part.end;
    }
}

/* Whether the node fits the step; its first one may use what is kept back. promised: pages that the step's nodes will
 * fill, which only the model's call reserves. */
static bool fits(const Work *work, const Node *node, uint64_t n_rows, uint32_t promised) {
    const HnKv *kv = work->embedding->kv;
    const uint32_t pages = hn_lm_pages(node->depth) - node->begin / HN_KV_PAGE;
    if (work->n_step == 0) {
        return true;
    }
    return n_rows + node->depth - node->begin <= work->embedding->max_rows &&
           work->n_step < work->embedding->max_rows && work->n_open + LEVELS + 2 <= HN_EMBEDDING_SEQUENCES &&
           kv->n_free >= promised + pages + work->reserve_pages;
}

/* Opens the node's sequence; its parent's ends with the last fork. */
static HnStatus open_sequence(Work *work, const Node *node, int32_t *sequence, HnError *err) {
    HnLmEmbedding *embedding = work->embedding;
    HnKv *kv = embedding->kv;
    const size_t width = embedding->width;
    *sequence = node->parent < 0 ? hn_kv_begin(kv) : hn_kv_fork(kv, node->parent, node->begin);
    if (*sequence < 0) {
        return hn_fail(err, HN_INTERNAL, "the cache of %u pages has no room for a shared prefix", kv->n_pages);
    }
    work->n_open++;
    double *sums = embedding->sums + (size_t)*sequence * width;
    memset(sums, 0, width * sizeof *sums);
    if (node->parent >= 0) {
        memcpy(sums, embedding->sums + (size_t)node->parent * width, width * sizeof *sums);
        if (--work->waiting[node->parent] == 0) {
            hn_kv_end(kv, node->parent);
            work->n_open--;
        }
    }
    work->waiting[*sequence] = 0;
    return HN_OK;
}

/* Takes nodes off the stack. */
static HnStatus take_step(Work *work, uint64_t *n_rows, bool *has_prompts, HnError *err) {
    HnLmEmbedding *embedding = work->embedding;
    work->n_step = 0;
    *n_rows = 0;
    *has_prompts = false;
    uint32_t promised = 0;
    while (work->n_ready > 0 && fits(work, &work->ready[work->n_ready - 1], *n_rows, promised)) {
        const Node *node = &work->ready[work->n_ready - 1];
        int32_t sequence = -1;
        HN_TRY(open_sequence(work, node, &sequence, err));
        const uint32_t n = node->depth - node->begin;
        promised += hn_kv_pages_for(embedding->kv, sequence, n);
        embedding->runs[work->n_step] = (HnLmRun){sequence, n, work->sequences[node->first].tokens + node->begin};
        work->step[work->n_step++] = *node;
        *n_rows += n;
        *has_prompts = *has_prompts || is_prompt(node);
        work->n_ready--;
    }
    return HN_OK;
}

/* What a step's nodes leave: vectors of prompts, and children of the others. */
static void finish_step(Work *work, const float *hidden, float *vectors) {
    HnLmEmbedding *embedding = work->embedding;
    const bool mean = hn_lm_embedding_rows(embedding) == HN_LM_ALL;
    const float *row = hidden;
    for (size_t s = 0; s < work->n_step; s++) {
        const Node *node = &work->step[s];
        const HnLmRun *run = &embedding->runs[s];
        double *sums = embedding->sums + (size_t)run->sequence * embedding->width;
        if (mean) {
            hn_lm_embedding_add(embedding, row, run->n_tokens, sums);
        }
        if (is_prompt(node)) {
            const HnLmSequence *sequence = &work->sequences[node->first];
            hn_lm_embedding_finish(embedding, row, sums, sequence->n_tokens,
                                   vectors + sequence->number * embedding->width);
            hn_kv_end(embedding->kv, run->sequence);
            work->n_open--;
        } else {
            Node above = *node;
            above.parent = run->sequence;
            expand(work, node->first, node->end, node->depth, &above);
        }
        row += (mean ? run->n_tokens : 1) * (size_t)embedding->width;
    }
}

static HnStatus compute(Work *work, float *vectors, HnError *err) {
    HnLmEmbedding *embedding = work->embedding;
    const HnLmRows rows = hn_lm_embedding_rows(embedding);
    while (work->n_ready > 0) {
        uint64_t n_rows = 0;
        bool has_prompts = false;
        HN_TRY(take_step(work, &n_rows, &has_prompts, err));
        HN_TRY(hn_lm_embedding_reserve(embedding, rows == HN_LM_ALL ? n_rows : work->n_step, err));
        float *hidden = has_prompts || rows == HN_LM_ALL ? embedding->hidden : NULL;
        HN_TRY(hn_lm_forward(embedding->lm, embedding->kv, embedding->runs, work->n_step, rows, hidden, err));
        embedding->counts.computed += n_rows;
        finish_step(work, hidden, vectors);
    }
    return HN_OK;
}

uint32_t hn_lm_embedding_pages(uint32_t max_rows, uint32_t longest) {
    return STEPS_CACHED * hn_lm_pages(max_rows) + hn_lm_pages(longest) + LEVELS + 1;
}

/* A cache for prompts of up to `longest` tokens. */
static HnStatus make_cache(HnLmEmbedding *embedding, uint32_t longest, HnError *err) {
    if (embedding->kv == NULL || longest > embedding->kv_longest) {
        hn_kv_free(&embedding->kv);
        const uint32_t n_pages = hn_lm_embedding_pages(embedding->max_rows, longest);
        HN_TRY(hn_kv_create(embedding->lm, n_pages, HN_EMBEDDING_SEQUENCES, &embedding->kv, err));
        embedding->kv_longest = longest;
    }
    return HN_OK;
}

static HnStatus share(Work *work, HnLmSequence *sequences, size_t n, float *vectors, HnError *err) {
    uint32_t longest = 1;
    qsort(sequences, n, sizeof *sequences, by_tokens);
    for (size_t s = 0; s < n; s++) {
        longest = sequences[s].n_tokens > longest ? sequences[s].n_tokens : longest;
        work->common[s] = s > 0 && !work->embedding->unshared ? common_tokens(&sequences[s - 1], &sequences[s]) : 0;
    }
    HN_TRY(make_cache(work->embedding, longest, err));
    work->reserve_pages = hn_lm_pages(longest) + LEVELS;
    const Node none = {.parent = -1};
    expand(work, 0, n, 0, &none);
    const HnStatus status = compute(work, vectors, err);
    if (status != HN_OK) { /* whatever it holds, the next call makes another */
        hn_kv_free(&work->embedding->kv);
    }
    return status;
}

HnStatus hn_lm_embedding_shared(HnLmEmbedding *embedding, HnLmSequence *sequences, size_t n, float *vectors,
                                HnError *err) {
    if (n == 0) {
        return HN_OK;
    }
    Work *work = hn_alloc(1, sizeof *work, "work of shared prefixes", err);
    if (work == NULL) {
        return HN_MEMORY;
    }
    work->embedding = embedding;
    work->sequences = sequences;
    work->common = hn_alloc(n, sizeof *work->common, "common prefixes", err);
    work->ready = hn_alloc(n, sizeof *work->ready, "prefixes that are ready", err);
    work->step = hn_alloc(embedding->max_rows, sizeof *work->step, "prefixes of a step", err);
    const HnStatus status = work->common == NULL || work->ready == NULL || work->step == NULL
                                ? HN_MEMORY
                                : share(work, sequences, n, vectors, err);
    hn_free(work->step);
    hn_free(work->ready);
    hn_free(work->common);
    hn_free(work);
    return status;
}
