/* rules: "/from/ => to", from a line of the file or an option, and what they fit. */
#include "base/hstr.h"
#include "net/husers.h"
#include "settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ERROR_STATUS_MIN 400
#define ERROR_STATUS_MAX 599

/* Several servers may share a path. */
static int add_rule(site_settings_t *s, rule_t **list, rule_t rule, hbytes_t *why)
{
    rule_t *kept = hkeep_alloc(s->keep, sizeof(*kept));
    bool shared = list == &s->proxies;
    size_t n = 0;

    if (!kept)
        return -ENOMEM;
    for (; *list; list = &(*list)->next) {
        if (strcmp((*list)->from, rule.from) == 0 && (*list)->status == rule.status &&
            (!shared || strcmp((*list)->to, rule.to) == 0))
            return hopt_wrong(why, "it is there twice");
        n++;
    }
    if (n == SETTINGS_RULES_MAX)
        return hopt_wrong(why, "more than %d of them", SETTINGS_RULES_MAX);
    *kept = rule;
    *list = kept;
    return 0;
}

/* In the file "/from/ => to" is the key "/from/" and the value "> to". */
static const char *behind_arrow(const char *to)
{
    if (*to == '>')
        to++;
    while (*to == ' ' || *to == '\t')
        to++;
    return to;
}

static int check_target(const char *to, hbytes_t *why)
{
    if (to[0] == '\0')
        return hopt_wrong(why, "nothing behind the arrow");
    for (const char *c = to; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return hopt_wrong(why, "'%s': a blank in a URL", to);
    }
    return 0;
}

/* "/new", "https://example.com/", "302 /new". */
int site_add_redirect(const char *from, const char *to, void *site, hbytes_t *why)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    rule_t rule = {.from = from, .to = behind_arrow(to), .status = 301};
    site_settings_t *s = site;
    int err = settings_check_path(from, why);
    bool known = false;

    if (!err && isdigit((unsigned char)rule.to[0]) && strchr(rule.to, ' ')) {
        rule.status = 0;
        for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
            char number[8];

            snprintf(number, sizeof(number), "%d ", statuses[i]);
            if (hstr_starts(rule.to, number))
                rule.status = statuses[i];
        }
        if (!rule.status)
            return hopt_wrong(why, "'%s': a redirect is 301, 302, 303, 307 or 308", rule.to);
        rule.to = behind_arrow(rule.to + 4);
    }
    if (!err)
        err = check_target(rule.to, why);
    known = rule.to[0] == '/' || strstr(rule.to, "://");
    if (!err && !known)
        err = hopt_wrong(why, "'%s': neither a path nor a URL", rule.to);
    return err ? err : add_rule(s, &s->redirects, rule, why);
}

int site_add_rewrite(const char *from, const char *to, void *site, hbytes_t *why)
{
    rule_t rule = {.from = from, .to = behind_arrow(to)};
    site_settings_t *s = site;
    int err = settings_check_path(from, why);

    if (!err)
        err = settings_check_path(rule.to, why);
    return err ? err : add_rule(s, &s->rewrites, rule, why);
}

static bool starts_with_any(const char *text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++) {
        if (hstr_starts(text, *prefixes))
            return true;
    }
    return false;
}

int site_add_proxy(const char *from, const char *to, void *site, hbytes_t *why)
{
    static const char *const schemes[] = {"http://", "https://", "unix:", NULL};
    rule_t rule = {.from = from, .to = behind_arrow(to)};
    site_settings_t *s = site;
    int err = settings_check_path(from, why);

    if (!err)
        err = check_target(rule.to, why);
    if (!err && !starts_with_any(rule.to, schemes))
        err = hopt_wrong(why, "'%s': it takes http://HOST[:PORT]/..., https:// or unix:PATH",
                         rule.to);
    return err ? err : add_rule(s, &s->proxies, rule, why);
}

static void release_users(void *users)
{
    husers_free(users);
}

static int make_users(hkeep_t *keep, husers_t **users)
{
    int err = husers_new(users);

    return err ? err : hkeep_object(keep, *users, release_users);
}

/* Several lines of a path are for all users of it. */
int site_add_auth(const char *from, const char *to, void *site, hbytes_t *why)
{
    rule_t rule = {.from = from, .to = behind_arrow(to)};
    site_settings_t *s = site;
    rule_t *same = s->auths;
    int err = settings_check_path(from, why);

    if (!err && rule.to[0] == '\0')
        err = hopt_wrong(why, "USER:PASSWORD or a file is missing");
    while (same && strcmp(same->from, from) != 0)
        same = same->next;
    if (!err && !same)
        err = make_users(s->keep, &rule.users);
    if (!err)
        err = husers_add_text(same ? same->users : rule.users, rule.to, why);
    return err || same ? err : add_rule(s, &s->auths, rule, why);
}

/* "404" and a file. */
int site_add_error_page(const char *from, const char *to, void *site, hbytes_t *why)
{
    site_settings_t *s = site;
    rule_t rule = {.from = from};
    uint64_t status;
    int err;

    if (hstr_parse_u64(from, ERROR_STATUS_MIN, ERROR_STATUS_MAX, &status) < 0)
        return hopt_wrong(why, "not a status from %d to %d", ERROR_STATUS_MIN, ERROR_STATUS_MAX);
    rule.status = (int)status;
    err = settings_take_page(&rule.to, behind_arrow(to), why);
    return err ? err : add_rule(s, &s->error_pages, rule, why);
}

/* The option's "/from/=to" or "/from/ => to"; without a path in front it is for everything. */
typedef int (*add_rule_cb)(const char *from, const char *to, void *site, hbytes_t *why);
static int take_rule(const char *arg, add_rule_cb add, bool whole, site_settings_t *s,
                     hbytes_t *why)
{
    const char *equals = arg[0] == '/' ? strchr(arg, '=') : NULL;
    size_t len = equals ? (size_t)(equals - arg) : 0;
    const char *from;

    if (!equals && whole)
        return add("/", arg, s, why);
    if (!equals)
        return hopt_wrong(why, "it takes FROM=TO, with a path as FROM");
    while (len > 0 && arg[len - 1] == ' ')
        len--;
    from = hkeep_text(s->keep, arg, len);
    return from ? add(from, behind_arrow(equals + 1), s, why) : -ENOMEM;
}

int site_take_redirect(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    (void)option;
    return take_rule(arg, site_add_redirect, false, site, why);
}

int site_take_rewrite(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    (void)option;
    return take_rule(arg, site_add_rewrite, false, site, why);
}

int site_take_proxy(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    (void)option;
    return take_rule(arg, site_add_proxy, true, site, why);
}

int site_take_auth(const hopt_t *option, const char *arg, void *site, hbytes_t *why)
{
    (void)option;
    return take_rule(arg, site_add_auth, true, site, why);
}

bool rule_matches(const rule_t *rule, http_span_t path, http_span_t *rest)
{
    size_t len = strlen(rule->from);

    if (path.len < len || memcmp(path.data, rule->from, len) != 0)
        return false;
    *rest = (http_span_t){path.data + len, path.len - len};
    return rest->len == 0 || rule->from[len - 1] == '/';
}
