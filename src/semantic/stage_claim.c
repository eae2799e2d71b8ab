/* Whose journals these are: a file beside them says what they depend on. */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "stage_identity.h"

enum { MAX_IDENTITY_BYTES = 1024 * 1024 };
static const char PRODUCTS[] = "products: "; /* the last line, where a native model is asked */

char *hn_stage_folder(const char *folder, const char *stage, HnError *err) {
    return hn_path_printf(err, "%s/journal-%s", folder, stage);
}

static bool has_journals(const char *folder) {
    char **names = NULL;
    size_t n = 0;
    HnError ignored = HN_ERROR_INIT;
    bool found = false;
    if (hn_folder_list(folder, &names, &n, &ignored) == HN_OK) {
        for (size_t i = 0; i < n; i++) {
            size_t length = strlen(names[i]);
            found = found || (length > 8 && strcmp(names[i] + length - 8, ".journal") == 0);
        }
        hn_names_free(&names, n);
    }
    return found;
}

/* The first line in which two identities differ. */
static HnStatus conflict(const char *path, const char *afresh, const char *now, const char *old, HnError *err) {
    while (*old && *now) {
        size_t n_old = strcspn(old, "\n"), n_now = strcspn(now, "\n");
        if (n_old != n_now || memcmp(old, now, n_old) != 0) {
            break;
        }
        old += n_old + (old[n_old] == '\n');
        now += n_now + (now[n_now] == '\n');
    }
    return hn_fail(err, HN_CONFLICT,
                   "%s: this half-done work was begun with \"%.*s\", now it is \"%.*s\"; go on with the settings it "
                   "was begun with, or %s",
                   path, (int)strcspn(old, "\n"), old, (int)strcspn(now, "\n"), now, afresh);
}

/* How one gets products like these where others are the machine's own. */
static const char *go_on_with(const char *products) {
    return strcmp(products, "plain") == 0 ? "go on with HNLMREC_CPU=avx512 in the environment, "
           : strcmp(products, "bf16 pairs") == 0
               ? "go on with HNLMREC_CPU=avx512-bf16 on a processor that multiplies bf16 pairs, "
           : strcmp(products, "bf16 tiles") == 0 ? "go on on a processor with AMX (hnlmrec doctor), "
                                                 : ""; /* mixed, unknown: no machine has them */
}

/* It was begun with `old` products. */
static HnStatus mix(const char *path, const char *afresh, const char *old, HnStageIdentity *identity, HnError *err) {
    if (!identity->mix_bits) {
        return hn_fail(
            err, HN_CONFLICT,
            "%s: this half-done work was begun with a model's products made as \"%s\", here they are made as "
            "\"%s\": other bits, and now and then other words; %smix both (%s), or %s",
            path, old, identity->products, go_on_with(old), identity->mix_hint, afresh);
    }
    hn_log(HN_LOG_WARN, "%s: begun with products made as \"%s\", gone on with as \"%s\": mixed, as asked (%s)", path,
           old, identity->products, identity->mix_hint);
    memcpy(identity->products, "mixed", sizeof "mixed");
    return HN_OK;
}

static HnStatus write_identity(const char *path, const HnStageIdentity *identity, HnError *err) {
    HnText text = {.max_bytes = MAX_IDENTITY_BYTES};
    HnStatus status = hn_text_append(&text, identity->lines.data, identity->lines.length, err);
    if (status == HN_OK && identity->products[0]) {
        status = hn_text_printf(&text, err, "%s%s\n", PRODUCTS, identity->products);
    }
    status = status == HN_OK ? hn_file_write_atomic(path, hn_text_get(&text), text.length, err) : status;
    hn_text_free(&text);
    return status;
}

/* The last line, if it is of products; the words may stand within other lines (an instruction), too. */
static char *find_products(char *text) {
    size_t n = strlen(text);
    char *line = text + (n && text[n - 1] == '\n' ? n - 1 : n);
    while (line > text && line[-1] != '\n') {
        line--;
    }
    return strncmp(line, PRODUCTS, strlen(PRODUCTS)) == 0 ? line : NULL;
}

/* old: what the file holds; it is cut before its line of products. */
static HnStatus compare(const char *path, const char *afresh, char *old, HnStageIdentity *identity, HnError *err) {
    char *line = find_products(old);
    if (line != NULL) {
        line[strcspn(line, "\n")] = '\0';
    }
    const char *products = line != NULL ? line + strlen(PRODUCTS) : identity->products[0] ? "unknown" : "";
    bool same_lines = line == NULL ? strcmp(old, hn_text_get(&identity->lines)) == 0
                                   : (size_t)(line - old) == identity->lines.length &&
                                         memcmp(old, identity->lines.data, identity->lines.length) == 0;
    if (!same_lines) {
        return conflict(path, afresh, hn_text_get(&identity->lines), old, err);
    }
    if (strcmp(products, identity->products) == 0 || identity->finished) {
        return HN_OK;
    }
    HN_TRY(mix(path, afresh, products, identity, err));
    return write_identity(path, identity, err);
}

HnStatus hn_stage_claim_file(const char *path, bool begun, const char *afresh, HnStageIdentity *identity,
                             HnError *err) {
    char *old = NULL;
    size_t n_bytes = 0;
    if (!begun) {
        return write_identity(path, identity, err);
    }
    if (!hn_file_exists(path)) {
        return hn_fail(err, HN_CONFLICT, "%s is not there, so nobody knows what the work beside it belongs to; %s",
                       path, afresh);
    }
    HnStatus status = hn_file_read(path, MAX_IDENTITY_BYTES, &old, &n_bytes, err);
    status = status == HN_OK ? compare(path, afresh, old, identity, err) : status;
    hn_free(old);
    return status;
}

HnStatus hn_stage_claim(const char *folder, HnStageIdentity *identity, HnError *err) {
    char *path = hn_path_join(folder, "identity.txt", err);
    HnStatus status = path ? HN_OK : HN_MEMORY;
    bool begun = has_journals(folder); /* a folder without any stands in nobody's way */
    if (status == HN_OK && !begun) {
        status = hn_folder_make(folder, err);
    }
    if (status == HN_OK) {
        status = hn_stage_claim_file(path, begun, "remove that folder (its answers are lost) to start the stage afresh",
                                     identity, err);
    }
    hn_free(path);
    return status;
}

HnStatus hn_stage_check_inputs(HnStageIdentity *identity, const char *stage, HnError *err) {
    if (identity->others.length == 0) {
        return HN_OK;
    }
    if (!identity->mix_bits) {
        return hn_fail(err, HN_CONFLICT,
                       "%s would be made with a model's products as \"%s\", but what they are made from was not: %s. A "
                       "run of one kind gives the same bits again: %sor mix them (%s)",
                       stage, identity->products, hn_text_get(&identity->others), go_on_with(identity->their_products),
                       identity->mix_hint);
    }
    hn_log(HN_LOG_WARN, "%s: made with products as \"%s\" from %s: mixed, as asked (%s)", stage, identity->products,
           hn_text_get(&identity->others), identity->mix_hint);
    memcpy(identity->products, "mixed", sizeof "mixed");
    return HN_OK;
}
