/* output_text: pieces of text that several formats share. */
#ifndef HNMAP_OUTPUT_TEXT_H
#define HNMAP_OUTPUT_TEXT_H

#include "result.h"
#include "totals.h"

#define OUTPUT_DATE_SIZE 32

/* "Sat Nov 21 23:20:54 2026", local time, as ctime(3) writes it without its newline. Returns
 * buf. */
const char *output_date(time_t when, char *buf);

/* "192.0.2.1". buf has HADDR_FORMAT_SIZE bytes. Returns buf. */
const char *output_ip(const host_result_t *host, char *buf);

/* The name the user gave, else the one of the address, else NULL. */
const char *output_name(const host_result_t *host);

/* "1 IP address (1 host up) scanned in 0.05 seconds". 0 or -ENOMEM. */
int output_summary(hbytes_t *out, const run_t *run);

/* "# hnmap done at Sat Nov 21 23:20:54 2026 -- 1 IP address ...", the last line of a file in lines:
 * an `end` of output_format_t. 0 or -ENOMEM. */
int output_done(hbytes_t *out, const run_t *run, const totals_t *totals);

/* "Apache httpd 2.4 (Debian)", as the VERSION column has it; nothing without a service. */
int output_version(hbytes_t *out, const service_t *service);

/* "AA:BB:CC:00:11:22". buf has 18 bytes. Returns buf. */
const char *output_mac(const uint8_t *mac, char *buf);

#endif
