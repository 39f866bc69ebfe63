/* The reasons of statuses: RFC 9110 section 15, and the registry for the others. */
#include "http_head.h"

#define STATUSES_OF_A_CLASS 100

static const char *const informational[] = {
    [0] = "Continue", [1] = "Switching Protocols", [2] = "Processing", [3] = "Early Hints"};

static const char *const successful[] = {[0] = "OK",
                                         [1] = "Created",
                                         [2] = "Accepted",
                                         [3] = "Non-Authoritative Information",
                                         [4] = "No Content",
                                         [5] = "Reset Content",
                                         [6] = "Partial Content",
                                         [7] = "Multi-Status",
                                         [8] = "Already Reported",
                                         [26] = "IM Used"};

static const char *const redirection[] = {
    [0] = "Multiple Choices",   [1] = "Moved Permanently", [2] = "Found",
    [3] = "See Other",          [4] = "Not Modified",      [5] = "Use Proxy",
    [7] = "Temporary Redirect", [8] = "Permanent Redirect"};

static const char *const client_error[] = {[0] = "Bad Request",
                                           [1] = "Unauthorized",
                                           [2] = "Payment Required",
                                           [3] = "Forbidden",
                                           [4] = "Not Found",
                                           [5] = "Method Not Allowed",
                                           [6] = "Not Acceptable",
                                           [7] = "Proxy Authentication Required",
                                           [8] = "Request Timeout",
                                           [9] = "Conflict",
                                           [10] = "Gone",
                                           [11] = "Length Required",
                                           [12] = "Precondition Failed",
                                           [13] = "Content Too Large",
                                           [14] = "URI Too Long",
                                           [15] = "Unsupported Media Type",
                                           [16] = "Range Not Satisfiable",
                                           [17] = "Expectation Failed",
                                           [21] = "Misdirected Request",
                                           [22] = "Unprocessable Content",
                                           [23] = "Locked",
                                           [24] = "Failed Dependency",
                                           [25] = "Too Early",
                                           [26] = "Upgrade Required",
                                           [28] = "Precondition Required",
                                           [29] = "Too Many Requests",
                                           [31] = "Request Header Fields Too Large",
                                           [51] = "Unavailable For Legal Reasons"};

static const char *const server_error[] = {[0] = "Internal Server Error",
                                           [1] = "Not Implemented",
                                           [2] = "Bad Gateway",
                                           [3] = "Service Unavailable",
                                           [4] = "Gateway Timeout",
                                           [5] = "HTTP Version Not Supported",
                                           [6] = "Variant Also Negotiates",
                                           [7] = "Insufficient Storage",
                                           [8] = "Loop Detected",
                                           [11] = "Network Authentication Required"};

#define CLASS(table)                                                                               \
    {                                                                                              \
        table, sizeof(table) / sizeof(table[0])                                                    \
    }
static const struct {
    const char *const *text;
    size_t count;
} classes[] = {{NULL, 0},          CLASS(informational), CLASS(successful),
               CLASS(redirection), CLASS(client_error),  CLASS(server_error)};

const char *http_status_text(int status)
{
    size_t class = status < 0 ? 0 : (size_t)status / STATUSES_OF_A_CLASS;
    size_t at = status < 0 ? 0 : (size_t)status % STATUSES_OF_A_CLASS;

    if (class >= sizeof(classes) / sizeof(classes[0]) || at >= classes[class].count)
        return "Unknown";
    return classes[class].text[at] ? classes[class].text[at] : "Unknown";
}
