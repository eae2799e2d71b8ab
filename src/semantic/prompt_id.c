/* What all prompts of a folder are, as one hash: two runs with equal prompts share what was written with them. */
#include <string.h>

#include "base/hash.h"
#include "prompt.h"
#include "stages.h"

HnStatus hn_prompts_id(const char *prompt_folder, char hex[65], HnError *err) {
    static const HnTask tasks[] = {HN_TASK_ITEM_PROFILE, HN_TASK_USER_PROFILE, HN_TASK_HARD_NEGATIVE};
    HnSha256 *hash = NULL;
    HN_TRY(hn_sha256_start(&hash, err));
    HnStatus status = HN_OK;
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0] && status == HN_OK; i++) {
        HnPrompt *prompt = NULL;
        status = hn_prompt_load(prompt_folder, tasks[i], &prompt, err);
        if (status == HN_OK) {
            hn_sha256_update(hash, hn_prompt_id(prompt), strlen(hn_prompt_id(prompt)));
        }
        hn_prompt_free(&prompt);
    }
    hn_sha256_finish(&hash, hex);
    return status;
}
