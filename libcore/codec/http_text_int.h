/* http_text: what the codecs of single fields share: tokens, quoted strings and parameters as RFC
 * 9110 section 5.6 writes them, and text into a buffer that has an end. */
#ifndef HNET_CODEC_HTTP_TEXT_INT_H
#define HNET_CODEC_HTTP_TEXT_INT_H

#include "http_head.h"

/* name=value or name="value". */
typedef struct http_param_s {
    http_span_t name;
    http_span_t value; /* without quotes, still with backslashes, which a token never has */
} http_param_t;

void http_text__advance(http_span_t *rest, size_t n);

/* Takes spaces and tabs off the front. */
void http_text__spaces(http_span_t *rest);

/* Takes this character off the front, with the spaces on both sides of it. False, and only the
 * spaces are gone, if another one is there. */
bool http_text__char(http_span_t *rest, char c);

/* Takes a token off the front; false if there is none. */
bool http_text__token(http_span_t *rest, http_span_t *token);

/* Takes a quoted string off the front; value is what stands between the quotes. False if there is
 * none, or it does not end. */
bool http_text__quoted(http_span_t *rest, http_span_t *value);

/* Takes a parameter off the front. 1; 0 if something else is there, and *rest is as it was;
 * HERR_SYNTAX. */
int http_text__param(http_span_t *rest, http_param_t *param);

/* Takes a number off the front: digits, 18 at most. 1, 0 if there is none, HERR_RANGE. */
int http_text__number(http_span_t *rest, int64_t *value);

/* Cuts the next element off a list whose elements may hold commas in quotes; empty ones are left
 * out. False when there is none. */
bool http_text__element(http_span_t *rest, http_span_t *element);

/* A value without its backslashes, and a NUL. False if it has no room or has a control
 * character. */
bool http_text__unescape(http_span_t value, char *text, size_t size);

/* Text into a buffer that may turn out to be too small. */
typedef struct http_writer_s {
    char *buf;
    size_t size, len;
    bool full;
} http_writer_t;

void http_text__put(http_writer_t *w, const char *text);
void http_text__put_bytes(http_writer_t *w, const char *data, size_t len);
void http_text__put_quoted(http_writer_t *w, const char *text, size_t len);

/* The length, or -ENOBUFS. */
ssize_t http_text__written(const http_writer_t *w);

#endif
