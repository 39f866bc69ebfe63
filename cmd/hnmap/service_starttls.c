#include "service_starttls.h"

#include "service_match.h"

#include <string.h>

#define STEPS_MAX 3

/* What an answer is. */
typedef enum verdict_e { VERDICT_WAIT, VERDICT_YES, VERDICT_NO } verdict_e;

typedef verdict_e (*judge_fn)(cursor_t answer, const char *yes);

typedef struct step_s {
    judge_fn judge;  /* of the answer before; NULL: none is waited for */
    const char *yes; /* how it begins when all is well */
    const char *say;
    size_t len; /* of what is said; 0: TLS begins */
} step_t;

typedef struct way_s {
    const char *name;
    step_t steps[STEPS_MAX];
} way_t;

#define SAY(text) (text), sizeof(text) - 1
#define TLS NULL, 0

/* ---- answers --------------------------------------------------------------------------------- */

/* A number of three digits; the last line of an answer has a space behind it. */
static verdict_e judge_reply(cursor_t answer, const char *yes)
{
    cursor_t line;

    while (cursor_line(&answer, false, &line))
        if (line.left >= 3 && (line.left == 3 || line.at[3] != '-') && line.at[0] >= '0' &&
            line.at[0] <= '9')
            return match_starts(line, yes) ? VERDICT_YES : VERDICT_NO;
    return VERDICT_WAIT;
}

/* A line of this beginning, among others that only tell something. */
static verdict_e judge_line(cursor_t answer, const char *yes)
{
    cursor_t line;

    while (cursor_line(&answer, false, &line)) {
        if (match_starts(line, yes))
            return VERDICT_YES;
        if (!match_starts(line, "* ") || match_starts(line, "* BYE"))
            return VERDICT_NO;
    }
    return VERDICT_WAIT;
}

static verdict_e judge_xml(cursor_t answer, const char *yes)
{
    cursor_t behind;

    if (match_find(answer, yes, &behind))
        return VERDICT_YES;
    return match_find(answer, "</stream:features>", &behind) ||
                   match_find(answer, "<failure", &behind) ||
                   match_find(answer, "</stream:stream", &behind)
               ? VERDICT_NO
               : VERDICT_WAIT;
}

static verdict_e judge_byte(cursor_t answer, const char *yes)
{
    return answer.left == 0                  ? VERDICT_WAIT
           : answer.at[0] == (uint8_t)yes[0] ? VERDICT_YES
                                             : VERDICT_NO;
}

/* An extended response whose result is success. */
static verdict_e judge_ldap(cursor_t answer, const char *yes)
{
    cursor_t message, part, code;

    (void)yes;
    if (answer.left < 2 || (answer.at[0] == 0x30 && answer.left < 14 && answer.at[1] >= 12))
        return VERDICT_WAIT;
    if (cursor_element(&answer, &message) != 0x30 || cursor_element(&message, &part) != 0x02 ||
        cursor_element(&message, &part) != 0x78 || cursor_element(&part, &code) != 0x0a)
        return VERDICT_NO;
    return code.left == 1 && code.at[0] == 0 ? VERDICT_YES : VERDICT_NO;
}

/* The greeting of protocol 10: behind the version, the connection's number and 9 bytes stand the
 * lower capabilities, of which 0x0800 is TLS. */
static verdict_e judge_mysql(cursor_t answer, const char *yes)
{
    cursor_t c = answer;
    const uint8_t *nul;
    uint32_t low;

    (void)yes;
    if (c.left < 5)
        return VERDICT_WAIT;
    cursor_take(&c, 4);
    if (cursor_u8(&c) != 10)
        return VERDICT_NO;
    nul = c.left > 0 ? memchr(c.at, '\0', c.left) : NULL;
    if (nul == NULL)
        return c.left < 128 ? VERDICT_WAIT : VERDICT_NO;
    cursor_take(&c, (size_t)(nul - c.at) + 1 + 4 + 9);
    if (c.left < 2)
        return VERDICT_WAIT;
    cursor_u8(&c);
    low = cursor_u8(&c);
    return low & 0x08 ? VERDICT_YES : VERDICT_NO;
}

/* ---- ways ------------------------------------------------------------------------------------ */

#define LDAP_STARTTLS                                                                              \
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"                                                         \
    "1.3.6.1.4.1.1466.20037"
#define POSTGRES_SSL "\x00\x00\x00\x08\x04\xd2\x16\x2f"
/* Capabilities (protocol 4.1, TLS, secure connection), 16 MiB, UTF-8. */
#define MYSQL_SSL                                                                                  \
    "\x20\x00\x00\x01\x05\x8a\x00\x00\x00\x00\x00\x01\x21"                                         \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define XMPP_STREAM                                                                                \
    "<?xml version='1.0'?><stream:stream to='hnmap' xmlns='jabber:client' "                        \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
#define XMPP_STARTTLS "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

static const way_t ways[] = {
    {"smtp",
     {{judge_reply, "220", SAY("EHLO hnmap\r\n")},
      {judge_reply, "250", SAY("STARTTLS\r\n")},
      {judge_reply, "220", TLS}}},
    {"ftp", {{judge_reply, "220", SAY("AUTH TLS\r\n")}, {judge_reply, "234", TLS}}},
    {"pop3", {{judge_line, "+OK", SAY("STLS\r\n")}, {judge_line, "+OK", TLS}}},
    {"imap", {{judge_line, "* OK", SAY("a STARTTLS\r\n")}, {judge_line, "a OK", TLS}}},
    {"ldap", {{NULL, NULL, SAY(LDAP_STARTTLS)}, {judge_ldap, NULL, TLS}}},
    {"postgresql", {{NULL, NULL, SAY(POSTGRES_SSL)}, {judge_byte, "S", TLS}}},
    {"mysql", {{judge_mysql, NULL, SAY(MYSQL_SSL)}, {NULL, NULL, TLS}}},
    {"xmpp",
     {{NULL, NULL, SAY(XMPP_STREAM)},
      {judge_xml, "<starttls", SAY(XMPP_STARTTLS)},
      {judge_xml, "<proceed", TLS}}},
};

static const way_t *find_way(const char *name)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    return NULL;
}

bool service_has_starttls(const char *name)
{
    return find_way(name) != NULL;
}

starttls_do_e service_starttls(const char *name, unsigned step, const uint8_t *data, size_t len,
                               const char **words, size_t *words_len)
{
    const way_t *way = find_way(name);
    const step_t *s = way && step < STEPS_MAX ? &way->steps[step] : NULL;
    verdict_e verdict;

    if (s == NULL)
        return STARTTLS_REFUSED;
    verdict = s->judge ? s->judge((cursor_t){data, len}, s->yes) : VERDICT_YES;
    if (verdict != VERDICT_YES)
        return verdict == VERDICT_WAIT ? STARTTLS_WAIT : STARTTLS_REFUSED;
    *words = s->say;
    *words_len = s->len;
    return s->len > 0 ? STARTTLS_SAY : STARTTLS_BEGIN;
}
