/* http_names: the methods and fields that programs ask for, as numbers: a switch over one, or an
 * index, takes the place of comparing text. */
#ifndef HNET_CODEC_HTTP_NAMES_H
#define HNET_CODEC_HTTP_NAMES_H

#include "http_head.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum http_method_e {
    HTTP_METHOD_OTHER, /* a token that is none of these */
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_CONNECT,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_TRACE,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_COUNT
} http_method_e;

/* Member, name, and its first and last letter: http_names.c makes a hash table without collisions
 * of them, at compile time. */
#define HTTP_FIELDS(X)                                                                             \
    X(HOST, "Host", 'h', 't')                                                                      \
    X(CONNECTION, "Connection", 'c', 'n')                                                          \
    X(CONTENT_LENGTH, "Content-Length", 'c', 'h')                                                  \
    X(TRANSFER_ENCODING, "Transfer-Encoding", 't', 'g')                                            \
    X(EXPECT, "Expect", 'e', 't')                                                                  \
    X(UPGRADE, "Upgrade", 'u', 'e')                                                                \
    X(TE, "TE", 't', 'e')                                                                          \
    X(TRAILER, "Trailer", 't', 'r')                                                                \
    X(KEEP_ALIVE, "Keep-Alive", 'k', 'e')                                                          \
    X(VIA, "Via", 'v', 'a')                                                                        \
    X(FORWARDED, "Forwarded", 'f', 'd')                                                            \
    X(DATE, "Date", 'd', 'e')                                                                      \
    X(SERVER, "Server", 's', 'r')                                                                  \
    X(USER_AGENT, "User-Agent", 'u', 't')                                                          \
    X(REFERER, "Referer", 'r', 'r')                                                                \
    X(ORIGIN, "Origin", 'o', 'n')                                                                  \
    X(COOKIE, "Cookie", 'c', 'e')                                                                  \
    X(SET_COOKIE, "Set-Cookie", 's', 'e')                                                          \
    X(AUTHORIZATION, "Authorization", 'a', 'n')                                                    \
    X(WWW_AUTHENTICATE, "WWW-Authenticate", 'w', 'e')                                              \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization", 'p', 'n')                                        \
    X(PROXY_AUTHENTICATE, "Proxy-Authenticate", 'p', 'e')                                          \
    X(ACCEPT, "Accept", 'a', 't')                                                                  \
    X(ACCEPT_ENCODING, "Accept-Encoding", 'a', 'g')                                                \
    X(ACCEPT_LANGUAGE, "Accept-Language", 'a', 'e')                                                \
    X(ACCEPT_RANGES, "Accept-Ranges", 'a', 's')                                                    \
    X(CONTENT_TYPE, "Content-Type", 'c', 'e')                                                      \
    X(CONTENT_ENCODING, "Content-Encoding", 'c', 'g')                                              \
    X(CONTENT_DISPOSITION, "Content-Disposition", 'c', 'n')                                        \
    X(CONTENT_RANGE, "Content-Range", 'c', 'e')                                                    \
    X(RANGE, "Range", 'r', 'e')                                                                    \
    X(IF_RANGE, "If-Range", 'i', 'e')                                                              \
    X(IF_MATCH, "If-Match", 'i', 'h')                                                              \
    X(IF_NONE_MATCH, "If-None-Match", 'i', 'h')                                                    \
    X(IF_MODIFIED_SINCE, "If-Modified-Since", 'i', 'e')                                            \
    X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since", 'i', 'e')                                        \
    X(ETAG, "ETag", 'e', 'g')                                                                      \
    X(LAST_MODIFIED, "Last-Modified", 'l', 'd')                                                    \
    X(CACHE_CONTROL, "Cache-Control", 'c', 'l')                                                    \
    X(VARY, "Vary", 'v', 'y')                                                                      \
    X(LOCATION, "Location", 'l', 'n')

#define HTTP_FIELDS_MEMBER(member, name, first, last) HTTP_FIELD_##member,
typedef enum http_field_e {
    HTTP_FIELD_OTHER, /* a name that is none of these */
    HTTP_FIELDS(HTTP_FIELDS_MEMBER) HTTP_FIELD_COUNT
} http_field_e;
#undef HTTP_FIELDS_MEMBER

/* A field of a message. */
typedef struct http_field_s {
    http_span_t name;
    http_span_t value; /* without the space around it */
    http_field_e id;
} http_field_t;

/* A field of the program's in a request: in the place of the client's own of that name, or behind
 * those. */
typedef struct http_extra_s {
    const char *name;
    const char *value; /* NULL: the client's own is not sent; "": an empty one is */
} http_extra_t;

/* By the name, which is a token: of methods exactly, of fields in any case. */
http_method_e http_method_of(http_span_t name);
http_field_e http_field_of(http_span_t name);

/* Cuts the line of a field, without its end, into name and value, and says which one it is. 0 or
 * HERR_PROTOCOL. The line has no control characters (http_line_end). */
int http_field_cut(http_span_t line, http_span_t *name, http_span_t *value, http_field_e *field);

/* The value of the first of count fields that is this one, or has this name in any case; data NULL:
 * there is none. */
http_span_t http_field_value(const http_field_t *list, size_t count, http_field_e field);
http_span_t http_field_named(const http_field_t *list, size_t count, const char *name);

/* The name; "" for OTHER. */
http_span_t http_method_name(http_method_e method);
http_span_t http_field_name(http_field_e field);

#ifdef __cplusplus
}
#endif

#endif
