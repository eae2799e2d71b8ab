/* Is somebody there? For doctor: one cheap GET, a few seconds at most. */
#include <stdio.h>

#include "base/alloc.h"
#include "http.h"

static const double LONGEST_CHECK_S = 5.0;

static size_t ignore(char *bytes, size_t size, size_t n, void *context) {
    (void)bytes;
    (void)context;
    return size * n;
}

static CURLcode get(const HnHttpConfig *config, const HnSecret *secret, const char *address, long *http_status,
                    HnError *err) {
    HnHttpConfig brief = *config;
    struct curl_slist *headers = NULL;
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;
    brief.timeout_s = brief.timeout_s < LONGEST_CHECK_S ? brief.timeout_s : LONGEST_CHECK_S;
    brief.connect_timeout_s = brief.connect_timeout_s < LONGEST_CHECK_S ? brief.connect_timeout_s : LONGEST_CHECK_S;
    if (easy && hn_secret_headers(secret, &headers, err) == HN_OK) {
        hn_http_common_options(easy, &brief, address);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
        code = curl_easy_perform(easy);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, http_status);
    }
    curl_easy_cleanup(easy);
    hn_secret_free_headers(&headers);
    return code;
}

static HnStatus check_one(const HnHttpConfig *config, const HnSecret *secret, const char *base, char *line,
                          size_t n_bytes, HnError *err) {
    char *address = NULL;
    long http_status = 0;
    HN_TRY(hn_http_address(base, config->api, config->api == HN_API_OLLAMA ? "/api/tags" : "/models", &address, err));
    CURLcode code = get(config, secret, address, &http_status, err);
    HnStatus status = HN_OK;
    if (code != CURLE_OK) {
        snprintf(line, n_bytes, "http: %s does not answer (%s)", base, curl_easy_strerror(code));
        status = hn_fail(err, HN_NETWORK, "endpoint %s does not answer (%s); start it, or mend llm.http.url", base,
                         curl_easy_strerror(code));
    } else if (http_status == 401 || http_status == 403) {
        snprintf(line, n_bytes, "http: %s answers, but refuses the key (HTTP %ld)", base, http_status);
        status = hn_fail(err, HN_NETWORK,
                         "endpoint %s refuses the key (HTTP %ld); check the variable named by "
                         "llm.http.key_env",
                         base, http_status);
    } else {
        snprintf(line, n_bytes, "http: %s answers (HTTP %ld)", base, http_status);
    }
    hn_free(address);
    return status;
}

HnStatus hn_http_check(const HnLlmConfig *config, char *line, size_t n_bytes, HnError *err) {
    HnSecret secret = {0};
    snprintf(line, n_bytes, "http: not usable as configured");
    HN_TRY(hn_secret_open(config->http.key_env, &secret, err));
    HnStatus status = HN_OK;
    char *first = NULL;
    status = hn_http_pick(config->http.url, 0, &first, err);
    if (status == HN_OK && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        status = check_one(&config->http, &secret, first, line, n_bytes, err);
        curl_global_cleanup();
    }
    hn_free(first);
    hn_secret_close(&secret);
    return status;
}
