/* The system's resolver blocks, so threads ask it. A job is the loop's until it is put into line,
 * then a thread's, then, behind an eventfd, the loop's again; only its query is the loop's all the
 * time. What a thread waits for can take as long as it likes: nobody waits for the thread. The last
 * one to leave, a thread or the loop, frees what they share. */
#include "hdns_int.h"

#include "../base/hmem.h"
#include "../base/hstr.h"
#include "../base/hthread.h"
#include "hresolve.h"

#include <netdb.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct hdns_job_s {
    hlist_t link;
    hdns_system_t *system;
    bool is_in_line;     /* under the lock: no thread has it yet */
    hdns_query_t *query; /* NULL: nobody wants to know any more */
    bool is_reverse;
    haddr_t addr;
    int family;
    char name[NI_MAXHOST]; /* to be resolved, or what the address is called */
    hresolve_t found;
    int err, gai_error;
};

struct hdns_system_s {
    pthread_mutex_t lock; /* of all below, but for io */
    pthread_cond_t is_needed;
    hlist_t line, done;
    unsigned threads, idle;
    unsigned in_line; /* jobs */
    bool is_closed;
    int wake; /* the io's descriptor */
    hio_t *io;
};

/* ---- threads --------------------------------------------------------------------------------- */

static void free_job(hdns_job_t *job)
{
    hresolve_free(&job->found);
    hmem_free(job);
}

static void free_jobs(hlist_t *jobs)
{
    while (!hlist_empty(jobs)) {
        hdns_job_t *job = HLIST_ENTRY(jobs->next, hdns_job_t, link);

        hlist_remove(&job->link);
        free_job(job);
    }
}

/* Locked; closed, and without threads. */
static void free_system(hdns_system_t *system)
{
    free_jobs(&system->line);
    free_jobs(&system->done);
    pthread_mutex_unlock(&system->lock);
    pthread_mutex_destroy(&system->lock);
    pthread_cond_destroy(&system->is_needed);
    hmem_free(system);
}

static void ask(hdns_job_t *job)
{
    const hresolve_hints_t hints = {.family = job->family};

    if (!job->is_reverse) {
        job->err = hresolve(job->name, 0, &hints, &job->found);
        job->gai_error = job->found.gai_error;
        return;
    }
    job->gai_error = getnameinfo(&job->addr.u.sa, job->addr.len, job->name, sizeof(job->name), NULL,
                                 0, NI_NAMEREQD);
    job->err = job->gai_error == 0 ? 0 : HERR_RESOLVE;
}

/* Locked. */
static void leave_line(hdns_job_t *job)
{
    hlist_remove(&job->link);
    job->is_in_line = false;
    job->system->in_line--;
}

static void *run_thread(void *arg)
{
    hdns_system_t *system = arg;
    const uint64_t one = 1;

    pthread_mutex_lock(&system->lock);
    while (!system->is_closed) {
        hdns_job_t *job;

        if (hlist_empty(&system->line)) {
            system->idle++;
            pthread_cond_wait(&system->is_needed, &system->lock);
            system->idle--;
            continue;
        }
        job = HLIST_ENTRY(system->line.next, hdns_job_t, link);
        leave_line(job);
        pthread_mutex_unlock(&system->lock);
        ask(job);
        pthread_mutex_lock(&system->lock);
        hlist_push_back(&system->done, &job->link);
        /* It cannot be full: the loop is woken as it is. */
        if (!system->is_closed && write(system->wake, &one, sizeof(one)) < 0)
            continue;
    }
    if (--system->threads == 0)
        free_system(system);
    else
        pthread_mutex_unlock(&system->lock);
    return NULL;
}

/* Locked. */
static int start_thread(hdns_system_t *system)
{
    int err = hthread_detach(run_thread, system);

    if (err == 0)
        system->threads++;
    return err;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Of the addresses those of one family. */
static hdns_answer_t *answer_of(const hresolve_t *found, int type)
{
    hdns_record_t records[HDNS_RECORDS_MAX];
    sa_family_t family = type == HDNS_TYPE_A ? AF_INET : AF_INET6;
    size_t n = 0;

    for (size_t i = 0; i < found->count && n < HDNS_RECORDS_MAX; i++) {
        const sockaddr_u *u = &found->addrs[i].u;

        if (u->sa.sa_family != family)
            continue;
        records[n] = (hdns_record_t){.type = (hdns_type_e)type, .len = family == AF_INET ? 4 : 16};
        records[n++].text =
            family == AF_INET ? (const char *)&u->sin.sin_addr : (const char *)&u->sin6.sin6_addr;
    }
    return n > 0 ? hdns__answer_new(records, n, 0)
                 : hdns__answer_error(HERR_RESOLVE, "it has no address of this family");
}

static hdns_answer_t *error_of(const hdns_job_t *job)
{
    if (job->err == HERR_RESOLVE && job->gai_error == EAI_AGAIN)
        return hdns__answer_error(-ETIMEDOUT, gai_strerror(EAI_AGAIN)); /* no server answers */
    if (job->err == HERR_RESOLVE && job->gai_error != 0)
        return hdns__answer_error(HERR_RESOLVE, gai_strerror(job->gai_error));
    return hdns__answer_error(job->err, herr_str(job->err));
}

static void tell(const hdns_job_t *job)
{
    hdns_record_t record = {.type = HDNS_PTR, .len = strlen(job->name), .text = job->name};

    if (job->err < 0)
        hdns__system_answered(job->query, error_of(job), NULL);
    else if (job->is_reverse)
        hdns__system_answered(job->query, hdns__answer_new(&record, 1, 0), NULL);
    else
        hdns__system_answered(job->query, answer_of(&job->found, HDNS_TYPE_AAAA),
                              answer_of(&job->found, HDNS_TYPE_A));
}

/* No callback of a program's runs in here: a query that is answered has a timer for it. */
static void on_done(hio_t *io, void *buf, int len)
{
    hdns_system_t *system = hevent_userdata(io);

    (void)buf;
    (void)len;
    for (;;) {
        hdns_job_t *job = NULL;

        pthread_mutex_lock(&system->lock);
        if (!hlist_empty(&system->done)) {
            job = HLIST_ENTRY(system->done.next, hdns_job_t, link);
            hlist_remove(&job->link);
        }
        pthread_mutex_unlock(&system->lock);
        if (job == NULL)
            return;
        if (job->query)
            tell(job);
        free_job(job);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int open_system(hdns_t *dns)
{
    hdns_system_t *system = hmem_zalloc(sizeof(*system));

    if (system == NULL)
        return -ENOMEM;
    system->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    system->io = system->wake < 0 ? NULL : hio_get(dns->loop, system->wake);
    if (system->io == NULL) {
        int err = system->wake < 0 ? -errno : -ENOMEM;

        if (system->wake >= 0)
            close(system->wake);
        hmem_free(system);
        return err;
    }
    pthread_mutex_init(&system->lock, NULL);
    pthread_cond_init(&system->is_needed, NULL);
    hlist_init(&system->line);
    hlist_init(&system->done);
    hevent_set_userdata(system->io, system);
    hio_setcb_read(system->io, on_done);
    hio_read(system->io);
    dns->system = system;
    return 0;
}

/* A thread for it, if there are no more free ones than jobs in line: one that is woken counts as
 * free until it runs. One is enough in the end. */
static int put_in_line(hdns_system_t *system, hdns_job_t *job)
{
    int err = 0;

    pthread_mutex_lock(&system->lock);
    if (system->idle <= system->in_line && system->threads < HDNS_THREADS_MAX)
        err = start_thread(system);
    if (system->threads > 0) {
        err = 0;
        job->is_in_line = true;
        system->in_line++;
        hlist_push_back(&system->line, &job->link);
        pthread_cond_signal(&system->is_needed);
    }
    pthread_mutex_unlock(&system->lock);
    return err;
}

int hdns__system_ask(hdns_t *dns, hdns_query_t *query, const char *name,
                     const struct sockaddr *addr, int family, hdns_job_t **out)
{
    int err = dns->system ? 0 : open_system(dns);
    hdns_job_t *job = err < 0 ? NULL : hmem_zalloc(sizeof(*job));

    if (job == NULL)
        return err < 0 ? err : -ENOMEM;
    *job = (hdns_job_t){
        .system = dns->system, .query = query, .is_reverse = name == NULL, .family = family};
    if (name)
        hstr_copy(job->name, sizeof(job->name), name);
    else
        err = haddr_set(&job->addr, addr, haddr_len(addr));
    if (err == 0)
        err = put_in_line(dns->system, job);
    if (err < 0) {
        free_job(job);
        return err;
    }
    *out = job;
    return 0;
}

void hdns__system_leave(hdns_job_t *job)
{
    bool is_unasked;

    if (job == NULL)
        return;
    pthread_mutex_lock(&job->system->lock);
    is_unasked = job->is_in_line;
    if (is_unasked)
        leave_line(job);
    pthread_mutex_unlock(&job->system->lock);
    job->query = NULL; /* a thread does not look at it */
    if (is_unasked)
        free_job(job);
}

void hdns__system_close(hdns_system_t *system)
{
    hio_t *io = system ? system->io : NULL;

    if (system == NULL)
        return;
    pthread_mutex_lock(&system->lock);
    system->is_closed = true; /* and nobody wakes the loop any more */
    pthread_cond_broadcast(&system->is_needed);
    if (system->threads == 0)
        free_system(system);
    else
        pthread_mutex_unlock(&system->lock);
    hio_abort(io, 0);
}
