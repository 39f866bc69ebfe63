/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hlist.h"

typedef struct item_s {
    char name;
    hlist_t node;
} item_t;

/* The names in order, forwards and backwards, must be this text. */
static void assert_order(const hlist_t *head, const char *names)
{
    size_t n = strlen(names);
    const hlist_t *node = head;

    for (size_t i = 0; i < n; i++) {
        node = node->next;
        assert_int_equal(HLIST_ENTRY(node, item_t, node)->name, names[i]);
    }
    assert_ptr_equal(node->next, head);
    for (size_t i = n; i-- > 0; node = node->prev)
        assert_int_equal(HLIST_ENTRY(node, item_t, node)->name, names[i]);
    assert_ptr_equal(node, head);
}

static void nodes_keep_the_order_they_were_pushed_in(void **state)
{
    item_t a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    hlist_t head;

    (void)state;
    hlist_init(&head);
    assert_true(hlist_empty(&head));
    hlist_push_back(&head, &b.node);
    hlist_push_back(&head, &c.node);
    hlist_push_front(&head, &a.node);
    assert_false(hlist_empty(&head));
    assert_order(&head, "abc");
}

static void a_node_can_be_removed_from_anywhere_and_twice(void **state)
{
    item_t a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    hlist_t head;

    (void)state;
    hlist_init(&head);
    assert_false(hlist_linked(&b.node));
    hlist_remove(&b.node);
    hlist_push_back(&head, &a.node);
    hlist_push_back(&head, &b.node);
    hlist_push_back(&head, &c.node);
    assert_true(hlist_linked(&b.node));
    hlist_remove(&b.node);
    hlist_remove(&b.node);
    assert_false(hlist_linked(&b.node));
    assert_order(&head, "ac");
    hlist_remove(&a.node);
    assert_order(&head, "c");
    hlist_remove(&c.node);
    assert_true(hlist_empty(&head));
}

static void pop_takes_the_first_until_there_is_none(void **state)
{
    item_t a = {.name = 'a'}, b = {.name = 'b'};
    hlist_t head;

    (void)state;
    hlist_init(&head);
    hlist_push_back(&head, &a.node);
    hlist_push_back(&head, &b.node);
    assert_ptr_equal(hlist_pop_front(&head), &a.node);
    assert_false(hlist_linked(&a.node));
    assert_ptr_equal(hlist_pop_front(&head), &b.node);
    assert_null(hlist_pop_front(&head));
    assert_true(hlist_empty(&head));
}

static void splice_moves_all_to_the_end(void **state)
{
    item_t a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
    hlist_t to, from;

    (void)state;
    hlist_init(&to);
    hlist_init(&from);
    hlist_splice(&to, &from);
    assert_true(hlist_empty(&to));
    hlist_push_back(&from, &b.node);
    hlist_push_back(&from, &c.node);
    hlist_push_back(&to, &a.node);
    hlist_splice(&to, &from);
    assert_order(&to, "abc");
    assert_true(hlist_empty(&from));
    hlist_splice(&from, &to);
    assert_order(&from, "abc");
    assert_true(hlist_empty(&to));
}

static void the_current_node_may_be_freed_while_iterating(void **state)
{
    hlist_t head, *node, *next;
    int seen = 0;

    (void)state;
    hlist_init(&head);
    for (int i = 0; i < 10; i++) {
        item_t *item = calloc(1, sizeof(*item));

        assert_non_null(item);
        hlist_push_back(&head, &item->node);
    }
    HLIST_FOREACH (node, next, &head) {
        hlist_remove(node);
        free(HLIST_ENTRY(node, item_t, node));
        seen++;
    }
    assert_int_equal(seen, 10);
    assert_true(hlist_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_keep_the_order_they_were_pushed_in),
        cmocka_unit_test(a_node_can_be_removed_from_anywhere_and_twice),
        cmocka_unit_test(pop_takes_the_first_until_there_is_none),
        cmocka_unit_test(splice_moves_all_to_the_end),
        cmocka_unit_test(the_current_node_may_be_freed_while_iterating),
    };

    return cmocka_run_group_tests_name("hlist", tests, NULL, NULL);
}
