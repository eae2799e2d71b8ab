/* `hnlmrec run`: the whole experiment as one MPI job. This file is the order of events; the parts stand in run_*.c. */
#include "app/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/command.h"
#include "app/data_options.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config/tune.h"
#include "cpu.h"
#include "report/report.h"

static const char usage[] =
    "usage: hnlmrec run EXPERIMENT [--out DIR] [--set KEY=VALUE ...]\n\n"
    "Runs the experiment (a YAML file, or the name of a shipped one such as \"demo\") as one MPI job: data set, "
    "profiles,\n"
    "hard negatives, vectors, training of every variant with every seed, table. Run again, it goes on where it stopped "
    "and\n"
    "skips what is done. `profile`, `negatives` and `embed` stop after their stage; `train` is the same as `run`.\n\n"
    "  --out DIR          run folder (default: hnlmrec-<name of the experiment>)\n"
    "  --set KEY=VALUE    replaces a key of the experiment; may be repeated\n"
    "  --plan             prints memory, bytes, files and requests, checks free space, and stops. Prepares the data "
    "set\n"
    "                     first where it is missing (it is kept for the run)\n"
    "  --seed-index N     only the N-th seed of the list, counted from 0 (for job arrays)\n"
    "  --artefacts DIR    shares data set, profiles, negatives and vectors with other runs (default: DIR/artefacts)\n"
    "  --quiet            warnings and the table only\n\n"
    "mpirun -n 4 hnlmrec run ... uses four ranks; roles.workers and roles.trainers, or HNLMREC_ROLE=worker|trainer on "
    "a\n"
    "rank, say who does what. SIGTERM and SIGUSR1 stop it after a checkpoint with exit code 14.\n"
    "HNLMREC_WATCHDOG_S=N ends a rank that has waited N seconds for the others in one message (0, the default: "
    "never).\n";

typedef struct Options {
    HnRun run;
    bool quiet, help;
} Options;

static HnUntil until_of(const char *command) {
    return strcmp(command, "profile") == 0     ? HN_UNTIL_PROFILES
           : strcmp(command, "negatives") == 0 ? HN_UNTIL_NEGATIVES
           : strcmp(command, "embed") == 0     ? HN_UNTIL_VECTORS
                                               : HN_UNTIL_END;
}

static HnStatus option_with_value(Options *options, const char *name, const char *value, HnError *err) {
    HnRun *run = &options->run;
    if (strcmp(name, "--out") == 0) {
        run->out = value;
    } else if (strcmp(name, "--set") == 0) {
        run->sets[run->n_sets++] = value;
    } else if (strcmp(name, "--artefacts") == 0) {
        run->artefacts_option = value;
    } else if (strcmp(name, "--part") == 0 && run->tune) {
        if (!hn_parse_part(value, &run->part, &run->n_parts)) {
            return hn_fail(err, HN_USAGE, "--part takes I/N with I from 0 to N-1, e.g. 0/4, not \"%s\"", value);
        }
    } else if (strcmp(name, "--seed-index") == 0 && !run->tune) {
        if (!hn_parse_i64(value, &run->seed_index) || run->seed_index < 0) {
            return hn_fail(err, HN_USAGE, "--seed-index takes a number from 0 on, not \"%s\"", value);
        }
    } else {
        return hn_fail(err, HN_USAGE, "unknown option %s; see `hnlmrec %s --help`", name, run->tune ? "tune" : "run");
    }
    return HN_OK;
}

static HnStatus parse_options(int argc, char **argv, Options *options, HnError *err) {
    HnRun *run = &options->run;
    run->seed_index = -1;
    run->until = until_of(argv[0]);
    run->tune = strcmp(argv[0], "tune") == 0;
    run->n_parts = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            options->help = true;
        } else if (strcmp(argv[i], "--plan") == 0) {
            run->plan = true;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            options->quiet = true;
        } else if (strncmp(argv[i], "--", 2) == 0 && i + 1 < argc) {
            HN_TRY(option_with_value(options, argv[i], argv[i + 1], err));
            i++;
        } else if (argv[i][0] != '-' && run->experiment_name == NULL) {
            run->experiment_name = argv[i];
        } else {
            return hn_fail(err, HN_USAGE, "cannot use \"%s\" here; see `hnlmrec run --help`", argv[i]);
        }
    }
    if (run->experiment_name == NULL && !options->help) {
        return hn_fail(err, HN_USAGE,
                       "name an experiment file, or a shipped one such as demo; see `hnlmrec run --help`");
    }
    return HN_OK;
}

/* Loads the experiment on this rank. */
static HnStatus load_experiment(HnRun *run, char **default_out, HnError *err) {
    char *path = NULL;
    HN_TRY(hn_experiment_path(run->experiment_name, &path, err));
    HnStatus status = hn_experiment_load(path, run->sets, run->n_sets, &run->experiment, err);
    hn_free(path);
    HN_TRY(status);
    if (run->seed_index >= (int64_t)run->experiment->seeds.n) {
        return hn_fail(err, HN_USAGE, "--seed-index %lld: the experiment has %zu seeds, counted from 0",
                       (long long)run->seed_index, run->experiment->seeds.n);
    }
    if (run->tune) { /* before a folder is made */
        uint64_t n_trials = 0;
        HN_TRY(hn_tune_count(run->experiment, &n_trials, err));
    }
    if (run->out == NULL) {
        *default_out = hn_path_printf(err, "hnlmrec-%s", run->experiment->name);
        run->out = *default_out;
    }
    return run->out == NULL ? HN_MEMORY : hn_experiment_dump(run->experiment, &run->config_yaml, err);
}

/* Ranks on different processors take the lowest path present, so that they compute the same bits. */
static HnStatus agree_on_cpu_path(HnRun *run, HnError *err) {
    int64_t lowest = -(int64_t)hn_cpu_level();
    HN_TRY(hn_comm_max_i64(run->world, &lowest, 1, err));
    hn_cpu_path_cap((HnCpuPath)-lowest);
    hn_run_log_text(&run->log, "processor_path", hn_cpu_path_name(hn_cpu_level()));
    return HN_OK;
}

static HnStatus prepare_run(HnRun *run, HnError *err) {
    HN_TRY(hn_run_folder_open(run, err));
    if (run->tune) {
        HN_TRY(hn_comm_agree(run->world, hn_run_expand_trials(run, err), err));
    }
    HN_TRY(hn_run_roles(run, err));
    HN_TRY(agree_on_cpu_path(run, err));
    hn_run_log_number(&run->log, "ranks", hn_comm_size(run->world));
    hn_run_log_number(&run->log, "workers", run->n_workers);
    hn_run_log_number(&run->log, "trainers", run->n_trainers);
    hn_run_log_number(&run->log, "threads", run->threads);
    return HN_OK;
}

static HnStatus plan_and_check(HnRun *run, HnError *err) {
    HnStatus status = hn_comm_rank(run->world) == 0 ? hn_run_plan(run, run->plan, err) : HN_OK;
    return hn_comm_agree(run->world, status, err);
}

/* An error inside a stage may be known to one rank only, and the others may wait for it in a collective: end the whole
 * job. Rank 0 speaks first; the others only if it had nothing to say. */
static void end_job_on_error(HnRun *run, const char *stage, HnStatus status, const HnError *err) {
    if (status == HN_OK || status == HN_INTERRUPTED || hn_comm_size(run->world) == 1) {
        return;
    }
    HnError ignored = HN_ERROR_INIT;
    if (hn_comm_rank(run->world) == 0) {
        hn_run_log_end(&run->log, run->out, err, &ignored);
    } else {
        nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    }
    hn_world_abort(run->world, stage, err);
}

/* Trainers that are not workers train what needs no vectors while the workers write; then all meet. */
static HnStatus write_negatives(HnRun *run, HnError *err) {
    HnStatus status = HN_OK;
    if (run->workers != NULL) {
        status = hn_run_llm(run, err);
        end_job_on_error(run, "language model", status, err);
    } else if (run->disjoint && run->until == HN_UNTIL_END) {
        status = hn_run_train(run, false, err);
        end_job_on_error(run, "training", status, err);
    }
    HN_TRY(hn_comm_agree(run->world, status, err));
    return run->until == HN_UNTIL_END ? hn_run_share_vectors(run, err) : HN_OK;
}

static HnStatus run_stages(HnRun *run, HnError *err) {
    bool llm = run->until != HN_UNTIL_END || hn_run_needs_vectors(run);
    if (llm) {
        HN_TRY(write_negatives(run, err));
    }
    if (run->until != HN_UNTIL_END) {
        return HN_OK;
    }
    HnStatus status = HN_OK;
    if (run->trainers != NULL) {
        status = llm && run->disjoint ? HN_OK : hn_run_train(run, false, err);
        if (status == HN_OK) {
            status = hn_run_train(run, true, err);
        }
        end_job_on_error(run, "training", status, err);
    }
    return hn_comm_agree(run->world, status, err);
}

static HnStatus run_experiment(HnRun *run, HnError *err) {
    HN_TRY(prepare_run(run, err));
    HnStatus models = hn_comm_rank(run->world) == 0 && !run->plan ? hn_run_check_models(run, false, err) : HN_OK;
    HN_TRY(hn_comm_agree(run->world, models, err));
    HN_TRY(hn_run_dataset(run, err));
    HN_TRY(hn_run_check_validation(run, err));
    HN_TRY(plan_and_check(run, err));
    if (run->plan) {
        return HN_OK;
    }
    HN_TRY(run_stages(run, err));
    HnStatus status = HN_OK;
    if (hn_comm_rank(run->world) == 0 && run->until == HN_UNTIL_END) {
        status = run->tune ? hn_report_trials(run->out, HN_REPORT_TABLE, stdout, err)
                           : hn_report(run->out, HN_REPORT_TABLE, stdout, err);
        if (status == HN_OK && !run->tune && run->experiment->published.n > 0) {
            (void)fputs("\n", stdout);
            status = hn_report_published(run->out, stdout, err);
        }
        fflush(stdout);
    }
    return hn_comm_agree(run->world, status, err);
}

static void free_run(HnRun *run) {
    hn_dataset_close(&run->dataset);
    hn_comm_free(&run->workers);
    hn_comm_free(&run->trainers);
    hn_experiment_free(&run->experiment);
    hn_free(run->config_yaml);
    hn_free(run->tuned_row);
    hn_free(run->artefacts);
    hn_free(run->dataset_path);
    hn_free(run->item_profiles);
    hn_free(run->user_profiles);
    hn_free(run->negatives);
    hn_free(run->vectors);
}

/* Everything between start and end of MPI; every rank leaves with the same error. */
static void run_in_world(Options *options, int argc, char **argv, HnError *err) {
    HnRun *run = &options->run;
    bool first = hn_comm_rank(run->world) == 0;
    char *default_out = NULL;
    HnStatus status = load_experiment(run, &default_out, err);
    status = hn_comm_agree(run->world, status, err);
    if (status == HN_OK && first) {
        status = hn_run_log_start(&run->log, argc, argv, err);
    }
    if (status == HN_OK) {
        hn_stop_install();
        status = run_experiment(run, err);
    }
    if (first && run->out != NULL) {
        HnError log_err = HN_ERROR_INIT;
        if (hn_folder_exists(run->out) && hn_run_log_end(&run->log, run->out, err, &log_err) != HN_OK) {
            hn_log(HN_LOG_WARN, "%s", log_err.message);
        }
    }
    if (first && status == HN_OK) {
        hn_log(HN_LOG_INFO, run->plan ? "nothing was run; what the plan counted is in %s" : "everything is in %s",
               run->out);
    }
    free_run(run);
    hn_free(default_out);
}

int hn_command_run(int argc, char **argv) {
    HnError err = HN_ERROR_INIT;
    Options options = {0};
    options.run.sets = hn_alloc((size_t)argc, sizeof *options.run.sets, "command line", &err);
    if (options.run.sets == NULL) {
        return hn_command_fail(&err);
    }
    if (parse_options(argc, argv, &options, &err) != HN_OK) {
        hn_free(options.run.sets);
        return hn_command_fail(&err);
    }
    if (options.help) {
        fputs(options.run.tune ? hn_tune_usage : usage, stdout);
        hn_free(options.run.sets);
        return 0;
    }
    if (hn_world_start(&argc, &argv, &options.run.world, &err) != HN_OK) {
        hn_free(options.run.sets);
        return hn_command_fail(&err);
    }
    int rank = hn_comm_rank(options.run.world);
    hn_log_setup(options.quiet ? HN_LOG_WARN : HN_LOG_INFO, rank);
    run_in_world(&options, argc, argv, &err);
    if (err.status != HN_OK && rank == 0) {
        hn_command_fail(&err);
    }
    hn_world_end(&options.run.world);
    hn_free(options.run.sets);
    return (int)err.status;
}
