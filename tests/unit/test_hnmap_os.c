/* One thread. */
/* Which system answers so: answers as systems are known to give them, made here byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/os.h"

#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define TCP_SIZE 20

/* ---- answers --------------------------------------------------------------------------------- */

typedef struct answer_s {
    const char *options; /* letters, see os.h */
    uint8_t ttl;
    bool dont_fragment;
    uint16_t window, mss;
    uint8_t scale;
    uint16_t id;
    uint8_t flags; /* 0: SYN ACK */
    bool is_v6;
} answer_t;

static size_t put_option(uint8_t *at, char letter, const answer_t *answer)
{
    static const uint8_t timestamps[] = {8, 10, 0, 1, 2, 3, 4, 5, 6, 7};

    switch (letter) {
    case 'M':
        memcpy(at, (uint8_t[]){2, 4, (uint8_t)(answer->mss >> 8), (uint8_t)answer->mss}, 4);
        return 4;
    case 'N':
        at[0] = 1;
        return 1;
    case 'W':
        memcpy(at, (uint8_t[]){3, 3, answer->scale}, 3);
        return 3;
    case 'S':
        memcpy(at, (uint8_t[]){4, 2}, 2);
        return 2;
    case 'T':
        memcpy(at, timestamps, sizeof(timestamps));
        return sizeof(timestamps);
    default:
        at[0] = 0;
        return 1;
    }
}

static size_t put_tcp(uint8_t *at, const answer_t *answer)
{
    size_t len = TCP_SIZE;

    for (const char *letter = answer->options; *letter; letter++)
        len += put_option(at + len, *letter, answer);
    while (len % 4 > 0)
        at[len++] = 0;
    at[12] = (uint8_t)(len / 4 << 4);
    at[13] = answer->flags ? answer->flags : PACKET_SYN | PACKET_ACK;
    at[14] = (uint8_t)(answer->window >> 8);
    at[15] = (uint8_t)answer->window;
    return len;
}

static void parse(packet_t *packet, uint8_t *bytes, const answer_t *answer)
{
    size_t begin = answer->is_v6 ? IPV6_SIZE : IPV4_SIZE, len;

    memset(bytes, 0, 128);
    len = put_tcp(bytes + begin, answer);
    if (answer->is_v6) {
        bytes[0] = 0x60;
        bytes[5] = (uint8_t)len;
        bytes[6] = IPPROTO_TCP;
        bytes[7] = answer->ttl;
    } else {
        bytes[0] = 0x45;
        bytes[3] = (uint8_t)(len + begin);
        bytes[4] = (uint8_t)(answer->id >> 8);
        bytes[5] = (uint8_t)answer->id;
        bytes[6] = answer->dont_fragment ? 0x40 : 0;
        bytes[8] = answer->ttl;
        bytes[9] = IPPROTO_TCP;
    }
    assert_int_equal(packet_parse(packet, PACKET_LINK_IP, bytes, begin + len), 0);
}

static void take(os_signs_t *signs, const answer_t *answer)
{
    uint8_t bytes[128];
    packet_t packet;

    parse(&packet, bytes, answer);
    os_take(signs, &packet);
}

static const char *best(const os_signs_t *signs, unsigned *accuracy)
{
    os_guess_t guesses[OS_GUESSES_MAX];
    size_t count = os_guess(signs, OS_LIKELY, guesses, OS_GUESSES_MAX);

    *accuracy = count > 0 ? guesses[0].accuracy : 0;
    return count > 0 ? guesses[0].system->name : "";
}

/* ---- systems --------------------------------------------------------------------------------- */

static const struct {
    answer_t answer;
    const char *expected;
} samples[] = {
    {{"MSTNW", 64, true, 65160, 1460, 7, 0, 0, false}, "Linux 4.20 - 6.X"},
    {{"MSTNW", 64, true, 65483, 65495, 7, 0, 0, false}, "Linux 4.20 - 6.X"}, /* loopback */
    {{"MNNSNW", 64, true, 64240, 1460, 7, 0, 0, false}, "Linux 4.20 - 6.X"}, /* no timestamps */
    {{"MSTNW", 57, true, 64860, 1392, 10, 0, 0, false}, "Linux 4.20 - 6.X"},
    {{"MSTNW", 64, true, 28960, 1460, 7, 0, 0, false}, "Linux 3.10 - 4.19"},
    {{"MSTNW", 64, true, 14480, 1460, 7, 0, 0, false}, "Linux 2.6.39 - 3.9"},
    {{"MSTNW", 64, true, 5792, 1460, 5, 0, 0, false}, "Linux 2.6.8 - 2.6.38"},
    {{"MSTNW", 64, true, 5792, 1460, 0, 0, 0, false}, "Linux 2.4.X"},
    {{"MSTNW", 64, true, 65535, 1460, 8, 0, 0, false}, "Google Android 7 - 15"},
    {{"MNWNNS", 128, true, 65535, 1460, 8, 100, 0, false}, "Microsoft Windows 10, 11"},
    {{"MNWST", 117, true, 65535, 1440, 8, 100, 0, false}, "Microsoft Windows 10, 11"},
    {{"MNWST", 128, true, 8192, 1460, 8, 100, 0, false}, "Microsoft Windows Vista"},
    {{"MNWNNTNNS", 128, true, 65535, 1460, 0, 100, 0, false}, "Microsoft Windows 2000"},
    {{"MNWNNTSE", 64, true, 65535, 1460, 6, 0, 0, false}, "Apple macOS 10.12"},
    {{"MNWNNTSE", 64, true, 65535, 1460, 3, 7, 0, false}, "Apple Mac OS X 10.4"},
    {{"MNWST", 64, true, 65535, 1460, 6, 0, 0, false}, "FreeBSD 9.X"},
    {{"MNWST", 60, true, 65535, 1460, 3, 0, 0, false}, "FreeBSD 7.X"},
    {{"MNNSNWNNT", 64, true, 16384, 1460, 6, 0, 0, false}, "OpenBSD 5.X"},
    {{"MNNSNWNNT", 64, true, 16384, 1460, 3, 0, 0, false}, "OpenBSD 3.X"},
    {{"MNWSNNNNT", 64, true, 32768, 1460, 3, 0, 0, false}, "NetBSD"},
    {{"STMNW", 64, true, 64436, 1460, 5, 0, 0, false}, "Oracle Solaris 11"},
    {{"NNTMNWNNS", 64, true, 49232, 1460, 0, 0, 0, false}, "Sun Solaris 10"},
    {{"M", 255, false, 4128, 536, 0, 0, 0, false}, "Cisco IOS 12.X"},
    {{"M", 254, false, 4128, 1460, 0, 0, 0, false}, "Cisco IOS 12.X"},
    {{"M", 255, false, 2144, 536, 0, 0, 0, false}, "lwIP"},
    {{"M", 64, false, 5760, 1440, 0, 0, 0, false}, "Espressif"},
    {{"MSTNW", 64, false, 64260, 1440, 7, 0, 0, true}, "Linux 4.20 - 6.X"},
    {{"MNWNNS", 128, false, 65535, 1440, 8, 0, 0, true}, "Microsoft Windows 10, 11"},
    {{"M", 64, false, 4128, 1440, 0, 0, 0, true}, "Cisco IOS 12.X"},
};

static void systems(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        os_signs_t signs = {0};
        unsigned accuracy;
        const char *name;

        take(&signs, &samples[i].answer);
        name = best(&signs, &accuracy);
        if (strncmp(name, samples[i].expected, strlen(samples[i].expected)) != 0)
            fail_msg("%zu: %s (%u), not %s", i, name, accuracy, samples[i].expected);
        assert_in_range(accuracy, OS_LIKELY, OS_ACCURACY_MAX);
    }
}

static void what_contradicts_itself_is_unlikely(void **state)
{
    static const answer_t odd[] = {
        {"MSTNW", 128, true, 12345, 1460, 7, 0, 0, false}, /* TTL of one, options of another */
        {"TWSM", 64, true, 65535, 1460, 7, 0, 0, false},   /* an order that nobody has */
        {"", 33, false, 0, 0, 0, 0, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        os_signs_t signs = {.is_near = true};
        unsigned accuracy;

        take(&signs, &odd[i]);
        assert_string_equal(best(&signs, &accuracy), "");
    }
}

/* On the same link no hop is missing: 64 is then not 255 after many, nor 60 seen as 64. */
static void near_hosts_have_their_ttl(void **state)
{
    const answer_t answer = {"MSTNW", 57, true, 65160, 1460, 7, 0, 0, false};
    const answer_t printer = {"M", 60, false, 5840, 1460, 0, 0, 0, false};
    os_signs_t far = {0}, near = {.is_near = true}, next = {.is_near = true};
    unsigned accuracy;

    (void)state;
    take(&far, &answer);
    take(&near, &answer);
    assert_string_equal(best(&far, &accuracy), "Linux 4.20 - 6.X");
    assert_string_equal(best(&near, &accuracy), "");
    take(&next, &printer);
    assert_string_equal(best(&next, &accuracy), "HP JetDirect (printer)");
}

static void little_is_weak(void **state)
{
    const answer_t reset = {"", 64, true, 0, 0, 0, 0, PACKET_RST | PACKET_ACK, false};
    os_guess_t guesses[OS_GUESSES_MAX];
    os_signs_t signs = {0};

    (void)state;
    assert_int_equal(os_guess(&signs, 0, guesses, OS_GUESSES_MAX), 0);
    take(&signs, &reset);
    assert_true(signs.reset.is_there && !signs.syn_ack.is_there);
    assert_int_equal(os_guess(&signs, OS_LIKELY, guesses, OS_GUESSES_MAX), 0);
    assert_true(os_guess(&signs, OS_UNLIKELY, guesses, OS_GUESSES_MAX) > 0);
    assert_in_range(guesses[0].accuracy, OS_UNLIKELY, OS_ACCURACY_WEAK_MAX);
}

static void services_know_more(void **state)
{
    const answer_t answer = {"MNWST", 64, true, 65535, 1460, 6, 0, 0, false};
    os_signs_t agreed = {0}, denied = {0};
    unsigned with, against, without;

    (void)state;
    take(&agreed, &answer);
    best(&agreed, &without);
    take(&denied, &answer);
    os_hint(&agreed, NULL);
    os_hint(&agreed, "freebsd");
    os_hint(&denied, "Windows");
    assert_string_equal(best(&agreed, &with), "FreeBSD 9.X - 14.X");
    best(&denied, &against);
    assert_true(with > without || with == OS_ACCURACY_MAX);
    assert_true(against < OS_LIKELY);
    for (int i = 0; i < 2 * OS_HINTS_MAX; i++)
        os_hint(&agreed, "Linux");
    assert_int_equal(agreed.hint_count, OS_HINTS_MAX);
}

static unsigned with_ids(uint16_t first, uint16_t step, const char *name)
{
    answer_t answer = {"MNWNNS", 128, true, 65535, 1460, 8, first, 0, false};
    os_guess_t guesses[OS_GUESSES_MAX];
    os_signs_t signs = {0};

    for (int i = 0; i < 4; i++, answer.id = (uint16_t)(answer.id + step))
        take(&signs, &answer);
    assert_int_equal(signs.id_count, OS_IDS_MAX);
    os_guess(&signs, 1, guesses, OS_GUESSES_MAX);
    assert_memory_equal(guesses[0].system->name, name, strlen(name));
    return guesses[0].accuracy;
}

static void ids_count(void **state)
{
    const char *name = "Microsoft Windows 10";

    (void)state;
    assert_true(with_ids(65535, 1, name) > with_ids(0, 0, name)); /* over the end, too */
    assert_true(with_ids(7, 3, name) > with_ids(7, 20000, name));
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void options_in_their_order(void **state)
{
    const answer_t answer = {"MNWNNTSE", 64, true, 1, 1460, 6, 9, 0, false};
    os_signs_t signs = {0};
    uint8_t bytes[128];
    packet_t packet;

    (void)state;
    parse(&packet, bytes, &answer);
    os_take(&signs, &packet);
    assert_string_equal(signs.syn_ack.options, "MNWNNTSE");
    assert_int_equal(signs.syn_ack.mss, 1460);
    assert_int_equal(signs.syn_ack.scale, 6);
    assert_true(signs.syn_ack.has_timestamps);
    for (size_t len = 0; len <= packet.tcp.options_len; len++) { /* cut anywhere */
        packet_t part = packet;

        part.tcp.options_len = len;
        signs = (os_signs_t){0};
        os_take(&signs, &part);
        assert_memory_equal(signs.syn_ack.options, "MNWNNTSE", strlen(signs.syn_ack.options));
        assert_true(strlen(signs.syn_ack.options) <= len);
    }
}

static void bad_options(void **state)
{
    static const uint8_t unknown[] = {30, 4, 0, 0, 2, 0}, endless[] = {2, 0, 0, 0};
    uint8_t nops[40];
    os_signs_t signs = {0};
    packet_t packet = {.kind = PACKET_TCP, .source = {.family = AF_INET}};

    (void)state;
    packet.tcp = (packet_tcp_t){.flags = PACKET_SYN | PACKET_ACK, .options = unknown};
    packet.tcp.options_len = sizeof(unknown);
    os_take(&signs, &packet);
    assert_string_equal(signs.syn_ack.options, "?");
    packet.tcp.options = endless;
    packet.tcp.options_len = sizeof(endless);
    signs = (os_signs_t){0};
    os_take(&signs, &packet);
    assert_string_equal(signs.syn_ack.options, "");
    memset(nops, 1, sizeof(nops));
    packet.tcp.options = nops;
    packet.tcp.options_len = sizeof(nops);
    signs = (os_signs_t){0};
    os_take(&signs, &packet);
    assert_int_equal(strlen(signs.syn_ack.options), sizeof(nops));
}

static void other_packets_say_nothing(void **state)
{
    static const os_signs_t nothing;
    packet_t packet = {.kind = PACKET_UDP, .source = {.family = AF_INET}, .ttl = 64};
    os_signs_t signs = {0};

    (void)state;
    os_take(&signs, &packet);
    packet.kind = PACKET_TCP;
    packet.tcp.flags = PACKET_ACK;
    os_take(&signs, &packet);
    packet.kind = PACKET_ARP;
    os_take(&signs, &packet);
    assert_memory_equal(&signs, &nothing, sizeof(signs));
    packet.kind = PACKET_ICMP;
    packet.icmp = (packet_icmp_t){.type = 0};
    os_take(&signs, &packet);
    assert_true(signs.echo.is_there);
    assert_int_equal(signs.echo.ttl, 64);
}

static void hops(void **state)
{
    static const uint8_t expected[][2] = {{0, 0},   {64, 1},   {63, 2},  {33, 32},   {32, 1},
                                          {128, 1}, {115, 14}, {255, 1}, {129, 127}, {1, 32}};

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(os_hops(expected[i][0]), expected[i][1]);
}

/* ---- whatever comes -------------------------------------------------------------------------- */

static unsigned random_of(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (*seed >> 8) % below;
}

static os_signs_t random_signs(unsigned *seed)
{
    static const char letters[] = "MNWSTE?";
    os_signs_t signs = {.is_v6 = random_of(seed, 2), .is_near = random_of(seed, 2)};
    size_t count = random_of(seed, OS_OPTIONS_SIZE);

    for (size_t i = 0; i < count; i++)
        signs.syn_ack.options[i] = letters[random_of(seed, 7)];
    signs.syn_ack.is_there = random_of(seed, 4) > 0;
    signs.syn_ack.ttl = (uint8_t)random_of(seed, 256);
    signs.syn_ack.window = (uint16_t)random_of(seed, 65536);
    signs.syn_ack.mss =
        (uint16_t)(random_of(seed, 2) ? random_of(seed, 65536) : random_of(seed, 20));
    signs.syn_ack.scale = (uint8_t)random_of(seed, 256);
    signs.syn_ack.has_timestamps = random_of(seed, 2);
    signs.reset = (os_reply_t){random_of(seed, 2), (uint8_t)random_of(seed, 256), true};
    signs.echo = (os_reply_t){random_of(seed, 2), (uint8_t)random_of(seed, 256), true};
    signs.id_count = (uint8_t)random_of(seed, OS_IDS_MAX + 1);
    for (size_t i = 0; i < signs.id_count; i++)
        signs.ids[i] = (uint16_t)random_of(seed, 65536);
    return signs;
}

static void any_signs(void **state)
{
    unsigned seed = 6;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        os_signs_t signs = random_signs(&seed);
        os_guess_t all[64], some[3];
        unsigned least = random_of(&seed, 101);
        size_t count = os_guess(&signs, least, all, 64), few = os_guess(&signs, least, some, 3);

        assert_true(count <= os_row_count);
        assert_int_equal(few, count < 3 ? count : 3);
        for (size_t i = 0; i < few; i++)
            assert_int_equal(all[i].line, some[i].line);
        for (size_t i = 0; i < count; i++) {
            assert_ptr_equal(all[i].system, &os_rows[all[i].line - 1].system);
            assert_in_range(all[i].accuracy, least > 0 ? least : 1, OS_ACCURACY_MAX);
            assert_true(i == 0 || all[i].accuracy <= all[i - 1].accuracy);
        }
    }
}

/* ---- the table ------------------------------------------------------------------------------- */

static size_t count_items(const char *list)
{
    size_t count = list != NULL;

    for (; list && *list; list++)
        count += *list == '|';
    return count;
}

static void check_text(const char *text)
{
    assert_true(text == NULL || (*text != '\0' && strlen(text) < 256));
    assert_true(text == NULL || strpbrk(text, "<>&\"\t\n") == NULL);
}

/* What a row describes is guessed to be that row, or one that describes the same. */
static void check_found(const os_row_t *row)
{
    answer_t answer = {.ttl = row->ttl,
                       .dont_fragment = row->dont_fragment != OS_NO,
                       .mss = 1460,
                       .scale = row->scale[1]};
    char first[OS_OPTIONS_SIZE] = "MNW";
    os_guess_t guesses[OS_GUESSES_MAX];
    os_signs_t signs = {0};
    size_t count, i = 0;

    if (row->options)
        snprintf(first, sizeof(first), "%.*s", (int)strcspn(row->options, "|"), row->options);
    answer.options = first;
    answer.window = row->windows[0].n;
    if (row->windows[0].kind == OS_WINDOW_MSS)
        answer.window = (uint16_t)(row->windows[0].n * (strchr(first, 'T') ? 1448 : 1460));
    else if (row->windows[0].kind == OS_WINDOW_FULL)
        answer.window = strchr(first, 'T') ? 65160 : 64240;
    take(&signs, &answer);
    count = os_guess(&signs, OS_LIKELY - 5, guesses, OS_GUESSES_MAX);
    while (i < count && guesses[i].system != &row->system)
        i++;
    if (i == count)
        fail_msg("%s is not found", row->system.name);
}

static void the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < os_row_count; i++) {
        const os_system_t *system = &os_rows[i].system;
        size_t generations = count_items(system->generations), cpes = count_items(system->cpes);

        assert_non_null(system->name);
        assert_non_null(system->type);
        assert_non_null(system->vendor);
        assert_non_null(system->family);
        check_text(system->name);
        check_text(system->generations);
        assert_true(cpes <= 1 || cpes == generations);
        if (cpes > 0)
            assert_memory_equal(system->cpes, "cpe:/", 5);
        check_found(&os_rows[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(os_rows[k].system.name, system->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(systems),
        cmocka_unit_test(what_contradicts_itself_is_unlikely),
        cmocka_unit_test(near_hosts_have_their_ttl),
        cmocka_unit_test(little_is_weak),
        cmocka_unit_test(services_know_more),
        cmocka_unit_test(ids_count),
        cmocka_unit_test(options_in_their_order),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(other_packets_say_nothing),
        cmocka_unit_test(hops),
        cmocka_unit_test(any_signs),
        cmocka_unit_test(the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
