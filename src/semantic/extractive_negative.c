/* Hard negatives by text: an item close to what the user took, which the user did not take.
 *
 * Candidates are the NEAREST pool items of the interacted item. The one (for sample s: the s-th best) is chosen that
 * maximises
 *
 *     score(j) = 1/2 cos(t_j, t_i) + 1/2 cos(t_j, p_u),   p_u = the user's profile + the mean of the user's items
 *
 * among items the user has not taken; equal scores by lower item number. Where the neighbours do not suffice the whole
 * pool is looked through; where nothing is left the answer is None.
 */
#include <string.h>

#include "answer.h"
#include "base/alloc.h"
#include "base/sorted.h"
#include "extractive.h"
#include "pool.h"
#include "row.h"

enum { NEAREST = 128, TEXT_BLOCK = 256 };

/* A candidate and its score. */
typedef struct Choice {
    int32_t item;
    float score, to_item, to_user;
} Choice;

/* ---- vectors ---- */

/* Vectors of a block of texts; each thread has an embedder of its own. Bits do not depend on the threads. */
static HnStatus embed_block(HnExtractive *self, const HnText *texts, size_t n, float *vectors, HnError *err) {
    int failed = 0;
#pragma omp parallel reduction(+ : failed)
    {
        HnError own = HN_ERROR_INIT;
        HnEmbedder *embedder = NULL;
        failed += hn_embedder_create(self->terms, self->dim, &embedder, &own) != HN_OK;
#pragma omp for schedule(dynamic, 8)
        for (size_t i = 0; i < n; i++) {
            if (embedder) {
                failed += hn_embedder_text(embedder, hn_text_get(&texts[i]), texts[i].length,
                                           vectors + i * (size_t)self->dim, NULL, &own) != HN_OK;
            }
        }
        hn_embedder_free(&embedder);
    }
    return failed ? hn_fail(err, HN_MEMORY, "out of memory while embedding item texts") : HN_OK;
}

static HnStatus embed_items(HnExtractive *self, HnError *err) {
    uint64_t n_items = hn_dataset_items(self->dataset);
    size_t dim = (size_t)self->dim;
    HnText *texts = hn_alloc(TEXT_BLOCK, sizeof *texts, "item texts", err);
    self->item_vectors = hn_alloc(n_items * dim, sizeof *self->item_vectors, "item text vectors", err);
    HnStatus status = texts && self->item_vectors ? HN_OK : HN_MEMORY;
    for (uint64_t begin = 0; begin < n_items && status == HN_OK; begin += TEXT_BLOCK) {
        size_t n = n_items - begin < TEXT_BLOCK ? (size_t)(n_items - begin) : TEXT_BLOCK;
        for (size_t i = 0; i < n && status == HN_OK; i++) {
            hn_text_clear(&texts[i]);
            status = hn_extractive_item_text(self, (uint32_t)(begin + i), &texts[i], err);
        }
        if (status == HN_OK) {
            status = embed_block(self, texts, n, self->item_vectors + begin * dim, err);
        }
    }
    for (size_t i = 0; texts && i < TEXT_BLOCK; i++) {
        hn_text_free(&texts[i]);
    }
    hn_free(texts);
    return status;
}

HnStatus hn_extractive_prepare_negatives(HnExtractive *self, const HnExtractiveJob *jobs, size_t n, HnError *err) {
    uint32_t items[HN_EXTRACTIVE_QUEUE];
    size_t n_items = 0;
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].task == HN_TASK_HARD_NEGATIVE) {
            items[n_items++] = jobs[i].item;
        }
    }
    if (n_items == 0) {
        return HN_OK;
    }
    if (!self->neighbours) {
        HN_TRY(embed_items(self, err));
        self->user_vector = hn_alloc((size_t)self->dim, sizeof *self->user_vector, "user text vector", err);
        if (!self->user_vector) {
            return HN_MEMORY;
        }
        HN_TRY(hn_neighbours_create(self->item_vectors, hn_dataset_items(self->dataset), self->dim, NEAREST,
                                    &self->neighbours, err));
    }
    return hn_neighbours_find(self->neighbours, items, n_items, err);
}

/* Holds the user's items and vector. Pairs come by user, so one user is remembered. */
static HnStatus hold_user(HnExtractive *self, uint32_t user, HnError *err) {
    const HnRowOps *rows = hn_row_ops_cpu();
    if (self->user == user) {
        return HN_OK;
    }
    self->user = UINT32_MAX;
    hn_pairs_free(&self->taken);
    self->taken = (HnPairs){0};
    HN_TRY(hn_dataset_pairs(self->dataset, HN_PART_TRAIN, user, (uint64_t)user + 1, &self->taken, err));
    size_t n = (size_t)(self->taken.offsets[1] - self->taken.offsets[0]);
    hn_text_clear(&self->source);
    HN_TRY(hn_evidence_user_profile(self->evidence, user, &self->source, err));
    HN_TRY(hn_embedder_text(self->embedder, hn_text_get(&self->source), self->source.length, self->user_vector, NULL,
                            err));
    for (size_t i = 0; i < n; i++) {
        rows->axpy(self->user_vector, 1.0F / (float)n,
                   self->item_vectors + (uint64_t)self->taken.items[i] * (uint64_t)self->dim, self->dim);
    }
    hn_vector_normalise(self->user_vector, self->dim);
    self->user = user;
    return HN_OK;
}

/* ---- choosing ---- */

static bool better(const Choice *a, const Choice *b) {
    return a->score != b->score ? a->score > b->score : a->item < b->item;
}

/* Keeps the n_best best choices in order. */
static void offer(Choice *best, size_t *n, size_t n_best, Choice new) {
    if (*n == n_best) {
        if (!better(&new, &best[*n - 1])) {
            return;
        }
        (*n)--;
    }
    size_t at = (*n)++;
    while (at > 0 && better(&new, &best[at - 1])) {
        best[at] = best[at - 1];
        at--;
    }
    best[at] = new;
}

static bool may_be_chosen(const HnExtractive *self, uint32_t interacted, int32_t candidate) {
    size_t n = (size_t)(self->taken.offsets[1] - self->taken.offsets[0]);
    return candidate >= 0 && candidate != (int32_t)interacted && !hn_sorted_has(self->taken.items, n, candidate);
}

static Choice weigh(const HnExtractive *self, uint32_t interacted, int32_t candidate) {
    const HnRowOps *rows = hn_row_ops_cpu();
    uint64_t dim = (uint64_t)self->dim;
    const float *vector = self->item_vectors + (uint64_t)candidate * dim;
    float to_item = rows->dot(vector, self->item_vectors + (uint64_t)interacted * dim, self->dim);
    float to_user = rows->dot(vector, self->user_vector, self->dim);
    return (Choice){candidate, 0.5F * to_item + 0.5F * to_user, to_item, to_user};
}

/* best [n_best]; *n of them found. */
static void choose(const HnExtractive *self, uint32_t item, Choice *best, size_t n_best, size_t *n) {
    const int32_t *near = hn_neighbours_of(self->neighbours, item);
    *n = 0;
    for (int i = 0; i < hn_neighbours_k(self->neighbours); i++) {
        if (may_be_chosen(self, item, near[i])) {
            offer(best, n, n_best, weigh(self, item, near[i]));
        }
    }
    if (*n == n_best) {
        return;
    }
    *n = 0;
    for (uint64_t candidate = 0; candidate < hn_dataset_items(self->dataset); candidate++) {
        if (may_be_chosen(self, item, (int32_t)candidate)) {
            offer(best, n, n_best, weigh(self, item, (int32_t)candidate));
        }
    }
}

HnStatus hn_extractive_hard_negative(HnExtractive *self, HnExtractiveJob *job, HnError *err) {
    size_t n_best = (size_t)job->sample + 1, n = 0;
    HN_TRY(hold_user(self, job->user, err));
    Choice *best = hn_alloc(n_best, sizeof *best, "candidates", err);
    if (!best) {
        return HN_MEMORY;
    }
    choose(self, job->item, best, n_best, &n);
    Choice choice = n == n_best ? best[n - 1] : (Choice){.item = -1};
    hn_free(best);
    hn_text_clear(&self->body);
    hn_text_clear(&self->reason);
    if (choice.item < 0) {
        HN_TRY(hn_text_puts(&self->body, "None", err));
        HN_TRY(hn_text_puts(&self->reason, "The user has taken every other item of the pool.", err));
        return hn_extractive_answer(self, job, "hard_negative_item", err);
    }
    HN_TRY(hn_evidence_item_name(self->evidence, (uint32_t)choice.item, &self->body, err));
    size_t brief = hn_first_words(hn_text_get(&self->body), self->body.length, HN_MAX_ITEM_WORDS);
    if (brief < self->body.length) {
        self->body.length = brief;
        self->body.data[brief] = '\0';
    }
    HN_TRY(
        hn_text_printf(&self->reason, err,
                       "Text cosine %.3f to the item taken and %.3f to the user's profile and history, yet not taken.",
                       (double)choice.to_item, (double)choice.to_user));
    return hn_extractive_answer(self, job, "hard_negative_item", err);
}
