/* What hnmap says about itself: --help, the manual page, the completions. */
#include "options.h"

static const char *const usage[] = {"[options] TARGET...", NULL};

static const char *const description[] = {
    "hnmap tells which hosts of a network are up and which of their ports are open, with the "
    "options, the targets and the outputs of nmap.",
    NULL,
};

static const hopt_term_t operands[] = {
    {"TARGET", "An address, a name, a network (10.0.0.0/24, example.com/28), or octets with lists "
               "and ranges (10.0.3-5,7.1-)."},
    {NULL, NULL},
};

static const hopt_term_t examples[] = {
    {"hnmap -sL 192.168.1.0/30", "List what would be scanned."},
    {NULL, NULL},
};

static const hopt_term_t exit_status[] = {
    {"0", "The scan has ended, whatever it found."},
    {"1", "The scan could not be done, or a file not written."},
    {"2", "Bad usage: an unknown option, a bad target or port."},
    {NULL, NULL},
};

static const char *const see_also[] = {"hnc(1)", "hcurl(1)", NULL};

const hopt_doc_t hnmap_doc = {
    .name = "hnmap",
    .summary = "host discovery and port scanner",
    .options = option_rows,
    .usage = usage,
    .description = description,
    .operands = operands,
    .examples = examples,
    .exit_status = exit_status,
    .see_also = see_also,
    .operand = HOPT_OPERAND_HOST,
};
