/* A job is the loop's until it is in line, then the thread's, then, behind an eventfd, the loop's
 * again; its callback is the loop's all the time. The last to leave, loop or thread, frees what
 * they share: nobody waits for a hash. */
#include "hlogin.h"

#include "../base/hlist.h"
#include "../base/hmem.h"
#include "../base/hthread.h"
#include "../event/hio.h"
#include "hdigest.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

typedef struct hashing_s {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t is_needed;
    hlist_t line, done;
    bool has_thread, is_closed;
    int wake; /* -1: nothing wakes the loop */
} hashing_t;

struct hlogin_job_s {
    hlist_t link;
    hlogin_t *login;
    bool is_in_line; /* under the lock: the thread does not have it yet */
    bool exists;     /* else it takes as long as if */
    bool is_right;
    uint8_t digest[HTTP_AUTH_DIGEST_MAX]; /* to be remembered */
    bool has_digest;
    hlogin_cb cb; /* NULL: nobody wants to know any more */
    void *arg;
    husers_user_t user;
    char *password;
};

struct hlogin_s {
    hloop_t *loop;
    const husers_t *users;
    hashing_t *hashing; /* NULL: nothing was hashed yet */
    hio_t *io;          /* of its wake; NULL: there is none */
    size_t waiting;
    bool remembers;
    uint8_t key[HTTP_AUTH_DIGEST_MAX];
    uint8_t (*known)[HTTP_AUTH_DIGEST_MAX]; /* HLOGIN_REMEMBERED_MAX of them; all 0: nothing */
};

/* ---- jobs ------------------------------------------------------------------------------------ */

static void free_job(hlogin_job_t *job)
{
    explicit_bzero(job->password, strlen(job->password));
    hmem_free(job);
}

static void free_jobs(hlist_t *jobs)
{
    while (!hlist_empty(jobs)) {
        hlogin_job_t *job = HLIST_ENTRY(jobs->next, hlogin_job_t, link);

        hlist_remove(&job->link);
        free_job(job);
    }
}

/* With copies of all that the thread looks at. */
static hlogin_job_t *new_job(hlogin_t *login, const husers_user_t *user, const char *password)
{
    size_t secret_size = strlen(user->secret) + 1, password_size = strlen(password) + 1;
    hlogin_job_t *job = hmem_zalloc(sizeof(*job) + secret_size + password_size);
    char *text = job ? (char *)(job + 1) : NULL;

    if (!job)
        return NULL;
    memcpy(text, user->secret, secret_size);
    memcpy(text + secret_size, password, password_size);
    job->login = login;
    job->user = (husers_user_t){NULL, "", text, user->kind};
    job->password = text + secret_size;
    return job;
}

/* ---- what was right -------------------------------------------------------------------------- */

static uint8_t *slot_of(hlogin_t *login, const uint8_t digest[HTTP_AUTH_DIGEST_MAX])
{
    return login->known[(digest[0] | (size_t)digest[1] << 8) % HLOGIN_REMEMBERED_MAX];
}

/* With the NULs: no other two texts make the same one. */
static bool make_digest(const hlogin_t *login, const husers_user_t *user, const char *password,
                        uint8_t digest[HTTP_AUTH_DIGEST_MAX])
{
    const http_span_t parts[] = {{(const char *)login->key, sizeof(login->key)},
                                 {user->name, strlen(user->name) + 1},
                                 {user->secret, strlen(user->secret) + 1},
                                 {password, strlen(password) + 1}};

    return login->remembers && hdigest_hash(HTTP_AUTH_SHA256, parts,
                                            sizeof(parts) / sizeof(parts[0]), digest, NULL) == 0;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Locked; closed, and without a thread. */
static void free_hashing(hashing_t *hashing)
{
    free_jobs(&hashing->line);
    free_jobs(&hashing->done);
    pthread_mutex_unlock(&hashing->lock);
    pthread_mutex_destroy(&hashing->lock);
    pthread_cond_destroy(&hashing->is_needed);
    hmem_free(hashing);
}

/* Locked. It cannot be full: the loop is woken as it is. */
static void wake_loop(const hashing_t *hashing)
{
    const uint64_t one = 1;

    if (hashing->wake >= 0 && write(hashing->wake, &one, sizeof(one)) < 0)
        return;
}

static void *run_thread(void *arg)
{
    hashing_t *hashing = arg;

    pthread_mutex_lock(&hashing->lock);
    while (!hashing->is_closed) {
        hlogin_job_t *job;

        if (hlist_empty(&hashing->line)) {
            pthread_cond_wait(&hashing->is_needed, &hashing->lock);
            continue;
        }
        job = HLIST_ENTRY(hashing->line.next, hlogin_job_t, link);
        hlist_remove(&job->link);
        job->is_in_line = false;
        pthread_mutex_unlock(&hashing->lock);
        job->is_right = husers_verify(&job->user, job->password);
        pthread_mutex_lock(&hashing->lock);
        hlist_push_back(&hashing->done, &job->link);
        wake_loop(hashing);
    }
    hashing->has_thread = false;
    free_hashing(hashing);
    return NULL;
}

static int start_thread(hashing_t *hashing)
{
    int err = hthread_detach(run_thread, hashing);

    hashing->has_thread = err == 0;
    return err;
}

/* ---- answers --------------------------------------------------------------------------------- */

static hlogin_verdict_e verdict_of(hlogin_t *login, const hlogin_job_t *job)
{
    if (!job->exists || !job->is_right)
        return HLOGIN_REFUSED;
    if (job->has_digest)
        memcpy(slot_of(login, job->digest), job->digest, sizeof(job->digest));
    return HLOGIN_GRANTED;
}

/* The loop is woken again for the one behind it. */
static hlogin_job_t *next_done(hashing_t *hashing)
{
    hlogin_job_t *job = NULL;
    uint64_t woken;

    pthread_mutex_lock(&hashing->lock);
    if (read(hashing->wake, &woken, sizeof(woken)) > 0 && !hlist_empty(&hashing->done)) {
        job = HLIST_ENTRY(hashing->done.next, hlogin_job_t, link);
        hlist_remove(&job->link);
        if (!hlist_empty(&hashing->done))
            wake_loop(hashing);
    }
    pthread_mutex_unlock(&hashing->lock);
    return job;
}

/* One at a time: a callback may free the login, and its io closes then. */
static void on_done(hio_t *io, void *buf, int len)
{
    hlogin_t *login = hevent_userdata(io);
    hlogin_job_t *job = next_done(login->hashing);
    hlogin_verdict_e verdict;
    hlogin_cb cb;
    void *arg;

    (void)buf;
    (void)len;
    if (!job)
        return;
    login->waiting--;
    verdict = verdict_of(login, job);
    cb = job->cb;
    arg = job->arg;
    free_job(job);
    if (cb)
        cb(verdict, arg);
}

static void set_wake(hashing_t *hashing, int fd)
{
    pthread_mutex_lock(&hashing->lock);
    hashing->wake = fd;
    if (!hlist_empty(&hashing->done))
        wake_loop(hashing);
    pthread_mutex_unlock(&hashing->lock);
}

/* It broke, or the loop ends: what is done meanwhile is told with the next one. */
static void on_wake_closed(hio_t *io)
{
    hlogin_t *login = hevent_userdata(io);

    login->io = NULL;
    set_wake(login->hashing, -1);
}

static int open_wake(hlogin_t *login)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    hio_t *io = fd < 0 ? NULL : hio_get(login->loop, fd);
    int err;

    if (!io) {
        if (fd >= 0)
            close(fd);
        return -ENOMEM;
    }
    err = hio_read(io);
    if (err) {
        hio_abort(io, err);
        return err;
    }
    login->io = io;
    hevent_set_userdata(io, login);
    hio_setcb_read(io, on_done);
    hio_setcb_close(io, on_wake_closed);
    set_wake(login->hashing, fd);
    return 0;
}

static hashing_t *new_hashing(void)
{
    hashing_t *hashing = hmem_zalloc(sizeof(*hashing));

    if (!hashing)
        return NULL;
    pthread_mutex_init(&hashing->lock, NULL);
    pthread_cond_init(&hashing->is_needed, NULL);
    hlist_init(&hashing->line);
    hlist_init(&hashing->done);
    hashing->wake = -1;
    return hashing;
}

/* False: not now. */
static bool is_open(hlogin_t *login)
{
    if (!login->hashing)
        login->hashing = new_hashing();
    return login->hashing && (login->io || open_wake(login) == 0);
}

/* ---- public ---------------------------------------------------------------------------------- */

int hlogin_new(hloop_t *loop, const husers_t *users, hlogin_t **login)
{
    hlogin_t *made = hmem_zalloc(sizeof(*made));

    *login = NULL;
    if (!made)
        return -ENOMEM;
    made->loop = loop;
    made->users = users;
    if (husers_has_hashes(users)) {
        made->known = hmem_zalloc(HLOGIN_REMEMBERED_MAX * sizeof(*made->known));
        made->remembers = made->known && getrandom(made->key, sizeof(made->key), GRND_NONBLOCK) ==
                                             (ssize_t)sizeof(made->key);
    }
    *login = made;
    return 0;
}

void hlogin_free(hlogin_t *login)
{
    hashing_t *hashing = login ? login->hashing : NULL;

    if (!login)
        return;
    if (login->io) {
        hio_setcb_read(login->io, NULL);
        hio_setcb_close(login->io, NULL);
    }
    if (hashing) {
        pthread_mutex_lock(&hashing->lock);
        hashing->is_closed = true;
        hashing->wake = -1;
        pthread_cond_broadcast(&hashing->is_needed);
        if (hashing->has_thread)
            pthread_mutex_unlock(&hashing->lock);
        else
            free_hashing(hashing);
    }
    if (login->io)
        hio_abort(login->io, 0);
    hmem_free(login->known);
    hmem_free(login);
}

/* Without a thread the loop waits after all. */
static hlogin_verdict_e put_in_line(hlogin_t *login, hlogin_job_t *job)
{
    hashing_t *hashing = login->hashing;

    if (hashing->has_thread || start_thread(hashing) == 0) {
        pthread_mutex_lock(&hashing->lock);
        job->is_in_line = true;
        hlist_push_back(&hashing->line, &job->link);
        pthread_cond_signal(&hashing->is_needed);
        pthread_mutex_unlock(&hashing->lock);
        login->waiting++;
        return HLOGIN_LATER;
    }
    job->is_right = husers_verify(&job->user, job->password);
    return verdict_of(login, job);
}

static hlogin_verdict_e check_hash(hlogin_t *login, const husers_user_t *user, hlogin_job_t **out)
{
    hlogin_job_t *job = *out;
    hlogin_verdict_e verdict;

    job->has_digest = make_digest(login, user, job->password, job->digest);
    /* What a comparison's time could tell is about digests with a key that nobody knows. */
    if (job->exists && job->has_digest &&
        memcmp(slot_of(login, job->digest), job->digest, sizeof(job->digest)) == 0)
        verdict = HLOGIN_GRANTED;
    else if (login->waiting >= HLOGIN_WAITING_MAX || !is_open(login))
        verdict = HLOGIN_BUSY;
    else
        verdict = put_in_line(login, job);
    if (verdict != HLOGIN_LATER) {
        free_job(job);
        *out = NULL;
    }
    return verdict;
}

hlogin_verdict_e hlogin_check(hlogin_t *login, const char *name, const char *password, hlogin_cb cb,
                              void *arg, hlogin_job_t **job)
{
    const husers_user_t *user = husers_find(login->users, name);
    const husers_user_t *asked = user ? user : husers_first(login->users);

    *job = NULL;
    if (!asked)
        return HLOGIN_REFUSED;
    if (asked->kind == HUSERS_PLAIN)
        return husers_verify(asked, password) && user ? HLOGIN_GRANTED : HLOGIN_REFUSED;
    *job = new_job(login, asked, password);
    if (!*job)
        return HLOGIN_BUSY;
    (*job)->exists = user != NULL;
    (*job)->cb = cb;
    (*job)->arg = arg;
    return check_hash(login, asked, job);
}

void hlogin_cancel(hlogin_job_t *job)
{
    hashing_t *hashing = job ? job->login->hashing : NULL;
    bool is_mine;

    if (!job)
        return;
    pthread_mutex_lock(&hashing->lock);
    is_mine = job->is_in_line;
    if (is_mine)
        hlist_remove(&job->link);
    pthread_mutex_unlock(&hashing->lock);
    job->cb = NULL; /* the thread does not look at it */
    if (!is_mine)
        return;
    job->login->waiting--;
    free_job(job);
}
