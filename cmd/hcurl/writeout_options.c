#include "base/hmem.h"
#include "writeout.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A file without its line ends; "-" is the standard input. */
static int read_file(const char *name, hbytes_t *text)
{
    int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC), err = 0;
    char piece[4096];
    ssize_t n = 0;

    if (fd < 0)
        return -errno;
    while (err == 0 && (n = read(fd, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; err == 0 && i < n; i++) {
            if (piece[i] != '\r' && piece[i] != '\n' && piece[i] != '\0')
                err = hbytes_append_char(text, piece[i]);
        }
    }
    if (n < 0)
        err = -errno;
    if (fd != STDIN_FILENO)
        close(fd);
    return err;
}

static int take_format(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    writeout_options_t *o = opts;
    hbytes_t text = {.size_max = WRITEOUT_FILE_MAX};
    int err;

    (void)option;
    writeout_options_deinit(o);
    o->format = arg;
    if (*arg != '@')
        return 0;
    err = read_file(arg + 1, &text);
    if (err)
        hbytes_printf(why, "cannot read %s: %s", arg + 1, herr_str(err));
    else if (text.len == 0)
        hbytes_printf(why, "%s is empty", arg + 1);
    o->file = hbytes_take(&text, NULL);
    o->format = o->file;
    hbytes_deinit(&text);
    return err;
}

void writeout_options_deinit(writeout_options_t *options)
{
    hmem_free(options->file);
    *options = (writeout_options_t){0};
}

const hopt_t writeout_rows[] = {
    HOPT_CALL('w', "write-out", take_format,
              "print this behind each transfer; %{name} is a variable, @FILE takes the text from a "
              "file",
              .arg_name = "FORMAT"),
    HOPT_END,
};
