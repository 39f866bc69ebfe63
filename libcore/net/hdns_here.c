/* What needs no name server. */
#include "hdns_int.h"

#include "../base/hstr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63

hdns_answer_t hdns__impossible = {.err = HERR_SYNTAX, .why = "no such name is possible"};
static hdns_answer_t other_family = {.err = HERR_RESOLVE,
                                     .why = "the address is of another family"};

bool hdns__is_legal(const char *name)
{
    size_t label = 0, len = 0;

    for (; name[len]; len++) {
        unsigned char c = (unsigned char)name[len];

        if (c <= ' ' || c >= 0x7f || strchr("/\\\"'()<>[]@:;,%", c))
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX || (c == '.' && (len == 0 || name[len - 1] == '.')))
            return false;
    }
    return len > 0 && len <= HDNS_NAME_LEN_MAX;
}

/* RFC 6761 section 6.3: such names never leave the machine. */
static bool is_localhost(const char *name)
{
    static const char localhost[] = "localhost";
    size_t len = strlen(name), tail = sizeof(localhost) - 1;

    if (len < tail || strcasecmp(name + len - tail, localhost) != 0)
        return false;
    return len == tail || name[len - tail - 1] == '.';
}

static hdns_answer_t *address_answer(const haddr_t *addr, int type)
{
    bool v4 = addr->u.sa.sa_family == AF_INET;
    hdns_record_t record = {.type = (hdns_type_e)type, .len = v4 ? 4 : 16};

    if (v4 != (type == HDNS_TYPE_A))
        return hdns__answer_ref(&other_family);
    record.text = v4 ? (const char *)&addr->u.sin.sin_addr : (const char *)&addr->u.sin6.sin6_addr;
    return hdns__answer_new(&record, 1, 0);
}

bool hdns__parse_number(const char *name, haddr_t *addr)
{
    if (haddr_parse(addr, name, 0) == 0)
        return true;
    haddr_any(addr, AF_INET, 0);
    return strpbrk(name, " \t\n\v\f\r") == NULL && /* it would read no further */
           inet_aton(name, &addr->u.sin.sin_addr) != 0;
}

hdns_answer_t *hdns__find_here(hdns_t *dns, const char *name, int type, const haddr_t *number)
{
    hdns_answer_t *answer;
    haddr_t addr;

    if (number)
        return address_answer(number, type);
    if (!hdns__is_legal(name))
        return &hdns__impossible;
    answer = hdns__hosts_find(dns, name, type);
    if (answer) {
        dns->stats.hosts_hits++;
    } else if (is_localhost(name)) {
        haddr_loopback(&addr, type == HDNS_TYPE_A ? AF_INET : AF_INET6, 0);
        answer = address_answer(&addr, type);
    }
    return answer;
}

void hdns__reverse_name(const unsigned char *bytes, size_t len, char *name)
{
    static const char digits[] = "0123456789abcdef";
    char *p = name;

    if (len == 4) {
        snprintf(name, HDNS_NAME_SIZE, "%u.%u.%u.%u.in-addr.arpa", bytes[3], bytes[2], bytes[1],
                 bytes[0]);
        return;
    }
    for (size_t i = len; i-- > 0;) {
        *p++ = digits[bytes[i] & 15];
        *p++ = '.';
        *p++ = digits[bytes[i] >> 4];
        *p++ = '.';
    }
    memcpy(p, "ip6.arpa", sizeof("ip6.arpa"));
}
