/* SentencePiece's tokenizer.model: a protobuf message (sentencepiece_model.proto). Of its fields these matter here:
 *   1 pieces: 1 text, 2 score, 3 type      2 trainer: 3 model type, 24 space mark behind words, 35 byte fallback,
 *   3 normalizer: 2 character map, 3 prefix, 4 trims spaces, 5 marks spaces           40 .. 43 ids of unk, bos, eos,
 * pad
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer_private.h"

/* ---- protobuf ---- */

typedef struct Field {
    uint64_t number, value; /* value: of a varint or of fixed bytes */
    const char *bytes;      /* of a length-delimited field, else NULL */
    size_t n_bytes;
} Field;

static bool read_varint(const char **at, const char *end, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        const unsigned char byte = (unsigned char)*(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool read_fixed(const char **at, const char *end, size_t n, uint64_t *value) {
    if ((size_t)(end - *at) < n) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        *value |= (uint64_t)(unsigned char)(*at)[i] << (8 * i);
    }
    *at += n;
    return true;
}

/* The next field of a message; false at its end or where it is damaged (*ok false). */
static bool next_field(const char **at, const char *end, Field *field, bool *ok) {
    uint64_t tag = 0;
    if (*at == end) {
        return false;
    }
    *field = (Field){0};
    *ok = read_varint(at, end, &tag);
    field->number = tag >> 3;
    switch (tag & 7) {
    case 0:
        *ok = *ok && read_varint(at, end, &field->value);
        break;
    case 1:
        *ok = *ok && read_fixed(at, end, 8, &field->value);
        break;
    case 2:
        *ok = *ok && read_varint(at, end, &field->value) && field->value <= (uint64_t)(end - *at);
        if (*ok) {
            field->bytes = *at;
            field->n_bytes = (size_t)field->value;
            *at += field->n_bytes;
        }
        break;
    case 5:
        *ok = *ok && read_fixed(at, end, 4, &field->value);
        break;
    default:
        *ok = false;
    }
    return *ok;
}

/* ---- what the model says ---- */

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };
enum { BPE = 2 };

typedef struct Model {
    HnTokenizer *tokenizer;
    float *scores; /* [capacity] */
    size_t n, capacity;
    uint64_t type;
    int32_t ids[4]; /* unk, bos, eos, pad */
    bool byte_fallback, mark_behind, prefix, trim, marks;
    bool mapped; /* characters are mapped by a table */
    char normalizer[64];
} Model;

static HnStatus damaged(HnError *err) {
    return hn_fail(err, HN_FORMAT, "not a whole SentencePiece model; download it again");
}

static HnStatus add_piece(Model *model, const char *text, size_t n, float score, uint64_t type, HnError *err) {
    HnTokenizer *tokenizer = model->tokenizer;
    const uint32_t id = (uint32_t)model->n;
    if (model->n == model->capacity) {
        const size_t capacity = model->capacity == 0 ? 1024 : 2 * model->capacity;
        HN_TRY(hn_resize(&model->scores, model->n * sizeof *model->scores, capacity, sizeof *model->scores,
                         "scores of pieces", err));
        model->capacity = capacity;
    }
    model->scores[model->n++] = score;
    if (isnan(score)) {
        return hn_fail(err, HN_FORMAT, "piece %u has no number as its score", id);
    }
    switch (type) {
    case NORMAL:
        HN_TRY(hn_vocabulary_add(&tokenizer->vocabulary, id, text, n, 0, err));
        return hn_tokenizer_add_piece(tokenizer, id, text, n, err);
    case UNKNOWN:
    case CONTROL:
        return hn_tokenizer_add(tokenizer, id, text, n, true, false, err);
    case BYTE:
        HN_TRY(hn_vocabulary_add(&tokenizer->vocabulary, id, text, n, HN_TOKEN_BYTE, err));
        return hn_tokenizer_add_byte_piece(tokenizer, id, text, n, err);
    default:
        return hn_fail(err, HN_UNSUPPORTED, "piece %u \"%.*s\" is of SentencePiece's type %s, which is not supported",
                       id, hn_token_shown(n), text,
                       type == USER_DEFINED ? "USER_DEFINED"
                       : type == UNUSED     ? "UNUSED"
                                            : "(unknown)");
    }
}

static HnStatus read_piece(Model *model, Field message, HnError *err) {
    const char *at = message.bytes, *end = at + message.n_bytes;
    const char *text = "";
    size_t n = 0;
    uint32_t score_bits = 0;
    uint64_t type = NORMAL;
    bool ok = true;
    for (Field field; next_field(&at, end, &field, &ok);) {
        if (field.number == 1 && field.bytes != NULL) {
            text = field.bytes;
            n = field.n_bytes;
        } else if (field.number == 2) {
            score_bits = (uint32_t)field.value;
        } else if (field.number == 3) {
            type = field.value;
        }
    }
    float score = 0.0f;
    memcpy(&score, &score_bits, sizeof score);
    return ok ? add_piece(model, text, n, score, type, err) : damaged(err);
}

static HnStatus read_trainer(Model *model, Field message, HnError *err) {
    const char *at = message.bytes, *end = at + message.n_bytes;
    bool ok = true;
    for (Field field; next_field(&at, end, &field, &ok);) {
        if (field.number == 3) {
            model->type = field.value;
        } else if (field.number == 24) {
            model->mark_behind = field.value != 0;
        } else if (field.number == 35) {
            model->byte_fallback = field.value != 0;
        } else if (field.number >= 40 && field.number <= 43) {
            model->ids[field.number - 40] = (int32_t)(uint32_t)field.value;
        }
    }
    return ok ? HN_OK : damaged(err);
}

static HnStatus read_normalizer(Model *model, Field message, HnError *err) {
    const char *at = message.bytes, *end = at + message.n_bytes;
    bool ok = true;
    for (Field field; next_field(&at, end, &field, &ok);) {
        if (field.number == 1 && field.bytes != NULL) {
            (void)snprintf(model->normalizer, sizeof model->normalizer, "%.*s",
                           (int)(field.n_bytes < 60 ? field.n_bytes : 60), field.bytes);
        } else if (field.number == 2) {
            model->mapped = field.n_bytes > 0;
        } else if (field.number == 3) {
            model->prefix = field.value != 0;
        } else if (field.number == 4) {
            model->trim = field.value != 0;
        } else if (field.number == 5) {
            model->marks = field.value != 0;
        }
    }
    return ok ? HN_OK : damaged(err);
}

static HnStatus read_fields(Model *model, const char *at, const char *end, HnError *err) {
    bool ok = true;
    for (Field field; next_field(&at, end, &field, &ok);) {
        if (field.bytes == NULL) {
            continue;
        }
        HN_TRY(field.number == 1   ? read_piece(model, field, err)
               : field.number == 2 ? read_trainer(model, field, err)
               : field.number == 3 ? read_normalizer(model, field, err)
                                   : HN_OK);
    }
    return ok && model->n > 0 ? HN_OK : damaged(err);
}

static HnStatus check(const Model *model, HnError *err) {
    static const char *const types[] = {"", "UNIGRAM", "BPE", "WORD", "CHAR"};
    if (model->type != BPE) {
        return hn_fail(err, HN_UNSUPPORTED, "a SentencePiece model of type %s is not supported, only BPE",
                       model->type < 5 ? types[model->type] : "(unknown)");
    }
    if (model->mapped || model->mark_behind || !model->marks || !model->byte_fallback) {
        return hn_fail(err, HN_UNSUPPORTED, "a SentencePiece model with %s%s is not supported",
                       model->mapped        ? "a table of characters: normalizer "
                       : model->mark_behind ? "treat_whitespace_as_suffix"
                       : !model->marks      ? "escape_whitespaces off"
                                            : "byte_fallback off",
                       model->mapped ? model->normalizer : "");
    }
    const HnVocabulary *vocabulary = &model->tokenizer->vocabulary;
    for (uint32_t id = 0; id < vocabulary->size; id++) {
        const HnToken *token = &vocabulary->tokens[id];
        const bool plain = (token->flags & (HN_TOKEN_SPECIAL | HN_TOKEN_BYTE)) == 0;
        for (size_t at = 0, length; plain && at < token->n_key; at += length) {
            (void)hn_char_at(token->key + at, &length);
            if (hn_vocabulary_find(vocabulary, token->key + at, length) < 0) {
                return hn_fail(err, HN_FORMAT,
                               "the vocabulary has a gap: piece %u \"%.*s\" holds \"%.*s\", which is no piece", id,
                               (int)token->n_key, token->key, (int)length, token->key + at);
            }
        }
    }
    return HN_OK;
}

/* Scores as ranks: the higher the earlier, equal ones equal. */
typedef struct Scored {
    float score;
    uint32_t id;
} Scored;

static int higher_first(const void *a, const void *b) {
    const Scored *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

static HnStatus merge_by_score(Model *model, HnError *err) {
    Scored *order = hn_alloc(model->n, sizeof *order, "pieces by score", err);
    uint32_t *ranks = hn_alloc(model->n, sizeof *ranks, "ranks of pieces", err);
    HnStatus status = order == NULL || ranks == NULL ? HN_MEMORY : HN_OK;
    if (status == HN_OK) {
        for (uint32_t id = 0; id < model->n; id++) {
            order[id] = (Scored){model->scores[id], id};
        }
        qsort(order, model->n, sizeof *order, higher_first);
        for (uint32_t i = 1; i < model->n; i++) {
            const bool equal = !(order[i].score < order[i - 1].score);
            ranks[order[i].id] = equal ? ranks[order[i - 1].id] : i;
        }
        status = hn_tokenizer_merge_splits(model->tokenizer, ranks, err);
    }
    hn_free(ranks);
    hn_free(order);
    return status;
}

static HnStatus set_ends(const Model *model, HnError *err) {
    HnTokenizer *tokenizer = model->tokenizer;
    int32_t ids[4];
    for (int i = 0; i < 4; i++) {
        ids[i] = model->ids[i] >= 0 && (size_t)model->ids[i] < model->n ? model->ids[i] : -1;
        if (ids[i] >= 0 && !hn_tokenizer_is_special(tokenizer, (uint32_t)ids[i])) {
            ids[i] = -1;
        }
    }
    tokenizer->ends = (HnTokenizerEnds){.unk = ids[0], .bos = ids[1], .eos = ids[2], .pad = ids[3]};
    return ids[1] < 0 ? HN_OK : hn_tokens_push(&tokenizer->before, (uint32_t)ids[1], err);
}

HnStatus hn_tokenizer_read_sentencepiece(HnTokenizer *tokenizer, const char *bytes, size_t n_bytes, HnError *err) {
    Model model = {
        .tokenizer = tokenizer, .type = 1, .ids = {0, 1, 2, -1}, .prefix = true, .trim = true, .marks = true};
    tokenizer->kind = HN_TOKENIZER_PIECES;
    tokenizer->from = HN_FROM_SENTENCEPIECE;
    HnStatus status = read_fields(&model, bytes, bytes + n_bytes, err);
    status = status == HN_OK ? check(&model, err) : status;
    status = status == HN_OK ? hn_tokenizer_check_byte_pieces(tokenizer, err) : status;
    status = status == HN_OK ? merge_by_score(&model, err) : status;
    status = status == HN_OK ? set_ends(&model, err) : status;
    tokenizer->prefix = model.prefix ? HN_PREFIX_FIRST : HN_PREFIX_NONE;
    tokenizer->trim = model.trim;
    hn_free(model.scores);
    return status == HN_OK ? hn_tokenizer_finish_merges(tokenizer, err) : status;
}
