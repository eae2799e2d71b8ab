/* The file of answers: what it was begun with, what it holds already, and that both belong to this input. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/generate.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "llm/files/identity.h"
#include "semantic/stage_identity.h"

static bool same_file(FILE *a, FILE *b) {
    struct stat x, y;
    return fstat(fileno(a), &x) == 0 && fstat(fileno(b), &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Whether n bytes can be an answer that was being written when the program ended. */
static bool part_of_answer(const char *bytes, size_t n) {
    static const char begins[] = "{\"id\":";
    json_error_t bad;
    json_t *whole = json_loadb(bytes, n, JSON_ALLOW_NUL, &bad);
    bool other = whole != NULL && json_object_get(whole, "stop") == NULL;
    json_decref(whole);
    return !other && strncmp(bytes, begins, n < strlen(begins) ? n : strlen(begins)) == 0;
}

/* Counts the whole lines; *whole: where they end. */
static HnStatus count_answered(HnGenerateOutput *output, long *whole, HnError *err) {
    ssize_t n = 0;
    *whole = 0;
    while ((n = getline(&output->buffer, &output->capacity, output->file)) > 0 && output->buffer[n - 1] == '\n') {
        output->n_before++;
        *whole = ftell(output->file);
    }
    return n > 0 && !part_of_answer(output->buffer, (size_t)n)
               ? hn_fail(err, HN_CONFLICT, "%s ends in something that is no answer: name another --output",
                         output->path)
               : HN_OK;
}

/* ---- settings ---- */

static HnStatus add_json(HnStageIdentity *identity, const char *key, json_t *value, HnError *err) {
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    HnStatus status =
        text ? hn_stage_identity_line(identity, key, text, err) : hn_fail(err, HN_INPUT, "--%s is no UTF-8", key);
    free(text);
    json_decref(value);
    return status;
}

/* All that an answer depends on, but its line; the model by content, not by path. */
static HnStatus identify(const HnGenerateCommand *command, HnStageIdentity *identity, HnError *err) {
    const HnSampling *sampling = &command->sampling;
    char model[65];
    json_t *stops = json_array(), *keys = json_array();
    for (size_t i = 0; i < command->n_stops; i++) {
        json_array_append_new(stops, json_string_nocheck(command->stops[i]));
    }
    for (size_t i = 0; i < command->n_keys; i++) {
        json_array_append_new(keys, json_string_nocheck(command->keys[i].key));
    }
    hn_stage_identity_products(identity, command->author.weights, command->mix_bits, "--mix-bits");
    HnStatus status = hn_lm_folder_id(command->author.folder, model, err);
    if (status == HN_OK) {
        status = hn_text_printf(
            &identity->lines, err,
            "model: %s\nweights: %s\nplain: %d\nthinking: %d\ncontext: %u\nmax-tokens: %u\ntemperature: %.17g\n"
            "top-k: %u\ntop-p: %.17g\nrepetition-penalty: %.17g\nseed: %llu\n",
            model, hn_weight_type_name(command->author.weights), command->author.plain, command->author.thinking,
            command->author.context, command->budget, sampling->temperature, sampling->top_k, sampling->top_p,
            sampling->repetition_penalty, (unsigned long long)sampling->seed);
    }
    status = status == HN_OK ? add_json(identity, "system", json_string(command->system), err) : status;
    status = status == HN_OK ? add_json(identity, "stop", json_incref(stops), err) : status;
    status = status == HN_OK ? add_json(identity, "json", json_incref(keys), err) : status;
    json_decref(stops);
    json_decref(keys);
    return status;
}

static HnStatus check_settings(const HnGenerateCommand *command, bool begun, bool finished, HnError *err) {
    HnStageIdentity identity = {.finished = finished};
    char *path = hn_path_printf(err, "%s.settings", command->output);
    HnStatus status = path ? identify(command, &identity, err) : HN_MEMORY;
    if (status == HN_OK) {
        status = hn_stage_claim_file(path, begun, "name another --output", &identity, err);
    }
    hn_stage_identity_free(&identity);
    hn_free(path);
    return status;
}

/* ---- */

/* What the file ends in is cut off, if it is part of an answer: a file of something else stays as it is. */
static HnStatus take_up(const HnGenerateCommand *command, uint64_t n_lines, HnGenerateOutput *output, HnError *err) {
    long whole = 0;
    rewind(output->file);
    HN_TRY(count_answered(output, &whole, err));
    HN_TRY(check_settings(command, output->n_before > 0, output->n_before == n_lines, err));
    if (ferror(output->file) || fflush(output->file) != 0 || ftruncate(fileno(output->file), whole) != 0 ||
        fseek(output->file, 0, SEEK_END) != 0) {
        return hn_fail(err, HN_IO, "cannot go on with %s", output->path);
    }
    if (output->n_before > 0) {
        output->earlier = fopen(output->path, "r");
        hn_log(HN_LOG_INFO, "%s: %llu lines are answered already", output->path, (unsigned long long)output->n_before);
    }
    return output->n_before > 0 && output->earlier == NULL ? hn_fail(err, HN_IO, "cannot read %s", output->path)
                                                           : HN_OK;
}

HnStatus hn_generate_output_open(const HnGenerateCommand *command, FILE *in, uint64_t n_lines, HnGenerateOutput *output,
                                 HnError *err) {
    struct stat there;
    *output = (HnGenerateOutput){.path = command->output};
    bool stream = output->path == NULL || (stat(output->path, &there) == 0 && !S_ISREG(there.st_mode));
    if (!stream) { /* two processes that append to one file would mix their lines */
        HN_TRY(hn_claim_output(output->path, &output->claim, err));
    }
    output->file = output->path == NULL ? stdout : fopen(output->path, stream ? "w" : "a+");
    if (output->file == NULL) {
        return hn_fail(err, HN_IO, "cannot write %s", output->path);
    }
    if (stream) {
        return HN_OK;
    }
    return same_file(in, output->file)
               ? hn_fail(err, HN_USAGE, "%s is the input, too: name another --output", output->path)
               : take_up(command, n_lines, output, err);
}

HnStatus hn_generate_asked(const char *system, const char *prompt, char asked[17], HnError *err) {
    HnSha256 *hash = NULL;
    char hex[65];
    HN_TRY(hn_sha256_start(&hash, err));
    hn_sha256_update(hash, system, strlen(system) + 1); /* its end, too: nothing moves from one to the other */
    hn_sha256_update(hash, prompt, strlen(prompt));
    hn_sha256_finish(&hash, hex);
    (void)snprintf(asked, 17, "%.16s", hex);
    return HN_OK;
}

HnStatus hn_generate_output_check(HnGenerateOutput *output, const json_t *line, const char *asked, uint64_t number,
                                  HnError *err) {
    json_error_t bad;
    ssize_t n = getline(&output->buffer, &output->capacity, output->earlier);
    json_t *answer = n > 0 ? json_loadb(output->buffer, (size_t)n, JSON_ALLOW_NUL, &bad) : NULL; /* models write it */
    json_t *own = json_integer((json_int_t)number);
    const json_t *id = json_object_get(line, "id"), *got = json_object_get(answer, "id");
    const json_t *then = json_object_get(answer, "asked"); /* absent in the files of earlier versions */
    bool good = json_object_get(answer, "stop") && json_equal(got, id ? id : own);
    bool same = then == NULL || (json_is_string(then) && strcmp(json_string_value(then), asked) == 0);
    json_decref(own);
    json_decref(answer);
    return good && same
               ? HN_OK
               : hn_fail(err, HN_CONFLICT,
                         "line %llu of %s is no answer to this line%s: name another --output, or the input that it is "
                         "of",
                         (unsigned long long)number + 1, output->path,
                         good ? ", which has the same id but asks something else" : "");
}

void hn_generate_output_close(HnGenerateOutput *output) {
    if (output->earlier) {
        (void)fclose(output->earlier);
    }
    if (output->file && output->file != stdout) {
        (void)fclose(output->file);
    }
    hn_claim_release(&output->claim);
    free(output->buffer);
    *output = (HnGenerateOutput){0};
}
