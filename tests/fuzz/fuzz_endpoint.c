/* Whatever is accepted as an end point prints as text that parses to the same end point; whatever
 * is refused has a message. */
#include "net/hendpoint.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 600

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_endpoint(const char *text)
{
    char error[64] = "", printed[HENDPOINT_FORMAT_SIZE];
    hendpoint_t ep, again;

    if (hendpoint_parse(&ep, text, error, sizeof(error)) != 0) {
        check(error[0] != '\0' && strlen(error) < sizeof(error));
        return;
    }
    hendpoint_format(&ep, printed, sizeof(printed));
    check(strlen(printed) < sizeof(printed) - 1);
    check(hendpoint_parse(&again, printed, NULL, 0) == 0);
    check(memcmp(&ep, &again, sizeof(ep)) == 0);
}

static void check_address(const char *text)
{
    char printed[HADDR_FORMAT_SIZE];
    haddr_t addr, again;

    if (haddr_parse(&addr, text, 80) == 0) {
        haddr_ip(&addr.u.sa, printed, sizeof(printed));
        check(haddr_parse(&again, printed, 80) == 0);
        check(haddr_equal(&addr.u.sa, &again.u.sa));
    }
    if (haddr_unix(&addr, text) == 0) {
        check(haddr_len(&addr.u.sa) == addr.len);
        haddr_format(&addr.u.sa, addr.len, printed, sizeof(printed));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX];
    uint16_t first, last;

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_endpoint(text);
    check_address(text);
    if (haddr_port_parse(text, "tcp", &first, &last, NULL, 0) == 0)
        check(first <= last);
    return 0;
}
