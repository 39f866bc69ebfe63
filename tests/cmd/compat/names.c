/* Names that libhv's programs use besides the loop's, each checked for what it does. */
#include "hv.h"
#include "list.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%d: %s\n", __LINE__, #condition);                                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

typedef struct item_s {
    int number;
    struct list_node node;
} item_t;

static hatomic_t counter = HATOMIC_VAR_INIT(0);
static hmutex_t lock;
static char logged[256];

static HTHREAD_ROUTINE(count)
{
    (void)userdata;
    for (int i = 0; i < 1000; i++) {
        hmutex_lock(&lock);
        hatomic_inc(&counter);
        hmutex_unlock(&lock);
    }
    return 0;
}

static void on_log(int level, const char *buf, int len)
{
    CHECK(level == LOG_LEVEL_WARN);
    CHECK(buf[len - 1] == '\n');
    hv_strncpy(logged, buf, sizeof(logged));
}

static void check_memory(void)
{
    item_t *item = NULL;
    char *small, *large;
    char text[4];

    HV_ALLOC_SIZEOF(item);
    CHECK(item->number == 0);
    HV_FREE(item);
    CHECK(item == NULL);
    {
        STACK_OR_HEAP_ALLOC(small, 8, 16);
        CHECK(small[7] == 0);
        STACK_OR_HEAP_FREE(small);
    }
    {
        STACK_OR_HEAP_ALLOC(large, 64, 16);
        CHECK(large[63] == 0);
        STACK_OR_HEAP_FREE(large);
    }
    CHECK(hv_alloc_cnt() == hv_free_cnt());
    CHECK(strcmp(hv_strncpy(text, "abcdef", sizeof(text)), "abc") == 0);
    CHECK(strcmp(hv_suffixname("/a.b/c.html"), "html") == 0);
    CHECK(hv_rand(3, 3) == 3 && hv_rand(1, 2) <= 2);
    CHECK(stricmp("ABC", "abc") == 0 && get_ncpu() >= 1);
}

static void check_list(void)
{
    struct list_head head;
    struct list_node *node;
    item_t items[3];
    int sum = 0;

    list_init(&head);
    for (int i = 0; i < 3; i++) {
        items[i].number = i + 1;
        list_add(&items[i].node, &head);
    }
    list_del(&items[1].node);
    list_for_each(node, &head) sum = sum * 10 + list_entry(node, item_t, node)->number;
    CHECK(sum == 31);
}

static void check_threads(void)
{
    hthread_t threads[2];

    hmutex_init(&lock);
    for (int i = 0; i < 2; i++)
        threads[i] = hthread_create(count, NULL);
    for (int i = 0; i < 2; i++)
        hthread_join(threads[i]);
    hmutex_destroy(&lock);
    CHECK(hatomic_load(&counter) == 2000);
    CHECK(hv_getpid() == hv_gettid());
}

static void check_log(const char *path)
{
    hlogw("to nobody");
    CHECK(logged[0] == '\0');
    hlog_set_handler(on_log);
    hlog_set_level(LOG_LEVEL_WARN);
    hlog_set_format("%L %s %%");
    hlogi("below the level");
    CHECK(logged[0] == '\0');
    hlogw("number %d", 7);
    CHECK(hv_startswith(logged, "WARN number 7 [names.c:"));
    CHECK(hv_endswith(logged, "] %\n"));
    hlog_set_handler(NULL);
    hlog_set_format(DEFAULT_LOG_FORMAT);
    hlog_set_file(path);
    hloge("%s", "to a file");
    hv_destroy_default_logger();
    CHECK(hv_isfile(path) && hv_filesize(path) > 0);
}

static void check_time(void)
{
    char text[DATETIME_FMT_BUFLEN];
    datetime_t dt = datetime_now();

    CHECK(strlen(datetime_fmt(&dt, text)) == 19);
    CHECK(strcmp(gmtime_fmt(784111777, text), "Sun, 06 Nov 1994 08:49:37 GMT") == 0);
    CHECK(llabs(LLD(datetime_mktime(&dt)) - LLD(time(NULL))) <= 1);
    CHECK(gettimeofday_ms() / 1000 == gettimeofday_us() / 1000000 || gettick_ms() > 0);
}

static void check_sockets(void)
{
    char text[SOCKADDR_STRLEN];
    sockaddr_u addr;
    int fd = Listen(0, "127.0.0.1"), client;
    socklen_t len = sizeof(addr);

    CHECK(fd >= 0 && getsockname(fd, &addr.sa, &len) == 0);
    CHECK(sockaddr_len(&addr) == sizeof(struct sockaddr_in));
    client = Connect("127.0.0.1", sockaddr_port(&addr), 0);
    CHECK(client >= 0);
    close(client);
    close(fd);
    CHECK(Connect("127.0.0.1", sockaddr_port(&addr), 0) == -ECONNREFUSED);
    CHECK(ResolveAddr("::1", &addr) == 0);
    sockaddr_set_port(&addr, 80);
    CHECK(strcmp(SOCKADDR_STR(&addr, text), "[::1]:80") == 0);
    CHECK(strcmp(sockaddr_ip(&addr, text, sizeof(text)), "::1") == 0);
    CHECK(sockaddr_set_ipport(&addr, "/tmp/x", -1) == 0);
    CHECK(strcmp(SOCKADDR_STR(&addr, text), "/tmp/x") == 0);
}

/* ---- the loop: errors are positive, a client may have a close callback ----------------------- */

static int error;

static void on_close(hio_t *io)
{
    error = hio_error(io);
    hloop_stop(hevent_loop(io));
}

static void check_loop(void)
{
    hloop_t *loop = hloop_new(HLOOP_FLAG_QUIT_WHEN_NO_ACTIVE_EVENTS);
    hio_t *io = hloop_create_tcp_client(loop, "127.0.0.1", 1, NULL, on_close);
    unpack_setting_t setting;
    reconn_setting_t reconn;

    CHECK(io != NULL);
    memset(&setting, 0, sizeof(setting));
    setting.mode = UNPACK_BY_DELIMITER;
    setting.package_max_length = DEFAULT_PACKAGE_MAX_LENGTH;
    setting.delimiter[0] = '\n';
    setting.delimiter_bytes = 1;
    hio_set_unpack(io, &setting);
    reconn_setting_init(&reconn);
    CHECK(reconn_setting_can_retry(&reconn) && reconn_setting_calc_delay(&reconn) > 0);
    hloop_run(loop);
    CHECK(error == ECONNREFUSED);
    io = hio_create_socket(loop, "/tmp/no such socket", -1, HIO_TYPE_TCP, HIO_CLIENT_SIDE);
    CHECK(io != NULL);
    hio_setcb_close(io, on_close);
    hio_connect(io);
    hloop_run(loop);
    CHECK(error == ENOENT);
    hloop_free(&loop);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    check_memory();
    check_list();
    check_threads();
    check_log(argv[1]);
    check_time();
    check_sockets();
    check_loop();
    CHECK(strcmp(hv_strerror(ECONNREFUSED), "Connection refused") == 0);
    HV_MEMCHECK;
    return 0;
}
