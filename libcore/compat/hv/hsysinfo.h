#ifndef HV_HSYSINFO_H
#define HV_HSYSINFO_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct meminfo_s {
    unsigned long total; /* KiB */
    unsigned long free;
} meminfo_t;

/* Processors that are online, at least 1. */
int get_ncpu(void);

/* 0 or a negative errno. */
int get_meminfo(meminfo_t *mem);

#ifdef __cplusplus
}
#endif

#endif
