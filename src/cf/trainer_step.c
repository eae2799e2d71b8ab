/* One step: take the batch, draw negatives, forward, losses, backward, optimiser. Everything that could differ between
 * ranks is either a function of (seed, epoch, position) or agreed on. */
#include <string.h>

#include "base/log.h"
#include "cf/rows.h"
#include "cf/sums.h"
#include "cf/trainer.h"

/* Final vectors of all rows, for a sampler that chooses by score. Models without layers have them at hand. */
static HnStatus look_at_scores(HnTrainer *trainer, HnError *err) {
    if (!trainer->sampler->by_score) {
        return HN_OK;
    }
    if (hn_model_layers(trainer->config) == 0) {
        trainer->finals = (HnFinals){trainer->users.value, trainer->items.value, trainer->items.value};
        if (trainer->users.waits) {
            hn_batch_index_users(&trainer->batch);
            hn_deferred_rows(&trainer->later_users, trainer->batch.users, trainer->batch.n_users);
        }
        return HN_OK;
    }
    trainer->finals = (HnFinals){trainer->final_users, trainer->final_items, trainer->item_hops};
    if (trainer->model->look != NULL) {
        hn_batch_index_users(&trainer->batch);
        return trainer->model->look(trainer->model_state, &trainer->batch, trainer->final_users, trainer->final_items,
                                    trainer->item_hops, err);
    }
    return trainer->model->embed(trainer->model_state, trainer->final_users, trainer->final_items, trainer->item_hops,
                                 err);
}

/* The batch's rows, taken from all. */
static void gather(HnTrainer *trainer) {
    HnBatch *batch = &trainer->batch;
    hn_rows_gather(batch->user_vectors, trainer->finals.users, batch->users, batch->n_users, batch->width);
    hn_rows_gather(batch->item_vectors, trainer->finals.items, batch->items, batch->n_items, batch->width);
}

static HnStatus forward(HnTrainer *trainer, HnError *err) {
    if (trainer->finals.users == NULL || trainer->model->forward_after_look || trainer->batch.row_hops > 0) {
        return trainer->model->forward(trainer->model_state, &trainer->batch, err);
    }
    gather(trainer);
    return HN_OK;
}

static HnStatus start_epoch(HnTrainer *trainer, HnError *err) {
    if (trainer->order_ready) {
        return HN_OK;
    }
    trainer->order_ready = true;
    hn_order_start_epoch(&trainer->order, (uint64_t)trainer->job->seed, (uint32_t)trainer->epoch);
    return trainer->model->start_epoch == NULL ? HN_OK
                                               : trainer->model->start_epoch(trainer->model_state, trainer->epoch, err);
}

static HnStatus take_batch(HnTrainer *trainer, const HnGivenBatch *given, HnError *err) {
    HnBatch *batch = &trainer->batch;
    trainer->finals = (HnFinals){NULL, NULL, NULL};
    batch->all_item_hops = NULL;
    batch->step = trainer->steps;
    if (given == NULL) {
        hn_batch_take(batch, &trainer->order, &trainer->shards, (uint32_t)trainer->epoch, trainer->step_in_epoch);
    } else {
        HN_TRY(hn_comm_agree(trainer->comm, hn_batch_take_given(batch, &trainer->shards, given->pairs, given->n, err),
                             err));
    }
    if (given != NULL && given->negatives != NULL) {
        const size_t draws = (size_t)batch->draws;
        for (uint32_t k = 0; k < batch->n; k++) {
            memcpy(batch->negative + k * draws, given->negatives + batch->position[k] * draws, draws * sizeof(int32_t));
        }
    } else {
        HN_TRY(look_at_scores(trainer, err));
        batch->all_item_hops = trainer->finals.item_hops;
        trainer->sampler->draw(trainer->sampler_state, batch, &trainer->finals);
    }
    HN_TRY(hn_batch_index(batch, trainer->comm, err));
    hn_deferred_rows(&trainer->later_users, batch->users, batch->n_users);
    hn_deferred_rows(&trainer->later_items, batch->items, batch->n_items);
    return HN_OK;
}

HnStatus hn_trainer_look(HnTrainer *trainer, const uint64_t *pairs, uint64_t n, uint64_t epoch, HnError *err) {
    HnBatch *batch = &trainer->batch;
    batch->step = trainer->steps;
    HN_TRY(hn_comm_agree(trainer->comm, hn_batch_take_given(batch, &trainer->shards, pairs, n, err), err));
    batch->epoch = (uint32_t)epoch;
    if (hn_model_layers(trainer->config) == 0) {
        trainer->finals = (HnFinals){trainer->users.value, trainer->items.value, trainer->items.value};
    } else {
        HN_TRY(trainer->model->embed(trainer->model_state, trainer->final_users, trainer->final_items,
                                     trainer->item_hops, err));
        trainer->finals = (HnFinals){trainer->final_users, trainer->final_items, trainer->item_hops};
    }
    batch->all_item_hops = trainer->finals.item_hops;
    trainer->sampler->draw(trainer->sampler_state, batch, &trainer->finals);
    HN_TRY(hn_batch_index(batch, trainer->comm, err));
    gather(trainer);
    return trainer->sampler->forward(trainer->sampler_state, batch, err);
}

/* A user who took every item has no negative, and one without pairs leaves the places empty that it is drawn for: these
 * are skipped, said once. */
static void warn_skips(HnTrainer *trainer) {
    const HnBatch *batch = &trainer->batch;
    if (batch->n_used < batch->n_positions && !trainer->warned_skips) {
        trainer->warned_skips = true;
        if (hn_comm_rank(trainer->comm) != 0) {
            return;
        }
        hn_log(
            HN_LOG_WARN,
            "%s: some users took every item%s, so there is nothing to compare and they are skipped (%llu of the %llu "
            "pairs of this batch)",
            trainer->job->variant, batch->repeats ? ", or have no training pair" : "",
            (unsigned long long)(batch->n_positions - batch->n_used), (unsigned long long)batch->n_positions);
    }
}

static HnStatus losses(HnTrainer *trainer, HnLossSums *sums, HnError *err) {
    HnBatch *batch = &trainer->batch;
    HN_TRY(forward(trainer, err));
    HN_TRY(trainer->sampler->forward(trainer->sampler_state, batch, err));
    const HnRanking ranking = hn_ranking(trainer->config, batch);
    if (trainer->config->sampler.name == HN_SAMPLER_IN_BATCH) {
        HN_TRY(hn_loss_in_batch(batch, &trainer->in_batch, &ranking, trainer->comm, sums, err));
    } else {
        hn_loss_ranking(batch, &ranking, sums);
    }
    hn_l2_squares(trainer->config, batch, &trainer->users, &trainer->items, &trainer->shards, sums);
    if (trainer->model->own_loss != NULL) {
        HN_TRY(trainer->model->own_loss(trainer->model_state, batch, sums, err));
    }
    return trainer->sampler->align(trainer->sampler_state, batch, sums, err);
}

static void report_step(HnTrainer *trainer, const HnLossSums *sums, double l2, HnStepReport *report) {
    double n = trainer->batch.n_used > 0 ? (double)trainer->batch.n_used : 1.0;
    report->n_pairs = trainer->batch.n_used;
    report->loss[HN_LOSS_RANKING] =
        hn_loss_from_fixed(sums->ranking) / (double)hn_ranking(trainer->config, &trainer->batch).divisor;
    report->loss[HN_LOSS_ALIGN] = trainer->config->align.lambda * hn_loss_from_fixed(sums->align) / n;
    report->loss[HN_LOSS_L2] = l2;
    report->loss[HN_LOSS_HARDER] = sums->n_hard > 0 ? (double)sums->n_harder / (double)sums->n_hard : 0.0;
    report->loss[HN_LOSS_OWN] = hn_loss_from_fixed(sums->own) / n;
    report->loss[HN_LOSS_TOTAL] = report->loss[HN_LOSS_RANKING] + report->loss[HN_LOSS_ALIGN] +
                                  report->loss[HN_LOSS_L2] + report->loss[HN_LOSS_OWN];
}

/* What is left to do for one table's rows that the model has finished: L2, and the optimiser's step where there is one.
 */
typedef struct Finish {
    const HnTrainer *trainer;
    HnTable *table;
    const HnL2 *l2;
    void (*l2_gradient)(const HnL2 *l2, const HnBatch *batch, const HnTable *table, uint64_t first, uint64_t last,
                        float *gradients);
    const HnAdamStep *adam; /* NULL: gradients only */
} Finish;

static void finish_rows(void *context, uint64_t first, uint64_t last, float *gradients) {
    const Finish *finish = context;
    const HnTrainer *trainer = finish->trainer;
    finish->l2_gradient(finish->l2, &trainer->batch, finish->table, first, last, gradients);
    if (finish->adam != NULL) {
        hn_table_adam_rows(finish->table, finish->adam, first, last, gradients);
    }
}

/* L2 of what is trained beside the tables: the sampler's own parameters, whose gradient it has added itself, and the
 * model's where all parameters count. */
static double others_l2(HnTrainer *trainer) {
    const HnTrainConfig *config = trainer->config;
    HnTable *of_model = hn_model_parameters(trainer->model, trainer->model_state);
    double value = hn_l2_own_value(config, &trainer->batch, trainer->sampler->l2(trainer->sampler_state));
    if (of_model != NULL && config->train.reg == HN_REG_ALL_PARAMS) {
        const double squares = hn_table_squares(of_model);
        value += hn_l2_own_value(config, &trainer->batch, squares);
        hn_l2_own_gradient(of_model, hn_l2_own_weight(config, &trainer->batch, squares));
    }
    return value;
}

/* Loss and gradients of a batch; with adam, the tables' rows are updated on the way. */
static HnStatus batch_run(HnTrainer *trainer, const HnGivenBatch *given, const HnAdamStep *adam, HnStepReport *report,
                          HnError *err) {
    HnBatch *batch = &trainer->batch;
    HnL2 l2;
    Finish users = {trainer, &trainer->users, &l2, hn_l2_gradient_users, adam};
    Finish items = {trainer, &trainer->items, &l2, hn_l2_gradient_items, adam};
    const HnRowsDone users_done = {finish_rows, &users}, items_done = {finish_rows, &items};
    HnLossSums sums = {0};
    HN_TRY(start_epoch(trainer, err));
    HN_TRY(take_batch(trainer, given, err));
    warn_skips(trainer);
    HN_TRY(losses(trainer, &sums, err));
    HN_TRY(hn_l2_pairs(trainer->config, batch, trainer->comm, &sums, err));
    HN_TRY(trainer->sampler->backward(trainer->sampler_state, batch, err));
    trainer->stop = hn_stop_requested();
    HN_TRY(hn_loss_add_up(&trainer->adder, batch, &sums, &trainer->stop, err));
    l2 = hn_l2_of_batch(trainer->config, batch, &sums);
    hn_l2_hops(&l2, batch);
    HN_TRY(trainer->model->backward(trainer->model_state, batch, adam == NULL, &users_done, &items_done, err));
    report_step(trainer, &sums, l2.value + others_l2(trainer), report);
    return HN_OK;
}

static HnStatus run_or_explain(HnTrainer *trainer, const HnGivenBatch *given, const HnAdamStep *adam,
                               HnStepReport *report, HnError *err) {
    HnError cause = HN_ERROR_INIT;
    HnStatus status = batch_run(trainer, given, adam, report, &cause);
    if (status == HN_NUMERIC) {
        return hn_fail(err, status, "%s, seed %lld, epoch %llu, step %llu: %s", trainer->job->variant,
                       (long long)trainer->job->seed, (unsigned long long)trainer->epoch + 1,
                       (unsigned long long)trainer->step_in_epoch + 1, cause.message);
    }
    return status == HN_OK ? HN_OK : hn_fail(err, status, "%s", cause.message);
}

HnStatus hn_trainer_gradients(HnTrainer *trainer, const HnGivenBatch *given, HnStepReport *report, HnError *err) {
    return run_or_explain(trainer, given, NULL, report, err);
}

/* The sampler's own parameters and the model's, and the count of steps. */
static void finish_update(HnTrainer *trainer) {
    HnTable *own = trainer->sampler->parameters(trainer->sampler_state);
    HnTable *of_model = hn_model_parameters(trainer->model, trainer->model_state);
    trainer->steps++;
    if (own != NULL && !trainer->config->semantic.adapter_frozen) {
        hn_table_adam(own, trainer->config->train.learning_rate, trainer->steps);
    }
    if (of_model != NULL) {
        hn_table_adam(of_model, trainer->config->train.learning_rate, trainer->steps);
    }
}

void hn_trainer_update(HnTrainer *trainer) {
    const double rate = trainer->config->train.learning_rate;
    hn_table_adam(&trainer->users, rate, trainer->steps + 1);
    if (trainer->items.shared) { /* others may be reading: L2 of their gradients */
        HnTable slice = hn_host_items_slice(trainer->host_items, &trainer->items);
        hn_host_items_meet(trainer->host_items);
        hn_table_adam(&slice, rate, trainer->steps + 1);
        hn_host_items_meet(trainer->host_items);
    } else {
        hn_table_adam(&trainer->items, rate, trainer->steps + 1);
    }
    finish_update(trainer);
}

/* Whether a step goes over more than that: parameters, both moments, and a layer where there are any. */
static bool past_cache(const HnTrainer *trainer) {
    const uint64_t blocks = hn_model_layers(trainer->config) > 0 ? 4 : 3;
    return (trainer->users.n_rows + trainer->items.n_rows) * (uint64_t)trainer->dim * blocks * sizeof(float) >
           HN_LAST_CACHE;
}

/* Rows may be left behind. */
static HnStatus step(HnTrainer *trainer, HnStepReport *report, HnError *err) {
    HnAdamStep adam = hn_adam_step(trainer->config->train.learning_rate, trainer->steps + 1);
    adam.past_cache = past_cache(trainer);
    HN_TRY(run_or_explain(trainer, NULL, &adam, report, err));
    hn_deferred_step(&trainer->later_users, &adam, trainer->batch.users, trainer->batch.n_users);
    hn_deferred_step(&trainer->later_items, &adam, trainer->batch.items, trainer->batch.n_items);
    finish_update(trainer);
    for (int i = 0; i < HN_N_LOSSES; i++) {
        trainer->running.sums[i] += report->loss[i];
    }
    trainer->running.n_steps++;
    trainer->pairs_done += report->n_pairs;
    trainer->step_in_epoch++;
    return HN_OK;
}

static void settle(HnTrainer *trainer) {
    hn_deferred_all(&trainer->later_users);
    hn_deferred_all(&trainer->later_items);
}

HnStatus hn_trainer_step(HnTrainer *trainer, HnStepReport *report, HnError *err) {
    HnStatus status = step(trainer, report, err);
    settle(trainer);
    return status;
}

static HnStatus steps(HnTrainer *trainer, uint64_t n, HnError *err) {
    for (; n > 0 && trainer->step_in_epoch < trainer->order.n_batches && !trainer->stop; n--) {
        HnStepReport report;
        HN_TRY(step(trainer, &report, err));
        if (trainer->progress != NULL) {
            hn_progress_update(trainer->progress, hn_trainer_pairs_passed(trainer));
        }
    }
    return HN_OK;
}

HnStatus hn_trainer_steps(HnTrainer *trainer, uint64_t n, HnError *err) {
    trainer->stop = false;
    HnStatus status = steps(trainer, n, err);
    settle(trainer);
    return status;
}

uint64_t hn_trainer_pairs_passed(const HnTrainer *trainer) {
    const uint64_t n_pairs = trainer->shards.n_pairs;
    return trainer->epoch * n_pairs + n_pairs * trainer->step_in_epoch / trainer->order.n_batches;
}

HnStatus hn_trainer_epoch(HnTrainer *trainer, double loss[HN_N_LOSSES], HnError *err) {
    HN_TRY(hn_trainer_steps(trainer, trainer->order.n_batches, err));
    if (trainer->step_in_epoch < trainer->order.n_batches) {
        return HN_OK;
    }
    for (int i = 0; i < HN_N_LOSSES; i++) {
        loss[i] = trainer->running.sums[i] / (double)trainer->running.n_steps;
    }
    trainer->running = (HnEpochLoss){0};
    trainer->epoch++;
    trainer->step_in_epoch = 0;
    trainer->order_ready = false;
    return HN_OK;
}
