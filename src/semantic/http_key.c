#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/alloc.h"
#include "base/log.h"

/* A memset that the compiler may not leave out. */
static void wipe(char *text) {
    volatile char *at = text;
    while (at && *at) {
        *at++ = '\0';
    }
}

static void guard(HnSecret *secret) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        secret->old_core_limit = (unsigned long long)limit.rlim_cur;
        limit.rlim_cur = 0;
        setrlimit(RLIMIT_CORE, &limit);
    }
#ifdef __linux__
    secret->was_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    secret->guarded = true;
}

static void unguard(HnSecret *secret) {
    struct rlimit limit;
    if (!secret->guarded) {
        return;
    }
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = (rlim_t)secret->old_core_limit;
        setrlimit(RLIMIT_CORE, &limit);
    }
#ifdef __linux__
    if (secret->was_dumpable) {
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
#endif
}

HnStatus hn_secret_open(const char *name, HnSecret *secret, HnError *err) {
    *secret = (HnSecret){0};
    if (!name || !name[0]) {
        return HN_OK;
    }
    const char *value = getenv(name);
    if (!value || !value[0]) {
        return hn_fail(err, HN_CONFIG,
                       "the environment variable %s (llm.http.key_env) is not set; export the "
                       "endpoint's key in it, or leave llm.http.key_env empty for an endpoint without one",
                       name);
    }
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F) {
            return hn_fail(err, HN_CONFIG,
                           "the environment variable %s (llm.http.key_env) holds a space or an unprintable "
                           "character; a key has none",
                           name);
        }
    }
    guard(secret);
    static const char prefix[] = "Authorization: Bearer ";
    size_t n = strlen(value);
    secret->key = hn_strdup(value, err);
    secret->header = hn_alloc(sizeof prefix + n, 1, "request header", err);
    HnStatus status = secret->key && secret->header ? hn_log_hide(value, err) : HN_MEMORY;
    if (status != HN_OK) {
        hn_secret_close(secret);
        return status;
    }
    memcpy(secret->header, prefix, sizeof prefix - 1);
    memcpy(secret->header + sizeof prefix - 1, value, n + 1);
    return HN_OK;
}

void hn_secret_close(HnSecret *secret) {
    wipe(secret->key);
    wipe(secret->header);
    hn_free(secret->key);
    hn_free(secret->header);
    unguard(secret);
    *secret = (HnSecret){0};
}

void hn_secret_scrub(const HnSecret *secret, char *text) {
    size_t n = secret->key ? strlen(secret->key) : 0;
    for (char *at = n && text ? strstr(text, secret->key) : NULL; at; at = strstr(at, secret->key)) {
        memset(at, '*', n);
    }
}

HnStatus hn_secret_headers(const HnSecret *secret, struct curl_slist **headers, HnError *err) {
    if (!secret->header) {
        return HN_OK;
    }
    struct curl_slist *longer = curl_slist_append(*headers, secret->header);
    if (!longer) {
        return hn_fail(err, HN_MEMORY, "out of memory for request headers");
    }
    *headers = longer;
    return HN_OK;
}

void hn_secret_free_headers(struct curl_slist **headers) {
    for (struct curl_slist *at = *headers; at; at = at->next) {
        wipe(at->data);
    }
    curl_slist_free_all(*headers);
    *headers = NULL;
}
