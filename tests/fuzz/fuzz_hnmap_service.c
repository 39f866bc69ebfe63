/* The first byte tells what was asked, the rest is the answer: texts stay printable and within
 * their bounds, and what is called the end of an answer is what the whole of it tells. */
#include "../../cmd/hnmap/service_match.h"
#include "../../cmd/hnmap/service_starttls.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_text(const char *text, size_t size)
{
    check(memchr(text, '\0', size) != NULL);
    for (; *text; text++)
        check(*text >= 0x20 && *text < 0x7f);
}

static void check_match(const match_t *m)
{
    check((m->level == MATCH_NONE) == (m->name == NULL));
    check(m->next < PROBES);
    check_text(m->product, sizeof(m->product));
    check_text(m->version, sizeof(m->version));
    check_text(m->extra, sizeof(m->extra));
    check_text(m->hostname, sizeof(m->hostname));
    check_text(m->os, sizeof(m->os));
    check_text(m->device, sizeof(m->device));
    for (size_t i = 0; i < MATCH_CPES; i++)
        check_text(m->cpe[i], sizeof(m->cpe[i]));
}

/* At each step of each way to TLS. */
static void check_starttls(const reply_t *reply)
{
    static const char *const names[] = {"smtp", "ftp",        "pop3",  "imap",
                                        "ldap", "postgresql", "mysql", "xmpp"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (unsigned step = 0; step < 4; step++) {
            const char *words = NULL;
            size_t len = 0;
            starttls_do_e what =
                service_starttls(names[i], step, reply->data, reply->len, &words, &len);

            check(what != STARTTLS_SAY || (words && len > 0));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reply_t reply = {NULL, size - 1, PROBE_BANNER, false};
    service_t *service;
    match_t part, whole;
    uint8_t *copy;
    bool is_done;

    if (size < 2)
        return 0;
    copy = malloc(reply.len); /* ends where the answer ends */
    memcpy(copy, data + 1, reply.len);
    reply.data = copy;
    reply.probe = (probe_e)(PROBE_BANNER + data[0] % (PROBES - PROBE_BANNER));
    is_done = service_match(&reply, &part);
    check_match(&part);
    reply.is_whole = true;
    service_match(&reply, &whole);
    check_match(&whole);
    if (is_done)
        check(part.level == whole.level && part.name == whole.name);
    check_starttls(&reply);
    if (whole.level != MATCH_NONE) {
        service = service_of(&whole);
        check(service && service->name);
        service_free(service);
    }
    free(copy);
    return 0;
}
