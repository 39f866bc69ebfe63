#include "names.h"

#include "base/hbuf.h"
#include "base/herr.h"
#include "base/hmem.h"
#include "base/hstr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_SIZE_MAX ((size_t)64 << 10) /* of one line of the system's table */
#define TEXT_SIZE_MAX ((size_t)16 << 20)  /* of all names of it */

/* clang-format off */
static const struct {
    uint16_t port, protocols;
    const char *name;
} own_names[] = {
    {80, 1, "http"},               {88, 3, "kerberos-sec"},      {135, 3, "msrpc"},
    {443, 3, "https"},             {465, 1, "smtps"},            {502, 1, "modbus"},
    {587, 1, "submission"},        {623, 2, "ipmi-rmcp"},        {853, 3, "domain-s"},
    {902, 1, "vmware-auth"},       {1080, 1, "socks"},           {1099, 1, "rmiregistry"},
    {1194, 3, "openvpn"},          {1433, 1, "ms-sql-s"},        {1434, 2, "ms-sql-m"},
    {1521, 1, "oracle"},           {1701, 2, "l2tp"},            {1723, 1, "pptp"},
    {1880, 1, "node-red"},         {1883, 1, "mqtt"},            {1900, 2, "upnp"},
    {2181, 1, "zookeeper"},        {2222, 1, "ssh-alt"},         {2375, 1, "docker"},
    {2376, 1, "docker-s"},         {2377, 1, "docker-swarm"},    {2379, 1, "etcd-client"},
    {2380, 1, "etcd-server"},      {2404, 1, "iec-104"},         {3000, 1, "http-dev"},
    {3128, 1, "http-proxy"},       {3268, 1, "globalcat-ldap"},  {3269, 1, "globalcat-ldaps"},
    {3306, 1, "mysql"},            {3389, 3, "ms-wbt-server"},   {3478, 3, "stun"},
    {3702, 2, "ws-discovery"},     {4222, 1, "nats"},            {4317, 1, "otlp-grpc"},
    {4318, 1, "otlp-http"},        {4500, 2, "ipsec-nat-t"},     {4646, 1, "nomad"},
    {4789, 2, "vxlan"},            {4840, 1, "opcua-tcp"},       {5000, 1, "http-registry"},
    {5044, 1, "beats"},            {5060, 3, "sip"},             {5061, 3, "sips"},
    {5173, 1, "vite"},             {5201, 1, "iperf3"},          {5355, 3, "llmnr"},
    {5432, 1, "postgresql"},       {5540, 2, "matter"},          {5601, 1, "kibana"},
    {5671, 1, "amqps"},            {5672, 1, "amqp"},            {5683, 2, "coap"},
    {5684, 2, "coaps"},            {5900, 1, "vnc"},             {5901, 1, "vnc-1"},
    {5902, 1, "vnc-2"},            {5984, 1, "couchdb"},         {5985, 1, "wsman"},
    {5986, 1, "wsmans"},           {6333, 1, "qdrant"},          {6379, 1, "redis"},
    {6380, 1, "redis-s"},          {6432, 1, "pgbouncer"},       {6443, 1, "kube-apiserver"},
    {6633, 1, "openflow"},         {6653, 1, "openflow"},        {6881, 3, "bittorrent"},
    {7474, 1, "neo4j"},            {7687, 1, "bolt"},            {8000, 1, "http-alt"},
    {8008, 1, "http-alt"},         {8009, 1, "ajp13"},           {8080, 1, "http-proxy"},
    {8086, 1, "influxdb"},         {8123, 1, "home-assistant"},  {8125, 2, "statsd"},
    {8200, 1, "vault"},            {8291, 1, "winbox"},          {8300, 1, "consul-rpc"},
    {8301, 3, "consul-serf"},      {8333, 1, "bitcoin"},         {8443, 1, "https-alt"},
    {8472, 2, "vxlan-linux"},      {8500, 1, "consul"},          {8529, 1, "arangodb"},
    {8545, 1, "ethereum-rpc"},     {8554, 1, "rtsp-alt"},        {8600, 3, "consul-dns"},
    {8728, 1, "mikrotik-api"},     {8834, 1, "nessus"},          {8883, 1, "secure-mqtt"},
    {8983, 1, "solr"},             {9000, 1, "minio"},           {9042, 1, "cassandra"},
    {9090, 1, "prometheus"},       {9091, 1, "pushgateway"},     {9092, 1, "kafka"},
    {9093, 1, "alertmanager"},     {9100, 1, "jetdirect"},       {9200, 1, "elasticsearch"},
    {9300, 1, "elastic-node"},     {9411, 1, "zipkin"},          {9418, 1, "git"},
    {9993, 2, "zerotier"},         {10000, 1, "webmin"},         {10050, 1, "zabbix-agent"},
    {10051, 1, "zabbix-trapper"},  {10250, 1, "kubelet"},        {10255, 1, "kubelet-ro"},
    {10256, 1, "kube-proxy"},      {10257, 1, "kube-ctrl-mgr"},  {10259, 1, "kube-scheduler"},
    {11211, 3, "memcache"},        {11434, 1, "ollama"},         {15672, 1, "rabbitmq-mgmt"},
    {16379, 1, "redis-bus"},       {19132, 2, "minecraft-be"},   {25565, 1, "minecraft"},
    {25575, 1, "minecraft-rcon"},  {26257, 1, "cockroachdb"},    {26379, 1, "redis-sentinel"},
    {27015, 3, "source-engine"},   {27017, 1, "mongodb"},        {27018, 1, "mongodb-shard"},
    {27019, 1, "mongodb-config"},  {28015, 1, "rethinkdb"},      {30303, 3, "ethereum"},
    {32400, 1, "plex"},            {37777, 1, "dahua-dvr"},      {41641, 2, "tailscale"},
    {44818, 3, "ethernet-ip"},     {47808, 2, "bacnet"},         {50000, 1, "ibm-db2"},
    {51413, 3, "transmission"},    {51820, 2, "wireguard"},      {61616, 1, "activemq"},
    {62078, 1, "iphone-sync"},     {64738, 3, "mumble"},
};
/* clang-format on */
#define OWN_COUNT (sizeof(own_names) / sizeof(own_names[0]))

typedef struct system_name_s {
    uint32_t text; /* where in texts */
    uint16_t port;
    uint8_t protocol;
    bool is_alias;
} system_name_t;

struct names_s {
    bool is_read;
    system_name_t *entries; /* in the order of the system's table */
    size_t count, room;
    hbytes_t texts; /* each with its NUL */
};

/* ---- the system's table ---- */

static int add_system_name(names_t *names, unsigned protocol, uint16_t port, const char *name,
                           bool is_alias)
{
    size_t room = names->room * 2 + 512;

    if (names->count == NAMES_SYSTEM_MAX)
        return -ENOBUFS;
    if (names->count == names->room) {
        system_name_t *grown = hmem_realloc(names->entries, room * sizeof(*grown));

        if (grown == NULL)
            return -ENOMEM;
        names->entries = grown;
        names->room = room;
    }
    names->entries[names->count] = (system_name_t){.text = (uint32_t)names->texts.len,
                                                   .port = port,
                                                   .protocol = (uint8_t)protocol,
                                                   .is_alias = is_alias};
    if (hbytes_append(&names->texts, name, strlen(name) + 1) != 0)
        return -ENOMEM;
    names->count++;
    return 0;
}

static int add_entry(names_t *names, const struct servent *entry)
{
    uint16_t port = ntohs((uint16_t)entry->s_port);
    unsigned protocol = strcmp(entry->s_proto, "tcp") == 0   ? PORTS_TCP
                        : strcmp(entry->s_proto, "udp") == 0 ? PORTS_UDP
                                                             : 0;
    int err;

    if (protocol == 0)
        return 0;
    err = add_system_name(names, protocol, port, entry->s_name, false);
    for (char **alias = entry->s_aliases; err == 0 && *alias != NULL; alias++)
        err = add_system_name(names, protocol, port, *alias, true);
    return err;
}

static int by_port(const void *a, const void *b)
{
    const system_name_t *x = a, *y = b;

    if (x->protocol != y->protocol)
        return x->protocol < y->protocol ? -1 : 1;
    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    if (x->is_alias != y->is_alias)
        return x->is_alias ? 1 : -1;
    return x->text < y->text ? -1 : x->text > y->text;
}

/* What cannot be read is left out: a port without a name is still a port. */
static void read_system(names_t *names)
{
    size_t size = 1024;
    char *buf;
    int err = 0;

    if (names->is_read)
        return;
    names->is_read = true;
    hbytes_init(&names->texts, TEXT_SIZE_MAX);
    buf = hmem_alloc(size);
    setservent(1);
    while (buf != NULL && err == 0) {
        struct servent entry, *found = NULL;
        int result = getservent_r(&entry, buf, size, &found);

        if (result == ERANGE && size < ENTRY_SIZE_MAX) {
            char *grown = hmem_realloc(buf, size * 2);

            err = grown == NULL ? -ENOMEM : 0;
            buf = grown == NULL ? buf : grown;
            size *= grown == NULL ? 1 : 2;
            continue;
        }
        if (result != 0 || found == NULL)
            break;
        err = add_entry(names, found);
    }
    endservent();
    hmem_free(buf);
    if (names->count > 0)
        qsort(names->entries, names->count, sizeof(*names->entries), by_port);
}

/* The first entry that is not before (protocol, port). */
static size_t find_system(const names_t *names, unsigned protocol, uint16_t port)
{
    const system_name_t wanted = {.port = port, .protocol = (uint8_t)protocol};
    size_t low = 0, high = names->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_port(&names->entries[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- patterns ---- */

/* Behind a * that does not lead on, one more character is tried for the last * only: what an
 * earlier one has taken never needs to change. */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == '?' ||
                   tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* ---- public ---- */

names_t *names_new(void)
{
    return hmem_zalloc(sizeof(names_t));
}

void names_free(names_t *names)
{
    if (names == NULL)
        return;
    hmem_free(names->entries);
    hbytes_deinit(&names->texts);
    hmem_free(names);
}

const char *names_of(names_t *names, unsigned protocol, uint16_t port)
{
    size_t at;

    for (size_t i = 0; i < OWN_COUNT && own_names[i].port <= port; i++)
        if (own_names[i].port == port && (own_names[i].protocols & protocol) != 0)
            return own_names[i].name;
    read_system(names);
    at = find_system(names, protocol, port);
    if (at == names->count || names->entries[at].port != port ||
        names->entries[at].protocol != protocol)
        return NULL;
    return names->texts.data + names->entries[at].text;
}

unsigned names_match(names_t *names, unsigned protocol, const char *pattern, port_set_t *set)
{
    unsigned count = 0;

    for (size_t i = 0; i < OWN_COUNT; i++)
        if ((own_names[i].protocols & protocol) != 0 && matches(pattern, own_names[i].name)) {
            port_set_add(set, own_names[i].port, own_names[i].port);
            count++;
        }
    read_system(names);
    for (size_t i = 0; i < names->count; i++) {
        const system_name_t *entry = &names->entries[i];

        if (entry->protocol == protocol && matches(pattern, names->texts.data + entry->text)) {
            port_set_add(set, entry->port, entry->port);
            count++;
        }
    }
    return count;
}
