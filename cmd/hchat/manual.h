/* manual: sections of hchat.1 of its own. */
#ifndef HNET_HCHAT_MANUAL_H
#define HNET_HCHAT_MANUAL_H

#include "app/hopt_doc.h"

extern const hopt_section_t manual_sections[];

#endif
