/* What --help and the manual say about hcurl, beside the rows of its options. */
#include "manual.h"
#include "options.h"

static const char *const usage[] = {"[options] URL...", NULL};

static const char *const description[] = {
    "hcurl asks HTTP and HTTPS servers for what URLs name, and sends them what it is given. Its "
    "options, its output and its exit statuses are those of curl; scripts need not know which of "
    "the two runs. Other protocols are refused, and so is every option of curl's that hcurl does "
    "not have: by its name, with exit status 2.",
    "A URL without a scheme is one of http, without a path one of /. Braces and brackets in it "
    "make "
    "several: http://{one,two}.example/part[1-9].txt; -g takes them as they are. The transfers are "
    "made one after another over connections that are kept, or with -Z at the same time.",
    "What a server sends goes to standard output, or into files: each -o or -O belongs to a URL, "
    "the "
    "first to the first one. \"#1\" in the name of -o is what the first brace or bracket stands "
    "for. "
    "Options and URLs may stand in any order; an option counts for all URLs up to the next --next, "
    "and those about hcurl itself, such as -v, -s and -Z, for all of the command line. An option "
    "given again replaces what it said before, unless it makes a list, as -H and -d do; "
    "--no-OPTION "
    "takes back one that takes no value.",
    "Data from files is named with an @: -d @FILE, -H @FILE, -F name=@FILE, -w @FILE. A - in the "
    "place of the file is standard input.",
    "Options may stand in a file, too, one a line: with its long name without dashes, and its "
    "value "
    "behind a blank, a = or a colon; or as on the command line. A value with blanks stands between "
    "double quotes, in which \\\\, \\\", \\t, \\n, \\r and \\v mean what they do in C. A line that "
    "begins with # is a comment. The file that --config names is read where it stands; ~/.hcurlrc "
    "is read before the rest, unless the first option is -q.",
    "--variable sets variables, from a text, a file or the environment. --expand-OPTION is any "
    "option with a value, in which {{NAME}} stands for a variable's content and {{NAME:FUNCTION}} "
    "for what the function makes of it: trim takes blanks from both ends, json and url escape it, "
    "b64 encodes and 64dec decodes base64. Functions may follow one another, with colons between. "
    "\\{{ stands for itself.",
    "With --remove-on-error, --robust or --checksum a file is written beside its place, as "
    ".hcurl-NUMBER, and gets its name once it is whole: what was there before stays until then. A "
    "name that a server gives (-J) is never that of a file that is there, and loses what could do "
    "harm: folders, a dot or a hyphen in front, control characters. A retry goes on behind what "
    "has come if the server can send the rest of the same file (by its ETag or date).",
    "A server that is asked over TLS has to prove who it is: with a certificate for the URL's host "
    "that one of the system's authorities has signed. -k takes anybody's word.",
    "--split N downloads a file over N connections, each with its range. What has come is in "
    "FILE.part, and what that is in FILE.part.ranges: the same command line goes on from there, if "
    "the server still has the same file (by its ETag, date and size). FILE gets its name once it "
    "is whole. A FILE.part without FILE.part.ranges beside it is somebody else's, and is left "
    "alone (exit status 23).",
    "--bench sends the request once as any other, which tells where redirects lead and is not "
    "counted, and then the same bytes again and again over --concurrency connections, each waiting "
    "for the response before it sends the next; -H 'Connection: close' makes a connection for each "
    "request. Latencies are from the sending of a request to the end of its response; --max-time "
    "limits each of them (10 s). --bench-json prints method, url, connections, threads, "
    "duration_s, "
    "requests, requests_per_s, bytes_received, bytes_sent, bytes_received_per_s, connects, "
    "body_bytes (min, max), statuses, errors (connect, tls, empty, partial, reset, timeout, reply, "
    "other), latency_us and connect_us (min, mean, p50, p75, p90, p99, p99.9, max). The exit "
    "status "
    "is 0 if each request had a response, of whatever status, else that of the most frequent "
    "error.",
    NULL};

static const hopt_term_t operands[] = {
    {"URL", "what is asked for: http://, https://, or without either"}, {NULL, NULL}};

static const hopt_term_t examples[] = {
    {"hcurl https://example.com/", "Show a page."},
    {"hcurl -LO https://example.com/file.tar.gz",
     "Download a file under its own name, wherever it has moved to."},
    {"hcurl -C - -O https://example.com/big.iso", "Go on with a download that was cut off."},
    {"hcurl --json '{\"name\": \"me\"}' http://localhost:8080/users", "Send JSON."},
    {"hcurl -F picture=@me.png -F 'title=My face' https://example.com/upload",
     "Send a form with a file."},
    {"hcurl -u me -I https://example.com/private", "Log in, and show the head of the response."},
    {"hcurl -Z -O 'https://example.com/part[1-20].zip'", "Download many files at the same time."},
    {"hcurl -sSf -o /dev/null -w '%{http_code} %{time_total}\\n' https://example.com/",
     "See how a server answers, and in what time."},
    {"hcurl -d a=1 http://localhost:8080/one --next http://localhost:8080/two",
     "Post to one URL, then get another."},
    {"hcurl --variable %USER --expand-url 'http://localhost:8080/{{USER:url}}'",
     "Put a variable of the environment into a URL."},
    {"hcurl --split 8 -LO https://example.com/big.iso",
     "Download a large file over eight connections."},
    {"hcurl --bench --concurrency 100 http://localhost:8080/", "Measure a server."},
    {NULL, NULL}};

static const hopt_term_t exit_status[] = {
    {"0", "All went well; a response of 404, too, without -f"},
    {"1",
     "A scheme other than http and https; an answer without a head, or that is not HTTP, without "
     "--http0.9"},
    {"2", "The command line is wrong, or asks for what hcurl does not have"},
    {"3", "A URL that cannot be one"},
    {"5, 6", "The proxy's or the server's name was not resolved"},
    {"7", "No connection to the server or the proxy"},
    {"8", "An answer whose head is malformed"},
    {"18", "The connection ended before the response did"},
    {"22", "A status of 400 or more, with -f, or not the one that was expected"},
    {"23", "Output could not be written"},
    {"26", "A file that was named could not be read"},
    {"27", "Out of memory"},
    {"28", "A time limit was reached"},
    {"33", "The server does not send ranges"},
    {"35", "No TLS was agreed on"},
    {"36", "A download could not be resumed"},
    {"43", "A method or a header that cannot be sent"},
    {"45", "No connection from the address of --interface"},
    {"47", "Too many redirects"},
    {"49", "--resolve or --connect-to is not understood"},
    {"52", "The server sent nothing"},
    {"53", "--engine: there are no crypto engines"},
    {"55, 56", "Sending or receiving failed"},
    {"58, 59", "The client's certificate, or the ciphers, cannot be used"},
    {"60", "The server's certificate was not accepted"},
    {"61", "A content coding that is unknown or broken"},
    {"63", "More than --max-filesize"},
    {"67", "The login was refused"},
    {"77, 82, 83", "Certificates or revocation lists could not be used"},
    {"90", "The server's key is not the pinned one"},
    {"97", "The proxy refused"},
    {"120", "What came has not the checksum of --checksum"},
    {NULL, NULL}};

static const hopt_term_t environment[] = {
    {"http_proxy, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
     "the proxies for URLs of a scheme, for all URLs, and the hosts that are reached without one; "
     "small letters do as well, and http_proxy has to have them"},
    {"HCURL_HOME, XDG_CONFIG_HOME, HOME", "where the config file is looked for"},
    {"CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR",
     "the certificates of authorities, without --cacert and --capath"},
    {"NETRC", "with -n: the file in the place of ~/.netrc"},
    {"SSLKEYLOGFILE", "where the secrets of each TLS connection are appended, with which Wireshark "
                      "and others can read what was sent"},
    {"COLUMNS", "the width of the terminal"},
    {"NO_COLOR", "if it is not empty, nothing has colour"},
    {NULL, NULL}};

static const hopt_term_t files[] = {
    {"~/.hcurlrc", "options that always count. The first of these is read: $HCURL_HOME/.hcurlrc, "
                   "$XDG_CONFIG_HOME/hcurlrc, ~/.hcurlrc, $HCURL_HOME/.config/hcurlrc, "
                   "~/.config/hcurlrc. Called by the name curl, hcurl reads those of curl"},
    {"~/.netrc", "with -n: users and passwords of hosts"},
    {"FILE.part, FILE.part.ranges", "with --split: what has come, and which ranges these are"},
    {NULL, NULL}};

static const char *const see_also[] = {"curl(1)", "hhttpd(1)", "hnc(1)", NULL};

const hopt_doc_t options_doc = {
    .name = "hcurl",
    .summary = "transfer data from and to URLs",
    .options = options_rows,
    .usage = usage,
    .description = description,
    .operands = operands,
    .sections = manual_sections,
    .examples = examples,
    .exit_status = exit_status,
    .environment = environment,
    .files = files,
    .see_also = see_also,
    .operand = HOPT_OPERAND_URL,
};
