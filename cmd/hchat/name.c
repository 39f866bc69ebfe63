/* The letters are told by a short table of blocks: coarse, but what is not in it does no harm,
 * which matters more than that every script is complete. Combining marks are in it only where a
 * script cannot be written without. */
#include "name.h"

#include "base/hstr.h"

#include <stdlib.h>
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

/* A character that is drawn as another one, or nearly so. */
typedef struct look_s {
    uint16_t character, like;
} look_t;

/* Letters of other scripts as ASCII ones, and a few as others of Latin. In order. */
static const look_t looks[] = {
    {0x131, 'i'},  {0x1C0, 'l'},  {0x251, 'a'},  {0x261, 'g'},  {0x262, 'g'},  {0x269, 'i'},
    {0x26A, 'i'},  {0x274, 'n'},  {0x280, 'r'},  {0x28F, 'y'},  {0x299, 'b'},  {0x29C, 'h'},
    {0x29F, 'l'},  {0x37F, 'j'},  {0x391, 'a'},  {0x392, 'b'},  {0x395, 'e'},  {0x396, 'z'},
    {0x397, 'h'},  {0x399, 'i'},  {0x39A, 'k'},  {0x39C, 'm'},  {0x39D, 'n'},  {0x39F, 'o'},
    {0x3A1, 'p'},  {0x3A4, 't'},  {0x3A5, 'y'},  {0x3A7, 'x'},  {0x3B1, 'a'},  {0x3B3, 'y'},
    {0x3B7, 'n'},  {0x3B9, 'i'},  {0x3BA, 'k'},  {0x3BD, 'v'},  {0x3BF, 'o'},  {0x3C1, 'p'},
    {0x3C4, 't'},  {0x3C5, 'u'},  {0x3C7, 'x'},  {0x3F2, 'c'},  {0x3F3, 'j'},  {0x3F9, 'c'},
    {0x401, 0xEB}, {0x405, 's'},  {0x406, 'i'},  {0x407, 0xEF}, {0x408, 'j'},  {0x410, 'a'},
    {0x412, 'b'},  {0x415, 'e'},  {0x41A, 'k'},  {0x41C, 'm'},  {0x41D, 'h'},  {0x41E, 'o'},
    {0x420, 'p'},  {0x421, 'c'},  {0x422, 't'},  {0x423, 'y'},  {0x425, 'x'},  {0x430, 'a'},
    {0x432, 'b'},  {0x435, 'e'},  {0x43A, 'k'},  {0x43C, 'm'},  {0x43D, 'h'},  {0x43E, 'o'},
    {0x440, 'p'},  {0x441, 'c'},  {0x442, 't'},  {0x443, 'y'},  {0x445, 'x'},  {0x451, 0xEB},
    {0x455, 's'},  {0x456, 'i'},  {0x457, 0xEF}, {0x458, 'j'},  {0x4AE, 'y'},  {0x4AF, 'y'},
    {0x4BA, 'h'},  {0x4BB, 'h'},  {0x4C0, 'l'},  {0x4CF, 'l'},  {0x500, 'd'},  {0x501, 'd'},
    {0x51A, 'q'},  {0x51B, 'q'},  {0x51C, 'w'},  {0x51D, 'w'},  {0x54D, 'u'},  {0x555, 'o'},
    {0x570, 'h'},  {0x578, 'n'},  {0x57D, 'u'},  {0x585, 'o'},  {0x13A0, 'd'}, {0x13A1, 'r'},
    {0x13A2, 't'}, {0x13AA, 'a'}, {0x13AB, 'j'}, {0x13AC, 'e'}, {0x13B3, 'w'}, {0x13B7, 'm'},
    {0x13BB, 'h'}, {0x13C0, 'g'}, {0x13C3, 'z'}, {0x13D9, 'v'}, {0x13DA, 's'}, {0x13DE, 'l'},
    {0x13DF, 'c'}, {0x13E2, 'p'}, {0x13E6, 'k'}, {0x13F4, 'b'}, {0x1D00, 'a'}, {0x1D04, 'c'},
    {0x1D05, 'd'}, {0x1D07, 'e'}, {0x1D0A, 'j'}, {0x1D0B, 'k'}, {0x1D0D, 'm'}, {0x1D0F, 'o'},
    {0x1D18, 'p'}, {0x1D1B, 't'}, {0x1D1C, 'u'}, {0x1D20, 'v'}, {0x1D21, 'w'}, {0x1D22, 'z'},
    {0xA730, 'f'}, {0xA731, 's'},
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

static int compare_look(const void *key, const void *look)
{
    return (int)*(const uint32_t *)key - ((const look_t *)look)->character;
}

/* What it is drawn as, a capital as the small letter. */
static uint32_t look_of(uint32_t c)
{
    const look_t *look;

    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    look = bsearch(&c, looks, sizeof(looks) / sizeof(looks[0]), sizeof(looks[0]), compare_look);
    if (look)
        return look->like;
    if ((c >= 0xC0 && c <= 0xDE) || (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
        return c + 0x20; /* Latin, Greek, Cyrillic */
    return c >= 0x400 && c <= 0x40F ? c + 0x50 : c;
}

/* Of the character at the start of text, which has one, and text behind it. */
static uint32_t next_look(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    size_t n = hstr_utf8_len(*text, strnlen(*text, 4));

    *text += n > 1 ? n : 1;
    return look_of(n > 1 ? decode(at, n) : *at);
}

bool name_looks_same(const char *a, const char *b)
{
    while (*a && *b) {
        if (next_look(&a) != next_look(&b))
            return false;
    }
    return *a == *b;
}

/* FNV-1a. */
uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u;

    while (*name)
        hash = (hash ^ next_look(&name)) * 16777619u;
    return hash;
}
