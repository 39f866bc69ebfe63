/* hnmap --resume FILE, without targets: the command line that is kept in the file. */
#include "base/herr.h"
#include "base/hmem.h"
#include "resume_file.h"
#include "scan.h"

#include <stdio.h>
#include <string.h>

/* Words with a NUL behind each as an argv. NULL when out of memory. */
static char **make_argv(hbytes_t *words, int *argc)
{
    char **argv;
    size_t at = 0;

    *argc = 1;
    for (size_t i = 0; i < words->len; i++)
        *argc += words->data[i] == '\0';
    argv = hmem_array((size_t)*argc + 1, sizeof(*argv));
    if (argv == NULL)
        return NULL;
    argv[0] = (char *)"hnmap";
    for (int i = 1; i < *argc; i++) {
        argv[i] = words->data + at;
        at += strlen(argv[i]) + 1;
    }
    return argv;
}

int resume_command(options_t *options)
{
    const char *path = options->resume;
    hbytes_t words = {0};
    int status, argc;
    char **argv;

    status = resume_file_command(path, &words);
    if (status != 0) {
        hbytes_deinit(&words);
        return status;
    }
    argv = make_argv(&words, &argc);
    if (argv == NULL) {
        fprintf(stderr, "hnmap: %s\n", herr_str(-ENOMEM));
        hbytes_deinit(&words);
        return 1;
    }
    options_free(options);
    status = options_parse(options, argc, argv);
    options->resume = path; /* it may have been moved */
    options->kept_words = words.data;
    options->kept_argv = argv;
    if (status == OPTIONS_RUN && options_are_kept(options)) {
        fprintf(stderr, "hnmap: --resume '%s': the command line in it names no target\n", path);
        return 1;
    }
    return status;
}
