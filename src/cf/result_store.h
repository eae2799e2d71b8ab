/* What the stores at the end of a training have in common: result.c, trial.c. */
#ifndef HN_CF_RESULT_STORE_H
#define HN_CF_RESULT_STORE_H

#include "cf/session.h"
#include "store.h"

/* <folder of the job>/name with its provenance. Rank 0 only, as all below. */
HnStatus hn_result_store_create(const HnSession *session, const char *name, const HnSchema *schema,
                                HnStoreWriter **writer, HnError *err);
/* HN_CONFLICT where the sealed result.h5 or trial.h5 was made from another data set, or other vectors, than the job's.
 */
HnStatus hn_result_check_inputs(const char *path, const HnSchema *schema, const HnTrainJob *job, HnError *err);
/* A whole field; columns 0 = one dimension. */
HnStatus hn_result_put(HnStoreWriter *writer, const char *field, uint64_t rows, uint64_t columns, const void *data,
                       HnError *err);
/* loss/name, metric/name. */
HnStatus hn_result_put_names(HnStoreWriter *writer, const HnSession *session, HnError *err);
/* loss, digest, valid and time of every epoch. */
HnStatus hn_result_put_history(HnStoreWriter *writer, const HnHistory *history, HnError *err);

#endif
