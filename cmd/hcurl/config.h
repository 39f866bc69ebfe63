/* config: the lines of a config file (-K, ~/.hcurlrc), and where one is looked for.
 *
 *     # a comment
 *     url = "http://example.com/"     a long name; "=", ":" or blanks in front of the value
 *     -o file                         with dashes as on the command line: no "=" or ":" then
 *     user-agent "a \"quoted\" text"  \t \n \r \v, and any other character as itself */
#ifndef HCURL_CONFIG_H
#define HCURL_CONFIG_H

#include <stdbool.h>

#define CONFIG_FILE_MAX ((size_t)64 << 20) /* bytes */
#define CONFIG_DEPTH_MAX 5                 /* files within one another */

typedef struct config_line_s {
    unsigned number;     /* from 1 on */
    const char *option;  /* with its dashes, if it has some; may be empty */
    const char *value;   /* NULL: none */
    const char *warning; /* what looks like a mistake; NULL: nothing */
} config_line_t;

/* Takes the next line that says something off a text, which is changed: the strings lie in it.
 * *number counts the lines, from 0 on. False at the end. */
bool config_next(char **text, unsigned *number, config_line_t *line);

/* The path of the first file that there is: $HCURL_HOME/.hcurlrc, $XDG_CONFIG_HOME/hcurlrc,
 * $HOME/.hcurlrc, $HCURL_HOME/.config/hcurlrc, $HOME/.config/hcurlrc; without $HOME .hcurlrc in
 * the user's home of the password database. For the program "curl" the names are those of curl:
 * .curlrc, $CURL_HOME. NULL: none; otherwise the caller frees it with hmem_free. */
char *config_find(const char *program);

#endif
