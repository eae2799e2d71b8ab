/* Insides of the http provider: many requests in flight over one libcurl multi handle. */
#ifndef HN_SEMANTIC_HTTP_H
#define HN_SEMANTIC_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/text.h"
#include "providers.h"

enum { HN_HTTP_MAX_REPLY = 64 * 1024 * 1024 };

/* ---- http_key.c: the key, which goes into the Authorization header and nowhere else ---- */

typedef struct HnSecret {
    char *key;    /* NULL: none is used */
    char *header; /* "Authorization: Bearer ..." */
    bool guarded; /* core dumps are off while it is held */
    bool was_dumpable;
    unsigned long long old_core_limit;
} HnSecret;

/* Reads the environment variable called name ("" or NULL: no key). Hides the key from all log messages and switches
 * core dumps of the process off. */
HnStatus hn_secret_open(const char *name, HnSecret *secret, HnError *err);
/* Wipes it, and restores what was switched off. */
void hn_secret_close(HnSecret *secret);
/* Overwrites every occurrence of the key in text by asterisks. */
void hn_secret_scrub(const HnSecret *secret, char *text);
/* Adds the Authorization header; the list holds a copy, which hn_secret_free_headers wipes. */
HnStatus hn_secret_headers(const HnSecret *secret, struct curl_slist **headers, HnError *err);
void hn_secret_free_headers(struct curl_slist **headers);

/* ---- http_body.c: addresses and request bodies ---- */

/* The address for chats or embeddings under base ("http://host:port[/v1]"). Addresses with a user name or a password
 * are refused: they would end up in logs. */
HnStatus hn_http_address(const char *base, HnHttpApi api, const char *path, char **address, HnError *err);
HnStatus hn_http_chat_body(const HnHttpConfig *config, const HnRequest *request, HnText *body, HnError *err);
HnStatus hn_http_embed_body(const HnHttpConfig *config, const HnRequest *request, HnText *body, HnError *err);
/* Entry number `rank` (modulo) of a list of addresses separated by commas or spaces. */
HnStatus hn_http_pick(const char *list, int rank, char **address, HnError *err);
/* The options that every request shares. */
void hn_http_common_options(CURL *easy, const HnHttpConfig *config, const char *address);

/* ---- http_reply.c: what came back ---- */

typedef enum HnOutcome {
    HN_OUTCOME_ANSWER,
    HN_OUTCOME_AGAIN,   /* may pass: try again later */
    HN_OUTCOME_REFUSED, /* this request will never be answered */
    HN_OUTCOME_FATAL    /* no request of this kind will: wrong address, key or certificate */
} HnOutcome;

typedef struct HnReply {
    CURLcode code;
    long http_status;
    double retry_after_s; /* 0: not said */
    const char *body;     /* NUL-terminated */
    size_t n_bytes;
    const char *transport_error; /* libcurl's words */
} HnReply;

/* Judges a reply; ANSWER fills text or vector and the tokens of *answer. note gets the reason of all else.
 * any_success: the endpoint has answered before, so a 403 or 404 is about this request alone. */
HnStatus hn_http_judge(HnHttpApi api, HnTask task, const HnReply *reply, bool any_success, HnAnswer *answer,
                       HnOutcome *outcome, char *note, size_t n_note, HnError *err);

#endif
