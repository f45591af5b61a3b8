#include "expr/expr_int.h"
#include "value/json.h"

/* Functions of strings; positions count code points. */

/* Whether the arguments have these kinds: 's' string, 'i' int, 'b' bytes. */
static bool has_kinds(const struct weir_call *call, const char *kinds)
{
    for (size_t i = 0; i < call->count; i++) {
        uint8_t want = kinds[i] == 's'   ? WEIR_EXPR_STRING
                       : kinds[i] == 'b' ? WEIR_EXPR_BYTES
                                         : WEIR_EXPR_INT;
        if (call->args[i].kind != want) {
            return false;
        }
    }
    return true;
}

static bool give_bool(struct weir_expr_value *ret, bool value)
{
    weir_set_bool(ret, value);
    return true;
}

static bool give_text(struct weir_expr_value *ret, const char *p, size_t n)
{
    weir_set_string(ret, weir_str(p, n));
    return true;
}

/* The offset of the first needle at or behind from, SIZE_MAX if there is none. */
static size_t find(struct weir_str text, struct weir_str needle, size_t from)
{
    if (needle.n == 0) {
        return from;
    }
    if (from > text.n || text.n - from < needle.n) {
        return SIZE_MAX;
    }
    const char *at = memmem(text.p + from, text.n - from, needle.p, needle.n);
    return at != NULL ? (size_t)(at - text.p) : SIZE_MAX;
}

static bool fn_contains(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "ss")) {
        return weir_call_no_overload(call);
    }
    return weir_run_pay(call->run, call->args[0].as.str.n / 64) &&
           give_bool(ret, find(call->args[0].as.str, call->args[1].as.str, 0) != SIZE_MAX);
}

static bool fn_starts_with(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "ss")) {
        return weir_call_no_overload(call);
    }
    return give_bool(ret, weir_str_starts(call->args[0].as.str, call->args[1].as.str));
}

static bool fn_ends_with(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "ss")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    struct weir_str end = call->args[1].as.str;
    return give_bool(
            ret, text.n >= end.n && weir_str_eq(weir_str(text.p + (text.n - end.n), end.n), end));
}

bool weir_fn_matches(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "ss")) {
        return weir_call_no_overload(call);
    }
    struct weir_run *run = call->run;
    struct weir_str pattern = call->args[1].as.str;
    const struct weir_regex *regex = call->node->regex;
    if (regex == NULL) {
        struct weir_err err;
        if (!weir_run_pay(run, 50 + pattern.n * 4)) {
            return false;
        }
        enum weir_rc rc = weir_regex_compile(run->arena, pattern, false, &regex, &err);
        if (rc != WEIR_OK) {
            return weir_run_fail(run, "%s", err.msg);
        }
        if (!weir_run_pay(run, weir_regex_cost(regex))) {
            return false;
        }
        if (run->arena->used_bytes > run->limit_bytes) {
            return weir_run_fail_limit(run, "bytes of memory");
        }
    }
    struct weir_str text = call->args[0].as.str;
    return weir_run_pay(run, (text.n * weir_regex_cost(regex)) / 16) &&
           give_bool(ret, weir_regex_search(regex, text));
}

/* --- positions ----------------------------------------------------------- */

static bool out_of_range(const struct weir_call *call, int64_t index)
{
    return weir_run_fail(call->run, "index out of range: %lld", (long long)index);
}

/* The byte offset of a position; false after failing when it is outside the text. */
static bool offset_of(
        const struct weir_call *call, struct weir_str text, int64_t index, size_t *ret)
{
    if (!weir_run_pay(call->run, text.n / 256)) {
        return false;
    }
    size_t offset = index < 0 || (uint64_t)index > text.n ? SIZE_MAX
                                                          : weir_utf8_offset(text, (size_t)index);
    if (offset == SIZE_MAX) {
        return out_of_range(call, index);
    }
    *ret = offset;
    return true;
}

static bool fn_char_at(const struct weir_call *call, struct weir_expr_value *ret)
{
    size_t at = 0;
    if (!has_kinds(call, "si")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    if (!offset_of(call, text, call->args[1].as.integer, &at)) {
        return false;
    }
    size_t end = at;
    if (at < text.n) {
        weir_utf8_next(text, &end);
    }
    return give_text(ret, text.p + at, end - at);
}

static bool give_position(const struct weir_call *call, struct weir_str text, size_t offset,
        struct weir_expr_value *ret)
{
    int64_t position = offset == SIZE_MAX ? -1 : (int64_t)weir_utf8_count(weir_str(text.p, offset));
    weir_set_int(ret, position);
    return weir_run_pay(call->run, text.n / 64);
}

static bool fn_index_of(const struct weir_call *call, struct weir_expr_value *ret)
{
    size_t from = 0;
    if (!has_kinds(call, "ssi")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    if (call->count > 2 && !offset_of(call, text, call->args[2].as.integer, &from)) {
        return false;
    }
    return give_position(call, text, find(text, call->args[1].as.str, from), ret);
}

/* The last occurrence that begins at or before `from`. */
static size_t find_last(struct weir_str text, struct weir_str needle, size_t from)
{
    if (needle.n > text.n) {
        return SIZE_MAX;
    }
    size_t at = from < text.n - needle.n ? from : text.n - needle.n;
    for (;; at--) {
        if (needle.n == 0 || memcmp(text.p + at, needle.p, needle.n) == 0) {
            return at;
        }
        if (at == 0) {
            return SIZE_MAX;
        }
    }
}

static bool fn_last_index_of(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "ssi")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    size_t from = text.n;
    if (call->count > 2 && !offset_of(call, text, call->args[2].as.integer, &from)) {
        return false;
    }
    struct weir_str needle = call->args[1].as.str;
    /* Each place may compare the whole needle before it differs. */
    if (!weir_run_pay(call->run, (text.n / 16) * (1 + needle.n / 64))) {
        return false;
    }
    return give_position(call, text, find_last(text, needle, from), ret);
}

static bool fn_substring(const struct weir_call *call, struct weir_expr_value *ret)
{
    size_t from = 0;
    if (!has_kinds(call, "sii")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    size_t end = text.n;
    if (!offset_of(call, text, call->args[1].as.integer, &from) ||
            (call->count > 2 && !offset_of(call, text, call->args[2].as.integer, &end))) {
        return false;
    }
    if (from > end) {
        return weir_run_fail(call->run, "invalid substring range: start %lld, end %lld",
                (long long)call->args[1].as.integer, (long long)call->args[2].as.integer);
    }
    return give_text(ret, text.p + from, end - from);
}

/* --- changing ------------------------------------------------------------ */

static bool map_case(
        const struct weir_call *call, char first, char last, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "s")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    char *out = weir_run_alloc(call->run, text.n);
    if (out == NULL || !weir_run_pay(call->run, text.n / 64)) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        out[i] = c >= first && c <= last ? (char)(c ^ 0x20) : c;
    }
    return give_text(ret, out, text.n);
}

static bool fn_lower(const struct weir_call *call, struct weir_expr_value *ret)
{
    return map_case(call, 'A', 'Z', ret);
}

static bool fn_upper(const struct weir_call *call, struct weir_expr_value *ret)
{
    return map_case(call, 'a', 'z', ret);
}

static bool is_space(uint32_t point)
{
    static const struct {
        uint16_t first;
        uint16_t last;
    } spaces[] = { { 0x09, 0x0d }, { 0x20, 0x20 }, { 0x85, 0x85 }, { 0xa0, 0xa0 },
        { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x2028, 0x2029 }, { 0x202f, 0x202f },
        { 0x205f, 0x205f }, { 0x3000, 0x3000 } };
    for (size_t i = 0; i < WEIR_COUNT(spaces); i++) {
        if (point >= spaces[i].first && point <= spaces[i].last) {
            return true;
        }
    }
    return false;
}

static bool fn_trim(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "s")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    size_t from = text.n;
    size_t end = 0;
    for (size_t at = 0; at < text.n;) {
        size_t next = at;
        if (!is_space(weir_utf8_next(text, &next))) {
            from = from == text.n ? at : from;
            end = next;
        }
        at = next;
    }
    end = end < from ? from : end;
    return weir_run_pay(call->run, text.n / 32) && give_text(ret, text.p + from, end - from);
}

static bool fn_reverse(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "s")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    char *out = weir_run_alloc(call->run, text.n);
    if (out == NULL || !weir_run_pay(call->run, text.n / 32)) {
        return false;
    }
    for (size_t at = 0; at < text.n;) {
        size_t next = at;
        weir_utf8_next(text, &next);
        memcpy(out + (text.n - next), text.p + at, next - at);
        at = next;
    }
    return give_text(ret, out, text.n);
}

/* The end of the next piece before a separator: an empty one cuts behind each code point. */
static size_t next_cut(struct weir_str text, struct weir_str separator, size_t from)
{
    if (separator.n > 0) {
        return find(text, separator, from);
    }
    size_t next = from;
    if (next < text.n) {
        weir_utf8_next(text, &next);
    }
    return next < text.n ? next : SIZE_MAX;
}

/* Replace up to `most` occurrences; the result's length is counted first. */
static bool replace(const struct weir_call *call, uint64_t most, struct weir_expr_value *ret)
{
    struct weir_str text = call->args[0].as.str;
    struct weir_str from = call->args[1].as.str;
    struct weir_str to = call->args[2].as.str;
    struct weir_buf out;
    weir_buf_init(&out, WEIR_EXPR_DEFAULT_BYTES);
    size_t at = 0;
    if (from.n == 0) { /* before each code point and at the end */
        for (; most > 0; most--) {
            weir_buf_str(&out, to);
            size_t next = at;
            if (at == text.n) {
                break;
            }
            weir_utf8_next(text, &next);
            weir_buf_add(&out, text.p + at, next - at);
            at = next;
        }
    } else {
        for (size_t hit; most > 0 && (hit = find(text, from, at)) != SIZE_MAX; most--) {
            weir_buf_add(&out, text.p + at, hit - at);
            weir_buf_str(&out, to);
            at = hit + from.n;
        }
    }
    weir_buf_add(&out, text.p + at, text.n - at);
    char *copy = out.overflow ? NULL : weir_run_alloc(call->run, out.n);
    if (copy != NULL && out.n > 0) {
        memcpy(copy, out.p, out.n);
    }
    size_t n = out.n;
    bool overflow = out.overflow;
    weir_buf_fini(&out);
    if (overflow) {
        return weir_run_fail_limit(call->run, "bytes of memory");
    }
    return copy != NULL && weir_run_pay(call->run, n / 32 + text.n / 32) && give_text(ret, copy, n);
}

static bool fn_replace(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "sssi")) {
        return weir_call_no_overload(call);
    }
    uint64_t most = UINT64_MAX;
    if (call->count > 3 && call->args[3].as.integer >= 0) {
        most = (uint64_t)call->args[3].as.integer;
    }
    return replace(call, most, ret);
}

/* --- lists --------------------------------------------------------------- */

static bool fn_split(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "ssi")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    struct weir_str separator = call->args[1].as.str;
    uint64_t most = UINT64_MAX;
    if (call->count > 2 && call->args[2].as.integer >= 0) {
        most = (uint64_t)call->args[2].as.integer;
    }
    if (most == 0 || (text.n == 0 && separator.n == 0)) {
        *ret = weir_expr_list(NULL, 0);
        return true;
    }
    /* Count the pieces, then make them. */
    size_t count = 1;
    for (size_t at = 0, cut; count < most && (cut = next_cut(text, separator, at)) != SIZE_MAX;) {
        at = cut + separator.n;
        count++;
    }
    struct weir_expr_value *items = weir_run_alloc(call->run, count * sizeof(*items));
    if (items == NULL || !weir_run_pay(call->run, count + text.n / 32)) {
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        size_t cut = next_cut(text, separator, at);
        items[i] = weir_expr_string(weir_str(text.p + at, cut - at));
        at = cut + separator.n;
    }
    items[count - 1] = weir_expr_string(weir_str(text.p + at, text.n - at));
    *ret = weir_expr_list(items, count);
    return true;
}

/* The text of an element to join: strings, and the numbers that number sets hold. */
static bool join_part(
        const struct weir_call *call, const struct weir_expr_value *item, struct weir_str *ret)
{
    if (item->kind == WEIR_EXPR_STRING) {
        *ret = item->as.str;
        return true;
    }
    if (item->kind == WEIR_EXPR_DECIMAL) {
        return weir_value_text(call->run, item, ret);
    }
    return weir_run_fail(call->run, "join() needs strings, not a %s",
            weir_expr_kind_name((enum weir_expr_kind)item->kind));
}

static bool fn_join(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *list = &call->args[0];
    bool is_list = list->kind == WEIR_EXPR_LIST || list->kind == WEIR_EXPR_SET;
    if (!is_list || (call->count > 1 && call->args[1].kind != WEIR_EXPR_STRING)) {
        return weir_call_no_overload(call);
    }
    struct weir_str separator = call->count > 1 ? call->args[1].as.str : WEIR_STR("");
    size_t count = weir_expr_count(list);
    struct weir_str *parts = weir_run_alloc(call->run, count * sizeof(*parts));
    if (parts == NULL || !weir_run_pay(call->run, count)) {
        return false;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value item = weir_expr_at(list, i);
        if (!join_part(call, &item, &parts[i])) {
            return false;
        }
        bytes += parts[i].n + (i > 0 ? separator.n : 0);
    }
    char *text = weir_run_alloc(call->run, bytes);
    if (text == NULL || !weir_run_pay(call->run, bytes / 64)) {
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && separator.n > 0) {
            memcpy(text + at, separator.p, separator.n);
            at += separator.n;
        }
        if (parts[i].n > 0) {
            memcpy(text + at, parts[i].p, parts[i].n);
            at += parts[i].n;
        }
    }
    return give_text(ret, text, bytes);
}

/* --- quoting and base64 -------------------------------------------------- */

static bool fn_quote(const struct weir_call *call, struct weir_expr_value *ret)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"";
    static const char names[] = "abfnrtv\\\"";
    if (!has_kinds(call, "s")) {
        return weir_call_no_overload(call);
    }
    struct weir_str text = call->args[0].as.str;
    char *out = weir_run_alloc(call->run, 2 * text.n + 2);
    if (out == NULL || !weir_run_pay(call->run, text.n / 16)) {
        return false;
    }
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        const char *special = c != '\0' ? strchr(plain, c) : NULL;
        if (special != NULL) {
            out[n++] = '\\';
            c = names[special - plain];
        }
        out[n++] = c;
    }
    out[n++] = '"';
    return give_text(ret, out, n);
}

static bool fn_base64_encode(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "b")) {
        return weir_call_no_overload(call);
    }
    struct weir_str bytes = call->args[0].as.str;
    struct weir_buf buf;
    weir_buf_init(&buf, WEIR_EXPR_DEFAULT_BYTES);
    weir_base64_encode(&buf, bytes);
    char *text = buf.overflow ? NULL : weir_run_alloc(call->run, buf.n);
    if (text != NULL && buf.n > 0) {
        memcpy(text, buf.p, buf.n);
    }
    size_t n = buf.n;
    bool overflow = buf.overflow;
    weir_buf_fini(&buf);
    if (overflow) {
        return weir_run_fail_limit(call->run, "bytes of memory");
    }
    return text != NULL && weir_run_pay(call->run, n / 32) && give_text(ret, text, n);
}

static bool fn_base64_decode(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!has_kinds(call, "s")) {
        return weir_call_no_overload(call);
    }
    struct weir_err err;
    struct weir_str bytes;
    struct weir_run *run = call->run;
    struct weir_str text = call->args[0].as.str;
    if (!weir_run_pay(run, text.n / 32)) {
        return false;
    }
    if (weir_base64_decode(run->arena, text, true, &bytes, &err) != WEIR_OK) {
        return weir_run_fail(run, "%s", err.msg);
    }
    weir_set_bytes(ret, bytes);
    return true;
}

const struct weir_function weir_functions_string[] = {
    { "contains", WEIR_FN_METHOD, 2, 2, fn_contains },
    { "startsWith", WEIR_FN_METHOD, 2, 2, fn_starts_with },
    { "endsWith", WEIR_FN_METHOD, 2, 2, fn_ends_with },
    { "matches", WEIR_FN_GLOBAL | WEIR_FN_METHOD, 2, 2, weir_fn_matches },
    { "charAt", WEIR_FN_METHOD, 2, 2, fn_char_at },
    { "indexOf", WEIR_FN_METHOD, 2, 3, fn_index_of },
    { "lastIndexOf", WEIR_FN_METHOD, 2, 3, fn_last_index_of },
    { "join", WEIR_FN_METHOD, 1, 2, fn_join },
    { "lowerAscii", WEIR_FN_METHOD, 1, 1, fn_lower },
    { "upperAscii", WEIR_FN_METHOD, 1, 1, fn_upper },
    { "replace", WEIR_FN_METHOD, 3, 4, fn_replace },
    { "split", WEIR_FN_METHOD, 2, 3, fn_split },
    { "substring", WEIR_FN_METHOD, 2, 3, fn_substring },
    { "trim", WEIR_FN_METHOD, 1, 1, fn_trim },
    { "reverse", WEIR_FN_METHOD, 1, 1, fn_reverse },
    { "format", WEIR_FN_METHOD, 2, 2, weir_fn_format },
    { "strings.quote", WEIR_FN_GLOBAL, 1, 1, fn_quote },
    { "base64.encode", WEIR_FN_GLOBAL, 1, 1, fn_base64_encode },
    { "base64.decode", WEIR_FN_GLOBAL, 1, 1, fn_base64_decode },
    { 0 },
};
