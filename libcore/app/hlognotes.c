#include "hlognotes.h"

#include "../base/herr.h"
#include "../base/htime.h"

#define INTERVAL_NS 1000000000U

static void on_note(hlog_level_e level, const char *text, size_t len, void *userdata)
{
    hlognotes_t *notes = userdata;
    uint64_t now_ns = htime_monotonic_ns();

    if (notes->told_ns && now_ns - notes->told_ns < INTERVAL_NS) {
        notes->untold++;
        return;
    }
    if (notes->untold > 0)
        hlogfile_say(notes->file, level, "%.*s (%u more since the last time)", (int)len, text,
                     notes->untold);
    else
        hlogfile_say(notes->file, level, "%.*s", (int)len, text);
    notes->told_ns = now_ns;
    notes->untold = 0;
}

int hlognotes_init(hlognotes_t *notes, const hlogfile_t *file)
{
    *notes = (hlognotes_t){.file = file, .log = hlog_new(HLOG_WARN, on_note, notes)};
    return notes->log ? 0 : -ENOMEM;
}

void hlognotes_deinit(hlognotes_t *notes)
{
    hlog_free(notes->log);
    notes->log = NULL;
}
