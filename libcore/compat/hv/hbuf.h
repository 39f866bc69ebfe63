#ifndef HV_HBUF_H
#define HV_HBUF_H

#include "../../base/hbuf.h"

#endif
