#include "rank_cases.h"

static int64_t deep_widths[] = {24, 10};

static HnTrainConfig semantic_config(void) {
    HnTrainConfig config = small_config();
    config.sampler.name = HN_SAMPLER_SEMANTIC;
    config.align.lambda = 0.1;
    return config;
}

static size_t add_hop_cases(Case *cases, size_t n) {
    cases[n] = (Case){.name = "mixgcf", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.layers = 3;
    cases[n++].config.sampler.name = HN_SAMPLER_MIXGCF;
    cases[n] = (Case){.name = "mixgcf mf, by element", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.backbone = HN_BACKBONE_MF;
    cases[n].config.sampler.mix_per = HN_MIX_PER_ELEMENT;
    cases[n++].config.sampler.name = HN_SAMPLER_MIXGCF;
    cases[n] = (Case){.name = "dins", .config = small_config(), .n_users = 50, .n_items = 37};
    cases[n].config.train.batch = 100, cases[n].config.train.l2 = 0.01;
    cases[n++].config.sampler.name = HN_SAMPLER_DINS;
    cases[n] = (Case){.name = "dins ngcf", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.backbone = HN_BACKBONE_NGCF, cases[n].config.ngcf.dropout = 0.2;
    cases[n++].config.sampler.name = HN_SAMPLER_DINS;
    cases[n] = (Case){.name = "mixgcf sgl", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.backbone = HN_BACKBONE_SGL;
    cases[n++].config.sampler.name = HN_SAMPLER_MIXGCF;
    cases[n] = (Case){.name = "dins, upper layers", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.pool = HN_POOL_UPPER, cases[n].config.model.layers = 3;
    cases[n].config.train.reg_rows = HN_ROWS_LAYER1;
    cases[n++].config.sampler.name = HN_SAMPLER_DINS;
    cases[n] = (Case){.name = "mixgcf, three negatives", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.sampler.negatives = 3;
    cases[n++].config.sampler.name = HN_SAMPLER_MIXGCF;
    cases[n] = (Case){.name = "mixgcf, norms", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.train.reg = HN_REG_NORM;
    cases[n++].config.sampler.name = HN_SAMPLER_MIXGCF;
    cases[n] = (Case){.name = "dins, norms of final rows", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.train.reg = HN_REG_NORM, cases[n].config.train.reg_rows = HN_ROWS_FINAL;
    cases[n++].config.sampler.name = HN_SAMPLER_DINS;
    cases[n] = (Case){.name = "softmax of five", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.sampler.name = HN_SAMPLER_RNS, cases[n].config.sampler.negatives = 5;
    cases[n].config.train.reg_rows = HN_ROWS_LAYERS;
    cases[n++].config.loss.name = HN_LOSS_SOFTMAX;
    cases[n] = (Case){.name = "dns, all of four", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.sampler.mn = HN_DNS_ALL, cases[n].config.sampler.pick = 4;
    cases[n++].config.sampler.name = HN_SAMPLER_DNS;
    return n;
}

static size_t add_edge_cases(Case *cases, size_t n) {
    cases[n] = (Case){.name = "dropped edges, mixgcf", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.layers = 3, cases[n].config.model.edge_dropout = 0.4;
    cases[n].cut = true;
    cases[n++].config.sampler.name = HN_SAMPLER_MIXGCF;
    cases[n] = (Case){.name = "edges dropped by layer", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.layers = 3, cases[n].config.model.edge_dropout = 0.4;
    cases[n].config.model.edge_masks = HN_MASKS_OF_LAYER, cases[n].cut = true;
    cases[n++].config.train.batch = 30;
    cases[n] = (Case){.name = "dropped edges, summed", .config = small_config(), .n_users = 90, .n_items = 700};
    cases[n].config.model.edge_dropout = 0.2, cases[n].config.model.edge_rescale = false;
    cases[n++].config.model.pool = HN_POOL_SUM;
    return n;
}

static size_t make_cases(Case *cases) {
    size_t n = 0;
    cases[n] = (Case){.name = "mf", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n++].config.model.backbone = HN_BACKBONE_MF;
    cases[n] = (Case){.name = "lightgcn", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n++].config.model.layers = 3;
    cases[n] = (Case){.name = "one layer, dim 1, hinge", .config = small_config(), .n_users = 40, .n_items = 30};
    cases[n].config.model.layers = 1, cases[n].config.model.dim = 1;
    cases[n].config.model.init = HN_INIT_NORMAL;
    cases[n++].config.loss.name = HN_LOSS_HINGE;
    cases[n] = (Case){.name = "dns", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.sampler.name = HN_SAMPLER_DNS, cases[n].config.sampler.pick = 3;
    cases[n].config.sampler.similarity = HN_SIMILAR_COSINE, cases[n].config.train.batch = 30;
    cases[n].config.train.epoch_unit = HN_EPOCH_DISTINCT_USERS;
    cases[n++].config.sampler.candidates = 9;
    cases[n] = (Case){.name = "ahns mf", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.backbone = HN_BACKBONE_MF;
    cases[n].config.sampler.similarity = HN_SIMILAR_DISTANCE, cases[n].config.sampler.draw_from = HN_DRAW_ALL;
    cases[n++].config.sampler.name = HN_SAMPLER_AHNS;
    cases[n] = (Case){.name = "popularity", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n++].config.sampler.name = HN_SAMPLER_POPULARITY;
    n = add_hop_cases(cases, n);
    n = add_edge_cases(cases, n);
    cases[n] = (Case){.name = "softmax in batch, summed", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.sampler.name = HN_SAMPLER_IN_BATCH, cases[n].config.train.batch = 150;
    cases[n].config.model.pool = HN_POOL_SUM, cases[n].config.loss.reduce = HN_REDUCE_SUM;
    cases[n++].config.loss.name = HN_LOSS_SOFTMAX;
    cases[n] =
        (Case){.name = "bpr in batch, norms, users' epochs", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.sampler.name = HN_SAMPLER_IN_BATCH, cases[n].config.train.reg = HN_REG_NORM;
    cases[n++].config.train.epoch_unit = HN_EPOCH_USER;
    cases[n] = (Case){.name = "drawn users, all parameters", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.train.reg = HN_REG_ALL_PARAMS, cases[n].config.train.epoch_unit = HN_EPOCH_USER_UNIFORM;
    cases[n].config.model.pool = HN_POOL_FINAL, cases[n++].config.loss.epsilon = 1e-5;
    cases[n] =
        (Case){.name = "sums in pieces of shared memory", .config = small_config(), .n_users = 90, .n_items = 700};
    cases[n].config.model.dim = 32, cases[n++].config.model.layers = 3;
    cases[n] = (Case){.name = "more ranks than users", .config = small_config(), .n_users = 2, .n_items = 30};
    cases[n++].config.train.batch = 7;
    cases[n] =
        (Case){.name = "semantic own", .config = semantic_config(), .n_users = 61, .n_items = 43, .vectors = true};
    cases[n++].config.train.batch = 100;
    cases[n] = (Case){.name = "semantic batch deep",
                      .config = semantic_config(),
                      .n_users = 50,
                      .n_items = 37,
                      .vectors = true,
                      .absent = true};
    cases[n].config.align.negatives = HN_ALIGN_BATCH, cases[n].config.align.vector = HN_ALIGN_ADAPTED;
    cases[n].config.semantic.alpha = 0.5;
    cases[n++].config.semantic.adapter_hidden = (HnIntList){deep_widths, 2};
    cases[n] = (Case){.name = "random vectors, frozen",
                      .config = semantic_config(),
                      .n_users = 50,
                      .n_items = 37,
                      .vectors = true,
                      .absent = true};
    cases[n].config.semantic.vectors = HN_VECTORS_RANDOM, cases[n].config.semantic.missing = HN_MISSING_RANDOM_VECTOR;
    cases[n++].config.semantic.adapter_frozen = true;
    cases[n] = (Case){.name = "sgl", .config = small_config(), .n_users = 61, .n_items = 600, .cut = true};
    cases[n++].config.model.backbone = HN_BACKBONE_SGL;
    cases[n] = (Case){.name = "sgl nodes, batch", .config = small_config(), .n_users = 61, .n_items = 43};
    cases[n].config.model.backbone = HN_BACKBONE_SGL, cases[n].config.ssl.augment = HN_AUGMENT_NODE;
    cases[n++].config.ssl.denominator = HN_DENOMINATOR_BATCH;
    cases[n] = (Case){.name = "sgl walk, dim 3, two users", .config = small_config(), .n_users = 2, .n_items = 30};
    cases[n].config.model.backbone = HN_BACKBONE_SGL, cases[n].config.ssl.augment = HN_AUGMENT_WALK;
    cases[n++].config.model.dim = 3;
    return n;
}

static size_t make_ngcf_cases(Case *cases) {
    static const char *const names[] = {"ngcf paper, mixgcf", "ngcf author, dns", "ngcf mixgcf, semantic",
                                        "ngcf recbole"};
    const size_t n = sizeof names / sizeof *names;
    for (size_t v = 0; v < n; v++) {
        cases[v] = (Case){.name = names[v], .config = small_config(), .n_users = 61, .n_items = 43};
        cases[v].config.model.backbone = HN_BACKBONE_NGCF;
        cases[v].config.model.layers = 3 - (int64_t)(v % 3);
        cases[v].config.ngcf.variant = (HnNgcfVariant)v;
        cases[v].config.ngcf.dropout = v == 0 ? 0.0 : 0.2;
    }
    cases[0].config.sampler.name = HN_SAMPLER_MIXGCF;
    cases[1].config.sampler.name = HN_SAMPLER_DNS;
    cases[1].cut = true;
    cases[2].config.sampler.name = HN_SAMPLER_SEMANTIC, cases[2].vectors = true;
    cases[1].config.train.reg_rows = cases[2].config.train.reg_rows = HN_ROWS_FINAL;
    cases[3].config.train.reg_rows = HN_ROWS_FINAL, cases[3].config.train.reg = HN_REG_NORM;
    cases[3].n_users = 90, cases[3].n_items = 1300; /* several runs of item rows */
    return n;
}

static size_t make_dgcf_cases(Case *cases) {
    static const char *const names[] = {"dgcf", "dgcf, dins, deep"};
    const size_t n = sizeof names / sizeof *names;
    for (size_t v = 0; v < n; v++) {
        cases[v] = (Case){.name = names[v], .config = small_config(), .n_users = 61, .n_items = 43};
        cases[v].config.model.backbone = HN_BACKBONE_DGCF;
        cases[v].config.model.layers = 1 + (int64_t)v;
        cases[v].config.dgcf.factors = 4, cases[v].config.dgcf.iterations = 2;
        cases[v].config.dgcf.correlation = 0.01;
    }
    cases[0].cut = true;
    cases[1].config.sampler.name = HN_SAMPLER_DINS;
    return n;
}

size_t rank_cases(Case *cases) {
    size_t n = make_cases(cases);
    n += make_ngcf_cases(cases + n);
    n += make_dgcf_cases(cases + n);
    return n;
}
