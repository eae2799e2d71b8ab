/* A disk that is full when a checkpoint is due: what is said, and that the checkpoint before it is gone on from. On a
 * small tmpfs of its own where it may mount one (root), else SKIP. */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cf/session.h"

static char *folder, *disk;
static bool mounted;

static bool shell(const char *format, const char *path) {
    char command[1024];
    (void)snprintf(command, sizeof command, format, path);
    return system(command) == 0;
}

/* Leaves n_pages free. */
static void fill(size_t n_pages) {
    static const char page[4096];
    HnError err = HN_ERROR_INIT;
    char *path = hn_path_join(disk, "ballast", &err);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0);
    off_t length = 0;
    for (ssize_t n; (n = write(file, page, sizeof page)) > 0;) {
        length += n;
    }
    assert_true(length > (off_t)(n_pages * sizeof page));
    assert_int_equal(ftruncate(file, length - (off_t)(n_pages * sizeof page)), 0);
    assert_int_equal(close(file), 0);
    hn_free(path);
}

static void empty(void) {
    HnError err = HN_ERROR_INIT;
    char *path = hn_path_join(disk, "ballast", &err);
    (void)unlink(path);
    hn_free(path);
}

/* With 0, 1, 2 ... pages left, until the checkpoint fits. */
static void test_a_full_disk_at_a_checkpoint(void **state) {
    (void)state;
    if (!mounted) {
        skip();
    }
    HnError err = HN_ERROR_INIT;
    World world = world_gappy();
    HnTrainConfig config = small_config();
    Rig rig;
    rig_start(&rig, &world, &config, folder, NULL, true, 13);
    rig.job.folder = disk;
    HnSession session;
    expect_ok(hn_session_create(&rig.job, rig.comm, &session, &err), &err);
    expect_ok(hn_session_epoch(&session, &err), &err);
    expect_ok(hn_checkpoint_write(&session, &err), &err);
    expect_ok(hn_session_epoch(&session, &err), &err);
    HnStatus status = HN_SPACE;
    int refused = 0;
    for (size_t n_pages = 0; status == HN_SPACE; n_pages++) {
        HnError cause = HN_ERROR_INIT;
        fill(n_pages);
        status = hn_checkpoint_write(&session, &cause);
        empty();
        if (status == HN_OK) {
            break;
        }
        refused++;
        assert_int_equal(status, HN_SPACE);
        assert_non_null(strstr(cause.message, disk));
        assert_non_null(strstr(cause.message, "ree some space"));
        assert_non_null(strstr(cause.message, "goes on from the checkpoint before this one"));
        HnSession again;
        bool found = false;
        expect_ok(hn_session_create(&rig.job, rig.comm, &again, &err), &err);
        expect_ok(hn_checkpoint_read(&again, &found, &err), &err);
        assert_true(found);
        assert_int_equal(again.trainer->epoch, 1);
        hn_session_free(&again);
    }
    assert_true(refused > 2);
    hn_session_free(&session);
    rig_end(&rig);
    world_free(&world);
}

static int set_up(void **state) {
    (void)state;
    HnError err = HN_ERROR_INIT;
    folder = folder_make("full-disk");
    disk = hn_path_join(folder, "disk", &err);
    expect_ok(hn_folder_make(disk, &err), &err);
    mounted = shell("mount -t tmpfs -o size=512k,mode=700 hnlmrec-test '%s' 2>/dev/null", disk);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    const bool left = mounted && !shell("umount '%s'", disk);
    hn_free(disk);
    folder_free(&folder);
    return left || hn_alloc_live_blocks() != 0 ? 1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_full_disk_at_a_checkpoint)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
