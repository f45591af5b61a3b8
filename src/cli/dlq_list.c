/* weir dlq list: letters, and how many of each kind. */
#include <stdio.h>

#include "cli/columns.h"
#include "cli/dlq.h"
#include "value/json.h"

enum { OUT_MAX_BYTES = 256 << 20, KEYS_SHOWN = 60 };

/* Letters of one fingerprint. */
struct kind {
    struct weir_str fingerprint;
    struct weir_str step;
    struct weir_str error; /* of the latest one */
    struct weir_str latest;
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

static struct weir_str shown_member(
        struct weir_arena *arena, struct weir_str letter, const char *name, size_t most)
{
    return weir_cli_dlq_text(arena, weir_cli_member(arena, letter, name), most);
}

static void add_kind(struct listing *listing, struct weir_str letter)
{
    struct weir_arena *arena = &listing->letters.arena;
    struct weir_str fingerprint = shown_member(arena, letter, "fingerprint", SIZE_MAX);
    struct weir_str failed_at = shown_member(arena, letter, "timestamp", SIZE_MAX);
    struct kind *kind = listing->kinds;
    while (kind != NULL && !weir_str_eq(kind->fingerprint, fingerprint)) {
        kind = kind->next;
    }
    if (kind == NULL) {
        kind = WEIR_ARENA_NEW(arena, struct kind);
        kind->fingerprint = fingerprint;
        kind->step = shown_member(arena, letter, "step", SIZE_MAX);
        *listing->last = kind;
        listing->last = &kind->next;
    }
    kind->count++;
    if (weir_str_cmp(failed_at, kind->latest) >= 0) {
        kind->latest = failed_at;
        kind->error = shown_member(arena, letter, "error", SIZE_MAX);
    }
}

static enum weir_cli_exit list_letter(void *arg, struct weir_str letter)
{
    struct listing *listing = arg;
    struct weir_arena *arena = &listing->letters.arena;
    const struct weir_cli_call *call = listing->call;
    bool shown = !call->group && (call->limit == 0 || listing->shown < call->limit);
    listing->count++;
    listing->shown += shown;
    if (!call->json || call->group) {
        add_kind(listing, letter);
    }
    if (call->json && shown) {
        weir_buf_str(&listing->lines, letter);
        weir_buf_byte(&listing->lines, '\n');
    } else if (shown) {
        struct weir_str cells[] = {
            shown_member(arena, letter, "sequence", SIZE_MAX),
            shown_member(arena, letter, "timestamp", SIZE_MAX),
            shown_member(arena, letter, "event_name", SIZE_MAX),
            shown_member(arena, letter, "keys", KEYS_SHOWN),
            shown_member(arena, letter, "error", SIZE_MAX),
        };
        weir_cli_columns_add(&listing->letters, cells);
    }
    return WEIR_CLI_DONE;
}

/* The kinds' texts are copied: the letters' columns, where they are, are freed by their writing. */
static void fill_kinds(struct weir_cli_columns *columns, const struct listing *listing)
{
    static const char *const titles[] = { "FINGERPRINT", ">LETTERS", "LATEST", "ERROR" };
    struct weir_arena *arena = &columns->arena;
    weir_cli_columns_init(columns, titles, sizeof(titles) / sizeof(titles[0]));
    for (const struct kind *kind = listing->kinds; kind != NULL; kind = kind->next) {
        struct weir_str cells[] = {
            weir_arena_str(arena, kind->fingerprint),
            weir_arena_printf(arena, "%llu", (unsigned long long)kind->count),
            weir_arena_str(arena, kind->latest),
            weir_arena_str(arena, kind->error),
        };
        weir_cli_columns_add(columns, cells);
    }
}

static void write_kinds_json(struct weir_buf *out, const struct listing *listing)
{
    for (const struct kind *kind = listing->kinds; kind != NULL; kind = kind->next) {
        weir_buf_z(out, "{\"fingerprint\":");
        weir_json_write_string(out, kind->fingerprint);
        weir_buf_printf(out, ",\"letters\":%llu,\"latest\":", (unsigned long long)kind->count);
        weir_json_write_string(out, kind->latest);
        weir_buf_z(out, ",\"step\":");
        weir_json_write_string(out, kind->step);
        weir_buf_z(out, ",\"error\":");
        weir_json_write_string(out, kind->error);
        weir_buf_z(out, "}\n");
    }
}

static void write_listing(struct weir_buf *out, struct listing *listing)
{
    unsigned long long count = listing->count;
    struct weir_cli_columns kinds;
    fill_kinds(&kinds, listing);
    if (count == 0) {
        weir_buf_z(out, "no dead letters\n");
    } else if (listing->shown < count && !listing->call->group) {
        weir_buf_printf(out, "%llu dead letters, the first %llu:\n", count,
                (unsigned long long)listing->shown);
    } else {
        weir_buf_printf(out, "%llu dead letter%s\n", count, count == 1 ? "" : "s");
    }
    weir_cli_columns_write(&listing->letters, out, "\n", "");
    weir_cli_columns_write(&kinds, out, "\n", "");
}

enum weir_cli_exit weir_cli_dlq_list(const struct weir_cli_dlq *dlq)
{
    static const char *const titles[] = { "SEQUENCE", "FAILED AT", "EVENT", "KEYS", "ERROR" };
    struct listing listing = { .call = dlq->call };
    struct weir_buf out;
    listing.last = &listing.kinds;
    weir_buf_init(&listing.lines, OUT_MAX_BYTES);
    weir_buf_init(&out, OUT_MAX_BYTES);
    weir_cli_columns_init(&listing.letters, titles, sizeof(titles) / sizeof(titles[0]));
    enum weir_cli_exit code = weir_cli_dlq_each(dlq, dlq->filter, list_letter, &listing);
    if (dlq->call->json) {
        write_kinds_json(&listing.lines, &listing);
    }
    write_listing(&out, &listing);
    if (code == WEIR_CLI_DONE) {
        weir_cli_print(dlq->call->json ? &listing.lines : &out);
    }
    weir_buf_fini(&out);
    weir_buf_fini(&listing.lines);
    return code;
}
