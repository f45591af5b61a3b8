/* weir dlq list: letters, and how many of each kind. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/columns.h"
#include "cli/dlq.h"
#include "value/ddbjson.h"

enum { OUT_MAX_BYTES = 256 << 20, KEYS_SHOWN = 60 };

/* Letters of one fingerprint. */
struct kind {
    struct weir_str fingerprint;
    struct weir_str error; /* of the latest one */
    struct weir_str failed_at;
    uint64_t count;
    struct kind *next;
};

struct listing {
    const struct weir_cli_call *call;
    struct weir_cli_columns letters;
    struct weir_buf lines; /* with --json */
    struct kind *kinds;
    struct kind **last;
    uint64_t count; /* of all that pass */
    uint64_t shown;
};

static struct weir_str shown_text(
        struct weir_arena *arena, struct weir_item letter, struct weir_str name)
{
    return weir_cli_dlq_text(arena, weir_item_get(letter, name), SIZE_MAX);
}

static void add_kind(struct listing *listing, struct weir_item letter)
{
    struct weir_arena *arena = &listing->letters.arena;
    struct weir_str fingerprint = shown_text(arena, letter, WEIR_STR("fingerprint"));
    struct weir_str failed_at = shown_text(arena, letter, WEIR_STR("failed_at"));
    struct kind *kind = listing->kinds;
    while (kind != NULL && !weir_str_eq(kind->fingerprint, fingerprint)) {
        kind = kind->next;
    }
    if (kind == NULL) {
        kind = WEIR_ARENA_NEW(arena, struct kind);
        kind->fingerprint = fingerprint;
        *listing->last = kind;
        listing->last = &kind->next;
    }
    kind->count++;
    if (weir_str_cmp(failed_at, kind->failed_at) >= 0) {
        kind->failed_at = failed_at;
        kind->error = shown_text(arena, letter, WEIR_STR("error"));
    }
}

static enum weir_cli_exit list_letter(void *arg, struct weir_item letter, struct weir_str text)
{
    struct listing *listing = arg;
    struct weir_arena *arena = &listing->letters.arena;
    bool shown = listing->call->limit == 0 || listing->shown < listing->call->limit;
    (void)text;
    listing->count++;
    listing->shown += shown;
    if (listing->call->json && shown) {
        weir_ddbjson_write_plain_item(&listing->lines, letter);
        weir_buf_byte(&listing->lines, '\n');
    } else if (!listing->call->json) {
        add_kind(listing, letter);
    }
    if (!listing->call->json && shown) {
        struct weir_str cells[] = {
            shown_text(arena, letter, WEIR_STR("sequence")),
            shown_text(arena, letter, WEIR_STR("failed_at")),
            shown_text(arena, letter, WEIR_STR("event_name")),
            weir_cli_dlq_text(arena, weir_item_get(letter, WEIR_STR("keys")), KEYS_SHOWN),
            shown_text(arena, letter, WEIR_STR("error")),
        };
        weir_cli_columns_add(&listing->letters, cells);
    }
    return WEIR_CLI_DONE;
}

static void write_listing(struct weir_buf *out, struct listing *listing)
{
    static const char *const titles[] = { "FINGERPRINT", ">LETTERS", "LATEST", "ERROR" };
    struct weir_cli_columns kinds;
    weir_cli_columns_init(&kinds, titles, sizeof(titles) / sizeof(titles[0]));
    for (const struct kind *kind = listing->kinds; kind != NULL; kind = kind->next) {
        struct weir_str cells[] = {
            kind->fingerprint,
            weir_arena_printf(&kinds.arena, "%llu", (unsigned long long)kind->count),
            kind->failed_at,
            kind->error,
        };
        weir_cli_columns_add(&kinds, cells);
    }
    unsigned long long count = listing->count;
    if (count == 0) {
        weir_buf_z(out, "no dead letters\n");
    } else if (listing->shown < count) {
        weir_buf_printf(out, "%llu dead letters, the first %llu:\n", count,
                (unsigned long long)listing->shown);
    } else {
        weir_buf_printf(out, "%llu dead letter%s\n", count, count == 1 ? "" : "s");
    }
    weir_cli_columns_write(&listing->letters, out);
    weir_cli_columns_write(&kinds, out);
}

/* Two digits of a time that are at most that. */
static bool two_digits(const char *at, unsigned least, unsigned most)
{
    unsigned value = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    return value >= least && value <= most;
}

/* A time, or the beginning of one, as failed_at has it. */
static bool is_time(struct weir_str text)
{
    static const char form[] = "0000-00-00T00:00:00.000";
    size_t n = text.n;
    bool right = n == 10 || n == 16 || n == 19 || n == sizeof(form) - 1;
    for (size_t i = 0; right && i < n; i++) {
        char c = text.p[i];
        right = form[i] == '0' ? c >= '0' && c <= '9' : c == form[i];
    }
    return right && two_digits(text.p + 5, 1, 12) && two_digits(text.p + 8, 1, 31) &&
           (n < 16 || (two_digits(text.p + 11, 0, 23) && two_digits(text.p + 14, 0, 59))) &&
           (n < 19 || two_digits(text.p + 17, 0, 60));
}

/* --since: a time, or how long ago. The text is compared with failed_at. */
static enum weir_cli_exit read_since(
        const char *since, char text[static WEIR_TIME_TEXT], const char **ret_since)
{
    static const char units[] = "smhd";
    static const int64_t unit_ms[] = { 1000, 60000, 3600000, 86400000 };
    enum { MOST = 100 * 366 }; /* of any unit; more makes no sense */
    if (since == NULL) {
        return WEIR_CLI_DONE;
    }
    struct weir_str given = weir_str_z(since);
    uint64_t value = 0;
    const char *unit = given.n > 1 ? strchr(units, given.p[given.n - 1]) : NULL;
    if (unit != NULL && weir_str_to_u64(weir_str(given.p, given.n - 1), &value) && value <= MOST) {
        struct weir_time time = weir_clock_wall(weir_clock_system());
        time.ms -= (int64_t)value * unit_ms[unit - units];
        weir_time_format(time.ms > 0 ? time : (struct weir_time){ 0 }, text);
        *ret_since = text;
        return WEIR_CLI_DONE;
    }
    given.n -= given.n > 10 && given.p[given.n - 1] == 'Z';
    if (!is_time(given)) {
        weir_cli_fail("--since is a time as in 2025-11-22 or 2025-11-22T08:15:00Z, or how long ago "
                      "as in 90s, 15m, 2h, 7d, not '%s'",
                since);
        return WEIR_CLI_USAGE;
    }
    snprintf(text, WEIR_TIME_TEXT, "%.*s", WEIR_STR_ARG(given));
    *ret_since = text;
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_list(const struct weir_cli_dlq *dlq)
{
    static const char *const titles[] = { "SEQUENCE", "FAILED AT", "EVENT", "KEYS", "ERROR" };
    const struct weir_cli_call *call = dlq->call;
    struct weir_cli_dlq_filter filter = { .fingerprint = call->fingerprint, .error = call->error };
    char since[WEIR_TIME_TEXT];
    enum weir_cli_exit code = read_since(call->since, since, &filter.since);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    struct listing listing = { .call = call };
    struct weir_buf out;
    listing.last = &listing.kinds;
    weir_buf_init(&listing.lines, OUT_MAX_BYTES);
    weir_buf_init(&out, OUT_MAX_BYTES);
    weir_cli_columns_init(&listing.letters, titles, sizeof(titles) / sizeof(titles[0]));
    code = weir_cli_dlq_each(dlq, &filter, list_letter, &listing);
    write_listing(&out, &listing);
    if (code == WEIR_CLI_DONE) {
        weir_cli_print(call->json ? &listing.lines : &out);
    }
    weir_buf_fini(&out);
    weir_buf_fini(&listing.lines);
    return code;
}
