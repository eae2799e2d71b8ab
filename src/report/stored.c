#include "report/stored.h"

#include "base/alloc.h"

HnStatus hn_stored_names(const HnStore *store, const char *field, uint64_t n, char ***names, HnError *err) {
    char *bytes = NULL;
    uint64_t *offsets = NULL;
    *names = hn_alloc(n, sizeof **names, field, err);
    HnStatus status = *names == NULL ? HN_MEMORY : hn_store_read_strings(store, field, 0, n, &bytes, &offsets, err);
    for (uint64_t i = 0; i < n && status == HN_OK; i++) {
        (*names)[i] = hn_strndup(bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]), err);
        status = (*names)[i] == NULL ? HN_MEMORY : HN_OK;
    }
    hn_free(bytes);
    hn_free(offsets);
    return status;
}

HnStatus hn_stored_numbers(const HnStore *store, const char *field, uint64_t n, uint64_t width, void *address,
                           HnError *err) {
    void **numbers = address;
    *numbers = hn_alloc(n * width, sizeof(double), field, err);
    return *numbers == NULL ? HN_MEMORY : hn_store_read_rows(store, field, 0, n, *numbers, err);
}
