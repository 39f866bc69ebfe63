#include "scan.h"

int scan(const options_t *options)
{
    (void)options;
    return 0;
}
