#include "base/hmem.h"
#include "input.h"
#include "writeout.h"

static int take_format(const hopt_t *option, const char *arg, void *opts, hbytes_t *why)
{
    writeout_options_t *o = opts;
    hbytes_t text = {0};
    int err;

    (void)option;
    writeout_options_deinit(o);
    o->format = arg;
    if (*arg != '@')
        return 0;
    err = input_read(arg + 1, WRITEOUT_FILE_MAX, INPUT_JOINED, &text, why);
    if (err == 0 && text.len == 0)
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
