/* The reference page of every store, made from its declaration. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/text.h"
#include "hdf5_access.h"

static const char *type_text(HnType type) {
    switch (type) {
    case HN_U8:
        return "uint8";
    case HN_I32:
        return "int32";
    case HN_U32:
        return "uint32";
    case HN_I64:
        return "int64";
    case HN_U64:
        return "uint64";
    case HN_F16:
        return "float16";
    case HN_F32:
        return "float32";
    case HN_F64:
        return "float64";
    case HN_STRINGS:
        break;
    }
    return "text";
}

static const char *flag_text(unsigned flags) {
    if ((flags & HN_FIELD_ONE_OF) != 0) {
        return "one of";
    }
    if ((flags & HN_FIELD_VOLATILE) != 0) {
        return (flags & HN_FIELD_OPTIONAL) != 0 ? "optional, volatile" : "volatile";
    }
    return (flags & HN_FIELD_OPTIONAL) != 0 ? "optional" : "";
}

static HnStatus put_attributes(HnText *page, const HnAttribute *attributes, size_t n, HnError *err) {
    HN_TRY(hn_text_puts(page, "\n| root attribute | type | meaning |\n|---|---|---|\n", err));
    for (size_t i = 0; i < n; i++) {
        HN_TRY(hn_text_printf(page, err, "| `%s` | %s | %s |\n", attributes[i].name, type_text(attributes[i].type),
                              attributes[i].about));
    }
    return HN_OK;
}

static HnStatus put_schema(HnText *page, const HnSchema *schema, HnError *err) {
    HN_TRY(hn_text_printf(page, err, "\n## %s (version %d)\n\n%s\n\n", schema->name, schema->version, schema->about));
    HN_TRY(
        hn_text_puts(page, "| field | type | shape | unit or values | | meaning |\n|---|---|---|---|---|---|\n", err));
    for (size_t i = 0; i < schema->n_fields; i++) {
        const HnField *field = &schema->fields[i];
        HN_TRY(hn_text_printf(page, err, "| `%s` | %s | `%s` | %s | %s | %s |\n", field->path, type_text(field->type),
                              field->shape, field->unit, flag_text(field->flags), field->about));
    }
    return put_attributes(page, schema->attributes, schema->n_attributes, err);
}

static HnStatus put_page(HnText *page, HnError *err) {
    size_t n_common = 0;
    while (hn_provenance_attributes[n_common].name != NULL) {
        n_common++;
    }
    HN_TRY(
        hn_text_puts(page,
                     "# Stores\n\n"
                     "Made from the declarations in `hdf5_schemas/schemas.c` by `hnlmrec help stores`; not edited by "
                     "hand.\n\n"
                     "Every store is one HDF5 file of plain groups and data sets, little-endian. Each data set carries "
                     "the attributes `about`, `unit` and `shape`. A text field is a group: row i is "
                     "`bytes[offsets[i] : offsets[i+1]]`, UTF-8. A name in a shape stands for one size in the whole "
                     "file. *Optional* fields may be absent; of the *one of* fields a file has exactly one; *volatile* "
                     "fields (times, attempts, memory) are left out of digests. A version is raised when a required "
                     "field is added or a meaning changes; files of other versions are refused.\n\n"
                     "The root of every store:\n",
                     err));
    HN_TRY(put_attributes(page, hn_provenance_attributes, n_common, err));
    for (size_t i = 0; HN_SCHEMAS[i] != NULL; i++) {
        HN_TRY(put_schema(page, HN_SCHEMAS[i], err));
    }
    return HN_OK;
}

HnStatus hn_store_reference(char **markdown, HnError *err) {
    HnText page = {0};
    *markdown = NULL;
    HnStatus status = put_page(&page, err);
    if (status == HN_OK) {
        *markdown = hn_strdup(hn_text_get(&page), err);
        status = *markdown == NULL ? HN_MEMORY : HN_OK;
    }
    hn_text_free(&page);
    return status;
}
