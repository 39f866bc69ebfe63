/* One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/hnmap/vendors.h"
#include "folder_fixture.h"
#include "oom.h"

#include <errno.h>

static const char blocks[] = "OUI/MA-L    Organization\r\n\r\n"
                             "D0-96-86   (hex)\t\tIEEE Registration Authority\r\n"
                             "D09686     (base 16)\t\tIEEE Registration Authority\r\n"
                             "\t\t\t\tA street (base 17)\r\n\r\n"
                             "08-61-94   (hex)\t\tRockwell \xc3\xbc Automation  \r\n"
                             "086194     (base 16)\t\tRockwell \xc3\xbc Automation  \r\n\r\n"
                             "00-22-72   (hex)\t\tFuel\r\n"
                             "002272     (base 16)\t\tFuel\n"
                             "XYZ        (base 16)\t\tnot hexadecimal\n"
                             "000000     (base 16)\t\t\n"
                             "001122     (base 16)\t\tcut o";
static const char parts[] = "74-1A-E0   (hex)\t\tOther\r\n"
                            "900000-9FFFFF     (base 16)\t\tOther\r\n"
                            "D0-96-86   (hex)\t\twithnetworks\r\n"
                            "E00000-EFFFFF     (base 16)\t\twithnetworks\r\n";
static const char small_parts[] = "D0-96-86   (hex)\t\tSmall\r\n"
                                  "719000-719FFF     (base 16)\t\tSmall\r\n";

static void write_file(const folder_t *folder, const char *name, const char *text, size_t len)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static int make_folder(void **state)
{
    int status = folder_make(state);

    folder_write(*state, "oui.txt", blocks);
    folder_write(*state, "mam.txt", parts);
    folder_write(*state, "oui36.txt", small_parts);
    return status;
}

static const char *find(vendors_t *vendors, uint64_t address)
{
    uint8_t mac[6];

    for (size_t i = 0; i < 6; i++)
        mac[i] = (uint8_t)(address >> (40 - 8 * i));
    return vendors_find(vendors, mac);
}

static void an_address_has_the_name_of_its_block_or_part(void **state)
{
    vendors_t vendors = {.folder = ((folder_t *)*state)->path};

    for (int i = 0; i < 2; i++) { /* a name that was told is found again */
        assert_string_equal(find(&vendors, 0x002272000000), "Fuel");
        assert_string_equal(find(&vendors, 0x002272ffffff), "Fuel");
        assert_string_equal(find(&vendors, 0x086194123456), "Rockwell \xc3\xbc Automation");
        assert_string_equal(find(&vendors, 0xd09686e12345), "withnetworks");
        assert_string_equal(find(&vendors, 0xd09686719345), "Small");
        assert_null(find(&vendors, 0xd09686718345)); /* a part that nobody has */
        assert_null(find(&vendors, 0x741ae0900000)); /* a part of a block that is none */
        assert_null(find(&vendors, 0x002273000000));
        assert_null(find(&vendors, 0xfcffff000000));
        assert_null(find(&vendors, 0x000000000001)); /* an empty name */
    }
    vendors_free(&vendors);
}

static void an_address_that_was_made_up_has_none(void **state)
{
    vendors_t vendors = {.folder = ((folder_t *)*state)->path};

    assert_null(find(&vendors, 0x022272000000));
    assert_null(find(&vendors, 0x012272000000));
    assert_false(vendors.files[0].is_tried);
    vendors_free(&vendors);
}

static void without_the_file_nothing_is_known(void **state)
{
    vendors_t vendors = {.folder = "/nonexistent"};

    (void)state;
    assert_null(find(&vendors, 0x002272000000));
    vendors_free(&vendors);
    vendors.folder = "/dev"; /* has no such file */
    assert_null(find(&vendors, 0x002272000000));
    vendors_free(&vendors);
}

/* Also where the end of the file is the end of a page. */
static void a_file_may_be_cut_off_anywhere(void **state)
{
    const folder_t *folder = *state;
    char page[4096];

    for (size_t len = 0; len < sizeof(blocks); len++) {
        vendors_t vendors = {.folder = folder->path};
        const char *name;

        write_file(folder, "oui.txt", blocks, len);
        name = find(&vendors, 0x002272000000);
        assert_true(name == NULL || strcmp(name, "Fuel") == 0);
        assert_null(find(&vendors, 0x001122000000));
        vendors_free(&vendors);

        memset(page, '\n', sizeof(page));
        memcpy(page + sizeof(page) - len, blocks, len);
        write_file(folder, "oui.txt", page, sizeof(page));
        name = find(&vendors, 0x002272000000);
        assert_true(name == NULL || strcmp(name, "Fuel") == 0);
        assert_null(find(&vendors, 0x001122000000));
        vendors_free(&vendors);
    }
}

static int find_all(void *arg)
{
    vendors_t vendors = {.folder = ((folder_t *)arg)->path};
    const char *name = find(&vendors, 0x002272000000), *part = find(&vendors, 0xd09686719345);
    int err = name && part ? 0 : -ENOMEM;

    vendors_free(&vendors);
    return err;
}

static void without_memory_nothing_is_known(void **state)
{
    oom_run(find_all, *state);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(an_address_has_the_name_of_its_block_or_part),
        WITH_FOLDER(an_address_that_was_made_up_has_none),
        cmocka_unit_test(without_the_file_nothing_is_known),
        WITH_FOLDER(a_file_may_be_cut_off_anywhere),
        WITH_FOLDER(without_memory_nothing_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
