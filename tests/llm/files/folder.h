/* A temporary model folder, and its files. Paths that are returned live for the next 16 calls. */
#ifndef HN_TEST_LLM_FOLDER_H
#define HN_TEST_LLM_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first */
#include <cmocka.h>

#include "base/error.h"

int folder_open(void **state); /* cmocka's set-up and tear-down */
int folder_close(void **state);
const char *folder_path(const char *name); /* "" for the folder itself; "a/b": the folder a is made */
const char *folder_write(const char *name, const void *bytes, size_t n_bytes);
const char *folder_text(const char *name, const char *text);
void folder_clear(void); /* empties it */
/* A file or folder of the shared data, or NULL. */
const char *folder_shared(const char *name);
/* The same; without it the test is skipped, and says so. */
const char *folder_shared_or_skip(const char *name);

/* A safetensors file from its header's JSON and n_data bytes: byte i is i * 7 + 3. */
const char *folder_safetensors(const char *name, const char *header, size_t n_data);

/* The last status's message holds these words, NULL-terminated. */
void folder_expect(HnStatus status, HnStatus wanted, const HnError *err, ...);

#endif
