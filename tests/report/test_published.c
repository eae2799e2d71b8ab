/* Figures that others printed beside ours, and what the comparison leaves out, said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "folder.h"
#include "report/report.h"

static char top[256];
static char output[65536];

static int make_top(void **state) {
    (void)state;
    snprintf(top, sizeof top, "/tmp/hn-published-XXXXXX");
    return mkdtemp(top) == NULL ? -1 : 0;
}

static int drop_top(void **state) {
    (void)state;
    return hn_folder_remove(top, NULL) == HN_OK && hn_alloc_live_blocks() == 0 ? 0 : -1;
}

static HnStatus published(const char *folder, HnError *err) {
    FILE *stream = tmpfile();
    assert_non_null(stream);
    HnStatus status = hn_report_published(folder, stream, err);
    rewind(stream);
    size_t n = fread(output, 1, sizeof output - 1, stream);
    output[n] = '\0';
    fclose(stream);
    return status;
}

/* The line of the output that holds both. */
static void assert_line(const char *figure, const char *tail) {
    const char *at = strstr(output, figure);
    assert_non_null(at);
    char line[256];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    if (strstr(line, tail) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", line, tail);
    }
}

static void published_figures_beside_ours(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    char *folder = folder_put_run(top, "published", false, false);
    char yaml[2048];
    /* Zeta's recall is .1 .2 .3: mean .2, deviation .1, and one more run lies within .2 +- t(2) .1 sqrt(4/3) = .2 +-
     * .497. The parts of folder.c have losses .7 and .5 over 6 batches, and half the test's metrics at validation 2. */
    snprintf(yaml, sizeof yaml,
             "%spublished:\n"
             "  - Zeta, first; recall@10; best; 0.69\n  - Zeta, first; recall@10; best; 0.70\n"
             "  - Zeta, first; recall@10; best; 0.21; within 6 %%\n  - Alpha; loss; 0; 4.203; within 0.1 %%\n"
             "  - Alpha; loss; 1; 3.01\n"
             "  - Alpha; ndcg@10; 1; 0.25\n  - Alpha; ndcg@10; 7; 0.25\n  - not run; loss; 1; 3\n",
             folder_experiment);
    folder_put_experiment(folder, yaml);
    if (published(folder, &err) != HN_OK) {
        fail_msg("%s", err.message);
    }
    assert_line("best    0.69000", "0.20000 +- 0.10000       3/3   -71.01 %  yes");
    assert_line("best    0.70000", "3/3   -71.43 %  no");
    assert_line("best    0.21000", "3/3    -4.76 %  yes");
    assert_line("loss             0     4.2030", "4.2000 +- 0.0000         2/3    -0.07 %  yes");
    assert_line("loss             1     3.0100", "3.0000 +- 0.0000         2/3    -0.33 %  no");
    assert_line("ndcg@10          1    0.25000", "0.25000 +- 0.00000       2/3    +0.00 %  yes");
    assert_line("ndcg@10          7    0.25000", "  0/3          -  -");
    assert_line("not run", "  0/3          -  -");
    /* Row and seeds that are not there, and the figure of an epoch that was not validated, are not passed over. */
    assert_non_null(strstr(output, "missing: Alpha 3 (seeds"));
    assert_non_null(strstr(output, "missing: not run 1, 2, 3 (seeds"));
    assert_non_null(strstr(output, "1 figure: finished seeds have no value"));
    assert_null(strstr(output, "no figure is published for"));
    hn_free(folder);
    folder = folder_put_run(top, "some-published", false, false);
    snprintf(yaml, sizeof yaml, "%spublished: [Alpha; loss; 1; 3]\n", folder_experiment);
    folder_put_experiment(folder, yaml);
    assert_int_equal(published(folder, &err), HN_OK);
    assert_non_null(strstr(output, "no figure is published for: Zeta, first, not run\n"));
    assert_null(strstr(output, "finished seeds have no value"));
    hn_free(folder);
    folder = folder_put_run(top, "nothing-published", true, false);
    assert_int_equal(published(folder, &err), HN_INPUT);
    assert_non_null(strstr(err.message, "`published`"));
    hn_free(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_figures_beside_ours),
    };
    return cmocka_run_group_tests(tests, make_top, drop_top);
}
