/* service_file: probes and patterns that the user brings along, in a file of the format that nmap
 * documents for its version detection ("nmap-service-probes File Format"): Exclude, Probe, match,
 * softmatch, ports, sslports, totalwaitms, tcpwrappedms, rarity, fallback. No I/O but for the file
 * itself, no clock. A probe has the number of its place in the file. */
#ifndef HNMAP_SERVICE_FILE_H
#define HNMAP_SERVICE_FILE_H

#include "pattern.h"
#include "service_match.h"

#define SERVICE_FILE_SIZE_MAX ((size_t)16 << 20)
#define SERVICE_FILE_PROBES_MAX 512
#define SERVICE_FILE_MATCHES_MAX 65536
#define SERVICE_FILE_RANGES_MAX 65536 /* of ports, all together */
#define SERVICE_FILE_FALLBACKS_MAX 20 /* of a probe */
#define SERVICE_FILE_GIVEN_UP_MAX 20  /* patterns for one answer, then the others are not tried */
#define SERVICE_FILE_WAIT_MAX_MS 60000
#define SERVICE_FILE_ERROR_SIZE 512

typedef struct service_file_s service_file_t;

/* What is said, and how it is waited for. Strings live as long as the file. */
typedef struct file_probe_s {
    const char *name;
    uint8_t protocol;
    unsigned rarity;     /* 1 to 9; 5 where the file does not tell */
    uint32_t wait_ms;    /* for an answer; 0: not told */
    uint32_t wrapped_ms; /* who ends a connection before that is tcpwrapped; 0: not told */
    const char *data;
    size_t len;
} file_probe_t;

/* Reads a text. 0 and *file; HERR_SYNTAX, HERR_RANGE (too much of something), HERR_UNSUPPORTED (no
 * PCRE2), -ENOMEM, and error is a line that names the file (name), the line and what is wrong. */
int service_file_parse(const char *text, size_t len, const char *name, service_file_t **file,
                       char *error, size_t error_size);
/* Reads a file; as above, and -errno of it. */
int service_file_load(const char *path, service_file_t **file, char *error, size_t error_size);
void service_file_free(service_file_t *file); /* NULL is legal */

size_t service_file_count(const service_file_t *file);
const file_probe_t *service_file_probe(const service_file_t *file, size_t number);
/* The probe called NULL, that only listens; NULL if there is none. */
const file_probe_t *service_file_listener(const service_file_t *file);
/* Whether the file asks to leave a port alone. */
bool service_file_excludes(const service_file_t *file, uint8_t protocol, uint16_t port);

/* The probes that are worth sending to a port: those of the port, and up to this intensity the
 * others, by rarity. The one that only listens is not among them. Returns how many; *likely: how
 * many of them to begin with, those of rarity 1 too; order holds SERVICE_FILE_PROBES_MAX. */
size_t service_file_probes_for(const service_file_t *file, uint8_t protocol, uint16_t port,
                               unsigned intensity, uint16_t *order, size_t *likely);
/* Whether a probe can tell more of a service of this name. */
bool service_file_tells(const service_file_t *file, size_t number, const char *name);

/* What an answer to a probe is, SERVICE_FILE_LISTENER: to one of ours, or to nothing. A `match`
 * gives MATCH_VERSION and true, a `softmatch` MATCH_NAMED or MATCH_PRODUCT and false; MATCH_NONE:
 * no pattern matches. *is_tls: the name said that it was inside of TLS. */
#define SERVICE_FILE_LISTENER SIZE_MAX
bool service_file_match(const service_file_t *file, size_t number, const uint8_t *data, size_t len,
                        match_t *match, bool *is_tls);

#endif
