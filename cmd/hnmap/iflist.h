/* iflist: what --iflist says: this machine's interfaces, with their addresses, and its routes. */
#ifndef HNMAP_IFLIST_H
#define HNMAP_IFLIST_H

#define IFLIST_ROWS_MAX 65536 /* of each table; further ones are left out */

/* Prints them. 0, or 1 after a message. */
int iflist(void);

#endif
