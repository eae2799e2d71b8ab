#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "http.h"
#include "json_text.h"

HnStatus hn_http_pick(const char *list, int rank, char **address, HnError *err) {
    static const char separators[] = ", \t\n";
    int n = 0;
    *address = NULL;
    for (const char *at = list + strspn(list, separators); *at; at += strspn(at, separators)) {
        at += strcspn(at, separators);
        n++;
    }
    if (n == 0) {
        return hn_fail(err, HN_CONFIG,
                       "llm.http.url is empty; set it to the endpoint's base address, e.g. "
                       "http://127.0.0.1:8000 (several, separated by commas, are shared out over the workers)");
    }
    const char *at = list + strspn(list, separators);
    for (int skip = rank % n; skip > 0; skip--) {
        at += strcspn(at, separators);
        at += strspn(at, separators);
    }
    *address = hn_strndup(at, strcspn(at, separators), err);
    return *address ? HN_OK : HN_MEMORY;
}

HnStatus hn_http_address(const char *base, HnHttpApi api, const char *path, char **address, HnError *err) {
    size_t n = strlen(base);
    *address = NULL;
    const char *host = strstr(base, "://");
    if (!host || (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0)) {
        return hn_fail(err, HN_CONFIG, "llm.http.url \"%s\" is no address; it begins with http:// or https://", base);
    }
    host += 3;
    size_t n_host = strcspn(host, "/?#");
    if (memchr(host, '@', n_host)) {
        return hn_fail(err, HN_CONFIG,
                       "llm.http.url holds a user name or a password, which would show up in logs; put the "
                       "key into an environment variable and name it in llm.http.key_env");
    }
    while (n > 0 && base[n - 1] == '/') {
        n--;
    }
    bool has_version = api == HN_API_OPENAI && n >= 3 && strncmp(base + n - 3, "/v1", 3) == 0;
    *address = hn_path_printf(err, "%.*s%s%s", (int)n, base, api == HN_API_OPENAI && !has_version ? "/v1" : "", path);
    return *address ? HN_OK : HN_MEMORY;
}

static HnStatus add_string(HnText *body, const char *before, const char *value, HnError *err) {
    HN_TRY(hn_text_puts(body, before, err));
    return hn_json_string(body, value, strlen(value), err);
}

HnStatus hn_http_chat_body(const HnHttpConfig *config, const HnRequest *request, HnText *body, HnError *err) {
    hn_text_clear(body);
    HN_TRY(add_string(body, "{\"model\": ", config->model, err));
    HN_TRY(add_string(body, ", \"messages\": [{\"role\": \"system\", \"content\": ", request->system, err));
    HN_TRY(add_string(body, "}, {\"role\": \"user\", \"content\": ", request->prompt, err));
    if (config->api == HN_API_OLLAMA) {
        return hn_text_printf(body, err,
                              "}], \"stream\": false, \"options\": {\"temperature\": %.6g, \"num_predict\": %lld}}",
                              config->temperature, (long long)config->max_tokens);
    }
    return hn_text_printf(body, err, "}], \"stream\": false, \"temperature\": %.6g, \"max_tokens\": %lld}",
                          config->temperature, (long long)config->max_tokens);
}

HnStatus hn_http_embed_body(const HnHttpConfig *config, const HnRequest *request, HnText *body, HnError *err) {
    hn_text_clear(body);
    HN_TRY(add_string(body, "{\"model\": ", config->embed_model, err));
    if (!request->whole || request->system[0] == '\0') {
        HN_TRY(add_string(body, ", \"input\": ", request->prompt, err));
        return hn_text_puts(body, "}", err);
    }
    HnText text = {0};
    HnStatus status = hn_text_printf(&text, err, "%s\n\n%s", request->system, request->prompt);
    if (status == HN_OK) {
        status = add_string(body, ", \"input\": ", hn_text_get(&text), err);
    }
    hn_text_free(&text);
    return status == HN_OK ? hn_text_puts(body, "}", err) : status;
}

static bool is_loopback(const char *address) {
    const char *host = strstr(address, "://");
    host = host ? host + 3 : address;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 || strncmp(host, "localhost", 9) == 0;
}

void hn_http_common_options(CURL *easy, const HnHttpConfig *config, const char *address) {
    curl_easy_setopt(easy, CURLOPT_URL, address);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* the key goes to the configured host only */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(config->timeout_s * 1000.0));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(config->connect_timeout_s * 1000.0));
    if (is_loopback(address)) {
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* http_proxy of a cluster is not meant for this host */
    }
}
