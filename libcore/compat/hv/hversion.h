#ifndef HV_HVERSION_H
#define HV_HVERSION_H

#include "../../base/hversion.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of hnet: the version of the library that was linked. */
const char *hv_version(void);
const char *hv_compile_version(void);

#ifdef __cplusplus
}
#endif

#endif
