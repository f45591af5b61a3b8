#include "../test.h"
#include "net/access.h"

static bool served(const char *host, const char *origin)
{
    return weir_access_check(weir_str_z(host), weir_str_z(origin), WEIR_STR("192.168.7.9"), NULL) ==
           WEIR_OK;
}

static void loopback_addresses_are_known(void **state)
{
    (void)state;
    assert_true(weir_access_is_loopback(WEIR_STR("127.0.0.1")));
    assert_true(weir_access_is_loopback(WEIR_STR("127.8.9.10")));
    assert_true(weir_access_is_loopback(WEIR_STR("::1")));
    assert_true(weir_access_is_loopback(WEIR_STR("0:0:0:0:0:0:0:1")));
    assert_true(weir_access_is_loopback(WEIR_STR("localhost")));
    assert_false(weir_access_is_loopback(WEIR_STR("0.0.0.0")));
    assert_false(weir_access_is_loopback(WEIR_STR("::")));
    assert_false(weir_access_is_loopback(WEIR_STR("128.0.0.1")));
    assert_false(weir_access_is_loopback(WEIR_STR("127.0.0.1.evil.com")));
    assert_false(weir_access_is_loopback(WEIR_STR("")));
}

static void hosts_of_this_machine_are_served(void **state)
{
    (void)state;
    assert_true(served("localhost", NULL));
    assert_true(served("LocalHost:8000", NULL));
    assert_true(served("queue.localhost:8000", NULL));
    assert_true(served("127.0.0.1:8000", NULL));
    assert_true(served("127.1.2.3", NULL));
    assert_true(served("[::1]:8000", NULL));
    assert_true(served("192.168.7.9:8000", NULL)); /* what we listen on */
}

static void foreign_hosts_are_refused(void **state)
{
    (void)state;
    assert_false(served(NULL, NULL));
    assert_false(served("", NULL));
    assert_false(served("evil.com", NULL));
    assert_false(served("localhost.evil.com", NULL));
    assert_false(served("notlocalhost", NULL));
    assert_false(served(".localhost.", NULL));
    assert_false(served("127.0.0.1.evil.com:80", NULL));
    assert_false(served("192.168.7.8", NULL));
    assert_false(served("localhost:80@evil.com", NULL));
    assert_false(served("[::1", NULL));
    assert_false(served("[::1]evil.com", NULL));
    assert_false(served("10.0.0.1", NULL));
}

static void origin_must_be_of_this_machine_too(void **state)
{
    (void)state;
    assert_true(served("localhost:8000", "http://localhost:3000"));
    assert_true(served("localhost:8000", "https://127.0.0.1"));
    assert_true(served("localhost:8000", "http://192.168.7.9:8000"));
    assert_false(served("localhost:8000", "https://evil.com"));
    assert_false(served("localhost:8000", "null"));
    assert_false(served("localhost:8000", ""));
    assert_false(served("localhost:8000", "file://localhost"));
    assert_false(served("evil.com", "http://localhost"));
}

static void refusal_names_the_value(void **state)
{
    (void)state;
    struct weir_err err;
    assert_int_equal(
            weir_access_check(WEIR_STR("evil.com"), weir_str(NULL, 0), WEIR_STR("127.0.0.1"), &err),
            WEIR_E_DENIED);
    assert_non_null(strstr(err.msg, "Host \"evil.com\""));
    assert_int_equal(weir_access_check(WEIR_STR("localhost"), WEIR_STR("http://a.b"),
                             WEIR_STR("127.0.0.1"), &err),
            WEIR_E_DENIED);
    assert_non_null(strstr(err.msg, "Origin \"http://a.b\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_addresses_are_known),
        cmocka_unit_test(hosts_of_this_machine_are_served),
        cmocka_unit_test(foreign_hosts_are_refused),
        cmocka_unit_test(origin_must_be_of_this_machine_too),
        cmocka_unit_test(refusal_names_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
