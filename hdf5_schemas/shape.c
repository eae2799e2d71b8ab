#include "shape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZES = 48 };

typedef struct Size {
    char name[HN_SHAPE_NAME];
    uint64_t value;
    const char *field; /* who said so first */
} Size;

static const char *parse_name(const char *p, char name[HN_SHAPE_NAME]) {
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_') {
        n++;
    }
    if (n == 0 || n >= HN_SHAPE_NAME) {
        return NULL;
    }
    memcpy(name, p, n);
    name[n] = '\0';
    return p + n;
}

bool hn_shape_parse(const char *text, HnShape *shape) {
    memset(shape, 0, sizeof *shape);
    const char *p = text;
    while (*p == '[' && shape->n_dims < HN_MAX_DIMS) {
        int d = shape->n_dims++;
        p = parse_name(p + 1, shape->dims[d].name);
        if (p != NULL && *p == '*') {
            p = parse_name(p + 1, shape->dims[d].times);
        } else if (p != NULL && *p == '+') {
            char *end = NULL;
            shape->dims[d].plus = strtoull(p + 1, &end, 10);
            p = end;
        }
        if (p == NULL || *p != ']') {
            return false;
        }
        p++;
    }
    return *p == '\0' && shape->n_dims > 0;
}

static const Size *find_size(const Size *sizes, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(sizes[i].name, name) == 0) {
            return &sizes[i];
        }
    }
    return NULL;
}

static const HnExtent *extent_at(const HnExtent *extents, size_t stride, size_t i) {
    return (const HnExtent *)(const void *)((const char *)extents + i * stride);
}

/* Plain names and name+constant: the first field to use a name says its size. */
static HnStatus bind_sizes(const HnField *field, const HnShape *shape, const uint64_t *dims, Size *sizes, size_t *n,
                           const char *path, HnStatus status, HnError *err) {
    for (int d = 0; d < shape->n_dims; d++) {
        if (shape->dims[d].times[0] != '\0') {
            continue;
        }
        const char *name = shape->dims[d].name;
        if (dims[d] < shape->dims[d].plus) {
            return hn_fail(err, status, "%s: field %s %s has size %llu in dimension %d, at least %llu is needed", path,
                           field->path, field->shape, (unsigned long long)dims[d], d,
                           (unsigned long long)shape->dims[d].plus);
        }
        uint64_t value = dims[d] - shape->dims[d].plus;
        const Size *known = find_size(sizes, *n, name);
        if (known == NULL) {
            if (*n == MAX_SIZES) {
                return hn_fail(err, HN_INTERNAL, "more than %d names of sizes in one schema", MAX_SIZES);
            }
            memcpy(sizes[*n].name, name, HN_SHAPE_NAME);
            sizes[*n].value = value;
            sizes[(*n)++].field = field->path;
        } else if (known->value != value) {
            return hn_fail(err, status, "%s: field %s says %s = %llu, but field %s says %llu", path, field->path, name,
                           (unsigned long long)value, known->field, (unsigned long long)known->value);
        }
    }
    return HN_OK;
}

static HnStatus check_products(const HnField *field, const HnShape *shape, const uint64_t *dims, const Size *sizes,
                               size_t n, const char *path, HnStatus status, HnError *err) {
    for (int d = 0; d < shape->n_dims; d++) {
        if (shape->dims[d].times[0] == '\0') {
            continue;
        }
        const Size *a = find_size(sizes, n, shape->dims[d].name);
        const Size *b = find_size(sizes, n, shape->dims[d].times);
        if (a == NULL || b == NULL) { /* nothing to compare with: another field of the pair is absent */
            continue;
        }
        bool overflow = b->value != 0 && a->value > UINT64_MAX / b->value;
        if (overflow || a->value * b->value != dims[d]) {
            return hn_fail(err, status, "%s: field %s has %llu rows, but %s = %llu and %s = %llu", path, field->path,
                           (unsigned long long)dims[d], a->name, (unsigned long long)a->value, b->name,
                           (unsigned long long)b->value);
        }
    }
    return HN_OK;
}

HnStatus hn_shapes_agree(const HnSchema *schema, const HnExtent *extents, size_t stride, const char *path,
                         HnStatus status, HnError *err) {
    Size sizes[MAX_SIZES];
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < schema->n_fields; i++) {
            const HnExtent *extent = extent_at(extents, stride, i);
            HnShape shape;
            if (!extent->present) {
                continue;
            }
            if (!hn_shape_parse(schema->fields[i].shape, &shape)) {
                return hn_fail(err, HN_INTERNAL, "schema %s: cannot read the shape \"%s\" of %s", schema->name,
                               schema->fields[i].shape, schema->fields[i].path);
            }
            const HnField *field = &schema->fields[i];
            HN_TRY(pass == 0 ? bind_sizes(field, &shape, extent->dims, sizes, &n, path, status, err)
                             : check_products(field, &shape, extent->dims, sizes, n, path, status, err));
        }
    }
    return HN_OK;
}
