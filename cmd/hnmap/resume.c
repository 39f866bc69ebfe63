/* A scan that goes on where another process left it: the hosts that are told in its file are told
 * again, to reports that are written anew; of those that were under way, what is known is not asked
 * again. */
#include "resume_int.h"

#include "base/hmem.h"
#include "base/htime.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int fail(const resume_t *resume, const char *why)
{
    fprintf(stderr, "hnmap: --resume '%s': %s\n", resume->path, why);
    return 1;
}

/* ---- hosts that are known -------------------------------------------------------------------- */

static kept_t **place_of(resume_t *resume, uint64_t position)
{
    kept_t **place = &resume->kept[position & (RESUME_BUCKETS - 1)];

    while (*place && (*place)->position != position)
        place = &(*place)->next;
    return place;
}

kept_t *resume__find(const resume_t *resume, uint64_t position)
{
    return *place_of((resume_t *)resume, position);
}

static void drop_runs(resume_t *resume, hbytes_t *runs)
{
    resume->runs_len -= runs->len;
    hbytes_deinit(runs);
}

void resume__forget(resume_t *resume, uint64_t position)
{
    kept_t **place = place_of(resume, position);
    kept_t *kept = *place;

    if (kept == NULL)
        return;
    *place = kept->next;
    for (int i = 0; i < RESUME_STAGES; i++)
        drop_runs(resume, &kept->runs[i]);
    host_result_deinit(&kept->done);
    hmem_free(kept);
    resume->kept_count--;
}

static void forget_all(resume_t *resume)
{
    for (size_t i = 0; i < RESUME_BUCKETS; i++)
        while (resume->kept[i])
            resume__forget(resume, resume->kept[i]->position);
    resume->position = 0;
}

/* The host of a record. 0; HERR_SYNTAX: there is none, or it is told already; -ENOMEM. */
static int find_or_add(scan_t *s, uint64_t position, kept_t **kept)
{
    resume_t *resume = s->resume;
    kept_t **place = place_of(resume, position);

    if (position < resume->position || position >= s->plan.cursor.count)
        return HERR_SYNTAX;
    if (*place == NULL) {
        if (resume->kept_count == SCAN_HOSTS_MAX)
            return HERR_SYNTAX;
        *place = hmem_zalloc(sizeof(**place));
        if (*place == NULL)
            return -ENOMEM;
        (*place)->position = position;
        resume->kept_count++;
    }
    *kept = *place;
    return 0;
}

/* ---- what its records say -------------------------------------------------------------------- */

static int take_probes(scan_t *s, kept_t *kept, const resume_probes_t *probes)
{
    const ports_t *ports = &s->plan.ports;
    const uint32_t count = probes->is_udp ? ports->udp.count : ports->tcp.count;
    hbytes_t *runs = &kept->runs[probes->is_udp];
    const char *at = probes->runs;
    size_t len = probes->runs_len;
    resume_run_t run;
    int err;

    while (resume_run_next(&at, &len, &run))
        if (run.first + run.count > count)
            return HERR_SYNTAX;
    if (probes->is_whole)
        drop_runs(s->resume, runs);
    if (s->resume->runs_len + probes->runs_len > RESUME_RUNS_MAX)
        return HERR_SYNTAX;
    err = hbytes_append(runs, probes->runs, probes->runs_len);
    if (err < 0)
        return err;
    s->resume->runs_len += probes->runs_len;
    kept->rtt = probes->rtt;
    return 0;
}

/* The result is taken out of the record. */
static void take_done(kept_t *kept, host_result_t *done)
{
    host_result_deinit(&kept->done);
    kept->done = *done;
    kept->is_done = true;
    *done = (host_result_t){0};
}

/* 0 or -ENOMEM. */
static int rename_one(char **name, const char *told)
{
    char *copy;

    if (*name || told == NULL)
        return 0;
    copy = hmem_strdup(told);
    *name = copy;
    return copy ? 0 : -ENOMEM;
}

/* A host with what the file knows of it in the end. */
static void complete(scan_t *s, host_t *host, kept_t *kept)
{
    const haddr_t addr = host->result.addr;

    host->result = kept->done;
    kept->done = (host_result_t){0};
    host->result.addr = addr;
    host->result.asked = host->asked;
    scan__look_up(s, &host->result);
    host->stage = STAGE_DONE;
    host->done_us = htime_monotonic_us();
    host->is_traced = true;
}

static int tell(scan_t *s, const target_t *target, kept_t *kept)
{
    host_t *host = host_new(target);

    if (host == NULL)
        return -ENOMEM;
    hlist_init(&host->node);
    complete(s, host, kept);
    scan__tell_host(s, host);
    host_free(host);
    return 0;
}

static int take_told(scan_t *s, const resume_record_t *record)
{
    resume_t *resume = s->resume;
    targets_cursor_t *cursor = &s->plan.cursor;
    kept_t *kept = resume__find(resume, record->position);
    target_t target;
    int err;

    cursor->position = record->position;
    if (kept == NULL || !kept->is_done || record->position < resume->position ||
        record->told.hop_count != kept->done.hop_count || !targets_next(cursor, &target) ||
        cursor->position != record->position + 1)
        return HERR_SYNTAX;
    err = rename_one(&kept->done.name, record->told.name);
    for (size_t i = 0; i < kept->done.hop_count && err == 0; i++)
        err = rename_one(&kept->done.hops[i].name, record->told.hop_names[i]);
    if (err == 0 && resume->tells)
        err = tell(s, &target, kept);
    resume__forget(resume, record->position);
    resume->position = record->position + 1;
    return err;
}

static int take_record(void *context, const resume_record_t *record)
{
    resume_record_t *own = (resume_record_t *)record;
    scan_t *s = context;
    kept_t *kept;
    int err;

    if (record->kind == RESUME_ELAPSED) {
        s->resume->elapsed_us = record->elapsed_us;
        return 0;
    }
    if (record->kind == RESUME_TOLD)
        return take_told(s, record);
    if (record->kind == RESUME_BEGIN)
        return HERR_SYNTAX;
    err = find_or_add(s, record->position, &kept);
    if (err < 0)
        return err;
    if (record->kind == RESUME_PROBES)
        return take_probes(s, kept, &record->probes);
    if (record->kind == RESUME_DONE)
        take_done(kept, &own->done);
    if (record->kind == RESUME_UP) {
        kept->up = record->up;
        kept->is_up = true;
    }
    return 0;
}

/* All that the file says. 0, or an exit status after a message. */
static int read_all(scan_t *s, bool tells)
{
    int status;

    forget_all(s->resume);
    s->resume->tells = tells;
    status = resume_file_each(s->resume->file, take_record, s);
    s->plan.cursor.position = s->resume->position;
    return status;
}

/* ---- opening --------------------------------------------------------------------------------- */

int scan__open_resume(scan_t *s, options_t *options)
{
    const resume_begin_t *begin;
    int status;

    if (options->resume == NULL)
        return 0;
    s->resume = hmem_zalloc(sizeof(*s->resume));
    if (s->resume == NULL) {
        scan__out_of_memory(s);
        return 1;
    }
    s->resume->path = options->resume;
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write */
    status = resume_file_open(options->resume, &s->resume->file);
    begin = status == 0 ? resume_file_begin(s->resume->file) : NULL;
    if (begin == NULL)
        return status;
    if (options->has_seed && options->seed != begin->seed)
        return fail(s->resume, "it is of a scan with another --seed");
    options->has_seed = true;
    options->seed = begin->seed;
    return 0;
}

static int compare(const resume_t *resume, const uint32_t facts[RESUME_FACTS])
{
    const resume_begin_t *begin = resume_file_begin(resume->file);

    for (int i = 0; i < RESUME_FACTS; i++)
        if (begin->facts[i] != facts[i]) {
            fprintf(stderr, "hnmap: --resume '%s': it is of another scan: not the same %s\n",
                    resume->path, resume__fact_name((resume_fact_e)i));
            return 1;
        }
    return 0;
}

static bool is_file(const void *context, const char *path)
{
    return resume_file_is(context, path);
}

/* A report in its place would destroy it. */
static int check_reports(const scan_t *s)
{
    int is_there = output_goes_to(&s->plan.options->output, is_file, s->resume->file);

    if (is_there < 0)
        return fail(s->resume, herr_str(is_there));
    return is_there ? fail(s->resume, "a report goes to the same file") : 0;
}

int scan__check_resume(scan_t *s)
{
    uint32_t facts[RESUME_FACTS];
    int status;

    if (s->resume == NULL)
        return 0;
    resume__facts(&s->plan, facts);
    status = check_reports(s);
    if (status != 0)
        return status;
    if (resume_file_begin(s->resume->file) == NULL)
        return resume__write_begin(s, facts);
    status = compare(s->resume, facts);
    return status == 0 ? read_all(s, false) : status;
}

void scan__begin_resume(scan_t *s)
{
    resume_t *resume = s->resume;
    const resume_begin_t *begin;

    if (resume == NULL || s->status != 0)
        return;
    begin = resume_file_begin(resume->file);
    if (begin && read_all(s, true) != 0)
        s->status = 1;
    if (s->status == 0)
        resume__begin_keeping(s);
}

time_t scan__first_start(const scan_t *s)
{
    const resume_begin_t *begin = s->resume ? resume_file_begin(s->resume->file) : NULL;

    return begin ? (time_t)begin->start : time(NULL);
}

/* ---- hosts that were under way --------------------------------------------------------------- */

bool scan__resume_host(scan_t *s, host_t *host)
{
    kept_t *kept = s->resume ? resume__find(s->resume, host->position) : NULL;

    if (kept == NULL || !kept->is_done)
        return false;
    complete(s, host, kept);
    resume__forget(s->resume, host->position);
    return true;
}

bool scan__resume_up(scan_t *s, host_t *host)
{
    const kept_t *kept = s->resume ? resume__find(s->resume, host->position) : NULL;
    const resume_up_t *up = kept ? &kept->up : NULL;
    host_result_t *result = &host->result;

    if (kept == NULL || !kept->is_up)
        return false;
    result->state = HOST_UP;
    result->reason = up->reason;
    result->ttl = up->ttl;
    result->start = (time_t)up->start;
    result->has_mac = host->path.has_mac = up->has_mac;
    memcpy(result->mac, up->mac, sizeof(result->mac));
    memcpy(host->path.mac, up->mac, sizeof(host->path.mac));
    host->ping = (raw_probe_t){
        .kind = (raw_kind_e)up->ping_kind, .flags = up->ping_flags, .port = up->ping_port};
    host->is_up_kept = true;
    return true;
}

void scan__resume_probes(scan_t *s, host_t *host)
{
    kept_t *kept = s->resume ? resume__find(s->resume, host->position) : NULL;
    hbytes_t *runs = kept ? &kept->runs[host->stage == STAGE_UDP] : NULL;
    engine_t *engine = scan__engine_of(s, host);
    const char *at = runs ? runs->data : NULL;
    size_t len = runs ? runs->len : 0;
    resume_run_t run;

    if (len == 0 || host->stage == STAGE_PING)
        return;
    if (host->result.srtt_us == 0) {
        host->result.srtt_us = kept->rtt.srtt_us;
        host->result.rttvar_us = kept->rtt.rttvar_us;
        host->result.timeout_us = kept->rtt.timeout_us;
    }
    while (resume_run_next(&at, &len, &run))
        for (uint32_t i = run.first; i < run.first + run.count; i++) {
            host->probes[i] = (probe_t){
                .state = run.state, .reason = run.reason, .ttl = run.ttl, .is_kept = true};
            engine_settle(engine, host->engine, i, htime_monotonic_us());
            s->open_count += run.state == PORT_OPEN;
        }
    drop_runs(s->resume, runs);
}

/* ---- the end --------------------------------------------------------------------------------- */

void scan__stop_resume(scan_t *s)
{
    if (s->resume == NULL)
        return;
    if (s->resume->is_begun && !s->resume->is_stopped)
        resume__flush(s);
    s->resume->is_stopped = true;
}

double scan__elapsed_before(const scan_t *s)
{
    return s->resume ? (double)s->resume->elapsed_us / 1e6 : 0;
}

void scan__end_resume(scan_t *s, bool is_whole)
{
    resume_t *resume = s->resume;

    if (resume == NULL)
        return;
    scan__stop_resume(s);
    if (is_whole) {
        resume_file_close(resume->file, true);
        resume->file = NULL;
    } else if (resume->is_begun) {
        fprintf(stderr, "hnmap: to go on with this scan: hnmap --resume %s\n", resume->path);
    }
}

void scan__close_resume(scan_t *s)
{
    resume_t *resume = s->resume;

    if (resume == NULL)
        return;
    forget_all(resume);
    htimer_del(resume->timer);
    hbytes_deinit(&resume->pending);
    /* A scan that came to nothing before it was begun leaves no file. */
    resume_file_close(resume->file, resume->has_begin && !resume->is_begun);
    hmem_free(resume);
    s->resume = NULL;
}
