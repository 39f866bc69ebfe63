/* render: what happens, as the line that the people in the room see. Pure. */
#ifndef HNET_HCHAT_RENDER_H
#define HNET_HCHAT_RENDER_H

#include "event.h"

/* "[HH:MM] " at this time of the machine's zone. */
#define RENDER_STAMP_SIZE 9
const char *render_stamp(uint64_t time_ms, char buf[RENDER_STAMP_SIZE]);

/* Appends the line with its LF:
 *
 *     <bob> hello              say      * bob has joined lobby
 *     <bob> *waves*            me       * bob has left lobby (good night)
 *     <bob -> alice> hello     private  * bob is now bobby
 *                                       * bob sets the topic: cats
 *
 * What the server says begins with "* ", and no name can have a star, a space or an angle bracket:
 * so nobody can say anything that looks like another one's line. Kinds between servers give
 * nothing. 0, -ENOMEM, -ENOBUFS. */
int render_event(const event_t *event, hbytes_t *out);

#endif
