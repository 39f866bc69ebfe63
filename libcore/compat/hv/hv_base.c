#include "hbase.h"
#include "hsysinfo.h"
#include "hversion.h"

#include "../../base/hmem.h"
#include "../../base/hstr.h"

#include <stdatomic.h>
#include <sys/random.h>
#include <sys/sysinfo.h>

/* For HV_MEMCHECK, which is a question about the whole process. */
static atomic_long alloc_cnt;
static atomic_long free_cnt;

/* ---- memory ---------------------------------------------------------------------------------- */

static void *counted(void *ptr)
{
    if (ptr)
        atomic_fetch_add_explicit(&alloc_cnt, 1, memory_order_relaxed);
    return ptr;
}

void *hv_malloc(size_t size)
{
    return counted(hmem_alloc(size));
}

void *hv_zalloc(size_t size)
{
    return counted(hmem_zalloc(size));
}

void *hv_realloc(void *oldptr, size_t newsize, size_t oldsize)
{
    char *ptr = hmem_realloc(oldptr, newsize);

    if (!ptr)
        return NULL;
    if (!oldptr)
        counted(ptr);
    if (newsize > oldsize)
        memset(ptr + oldsize, 0, newsize - oldsize);
    return ptr;
}

void hv_free(void *ptr)
{
    if (ptr)
        atomic_fetch_add_explicit(&free_cnt, 1, memory_order_relaxed);
    hmem_free(ptr);
}

long hv_alloc_cnt(void)
{
    return atomic_load_explicit(&alloc_cnt, memory_order_relaxed);
}

long hv_free_cnt(void)
{
    return atomic_load_explicit(&free_cnt, memory_order_relaxed);
}

void hv_memcheck(void)
{
    printf("Memcheck => alloc:%ld free:%ld\n", hv_alloc_cnt(), hv_free_cnt());
}

/* ---- strings --------------------------------------------------------------------------------- */

char *hv_strncpy(char *dest, const char *src, size_t n)
{
    hstr_copy(dest, n, src);
    return dest;
}

char *hv_strncat(char *dest, const char *src, size_t n)
{
    size_t len = strnlen(dest, n);

    hstr_copy(dest + len, n - len, src);
    return dest;
}

bool hv_startswith(const char *str, const char *start)
{
    return hstr_starts(str, start);
}

bool hv_endswith(const char *str, const char *end)
{
    size_t len = strlen(str), end_len = strlen(end);

    return len >= end_len && memcmp(str + len - end_len, end, end_len) == 0;
}

const char *hv_basename(const char *filepath)
{
    const char *slash = strrchr(filepath, '/');

    return slash ? slash + 1 : filepath;
}

const char *hv_suffixname(const char *filename)
{
    const char *dot = strrchr(hv_basename(filename), '.');

    return dot ? dot + 1 : "";
}

/* ---- files ----------------------------------------------------------------------------------- */

bool hv_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool hv_isdir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool hv_isfile(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

size_t hv_filesize(const char *filepath)
{
    struct stat st;

    return stat(filepath, &st) == 0 ? (size_t)st.st_size : 0;
}

char *get_executable_path(char *buf, int size)
{
    ssize_t len = size > 0 ? readlink("/proc/self/exe", buf, (size_t)size) : -1;

    if (len < 0 || len >= size)
        return NULL;
    buf[len] = '\0';
    return buf;
}

char *get_executable_dir(char *buf, int size)
{
    char *slash;

    if (!get_executable_path(buf, size))
        return NULL;
    slash = strrchr(buf, '/');
    if (slash)
        slash[slash == buf] = '\0';
    return buf;
}

char *get_executable_file(char *buf, int size)
{
    char path[PATH_MAX];
    const char *name;

    if (!get_executable_path(path, (int)sizeof(path)))
        return NULL;
    name = hv_basename(path);
    return size > 0 && hstr_copy(buf, (size_t)size, name) < (size_t)size ? buf : NULL;
}

char *get_run_dir(char *buf, int size)
{
    return size > 0 ? getcwd(buf, (size_t)size) : NULL;
}

/* ---- the machine ----------------------------------------------------------------------------- */

int hv_rand(int min, int max)
{
    uint64_t span = (uint64_t)((int64_t)max - min) + 1;
    uint64_t random = 0;

    if (max <= min)
        return min;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return min;
    return (int)(min + (int64_t)(random % span));
}

int get_ncpu(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (int)n : 1;
}

int get_meminfo(meminfo_t *mem)
{
    struct sysinfo info;

    if (sysinfo(&info) != 0)
        return -errno;
    mem->total = (unsigned long)((uint64_t)info.totalram * info.mem_unit / 1024);
    mem->free = (unsigned long)((uint64_t)info.freeram * info.mem_unit / 1024);
    return 0;
}

const char *hv_version(void)
{
    return HNET_VERSION;
}

const char *hv_compile_version(void)
{
    return HNET_VERSION;
}
