/* What has a grammar of its own: globs, forms, and what -w prints. */
#include "manual.h"

static const char *const globs[] = {
    "A URL may stand for many, and so may the file of -T. The last pattern counts fastest, and -o "
    "names the files by them:",
    NULL};

static const hopt_term_t glob_terms[] = {
    {"{one,two}", "each of these texts"},
    {"[1-100], [001-100]", "numbers; as many digits as the first one has"},
    {"[0-100:10], [a-z]", "every tenth number; letters"},
    {"{<name>one,two}", "a pattern with a name"},
    {"#1, #{name}", "in the name of -o: what the first pattern, or the one of that name, stands "
                    "for at the moment"},
    {"\\{ \\} \\[ \\]", "the characters themselves; -g takes all of them so"},
    {NULL, NULL}};

static const char *const forms[] = {
    "Each -F is a field of a form (multipart/form-data). What follows the content, in any order, "
    "says more about it; a content with a semicolon stands between double quotes.",
    NULL};

static const hopt_term_t form_terms[] = {
    {"name=content", "a text"},
    {"name=@file, name=@one,two", "one or more files, each with its name; - is standard input"},
    {"name=<file", "what is in a file, as a text"},
    {";type=TYPE", "the content's type, in the place of the one that a file's name tells"},
    {";filename=NAME", "the name that the server is told"},
    {";headers=LINE, ;headers=@FILE", "a header of this field"},
    {";encoder=NAME", "how it is sent: binary, 8bit, 7bit, base64 or quoted-printable"},
    {"name=(;type=multipart/alternative, =)", "the fields between the two belong together"},
    {NULL, NULL}};

static const char *const variables[] = {
    "The format of -w is printed behind each transfer: \\n, \\r and \\t are a new line, a carriage "
    "return and a tab, %% is a percent sign, and %{name} one of these; some have a % of their own. "
    "What is not known is empty. Times are seconds since the transfer began.",
    NULL};

static const hopt_term_t variable_terms[] = {
    {"http_code, response_code", "the status of the last response; 000: there was none"},
    {"http_connect", "the status that a proxy gave to CONNECT"},
    {"http_version, method, scheme", "of the last request"},
    {"url, url_effective", "the URL that was asked for, and the one that was asked last"},
    {"url.PART, urle.PART", "a part of the first or of the last of these: scheme, user, password, "
                            "options, host, port, path, query, fragment, zoneid"},
    {"urlnum", "how many URLs were before it"},
    {"redirect_url", "where a redirect leads that was not followed"},
    {"num_redirects, num_connects, num_retries, num_headers", "how many there were"},
    {"content_type, referer", "of the last response and of the last request"},
    {"%header{NAME}, %header{NAME:all:SEPARATOR}",
     "a header of the last response; this header of all responses"},
    {"header_json", "all headers of the last response as JSON"},
    {"filename_effective", "the file that was written"},
    {"size_download, size_upload, size_delivered",
     "bytes of bodies that came, that were sent, that were written"},
    {"size_header, size_request", "bytes of heads that came and that were sent"},
    {"speed_download, speed_upload", "bytes a second on average"},
    {"time_queue", "until the transfer began"},
    {"time_namelookup", "until the address was known"},
    {"time_connect", "until the connection was there"},
    {"time_appconnect", "until TLS was agreed on"},
    {"time_pretransfer, time_posttransfer", "until the request was begun, and was sent"},
    {"time_starttransfer", "until the first byte came"},
    {"time_redirect", "that all redirects took"},
    {"time_total", "until the end"},
    {"%time{FORMAT}", "the date and time now in UTC, as strftime(3) has it; %f are microseconds"},
    {"local_ip, local_port, remote_ip, remote_port", "the ends of the connection"},
    {"proxy_used", "1 or 0"},
    {"ssl_verify_result, proxy_ssl_verify_result", "0: the certificate was good"},
    {"certs, num_certs", "the certificates that the server has shown, and how many"},
    {"exitcode, errormsg", "the exit status of this transfer, and what went wrong"},
    {"xfer_id, conn_id", "the numbers of the transfer and of its connection"},
    {"json", "all of these as JSON"},
    {"ftp_entry_path, tls_earlydata", "of other protocols: empty, and 0"},
    {"onerror", "what follows is printed only if the transfer failed"},
    {"stdout, stderr, %output{FILE}, %output{>>FILE}", "where the rest goes"},
    {NULL, NULL}};

const hopt_section_t manual_sections[] = {
    {"GLOBS", globs, glob_terms, NULL},
    {"FORMS", forms, form_terms, NULL},
    {"WRITE-OUT", variables, variable_terms, NULL},
    {0},
};
