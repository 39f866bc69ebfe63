#include "htitle.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/hmem.h"

#define TITLE_MAX 256

struct htitle_s {
    char *area; /* the kernel's: argv's strings and, right after them, the environment's */
    size_t size;
    char *image;        /* what stood there; the moved pointers point into it */
    char **argv;        /* moved */
    char **environment; /* moved */
    char **old_argv;
    char **old_environment;
};

/* Extends the area by the strings that follow it without a gap. */
static void extend(htitle_t *t, char *const *strings)
{
    for (; *strings != NULL && *strings == t->area + t->size; strings++)
        t->size += strlen(*strings) + 1;
}

/* A copy of the array whose strings of the area are those of the image. */
static char **move_strings(const htitle_t *t, char *const *strings)
{
    size_t count = 0;
    char **moved;

    while (strings[count] != NULL)
        count++;
    moved = hmem_array(count + 1, sizeof(*moved));
    for (size_t i = 0; moved != NULL && i < count; i++) {
        uintptr_t at = (uintptr_t)strings[i] - (uintptr_t)t->area;

        moved[i] = at < t->size ? t->image + at : strings[i];
    }
    return moved;
}

static void release(htitle_t *t)
{
    hmem_free(t->environment);
    hmem_free(t->argv);
    hmem_free(t->image);
    hmem_free(t);
}

htitle_t *htitle_init(int argc, char ***argv)
{
    htitle_t *t = hmem_zalloc(sizeof(*t));

    if (t == NULL || argc < 1)
        goto fail;
    t->old_argv = *argv;
    t->old_environment = environ;
    t->area = (*argv)[0];
    extend(t, *argv);
    if (environ != NULL)
        extend(t, environ);
    t->image = hmem_alloc(t->size);
    if (t->image == NULL)
        goto fail;
    memcpy(t->image, t->area, t->size);
    t->argv = move_strings(t, *argv);
    t->environment = environ != NULL ? move_strings(t, environ) : NULL;
    if (t->argv == NULL || (environ != NULL && t->environment == NULL))
        goto fail;
    *argv = t->argv;
    environ = t->environment;
    return t;
fail:
    if (t != NULL)
        release(t);
    return NULL;
}

void htitle_set(htitle_t *title, const char *fmt, ...)
{
    char text[TITLE_MAX];
    va_list ap;
    size_t len;

    if (title == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    len = strlen(text);
    len = len < title->size ? len : title->size - 1;
    memcpy(title->area, text, len);
    memset(title->area + len, 0, title->size - len);
}

void htitle_free(htitle_t *title, char ***argv)
{
    if (title == NULL)
        return;
    *argv = title->old_argv;
    memcpy(title->area, title->image, title->size);
    if (environ != title->environment)
        return; /* setenv made an array of its own, which points into ours */
    environ = title->old_environment;
    release(title);
}
