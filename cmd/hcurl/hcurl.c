/* hcurl: transfers data from and to URLs, as curl does. */
#include "operate.h"
#include "options.h"

int main(int argc, char **argv)
{
    options_t options;
    int status = options_parse(&options, argc, argv);

    if (status == OPTIONS_RUN)
        status = options_end(&options, operate(&options));
    options_free(&options);
    return status;
}
