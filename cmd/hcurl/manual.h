/* manual: the sections of the manual page that are not about a single option. */
#ifndef HCURL_MANUAL_H
#define HCURL_MANUAL_H

#include "app/hopt_doc.h"

extern const hopt_section_t manual_sections[];

#endif
