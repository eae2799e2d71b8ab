/* A claim on a piece of work, among jobs that share a file system: a file made with O_EXCL, kept alive by a heartbeat.
 * No flock, which network file systems often lack. */
#ifndef HN_APP_CLAIM_H
#define HN_APP_CLAIM_H

#include <stdbool.h>

#include "base/error.h"

typedef struct HnClaim HnClaim;

/* Tries once. *claim = NULL and HN_OK: another holder is alive (or may be: ask again later). */
HnStatus hn_claim_try(const char *path, HnClaim **claim, HnError *err);
/* Claims OUTPUT.claim at once. HN_CONFLICT: another holder is alive, or may be. */
HnStatus hn_claim_output(const char *output, HnClaim **claim, HnError *err);
void hn_claim_release(HnClaim **claim);

#endif
