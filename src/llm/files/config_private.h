/* Shared by config.c (order of events, checks), config_family.c (what each family's keys and defaults are),
 * config_rope.c, config_keys.c (keys that change nothing, keys that are refused) and config_sentence.c (the files
 * beside config.json).
 */
#ifndef HN_LLM_FILES_CONFIG_PRIVATE_H
#define HN_LLM_FILES_CONFIG_PRIVATE_H

#include "config.h"
#include "keys.h"

enum {
    HN_CONFIG_MAX_LAYERS = 4096,
    HN_CONFIG_MAX_HEADS = 4096,
    HN_CONFIG_MAX_WIDTH = 1 << 20,
    HN_CONFIG_MAX_VOCAB = 1 << 24,
    HN_CONFIG_MAX_POSITIONS = 1 << 28
};

/* Everything of config.json; defaults are those of the reference (transformers' configuration classes). */
HnStatus hn_config_read_family(HnKeys *keys, HnLmConfig *config, HnError *err);
/* rope_parameters, or rope_theta and rope_scaling. theta: the family's default. */
HnStatus hn_config_read_rope(HnKeys *keys, double theta, HnLmConfig *config, HnError *err);
/* Every key of config.json that was not used must be known to change nothing, or stand at its neutral value. */
HnStatus hn_config_check_keys(const HnKeys *keys, HnError *err);
/* Before anything else is read: what this program cannot compute, by name. */
HnStatus hn_config_refuse(HnKeys *keys, HnError *err);
/* modules.json and what it names; without it nothing changes. */
HnStatus hn_config_read_sentence(const char *folder, HnLmConfig *config, HnError *err);

#endif
