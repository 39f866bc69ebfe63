/* status: the exit statuses, which are curl's numbers, and what they mean. */
#ifndef HCURL_STATUS_H
#define HCURL_STATUS_H

#include "proto/http_client.h"

typedef enum status_e {
    STATUS_OK = 0,
    STATUS_SCHEME = 1,
    STATUS_USAGE = 2,
    STATUS_URL = 3,
    STATUS_NOT_BUILT_IN = 4,
    STATUS_RESOLVE_PROXY = 5,
    STATUS_RESOLVE = 6,
    STATUS_CONNECT = 7,
    STATUS_REPLY = 8,
    STATUS_PARTIAL = 18,
    STATUS_HTTP = 22, /* -f, --fail-with-body, --expect-status */
    STATUS_WRITE = 23,
    STATUS_UPLOAD = 25,
    STATUS_READ = 26,
    STATUS_MEMORY = 27,
    STATUS_TIMEOUT = 28,
    STATUS_RANGE = 33,
    STATUS_TLS = 35,
    STATUS_RESUME = 36,
    STATUS_READ_FILE = 37,
    STATUS_CANCELLED = 42,
    STATUS_ARGUMENT = 43,
    STATUS_INTERFACE = 45,
    STATUS_REDIRECTS = 47,
    STATUS_OPTION = 48,
    STATUS_OPTION_SYNTAX = 49,
    STATUS_EMPTY = 52,
    STATUS_ENGINE = 53,
    STATUS_SEND = 55,
    STATUS_RECEIVE = 56,
    STATUS_CLIENT_CERTIFICATE = 58,
    STATUS_CIPHER = 59,
    STATUS_CERTIFICATE = 60,
    STATUS_CODING = 61,
    STATUS_SIZE = 63,
    STATUS_REWIND = 65,
    STATUS_LOGIN = 67,
    STATUS_EXISTS = 73,
    STATUS_CA_FILE = 77,
    STATUS_CRL_FILE = 82,
    STATUS_ISSUER = 83,
    STATUS_PIN = 90,
    STATUS_OCSP = 91,
    STATUS_AUTH = 94,
    STATUS_PROXY = 97,
    STATUS_TOO_LARGE = 100, /* a value */
    STATUS_CHECKSUM = 120   /* ours: what came is not what --checksum says */
} status_e;

int status_of_fault(http_fault_e fault);

/* What a status means, in a few words ("the server could not be resolved"); never NULL, static. For
 * a transfer that has nothing more exact to say. */
const char *status_words(int status);

#endif
