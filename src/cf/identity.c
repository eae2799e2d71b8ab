/* Who a training is: everything that its result depends on, one "key: value" a line. A checkpoint carries it, and is
 * refused by a training that differs. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "cf/session.h"
#include "store.h"

static HnStatus put_list(HnText *text, const char *key, const HnIntList *list, HnError *err) {
    HN_TRY(hn_text_printf(text, err, "%s:", key));
    for (size_t i = 0; i < list->n; i++) {
        HN_TRY(hn_text_printf(text, err, " %lld", (long long)list->items[i]));
    }
    return hn_text_puts(text, "\n", err);
}

static HnStatus put_model(HnText *text, const HnTrainConfig *c, HnError *err) {
    return hn_text_printf(text, err,
                          "model.backbone: %d\nmodel.dim: %lld\nmodel.layers: %lld\nmodel.init: %d\n"
                          "model.init_std: %.17g\nmodel.pool: %d\nmodel.edge_dropout: %.17g\nmodel.edge_rescale: "
                          "%d\nmodel.edge_masks: %d\nsampler.name: %d\nloss.name: %d\nloss.margin: %.17g\n"
                          "loss.epsilon: %.17g\nloss.tau: %.17g\nloss.reduce: %d\n",
                          (int)c->model.backbone, (long long)c->model.dim, (long long)c->model.layers,
                          (int)c->model.init, c->model.init_std, (int)c->model.pool, c->model.edge_dropout,
                          c->model.edge_rescale, (int)c->model.edge_masks, (int)c->sampler.name, (int)c->loss.name,
                          c->loss.margin, c->loss.epsilon, c->loss.tau, (int)c->loss.reduce);
}

static HnStatus put_sampler(HnText *text, const HnTrainConfig *c, HnError *err) {
    return hn_text_printf(text, err,
                          "sampler.exponent: %.17g\nsampler.candidates: %lld\nsampler.pick: %lld\n"
                          "sampler.ahns_alpha: %.17g\nsampler.ahns_beta: %.17g\nsampler.ahns_p: %lld\n"
                          "sampler.mix_per: %d\nsampler.dins_alpha: %.17g\nsampler.negatives: %lld\nsampler.mn: %d\n"
                          "sampler.draw_from: %d\nsampler.weight: %d\nsampler.similarity: %d\n",
                          c->sampler.exponent, (long long)c->sampler.candidates, (long long)c->sampler.pick,
                          c->sampler.ahns_alpha, c->sampler.ahns_beta, (long long)c->sampler.ahns_p,
                          (int)c->sampler.mix_per, c->sampler.dins_alpha, (long long)c->sampler.negatives,
                          (int)c->sampler.mn, (int)c->sampler.draw_from, (int)c->sampler.weight,
                          (int)c->sampler.similarity);
}

static HnStatus put_backbones(HnText *text, const HnTrainConfig *c, HnError *err) {
    return hn_text_printf(text, err,
                          "ngcf.variant: %d\nngcf.dropout: %.17g\ndgcf.factors: %lld\ndgcf.iterations: %lld\n"
                          "dgcf.correlation: %.17g\n",
                          (int)c->ngcf.variant, c->ngcf.dropout, (long long)c->dgcf.factors,
                          (long long)c->dgcf.iterations, c->dgcf.correlation);
}

static HnStatus put_ssl(HnText *text, const HnTrainConfig *c, HnError *err) {
    return hn_text_printf(text, err,
                          "ssl.augment: %d\nssl.rho: %.17g\nssl.tau: %.17g\nssl.lambda: %.17g\n"
                          "ssl.denominator: %d\nssl.reduce: %d\n",
                          (int)c->ssl.augment, c->ssl.rho, c->ssl.tau, c->ssl.lambda, (int)c->ssl.denominator,
                          (int)c->ssl.reduce);
}

static HnStatus put_semantic(HnText *text, const HnTrainConfig *c, HnError *err) {
    HN_TRY(put_list(text, "semantic.adapter_hidden", &c->semantic.adapter_hidden, err));
    return hn_text_printf(text, err,
                          "semantic.alpha: %.17g\nsemantic.activation: %d\nsemantic.adapter_frozen: %d\n"
                          "semantic.adapter_last_relu: %d\nsemantic.missing: %d\nsemantic.vectors: %d\n"
                          "align.lambda: %.17g\nalign.tau: %.17g\nalign.negatives: %d\nalign.vector: %d\n",
                          c->semantic.alpha, (int)c->semantic.activation, c->semantic.adapter_frozen,
                          c->semantic.adapter_last_relu, (int)c->semantic.missing, (int)c->semantic.vectors,
                          c->align.lambda, c->align.tau, (int)c->align.negatives, (int)c->align.vector);
}

static HnStatus put_training(HnText *text, const HnTrainConfig *c, HnError *err) {
    HN_TRY(put_list(text, "eval.ks", &c->eval.ks, err));
    return hn_text_printf(
        text, err,
        "train.epochs: %lld\ntrain.batch: %lld\ntrain.learning_rate: %.17g\ntrain.l2: %.17g\n"
        "train.eval_every: %lld\ntrain.patience: %lld\ntrain.stop_metric: %s\n"
        "train.drop_last: %d\ntrain.virtual_shards: %lld\neval.mask: %d\neval.select_on: %d\n"
        "train.reg: %d\ntrain.reg_rows: %d\ntrain.reg_divide: %d\ntrain.epoch_unit: %d\ntrain.eval_first: %lld\n",
        (long long)c->train.epochs, (long long)c->train.batch, c->train.learning_rate, c->train.l2,
        (long long)c->train.eval_every, (long long)c->train.patience, c->train.stop_metric, c->train.drop_last,
        (long long)c->train.virtual_shards, (int)c->eval.mask, (int)c->eval.select_on, (int)c->train.reg,
        (int)c->train.reg_rows, (int)c->train.reg_divide, (int)c->train.epoch_unit, (long long)c->train.eval_first);
}

static HnStatus put_groups(HnText *text, const HnTrainConfig *c, HnError *err) {
    HN_TRY(put_list(text, "eval.activity_bounds", &c->eval.activity_bounds, err));
    HN_TRY(hn_text_printf(text, err,
                          "eval.false_negative_users: %lld\neval.activity_groups: %lld\neval.popularity_shares:",
                          (long long)c->eval.false_negative_users, (long long)c->eval.activity_groups));
    for (size_t i = 0; i < c->eval.popularity_shares.n; i++) {
        HN_TRY(hn_text_printf(text, err, " %.17g", c->eval.popularity_shares.items[i]));
    }
    return hn_text_puts(text, "\n", err);
}

HnStatus hn_session_identity(HnSession *session, HnError *err) {
    const HnTrainJob *job = session->job;
    if (job->vectors_path != NULL) {
        HN_TRY(hn_store_content_id(job->vectors_path, session->vectors_id, err));
    }
    HnText text = {0};
    HnStatus status =
        hn_text_printf(&text, err, "data set: %s\nvectors: %s\nseed: %lld\nreproducible: %d\n",
                       hn_dataset_id(job->dataset), session->vectors_id, (long long)job->seed, job->reproducible);
    status = status == HN_OK ? put_model(&text, job->config, err) : status;
    status = status == HN_OK ? put_sampler(&text, job->config, err) : status;
    status = status == HN_OK ? put_backbones(&text, job->config, err) : status;
    status = status == HN_OK ? put_ssl(&text, job->config, err) : status;
    status = status == HN_OK ? put_semantic(&text, job->config, err) : status;
    status = status == HN_OK ? put_training(&text, job->config, err) : status;
    status = status == HN_OK ? put_groups(&text, job->config, err) : status;
    if (status != HN_OK) {
        hn_text_free(&text);
        return status;
    }
    session->identity = text.data;
    return HN_OK;
}

static size_t line_length(const char *text) {
    return strcspn(text, "\n");
}

HnStatus hn_identity_compare(const char *stored, const char *mine, const char *where, HnError *err) {
    while (*stored != '\0' || *mine != '\0') {
        size_t a = line_length(stored), b = line_length(mine);
        if (a != b || memcmp(stored, mine, a) != 0) {
            return hn_fail(
                err, HN_CONFLICT,
                "%s belongs to another training: it says \"%.*s\", now it is \"%.*s\"; choose another output "
                "folder, or remove the checkpoints there",
                where, (int)a, stored, (int)b, mine);
        }
        stored += a + (stored[a] == '\n');
        mine += b + (mine[b] == '\n');
    }
    return HN_OK;
}
