/* Questions by name and type. One that is asked is sent once, however many wait for it; one that
 * was answered is kept for as long as the answer says, the least recently used going first. */
#include "hdns_int.h"

#include "../base/hmem.h"

#include <string.h>
#include <strings.h>

#define BUCKETS_MAX 65536
#define US_PER_S 1000000ULL

static hlist_t *bucket_of(hdns_t *dns, const char *name, int type)
{
    uint32_t hash = 2166136261u ^ (uint32_t)type;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)(*name >= 'A' && *name <= 'Z' ? *name | 0x20 : *name)) *
               16777619u;
    return &dns->buckets[(hash ^ hash >> 15) & (dns->bucket_count - 1)];
}

/* With the first question: a program whose names are numbers or in the hosts file needs none. */
static bool make_buckets(hdns_t *dns)
{
    size_t n = 64;

    if (dns->buckets)
        return true;
    while (n < dns->options.cache_max && n < BUCKETS_MAX)
        n *= 2;
    dns->buckets = hmem_array(n, sizeof(hlist_t));
    if (!dns->buckets)
        return false;
    dns->bucket_count = n;
    for (size_t i = 0; i < n; i++)
        hlist_init(&dns->buckets[i]);
    return true;
}

static void free_question(hdns_question_t *question)
{
    hlist_remove(&question->bucket_link);
    hlist_remove(&question->link);
    if (question->state == HDNS_ANSWERED)
        question->dns->stats.cached--;
    hdns__answer_unref(question->answer);
    hmem_free(question);
}

void hdns__cache_clear(hdns_t *dns)
{
    while (!hlist_empty(&dns->kept))
        free_question(HLIST_ENTRY(dns->kept.next, hdns_question_t, link));
}

/* No part waits any more, and no channel knows of a question. */
void hdns__cache_deinit(hdns_t *dns)
{
    for (size_t i = 0; i < dns->bucket_count; i++) {
        while (!hlist_empty(&dns->buckets[i]))
            free_question(HLIST_ENTRY(dns->buckets[i].next, hdns_question_t, bucket_link));
    }
    hmem_free(dns->buckets);
}

/* One that has expired is as good as none. */
static hdns_question_t *find(hdns_t *dns, const char *name, int type)
{
    hlist_t *bucket = bucket_of(dns, name, type);
    hlist_t *node, *next;

    HLIST_FOREACH (node, next, bucket) {
        hdns_question_t *question = HLIST_ENTRY(node, hdns_question_t, bucket_link);

        if (question->type != type || strcasecmp(question->name, name) != 0)
            continue;
        if (question->state != HDNS_ANSWERED ||
            hloop_now_hrtime(dns->loop) < question->answer->expires_us)
            return question;
        free_question(question);
        return NULL;
    }
    return NULL;
}

static hdns_question_t *new_question(hdns_t *dns, const char *name, int type)
{
    size_t len = strlen(name);
    hdns_question_t *question = hmem_zalloc(sizeof(*question) + len + 1);

    if (!question)
        return NULL;
    question->dns = dns;
    question->type = type;
    for (size_t i = 0; i < len; i++)
        question->name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    hlist_init(&question->parts);
    hlist_push_front(bucket_of(dns, name, type), &question->bucket_link);
    hlist_push_back(&dns->line, &question->link);
    return question;
}

/* An answer that comes from inside would begin it again: one loop serves them all. */
void hdns__line_advance(hdns_t *dns)
{
    if (dns->advancing)
        return;
    dns->advancing = true;
    while (dns->on_wire < HDNS_QUERIES_MAX && !hlist_empty(&dns->line)) {
        hdns_question_t *question = HLIST_ENTRY(hlist_pop_front(&dns->line), hdns_question_t, link);
        int err = hdns__channel_open(dns);

        question->state = HDNS_ON_WIRE;
        dns->on_wire++;
        if (err) {
            hdns__question_answered(question, hdns__answer_error(err, hdns__channel_error(err)));
            continue;
        }
        dns->stats.sent++;
        hdns__channel_ask(dns->channel, question);
    }
    dns->advancing = false;
}

void hdns__ask(hdns_part_t *part, const char *name)
{
    hdns_t *dns = part->dns;
    hdns_question_t *question = make_buckets(dns) ? find(dns, name, part->type) : NULL;

    if (question && question->state == HDNS_ANSWERED) {
        dns->stats.cache_hits++;
        hlist_remove(&question->link);
        hlist_push_back(&dns->kept, &question->link);
        hdns__part_answered(part, question->answer);
        return;
    }
    if (!question && dns->buckets)
        question = new_question(dns, name, part->type);
    if (!question) {
        hdns__part_answered(part, &hdns__no_memory);
        return;
    }
    part->question = question;
    hlist_push_back(&question->parts, &part->link);
    hdns__line_advance(dns);
}

/* What is on the wire stays: its answer is kept for the next one. */
void hdns__part_leave(hdns_part_t *part)
{
    hdns_question_t *question = part->question;

    if (!question)
        return;
    part->question = NULL;
    hlist_remove(&part->link);
    if (question->state == HDNS_IN_LINE && hlist_empty(&question->parts))
        free_question(question);
}

static void keep(hdns_t *dns, hdns_question_t *question)
{
    question->state = HDNS_ANSWERED;
    hlist_push_back(&dns->kept, &question->link);
    dns->stats.cached++;
    if (question->answer->ttl_s == 0 || dns->options.no_cache)
        free_question(question);
    else if (dns->stats.cached > dns->options.cache_max)
        free_question(HLIST_ENTRY(dns->kept.next, hdns_question_t, link));
}

void hdns__question_answered(hdns_question_t *question, hdns_answer_t *answer)
{
    hdns_t *dns = question->dns;
    hlist_t waiting;

    dns->on_wire--;
    if (answer->refs && dns->options.ttl_max_s && answer->ttl_s > dns->options.ttl_max_s)
        answer->ttl_s = dns->options.ttl_max_s;
    if (answer->refs) /* the static ones belong to every thread */
        answer->expires_us = hloop_now_hrtime(dns->loop) + answer->ttl_s * US_PER_S;
    question->answer = answer;
    hdns__answer_ref(answer); /* the question may be forgotten at once */
    hlist_init(&waiting);
    hlist_splice(&waiting, &question->parts);
    keep(dns, question);
    while (!hlist_empty(&waiting)) {
        hdns_part_t *part = HLIST_ENTRY(hlist_pop_front(&waiting), hdns_part_t, link);

        part->question = NULL;
        hdns__part_answered(part, answer);
    }
    hdns__answer_unref(answer);
}
