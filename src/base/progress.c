#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_private.h"
#include "base/text.h"

static const double terminal_interval_s = 0.2;
static const double file_interval_s = 5.0;

enum { BAR_CELLS = 24 };

/* "item profiles  [#####-----]  512 / 1,024  50%  12.3/s  0:41 left" */
static void show(HnProgress *progress, double now, bool last) {
    char done_text[32], total_text[32], time_text[32], bar[BAR_CELLS + 4] = "";
    double elapsed = now - progress->started;
    double share = progress->total == 0 ? 1.0 : (double)progress->done / (double)progress->total;
    share = share > 1.0 ? 1.0 : share;
    uint64_t fresh = progress->done > progress->done_at_start ? progress->done - progress->done_at_start : 0;
    double rate = elapsed > 0.0 ? (double)fresh / elapsed : 0.0;
    double left =
        rate > 0.0 && progress->total > progress->done ? (double)(progress->total - progress->done) / rate : -1.0;

    if (progress->on_terminal) {
        int cells = (int)(share * BAR_CELLS);
        bar[0] = '[';
        memset(bar + 1, '#', (size_t)cells);
        memset(bar + 1 + cells, '-', (size_t)(BAR_CELLS - cells));
        bar[BAR_CELLS + 1] = ']';
        bar[BAR_CELLS + 2] = ' ';
    }
    hn_format_count(progress->done, done_text, sizeof done_text);
    hn_format_count(progress->total, total_text, sizeof total_text);
    hn_format_duration(last ? elapsed : left, time_text, sizeof time_text);
    (void)fprintf(stderr, "%s%s  %s%s / %s  %.0f%%  %.1f/s  %s %s%s", progress->on_terminal ? "\r" : "", progress->what,
                  bar, done_text, total_text, share * 100.0, rate, time_text, last ? "in all" : "left",
                  progress->on_terminal ? "\033[K" : "");
    if (last || !progress->on_terminal) {
        (void)fputc('\n', stderr);
    }
    (void)fflush(stderr);
    progress->last_shown = now;
}

void hn_progress_start(HnProgress *progress, const char *what, uint64_t total, uint64_t already_done) {
    memset(progress, 0, sizeof *progress);
    progress->what = what;
    progress->total = total;
    progress->done = already_done;
    progress->done_at_start = already_done;
    progress->started = hn_clock_seconds();
    progress->last_shown = progress->started;
    progress->on_terminal = isatty(STDERR_FILENO) == 1;
}

void hn_progress_update(HnProgress *progress, uint64_t done) {
    progress->done = done;
    double now = hn_clock_seconds();
    if (now - progress->last_shown >= (progress->on_terminal ? terminal_interval_s : file_interval_s) &&
        hn_log_shows_progress()) {
        show(progress, now, false);
    }
}

void hn_progress_finish(HnProgress *progress) {
    double now = hn_clock_seconds();
    /* Work that was over before its first line needs no last one. */
    bool was_shown = progress->last_shown > progress->started;
    if (hn_log_shows_progress() && (was_shown || now - progress->started >= file_interval_s)) {
        show(progress, now, true);
    }
}
