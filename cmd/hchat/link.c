#include "link.h"

#include "base/herr.h"
#include "base/hstr.h"

const hopt_t link_rows[] = {
    HOPT_GROUP("Several servers"),
    HOPT_STRING(0, "broker", link_options_t, broker,
                "share the rooms with all servers that use the broker at URL", .arg_name = "URL"),
    HOPT_END,
};

int link_open(hloop_t *loop, const link_options_t *options, const link_callbacks_t *callbacks,
              link_t **link, char *why, size_t why_size)
{
    (void)loop;
    (void)callbacks;
    *link = NULL;
    if (!options->broker)
        return 0;
    hstr_copy(why, why_size, "--broker is not built in");
    return HERR_UNSUPPORTED;
}

const char *link_server(const link_t *link)
{
    (void)link;
    return "";
}

void link_publish(link_t *link, const event_t *event)
{
    (void)link;
    (void)event;
}

void link_close(link_t *link)
{
    (void)link;
}
