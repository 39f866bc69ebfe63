/* hterm: what a terminal can do, and a progress line on it. */
#ifndef HNET_APP_HTERM_H
#define HNET_APP_HTERM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HTERM_WIDTH_DEFAULT 80
#define HTERM_WIDTH_MAX 1000

bool hterm_is_tty(int fd);

/* The columns of the terminal at fd; of COLUMNS in the environment if that is none; else 80. At
 * least 20 and at most HTERM_WIDTH_MAX. */
size_t hterm_width(int fd);

/* The values of --color, as an index for HOPT_ENUM with hterm_color_names. */
typedef enum hterm_color_e {
    HTERM_COLOR_AUTO = 0,
    HTERM_COLOR_ALWAYS,
    HTERM_COLOR_NEVER
} hterm_color_e;
extern const char *const hterm_color_names[];

/* Whether to write colour to fd: as asked, and for AUTO only to a terminal that is not "dumb", with
 * NO_COLOR unset or empty (no-color.org). */
bool hterm_use_color(int fd, hterm_color_e asked);

typedef enum hterm_style_e {
    HTERM_PLAIN = 0,
    HTERM_BOLD,
    HTERM_DIM,
    HTERM_RED,
    HTERM_GREEN,
    HTERM_YELLOW,
    HTERM_BLUE,
    HTERM_CYAN
} hterm_style_e;

/* The escape sequence that switches a style on (PLAIN: everything off), or "" without colour. */
const char *hterm_style(bool color, hterm_style_e style);

#ifdef __cplusplus
}
#endif

#endif
