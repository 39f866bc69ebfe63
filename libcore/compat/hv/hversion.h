#ifndef HV_HVERSION_H
#define HV_HVERSION_H

#include "../../base/hversion.h"

/* Of hnet: the version of the library that was linked. */
const char *hv_version(void);
const char *hv_compile_version(void);

#endif
