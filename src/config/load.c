/* An experiment file: YAML into keys, with the line of each. Nested maps and dotted keys mean the same. */
#include "config/load.h"

#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"

enum { MAX_FILE_BYTES = 1 << 20, MAX_DEPTH = 8, MAX_NAME = 128 };

struct HnYaml {
    const char *path; /* as the user wrote it; borrowed */
    char *bytes;
    size_t n_bytes;
    yaml_parser_t parser;
    yaml_document_t document;
    bool has_parser, has_document;
    yaml_node_t *rows; /* the sequence under `compare`, or NULL */
    size_t rows_line;
};

static size_t line_of(const yaml_node_t *node) {
    return node->start_mark.line + 1;
}

static HnStatus parse(HnYaml *yaml, HnError *err) {
    size_t bad = 0;
    if (!hn_utf8_valid(yaml->bytes, yaml->n_bytes, &bad)) {
        return hn_fail(err, HN_CONFIG, "%s: not UTF-8 at byte %zu", yaml->path, bad);
    }
    if (!yaml_parser_initialize(&yaml->parser)) {
        return hn_fail(err, HN_MEMORY, "out of memory for the YAML parser");
    }
    yaml->has_parser = true;
    yaml_parser_set_input_string(&yaml->parser, (const unsigned char *)yaml->bytes, yaml->n_bytes);
    if (!yaml_parser_load(&yaml->parser, &yaml->document)) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: not YAML: %s", yaml->path, yaml->parser.problem_mark.line + 1,
                       yaml->parser.problem == NULL ? "unreadable" : yaml->parser.problem);
    }
    yaml->has_document = true;
    yaml_document_t next;
    if (!yaml_parser_load(&yaml->parser, &next)) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: not YAML: %s", yaml->path, yaml->parser.problem_mark.line + 1,
                       yaml->parser.problem == NULL ? "unreadable" : yaml->parser.problem);
    }
    const yaml_node_t *second = yaml_document_get_root_node(&next);
    size_t line = second == NULL ? 0 : line_of(second);
    yaml_document_delete(&next);
    return line == 0
               ? HN_OK
               : hn_fail(err, HN_CONFIG, "%s:%zu: a second document; an experiment file holds one", yaml->path, line);
}

HnStatus hn_yaml_open(const char *path, HnYaml **yaml, HnError *err) {
    *yaml = hn_alloc(1, sizeof **yaml, "an experiment file", err);
    if (*yaml == NULL) {
        return HN_MEMORY;
    }
    (*yaml)->path = path;
    HnStatus status = hn_file_read(path, MAX_FILE_BYTES, &(*yaml)->bytes, &(*yaml)->n_bytes, err);
    if (status == HN_OK) {
        status = parse(*yaml, err);
    }
    if (status != HN_OK) {
        hn_yaml_close(yaml);
    }
    return status;
}

void hn_yaml_close(HnYaml **yaml) {
    if (*yaml == NULL) {
        return;
    }
    if ((*yaml)->has_document) {
        yaml_document_delete(&(*yaml)->document);
    }
    if ((*yaml)->has_parser) {
        yaml_parser_delete(&(*yaml)->parser);
    }
    hn_free((*yaml)->bytes);
    hn_free(*yaml);
    *yaml = NULL;
}

static const char *scalar_text(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

static bool is_null(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (node->data.scalar.length == 0 || strcmp(scalar_text(node), "~") == 0 ||
            strcmp(scalar_text(node), "null") == 0);
}

/* A scalar that can be a C string. */
static HnStatus check_scalar(const HnYaml *yaml, const yaml_node_t *node, const char *name, HnError *err) {
    if (node->type != YAML_SCALAR_NODE) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: %s holds a list or map where a plain value belongs", yaml->path,
                       line_of(node), name);
    }
    if (strlen(scalar_text(node)) != node->data.scalar.length) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: %s holds a NUL character", yaml->path, line_of(node), name);
    }
    return HN_OK;
}

/* A scalar or a list of scalars, to the sink. */
static HnStatus give_value(HnYaml *yaml, const HnKeySink *sink, const char *name, size_t line, yaml_node_t *node,
                           HnError *err) {
    char where[4096];
    (void)snprintf(where, sizeof where, "%s:%zu", yaml->path, line);
    bool is_list = node->type == YAML_SEQUENCE_NODE;
    size_t n = is_list ? (size_t)(node->data.sequence.items.top - node->data.sequence.items.start) : 1;
    const char **texts = hn_alloc(n, sizeof *texts, name, err);
    HnStatus status = texts == NULL ? HN_MEMORY : HN_OK;
    for (size_t i = 0; i < n && status == HN_OK; i++) {
        const yaml_node_t *item =
            is_list ? yaml_document_get_node(&yaml->document, node->data.sequence.items.start[i]) : node;
        status = check_scalar(yaml, item, name, err);
        texts[i] = status == HN_OK ? scalar_text(item) : NULL;
    }
    if (status == HN_OK) {
        HnGiven given = {.texts = texts,
                         .n = !is_list && is_null(node) ? 0 : n,
                         .is_list = is_list,
                         .is_null = is_null(node),
                         .where = where,
                         .folder = sink->folder};
        status = hn_sink_give(sink, name, line, &given, err);
    }
    hn_free(texts);
    return status;
}

static HnStatus note_rows(HnYaml *yaml, yaml_node_t *value, size_t line, HnError *err) {
    if (yaml->rows != NULL) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: compare is given twice, first on line %zu", yaml->path, line,
                       yaml->rows_line);
    }
    if (value->type != YAML_SEQUENCE_NODE) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: compare is a list of rows, each \"- name: ...\" and its keys",
                       yaml->path, line);
    }
    yaml->rows = value;
    yaml->rows_line = line;
    return HN_OK;
}

/* The text of an interval's part, or NULL where the map does not have it. */
static HnStatus interval_part(const HnYaml *yaml, const yaml_node_pair_t *pair, HnRangeGiven *given, HnError *err) {
    const struct {
        const char *name, **text;
    } parts[] = {{"from", &given->from}, {"to", &given->to}, {"steps", &given->steps}, {"log", &given->log}};
    yaml_document_t *document = (yaml_document_t *)&yaml->document;
    const yaml_node_t *key = yaml_document_get_node(document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(document, pair->value);
    HN_TRY(check_scalar(yaml, key, given->name, err));
    HN_TRY(check_scalar(yaml, value, given->name, err));
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        if (strcmp(scalar_text(key), parts[p].name) == 0) {
            *parts[p].text = scalar_text(value);
            return HN_OK;
        }
    }
    return hn_fail(err, HN_CONFIG, "%s: tune.ranges: %s has \"%s\"; an interval has from, to, log and steps",
                   given->where, given->name, scalar_text(key));
}

static HnStatus give_range(HnYaml *yaml, const HnKeySink *sink, const yaml_node_t *value, HnRangeGiven *given,
                           HnError *err) {
    size_t room = 0;
    given->is_list = value->type == YAML_SEQUENCE_NODE;
    if (given->is_list) {
        room = (size_t)(value->data.sequence.items.top - value->data.sequence.items.start);
    } else if (value->type == YAML_MAPPING_NODE) {
        for (const yaml_node_pair_t *p = value->data.mapping.pairs.start; p < value->data.mapping.pairs.top; p++) {
            HN_TRY(interval_part(yaml, p, given, err));
        }
    } else {
        return hn_fail(err, HN_CONFIG, "%s: tune.ranges: %s takes a list of values, or {from: .., to: ..}",
                       given->where, given->name);
    }
    const char **texts = hn_alloc(room, sizeof *texts, "a range", err);
    HnStatus status = texts == NULL ? HN_MEMORY : HN_OK;
    for (; given->n < room && status == HN_OK; given->n++) {
        const yaml_node_t *item = yaml_document_get_node(&yaml->document, value->data.sequence.items.start[given->n]);
        status = check_scalar(yaml, item, given->name, err);
        texts[given->n] = status == HN_OK ? scalar_text(item) : NULL;
    }
    given->texts = texts;
    status = status == HN_OK ? hn_range_add(sink, given, err) : status;
    hn_free(texts);
    return status;
}

static HnStatus give_ranges(HnYaml *yaml, const HnKeySink *sink, const yaml_node_t *map, size_t line, HnError *err) {
    if (map->type != YAML_MAPPING_NODE || map->data.mapping.pairs.start == map->data.mapping.pairs.top) {
        return hn_fail(err, HN_CONFIG,
                       "%s:%zu: tune.ranges maps keys to their values, e.g. {train.learning_rate: [0.001, 0.003]}",
                       yaml->path, line);
    }
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&yaml->document, pair->key);
        char where[4096];
        HN_TRY(check_scalar(yaml, key, "a key", err));
        (void)snprintf(where, sizeof where, "%s:%zu", yaml->path, line_of(key));
        HnRangeGiven given = {.name = scalar_text(key), .where = where};
        HN_TRY(give_range(yaml, sink, yaml_document_get_node(&yaml->document, pair->value), &given, err));
    }
    return HN_OK;
}

/* All pairs of a map whose keys begin with prefix ("" or "train."). */
static HnStatus walk(HnYaml *yaml, const HnKeySink *sink, yaml_node_t *map, const char *prefix, int depth,
                     HnError *err) {
    if (depth > MAX_DEPTH) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: maps nest deeper than any key does", yaml->path, line_of(map));
    }
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&yaml->document, pair->key);
        yaml_node_t *value = yaml_document_get_node(&yaml->document, pair->value);
        char name[MAX_NAME], where[4096];
        HN_TRY(check_scalar(yaml, key, "a key", err));
        size_t line = line_of(key);
        (void)snprintf(where, sizeof where, "%s:%zu", yaml->path, line);
        if ((size_t)snprintf(name, sizeof name, "%s%s", prefix, scalar_text(key)) + 2 > sizeof name) {
            return hn_fail(err, HN_CONFIG, "%s: a key of %zu characters; none is that long", where,
                           key->data.scalar.length);
        }
        if (sink->variant == NULL && strcmp(name, "compare") == 0) {
            HN_TRY(note_rows(yaml, value, line, err));
        } else if (sink->variant == NULL && strcmp(name, "tune.ranges") == 0) {
            HN_TRY(give_ranges(yaml, sink, value, line, err));
        } else if (hn_key_is_section(name)) {
            if (is_null(value)) {
                continue; /* "llm:" with all its keys commented out */
            }
            if (value->type != YAML_MAPPING_NODE) {
                return hn_fail(err, HN_CONFIG, "%s: %s is a section; its keys stand indented below it", where, name);
            }
            size_t length = strlen(name);
            memcpy(name + length, ".", 2);
            HN_TRY(walk(yaml, sink, value, name, depth + 1, err));
        } else if (value->type == YAML_MAPPING_NODE) {
            if (hn_key_find(name) == NULL) {
                return hn_sink_refuse(sink, name, where, err);
            }
            return hn_fail(err, HN_CONFIG, "%s: %s takes a value, not a map", where, name);
        } else if (hn_key_find(name) == NULL) {
            return hn_sink_refuse(sink, name, where, err);
        } else {
            HN_TRY(give_value(yaml, sink, name, line, value, err));
        }
    }
    return HN_OK;
}

HnStatus hn_yaml_give_keys(HnYaml *yaml, const HnKeySink *sink, HnError *err) {
    yaml_node_t *root = yaml_document_get_root_node(&yaml->document);
    if (root == NULL || is_null(root)) {
        hn_log(HN_LOG_INFO, "%s holds no key: all but what --set gives is the default, synthetic data above all",
               yaml->path);
        return HN_OK;
    }
    if (root->type != YAML_MAPPING_NODE) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: an experiment file is a map of keys (\"name: demo\")", yaml->path,
                       line_of(root));
    }
    return walk(yaml, sink, root, "", 0, err);
}

size_t hn_yaml_n_rows(const HnYaml *yaml) {
    return yaml->rows == NULL ? 0
                              : (size_t)(yaml->rows->data.sequence.items.top - yaml->rows->data.sequence.items.start);
}

static yaml_node_t *row_node(HnYaml *yaml, size_t row) {
    return yaml_document_get_node(&yaml->document, yaml->rows->data.sequence.items.start[row]);
}

size_t hn_yaml_row_line(const HnYaml *yaml, size_t row) {
    return line_of(row_node((HnYaml *)yaml, row));
}

HnStatus hn_yaml_give_row(HnYaml *yaml, size_t row, const HnKeySink *sink, HnError *err) {
    yaml_node_t *node = row_node(yaml, row);
    if (node->type != YAML_MAPPING_NODE) {
        return hn_fail(err, HN_CONFIG, "%s:%zu: a row of compare is a map: \"- name: ...\" and its keys", yaml->path,
                       line_of(node));
    }
    HN_TRY(walk(yaml, sink, node, "", 0, err));
    if (*sink->variant_name == NULL || (*sink->variant_name)[0] == '\0') {
        return hn_fail(err, HN_CONFIG, "%s:%zu: this row of compare has no name", yaml->path, line_of(node));
    }
    return HN_OK;
}
