#include "answer.h"
#include "base/alloc.h"
#include "base/log.h"
#include "evidence.h"
#include "native.h"

/* An item's name as the pool knows it (pool.h): its title, at most 20 words of it, or its raw id where there is no
 * title or none that an answer may hold. */
static HnStatus name_item(HnEvidence *evidence, uint32_t item, HnText *texts, HnNamed *named, HnError *err) {
    size_t begin = texts->length;
    HN_TRY(hn_evidence_item_name(evidence, item, texts, err));
    size_t n = hn_first_words(hn_text_get(texts) + begin, texts->length - begin, HN_MAX_ITEM_WORDS);
    if (!hn_item_name_stands(hn_text_get(texts) + begin, n)) {
        hn_text_cut(texts, begin);
        HN_TRY(hn_evidence_item_id(evidence, item, texts, err));
        n = texts->length - begin;
    }
    /* The block of texts may move yet: for now the name is its place in it. */
    *named = (HnNamed){.name = NULL, .n_bytes = n, .item = (int32_t)item};
    return HN_OK;
}

HnStatus hn_native_names(const HnDataset *dataset, HnItemNames **names, HnError *err) {
    uint64_t n_items = hn_dataset_items(dataset);
    HnEvidence *evidence = NULL;
    HnText texts = {.max_bytes = SIZE_MAX / 2};
    *names = NULL;
    HnNamed *named = hn_alloc(n_items, sizeof *named, "names of the item pool", err);
    size_t *begins = hn_alloc(n_items, sizeof *begins, "names of the item pool", err);
    HnStatus status = named && begins ? hn_evidence_open(dataset, 0, 0, NULL, NULL, &evidence, err) : HN_MEMORY;
    for (uint64_t item = 0; item < n_items && status == HN_OK; item++) {
        begins[item] = texts.length;
        status = name_item(evidence, (uint32_t)item, &texts, &named[item], err);
    }
    for (uint64_t item = 0; item < n_items && status == HN_OK; item++) {
        named[item].name = hn_text_get(&texts) + begins[item];
    }
    if (status == HN_OK) {
        status = hn_item_names_create(named, n_items, names, err);
    }
    if (status == HN_OK && hn_item_names_left_out(*names) > 0) {
        hn_log(HN_LOG_WARN,
               "%llu of %llu items cannot be named by a hard negative: titles and raw ids are empty, say None, are no "
               "UTF-8, or longer than %d bytes",
               (unsigned long long)hn_item_names_left_out(*names), (unsigned long long)n_items, HN_NAME_LONGEST);
    }
    hn_evidence_close(&evidence);
    hn_text_free(&texts);
    hn_free(begins);
    hn_free(named);
    return status;
}
