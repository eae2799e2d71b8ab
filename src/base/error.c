#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log_private.h"

/* The status of an error that is not kept: what the caller asked for. */
static HnStatus set_message(HnError *err, HnStatus status, const char *format, va_list args) {
    if (err == NULL) {
        return status;
    }
    if (err->status != HN_OK) {
        return err->status;
    }
    err->status = status;
    int length = vsnprintf(err->message, sizeof err->message, format, args);
    /* Here and not where it is printed: messages also go into journals, logs of runs, and to other ranks. */
    hn_log_redact(err->message, length >= (int)sizeof err->message);
    return status;
}

HnStatus hn_fail(HnError *err, HnStatus status, const char *format, ...) {
    if (status == HN_OK) {
        status = HN_INTERNAL; /* a failure without a cause is a fault of ours, never a success */
    }
    va_list args;
    va_start(args, format);
    status = set_message(err, status, format, args);
    va_end(args);
    return status;
}

HnStatus hn_fail_errno(HnError *err, int errno_value, const char *format, ...) {
    HnStatus status = errno_value == ENOSPC || errno_value == EDQUOT ? HN_SPACE
                      : errno_value == ENOMEM                        ? HN_MEMORY
                                                                     : HN_IO;
    if (err == NULL || err->status != HN_OK) {
        return err == NULL ? status : err->status;
    }
    va_list args;
    va_start(args, format);
    set_message(err, status, format, args);
    va_end(args);

    char reason[256];
    if (strerror_r(errno_value, reason, sizeof reason) != 0) {
        (void)snprintf(reason, sizeof reason, "error %d", errno_value);
    }
    size_t length = strlen(err->message);
    (void)snprintf(err->message + length, sizeof err->message - length, ": %s%s", reason,
                   status == HN_SPACE ? "; free some space there, or choose another folder" : "");
    return status;
}

const char *hn_status_text(HnStatus status) {
    switch (status) {
#define STATUS_CASE(name, code, text) \
    case HN_##name:                   \
        return text;
        HN_STATUS_TABLE(STATUS_CASE)
#undef STATUS_CASE
    default:
        return "unknown status";
    }
}

void hn_error_clear(HnError *err) {
    if (err != NULL) {
        err->status = HN_OK;
        err->message[0] = '\0';
    }
}
