#include <stdio.h>

#include "../test.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/str.h"

static void error_keeps_code_and_context(void **state)
{
    (void)state;
    struct weir_err err;
    assert_int_equal(weir_fail(&err, WEIR_E_NOT_FOUND, "no table %s", "x"), WEIR_E_NOT_FOUND);
    assert_int_equal(weir_fail_in(&err, err.code, "pipeline %s: ", "p"), WEIR_E_NOT_FOUND);
    assert_string_equal(err.msg, "pipeline p: no table x");
    assert_string_equal(weir_rc_name(WEIR_E_TRIMMED), "trimmed");
    assert_int_equal(weir_rc_http(WEIR_E_TRIMMED), 410);
    assert_true(weir_rc_retryable(WEIR_E_BUSY));
}

static void utf8_is_validated(void **state)
{
    (void)state;
    assert_true(weir_str_is_utf8(WEIR_STR("plain text that is long enough")));
    assert_true(weir_str_is_utf8(WEIR_STR("caf\xc3\xa9 \xf0\x9f\x98\x80")));
    assert_false(weir_str_is_utf8(WEIR_STR("\xc0\xaf")));         /* overlong */
    assert_false(weir_str_is_utf8(WEIR_STR("\xed\xa0\x80")));     /* surrogate */
    assert_false(weir_str_is_utf8(WEIR_STR("\xf4\x90\x80\x80"))); /* past U+10FFFF */
    assert_false(weir_str_is_utf8(WEIR_STR("abc\xe2\x82")));      /* cut */
}

static void nearest_name_is_found(void **state)
{
    (void)state;
    static const char *const names[] = { "stream", "key", "indexes" };
    assert_string_equal(weir_str_nearest(WEIR_STR("steam"), names, 3), "stream");
    assert_null(weir_str_nearest(WEIR_STR("colour"), names, 3));
}

static void arena_reset_keeps_nothing(void **state)
{
    (void)state;
    struct weir_arena arena;
    weir_arena_init(&arena);
    char *small = weir_arena_alloc(&arena, 10);
    memset(small, 1, 10);
    char *large = weir_arena_alloc(&arena, 100000);
    memset(large, 2, 100000);
    assert_int_equal(small[9], 1);
    weir_arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_string_equal(weir_arena_printf(&arena, "%d-%s", 7, "x").p, "7-x");
    weir_arena_fini(&arena);
}

static void buffer_stops_at_its_maximum(void **state)
{
    (void)state;
    struct weir_buf buf;
    struct weir_err err;
    weir_buf_init(&buf, 8);
    weir_buf_z(&buf, "12345678");
    assert_int_equal(weir_buf_check(&buf, "text", &err), WEIR_OK);
    weir_buf_byte(&buf, '9');
    assert_int_equal(weir_buf_check(&buf, "text", &err), WEIR_E_TOO_LARGE);
    assert_string_equal(err.msg, "text is larger than 8 bytes");
    assert_int_equal(buf.n, 8);
    weir_buf_fini(&buf);
}

static void checksum_is_crc32c(void **state)
{
    (void)state;
    /* RFC 3720, B.4: 32 bytes of zeros. */
    unsigned char zeros[32] = { 0 };
    assert_int_equal(weir_crc32c(0, zeros, sizeof(zeros)), 0x8a9136aa);
    assert_int_equal(weir_crc32c(0, "123456789", 9), 0xe3069283);
}

static void checksum_of_long_input_equals_that_of_its_parts(void **state)
{
    (void)state;
    unsigned char bytes[5000];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * i >> 3);
    }
    for (size_t n = 0; n < sizeof(bytes); n += 97) {
        uint32_t parts = 7;
        for (size_t i = 0; i < n; i++) {
            parts = weir_crc32c(parts, bytes + i, 1);
        }
        assert_int_equal(weir_crc32c(7, bytes, n), parts);
    }
}

static void times_are_read_as_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {
        { "2025-11-25T15:53:08.123Z", 1764085988123 },
        { "2025-11-25T15:53:08Z", 1764085988000 },
        { "2025-11-25T15:53Z", 1764085980000 },
        { "2025-11-25T17:53:08.1239+02:00", 1764085988123 },
        { "2025-11-25T10:23:08.1-05:30", 1764085988100 },
        { "1970-01-01", 0 },
        { "2024-02-29", 1709164800000 },
        { "1969-12-31T23:59:59.999Z", -1 },
    };
    struct weir_time time;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_true(weir_time_parse(weir_str_z(times[i].text), &time));
        assert_int_equal(time.ms, times[i].ms);
    }
    for (int64_t ms = -62167219200000; ms < 253402300800000; ms += 12345678901234) {
        char text[WEIR_TIME_TEXT];
        weir_time_format((struct weir_time){ ms }, text);
        assert_true(weir_time_parse(weir_str_z(text), &time));
        assert_int_equal(time.ms, ms);
    }
    static const char *const wrong[] = { "", "2025", "2025-11", "2025-13-01", "2025-00-10",
        "2025-02-29", "2025-04-31", "2025-11-25T", "2025-11-25T15Z", "2025-11-25T24:00Z",
        "2025-11-25T15:60Z", "2025-11-25T15:53:08", "2025-11-25T15:53:08.Z", "2025-11-25 15:53Z",
        "2025-11-25T15:53:08Zx", "2025-11-25T15:53:08+0200", "25-11-2025", "soon" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(weir_time_parse(weir_str_z(wrong[i]), &time));
    }
}

static void time_is_written_as_iso_8601(void **state)
{
    (void)state;
    char text[WEIR_TIME_TEXT];
    weir_time_format((struct weir_time){ 1764085988123 }, text);
    assert_string_equal(text, "2025-11-25T15:53:08.123Z");
    struct weir_clock_virtual clock;
    weir_clock_virtual_init(&clock, (struct weir_time){ 1000 });
    weir_clock_virtual_advance(&clock, 500);
    assert_int_equal(weir_clock_wall(&clock.base).ms, 1500);
    assert_int_equal(weir_clock_monotonic_ns(&clock.base), 500000000);
}

enum { NAMES_SIZE = 64 };

static void a_clock_that_jumps_ahead_is_not_trusted(void **state)
{
    (void)state;
    struct weir_clock_virtual clock;
    struct weir_clock_guard guard;
    weir_clock_virtual_init(&clock, (struct weir_time){ 1000 });
    weir_clock_guard_init(&guard, &clock.base);
    weir_clock_virtual_advance(&clock, 3600 * 1000); /* an hour passes on both clocks */
    assert_true(weir_clock_guard_trusts(&guard));
    clock.wall_ms += 3600 * 1000; /* the wall clock alone steps ahead */
    assert_false(weir_clock_guard_trusts(&guard));
    weir_clock_virtual_advance(&clock, 60 * 1000);
    assert_false(weir_clock_guard_trusts(&guard));
    clock.wall_ms -= 3600 * 1000; /* and is set right again */
    assert_true(weir_clock_guard_trusts(&guard));
    clock.wall_ms += 3600 * 1000;
    assert_false(weir_clock_guard_trusts(&guard));
    weir_clock_virtual_advance(&clock, 10 * 60 * 1000); /* nobody did: it is believed */
    assert_true(weir_clock_guard_trusts(&guard));
}

static void note_name(void *arg, const char *name)
{
    char *names = arg;
    size_t used = strlen(names);
    (void)snprintf(names + used, NAMES_SIZE - used, "%s", name);
}

static void memory_files_behave_like_files(void **state)
{
    (void)state;
    struct weir_fs *fs = weir_fs_memory_create();
    struct weir_file *file = NULL;
    struct weir_err err;
    assert_int_equal(fs->ops->open(fs, "d/a", WEIR_OPEN_READ, &file, &err), WEIR_E_NOT_FOUND);
    assert_int_equal(fs->ops->open(fs, "d/a", WEIR_OPEN_CREATE, &file, &err), WEIR_OK);
    assert_int_equal(fs->ops->write(file, 3, "xyz", 3, &err), WEIR_OK);
    char bytes[6];
    assert_int_equal(weir_file_read_all(file, 0, bytes, 6, &err), WEIR_OK);
    assert_memory_equal(bytes, "\0\0\0xyz", 6);
    assert_int_equal(weir_file_read_all(file, 1, bytes, 6, &err), WEIR_E_DAMAGED);
    assert_int_equal(fs->ops->rename(fs, "d/a", "d/b", &err), WEIR_OK);
    char names[NAMES_SIZE] = "";
    assert_int_equal(fs->ops->list(fs, "d", note_name, names, &err), WEIR_OK);
    assert_string_equal(names, "b");
    weir_file_destroy(file);
    weir_fs_destroy(fs);
}

static void metrics_are_prometheus_text(void **state)
{
    (void)state;
    struct weir_metrics *metrics = weir_metrics_create();
    struct weir_counter *a = weir_metrics_counter(metrics, "a_total", "x=\"1\"", "An a");
    weir_metrics_gauge(metrics, "b", NULL, "A b");
    weir_metrics_counter(metrics, "a_total", "x=\"2\"", "An a");
    weir_counter_add(a, 3);
    struct weir_buf buf;
    weir_buf_init(&buf, 4096);
    weir_metrics_write(metrics, &buf);
    weir_buf_byte(&buf, '\0');
    assert_string_equal(buf.p, "# HELP a_total An a\n# TYPE a_total counter\na_total{x=\"1\"} 3\n"
                               "a_total{x=\"2\"} 0\n# HELP b A b\n# TYPE b gauge\nb{} 0\n");
    weir_buf_fini(&buf);
    weir_metrics_destroy(metrics);
}

static void seeded_randomness_repeats(void **state)
{
    (void)state;
    struct weir_random a;
    struct weir_random b;
    weir_random_seed(&a, 42);
    weir_random_seed(&b, 42);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(weir_random_u64(&a), weir_random_u64(&b));
        assert_true(weir_random_below(&a, 10) < 10);
        weir_random_u64(&b);
    }
    char uuid[WEIR_UUID_TEXT];
    weir_random_uuid(&a, uuid);
    assert_int_equal(strlen(uuid), 36);
    assert_int_equal(uuid[14], '4');
}

static struct weir_metric_reading read_metric(struct weir_metrics *metrics, const char *name,
        const struct weir_metric_label *labels, size_t label_count)
{
    struct weir_metric_reading reading;
    weir_metrics_read(metrics, weir_str_z(name), labels, label_count, &reading);
    return reading;
}

static void metrics_are_read_by_name_and_labels(void **state)
{
    (void)state;
    struct weir_metrics *metrics = weir_metrics_create();
    weir_counter_add(weir_metrics_counter(metrics, "a_total", "p=\"x\",q=\"1\"", "A"), 3);
    weir_counter_add(
            weir_metrics_counter(metrics, "a_total", "p=\"y\\\\\\\"\\n,q=\",q=\"1\"", "A"), 5);
    weir_gauge_set(weir_metrics_gauge(metrics, "b", NULL, "B"), -7);
    struct weir_histogram *h = weir_metrics_histogram(metrics, "c_seconds", "p=\"x\"", "C", 1, 0.5);
    weir_histogram_add(h, 4);
    weir_histogram_add(h, 6);

    struct weir_metric_reading all = read_metric(metrics, "a_total", NULL, 0);
    assert_int_equal(all.series, 2);
    assert_int_equal(all.kind, WEIR_METRIC_COUNTER);
    assert_true(all.least == 3 && all.most == 5 && all.sum == 8);

    const struct weir_metric_label x[] = { { WEIR_STR("q"), WEIR_STR("1") },
        { WEIR_STR("p"), WEIR_STR("x") } };
    assert_true(read_metric(metrics, "a_total", x, 2).sum == 3);
    const struct weir_metric_label y = { WEIR_STR("p"), WEIR_STR("y\\\"\n,q=") };
    assert_true(read_metric(metrics, "a_total", &y, 1).sum == 5);
    const struct weir_metric_label part = { WEIR_STR("p"), WEIR_STR("y") };
    assert_int_equal(read_metric(metrics, "a_total", &part, 1).series, 0);
    const struct weir_metric_label other = { WEIR_STR("r"), WEIR_STR("x") };
    assert_int_equal(read_metric(metrics, "a_total", &other, 1).series, 0);
    assert_int_equal(read_metric(metrics, "a", NULL, 0).series, 0);
    assert_int_equal(read_metric(metrics, "b", &other, 1).series, 0);

    struct weir_metric_reading b = read_metric(metrics, "b", NULL, 0);
    assert_true(b.kind == WEIR_METRIC_GAUGE && b.sum == -7 && b.most == -7);
    struct weir_metric_reading c = read_metric(metrics, "c_seconds", x + 1, 1);
    assert_true(c.kind == WEIR_METRIC_HISTOGRAM && c.count == 2 && c.sum == 5);
    c = read_metric(metrics, "c_seconds_count", NULL, 0);
    assert_true(c.kind == WEIR_METRIC_COUNTER && c.sum == 2);
    assert_true(read_metric(metrics, "c_seconds_sum", NULL, 0).sum == 5);
    assert_int_equal(read_metric(metrics, "c_seconds_bucket", NULL, 0).series, 0);
    weir_metrics_destroy(metrics);
}

static void xml_carries_any_text(void **state)
{
    struct weir_buf buf;
    (void)state;
    weir_buf_init(&buf, 1024);
    weir_buf_xml(&buf, WEIR_STR("a<b>&\"c'\r\n\t\x01\xc3\xa4"));
    assert_int_equal(weir_str_cmp(weir_buf_view(&buf),
                             WEIR_STR("a&lt;b&gt;&amp;&quot;c'&#xD;&#xA;\t?\xc3\xa4")),
            0);
    weir_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_as_they_are_written),
        cmocka_unit_test(error_keeps_code_and_context),
        cmocka_unit_test(utf8_is_validated),
        cmocka_unit_test(nearest_name_is_found),
        cmocka_unit_test(arena_reset_keeps_nothing),
        cmocka_unit_test(buffer_stops_at_its_maximum),
        cmocka_unit_test(checksum_is_crc32c),
        cmocka_unit_test(checksum_of_long_input_equals_that_of_its_parts),
        cmocka_unit_test(time_is_written_as_iso_8601),
        cmocka_unit_test(a_clock_that_jumps_ahead_is_not_trusted),
        cmocka_unit_test(memory_files_behave_like_files),
        cmocka_unit_test(metrics_are_prometheus_text),
        cmocka_unit_test(metrics_are_read_by_name_and_labels),
        cmocka_unit_test(xml_carries_any_text),
        cmocka_unit_test(seeded_randomness_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
