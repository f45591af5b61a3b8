/* Says why a pattern matches a record or does not. */
#include "pattern/pattern_int.h"
#include "value/ddbjson.h"

enum {
    MAX_VALUES = 5,        /* shown of one path */
    MAX_ALTERNATIVES = 10, /* shown of one pattern */
};

struct explainer {
    const struct weir_pattern_set *set;
    struct weir_pattern_scratch *scratch;
    struct weir_buf *buf;
};

/* What one rule comes to. */
struct verdict {
    bool matches;
    bool fields_hold; /* each field by itself */
    bool undecided;   /* too many combinations */
};

/* JSON text without the space between its tokens. */
static void write_compact(struct weir_buf *buf, struct weir_str json)
{
    bool quoted = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (quoted && c == '\\') {
            weir_buf_byte(buf, c);
            c = json.p[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r')) {
            continue;
        }
        weir_buf_byte(buf, c);
    }
}

static void write_leaf(
        struct weir_buf *buf, const struct weir_pattern_leaf *leaf, enum weir_pattern_mode mode)
{
    char text[WEIR_DECIMAL_TEXT];
    switch (leaf->kind) {
    case WEIR_PATTERN_LEAF_STRING:
        weir_json_write_string(buf, leaf->text);
        return;
    case WEIR_PATTERN_LEAF_NUMBER:
        if (mode == WEIR_PATTERN_AWS) {
            weir_buf_str(buf, leaf->text);
        } else {
            weir_buf_add(buf, text, weir_decimal_format(leaf->decimal, text));
        }
        return;
    case WEIR_PATTERN_LEAF_TRUE:
        weir_buf_z(buf, "true");
        return;
    case WEIR_PATTERN_LEAF_FALSE:
        weir_buf_z(buf, "false");
        return;
    case WEIR_PATTERN_LEAF_NULL:
        weir_buf_z(buf, "null");
        return;
    case WEIR_PATTERN_LEAF_WHOLE:
        weir_buf_z(buf, "\"(a map, list or set)\"");
        return;
    }
}

/* The values at a path, with commas between; returns how many there are. */
static size_t write_leaves(
        const struct explainer *explainer, uint32_t path, const char *comma, size_t most)
{
    const struct weir_pattern_slot *slot =
            weir_pattern_slot(explainer->set, explainer->scratch, path);
    size_t count = 0;
    for (uint32_t i = slot->first; i != 0; i = explainer->scratch->leaves[i].next) {
        if (count < most) {
            weir_buf_z(explainer->buf, count > 0 ? comma : "");
            write_leaf(explainer->buf, &explainer->scratch->leaves[i],
                    explainer->set->paths[path].mode);
        }
        count++;
    }
    return count;
}

static struct verdict judge(const struct explainer *explainer, const struct weir_pattern_rule *rule)
{
    struct verdict verdict = { .fields_hold = true };
    for (uint32_t i = 0; i < rule->count; i++) {
        verdict.fields_hold &=
                weir_pattern_field_holds(explainer->set, explainer->scratch, rule->fields[i]);
    }
    verdict.undecided = weir_pattern_rule_matches(explainer->set, explainer->scratch, rule, false,
                                &verdict.matches, NULL) != WEIR_OK;
    return verdict;
}

static const char *reason_of(const struct verdict *verdict)
{
    if (verdict->undecided) {
        return "the arrays allow too many combinations to decide";
    }
    if (verdict->matches && !verdict->fields_hold) {
        return "what is absent is absent from the array elements that the other fields matched";
    }
    if (!verdict->matches && verdict->fields_hold) {
        return "each field matches, but not all in the same elements of an array";
    }
    return NULL;
}

/* --- lines for people --------------------------------------------------- */

static void write_whole_value(
        const struct explainer *explainer, const char *name, struct weir_value value)
{
    weir_buf_printf(explainer->buf, "%s ", name);
    if (value.type == WEIR_TYPE_ABSENT) {
        weir_buf_z(explainer->buf, "absent");
    } else {
        weir_ddbjson_write_plain_value(explainer->buf, value);
    }
}

static void write_found(const struct explainer *explainer, const struct weir_pattern_field *field)
{
    const struct weir_record *record = explainer->scratch->record;
    const struct weir_pattern_path *path = &explainer->set->paths[field->path];
    if (field->whole_count > 0 && record != NULL) {
        write_whole_value(explainer, "old", weir_pattern_value_at(path, record->old_image));
        write_whole_value(explainer, ", new", weir_pattern_value_at(path, record->new_image));
        return;
    }
    size_t count = write_leaves(explainer, field->path, ", ", MAX_VALUES);
    if (count == 0) {
        weir_buf_z(explainer->buf, "nothing there");
    } else if (count > MAX_VALUES) {
        weir_buf_printf(explainer->buf, " and %zu more", count - MAX_VALUES);
    }
}

static void write_rule_text(
        const struct explainer *explainer, const struct weir_pattern_rule *rule, const char *indent)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        const struct weir_pattern_field *field = rule->fields[i];
        bool holds = weir_pattern_field_holds(explainer->set, explainer->scratch, field);
        weir_buf_printf(explainer->buf, "%s%s %.*s: wanted ", indent, holds ? "yes" : "no ",
                WEIR_STR_ARG(explainer->set->paths[field->path].text));
        write_compact(explainer->buf, field->text);
        weir_buf_z(explainer->buf, ", found ");
        write_found(explainer, field);
        weir_buf_byte(explainer->buf, '\n');
    }
}

static void explain_text(
        const struct explainer *explainer, const struct weir_pattern_entry *entry, bool matches)
{
    weir_buf_z(explainer->buf, matches ? "matches\n" : "does not match\n");
    for (uint32_t i = 0; i < entry->rule_count; i++) {
        const struct weir_pattern_rule *rule = &explainer->set->rules[entry->first_rule + i];
        if (i == MAX_ALTERNATIVES) {
            weir_buf_printf(explainer->buf, "  and %u more combinations of $or\n",
                    entry->rule_count - MAX_ALTERNATIVES);
            return;
        }
        struct verdict verdict = judge(explainer, rule);
        const char *indent = "  ";
        if (entry->rule_count > 1) {
            weir_buf_printf(explainer->buf, "  $or combination %u of %u: %s\n", i + 1,
                    entry->rule_count, verdict.matches ? "matches" : "does not match");
            indent = "    ";
        }
        write_rule_text(explainer, rule, indent);
        const char *reason = reason_of(&verdict);
        if (reason != NULL) {
            weir_buf_printf(explainer->buf, "%s%s\n", indent, reason);
        }
    }
}

/* --- JSON --------------------------------------------------------------- */

static void write_value_json(
        const struct explainer *explainer, const char *name, struct weir_value value)
{
    if (value.type != WEIR_TYPE_ABSENT) {
        weir_buf_printf(explainer->buf, ",\"%s\":", name);
        weir_ddbjson_write_plain_value(explainer->buf, value);
    }
}

static void write_field_json(
        const struct explainer *explainer, const struct weir_pattern_field *field)
{
    struct weir_buf *buf = explainer->buf;
    const struct weir_record *record = explainer->scratch->record;
    const struct weir_pattern_path *path = &explainer->set->paths[field->path];
    bool holds = weir_pattern_field_holds(explainer->set, explainer->scratch, field);
    weir_buf_z(buf, "{\"path\":");
    weir_json_write_string(buf, path->text);
    weir_buf_printf(buf, ",\"matches\":%s,\"wanted\":", holds ? "true" : "false");
    write_compact(buf, field->text);
    weir_buf_z(buf, ",\"found\":[");
    write_leaves(explainer, field->path, ",", SIZE_MAX);
    weir_buf_byte(buf, ']');
    if (field->whole_count > 0 && record != NULL) {
        write_value_json(explainer, "old", weir_pattern_value_at(path, record->old_image));
        write_value_json(explainer, "new", weir_pattern_value_at(path, record->new_image));
    }
    weir_buf_byte(buf, '}');
}

static void explain_json(
        const struct explainer *explainer, const struct weir_pattern_entry *entry, bool matches)
{
    struct weir_buf *buf = explainer->buf;
    weir_buf_printf(buf, "{\"matches\":%s,\"combinations\":[", matches ? "true" : "false");
    for (uint32_t i = 0; i < entry->rule_count; i++) {
        const struct weir_pattern_rule *rule = &explainer->set->rules[entry->first_rule + i];
        struct verdict verdict = judge(explainer, rule);
        weir_buf_printf(buf, "%s{\"matches\":%s,\"fields\":[", i > 0 ? "," : "",
                verdict.matches ? "true" : "false");
        for (uint32_t f = 0; f < rule->count; f++) {
            weir_buf_z(buf, f > 0 ? "," : "");
            write_field_json(explainer, rule->fields[f]);
        }
        weir_buf_byte(buf, ']');
        const char *reason = reason_of(&verdict);
        if (reason != NULL) {
            weir_buf_printf(buf, ",\"reason\":\"%s\"", reason);
        }
        weir_buf_byte(buf, '}');
    }
    weir_buf_z(buf, "]}");
}

/* --- both --------------------------------------------------------------- */

static void explain(const struct explainer *explainer, size_t index, enum weir_pattern_form form)
{
    const struct weir_pattern_entry *entry = &explainer->set->entries[index];
    bool matches = false;
    for (uint32_t i = 0; i < entry->rule_count && !matches; i++) {
        matches = judge(explainer, &explainer->set->rules[entry->first_rule + i]).matches;
    }
    if (form == WEIR_PATTERN_JSON) {
        explain_json(explainer, entry, matches);
    } else {
        explain_text(explainer, entry, matches);
    }
}

void weir_pattern_explain(const struct weir_pattern_set *set, size_t index,
        struct weir_pattern_scratch *scratch, const struct weir_record *record,
        enum weir_pattern_form form, struct weir_buf *buf)
{
    weir_assert(index < set->entry_count);
    struct explainer explainer = { set, scratch, buf };
    weir_pattern_scratch_begin(scratch, set);
    scratch->record = record;
    explain(&explainer, index, form);
}

enum weir_rc weir_pattern_explain_json(const struct weir_pattern_set *set, size_t index,
        struct weir_pattern_scratch *scratch, struct weir_str event_json,
        enum weir_pattern_form form, struct weir_buf *buf, struct weir_err *err)
{
    weir_assert(index < set->entry_count);
    if (set->entries[index].mode != WEIR_PATTERN_AWS) {
        return weir_fail(err, WEIR_E_INVALID,
                "an item pattern is explained on a record, not on an event's JSON");
    }
    struct explainer explainer = { set, scratch, buf };
    weir_pattern_scratch_begin(scratch, set);
    enum weir_rc rc = weir_pattern_read_event(set, scratch, event_json, err);
    if (rc == WEIR_OK) {
        explain(&explainer, index, form);
    }
    return rc;
}
