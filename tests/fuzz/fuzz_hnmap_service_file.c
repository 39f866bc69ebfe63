/* A file of probes, a NUL, and an answer: the file is taken or refused with a line that says why,
 * what its patterns tell is printable and within bounds. */
#include "../../cmd/hnmap/service_file.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 4096 /* patterns that take long to read are the user's own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_text(const char *text, size_t size)
{
    check(memchr(text, '\0', size) != NULL);
    for (; *text; text++)
        check(*text >= 0x20 && *text < 0x7f);
}

static void check_match(const match_t *m, bool is_all)
{
    check((m->level == MATCH_NONE) == (m->name == NULL));
    check(!is_all || m->level == MATCH_VERSION);
    check_text(m->product, sizeof(m->product));
    check_text(m->version, sizeof(m->version));
    check_text(m->extra, sizeof(m->extra));
    check_text(m->hostname, sizeof(m->hostname));
    check_text(m->os, sizeof(m->os));
    check_text(m->device, sizeof(m->device));
    for (size_t i = 0; i < MATCH_CPES; i++)
        check_text(m->cpe[i], sizeof(m->cpe[i]));
}

static void use(const service_file_t *file, const uint8_t *answer, size_t len)
{
    uint16_t order[SERVICE_FILE_PROBES_MAX];
    size_t count = service_file_count(file), likely;
    bool is_tls, is_all;
    match_t m;

    check(count > 0 && count <= SERVICE_FILE_PROBES_MAX);
    check(service_file_probes_for(file, IPPROTO_TCP, 80, 9, order, &likely) <= count);
    for (size_t i = 0; i <= count; i++) {
        is_all = service_file_match(file, i < count ? i : SERVICE_FILE_LISTENER, answer, len, &m,
                                    &is_tls);
        check_match(&m, is_all);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t len = nul ? (size_t)(nul - data) : size;
    char error[SERVICE_FILE_ERROR_SIZE] = "";
    service_file_t *file = NULL;
    uint8_t *answer;

    if (len > FILE_MAX)
        return 0;
    if (service_file_parse((const char *)data, len, "F", &file, error, sizeof(error)) < 0) {
        check(error[0] == 'F' && error[1] == ':');
        return 0;
    }
    len = nul ? size - len - 1 : 0;
    answer = malloc(len ? len : 1); /* ends where the answer ends */
    if (len > 0)
        memcpy(answer, nul + 1, len);
    use(file, answer, len);
    free(answer);
    service_file_free(file);
    return 0;
}
