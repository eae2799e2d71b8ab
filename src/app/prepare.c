/* `hnlmrec prepare`: raw dumps (or the synthetic world) to one dataset.h5. */
#include <stdbool.h>
#include <stdio.h>

#include "app/command.h"
#include "app/data_options.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "config/experiment.h"
#include "data/prepare.h"

static const char usage[] =
    "usage: hnlmrec prepare [EXPERIMENT.yaml] [--set KEY=VALUE ...] --out dataset.h5\n\n"
    "Reads what the data.* keys of the experiment name, filters, splits, numbers users and items, keeps the texts of\n"
    "items and the reviews of train pairs, and writes one dataset.h5 (`hnlmrec help config data` explains the keys).\n"
    "The experiment may be a file or a shipped one (demo, paper/toys-and-games); without it --set says everything.\n"
    "Never starts MPI.\n";

static void print_count(const char *name, uint64_t value) {
    char text[32];
    printf("%-15s %15s\n", name, hn_format_count(value, text, sizeof text));
}

/* A line on what texts cover, or nothing where the format has none. */
static void print_coverage(const char *name, uint64_t have, uint64_t of, const char *what) {
    char a[32], b[32];
    printf("%-15s %15s  of %s %s (%.1f %%)\n", name, hn_format_count(have, a, sizeof a),
           hn_format_count(of, b, sizeof b), what, of == 0 ? 0.0 : 100.0 * (double)have / (double)of);
}

static void print_table(const HnPrepareReport *report, const char *out, bool generated) {
    printf("%s%s\n", out, generated || report->synthetic ? "   (SYNTHETIC)" : "");
    print_count("users", report->users);
    print_count("items", report->items);
    print_count("train pairs", report->n_train);
    print_count("valid pairs", report->n_valid);
    print_count("test pairs", report->n_test);
    printf("%-15s %14.4f %%\n", "density", 100.0 * report->density);
    if (!generated) {
        print_count("input files", report->n_inputs);
        print_count("lines", report->lines_read);
        print_count("  malformed", report->lines_bad);
        print_count("interactions", report->pairs_read);
        print_count("  filtered out", report->pairs_filtered);
        print_count("  repeated", report->pairs_repeated);
        print_count("  not in k-core", report->pairs_core);
    }
    if (report->pairs_crossing > 0) {
        print_count("  in two parts", report->pairs_crossing);
    }
    if (report->takes_reviews) {
        print_coverage("reviews", report->n_reviews, report->n_train, "train pairs");
    }
    if (report->takes_items) {
        print_coverage("titles", report->n_titles, report->items, "items");
        print_coverage("descriptions", report->n_descriptions, report->items, "items");
        print_coverage("categories", report->n_categories, report->items, "items");
        print_coverage("attributes", report->n_attributes, report->items, "items");
    }
    (void)fflush(stdout);
}

static void warn(const HnPrepareReport *report) {
    if (report->kept_users_unseen + report->kept_items_unseen > 0) {
        hn_log(HN_LOG_WARN, "on the keep lists without an interaction: users %llu, items %llu",
               (unsigned long long)report->kept_users_unseen, (unsigned long long)report->kept_items_unseen);
    }
    if (report->users_untested > 0) {
        hn_log(HN_LOG_INFO, "users without a test item, who do not count in the ranking: %llu",
               (unsigned long long)report->users_untested);
    }
    if (report->items_untrained > 0) {
        hn_log(HN_LOG_INFO, "items without a train pair: %llu", (unsigned long long)report->items_untrained);
    }
    if (report->n_titles + report->n_descriptions + report->n_categories + report->n_reviews == 0) {
        hn_log(HN_LOG_WARN, "the data set has no text at all: profiles can only be imported, and text negatives have "
                            "nothing to go by");
    } else if (report->takes_items && report->n_titles * 2 < report->items) {
        hn_log(HN_LOG_WARN, "less than half of the items have a title: do data.items belong to data.interactions?");
    }
}

int hn_command_prepare(int argc, char **argv) {
    HnDataOptions options;
    int code;
    if (!hn_data_options_parse(argc, argv, usage, false, &options, &code)) {
        return code;
    }
    HnError err = HN_ERROR_INIT;
    HnExperiment *experiment = NULL;
    char *yaml = NULL;
    HnPrepareReport report;
    hn_stop_install();
    HnStatus status = hn_data_options_load(&options, &experiment, &err);
    if (status == HN_OK) {
        status = hn_experiment_dump(experiment, &yaml, &err);
    }
    if (status == HN_OK) {
        status = hn_prepare(&experiment->data, yaml, options.out, &report, &err);
    }
    if (status == HN_OK) {
        print_table(&report, options.out, experiment->data.format == HN_FORMAT_SYNTHETIC);
        warn(&report);
    }
    hn_free(yaml);
    hn_experiment_free(&experiment);
    return status == HN_OK ? 0 : hn_command_fail(&err);
}
