/* Memory, strings and paths under libhv's names. Memory that is not to be had is NULL:
 * nothing exits. */
#ifndef HV_HBASE_H
#define HV_HBASE_H

#include "hdef.h"
#include "hexport.h"

#ifdef __cplusplus
extern "C" {
#endif

void *hv_malloc(size_t size);
void *hv_zalloc(size_t size);
void *hv_realloc(void *oldptr, size_t newsize, size_t oldsize); /* what grew is zeroed */
void hv_free(void *ptr);

#define HV_ALLOC(ptr, size) ((ptr) = hv_zalloc(size))
#define HV_ALLOC_SIZEOF(ptr) HV_ALLOC(ptr, sizeof(*(ptr)))
#define HV_FREE(ptr)                                                                               \
    do {                                                                                           \
        hv_free(ptr);                                                                              \
        (ptr) = NULL;                                                                              \
    } while (0)

/* For what is small most of the time: zeroed memory on the stack up to stack_size, else from the
 * heap. ptr##_heap_ tells STACK_OR_HEAP_FREE which. */
#define STACK_OR_HEAP_ALLOC(ptr, size, stack_size)                                                 \
    unsigned char ptr##_stack_[stack_size] = {0};                                                  \
    void *ptr##_heap_ = (size_t)(size) > (size_t)(stack_size) ? hv_zalloc(size) : NULL;            \
    (ptr) = (size_t)(size) > (size_t)(stack_size) ? ptr##_heap_ : (void *)ptr##_stack_
#define STACK_OR_HEAP_FREE(ptr) hv_free(ptr##_heap_)

/* How often memory was taken and given back by the functions above; HV_MEMCHECK prints both to
 * stdout when the program ends. */
long hv_alloc_cnt(void);
long hv_free_cnt(void);
void hv_memcheck(void);
#define HV_MEMCHECK atexit(hv_memcheck)

/* Copy, or append to, a buffer of n bytes, cut if needed and always NUL-terminated. Return dest. */
char *hv_strncpy(char *dest, const char *src, size_t n);
char *hv_strncat(char *dest, const char *src, size_t n);

bool hv_startswith(const char *str, const char *start);
bool hv_endswith(const char *str, const char *end);

/* "name.txt" of "/dir/name.txt"; "txt" of "name.txt", "" when there is none. */
const char *hv_basename(const char *filepath);
const char *hv_suffixname(const char *filename);

bool hv_exists(const char *path);
bool hv_isdir(const char *path);
bool hv_isfile(const char *path);
size_t hv_filesize(const char *filepath); /* 0 when there is no such file */

/* A random number, min..max. */
int hv_rand(int min, int max);

/* The path of the running program, its folder and its name; the current folder. They return buf, or
 * NULL when it is too small. */
char *get_executable_path(char *buf, int size);
char *get_executable_dir(char *buf, int size);
char *get_executable_file(char *buf, int size);
char *get_run_dir(char *buf, int size);

#ifdef __cplusplus
}
#endif

#endif
