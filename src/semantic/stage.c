#include "stage.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "cpu.h"

/* Rank 0. */
static HnStatus check_sealed(const char *out_path, const HnStageIdentity *identity, const char *journal_folder,
                             bool *sealed, HnError *err) {
    HnStore *store = NULL;
    char *inputs = NULL;
    *sealed = false;
    if (!hn_file_exists(out_path)) {
        return HN_OK;
    }
    HN_TRY(hn_store_open(out_path, NULL, &store, err));
    HnStatus status = hn_store_get_text(store, "inputs", &inputs, err);
    hn_store_close(&store);
    HN_TRY(status);
    *sealed = strstr(inputs, identity->hash) != NULL;
    hn_free(inputs);
    if (!*sealed) {
        return hn_fail(err, HN_CONFLICT,
                       "%s was made from other inputs or by another configuration; remove it, or use a "
                       "fresh output folder",
                       out_path);
    }
    return hn_folder_remove(journal_folder, err);
}

HnStatus hn_stage_is_sealed(const HnStageContext *context, const char *out_path, const HnStageIdentity *identity,
                            const char *journal_folder, bool *sealed, HnError *err) {
    HnStatus status = HN_OK;
    uint8_t flag = 0;
    if (hn_comm_rank(context->workers) == 0) {
        status = check_sealed(out_path, identity, journal_folder, sealed, err);
        flag = status == HN_OK && *sealed;
    }
    HN_TRY(hn_comm_agree(context->workers, status, err));
    HN_TRY(hn_comm_broadcast(context->workers, &flag, sizeof flag, 0, err));
    *sealed = flag != 0;
    return HN_OK;
}

HnProvenance hn_stage_provenance(const HnStageContext *context, const HnStageIdentity *identity) {
    return (HnProvenance){.config = context->config_yaml,
                          .inputs = hn_text_get(&identity->inputs),
                          .processor_path = identity->products[0] ? hn_cpu_path_name(hn_cpu_level()) : NULL,
                          .products = identity->products,
                          .seed = -1,
                          .synthetic = hn_dataset_synthetic(context->dataset)};
}
