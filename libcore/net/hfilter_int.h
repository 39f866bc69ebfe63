/* hfilter: the one filter that net installs on an hio. Framing, relaying and carrying share it: a
 * proxy cuts the head of a request into lines and relays the rest of the same connection; and a
 * relay's server may be bound to a path. */
#ifndef HNET_NET_HFILTER_INT_H
#define HNET_NET_HFILTER_INT_H

#include "../event/hio_ops.h"
#include "hsocket.h"

struct hcarry_s;
struct hframe_s;
struct hrelay_side_s;

typedef struct hfilter_s {
    struct hframe_s *frame;      /* NULL: bytes pass as they come */
    struct hrelay_side_s *relay; /* NULL: joined to nothing */
    struct hcarry_s *carry;      /* NULL: bytes go to the read callback */
    hsocket_path_t *path;        /* removed with the hio; NULL: none */
    unsigned busy;               /* calls of frame and carry that are running */
    bool gone;                   /* freed while busy: the last of these calls frees it */
} hfilter_t;

/* The filter of io, installed if need be; another layer's filter is replaced. NULL:
 * out of memory. */
hfilter_t *hfilter__of(hio_t *io);

/* The filter of io if it is ours, else NULL. */
hfilter_t *hfilter__find(const hio_t *io);

/* Removes the filter when no part is in use. */
void hfilter__trim(hio_t *io);

/* hframe.c. input and resume may find filter->gone set after any delivery. */
void hframe__input(hio_t *io, hfilter_t *filter, char *buf, size_t len);
void hframe__resume(hio_t *io, hfilter_t *filter);
void hframe__eof(struct hframe_s *frame);
void hframe__free(struct hframe_s *frame);

/* hcarry.c. As the filter's move; `carry` may be gone afterwards. */
ssize_t hcarry__move(hio_t *from, struct hcarry_s *carry, size_t max);
void hcarry__free(struct hcarry_s *carry);

/* hrelay.c. The side's hio is gone (or another filter took this one's place). */
void hrelay__gone(hio_t *io, struct hrelay_side_s *side);

#endif
