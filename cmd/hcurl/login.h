/* login: who asks: users and passwords for the server and the proxy, tokens, netrc, signatures. */
#ifndef HCURL_LOGIN_H
#define HCURL_LOGIN_H

#include "app/hopt.h"
#include "proto/http_client.h"

#define LOGIN_SECRET_SIZE 4096 /* of a password that is typed, with its NUL */

/* "user:password", owned. */
typedef struct login_pair_s {
    char *text;     /* as it was given; NULL: not */
    char *user;     /* NULL: none */
    char *password; /* in the same block; NULL: not given */
} login_pair_t;

typedef struct login_netrc_s login_netrc_t;

typedef struct login_options_s {
    login_pair_t user, proxy_user; /* -u, -U */
    bool basic, digest, any;
    bool proxy_basic, proxy_digest, proxy_any;
    char *bearer; /* owned; NULL: none */
    bool netrc, netrc_optional;
    const char *netrc_file; /* NULL: $NETRC, ~/.netrc */
    const char *sigv4;      /* NULL: none */
    login_netrc_t *entries; /* of it, since login_prepare */
} login_options_t;

extern const hopt_t login_rows[]; /* bound to a login_options_t */

/* Frees what the options own, and overwrites it before; they are zero then. */
void login_options_deinit(login_options_t *options);

/* Once before the first transfer: asks for passwords that are not there ("-u user") on the
 * terminal, and reads the netrc file. index is that of the operation, from 0 on, -1 for the only
 * one. 0, or an exit status and one line. */
int login_prepare(login_options_t *options, int index, hbytes_t *error);

/* Fills login, proxy_login, netrc and sigv4 of a transfer. What it then points at are the options.
 * 0, or an exit status (status.h) and one line. */
int login_apply(const login_options_t *options, http_transfer_options_t *transfer, hbytes_t *error);

#endif
