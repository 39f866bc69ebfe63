/* hlist: an intrusive, circular, doubly linked list. A node that is zeroed or was removed is on no
 * list. No allocation, no errors. */
#ifndef HNET_BASE_HLIST_H
#define HNET_BASE_HLIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct hlist_s {
    struct hlist_s *prev;
    struct hlist_s *next;
} hlist_t;

#define HLIST_ENTRY(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Iterates in order; the current node may be removed (and freed) in the body, no other may. */
#define HLIST_FOREACH(pos, tmp, head)                                                              \
    for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head);                               \
         (pos) = (tmp), (tmp) = (pos)->next)

static inline void hlist_init(hlist_t *head)
{
    head->prev = head;
    head->next = head;
}

static inline bool hlist_empty(const hlist_t *head)
{
    return head->next == head;
}

static inline bool hlist_linked(const hlist_t *node)
{
    return node->next != NULL;
}

static inline void hlist_push_back(hlist_t *head, hlist_t *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void hlist_push_front(hlist_t *head, hlist_t *node)
{
    hlist_push_back(head->next, node);
}

/* Removes a node; legal on one that is on no list. */
static inline void hlist_remove(hlist_t *node)
{
    if (!hlist_linked(node))
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = NULL;
    node->next = NULL;
}

/* The first node, removed; NULL if the list is empty. */
static inline hlist_t *hlist_pop_front(hlist_t *head)
{
    hlist_t *node = head->next;

    if (node == head)
        return NULL;
    hlist_remove(node);
    return node;
}

/* Moves all nodes of from to the end of to; from is empty afterwards. */
static inline void hlist_splice(hlist_t *to, hlist_t *from)
{
    if (hlist_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    hlist_init(from);
}

#endif
