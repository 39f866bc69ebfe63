#include "resume_record.h"

#include "base/hcrc.h"
#include "base/herr.h"
#include "resume_bytes.h"

#include <string.h>

#define PROBES_MAX 262144 /* of a stage of a host */
#define RUN_LEN_MIN 5

static void put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* ---- runs ------------------------------------------------------------------------------------ */

int resume_run_write(hbytes_t *runs, const resume_run_t *run)
{
    const size_t before = runs->len;
    resume_writer_t w = {.out = runs};

    resume__put_number(&w, run->first);
    resume__put_number(&w, run->count);
    resume__put_byte(&w, run->state);
    resume__put_byte(&w, run->reason);
    resume__put_byte(&w, run->ttl);
    if (w.error < 0)
        runs->len = before;
    return w.error;
}

bool resume_run_next(const char **runs, size_t *len, resume_run_t *run)
{
    resume_reader_t r = {.at = (const uint8_t *)*runs, .end = (const uint8_t *)*runs + *len};

    if (*len < RUN_LEN_MIN)
        return false;
    run->first = (uint32_t)resume__get_number(&r, PROBES_MAX - 1);
    run->count = (uint32_t)resume__get_number(&r, PROBES_MAX - run->first);
    run->state = resume__get_byte(&r, PORT_STATES - 1);
    run->reason = resume__get_byte(&r, REASONS - 1);
    run->ttl = resume__get_byte(&r, UINT8_MAX);
    if (r.error < 0 || run->count == 0)
        return false;
    *runs = (const char *)r.at;
    *len = (size_t)(r.end - r.at);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_begin(resume_writer_t *w, const resume_begin_t *begin)
{
    resume__put_number(w, begin->seed);
    resume__put_number(w, begin->start);
    for (size_t i = 0; i < RESUME_FACTS; i++)
        resume__put_number(w, begin->facts[i]);
    resume__put_bytes(w, begin->words, begin->words_len);
}

static void put_up(resume_writer_t *w, const resume_up_t *up)
{
    resume__put_number(w, up->start);
    resume__put_byte(w, up->reason);
    resume__put_byte(w, up->ttl);
    resume__put_byte(w, up->has_mac);
    if (up->has_mac)
        resume__put_bytes(w, up->mac, sizeof(up->mac));
    resume__put_byte(w, up->ping_kind);
    resume__put_byte(w, up->ping_flags);
    resume__put_number(w, up->ping_port);
}

static void put_probes(resume_writer_t *w, const resume_probes_t *probes)
{
    resume__put_byte(w, probes->is_udp);
    resume__put_byte(w, probes->is_whole);
    resume__put_rtt(w, &probes->rtt);
    resume__put_bytes(w, probes->runs, probes->runs_len);
}

static void put_told(resume_writer_t *w, const resume_told_t *told)
{
    resume__put_string(w, told->name);
    resume__put_number(w, told->hop_count);
    for (size_t i = 0; i < told->hop_count; i++)
        resume__put_string(w, told->hop_names[i]);
}

static void put_body(resume_writer_t *w, const resume_record_t *record)
{
    resume__put_byte(w, (uint8_t)record->kind);
    if (record->kind != RESUME_BEGIN && record->kind != RESUME_ELAPSED)
        resume__put_number(w, record->position);
    switch (record->kind) {
    case RESUME_BEGIN:
        put_begin(w, &record->begin);
        return;
    case RESUME_UP:
        put_up(w, &record->up);
        return;
    case RESUME_PROBES:
        put_probes(w, &record->probes);
        return;
    case RESUME_DONE:
        resume__put_result(w, &record->done);
        return;
    case RESUME_TOLD:
        put_told(w, &record->told);
        return;
    default:
        resume__put_number(w, record->elapsed_us);
        return;
    }
}

int resume_record_write(hbytes_t *out, const resume_record_t *record)
{
    const size_t before = out->len;
    uint8_t head[RESUME_HEAD_LEN] = {0};
    resume_writer_t w = {.out = out};
    const char *body;
    size_t len;

    resume__put_bytes(&w, head, sizeof(head));
    put_body(&w, record);
    if (w.error == 0 && out->len - before - sizeof(head) > RESUME_RECORD_MAX)
        w.error = -ENOBUFS;
    if (w.error < 0) {
        out->len = before;
        return w.error;
    }
    body = out->data + before + sizeof(head);
    len = out->len - before - sizeof(head);
    put_u32(head, (uint32_t)len);
    put_u32(head + 4, hcrc32c(0, body, len));
    put_u32(head + 8, hcrc32c(0, head, 8));
    memcpy(out->data + before, head, sizeof(head));
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

int resume_record_find(const char *data, size_t data_len, const char **body, size_t *len)
{
    const uint8_t *head = (const uint8_t *)data;

    if (data_len < RESUME_HEAD_LEN)
        return 0;
    *len = SIZE_MAX;
    if (get_u32(head + 8) != hcrc32c(0, head, 8) || get_u32(head) > RESUME_RECORD_MAX)
        return HERR_SYNTAX;
    *len = get_u32(head);
    if (data_len - RESUME_HEAD_LEN < *len)
        return 0;
    *body = data + RESUME_HEAD_LEN;
    return hcrc32c(0, *body, *len) == get_u32(head + 4) ? 1 : HERR_SYNTAX;
}

static void get_begin(resume_reader_t *r, resume_begin_t *begin)
{
    begin->seed = resume__get_number(r, UINT64_MAX);
    begin->start = resume__get_number(r, INT64_MAX);
    for (size_t i = 0; i < RESUME_FACTS; i++)
        begin->facts[i] = (uint32_t)resume__get_number(r, UINT32_MAX);
    begin->words = (const char *)r->at;
    begin->words_len = (size_t)(r->end - r->at);
    if (begin->words_len > RESUME_WORDS_MAX || (begin->words_len > 0 && r->end[-1] != '\0'))
        resume__get_wrong(r, HERR_SYNTAX);
    r->at = r->end;
}

static void get_up(resume_reader_t *r, resume_up_t *up)
{
    up->start = resume__get_number(r, INT64_MAX);
    up->reason = resume__get_byte(r, REASONS - 1);
    up->ttl = resume__get_byte(r, UINT8_MAX);
    up->has_mac = resume__get_bool(r);
    if (up->has_mac)
        resume__get_bytes(r, up->mac, sizeof(up->mac));
    up->ping_kind = resume__get_byte(r, UINT8_MAX);
    up->ping_flags = resume__get_byte(r, UINT8_MAX);
    up->ping_port = (uint16_t)resume__get_number(r, UINT16_MAX);
}

static void get_probes(resume_reader_t *r, resume_probes_t *probes)
{
    resume_run_t run;
    const char *runs;
    size_t len;

    probes->is_udp = resume__get_bool(r);
    probes->is_whole = resume__get_bool(r);
    resume__get_rtt(r, &probes->rtt);
    probes->runs = (const char *)r->at;
    probes->runs_len = (size_t)(r->end - r->at);
    runs = probes->runs;
    len = probes->runs_len;
    while (resume_run_next(&runs, &len, &run))
        ;
    if (len > 0)
        resume__get_wrong(r, HERR_SYNTAX);
    r->at = r->end;
}

static void get_told(resume_reader_t *r, resume_told_t *told)
{
    told->name = resume__get_string(r);
    told->hop_count = resume__get_count(r, RESUME_HOPS_MAX, 1);
    for (size_t i = 0; i < told->hop_count; i++)
        told->hop_names[i] = resume__get_string(r);
}

static void get_body(resume_reader_t *r, resume_record_t *record)
{
    switch (record->kind) {
    case RESUME_BEGIN:
        get_begin(r, &record->begin);
        return;
    case RESUME_UP:
        get_up(r, &record->up);
        return;
    case RESUME_PROBES:
        get_probes(r, &record->probes);
        return;
    case RESUME_DONE:
        resume__get_result(r, &record->done);
        return;
    case RESUME_TOLD:
        get_told(r, &record->told);
        return;
    case RESUME_ELAPSED:
        record->elapsed_us = resume__get_number(r, UINT64_MAX);
        return;
    default:
        resume__get_wrong(r, HERR_SYNTAX);
        return;
    }
}

int resume_record_read(resume_record_t *record, const char *body, size_t len)
{
    resume_reader_t r = {.at = (const uint8_t *)body, .end = (const uint8_t *)body + len};

    memset(record, 0, sizeof(*record));
    record->kind = (resume_kind_e)resume__get_byte(&r, RESUME_KINDS - 1);
    if (record->kind != RESUME_BEGIN && record->kind != RESUME_ELAPSED)
        record->position = resume__get_number(&r, UINT64_MAX - 1);
    get_body(&r, record);
    if (r.error == 0 && r.at < r.end)
        r.error = HERR_SYNTAX;
    return r.error;
}

void resume_record_deinit(resume_record_t *record)
{
    if (record->kind == RESUME_DONE)
        host_result_deinit(&record->done);
}
