#include "../test.h"
#include "base/random.h"
#include "value/json.h"

/* The tokens of a text, one letter each, "E" for an error. */
static struct weir_str tokens(struct weir_arena *arena, struct weir_str text, struct weir_err *err)
{
    static const char letters[] = "E.{}[]nsdtf0";
    struct weir_json json;
    enum weir_json_token token;
    char *out = weir_arena_zero(arena, text.n + 2, 1);
    size_t n = 0;
    weir_json_init(&json, text, arena, 4);
    do {
        token = weir_json_next(&json);
        out[n++] = letters[token];
    } while (token != WEIR_JSON_END && token != WEIR_JSON_ERROR);
    *err = json.err;
    assert_int_equal(weir_json_next(&json), token);
    return weir_str(out, n);
}

static void good_texts_give_their_tokens(void **state)
{
    static const char *const cases[][2] = {
        { "1", "d." },
        { " \t\r\n\"\" ", "s." },
        { "{}", "{}." },
        { "[ ]", "[]." },
        { "{\"a\":1,\"b\" : [true,false,null,{}],\"\":\"\"}", "{ndn[tf0{}]ns}." },
        { "[0,-0,-1,1.5,1e3,1E+3,1.25e-3,10]", "[dddddddd]." },
        { "[[[[1]]]]", "[[[[d]]]]." },
    };
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(tokens(&arena, weir_str_z(cases[i][0]), &err).p, cases[i][1]);
    }
}

static void bad_texts_say_what_was_expected_and_where(void **state)
{
    static const struct {
        const char *text;
        size_t pos;
        const char *message;
    } cases[] = {
        { "", 0, "expected a value, found the end of the text" },
        { "}", 0, "expected a value, found '}'" },
        { "[1,]", 3, "expected a value, found ']'" },
        { "[1 2]", 3, "expected ',' or ']', found '2'" },
        { "[1}", 2, "expected ',' or ']', found '}'" },
        { "{\"a\" 1}", 5, "expected ':', found '1'" },
        { "{\"a\":1,}", 7, "expected a name, found '}'" },
        { "{1:2}", 1, "expected a name or '}', found '1'" },
        { "{\"a\":1", 6, "expected ',' or '}', found the end of the text" },
        { "1 2", 2, "expected the end of the text, found '2'" },
        { "nul", 0, "expected a value, found 'n'" },
        { "NaN", 0, "expected a value, found 'N'" },
        { "-Infinity", 1, "expected a digit, found 'I'" },
        { "+1", 0, "expected a value, found '+'" },
        { "01", 0, "expected a number without leading zeros" },
        { "[-012]", 2, "expected a number without leading zeros" },
        { "1.", 2, "expected a digit behind the point, found the end of the text" },
        { ".5", 0, "expected a value, found '.'" },
        { "1e", 2, "expected a digit of an exponent, found the end of the text" },
        { "\"ab", 3, "expected the quote that ends a string, found the end of the text" },
        { "\"a\nb\"", 2, "expected the quote that ends a string, found byte 0x0a" },
        { "\"a\\nb\tc\"", 5, "expected the quote that ends a string, found byte 0x09" },
        { "\"\\x\"", 1, "expected an escape that JSON has, and surrogates in pairs" },
        { "\"\\u12g4\"", 1, "expected an escape that JSON has, and surrogates in pairs" },
        { "\"\\ud800\"", 1, "expected an escape that JSON has, and surrogates in pairs" },
        { "\"\\udc00\"", 1, "expected an escape that JSON has, and surrogates in pairs" },
        { "\"\\ud800\\u0041\"", 1, "expected an escape that JSON has, and surrogates in pairs" },
        { "\"ab\\", 3, "expected an escape that JSON has, and surrogates in pairs" },
        { "\"\\u00", 1, "expected an escape that JSON has, and surrogates in pairs" },
        { "\"\xff\"", 0, "expected UTF-8, found other bytes in a string" },
        { "\"0123456789abcdef\xc0\xaf\"", 0, "expected UTF-8, found other bytes in a string" },
        { "\"\\n\xed\xa0\x80\"", 0, "expected UTF-8, found other bytes in a string" },
        { "[[[[[1]]]]]", 4, "expected at most 4 levels of arrays and objects" },
    };
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_str got = tokens(&arena, weir_str_z(cases[i].text), &err);
        assert_int_equal(got.p[got.n - 1], 'E');
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(err.pos, cases[i].pos);
    }
}

static void every_cut_of_a_text_is_refused(void **state)
{
    static const char text[] =
            "{\"a\":[1.5e-3,true,\"x\\u00e9\\ud83d\\ude00\\n\",null,{\"b\":false}]}";
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    for (size_t n = 0; n < sizeof(text); n++) {
        /* A copy of the exact size, so that reading past its end is seen. */
        char *copy = weir_alloc(n > 0 ? n : 1);
        memcpy(copy, text, n);
        struct weir_str got = tokens(&arena, weir_str(copy, n), &err);
        assert_int_equal(got.p[got.n - 1], n == sizeof(text) - 1 ? '.' : 'E');
        weir_free(copy);
    }
}

static struct weir_str read_string(struct weir_arena *arena, const char *text)
{
    struct weir_json json;
    weir_json_init(&json, weir_str_z(text), arena, 1);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_STRING);
    return json.text;
}

static void escapes_are_decoded(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    assert_true(weir_str_eq(
            read_string(&arena, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), WEIR_STR("\"\\/\b\f\n\r\t")));
    assert_true(weir_str_eq(read_string(&arena, "\"a\\u0000\\u00e9\\u20AC\\uD83D\\uDE00z\""),
            WEIR_STR("a\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z")));
    const char *plain = "\"no escape: borrowed\"";
    assert_ptr_equal(read_string(&arena, plain).p, plain + 1);
}

static void strings_are_scanned_alike_at_every_offset(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    /* The byte that ends the scan stands at each place of a block of 16 and beyond. */
    for (size_t n = 0; n < 50; n++) {
        char text[64];
        text[0] = '"';
        memset(text + 1, 'a', n);
        text[n + 1] = '"';
        assert_string_equal(tokens(&arena, weir_str(text, n + 2), &err).p, "s.");
        text[n + 1] = '\x1f';
        text[n + 2] = '"';
        assert_string_equal(tokens(&arena, weir_str(text, n + 3), &err).p, "E");
        assert_int_equal(err.pos, n + 1);
        text[n + 1] = '\x80';
        assert_string_equal(tokens(&arena, weir_str(text, n + 3), &err).p, "E");
        text[n + 1] = '\x7f';
        assert_string_equal(tokens(&arena, weir_str(text, n + 3), &err).p, "s.");
    }
}

static void values_are_skipped_and_given_raw(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_json json;
    struct weir_str raw;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    weir_json_init(&json, WEIR_STR("{ \"a\" : [1, {\"x\":[]}] , \"b\": -1.50 , \"c\":\"\\n\"}"),
            &arena, 10);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_OBJECT);
    assert_int_equal(weir_json_raw(&json, weir_json_next(&json), &raw, &err), WEIR_OK);
    assert_true(weir_str_eq(raw, WEIR_STR("[1, {\"x\":[]}]")));
    assert_int_equal(weir_json_next(&json), WEIR_JSON_NAME);
    assert_int_equal(weir_json_raw(&json, weir_json_next(&json), &raw, &err), WEIR_OK);
    assert_true(weir_str_eq(raw, WEIR_STR("-1.50")));
    assert_int_equal(weir_json_skip(&json, weir_json_next(&json), &err), WEIR_OK);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_OBJECT_END);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_END);

    weir_json_init(&json, WEIR_STR("[[1,2,x]]"), &arena, 10);
    assert_int_equal(weir_json_skip(&json, weir_json_next(&json), &err), WEIR_E_INVALID);
    assert_int_equal(err.pos, 6);
}

static void strings_are_written_escaped_and_repaired(void **state)
{
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    (void)state;
    weir_buf_init(&buf, 1000);
    weir_json_write_string(&buf, WEIR_STR("a\"\\/\n\t\0\x1f\x7f\xc3\xa9"));
    assert_true(weir_str_eq(
            weir_buf_view(&buf), WEIR_STR("\"a\\\"\\\\/\\n\\t\\u0000\\u001f\x7f\xc3\xa9\"")));
    weir_buf_reset(&buf);
    weir_json_write_string(&buf, WEIR_STR("x\xff\xc3\xa9\xc3\ny"));
    assert_true(weir_str_eq(
            weir_buf_view(&buf), WEIR_STR("\"x\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\\ny\"")));
}

static void random_bytes_come_back_from_base64(void **state)
{
    struct weir_random random;
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    unsigned char bytes[100];
    (void)state;
    weir_random_seed(&random, 3);
    weir_arena_init(&arena);
    weir_buf_init(&buf, 1000);
    for (int i = 0; i < 2000; i++) {
        struct weir_str again;
        size_t n = weir_random_below(&random, sizeof(bytes));
        for (size_t k = 0; k < n; k++) {
            bytes[k] = (unsigned char)weir_random_u64(&random);
        }
        weir_buf_reset(&buf);
        weir_base64_encode(&buf, weir_str((char *)bytes, n));
        struct weir_str text = weir_buf_view(&buf);
        assert_int_equal(weir_base64_decode(&arena, text, false, &again, NULL), WEIR_OK);
        assert_true(weir_str_eq(again, weir_str((char *)bytes, n)));
        while (text.n > 0 && text.p[text.n - 1] == '=') {
            text.n--;
        }
        assert_int_equal(weir_base64_decode(&arena, text, true, &again, NULL), WEIR_OK);
        assert_true(weir_str_eq(again, weir_str((char *)bytes, n)));
    }
}

static void bad_base64_is_refused(void **state)
{
    static const struct {
        const char *text;
        bool lax; /* whether lax takes it */
    } cases[] = { { "A", false }, { "AA", true }, { "AA=", true }, { "A===", false },
        { "====", false }, { "AB==", true }, { "AAB=", true }, { "A-B_", false }, { "A A=", false },
        { "AA==AA==", false }, { "\xc3\xa9", false } };
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_str bytes;
    (void)state;
    weir_arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_str text = weir_str_z(cases[i].text);
        assert_int_equal(weir_base64_decode(&arena, text, false, &bytes, NULL), WEIR_E_INVALID);
        assert_int_equal(weir_base64_decode(&arena, text, true, &bytes, NULL),
                cases[i].lax ? WEIR_OK : WEIR_E_INVALID);
    }
}

/* Step over the first value of a text token by token, as skipping has to. */
static enum weir_rc step_over(struct weir_json *json)
{
    enum weir_json_token token = weir_json_next(json);
    if (token == WEIR_JSON_OBJECT || token == WEIR_JSON_ARRAY) {
        unsigned depth = json->depth - 1;
        while (json->depth > depth && token != WEIR_JSON_ERROR) {
            token = weir_json_next(json);
        }
    }
    return token == WEIR_JSON_ERROR ? json->err.code : WEIR_OK;
}

static void check_skip(struct weir_str text, struct weir_arena *arena)
{
    struct weir_json skipped;
    struct weir_json stepped;
    weir_json_init(&skipped, text, arena, 4);
    weir_json_init(&stepped, text, arena, 4);
    enum weir_json_token token = weir_json_next(&skipped);
    struct weir_err err = { 0 };
    enum weir_rc rc = weir_json_skip(&skipped, token, &err);
    assert_int_equal(rc, step_over(&stepped));
    if (rc != WEIR_OK) {
        assert_int_equal(err.pos, stepped.err.pos);
        assert_string_equal(err.msg, stepped.err.msg);
        return;
    }
    assert_int_equal(skipped.at, stepped.at);
    assert_int_equal(weir_json_next(&skipped), weir_json_next(&stepped));
    assert_string_equal(skipped.err.msg, stepped.err.msg);
}

static void skipping_agrees_with_reading(void **state)
{
    (void)state;
    static const char text[] =
            "{\"a\":[1,-2.50,0,3e5,\"x\"],\"b\":{\"c\":true,\"d\":[[],{}]},\"e\":null, \"f\":"
            "[false ,\"\\u0041\xc3\xa9\"]}";
    static const char bytes[] = "{}[]:,\"\\0 1.-etfnul\xc3\x01";
    struct weir_arena arena;
    weir_arena_init(&arena);
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        check_skip(weir_str(text, i), &arena);
        for (size_t j = 0; j + 1 < sizeof(bytes); j++) {
            char changed[sizeof(text)];
            memcpy(changed, text, sizeof(text));
            changed[i] = bytes[j];
            check_skip(weir_str(changed, sizeof(text) - 1), &arena);
        }
    }
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_give_their_tokens),
        cmocka_unit_test(bad_texts_say_what_was_expected_and_where),
        cmocka_unit_test(every_cut_of_a_text_is_refused),
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(strings_are_scanned_alike_at_every_offset),
        cmocka_unit_test(values_are_skipped_and_given_raw),
        cmocka_unit_test(skipping_agrees_with_reading),
        cmocka_unit_test(strings_are_written_escaped_and_repaired),
        cmocka_unit_test(random_bytes_come_back_from_base64),
        cmocka_unit_test(bad_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
