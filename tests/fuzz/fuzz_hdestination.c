/* Rules of destinations and hosts: whatever is taken is taken the same way twice, and a host in its
 * plain spelling is judged as it is in any other. A line is a rule; the last one is a host. */
#include "net/hdestination.h"
#include "net/hhost.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void ask(const hdestination_t *list, const char *host)
{
    char plain[HHOST_SIZE], again[HHOST_SIZE];
    haddr_t addr;

    if (hhost_plain(host, plain) != 0)
        return;
    check(hhost_plain(plain, again) == 0 && strcmp(plain, again) == 0);
    (void)hdestination_check_host(list, plain, 80);
    if (haddr_parse(&addr, plain, 80) != 0)
        haddr_loopback(&addr, AF_INET, 80);
    else if (hdestination_check_host(list, plain, 80) == HDESTINATION_DENIED)
        check(!hdestination_check_addr(list, plain, &addr.u.sa, NULL));
    (void)hdestination_check_addr(list, plain, &addr.u.sa, &addr.u.sa);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *line = text, *end;
    char error[HDESTINATION_ERROR_SIZE];
    hdestination_t *list;

    check(text && hdestination_new(&list) == 0);
    memcpy(text, data, size);
    text[size] = '\0';
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        error[0] = '\0';
        check((hdestination_add(list, line, error, sizeof(error)) < 0) == (error[0] != '\0'));
    }
    ask(list, line);
    hdestination_free(list);
    free(text);
    return 0;
}
