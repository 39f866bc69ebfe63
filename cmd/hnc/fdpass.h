/* fdpass: the connection goes to whoever holds the other end of stdout (-F), as ssh's
 * ProxyUseFdpass wants it. */
#ifndef HNC_FDPASS_H
#define HNC_FDPASS_H

/* Sends the descriptor over stdout, which has to be a UNIX socket; fd stays the caller's. Blocks
 * while stdout is full. 0, or 1 once a message is printed. */
int fdpass_send(int fd);

#endif
