/* Queries. Each finds an answer for each of its parts: at once (numbers, localhost, the hosts file,
 * the cache) or when a name server has given one. It is then done, and its timer, which was its
 * total time limit, runs its callback as the next thing of the loop. */
#include "hdns_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOTAL_TIMEOUT_MS 10000
#define WHY_SIZE 160
#define US_PER_S 1000000ULL

typedef enum { WANTS_ADDRS, WANTS_RECORDS, WANTS_NAME } wants_e;

struct hdns_query_s {
    hdns_t *dns;
    hlist_t link; /* dns->queries */
    htimer_t *timer;
    wants_e wants;
    bool done; /* the timer runs the callback */
    bool absolute;
    int err;
    uint32_t scope_id; /* of a link-local address in numbers */
    unsigned open;     /* parts without an answer */
    hdns_job_t *job;   /* of the system's resolver; NULL: none */
    unsigned part_count;
    hdns_part_t parts[2]; /* AAAA before A */
    union {
        hdns_addrs_cb addrs;
        hdns_records_cb records;
        hdns_name_cb name;
    } cb;
    void *arg;
    char why[WHY_SIZE];
    char name[HDNS_NAME_SIZE]; /* without the dot at the end that made it absolute */
};

/* ---- the end of a query ---------------------------------------------------------------------- */

static void free_query(hdns_query_t *query)
{
    for (unsigned i = 0; i < query->part_count; i++) {
        hdns__part_leave(&query->parts[i]);
        hdns__answer_unref(query->parts[i].answer);
    }
    hdns__system_leave(query->job);
    htimer_del(query->timer);
    if (hlist_linked(&query->link)) {
        hlist_remove(&query->link);
        query->dns->stats.open--;
    }
    hmem_free(query);
}

static bool has_records(const hdns_query_t *query)
{
    for (unsigned i = 0; i < query->part_count; i++) {
        if (query->parts[i].answer && query->parts[i].answer->count > 0)
            return true;
    }
    return false;
}

/* What to tell of two failures: that the name does not exist is final, and says most. */
static int weight(const hdns_answer_t *answer)
{
    if (!answer)
        return 0;
    if (answer->no_such_name)
        return 4;
    return answer->err == -ENOMEM ? 3 : answer->err == HERR_RESOLVE ? 1 : 2;
}

static void set_error(hdns_query_t *query)
{
    const hdns_answer_t *worst = query->parts[0].answer;

    if (has_records(query))
        return;
    if (query->part_count > 1 && weight(query->parts[1].answer) > weight(worst))
        worst = query->parts[1].answer;
    if (!worst)
        return;
    query->err = worst->err;
    hstr_copy(query->why, sizeof(query->why), worst->why);
}

static void on_timer(htimer_t *timer);

/* Deleting one timer and adding the next needs no memory; should it do, the old one will do it. */
static void finish(hdns_query_t *query)
{
    htimer_t *soon = htimer_add(query->dns->loop, on_timer, 0, 1);

    query->done = true;
    set_error(query);
    if (!soon) {
        htimer_reset(query->timer, 1);
        return;
    }
    htimer_del(query->timer);
    query->timer = soon;
    hevent_set_userdata(soon, query);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static size_t add_addrs(const hdns_query_t *query, const hdns_answer_t *answer, size_t max,
                        haddr_t *addrs)
{
    size_t n = 0;

    for (size_t i = 0; answer && i < answer->count && n < max; i++) {
        haddr_t *addr = &addrs[n++];

        memset(addr, 0, sizeof(*addr));
        haddr_any(addr, answer->records[i].len == 4 ? AF_INET : AF_INET6, 0);
        if (answer->records[i].len == 4) {
            memcpy(&addr->u.sin.sin_addr, answer->records[i].text, 4);
        } else {
            memcpy(&addr->u.sin6.sin6_addr, answer->records[i].text, 16);
            addr->u.sin6.sin6_scope_id = query->scope_id;
        }
    }
    return n;
}

/* Neither family leaves the other without room. */
static void tell_addrs(hdns_query_t *query)
{
    haddr_t addrs[HDNS_ADDRS_MAX];
    const hdns_answer_t *second = query->part_count > 1 ? query->parts[1].answer : NULL;
    size_t reserved = second && second->count < HDNS_ADDRS_MAX / 2 ? second->count
                      : second                                     ? HDNS_ADDRS_MAX / 2
                                                                   : 0;
    size_t n = add_addrs(query, query->parts[0].answer, HDNS_ADDRS_MAX - reserved, addrs);

    n += add_addrs(query, second, HDNS_ADDRS_MAX - n, addrs + n);
    query->cb.addrs(query, query->err, n ? addrs : NULL, n, query->arg);
}

static void tell_records(hdns_query_t *query)
{
    hdns_record_t records[HDNS_RECORDS_MAX];
    const hdns_answer_t *answer = query->parts[0].answer;
    size_t n = answer ? answer->count : 0;

    if (n > 0)
        memcpy(records, answer->records, n * sizeof(records[0]));
    if (query->parts[0].type == HDNS_SRV || query->parts[0].type == HDNS_MX)
        hdns__order_records(records, n);
    query->cb.records(query, query->err, n ? records : NULL, n, query->arg);
}

static void tell_name(hdns_query_t *query)
{
    const hdns_answer_t *answer = query->parts[0].answer;
    bool found = answer && answer->count > 0;

    query->cb.name(query, query->err, found ? answer->records[0].text : NULL, query->arg);
}

static void time_out(hdns_query_t *query)
{
    int timeout_ms = query->dns->options.total_timeout_ms;

    hdns__system_leave(query->job);
    query->job = NULL;
    for (unsigned i = 0; i < query->part_count; i++)
        hdns__part_leave(&query->parts[i]);
    if (has_records(query))
        return; /* one of the families is enough */
    query->err = -ETIMEDOUT;
    snprintf(query->why, sizeof(query->why), "no name server answered within %g s",
             timeout_ms / 1000.0);
}

/* The callback may free the whole resolver: the query is off its list before. */
static void on_timer(htimer_t *timer)
{
    hdns_query_t *query = hevent_userdata(timer);

    if (query->done)
        query->timer = NULL; /* frees itself */
    else
        time_out(query);
    query->done = true;
    hlist_remove(&query->link);
    query->dns->stats.open--;
    switch (query->wants) {
    case WANTS_ADDRS:
        tell_addrs(query);
        break;
    case WANTS_RECORDS:
        tell_records(query);
        break;
    case WANTS_NAME:
        tell_name(query);
        break;
    }
    free_query(query);
}

/* ---- the search list ------------------------------------------------------------------------- */

static unsigned count_dots(const char *name)
{
    unsigned dots = 0;

    for (; *name; name++)
        dots += *name == '.';
    return dots;
}

static size_t candidate_count(const hdns_query_t *query)
{
    return query->absolute || !query->dns->channel ? 1
                                                   : 1 + hdns__domain_count(query->dns->channel);
}

/* Candidate i of a name: alone first if it has dots enough, else last. Longer than a name may be:
 * false. */
static bool make_candidate(const hdns_query_t *query, size_t i, char name[HDNS_NAME_SIZE])
{
    const hdns_channel_t *channel = query->dns->channel;
    size_t count = candidate_count(query);
    bool alone_first = count == 1 || (int)count_dots(query->name) >= hdns__ndots(channel);
    size_t alone = alone_first ? 0 : count - 1;
    int n;

    if (i == alone)
        return hstr_copy(name, HDNS_NAME_SIZE, query->name) <= HDNS_NAME_LEN_MAX;
    n = snprintf(name, HDNS_NAME_SIZE, "%s.%s", query->name,
                 hdns__domain(channel, alone_first ? i - 1 : i));
    return n >= 0 && n <= HDNS_NAME_LEN_MAX;
}

static void settle(hdns_part_t *part, hdns_answer_t *answer)
{
    part->answer = hdns__answer_ref(answer);
    if (--part->query->open == 0)
        finish(part->query);
}

static void ask_candidate(hdns_part_t *part)
{
    char name[HDNS_NAME_SIZE];

    if (make_candidate(part->query, part->candidate, name))
        hdns__ask(part, name);
    else
        hdns__part_answered(part, &hdns__impossible);
}

void hdns__part_answered(hdns_part_t *part, hdns_answer_t *answer)
{
    bool next = answer->no_such_name || answer == &hdns__impossible;

    if (next && hdns__channel_open(part->dns) == 0 && /* a reload may have closed it */
        part->candidate + 1 < candidate_count(part->query)) {
        part->candidate++;
        ask_candidate(part);
        return;
    }
    settle(part, answer);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Without the channel nobody knows the search list; it is made before the first candidate. */
static void ask_servers(hdns_part_t *part)
{
    hdns_answer_t *answer;
    int err = hdns__channel_open(part->query->dns);

    if (!err) {
        ask_candidate(part);
        return;
    }
    answer = hdns__answer_error(err, hdns__channel_error(err));
    settle(part, answer);
    hdns__answer_unref(answer);
}

/* here: an answer, taken over, or NULL: the servers are asked. */
static void start_part(hdns_part_t *part, hdns_answer_t *here)
{
    if (!here) {
        ask_servers(part);
        return;
    }
    settle(part, here);
    hdns__answer_unref(here);
}

/* ---- queries --------------------------------------------------------------------------------- */

static hdns_query_t *new_query(hdns_t *dns, wants_e wants, const char *name, void *arg)
{
    hdns_query_t *query = hmem_zalloc(sizeof(*query));
    size_t len;

    if (!query)
        return NULL;
    query->dns = dns;
    query->wants = wants;
    query->arg = arg;
    query->timer = htimer_add(dns->loop, on_timer, (uint32_t)dns->options.total_timeout_ms, 1);
    if (!query->timer) {
        hmem_free(query);
        return NULL;
    }
    hevent_set_userdata(query->timer, query);
    len = hstr_copy(query->name, sizeof(query->name), name);
    if (len > 1 && len < sizeof(query->name) && name[len - 1] == '.') {
        query->name[len - 1] = '\0';
        query->absolute = true;
    }
    if (len >= sizeof(query->name))
        query->name[0] = '\0'; /* no legal one */
    if (dns->options.no_search || wants != WANTS_ADDRS)
        query->absolute = true;
    hlist_push_back(&dns->queries, &query->link);
    dns->stats.queries++;
    dns->stats.open++;
    return query;
}

static void add_part(hdns_query_t *query, int type)
{
    hdns_part_t *part = &query->parts[query->part_count++];

    part->dns = query->dns;
    part->query = query;
    part->type = type;
    query->open++;
}

static int started(hdns_query_t *query, hdns_query_t **out)
{
    if (out)
        *out = query;
    return 0;
}

/* What cannot be asked is an answer, too. */
static int ask_system(hdns_query_t *query, const struct sockaddr *addr, int family,
                      hdns_query_t **out)
{
    int err =
        hdns__system_ask(query->dns, query, addr ? NULL : query->name, addr, family, &query->job);

    if (err < 0)
        hdns__system_answered(query, hdns__answer_error(err, herr_str(err)), NULL);
    return started(query, out);
}

void hdns__system_answered(hdns_query_t *query, hdns_answer_t *answer, hdns_answer_t *other)
{
    query->job = NULL;
    for (unsigned i = 0; i < query->part_count; i++) {
        bool is_second = other && query->parts[i].type == HDNS_TYPE_A;

        settle(&query->parts[i], is_second ? other : answer);
    }
    hdns__answer_unref(answer);
    hdns__answer_unref(other);
}

int hdns_resolve(hdns_t *dns, const char *host, int family, hdns_addrs_cb cb, void *arg,
                 hdns_query_t **out)
{
    hdns_query_t *query = new_query(dns, WANTS_ADDRS, host, arg);
    haddr_t number;
    bool is_number;

    if (!query)
        return -ENOMEM;
    query->cb.addrs = cb;
    if (family != AF_INET)
        add_part(query, HDNS_TYPE_AAAA);
    if (family != AF_INET6)
        add_part(query, HDNS_TYPE_A);
    is_number = hdns__parse_number(query->name, &number);
    if (is_number && number.u.sa.sa_family == AF_INET6)
        query->scope_id = number.u.sin6.sin6_scope_id;
    if (!is_number && dns->options.by_system)
        return ask_system(query, NULL, family, out);
    for (unsigned i = 0; i < query->part_count; i++)
        start_part(&query->parts[i], hdns__find_here(dns, query->name, query->parts[i].type,
                                                     is_number ? &number : NULL));
    return started(query, out);
}

int hdns_lookup(hdns_t *dns, const char *name, hdns_type_e type, hdns_records_cb cb, void *arg,
                hdns_query_t **out)
{
    hdns_query_t *query = new_query(dns, WANTS_RECORDS, name, arg);

    if (!query)
        return -ENOMEM;
    query->cb.records = cb;
    add_part(query, (int)type);
    start_part(&query->parts[0], hdns__is_legal(query->name) ? NULL : &hdns__impossible);
    return started(query, out);
}

int hdns_reverse(hdns_t *dns, const struct sockaddr *addr, hdns_name_cb cb, void *arg,
                 hdns_query_t **out)
{
    const sockaddr_u *u = (const sockaddr_u *)addr;
    bool v4 = addr->sa_family == AF_INET, v6 = addr->sa_family == AF_INET6;
    const unsigned char *bytes =
        v4 ? (const unsigned char *)&u->sin.sin_addr : (const unsigned char *)&u->sin6.sin6_addr;
    char name[HDNS_NAME_SIZE] = "";
    hdns_answer_t *here = &hdns__impossible;
    hdns_query_t *query;

    if (v4 || v6)
        hdns__reverse_name(bytes, v4 ? 4 : 16, name);
    query = new_query(dns, WANTS_NAME, name, arg);
    if (!query)
        return -ENOMEM;
    query->cb.name = cb;
    add_part(query, HDNS_PTR);
    if ((v4 || v6) && dns->options.by_system)
        return ask_system(query, addr, 0, out);
    if (v4 || v6)
        here = hdns__hosts_reverse(dns, bytes, v4 ? 4 : 16);
    if ((v4 || v6) && here)
        dns->stats.hosts_hits++;
    start_part(&query->parts[0], here);
    return started(query, out);
}

void hdns_cancel(hdns_query_t *query)
{
    if (query)
        free_query(query);
}

const char *hdns_error(const hdns_query_t *query)
{
    return query->why;
}

static uint32_t seconds_left(const hdns_query_t *query, const hdns_answer_t *answer)
{
    uint64_t now_us = hloop_now_hrtime(query->dns->loop);

    if (answer->expires_us == 0)
        return answer->count > 0 ? HDNS_TTL_LOCAL_S : 0;
    if (answer->expires_us <= now_us)
        return 0;
    return (uint32_t)((answer->expires_us - now_us + US_PER_S - 1) / US_PER_S);
}

/* Where one family has addresses, how long the other has none does not count. */
uint32_t hdns_ttl_s(const hdns_query_t *query)
{
    bool found = has_records(query);
    uint32_t ttl_s = UINT32_MAX;

    for (unsigned i = 0; i < query->part_count; i++) {
        const hdns_answer_t *answer = query->parts[i].answer;
        uint32_t left = answer ? seconds_left(query, answer) : 0;

        if ((!found || (answer && answer->count > 0)) && left < ttl_s)
            ttl_s = left;
    }
    return ttl_s;
}

/* ---- the resolver ---------------------------------------------------------------------------- */

static int copy_text(const char **text)
{
    char *copy;

    if (!*text)
        return 0;
    copy = hmem_strdup(*text);
    *text = copy;
    return copy ? 0 : -ENOMEM;
}

/* All of them are copied or NULL afterwards, so that an error frees no string of the caller's. */
static int copy_options(hdns_t *dns, const hdns_options_t *options)
{
    hdns_options_t *own = &dns->options;
    int err = 0;

    if (options)
        *own = *options;
    if (own->total_timeout_ms <= 0)
        own->total_timeout_ms = TOTAL_TIMEOUT_MS;
    if (own->cache_max == 0)
        own->cache_max = HDNS_CACHE_MAX;
    err |= copy_text(&own->servers);
    err |= copy_text(&own->hosts_file);
    err |= copy_text(&own->resolv_conf);
    return err ? -ENOMEM : 0;
}

int hdns_new(hloop_t *loop, const hdns_options_t *options, hdns_t **out)
{
    hdns_t *dns = hmem_zalloc(sizeof(*dns));

    if (!dns)
        return -ENOMEM;
    dns->loop = loop;
    hlist_init(&dns->queries);
    hlist_init(&dns->retired);
    hlist_init(&dns->line);
    hlist_init(&dns->kept);
    if (copy_options(dns, options) != 0) {
        hdns_free(dns);
        return -ENOMEM;
    }
    *out = dns;
    return 0;
}

void hdns_free(hdns_t *dns)
{
    if (!dns)
        return;
    while (!hlist_empty(&dns->queries))
        free_query(HLIST_ENTRY(dns->queries.next, hdns_query_t, link));
    hdns__system_close(dns->system);
    hdns__channels_free(dns);
    hdns__cache_deinit(dns);
    hdns__hosts_free(dns);
    hmem_free((void *)dns->options.servers);
    hmem_free((void *)dns->options.hosts_file);
    hmem_free((void *)dns->options.resolv_conf);
    hmem_free(dns);
}

void hdns_stats(const hdns_t *dns, hdns_stats_t *stats)
{
    *stats = dns->stats;
}

void hdns_reload(hdns_t *dns)
{
    hdns__cache_clear(dns);
    hdns__hosts_free(dns);
    hdns__channel_retire(dns);
}
