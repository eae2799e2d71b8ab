/* Keep lists: the users or items that a preparation is restricted to. */
#include "work.h"

typedef struct Keep {
    HnIntern *ids;
    bool users;
} Keep;

static HnStatus keep_line(void *context, HnReader *reader, HnLine *line, HnError *err) {
    static const char *const user_keys[] = {"uid", "user_id"}, *const item_keys[] = {"iid", "item_id"};
    Keep *keep = context;
    const char *what = keep->users ? "user" : "item";
    HnSlice id = {line->text, line->n_bytes};
    if (line->text[0] == '{') {
        HnJsonValue v[2];
        if (!hn_json_line(line->text, line->n_bytes, keep->users ? user_keys : item_keys, 2, v, reader->why)) {
            return HN_OK;
        }
        HN_TRY(hn_reader_json_id(reader, what, &v[v[0].kind != HN_JSON_ABSENT ? 0 : 1], &reader->scratch[0], &id, err));
    } else {
        (void)hn_reader_id_ok(reader, what, id);
    }
    uint32_t number;
    return reader->why[0] != '\0' ? HN_OK : hn_intern_add(keep->ids, id.data, id.n, &number, err);
}

HnStatus hn_keep_read(const HnScan *given, bool users, HnIntern *ids, HnScanResult *result, HnError *err) {
    Keep keep = {ids, users};
    HnScan scan = *given;
    scan.each = keep_line;
    scan.context = &keep;
    return hn_scan(&scan, result, err);
}
