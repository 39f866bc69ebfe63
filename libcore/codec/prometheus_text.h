/* prometheus_text: writes metrics in the text format of Prometheus, version 0.0.4 (the exposition
 * formats of its documentation).
 *
 *     prometheus_text_init(&p, &out);
 *     prometheus_text_family(&p, "x_connections_total", "counter", "Connections accepted.");
 *     prometheus_text_label(&p, "listener", "web");
 *     prometheus_text_uint(&p, 12);
 *     status = prometheus_text_finish(&p);
 *
 * The calls return nothing: the first failure is kept, what follows it does nothing, and
 * prometheus_text_finish tells. */
#ifndef HNET_CODEC_PROMETHEUS_TEXT_H
#define HNET_CODEC_PROMETHEUS_TEXT_H

#include "../base/hbuf.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROMETHEUS_TEXT_LABELS_MAX 8
#define PROMETHEUS_TEXT_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

typedef struct prometheus_text_s {
    hbytes_t *out;
    int error;
    const char *family;
    size_t label_count;
    struct {
        const char *name, *value;
    } labels[PROMETHEUS_TEXT_LABELS_MAX]; /* of the next sample */
} prometheus_text_t;

/* Appends to out, which is borrowed until prometheus_text_finish. */
void prometheus_text_init(prometheus_text_t *p, hbytes_t *out);

/* 0; -ENOMEM or -ENOBUFS (out is full); -EINVAL (a sample without a family, too many labels). The
 * content of out is of no use then. */
int prometheus_text_finish(prometheus_text_t *p);

/* Begins a family: type is "counter", "gauge" or "histogram". Strings are constant. */
void prometheus_text_family(prometheus_text_t *p, const char *name, const char *type,
                            const char *help);

/* A label of the next sample; both are borrowed until then. value may be any bytes but NUL: what is
 * not UTF-8 becomes U+FFFD. */
void prometheus_text_label(prometheus_text_t *p, const char *name, const char *value);

/* A sample. */
void prometheus_text_uint(prometheus_text_t *p, uint64_t value);

/* value / 10^decimals, exactly: (1234567, 6) gives 1.234567. 1 to 18 decimals. */
void prometheus_text_fixed(prometheus_text_t *p, uint64_t value, unsigned decimals);

/* Upper bounds of a histogram's buckets, growing; the last one is UINT64_MAX. */
typedef struct prometheus_text_bound_s {
    uint64_t most;
    const char *le; /* the same as Prometheus is told: "0.005", "+Inf" */
} prometheus_text_bound_t;

/* The bucket that a value belongs to. */
size_t prometheus_text_bucket(const prometheus_text_bound_t *bounds, uint64_t value);

/* The samples of a histogram: counts[i] values are in bucket i alone, sum is that of all values, in
 * 10^-decimals. The labels are those of each sample. */
void prometheus_text_histogram(prometheus_text_t *p, const prometheus_text_bound_t *bounds,
                               const uint64_t *counts, uint64_t sum, unsigned decimals);

#ifdef __cplusplus
}
#endif

#endif
