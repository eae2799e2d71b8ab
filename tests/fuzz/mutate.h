/* Damage to a file's bytes, drawn from a counter-based generator, so that a round can be repeated by its number. */
#ifndef HN_TEST_MUTATE_H
#define HN_TEST_MUTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/rng.h"

/* bytes has room for 2 * n_bytes + 4096. Returns the new length. */
size_t mutate(HnRng *rng, char *bytes, size_t n_bytes);

/* Seconds to go on (HN_FUZZ_SECONDS, else 3) and the seed (HN_FUZZ_SEED, else 1). */
double fuzz_seconds(void);
unsigned long fuzz_seed(void);

/* One round. false: it went wrong, and said why. */
typedef bool FuzzRound(unsigned long round);
/* Rounds until the time is over, a thousand to a child process each, so that a crash or a hang has a number. Returns a
 * process exit code. */
int fuzz_run(const char *name, FuzzRound *round);

#endif
