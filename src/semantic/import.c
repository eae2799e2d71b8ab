#include "import.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "text_column.h"

enum { MAX_LINE_BYTES = 16 * 1024 * 1024 };

/* A raw id by its hash; the text itself is compared too. */
typedef struct IdPlace {
    uint64_t hash;
    uint32_t row;
} IdPlace;

typedef struct Importer {
    const char *path;
    bool users;
    HnTextColumn *ids;
    IdPlace *places; /* [n], by hash */
    size_t n;
    HnSpool *spool;
    HnImportReport *report;
    HnText encoded;
} Importer;

static int by_hash(const void *a, const void *b) {
    const IdPlace *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static HnStatus index_ids(Importer *import, HnError *err) {
    import->n = (size_t)hn_text_column_rows(import->ids);
    import->places = hn_alloc(import->n, sizeof *import->places, "raw ids", err);
    if (!import->places) {
        return HN_MEMORY;
    }
    for (size_t row = 0; row < import->n; row++) {
        const char *bytes = NULL;
        size_t n = 0;
        HN_TRY(hn_text_column_get(import->ids, row, &bytes, &n, err));
        import->places[row] = (IdPlace){hn_checksum64(bytes, n), (uint32_t)row};
    }
    if (import->n > 0) {
        qsort(import->places, import->n, sizeof *import->places, by_hash);
    }
    return HN_OK;
}

static HnStatus find_id(Importer *import, const char *id, bool *found, uint32_t *row, HnError *err) {
    size_t n_id = strlen(id), low = 0, high = import->n;
    uint64_t hash = hn_checksum64(id, n_id);
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (import->places[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < import->n && import->places[low].hash == hash && !*found; low++) {
        const char *bytes = NULL;
        size_t n = 0;
        HN_TRY(hn_text_column_get(import->ids, import->places[low].row, &bytes, &n, err));
        *found = n == n_id && memcmp(bytes, id, n) == 0;
        *row = import->places[low].row;
    }
    return HN_OK;
}

static HnStatus add_profile(Importer *import, uint32_t row, uint8_t status, const char *profile, HnError *err) {
    size_t n = strlen(profile);
    HnRecord record = {.status = status, .item = -1, .text = profile, .n_text = (uint32_t)n};
    bool used = false;
    HN_TRY(hn_record_encode(&record, &import->encoded, err));
    if (status == HN_PROFILE_IMPORTED && hn_spool_has(import->spool, row)) {
        import->report->repeated++;
        return HN_OK;
    }
    import->report->matched += status == HN_PROFILE_IMPORTED;
    return hn_spool_add(import->spool, row, import->encoded.data, (uint32_t)import->encoded.length, &used, err);
}

/* The raw id of a line as text; false where there is none. */
static bool id_text(const Importer *import, const json_t *line, char number[32], const char **id) {
    const json_t *value = json_object_get(line, import->users ? "uid" : "iid");
    if (!value) {
        value = json_object_get(line, import->users ? "user_id" : "item_id");
    }
    if (json_is_integer(value)) {
        snprintf(number, 32, "%" PRId64, (int64_t)json_integer_value(value));
        *id = number;
        return true;
    }
    *id = json_string_value(value);
    return *id != NULL;
}

static HnStatus take_line(Importer *import, const char *text, size_t n_bytes, uint64_t line_number, HnError *err) {
    json_error_t error;
    char number[32];
    const char *id = NULL, *profile = NULL;
    json_t *line = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, &error);
    HnStatus status = HN_OK;
    if (json_is_object(line)) {
        profile = json_string_value(json_object_get(line, "profile"));
    }
    if (!line) {
        status = hn_fail(err, HN_INPUT, "%s, line %llu: not JSON (%s)", import->path, (unsigned long long)line_number,
                         error.text);
    } else if (!profile || !id_text(import, line, number, &id)) {
        status = hn_fail(err, HN_INPUT, "%s, line %llu: expected {\"%s\": id, \"profile\": text}", import->path,
                         (unsigned long long)line_number, import->users ? "uid" : "iid");
    } else {
        bool found = false;
        uint32_t row = 0;
        status = find_id(import, id, &found, &row, err);
        if (status == HN_OK && found && profile[0]) {
            status = add_profile(import, row, HN_PROFILE_IMPORTED, profile, err);
        }
        import->report->unknown += status == HN_OK && !found;
    }
    json_decref(line);
    return status;
}

static HnStatus take_file(Importer *import, HnError *err) {
    FILE *file = fopen(import->path, "rb");
    char *text = NULL;
    size_t capacity = 0;
    HnStatus status = HN_OK;
    if (!file) {
        return hn_fail_errno(err, errno, "cannot open %s", import->path);
    }
    for (uint64_t number = 1; status == HN_OK; number++) {
        errno = 0;
        ssize_t n = getline(&text, &capacity, file);
        if (n < 0) {
            status = ferror(file) ? hn_fail_errno(err, errno, "cannot read %s", import->path) : HN_OK;
            break;
        }
        if (n > MAX_LINE_BYTES) {
            status = hn_fail(err, HN_INPUT, "%s, line %llu: longer than %d bytes", import->path,
                             (unsigned long long)number, MAX_LINE_BYTES);
        } else if (strspn(text, " \t\r\n") != (size_t)n) {
            import->report->lines++;
            status = take_line(import, text, (size_t)n, number, err);
        }
    }
    free(text); /* getline's own */
    fclose(file);
    return status;
}

HnStatus hn_import_profiles(const char *path, bool users, const HnDataset *dataset, HnSpool *spool,
                            HnImportReport *report, HnError *err) {
    Importer import = {.path = path, .users = users, .spool = spool, .report = report};
    *report = (HnImportReport){0};
    HnStatus status = hn_text_column_of_dataset(dataset, users ? HN_TEXT_USER_ID : HN_TEXT_ITEM_ID, &import.ids, err);
    if (status == HN_OK) {
        status = index_ids(&import, err);
    }
    if (status == HN_OK) {
        status = take_file(&import, err);
    }
    for (size_t row = 0; row < import.n && status == HN_OK; row++) {
        if (!hn_spool_has(spool, row)) {
            status = add_profile(&import, (uint32_t)row, HN_PROFILE_EMPTY, "", err);
        }
    }
    if (status == HN_OK && report->matched == 0) {
        status = hn_fail(err, HN_INPUT,
                         "%s: none of its %llu lines belongs to %s of this data set; its ids must be the "
                         "raw ids that the data set was prepared from",
                         path, (unsigned long long)report->lines, users ? "a user" : "an item");
    }
    hn_text_column_close(&import.ids);
    hn_free(import.places);
    hn_text_free(&import.encoded);
    return status;
}
