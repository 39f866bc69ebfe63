#include "htos.h"

#include "../base/herr.h"
#include "../base/hstr.h"

#include <netinet/ip.h>
#include <stdint.h>
#include <stdlib.h>

static const struct {
    const char *word;
    int value;
} words[] = {
    {"critical", IPTOS_PREC_CRITIC_ECP},
    {"inetcontrol", IPTOS_PREC_INTERNETCONTROL},
    {"netcontrol", IPTOS_PREC_NETCONTROL},
    {"lowcost", IPTOS_LOWCOST},
    {"lowdelay", IPTOS_LOWDELAY},
    {"reliability", IPTOS_RELIABILITY},
    {"throughput", IPTOS_THROUGHPUT},
    {"ef", IPTOS_DSCP_EF},
    {"af11", IPTOS_DSCP_AF11},
    {"af12", IPTOS_DSCP_AF12},
    {"af13", IPTOS_DSCP_AF13},
    {"af21", IPTOS_DSCP_AF21},
    {"af22", IPTOS_DSCP_AF22},
    {"af23", IPTOS_DSCP_AF23},
    {"af31", IPTOS_DSCP_AF31},
    {"af32", IPTOS_DSCP_AF32},
    {"af33", IPTOS_DSCP_AF33},
    {"af41", IPTOS_DSCP_AF41},
    {"af42", IPTOS_DSCP_AF42},
    {"af43", IPTOS_DSCP_AF43},
    {"cs0", IPTOS_CLASS_CS0},
    {"cs1", IPTOS_CLASS_CS1},
    {"cs2", IPTOS_CLASS_CS2},
    {"cs3", IPTOS_CLASS_CS3},
    {"cs4", IPTOS_CLASS_CS4},
    {"cs5", IPTOS_CLASS_CS5},
    {"cs6", IPTOS_CLASS_CS6},
    {"cs7", IPTOS_CLASS_CS7},
    {"le", 0x04},          /* RFC 8622 */
    {"voice-admit", 0xb0}, /* RFC 5865 */
    {"mincost", IPTOS_MINCOST},
    {"ect0", IPTOS_ECN_ECT0},
    {"ect1", IPTOS_ECN_ECT1},
    {"ce", IPTOS_ECN_CE},
};

static int parse_hex(const char *digits)
{
    char *end;
    unsigned long value;

    if (digits[0] == '\0' || digits[0] == '-' || digits[0] == '+' || digits[0] == ' ')
        return HERR_SYNTAX;
    value = strtoul(digits, &end, 16);
    if (*end != '\0')
        return HERR_SYNTAX;
    return value > UINT8_MAX ? HERR_RANGE : (int)value;
}

int htos_parse(const char *text)
{
    uint64_t value = 0;
    int err;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (hstr_ieq(text, words[i].word))
            return words[i].value;
    }
    if (hstr_starts(text, "0x"))
        return parse_hex(text + 2);
    err = hstr_parse_u64(text, 0, UINT8_MAX, &value);
    return err ? err : (int)value;
}
