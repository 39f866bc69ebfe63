/* The hosts file: read when a name first needs it, and again when it has changed, which is looked
 * at once a second at most. Lines are kept sorted by name, with their place in the file as the
 * second key: the order of the addresses of a name is the file's. */
#include "hdns_int.h"

#include "../base/hmem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_FILE "/etc/hosts"
#define LOOK_US 1000000ULL

typedef struct host_s {
    const char *name;
    unsigned char bytes[16];
    unsigned char len; /* of the address: 4 or 16 */
    bool first;        /* the name that the address is called by */
} host_t;

struct hdns_hosts_s {
    struct stat st;
    uint64_t looked_us;
    char *text; /* the file, cut into words */
    host_t *hosts;
    size_t count, cap;
};

/* By name, in the order of the file within one. */
static int compare(const void *a, const void *b)
{
    const host_t *x = a, *y = b;
    int order = strcasecmp(x->name, y->name);

    return order ? order : (x->name > y->name) - (x->name < y->name);
}

static int add(hdns_hosts_t *hosts, const host_t *host)
{
    if (hosts->count == hosts->cap) {
        size_t cap = hosts->cap ? hosts->cap * 2 : 32;
        host_t *grown = hmem_realloc(hosts->hosts, cap * sizeof(host_t));

        if (!grown)
            return -ENOMEM;
        hosts->hosts = grown;
        hosts->cap = cap;
    }
    hosts->hosts[hosts->count++] = *host;
    return 0;
}

/* ADDRESS NAME..., where the addresses' zones are of no use to anybody else. */
static int read_line(hdns_hosts_t *hosts, char *line)
{
    static const char blanks[] = " \t\r\f\v";
    char *rest = NULL, *word;
    host_t host = {.first = true};
    haddr_t addr;
    int err = 0;

    line[strcspn(line, "#")] = '\0';
    word = strtok_r(line, blanks, &rest);
    if (!word)
        return 0;
    word[strcspn(word, "%")] = '\0';
    if (haddr_parse(&addr, word, 0) != 0)
        return 0;
    host.len = addr.u.sa.sa_family == AF_INET ? 4 : 16;
    memcpy(host.bytes,
           host.len == 4 ? (void *)&addr.u.sin.sin_addr : (void *)&addr.u.sin6.sin6_addr, host.len);
    while (!err && (word = strtok_r(NULL, blanks, &rest)) != NULL) {
        host.name = word;
        err = add(hosts, &host);
        host.first = false;
    }
    return err;
}

static int read_text(hdns_hosts_t *hosts, int fd, size_t size)
{
    size_t len = 0;
    ssize_t n = 1;

    hosts->text = hmem_alloc(size + 1);
    if (!hosts->text)
        return -ENOMEM;
    while (len < size && n > 0) {
        n = read(fd, hosts->text + len, size - len);
        if (n > 0)
            len += (size_t)n;
    }
    hosts->text[len] = '\0';
    return 0;
}

static int read_hosts(hdns_hosts_t *hosts, int fd)
{
    char *line;
    int err;

    if (!S_ISREG(hosts->st.st_mode) || hosts->st.st_size > HDNS_HOSTS_SIZE_MAX)
        return 0;
    err = read_text(hosts, fd, (size_t)hosts->st.st_size);
    line = hosts->text;
    while (!err && line) {
        char *end = strchr(line, '\n');

        if (end)
            *end++ = '\0';
        err = read_line(hosts, line);
        line = end;
    }
    if (!err && hosts->count > 0)
        qsort(hosts->hosts, hosts->count, sizeof(host_t), compare);
    return err;
}

static void forget(hdns_hosts_t *hosts)
{
    if (!hosts)
        return;
    hmem_free(hosts->text);
    hmem_free(hosts->hosts);
    hmem_free(hosts);
}

/* A file that cannot be read is an empty one. NULL: out of memory. */
static hdns_hosts_t *load(const char *path)
{
    hdns_hosts_t *hosts = hmem_zalloc(sizeof(*hosts));
    int fd, err = 0;

    if (!hosts)
        return NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return hosts;
    if (fstat(fd, &hosts->st) == 0)
        err = read_hosts(hosts, fd);
    close(fd);
    if (!err)
        return hosts;
    forget(hosts);
    return NULL;
}

static bool has_changed(const hdns_hosts_t *hosts, const char *path)
{
    struct stat st = {0};

    if (stat(path, &st) != 0)
        memset(&st, 0, sizeof(st));
    return st.st_ino != hosts->st.st_ino || st.st_size != hosts->st.st_size ||
           st.st_mtim.tv_sec != hosts->st.st_mtim.tv_sec ||
           st.st_mtim.tv_nsec != hosts->st.st_mtim.tv_nsec;
}

/* 0 and dns->hosts as the file is now (NULL: there shall be none), or -ENOMEM. */
static int refresh(hdns_t *dns)
{
    const char *path = dns->options.hosts_file ? dns->options.hosts_file : HOSTS_FILE;
    uint64_t now_us = hloop_now_hrtime(dns->loop);

    if (path[0] == '\0')
        return 0;
    if (dns->hosts && now_us - dns->hosts->looked_us >= LOOK_US && has_changed(dns->hosts, path))
        hdns__hosts_free(dns);
    else if (dns->hosts && now_us - dns->hosts->looked_us < LOOK_US)
        return 0;
    if (!dns->hosts)
        dns->hosts = load(path);
    if (!dns->hosts)
        return -ENOMEM;
    dns->hosts->looked_us = now_us;
    return 0;
}

/* The first of the lines with this name. */
static size_t lower_bound(const hdns_hosts_t *hosts, const char *name)
{
    size_t low = 0, high = hosts->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcasecmp(hosts->hosts[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_listed(const hdns_record_t *records, size_t count, const host_t *host)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(records[i].text, host->bytes, host->len) == 0)
            return true;
    }
    return false;
}

hdns_answer_t *hdns__hosts_find(hdns_t *dns, const char *name, int type)
{
    hdns_record_t records[HDNS_ADDRS_MAX];
    size_t i, count = 0;
    bool known = false;

    if (refresh(dns) != 0)
        return &hdns__no_memory;
    if (!dns->hosts)
        return NULL;
    for (i = lower_bound(dns->hosts, name); i < dns->hosts->count; i++) {
        const host_t *host = &dns->hosts->hosts[i];

        if (strcasecmp(host->name, name) != 0)
            break;
        known = true;
        if (host->len == (type == HDNS_TYPE_A ? 4 : 16) && count < HDNS_ADDRS_MAX &&
            !is_listed(records, count, host))
            records[count++] = (hdns_record_t){
                .type = (hdns_type_e)type, .len = host->len, .text = (const char *)host->bytes};
    }
    if (!known)
        return NULL;
    if (count == 0)
        return hdns__answer_error(HERR_RESOLVE, "the hosts file has no such address for it");
    return hdns__answer_new(records, count, 0);
}

hdns_answer_t *hdns__hosts_reverse(hdns_t *dns, const unsigned char *bytes, size_t len)
{
    const char *found = NULL;
    hdns_record_t record = {.type = HDNS_PTR};

    if (refresh(dns) != 0)
        return &hdns__no_memory;
    for (size_t i = 0; dns->hosts && i < dns->hosts->count; i++) {
        const host_t *host = &dns->hosts->hosts[i];

        if (host->first && host->len == len && memcmp(host->bytes, bytes, len) == 0 &&
            (!found || host->name < found))
            found = host->name;
    }
    if (!found)
        return NULL;
    record.text = found;
    record.len = strlen(found);
    return hdns__answer_new(&record, 1, 0);
}

void hdns__hosts_free(hdns_t *dns)
{
    forget(dns->hosts);
    dns->hosts = NULL;
}
