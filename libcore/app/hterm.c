#include "hterm.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../base/hstr.h"

#define WIDTH_MIN 20

const char *const hterm_color_names[] = {"auto", "always", "never", NULL};

bool hterm_is_tty(int fd)
{
    return isatty(fd) == 1;
}

size_t hterm_width(int fd)
{
    const char *columns;
    struct winsize size;
    uint64_t width = 0;

    if (hterm_is_tty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    columns = getenv("COLUMNS");
    if (width == 0 && columns != NULL && hstr_parse_u64(columns, 1, UINT16_MAX, &width) != 0)
        width = 0;
    if (width == 0)
        return HTERM_WIDTH_DEFAULT;
    if (width > HTERM_WIDTH_MAX)
        return HTERM_WIDTH_MAX;
    return width < WIDTH_MIN ? WIDTH_MIN : (size_t)width;
}

bool hterm_use_color(int fd, hterm_color_e asked)
{
    const char *no_color;
    const char *term;

    if (asked != HTERM_COLOR_AUTO)
        return asked == HTERM_COLOR_ALWAYS;
    if (!hterm_is_tty(fd))
        return false;
    no_color = getenv("NO_COLOR");
    if (no_color != NULL && no_color[0] != '\0')
        return false;
    term = getenv("TERM");
    return term != NULL && strcmp(term, "dumb") != 0;
}

const char *hterm_style(bool color, hterm_style_e style)
{
    static const char *const sequences[] = {
        [HTERM_PLAIN] = "\033[0m", [HTERM_BOLD] = "\033[1m",   [HTERM_DIM] = "\033[2m",
        [HTERM_RED] = "\033[31m",  [HTERM_GREEN] = "\033[32m", [HTERM_YELLOW] = "\033[33m",
        [HTERM_BLUE] = "\033[34m", [HTERM_CYAN] = "\033[36m",
    };

    if (!color || (size_t)style >= sizeof(sequences) / sizeof(sequences[0]))
        return "";
    return sequences[style];
}
