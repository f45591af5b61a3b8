#include "cli/client.h"

#include <stdlib.h>

#include "base/clock.h"
#include "net/sigv4.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { JSON_DEPTH = 128 };

/* --- requests ------------------------------------------------------------------------- */

static struct weir_str environment(const char *first, const char *second, const char *fallback)
{
    const char *value = getenv(first);
    if (value == NULL || value[0] == '\0') {
        value = second != NULL ? getenv(second) : NULL;
    }
    return weir_str_z(value != NULL && value[0] != '\0' ? value : fallback);
}

static struct weir_str endpoint_of(const struct weir_cli_call *call)
{
    struct weir_str endpoint =
            call->endpoint != NULL ? weir_str_z(call->endpoint)
                                   : environment("WEIR_ENDPOINT", NULL, "http://127.0.0.1:8000");
    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/') {
        endpoint.n--;
    }
    return endpoint;
}

enum { HEADERS_MAX = 10 };

struct headers {
    struct weir_http_header all[HEADERS_MAX];
    size_t count;
};

static void add_header(struct headers *headers, struct weir_str name, struct weir_str value)
{
    headers->all[headers->count++] = (struct weir_http_header){ name, value };
}

/* Sign with the environment's credentials; without any the request stays as it is. */
static void sign(struct headers *headers, const struct weir_http_fetch *http, struct weir_str host,
        struct weir_str path, struct weir_str query, struct weir_arena *arena)
{
    struct weir_sigv4_credentials credentials = {
        .access_key = environment("WEIR_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", ""),
        .secret = environment("WEIR_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", ""),
        .region = environment("AWS_REGION", "AWS_DEFAULT_REGION", "us-east-1"),
        .service = WEIR_STR("dynamodb"),
    };
    if (credentials.access_key.n == 0 || credentials.secret.n == 0) {
        return;
    }
    struct headers with_host = *headers;
    add_header(&with_host, WEIR_STR("Host"), host);
    struct weir_sigv4_request request = {
        .method = http->method,
        .path = path,
        .query = query,
        .headers = with_host.all,
        .header_count = with_host.count,
        .body = http->body,
    };
    weir_sigv4_sign(&request, &credentials, weir_clock_wall(weir_clock_system()), arena,
            &headers->all[headers->count]);
    headers->count += 2;
}

/* No answer at all. */
static enum weir_cli_exit unreachable(struct weir_str endpoint, const struct weir_err *err)
{
    if (err->code == WEIR_E_INVALID || err->code == WEIR_E_UNSUPPORTED) {
        weir_cli_fail("%s", err->msg);
        return WEIR_CLI_USAGE;
    }
    weir_cli_fail("no answer from %.*s: %s", WEIR_STR_ARG(endpoint), err->msg);
    weir_cli_fail("is `weir serve` running there? --endpoint or WEIR_ENDPOINT name another place");
    return WEIR_CLI_UNREACHABLE;
}

enum weir_cli_exit weir_cli_refused(int status, struct weir_str body)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str type = weir_cli_member(&arena, body, "__type");
    struct weir_str message = weir_cli_member(&arena, body, "message");
    if (message.n == 0) {
        message = weir_cli_member(&arena, body, "Message");
    }
    if (type.n == 0) {
        type = weir_cli_member(&arena, body, "error");
    }
    const char *hash = type.n > 0 ? memchr(type.p, '#', type.n) : NULL;
    if (hash != NULL) {
        type = weir_str(hash + 1, type.n - (size_t)(hash + 1 - type.p));
    }
    if (type.n > 0 && message.n > 0) {
        weir_cli_fail("%.*s: %.*s", WEIR_STR_ARG(type), WEIR_STR_ARG(message));
    } else if (type.n > 0) {
        weir_cli_fail("%.*s", WEIR_STR_ARG(type));
    } else if (message.n > 0) {
        weir_cli_fail("%.*s", WEIR_STR_ARG(message));
    } else {
        weir_cli_fail("the answer has HTTP status %d and is no error of weir", status);
    }
    weir_arena_fini(&arena);
    return WEIR_CLI_FAILED;
}

void weir_cli_add_parameter(struct weir_buf *query, const char *name, struct weir_str value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (value.n == 0) {
        return;
    }
    weir_buf_printf(query, "&%s=", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] != '\0' && strchr(plain, value.p[i]) != NULL) {
            weir_buf_byte(query, value.p[i]);
        } else {
            weir_buf_printf(query, "%%%02X", (unsigned char)value.p[i]);
        }
    }
}

enum weir_cli_exit weir_cli_fetch(const struct weir_cli_call *call,
        const struct weir_cli_request *request, struct weir_http_reply *ret_reply)
{
    struct weir_arena arena;
    struct weir_err err = { 0 };
    struct headers headers = { 0 };
    struct weir_http_url url = { 0 };
    struct weir_str endpoint = endpoint_of(call);
    bool admin = request->operation.n == 0;
    weir_arena_init(&arena);
    struct weir_http_fetch http = {
        .url = weir_arena_printf(&arena, "%.*s%.*s", WEIR_STR_ARG(endpoint),
                WEIR_STR_ARG(admin ? request->path : WEIR_STR("/"))),
        .method = admin && !request->post ? WEIR_STR("GET") : WEIR_STR("POST"),
        .body = request->body,
        .on_data = request->on_data,
        .arg = request->arg,
        .timeout_ms = request->timeout_ms,
    };
    if (!admin) {
        add_header(&headers, WEIR_STR("Content-Type"), WEIR_STR("application/x-amz-json-1.0"));
        add_header(&headers, WEIR_STR("X-Amz-Target"),
                weir_arena_printf(
                        &arena, "DynamoDB_20120810.%.*s", WEIR_STR_ARG(request->operation)));
    }
    for (size_t i = 0; i < request->header_count; i++) {
        add_header(&headers, request->headers[i].name, request->headers[i].value);
    }
    enum weir_rc rc = weir_http_url_parse(http.url, &url, &err);
    if (rc == WEIR_OK) {
        sign(&headers, &http, url.authority, url.path, url.query, &arena);
        http.headers = headers.all;
        http.header_count = headers.count;
        rc = weir_http_fetch(&http, ret_reply, &err);
    }
    enum weir_cli_exit code = WEIR_CLI_DONE;
    if (rc != WEIR_OK) {
        code = unreachable(endpoint, &err);
    } else if (ret_reply->status != 200 && request->on_data == NULL) {
        code = weir_cli_refused(ret_reply->status, weir_buf_view(&ret_reply->body));
    }
    weir_arena_fini(&arena);
    return code;
}

enum weir_cli_exit weir_cli_show(const struct weir_cli_call *call,
        const struct weir_cli_request *request,
        void (*write)(struct weir_buf *out, struct weir_str answer))
{
    struct weir_http_reply reply = { 0 };
    enum weir_cli_exit code = weir_cli_fetch(call, request, &reply);
    if (code == WEIR_CLI_DONE) {
        struct weir_buf out;
        weir_buf_init(&out, WEIR_CLI_OUT_MAX_BYTES);
        if (call->json) {
            weir_buf_str(&out, weir_buf_view(&reply.body));
        } else {
            write(&out, weir_buf_view(&reply.body));
        }
        weir_cli_print(&out);
    }
    weir_http_reply_fini(&reply);
    return code;
}

/* --- JSON ------------------------------------------------------------------------------- */

struct weir_str weir_cli_member(struct weir_arena *arena, struct weir_str object, const char *name)
{
    struct weir_json json;
    weir_json_init(&json, object, arena, JSON_DEPTH);
    if (weir_json_next(&json) != WEIR_JSON_OBJECT) {
        return WEIR_STR("");
    }
    while (weir_json_next(&json) == WEIR_JSON_NAME) {
        bool wanted = weir_str_eq(json.text, weir_str_z(name));
        enum weir_json_token token = weir_json_next(&json);
        struct weir_str text = { 0 };
        if (wanted && token == WEIR_JSON_STRING) {
            return json.text;
        }
        if (weir_json_raw(&json, token, &text, NULL) != WEIR_OK) {
            break;
        }
        if (wanted) {
            return text;
        }
    }
    return WEIR_STR("");
}

void weir_cli_each(struct weir_str array, bool (*each)(void *arg, struct weir_str text), void *arg)
{
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, array, &arena, JSON_DEPTH);
    bool more = weir_json_next(&json) == WEIR_JSON_ARRAY;
    while (more) {
        struct weir_str text = { 0 };
        enum weir_json_token token = weir_json_next(&json);
        more = token != WEIR_JSON_ARRAY_END && token != WEIR_JSON_ERROR &&
               weir_json_raw(&json, token, &text, NULL) == WEIR_OK && each(arg, text);
    }
    weir_arena_fini(&arena);
}

static enum weir_rc read_item(const struct weir_cli_call *call, struct weir_str text,
        struct weir_arena *arena, struct weir_item *ret_item, struct weir_err *err)
{
    struct weir_json json;
    weir_json_init(&json, text, arena, JSON_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    if (token != WEIR_JSON_OBJECT && token != WEIR_JSON_ERROR) {
        return weir_fail(
                err, WEIR_E_INVALID, "expected an object, found %s", weir_json_token_name(token));
    }
    enum weir_rc rc = WEIR_OK;
    if (token == WEIR_JSON_ERROR) {
        *err = json.err;
        return json.err.code;
    }
    rc = call->ddb ? weir_ddbjson_read_item(&json, token, ret_item, err)
                   : weir_ddbjson_read_plain_item(&json, token, ret_item, err);
    if (rc == WEIR_OK && weir_json_next(&json) != WEIR_JSON_END) {
        *err = json.err;
        rc = json.err.code;
    }
    return rc;
}

enum weir_cli_exit weir_cli_read_item(const struct weir_cli_call *call, const char *what,
        const char *text, struct weir_arena *arena, struct weir_item *ret_item)
{
    struct weir_err err = { 0 };
    if (read_item(call, weir_str_z(text), arena, ret_item, &err) == WEIR_OK) {
        return WEIR_CLI_DONE;
    }
    if (err.pos > 0) {
        weir_cli_fail("%s is not %sJSON: %s (at byte %zu)", what, call->ddb ? "DynamoDB " : "",
                err.msg, err.pos);
    } else {
        weir_cli_fail("%s: %s", what, err.msg);
    }
    return WEIR_CLI_USAGE;
}

enum weir_cli_exit weir_cli_add_item(struct weir_buf *body, const struct weir_cli_call *call,
        const char *name, const char *what, const char *text)
{
    struct weir_arena arena;
    struct weir_item item = { 0 };
    weir_arena_init(&arena);
    enum weir_cli_exit code = weir_cli_read_item(call, what, text, &arena, &item);
    if (code == WEIR_CLI_DONE) {
        weir_json_write_string(body, weir_str_z(name));
        weir_buf_byte(body, ':');
        weir_ddbjson_write_item(body, item);
    }
    weir_arena_fini(&arena);
    return code;
}

enum weir_rc weir_cli_write_item(struct weir_buf *out, const struct weir_cli_call *call,
        struct weir_str text, struct weir_err *err)
{
    if (call->ddb) {
        weir_buf_str(out, text);
        return WEIR_OK;
    }
    struct weir_arena arena;
    struct weir_json json;
    struct weir_item item = { 0 };
    weir_arena_init(&arena);
    weir_json_init(&json, text, &arena, JSON_DEPTH);
    enum weir_rc rc = WEIR_E_INVALID;
    if (weir_json_next(&json) == WEIR_JSON_OBJECT) {
        rc = weir_ddbjson_read_item(&json, WEIR_JSON_OBJECT, &item, err);
    } else {
        weir_fail(err, rc, "the answer holds no item: %.*s", WEIR_STR_ARG(text));
    }
    if (rc == WEIR_OK) {
        weir_ddbjson_write_plain_item(out, item);
    }
    weir_arena_fini(&arena);
    return rc;
}

static void new_line(struct weir_buf *out, unsigned depth)
{
    weir_buf_printf(out, "\n%*s", (int)(2 * depth), "");
}

void weir_cli_write_pretty(struct weir_buf *out, struct weir_str text)
{
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, text, &arena, WEIR_JSON_MAX_DEPTH);
    unsigned depth = 0;
    bool first = true;       /* of its object or array */
    bool after_name = false; /* on the same line */
    for (enum weir_json_token token = weir_json_next(&json);
            token != WEIR_JSON_END && token != WEIR_JSON_ERROR; token = weir_json_next(&json)) {
        bool opens = token == WEIR_JSON_OBJECT || token == WEIR_JSON_ARRAY;
        bool closes = token == WEIR_JSON_OBJECT_END || token == WEIR_JSON_ARRAY_END;
        if (closes) {
            depth--;
            if (!first) {
                new_line(out, depth);
            }
        } else if (depth > 0 && !after_name) {
            weir_buf_z(out, first ? "" : ",");
            new_line(out, depth);
        }
        weir_buf_add(out, text.p + json.pos, json.at - json.pos);
        after_name = token == WEIR_JSON_NAME;
        if (after_name) {
            weir_buf_z(out, " ");
        }
        depth += opens;
        first = opens;
    }
    weir_arena_fini(&arena);
}

/* --- expressions ------------------------------------------------------------------------- */

static void add_comma(struct weir_buf *buf)
{
    if (buf->n > 0) {
        weir_buf_byte(buf, ',');
    }
}

/* --names: an object of strings. */
static enum weir_cli_exit take_names(struct weir_cli_expressions *expressions, const char *text)
{
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, weir_str_z(text), &arena, JSON_DEPTH);
    enum weir_cli_exit code = WEIR_CLI_DONE;
    enum weir_json_token token = weir_json_next(&json);
    bool right = token == WEIR_JSON_OBJECT;
    while (right && (token = weir_json_next(&json)) == WEIR_JSON_NAME) {
        add_comma(&expressions->names);
        weir_json_write_string(&expressions->names, json.text);
        right = weir_json_next(&json) == WEIR_JSON_STRING;
        weir_buf_byte(&expressions->names, ':');
        weir_json_write_string(&expressions->names, json.text);
    }
    if (!right || token != WEIR_JSON_OBJECT_END || weir_json_next(&json) != WEIR_JSON_END) {
        weir_cli_fail("--names must be an object of strings, as in '{\"#s\": \"status\"}'");
        code = WEIR_CLI_USAGE;
    }
    weir_arena_fini(&arena);
    return code;
}

static enum weir_cli_exit take_values(
        struct weir_cli_expressions *expressions, const struct weir_cli_call *call)
{
    struct weir_arena arena;
    struct weir_item item = { 0 };
    weir_arena_init(&arena);
    enum weir_cli_exit code = weir_cli_read_item(call, "--values", call->values, &arena, &item);
    for (size_t i = 0; code == WEIR_CLI_DONE && i < weir_item_count(item); i++) {
        struct weir_str name = { 0 };
        struct weir_value value = weir_item_at(item, i, &name);
        add_comma(&expressions->values);
        weir_json_write_string(&expressions->values, name);
        weir_buf_byte(&expressions->values, ':');
        weir_ddbjson_write_value(&expressions->values, value);
    }
    weir_arena_fini(&arena);
    return code;
}

enum weir_cli_exit weir_cli_expressions_init(
        struct weir_cli_expressions *expressions, const struct weir_cli_call *call)
{
    enum { MAX_BYTES = 4 << 20 };
    weir_buf_init(&expressions->names, MAX_BYTES);
    weir_buf_init(&expressions->values, MAX_BYTES);
    enum weir_cli_exit code = WEIR_CLI_DONE;
    if (call->names != NULL) {
        code = take_names(expressions, call->names);
    }
    if (code == WEIR_CLI_DONE && call->values != NULL) {
        code = take_values(expressions, call);
    }
    return code;
}

void weir_cli_expressions_fini(struct weir_cli_expressions *expressions)
{
    weir_buf_fini(&expressions->names);
    weir_buf_fini(&expressions->values);
}

void weir_cli_expressions_name(
        struct weir_cli_expressions *expressions, const char *placeholder, struct weir_str name)
{
    add_comma(&expressions->names);
    weir_buf_printf(&expressions->names, "\"%s\":", placeholder);
    weir_json_write_string(&expressions->names, name);
}

void weir_cli_expressions_value(
        struct weir_cli_expressions *expressions, const char *placeholder, struct weir_value value)
{
    add_comma(&expressions->values);
    weir_buf_printf(&expressions->values, "\"%s\":", placeholder);
    weir_ddbjson_write_value(&expressions->values, value);
}

void weir_cli_expressions_write(
        const struct weir_cli_expressions *expressions, struct weir_buf *body)
{
    if (expressions->names.n > 0) {
        weir_buf_printf(body, ",\"ExpressionAttributeNames\":{%.*s}",
                WEIR_STR_ARG(weir_buf_view(&expressions->names)));
    }
    if (expressions->values.n > 0) {
        weir_buf_printf(body, ",\"ExpressionAttributeValues\":{%.*s}",
                WEIR_STR_ARG(weir_buf_view(&expressions->values)));
    }
}
