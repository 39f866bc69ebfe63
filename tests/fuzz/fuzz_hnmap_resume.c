/* Bodies of the records of --resume: nothing breaks, and what is taken is written again as it was,
 * or shorter (a number may be written in more bytes than it needs). */
#include "../../cmd/hnmap/resume_record.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const resume_record_t *record, size_t size)
{
    resume_record_t again;
    hbytes_t text = {0};
    const char *body;
    size_t len;

    if (resume_record_write(&text, record) < 0)
        abort();
    if (resume_record_find(text.data, text.len, &body, &len) != 1 || len > size)
        abort();
    if (resume_record_read(&again, body, len) != 0 || again.kind != record->kind ||
        again.position != record->position)
        abort();
    resume_record_deinit(&again);
    hbytes_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    resume_record_t record;
    const char *body;
    size_t len;

    (void)resume_record_find((const char *)data, size, &body, &len);
    if (resume_record_read(&record, (const char *)data, size) == 0)
        check_again(&record, size);
    resume_record_deinit(&record);
    return 0;
}
