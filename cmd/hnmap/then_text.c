#include "then_text.h"

#include "output_text.h"

#include "base/herr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static const char *const names[THEN_WORDS] = {[THEN_IP] = "ip",
                                              [THEN_NAME] = "name",
                                              [THEN_MAC] = "mac",
                                              [THEN_PORTS] = "ports",
                                              [THEN_UDP_PORTS] = "udp-ports",
                                              [THEN_PORT] = "port",
                                              [THEN_PROTOCOL] = "protocol"};

/* A part of a command: as it stands, or a placeholder. */
typedef struct part_s {
    const char *text; /* between the braces, for a placeholder */
    size_t len;
    bool is_word;
} part_t;

/* The letters of "{word}" at a brace; NULL: it is none. */
static const char *read_word(const char *brace, size_t *len)
{
    *len = strspn(brace + 1, LETTERS DIGITS "-_");
    return brace[1 + *len] == '}' ? brace + 1 : NULL;
}

/* The next part, and *at behind it; false at the end. */
static bool next_part(const char **at, part_t *part)
{
    const char *from = *at;

    *part = (part_t){.text = from};
    if (*from == '\0')
        return false;
    if (from[0] == '{' && from[1] == '{' && read_word(from + 1, &part->len) &&
        from[1 + part->len + 2] == '}') {
        part->text = from + 1;
        part->len += 2;
        *at = from + part->len + 2;
    } else if (from[0] == '{' && (part->text = read_word(from, &part->len)) != NULL) {
        part->is_word = true;
        *at = from + part->len + 2;
    } else { /* "$$" is a number of the shell's, and leaves what follows alone */
        part->text = from;
        part->len = from[0] == '$' && (from[1] == '{' || from[1] == '$') ? 2 : 1;
        part->len += strcspn(from + part->len, "{$");
        *at = from + part->len;
    }
    return true;
}

/* THEN_WORDS: there is none of that name. */
static then_word_e word_of(const part_t *part)
{
    for (int i = 0; i < THEN_WORDS; i++)
        if (strlen(names[i]) == part->len && memcmp(names[i], part->text, part->len) == 0)
            return (then_word_e)i;
    return THEN_WORDS;
}

int then_text_check(const char *command, hbytes_t *why)
{
    const char *at = command;
    part_t part;

    if (command[strspn(command, " \t\n")] == '\0') {
        hbytes_append_str(why, "there is no command");
        return HERR_SYNTAX;
    }
    while (next_part(&at, &part)) {
        if (!part.is_word || word_of(&part) < THEN_WORDS)
            continue;
        hbytes_printf(why, "'{%.*s}' is no placeholder; there are", (int)part.len, part.text);
        for (size_t i = 0; i < THEN_WORDS; i++)
            hbytes_printf(why, "%s {%s}",
                          i == 0               ? ""
                          : i < THEN_WORDS - 1 ? ","
                                               : " and",
                          names[i]);
        hbytes_printf(why, "; {{%.*s}} is {%.*s} itself", (int)part.len, part.text, (int)part.len,
                      part.text);
        return HERR_SYNTAX;
    }
    if (then_text_has(command, THEN_PROTOCOL) && !then_text_has(command, THEN_PORT)) {
        hbytes_append_str(why, "'{protocol}' is that of a {port}, which is not there");
        return HERR_SYNTAX;
    }
    return 0;
}

bool then_text_has(const char *command, then_word_e word)
{
    part_t part;

    while (next_part(&command, &part))
        if (part.is_word && word_of(&part) == word)
            return true;
    return false;
}

int then_text_write(hbytes_t *out, const char *command, const char *const *words)
{
    int status = 0;
    part_t part;

    while (status == 0 && next_part(&command, &part)) {
        then_word_e word = part.is_word ? word_of(&part) : THEN_WORDS;

        status = word < THEN_WORDS ? hbytes_append_str(out, words[word])
                                   : hbytes_append(out, part.text, part.len);
    }
    return status;
}

bool then_text_is_harmless(const char *text)
{
    return text[strspn(text, LETTERS DIGITS "._:%,-")] == '\0' && text[0] != '-';
}

const char *then_text_ip(const host_result_t *host, char *buf)
{
    const struct sockaddr_in6 *sin6 = &host->addr.u.sin6;
    size_t len;

    output_ip(host, buf);
    if (then_text_is_harmless(buf))
        return buf;
    inet_ntop(AF_INET6, &sin6->sin6_addr, buf, HADDR_FORMAT_SIZE);
    len = strlen(buf);
    snprintf(buf + len, HADDR_FORMAT_SIZE - len, "%%%u", sin6->sin6_scope_id);
    return buf;
}
