#include "iflist.h"

#include "base/hmem.h"
#include "base/hstr.h"
#include "net/hroute.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_SIZE 64
#define COLUMNS_MAX 7

typedef struct row_s {
    char cells[COLUMNS_MAX][CELL_SIZE];
    int order; /* rows are sorted by it, and else stay as they came */
} row_t;

typedef struct table_s {
    const char *title;
    const char *headings[COLUMNS_MAX]; /* up to the first NULL */
    row_t *rows;
    size_t count, room;
} table_t;

typedef struct iflist_s {
    hroute_link_t *links;
    size_t link_count, link_room;
    bool has_address; /* the link that is looked at */
    const hroute_link_t *link;
    table_t interfaces, routes;
} iflist_t;

/* ---- tables ---------------------------------------------------------------------------------- */

/* Room for one more; false: no memory. */
static bool grow(void **items, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room * 2 + 16;
    void *grown;

    if (count < *room)
        return true;
    grown = hmem_realloc(*items, wanted * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

/* NULL: no memory, or too many. */
static row_t *add_row(table_t *table)
{
    row_t *row;

    if (table->count == IFLIST_ROWS_MAX ||
        !grow((void **)&table->rows, table->count, &table->room, sizeof(*table->rows)))
        return NULL;
    row = &table->rows[table->count];
    *row = (row_t){.order = (int)table->count++};
    return row;
}

static int by_order(const void *a, const void *b)
{
    return ((const row_t *)a)->order - ((const row_t *)b)->order;
}

static void print_cells(const table_t *table, const row_t *row, const int *widths)
{
    int pad = 0;

    for (int i = 0; i < COLUMNS_MAX && table->headings[i]; i++) {
        const char *cell = row ? row->cells[i] : table->headings[i];

        if (*cell == '\0') { /* nothing trails */
            pad += widths[i] + 1;
            continue;
        }
        printf("%*s%s", pad, "", cell);
        pad = widths[i] + 1 - (int)strlen(cell);
    }
    putchar('\n');
}

static void print_table(table_t *table)
{
    int widths[COLUMNS_MAX] = {0};

    printf("%s\n", table->title);
    if (table->count > 0)
        qsort(table->rows, table->count, sizeof(*table->rows), by_order);
    for (int i = 0; i < COLUMNS_MAX && table->headings[i]; i++) {
        widths[i] = (int)strlen(table->headings[i]);
        for (size_t k = 0; k < table->count; k++) {
            int len = (int)strlen(table->rows[k].cells[i]);

            widths[i] = len > widths[i] ? len : widths[i];
        }
    }
    print_cells(table, NULL, widths);
    for (size_t k = 0; k < table->count; k++)
        print_cells(table, &table->rows[k], widths);
    putchar('\n');
}

/* ---- what is in them ------------------------------------------------------------------------- */

static void write_prefix(char *cell, const packet_addr_t *addr, unsigned prefix_len)
{
    char ip[INET6_ADDRSTRLEN];

    inet_ntop(addr->family, &addr->v6, ip, sizeof(ip));
    snprintf(cell, CELL_SIZE, "%s/%u", ip, prefix_len);
}

static const char *type_of(const hroute_link_t *link)
{
    if (link->is_point_to_point)
        return "point2point";
    return link->kind == HROUTE_LOOPBACK ? "loopback"
           : link->kind == HROUTE_TUNNEL ? "other"
                                         : "ethernet";
}

/* A line for an address of a link; NULL: it has none. */
static int add_interface(iflist_t *list, const hroute_address_t *address)
{
    const hroute_link_t *link = list->link;
    const uint8_t *mac = link->mac;
    row_t *row = add_row(&list->interfaces);

    if (row == NULL)
        return -ENOMEM;
    hstr_copy(row->cells[0], CELL_SIZE, link->name);
    snprintf(row->cells[1], CELL_SIZE, "(%s)", link->name);
    hstr_copy(row->cells[2], CELL_SIZE, "(none)/0");
    if (address)
        write_prefix(row->cells[2], &address->addr, address->prefix_len);
    hstr_copy(row->cells[3], CELL_SIZE, type_of(link));
    hstr_copy(row->cells[4], CELL_SIZE, link->is_up ? "up" : "down");
    snprintf(row->cells[5], CELL_SIZE, "%" PRIu32, link->mtu);
    if (link->kind == HROUTE_ETHERNET)
        snprintf(row->cells[6], CELL_SIZE, "%02X:%02X:%02X:%02X:%02X:%02X", mac[0], mac[1], mac[2],
                 mac[3], mac[4], mac[5]);
    return 0;
}

static int take_link(const hroute_link_t *link, void *arg)
{
    iflist_t *list = arg;

    if (!grow((void **)&list->links, list->link_count, &list->link_room, sizeof(*list->links)))
        return -ENOMEM;
    list->links[list->link_count++] = *link;
    return 0;
}

static int take_address(const hroute_address_t *address, void *arg)
{
    iflist_t *list = arg;

    if (address->index != list->link->index)
        return 0;
    list->has_address = true;
    return add_interface(list, address);
}

static int take_route(const hroute_route_t *route, void *arg)
{
    iflist_t *list = arg;
    row_t *row = add_row(&list->routes);

    if (row == NULL)
        return -ENOMEM;
    write_prefix(row->cells[0], &route->destination, route->prefix_len);
    hstr_copy(row->cells[1], CELL_SIZE, "(several)");
    for (size_t i = 0; i < list->link_count; i++)
        if (list->links[i].index == route->index)
            hstr_copy(row->cells[1], CELL_SIZE, list->links[i].name);
    snprintf(row->cells[2], CELL_SIZE, "%" PRIu32, route->metric);
    if (route->has_gateway)
        inet_ntop(route->gateway.family, &route->gateway.v6, row->cells[3], CELL_SIZE);
    /* IPv4 first; the longer a prefix is, the sooner it is asked. */
    row->order += IFLIST_ROWS_MAX *
                  ((route->destination.family == AF_INET6 ? 129 + 128 : 32) - route->prefix_len);
    return 0;
}

static int read_all(iflist_t *list, hroute_t *route)
{
    int err = hroute_each_link(route, take_link, list);

    for (size_t i = 0; i < list->link_count && err == 0; i++) {
        list->link = &list->links[i];
        list->has_address = false;
        err = hroute_each_address(route, take_address, list);
        if (err == 0 && !list->has_address)
            err = add_interface(list, NULL);
    }
    return err == 0 ? hroute_each_route(route, take_route, list) : err;
}

int iflist(void)
{
    iflist_t list = {
        .interfaces = {.title = "************************INTERFACES************************",
                       .headings = {"DEV", "(SHORT)", "IP/MASK", "TYPE", "UP", "MTU", "MAC"}},
        .routes = {.title = "**************************ROUTES**************************",
                   .headings = {"DST/MASK", "DEV", "METRIC", "GATEWAY"}},
    };
    hroute_t *route;
    int err = hroute_new(&route);

    if (err == 0)
        err = read_all(&list, route);
    if (err == 0) {
        print_table(&list.interfaces);
        print_table(&list.routes);
    } else {
        fprintf(stderr, "hnmap: cannot list interfaces and routes: %s\n", herr_str(err));
    }
    hroute_free(route);
    hmem_free(list.links);
    hmem_free(list.interfaces.rows);
    hmem_free(list.routes.rows);
    if (err == 0 && fflush(stdout) != 0)
        err = -errno;
    return err < 0 ? 1 : 0;
}
