#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/rng.h"

/* Waiting before try t + 1: BASE_WAIT 2^(t-1) seconds, at most LONGEST_WAIT, times a jitter of 0.5 to 1.5. */
static const double BASE_WAIT = 0.25, LONGEST_WAIT = 30.0, LONGEST_RETRY_AFTER = 600.0;
enum { DEAD_AFTER = 8 }; /* requests given up in a row, none answered between: the endpoint is down */

typedef enum SlotState { SLOT_FREE, SLOT_WAITING, SLOT_FLYING } SlotState;

typedef struct Slot {
    SlotState state;
    uint64_t key;
    HnTask task;
    CURL *easy; /* made once, used again: connections are kept by the multi handle */
    HnText body, reply;
    uint32_t attempts;
    double not_before; /* hn_clock_seconds at which the next try may start */
    char error[CURL_ERROR_SIZE];
} Slot;

/* A finished request. held: given up for a cause that may be the endpoint's; told only once the endpoint is known to
 * live, because else the request is still to be done, by somebody else or later. */
typedef struct Finished {
    HnAnswer answer;
    bool held;
} Finished;

typedef struct HnHttp {
    HnProvider base;
    const HnHttpConfig *config;
    HnSecret secret;
    struct curl_slist *headers;
    char *chat_address, *embed_address;
    CURLM *multi;
    Slot *slots; /* [n_slots] */
    size_t n_slots, n_used;
    Finished *finished; /* [n_finished] of [n_slots], oldest first */
    size_t n_finished;
    double gate;     /* Retry-After: nothing starts before */
    uint32_t losses; /* given up since the last answer */
    bool any_success;
} HnHttp;

/* ---- one request ---- */

static size_t on_reply(char *bytes, size_t size, size_t n, void *context) {
    Slot *slot = context;
    return hn_text_append(&slot->reply, bytes, size * n, NULL) == HN_OK ? size * n : 0;
}

static HnStatus start(HnHttp *self, Slot *slot, HnError *err) {
    const char *address = slot->task == HN_TASK_EMBED ? self->embed_address : self->chat_address;
    if (!slot->easy) {
        slot->easy = curl_easy_init();
        if (!slot->easy) {
            return hn_fail(err, HN_MEMORY, "libcurl cannot make another request");
        }
    }
    slot->error[0] = '\0';
    hn_text_clear(&slot->reply);
    hn_http_common_options(slot->easy, self->config, address);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->body.length);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, hn_text_get(&slot->body));
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_ERRORBUFFER, slot->error);
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    CURLMcode code = curl_multi_add_handle(self->multi, slot->easy);
    if (code != CURLM_OK) {
        return hn_fail(err, HN_NETWORK, "libcurl: %s", curl_multi_strerror(code));
    }
    slot->attempts++;
    slot->state = SLOT_FLYING;
    return HN_OK;
}

/* Starts what waits and may start; *next = when the next one may (or a far time). */
static HnStatus start_ready(HnHttp *self, double *next, HnError *err) {
    double now = hn_clock_seconds();
    *next = now + 3600.0;
    for (size_t i = 0; i < self->n_slots && self->n_used > 0; i++) {
        Slot *slot = &self->slots[i];
        if (slot->state == SLOT_WAITING) {
            double at = slot->not_before > self->gate ? slot->not_before : self->gate;
            if (at <= now) {
                HN_TRY(start(self, slot, err));
            } else if (at < *next) {
                *next = at;
            }
        }
    }
    return HN_OK;
}

static double wait_before(const Slot *slot) {
    double wait = BASE_WAIT;
    for (uint32_t t = 1; t < slot->attempts && wait < LONGEST_WAIT; t++) {
        wait *= 2.0;
    }
    wait = wait < LONGEST_WAIT ? wait : LONGEST_WAIT;
    HnRng rng;
    hn_rng_start(&rng, 0, HN_STREAM_PROVIDER, slot->attempts + 16, slot->key);
    return wait * (0.5 + hn_rng_double(&rng));
}

/* ---- outcomes ---- */

static void release(HnHttp *self, Slot *slot) {
    slot->state = SLOT_FREE;
    self->n_used--;
}

static void finish(HnHttp *self, Slot *slot, HnAnswer *answer, HnAnswerStatus status, bool held) {
    answer->key = slot->key;
    answer->status = status;
    answer->attempts = slot->attempts;
    hn_secret_scrub(&self->secret, answer->text);
    hn_secret_scrub(&self->secret, answer->note);
    self->finished[self->n_finished++] = (Finished){*answer, held};
    release(self, slot);
}

static void tell_held(HnHttp *self) {
    for (size_t i = 0; i < self->n_finished; i++) {
        self->finished[i].held = false;
    }
}

static HnStatus endpoint_lost(const HnHttp *self, const Slot *slot, const char *note, const char *remedy,
                              HnError *err) {
    char safe[256];
    snprintf(safe, sizeof safe, "%s", note);
    hn_secret_scrub(&self->secret, safe);
    return hn_fail(err, HN_NETWORK, "endpoint %s %s; answers so far are kept; %s, then start the same command again",
                   slot->task == HN_TASK_EMBED ? self->embed_address : self->chat_address, safe, remedy);
}

static HnStatus give_up(HnHttp *self, Slot *slot, HnAnswer *answer, CURLcode code, HnError *err) {
    char note[sizeof answer->note];
    self->losses++;
    bool unreachable = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
    if (unreachable || self->losses >= DEAD_AFTER) {
        snprintf(note, sizeof note, "does not answer (%.180s, %u tries)", answer->note, slot->attempts);
        return endpoint_lost(self, slot, note, "see that it runs (llm.http.url)", err);
    }
    snprintf(note, sizeof note, "%.200s (%u tries)", answer->note, slot->attempts);
    memcpy(answer->note, note, sizeof note);
    finish(self, slot, answer, HN_ANSWER_LOST, true);
    return HN_OK;
}

static HnStatus settle(HnHttp *self, Slot *slot, CURLcode code, HnError *err) {
    HnReply reply = {
        .code = code, .body = hn_text_get(&slot->reply), .n_bytes = slot->reply.length, .transport_error = slot->error};
    curl_off_t retry_after = 0;
    HnAnswer answer = {0};
    HnOutcome outcome;
    char note[sizeof answer.note];
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &reply.http_status);
    curl_easy_getinfo(slot->easy, CURLINFO_RETRY_AFTER, &retry_after);
    curl_multi_remove_handle(self->multi, slot->easy);
    HN_TRY(hn_http_judge(self->config->api, slot->task, &reply, self->any_success, &answer, &outcome, answer.note,
                         sizeof answer.note, err));
    switch (outcome) {
    case HN_OUTCOME_ANSWER:
        answer.note[0] = '\0';
        self->losses = 0;
        self->any_success = true;
        tell_held(self);
        finish(self, slot, &answer, HN_ANSWER_OK, false);
        return HN_OK;
    case HN_OUTCOME_REFUSED:
        finish(self, slot, &answer, HN_ANSWER_REFUSED, false);
        return HN_OK;
    case HN_OUTCOME_FATAL:
        (void)snprintf(note, sizeof note, "refuses every request (%.200s)", answer.note);
        return endpoint_lost(self, slot, note,
                             "check llm.http.url, llm.http.model and the key in the variable named by llm.http.key_env",
                             err);
    case HN_OUTCOME_AGAIN:
        break;
    }
    if (slot->attempts > (uint32_t)self->config->retries) {
        return give_up(self, slot, &answer, code, err);
    }
    double now = hn_clock_seconds();
    slot->state = SLOT_WAITING;
    slot->not_before = now + wait_before(slot);
    if (retry_after > 0 && (reply.http_status == 429 || reply.http_status == 503)) {
        double wait = (double)retry_after < LONGEST_RETRY_AFTER ? (double)retry_after : LONGEST_RETRY_AFTER;
        self->gate = now + wait > self->gate ? now + wait : self->gate;
    }
    return HN_OK;
}

/* ---- the ops ---- */

static HnStatus submit(HnProvider *base, const HnRequest *request, HnError *err) {
    HnHttp *self = (HnHttp *)base;
    size_t at = 0;
    while (at < self->n_slots && self->slots[at].state != SLOT_FREE) {
        at++;
    }
    if (at == self->n_slots) {
        return hn_fail(err, HN_INTERNAL, "more requests than llm.http.max_in_flight");
    }
    if (!(request->task == HN_TASK_EMBED ? self->embed_address : self->chat_address)) {
        return hn_fail(err, HN_CONFIG,
                       "llm.http.url is empty, but the http provider is asked to write text; set it to the "
                       "endpoint's base address");
    }
    Slot *slot = &self->slots[at];
    HN_TRY(request->task == HN_TASK_EMBED ? hn_http_embed_body(self->config, request, &slot->body, err)
                                          : hn_http_chat_body(self->config, request, &slot->body, err));
    slot->key = request->key;
    slot->task = request->task;
    slot->attempts = 0;
    slot->not_before = 0.0;
    slot->state = SLOT_WAITING;
    self->n_used++;
    return HN_OK;
}

static bool take_finished(HnHttp *self, HnAnswer *answer) {
    if (self->n_used == 0) {
        tell_held(self); /* nothing else is under way that could show whether the endpoint lives */
    }
    for (size_t i = 0; i < self->n_finished; i++) {
        if (!self->finished[i].held) {
            *answer = self->finished[i].answer;
            memmove(self->finished + i, self->finished + i + 1, (self->n_finished - i - 1) * sizeof *self->finished);
            self->n_finished--;
            return true;
        }
    }
    return false;
}

static HnStatus settle_messages(HnHttp *self, HnError *err) {
    int left = 0;
    for (CURLMsg *message = NULL; (message = curl_multi_info_read(self->multi, &left));) {
        char *private = NULL;
        if (message->msg == CURLMSG_DONE) {
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
            HN_TRY(settle(self, (Slot *)(void *)private, message->data.result, err));
        }
    }
    return HN_OK;
}

static HnStatus poll(HnProvider *base, int wait_ms, HnAnswer *answer, bool *got, HnError *err) {
    HnHttp *self = (HnHttp *)base;
    double deadline = hn_clock_seconds() + (double)wait_ms / 1000.0;
    for (;;) {
        int running = 0;
        double next = 0.0;
        HN_TRY(start_ready(self, &next, err));
        CURLMcode code = curl_multi_perform(self->multi, &running);
        if (code == CURLM_OK) {
            HN_TRY(settle_messages(self, err));
        }
        *got = take_finished(self, answer);
        double now = hn_clock_seconds(), until = next < deadline ? next : deadline;
        if (*got || self->n_used == 0 || now >= deadline) {
            return HN_OK;
        }
        if (code == CURLM_OK) {
            code = curl_multi_poll(self->multi, NULL, 0, until > now ? (int)((until - now) * 1000.0) + 1 : 0, NULL);
        }
        if (code != CURLM_OK) {
            return hn_fail(err, HN_NETWORK, "libcurl: %s", curl_multi_strerror(code));
        }
    }
}

static size_t capacity(const HnProvider *base) {
    const HnHttp *self = (const HnHttp *)base;
    return self->n_slots - self->n_used - self->n_finished;
}

static void close_self(HnProvider *base) {
    HnHttp *self = (HnHttp *)base;
    for (size_t i = 0; self->slots && i < self->n_slots; i++) {
        Slot *slot = &self->slots[i];
        if (slot->state == SLOT_FLYING) {
            curl_multi_remove_handle(self->multi, slot->easy);
        }
        curl_easy_cleanup(slot->easy);
        hn_text_free(&slot->body);
        hn_text_free(&slot->reply);
    }
    for (size_t i = 0; i < self->n_finished; i++) {
        hn_free(self->finished[i].answer.text);
        hn_free(self->finished[i].answer.vector);
    }
    if (self->multi) {
        curl_multi_cleanup(self->multi);
    }
    hn_secret_free_headers(&self->headers);
    hn_secret_close(&self->secret);
    hn_free(self->chat_address);
    hn_free(self->embed_address);
    hn_free(self->slots);
    hn_free(self->finished);
    hn_free(self);
    curl_global_cleanup();
}

static const HnProviderOps OPS = {"http", submit, poll, capacity, close_self, NULL};

static HnStatus add_header(HnHttp *self, const char *header, HnError *err) {
    struct curl_slist *longer = curl_slist_append(self->headers, header);
    if (!longer) {
        return hn_fail(err, HN_MEMORY, "out of memory for request headers");
    }
    self->headers = longer;
    return HN_OK;
}

static HnStatus prepare(HnHttp *self, HnError *err) {
    const HnHttpConfig *config = self->config;
    bool ollama = config->api == HN_API_OLLAMA, own = config->embed_url && config->embed_url[0];
    HN_TRY(hn_secret_open(config->key_env, &self->secret, err));
    if (config->url && config->url[0]) {
        HN_TRY(hn_http_address(config->url, config->api, ollama ? "/api/chat" : "/chat/completions",
                               &self->chat_address, err));
    }
    HN_TRY(hn_http_address(own ? config->embed_url : config->url, config->api, ollama ? "/api/embed" : "/embeddings",
                           &self->embed_address, err));
    HN_TRY(add_header(self, "Content-Type: application/json", err));
    HN_TRY(add_header(self, "Expect:", err)); /* no 100-continue: a round trip saved */
    HN_TRY(hn_secret_headers(&self->secret, &self->headers, err));
    self->n_slots = (size_t)config->max_in_flight;
    self->slots = hn_alloc(self->n_slots, sizeof *self->slots, "requests in flight", err);
    self->finished = hn_alloc(self->n_slots, sizeof *self->finished, "finished requests", err);
    self->multi = curl_multi_init();
    if (!self->slots || !self->finished || !self->multi) {
        return hn_fail(err, HN_MEMORY, "out of memory for %lld requests in flight", (long long)config->max_in_flight);
    }
    for (size_t i = 0; i < self->n_slots; i++) {
        self->slots[i].reply.max_bytes = HN_HTTP_MAX_REPLY;
    }
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)self->n_slots);
    return HN_OK;
}

HnStatus hn_http_open(const HnLlmConfig *config, HnProvider **provider, HnError *err) {
    HnHttp *self = hn_alloc(1, sizeof *self, "http provider", err);
    if (!self) {
        return HN_MEMORY;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        hn_free(self);
        return hn_fail(err, HN_NETWORK, "libcurl cannot be initialised");
    }
    self->base.ops = &OPS;
    self->config = &config->http;
    HnStatus status = prepare(self, err);
    if (status != HN_OK) {
        close_self(&self->base);
        return status;
    }
    *provider = &self->base;
    return HN_OK;
}
