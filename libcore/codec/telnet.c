#include "telnet.h"

#include <string.h>

/* RFC 854: the codes of commands, each behind an IAC. */
#define TELNET_SE 240
#define TELNET_SB_BEGIN 250
#define TELNET_WILL 251
#define TELNET_WONT 252
#define TELNET_DO 253
#define TELNET_DONT 254
#define TELNET_IAC_BYTE 255

static telnet_state_e command(telnet_t *telnet, uint8_t c)
{
    switch (c) {
    case TELNET_WILL:
    case TELNET_WONT:
    case TELNET_DO:
    case TELNET_DONT:
        telnet->verb = c;
        return TELNET_OPTION;
    case TELNET_SB_BEGIN:
        return TELNET_SB;
    default: /* NOP, GA, AYT ... mean nothing to us */
        return TELNET_DATA;
    }
}

/* Refuses what the peer offers or asks for. WONT and DONT need no answer: nothing was ever on, and
 * an answer to every answer would never end. */
static size_t refuse(uint8_t verb, uint8_t option, uint8_t *answer)
{
    if (verb != TELNET_DO && verb != TELNET_WILL)
        return 0;
    answer[0] = TELNET_IAC_BYTE;
    answer[1] = verb == TELNET_DO ? TELNET_WONT : TELNET_DONT;
    answer[2] = option;
    return TELNET_ANSWER_LEN;
}

size_t telnet_receive(telnet_t *telnet, void *data, size_t len, void *answers, size_t *answers_len)
{
    uint8_t *p = data, *out = answers;
    size_t kept = 0, answered = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t c = p[i];

        switch (telnet->state) {
        case TELNET_DATA:
            if (c == TELNET_IAC_BYTE)
                telnet->state = TELNET_IAC;
            else
                p[kept++] = c;
            break;
        case TELNET_IAC:
            if (c == TELNET_IAC_BYTE)
                p[kept++] = c;
            telnet->state = command(telnet, c);
            break;
        case TELNET_OPTION:
            answered += refuse(telnet->verb, c, out + answered);
            telnet->state = TELNET_DATA;
            break;
        case TELNET_SB:
            if (c == TELNET_IAC_BYTE)
                telnet->state = TELNET_SB_IAC;
            break;
        case TELNET_SB_IAC:
            telnet->state = c == TELNET_SE ? TELNET_DATA : TELNET_SB;
            break;
        }
    }
    *answers_len = answered;
    return kept;
}

size_t telnet_escape(const void *data, size_t len, void *out)
{
    const uint8_t *p = data, *end = p + len;
    uint8_t *to = out;

    while (p < end) {
        const uint8_t *iac = memchr(p, TELNET_IAC_BYTE, (size_t)(end - p));
        size_t plain = (size_t)((iac ? iac + 1 : end) - p);

        memcpy(to, p, plain);
        to += plain;
        p += plain;
        if (iac)
            *to++ = TELNET_IAC_BYTE;
    }
    return (size_t)(to - (uint8_t *)out);
}
