/* Answers: what a name server's message holds, as records in one allocation. Everything in the
 * message is untrusted: each length is checked against what is there. */
#include "hdns_int.h"

#include "../base/hbuf.h"
#include "../base/hmem.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <string.h>

#define TEXTS_MAX (128 * 1024) /* a message has 64 KiB, and escapes make a name longer */

/* A message on its way to an answer. Texts are offsets until all of them are known. */
typedef struct reader_s {
    const unsigned char *data;
    size_t len, pos;
    int type;
    uint32_t ttl_s;
    size_t count;
    hdns_record_t records[HDNS_RECORDS_MAX];
    size_t offsets[HDNS_RECORDS_MAX];
    hbytes_t texts;
} reader_t;

typedef struct rr_s {
    unsigned type, class;
    uint32_t ttl_s;
    size_t start, end; /* of its data */
} rr_t;

hdns_answer_t hdns__no_memory = {.err = -ENOMEM, .why = "out of memory"};

hdns_answer_t *hdns__answer_ref(hdns_answer_t *answer)
{
    if (answer->refs)
        answer->refs++;
    return answer;
}

void hdns__answer_unref(hdns_answer_t *answer)
{
    if (answer && answer->refs && --answer->refs == 0)
        hmem_free(answer);
}

static hdns_answer_t *alloc_answer(size_t count, size_t texts)
{
    hdns_answer_t *answer = hmem_zalloc(sizeof(*answer) + count * sizeof(hdns_record_t) + texts);

    if (!answer)
        return &hdns__no_memory;
    answer->refs = 1;
    return answer;
}

hdns_answer_t *hdns__answer_error(int err, const char *why)
{
    hdns_answer_t *answer = alloc_answer(0, 0);

    if (answer->refs) {
        answer->err = err;
        answer->why = why;
    }
    return answer;
}

hdns_answer_t *hdns__answer_new(const hdns_record_t *records, size_t n, uint32_t ttl_s)
{
    size_t texts = 0;
    hdns_answer_t *answer;
    char *text;

    for (size_t i = 0; i < n; i++)
        texts += records[i].len + 1;
    answer = alloc_answer(n, texts);
    if (!answer->refs)
        return answer;
    answer->ttl_s = ttl_s;
    answer->count = n;
    text = (char *)&answer->records[n];
    for (size_t i = 0; i < n; i++) {
        answer->records[i] = records[i];
        answer->records[i].text = text;
        memcpy(text, records[i].text, records[i].len);
        text[records[i].len] = '\0';
        text += records[i].len + 1;
    }
    return answer;
}

/* ---- messages -------------------------------------------------------------------------------- */

static unsigned u16_at(const reader_t *r, size_t pos)
{
    return (unsigned)r->data[pos] << 8 | r->data[pos + 1];
}

static uint32_t u32_at(const reader_t *r, size_t pos)
{
    return (uint32_t)u16_at(r, pos) << 16 | u16_at(r, pos + 2);
}

static int read_rr(reader_t *r, rr_t *rr)
{
    char owner[HDNS_NAME_SIZE];
    int err = hdns__expand(r->data, r->len, &r->pos, owner);

    if (err)
        return err;
    if (r->len - r->pos < NS_RRFIXEDSZ)
        return HERR_PROTOCOL;
    rr->type = u16_at(r, r->pos);
    rr->class = u16_at(r, r->pos + 2);
    rr->ttl_s = u32_at(r, r->pos + 4);
    rr->start = r->pos + NS_RRFIXEDSZ;
    rr->end = rr->start + u16_at(r, r->pos + 8);
    r->pos = rr->end;
    if (rr->ttl_s > INT32_MAX)
        rr->ttl_s = 0; /* RFC 2181 section 8 */
    return rr->end <= r->len ? 0 : HERR_PROTOCOL;
}

static int add(reader_t *r, hdns_record_t record, const void *text, size_t len)
{
    int err = hbytes_append(&r->texts, text, len);

    if (err)
        return err;
    record.type = (hdns_type_e)r->type;
    record.len = len;
    r->offsets[r->count] = r->texts.len - len;
    r->records[r->count++] = record;
    return 0;
}

/* The name at pos, which ends the data. */
static int add_name(reader_t *r, hdns_record_t record, const rr_t *rr, size_t pos)
{
    char name[HDNS_NAME_SIZE];
    int err = hdns__expand(r->data, rr->end, &pos, name);

    return err ? err : add(r, record, name, strlen(name));
}

/* Strings with a length byte each: one text (RFC 7208 section 3.3 and others join them so). */
static int add_strings(reader_t *r, hdns_record_t record, const rr_t *rr)
{
    size_t before = r->texts.len;
    int err = 0;

    for (size_t pos = rr->start; pos < rr->end && !err; pos += 1 + (size_t)r->data[pos]) {
        if (r->data[pos] >= rr->end - pos)
            return HERR_PROTOCOL;
        err = hbytes_append(&r->texts, r->data + pos + 1, r->data[pos]);
    }
    if (err)
        return err;
    err = add(r, record, "", 0);
    if (!err) {
        r->offsets[r->count - 1] = before;
        r->records[r->count - 1].len = r->texts.len - before;
    }
    return err;
}

static int add_record(reader_t *r, const rr_t *rr)
{
    hdns_record_t record = {.ttl_s = rr->ttl_s};
    size_t len = rr->end - rr->start;

    if (r->count == HDNS_RECORDS_MAX)
        return 0;
    switch (r->type) {
    case HDNS_TYPE_A:
    case HDNS_TYPE_AAAA:
        if (len != (r->type == HDNS_TYPE_A ? 4u : 16u))
            return HERR_PROTOCOL;
        return add(r, record, r->data + rr->start, len);
    case HDNS_PTR:
        return add_name(r, record, rr, rr->start);
    case HDNS_MX:
        if (len < 3)
            return HERR_PROTOCOL;
        record.priority = (uint16_t)u16_at(r, rr->start);
        return add_name(r, record, rr, rr->start + 2);
    case HDNS_SRV:
        if (len < 7)
            return HERR_PROTOCOL;
        record.priority = (uint16_t)u16_at(r, rr->start);
        record.weight = (uint16_t)u16_at(r, rr->start + 2);
        record.port = (uint16_t)u16_at(r, rr->start + 4);
        return add_name(r, record, rr, rr->start + 6);
    default:
        return add_strings(r, record, rr);
    }
}

/* Behind the header and the questions. */
static int skip_questions(reader_t *r)
{
    unsigned count;
    int err = 0;

    if (r->len < NS_HFIXEDSZ)
        return HERR_PROTOCOL;
    r->pos = NS_HFIXEDSZ;
    count = u16_at(r, 4);
    for (unsigned i = 0; i < count && !err; i++) {
        char name[HDNS_NAME_SIZE];

        err = hdns__expand(r->data, r->len, &r->pos, name);
        r->pos += NS_QFIXEDSZ;
        if (!err && r->pos > r->len)
            err = HERR_PROTOCOL;
    }
    return err;
}

/* The records of our type; those that lead to them (CNAME) limit the time too. */
static int read_answers(reader_t *r)
{
    unsigned count = u16_at(r, 6);
    int err = 0;

    r->ttl_s = HDNS_TTL_MAX_S;
    for (unsigned i = 0; i < count && !err; i++) {
        rr_t rr;

        err = read_rr(r, &rr);
        if (!err && rr.ttl_s < r->ttl_s)
            r->ttl_s = rr.ttl_s;
        if (!err && rr.type == (unsigned)r->type && rr.class == ns_c_in)
            err = add_record(r, &rr);
    }
    return err;
}

/* How long a "no" counts: the SOA record tells, RFC 2308 section 5. */
static uint32_t negative_ttl(reader_t *r)
{
    unsigned count = u16_at(r, 8);
    rr_t rr;

    for (unsigned i = 0; i < count && read_rr(r, &rr) == 0; i++) {
        if (rr.type == ns_t_soa && rr.end - rr.start >= 22) {
            uint32_t ttl_s = u32_at(r, rr.end - 4);

            if (rr.ttl_s < ttl_s)
                ttl_s = rr.ttl_s;
            return ttl_s < HDNS_TTL_NEGATIVE_MAX_S ? ttl_s : HDNS_TTL_NEGATIVE_MAX_S;
        }
    }
    return 0;
}

static hdns_answer_t *negative(reader_t *r, bool no_such_name)
{
    hdns_answer_t *answer =
        hdns__answer_error(HERR_RESOLVE, no_such_name ? "no such name" : "the name has no address");

    if (!answer->refs)
        return answer;
    if (r->type != HDNS_TYPE_A && r->type != HDNS_TYPE_AAAA && !no_such_name)
        answer->why = "the name has no record of this type";
    answer->no_such_name = no_such_name;
    answer->ttl_s = negative_ttl(r);
    return answer;
}

static hdns_answer_t *parse(reader_t *r, bool no_such_name)
{
    static const char bad[] = "the name server's answer is broken";
    int err = skip_questions(r);

    if (!err)
        err = read_answers(r);
    if (err == -ENOMEM)
        return &hdns__no_memory;
    if (err)
        return hdns__answer_error(HERR_RESOLVE, bad);
    if (no_such_name || r->count == 0)
        return negative(r, no_such_name);
    for (size_t i = 0; i < r->count; i++)
        r->records[i].text = r->texts.data ? r->texts.data + r->offsets[i] : "";
    if (r->type == HDNS_TYPE_AAAA && r->count > 1)
        hdns__order_ipv6(r->records, r->count);
    return hdns__answer_new(r->records, r->count, r->ttl_s);
}

static hdns_answer_t *failure(int status)
{
    switch (status) {
    case ARES_ENOMEM:
        return &hdns__no_memory;
    case ARES_ETIMEOUT:
        return hdns__answer_error(-ETIMEDOUT, "no name server answered");
    case ARES_ECONNREFUSED: /* c-ares does not tell these apart */
        return hdns__answer_error(HERR_RESOLVE, "the name servers failed or cannot be reached");
    case ARES_EBADNAME:
        return hdns__answer_error(HERR_SYNTAX, "no such name is possible");
    case ARES_EFORMERR:
    case ARES_ENOTIMP:
        return hdns__answer_error(HERR_RESOLVE, "the name server does not understand");
    case ARES_EBADRESP:
        return hdns__answer_error(HERR_RESOLVE, "the name server's answer is broken");
    default:
        return hdns__answer_error(HERR_RESOLVE, "the name server failed");
    }
}

hdns_answer_t *hdns__answer_parse(int type, int status, const unsigned char *data, int len)
{
    reader_t r = {.data = data, .len = len > 0 ? (size_t)len : 0, .type = type};
    hdns_answer_t *answer;

    if (status != ARES_SUCCESS && status != ARES_ENODATA && status != ARES_ENOTFOUND)
        return failure(status);
    hbytes_init(&r.texts, TEXTS_MAX);
    answer = parse(&r, status == ARES_ENOTFOUND);
    hbytes_deinit(&r.texts);
    return answer;
}
