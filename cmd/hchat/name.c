/* The letters are told by a short table of blocks: coarse, but what is not in it does no harm,
 * which matters more than that every script is complete. Combining marks are in it only where a
 * script cannot be written without. */
#include "name.h"

#include "base/hstr.h"

#include <string.h>

typedef struct range_s {
    uint32_t first, last;
} range_t;

/* In order, for the search. */
static const range_t letters[] = {
    {0xAA, 0xAA},       {0xB5, 0xB5},     {0xBA, 0xBA},     {0xC0, 0xD6},       {0xD8, 0xF6},
    {0xF8, 0x2C1},      {0x370, 0x373},   {0x376, 0x377},   {0x37B, 0x37D},     {0x37F, 0x37F},
    {0x386, 0x386},     {0x388, 0x3F5},   {0x3F7, 0x481},   {0x48A, 0x52F},     {0x531, 0x556},
    {0x561, 0x587},     {0x5D0, 0x5EA},   {0x620, 0x63F},   {0x641, 0x64A},     {0x660, 0x669},
    {0x66E, 0x66F},     {0x671, 0x6D3},   {0x6F0, 0x6FC},   {0x710, 0x710},     {0x712, 0x72F},
    {0x780, 0x7A5},     {0x900, 0x963},   {0x966, 0x96F},   {0x980, 0x9FC},     {0xA01, 0xA75},
    {0xA81, 0xAEF},     {0xB01, 0xB6F},   {0xB82, 0xBEF},   {0xC00, 0xC6F},     {0xC80, 0xCEF},
    {0xD00, 0xD6F},     {0xD81, 0xDDF},   {0xE01, 0xE3A},   {0xE40, 0xE4E},     {0xE50, 0xE59},
    {0xE81, 0xEDF},     {0xF40, 0xF6C},   {0x1000, 0x1049}, {0x10A0, 0x10FA},   {0x10FC, 0x115E},
    {0x1161, 0x135A},   {0x1380, 0x138F}, {0x13A0, 0x13FD}, {0x1780, 0x17B3},   {0x17B6, 0x17D3},
    {0x1820, 0x1878},   {0x1C80, 0x1C88}, {0x1D00, 0x1DBF}, {0x1E00, 0x1FBC},   {0x1FC2, 0x1FCC},
    {0x1FD0, 0x1FDB},   {0x1FE0, 0x1FEC}, {0x1FF2, 0x1FFC}, {0x2C60, 0x2C7F},   {0x2D00, 0x2D2D},
    {0x3005, 0x3007},   {0x3041, 0x3096}, {0x309D, 0x309F}, {0x30A1, 0x30FA},   {0x30FC, 0x30FF},
    {0x3105, 0x312F},   {0x3131, 0x3163}, {0x3165, 0x318E}, {0x31F0, 0x31FF},   {0x3400, 0x4DBF},
    {0x4E00, 0x9FFF},   {0xA000, 0xA48C}, {0xA640, 0xA66E}, {0xA680, 0xA69D},   {0xA722, 0xA788},
    {0xA78B, 0xA7CA},   {0xAC00, 0xD7A3}, {0xF900, 0xFAD9}, {0x20000, 0x2A6DF}, {0x2A700, 0x2EBE0},
    {0x30000, 0x3134A},
};

static bool is_ascii_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static bool is_letter(uint32_t c)
{
    size_t low = 0, high = sizeof(letters) / sizeof(letters[0]);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (c > letters[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof(letters) / sizeof(letters[0]) && c >= letters[low].first;
}

/* A character of 2 to 4 bytes that is well-formed. */
static uint32_t decode(const unsigned char *text, size_t len)
{
    uint32_t c = text[0] & (0x7Fu >> len);

    for (size_t i = 1; i < len; i++)
        c = c << 6 | (text[i] & 0x3Fu);
    return c;
}

/* The length of the character of a name at the start of text; 0: it is none. */
static size_t name_char(const char *text, size_t len)
{
    size_t n = hstr_utf8_len(text, len);

    if (n == 1)
        return is_ascii_name(*text) ? 1 : 0;
    return n > 1 && is_letter(decode((const unsigned char *)text, n)) ? n : 0;
}

const char *name_take(char out[NAME_SIZE], const char *text, size_t len)
{
    size_t chars = 0, used = 0;

    if (len == 0)
        return "it is empty";
    while (used < len && chars < NAME_CHARS_MAX) {
        size_t n = name_char(text + used, len - used);

        if (n == 0)
            return "letters, digits, \"-\" and \"_\" make one";
        used += n;
        chars++;
    }
    if (used < len)
        return "it has more than 24 characters";
    memcpy(out, text, len);
    out[len] = '\0';
    return NULL;
}

bool name_same(const char *a, const char *b)
{
    return hstr_ieq(a, b);
}

/* FNV-1a. */
uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;

        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + ('a' - 'A'));
        hash = (hash ^ c) * 16777619u;
    }
    return hash;
}
