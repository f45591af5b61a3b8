#include <stdio.h>

#include "base/mem.h"
#include "conf/conf_int.h"

/* A unit of durations (in milliseconds) or sizes (in bytes), the largest first. */
struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    { "d", 86400000 },
    { "h", 3600000 },
    { "m", 60000 },
    { "s", 1000 },
    { "ms", 1 },
};

static const struct unit byte_units[] = {
    { "TiB", (uint64_t)1 << 40 },
    { "GiB", (uint64_t)1 << 30 },
    { "MiB", (uint64_t)1 << 20 },
    { "KiB", (uint64_t)1 << 10 },
    { "", 1 },
};

static const struct {
    const char *name;    /* in help */
    const char *expects; /* in messages */
} types[] = {
    [WEIR_OPTION_STRING] = { "string", "a string" },
    [WEIR_OPTION_BOOL] = { "bool", "true or false" },
    [WEIR_OPTION_INTEGER] = { "integer", "a whole number" },
    [WEIR_OPTION_DURATION] = { "duration", "a duration such as 250ms, 5s, 15m, 24h or 7d" },
    [WEIR_OPTION_BYTES] = { "bytes", "a size such as 4096, 64KiB, 64MiB or 1GiB" },
    [WEIR_OPTION_NODE] = { "value", "a value" },
};

/* --- values ------------------------------------------------------------------ */

enum parsed {
    PARSED,
    PARSED_NOT,  /* of another form */
    PARSED_HUGE, /* right, but does not fit */
};

/* Digits and a unit; zero needs none. */
static enum parsed parse_units(
        struct weir_str s, const struct unit *units, size_t count, uint64_t *ret_value)
{
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9') {
        digits++;
    }
    if (digits == 0) {
        return PARSED_NOT;
    }
    struct weir_str name = weir_str(s.p + digits, s.n - digits);
    const struct unit *unit = NULL;
    for (size_t i = 0; i < count; i++) {
        if (weir_str_eq(name, weir_str_z(units[i].name))) {
            unit = &units[i];
        }
    }
    uint64_t number = 0;
    bool fits = weir_str_to_u64(weir_str(s.p, digits), &number);
    if (unit == NULL) {
        *ret_value = 0;
        return name.n == 0 && fits && number == 0 ? PARSED : PARSED_NOT;
    }
    if (!fits || __builtin_mul_overflow(number, unit->factor, ret_value)) {
        return PARSED_HUGE;
    }
    return PARSED;
}

static enum parsed parse_integer(struct weir_str s, uint64_t *ret_value)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return PARSED_NOT;
        }
    }
    if (s.n == 0) {
        return PARSED_NOT;
    }
    return weir_str_to_u64(s, ret_value) ? PARSED : PARSED_HUGE;
}

static bool parse_bool(struct weir_str s, bool *ret_value)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = { { "true", true }, { "false", false }, { "True", true }, { "False", false },
        { "TRUE", true }, { "FALSE", false } };
    for (size_t i = 0; i < WEIR_COUNT(words); i++) {
        if (weir_str_eq(s, weir_str_z(words[i].text))) {
            *ret_value = words[i].value;
            return true;
        }
    }
    return false;
}

static enum parsed parse_number(struct weir_str s, enum weir_option_type type, uint64_t *ret_value)
{
    if (type == WEIR_OPTION_DURATION) {
        return parse_units(s, duration_units, WEIR_COUNT(duration_units), ret_value);
    }
    if (type == WEIR_OPTION_BYTES) {
        return parse_units(s, byte_units, WEIR_COUNT(byte_units), ret_value);
    }
    return parse_integer(s, ret_value);
}

/* A limit as one would write it. */
static const char *show_number(enum weir_option_type type, uint64_t value, char out[32])
{
    const struct unit *units = type == WEIR_OPTION_DURATION ? duration_units : byte_units;
    size_t count =
            type == WEIR_OPTION_DURATION ? WEIR_COUNT(duration_units) : WEIR_COUNT(byte_units);
    size_t i = type == WEIR_OPTION_INTEGER ? count - 1 : 0;
    while (i + 1 < count && (value % units[i].factor != 0 || value == 0)) {
        i++;
    }
    snprintf(out, 32, "%llu%s", (unsigned long long)(value / units[i].factor),
            type == WEIR_OPTION_INTEGER ? "" : units[i].name);
    return out;
}

static bool out_of_range(struct weir_diagnostics *diagnostics, const struct weir_conf *node,
        const struct weir_option *option)
{
    char shown[WEIR_CONF_SHOWN];
    char min[32];
    char max[32];
    weir_conf_show(node, shown);
    show_number(option->type, option->min, min);
    show_number(option->type, option->max, max);
    if (option->max == 0) {
        weir_conf_error(diagnostics, node, "option '%s' is %s, but must be at least %s",
                option->name, shown, min);
    } else {
        weir_conf_error(diagnostics, node, "option '%s' is %s, but must be from %s to %s",
                option->name, shown, min, max);
    }
    return false;
}

static bool wrong_form(struct weir_diagnostics *diagnostics, const struct weir_conf *node,
        const struct weir_option *option, const char *hint)
{
    char shown[WEIR_CONF_SHOWN];
    weir_conf_error(diagnostics, node, "option '%s' must be %s, not %s%s", option->name,
            types[option->type].expects, weir_conf_show(node, shown), hint);
    return false;
}

static bool number_value(struct weir_diagnostics *diagnostics, const struct weir_conf *node,
        const struct weir_option *option, uint64_t *field)
{
    if (option->type == WEIR_OPTION_INTEGER && node->quoted && !node->secret) {
        return wrong_form(diagnostics, node, option, " in quotes");
    }
    uint64_t value = 0;
    switch (parse_number(node->text, option->type, &value)) {
    case PARSED_NOT: {
        uint64_t bare = 0;
        bool no_unit =
                option->type == WEIR_OPTION_DURATION && parse_integer(node->text, &bare) == PARSED;
        return wrong_form(diagnostics, node, option, no_unit ? ": the unit is missing" : "");
    }
    case PARSED_HUGE:
        if (option->max == 0) {
            return wrong_form(diagnostics, node, option, ": too large");
        }
        return out_of_range(diagnostics, node, option);
    case PARSED:
        break;
    }
    if (value < option->min || (option->max != 0 && value > option->max)) {
        return out_of_range(diagnostics, node, option);
    }
    *field = value;
    return true;
}

bool weir_conf_value(struct weir_diagnostics *diagnostics, const struct weir_conf *node,
        const struct weir_option *option, void *field)
{
    if (node->broken) {
        return false; /* complained about already */
    }
    if (option->type == WEIR_OPTION_NODE) {
        const struct weir_conf **at = field;
        *at = node;
        return true;
    }
    if (node->kind != WEIR_CONF_SCALAR) {
        return wrong_form(diagnostics, node, option, "");
    }
    switch (option->type) {
    case WEIR_OPTION_STRING:
        memcpy(field, &node->text, sizeof(node->text));
        return true;
    case WEIR_OPTION_BOOL: {
        bool value = false;
        if (node->quoted && !node->secret) {
            return wrong_form(diagnostics, node, option, " in quotes");
        }
        if (!parse_bool(node->text, &value)) {
            return wrong_form(diagnostics, node, option, "");
        }
        memcpy(field, &value, sizeof(value));
        return true;
    }
    case WEIR_OPTION_INTEGER:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_BYTES: {
        uint64_t value = 0;
        if (!number_value(diagnostics, node, option, &value)) {
            return false;
        }
        memcpy(field, &value, sizeof(value));
        return true;
    }
    case WEIR_OPTION_NODE:
        break;
    }
    return false;
}

/* --- tables -------------------------------------------------------------------- */

/* Set a field from its fallback; one that cannot be parsed is a mistake in the table. */
static void set_fallback(const struct weir_option *option, void *field)
{
    struct weir_str text = weir_str_z(option->fallback);
    bool flag = false;
    uint64_t number = 0;
    if (text.n == 0) {
        return;
    }
    switch (option->type) {
    case WEIR_OPTION_STRING:
        memcpy(field, &text, sizeof(text));
        break;
    case WEIR_OPTION_BOOL:
        weir_assert(parse_bool(text, &flag));
        memcpy(field, &flag, sizeof(flag));
        break;
    case WEIR_OPTION_INTEGER:
    case WEIR_OPTION_DURATION:
    case WEIR_OPTION_BYTES:
        weir_assert(parse_number(text, option->type, &number) == PARSED);
        memcpy(field, &number, sizeof(number));
        break;
    case WEIR_OPTION_NODE:
        weir_assert(false && "an option of type NODE has only \"\" as fallback");
    }
}

/* "; did you mean 'x'? (known: x, y, z)" */
static void add_known(
        struct weir_buf *buf, struct weir_str name, const char *const *names, size_t count)
{
    const char *nearest = weir_str_nearest(name, names, count);
    if (nearest != NULL) {
        weir_buf_printf(buf, "; did you mean '%s'?", nearest);
    }
    if (count == 0) {
        return;
    }
    weir_buf_z(buf, " (known: ");
    for (size_t i = 0; i < count; i++) {
        weir_buf_z(buf, i > 0 ? ", " : "");
        weir_buf_z(buf, names[i]);
    }
    weir_buf_byte(buf, ')');
}

/* of: what the name is one of ("" or " of table 'orders'"). */
static void unknown(struct weir_diagnostics *diagnostics, const struct weir_conf *at,
        const char *what, const char *of, const char *const *names, size_t count)
{
    enum { MAX_HINT = 16 << 10 };
    if (at->broken) {
        return;
    }
    char shown[WEIR_CONF_SHOWN];
    struct weir_buf hint;
    weir_buf_init(&hint, MAX_HINT);
    if (at->kind == WEIR_CONF_SCALAR && !at->secret) {
        add_known(&hint, at->text, names, count);
    } else {
        add_known(&hint, WEIR_STR(""), names, count);
    }
    weir_conf_error(diagnostics, at, "unknown %s %s%s%s%.*s", what, weir_conf_show(at, shown),
            of[0] != '\0' ? " of " : "", of, WEIR_STR_ARG(weir_buf_view(&hint)));
    weir_buf_fini(&hint);
}

void weir_conf_unknown(struct weir_diagnostics *diagnostics, const struct weir_conf *at,
        const char *what, const char *const *names, size_t count)
{
    unknown(diagnostics, at, what, "", names, count);
}

static size_t count_options(const struct weir_option *options)
{
    size_t count = 0;
    while (options[count].name != NULL) {
        count++;
    }
    return count;
}

/* Complain about members that are no option. */
static void check_names(struct weir_diagnostics *diagnostics, const struct weir_conf *map,
        const char *what, const struct weir_option *options)
{
    size_t count = count_options(options);
    const char **names = weir_alloc_zero(count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++) {
        names[i] = options[i].name;
    }
    for (size_t i = 0; i < map->count; i++) {
        size_t k = 0;
        while (k < count && !weir_str_eq(map->names[i].text, weir_str_z(names[k]))) {
            k++;
        }
        if (k == count) {
            unknown(diagnostics, &map->names[i], "option", what, names, count);
        }
    }
    weir_free(names);
}

bool weir_conf_options(struct weir_diagnostics *diagnostics, const struct weir_conf *map,
        const char *what, const struct weir_option *options, void *target)
{
    size_t errors = diagnostics->errors;
    bool broken = map != NULL && map->broken;
    if (map != NULL && map->kind == WEIR_CONF_MAP) {
        check_names(diagnostics, map, what, options);
    } else if (map != NULL && map->kind != WEIR_CONF_NULL && !broken) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(diagnostics, map, "%s takes a map of options, not %s", what,
                weir_conf_show(map, shown));
        broken = true;
    }
    bool right = !broken;
    for (const struct weir_option *option = options; option->name != NULL; option++) {
        void *field = (char *)target + option->offset;
        const struct weir_conf *node = weir_conf_get(map, option->name);
        if (node != NULL) {
            right = weir_conf_value(diagnostics, node, option, field) && right;
        } else if (option->fallback != NULL) {
            set_fallback(option, field);
        } else if (!broken) {
            weir_conf_error(diagnostics, map, "%s needs the option '%s' (%s): %s", what,
                    option->name, types[option->type].name, option->help);
        }
    }
    return right && diagnostics->errors == errors;
}

void weir_options_help(struct weir_buf *buf, const struct weir_option *options)
{
    size_t widest = 0;
    for (const struct weir_option *option = options; option->name != NULL; option++) {
        size_t n = strlen(option->name);
        widest = n > widest ? n : widest;
    }
    for (const struct weir_option *option = options; option->name != NULL; option++) {
        weir_buf_printf(buf, "  %-*s  %-8s  %s", (int)widest, option->name,
                types[option->type].name, option->help);
        if (option->fallback == NULL) {
            weir_buf_z(buf, " (required)");
        } else if (option->fallback[0] != '\0') {
            weir_buf_printf(buf, " (default %s)", option->fallback);
        }
        weir_buf_byte(buf, '\n');
    }
}
