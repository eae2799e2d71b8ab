/* A figure that somebody printed, to be set beside ours: an entry of `published`, "ROW; FIGURE; EPOCH; VALUE", or with
 * "; within PERCENT %" behind it. */
#ifndef HN_CONFIG_PUBLISHED_H
#define HN_CONFIG_PUBLISHED_H

#include "base/error.h"
#include "config/experiment.h"

enum { HN_PUBLISHED_BEST = -1 };

typedef struct HnPublished {
    char row[128];   /* name of the row of `compare` */
    char figure[32]; /* "loss", the sum over an epoch's batches, or a metric of eval.ks, e.g. "recall@20" */
    int64_t epoch;   /* counted from 0, or HN_PUBLISHED_BEST = the selected one */
    double value;
    double within; /* relative distance that counts as equal, beside what seeds explain; 0 = none */
} HnPublished;

/* HN_CONFIG where the text is no such entry, says nothing that a row of the experiment can answer, or asks for a loss
 * at the selected epoch. The message begins with what is wrong and carries no file name. */
HnStatus hn_published_parse(const char *text, const HnExperiment *experiment, HnPublished *figure, HnError *err);

#endif
