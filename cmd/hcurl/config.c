#include "config.h"

#include "base/hbuf.h"
#include "base/hmem.h"

#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool ends_word(char c)
{
    return c == '\0' || is_blank(c) || c == '\r';
}

/* ---- lines ---- */

/* Undoes the backslashes of what stands between quotes, in place: it only becomes shorter. The
 * closing quote may be missing. */
static void unquote(char *text)
{
    char *to = text;

    while (*text != '\0' && *text != '"') {
        char c = *text++;

        if (c == '\\') {
            static const char letters[] = "tnrv", bytes[] = "\t\n\r\v";
            const char *found = *text != '\0' ? strchr(letters, *text) : NULL;

            if (*text == '\0')
                break;
            c = found != NULL ? bytes[found - letters] : *text;
            text++;
        }
        *to++ = c;
    }
    *to = '\0';
}

static void take_value(char *text, bool dashed, config_line_t *line)
{
    char *end;

    while (is_blank(*text) || (!dashed && (*text == '=' || *text == ':')))
        text++;
    line->value = text;
    if (*text == '"') {
        line->value = text + 1;
        unquote(text + 1);
        return;
    }
    if (*text == '\'')
        line->warning = "a single quote is part of the value: double quotes were meant?";
    for (end = text; !ends_word(*end);)
        end++;
    if (end == text)
        line->value = NULL;
    if (*end == '\0')
        return;
    *end++ = '\0';
    while (ends_word(*end) && *end != '\0')
        end++;
    if (*end != '\0' && *end != '#')
        line->warning = "what follows the blank is left out: a value with blanks needs quotes";
}

bool config_next(char **text, unsigned *number, config_line_t *line)
{
    while (**text != '\0') {
        char *at = *text;
        size_t len = strcspn(at, "\n");
        bool dashed;

        *text += len + (at[len] == '\n');
        at[len] = '\0';
        ++*number;
        while (is_blank(*at) || *at == '\r')
            at++;
        if (*at == '\0' || *at == '#')
            continue;
        *line = (config_line_t){.number = *number, .option = at};
        dashed = *at == '-';
        while (!ends_word(*at) && (dashed || (*at != '=' && *at != ':')))
            at++;
        if (*at != '\0')
            *at++ = '\0';
        take_value(at, dashed, line);
        return true;
    }
    return false;
}

/* ---- the file that nobody names ---- */

/* The path of "PROGRAMrc" in a folder below another one, if it can be read. */
static char *readable(const char *folder, const char *below, const char *program)
{
    hbytes_t path = {0};

    if (folder == NULL || *folder == '\0')
        return NULL;
    if (hbytes_printf(&path, "%s%s%src", folder, below, program) == 0 &&
        access(path.data, R_OK) == 0)
        return hbytes_take(&path, NULL);
    hbytes_deinit(&path);
    return NULL;
}

char *config_find(const char *program)
{
    const char *own = getenv(strcmp(program, "curl") == 0 ? "CURL_HOME" : "HCURL_HOME");
    const char *home = getenv("HOME");
    const struct {
        const char *folder, *below;
    } places[] = {
        {own, "/."},         {getenv("XDG_CONFIG_HOME"), "/"}, {home, "/."}, {own, "/.config/"},
        {home, "/.config/"},
    };
    const struct passwd *user;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char *path = readable(places[i].folder, places[i].below, program);

        if (path != NULL)
            return path;
    }
    if (home != NULL && *home != '\0')
        return NULL; /* the database would be read only to find the same folder */
    user = getpwuid(geteuid());
    return user == NULL ? NULL : readable(user->pw_dir, "/.", program);
}
