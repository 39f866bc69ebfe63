/* hopt: a command's options as one static const table of rows.
 *
 *     typedef struct copts { bool verbose; uint32_t wait_ms; uint16_t port; } copts_t;
 *     static const hopt_t options[] = {
 *         HOPT_GROUP("Connection"),
 *         HOPT_SPAN('w', "wait", copts_t, wait_ms, "give up after TIME"),
 *         HOPT_UINT('p', "port", copts_t, port, 1, 65535, "send from this port"),
 *         HOPT_FLAG('v', "verbose", copts_t, verbose, "say more", .negatable = true),
 *         HOPT_REFUSED(0, "lua-exec", "FILE", "there is no Lua in this program"),
 *         HOPT_END,
 *     };
 *
 * A row names a member of the command's struct; a member of another type than the row's is a
 * compile error. The struct's values before the parse are the defaults; strings point into argv.
 * After the help text any further field of hopt_t may be set (.hidden, .alias, .pair, .bare,
 * .arg_name ...). The same table gives --help, the manual page and the shell completions: see
 * hopt_doc.h. */
#ifndef HNET_APP_HOPT_H
#define HNET_APP_HOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/hbuf.h"
#include "../base/herr.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Strings in the order given. Zero-initialised is empty; the strings are borrowed (from argv). */
typedef struct hopt_list_s {
    const char **items;
    size_t count;
    size_t cap;
} hopt_list_t;

#define HOPT_LIST_MAX ((size_t)1 << 20)
#define HOPT_INCLUDE_DEPTH_MAX 4

/* Appends a borrowed string: 0, -ENOMEM, or -ENOBUFS past HOPT_LIST_MAX. */
int hopt_list_add(hopt_list_t *list, const char *item);
void hopt_list_deinit(hopt_list_t *list);

typedef enum hopt_type_e {
    HOPT_TYPE_END = 0,
    HOPT_TYPE_GROUP,
    HOPT_TYPE_INCLUDE,
    HOPT_TYPE_REFUSED,
    HOPT_TYPE_FLAG,
    HOPT_TYPE_COUNT,
    HOPT_TYPE_SET,
    HOPT_TYPE_STRING,
    HOPT_TYPE_UINT,
    HOPT_TYPE_INT,
    HOPT_TYPE_SIZE,
    HOPT_TYPE_SPAN,
    HOPT_TYPE_LIST,
    HOPT_TYPE_ENUM,
    HOPT_TYPE_CALL
} hopt_type_e;

struct hopt_s;

/* Handles one use of an option. arg is NULL when it takes none (.bare when it was left out), and
 * HOPT_NO when it is negated; opts is the struct that the row's table is bound to. Returns 0; a
 * positive number, which stops the parse and becomes its result; or a negative error. What it puts
 * into `why` follows "option -x: ": after an error the reason (without it, the error's text
 * follows), after 0 a warning. */
#define HOPT_NO "no"
typedef int (*hopt_call_cb)(const struct hopt_s *option, const char *arg, void *opts,
                            hbytes_t *why);

/* For such a callback: appends words about a value, which may hold anything: control characters are
 * escaped, and it is cut at some 500 bytes. HERR_SYNTAX or -ENOMEM. */
int hopt_wrong(hbytes_t *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

typedef struct hopt_s {
    hopt_type_e type;
    char short_name;          /* 0: none */
    bool negatable;           /* --no-NAME, or --NAME where the name is no-NAME, gives false, 0, an
                               * empty list; not of a CALL that takes a value */
    bool filled;              /* an empty value is an error */
    bool secret;              /* of a STRING without a default, or a CALL that copies its value:
                               * that is overwritten with blanks afterwards, for ps(1) shows argv;
                               * the STRING is a copy, which hopt_deinit frees */
    bool repeats;             /* of a CALL: may stand several times in a configuration file, too */
    bool hidden;              /* works, but no help, manual or completion shows it */
    const char *long_name;    /* NULL: none; of a GROUP: the heading */
    const char *pair;         /* a name of two letters after one dash, as wget's "nc"; NULL: none */
    const char *alias;        /* further long names, separated by '|'; not shown in --help */
    const char *arg_name;     /* shown for the value; NULL: the type's own word, or none */
    const char *help;         /* one sentence, without a full stop; of REFUSED: the reason */
    const char *bare;         /* makes the value optional: the text used when it is left out */
    size_t offset;            /* of the bound member */
    size_t width;             /* its size */
    uint64_t min;             /* UINT, SIZE; INT (as int64_t); SET: the value that is stored */
    uint64_t max;             /* UINT, INT, SIZE; SPAN: longer times count as this one, 0: they are
                               * an error from 2^32 ms on */
    const char *const *names; /* ENUM: NULL-terminated; the index is stored */
    hopt_call_cb call;
    const struct hopt_s *table; /* INCLUDE */
} hopt_t;

/* Each is the constant 0 for a member of the right type and does not compile for any other. */
#define HOPT__MEMBER(T, m) (((T *)0)->m)
#define HOPT__BOOL(T, m) _Generic(HOPT__MEMBER(T, m), bool : 0)
#define HOPT__INT(T, m) _Generic(HOPT__MEMBER(T, m), int : 0, unsigned : 0)
#define HOPT__STR(T, m) _Generic(HOPT__MEMBER(T, m), const char * : 0)
#define HOPT__UNSIGNED(T, m)                                                                       \
    _Generic(HOPT__MEMBER(T, m), uint8_t : 0, uint16_t : 0, unsigned : 0, unsigned long : 0,       \
             unsigned long long : 0)
#define HOPT__SIGNED(T, m)                                                                         \
    _Generic(HOPT__MEMBER(T, m), int8_t : 0, int16_t : 0, int : 0, long : 0, long long : 0)
#define HOPT__U32(T, m) _Generic(HOPT__MEMBER(T, m), uint32_t : 0)
#define HOPT__LIST(T, m) _Generic(HOPT__MEMBER(T, m), hopt_list_t : 0)
#define HOPT__BIND(T, m, check)                                                                    \
    .offset = offsetof(T, m) + (check(T, m)), .width = sizeof(HOPT__MEMBER(T, m))

#define HOPT_END                                                                                   \
    {                                                                                              \
        .type = HOPT_TYPE_END                                                                      \
    }

/* A heading for the rows that follow. */
#define HOPT_GROUP(heading)                                                                        \
    {                                                                                              \
        .type = HOPT_TYPE_GROUP, .long_name = (heading)                                            \
    }

/* The rows of another table, bound to the member m, which has to be an M (a struct). Nested at most
 * HOPT_INCLUDE_DEPTH_MAX deep. */
#define HOPT_INCLUDE(other, T, m, M)                                                               \
    {                                                                                              \
        .type = HOPT_TYPE_INCLUDE, .table = (other),                                               \
        .offset = offsetof(T, m) + _Generic(HOPT__MEMBER(T, m), M : 0)                             \
    }

/* An option of the original that does not exist here. arg: the name of its value or NULL. */
#define HOPT_REFUSED(s, l, arg, why, ...)                                                          \
    {                                                                                              \
        .type = HOPT_TYPE_REFUSED, .short_name = (s), .long_name = (l), .arg_name = (arg),         \
        .help = (why), ##__VA_ARGS__                                                               \
    }

#define HOPT__ROW(kind, s, l, text, ...)                                                           \
    {                                                                                              \
        .type = (kind), .short_name = (s), .long_name = (l), .help = (text), __VA_ARGS__           \
    }

/* bool: true when given. */
#define HOPT_FLAG(s, l, T, m, text, ...)                                                           \
    HOPT__ROW(HOPT_TYPE_FLAG, s, l, text, HOPT__BIND(T, m, HOPT__BOOL), ##__VA_ARGS__)

/* int: one more each time. */
#define HOPT_COUNT(s, l, T, m, text, ...)                                                          \
    HOPT__ROW(HOPT_TYPE_COUNT, s, l, text, HOPT__BIND(T, m, HOPT__INT), ##__VA_ARGS__)

/* int or enum: becomes the given value ('4' stores AF_INET ...). */
#define HOPT_SET(s, l, T, m, value, text, ...)                                                     \
    HOPT__ROW(HOPT_TYPE_SET, s, l, text, HOPT__BIND(T, m, HOPT__INT),                              \
              .min = (uint64_t)(int64_t)(value), ##__VA_ARGS__)

/* const char *: the argument itself. */
#define HOPT_STRING(s, l, T, m, text, ...)                                                         \
    HOPT__ROW(HOPT_TYPE_STRING, s, l, text, HOPT__BIND(T, m, HOPT__STR), ##__VA_ARGS__)

/* Any unsigned integer: a decimal number from lo to hi (and never more than the member holds). */
#define HOPT_UINT(s, l, T, m, lo, hi, text, ...)                                                   \
    HOPT__ROW(HOPT_TYPE_UINT, s, l, text, HOPT__BIND(T, m, HOPT__UNSIGNED), .min = (lo),           \
              .max = (hi), ##__VA_ARGS__)

/* Any signed integer. */
#define HOPT_INT(s, l, T, m, lo, hi, text, ...)                                                    \
    HOPT__ROW(HOPT_TYPE_INT, s, l, text, HOPT__BIND(T, m, HOPT__SIGNED),                           \
              .min = (uint64_t)(int64_t)(lo), .max = (uint64_t)(int64_t)(hi), ##__VA_ARGS__)

/* Any unsigned integer: bytes up to hi (from .min on, if that is set), "512", "64k", "10M". */
#define HOPT_SIZE(s, l, T, m, hi, text, ...)                                                       \
    HOPT__ROW(HOPT_TYPE_SIZE, s, l, text, HOPT__BIND(T, m, HOPT__UNSIGNED), .max = (hi),           \
              ##__VA_ARGS__)

/* uint32_t: milliseconds from "250ms", "3s", "2m" (from .min on, if that is set); a bare number is
 * in seconds. */
#define HOPT_SPAN(s, l, T, m, text, ...)                                                           \
    HOPT__ROW(HOPT_TYPE_SPAN, s, l, text, HOPT__BIND(T, m, HOPT__U32), ##__VA_ARGS__)

/* hopt_list_t: every value given, in order; hopt_deinit frees it. */
#define HOPT_LIST(s, l, T, m, text, ...)                                                           \
    HOPT__ROW(HOPT_TYPE_LIST, s, l, text, HOPT__BIND(T, m, HOPT__LIST), ##__VA_ARGS__)

/* int or enum: the index of the value in a NULL-terminated array of names. */
#define HOPT_ENUM(s, l, T, m, values, text, ...)                                                   \
    HOPT__ROW(HOPT_TYPE_ENUM, s, l, text, HOPT__BIND(T, m, HOPT__INT), .names = (values),          \
              ##__VA_ARGS__)

/* A callback; it takes a value when .arg_name is set. */
#define HOPT_CALL(s, l, function, text, ...)                                                       \
    HOPT__ROW(HOPT_TYPE_CALL, s, l, text, .call = (function), ##__VA_ARGS__)

typedef struct hopt_spec_s {
    const char *command;   /* the name before every message */
    const hopt_t *options; /* ends with HOPT_END */
    const hopt_t
        *standard;    /* NULL, or more rows, bound to the same struct, that the ones above hide */
    bool posix_order; /* the first operand ends the options */
} hopt_spec_t;

/* Parses argv[1..argc-1] into opts, and the operands into a list.
 *
 * Short options bundle (-vp80); values come as -pVALUE, -p VALUE, --long=VALUE or --long VALUE, an
 * optional one only as -pVALUE or --long=VALUE. "--" ends the options, "-" is an operand. A long
 * name has to be whole: prefixes that work today break tomorrow. Given twice, the last one counts.
 *
 * Returns 0; the positive result of a callback that stopped the parse; HERR_SYNTAX (unknown option,
 * value missing or superfluous), HERR_RANGE, HERR_UNSUPPORTED (a refused option), -ENOMEM, or a
 * callback's error. On an error one line without a newline is appended to `message`; warnings are
 * dropped. The strings in opts and operands live as long as argv. Call hopt_deinit in every
 * case. */
int hopt_parse(const hopt_spec_t *spec, int argc, char *const argv[], void *opts,
               hopt_list_t *operands, hbytes_t *message);

/* The same for one word that begins with a dash ("--long", "--long=VALUE", "-xyz"), for what is not
 * argv: then its words have to outlive opts. next is the word behind it or NULL; used tells whether
 * it was taken as the value. Messages name neither the command nor its help; 0 with a message is a
 * warning. */
typedef struct hopt_word_s {
    const char *word;
    const char *next;
    bool used;
    const hopt_t *option; /* the one that used it */
} hopt_word_t;
int hopt_parse_word(const hopt_spec_t *spec, hopt_word_t *word, void *opts, hbytes_t *message);

/* Frees the lists that a parse filled, in opts and the operands (which may be NULL). */
void hopt_deinit(const hopt_spec_t *spec, void *opts, hopt_list_t *operands);

#ifdef __cplusplus
}
#endif

#endif
