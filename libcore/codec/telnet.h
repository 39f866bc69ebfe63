/* telnet: the least of RFC 854 that lets a plain program talk to a telnet server: every option is
 * refused, commands are taken out of the stream, data bytes of 255 are doubled. A pure codec. */
#ifndef HNET_CODEC_TELNET_H
#define HNET_CODEC_TELNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    TELNET_DATA,
    TELNET_IAC,    /* behind an IAC */
    TELNET_OPTION, /* behind DO, DONT, WILL or WONT */
    TELNET_SB,     /* in a subnegotiation, which is dropped up to its IAC SE */
    TELNET_SB_IAC
} telnet_state_e;

/* Zeroed before the first byte. */
typedef struct telnet_s {
    telnet_state_e state;
    uint8_t verb; /* in TELNET_OPTION */
} telnet_t;

#define TELNET_ANSWER_LEN 3

/* Room for the answers to len bytes in any state. */
#define TELNET_ANSWERS_SIZE(len) ((size_t)(len) + TELNET_ANSWER_LEN)

/* Takes len bytes that came: keeps the data in place, at the start of data, and returns how many
 * they are. What is to be sent back (WONT to DO, DONT to WILL) goes to answers, *answers_len bytes;
 * it has at least TELNET_ANSWERS_SIZE(len). Works the same however the stream is cut. */
size_t telnet_receive(telnet_t *telnet, void *data, size_t len, void *answers, size_t *answers_len);

/* Room for the escaped form of len bytes. */
#define TELNET_ESCAPED_SIZE(len) ((size_t)(len)*2)

/* Writes data with every IAC doubled; out has TELNET_ESCAPED_SIZE(len). Returns the length. */
size_t telnet_escape(const void *data, size_t len, void *out);

#ifdef __cplusplus
}
#endif

#endif
