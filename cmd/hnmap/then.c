#include "then_int.h"
#include "then_text.h"

#include "base/hmem.h"
#include "output_text.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_MAX ((size_t)131071) /* bytes: what Linux takes as one argument */
#define AGAIN_MS 100                 /* when there was no descriptor or process to be had */
#define KILL_MS 2000                 /* after SIGTERM */

typedef struct open_port_s {
    uint16_t number;
    uint8_t protocol;
} open_port_t;

/* A host that waits for its commands. */
typedef struct job_s {
    hlist_t node;
    char ip[HADDR_FORMAT_SIZE], mac[18];
    char *name; /* harmless; owned */
    open_port_t *ports;
    size_t count, next; /* next: the port whose command comes next */
} job_t;

/* ---- jobs ------------------------------------------------------------------------------------ */

static void free_job(job_t *job)
{
    if (job == NULL)
        return;
    hmem_free(job->name);
    hmem_free(job->ports);
    hmem_free(job);
}

static int write_ports(hbytes_t *out, const job_t *job, uint8_t protocol)
{
    int status = 0;

    for (size_t i = 0; i < job->count && status == 0; i++)
        if (job->ports[i].protocol == protocol)
            status = hbytes_printf(out, "%s%u", out->len ? "," : "", job->ports[i].number);
    return status;
}

static int write_command(hbytes_t *out, const then_t *t, const job_t *job)
{
    const open_port_t *port = t->is_per_port ? &job->ports[job->next] : NULL;
    hbytes_t tcp = {0}, udp = {0};
    char number[8] = "";
    int status = write_ports(&tcp, job, IPPROTO_TCP);

    if (status == 0)
        status = write_ports(&udp, job, IPPROTO_UDP);
    if (port)
        snprintf(number, sizeof(number), "%u", port->number);
    if (status == 0) {
        const char *const words[THEN_WORDS] = {
            [THEN_IP] = job->ip,
            [THEN_NAME] = job->name,
            [THEN_MAC] = job->mac,
            [THEN_PORTS] = tcp.data ? tcp.data : "",
            [THEN_UDP_PORTS] = udp.data ? udp.data : "",
            [THEN_PORT] = number,
            [THEN_PROTOCOL] = port ? protocol_name(port->protocol) : "",
        };

        status = then_text_write(out, t->options.command, words);
    }
    hbytes_deinit(&tcp);
    hbytes_deinit(&udp);
    return status;
}

/* 0, or -errno: nothing was begun. */
static int begin(then_t *t, const job_t *job)
{
    hbytes_t text;
    int err;

    hbytes_init(&text, COMMAND_MAX);
    err = write_command(&text, t, job);
    if (err == 0)
        err = then__begin_command(t, job->ip, text.data);
    hbytes_deinit(&text);
    return err == -ENOBUFS ? -E2BIG : err;
}

static void on_again(htimer_t *timer)
{
    then_t *t = hevent_userdata(timer);

    t->again = NULL;
    then__go_on(t);
    t->options.changed(t->options.context);
}

/* True: it is tried again soon, or when a command has ended. */
static bool is_for_later(then_t *t, int err)
{
    if (err != -EMFILE && err != -ENFILE && err != -EAGAIN)
        return false;
    if (t->command_count == 0 && t->again == NULL) {
        t->again = htimer_add(t->loop, on_again, AGAIN_MS, 1);
        if (t->again == NULL)
            return false;
        hevent_set_userdata(t->again, t);
    }
    return true;
}

static void drop_job(then_t *t, job_t *job)
{
    hlist_remove(&job->node);
    t->job_count--;
    free_job(job);
}

void then__go_on(then_t *t)
{
    while (!hlist_empty(&t->jobs) && t->command_count < t->options.jobs) {
        job_t *job = HLIST_ENTRY(t->jobs.next, job_t, node);
        int err = begin(t, job);

        if (err < 0 && is_for_later(t, err))
            return;
        if (err < 0) {
            t->run++;
            then__failed(t, job->ip, herr_str(err), -1);
        }
        if (!t->is_per_port || ++job->next == job->count)
            drop_job(t, job);
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

static unsigned usual_jobs(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n < 1 ? 1 : n > THEN_JOBS_USUAL_MAX ? THEN_JOBS_USUAL_MAX : (unsigned)n;
}

int then_new(hloop_t *loop, const then_options_t *options, then_t **then)
{
    then_t *t = hmem_zalloc(sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->loop = loop;
    t->options = *options;
    if (t->options.jobs == 0)
        t->options.jobs = usual_jobs();
    t->is_per_port = then_text_has(options->command, THEN_PORT);
    hlist_init(&t->jobs);
    hlist_init(&t->commands);
    *then = t;
    return 0;
}

static void drop_jobs(then_t *t)
{
    hlist_t *pos, *next;

    HLIST_FOREACH (pos, next, &t->jobs)
        drop_job(t, HLIST_ENTRY(pos, job_t, node));
}

void then_free(then_t *t)
{
    if (t == NULL)
        return;
    drop_jobs(t);
    then__signal_commands(t, SIGKILL);
    then__drop_commands(t);
    htimer_del(t->again);
    htimer_del(t->kill);
    hmem_free(t);
}

bool then_has_room(const then_t *t)
{
    return t->job_count < THEN_QUEUE_MAX;
}

static int fill_ports(job_t *job, const host_result_t *host)
{
    job->ports = hmem_zalloc((host->port_count + 1) * sizeof(*job->ports));
    if (job->ports == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < host->port_count; i++)
        if (host->ports[i].state == PORT_OPEN)
            job->ports[job->count++] = (open_port_t){
                .number = host->ports[i].number,
                .protocol = host->ports[i].protocol,
            };
    return 0;
}

int then_host(then_t *t, const host_result_t *host)
{
    job_t *job = hmem_zalloc(sizeof(*job));
    const char *name = output_name(host);

    if (job == NULL)
        return -ENOMEM;
    then_text_ip(host, job->ip);
    if (name == NULL || *name == '\0' || !then_text_is_harmless(name))
        name = job->ip;
    job->name = hmem_strdup(name);
    if (host->has_mac)
        output_mac(host->mac, job->mac);
    if (job->name == NULL || fill_ports(job, host) < 0) {
        free_job(job);
        return -ENOMEM;
    }
    if (t->is_stopped || (t->is_per_port && job->count == 0)) {
        free_job(job);
        return 0;
    }
    hlist_push_back(&t->jobs, &job->node);
    t->job_count++;
    then__go_on(t);
    return 0;
}

bool then_is_idle(const then_t *t)
{
    return t->job_count == 0 && t->command_count == 0;
}

static void on_kill(htimer_t *timer)
{
    then_t *t = hevent_userdata(timer);

    t->kill = NULL;
    then__signal_commands(t, SIGKILL);
}

void then_stop(then_t *t)
{
    if (t->is_stopped)
        return;
    t->is_stopped = true;
    drop_jobs(t);
    then__signal_commands(t, SIGTERM);
    t->kill = htimer_add(t->loop, on_kill, KILL_MS, 1);
    if (t->kill)
        hevent_set_userdata(t->kill, t);
    else
        then__signal_commands(t, SIGKILL);
}

void then_counts(const then_t *t, then_counts_t *counts)
{
    *counts = (then_counts_t){
        .run = t->run,
        .failed = t->failed,
        .running = t->command_count,
        .waiting = t->job_count,
    };
}
