/* A name server's message, with the type that was asked for in its first byte: whatever it holds,
 * the answer is records that fit it, or an error with words. */
#include "net/hdns_int.h"

#include <assert.h>
#include <string.h>

static hdns_t *dns;

static const int types[] = {HDNS_TYPE_A, HDNS_TYPE_AAAA, HDNS_SRV, HDNS_TXT, HDNS_PTR, HDNS_MX};

/* Opening the channel loads c-ares, which expands the names. */
static void begin(void)
{
    static hdns_options_t options = {.servers = "127.0.0.1", .hosts_file = ""};
    hloop_t *loop = hloop_new(0);

    assert(loop && hdns_new(loop, &options, &dns) == 0 && hdns__channel_open(dns) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hdns_answer_t *answer;
    int type;

    if (!dns)
        begin();
    if (size == 0 || size > 65536)
        return 0;
    type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
    answer = hdns__answer_parse(type, data[0] & 0x80 ? 4 : 0, data + 1, (int)(size - 1));
    assert(answer->err ? answer->count == 0 && answer->why != NULL : answer->count > 0);
    assert(answer->count <= HDNS_RECORDS_MAX);
    for (size_t i = 0; i < answer->count; i++) {
        const hdns_record_t *record = &answer->records[i];

        assert((int)record->type == type);
        assert(record->text[record->len] == '\0');
        assert(type != HDNS_TYPE_A || record->len == 4);
        assert(type != HDNS_TYPE_AAAA || record->len == 16);
    }
    hdns__answer_unref(answer);
    return 0;
}
