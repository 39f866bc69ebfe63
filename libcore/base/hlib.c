#include "hlib.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES_MAX 4

static int fail(hlib_t *lib, const char *what)
{
    snprintf(lib->error, sizeof(lib->error), "%s", what ? what : "cannot be loaded");
    return HERR_UNSUPPORTED;
}

/* The libraries of one table may each hold a part of its symbols. */
static void *find(void *const *handles, const char *name)
{
    void *found = NULL;

    for (size_t i = 0; !found && handles[i]; i++)
        found = dlsym(handles[i], name);
    return found;
}

/* Most programs are linked today so that what is only read stands in front of their code: the
 * names of the symbols and what is to be relocated, 0.8 MiB of libcrypto. Of use while something is
 * loaded, that need not stay in memory; who looks for another name reads it again. */
static int forget_names(struct dl_phdr_info *info, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = (info->dlpi_addr + part->p_vaddr) & ~(page - 1);

        if (part->p_type == PT_LOAD && part->p_flags == PF_R && part->p_offset == 0)
            madvise((void *)begin, part->p_memsz, MADV_DONTNEED);
    }
    return 0;
}

static int load(hlib_t *lib)
{
    void *handles[FILES_MAX + 1] = {NULL};

    for (size_t i = 0; i < FILES_MAX && lib->files[i]; i++) {
        handles[i] = dlopen(lib->files[i], RTLD_NOW | RTLD_LOCAL);
        if (!handles[i])
            return fail(lib, dlerror());
    }
    for (size_t i = 0; i < lib->symbol_count; i++) {
        void *found = find(handles, lib->symbols[i].name);

        if (!found)
            return fail(lib, dlerror());
        *(void **)((char *)lib->table + lib->symbols[i].offset) = found;
    }
    dl_iterate_phdr(forget_names, NULL);
    return 1;
}

int hlib_load(hlib_t *lib)
{
    int state;

    pthread_mutex_lock(&lib->lock);
    if (lib->state == 0)
        lib->state = load(lib);
    state = lib->state;
    pthread_mutex_unlock(&lib->lock);
    return state < 0 ? state : 0;
}

const char *hlib_error(const hlib_t *lib)
{
    return lib->error;
}
