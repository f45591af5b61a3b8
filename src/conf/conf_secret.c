/* !env and !file. */
#include <stdlib.h>

#include "conf/conf_int.h"

static void set_secret(struct weir_conf *node, struct weir_str text)
{
    node->kind = WEIR_CONF_SCALAR;
    node->text = text;
    node->quoted = true;
    node->secret = true;
    node->style = 0;
    node->raw = (struct weir_str){ 0 };
    node->count = 0;
    node->items = NULL;
}

static void set_broken(struct weir_conf *node)
{
    set_secret(node, (struct weir_str){ "", 0 });
    node->broken = true;
}

static struct weir_str trim(struct weir_str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s = weir_str(s.p + 1, s.n - 1);
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) {
        s.n--;
    }
    return s;
}

static bool is_variable_name(struct weir_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return s.n > 0;
}

/* Split the two ways to write !env into name and fallback; false when it is neither. */
static bool env_parts(const struct weir_conf *node, struct weir_str *name,
        const struct weir_str **fallback, struct weir_str *space)
{
    *fallback = NULL;
    if (node->kind == WEIR_CONF_SCALAR) {
        const char *comma = node->text.n > 0 ? memchr(node->text.p, ',', node->text.n) : NULL;
        size_t n = comma != NULL ? (size_t)(comma - node->text.p) : node->text.n;
        *name = trim(weir_str(node->text.p, n));
        if (comma != NULL) {
            *space = trim(weir_str(comma + 1, node->text.n - n - 1));
            *fallback = space;
        }
        return true;
    }
    if (node->kind != WEIR_CONF_LIST || node->count == 0 || node->count > 2 ||
            node->items[0].kind != WEIR_CONF_SCALAR) {
        return false;
    }
    *name = node->items[0].text;
    if (node->count == 2) {
        if (node->items[1].kind != WEIR_CONF_SCALAR && node->items[1].kind != WEIR_CONF_NULL) {
            return false;
        }
        *space = node->items[1].text;
        *fallback = space;
    }
    return true;
}

void weir_conf_resolve_env(const struct weir_conf_secrets *secrets, struct weir_conf *node)
{
    struct weir_str name = { 0 };
    struct weir_str space = { 0 };
    const struct weir_str *fallback = NULL;
    if (!env_parts(node, &name, &fallback, &space)) {
        weir_conf_error(secrets->diagnostics, node,
                "!env takes NAME, \"NAME, default\" or [NAME, default]");
        set_broken(node);
        return;
    }
    if (!is_variable_name(name)) {
        weir_conf_error(secrets->diagnostics, node,
                "'%.*s' is no name of an environment variable: expected letters, digits and "
                "underscores",
                WEIR_STR_ARG(weir_conf_cut(name)));
        set_broken(node);
        return;
    }
    struct weir_str z = weir_arena_str(secrets->arena, name);
    const char *value = getenv(z.p);
    if (value != NULL) {
        struct weir_str text = weir_arena_str(secrets->arena, weir_str_z(value));
        if (!weir_str_is_utf8(text)) {
            weir_conf_error(secrets->diagnostics, node,
                    "environment variable %s holds bytes that are not UTF-8", z.p);
            set_broken(node);
            return;
        }
        set_secret(node, text);
    } else if (fallback != NULL) {
        set_secret(node, *fallback);
    } else {
        weir_conf_error(secrets->diagnostics, node,
                "environment variable %s is not set and has no default: set it, or write "
                "!env \"%s, default\"",
                z.p, z.p);
        set_broken(node);
    }
}

void weir_conf_resolve_file(const struct weir_conf_secrets *secrets, struct weir_conf *node)
{
    if (node->kind != WEIR_CONF_SCALAR || node->text.n == 0 ||
            memchr(node->text.p, '\0', node->text.n) != NULL) {
        weir_conf_error(secrets->diagnostics, node, "!file takes the path of a file");
        set_broken(node);
        return;
    }
    struct weir_str folder = node->text.p[0] == '/' ? WEIR_STR("") : secrets->folder;
    struct weir_str path = weir_arena_printf(
            secrets->arena, "%.*s%.*s", WEIR_STR_ARG(folder), WEIR_STR_ARG(node->text));
    struct weir_str text = { 0 };
    struct weir_err err = { 0 };
    if (weir_conf_read_file(secrets->arena, path.p, WEIR_CONF_MAX_SECRET, &text, &err) != WEIR_OK) {
        weir_conf_error(secrets->diagnostics, node, "!file: %s", err.msg);
        set_broken(node);
        return;
    }
    if (!weir_str_is_utf8(text)) {
        weir_conf_error(
                secrets->diagnostics, node, "!file: %s holds bytes that are not UTF-8", path.p);
        set_broken(node);
        return;
    }
    if (text.n > 0 && text.p[text.n - 1] == '\n') {
        text.n -= text.n > 1 && text.p[text.n - 2] == '\r' ? 2 : 1;
    }
    set_secret(node, text);
}
