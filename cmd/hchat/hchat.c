#include "hchat.h"

#include "app/hopt_doc.h"
#include "manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const usage[] = {"[options] ENDPOINT...", "[options] HOST PORT",
                                    "[options] --connect ENDPOINT", "-s stop|status|reload", NULL};

static const char *const description[] = {
    "hchat is a chat server, and with a host and a port its client. nc(1), telnet(1) and openssl "
    "s_client(1) are clients as well.",
    NULL,
};

static const char *openssl_version(void)
{
    return HOPT_VERSION_TEXT(HNET_VERSION_openssl);
}

static const char *cares_version(void)
{
    return HOPT_VERSION_TEXT(HNET_VERSION_libcares);
}

#if HNET_WITH_READLINE
static const char *readline_version(void)
{
    return HOPT_VERSION_TEXT(HNET_VERSION_readline);
}
#endif

#if HNET_WITH_HIREDIS && HNET_WITH_JANSSON
static const char *hiredis_version(void)
{
    return HOPT_VERSION_TEXT(HNET_VERSION_hiredis);
}

static const char *jansson_version(void)
{
    return HOPT_VERSION_TEXT(HNET_VERSION_jansson);
}
#endif

static const hopt_feature_t features[] = {
    {"OpenSSL", openssl_version},
    {"c-ares", cares_version},
#if HNET_WITH_READLINE
    {"readline", readline_version},
#endif
#if HNET_WITH_HIREDIS && HNET_WITH_JANSSON /* --broker */
    {"hiredis", hiredis_version},
    {"jansson", jansson_version},
#endif
    {NULL, NULL},
};

static const hopt_doc_t doc = {
    .name = "hchat",
    .summary = "chat server and its client",
    .options = options_table,
    .features = features,
    .sections = manual_sections,
    .usage = usage,
    .description = description,
    .operand = HOPT_OPERAND_HOST,
};

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* A bare name or address: no port, no scheme, no path. */
static bool is_host(const char *text)
{
    const char *colon = strchr(text, ':');

    if (is_number(text) || *text == '\0')
        return false;
    return !colon || (strchr(colon + 1, ':') && text[0] != '[' && !strstr(text, "://"));
}

/* Whether it is to be a client, and of whom: 1, 0, or negative after a message. */
static int find_server(const hchat_options_t *options, const hopt_list_t *words, hendpoint_t *ep)
{
    const char *host = words->count == 2 ? words->items[0] : NULL;
    char text[HENDPOINT_FORMAT_SIZE], why[HENDPOINT_FORMAT_SIZE + 64];
    int err;

    if (options->client.connect && words->count > 0) {
        fprintf(stderr, "hchat: --connect makes a client, which listens nowhere: %s is too much\n",
                words->items[0]);
        return HERR_SYNTAX;
    }
    if (!options->client.connect && !(host && is_host(host) && is_number(words->items[1])))
        return 0;
    if (options->client.connect)
        snprintf(text, sizeof(text), "%s", options->client.connect);
    else
        snprintf(text, sizeof(text), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
                 words->items[1]);
    err = hendpoint_parse(ep, text, why, sizeof(why));
    if (err)
        fprintf(stderr, "hchat: %s\n", why);
    return err ? err : 1;
}

static int run(const hchat_options_t *options, const hopt_list_t *words)
{
    client_options_t client = options->client;
    hendpoint_t endpoint;
    int rc = find_server(options, words, &endpoint);

    if (rc < 0)
        return 2;
    client.timestamps = options->timestamps;
    client.password = options->password;
    if (rc > 0)
        return client_main(&client, &endpoint);
    rc = options_check(options, words);
    return rc ? rc : server_main(options, words);
}

int main(int argc, char **argv)
{
    hchat_options_t options = options_default;
    hopt_list_t words = {0};
    int status = hopt_main_parse(&doc, argc, argv, &options, &words);

    if (status == HOPT_RUN)
        status = run(&options, &words);
    hopt_main_free(&doc, &options, &words);
    return status;
}
