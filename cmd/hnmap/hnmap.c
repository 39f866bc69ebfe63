/* hnmap: finds hosts and their open ports, as nmap does. */
#include "iflist.h"
#include "options.h"
#include "scan.h"

int main(int argc, char **argv)
{
    options_t options;
    int status = options_parse(&options, argc, argv);

    if (status == OPTIONS_RUN && options_are_kept(&options))
        status = resume_command(&options);
    if (status == OPTIONS_RUN)
        status = options.lists_interfaces ? iflist() : scan(&options);
    options_free(&options);
    return status;
}
