/* One thread. */
/* Streams under stress: both ends of a connection (plain, TLS, TLS within TLS, or through a relay)
 * send a pattern by random pieces in every way there is, through sockets that hold little, while
 * reading stops and goes on and changes its buffer at random. Each byte is compared with its place.
 *
 * STRESS_SEED and STRESS_ROUNDS make other and more runs of it; then it tells the seeds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "htls_fixture.h"
#include "net/hrate.h"
#include "net/hrelay.h"

#define TOTAL ((size_t)768 * 1024)
#define PIECE_MAX ((size_t)80 * 1024)
#define BUFFERS 3
#define RATE ((uint64_t)64 * 1024 * 1024)
#define BURST 5000

typedef struct end_s {
    hio_t *io;
    size_t from; /* where the pattern of what it sends begins */
    size_t sent;
    size_t got;
    size_t expects; /* where the pattern of what it gets begins */
    int tls_left;   /* handshakes still to be made within the one before */
    bool server, secure, stopped, ended, closed;
    int borrowed;
    char *buffers[BUFFERS];
    size_t sizes[BUFFERS];
} end_t;

static struct {
    hloop_t *loop;
    hrate_t *rate;
    htls_ctx_t *server_ctx, *client_ctx;
    uint64_t random;
    end_t ends[2], joints[2]; /* the joints are what a relay joins */
} run;

/* ---- chance ---------------------------------------------------------------------------------- */

/* SplitMix64 */
static uint64_t chance(void)
{
    uint64_t z = run.random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(chance() % n);
}

/* Small ones are as likely as big ones. */
static size_t some_size(size_t max)
{
    static const size_t edges[] = {1, 5, 1500, 16384, 16385, 65536};
    size_t size = below(2) ? edges[below(ARRAY_LENGTH(edges))] : 1 + below((size_t)1 << below(18));

    return size < max ? size : max;
}

static unsigned long setting(const char *name, unsigned long other)
{
    const char *value = getenv(name);

    return value ? strtoul(value, NULL, 10) : other;
}

/* ---- writing --------------------------------------------------------------------------------- */

static char *piece(const end_t *end, size_t len)
{
    char *data = malloc(len);

    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = pattern(end->from + end->sent + i);
    return data;
}

/* What is used after it was given back is not the pattern any more. */
static void spoil(char *data, size_t len)
{
    memset(data, 0x5a, len);
    free(data);
}

static void on_given_back(void *buf, void *arg)
{
    ((end_t *)arg)->borrowed--;
    free(buf);
}

static int write_spans(const end_t *end, char *data, size_t len)
{
    size_t a = below(len + 1), b = a + below(len - a + 1);
    const hbuf_t spans[] = {{data, a}, {data + a, b - a}, {data + b, len - b}};

    return hio_writev(end->io, spans, (int)ARRAY_LENGTH(spans));
}

/* Not before all has come: an end of data would wake a reader that was not told of the rest. */
static void end_if_done(const end_t *end)
{
    if (end->sent == TOTAL && end->got == TOTAL)
        assert_int_equal(hio_shutdown(end->io), 0);
}

static void write_piece(end_t *end)
{
    size_t left = TOTAL - end->sent, len = some_size(left < PIECE_MAX ? left : PIECE_MAX);
    char *data = piece(end, len);
    int rc;

    if (below(8) == 0)
        hio_cork(end->io);
    switch (below(3)) {
    case 0:
        end->borrowed++;
        rc = hio_write_nocopy(end->io, data, len, on_given_back, end);
        break;
    case 1:
        rc = write_spans(end, data, len);
        spoil(data, len);
        break;
    default:
        rc = hio_write(end->io, data, len);
        spoil(data, len);
    }
    assert_int_equal(rc, len);
    end->sent += len;
    if (below(4) == 0)
        hio_uncork(end->io);
    end_if_done(end);
}

static bool may_write(const end_t *end)
{
    return end->io && end->secure && end->sent < TOTAL && !hio_write_above_high(end->io);
}

static void write_some(end_t *end)
{
    for (size_t n = below(4); n > 0 && may_write(end); n--)
        write_piece(end);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void change_buffer(end_t *end)
{
    size_t i = below(BUFFERS + 1);

    if (i == BUFFERS) {
        assert_int_equal(hio_set_readbuf(end->io, NULL, 0), 0);
        return;
    }
    free(end->buffers[i]);
    end->sizes[i] = some_size(PIECE_MAX);
    end->buffers[i] = malloc(end->sizes[i]);
    assert_int_equal(hio_set_readbuf(end->io, end->buffers[i], end->sizes[i]), 0);
}

static void on_read(hio_t *io, void *buf, int len)
{
    end_t *end = hevent_userdata(io);
    char *data = buf;

    assert_false(end->stopped);
    for (int i = 0; i < len; i++, end->got++) {
        if (data[i] != pattern(end->expects + end->got))
            fail_msg("byte %zu is wrong", end->got);
    }
    memset(data, 0xa5, (size_t)len);
    end_if_done(end);
    if (below(4) == 0) {
        end->stopped = true;
        assert_int_equal(hio_read_stop(io), 0);
    }
    if (below(4) == 0)
        change_buffer(end);
    if (below(2) == 0)
        write_some(end);
}

static void on_drained(hio_t *io)
{
    write_some(hevent_userdata(io));
}

static void on_eof(hio_t *io)
{
    end_t *end = hevent_userdata(io);

    assert_int_equal(end->got, TOTAL);
    end->ended = true;
}

static void on_close(hio_t *io)
{
    end_t *end = hevent_userdata(io);

    if (hio_error(io) != 0)
        fail_msg("closed: %s", herr_str(hio_error(io)));
    end->io = NULL;
    end->closed = true;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_secure(hio_t *io)
{
    end_t *end = hevent_userdata(io);

    if (end->tls_left-- == 0) {
        end->secure = true;
        return;
    }
    hio_setcb_connect(io, on_secure);
    assert_int_equal(end->server ? htls_server(io, run.server_ctx)
                                 : htls_client(io, run.client_ctx, "a.test"),
                     0);
}

static void open_end(end_t *end, int fd, bool server, int tls_depth)
{
    const int sizes[] = {4096, 16384, 65536, 1 << 20};
    int send = sizes[below(ARRAY_LENGTH(sizes))];
    int receive = 1 << 18; /* with less than a segment of loopback TCP waits for its timers */

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof(send)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive)), 0);
    end->io = hio_get(run.loop, fd);
    assert_non_null(end->io);
    end->server = server;
    end->tls_left = tls_depth;
    hevent_set_userdata(end->io, end);
    hio_setcb_close(end->io, on_close);
    on_secure(end->io);
}

static void open_pair(end_t *client, end_t *server, int tls_depth)
{
    int fds[2];

    tcp_pair(fds);
    open_end(client, fds[0], false, tls_depth);
    open_end(server, fds[1], true, tls_depth);
}

static void start(end_t *end, size_t number)
{
    end->from = number * 12345;
    end->expects = (1 - number) * 12345;
    hio_setcb_read(end->io, on_read);
    assert_int_equal(hio_setcb_eof(end->io, on_eof), 0);
    assert_int_equal(hio_setcb_drained(end->io, on_drained), 0);
    assert_int_equal(hio_set_watermarks(end->io, below(1000), 1000 + below(300000), 1 << 24), 0);
    if (run.rate) {
        assert_int_equal(hio_set_write_rate(end->io, run.rate), 0);
        assert_int_equal(hio_set_read_rate(end->io, run.rate), 0);
    }
    assert_int_equal(hio_read(end->io), 0);
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* What a program does by itself. True: there is more that only it begins. */
static bool step(end_t *end)
{
    if (end->stopped && end->io && below(3) == 0) {
        end->stopped = false;
        assert_int_equal(hio_read(end->io), 0);
    }
    if (below(2) == 0)
        write_some(end);
    return end->io && (end->stopped || may_write(end));
}

/* The loop waits only when nobody else has anything to do: what it should be told then and is not
 * stops the test. */
static void run_to_the_end(void)
{
    end_t *a = &run.ends[0], *b = &run.ends[1];

    while (!a->ended || !b->ended) {
        bool a_goes_on = step(a), b_goes_on = step(b);

        if (a_goes_on || b_goes_on)
            hloop_wakeup(run.loop);
        assert_int_equal(hloop_run(run.loop), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        if (run.ends[i].io)
            hio_close(run.ends[i].io);
    }
    RUN_UNTIL(run.loop, a->closed && b->closed);
    assert_int_equal(a->borrowed + b->borrowed, 0);
}

typedef struct road_s {
    int first_depth; /* of TLS */
    bool relay;
    int second_depth; /* behind the relay */
    bool limited;
} road_t;

static void open_road(const road_t *road)
{
    end_t *a = &run.ends[0], *b = &run.ends[1], *j = run.joints;

    open_pair(a, road->relay ? &j[0] : b, road->first_depth);
    if (road->relay) {
        open_pair(&j[1], b, road->second_depth);
        RUN_UNTIL(run.loop, j[0].secure && j[1].secure);
        assert_int_equal(hio_relay(j[0].io, j[1].io), 0);
    }
    RUN_UNTIL(run.loop, a->secure && b->secure);
    start(a, 0);
    start(b, 1);
}

static void travel(const road_t *road, uint64_t seed)
{
    memset(&run, 0, sizeof(run));
    run.random = seed;
    run.loop = new_loop();
    run.server_ctx = server_ctx("good");
    run.client_ctx = client_ctx();
    run.rate = road->limited ? hrate_new(run.loop, RATE, BURST) : NULL;
    open_road(road);
    run_to_the_end();
    hrate_free(run.rate);
    hloop_free(&run.loop);
    htls_ctx_free(run.server_ctx);
    htls_ctx_free(run.client_ctx);
    for (size_t i = 0; i < 2 * BUFFERS; i++)
        free(run.ends[i / BUFFERS].buffers[i % BUFFERS]);
}

static void travel_often(const road_t *road)
{
    unsigned long seed = setting("STRESS_SEED", 1), rounds = setting("STRESS_ROUNDS", 1);

    for (unsigned long i = 0; i < rounds; i++) {
        alarm(TEST_LIMIT_S);
        if (rounds > 1)
            fprintf(stderr, "seed %lu\r", seed + i);
        travel(road, seed + i);
    }
}

#define ROAD_TEST(name, ...)                                                                       \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        travel_often(&(road_t){__VA_ARGS__});                                                      \
    }

ROAD_TEST(plain, .first_depth = 0)
ROAD_TEST(tls_once, .first_depth = 1)
ROAD_TEST(tls_within_tls, .first_depth = 2)
ROAD_TEST(tls_with_a_limited_rate, .first_depth = 1, .limited = true)
ROAD_TEST(plain_relayed, .relay = true)
ROAD_TEST(tls_relayed, .first_depth = 1, .relay = true, .second_depth = 1)
ROAD_TEST(tls_within_tls_relayed_to_plain, .first_depth = 2, .relay = true)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),
        cmocka_unit_test(tls_once),
        cmocka_unit_test(tls_within_tls),
        cmocka_unit_test(tls_with_a_limited_rate),
        cmocka_unit_test(plain_relayed),
        cmocka_unit_test(tls_relayed),
        cmocka_unit_test(tls_within_tls_relayed_to_plain),
    };

    return run_with_certificates("htls_stress", tests, ARRAY_LENGTH(tests));
}
