/*
 * The step `expect`: what it wants is read once; what is there is gathered as items at each look,
 * and time passes from one thing that happens to the next until it is as wanted.
 */
#include "base/mem.h"
#include "scenario/scenario_int.h"

/* When it is to hold. */
enum timing {
    TIMING_NOW,
    TIMING_AT,     /* at this moment, and not before */
    TIMING_WITHIN, /* some time from now until then */
    TIMING_FOR,    /* from now until then */
};

struct expectation {
    const struct script_subject *subject;
    const struct weir_conf *name;
    struct weir_item helper;
    struct weir_comparison how;
    bool has_list;
    struct weir_item *wanted;
    const struct weir_conf **nodes; /* of what is wanted */
    size_t wanted_count;
    bool has_count;
    uint64_t count;
    enum timing timing;
    struct weir_time until; /* TIMING_AT */
    uint64_t ms;            /* TIMING_WITHIN, TIMING_FOR */
};

/* --- reading ------------------------------------------------------------------------------ */

static const struct script_subject *find_subject(
        const struct weir_conf *node, const struct weir_conf **ret_name)
{
    for (const struct script_subject *s = script_subjects; s->name != NULL; s++) {
        const struct weir_conf *name = weir_conf_get(node, s->name);
        if (name != NULL) {
            *ret_name = name;
            return s;
        }
    }
    return NULL;
}

static void complain_about_subject(struct script_reader *reader, const struct weir_conf *node)
{
    struct weir_buf names;
    weir_buf_init(&names, 1024);
    for (const struct script_subject *s = script_subjects; s->name != NULL; s++) {
        weir_buf_printf(&names, "%s%s", s == script_subjects ? "" : ", ", s->name);
    }
    weir_conf_error(reader->diagnostics, node, "it must say what it is about, with one of %.*s",
            WEIR_STR_ARG(weir_buf_view(&names)));
    weir_buf_fini(&names);
}

/* One of the things that are wanted; a text stands for a message with this body. */
static bool read_wanted(struct script_reader *reader, const struct weir_conf *node,
        const struct script_subject *subject, struct weir_item *ret_item)
{
    bool message = node->kind == WEIR_CONF_SCALAR &&
                   weir_str_eq(weir_str_z(subject->list), WEIR_STR("messages"));
    if (!message) {
        return subject->whole ? weir_script_item(reader, node, ret_item)
                              : weir_script_event(reader, node, ret_item);
    }
    struct weir_item_builder *builder = weir_item_begin(reader->arena);
    weir_item_name(builder, WEIR_STR("body"));
    weir_item_s(builder, node->text);
    return weir_item_finish(builder, ret_item, NULL) == WEIR_OK;
}

static bool read_list(
        struct script_reader *reader, const struct weir_conf *list, struct expectation *expectation)
{
    if (list->kind != WEIR_CONF_LIST) {
        weir_conf_error(reader->diagnostics, list, "a list is expected");
        return false;
    }
    bool good = true;
    expectation->has_list = true;
    expectation->wanted_count = list->count;
    expectation->wanted = weir_arena_zero(reader->arena, list->count, sizeof(*expectation->wanted));
    expectation->nodes = weir_arena_zero(reader->arena, list->count, sizeof(*expectation->nodes));
    for (size_t i = 0; i < list->count; i++) {
        expectation->nodes[i] = &list->items[i];
        good = read_wanted(
                       reader, &list->items[i], expectation->subject, &expectation->wanted[i]) &&
               good;
    }
    return good;
}

/* `item:` beside `key:`: that one item, or that there is none. */
static bool read_single_item(
        struct script_reader *reader, const struct weir_conf *node, struct expectation *expectation)
{
    struct weir_conf list = { .kind = WEIR_CONF_LIST, .line = node->line, .column = node->column };
    list.items = node;
    list.count = node->kind == WEIR_CONF_NULL ? 0 : 1;
    return read_list(reader, &list, expectation);
}

/* Of a single thing: all members that are not the expectation's own. */
static bool read_members(struct script_reader *reader, const struct weir_conf *node,
        const struct weir_conf *members, size_t count, struct expectation *expectation)
{
    const struct weir_conf rest = {
        .kind = WEIR_CONF_MAP,
        .line = node->line,
        .column = node->column,
        .names = members,
        .items = members + node->count,
        .count = count,
    };
    if (count == 0) {
        weir_conf_error(reader->diagnostics, node, "it says nothing to expect of the %s",
                expectation->subject->name);
        return false;
    }
    expectation->has_list = true;
    expectation->wanted_count = 1;
    expectation->wanted = WEIR_ARENA_NEW(reader->arena, struct weir_item);
    expectation->nodes = weir_arena_zero(reader->arena, 1, sizeof(*expectation->nodes));
    expectation->nodes[0] = node;
    return weir_script_item(reader, &rest, expectation->wanted);
}

static bool read_timing(struct script_reader *reader, struct weir_str name,
        const struct weir_conf *value, struct expectation *expectation, bool *ret_good)
{
    if (weir_str_eq(name, WEIR_STR("at"))) {
        expectation->timing = TIMING_AT;
        *ret_good = weir_script_time(reader, value, &expectation->until);
    } else if (weir_str_eq(name, WEIR_STR("within"))) {
        expectation->timing = TIMING_WITHIN;
        *ret_good = weir_script_duration(reader, value, &expectation->ms);
    } else if (weir_str_eq(name, WEIR_STR("for"))) {
        expectation->timing = TIMING_FOR;
        *ret_good = weir_script_duration(reader, value, &expectation->ms);
    } else {
        return false;
    }
    return true;
}

static bool read_count(struct script_reader *reader, const struct weir_conf *value,
        struct expectation *expectation)
{
    static const struct weir_option count = { .name = "count", .type = WEIR_OPTION_INTEGER };
    expectation->has_count = true;
    return weir_conf_value(reader->diagnostics, value, &count, &expectation->count);
}

/* A member of an expectation about a list of things. False: it has no such member. */
static bool read_list_member(struct script_reader *reader, struct weir_str name,
        const struct weir_conf *value, struct expectation *expectation, bool *ret_good)
{
    const struct script_subject *subject = expectation->subject;
    expectation->how.whole = subject->whole;
    if (weir_str_eq(name, weir_str_z(subject->list))) {
        expectation->how.ordered = subject->ordered;
        expectation->how.complete = true;
        *ret_good = read_list(reader, value, expectation);
    } else if (weir_str_eq(name, WEIR_STR("include"))) {
        expectation->how.whole = false;
        *ret_good = read_list(reader, value, expectation);
    } else if (weir_str_eq(name, WEIR_STR("count"))) {
        *ret_good = read_count(reader, value, expectation);
    } else if (subject->whole && weir_str_eq(name, WEIR_STR("item"))) {
        expectation->how.complete = true;
        *ret_good = read_single_item(reader, value, expectation);
    } else {
        return false;
    }
    return true;
}

static void complain_about_member(struct script_reader *reader, const struct weir_conf *name,
        const struct script_subject *subject)
{
    const char *names[8] = { subject->name, "at", "within", "for", "include", "count" };
    size_t count = 6;
    names[count++] = subject->list;
    if (subject->helper != NULL) {
        names[count++] = subject->helper;
    }
    weir_conf_unknown(reader->diagnostics, name, "member of an expectation", names, count);
}

static bool read_expect(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    struct expectation *expectation = fields;
    const struct weir_conf *subject_name = NULL;
    if (node->kind == WEIR_CONF_MAP) {
        expectation->subject = find_subject(node, &subject_name);
    }
    const struct script_subject *subject = expectation->subject;
    if (subject == NULL) {
        complain_about_subject(reader, node);
        return false;
    }
    expectation->name = subject_name;
    bool all_good = true;
    size_t rest = 0;
    /* Names first, then values: what a single thing is to be like. */
    struct weir_conf *members = weir_arena_zero(reader->arena, 2 * node->count, sizeof(*members));
    for (size_t i = 0; i < node->count; i++) {
        const struct weir_conf *value = &node->items[i];
        struct weir_str name = node->names[i].text;
        bool good = true;
        if (value == subject_name || read_timing(reader, name, value, expectation, &good)) {
            all_good = all_good && good;
        } else if (subject->helper != NULL && weir_str_eq(name, weir_str_z(subject->helper))) {
            all_good = weir_script_item(reader, value, &expectation->helper) && all_good;
        } else if (subject->single) {
            members[rest] = node->names[i];
            members[node->count + rest++] = *value;
        } else if (read_list_member(reader, name, value, expectation, &good)) {
            all_good = all_good && good;
        } else {
            complain_about_member(reader, &node->names[i], subject);
            all_good = false;
        }
    }
    if (subject->single) {
        return read_members(reader, node, members, rest, expectation) && all_good;
    }
    if (all_good && !expectation->has_list && !expectation->has_count) {
        weir_conf_error(reader->diagnostics, node,
                "it must say what to expect: %s, include or count", subject->list);
        return false;
    }
    return all_good;
}

/* --- looking ------------------------------------------------------------------------------------
 */

enum look {
    LOOK_HOLDS,
    LOOK_DIFFERS, /* the run's details say how; *ret_at is the node to blame */
    LOOK_FAILED,  /* and that was said */
};

static enum look look(
        struct script_run *run, const struct script_step *step, const struct weir_conf **ret_at)
{
    const struct expectation *expectation = step->fields;
    struct script_items items = { 0 };
    size_t at = 0;
    weir_arena_reset(&run->arena);
    weir_buf_reset(&run->details);
    *ret_at = step->node;
    if (!expectation->subject->gather(run, expectation->name, expectation->helper, &items)) {
        return LOOK_FAILED;
    }
    bool holds = true;
    if (expectation->has_count && items.count != expectation->count) {
        weir_buf_printf(&run->details, "    count: expected %llu, there are %zu\n",
                (unsigned long long)expectation->count, items.count);
        holds = false;
    }
    if (expectation->subject->single) {
        struct weir_value wanted = weir_item_as_value(expectation->wanted[0]);
        holds = weir_compare_value(
                wanted, weir_item_as_value(items.all[0]), false, "", &run->details);
    } else if (expectation->has_list &&
               !weir_compare_items(expectation->wanted, expectation->wanted_count, items.all,
                       items.count, expectation->how, &run->details, &at)) {
        *ret_at = at < expectation->wanted_count ? expectation->nodes[at] : step->node;
        holds = false;
    }
    return holds ? LOOK_HOLDS : LOOK_DIFFERS;
}

static bool differs(struct script_run *run, const struct script_step *step,
        const struct weir_conf *at, const char *when)
{
    const struct expectation *expectation = step->fields;
    const struct script_subject *subject = expectation->subject;
    return weir_script_fail(run, at, "%s %.*s %s not as expected%s", subject->what,
            WEIR_STR_ARG(expectation->name->text), subject->single ? "is" : "are", when);
}

/* Look again after the next thing has happened, until it holds or the time is over. */
static bool hold_within(
        struct script_run *run, const struct script_step *step, uint64_t ms, const char *when)
{
    for (;;) {
        const struct weir_conf *at = NULL;
        enum look found = look(run, step, &at);
        if (found != LOOK_DIFFERS) {
            return found == LOOK_HOLDS;
        }
        if (ms == 0) {
            return differs(run, step, at, when);
        }
        uint64_t passed_ms = 0;
        struct weir_err err;
        if (weir_world_next(run->world, ms, &passed_ms, &err) != WEIR_OK) {
            return weir_script_fail(run, step->node, "%s", err.msg);
        }
        ms -= passed_ms;
    }
}

static bool hold_for(struct script_run *run, const struct script_step *step, uint64_t ms)
{
    for (;;) {
        const struct weir_conf *at = NULL;
        enum look found = look(run, step, &at);
        if (found == LOOK_DIFFERS) {
            return differs(run, step, at, " all of the time");
        }
        if (found == LOOK_FAILED || ms == 0) {
            return found == LOOK_HOLDS;
        }
        uint64_t passed_ms = 0;
        struct weir_err err;
        if (weir_world_next(run->world, ms, &passed_ms, &err) != WEIR_OK) {
            return weir_script_fail(run, step->node, "%s", err.msg);
        }
        ms -= passed_ms;
    }
}

static bool hold_at(struct script_run *run, const struct script_step *step)
{
    const struct expectation *expectation = step->fields;
    int64_t left = expectation->until.ms - weir_world_now(run->world).ms;
    const struct weir_conf *at_node = weir_conf_get(step->node, "at");
    if (left < 0) {
        return weir_script_fail(run, at_node, "this time has passed already");
    }
    if (left == 0) {
        return hold_within(run, step, 0, "");
    }
    if (!hold_within(run, step, (uint64_t)left, " at this time")) {
        return false;
    }
    if (weir_world_now(run->world).ms < expectation->until.ms) {
        return weir_script_fail(run, at_node, "it was so before this time");
    }
    return true;
}

static bool run_expect(struct script_run *run, const struct script_step *step)
{
    const struct expectation *expectation = step->fields;
    switch (expectation->timing) {
    case TIMING_NOW:
        break;
    case TIMING_AT:
        return hold_at(run, step);
    case TIMING_WITHIN:
        return hold_within(run, step, expectation->ms, " within this time");
    case TIMING_FOR:
        return hold_for(run, step, expectation->ms);
    }
    return hold_within(run, step, 0, "");
}

const struct script_kind script_kind_expect = {
    .name = "expect",
    .help = "See that a table, stream, queue, pipeline, alarm, metric or the log is as it should "
            "be",
    .size = sizeof(struct expectation),
    .read = read_expect,
    .run = run_expect,
};
