/* One thread. */
/* What --resume keeps: records, cut and changed at every byte. Their file is
 * test_hnmap_resume_file.c's; what a scan makes of it, the command's test's. */
#include "../../cmd/hnmap/resume_bytes.h"

#include "base/herr.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "oom.h"

/* ---- records --------------------------------------------------------------------------------- */

static port_result_t ports[] = {
    {.number = 22,
     .protocol = IPPROTO_TCP,
     .state = PORT_OPEN,
     .reason = REASON_SYN_ACK,
     .ttl = 64},
    {.number = 65535, .protocol = IPPROTO_TCP, .state = PORT_CLOSED, .reason = REASON_RESET},
    {.number = 53, .protocol = IPPROTO_UDP, .state = PORT_OPEN_FILTERED},
};
static service_t service = {.name = (char *)"http",
                            .product = (char *)"nginx",
                            .version = (char *)"1.22.1",
                            .extra = (char *)"",
                            .cpe = {(char *)"cpe:/a:x", NULL, (char *)"cpe:/a:y"},
                            .banner = (char *)"\xff\x01 hello",
                            .tls = (char *)"TLSv1.3",
                            .is_tls = true,
                            .confidence = 10};
static port_group_t groups[] = {{.state = PORT_CLOSED,
                                 .protocol = IPPROTO_TCP,
                                 .reason = REASON_RESET,
                                 .count = 998,
                                 .ports = (char *)"1-21,23-1000"}};
static hop_t hops[2] = {{.ttl = 1, .rtt_us = 300, .name = (char *)"router.example"},
                        {.ttl = 30, .rtt_us = UINT64_MAX}};
static os_result_t os = {.guess_count = 1, .open_port = 22, .has_distance = true, .distance = 2};

static void fill_result(host_result_t *result)
{
    ports[0].service = &service;
    haddr_parse(&hops[0].addr, "192.0.2.1", 0);
    haddr_parse(&hops[1].addr, "2001:db8::7", 0);
    os.guesses[0] = (os_guess_t){.system = &os_rows[2].system, .accuracy = 96, .line = 3};
    *result = (host_result_t){
        .name = (char *)"host.example",
        .state = HOST_UP,
        .reason = REASON_ARP_RESPONSE,
        .ttl = 255,
        .has_mac = true,
        .mac = {2, 0, 0, 0, 0, 9},
        .start = 1700000000,
        .end = 1700000009,
        .srtt_us = 1,
        .rttvar_us = 127,
        .timeout_us = 128,
        .has_ports = true,
        .ports = ports,
        .port_count = 3,
        .groups = groups,
        .group_count = 1,
        .os = &os,
        .hops = hops,
        .hop_count = 2,
        .hops_asked = 30,
        .trace_protocol = IPPROTO_TCP,
        .trace_port = 443,
    };
}

static const char words[] = "--resume\0f\0-p\0001-9\0"
                            "127.0.0.1";

/* One of each kind. */
static void fill(resume_record_t *record, resume_kind_e kind)
{
    *record = (resume_record_t){.kind = kind};
    if (kind != RESUME_BEGIN && kind != RESUME_ELAPSED)
        record->position = 300;
    if (kind == RESUME_BEGIN) {
        record->begin = (resume_begin_t){.seed = UINT64_MAX,
                                         .start = 1700000000,
                                         .facts = {1, 2, UINT32_MAX},
                                         .words = words,
                                         .words_len = sizeof(words)};
    } else if (kind == RESUME_UP) {
        record->up = (resume_up_t){.start = 1700000000,
                                   .reason = REASON_ECHO_REPLY,
                                   .ttl = 63,
                                   .has_mac = true,
                                   .mac = {1, 2, 3, 4, 5, 6},
                                   .ping_kind = 4,
                                   .ping_flags = 2,
                                   .ping_port = 443};
    } else if (kind == RESUME_PROBES) {
        static const char runs[] = {0, 1,   PORT_OPEN,   REASON_SYN_ACK, 64, (char)0x81,
                                    1, 127, PORT_CLOSED, REASON_RESET,   0};

        record->probes = (resume_probes_t){
            .is_udp = true, .rtt = {1, 2, 3}, .runs = runs, .runs_len = sizeof(runs)};
    } else if (kind == RESUME_DONE) {
        fill_result(&record->done);
    } else if (kind == RESUME_TOLD) {
        record->told = (resume_told_t){
            .name = "host.example", .hop_names = {NULL, "b.example"}, .hop_count = 2};
    } else {
        record->elapsed_us = 1234567;
    }
}

static void assert_same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void assert_same_service(const service_t *a, const service_t *b)
{
    assert_same_text(a->name, b->name);
    assert_same_text(a->product, b->product);
    assert_same_text(a->version, b->version);
    assert_same_text(a->extra, b->extra);
    assert_same_text(a->hostname, b->hostname);
    assert_same_text(a->banner, b->banner);
    assert_same_text(a->tls, b->tls);
    for (int i = 0; i < 4; i++)
        assert_same_text(a->cpe[i], b->cpe[i]);
    assert_int_equal(a->is_tls, b->is_tls);
    assert_int_equal(a->confidence, b->confidence);
}

static void assert_same_result(const host_result_t *a, const host_result_t *b)
{
    assert_same_text(a->name, b->name);
    assert_memory_equal(a->mac, b->mac, 6);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->ttl, b->ttl);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->timeout_us, b->timeout_us);
    assert_int_equal(a->port_count, b->port_count);
    assert_int_equal(a->group_count, b->group_count);
    assert_int_equal(a->hop_count, b->hop_count);
    assert_int_equal(a->trace_port, b->trace_port);
    for (size_t i = 0; i < a->port_count; i++) {
        assert_int_equal(a->ports[i].number, b->ports[i].number);
        assert_int_equal(a->ports[i].protocol, b->ports[i].protocol);
        assert_int_equal(a->ports[i].state, b->ports[i].state);
        assert_int_equal(a->ports[i].ttl, b->ports[i].ttl);
        assert_int_equal(a->ports[i].service == NULL, b->ports[i].service == NULL);
    }
    assert_same_service(a->ports[0].service, b->ports[0].service);
    assert_string_equal(a->groups[0].ports, b->groups[0].ports);
    for (size_t i = 0; i < a->hop_count; i++) {
        assert_true(haddr_equal(&a->hops[i].addr.u.sa, &b->hops[i].addr.u.sa));
        assert_int_equal(a->hops[i].rtt_us, b->hops[i].rtt_us);
        assert_same_text(a->hops[i].name, b->hops[i].name);
    }
    assert_ptr_equal(a->os->guesses[0].system, b->os->guesses[0].system);
    assert_int_equal(a->os->distance, b->os->distance);
}

/* What comes back is written again, and is the same bytes. */
static void records_come_back(void **state)
{
    (void)state;
    for (int kind = RESUME_BEGIN; kind < RESUME_KINDS; kind++) {
        hbytes_t once = {0}, again = {0};
        resume_record_t record, read;
        const char *body;
        size_t len;

        fill(&record, (resume_kind_e)kind);
        assert_int_equal(resume_record_write(&once, &record), 0);
        assert_int_equal(resume_record_find(once.data, once.len, &body, &len), 1);
        assert_int_equal(len + RESUME_HEAD_LEN, once.len);
        assert_int_equal(resume_record_read(&read, body, len), 0);
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.position, record.position);
        if (kind == RESUME_DONE)
            assert_same_result(&record.done, &read.done);
        assert_int_equal(resume_record_write(&again, &read), 0);
        assert_int_equal(again.len, once.len);
        assert_memory_equal(again.data, once.data, once.len);
        resume_record_deinit(&read);
        hbytes_deinit(&once);
        hbytes_deinit(&again);
    }
}

/* A command line and runs of outcomes may end earlier: then they say less. */
static bool may_be_shorter(int kind)
{
    return kind == RESUME_BEGIN || kind == RESUME_PROBES;
}

static void a_record_that_is_cut_is_none(void **state)
{
    (void)state;
    for (int kind = RESUME_BEGIN; kind < RESUME_KINDS; kind++) {
        resume_record_t record, read;
        hbytes_t text = {0};
        const char *body;
        size_t len;

        fill(&record, (resume_kind_e)kind);
        assert_int_equal(resume_record_write(&text, &record), 0);
        for (size_t i = 0; i < text.len; i++)
            assert_int_equal(resume_record_find(text.data, i, &body, &len), 0);
        assert_int_equal(resume_record_find(text.data, text.len, &body, &len), 1);
        for (size_t i = 0; i < len; i++) {
            char *cut = malloc(i + 1); /* a sanitizer sees what is read behind it */
            int err;

            memcpy(cut, body, i);
            err = resume_record_read(&read, cut, i);
            assert_true(err == HERR_SYNTAX || (err == 0 && may_be_shorter(kind)));
            resume_record_deinit(&read);
            free(cut);
        }
        hbytes_deinit(&text);
    }
}

static void a_record_that_has_changed_is_none(void **state)
{
    (void)state;
    for (int kind = RESUME_BEGIN; kind < RESUME_KINDS; kind++) {
        resume_record_t record, read;
        hbytes_t text = {0};
        const char *body;
        size_t len;

        fill(&record, (resume_kind_e)kind);
        assert_int_equal(resume_record_write(&text, &record), 0);
        for (size_t i = 0; i < 8 * text.len; i++) {
            text.data[i / 8] ^= (char)(1 << i % 8);
            assert_int_equal(resume_record_find(text.data, text.len, &body, &len), HERR_SYNTAX);
            if (i / 8 >= RESUME_HEAD_LEN) { /* and where the checksum is right, nothing breaks */
                (void)resume_record_read(&read, text.data + RESUME_HEAD_LEN,
                                         text.len - RESUME_HEAD_LEN);
                resume_record_deinit(&read);
            }
            text.data[i / 8] ^= (char)(1 << i % 8);
        }
        hbytes_deinit(&text);
    }
}

static void numbers_have_their_limits(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    static const uint8_t too_long[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    resume_reader_t r = {.at = too_long, .end = too_long + sizeof(too_long)};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        hbytes_t text = {0};
        resume_writer_t w = {.out = &text};

        resume__put_number(&w, values[i]);
        resume_reader_t all = {.at = (uint8_t *)text.data, .end = (uint8_t *)text.data + text.len};
        resume_reader_t less = all;

        assert_true(resume__get_number(&all, values[i]) == values[i]);
        assert_int_equal(all.error, 0);
        assert_ptr_equal(all.at, all.end);
        if (values[i] > 0) {
            assert_int_equal(resume__get_number(&less, values[i] - 1), 0);
            assert_int_equal(less.error, HERR_SYNTAX);
        }
        hbytes_deinit(&text);
    }
    assert_int_equal(resume__get_number(&r, UINT64_MAX), 0);
    assert_int_equal(r.error, HERR_SYNTAX);
}

static void what_cannot_be_in_a_record_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } wrong[] = {
        {"", 0},
        {"\0", 1},                                  /* no kind */
        {"\7\0", 2},                                /* a kind that there is not */
        {"\6\1\1", 3},                              /* more than there is to say */
        {"\5\0\0\x7f", 4},                          /* more hops than follow */
        {"\3\0\2\0\0\0\0", 7},                      /* neither TCP nor UDP */
        {"\3\0\0\0\0\0\0\0\0\1\1\1", 12},           /* a run of none */
        {"\3\0\0\0\0\0\0\0\1\x63\1\1", 12},         /* no such state */
        {"\3\0\0\0\0\0\0\xff\xff\x0f\2\1\1\1", 14}, /* behind the last probe */
        {"\5\0\2ab\0", 6},                          /* a string of another length */
        {"\5\0\3a\0\0\0", 7},                       /* with a NUL in it */
    };
    resume_record_t record;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (resume_record_read(&record, wrong[i].bytes, wrong[i].len) != HERR_SYNTAX)
            fail_msg("number %zu is taken", i);
        resume_record_deinit(&record);
    }
}

static void a_record_has_a_maximum(void **state)
{
    resume_record_t record;
    hbytes_t text = {0};
    char *name = malloc(RESUME_RECORD_MAX + 1);

    (void)state;
    memset(name, 'x', RESUME_RECORD_MAX);
    name[RESUME_RECORD_MAX] = '\0';
    fill(&record, RESUME_DONE);
    assert_int_equal(resume_record_write(&text, &record), 0);
    const size_t len = text.len;
    record.done.name = name;
    assert_int_equal(resume_record_write(&text, &record), -ENOBUFS);
    assert_int_equal(text.len, len);
    free(name);
    hbytes_deinit(&text);
}

static int write_and_read(void *arg)
{
    resume_record_t record, read = {0};
    hbytes_t text = {0};
    const char *body;
    size_t len;
    int err;

    (void)arg;
    fill(&record, RESUME_DONE);
    err = resume_record_write(&text, &record);
    if (err == 0 && resume_record_find(text.data, text.len, &body, &len) == 1)
        err = resume_record_read(&read, body, len);
    resume_record_deinit(&read);
    hbytes_deinit(&text);
    return err;
}

static void records_without_memory(void **state)
{
    (void)state;
    oom_run(write_and_read, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(a_record_that_is_cut_is_none),
        cmocka_unit_test(a_record_that_has_changed_is_none),
        cmocka_unit_test(numbers_have_their_limits),
        cmocka_unit_test(what_cannot_be_in_a_record_is_refused),
        cmocka_unit_test(a_record_has_a_maximum),
        cmocka_unit_test(records_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
