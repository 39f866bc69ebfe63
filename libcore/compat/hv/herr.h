#ifndef HV_HERR_H
#define HV_HERR_H

#include "../../base/herr.h"

#define ERR_OK 0
#define ERR_NEW_SSL_CTX 1041

/* The text of an errno (positive) or of an error of the library (negative). */
static inline const char *hv_strerror(int err)
{
    return herr_str(err > 0 ? -err : err);
}

#endif
