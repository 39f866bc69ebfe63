#include "output_os.h"

#include <string.h>

/* ---- lists ----------------------------------------------------------------------------------- */

const char *output_os_item(const char **at, size_t *len)
{
    const char *item = *at;

    if (item == NULL || *item == '\0')
        return NULL;
    *len = strcspn(item, "|");
    *at = item + *len + (item[*len] == '|');
    return item;
}

static bool has_item(const char *list, const char *item, size_t len)
{
    const char *other;
    size_t other_len;

    while ((other = output_os_item(&list, &other_len)) != NULL)
        if (other_len == len && memcmp(other, item, len) == 0)
            return true;
    return false;
}

/* A part of what guesses say of their systems. */
typedef const char *(*list_fn)(const os_system_t *system);

static const char *type_of(const os_system_t *system)
{
    return system->type;
}

static const char *generations_of(const os_system_t *system)
{
    return system->generations;
}

static const char *cpes_of(const os_system_t *system)
{
    return system->cpes;
}

static bool is_same_family(const os_system_t *a, const os_system_t *b)
{
    return strcmp(a->vendor, b->vendor) == 0 && strcmp(a->family, b->family) == 0;
}

/* Each item of the lists once; of one family only, or (NULL) of all; `first` stands before them. */
static int write_lists(hbytes_t *out, const os_result_t *os, list_fn list_of,
                       const os_system_t *family, const char *first, const char *divider)
{
    int status = 0;

    for (size_t i = 0; i < os->guess_count; i++) {
        const char *at = list_of(os->guesses[i].system), *item;
        size_t len;

        if (family && !is_same_family(os->guesses[i].system, family))
            continue;
        while (status == 0 && (item = output_os_item(&at, &len)) != NULL) {
            bool is_told = false;

            for (size_t k = 0; k < i && !is_told; k++)
                is_told = (!family || is_same_family(os->guesses[k].system, family)) &&
                          has_item(list_of(os->guesses[k].system), item, len);
            if (is_told)
                continue;
            status = hbytes_append_str(out, first);
            if (status == 0)
                status = hbytes_append(out, item, len);
            first = divider;
        }
    }
    return status;
}

/* ---- for people ------------------------------------------------------------------------------ */

/* "Linux 4.X|5.X (98%), Google Android 7.X (90%)" */
static int write_families(hbytes_t *out, const os_result_t *os)
{
    int status = 0;

    for (size_t i = 0; i < os->guess_count && status == 0; i++) {
        const os_system_t *system = os->guesses[i].system;
        bool is_told = false;

        for (size_t k = 0; k < i && !is_told; k++)
            is_told = is_same_family(os->guesses[k].system, system);
        if (is_told)
            continue;
        status = hbytes_printf(out, "%s%s", i > 0 ? ", " : "", system->vendor);
        if (status == 0 && strcmp(system->vendor, system->family) != 0)
            status = hbytes_printf(out, " %s", system->family);
        if (status == 0)
            status = write_lists(out, os, generations_of, system, " ", "|");
        if (status == 0)
            status = hbytes_printf(out, " (%u%%)", os->guesses[i].accuracy);
    }
    return status;
}

int output_os_names(hbytes_t *out, const os_result_t *os, size_t max)
{
    int status = 0;

    for (size_t i = 0; i < os->guess_count && i < max && status == 0; i++)
        status = hbytes_printf(out, "%s%s (%u%%)", i > 0 ? ", " : "", os->guesses[i].system->name,
                               os->guesses[i].accuracy);
    return status;
}

static int write_guesses(hbytes_t *out, const os_result_t *os)
{
    int status = 0;

    if (os->open_port == 0 || os->closed_port == 0)
        status =
            hbytes_append_str(out, "Warning: OSScan results may be unreliable because we could not "
                                   "find at least 1 open and 1 closed port\n");
    if (status == 0)
        status = write_lists(out, os, type_of, NULL, "Device type: ", "|");
    if (status == 0)
        status = hbytes_append_str(out, "\nRunning (JUST GUESSING): ");
    if (status == 0)
        status = write_families(out, os);
    if (status == 0)
        status = write_lists(out, os, cpes_of, NULL, "\nOS CPE: ", " ");
    if (status == 0)
        status = hbytes_append_str(out, "\nAggressive OS guesses: ");
    if (status == 0)
        status = output_os_names(out, os, OS_GUESSES_MAX);
    return status < 0 ? status
                      : hbytes_append_str(out, "\nNo exact OS matches for host (guessed from TTL, "
                                               "window and TCP options).\n");
}

static int write_nothing(hbytes_t *out, const os_result_t *os)
{
    if (os->open_port == 0)
        return hbytes_append_str(
            out, "Too many fingerprints match this host to give specific OS details\n");
    return hbytes_append_str(
        out, "No OS matches for host (--osscan-guess tells those that are less likely).\n");
}

int output_os_normal(hbytes_t *out, const os_result_t *os)
{
    int status = 0;

    if (os == NULL)
        return 0;
    status = os->guess_count > 0 ? write_guesses(out, os) : write_nothing(out, os);
    if (status == 0 && os->has_distance)
        status = hbytes_printf(out, "Network Distance: %u hop%s\n", os->distance,
                               os->distance == 1 ? "" : "s");
    return status;
}

/* ---- for programs ---------------------------------------------------------------------------- */

/* The table's texts are ours, and free of what XML would mind. */
static int write_class(hbytes_t *out, const os_guess_t *guess, const char *generation, size_t len,
                       const char **cpes)
{
    const os_system_t *system = guess->system;
    const char *cpe;
    size_t cpe_len;
    int status = hbytes_printf(out, "<osclass type=\"%s\" vendor=\"%s\" osfamily=\"%s\"",
                               system->type, system->vendor, system->family);

    if (status == 0 && generation)
        status = hbytes_printf(out, " osgen=\"%.*s\"", (int)len, generation);
    if (status == 0)
        status = hbytes_printf(out, " accuracy=\"%u\"", guess->accuracy);
    cpe = output_os_item(cpes, &cpe_len);
    if (status == 0)
        status = cpe ? hbytes_printf(out, "><cpe>%.*s</cpe></osclass>\n", (int)cpe_len, cpe)
                     : hbytes_append_str(out, "/>\n");
    return status;
}

static int write_match(hbytes_t *out, const os_guess_t *guess)
{
    const char *generations = guess->system->generations, *cpes = guess->system->cpes, *item;
    size_t len;
    int status = hbytes_printf(out, "<osmatch name=\"%s\" accuracy=\"%u\" line=\"%u\">\n",
                               guess->system->name, guess->accuracy, guess->line);

    if (status == 0 && generations == NULL)
        status = write_class(out, guess, NULL, 0, &cpes);
    while (status == 0 && (item = output_os_item(&generations, &len)) != NULL) {
        if (cpes && *cpes == '\0') /* one for all */
            cpes = guess->system->cpes;
        status = write_class(out, guess, item, len, &cpes);
    }
    return status < 0 ? status : hbytes_append_str(out, "</osmatch>\n");
}

static int write_port_used(hbytes_t *out, const char *state, uint16_t port)
{
    if (port == 0)
        return 0;
    return hbytes_printf(out, "<portused state=\"%s\" proto=\"tcp\" portid=\"%u\"/>\n", state,
                         port);
}

int output_os_xml(hbytes_t *out, const os_result_t *os)
{
    int status = 0;

    if (os == NULL)
        return 0;
    status = hbytes_append_str(out, "<os>");
    if (status == 0)
        status = write_port_used(out, "open", os->open_port);
    if (status == 0)
        status = write_port_used(out, "closed", os->closed_port);
    for (size_t i = 0; i < os->guess_count && status == 0; i++)
        status = write_match(out, &os->guesses[i]);
    if (status == 0)
        status = hbytes_append_str(out, "</os>\n");
    if (status == 0 && os->has_distance)
        status = hbytes_printf(out, "<distance value=\"%u\"/>\n", os->distance);
    return status;
}

int output_os_grepable(hbytes_t *out, const os_result_t *os)
{
    int status = 0;

    for (size_t i = 0; os && i < os->guess_count && status == 0; i++)
        status = hbytes_printf(out, "%s%s (guess, %u%%)",
                               i > 0 ? "|" : "\tOS: ", os->guesses[i].system->name,
                               os->guesses[i].accuracy);
    return status;
}
