#include "cli/dlq.h"

#include "value/ddbjson.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 1 << 20, TEXT_MAX_BYTES = 16 << 20, JSON_DEPTH = 128, NAMES_MAX = 1024 };

/* --- the pipeline ---------------------------------------------------------------------------- */

/* Looking for one of the objects that a part of the status lists. */
struct search {
    struct weir_arena *arena;
    struct weir_str name;
    struct weir_str found; /* the object's text */
    const char *names[NAMES_MAX];
    size_t count;
};

static bool look(void *arg, struct weir_str object)
{
    struct search *search = arg;
    struct weir_str name =
            weir_arena_str(search->arena, weir_cli_member(search->arena, object, "name"));
    if (search->count < NAMES_MAX) {
        search->names[search->count++] = name.p;
    }
    search->found = weir_str_eq(name, search->name) ? object : search->found;
    return search->found.n == 0;
}

static enum weir_cli_exit unknown_pipeline(const struct search *search)
{
    const char *nearest = weir_str_nearest(search->name, search->names, search->count);
    if (nearest != NULL) {
        return weir_cli_fail("there is no pipeline '%.*s'; did you mean '%s'?",
                WEIR_STR_ARG(search->name), nearest);
    }
    return weir_cli_fail("there is no pipeline '%.*s'%s", WEIR_STR_ARG(search->name),
            search->count > 0 ? "; `weir status` lists them" : ": weir runs none");
}

/* The names would burden the stack, and live as long as the arena. */
static struct search *search_for(
        struct weir_arena *arena, struct weir_str answer, const char *part, struct weir_str name)
{
    struct search *search = WEIR_ARENA_NEW(arena, struct search);
    search->arena = arena;
    search->name = name;
    weir_cli_each(weir_cli_member(arena, answer, part), look, search);
    return search;
}

static enum weir_cli_exit read_status(const struct weir_cli_dlq *dlq, struct weir_str answer,
        struct weir_arena *arena, struct weir_cli_pipeline_status *ret_status)
{
    const struct search *search = search_for(arena, answer, "pipelines", dlq->pipeline);
    if (search->found.n == 0) {
        return unknown_pipeline(search);
    }
    struct weir_str at_end = weir_cli_member(arena, search->found, "at_end");
    *ret_status = (struct weir_cli_pipeline_status){
        .letters = weir_arena_str(arena, weir_cli_member(arena, search->found, "dead_letters")),
        .state = weir_arena_str(arena, weir_cli_member(arena, search->found, "state")),
        .reason = weir_arena_str(arena, weir_cli_member(arena, search->found, "reason")),
        .at_end = weir_str_eq(at_end, WEIR_STR("true")),
    };
    struct weir_str letters = ret_status->letters;
    if (letters.n > 0 && search_for(arena, answer, "tables", letters)->found.n == 0) {
        return weir_cli_fail("pipeline '%.*s' keeps its dead letters in table '%.*s', which is not "
                             "there; its key is { pipeline: S, sequence: S }",
                WEIR_STR_ARG(dlq->pipeline), WEIR_STR_ARG(letters));
    }
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_status(const struct weir_cli_dlq *dlq, struct weir_arena *arena,
        struct weir_cli_pipeline_status *ret_status)
{
    struct weir_http_reply reply = { 0 };
    struct weir_cli_request request = { .path = WEIR_STR("/v1/status") };
    enum weir_cli_exit code = weir_cli_fetch(dlq->call, &request, &reply);
    if (code == WEIR_CLI_DONE) {
        code = read_status(dlq, weir_buf_view(&reply.body), arena, ret_status);
    }
    weir_http_reply_fini(&reply);
    return code;
}

enum weir_cli_exit weir_cli_dlq_init(struct weir_cli_dlq *dlq, const struct weir_cli_call *call)
{
    *dlq = (struct weir_cli_dlq){ .call = call, .pipeline = weir_str_z(call->arguments[1]) };
    weir_arena_init(&dlq->arena);
    struct weir_cli_pipeline_status status = { 0 };
    enum weir_cli_exit code = weir_cli_dlq_status(dlq, &dlq->arena, &status);
    if (code == WEIR_CLI_DONE && status.letters.n == 0) {
        weir_cli_fail("pipeline '%.*s' keeps no dead letters: it has no on_failure; add",
                WEIR_STR_ARG(dlq->pipeline));
        weir_cli_fail("  on_failure: { table: dead-letters }");
        weir_cli_fail("to it, and to tables");
        return weir_cli_fail("  dead-letters: { key: { pipeline: S, sequence: S } }");
    }
    dlq->table = status.letters;
    return code;
}

void weir_cli_dlq_fini(struct weir_cli_dlq *dlq)
{
    weir_arena_fini(&dlq->arena);
}

/* --- the letters ----------------------------------------------------------------------------- */

static void add_condition(struct weir_buf *body, bool *first, const char *text)
{
    weir_buf_z(body, *first ? ",\"FilterExpression\":\"" : " AND ");
    weir_buf_z(body, text);
    *first = false;
}

static void add_value(struct weir_buf *body, const char *name, struct weir_str text)
{
    weir_buf_printf(body, "\"%s\":{\"S\":", name);
    weir_json_write_string(body, text);
    weir_buf_byte(body, '}');
}

static void add_filter_value(struct weir_buf *body, const char *name, const char *text)
{
    if (text != NULL) {
        weir_buf_byte(body, ',');
        add_value(body, name, weir_str_z(text));
    }
}

/* Records can be large, and only one of them is ever shown: they stay where they are. */
static void write_query(struct weir_buf *body, const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_filter *filter, struct weir_str start)
{
    bool first = true;
    weir_buf_z(body, "{\"TableName\":");
    weir_json_write_string(body, dlq->table);
    weir_buf_z(body,
            ",\"ConsistentRead\":true,\"KeyConditionExpression\":\"#p = :p\","
            "\"ProjectionExpression\":\"#p, #s, #e, #f, #a, #i, #n, #t, #k\","
            "\"ExpressionAttributeNames\":{\"#p\":\"pipeline\",\"#s\":\"sequence\","
            "\"#e\":\"error\",\"#f\":\"fingerprint\",\"#a\":\"failed_at\",\"#i\":\"event_id\","
            "\"#n\":\"event_name\",\"#t\":\"table\",\"#k\":\"keys\"}");
    if (filter->fingerprint != NULL) {
        add_condition(body, &first, "#f = :f");
    }
    if (filter->error != NULL) {
        add_condition(body, &first, "contains(#e, :e)");
    }
    if (filter->since != NULL) {
        add_condition(body, &first, "#a >= :a");
    }
    weir_buf_z(body, first ? "" : "\"");
    weir_buf_z(body, ",\"ExpressionAttributeValues\":{");
    add_value(body, ":p", dlq->pipeline);
    add_filter_value(body, ":f", filter->fingerprint);
    add_filter_value(body, ":e", filter->error);
    add_filter_value(body, ":a", filter->since);
    weir_buf_byte(body, '}');
    if (start.n > 0) {
        weir_buf_z(body, ",\"ExclusiveStartKey\":");
        weir_buf_str(body, start);
    }
    weir_buf_byte(body, '}');
}

/* A page on its way to the caller. */
struct page {
    enum weir_cli_exit (*each)(void *arg, struct weir_item letter, struct weir_str text);
    void *arg;
    enum weir_cli_exit code;
};

static bool take_letter(void *arg, struct weir_str text)
{
    struct page *page = arg;
    struct weir_arena arena;
    struct weir_json json;
    struct weir_item letter = { 0 };
    struct weir_err err = { 0 };
    weir_arena_init(&arena);
    weir_json_init(&json, text, &arena, JSON_DEPTH);
    if (weir_ddbjson_read_item(&json, weir_json_next(&json), &letter, &err) == WEIR_OK) {
        page->code = page->each(page->arg, letter, text);
    } else {
        page->code = weir_cli_fail("the answer holds no item: %s", err.msg);
    }
    weir_arena_fini(&arena);
    return page->code == WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_each(const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_filter *filter,
        enum weir_cli_exit (*each)(void *arg, struct weir_item letter, struct weir_str text),
        void *arg)
{
    struct page page = { .each = each, .arg = arg };
    struct weir_arena arena;
    struct weir_buf body;
    struct weir_str start = { 0 };
    weir_arena_init(&arena);
    weir_buf_init(&body, BODY_MAX_BYTES);
    do {
        struct weir_http_reply reply = { 0 };
        weir_buf_reset(&body);
        write_query(&body, dlq, filter, start);
        weir_arena_reset(&arena);
        struct weir_cli_request request = { .operation = WEIR_STR("Query"),
            .body = weir_buf_view(&body) };
        page.code = weir_cli_fetch(dlq->call, &request, &reply);
        if (page.code == WEIR_CLI_DONE) {
            struct weir_str answer = weir_buf_view(&reply.body);
            weir_cli_each(weir_cli_member(&arena, answer, "Items"), take_letter, &page);
            start = weir_arena_str(&arena, weir_cli_member(&arena, answer, "LastEvaluatedKey"));
        }
        weir_http_reply_fini(&reply);
    } while (page.code == WEIR_CLI_DONE && start.n > 0);
    weir_buf_fini(&body);
    weir_arena_fini(&arena);
    return page.code;
}

static enum weir_cli_exit count_letter(void *arg, struct weir_item letter, struct weir_str text)
{
    uint64_t *count = arg;
    (void)letter;
    (void)text;
    (*count)++;
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_count(const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_filter *filter, uint64_t *ret_count)
{
    *ret_count = 0;
    return weir_cli_dlq_each(dlq, filter, count_letter, ret_count);
}

struct weir_str weir_cli_letter_text(struct weir_item letter, struct weir_str name)
{
    struct weir_value value = weir_item_get(letter, name);
    return value.type == WEIR_TYPE_S ? weir_value_str(value) : WEIR_STR("");
}

/* What records bring along must not steer a terminal. */
static struct weir_str printable(struct weir_arena *arena, struct weir_str text)
{
    char *copy = weir_arena_alloc(arena, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        copy[i] = c < ' ' || c == 0x7f ? ' ' : text.p[i];
    }
    return weir_str(copy, text.n);
}

struct weir_str weir_cli_dlq_text(struct weir_arena *arena, struct weir_value value, size_t most)
{
    struct weir_buf out;
    weir_buf_init(&out, TEXT_MAX_BYTES);
    if (value.type == WEIR_TYPE_S) {
        weir_buf_str(&out, weir_value_str(value));
    } else if (value.type != WEIR_TYPE_ABSENT) {
        weir_ddbjson_write_plain_value(&out, value);
    }
    struct weir_str text = weir_buf_view(&out);
    bool cut = text.n > most;
    text.n = cut ? most : text.n;
    while (cut && text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80) {
        text.n--;
    }
    text = weir_arena_printf(
            arena, "%.*s%s", WEIR_STR_ARG(printable(arena, text)), cut ? "..." : "");
    weir_buf_fini(&out);
    return text;
}

void weir_cli_dlq_key(
        const struct weir_cli_dlq *dlq, struct weir_buf *body, struct weir_str sequence)
{
    weir_buf_byte(body, '{');
    add_value(body, "pipeline", dlq->pipeline);
    weir_buf_byte(body, ',');
    add_value(body, "sequence", sequence);
    weir_buf_byte(body, '}');
}
