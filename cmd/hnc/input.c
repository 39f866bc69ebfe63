#include "input.h"

#include "codec/telnet.h"
#include "crlf.h"
#include "terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define GATHER_US 150
#define UDP_SIZE 65507 /* the most that fits into a datagram over IPv4 */
#define UNIX_DATAGRAM_SIZE 65536

/* What one read may bring: for datagrams it becomes one of them. */
static size_t buffer_size(const options_t *o)
{
    size_t size = o->ssl ? PUMP_TLS_SIZE : PUMP_SIZE;

    if (o->udp)
        size = o->unix_path ? UNIX_DATAGRAM_SIZE : UDP_SIZE;
    return o->udp && o->crlf ? size / 2 : size;
}

/* Whether what is read gets longer before it is sent: twice as long at most. */
static bool is_encoded(const options_t *o)
{
    return o->crlf || o->telnet;
}

static void settle(input_t *input)
{
    if (!input->ended || input->settled || !pump_is_empty(&input->pump))
        return;
    input->settled = true;
    input->settled_cb(input);
}

static void give_typed(input_t *input);

static void on_empty(pump_t *pump, void *arg)
{
    (void)pump;
    give_typed(arg);
    settle(arg);
}

static void end(input_t *input)
{
    if (input->ended || input->lines)
        return;
    input->ended = true;
    input->ended_cb(input);
    settle(input);
}

/* ---- -i -------------------------------------------------------------------------------------- */

static void on_pace(htimer_t *timer);

static void give_line(input_t *input)
{
    const char *lf = memchr(input->line, '\n', input->lines_len);
    size_t len = lf ? (size_t)(lf - input->line) + 1 : input->lines_len;
    pump_buffer_t *buffer = input->lines;

    input->data_cb(input, buffer, input->line, len);
    input->line += len;
    input->lines_len -= len;
    if (input->lines_len == 0)
        input->lines = NULL;
    input->pace = htimer_add(input->hnc->loop, on_pace, input->hnc->options.interval_ms, 1);
    if (input->pace)
        hevent_set_userdata(input->pace, input);
    if (input->lines)
        return;
    pump_release(buffer);
    pump_hold(&input->pump, input->held);
    if (input->typing)
        give_typed(input);
    else if (!input->io)
        end(input);
}

static void on_pace(htimer_t *timer)
{
    input_t *input = hevent_userdata(timer);

    input->pace = NULL;
    if (input->lines)
        give_line(input);
}

static void give_lines(input_t *input, pump_buffer_t *buffer, const char *data, size_t len)
{
    buffer->users++;
    input->lines = buffer;
    input->line = data;
    input->lines_len = len;
    pump_hold(&input->pump, true);
    if (!input->pace)
        give_line(input);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* -C and -t in one go: no byte is doubled by both. */
static size_t encode_both(input_t *input, char *to, const char *data, size_t len)
{
    size_t size = 0;

    for (size_t i = 0; i < len; i++) {
        char piece[2];
        size_t n = crlf_copy(piece, data + i, 1, &input->after_cr);

        size += telnet_escape(piece, n, to + size);
    }
    return size;
}

/* Writes data behind itself: with CR LF (-C), with what telnet takes for a command doubled (-t). */
static const char *encode(input_t *input, pump_buffer_t *buffer, const char *data, size_t *len)
{
    const options_t *o = &input->hnc->options;
    char *start = buffer->data + input->pump.size;

    if (!o->telnet)
        *len = crlf_copy(start, data, *len, &input->after_cr);
    else if (!o->crlf)
        *len = telnet_escape(data, *len, start);
    else
        *len = encode_both(input, start, data, *len);
    return start;
}

/* A filled buffer, with one user, goes on its way. */
static void give(input_t *input, pump_buffer_t *buffer, const char *data, size_t len)
{
    if (is_encoded(&input->hnc->options))
        data = encode(input, buffer, data, &len);
    if (input->hnc->options.interval_ms > 0)
        give_lines(input, buffer, data, len);
    else
        input->data_cb(input, buffer, data, len);
    pump_taken(buffer);
}

static void on_data(hio_t *io, void *buf, int n)
{
    input_t *input = hevent_userdata(io);

    give(input, pump_take(&input->pump), buf, (size_t)n);
}

static void on_closed(hio_t *io)
{
    input_t *input = hevent_userdata(io);
    int err = hio_error(io);

    input->io = NULL;
    pump_stop(&input->pump);
    if (err == -ECANCELED)
        return;
    if (err != 0) {
        hnc_say("stdin: %s", herr_str(err));
        input->hnc->status = 1;
    }
    end(input);
}

/* ---- typed at a terminal --------------------------------------------------------------------- */

static void fail_typed(input_t *input)
{
    hnc_say("stdin: %s", herr_str(-ENOMEM));
    input->hnc->status = 1;
    hbytes_clear(&input->typed);
    input->typing_ended = true;
}

/* As much as the buffers take; while something is left, no more lines are taken. */
static void give_typed(input_t *input)
{
    size_t size = input->pump.size;

    if (input->giving || !input->typing)
        return;
    input->giving = true;
    while (input->typed.len > 0 && !input->held && !input->lines) {
        pump_buffer_t *buffer = pump_lend(&input->pump);
        size_t len = input->typed.len < size ? input->typed.len : size;

        if (!buffer && !pump_is_empty(&input->pump))
            break;
        if (!buffer) {
            fail_typed(input);
            break;
        }
        memcpy(buffer->data, input->typed.data, len);
        hbytes_consume(&input->typed, len);
        give(input, buffer, buffer->data, len);
    }
    input->giving = false;
    if (input->hnc->line)
        hline_pause(input->hnc->line, input->typed.len > 0);
    if (input->typing_ended && input->typed.len == 0)
        end(input);
}

static void on_line(hline_t *line, const char *text, size_t len, void *arg)
{
    input_t *input = arg;

    (void)line;
    if (hbytes_append(&input->typed, text, len) < 0 || hbytes_append_char(&input->typed, '\n') < 0)
        fail_typed(input);
    give_typed(input);
}

/* Who types the end means the peer to hear of it. */
static void on_line_eof(hline_t *line, void *arg)
{
    input_t *input = arg;
    options_t *o = &input->hnc->options;

    (void)line;
    o->shutdown |= !o->no_shutdown;
    input->typing_ended = true;
    give_typed(input);
}

static void open_typing(input_t *input)
{
    input->typing = true;
    if (terminal_open(input->hnc, on_line, on_line_eof, input) == 0)
        return;
    input->hnc->status = 1;
    input->typing_ended = true;
    give_typed(input);
}

/* ---- for the session ------------------------------------------------------------------------- */

void input_init(input_t *input, hnc_t *hnc)
{
    size_t size = buffer_size(&hnc->options);

    memset(input, 0, sizeof(*input));
    input->hnc = hnc;
    pump_init(&input->pump, size, is_encoded(&hnc->options) ? 2 * size : 0, on_empty, input);
}

void input_deinit(input_t *input)
{
    pump_deinit(&input->pump);
    hbytes_deinit(&input->typed);
}

/* A writer whose pipe is full waits for us: we do not wait then. A small pipe may be full with half
 * of its size, as pieces leave gaps; a wide one does not get full so soon. Works without memory,
 * too. */
static void gather(hio_t *io, size_t pipe_size)
{
    size_t enough = pipe_size < PUMP_SIZE ? pipe_size / 2 : pipe_size;

    (void)hio_set_read_gather(io, enough, GATHER_US);
}

/* nohup leaves a terminal's place to a /dev/null that is open for writing only. */
static bool is_readable(void)
{
    int flags = fcntl(STDIN_FILENO, F_GETFL);

    return flags < 0 || ((flags & O_ACCMODE) != O_WRONLY && (flags & O_PATH) == 0);
}

void input_open(input_t *input)
{
    const options_t *o = &input->hnc->options;
    size_t pipe_size;

    if (input->opened)
        return;
    input->opened = true;
    if (terminal_is_wanted(o) && is_readable()) {
        open_typing(input);
        return;
    }
    if (!o->no_stdin && !o->recv_only && is_readable()) {
        input->io = hio_get(input->hnc->loop, STDIN_FILENO);
        if (!input->io) {
            hnc_say("stdin: %s", strerror(errno));
            input->hnc->status = 1;
        }
    }
    if (!input->io) {
        end(input);
        return;
    }
    pipe_size = hnc_widen_pipe(STDIN_FILENO);
    hevent_set_userdata(input->io, input);
    hio_setcb_read(input->io, on_data);
    hio_setcb_close(input->io, on_closed);
    if (!o->udp && hio_type(input->io) == HIO_TYPE_PIPE)
        gather(input->io, pipe_size);
    if (pump_start(&input->pump, input->io) < 0)
        hio_abort(input->io, -ENOMEM);
}

void input_hold(input_t *input, bool hold)
{
    input->held = hold;
    pump_hold(&input->pump, hold || input->lines);
    give_typed(input);
}

void input_close(input_t *input)
{
    htimer_del(input->pace);
    input->pace = NULL;
    input->ended = true;
    input->settled = true;
    terminal_close(input->hnc);
    if (input->io)
        hio_abort(input->io, -ECANCELED);
}

bool input_is_quiet(const input_t *input)
{
    struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};

    if (!pump_is_empty(&input->pump))
        return false;
    return !input->io || poll(&pfd, 1, 0) == 0;
}

input_kind_e input_kind(const input_t *input)
{
    if (input->io && hio_type(input->io) == HIO_TYPE_FILE)
        return INPUT_FILE;
    return isatty(STDIN_FILENO) ? INPUT_TERMINAL : INPUT_PIPE;
}
