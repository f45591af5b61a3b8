/* weir eval: the value of an expression. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/input.h"
#include "expr/expr.h"
#include "expr/typed.h"
#include "value/ddbjson.h"

enum { VALUE_MAX_BYTES = 128 << 20, SHOWN_SOURCE_BYTES = 160 };

static const struct weir_cli_option options[] = {
    { "vars", 0, "JSON", "an object of variables: {\"n\": 5}", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, vars) },
    { "var", 0, "NAME=JSON", "one variable; may be given again", WEIR_CLI_LIST,
            offsetof(struct weir_cli_call, var) },
    { "record", 0, "RECORD", "new, old, keys, event and now as in a pipeline that gets it",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, record) },
    { "ddb", 0, NULL, "variables are DynamoDB JSON", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, ddb) },
    { "typed", 0, NULL, "print the value with its type: {\"t\":\"int\",\"v\":\"5\"}", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, typed) },
    { 0 },
};

/* Variables; all of it is an arena's. */
struct bindings {
    struct weir_arena *arena;
    const char **names;
    struct weir_expr_value *values;
    size_t count;
    size_t capacity;
    struct weir_time now;
};

/* Add one, or set it again. */
static enum weir_rc bind(struct bindings *bindings, struct weir_str name,
        struct weir_expr_value value, struct weir_err *err)
{
    for (size_t i = 0; i < bindings->count; i++) {
        if (weir_str_eq(weir_str_z(bindings->names[i]), name)) {
            bindings->values[i] = value;
            return WEIR_OK;
        }
    }
    if (bindings->count == WEIR_EXPR_MAX_SLOTS) {
        return weir_fail(
                err, WEIR_E_LIMIT, "there are more than %d variables", WEIR_EXPR_MAX_SLOTS);
    }
    if (bindings->count == bindings->capacity) {
        size_t capacity = 2 * bindings->capacity + 4;
        const char **names = weir_arena_zero(bindings->arena, capacity, sizeof(*names));
        struct weir_expr_value *values =
                weir_arena_zero(bindings->arena, capacity, sizeof(*values));
        for (size_t i = 0; i < bindings->count; i++) {
            names[i] = bindings->names[i];
            values[i] = bindings->values[i];
        }
        bindings->names = names;
        bindings->values = values;
        bindings->capacity = capacity;
    }
    bindings->names[bindings->count] = weir_arena_str(bindings->arena, name).p;
    bindings->values[bindings->count++] = value;
    return WEIR_OK;
}

static enum weir_rc evaluate(const struct weir_expr *expr, const struct bindings *bindings,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct weir_expr_frame frame = {
        .slots = bindings->values,
        .slot_count = bindings->count,
        .arena = bindings->arena,
        .now = bindings->now,
        .clock = weir_clock_system(),
    };
    return weir_expr_eval(expr, &frame, ret_value, err);
}

/* --- plain JSON ---------------------------------------------------------- */

static enum weir_rc write_plain(struct weir_buf *out, struct weir_arena *arena,
        const struct weir_expr_value *value, struct weir_err *err);

static enum weir_rc write_elements(struct weir_buf *out, struct weir_arena *arena,
        const struct weir_expr_value *value, struct weir_err *err)
{
    bool map = value->kind == WEIR_EXPR_MAP;
    enum weir_rc rc = WEIR_OK;
    size_t count = weir_expr_count(value);
    weir_buf_byte(out, map ? '{' : '[');
    for (size_t i = 0; rc == WEIR_OK && i < count; i++) {
        struct weir_expr_value key;
        struct weir_expr_value element =
                map ? weir_expr_pair_at(value, i, &key) : weir_expr_at(value, i);
        weir_buf_z(out, i > 0 ? "," : "");
        if (map) {
            struct weir_str name = { 0 };
            rc = weir_expr_text(arena, &key, &name, err);
            weir_json_write_string(out, name);
            weir_buf_byte(out, ':');
        }
        rc = rc == WEIR_OK ? write_plain(out, arena, &element, err) : rc;
    }
    weir_buf_byte(out, map ? '}' : ']');
    return rc;
}

static enum weir_rc write_plain(struct weir_buf *out, struct weir_arena *arena,
        const struct weir_expr_value *value, struct weir_err *err)
{
    struct weir_str text = { 0 };
    enum weir_rc rc = WEIR_OK;
    switch ((enum weir_expr_kind)value->kind) {
    case WEIR_EXPR_ABSENT:
    case WEIR_EXPR_NULL:
        weir_buf_z(out, "null");
        return WEIR_OK;
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET:
    case WEIR_EXPR_MAP:
        return write_elements(out, arena, value, err);
    case WEIR_EXPR_OPTIONAL:
        if (value->as.inner != NULL) {
            return write_plain(out, arena, value->as.inner, err);
        }
        weir_buf_z(out, "null");
        return WEIR_OK;
    case WEIR_EXPR_BYTES:
        weir_json_write_base64(out, value->as.str);
        return WEIR_OK;
    case WEIR_EXPR_TYPE:
        weir_json_write_string(out, value->as.str);
        return WEIR_OK;
    case WEIR_EXPR_BOOL:
    case WEIR_EXPR_INT:
    case WEIR_EXPR_UINT:
    case WEIR_EXPR_DECIMAL:
        rc = weir_expr_text(arena, value, &text, err);
        weir_buf_str(out, text);
        return rc;
    case WEIR_EXPR_DOUBLE:
        rc = weir_expr_text(arena, value, &text, err);
        if (rc == WEIR_OK && isfinite(value->as.real)) {
            weir_buf_str(out, text);
            return rc;
        }
        break;
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_TIMESTAMP:
    case WEIR_EXPR_DURATION:
    case WEIR_EXPR_IP:
    case WEIR_EXPR_CIDR:
        rc = weir_expr_text(arena, value, &text, err);
        break;
    }
    weir_json_write_string(out, text);
    return rc;
}

/* --- lines -------------------------------------------------------------- */

/* What a line asks. */
struct question {
    struct weir_str expr; /* p is NULL: missing */
    struct bindings bindings;
};

static enum weir_rc take_binding(void *arg, struct weir_str name, struct weir_json *json,
        enum weir_json_token token, struct weir_err *err)
{
    struct question *question = arg;
    struct weir_expr_value value = { 0 };
    enum weir_rc rc = weir_expr_typed_read(json, token, &value, err);
    return rc == WEIR_OK ? bind(&question->bindings, name, value, err)
                         : weir_fail_in(err, rc, "%.*s: ", WEIR_STR_ARG(name));
}

static enum weir_rc take_member(void *arg, struct weir_str name, struct weir_json *json,
        enum weir_json_token token, struct weir_err *err)
{
    struct question *question = arg;
    if (weir_str_eq(name, WEIR_STR("expr"))) {
        if (token != WEIR_JSON_STRING) {
            return weir_fail_at(err, WEIR_E_INVALID, json->pos, "expr: expected a string, found %s",
                    weir_json_token_name(token));
        }
        question->expr = json->text;
        return WEIR_OK;
    }
    if (weir_str_eq(name, WEIR_STR("bindings"))) {
        struct weir_json inner;
        struct weir_str text = { 0 };
        enum weir_rc rc = weir_json_raw(json, token, &text, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_json_init(&inner, text, json->arena, WEIR_JSON_MAX_DEPTH);
        rc = weir_cli_each_member(&inner, take_binding, question, err);
        return rc == WEIR_OK ? rc : weir_fail_in(err, rc, "bindings: ");
    }
    return weir_json_skip(json, token, err);
}

static enum weir_rc answer(void *arg, struct weir_str line, struct weir_arena *arena,
        struct weir_buf *out, struct weir_err *err)
{
    (void)arg;
    struct question question = { .bindings = { .arena = arena } };
    struct bindings *bindings = &question.bindings;
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    struct weir_json json;
    struct weir_expr_value value;
    bindings->now = weir_clock_wall(weir_clock_system());
    weir_json_init(&json, line, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_cli_each_member(&json, take_member, &question, err);
    if (rc == WEIR_OK && question.expr.p == NULL) {
        rc = weir_fail(err, WEIR_E_INVALID, "the line has no expr");
    }
    if (rc == WEIR_OK) {
        struct weir_expr_env env = { bindings->names, bindings->count, true };
        rc = weir_expr_compile(&env, question.expr, &expr, err);
    }
    if (rc == WEIR_OK) {
        rc = evaluate(expr, bindings, &value, err);
    }
    if (rc == WEIR_OK) {
        weir_expr_typed_write(out, &value);
    }
    return rc;
}

/* --- arguments ---------------------------------------------------------- */

static enum weir_cli_exit fail_in(const char *what, const struct weir_err *err)
{
    if (err->pos > 0) {
        weir_cli_fail("%s: %s (at byte %zu)", what, err->msg, err->pos);
    } else {
        weir_cli_fail("%s: %s", what, err->msg);
    }
    return WEIR_CLI_USAGE;
}

/* The message, and below it the expression with a mark where the fault is. */
static void fail_in_source(struct weir_str source, const struct weir_err *err)
{
    weir_cli_fail("%s", err->msg);
    bool shown = source.n > 0 && source.n <= SHOWN_SOURCE_BYTES && err->pos <= source.n;
    int column = 0;
    for (size_t i = 0; i < source.n && shown; i++) {
        unsigned char c = (unsigned char)source.p[i];
        shown = c >= ' ' && c != 127;
        column += i < err->pos && (c & 0xc0) != 0x80;
    }
    if (shown) {
        fprintf(stderr, "  %.*s\n  %*s^\n", WEIR_STR_ARG(source), column, "");
    }
}

/* An object's members become variables. */
static enum weir_cli_exit bind_object(const struct weir_cli_call *call, struct bindings *bindings,
        const char *what, struct weir_str text)
{
    struct weir_json json;
    struct weir_err err = { 0 };
    struct weir_item item = { 0 };
    weir_json_init(&json, text, bindings->arena, WEIR_JSON_MAX_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    enum weir_rc rc = WEIR_OK;
    if (token != WEIR_JSON_OBJECT && token != WEIR_JSON_ERROR) {
        rc = weir_fail_at(&err, WEIR_E_INVALID, json.pos, "expected an object, found %s",
                weir_json_token_name(token));
    } else {
        rc = token == WEIR_JSON_OBJECT && call->ddb
                     ? weir_ddbjson_read_item(&json, token, &item, &err)
                     : weir_ddbjson_read_plain_item(&json, token, &item, &err);
    }
    if (rc == WEIR_OK && weir_json_next(&json) != WEIR_JSON_END) {
        err = json.err;
        rc = err.code;
    }
    for (size_t i = 0; rc == WEIR_OK && i < weir_item_count(item); i++) {
        struct weir_str name = { 0 };
        struct weir_value value = weir_item_at(item, i, &name);
        rc = bind(bindings, name, weir_expr_attribute(value), &err);
    }
    return rc == WEIR_OK ? WEIR_CLI_DONE : fail_in(what, &err);
}

/* name=JSON is read as {"name":JSON}. */
static enum weir_cli_exit bind_var(
        const struct weir_cli_call *call, struct bindings *bindings, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        weir_cli_fail("--var: expected NAME=JSON, found '%s'", text);
        return WEIR_CLI_USAGE;
    }
    struct weir_str value = { 0 };
    enum weir_cli_exit code = weir_cli_read_text("--var", equals + 1, bindings->arena, &value);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    struct weir_buf object;
    weir_buf_init(&object, WEIR_CLI_TEXT_MAX + 4096);
    weir_buf_byte(&object, '{');
    weir_json_write_string(&object, weir_str(text, (size_t)(equals - text)));
    weir_buf_byte(&object, ':');
    weir_buf_str(&object, value);
    weir_buf_byte(&object, '}');
    struct weir_str copy = weir_arena_str(bindings->arena, weir_buf_view(&object));
    weir_buf_fini(&object);
    return bind_object(call, bindings, "--var", copy);
}

/* As weir's lanes bind a record. */
static enum weir_cli_exit bind_record(const char *argument, struct bindings *bindings)
{
    struct weir_str text = { 0 };
    struct weir_record record = { 0 };
    struct weir_err err = { 0 };
    enum weir_cli_exit code = weir_cli_read_text("--record", argument, bindings->arena, &text);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    enum weir_rc rc = weir_cli_read_record(text, bindings->arena, &record, &err);
    if (rc == WEIR_OK) {
        struct weir_expr_value absent = { 0 };
        struct weir_expr_value name = weir_expr_string(weir_str_z(weir_event_name(record.event)));
        bindings->now = record.created;
        rc = bind(bindings, WEIR_STR("new"),
                record.new_image.n > 0 ? weir_expr_item(record.new_image) : absent, &err);
        rc = rc != WEIR_OK
                     ? rc
                     : bind(bindings, WEIR_STR("old"),
                               record.old_image.n > 0 ? weir_expr_item(record.old_image) : absent,
                               &err);
        rc = rc != WEIR_OK ? rc
                           : bind(bindings, WEIR_STR("keys"), weir_expr_item(record.keys), &err);
        rc = rc != WEIR_OK ? rc : bind(bindings, WEIR_STR("event"), name, &err);
    }
    return rc == WEIR_OK ? WEIR_CLI_DONE : fail_in("--record", &err);
}

static enum weir_cli_exit bind_all(const struct weir_cli_call *call, struct bindings *bindings)
{
    struct weir_str text = { 0 };
    enum weir_cli_exit code = WEIR_CLI_DONE;
    bindings->now = weir_clock_wall(weir_clock_system());
    if (call->record != NULL) {
        code = bind_record(call->record, bindings);
    }
    if (code == WEIR_CLI_DONE && call->vars != NULL) {
        code = weir_cli_read_text("--vars", call->vars, bindings->arena, &text);
        code = code == WEIR_CLI_DONE ? bind_object(call, bindings, "--vars", text) : code;
    }
    for (size_t i = 0; code == WEIR_CLI_DONE && i < call->var.count; i++) {
        code = bind_var(call, bindings, call->var.all[i]);
    }
    return code;
}

static enum weir_cli_exit print_value(const struct weir_cli_call *call, struct weir_arena *arena,
        const struct weir_expr_value *value)
{
    struct weir_buf out;
    struct weir_err err = { 0 };
    enum weir_rc rc = WEIR_OK;
    weir_buf_init(&out, VALUE_MAX_BYTES);
    if (call->typed) {
        weir_expr_typed_write(&out, value);
    } else {
        rc = write_plain(&out, arena, value, &err);
    }
    weir_buf_byte(&out, '\n');
    rc = rc == WEIR_OK ? weir_buf_check(&out, "the value", &err) : rc;
    if (rc != WEIR_OK) {
        weir_buf_fini(&out);
        return weir_cli_fail("the value: %s", err.msg);
    }
    weir_cli_print(&out);
    return WEIR_CLI_DONE;
}

static enum weir_cli_exit eval_argument(const struct weir_cli_call *call, struct weir_arena *arena)
{
    struct bindings bindings = { .arena = arena };
    struct weir_str source = { 0 };
    struct weir_err err = { 0 };
    struct weir_expr_value value;
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    enum weir_cli_exit code =
            weir_cli_read_text("the expression", call->arguments[0], arena, &source);
    code = code == WEIR_CLI_DONE ? bind_all(call, &bindings) : code;
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    struct weir_expr_env env = { .names = bindings.names, .count = bindings.count };
    if (weir_expr_compile(&env, source, &expr, &err) != WEIR_OK) {
        fail_in_source(source, &err);
        return WEIR_CLI_USAGE;
    }
    if (evaluate(expr, &bindings, &value, &err) != WEIR_OK) {
        fail_in_source(source, &err);
        return WEIR_CLI_FAILED;
    }
    return print_value(call, arena, &value);
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_cli_answerer answerer = { .answer = answer };
    if (call->argument_count == 0) {
        if (call->vars != NULL || call->var.count > 0 || call->record != NULL) {
            weir_cli_fail("variables need an expression: weir eval EXPRESSION");
            return WEIR_CLI_USAGE;
        }
        return weir_cli_answer_lines(&answerer);
    }
    struct weir_arena arena;
    weir_arena_init(&arena);
    enum weir_cli_exit code = eval_argument(call, &arena);
    weir_arena_fini(&arena);
    return code;
}

const struct weir_cli_command weir_cli_eval = {
    .name = "eval",
    .arguments = "[EXPRESSION]",
    .help = "Print the value of an expression",
    .details =
            "EXPRESSION, variables and RECORD may be @FILE, or - for standard input. Without an\n"
            "expression each line of standard input is an object with expr and, optionally, "
            "bindings\n"
            "(typed values by name) and is answered with a typed value, or error: REASON.\n",
    .options = options,
    .most = 1,
    .run = run,
};
