/* Which checkpoints a training's folder holds. Local calls, made by rank 0. */
#ifndef HN_CF_CHECKPOINT_FOLDER_H
#define HN_CF_CHECKPOINT_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Path of the checkpoint at `epoch` epochs and `step` steps; hn_free it. */
char *hn_checkpoint_folder(const char *folder, uint64_t epoch, uint64_t step, HnError *err);
/* The newest whole one (hn_free it) or NULL; those that are not whole are named in a warning and passed over. */
HnStatus hn_checkpoint_newest(const char *folder, char **newest, HnError *err);
/* Removes all but the newest `keep`. What cannot be removed is named in a warning. */
void hn_checkpoint_keep(const char *folder, size_t keep);

#endif
