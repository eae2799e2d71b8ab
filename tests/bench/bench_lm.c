/* bench_lm NAME MODEL [PEER_COMMAND]: a whole language model, one line; README.md says what is done and beside whom.
 * NAME: lm-prefill-TYPE, lm-decode-TYPE-B (B sequences), lm-embed-TYPE; `own`: the peer is this program itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench.h"
#include "cpu.h"
#include "llm/model/lm.h"

enum { PROMPT = 512, HELD = 128, STEPS = 16, SHARED = 160, ITEMS = 20, MOST_SEQUENCES = 32, LONGEST = 640 };

typedef struct Bench {
    HnLm *lm;
    HnKv *kv;
    float *hidden, *logits;
    uint32_t tokens[ITEMS][LONGEST], n_tokens[ITEMS]; /* prompts of one user's items */
    int32_t held[MOST_SEQUENCES];
    int batch;
    HnError err;
} Bench;

/* As tests/peers/lm.py: 160 common tokens, then 48 to 128 of their own. */
static void make_prompts(Bench *b) {
    for (uint32_t item = 0; item < ITEMS; item++) {
        uint32_t n = SHARED + 48 + 80 * item / (ITEMS - 1);
        for (uint32_t i = 0; i < SHARED; i++) {
            b->tokens[item][i] = (7 * i + 3) % 5000 + 100;
        }
        for (uint32_t i = SHARED; i < n; i++) {
            b->tokens[item][i] = (11 * (i - SHARED) + 131 * item) % 5000 + 100;
        }
        b->n_tokens[item] = n;
    }
}

static void must(Bench *b, HnStatus status) {
    if (status != HN_OK) {
        fprintf(stderr, "bench_lm: %s\n", b->err.message);
        exit(1);
    }
}

static void prefill(void *context) {
    Bench *b = context;
    static uint32_t prompt[PROMPT];
    for (int i = 0; i < PROMPT; i++) {
        prompt[i] = b->tokens[0][i % (int)b->n_tokens[0]];
    }
    HnLmRun run = {hn_kv_begin(b->kv), PROMPT, prompt};
    must(b, hn_lm_forward(b->lm, b->kv, &run, 1, HN_LM_LAST, b->hidden, &b->err));
    must(b, hn_lm_logits(b->lm, 1, b->hidden, b->logits, &b->err));
    hn_kv_end(b->kv, run.sequence);
}

static uint32_t best_token(const float *logits, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        best = logits[i] > logits[best] ? i : best;
    }
    return best;
}

static void decode(void *context) {
    Bench *b = context;
    const uint32_t n_vocab = hn_lm_config(b->lm)->n_vocab;
    uint32_t next[MOST_SEQUENCES];
    HnLmRun runs[MOST_SEQUENCES];
    for (int s = 0; s < b->batch; s++) {
        next[s] = 1;
        runs[s] = (HnLmRun){hn_kv_fork(b->kv, b->held[s], HELD), 1, &next[s]};
    }
    for (int step = 0; step < STEPS; step++) {
        must(b, hn_lm_forward(b->lm, b->kv, runs, (size_t)b->batch, HN_LM_LAST, b->hidden, &b->err));
        must(b, hn_lm_logits(b->lm, b->batch, b->hidden, b->logits, &b->err));
        for (int s = 0; s < b->batch; s++) {
            next[s] = best_token(b->logits + (size_t)s * n_vocab, n_vocab);
        }
    }
    for (int s = 0; s < b->batch; s++) {
        hn_kv_end(b->kv, runs[s].sequence);
    }
}

static void start_decode(Bench *b, int batch) {
    b->batch = batch;
    for (int s = 0; s < batch; s++) {
        HnLmRun run = {b->held[s] = hn_kv_begin(b->kv), HELD, b->tokens[0]};
        must(b, hn_lm_forward(b->lm, b->kv, &run, 1, HN_LM_LAST, b->hidden, &b->err));
    }
}

static void embed(Bench *b, bool share) {
    HnLmRun first = {share ? hn_kv_begin(b->kv) : -1, SHARED, b->tokens[0]}, runs[ITEMS];
    uint32_t skip = share ? SHARED : 0;
    if (share) {
        must(b, hn_lm_forward(b->lm, b->kv, &first, 1, HN_LM_LAST, NULL, &b->err));
    }
    for (int i = 0; i < ITEMS; i++) {
        runs[i] = (HnLmRun){share ? hn_kv_fork(b->kv, first.sequence, SHARED) : hn_kv_begin(b->kv),
                            b->n_tokens[i] - skip, b->tokens[i] + skip};
    }
    must(b, hn_lm_forward(b->lm, b->kv, runs, ITEMS, HN_LM_LAST, b->hidden, &b->err));
    for (int i = 0; i < ITEMS; i++) {
        hn_kv_end(b->kv, runs[i].sequence);
    }
    if (share) {
        hn_kv_end(b->kv, first.sequence);
    }
}

static void embed_shared(void *context) {
    embed(context, true);
}

static void embed_alone(void *context) {
    embed(context, false);
}

/* Multiply-adds of the layers' products, twice: flops a token; attention and logits left out. */
static double layer_flops(const HnLmConfig *c) {
    double heads = (double)c->n_heads * c->head_dim, kv = 2.0 * c->n_kv_heads * c->head_dim;
    return 2.0 * c->n_layers * c->hidden * (2.0 * heads + kv + 3.0 * c->ffn);
}

/* Bytes of weights that a step of a few tokens must read. */
static double step_bytes(const HnLmConfig *c, HnWeightType type) {
    int64_t hidden = c->hidden, heads = (int64_t)c->n_heads * c->head_dim, kv = (int64_t)c->n_kv_heads * c->head_dim;
    HnWeightType head = type == HN_WEIGHT_NF4 ? HN_WEIGHT_INT8 : type; /* as lm.h has it */
    double layer =
        (double)hn_weight_bytes(type, heads + 2 * kv, hidden) + (double)hn_weight_bytes(type, hidden, heads) +
        (double)hn_weight_bytes(type, 2 * (int64_t)c->ffn, hidden) + (double)hn_weight_bytes(type, hidden, c->ffn);
    return c->n_layers * layer + (double)hn_weight_bytes(head, c->n_vocab, hidden);
}

static void open_model(Bench *b, const char *folder, HnWeightType type) {
    HnLmOptions options = {.weights = type, .head = true};
    must(b, hn_lm_open(folder, &options, &b->lm, &b->err));
    must(b, hn_kv_create(b->lm, 400, MOST_SEQUENCES, &b->kv, &b->err));
    const HnLmConfig *config = hn_lm_config(b->lm);
    b->hidden = hn_alloc((size_t)MOST_SEQUENCES * config->hidden, sizeof(float), "hidden states", &b->err);
    b->logits = hn_alloc((size_t)MOST_SEQUENCES * config->n_vocab, sizeof(float), "logits", &b->err);
    must(b, b->hidden && b->logits ? HN_OK : HN_MEMORY);
    make_prompts(b);
}

static void close_model(Bench *b) {
    hn_free(b->hidden);
    hn_free(b->logits);
    hn_kv_free(&b->kv);
    hn_lm_close(&b->lm);
}

/* What the lines are held to (ratio to the peer; share of the floor), by weight type. */
static const double prefill_goal[] = {1.15, 0.0, 0.0, 0.0, 0.85};
static const double decode_goal[] = {1.05, 0.0, 1.3, 1.6, 1.3}, decode_share[] = {0.8, 0.0, 0.8, 0.7, 0.5};
static const double batch_goal[] = {1.3, 0.0, 1.7, 1.5, 1.5};
static const double embed_goal[] = {3.2, 0.0, 5.0, 0.0, 0.0};

static double own_ms(const char *folder, HnWeightType type, void (*work)(void *)) {
    Bench other = {0};
    open_model(&other, folder, type);
    double ms = 1e3 * bench_time(work, &other, 2, 3.0).median;
    close_model(&other);
    return ms;
}

/* Rounds of the work and of a run of the floor, so that what else the machine does meets both; the peer takes its turns
 * between. units: what one round of the work comes to in the floor's unit. */
static void measure(Bench *b, void (*work)(void *), BenchFloor *floor, double units, BenchPeer *peer, BenchLine *line) {
    enum { LEAST = 5, MOST = 200 };
    const double seconds = 8.0;
    double ours[MOST], shares[MOST], spent = 0.0;
    int n = 0;
    work(b);
    bench_peer_turn(peer);
    bench_peer_forget(peer);
    for (; n < MOST && (n < LEAST || spent < seconds); n++) {
        const double start = bench_own_seconds();
        work(b);
        ours[n] = bench_own_seconds() - start;
        spent += ours[n];
        if (floor != NULL && bench_floor_units(floor) > 0.0) {
            shares[n] = units / ours[n] / (bench_floor_units(floor) / bench_floor_run(floor));
        }
        bench_peer_turn(peer);
    }
    line->ours_ms = 1e3 * bench_median(ours, n);
    line->peer_ms = bench_peer_ms(peer);
    line->share = floor != NULL && bench_floor_units(floor) > 0.0 ? bench_median(shares, n) : 0.0;
}

static void bench_prefill(Bench *b, const char *folder, HnWeightType type, BenchPeer *peer, BenchLine *line) {
    const bool narrow = strstr(hn_linear_path(type), "bf16") != NULL;
    BenchFloor *floor = narrow ? bench_floor_narrow() : bench_floor_multiply_adds();
    measure(b, prefill, floor, 1e-9 * PROMPT * layer_flops(hn_lm_config(b->lm)), peer, line);
    line->goal = prefill_goal[type];
    line->floor = narrow ? "bf16 products in registers" : "multiply-adds in registers";
    if (type == HN_WEIGHT_NF4) {
        line->peer_ms = own_ms(folder, HN_WEIGHT_BF16, prefill);
    }
    snprintf(line->note, sizeof line->note, "%.0f tokens/s; %s; peer %s", 1e3 * PROMPT / line->ours_ms,
             hn_linear_path(type), type == HN_WEIGHT_NF4 ? "own bf16" : "transformers");
}

static void bench_decode(Bench *b, HnWeightType type, int batch, BenchPeer *peer, BenchLine *line) {
    BenchFloor *floor = bench_floor_read();
    start_decode(b, batch);
    measure(b, decode, floor, 1e-9 * STEPS * step_bytes(hn_lm_config(b->lm), type), peer, line);
    line->ours_ms /= STEPS;
    line->goal = batch == 1 ? decode_goal[type] : batch_goal[type];
    line->share_goal = batch == 1 ? decode_share[type] : 0.0;
    line->floor = "the read-only stream";
    snprintf(line->note, sizeof line->note, "%.1f tokens/s; %s", 1e3 * batch / line->ours_ms, hn_linear_path(type));
}

static void bench_embed(Bench *b, HnWeightType type, bool own, BenchPeer *peer, BenchLine *line) {
    measure(b, embed_shared, NULL, 0.0, peer, line);
    if (own) {
        BenchLine alone = {0};
        measure(b, embed_alone, NULL, 0.0, NULL, &alone);
        line->peer_ms = alone.ours_ms;
    }
    line->goal = own ? 2.6 : embed_goal[type];
    snprintf(line->note, sizeof line->note, "%.1f prompts/s; peer %s", 1e3 * ITEMS / line->ours_ms,
             own ? "this program, nothing shared" : "transformers, one padded batch");
}

/* The most memory that both have held, files that are mapped included. */
static void add_peaks(const BenchPeer *peer, BenchLine *line) {
    const size_t n = strlen(line->note);
    snprintf(line->note + n, sizeof line->note - n, "; peak %.2f GB", bench_peak_gb(NULL));
    if (peer != NULL) {
        const size_t with = strlen(line->note);
        snprintf(line->note + with, sizeof line->note - with, ", peer's %.2f", bench_peak_gb(peer));
    }
}

/* "lm-decode-bf16-8" -> bf16. */
static bool type_of(const char *name, HnWeightType *type) {
    for (int t = 0; t < 5; t++) {
        char part[16];
        snprintf(part, sizeof part, "-%s", hn_weight_type_name((HnWeightType)t));
        const char *at = strstr(name, part);
        if (at != NULL && (at[strlen(part)] == '\0' || at[strlen(part)] == '-')) {
            *type = (HnWeightType)t;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv) {
    HnWeightType type;
    if (argc < 3 || !type_of(argv[1], &type)) {
        fprintf(stderr, "usage: bench_lm lm-prefill-TYPE|lm-decode-TYPE-BATCH|lm-embed-TYPE[-own] MODEL [PEER]\n");
        return 2;
    }
    Bench b = {0};
    BenchLine line = {.name = argv[1]};
    open_model(&b, argv[2], type);
    BenchPeer *peer = bench_peer_start(argc > 3 ? argv[3] : NULL);
    if (strstr(argv[1], "prefill") != NULL) {
        bench_prefill(&b, argv[2], type, peer, &line);
    } else if (strstr(argv[1], "decode") != NULL) {
        bench_decode(&b, type, strcmp(strrchr(argv[1], '-'), "-8") == 0 ? 8 : 1, peer, &line);
    } else {
        bench_embed(&b, type, strstr(argv[1], "-own") != NULL, peer, &line);
    }
    add_peaks(peer, &line);
    bench_peer_stop(peer);
    bench_line_print(&line);
    close_model(&b);
    return 0;
}
