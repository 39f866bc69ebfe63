/* refused: options of the original that belong to what hcurl does not speak, and those that do
 * nothing any more. */
#ifndef HCURL_REFUSED_H
#define HCURL_REFUSED_H

#include "app/hopt.h"

extern const hopt_t refused_rows[];

#endif
