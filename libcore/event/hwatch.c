/* One inotify watch for each folder, known by the number (wd) that its events carry. A folder is
 * watched first and read then, so that what is made in between is seen by the one or the other.
 *
 * To look at everything anew a round begins: what is found is of this round, what was not found is
 * dropped at its end. Nothing is unwatched meanwhile. */
#include "hwatch.h"

#include "../base/hmem.h"
#include "hio_int.h"

#include <dirent.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 16384
#define READS_PER_EVENT 16
#define FOLDER_EVENTS                                                                              \
    (IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |            \
     IN_ONLYDIR | IN_EXCL_UNLINK)

typedef struct folder_s {
    hlist_t link; /* watch->unread */
    int wd;
    unsigned depth;
    uint32_t round;
    char path[];
} folder_t;

struct hwatch_s {
    HEVENT_FIELDS
    hio_t *io; /* of the inotify descriptor */
    hwatch_cb changed_cb;
    hwatch_options_t options;
    hwatch_stats_t stats;
    folder_t **folders; /* by wd */
    size_t capacity;
    hlist_t unread; /* folders that are watched and not yet read */
    int root_wd;
    dev_t root_device;
    ino_t root_inode;
    uint32_t round;
    htimer_t *quiet; /* runs from a change to the callback */
    htimer_t *retry; /* runs while the folder itself is not there */
    uint64_t first_ns;
    char path[];
};

/* ---- the folders ----------------------------------------------------------------------------- */

/* Where this wd is, or belongs. */
static size_t place_of(const hwatch_t *watch, int wd)
{
    size_t low = 0, high = watch->stats.folders;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (watch->folders[middle]->wd < wd)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static folder_t *find(const hwatch_t *watch, int wd)
{
    size_t place = place_of(watch, wd);

    return place < watch->stats.folders && watch->folders[place]->wd == wd ? watch->folders[place]
                                                                           : NULL;
}

static void forget(hwatch_t *watch, folder_t *folder)
{
    size_t place = place_of(watch, folder->wd);

    watch->stats.folders--;
    memmove(watch->folders + place, watch->folders + place + 1,
            (watch->stats.folders - place) * sizeof(*watch->folders));
    if (hlist_linked(&folder->link))
        hlist_remove(&folder->link);
    hmem_free(folder);
}

static void unwatch(hwatch_t *watch, folder_t *folder)
{
    inotify_rm_watch(hio_fd(watch->io), folder->wd);
    forget(watch, folder);
}

static int remember(hwatch_t *watch, folder_t *folder)
{
    size_t place = place_of(watch, folder->wd);

    if (watch->stats.folders == watch->capacity) {
        size_t capacity = watch->capacity ? watch->capacity * 2 : 16;
        folder_t **folders = hmem_realloc(watch->folders, capacity * sizeof(*folders));

        if (!folders)
            return -ENOMEM;
        watch->folders = folders;
        watch->capacity = capacity;
    }
    memmove(watch->folders + place + 1, watch->folders + place,
            (watch->stats.folders - place) * sizeof(*watch->folders));
    watch->folders[place] = folder;
    watch->stats.folders++;
    hlist_push_back(&watch->unread, &folder->link);
    return 0;
}

/* parent/name; a parent "" and the name of the folder itself to begin with. */
static folder_t *new_folder(const char *parent, const char *name)
{
    size_t parent_len = strlen(parent), name_len = strlen(name);
    bool slash = parent_len > 0 && parent[parent_len - 1] != '/';
    folder_t *folder = hmem_zalloc(sizeof(*folder) + parent_len + slash + name_len + 1);

    if (!folder)
        return NULL;
    memcpy(folder->path, parent, parent_len);
    if (slash)
        folder->path[parent_len] = '/';
    memcpy(folder->path + parent_len + slash, name, name_len);
    return folder;
}

/* Watches it, and takes it over. 0; or why not, and it is freed: -EEXIST is watched already. */
static int watch_folder(hwatch_t *watch, folder_t *folder)
{
    uint32_t events = FOLDER_EVENTS | (folder->depth > 0 ? IN_DONT_FOLLOW : IN_MOVE_SELF);
    folder_t *known;
    int err;

    folder->round = watch->round;
    folder->wd = inotify_add_watch(hio_fd(watch->io), folder->path, events);
    err = folder->wd < 0 ? -errno : 0;
    known = err ? NULL : find(watch, folder->wd);
    if (known && known->round == watch->round)
        err = -EEXIST;
    else if (known)
        forget(watch, known);
    if (!err) {
        err = remember(watch, folder);
        if (err)
            inotify_rm_watch(hio_fd(watch->io), folder->wd);
    }
    if (err)
        hmem_free(folder);
    return err;
}

static bool is_hidden(const hwatch_t *watch, const char *name)
{
    return !watch->options.hidden && name[0] == '.';
}

/* Watches a folder in another one. What cannot be watched makes the watch partial; what has gone
 * meanwhile, or is no folder, does not count. */
static void watch_below(hwatch_t *watch, const folder_t *parent, const char *name)
{
    folder_t *folder = NULL;
    int err = 0;

    if (parent->depth < HWATCH_DEPTH_MAX && watch->stats.folders < watch->options.folders_max)
        folder = new_folder(parent->path, name);
    if (folder) {
        folder->depth = parent->depth + 1;
        err = watch_folder(watch, folder);
    }
    if (!folder || (err && err != -EEXIST && err != -ENOENT && err != -ENOTDIR && err != -ELOOP))
        watch->stats.partial = true;
}

static void read_folder(hwatch_t *watch, const folder_t *folder)
{
    DIR *dir = opendir(folder->path);
    const struct dirent *found;

    if (!dir) {
        watch->stats.partial |= errno != ENOENT;
        return;
    }
    while ((found = readdir(dir)) != NULL) {
        bool may_be = found->d_type == DT_DIR || found->d_type == DT_UNKNOWN;
        bool is_dots = strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0;

        if (may_be && !is_dots && !is_hidden(watch, found->d_name))
            watch_below(watch, folder, found->d_name);
    }
    closedir(dir);
}

static void read_unread(hwatch_t *watch)
{
    hlist_t *node;

    while ((node = hlist_pop_front(&watch->unread)) != NULL)
        read_folder(watch, HLIST_ENTRY(node, folder_t, link));
}

/* Looks at everything anew. 0, or why the folder itself cannot be watched. */
static int scan(hwatch_t *watch)
{
    folder_t *root = new_folder("", watch->path);
    struct stat st;
    int err;

    if (!root)
        return -ENOMEM;
    watch->round++;
    watch->stats.partial = false;
    err = watch_folder(watch, root);
    watch->root_wd = err ? -1 : root->wd;
    if (!err && stat(watch->path, &st) == 0) {
        watch->root_device = st.st_dev;
        watch->root_inode = st.st_ino;
    }
    read_unread(watch);
    for (size_t i = watch->stats.folders; i-- > 0;) {
        if (watch->folders[i]->round != watch->round)
            unwatch(watch, watch->folders[i]);
    }
    return err;
}

/* A folder was moved away, with all below it. */
static void drop_tree(hwatch_t *watch, const folder_t *parent, const char *name)
{
    folder_t *top = new_folder(parent->path, name);
    size_t len = top ? strlen(top->path) : 0;

    for (size_t i = watch->stats.folders; top && i-- > 0;) {
        const char *path = watch->folders[i]->path;

        if (strncmp(path, top->path, len) == 0 && (path[len] == '/' || path[len] == '\0'))
            unwatch(watch, watch->folders[i]);
    }
    hmem_free(top);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void rescan(hwatch_t *watch);

/* A folder that somebody holds open is not told of as deleted. */
static bool is_replaced(const hwatch_t *watch)
{
    struct stat st;

    return stat(watch->path, &st) < 0 || st.st_dev != watch->root_device ||
           st.st_ino != watch->root_inode;
}

static void on_quiet(htimer_t *timer)
{
    hwatch_t *watch = hevent_userdata(timer);

    watch->quiet = NULL;
    if (is_replaced(watch))
        rescan(watch);
    watch->changed_cb(watch);
}

/* Without memory for a timer it is told with the next change. */
static void changed(hwatch_t *watch)
{
    uint64_t now = htime_monotonic_ns();
    uint64_t last = watch->first_ns + watch->options.delay_max_ms * HTIME_NS_PER_MS;

    if (watch->quiet) {
        if (now + watch->options.quiet_ms * HTIME_NS_PER_MS <= last)
            htimer_reset(watch->quiet, 0);
        return;
    }
    watch->first_ns = now;
    watch->quiet = htimer_add(watch->loop, on_quiet, watch->options.quiet_ms, 1);
    if (watch->quiet)
        hevent_set_userdata(watch->quiet, watch);
}

static void on_retry(htimer_t *timer)
{
    rescan(hevent_userdata(timer));
}

/* Everything may have changed, and the folder itself may be gone: then it is looked for until it
 * is there. */
static void rescan(hwatch_t *watch)
{
    bool was_lost = watch->stats.error != 0;

    watch->stats.error = scan(watch);
    if (watch->stats.error == 0) {
        htimer_del(watch->retry);
        watch->retry = NULL;
    } else if (!watch->retry) {
        watch->retry = htimer_add(watch->loop, on_retry, HWATCH_RETRY_MS, INFINITE);
        if (watch->retry)
            hevent_set_userdata(watch->retry, watch);
    }
    if (!was_lost || watch->stats.error == 0)
        changed(watch);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* True: everything has to be looked at anew. */
static bool take_event(hwatch_t *watch, const struct inotify_event *event)
{
    folder_t *folder = find(watch, event->wd);
    const char *name = event->len > 0 ? event->name : "";

    if (event->mask & IN_Q_OVERFLOW) {
        watch->stats.overflows++;
        return true;
    }
    if (!folder)
        return false; /* of a folder that we have dropped */
    if (event->mask & (IN_IGNORED | IN_MOVE_SELF)) {
        bool is_root = event->wd == watch->root_wd;

        if (event->mask & IN_IGNORED)
            forget(watch, folder);
        return is_root;
    }
    if (is_hidden(watch, name))
        return false;
    changed(watch);
    if (event->mask & IN_ISDIR && event->mask & IN_MOVED_FROM)
        drop_tree(watch, folder, name);
    if (event->mask & IN_ISDIR && event->mask & (IN_CREATE | IN_MOVED_TO)) {
        watch_below(watch, folder, name);
        read_unread(watch);
    }
    return false;
}

static void on_readable(hio_t *io, void *buf, int len)
{
    hwatch_t *watch = hevent_userdata(io);
    char data[READ_SIZE] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool anew = false;
    ssize_t n = 1;

    (void)buf;
    (void)len;
    for (int i = 0; i < READS_PER_EVENT && n > 0; i++) {
        n = read(hio_fd(io), data, sizeof(data));
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *)(data + at);

            anew |= take_event(watch, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    if (anew)
        rescan(watch);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void free_watch(hwatch_t *watch)
{
    htimer_del(watch->quiet);
    htimer_del(watch->retry);
    for (size_t i = 0; i < watch->stats.folders; i++)
        hmem_free(watch->folders[i]);
    hmem_free(watch->folders);
    hmem_free(watch);
}

/* The loop is freed. */
static void on_close(hio_t *io)
{
    free_watch(hevent_userdata(io));
}

static int open_inotify(hwatch_t *watch)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0)
        return -errno;
    watch->io = hio__new(watch->loop, fd, HIO_TYPE_NOTIFY);
    if (!watch->io) {
        close(fd);
        return -ENOMEM;
    }
    hevent_set_userdata(watch->io, watch);
    hio_setcb_read(watch->io, on_readable);
    hio_setcb_close(watch->io, on_close);
    return hio_read(watch->io);
}

static void set_options(hwatch_t *watch, const hwatch_options_t *options)
{
    hwatch_options_t *own = &watch->options;

    if (options)
        *own = *options;
    if (own->quiet_ms == 0)
        own->quiet_ms = HWATCH_QUIET_MS;
    if (own->delay_max_ms == 0)
        own->delay_max_ms = HWATCH_DELAY_MAX_MS;
    if (own->folders_max == 0 || own->folders_max > HWATCH_FOLDERS_MAX)
        own->folders_max = HWATCH_FOLDERS_MAX;
}

hwatch_t *hwatch_add(hloop_t *loop, const char *path, const hwatch_options_t *options, hwatch_cb cb,
                     void *userdata)
{
    size_t len = strlen(path);
    hwatch_t *watch = hmem_zalloc(sizeof(*watch) + len + 1);
    int err = -ENOMEM;

    if (watch) {
        watch->loop = loop;
        watch->event_id = ++loop->event_count;
        watch->userdata = userdata;
        watch->changed_cb = cb;
        set_options(watch, options);
        hlist_init(&watch->unread);
        memcpy(watch->path, path, len);
        err = open_inotify(watch);
        err = err ? err : scan(watch);
    }
    if (err) {
        hwatch_del(watch);
        errno = -err;
        return NULL;
    }
    return watch;
}

void hwatch_del(hwatch_t *watch)
{
    if (!watch)
        return;
    if (watch->io) {
        hio_setcb_close(watch->io, NULL);
        hio_abort(watch->io, 0);
    }
    free_watch(watch);
}

void hwatch_stats(const hwatch_t *watch, hwatch_stats_t *stats)
{
    *stats = watch->stats;
}
