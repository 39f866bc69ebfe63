#include "http_heads.h"

#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WARM_UP 20000
#define REQUESTS 100000 /* a round */
#define ROUNDS 9

#define HEAD(client, text, fields)                                                                 \
    {                                                                                              \
        client, text, sizeof(text) - 1, fields                                                     \
    }

const bench_head_t bench_heads[] = {
    HEAD("wrk",
         "GET /index.html HTTP/1.1\r\n"
         "Host: 127.0.0.1:8080\r\n"
         "\r\n",
         1),
    HEAD("curl",
         "GET /files/report-2026.json?page=2&sort=name HTTP/1.1\r\n"
         "Host: files.example.com\r\n"
         "User-Agent: curl/8.5.0\r\n"
         "Accept: */*\r\n"
         "Accept-Encoding: deflate, gzip, br, zstd\r\n"
         "\r\n",
         4),
    HEAD("browser",
         "GET /articles/2026/11/how-a-parser-reads?ref=front&utm_source=letter HTTP/1.1\r\n"
         "Host: www.example.org\r\n"
         "Connection: keep-alive\r\n"
         "sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n"
         "sec-ch-ua-mobile: ?0\r\n"
         "sec-ch-ua-platform: \"Linux\"\r\n"
         "Upgrade-Insecure-Requests: 1\r\n"
         "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/130.0.0.0 Safari/537.36\r\n"
         "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
         "*/*;q=0.8\r\n"
         "Sec-Fetch-Site: same-origin\r\n"
         "Sec-Fetch-Mode: navigate\r\n"
         "Sec-Fetch-User: ?1\r\n"
         "Sec-Fetch-Dest: document\r\n"
         "Referer: https://www.example.org/articles/?tag=network&page=3\r\n"
         "Accept-Encoding: gzip, deflate, br, zstd\r\n"
         "Accept-Language: en-GB,en;q=0.9,de-AT;q=0.8,de;q=0.7\r\n"
         "Cookie: sid=9f2c4e7ab1d8430c95e1f6a7b2c3d4e5; theme=dark; lang=en-GB; "
         "_ga=GA1.2.1029384756.1700000000; consent=necessary%2Cstatistics; "
         "cart=eyJpdGVtcyI6W3siaWQiOjE3LCJuIjoyfV0sInYiOjN9\r\n"
         "If-Modified-Since: Sat, 14 Nov 2026 08:12:31 GMT\r\n"
         "If-None-Match: \"5f3c-63a1b2c3d4e5f\"\r\n"
         "\r\n",
         18),
};
const size_t bench_heads_count = sizeof(bench_heads) / sizeof(bench_heads[0]);

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double round_ns(bench_parse_cb parse, const bench_head_t *head)
{
    uint64_t start_ns = bench_cpu_ns(getpid());

    parse(head, REQUESTS);
    return (double)(bench_cpu_ns(getpid()) - start_ns) / REQUESTS;
}

void bench_parse_all(bench_parse_cb parse)
{
    for (size_t i = 0; i < bench_heads_count; i++) {
        const bench_head_t *head = &bench_heads[i];
        double ns[ROUNDS];

        if (parse(head, WARM_UP) != head->fields * WARM_UP) {
            errno = EPROTO;
            bench_fail(head->client);
        }
        for (int r = 0; r < ROUNDS; r++)
            ns[r] = round_ns(parse, head);
        qsort(ns, ROUNDS, sizeof(ns[0]), compare);
        printf("%s %.2f\n", head->client, ns[ROUNDS / 2]);
    }
}
