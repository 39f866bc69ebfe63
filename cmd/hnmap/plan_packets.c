/* What packets of our own carry. */
#include "plan_int.h"

#include "base/hstr.h"

#include <stdio.h>
#include <string.h>

#define DATA_SAFE 1400 /* bytes that every network takes in one packet */

/* "0xCAFE", "CAFE", "\xCA\xFE". 0, -EINVAL, -ENOMEM. */
static int read_hex(hbytes_t *data, const char *text)
{
    bool has_marks = strncmp(text, "\\x", 2) == 0;
    int err = *text == '\0' ? -EINVAL : 0;

    if (strncmp(text, "0x", 2) == 0)
        text += 2;
    while (*text && err == 0) {
        int high, low;

        if (has_marks && strncmp(text, "\\x", 2) != 0)
            return -EINVAL;
        text += has_marks ? 2 : 0;
        high = hstr_hex_digit(text[0]);
        low = high < 0 ? -1 : hstr_hex_digit(text[1]);
        if (low < 0)
            return -EINVAL;
        err = hbytes_append_char(data, (char)(high << 4 | low));
        text += 2;
    }
    return err == 0 && data->len == 0 ? -EINVAL : err;
}

/* Nothing has to be secret: the seed makes them (xorshift). */
static int add_random(hbytes_t *data, size_t len, uint64_t seed)
{
    uint64_t x = seed | 1;
    int err = 0;

    for (size_t i = 0; i < len && err == 0; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        err = hbytes_append_char(data, (char)(x >> 32));
    }
    return err;
}

static void warn(const plan_t *plan)
{
    const packet_options_t *o = &plan->options->packet;

    if (plan->run.lists_only || (o->ttl == 0 && !plan->has_data))
        return;
    if (plan->by_connect)
        fprintf(stderr, "hnmap: --ttl and --data change packets of our own: not those of a scan by "
                        "connect\n");
    if (plan->data.len > DATA_SAFE)
        fprintf(stderr, "hnmap: packets with more than %d bytes of data may not get through\n",
                DATA_SAFE);
}

int plan__choose_packets(plan_t *plan)
{
    const packet_options_t *o = &plan->options->packet;
    int err = 0;

    plan->has_data = o->data_hex || o->data_string || o->data_length >= 0;
    if (o->data_hex)
        err = read_hex(&plan->data, o->data_hex);
    else if (o->data_string)
        err = hbytes_append_str(&plan->data, o->data_string);
    else if (o->data_length > 0)
        err = add_random(&plan->data, (size_t)o->data_length, plan->seed);
    if (err == -EINVAL)
        return plan__fail("option --data",
                          "it takes bytes in pairs of hexadecimal digits, such as 0xCAFE", 2);
    if (err == 0 && plan->data.len > PLAN_DATA_MAX)
        return plan__fail("option --data", "more than 65435 bytes", 2);
    if (err < 0)
        return plan__out_of_memory();
    warn(plan);
    return 0;
}
