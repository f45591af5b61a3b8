/*
 * SQS's query protocol: a request is a form of dotted names ("Attribute.1.Name"), an answer is
 * XML. Both are turned to and from the JSON of the newer protocol by the tables below.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/sqs_int.h"
#include "value/json.h"

enum {
    PAIRS_MAX = 4096,
    PARTS_MAX = 8,
    JSON_MAX_BYTES = 64 * 1024 * 1024,
    XML_MAX_DEPTH = 16,
};

/* --- forms ------------------------------------------------------------------------ */

struct pair {
    struct weir_str parts[PARTS_MAX]; /* of the name, between its dots */
    size_t count;
    struct weir_str value;
};

enum many { LIST, MAP };

static const struct {
    const char *form; /* is followed by a number */
    const char *json;
    enum many many;
} many_names[] = {
    { "Attribute", "Attributes", MAP },
    { "AttributeName", "AttributeNames", LIST },
    { "MessageSystemAttributeName", "MessageSystemAttributeNames", LIST },
    { "MessageAttributeName", "MessageAttributeNames", LIST },
    { "MessageAttribute", "MessageAttributes", MAP },
    { "MessageSystemAttribute", "MessageSystemAttributes", MAP },
    { "StringListValue", "StringListValues", LIST },
    { "BinaryListValue", "BinaryListValues", LIST },
    { "SendMessageBatchRequestEntry", "Entries", LIST },
    { "DeleteMessageBatchRequestEntry", "Entries", LIST },
    { "ChangeMessageVisibilityBatchRequestEntry", "Entries", LIST },
    { "Tag", "Tags", MAP },
    { "TagKey", "TagKeys", LIST },
};

static const char *const number_names[] = { "DelaySeconds", "MaxNumberOfMessages", "MaxResults",
    "VisibilityTimeout", "WaitTimeSeconds" };

static int hex_value(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

enum weir_rc weir_form_decode(struct weir_str text, struct weir_arena *arena,
        struct weir_str *ret_text, struct weir_err *err)
{
    char *p = weir_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i] == '+' ? ' ' : text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_value(text.p[i + 1]) : -1;
            int low = i + 2 < text.n ? hex_value(text.p[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return weir_fail_at(err, WEIR_E_INVALID, i,
                        "the form has a '%%' without two hexadecimal digits");
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        p[n++] = c;
    }
    *ret_text = weir_str(p, n);
    return WEIR_OK;
}

/* The text before a character, which rest is moved behind. */
static struct weir_str split(struct weir_str *rest, char at)
{
    const char *end = rest->n > 0 ? memchr(rest->p, at, rest->n) : NULL;
    size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
    struct weir_str first = weir_str(rest->p, n);
    size_t skip = end != NULL ? n + 1 : n;
    *rest = weir_str(rest->p + skip, rest->n - skip);
    return first;
}

static enum weir_rc read_pair(
        struct weir_str text, struct weir_arena *arena, struct pair *pair, struct weir_err *err)
{
    struct weir_str name = { 0 };
    enum weir_rc rc = weir_form_decode(split(&text, '='), arena, &name, err);
    if (rc == WEIR_OK) {
        rc = weir_form_decode(text, arena, &pair->value, err);
    }
    pair->count = 0;
    while (rc == WEIR_OK && name.n > 0) {
        if (pair->count == PARTS_MAX) {
            return weir_fail(err, WEIR_E_INVALID, "a name of the form has too many dots");
        }
        pair->parts[pair->count++] = split(&name, '.');
    }
    return rc;
}

/* Numbers in order of their value, so that element 10 stands behind element 9. */
static int compare_parts(struct weir_str a, struct weir_str b)
{
    uint64_t x = 0;
    uint64_t y = 0;
    if (weir_str_to_u64(a, &x) && weir_str_to_u64(b, &y) && x != y) {
        return x < y ? -1 : 1;
    }
    return weir_str_cmp(a, b);
}

static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left;
    const struct pair *b = right;
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = compare_parts(a->parts[i], b->parts[i]);
        if (order != 0) {
            return order;
        }
    }
    return (a->count > b->count) - (a->count < b->count);
}

/* How many pairs, of those from the first on, have the same part at a depth. */
static size_t same_part(const struct pair *pairs, size_t count, size_t depth)
{
    size_t n = 1;
    while (n < count && pairs[n].count > depth &&
            weir_str_eq(pairs[n].parts[depth], pairs[0].parts[depth])) {
        n++;
    }
    return n;
}

static void write_struct(
        struct weir_buf *out, const struct pair *pairs, size_t count, size_t depth);

/* What stands behind the names' first parts: a text, or a struct. */
static void write_value(struct weir_buf *out, const struct pair *pairs, size_t count, size_t depth)
{
    if (pairs[0].count == depth) {
        weir_json_write_string(out, pairs[0].value);
    } else {
        write_struct(out, pairs, count, depth);
    }
}

static void write_list(struct weir_buf *out, const struct pair *pairs, size_t count, size_t depth)
{
    size_t written = 0;
    weir_buf_byte(out, '[');
    while (count > 0 && pairs[0].count <= depth) {
        pairs++; /* no number */
        count--;
    }
    for (size_t i = 0; i < count;) {
        size_t n = same_part(pairs + i, count - i, depth);
        weir_buf_z(out, written++ > 0 ? "," : "");
        write_value(out, pairs + i, n, depth + 1);
        i += n;
    }
    weir_buf_byte(out, ']');
}

static bool part_is(const struct pair *pair, size_t depth, const char *name)
{
    return pair->count > depth && weir_str_eq(pair->parts[depth], weir_str_z(name));
}

/* One entry of a map: Name or Key, and Value. */
static bool write_entry(
        struct weir_buf *out, const struct pair *pairs, size_t count, size_t depth, bool more)
{
    const struct pair *key = NULL;
    const struct pair *value = NULL;
    size_t values = 0;
    for (size_t i = 0; i < count; i++) {
        if (part_is(&pairs[i], depth, "Name") || part_is(&pairs[i], depth, "Key")) {
            key = &pairs[i];
        } else if (part_is(&pairs[i], depth, "Value")) {
            value = value == NULL ? &pairs[i] : value;
            values++;
        }
    }
    if (key == NULL || value == NULL) {
        return false;
    }
    weir_buf_z(out, more ? "," : "");
    weir_json_write_string(out, key->value);
    weir_buf_byte(out, ':');
    write_value(out, value, values, depth + 1);
    return true;
}

static void write_map(struct weir_buf *out, const struct pair *pairs, size_t count, size_t depth)
{
    bool more = false;
    weir_buf_byte(out, '{');
    while (count > 0 && pairs[0].count <= depth) {
        pairs++;
        count--;
    }
    for (size_t i = 0; i < count;) {
        size_t n = same_part(pairs + i, count - i, depth);
        more = write_entry(out, pairs + i, n, depth + 1, more) || more;
        i += n;
    }
    weir_buf_byte(out, '}');
}

static bool is_number(struct weir_str name, struct weir_str value)
{
    uint64_t number = 0;
    bool negative = value.n > 1 && value.p[0] == '-';
    struct weir_str digits = negative ? weir_str(value.p + 1, value.n - 1) : value;
    for (size_t i = 0; i < WEIR_COUNT(number_names); i++) {
        if (weir_str_eq(name, weir_str_z(number_names[i]))) {
            return weir_str_to_u64(digits, &number) && (digits.p[0] != '0' || digits.n == 1);
        }
    }
    return false;
}

static void write_member(struct weir_buf *out, const struct pair *pairs, size_t count, size_t depth)
{
    struct weir_str name = pairs[0].parts[depth];
    for (size_t i = 0; i < WEIR_COUNT(many_names); i++) {
        if (weir_str_eq(name, weir_str_z(many_names[i].form))) {
            weir_buf_printf(out, "\"%s\":", many_names[i].json);
            (many_names[i].many == LIST ? write_list : write_map)(out, pairs, count, depth + 1);
            return;
        }
    }
    weir_json_write_string(out, name);
    weir_buf_byte(out, ':');
    if (pairs[0].count == depth + 1 && is_number(name, pairs[0].value)) {
        weir_buf_str(out, pairs[0].value);
    } else {
        write_value(out, pairs, count, depth + 1);
    }
}

/* An empty list: clients send the member's name alone. */
static bool is_empty_list(const struct pair *pair, size_t depth)
{
    for (size_t i = 0; i < WEIR_COUNT(many_names) && pair->count == depth + 1; i++) {
        if (weir_str_eq(pair->parts[depth], weir_str_z(many_names[i].json))) {
            return true;
        }
    }
    return false;
}

static void write_struct(struct weir_buf *out, const struct pair *pairs, size_t count, size_t depth)
{
    bool more = false;
    weir_buf_byte(out, '{');
    for (size_t i = 0; i < count;) {
        if (pairs[i].count <= depth || is_empty_list(&pairs[i], depth)) {
            i++;
            continue;
        }
        size_t n = same_part(pairs + i, count - i, depth);
        weir_buf_z(out, more ? "," : "");
        write_member(out, pairs + i, n, depth);
        more = true;
        i += n;
    }
    weir_buf_byte(out, '}');
}

enum weir_rc weir_sqs_read_form(struct weir_str form, struct weir_arena *arena,
        struct weir_str *ret_action, struct weir_str *ret_json, struct weir_err *err)
{
    struct pair *pairs = weir_arena_alloc(arena, PAIRS_MAX * sizeof(*pairs));
    size_t count = 0;
    struct weir_str action = { 0 };
    while (form.n > 0) {
        if (count == PAIRS_MAX) {
            return weir_fail(err, WEIR_E_TOO_LARGE, "the form has more than %d fields", PAIRS_MAX);
        }
        struct weir_str text = split(&form, '&');
        enum weir_rc rc = read_pair(text, arena, &pairs[count], err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (part_is(&pairs[count], 0, "Action")) {
            action = pairs[count].value;
        } else if (pairs[count].count > 0 && !part_is(&pairs[count], 0, "Version")) {
            count++;
        }
    }
    if (action.n == 0) {
        return weir_fail(err, WEIR_E_INVALID, "the form has no Action");
    }
    qsort(pairs, count, sizeof(*pairs), compare_pairs);
    struct weir_buf json;
    weir_buf_init(&json, JSON_MAX_BYTES);
    write_struct(&json, pairs, count, 0);
    enum weir_rc rc = weir_buf_check(&json, "the form", err);
    *ret_action = action;
    *ret_json = weir_arena_str(arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    return rc;
}

/* --- XML -------------------------------------------------------------------------------- */

struct xml {
    struct weir_buf *out;
    struct weir_json json;
    const char *operation;
};

/* The element of one of several, by the member's name; NULL: it is not about several. */
static const char *element_of(struct weir_str member)
{
    static const struct {
        const char *json;
        const char *element;
    } names[] = {
        { "QueueUrls", "QueueUrl" },
        { "queueUrls", "QueueUrl" },
        { "Messages", "Message" },
        { "Failed", "BatchResultErrorEntry" },
        { "Attributes", "Attribute" },
        { "MessageAttributes", "MessageAttribute" },
        { "Tags", "Tag" },
    };
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        if (weir_str_eq(member, weir_str_z(names[i].json))) {
            return names[i].element;
        }
    }
    return NULL;
}

static bool write_members(struct xml *xml);

/* The value of a token, without tags around it. */
static bool write_content(struct xml *xml, enum weir_json_token token)
{
    switch (token) {
    case WEIR_JSON_OBJECT:
        return write_members(xml);
    case WEIR_JSON_STRING:
    case WEIR_JSON_NUMBER:
        weir_buf_xml(xml->out, xml->json.text);
        return true;
    case WEIR_JSON_TRUE:
    case WEIR_JSON_FALSE:
        weir_buf_z(xml->out, token == WEIR_JSON_TRUE ? "true" : "false");
        return true;
    case WEIR_JSON_ERROR:
    case WEIR_JSON_END:
    case WEIR_JSON_OBJECT_END:
    case WEIR_JSON_ARRAY:
    case WEIR_JSON_ARRAY_END:
    case WEIR_JSON_NAME:
    case WEIR_JSON_NULL:
        break;
    }
    return false;
}

static bool write_array(struct xml *xml, const char *element)
{
    enum weir_json_token token;
    while ((token = weir_json_next(&xml->json)) != WEIR_JSON_ARRAY_END) {
        weir_buf_printf(xml->out, "<%s>", element);
        if (!write_content(xml, token)) {
            return false;
        }
        weir_buf_printf(xml->out, "</%s>", element);
    }
    return true;
}

static bool write_pairs(struct xml *xml, const char *element)
{
    const char *key = strcmp(element, "Tag") == 0 ? "Key" : "Name";
    while (weir_json_next(&xml->json) == WEIR_JSON_NAME) {
        weir_buf_printf(xml->out, "<%s><%s>", element, key);
        weir_buf_xml(xml->out, xml->json.text);
        weir_buf_printf(xml->out, "</%s><Value>", key);
        if (!write_content(xml, weir_json_next(&xml->json))) {
            return false;
        }
        weir_buf_printf(xml->out, "</Value></%s>", element);
    }
    return xml->json.err.code == WEIR_OK;
}

static bool write_member_xml(struct xml *xml, struct weir_str name)
{
    char entry[96];
    const char *element = element_of(name);
    if (weir_str_eq(name, WEIR_STR("Successful"))) {
        snprintf(entry, sizeof(entry), "%sResultEntry", xml->operation);
        element = entry;
    }
    enum weir_json_token token = weir_json_next(&xml->json);
    if (element != NULL && token == WEIR_JSON_ARRAY) {
        return write_array(xml, element);
    }
    if (element != NULL && token == WEIR_JSON_OBJECT) {
        return write_pairs(xml, element);
    }
    weir_buf_printf(xml->out, "<%.*s>", WEIR_STR_ARG(name));
    if (!write_content(xml, token)) {
        return false;
    }
    weir_buf_printf(xml->out, "</%.*s>", WEIR_STR_ARG(name));
    return true;
}

static bool write_members(struct xml *xml)
{
    while (weir_json_next(&xml->json) == WEIR_JSON_NAME) {
        struct weir_str name = xml->json.text;
        if (!write_member_xml(xml, name)) {
            return false;
        }
    }
    return xml->json.err.code == WEIR_OK;
}

enum weir_rc weir_sqs_write_xml(struct weir_buf *out, const char *operation, struct weir_str json,
        struct weir_str request_id, struct weir_err *err)
{
    struct weir_arena arena;
    struct xml xml = { .out = out, .operation = operation };
    bool good = true;
    weir_arena_init(&arena);
    weir_buf_printf(out,
            "<?xml version=\"1.0\"?><%sResponse "
            "xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">",
            operation);
    if (json.n > 0) {
        weir_json_init(&xml.json, json, &arena, XML_MAX_DEPTH);
        weir_buf_printf(out, "<%sResult>", operation);
        good = write_content(&xml, weir_json_next(&xml.json));
        weir_buf_printf(out, "</%sResult>", operation);
    }
    weir_buf_printf(out,
            "<ResponseMetadata><RequestId>%.*s</RequestId></ResponseMetadata></%sResponse>",
            WEIR_STR_ARG(request_id), operation);
    weir_arena_fini(&arena);
    return good ? WEIR_OK : weir_fail(err, WEIR_E_INVALID, "the answer is not JSON");
}
