/* ICMP of IPv4 in words; an error names what it is about if its quote tells. */
#include "packet_text_int.h"

#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

#define WORDS_SIZE 128
#define ANY_CODE (-1)

/* What stands for the %s of the words. */
typedef enum subject_e { SUBJECT_NONE, SUBJECT_HOST, SUBJECT_PORT, SUBJECT_PROTOCOL } subject_e;

typedef struct words_s {
    uint8_t type;
    int code;
    subject_e subject;
    const char *before, *after; /* the subject */
} words_t;

static const words_t all_words[] = {
    {ICMP_ECHOREPLY, ANY_CODE, SUBJECT_NONE, "Echo reply", ""},
    {ICMP_DEST_UNREACH, ICMP_NET_UNREACH, SUBJECT_HOST, "Network", " unreachable"},
    {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, SUBJECT_HOST, "Host", " unreachable"},
    {ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, SUBJECT_PROTOCOL, "Protocol", " unreachable"},
    {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, SUBJECT_PORT, "Port", " unreachable"},
    {ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, SUBJECT_NONE, "Fragmentation needed", ""},
    {ICMP_DEST_UNREACH, ICMP_SR_FAILED, SUBJECT_NONE, "Source route failed", ""},
    {ICMP_DEST_UNREACH, ICMP_NET_UNKNOWN, SUBJECT_HOST, "Destination network", " unknown"},
    {ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN, SUBJECT_HOST, "Destination host", " unknown"},
    {ICMP_DEST_UNREACH, ICMP_NET_ANO, SUBJECT_HOST, "Destination network",
     " administratively prohibited"},
    {ICMP_DEST_UNREACH, ICMP_HOST_ANO, SUBJECT_HOST, "Destination host",
     " administratively prohibited"},
    {ICMP_DEST_UNREACH, ICMP_NET_UNR_TOS, SUBJECT_HOST, "Network", " unreachable for this TOS"},
    {ICMP_DEST_UNREACH, ICMP_HOST_UNR_TOS, SUBJECT_HOST, "Host", " unreachable for this TOS"},
    {ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, SUBJECT_NONE,
     "Communication administratively prohibited by filtering", ""},
    {ICMP_DEST_UNREACH, ANY_CODE, SUBJECT_HOST, "Destination", " unreachable"},
    {ICMP_SOURCE_QUENCH, ANY_CODE, SUBJECT_NONE, "Source quench", ""},
    {ICMP_REDIRECT, ANY_CODE, SUBJECT_HOST, "Redirect of", ""},
    {ICMP_ECHO, ANY_CODE, SUBJECT_NONE, "Echo request", ""},
    {ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, SUBJECT_NONE, "TTL=0 during transit", ""},
    {ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, SUBJECT_NONE, "TTL=0 during reassembly", ""},
    {ICMP_PARAMETERPROB, ANY_CODE, SUBJECT_NONE, "Parameter problem", ""},
    {ICMP_TIMESTAMP, ANY_CODE, SUBJECT_NONE, "Timestamp request", ""},
    {ICMP_TIMESTAMPREPLY, ANY_CODE, SUBJECT_NONE, "Timestamp reply", ""},
    {ICMP_ADDRESS, ANY_CODE, SUBJECT_NONE, "Address mask request", ""},
    {ICMP_ADDRESSREPLY, ANY_CODE, SUBJECT_NONE, "Address mask reply", ""},
};

static const words_t *find_words(const packet_icmp_t *icmp)
{
    static const words_t unknown = {0, ANY_CODE, SUBJECT_NONE, "Unknown type", ""};

    for (size_t i = 0; i < sizeof(all_words) / sizeof(all_words[0]); i++)
        if (all_words[i].type == icmp->type &&
            (all_words[i].code == icmp->code || all_words[i].code == ANY_CODE))
            return &all_words[i];
    return &unknown;
}

/* " 192.0.2.1", " 53", or "" if the quote does not tell. */
static void write_subject(char *text, size_t size, subject_e subject, const packet_t *packet)
{
    char address[INET6_ADDRSTRLEN];
    packet_t quoted;

    *text = '\0';
    if (subject == SUBJECT_NONE || packet_quoted(&quoted, packet) < 0)
        return;
    if (subject == SUBJECT_HOST)
        snprintf(text, size, " %s", packet_text__address(&quoted.destination, address));
    else if (subject == SUBJECT_PROTOCOL)
        snprintf(text, size, " %u", quoted.protocol);
    else if (quoted.kind == PACKET_TCP)
        snprintf(text, size, " %u", quoted.tcp.destination_port);
    else if (quoted.kind == PACKET_UDP)
        snprintf(text, size, " %u", quoted.udp.destination_port);
}

/* The fields of a question or an answer; nothing of errors. */
static int write_fields(hbytes_t *out, const packet_t *packet)
{
    const packet_icmp_t *icmp = &packet->icmp;
    bool is_time = icmp->type == ICMP_TIMESTAMP || icmp->type == ICMP_TIMESTAMPREPLY;
    bool is_mask = icmp->type == ICMP_ADDRESS || icmp->type == ICMP_ADDRESSREPLY;
    const uint8_t *data = packet->payload;
    int err;

    if (!is_time && !is_mask && icmp->type != ICMP_ECHO && icmp->type != ICMP_ECHOREPLY)
        return 0;
    err = hbytes_printf(out, "id=%u seq=%u", icmp->id, icmp->seq);
    if (err == 0 && is_time && packet->payload_len >= 12)
        err = hbytes_printf(out, " orig=%u recv=%u trans=%u", packet_text__number(data, 4),
                            packet_text__number(data + 4, 4), packet_text__number(data + 8, 4));
    if (err == 0 && is_mask && packet->payload_len >= 4)
        err = hbytes_printf(out, " mask=%u.%u.%u.%u", data[0], data[1], data[2], data[3]);
    return err;
}

int packet_text__icmp(hbytes_t *out, const packet_t *packet)
{
    const words_t *words = find_words(&packet->icmp);
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN], subject[WORDS_SIZE];
    int err;

    write_subject(subject, sizeof(subject), words->subject, packet);
    err = hbytes_printf(out, "ICMP [%s > %s %s%s%s (type=%u/code=%u) ",
                        packet_text__address(&packet->source, source),
                        packet_text__address(&packet->destination, destination), words->before,
                        subject, words->after, packet->icmp.type, packet->icmp.code);
    if (err == 0)
        err = write_fields(out, packet);
    if (err == 0)
        err = hbytes_append_str(out, "] IP [");
    if (err == 0)
        err = packet_text__header(out, packet);
    return err == 0 ? hbytes_append_char(out, ']') : err;
}
