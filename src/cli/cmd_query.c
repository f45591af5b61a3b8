/* weir query: the items of one partition key, in the order of the sort key. */
#include <stdio.h>

#include "cli/items.h"
#include "value/json.h"

enum { CONDITION_MAX_BYTES = 64 << 10, PLACEHOLDER_TEXT = 24 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "key", 'k', "JSON", "key attributes that must be equal: {\"customer\": \"c1\"}",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, key) },
    { "begins-with", 0, "JSON", "the sort key begins so: {\"placed\": \"2025-\"}", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, begins_with) },
    { "from", 0, "JSON", "the sort key is this or later: {\"placed\": \"2025-11\"}", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, from) },
    { "to", 0, "JSON", "the sort key is this or earlier", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, to) },
    { "reverse", 'r', NULL, "print the last item first", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, reverse) },
    WEIR_CLI_ITEMS_OPTIONS,
    { 0 },
};

/* The key condition under construction. */
struct condition {
    const struct weir_cli_call *call;
    struct weir_cli_expressions *expressions;
    struct weir_buf text;
    unsigned parts;
};

/* One attribute by a form in which %1$s stands for its name and %2$s for the value. */
static void add_part(struct condition *condition, struct weir_str name, struct weir_value value,
        const char *prefix, const char *between, const char *suffix)
{
    char name_text[PLACEHOLDER_TEXT];
    char value_text[PLACEHOLDER_TEXT];
    snprintf(name_text, sizeof(name_text), "#weir%u", condition->parts);
    snprintf(value_text, sizeof(value_text), ":weir%u", condition->parts);
    weir_buf_printf(&condition->text, "%s%s%s%s%s%s", condition->parts > 0 ? " AND " : "", prefix,
            name_text, between, value_text, suffix);
    weir_cli_expressions_name(condition->expressions, name_text, name);
    weir_cli_expressions_value(condition->expressions, value_text, value);
    condition->parts++;
}

static enum weir_cli_exit add_equal(struct condition *condition)
{
    struct weir_arena arena;
    struct weir_item item = { 0 };
    weir_arena_init(&arena);
    enum weir_cli_exit code =
            weir_cli_read_item(condition->call, "--key", condition->call->key, &arena, &item);
    for (size_t i = 0; code == WEIR_CLI_DONE && i < weir_item_count(item); i++) {
        struct weir_str name = { 0 };
        struct weir_value value = weir_item_at(item, i, &name);
        add_part(condition, name, value, "", " = ", "");
    }
    if (code == WEIR_CLI_DONE && condition->parts == 0) {
        weir_cli_fail("--key names no attribute");
        code = WEIR_CLI_USAGE;
    }
    weir_arena_fini(&arena);
    return code;
}

/* The one attribute of --begins-with, --from or --to. */
static enum weir_cli_exit read_one(const struct condition *condition, const char *option,
        const char *text, struct weir_arena *arena, struct weir_str *ret_name,
        struct weir_value *ret_value)
{
    struct weir_item item = { 0 };
    enum weir_cli_exit code = weir_cli_read_item(condition->call, option, text, arena, &item);
    if (code == WEIR_CLI_DONE && weir_item_count(item) != 1) {
        weir_cli_fail("%s names one attribute, not %zu", option, weir_item_count(item));
        code = WEIR_CLI_USAGE;
    }
    if (code == WEIR_CLI_DONE) {
        *ret_value = weir_item_at(item, 0, ret_name);
    }
    return code;
}

/* Both ends make one BETWEEN: a key condition names an attribute once. */
static enum weir_cli_exit add_range(struct condition *condition)
{
    const struct weir_cli_call *call = condition->call;
    struct weir_arena arena;
    struct weir_str from_name = { 0 };
    struct weir_str to_name = { 0 };
    struct weir_value from = { 0 };
    struct weir_value to = { 0 };
    enum weir_cli_exit code = WEIR_CLI_DONE;
    weir_arena_init(&arena);
    if (call->from != NULL) {
        code = read_one(condition, "--from", call->from, &arena, &from_name, &from);
    }
    if (code == WEIR_CLI_DONE && call->to != NULL) {
        code = read_one(condition, "--to", call->to, &arena, &to_name, &to);
    }
    if (code == WEIR_CLI_DONE && call->from != NULL && call->to != NULL) {
        if (weir_str_eq(from_name, to_name)) {
            add_part(condition, from_name, from, "", " BETWEEN ", " AND :weirto");
            weir_cli_expressions_value(condition->expressions, ":weirto", to);
        } else {
            weir_cli_fail("--from and --to must name the same attribute");
            code = WEIR_CLI_USAGE;
        }
    } else if (code == WEIR_CLI_DONE && call->from != NULL) {
        add_part(condition, from_name, from, "", " >= ", "");
    } else if (code == WEIR_CLI_DONE && call->to != NULL) {
        add_part(condition, to_name, to, "", " <= ", "");
    }
    weir_arena_fini(&arena);
    return code;
}

static enum weir_cli_exit add_prefix(struct condition *condition)
{
    struct weir_arena arena;
    struct weir_str name = { 0 };
    struct weir_value value = { 0 };
    weir_arena_init(&arena);
    enum weir_cli_exit code = read_one(
            condition, "--begins-with", condition->call->begins_with, &arena, &name, &value);
    if (code == WEIR_CLI_DONE) {
        add_part(condition, name, value, "begins_with(", ", ", ")");
    }
    weir_arena_fini(&arena);
    return code;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    if (call->key == NULL) {
        weir_cli_fail("weir query needs --key, the partition key: --key '{\"id\": \"a\"}'");
        return WEIR_CLI_USAGE;
    }
    struct weir_cli_expressions expressions;
    struct weir_buf members;
    struct condition condition = { .call = call, .expressions = &expressions };
    weir_buf_init(&condition.text, CONDITION_MAX_BYTES);
    weir_buf_init(&members, 2 * CONDITION_MAX_BYTES);
    enum weir_cli_exit code = weir_cli_expressions_init(&expressions, call);
    if (code == WEIR_CLI_DONE) {
        code = add_equal(&condition);
    }
    if (code == WEIR_CLI_DONE && call->begins_with != NULL) {
        code = add_prefix(&condition);
    }
    if (code == WEIR_CLI_DONE) {
        code = add_range(&condition);
    }
    if (code == WEIR_CLI_DONE) {
        weir_buf_z(&members, ",\"KeyConditionExpression\":");
        weir_json_write_string(&members, weir_buf_view(&condition.text));
        weir_buf_z(&members, call->reverse ? ",\"ScanIndexForward\":false" : "");
        code = weir_cli_items(call, WEIR_STR("Query"), weir_buf_view(&members), &expressions);
    }
    weir_buf_fini(&members);
    weir_buf_fini(&condition.text);
    weir_cli_expressions_fini(&expressions);
    return code;
}

const struct weir_cli_command weir_cli_query = {
    .name = "query",
    .arguments = "TABLE --key JSON",
    .help = "Print the items of a partition key, in the order of the sort key",
    .details = "",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
