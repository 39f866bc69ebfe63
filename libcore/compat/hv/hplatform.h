/* The headers of the C library that libhv's programs expect to come along, and the few calls whose
 * names differ between systems. */
#ifndef HV_HPLATFORM_H
#define HV_HPLATFORM_H

/* Programs built with -std=c99 use what POSIX has; in vain if they include another header first. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hconfig.h"

#ifdef __cplusplus
extern "C" {
#endif

#define OS_UNIX
#if defined(__linux__)
#define OS_LINUX
#endif

#define stricmp strcasecmp
#define strnicmp strncasecmp

/* Wait for s, ms or us; a signal does not cut it short. */
void hv_sleep_us(uint64_t us);
#define hv_sleep(s) hv_sleep_us((uint64_t)(s)*1000000)
#define hv_msleep(ms) hv_sleep_us((uint64_t)(ms)*1000)
#define hv_usleep(us) hv_sleep_us((uint64_t)(us))
#define hv_delay(ms) hv_msleep(ms)
#define hv_mkdir(dir) mkdir((dir), 0777)

#ifdef __cplusplus
}
#endif

#endif
