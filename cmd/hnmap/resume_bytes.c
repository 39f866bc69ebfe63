#include "resume_bytes.h"

#include "base/herr.h"
#include "base/hmem.h"

#include <string.h>

#define NUMBER_LEN_MAX 10

void resume__put_bytes(resume_writer_t *w, const void *data, size_t len)
{
    if (w->error == 0)
        w->error = hbytes_append(w->out, data, len);
}

void resume__put_byte(resume_writer_t *w, uint8_t value)
{
    resume__put_bytes(w, &value, 1);
}

void resume__put_number(resume_writer_t *w, uint64_t value)
{
    uint8_t bytes[NUMBER_LEN_MAX];
    size_t len = 0;

    for (; value > 0x7f; value >>= 7)
        bytes[len++] = (uint8_t)(value | 0x80);
    bytes[len++] = (uint8_t)value;
    resume__put_bytes(w, bytes, len);
}

void resume__put_string(resume_writer_t *w, const char *text)
{
    size_t len = text ? strlen(text) + 1 : 0;

    resume__put_number(w, len);
    resume__put_bytes(w, text, len);
}

void resume__put_rtt(resume_writer_t *w, const resume_rtt_t *rtt)
{
    resume__put_number(w, rtt->srtt_us);
    resume__put_number(w, rtt->rttvar_us);
    resume__put_number(w, rtt->timeout_us);
}

/* ---- reading --------------------------------------------------------------------------------- */

void resume__get_wrong(resume_reader_t *r, int error)
{
    if (r->error == 0)
        r->error = error;
    r->at = r->end;
}

uint64_t resume__get_number(resume_reader_t *r, uint64_t max)
{
    uint64_t value = 0;

    for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t byte = *r->at++;

        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (value > max)
            break;
        return value;
    }
    resume__get_wrong(r, HERR_SYNTAX);
    return 0;
}

uint8_t resume__get_byte(resume_reader_t *r, uint8_t max)
{
    if (r->at < r->end && *r->at <= max)
        return *r->at++;
    resume__get_wrong(r, HERR_SYNTAX);
    return 0;
}

bool resume__get_bool(resume_reader_t *r)
{
    return resume__get_byte(r, 1) != 0;
}

void resume__get_bytes(resume_reader_t *r, void *data, size_t len)
{
    if ((size_t)(r->end - r->at) < len) {
        resume__get_wrong(r, HERR_SYNTAX);
        memset(data, 0, len);
        return;
    }
    memcpy(data, r->at, len);
    r->at += len;
}

const char *resume__get_string(resume_reader_t *r)
{
    size_t len = (size_t)resume__get_number(r, (uint64_t)(r->end - r->at));
    const char *text = (const char *)r->at;

    if (len == 0)
        return NULL;
    if ((size_t)(r->end - r->at) < len || memchr(text, '\0', len) != text + len - 1) {
        resume__get_wrong(r, HERR_SYNTAX);
        return NULL;
    }
    r->at += len;
    return text;
}

char *resume__get_copy(resume_reader_t *r)
{
    const char *text = resume__get_string(r);
    char *copy = text ? hmem_strdup(text) : NULL;

    if (text && copy == NULL)
        resume__get_wrong(r, -ENOMEM);
    return copy;
}

size_t resume__get_count(resume_reader_t *r, size_t max, size_t item_len)
{
    size_t room = (size_t)(r->end - r->at) / item_len;

    return (size_t)resume__get_number(r, max < room ? max : room);
}

void resume__get_rtt(resume_reader_t *r, resume_rtt_t *rtt)
{
    rtt->srtt_us = resume__get_number(r, UINT64_MAX);
    rtt->rttvar_us = resume__get_number(r, UINT64_MAX);
    rtt->timeout_us = resume__get_number(r, UINT64_MAX);
}
