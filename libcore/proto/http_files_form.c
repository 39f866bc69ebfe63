/* Which form of a file the client likes most: a sibling that somebody compressed, one that is made
 * here, the file as it is. What is made of a file in memory is kept beside it; its tag is weak, as
 * another version of a library makes other bytes of the same text. */
#include "http_files_int.h"

#include "../base/hmem.h"

#include <limits.h>
#include <string.h>

#define SIBLINGS                                                                                   \
    (HTTP_CODING_BIT(HTTP_CODING_BR) | HTTP_CODING_BIT(HTTP_CODING_ZSTD) |                         \
     HTTP_CODING_BIT(HTTP_CODING_GZIP))

/* ---- precompressed siblings ------------------------------------------------------------------ */

/* The file beside it that holds it in this coding; older than a second it is of a former state.
 * NULL: there is none. */
static http_file_t *sibling(http_files_t *files, const http_file_t *file, http_coding_e coding,
                            uint64_t now_us)
{
    const char *suffix = http_coding_suffix(coding);
    size_t len = file->path_len + strlen(suffix);
    http_file_t *found = NULL;
    char path[PATH_MAX];

    if (len >= sizeof(path))
        return NULL;
    memcpy(path, file->path, file->path_len);
    memcpy(path + file->path_len, suffix, strlen(suffix));
    if (http_files__get(files, (http_span_t){path, len}, now_us, &found) < 0)
        return NULL;
    if (!found->folder && found->state.mtime.tv_sec + 1 >= file->state.mtime.tv_sec)
        return found;
    http_files__put(found);
    return NULL;
}

static void look_for_siblings(http_files_t *files, http_file_t *file, uint64_t now_us)
{
    file->looked = true;
    file->codings = 0;
    for (int coding = 0; coding < HTTP_CODING_COUNT; coding++) {
        http_file_t *found = SIBLINGS & HTTP_CODING_BIT(coding)
                                 ? sibling(files, file, (http_coding_e)coding, now_us)
                                 : NULL;

        if (!found)
            continue;
        file->codings |= HTTP_CODING_BIT(coding);
        http_files__put(found);
    }
}

/* ---- files in memory, coded ------------------------------------------------------------------ */

/* No path has a NUL in it. */
static bool make_key(const http_file_t *file, http_coding_e coding, char key[PATH_MAX],
                     http_span_t *span)
{
    if (file->path_len + 2 > PATH_MAX)
        return false;
    memcpy(key, file->path, file->path_len);
    key[file->path_len] = '\0';
    key[file->path_len + 1] = (char)('0' + coding);
    *span = (http_span_t){key, file->path_len + 2};
    return true;
}

/* Into one that is shorter, or not at all. */
static bool encode(const http_file_t *file, http_coding_e coding, http_file_t *coded)
{
    http_span_t in = {file->content, (size_t)file->size};
    size_t size = (size_t)file->size - 1;
    http_coding_t *encoder = NULL;
    hbuf_t out;
    int state = -1;

    coded->content = hmem_alloc(size);
    out = (hbuf_t){coded->content, size};
    if (coded->content &&
        http_encoder_new(coding, HTTP_CODING_LEVEL_DEFAULT, in.len, &encoder) == 0)
        state = http_coding_step(encoder, &in, &out, HTTP_CODING_FINISH);
    http_coding_free(encoder);
    coded->size = (int64_t)(size - out.len);
    return state == HTTP_CODING_END;
}

/* What cannot be made shorter is kept as one without content, so that it is not tried each time. */
static http_file_t *make(http_files_t *files, const http_file_t *file, http_coding_e coding,
                         http_span_t key)
{
    http_file_t *coded = http_files__new(key, &file->state);
    char type[256];
    char *content;

    if (!coded || file->type.len >= sizeof(type))
        return coded;
    if (encode(file, coding, coded)) {
        content = hmem_realloc(coded->content, (size_t)coded->size);
        coded->content = content ? content : coded->content;
        coded->cost += (size_t)coded->size;
        memcpy(type, file->type.data, file->type.len);
        type[file->type.len] = '\0';
        if (http_files__describe(files, coded, type, HTTP_FILES_CODED) == 0)
            return coded;
    }
    hmem_free(coded->content);
    coded->content = NULL;
    return coded;
}

static http_file_t *get_coded(http_files_t *files, const http_file_t *file, http_coding_e coding)
{
    char text[PATH_MAX];
    http_file_t *coded;
    http_span_t key;

    if (!make_key(file, coding, text, &key))
        return NULL;
    coded = http_files__find(files, key);
    if (coded && (coded->fresh || !http_files__same_state(&coded->state, &file->state))) {
        http_files__drop(files, coded);
        coded = NULL;
    }
    if (coded) {
        coded->refs++;
    } else {
        coded = make(files, file, coding, key);
        if (!coded)
            return NULL;
        http_files__keep(files, coded);
    }
    if (coded->content)
        return coded;
    http_files__put(coded);
    return NULL;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* Whether it is coded for those who like that: a part never is, so that parts fit each other. */
static bool may_code(const http_files_t *files, const http_stream_t *stream,
                     const http_file_t *file)
{
    http_span_t control = http_response_get(stream, "Cache-Control");

    if (!files->options.compress || !file->compressible ||
        file->size < (int64_t)files->compress.length_min)
        return false;
    if (!control.data && files->options.cache_control)
        control = http_span(files->options.cache_control);
    return !control.data || !memmem(control.data, control.len, "no-transform", 12);
}

/* Made once, for a file in memory. */
static void choose_coded(http_files_t *files, const http_file_t *file,
                         const http_files_wish_t *wish, http_files_form_t *form)
{
    http_file_t *coded = NULL;
    int chosen =
        http_coding_choose(wish->accept_encoding,
                           http_coding_available(SIBLINGS) | HTTP_CODING_BIT(HTTP_CODING_IDENTITY));

    if (chosen > HTTP_CODING_IDENTITY)
        coded = get_coded(files, file, (http_coding_e)chosen);
    if (coded)
        *form = (http_files_form_t){coded, (http_coding_e)chosen, true, false};
}

static void choose_sibling(http_files_t *files, const http_file_t *file,
                           const http_files_wish_t *wish, uint64_t now_us, http_files_form_t *form)
{
    int chosen = http_coding_choose(wish->accept_encoding,
                                    file->codings | HTTP_CODING_BIT(HTTP_CODING_IDENTITY));
    http_file_t *found = NULL;

    if (chosen > HTTP_CODING_IDENTITY)
        found = sibling(files, file, (http_coding_e)chosen, now_us);
    if (found)
        *form = (http_files_form_t){found, (http_coding_e)chosen, true, false};
}

/* What the client likes most: a sibling, a coded form, or the file as it is. */
http_files_form_t http_files__choose_form(http_files_t *files, const http_stream_t *stream,
                                          http_file_t *file, const http_files_wish_t *wish)
{
    bool codes = may_code(files, stream, file);
    http_files_form_t form = {NULL, HTTP_CODING_IDENTITY, codes, false};

    if (files->options.precompressed && !file->looked)
        look_for_siblings(files, file, stream->started_us);
    form.varies |= file->codings != 0;
    if (file->codings && wish->accept_encoding.data)
        choose_sibling(files, file, wish, stream->started_us, &form);
    if (!form.file && codes && file->content && wish->accept_encoding.data && !wish->range.data)
        choose_coded(files, file, wish, &form);
    if (!form.file) {
        form.file = file;
        form.compress = codes && !file->content;
        file->refs++;
    }
    return form;
}
