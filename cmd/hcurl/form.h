/* form: -F and --form-string: what they say, kept as a tree, and the multipart/form-data made of
 * it.
 *
 *     name=content   name=@file[,file2]   name=<file   name=(   =)
 *     each but the last with  ;type=TYPE  ;filename=NAME  ;headers=LINE or @FILE  ;encoder=NAME */
#ifndef HCURL_FORM_H
#define HCURL_FORM_H

#include "base/hbuf.h"
#include "proto/http_form.h"

#include <stdbool.h>

#define FORM_FIELDS_MAX 100000           /* of a form */
#define FORM_DEPTH_MAX 16                /* of =( within one another */
#define FORM_STDIN_MAX ((size_t)1 << 30) /* bytes, where standard input is no file */

typedef struct form_field_s form_field_t;

/* All zero is empty. */
typedef struct form_s {
    form_field_t *root; /* the outermost multipart */
    form_field_t *open; /* the one that fields go to */
    size_t count;
} form_t;

/* Takes one -F; literal: one --form-string. Standard input ("@-", "<-") is read here, unless it is
 * a file. 0, and *why may hold a warning; HERR_SYNTAX, -errno of a file of headers, -ENOMEM,
 * -ENOBUFS, and why. */
int form_add(form_t *form, const char *text, bool literal, hbytes_t *why);
void form_deinit(form_t *form);

typedef struct form_how_s {
    bool escape; /* --form-escape */
    bool mixed;  /* its type is not multipart/form-data */
} form_how_t;

/* The body; form is borrowed until it is freed. 0; an exit status and why (a file that cannot be
 * read). */
int form_build(const form_t *form, hloop_t *loop, form_how_t how, http_form_t **out, hbytes_t *why);

#endif
