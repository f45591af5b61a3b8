/*
 * Event patterns per second on records like DynamoDB's: matching JSON text
 * (parsing included) and records in place, at 1 to 10,000 patterns.
 *
 *     bench_pattern [RECORDS [SECONDS]]
 *
 * Prints a table, then one line of JSON.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pattern/pattern.h"
#include "value/ddbjson.h"

struct sample {
    struct weir_str json;
    struct weir_record record;
};

struct workload {
    struct weir_arena arena; /* what is matched, close together as in a log */
    struct weir_arena draft; /* what it is made from */
    struct weir_record_source source;
    struct sample *samples;
    size_t count;
    size_t bytes;
    uint64_t seed;
};

static uint64_t next_random(struct workload *workload, uint64_t below)
{
    workload->seed = workload->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (workload->seed >> 33) % below;
}

/* One order line list: [{"M":{"sku":..,"qty":..}}, ..] */
static struct weir_str make_lines(struct workload *workload)
{
    struct weir_str text = WEIR_STR("");
    uint64_t count = 1 + next_random(workload, 3);
    for (uint64_t i = 0; i < count; i++) {
        text = weir_arena_printf(&workload->draft,
                "%.*s%s{\"M\":{\"sku\":{\"S\":\"SKU-%05u\"},\"qty\":{\"N\":\"%u\"}}}",
                WEIR_STR_ARG(text), i > 0 ? "," : "", (unsigned)next_random(workload, 50000),
                1 + (unsigned)next_random(workload, 8));
    }
    return text;
}

static struct weir_item read_item(struct workload *workload, struct weir_str text)
{
    struct weir_json json;
    struct weir_item item = { 0 };
    struct weir_err err;
    weir_json_init(&json, text, &workload->draft, 64);
    if (weir_ddbjson_read_item(&json, weir_json_next(&json), &item, &err) != WEIR_OK) {
        fprintf(stderr, "bench_pattern: %s\n", err.msg);
        exit(1);
    }
    struct weir_str kept = weir_arena_str(&workload->arena, weir_str(item.p, item.n));
    return (struct weir_item){ kept.p, kept.n };
}

static void make_sample(struct workload *workload, size_t i)
{
    static const char *const statuses[] = { "NEW", "PAID", "PICKED", "SHIPPED", "DELIVERED",
        "RETURNED" };
    static const char *const tags[] = { "a", "b", "c", "d", "gift", "rush" };
    static const enum weir_event_name events[] = { WEIR_EVENT_INSERT, WEIR_EVENT_MODIFY,
        WEIR_EVENT_MODIFY, WEIR_EVENT_REMOVE };
    struct sample *sample = &workload->samples[i];
    struct weir_str keys = weir_arena_printf(&workload->draft,
            "\"pk\":{\"S\":\"TENANT#%05u\"},\"sk\":{\"S\":\"ORDER#%08u\"}",
            (unsigned)next_random(workload, 20000), (unsigned)next_random(workload, 100000000));
    size_t tag = next_random(workload, 6);
    struct weir_str image = weir_arena_printf(&workload->draft,
            "{%.*s,\"status\":{\"S\":\"%s\"},\"total\":{\"N\":\"%u.%02u\"},"
            "\"email\":{\"S\":\"user%u@example.com\"},\"tags\":{\"SS\":[\"%s\",\"%s\"]},"
            "\"lines\":{\"L\":[%.*s]}}",
            WEIR_STR_ARG(keys), statuses[next_random(workload, 6)],
            (unsigned)next_random(workload, 1000), (unsigned)next_random(workload, 100),
            (unsigned)next_random(workload, 1000000), tags[tag],
            tags[(tag + 1 + next_random(workload, 5)) % 6], WEIR_STR_ARG(make_lines(workload)));
    enum weir_event_name event = events[next_random(workload, 4)];
    sample->json = weir_arena_printf(&workload->arena,
            "{\"eventID\":\"%016" PRIx64 "%016" PRIx64
            "\",\"eventName\":\"%s\",\"eventVersion\":\"1.1\","
            "\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"us-east-1\",\"dynamodb\":{"
            "\"ApproximateCreationDateTime\":%zu,\"Keys\":{%.*s},\"NewImage\":%.*s,"
            "\"SequenceNumber\":\"1%020zu\",\"SizeBytes\":321,"
            "\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}}",
            workload->seed, ~workload->seed, weir_event_name(event), 1700000000 + i,
            WEIR_STR_ARG(keys), WEIR_STR_ARG(image), i);
    struct weir_str key_item = weir_arena_printf(&workload->draft, "{%.*s}", WEIR_STR_ARG(keys));
    sample->record = (struct weir_record){ .source = &workload->source,
        .event = event,
        .pos = { i },
        .created = { (int64_t)(1700000000 + i) * 1000 },
        .keys = read_item(workload, key_item),
        .new_image = read_item(workload, image) };
    workload->bytes += sample->json.n;
    weir_arena_reset(&workload->draft);
}

/* The i-th rule: exact values, anything-but, prefix and exists in turn. */
static struct weir_str make_rule(struct workload *workload, unsigned i)
{
    switch (i % 4) {
    case 0:
        return weir_arena_printf(&workload->arena,
                "{\"eventName\":[\"INSERT\",\"MODIFY\"],\"dynamodb\":{\"NewImage\":{\"pk\":"
                "{\"S\":[\"TENANT#%05u\"]}}}}",
                i);
    case 1:
        return weir_arena_printf(&workload->arena,
                "{\"eventName\":[\"MODIFY\"],\"dynamodb\":{\"NewImage\":{\"pk\":{\"S\":"
                "[\"TENANT#%05u\"]},\"status\":{\"S\":[{\"anything-but\":[\"NEW\"]}]}}}}",
                i);
    case 2:
        return weir_arena_printf(&workload->arena,
                "{\"dynamodb\":{\"NewImage\":{\"sk\":{\"S\":[{\"prefix\":\"ORDER#%04u\"}]}}}}", i);
    default:
        return weir_arena_printf(&workload->arena,
                "{\"eventName\":[\"REMOVE\"],\"dynamodb\":{\"Keys\":{\"pk\":{\"S\":"
                "[\"TENANT#%05u\",\"TENANT#%05u\"]}},\"NewImage\":{\"email\":{\"S\":"
                "[{\"exists\":true}]}}}}",
                i, i + 10000);
    }
}

struct result {
    double ns;        /* a record */
    uint64_t matches; /* in one pass over the samples */
};

static uint64_t match_one(const struct weir_pattern_set *set, struct weir_pattern_scratch *scratch,
        const struct sample *sample, bool in_place, uint64_t *results)
{
    enum weir_rc rc =
            in_place ? weir_pattern_match_record(set, scratch, &sample->record, results, NULL)
                     : weir_pattern_match_json(set, scratch, sample->json, results, NULL);
    if (rc != WEIR_OK) {
        fprintf(stderr, "bench_pattern: a record cannot be matched\n");
        exit(1);
    }
    uint64_t matches = 0;
    for (size_t i = 0; i < weir_pattern_set_words(set); i++) {
        matches += (uint64_t)__builtin_popcountll(results[i]);
    }
    return matches;
}

static struct result measure(const struct workload *workload, const struct weir_pattern_set *set,
        bool in_place, double seconds)
{
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    uint64_t *results = weir_alloc_zero(weir_pattern_set_words(set) + 1, sizeof(*results));
    struct result result = { 0 };
    const struct weir_clock *clock = weir_clock_system();
    uint64_t done = 0;
    uint64_t begin = weir_clock_monotonic_ns(clock);
    uint64_t now = begin;
    for (uint64_t pass = 0; pass == 0 || (double)(now - begin) < seconds * 1e9; pass++) {
        result.matches = 0;
        for (size_t i = 0; i < workload->count; i++) {
            result.matches += match_one(set, scratch, &workload->samples[i], in_place, results);
        }
        done += workload->count;
        now = weir_clock_monotonic_ns(clock);
    }
    result.ns = (double)(now - begin) / (double)done;
    weir_free(results);
    return result;
}

static struct weir_pattern_set *make_set(struct workload *workload, unsigned rules)
{
    struct weir_pattern_set *set = weir_pattern_set_create();
    for (unsigned i = 0; i < rules; i++) {
        size_t index = 0;
        struct weir_err err;
        if (weir_pattern_set_add(set, make_rule(workload, i), WEIR_PATTERN_AWS, &index, &err) !=
                WEIR_OK) {
            fprintf(stderr, "bench_pattern: %s\n", err.msg);
            exit(1);
        }
    }
    weir_pattern_set_freeze(set);
    return set;
}

int main(int argc, char **argv)
{
    struct workload workload = { .seed = 7 };
    size_t asked = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    const size_t count = asked > 0 ? asked : 10000;
    workload.count = count;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0.5;
    workload.source = (struct weir_record_source){ WEIR_STR("orders"),
        WEIR_STR("arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/1"),
        WEIR_STR("us-east-1"), WEIR_VIEW_NEW_AND_OLD_IMAGES };
    weir_arena_init(&workload.arena);
    weir_arena_init(&workload.draft);
    workload.samples = weir_alloc_zero(workload.count, sizeof(*workload.samples));
    for (size_t i = 0; i < workload.count; i++) {
        make_sample(&workload, i);
    }
    static const unsigned rules[] = { 1, 10, 100, 1000, 10000 };
    struct weir_buf json;
    weir_buf_init(&json, 4096);
    weir_buf_printf(&json, "{\"bench\":\"pattern\",\"record_bytes\":%zu,\"runs\":[",
            workload.bytes / count);
    printf("%8s %14s %14s %14s %10s\n", "rules", "json rec/s", "json ns", "in place ns", "matches");
    for (size_t i = 0; i < WEIR_COUNT(rules); i++) {
        WEIR_AUTO(weir_pattern_set)
        struct weir_pattern_set *set = make_set(&workload, rules[i]);
        struct result text = measure(&workload, set, false, seconds);
        struct result place = measure(&workload, set, true, seconds);
        printf("%8u %14.0f %14.1f %14.1f %10llu%s\n", rules[i], 1e9 / text.ns, text.ns, place.ns,
                (unsigned long long)text.matches,
                text.matches == place.matches ? "" : "  the two differ");
        weir_buf_printf(&json, "%s{\"rules\":%u,\"json_ns\":%.1f,\"record_ns\":%.1f}",
                i > 0 ? "," : "", rules[i], text.ns, place.ns);
    }
    weir_buf_z(&json, "]}");
    printf("%.*s\n", WEIR_STR_ARG(weir_buf_view(&json)));
    weir_buf_fini(&json);
    weir_free(workload.samples);
    weir_arena_fini(&workload.draft);
    weir_arena_fini(&workload.arena);
    return 0;
}
