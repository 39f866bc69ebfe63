#include "base/hcrc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 3720 appendix B.4, and the usual check value. */
static void it_is_the_one_of_the_standard(void **state)
{
    uint8_t data[32];

    (void)state;
    assert_int_equal(hcrc32c(0, "", 0), 0);
    assert_int_equal(hcrc32c(0, "123456789", 9), 0xe3069283U);
    memset(data, 0, sizeof(data));
    assert_int_equal(hcrc32c(0, data, sizeof(data)), 0x8a9136aaU);
    memset(data, 0xff, sizeof(data));
    assert_int_equal(hcrc32c(0, data, sizeof(data)), 0x62a8ab43U);
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    assert_int_equal(hcrc32c(0, data, sizeof(data)), 0x46dd794eU);
    for (unsigned i = 0; i <= sizeof(data); i++) /* in two parts */
        assert_int_equal(hcrc32c(hcrc32c(0, data, i), data + i, sizeof(data) - i), 0x46dd794eU);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_the_one_of_the_standard)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
