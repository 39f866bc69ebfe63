#include "lookup.h"

#include <stdio.h>
#include <string.h>

#define AT_ONCE 64 /* names that are asked for at the same time */
/* The next server is asked that soon, so that one that is dead does not keep the names from reports
 * (see name_wait.h); an answer that comes later is still taken. Each of the tries waits twice as
 * long as the one before. */
#define LOOKUP_TIMEOUT_MS 350
#define LOOKUP_TRIES 5

typedef struct lookup_s {
    hloop_t *loop;
    targets_t *targets;
    const options_t *options;
    hdns_t *dns;
    size_t next; /* name */
    size_t open;
    int status;
} lookup_t;

/* A name that is asked for. */
typedef struct question_s {
    lookup_t *lookup;
    size_t name;
} question_t;

int lookup_check(const options_t *options)
{
    const char *servers = options->dns_servers, *wrong;
    size_t len;

    wrong = servers ? hdns_wrong_server(servers, &len) : NULL;
    if (!wrong)
        return 0;
    fprintf(stderr, "hnmap: option --dns-servers: '%.*s' is no address of a server\n", (int)len,
            wrong);
    return 2;
}

int lookup_new(hloop_t *loop, const options_t *options, hdns_t **dns)
{
    const hdns_options_t how = {.servers = options->dns_servers,
                                .timeout_ms = LOOKUP_TIMEOUT_MS,
                                .tries = LOOKUP_TRIES,
                                .no_cache = true,
                                .by_system = options->system_dns};

    return hdns_new(loop, &how, dns);
}

static void ask_more(lookup_t *l, question_t *q);

static void take(lookup_t *l, size_t name, const haddr_t *addrs, size_t count, const char *why)
{
    const char *text = targets_name(l->targets, name);
    bool is_excluded = targets_name_is_excluded(l->targets, name);
    bool takes_all = is_excluded || l->options->target.resolve_all;
    int taken = count == 0 ? 0 : targets_resolved(l->targets, name, addrs, takes_all ? count : 1);

    if (taken > 0) {
        if (count > 1 && !takes_all && l->options->output.verbose > 0)
            fprintf(stderr, "hnmap: '%s' has %zu addresses; only the first is scanned\n", text,
                    count);
        return;
    }
    if (taken < 0)
        fprintf(stderr, "hnmap: '%s': %s\n", text,
                taken == -ENOMEM ? herr_str(taken) : targets_error(l->targets));
    else
        fprintf(stderr, "hnmap: failed to resolve \"%s\": %s\n", text,
                count > 0 ? "it has no address of the family that is scanned (see -6)" : why);
    if (taken < 0 || is_excluded)
        l->status = 1; /* it is not known what must not be scanned */
}

static void on_addresses(hdns_query_t *query, int err, const haddr_t *addrs, size_t count,
                         void *arg)
{
    question_t *q = arg;
    lookup_t *l = q->lookup;

    take(l, q->name, addrs, err < 0 ? 0 : count, err < 0 ? hdns_error(query) : "");
    l->open--;
    ask_more(l, q);
    if (l->open == 0)
        hloop_stop(l->loop);
}

/* The next name, in the place of one that is done. */
static void ask_more(lookup_t *l, question_t *q)
{
    if (l->status != 0 || !targets_unresolved(l->targets, &l->next))
        return;
    *q = (question_t){.lookup = l, .name = l->next++};
    if (hdns_resolve(l->dns, targets_name(l->targets, q->name), l->options->target.family,
                     on_addresses, q, NULL) < 0) {
        fprintf(stderr, "hnmap: %s\n", herr_str(-ENOMEM));
        l->status = 1;
        return;
    }
    l->open++;
}

int lookup_targets(hloop_t *loop, targets_t *targets, const options_t *options)
{
    lookup_t l = {.loop = loop, .targets = targets, .options = options};
    question_t questions[AT_ONCE] = {0};

    if (!targets_unresolved(targets, &l.next))
        return 0;
    if (lookup_new(loop, options, &l.dns) < 0) {
        fprintf(stderr, "hnmap: %s\n", herr_str(-ENOMEM));
        return 1;
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        ask_more(&l, &questions[i]);
    if (l.open > 0)
        hloop_run(loop);
    hdns_free(l.dns);
    return l.status;
}
