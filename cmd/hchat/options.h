/* options: what hchat was told to do. The client's and the broker's options are in their own
 * headers. */
#ifndef HNET_HCHAT_OPTIONS_H
#define HNET_HCHAT_OPTIONS_H

#include "app/hmain.h"
#include "app/hopt.h"
#include "client.h"
#include "link.h"

#define OPTIONS_MEMBERS_MAX 1000000

typedef struct hchat_options_s {
    const char *room; /* where everybody comes in */
    const char *motd; /* a file */
    uint32_t history_lines;
    bool timestamps;

    const char *password; /* where it is kept: "file:PATH", "env:NAME" */
    hopt_list_t allow, allow_files, deny, deny_files;
    uint32_t max_clients;
    uint32_t max_per_address; /* 0: no limit */
    bool accept_proxy;
    hopt_list_t accept_proxy_from;

    size_t line_max;
    uint32_t rate; /* lines a second; 0: no limit */
    uint32_t burst;
    uint32_t idle_ms;
    uint32_t slow_ms; /* for so long somebody may not read */
    size_t queue_max; /* bytes that wait for one member */

    const char *tls_cert, *tls_key;
    bool tls_self_signed;

    int verbose;
    bool json;
    const char *log_file;

    client_options_t client;
    link_options_t link;
    hmain_options_t main;
} hchat_options_t;

extern const hchat_options_t options_default;
extern const hopt_t options_table[];

/* What the table cannot know, for a client: 0, or the exit status after a message. */
int options_check_client(const hchat_options_t *options);

/* ... and for a server: 0, or the exit status after a message. */
int options_check(const hchat_options_t *options, const hopt_list_t *endpoints);

#endif
