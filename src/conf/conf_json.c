/* A tree as JSON, and the way back from a place in that JSON to the tree. */
#include "conf/conf_int.h"
#include "value/json.h"

static size_t digits(struct weir_str s, size_t i)
{
    size_t n = 0;
    while (i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '9') {
        n++;
    }
    return n;
}

/* Append a decimal number in JSON's form; false (and nothing appended) when s is none. */
static bool write_number(struct weir_buf *buf, struct weir_str s)
{
    size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    bool minus = i > 0 && s.p[0] == '-';
    struct weir_str whole = weir_str(s.p + i, digits(s, i));
    i += whole.n;
    struct weir_str fraction = { 0 };
    if (i < s.n && s.p[i] == '.') {
        i++;
        fraction = weir_str(s.p + i, digits(s, i));
        i += fraction.n;
    }
    if (whole.n + fraction.n == 0 || (whole.n > 1 && whole.p[0] == '0')) {
        return false;
    }
    struct weir_str exponent = weir_str(s.p + i, s.n - i);
    if (i < s.n) {
        if (s.p[i] != 'e' && s.p[i] != 'E') {
            return false;
        }
        i++;
        i += i < s.n && (s.p[i] == '-' || s.p[i] == '+');
        size_t n = digits(s, i);
        if (n == 0 || i + n != s.n) {
            return false;
        }
    }
    if (minus) {
        weir_buf_byte(buf, '-');
    }
    weir_buf_str(buf, whole.n > 0 ? whole : WEIR_STR("0"));
    if (fraction.n > 0) {
        weir_buf_byte(buf, '.');
        weir_buf_str(buf, fraction);
    }
    weir_buf_str(buf, exponent);
    return true;
}

static bool is_one_of(struct weir_str s, const char *a, const char *b, const char *c)
{
    return weir_str_eq(s, weir_str_z(a)) || weir_str_eq(s, weir_str_z(b)) ||
           weir_str_eq(s, weir_str_z(c));
}

static void write_scalar(struct weir_buf *buf, const struct weir_conf *node)
{
    bool string = node->quoted || node->secret;
    if (!string && is_one_of(node->text, "true", "True", "TRUE")) {
        weir_buf_z(buf, "true");
    } else if (!string && is_one_of(node->text, "false", "False", "FALSE")) {
        weir_buf_z(buf, "false");
    } else if (string || !write_number(buf, node->text)) {
        weir_json_write_string(buf, node->text);
    }
}

void weir_conf_write_json(struct weir_buf *buf, const struct weir_conf *node)
{
    if (buf->overflow) {
        return; /* aliases can make the JSON far larger than the file */
    }
    switch (node->kind) {
    case WEIR_CONF_NULL:
        weir_buf_z(buf, "null");
        break;
    case WEIR_CONF_SCALAR:
        write_scalar(buf, node);
        break;
    case WEIR_CONF_LIST:
    case WEIR_CONF_MAP:
        weir_buf_byte(buf, node->kind == WEIR_CONF_MAP ? '{' : '[');
        for (size_t i = 0; i < node->count; i++) {
            if (i > 0) {
                weir_buf_byte(buf, ',');
            }
            if (node->kind == WEIR_CONF_MAP) {
                weir_json_write_string(buf, node->names[i].text);
                weir_buf_byte(buf, ':');
            }
            weir_conf_write_json(buf, &node->items[i]);
        }
        weir_buf_byte(buf, node->kind == WEIR_CONF_MAP ? '}' : ']');
        break;
    }
}

/* Goes through the JSON without keeping it. */
struct search {
    struct weir_buf scratch; /* one scalar at a time */
    size_t at;               /* JSON bytes passed */
    size_t target;
};

/* Pass a scalar or a name (as a string). */
static void pass(struct search *search, const struct weir_conf *node, bool name)
{
    weir_buf_reset(&search->scratch);
    if (name) {
        weir_json_write_string(&search->scratch, node->text);
    } else if (node->kind == WEIR_CONF_NULL) {
        weir_buf_z(&search->scratch, "null");
    } else {
        write_scalar(&search->scratch, node);
    }
    search->at += search->scratch.n;
}

static const struct weir_conf *find(struct search *search, const struct weir_conf *node)
{
    if (node->kind != WEIR_CONF_LIST && node->kind != WEIR_CONF_MAP) {
        pass(search, node, false);
        return search->target < search->at ? node : NULL;
    }
    search->at++;
    for (size_t i = 0; i < node->count; i++) {
        search->at += i > 0;
        if (search->target < search->at) {
            return node;
        }
        if (node->kind == WEIR_CONF_MAP) {
            pass(search, &node->names[i], true);
            if (search->target < search->at) {
                return &node->names[i];
            }
            search->at++;
            if (search->target < search->at) {
                return node;
            }
        }
        const struct weir_conf *found = find(search, &node->items[i]);
        if (found != NULL) {
            return found;
        }
    }
    search->at++;
    return search->target < search->at ? node : NULL;
}

const struct weir_conf *weir_conf_at_json(const struct weir_conf *node, size_t offset)
{
    struct search search = { .target = offset };
    weir_buf_init(&search.scratch, (size_t)WEIR_CONF_MAX_TEXT * 8);
    const struct weir_conf *found = find(&search, node);
    weir_buf_fini(&search.scratch);
    return found != NULL ? found : node;
}
