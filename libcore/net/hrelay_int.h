/* One side of a relay, as hrelay.c and hrelay_udp.c share it. Its hio finds it through hfilter. */
#ifndef HNET_NET_HRELAY_INT_H
#define HNET_NET_HRELAY_INT_H

#include "hfilter_int.h"
#include "hrelay.h"

typedef struct hrelay_side_s hrelay_side_t;

typedef struct hrelay_kind_s {
    hio_t *(*upstream)(const hrelay_side_t *side); /* NULL: none (any more) */
    void (*write)(hrelay_side_t *side, const void *buf, size_t len);
    void (*gone)(hrelay_side_t *side); /* side->io is readable for the last time */
    void (*stats)(const hrelay_side_t *side, hrelay_stats_t *stats);
} hrelay_kind_t;

struct hrelay_side_s {
    const hrelay_kind_t *kind;
    hio_t *io; /* NULL: gone */
};

/* The side that io is, NULL if it is joined to nothing. */
hrelay_side_t *hrelay__side(const hio_t *io);

/* Makes io this side. 0, -EINVAL (it is one already), -ENOMEM, HERR_CLOSED. */
int hrelay__attach(hio_t *io, hrelay_side_t *side);

/* Forgets the side without calling its gone. */
void hrelay__detach(hio_t *io);

#endif
