/* What a program written for libhv asks of the system it was built on. */
#ifndef HV_HCONFIG_H
#define HV_HCONFIG_H

#define HAVE_STDBOOL_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDATOMIC_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_FCNTL_H 1
#define HAVE_PTHREAD_H 1
#define HAVE_GETTID 1
#define HAVE_STRLCPY 0
#define HAVE_STRLCAT 0
#define HAVE_CLOCK_GETTIME 1
#define HAVE_GETTIMEOFDAY 1
#define HAVE_PTHREAD_SPIN_LOCK 1
#define HAVE_EVENTFD 1
#define HAVE_SETPROCTITLE 0
#define ENABLE_UDS 1

#endif
