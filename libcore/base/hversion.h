/* hversion: the one place that names the version; the build and hnet.pc read it from here. */
#ifndef HNET_BASE_HVERSION_H
#define HNET_BASE_HVERSION_H

#define HNET_VERSION "0.1.0"
#define HNET_RELEASE_DATE "November 20, 2026" /* on the manual pages */

#endif
