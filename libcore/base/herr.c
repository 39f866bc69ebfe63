#include "herr.h"

#include <stddef.h>
#include <string.h>

#define ERRNO_MAX 4095

typedef struct own_error_s {
    int code;
    const char *name;
    const char *text;
} own_error_t;

static const own_error_t own_errors[] = {
    {HERR_OK, "HERR_OK", "Success"},
    {HERR_CLOSED, "HERR_CLOSED", "Connection is closed"},
    {HERR_STALE, "HERR_STALE", "Connection no longer exists"},
    {HERR_QUEUE_FULL, "HERR_QUEUE_FULL", "Write queue is full"},
    {HERR_FRAME_SIZE, "HERR_FRAME_SIZE", "Frame too long"},
    {HERR_FRAME, "HERR_FRAME", "Invalid frame"},
    {HERR_HEARTBEAT, "HERR_HEARTBEAT", "No answer to heartbeats"},
    {HERR_RESOLVE, "HERR_RESOLVE", "Name does not resolve"},
    {HERR_SYNTAX, "HERR_SYNTAX", "Invalid syntax"},
    {HERR_RANGE, "HERR_RANGE", "Number out of range"},
    {HERR_UNSUPPORTED, "HERR_UNSUPPORTED", "Not supported"},
    {HERR_TLS, "HERR_TLS", "TLS failed"},
    {HERR_CERTIFICATE, "HERR_CERTIFICATE", "Certificate not accepted"},
    {HERR_TRUNCATED, "HERR_TRUNCATED", "Connection ended too early"},
    {HERR_PROXY, "HERR_PROXY", "Proxy failed"},
    {HERR_PROTOCOL, "HERR_PROTOCOL", "Not the expected protocol"},
    {HERR_PIN, "HERR_PIN", "Not the pinned key"},
};

static const own_error_t *find_own(int err)
{
    for (size_t i = 0; i < sizeof(own_errors) / sizeof(own_errors[0]); i++) {
        if (own_errors[i].code == err)
            return &own_errors[i];
    }
    return NULL;
}

/* The C library's untranslated tables are used, not strerror: that one may return a buffer that
 * another thread overwrites. */
const char *herr_str(int err)
{
    const own_error_t *own = find_own(err);
    const char *text = NULL;

    if (own)
        return own->text;
    if (err < 0 && err >= -ERRNO_MAX)
        text = strerrordesc_np(-err);
    return text ? text : "Unknown error";
}

const char *herr_name(int err)
{
    const own_error_t *own = find_own(err);
    const char *name = NULL;

    if (own)
        return own->name;
    if (err < 0 && err >= -ERRNO_MAX)
        name = strerrorname_np(-err);
    return name ? name : "UNKNOWN";
}
