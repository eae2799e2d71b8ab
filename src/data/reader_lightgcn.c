/* LightGCN lists: `user item item ...`, decimal numbers separated by blanks, one user a line. A user may have no items,
 * and may come on more than one line. */
#include <stdio.h>
#include <string.h>

#include "reader.h"

/* The number at *at (moved behind it), as 0 .. 2^31-2. Leading zeros are refused: "07" and "7" would be one raw id. */
static bool read_id(HnReader *reader, const char **at, const char *what, HnSlice *id) {
    const char *start = *at;
    uint64_t value = 0;
    size_t n = 0;
    while (start[n] >= '0' && start[n] <= '9') {
        value = n < 12 ? value * 10 + (uint64_t)(start[n] - '0') : UINT64_MAX / 16;
        n++;
    }
    if (n == 0 || (start[n] != ' ' && start[n] != '\t' && start[n] != '\0')) {
        hn_reader_refuse(reader, "the %s id is not a decimal number: \"%.*s\"", what,
                         (int)(strcspn(start, " \t") < 24 ? strcspn(start, " \t") : 24), start);
        return false;
    }
    if (n > 1 && start[0] == '0') {
        hn_reader_refuse(reader, "the %s id %.*s has leading zeros", what, (int)(n < 24 ? n : 24), start);
        return false;
    }
    if (value > (uint64_t)INT32_MAX - 1) {
        hn_reader_refuse(reader, "the %s id %.*s is out of range (0 to 2147483646)", what, (int)(n < 24 ? n : 24),
                         start);
        return false;
    }
    *id = (HnSlice){start, n};
    *at = start + n + strspn(start + n, " \t");
    return true;
}

static HnStatus interactions(HnReader *reader, HnLine *line, HnEmit *emit, void *context, HnError *err) {
    HnInteraction interaction = {.user = {NULL, 0}};
    const char *at = line->text + strspn(line->text, " \t");
    if (!read_id(reader, &at, "user", &interaction.user)) {
        return HN_OK;
    }
    /* First all of the line, so that a malformed one leaves nothing behind. */
    const char *items = at;
    while (*at != '\0') {
        if (!read_id(reader, &at, "item", &interaction.item)) {
            return HN_OK;
        }
    }
    for (at = items; *at != '\0';) {
        (void)read_id(reader, &at, "item", &interaction.item);
        HN_TRY(emit(context, &interaction, err));
    }
    return HN_OK;
}

const HnReaderOps HN_READER_LIGHTGCN = {
    .name = "lightgcn", .numeric_ids = true, .interactions = interactions, .item = hn_reader_item_any};
