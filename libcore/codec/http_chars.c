#include "http_chars.h"

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define WITH_SIMD 1
#include <immintrin.h>
/* glibc knows what the processor can do; the compiler's own code asks it once more at the start of
 * every program, which takes a virtual machine's guest a while. */
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#define HAS_AVX2 CPU_FEATURE_ACTIVE(AVX2)
#define HAS_SSE42 CPU_FEATURE_ACTIVE(SSE4_2)
#else
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#define HAS_SSE42 __builtin_cpu_supports("sse4.2")
#endif
#endif

/* The high halves 0 to 7 have a bit each. Bytes from 0x80 on are in no set, or share the bit of the
 * control characters 0x00 to 0x0f, all of which are in the set then. test_http_chars compares the
 * tables with the grammar. */
#define ASCII_ROWS 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80
#define HIGH_OUT                                                                                   \
    {                                                                                              \
        ASCII_ROWS, 0, 0, 0, 0, 0, 0, 0, 0                                                         \
    }
#define HIGH_IN                                                                                    \
    {                                                                                              \
        ASCII_ROWS, 1, 1, 1, 1, 1, 1, 1, 1                                                         \
    }

const http_chars_t http_not_line = {
    {0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x02, 0x03, 0x03, 0x03, 0x03, 0x03,
     0x83},
    HIGH_OUT,
};
const http_chars_t http_not_token = {
    {0x17, 0x03, 0x07, 0x03, 0x03, 0x03, 0x03, 0x03, 0x07, 0x07, 0x0b, 0xab, 0x2f, 0xab, 0x0b,
     0x8f},
    HIGH_IN,
};
const http_chars_t http_not_target = {
    {0x07, 0x03, 0x07, 0x07, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x0b, 0x03, 0x0b,
     0x83},
    HIGH_IN,
};
const http_chars_t http_not_any_target = {
    {0x07, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03,
     0x83},
    HIGH_OUT,
};
const http_chars_t http_not_name = {
    {0x57, 0x03, 0x07, 0x07, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x0b, 0xa3, 0xab, 0xa3, 0x2b,
     0x8f},
    HIGH_IN,
};

static const char *find_plain(const char *text, const char *end, const http_chars_t *set)
{
    return http_find_near(text, end, set);
}

#ifdef WITH_SIMD
#define SSE42 __attribute__((target("sse4.2")))
#define AVX2 __attribute__((target("avx2")))

/* A bit for each of 16 bytes that is in the set. */
SSE42 static inline unsigned match_16(const char *text, __m128i low, __m128i high)
{
    const __m128i half = _mm_set1_epi8(15);
    __m128i c = _mm_loadu_si128((const __m128i *)text);
    __m128i rows = _mm_shuffle_epi8(low, _mm_and_si128(c, half));
    __m128i row = _mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(c, 4), half));
    __m128i out = _mm_cmpeq_epi8(_mm_and_si128(rows, row), _mm_setzero_si128());

    return (unsigned)_mm_movemask_epi8(out) ^ 0xffffu;
}

AVX2 static inline unsigned match_32(const char *text, __m256i low, __m256i high)
{
    const __m256i half = _mm256_set1_epi8(15);
    __m256i c = _mm256_loadu_si256((const __m256i *)text);
    __m256i rows = _mm256_shuffle_epi8(low, _mm256_and_si256(c, half));
    __m256i row = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(c, 4), half));
    __m256i out = _mm256_cmpeq_epi8(_mm256_and_si256(rows, row), _mm256_setzero_si256());

    return ~(unsigned)_mm256_movemask_epi8(out);
}

/* The last step begins where it ends with the text: what it sees twice is not in the set. */
SSE42 static inline const char *walk_16(const char *text, const char *end, const http_chars_t *set)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)set->low);
    const __m128i high = _mm_loadu_si128((const __m128i *)set->high);

    if (end - text < 16)
        return http_find_near(text, end, set);
    for (;;) {
        unsigned in = match_16(text, low, high);

        if (in)
            return text + __builtin_ctz(in);
        if (end - text == 16)
            return end;
        text = end - text < 32 ? end - 16 : text + 16;
    }
}

SSE42 static const char *find_sse42(const char *text, const char *end, const http_chars_t *set)
{
    return walk_16(text, end, set);
}

AVX2 static inline const char *walk_32(const char *text, const char *end, const http_chars_t *set)
{
    const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set->low));
    const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)set->high));

    for (;;) {
        unsigned in = match_32(text, low, high);

        if (in)
            return text + __builtin_ctz(in);
        if (end - text == 32)
            return end;
        text = end - text < 64 ? end - 32 : text + 32;
    }
}

AVX2 static const char *find_avx2(const char *text, const char *end, const http_chars_t *set)
{
    return end - text < 32 ? walk_16(text, end, set) : walk_32(text, end, set);
}
#endif

http_find_cb http_find_of(http_find_e which)
{
    switch (which) {
    case HTTP_FIND_PLAIN:
        return find_plain;
#ifdef WITH_SIMD
    case HTTP_FIND_SSE42:
        return HAS_SSE42 ? find_sse42 : NULL;
    case HTTP_FIND_AVX2:
        return HAS_AVX2 ? find_avx2 : NULL;
#endif
    default:
        return NULL;
    }
}

http_find_cb http_find_best(void)
{
#ifdef WITH_SIMD
    if (HAS_AVX2)
        return find_avx2;
    if (HAS_SSE42)
        return find_sse42;
#endif
    return find_plain;
}
