/* Raw ids to dense numbers 0, 1, 2 ... in the order of first appearance, and back. */
#ifndef HN_DATA_INTERN_H
#define HN_DATA_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { HN_NO_ID = UINT32_MAX };

typedef struct HnIntern HnIntern;
HnStatus hn_intern_create(const char *what, HnIntern **intern, HnError *err);
void hn_intern_free(HnIntern **intern);
/* The number of a string, a new one where it was not seen before. Fails beyond 2^31 - 2 different strings. */
HnStatus hn_intern_add(HnIntern *intern, const char *bytes, size_t n_bytes, uint32_t *id, HnError *err);
/* The number of a string, or HN_NO_ID. */
uint32_t hn_intern_find(const HnIntern *intern, const char *bytes, size_t n_bytes);
uint32_t hn_intern_count(const HnIntern *intern);
/* The string of a number, NUL-terminated; lives as long as the table. */
const char *hn_intern_text(const HnIntern *intern, uint32_t id, size_t *n_bytes);

#endif
