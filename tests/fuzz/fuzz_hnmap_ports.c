/* The first byte tells which protocols are scanned, the rest is -p. What is read is read again as
 * what it is written as, and a set is the same walked as indexed. */
#include "../../cmd/hnmap/ports.h"
#include "base/herr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_set(const port_set_t *set, const port_set_t *other, names_t *names)
{
    hbytes_t text = {0};
    char error[PORTS_ERROR_SIZE];
    uint32_t count = 0;
    ports_t again;

    for (int port = port_set_next(set, 0); port >= 0; port = port_set_next(set, port + 1)) {
        if (count % 61 == 0)
            check(port_set_at(set, count) == port);
        check(port_set_has(set, (uint16_t)port));
        count++;
    }
    check(count == set->count);
    if (count > 0) {
        check(port_set_format(set, &text) == 0);
        check(ports_parse(&again, text.data, PORTS_TCP, names, error, sizeof(error)) == 0);
        check(!again.repeated && memcmp(&again.tcp, set, sizeof(*set)) == 0);
        hbytes_deinit(&text);
    }
    again.tcp = *set;
    port_set_join(&again.tcp, other);
    port_set_remove(&again.tcp, other);
    check(again.tcp.count <= count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static names_t *names; /* the system's table is the same for each input */
    char error[PORTS_ERROR_SIZE], *text;
    unsigned protocols;
    ports_t ports, top;
    int err;

    if (size == 0)
        return 0;
    if (names == NULL)
        names = names_new();
    protocols = data[0] % 3 + 1;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    err = ports_parse(&ports, text, protocols, names, error, sizeof(error));
    if (err == 0) {
        check((protocols & PORTS_TCP) != 0 || ports.tcp.count == 0);
        check((protocols & PORTS_UDP) != 0 || ports.udp.count == 0);
        check(ports.tcp.count + ports.udp.count + ports.not_scanned > 0);
        check_set(&ports.tcp, &ports.udp, names);
        check_set(&ports.udp, &ports.tcp, names);
        ports_top(&top, data[0], protocols, &ports, NULL);
        check(top.tcp.count == (ports.tcp.count < data[0] ? ports.tcp.count : data[0]));
    } else {
        check(err == HERR_SYNTAX || err == HERR_RANGE || err == HERR_UNSUPPORTED);
        check(error[0] != '\0');
    }
    free(text);
    return 0;
}
