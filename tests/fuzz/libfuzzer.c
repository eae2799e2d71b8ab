/* A target as libFuzzer calls it (HN_LIBFUZZER). */
#include <stdint.h>
#include <stdlib.h>

#include "target.h"

int LLVMFuzzerInitialize(int *n_arguments, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerInitialize(int *n_arguments, char ***arguments) {
    (void)n_arguments;
    (void)arguments;
    HnError err = HN_ERROR_INIT;
    if (fuzz_open(&err) != HN_OK) {
        (void)fuzz_wrong("cannot prepare", &err);
        exit(1);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    if (!fuzz_take(bytes, n_bytes)) {
        abort();
    }
    return 0;
}
