#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

enum { N_SLOTS = 16, SLOT_BYTES = 4096 };

static char folder[SLOT_BYTES];
static char slots[N_SLOTS][SLOT_BYTES];
static unsigned next_slot;

int folder_open(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/hn-llm-XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

int folder_close(void **state) {
    (void)state;
    return hn_folder_remove(folder, NULL) == HN_OK ? 0 : -1;
}

const char *folder_path(const char *name) {
    char *path = slots[next_slot++ % N_SLOTS];
    const char *slash = strrchr(name, '/');
    if (slash != NULL) {
        size_t n = (size_t)snprintf(path, SLOT_BYTES, "%s/", folder) + (size_t)(slash - name);
        assert_true((size_t)snprintf(path, SLOT_BYTES, "%s/%s", folder, name) < SLOT_BYTES);
        path[n] = '\0';
        assert_int_equal(hn_folder_make(path, NULL), HN_OK);
    }
    assert_true((size_t)snprintf(path, SLOT_BYTES, "%s%s%s", folder, name[0] != '\0' ? "/" : "", name) < SLOT_BYTES);
    return path;
}

const char *folder_write(const char *name, const void *bytes, size_t n_bytes) {
    const char *path = folder_path(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *folder_text(const char *name, const char *text) {
    return folder_write(name, text, strlen(text));
}

void folder_clear(void) {
    assert_int_equal(hn_folder_remove(folder, NULL), HN_OK);
    assert_int_equal(hn_folder_make(folder, NULL), HN_OK);
}

const char *folder_shared(const char *name) {
    const char *base = getenv("HNLMREC_TEST_DATA");
    char *path = slots[next_slot++ % N_SLOTS];
    (void)snprintf(path, SLOT_BYTES, "%s/%s", base != NULL ? base : HN_SOURCE_DIR "/../shared/data", name);
    return hn_file_exists(path) || hn_folder_exists(path) ? path : NULL;
}

const char *folder_shared_or_skip(const char *name) {
    const char *path = folder_shared(name);
    if (path == NULL) {
        print_message("SKIP: no %s; set HNLMREC_TEST_DATA to the shared data's folder\n", name);
        skip();
    }
    return path;
}

const char *folder_safetensors(const char *name, const char *header, size_t n_data) {
    size_t n_header = strlen(header);
    unsigned char *bytes = (unsigned char *)malloc(8 + n_header + n_data);
    assert_non_null(bytes);
    for (int k = 0; k < 8; k++) {
        bytes[k] = (unsigned char)((uint64_t)n_header >> (8 * k));
    }
    memcpy(bytes + 8, header, n_header);
    for (size_t i = 0; i < n_data; i++) {
        bytes[8 + n_header + i] = (unsigned char)(i * 7 + 3);
    }
    const char *path = folder_write(name, bytes, 8 + n_header + n_data);
    free(bytes);
    return path;
}

void folder_expect(HnStatus status, HnStatus wanted, const HnError *err, ...) {
    if (status != wanted) {
        print_error("status %d, not %d: %s\n", (int)status, (int)wanted, err->message);
    }
    assert_int_equal(status, wanted);
    va_list words;
    va_start(words, err);
    for (const char *word; (word = va_arg(words, const char *)) != NULL;) {
        if (strstr(err->message, word) == NULL) {
            print_error("\"%s\" is not in: %s\n", word, err->message);
            va_end(words);
            fail();
        }
    }
    va_end(words);
    assert_true(strlen(err->message) < sizeof err->message - 1);
}
