#include "hqr.h"

#include <stdint.h>
#include <string.h>

#include "../base/herr.h"

#if HNET_WITH_QRENCODE
#include <qrencode.h>

#include "../base/hlib.h"

#define WIDTH_MAX (177 + 2 * HQR_QUIET)
#define BLACK_ON_WHITE "\033[30;107m"
#define PLAIN "\033[0m"

typedef struct qr_lib_s {
    HLIB_FUNCTION(QRcode_encodeString8bit);
    HLIB_FUNCTION(QRcode_free);
} qr_lib_t;

static qr_lib_t qr;
static const hlib_symbol_t symbols[] = {HLIB_SYMBOL(qr_lib_t, QRcode_encodeString8bit),
                                        HLIB_SYMBOL(qr_lib_t, QRcode_free)};
static const char *const files[] = {"libqrencode.so.4", NULL};
static hlib_t lib = {
    files, symbols, sizeof(symbols) / sizeof(symbols[0]), &qr, PTHREAD_MUTEX_INITIALIZER, 0, ""};

/* Light around the code, and below its last row. */
static bool is_dark(const QRcode *code, int x, int y)
{
    x -= HQR_QUIET;
    y -= HQR_QUIET;
    return x >= 0 && x < code->width && y >= 0 && y < code->width &&
           (code->data[y * code->width + x] & 1);
}

/* Two modules, of which those that count are drawn. */
static const char *block(bool upper, bool lower)
{
    if (upper)
        return lower ? "\xe2\x96\x88" : "\xe2\x96\x80";
    return lower ? "\xe2\x96\x84" : " ";
}

/* With colour the dark ones are drawn, on white. Without, the light ones are, as writing is light.
 */
static int write_rows(hbytes_t *out, const QRcode *code, bool color)
{
    int width = code->width + 2 * HQR_QUIET, err = 0;

    for (int y = 0; y < width && !err; y += 2) {
        err = hbytes_append_str(out, color ? BLACK_ON_WHITE : "");
        for (int x = 0; x < width && !err; x++) {
            bool upper = is_dark(code, x, y) == color;
            bool lower = y + 1 < width && is_dark(code, x, y + 1) == color;

            err = hbytes_append_str(out, block(upper, lower));
        }
        err = err ? err : hbytes_append_str(out, color ? PLAIN "\n" : "\n");
    }
    return err;
}

int hqr_write(hbytes_t *out, const char *text, bool color, size_t columns)
{
    size_t before = out->len, len = strlen(text);
    QRcode *code;
    int err;

    if (len == 0 || len > HQR_TEXT_MAX)
        return HERR_RANGE;
    err = hlib_load(&lib);
    if (err)
        return err;
    code = qr.QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!code)
        return errno == ERANGE ? HERR_RANGE : -ENOMEM;
    err = columns > 0 && (size_t)code->width + 2 * HQR_QUIET > columns ? HERR_RANGE : 0;
    err = err ? err : write_rows(out, code, color);
    qr.QRcode_free(code);
    if (err && out->data) {
        out->len = before;
        out->data[before] = '\0';
    }
    return err;
}

const char *hqr_missing(void)
{
    return "libqrencode.so.4 cannot be loaded (on Debian it is in the package libqrencode4)";
}

#else

int hqr_write(hbytes_t *out, const char *text, bool color, size_t columns)
{
    (void)out;
    (void)color;
    (void)columns;
    return text[0] == '\0' || strlen(text) > HQR_TEXT_MAX ? HERR_RANGE : HERR_UNSUPPORTED;
}

const char *hqr_missing(void)
{
    return "built without libqrencode";
}

#endif
