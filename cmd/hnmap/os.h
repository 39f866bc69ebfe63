/* os: which system answers so? A guess, from how its TCP opens a connection, how it refuses one,
 * and how far its packets may still go. The table (os_table.c) was written for hnmap from what the
 * makers of systems publish: RFCs, manual pages, documented defaults and free source code.
 *
 * Pure: no I/O, no clock, no memory. */
#ifndef HNMAP_OS_H
#define HNMAP_OS_H

#include "codec/packet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OS_OPTIONS_SIZE 41      /* TCP has room for 40 */
#define OS_IDS_MAX 3            /* of SYN-ACKs that are compared */
#define OS_HINTS_MAX 8          /* of services */
#define OS_GUESSES_MAX 10       /* that are told */
#define OS_LIKELY 85            /* percent: worth to be told */
#define OS_UNLIKELY 60          /* with --osscan-guess */
#define OS_ACCURACY_MAX 98      /* nothing is certain */
#define OS_ACCURACY_WEAK_MAX 80 /* if no connection was accepted */

/* How many hops a packet may have gone: systems begin with 32, 64, 128 or 255. 0 for a TTL of 0. */
uint8_t os_hops(uint8_t ttl);

/* A SYN-ACK to a SYN with all the options that hnmap's has. */
typedef struct os_syn_ack_s {
    bool is_there;
    uint8_t ttl;
    bool dont_fragment;
    uint16_t window, mss; /* mss 0: not there */
    uint8_t scale;        /* PACKET_NO_SCALE: not there */
    bool has_timestamps;
    char options[OS_OPTIONS_SIZE]; /* in their order: M mss, N nop, W window scale, S SACK
                                      permitted, T timestamps, E end, ? another one */
} os_syn_ack_t;

/* Another answer. */
typedef struct os_reply_s {
    bool is_there;
    uint8_t ttl;
    bool dont_fragment;
} os_reply_t;

/* What is known of a host. All zero: nothing. */
typedef struct os_signs_s {
    bool is_v6;
    bool is_near;             /* no router is between: a TTL is what the host has begun with */
    os_syn_ack_t syn_ack;     /* the first one */
    uint16_t ids[OS_IDS_MAX]; /* of SYN-ACKs, in the order in which they came; IPv4 */
    uint8_t id_count;
    os_reply_t reset; /* of a closed port */
    os_reply_t echo;
    const char *hints[OS_HINTS_MAX]; /* families that services told of, borrowed */
    uint8_t hint_count;
} os_signs_t;

/* Adds what a packet shows; legal for every packet, what tells nothing is left out. */
void os_take(os_signs_t *signs, const packet_t *packet);
/* Adds what a service said of its system; text lives as long as signs. NULL is legal. */
void os_hint(os_signs_t *signs, const char *text);

/* One system, or several that cannot be told apart. Strings are static; NULL where nothing is
 * known. */
typedef struct os_system_s {
    const char *name;            /* "Linux 3.10 - 4.19" */
    const char *type;            /* "general purpose", "router" */
    const char *vendor, *family; /* "Linux", "Linux" */
    const char *generations;     /* "3.X|4.X" */
    const char *cpes;            /* one for each of these, or one for all: "cpe:/o:a|cpe:/o:b" */
} os_system_t;

typedef struct os_guess_s {
    const os_system_t *system;
    uint8_t accuracy; /* percent */
    unsigned line;    /* of the table, from 1 on */
} os_guess_t;

/* The systems that answer so with an accuracy of at least so many percent, best first, max of them
 * at most; returns how many. */
size_t os_guess(const os_signs_t *signs, unsigned accuracy_min, os_guess_t *guesses, size_t max);

/* ---- between os.c and os_table.c ------------------------------------------------------------- */

typedef enum os_answer_e { OS_NO, OS_YES, OS_EITHER } os_answer_e;

typedef enum os_window_e {
    OS_WINDOW_ANY = 0,
    OS_WINDOW_IS,   /* n */
    OS_WINDOW_MSS,  /* n times what a segment carries, mss without the option of timestamps */
    OS_WINDOW_FULL, /* as often as fits into 16 bits */
} os_window_e;

typedef struct os_window_s {
    uint8_t kind; /* os_window_e */
    uint16_t n;
} os_window_t;

typedef enum os_id_e {
    OS_ID_ANY = 0,
    OS_ID_ZERO,
    OS_ID_RISING, /* by a little from packet to packet */
    OS_ID_RANDOM
} os_id_e;

#define OS_SCALE_ANY 0xfe

typedef struct os_row_s {
    os_system_t system;
    const char *options;    /* of a SYN-ACK: "MSTNW|MNNSNW", the usual one first */
    os_window_t windows[2]; /* either; the second may be OS_WINDOW_ANY for: no other */
    uint8_t scale[2];       /* from, to; OS_SCALE_ANY: whatever it is */
    uint8_t ttl, ttl_echo;  /* of TCP, of an echo */
    uint8_t dont_fragment;  /* os_answer_e: of a SYN-ACK */
    uint8_t reset_fragment; /* of a reset, the same */
    uint8_t id;             /* os_id_e */
} os_row_t;

extern const os_row_t os_rows[];
extern const size_t os_row_count;

#endif
