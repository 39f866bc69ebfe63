/* resume_bytes: the pieces that records are made of. */
#ifndef HNMAP_RESUME_BYTES_H
#define HNMAP_RESUME_BYTES_H

#include "resume_record.h"

/* The first error is kept, and nothing is appended behind it. */
typedef struct resume_writer_s {
    hbytes_t *out;
    int error;
} resume_writer_t;

void resume__put_byte(resume_writer_t *w, uint8_t value);
void resume__put_number(resume_writer_t *w, uint64_t value);
void resume__put_bytes(resume_writer_t *w, const void *data, size_t len);
void resume__put_string(resume_writer_t *w, const char *text); /* NULL is legal */
void resume__put_rtt(resume_writer_t *w, const resume_rtt_t *rtt);

/* Behind the first thing that is wrong all is 0 or NULL. */
typedef struct resume_reader_s {
    const uint8_t *at, *end;
    int error;
} resume_reader_t;

/* Up to a maximum; more is wrong. */
uint64_t resume__get_number(resume_reader_t *r, uint64_t max);
uint8_t resume__get_byte(resume_reader_t *r, uint8_t max);
bool resume__get_bool(resume_reader_t *r);
void resume__get_bytes(resume_reader_t *r, void *data, size_t len);
/* Borrowed; NULL: none. */
const char *resume__get_string(resume_reader_t *r);
/* A copy, which the caller owns. */
char *resume__get_copy(resume_reader_t *r);
/* How many things follow, of item_len bytes at least: what cannot be there is wrong. */
size_t resume__get_count(resume_reader_t *r, size_t max, size_t item_len);
void resume__get_rtt(resume_reader_t *r, resume_rtt_t *rtt);
void resume__get_wrong(resume_reader_t *r, int error);

/* ---- resume_result.c ---- */
void resume__put_result(resume_writer_t *w, const host_result_t *result);
/* After an error it is to be freed, too. */
void resume__get_result(resume_reader_t *r, host_result_t *result);

#endif
