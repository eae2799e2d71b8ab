/* Text to ids on one thread, beside Hugging Face tokenizers on the same texts.
 *   bench_tokenizer NAME FOLDER TEXT LABEL [PEER] */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "bench.h"
#include "llm/tokenizer/tokenizer.h"

enum { MOST_BYTES = 64 << 20, PROMPT_BYTES = 1500, TEXT_BYTES = 1 << 20 };

typedef struct Work {
    HnTokenizer *tokenizer;
    const char *text;
    size_t n_bytes;
    HnTokens tokens;
    HnError err;
} Work;

/* The first MiB in prompts of whole lines, 1,500 bytes or a little more each, as tests/peers/encode_text.py has them.
 */
static size_t prompt_end(const char *text, size_t n_bytes, size_t at) {
    size_t end = at + PROMPT_BYTES < n_bytes ? at + PROMPT_BYTES : n_bytes;
    while (end < n_bytes && text[end - 1] != '\n') {
        end++;
    }
    return end;
}

static void encode(void *context) {
    Work *work = context;
    work->tokens.n = 0;
    for (size_t at = 0, end; at < work->n_bytes; at = end) {
        end = prompt_end(work->text, work->n_bytes, at);
        (void)hn_tokenizer_encode(work->tokenizer, work->text + at, end - at, false, &work->tokens, &work->err);
    }
}

int main(int argc, char **argv) {
    Work work = {.err = HN_ERROR_INIT};
    char *text = NULL;
    size_t n = 0;
    if (argc < 5) {
        fprintf(stderr, "usage: bench_tokenizer NAME FOLDER TEXT LABEL [PEER]\n");
        return 2;
    }
    if (hn_tokenizer_open(argv[2], &work.tokenizer, &work.err) == HN_OK &&
        hn_file_read(argv[3], MOST_BYTES, &text, &n, &work.err) == HN_OK) {
        work.text = text;
        work.n_bytes = prompt_end(text, n, n < TEXT_BYTES ? 0 : TEXT_BYTES - PROMPT_BYTES);
        BenchPeer *peer = bench_peer_start(argc > 5 ? argv[5] : NULL);
        const BenchTime time = bench_time_beside(encode, &work, 10, 5.0, peer);
        BenchLine line = {.name = argv[1],
                          .ours_ms = 1e3 * time.median,
                          .peer_ms = bench_peer_ms(peer),
                          .peer = "tokenizers",
                          .goal = 1.0};
        (void)snprintf(line.note, sizeof line.note, "one used; %s, %.1f MB/s, %zu tokens", argv[4],
                       (double)work.n_bytes / time.median * 1e-6, work.tokens.n);
        bench_line_print(&line);
        bench_peer_stop(peer);
    }
    hn_tokens_free(&work.tokens);
    hn_tokenizer_close(&work.tokenizer);
    hn_free(text);
    if (work.err.status != HN_OK) {
        fprintf(stderr, "bench: %s\n", work.err.message);
    }
    return (int)work.err.status;
}
