#include "hsuggest.h"

#include <string.h>

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* The edit distance with swaps of neighbours, by three rolling rows. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][HSUGGEST_WORD_MAX + 1];
    unsigned *older = rows[0], *old = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        old[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned *spare = older;

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned differs = a[i - 1] != b[j - 1];

            now[j] = min3(old[j] + 1, now[j - 1] + 1, old[j - 1] + differs);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min3(now[j], older[j - 2] + 1, now[j]);
        }
        older = old;
        old = now;
        now = spare;
    }
    return old[b_len];
}

void hsuggest_init(hsuggest_t *s, const char *word, size_t len)
{
    s->word = word;
    s->len = len;
    s->best = NULL;
    /* One slip in three letters, at most three in all: more is another word. */
    s->distance = len > HSUGGEST_WORD_MAX ? 0 : 1 + (unsigned)(len + 2 > 11 ? 3 : (len + 2) / 3);
}

void hsuggest_offer(hsuggest_t *s, const char *candidate)
{
    size_t len = strlen(candidate);
    unsigned d;

    if (s->len < 2 || s->len > HSUGGEST_WORD_MAX || len > HSUGGEST_WORD_MAX)
        return;
    if (s->len >= 3 && len > s->len && strncmp(candidate, s->word, s->len) == 0)
        d = 1;
    else
        d = distance(s->word, s->len, candidate, len);
    if (d < s->distance && d < s->len) {
        s->distance = d;
        s->best = candidate;
    }
}
