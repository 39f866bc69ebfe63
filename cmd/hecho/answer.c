#include "answer.h"

#define PRINTABLE_FIRST ' '
#define PRINTABLE_COUNT 95

static char chargen_at(size_t offset)
{
    size_t line = offset / CHARGEN_LINE;
    size_t column = offset % CHARGEN_LINE;

    if (column == CHARGEN_LINE - 2)
        return '\r';
    if (column == CHARGEN_LINE - 1)
        return '\n';
    return (char)(PRINTABLE_FIRST + (line + column) % PRINTABLE_COUNT);
}

void answer_chargen(char *buf, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf[i] = chargen_at(i);
}

static char rotate(char c, char first)
{
    return (char)(first + (c - first + 13) % 26);
}

void answer_rot13(char *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (buf[i] >= 'a' && buf[i] <= 'z')
            buf[i] = rotate(buf[i], 'a');
        else if (buf[i] >= 'A' && buf[i] <= 'Z')
            buf[i] = rotate(buf[i], 'A');
    }
}
