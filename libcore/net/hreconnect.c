/* States of an hreconnect:
 *   stopped -> waiting (timer) -> trying (an hio not connected, or a dial) -> connected
 *           -> waiting ...
 * The timer exists from start to stop and is only re-armed, so that a retry needs no memory of
 * ours. Where the timer has nothing to do it sleeps for REST_MS. */
#include "hreconnect.h"

#include "../base/hmem.h"
#include "../base/hrandom.h"
#include "../base/hstr.h"
#include "hlisten.h"

#include <string.h>

#define REST_MS (INFINITE - 1)
#define FIRST_MS 1 /* the first try comes from the loop, not from inside hreconnect_start */

typedef enum { RC_STOPPED, RC_WAITING, RC_TRYING, RC_CONNECTED, RC_EXHAUSTED } rc_state_e;

/* What there is more of one that dials. */
typedef struct by_dial_s {
    hendpoint_t to;
    hdial_options_t options;
    hdial_t *dial; /* while trying */
    char error[HDIAL_ERROR_SIZE];
} by_dial_t;

struct hreconnect_s {
    hloop_t *loop;
    by_dial_t *by_dial; /* NULL: addr is connected to */
    int error;          /* of the end before */
    htimer_t *timer;    /* NULL: stopped */
    hio_t *io;          /* while trying and connected */
    rc_state_e state;
    uint64_t random;
    haddr_t addr;
    hreconnect_options_t options;
};

/* ---- the delays ------------------------------------------------------------------------------ */

void reconn_setting_init(reconn_setting_t *reconn)
{
    *reconn = (reconn_setting_t){.min_delay = DEFAULT_RECONNECT_MIN_DELAY,
                                 .max_delay = DEFAULT_RECONNECT_MAX_DELAY,
                                 .delay_policy = DEFAULT_RECONNECT_DELAY_POLICY,
                                 .max_retry_cnt = DEFAULT_RECONNECT_MAX_RETRY_CNT};
}

void reconn_setting_reset(reconn_setting_t *reconn)
{
    reconn->cur_delay = 0;
    reconn->cur_retry_cnt = 0;
}

bool reconn_setting_can_retry(reconn_setting_t *reconn)
{
    if (reconn->cur_retry_cnt < UINT32_MAX)
        reconn->cur_retry_cnt++;
    return reconn->max_retry_cnt == INFINITE || reconn->cur_retry_cnt <= reconn->max_retry_cnt;
}

uint32_t reconn_setting_calc_delay(reconn_setting_t *reconn)
{
    uint64_t delay = reconn->cur_delay;

    if (reconn->delay_policy == 0)
        delay = reconn->min_delay;
    else if (reconn->delay_policy == 1)
        delay += reconn->min_delay;
    else
        delay *= reconn->delay_policy; /* both are below 2^32 */
    if (delay < reconn->min_delay)
        delay = reconn->min_delay;
    if (delay > reconn->max_delay)
        delay = reconn->max_delay;
    reconn->cur_delay = (uint32_t)delay;
    return reconn->cur_delay;
}

/* ---- the connection -------------------------------------------------------------------------- */

static uint32_t jittered(hreconnect_t *rc, uint32_t delay)
{
    uint64_t span = (uint64_t)delay * rc->options.jitter_percent / 100;

    return span == 0 ? delay : delay - (uint32_t)(hrandom_next(&rc->random) % (span + 1));
}

/* A try failed or the connection ended. The callback may free rc: it comes last. */
static void gone(hreconnect_t *rc, int err)
{
    reconn_setting_t *setting = &rc->options.setting;
    int64_t next_ms = -1;

    rc->io = NULL;
    rc->error = err;
    if (reconn_setting_can_retry(setting)) {
        uint32_t delay = jittered(rc, reconn_setting_calc_delay(setting));

        next_ms = delay < REST_MS ? delay : REST_MS;
        rc->state = RC_WAITING;
        htimer_reset(rc->timer, next_ms > 0 ? (uint32_t)next_ms : FIRST_MS);
    } else {
        rc->state = RC_EXHAUSTED;
        htimer_del(rc->timer);
        rc->timer = NULL;
    }
    if (rc->options.on_gone)
        rc->options.on_gone(rc, err, next_ms);
}

static void on_close(hio_t *io)
{
    hreconnect_t *rc = hio_context(io);

    if (rc->by_dial)
        rc->by_dial->error[0] = '\0';
    gone(rc, hio_error(io));
}

static void on_connect(hio_t *io)
{
    hreconnect_t *rc = hio_context(io);

    rc->state = RC_CONNECTED;
    if (!rc->options.settled_by_program)
        hreconnect_settled(rc);
    rc->options.on_connect(rc, io);
}

static void on_dial(hdial_t *dial, hio_t *io, int err, void *arg)
{
    hreconnect_t *rc = arg;
    by_dial_t *by = rc->by_dial;

    by->dial = NULL;
    hstr_copy(by->error, sizeof(by->error), hdial_error(dial));
    if (!err)
        err = hio_set_context(io, rc);
    if (err) {
        if (io)
            hio_abort(io, err);
        gone(rc, err);
        return;
    }
    hio_setcb_close(io, on_close);
    rc->io = io;
    on_connect(io);
}

static int open_io(hreconnect_t *rc)
{
    hio_t *io;
    int err = hlisten_client(rc->loop, &rc->addr, SOCK_STREAM, NULL, &io);

    if (err != 0)
        return err;
    err = hio_set_context(io, rc);
    if (err == 0) {
        if (rc->options.connect_timeout_ms > 0)
            hio_set_connect_timeout(io, rc->options.connect_timeout_ms);
        hio_setcb_connect(io, on_connect);
        err = hio_connect(io);
    }
    if (err != 0) {
        hio_abort(io, err);
        return err;
    }
    hio_setcb_close(io, on_close);
    rc->io = io;
    return 0;
}

static void on_timer(htimer_t *timer)
{
    hreconnect_t *rc = hevent_userdata(timer);
    int err;

    if (rc->state != RC_WAITING)
        return;
    htimer_reset(timer, REST_MS);
    rc->state = RC_TRYING;
    if (rc->by_dial)
        err = hdial_start(rc->loop, &rc->by_dial->to, &rc->by_dial->options, on_dial, rc,
                          &rc->by_dial->dial);
    else
        err = open_io(rc);
    if (err != 0)
        gone(rc, err);
}

static bool options_are_valid(const hreconnect_options_t *options)
{
    return options && options->on_connect && options->jitter_percent <= 100 &&
           options->connect_timeout_ms >= 0;
}

static hreconnect_t *new_hreconnect(hloop_t *loop, const hreconnect_options_t *options)
{
    static const reconn_setting_t unset;
    hreconnect_t *rc = hmem_zalloc(sizeof(*rc));
    if (!rc) {
        errno = ENOMEM;
        return NULL;
    }
    rc->loop = loop;
    rc->options = *options;
    if (memcmp(&rc->options.setting, &unset, sizeof(unset)) == 0)
        reconn_setting_init(&rc->options.setting);
    rc->random = hrandom_seed();
    return rc;
}

hreconnect_t *hreconnect_new(hloop_t *loop, const struct sockaddr *addr, socklen_t len,
                             const hreconnect_options_t *options)
{
    hreconnect_t *rc;

    if (!options_are_valid(options) || len < sizeof(addr->sa_family) || len > sizeof(sockaddr_u)) {
        errno = EINVAL;
        return NULL;
    }
    rc = new_hreconnect(loop, options);
    if (rc)
        haddr_set(&rc->addr, addr, len);
    return rc;
}

hreconnect_t *hreconnect_new_dial(hloop_t *loop, const hendpoint_t *to, const hdial_options_t *dial,
                                  const hreconnect_options_t *options)
{
    hreconnect_t *rc;
    by_dial_t *by;

    if (!options_are_valid(options) || hendpoint_socktype(to) != SOCK_STREAM) {
        errno = EINVAL;
        return NULL;
    }
    rc = new_hreconnect(loop, options);
    if (!rc)
        return NULL;
    by = rc->by_dial = hmem_zalloc(sizeof(*by));
    if (!by) {
        hreconnect_free(rc);
        errno = ENOMEM;
        return NULL;
    }
    by->to = *to;
    if (dial)
        by->options = *dial;
    if (options->connect_timeout_ms > 0)
        by->options.timeout_ms = options->connect_timeout_ms;
    if (by->options.tls)
        htls_ctx_ref(by->options.tls);
    if (by->options.proxy_tls)
        htls_ctx_ref(by->options.proxy_tls);
    return rc;
}

const char *hreconnect_error(const hreconnect_t *rc)
{
    if (rc->by_dial && rc->by_dial->error[0])
        return rc->by_dial->error;
    return rc->error ? herr_str(rc->error) : "the connection was closed";
}

void hreconnect_free(hreconnect_t *rc)
{
    if (!rc)
        return;
    hreconnect_stop(rc);
    if (rc->by_dial) {
        htls_ctx_free(rc->by_dial->options.tls);
        htls_ctx_free(rc->by_dial->options.proxy_tls);
        hmem_free(rc->by_dial);
    }
    hmem_free(rc);
}

int hreconnect_start(hreconnect_t *rc)
{
    if (rc->timer)
        return 0;
    rc->timer = htimer_add(rc->loop, on_timer, FIRST_MS, INFINITE);
    if (!rc->timer)
        return -ENOMEM;
    hevent_set_userdata(rc->timer, rc);
    reconn_setting_reset(&rc->options.setting);
    rc->state = RC_WAITING;
    return 0;
}

void hreconnect_stop(hreconnect_t *rc)
{
    hio_t *io = rc->io;

    htimer_del(rc->timer);
    rc->timer = NULL;
    rc->io = NULL;
    rc->state = RC_STOPPED;
    if (rc->by_dial) {
        hdial_cancel(rc->by_dial->dial);
        rc->by_dial->dial = NULL;
    }
    if (!io)
        return;
    hio_setcb_connect(io, NULL);
    hio_setcb_close(io, NULL);
    hio_close(io);
}

void hreconnect_settled(hreconnect_t *rc)
{
    reconn_setting_reset(&rc->options.setting);
}

hio_t *hreconnect_io(const hreconnect_t *rc)
{
    return rc->state == RC_CONNECTED ? rc->io : NULL;
}

void *hreconnect_userdata(const hreconnect_t *rc)
{
    return rc->options.userdata;
}
