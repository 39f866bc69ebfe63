/* What form.c keeps for form_build.c. */
#ifndef HCURL_FORM_INT_H
#define HCURL_FORM_INT_H

#include "app/hopt.h"

#include "form.h"

typedef enum field_e { FIELD_FORM, FIELD_DATA, FIELD_FILE, FIELD_STDIN } field_e;

struct form_field_s {
    field_e kind;
    bool told;     /* "@": the file's name is sent */
    bool of_stdin; /* FIELD_DATA: it came from there */
    char *name, *filename, *type, *encoder;
    hopt_list_t headers; /* owned */
    char *data;          /* the content, or the file's name */
    size_t len;
    struct form_field_s *parent, *next;
    struct form_field_s *first, *last; /* FIELD_FORM */
    unsigned depth;
};

#endif
