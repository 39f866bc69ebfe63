/* options: what the command line asked for, checked. */
#ifndef HNC_OPTIONS_H
#define HNC_OPTIONS_H

#include "app/hopt_doc.h"

#include <stdbool.h>
#include <stdint.h>

#define HNC_NO_TIME UINT32_MAX

typedef struct options_s {
    bool listen;
    bool udp;
    bool unix_path;
    bool keep_open;
    bool zero_io;
    bool numeric;
    bool no_stdin;
    bool shutdown; /* -N */
    bool crlf;
    bool random;
    bool send_only;
    bool recv_only;
    int verbose;
    int family; /* AF_INET, AF_INET6; 0: both */
    int quit_s; /* -q; negative: never */
    uint32_t wait_ms;
    uint32_t connect_wait_ms; /* --wait: connecting alone */
    uint32_t interval_ms;
    uint32_t receive_buffer;
    uint32_t send_buffer;
    const char *source_port;
    const char *source_addr;
    const char *output_file;
    const char *hex_file;
    const char *exec_command;
    const char *shell_command;
    /* From the operands. */
    const char *host; /* NULL: every address; with unix_path the path */
    const char **ports;
    size_t port_count;
} options_t;

extern const hopt_doc_t options_doc;

void options_init(options_t *o);

/* Fills in host and ports from the operands and checks what belongs together. 0, or 1 once one line
 * about the mistake is on stderr. */
int options_check(options_t *o, const hopt_list_t *operands);

static inline bool options_exec(const options_t *o)
{
    return o->exec_command || o->shell_command;
}

#endif
