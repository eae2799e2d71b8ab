#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http.h"

enum { EXCERPT_BYTES = 120 };

/* A line of the server's own words, printable. */
static void excerpt(const HnReply *reply, char *note, size_t n_note) {
    size_t used = strlen(note), n = reply->n_bytes < EXCERPT_BYTES ? reply->n_bytes : EXCERPT_BYTES;
    n = hn_utf8_prefix(reply->body, reply->n_bytes, n);
    if (n == 0 || used + 3 >= n_note || !hn_utf8_valid(reply->body, n, NULL)) {
        return;
    }
    used += (size_t)snprintf(note + used, n_note - used, ": ");
    n = hn_utf8_prefix(reply->body, n, n_note - used - 1);
    for (size_t i = 0; i < n; i++) {
        char c = reply->body[i];
        note[used++] = (unsigned char)c < ' ' ? ' ' : c;
    }
    note[used] = '\0';
}

static HnOutcome judge_transport(const HnReply *reply, char *note, size_t n_note) {
    snprintf(note, n_note, "%s",
             reply->transport_error && reply->transport_error[0] ? reply->transport_error
                                                                 : curl_easy_strerror(reply->code));
    switch (reply->code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return HN_OUTCOME_FATAL;
    case CURLE_WRITE_ERROR: /* our own limit on a reply */
        snprintf(note, n_note, "the reply is longer than %d bytes", HN_HTTP_MAX_REPLY);
        return HN_OUTCOME_REFUSED;
    default:
        return HN_OUTCOME_AGAIN;
    }
}

static HnOutcome judge_status(const HnReply *reply, bool any_success, char *note, size_t n_note) {
    long status = reply->http_status;
    snprintf(note, n_note, "HTTP %ld", status);
    excerpt(reply, note, n_note);
    if (status >= 200 && status < 300) {
        return HN_OUTCOME_ANSWER;
    }
    if (status == 408 || status == 409 || status == 425 || status == 429 || status >= 500) {
        return HN_OUTCOME_AGAIN;
    }
    if (status == 401 || (!any_success && (status == 403 || status == 404 || status == 405))) {
        return HN_OUTCOME_FATAL;
    }
    return HN_OUTCOME_REFUSED;
}

static uint32_t tokens(const json_t *object, const char *key) {
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 && value <= UINT32_MAX ? (uint32_t)value : 0;
}

static HnStatus read_chat(HnHttpApi api, const json_t *root, HnAnswer *answer, bool *good, HnError *err) {
    const json_t *message = api == HN_API_OLLAMA
                                ? json_object_get(root, "message")
                                : json_object_get(json_array_get(json_object_get(root, "choices"), 0), "message");
    const json_t *usage = api == HN_API_OLLAMA ? root : json_object_get(root, "usage");
    const char *text = json_string_value(json_object_get(message, "content"));
    *good = text != NULL;
    if (!text) {
        return HN_OK;
    }
    answer->prompt_tokens = tokens(usage, api == HN_API_OLLAMA ? "prompt_eval_count" : "prompt_tokens");
    answer->answer_tokens = tokens(usage, api == HN_API_OLLAMA ? "eval_count" : "completion_tokens");
    answer->text = hn_strdup(text, err);
    return answer->text ? HN_OK : HN_MEMORY;
}

static HnStatus read_vector(HnHttpApi api, const json_t *root, HnAnswer *answer, bool *good, HnError *err) {
    const json_t *list = api == HN_API_OLLAMA
                             ? json_array_get(json_object_get(root, "embeddings"), 0)
                             : json_object_get(json_array_get(json_object_get(root, "data"), 0), "embedding");
    const json_t *usage = api == HN_API_OLLAMA ? root : json_object_get(root, "usage");
    size_t n = json_array_size(list);
    *good = n > 0 && n <= UINT32_MAX;
    if (!*good) {
        return HN_OK;
    }
    answer->vector = hn_alloc(n, sizeof *answer->vector, "embedding", err);
    if (!answer->vector) {
        return HN_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        *good = *good && json_is_number(value) && isfinite((float)json_number_value(value));
        answer->vector[i] = (float)json_number_value(value);
    }
    answer->dim = (uint32_t)n;
    answer->prompt_tokens = tokens(usage, api == HN_API_OLLAMA ? "prompt_eval_count" : "prompt_tokens");
    if (!*good) {
        hn_free(answer->vector);
        answer->vector = NULL;
        answer->dim = 0;
    }
    return HN_OK;
}

HnStatus hn_http_judge(HnHttpApi api, HnTask task, const HnReply *reply, bool any_success, HnAnswer *answer,
                       HnOutcome *outcome, char *note, size_t n_note, HnError *err) {
    json_error_t error;
    bool good = false;
    if (reply->code != CURLE_OK) {
        *outcome = judge_transport(reply, note, n_note);
        return HN_OK;
    }
    *outcome = judge_status(reply, any_success, note, n_note);
    if (*outcome != HN_OUTCOME_ANSWER) {
        return HN_OK;
    }
    json_t *root = json_loadb(reply->body, reply->n_bytes, 0, &error);
    HnStatus status = HN_OK;
    if (root) {
        status = task == HN_TASK_EMBED ? read_vector(api, root, answer, &good, err)
                                       : read_chat(api, root, answer, &good, err);
    }
    if (!good) {
        snprintf(note, n_note, "HTTP %ld, but %s", reply->http_status,
                 root ? "the reply lacks the fields of this API (llm.http.api)" : "the reply is not JSON");
        excerpt(reply, note, n_note);
        *outcome = HN_OUTCOME_AGAIN;
    }
    json_decref(root);
    return status;
}
