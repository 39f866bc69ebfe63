#include "os.h"

#include "base/hstr.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define HOPS_MAX 30 /* no way in the Internet is much longer */
#define ID_STEP_MAX 1024
#define TIMESTAMPS_SIZE 12 /* of each segment, with two NOPs */

enum { OPTION_END, OPTION_NOP, OPTION_MSS, OPTION_SCALE, OPTION_SACK, OPTION_TIMESTAMPS = 8 };

static uint8_t begin_of(uint8_t ttl)
{
    static const uint8_t begins[] = {32, 64, 128, 255};
    size_t i = 0;

    while (begins[i] < ttl)
        i++;
    return begins[i];
}

uint8_t os_hops(uint8_t ttl)
{
    return ttl > 0 ? (uint8_t)(begin_of(ttl) - ttl + 1) : 0;
}

/* ---- what packets show ----------------------------------------------------------------------- */

static char letter_of(uint8_t option)
{
    switch (option) {
    case OPTION_END:
        return 'E';
    case OPTION_NOP:
        return 'N';
    case OPTION_MSS:
        return 'M';
    case OPTION_SCALE:
        return 'W';
    case OPTION_SACK:
        return 'S';
    case OPTION_TIMESTAMPS:
        return 'T';
    default:
        return '?';
    }
}

/* Up to the end, or to what contradicts itself. */
static void read_options(char *letters, const uint8_t *at, size_t len)
{
    size_t count = 0;

    while (len > 0 && count < OS_OPTIONS_SIZE - 1) {
        size_t size = *at <= OPTION_NOP ? 1 : len > 1 ? at[1] : 0;

        if (size == 0 || size > len || (*at > OPTION_NOP && size < 2))
            break;
        letters[count++] = letter_of(*at);
        if (*at == OPTION_END)
            break;
        at += size;
        len -= size;
    }
    letters[count] = '\0';
}

static void take_syn_ack(os_signs_t *signs, const packet_t *packet)
{
    const packet_tcp_t *tcp = &packet->tcp;
    os_syn_ack_t *syn_ack = &signs->syn_ack;

    if (!signs->is_v6 && signs->id_count < OS_IDS_MAX)
        signs->ids[signs->id_count++] = (uint16_t)packet->ip_id;
    if (syn_ack->is_there)
        return;
    *syn_ack = (os_syn_ack_t){
        .is_there = true,
        .ttl = packet->ttl,
        .dont_fragment = packet->dont_fragment,
        .window = tcp->window,
        .mss = tcp->mss,
        .scale = tcp->window_scale,
        .has_timestamps = tcp->has_timestamps,
    };
    read_options(syn_ack->options, tcp->options, tcp->options_len);
}

static void take_reply(os_reply_t *reply, const packet_t *packet)
{
    if (!reply->is_there)
        *reply = (os_reply_t){true, packet->ttl, packet->dont_fragment};
}

void os_take(os_signs_t *signs, const packet_t *packet)
{
    signs->is_v6 = packet->source.family == AF_INET6;
    if (packet->kind == PACKET_TCP && packet->tcp.flags & PACKET_RST)
        take_reply(&signs->reset, packet);
    else if (packet->kind == PACKET_TCP &&
             (packet->tcp.flags & (PACKET_SYN | PACKET_ACK)) == (PACKET_SYN | PACKET_ACK))
        take_syn_ack(signs, packet);
    else if ((packet->kind == PACKET_ICMP && packet->icmp.type == ICMP_ECHOREPLY) ||
             (packet->kind == PACKET_ICMPV6 && packet->icmp.type == ICMP6_ECHO_REPLY))
        take_reply(&signs->echo, packet);
}

void os_hint(os_signs_t *signs, const char *text)
{
    if (text && signs->hint_count < OS_HINTS_MAX)
        signs->hints[signs->hint_count++] = text;
}

/* ---- how well a row fits --------------------------------------------------------------------- */

/* What each sign is worth; what is not known does not count. */
enum {
    WORTH_OPTIONS = 32,
    WORTH_WINDOW = 18,
    WORTH_TTL = 20,
    WORTH_SCALE = 8,
    WORTH_FRAGMENT = 6,
    WORTH_IDS = 4,
    WORTH_REPLY = 4, /* the TTL of one, and the rest of it */
    WORTH_HINT = 16
};

typedef struct score_s {
    double got, of;
} score_t;

static void add(score_t *score, double worth, double share)
{
    score->got += worth * share;
    score->of += worth;
}

#define SHARE_ANY 0.75       /* the row says nothing about it */
#define SHARE_UNUSUAL 0.85   /* so it is when something is switched off */
#define SHARE_REORDERED 0.25 /* the same, in another order */

/* IPv6 has a default of its own that most keep to (RFC 4861 section 6.3.2, RFC 1700). */
static double share_of_ttl(const os_signs_t *signs, uint8_t begin, uint8_t ttl)
{
    if (signs->is_v6 && begin > 64 && begin != 128)
        begin = 64;
    if (signs->is_near)
        return ttl == begin;
    return ttl <= begin && begin - ttl <= HOPS_MAX;
}

static double share_of_answer(uint8_t wanted, bool is_so)
{
    return wanted == OS_EITHER ? SHARE_ANY : wanted == (is_so ? OS_YES : OS_NO);
}

static void sort_letters(char *letters)
{
    for (size_t i = 1; letters[0] && letters[i]; i++)
        for (size_t k = i; k > 0 && letters[k] < letters[k - 1]; k--) {
            char c = letters[k];

            letters[k] = letters[k - 1];
            letters[k - 1] = c;
        }
}

static bool has_same_letters(const char *a, const char *b)
{
    char sorted[2][OS_OPTIONS_SIZE];

    hstr_copy(sorted[0], OS_OPTIONS_SIZE, a);
    hstr_copy(sorted[1], OS_OPTIONS_SIZE, b);
    sort_letters(sorted[0]);
    sort_letters(sorted[1]);
    return strcmp(sorted[0], sorted[1]) == 0;
}

static double share_of_options(const os_row_t *row, const char *options)
{
    double share = 0, found = 1;

    if (row->options == NULL)
        return SHARE_ANY;
    for (const char *at = row->options; *at;) {
        char one[OS_OPTIONS_SIZE] = "";
        size_t len = strcspn(at, "|");

        memcpy(one, at, len < sizeof(one) ? len : sizeof(one) - 1);
        if (strcmp(one, options) == 0)
            return found;
        if (has_same_letters(one, options))
            share = SHARE_REORDERED;
        found = SHARE_UNUSUAL;
        at += len;
        at += *at == '|';
    }
    return share;
}

static bool is_window(const os_window_t *window, const os_syn_ack_t *syn_ack)
{
    uint32_t room = syn_ack->mss > 0 ? syn_ack->mss : 536; /* RFC 9293 section 3.7.1 */
    uint32_t whole;

    if (window->kind == OS_WINDOW_IS)
        return syn_ack->window == window->n;
    if (syn_ack->has_timestamps && room > TIMESTAMPS_SIZE)
        room -= TIMESTAMPS_SIZE;
    whole = window->kind == OS_WINDOW_FULL ? UINT16_MAX / room * room : room * window->n;
    return syn_ack->window == (whole > UINT16_MAX ? UINT16_MAX : whole);
}

static double share_of_window(const os_row_t *row, const os_syn_ack_t *syn_ack)
{
    if (row->windows[0].kind == OS_WINDOW_ANY)
        return SHARE_ANY;
    return is_window(&row->windows[0], syn_ack) ||
           (row->windows[1].kind != OS_WINDOW_ANY && is_window(&row->windows[1], syn_ack));
}

/* What is not scaled at all is told by the options. */
static double share_of_scale(const os_row_t *row, uint8_t scale)
{
    if (row->scale[0] == OS_SCALE_ANY || scale == PACKET_NO_SCALE)
        return row->scale[0] == PACKET_NO_SCALE ? 1 : SHARE_ANY;
    return scale >= row->scale[0] && scale <= row->scale[1];
}

static os_id_e kind_of_ids(const os_signs_t *signs)
{
    bool is_zero = true, is_rising = true;

    for (size_t i = 0; i < signs->id_count; i++) {
        uint16_t step = (uint16_t)(signs->ids[i] - signs->ids[i > 0 ? i - 1 : 0]);

        is_zero = is_zero && signs->ids[i] == 0;
        is_rising = is_rising && (i == 0 || (step > 0 && step <= ID_STEP_MAX));
    }
    if (signs->id_count < 2)
        return OS_ID_ANY;
    return is_zero ? OS_ID_ZERO : is_rising ? OS_ID_RISING : OS_ID_RANDOM;
}

static void add_syn_ack(score_t *score, const os_signs_t *signs, const os_row_t *row)
{
    const os_syn_ack_t *syn_ack = &signs->syn_ack;
    os_id_e ids = kind_of_ids(signs);

    add(score, WORTH_OPTIONS, share_of_options(row, syn_ack->options));
    add(score, WORTH_WINDOW, share_of_window(row, syn_ack));
    add(score, WORTH_TTL, share_of_ttl(signs, row->ttl, syn_ack->ttl));
    add(score, WORTH_SCALE, share_of_scale(row, syn_ack->scale));
    if (!signs->is_v6)
        add(score, WORTH_FRAGMENT, share_of_answer(row->dont_fragment, syn_ack->dont_fragment));
    if (ids != OS_ID_ANY)
        add(score, WORTH_IDS, row->id == OS_ID_ANY ? SHARE_ANY : row->id == ids);
}

static bool is_hinted(const os_signs_t *signs, const os_system_t *system)
{
    for (size_t i = 0; i < signs->hint_count; i++)
        if (hstr_ieq(signs->hints[i], system->family) ||
            (hstr_ieq(signs->hints[i], "Linux") && strcmp(system->family, "Android") == 0))
            return true;
    return false;
}

/* Percent. */
static unsigned accuracy_of(const os_signs_t *signs, const os_row_t *row)
{
    unsigned max = signs->syn_ack.is_there ? OS_ACCURACY_MAX : OS_ACCURACY_WEAK_MAX;
    score_t score = {0, 0};

    if (signs->syn_ack.is_there)
        add_syn_ack(&score, signs, row);
    if (signs->reset.is_there)
        add(&score, WORTH_REPLY, share_of_ttl(signs, row->ttl, signs->reset.ttl));
    if (signs->reset.is_there && !signs->is_v6)
        add(&score, WORTH_REPLY, share_of_answer(row->reset_fragment, signs->reset.dont_fragment));
    if (signs->echo.is_there)
        add(&score, WORTH_REPLY, share_of_ttl(signs, row->ttl_echo, signs->echo.ttl));
    if (signs->hint_count > 0)
        add(&score, WORTH_HINT, is_hinted(signs, &row->system));
    return score.of > 0 ? (unsigned)(score.got / score.of * max) : 0;
}

size_t os_guess(const os_signs_t *signs, unsigned accuracy_min, os_guess_t *guesses, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < os_row_count; i++) {
        os_guess_t guess = {&os_rows[i].system, (uint8_t)accuracy_of(signs, &os_rows[i]),
                            (unsigned)i + 1};
        size_t at = count;

        if (guess.accuracy == 0 || guess.accuracy < accuracy_min)
            continue;
        while (at > 0 && guesses[at - 1].accuracy < guess.accuracy)
            at--;
        if (at == max)
            continue;
        count += count < max;
        memmove(&guesses[at + 1], &guesses[at], (count - at - 1) * sizeof(*guesses));
        guesses[at] = guess;
    }
    return count;
}
