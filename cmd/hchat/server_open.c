/* What can go wrong before the server serves is told here, in one line. */
#include "app/hsecret.h"
#include "base/hfile.h"
#include "base/hmem.h"
#include "server.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* ---- the message of the day ------------------------------------------------------------------ */

/* Whole lines, each harmless. */
static int take_motd(hbytes_t *out, const hbytes_t *file)
{
    const char *line = file->data, *end = file->data + file->len;
    int err = 0;

    while (line < end && !err) {
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        const char *stop = lf ? lf : end;
        size_t len = (size_t)(stop - line);

        if (len > 0 && line[len - 1] == '\r')
            len--;
        err = hbytes_append_str(out, "* ");
        if (!err)
            err = text_append(out, line, len);
        if (!err)
            err = hbytes_append_char(out, '\n');
        line = lf ? lf + 1 : end;
    }
    return err;
}

int server_read_motd(server_t *server)
{
    hbytes_t file = {0}, text = {0};
    int err;

    if (!server->options->motd)
        return 0;
    err = hfile_read(server->options->motd, SERVER_MOTD_MAX, &file);
    if (!err)
        err = take_motd(&text, &file);
    if (err) {
        hbytes_deinit(&text);
    } else {
        hbytes_deinit(&server->motd);
        server->motd = text;
    }
    hbytes_deinit(&file);
    return err;
}

/* ---- opening --------------------------------------------------------------------------------- */

int server_parse(server_t *server, const hopt_list_t *endpoints)
{
    char why[HENDPOINT_FORMAT_SIZE + 64];

    if (endpoints->count == 0)
        return 0; /* -s stop and the like */
    server->listeners = hmem_array(endpoints->count, sizeof(*server->listeners));
    if (!server->listeners) {
        hreport_say("hchat", "%s", herr_str(-ENOMEM));
        return 1;
    }
    for (size_t i = 0; i < endpoints->count; i++) {
        listener_t *listener = &server->listeners[i];

        listener->server = server;
        server->listeners_n++;
        if (hendpoint_parse(&listener->endpoint, endpoints->items[i], why, sizeof(why)) < 0) {
            hreport_say("hchat", "%s", why);
            return 2;
        }
        if (hendpoint_socktype(&listener->endpoint) == SOCK_DGRAM) {
            hreport_say("hchat", "%s: chat needs connections, not datagrams", endpoints->items[i]);
            return 2;
        }
    }
    return 0;
}

static int open_tls(server_t *server)
{
    const hchat_options_t *o = server->options;
    const htls_options_t tls = {.server = true,
                                .cert_file = o->tls_cert,
                                .key_file = o->tls_key,
                                .self_signed = o->tls_self_signed};
    char why[HTLS_ERROR_SIZE];
    bool wanted = false;

    for (size_t i = 0; i < server->listeners_n; i++)
        wanted |= server->listeners[i].endpoint.scheme == HENDPOINT_TLS;
    if (!wanted && (o->tls_cert || o->tls_self_signed)) {
        hreport_say("hchat", "a certificate is for tls:// end points, and there is none");
        return 2;
    }
    if (!wanted)
        return 0;
    if (!o->tls_cert && !o->tls_self_signed) {
        hreport_say("hchat", "a tls:// end point needs --tls-cert or --tls-self-signed");
        return 2;
    }
    if (htls_ctx_new(&tls, &server->tls, why, sizeof(why)) < 0) {
        hreport_say("hchat", "%s", why);
        return 1;
    }
    return 0;
}

static int add_access(haccess_t **access, const hopt_list_t *list, haccess_verdict_e verdict,
                      bool is_file)
{
    char why[HACCESS_ERROR_SIZE];
    int err = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (!*access)
            err = haccess_new(access);
        if (err)
            snprintf(why, sizeof(why), "%s", herr_str(err));
        else if (is_file)
            err = haccess_add_file(*access, verdict, list->items[i], why, sizeof(why));
        else
            err = haccess_add(*access, verdict, list->items[i], why, sizeof(why));
        if (err) {
            hreport_say("hchat", "%s", why);
            return is_file || err == -ENOMEM ? 1 : 2;
        }
    }
    return 0;
}

static int open_access(server_t *server)
{
    const hchat_options_t *o = server->options;
    int status = add_access(&server->access, &o->allow, HACCESS_ALLOW, false);

    if (status == 0)
        status = add_access(&server->access, &o->allow_files, HACCESS_ALLOW, true);
    if (status == 0)
        status = add_access(&server->access, &o->deny, HACCESS_DENY, false);
    if (status == 0)
        status = add_access(&server->access, &o->deny_files, HACCESS_DENY, true);
    if (status == 0)
        status = add_access(&server->trusted, &o->accept_proxy_from, HACCESS_ALLOW, false);
    return status;
}

static int open_files(server_t *server)
{
    const hchat_options_t *o = server->options;
    char why[256];
    int err;

    if (o->password && !hsecret_is_source(o->password)) {
        hreport_say("hchat",
                    "option --password: where it is kept, file:PATH or env:NAME, not itself");
        return 2;
    }
    if (o->password && hsecret_from(o->password, server->password, sizeof(server->password), why,
                                    sizeof(why)) < 0) {
        hreport_say("hchat", "option --password: %s", why);
        return 1;
    }
    err = server_read_motd(server);
    if (err) {
        hreport_say("hchat", "cannot read %s: %s", o->motd, herr_str(err));
        return 1;
    }
    err = hreport_open(&server->report, "hchat", o->log_file, o->json);
    if (err) {
        hreport_say("hchat", "cannot open %s: %s", o->log_file, herr_str(err));
        return 1;
    }
    return 0;
}

int server_prepare(server_t *server)
{
    int status = open_access(server);

    if (status == 0)
        status = open_tls(server);
    if (status == 0)
        status = open_files(server);
    return status;
}
