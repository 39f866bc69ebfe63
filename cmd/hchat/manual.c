#include "manual.h"

static const char *const commands[] = {
    "A line that begins with a slash is for the server; it answers to that person alone. Names of "
    "people and rooms are letters, digits, \"-\" and \"_\" of any script, at most 24; case makes "
    "no difference in ASCII.",
    NULL};

static const hopt_term_t command_terms[] = {
    {"/nick NAME",
     "Take another name; nobody else may have it, nor one that looks like it in another script."},
    {"/join ROOM", "Go into another room, which is made if there is none."},
    {"/leave", "Go back to the first room; so does /part."},
    {"/who [ROOM]", "Who is there."},
    {"/rooms", "The rooms in which somebody is, and their topics; so does /list."},
    {"/msg NAME TEXT", "Tell one person alone, in whatever room."},
    {"/me TEXT", "Tell what you do: <bob> *waves*."},
    {"/topic [TEXT]", "What the room talks about."},
    {"/help", "These commands."},
    {"/quit [TEXT]", "Leave, with a last word."},
    {"//TEXT", "Say a line that begins with a slash."},
    {NULL, NULL}};

static const char *const client[] = {
    "With a host and a port, or --connect, hchat is a client. At a terminal what is typed is "
    "edited, kept for the next time and never broken by what arrives; Tab completes commands "
    "and the names that were seen last; names have colours (not "
    "with NO_COLOR); control characters of the server do nothing. Ctrl-D and Ctrl-C say /quit.",
    "Without a terminal it sends the lines of its stdin, says /quit at their end, and ends when "
    "the server has closed the connection. It says no more than half of --burst at once and --rate "
    "a second, so that a server with these limits, which are the usual ones, passes everything on; "
    "for one that takes more, say so, or --rate 0. --nick and --join are said first, once the "
    "server has "
    "greeted; with --password it is what the server's question is answered with.",
    "When the server asks for a password (its line ends with \"password: \"), the line that is "
    "typed "
    "next is not shown, and not kept.",
    NULL};

static const hopt_term_t client_terms[] = {
    {"hchat --nick bob chat.example.com 6667", "Talk."},
    {"hchat --tls --reconnect --nick bob --join cats chat.example.com 6697",
     "The same over TLS, in another room, and again whenever the connection is lost."},
    {"uptime | hchat --nick reporter --join ops 10.0.0.1 6667", "Say something and go."},
    {"hnc -c ./bot 10.0.0.1 6667",
     "A program hears every line as its input, and says what it prints: \"<bob> !date\" is a "
     "question to it."},
    {NULL, NULL}};

static const char *const cluster[] = {
    "Servers that use one Redis server as their broker share all rooms: what is said at one of "
    "them is heard at all, /who shows everybody, and a name is given once. Put them behind one "
    "name in DNS, or a load balancer; their clients do not notice. One that speaks the PROXY "
    "protocol (hproxy --send-proxy) tells them who the clients are: --accept-proxy "
    "--accept-proxy-from 10.79.0.2, where only its address may do so.",
    "Redis keeps nothing: everything goes through one channel (--broker-prefix), to which all of "
    "them listen. It is asked for nothing else, so its user may be confined to that channel. Who "
    "may write to it may speak in any name, so it needs a password and, over foreign wires, TLS "
    "(rediss://). What comes from it is checked as what comes from clients is.",
    "When the broker is lost, the rooms of each server work on. Members are told so once, and "
    "again when it is back; then the servers tell each other anew who is there, and what the rooms "
    "talk about. A server that is not heard of for --broker-timeout is gone, and its people have "
    "left; they join again when it is back, and one line tells of all. If the same name was given "
    "twice meanwhile, the server "
    "whose name comes first keeps it for its member; the other member is renamed, and told. A "
    "server starts without its broker, and goes on trying.",
    "Three hosts: Redis on 10.79.0.10, with what hnet's sources have in "
    "scripts/examples/chat/redis.conf, and a server each on the other two. scripts/cluster chat "
    "shows that in network namespaces, and what happens when a cable is pulled and when Redis "
    "dies.",
    NULL};

static const hopt_term_t cluster_terms[] = {
    {"redis-server /etc/redis/chat.conf",
     "bind 10.79.0.10; user default off; user chat on >PASSWORD resetchannels &hchat -@all +ping "
     "+publish +subscribe"},
    {"hchat --broker redis://chat@10.79.0.10 --broker-password file:/etc/hchat.secret :6667",
     "On each of the others."},
    {"hchat --reconnect chat.example.com 6667",
     "A client comes back by itself, to a server that is there."},
    {"redis-cli subscribe hchat", "Everything that happens, as JSON."},
    {NULL, NULL}};

const hopt_section_t manual_sections[] = {
    {"COMMANDS", commands, command_terms, NULL},
    {"CLIENT", client, client_terms, NULL},
    {"SEVERAL SERVERS", cluster, cluster_terms, NULL},
    {0},
};
