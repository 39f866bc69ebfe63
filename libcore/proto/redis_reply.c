/* hiredis' reader calls the functions in `makers` for each object that it has read; these build the
 * tree out of our own memory, and refuse what is past a bound. */
#include "redis_reply.h"

#include "../base/hlib.h"
#include "../base/hmem.h"
#include "../base/hstr.h"

#include <stdio.h>
#include <string.h>

bool redis_reply_is(const redis_reply_t *reply, redis_reply_e type, const char *text)
{
    return reply->type == type && reply->len == strlen(text) &&
           memcmp(reply->text, text, reply->len) == 0;
}

#if HNET_WITH_HIREDIS
#include <hiredis/hiredis.h>

#define SLICE ((size_t)16 * 1024) /* fed at a time, so that hiredis' buffer has a bound */
#define SONAME_OF(number) #number
#define SONAME(number) "libhiredis.so." SONAME_OF(number)

typedef struct hiredis_lib_s {
    HLIB_FUNCTION(redisReaderCreateWithFunctions);
    HLIB_FUNCTION(redisReaderFree);
    HLIB_FUNCTION(redisReaderFeed);
    HLIB_FUNCTION(redisReaderGetReply);
    HLIB_FUNCTION(redisFormatCommandArgv);
    HLIB_FUNCTION(redisFreeCommand);
} hiredis_lib_t;

#define ROW(name) HLIB_SYMBOL(hiredis_lib_t, name)

static hiredis_lib_t hiredis;
static const hlib_symbol_t symbols[] = {ROW(redisReaderCreateWithFunctions),
                                        ROW(redisReaderFree),
                                        ROW(redisReaderFeed),
                                        ROW(redisReaderGetReply),
                                        ROW(redisFormatCommandArgv),
                                        ROW(redisFreeCommand)};
static const char *const files[] = {SONAME(HIREDIS_SONAME), NULL};
static hlib_t lib = {
    files, symbols, sizeof(symbols) / sizeof(symbols[0]), &hiredis, PTHREAD_MUTEX_INITIALIZER,
    0,     ""};

struct redis_reader_s {
    redisReader *reader;
    size_t fed;   /* bytes since the last whole reply, and at most a slice before */
    size_t items; /* elements of the reply that is being read */
    int refused;  /* why an object was not made: HERR_FRAME_SIZE, -ENOMEM; 0: none was refused */
    int error;    /* for good */
    char text[REDIS_ERROR_SIZE];
};

/* ---- the tree -------------------------------------------------------------------------------- */

static void *refuse(redis_reader_t *r, int why)
{
    r->refused = why;
    return NULL;
}

/* A new object with `more` bytes behind it, in its place in the array that it belongs to. */
static redis_reply_t *make(const redisReadTask *task, redis_reply_e type, size_t more)
{
    redis_reply_t *reply = hmem_zalloc(sizeof(*reply) + more);
    redis_reply_t *parent = task->parent ? task->parent->obj : NULL;

    if (!reply)
        return refuse(task->privdata, -ENOMEM);
    reply->type = type;
    if (parent)
        parent->items[task->idx] = reply;
    return reply;
}

static void *make_string(const redisReadTask *task, char *data, size_t len)
{
    redis_reply_e type = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
                         : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                            : REDIS_STRING;
    redis_reply_t *reply = make(task, type, len + 1);

    if (!reply)
        return NULL;
    memcpy(reply + 1, data, len);
    reply->text = (const char *)(reply + 1);
    reply->len = len;
    return reply;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    redis_reply_t *reply = make(task, REDIS_INTEGER, 0);

    if (reply)
        reply->integer = value;
    return reply;
}

static void *make_nil(const redisReadTask *task)
{
    return make(task, REDIS_NIL, 0);
}

#if HIREDIS_MAJOR >= 1
static void *make_array(const redisReadTask *task, size_t count)
#else
static void *make_array(const redisReadTask *task, int count)
#endif
{
    redis_reader_t *r = task->privdata;
    redis_reply_t *reply;

    if ((size_t)count > REDIS_REPLY_ITEMS_MAX - r->items)
        return refuse(r, HERR_FRAME_SIZE);
    r->items += (size_t)count;
    reply = make(task, REDIS_ARRAY, (size_t)count * sizeof(redis_reply_t *));
    if (!reply)
        return NULL;
    reply->items = (redis_reply_t **)(reply + 1);
    reply->count = (size_t)count;
    return reply;
}

/* Of an array that was not read to its end the last items are NULL. It nests as deep as hiredis
 * reads, which is 7 levels. */
static void unmake(void *object) /* NOLINT(misc-no-recursion): see above */
{
    redis_reply_t *reply = object;

    for (size_t i = 0; reply && i < reply->count; i++)
        unmake(reply->items[i]);
    hmem_free(reply);
}

static redisReplyObjectFunctions makers = {.createString = make_string,
                                           .createArray = make_array,
                                           .createInteger = make_integer,
                                           .createNil = make_nil,
                                           .freeObject = unmake};

/* ---- reading --------------------------------------------------------------------------------- */

int redis_reader_new(redis_reader_t **reader)
{
    int err = hlib_load(&lib);
    redis_reader_t *r;

    if (err < 0)
        return err;
    r = hmem_zalloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->reader = hiredis.redisReaderCreateWithFunctions(&makers);
    if (!r->reader) {
        hmem_free(r);
        return -ENOMEM;
    }
    redisReaderSetPrivdata(r->reader, r);
    *reader = r;
    return 0;
}

void redis_reader_free(redis_reader_t *r)
{
    if (!r)
        return;
    hiredis.redisReaderFree(r->reader);
    hmem_free(r);
}

static int fail(redis_reader_t *r, int error, const char *text)
{
    r->error = error;
    hstr_escape(r->text, sizeof(r->text), text, strlen(text));
    return error;
}

static int fail_reading(redis_reader_t *r)
{
    if (r->refused == HERR_FRAME_SIZE)
        return fail(r, r->refused, "a reply of too many elements");
    if (r->refused != 0 || r->reader->err == REDIS_ERR_OOM)
        return fail(r, -ENOMEM, herr_str(-ENOMEM));
    return fail(r, HERR_PROTOCOL, r->reader->errstr);
}

/* All replies that are whole by now. */
static int give(redis_reader_t *r, redis_reply_cb cb, void *arg)
{
    void *reply = NULL;
    int result = 0;

    while (result == 0) {
        if (hiredis.redisReaderGetReply(r->reader, &reply) != REDIS_OK)
            return fail_reading(r);
        if (!reply)
            break;
        r->fed = r->items = 0;
        result = cb(reply, arg);
        unmake(reply);
    }
    return result;
}

int redis_reader_feed(redis_reader_t *r, const void *data, size_t len, redis_reply_cb cb, void *arg)
{
    const char *at = data;

    while (len > 0 && r->error == 0) {
        size_t n = len < SLICE ? len : SLICE;
        int result;

        r->fed += n;
        if (hiredis.redisReaderFeed(r->reader, at, n) != REDIS_OK)
            return fail(r, -ENOMEM, herr_str(-ENOMEM));
        result = give(r, cb, arg);
        if (result != 0)
            return result;
        if (r->fed > REDIS_REPLY_SIZE_MAX)
            return fail(r, HERR_FRAME_SIZE, "a reply that is too long");
        at += n;
        len -= n;
    }
    return r->error;
}

const char *redis_reader_error(const redis_reader_t *r)
{
    return r->text;
}

/* ---- writing --------------------------------------------------------------------------------- */

int redis_command(hbytes_t *out, const hbuf_t *words, size_t count)
{
    const char *data[REDIS_COMMAND_WORDS_MAX];
    size_t lens[REDIS_COMMAND_WORDS_MAX];
    char *command = NULL;
    int len, err;

    if (count == 0 || count > REDIS_COMMAND_WORDS_MAX)
        return -EINVAL;
    err = hlib_load(&lib);
    if (err < 0)
        return err;
    for (size_t i = 0; i < count; i++) {
        data[i] = words[i].base;
        lens[i] = words[i].len;
    }
    len = hiredis.redisFormatCommandArgv(&command, (int)count, data, lens);
    if (len < 0)
        return -ENOMEM;
    err = hbytes_append(out, command, (size_t)len);
    hiredis.redisFreeCommand(command);
    return err;
}

const char *redis_why_not(void)
{
    return hlib_load(&lib) < 0 ? hlib_error(&lib) : NULL;
}

#else

int redis_reader_new(redis_reader_t **reader)
{
    (void)reader;
    return HERR_UNSUPPORTED;
}

void redis_reader_free(redis_reader_t *reader)
{
    (void)reader;
}

int redis_reader_feed(redis_reader_t *reader, const void *data, size_t len, redis_reply_cb cb,
                      void *arg)
{
    (void)reader;
    (void)data;
    (void)len;
    (void)cb;
    (void)arg;
    return HERR_UNSUPPORTED;
}

const char *redis_reader_error(const redis_reader_t *reader)
{
    (void)reader;
    return "";
}

int redis_command(hbytes_t *out, const hbuf_t *words, size_t count)
{
    (void)out;
    (void)words;
    (void)count;
    return HERR_UNSUPPORTED;
}

const char *redis_why_not(void)
{
    return "built without hiredis";
}

#endif
