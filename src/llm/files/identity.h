/* Which model a folder holds, by content. */
#ifndef HN_LLM_FILES_IDENTITY_H
#define HN_LLM_FILES_IDENTITY_H

#include "base/error.h"

/* SHA-256 over names and contents of the folder's configuration, tokenizer and weight files (folder as in
 * hn_lm_config_read), so that a copy elsewhere is the same model and another fine-tuning is another. Reads all weights.
 */
HnStatus hn_lm_folder_id(const char *folder, char hex[65], HnError *err);

#endif
