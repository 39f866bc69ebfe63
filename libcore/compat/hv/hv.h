/* Everything that stands under libhv's names, but for the protocols. */
#ifndef HV_HV_H
#define HV_HV_H

#include "hplatform.h"

#include "hatomic.h"
#include "hbase.h"
#include "hbuf.h"
#include "hconfig.h"
#include "hdef.h"
#include "herr.h"
#include "hexport.h"
#include "hlog.h"
#include "hloop.h"
#include "hmutex.h"
#include "hproc.h"
#include "hsocket.h"
#include "hsysinfo.h"
#include "hthread.h"
#include "htime.h"
#include "hversion.h"

#endif
