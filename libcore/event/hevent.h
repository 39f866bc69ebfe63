/* hevent: timers, idles, signals, I/O objects and posted events are all events, and the hevent_*
 * accessors work on all of them. */
#ifndef HNET_EVENT_HEVENT_H
#define HNET_EVENT_HEVENT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hloop_s hloop_t;
typedef struct hevent_s hevent_t;

/* Runs in the loop's thread. */
typedef void (*hevent_cb)(hevent_t *ev);

typedef enum {
    HEVENT_TYPE_NONE = 0,
    HEVENT_TYPE_IO = 0x01,
    HEVENT_TYPE_TIMEOUT = 0x10, /* a timer with an interval */
    HEVENT_TYPE_PERIOD = 0x20,  /* a timer with a cron-like pattern */
    HEVENT_TYPE_TIMER = 0x30,
    HEVENT_TYPE_IDLE = 0x100,
    HEVENT_TYPE_SIGNAL = 0x200,
    HEVENT_TYPE_CHILD = 0x800,
    HEVENT_TYPE_CUSTOM = 0x400 /* posted by the program */
} hevent_type_e;

/* Higher priorities run first within one iteration; events of equal priority run in the order in
 * which they became ready. */
#define HEVENT_LOWEST_PRIORITY (-5)
#define HEVENT_LOW_PRIORITY (-3)
#define HEVENT_NORMAL_PRIORITY 0
#define HEVENT_HIGH_PRIORITY 3
#define HEVENT_HIGHEST_PRIORITY 5
#define HEVENT_PRIORITY_COUNT 11

/* A timer has no room for all of this, as a program has many: it has callback and user data where
 * they are here, and in the place of the loop a number that is odd, which no address is. */
#define HEVENT_FIELDS                                                                              \
    hloop_t *loop;                                                                                 \
    hevent_type_e event_type;                                                                      \
    int8_t priority;                                                                               \
    uint8_t state;                            /* private to the module that owns the event */      \
    uint16_t detail;                          /* private to the module that owns the event */      \
    hevent_cb cb __attribute__((aligned(8))); /* where pointers have 4 bytes, too */               \
    void *userdata __attribute__((aligned(8)));                                                    \
    uint64_t event_id;

/* Complete, because programs post one from the stack. */
struct hevent_s {
    HEVENT_FIELDS
};

#define hevent_loop(ev) hevent_loop_of((const hevent_t *)(ev))
#define hevent_type(ev) hevent_type_of((const hevent_t *)(ev))
#define hevent_id(ev) hevent_id_of((hevent_t *)(ev))
#define hevent_cb(ev) (((hevent_t *)(ev))->cb)
#define hevent_priority(ev) hevent_priority_of((const hevent_t *)(ev))
#define hevent_userdata(ev) (((hevent_t *)(ev))->userdata)
#define hevent_set_userdata(ev, udata) (((hevent_t *)(ev))->userdata = (void *)(udata))
#define hevent_set_priority(ev, prio) hevent_set_priority_of((hevent_t *)(ev), (prio))

/* What the macros stand for; hevent_loop from any thread, the others from the loop's. An event's id
 * is not 0, and no other event of its type on its loop has it, or had it lately. */
hloop_t *hevent_loop_of(const hevent_t *ev);
hevent_type_e hevent_type_of(const hevent_t *ev);
uint64_t hevent_id_of(hevent_t *ev);
int hevent_priority_of(const hevent_t *ev);

/* Clamps to -5..5. Call it from the loop's thread, or on an event not posted yet. */
void hevent_set_priority_of(hevent_t *ev, int priority);

#ifdef __cplusplus
}
#endif

#endif
