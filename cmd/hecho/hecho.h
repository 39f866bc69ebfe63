/* hecho: what its files share.
 *
 *     hecho.c     options, documentation, main
 *     service.c   end points, log, signals: from the start to the end
 *     workers.c   the same with worker processes
 *     server.c    serving on one loop, and stopping
 *     client.c    stream connections
 *     lines.c     those that are answered line by line
 *     datagram.c  datagram sockets
 *     answer.c    the bytes of answers
 *     report.c    lines for people and JSON */
#ifndef HNET_HECHO_HECHO_H
#define HNET_HECHO_HECHO_H

#include "app/hmain.h"
#include "app/hopt.h"
#include "app/htitle.h"
#include "report.h"

typedef enum {
    ANSWER_ECHO = 0,
    ANSWER_ROT13,
    ANSWER_LINES, /* prefix and line; never chosen by itself: --prefix makes it */
    ANSWER_DISCARD,
    ANSWER_CHARGEN
} answer_e;

#define PREFIX_SIZE_MAX 1024
#define ENDPOINTS_MAX 64

typedef struct hecho_options_s {
    bool discard;
    bool chargen;
    bool rot13;
    const char *prefix;
    answer_e answer;    /* what these four come to */
    uint32_t max_conns; /* 0: no limit */
    uint32_t idle_ms;
    uint32_t workers; /* 0: this process serves */
    int verbose;      /* 1: connections, 2: datagrams too */
    int log_format;   /* report_format_e */
    const char *log_file;
    hmain_options_t main;
} hecho_options_t;

/* Serves until it is told to stop; the exit status. The title is that of this process, or NULL. */
int hecho_serve(const hecho_options_t *options, const hopt_list_t *endpoints, htitle_t *title);

#endif
