/* The door of the native provider: the project's own transformer, which src/llm does not hold yet. It refuses, loudly;
 * it never answers in place of a model. */
#include "providers.h"

static const char REFUSAL[] = "the native provider (own transformer inference) is not built yet; set llm.provider and "
                              "llm.embedder to extractive (no language model needed) or http (an endpoint)";

HnStatus hn_native_open(HnProvider **provider, HnError *err) {
    *provider = NULL;
    return hn_fail(err, HN_UNSUPPORTED, "%s", REFUSAL);
}
