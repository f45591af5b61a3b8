/* Definitions of schedules and groups: checked, compared, and stored as items. */
#include <string.h>

#include "base/mem.h"
#include "schedule/schedule_int.h"
#include "value/json.h"
#include "value/member.h"

enum { SHOWN_MAX = 100 }; /* of an expression, in messages */

struct weir_schedule weir_schedule_defaults(struct weir_str name)
{
    return (struct weir_schedule){
        .group = WEIR_SCHEDULE_DEFAULT_GROUP,
        .name = name,
        .zone = WEIR_STR("UTC"),
        .enabled = true,
        .target = { .max_age_ms = WEIR_SCHEDULE_AGE_MAX_MS,
                .max_retries = WEIR_SCHEDULE_RETRIES_MAX },
    };
}

static const char *const missed_names[] = { "one", "skip", "all" };

const char *weir_missed_name(enum weir_missed missed)
{
    return missed_names[missed];
}

bool weir_missed_parse(struct weir_str name, enum weir_missed *ret_missed)
{
    for (size_t i = 0; i < WEIR_COUNT(missed_names); i++) {
        if (weir_str_eq(name, weir_str_z(missed_names[i]))) {
            *ret_missed = (enum weir_missed)i;
            return true;
        }
    }
    return false;
}

bool weir_schedule_group_is_built_in(struct weir_str name)
{
    return weir_str_eq(name, WEIR_SCHEDULE_DEFAULT_GROUP) ||
           weir_str_eq(name, WEIR_SCHEDULE_FILE_GROUP);
}

/* --- checking ---------------------------------------------------------------------- */

static bool is_name(struct weir_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.';
        if (!right) {
            return false;
        }
    }
    return name.n > 0 && name.n <= WEIR_SCHEDULE_NAME_MAX;
}

static bool is_json(struct weir_str text)
{
    enum { DEPTH = 128 };
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, text, &arena, DEPTH);
    bool right = weir_json_skip(&json, weir_json_next(&json), NULL) == WEIR_OK &&
                 weir_json_next(&json) == WEIR_JSON_END;
    weir_arena_fini(&arena);
    return right;
}

static enum weir_rc check_target(const struct weir_schedule_target *target, struct weir_err *err)
{
    struct weir_str name = { 0 };
    enum weir_schedule_target_kind kind = weir_schedule_target(target->arn, &name);
    if (kind == WEIR_SCHEDULE_TO_NOTHING) {
        return weir_fail(err, WEIR_E_INVALID,
                "The target %.*s is not supported: weir delivers to its queues (arn:aws:sqs:...) "
                "and functions (arn:aws:lambda:...)",
                WEIR_STR_ARG(target->arn));
    }
    bool fifo = name.n > 5 && memcmp(name.p + name.n - 5, ".fifo", 5) == 0;
    if (kind == WEIR_SCHEDULE_TO_QUEUE && fifo && target->group.n == 0) {
        return weir_fail(
                err, WEIR_E_INVALID, "SqsParameters.MessageGroupId is required for a FIFO queue");
    }
    if (target->group.n > 0 && (kind != WEIR_SCHEDULE_TO_QUEUE || !fifo)) {
        return weir_fail(
                err, WEIR_E_INVALID, "SqsParameters.MessageGroupId is for FIFO queues only");
    }
    if (kind == WEIR_SCHEDULE_TO_FUNCTION && target->input.p != NULL && !is_json(target->input)) {
        return weir_fail(err, WEIR_E_INVALID, "Input of a function must be well-formed JSON");
    }
    if (target->input.n > WEIR_SCHEDULE_INPUT_MAX_BYTES) {
        return weir_fail(err, WEIR_E_INVALID, "Input has at most %d bytes, not %zu",
                WEIR_SCHEDULE_INPUT_MAX_BYTES, target->input.n);
    }
    if (target->input.p != NULL && !weir_str_is_utf8(target->input)) {
        return weir_fail(err, WEIR_E_INVALID, "Input is not UTF-8");
    }
    if (target->dead_letters.n == 0) {
        return WEIR_OK;
    }
    kind = weir_schedule_target(target->dead_letters, &name);
    fifo = name.n > 5 && memcmp(name.p + name.n - 5, ".fifo", 5) == 0;
    if (kind != WEIR_SCHEDULE_TO_QUEUE || fifo) {
        return weir_fail(err, WEIR_E_INVALID,
                "DeadLetterConfig.Arn is the ARN of a standard queue, not %.*s",
                WEIR_STR_ARG(target->dead_letters));
    }
    return WEIR_OK;
}

enum weir_rc weir_schedule_check(
        const struct weir_schedule *schedule, bool *ret_in_expression, struct weir_err *err)
{
    struct weir_schedule_times times;
    struct weir_schedule_expression expression;
    struct weir_err why = { 0 };
    if (!is_name(schedule->name) || !is_name(schedule->group)) {
        return weir_fail(err, WEIR_E_INVALID,
                "the name of a schedule has 1 to %d letters, digits, '-', '_' and '.'",
                WEIR_SCHEDULE_NAME_MAX);
    }
    bool unread = weir_schedule_parse(schedule->expression, &expression, &why) != WEIR_OK;
    if (ret_in_expression != NULL) {
        *ret_in_expression = unread;
    }
    if (unread) {
        return weir_fail_at(err, WEIR_E_INVALID, why.pos,
                "Invalid Schedule Expression %.*s. At character %zu: %s",
                (int)(schedule->expression.n < SHOWN_MAX ? schedule->expression.n : SHOWN_MAX),
                schedule->expression.p, why.pos + 1, why.msg);
    }
    enum weir_rc rc = weir_schedule_times(schedule, schedule->start, &times, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (schedule->zone.n > WEIR_SCHEDULE_ZONE_MAX) {
        return weir_fail(err, WEIR_E_INVALID, "a time zone's name has at most %d characters",
                WEIR_SCHEDULE_ZONE_MAX);
    }
    if (schedule->start.ms > 0 && schedule->end.ms > 0 && schedule->end.ms <= schedule->start.ms) {
        return weir_fail(err, WEIR_E_INVALID, "The StartDate must be before the EndDate");
    }
    return check_target(&schedule->target, err);
}

/* No input and an empty one differ. */
static bool same_input(struct weir_str a, struct weir_str b)
{
    bool both = a.p != NULL && b.p != NULL;
    return both ? weir_str_eq(a, b) : a.p == b.p;
}

bool weir_schedule_same(const struct weir_schedule *a, const struct weir_schedule *b)
{
    const struct weir_schedule_target *t = &a->target;
    const struct weir_schedule_target *u = &b->target;
    return weir_str_eq(a->description, b->description) &&
           weir_str_eq(a->expression, b->expression) && weir_str_eq(a->zone, b->zone) &&
           a->start.ms == b->start.ms && a->end.ms == b->end.ms && a->window_ms == b->window_ms &&
           a->enabled == b->enabled && a->delete_after == b->delete_after &&
           a->missed == b->missed && weir_str_eq(t->arn, u->arn) && weir_str_eq(t->role, u->role) &&
           same_input(t->input, u->input) && weir_str_eq(t->group, u->group) &&
           weir_str_eq(t->dead_letters, u->dead_letters) && t->max_age_ms == u->max_age_ms &&
           t->max_retries == u->max_retries;
}

/* --- keys ---------------------------------------------------------------------------- */

struct weir_str weir_schedule_key(
        struct weir_arena *arena, char letter, struct weir_str group, struct weir_str name)
{
    size_t n = 1 + group.n + 1 + name.n;
    char *key = weir_arena_alloc(arena, n);
    key[0] = letter;
    if (group.n > 0) {
        memcpy(key + 1, group.p, group.n);
    }
    key[1 + group.n] = '\0';
    if (name.n > 0) {
        memcpy(key + 2 + group.n, name.p, name.n);
    }
    return weir_str(key, n);
}

struct weir_str weir_schedule_group_key(struct weir_arena *arena, struct weir_str name)
{
    return weir_arena_printf(arena, "g%.*s", WEIR_STR_ARG(name));
}

bool weir_schedule_parse_key(
        struct weir_str key, char letter, struct weir_str *ret_group, struct weir_str *ret_name)
{
    const char *zero = key.n > 0 && key.p[0] == letter ? memchr(key.p, '\0', key.n) : NULL;
    if (zero == NULL) {
        return false;
    }
    *ret_group = weir_str(key.p + 1, (size_t)(zero - key.p) - 1);
    *ret_name = weir_str(zero + 1, key.n - ret_group->n - 2);
    return true;
}

struct weir_str weir_schedules_arn(const struct weir_schedules *schedules, struct weir_arena *arena,
        struct weir_str group, struct weir_str name)
{
    bool whole = name.n == 0;
    return weir_arena_printf(arena, "arn:aws:scheduler:%.*s:%.*s:schedule%s/%.*s%s%.*s",
            WEIR_STR_ARG(schedules->region), WEIR_STR_ARG(schedules->account),
            whole ? "-group" : "", WEIR_STR_ARG(group), whole ? "" : "/", WEIR_STR_ARG(name));
}

/* --- entries -------------------------------------------------------------------------- */

struct weir_str weir_schedule_encode(struct weir_arena *arena, const struct weir_schedule *schedule)
{
    const struct weir_schedule_target *target = &schedule->target;
    struct weir_item_builder *b = weir_item_begin(arena);
    weir_member_put_s(b, "group", schedule->group);
    weir_member_put_s(b, "name", schedule->name);
    weir_member_put_s(b, "description", schedule->description);
    weir_member_put_s(b, "expression", schedule->expression);
    weir_member_put_s(b, "zone", schedule->zone);
    weir_member_put_time(b, "start", schedule->start);
    weir_member_put_time(b, "end", schedule->end);
    weir_member_put_u64(b, "window", schedule->window_ms);
    weir_member_put_bool(b, "enabled", schedule->enabled);
    weir_member_put_bool(b, "delete_after", schedule->delete_after);
    weir_member_put_u64(b, "missed", schedule->missed);
    weir_member_put_s(b, "target", target->arn);
    weir_member_put_s(b, "role", target->role);
    weir_member_put_s(b, "input", target->input);
    weir_member_put_s(b, "message_group", target->group);
    weir_member_put_s(b, "dead_letters", target->dead_letters);
    weir_member_put_u64(b, "max_age", target->max_age_ms);
    weir_member_put_u64(b, "max_retries", target->max_retries);
    weir_member_put_s(b, "token", schedule->token);
    weir_member_put_time(b, "created", schedule->created);
    weir_member_put_time(b, "modified", schedule->modified);
    struct weir_item item = weir_member_finish(b);
    return weir_str(item.p, item.n);
}

enum weir_rc weir_schedule_decode(const struct weir_schedules *schedules, struct weir_arena *arena,
        struct weir_str stored, struct weir_schedule *ret_schedule, struct weir_err *err)
{
    struct weir_item item = { stored.p, stored.n };
    enum weir_rc rc = weir_item_check(item, err);
    uint64_t missed = rc == WEIR_OK ? weir_member_u64(item, "missed") : 0;
    if (rc == WEIR_OK && missed >= WEIR_COUNT(missed_names)) {
        rc = weir_fail(err, WEIR_E_DAMAGED, "an unknown policy for missed firings");
    }
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "the entry of a schedule: ");
    }
    *ret_schedule = (struct weir_schedule){
        .group = weir_member_s(item, "group"),
        .name = weir_member_s(item, "name"),
        .description = weir_member_s(item, "description"),
        .expression = weir_member_s(item, "expression"),
        .zone = weir_member_s(item, "zone"),
        .start = weir_member_time(item, "start"),
        .end = weir_member_time(item, "end"),
        .window_ms = weir_member_u64(item, "window"),
        .enabled = weir_member_bool(item, "enabled"),
        .delete_after = weir_member_bool(item, "delete_after"),
        .missed = (enum weir_missed)missed,
        .target = {
            .arn = weir_member_s(item, "target"),
            .role = weir_member_s(item, "role"),
            .input = weir_member_s(item, "input"),
            .group = weir_member_s(item, "message_group"),
            .dead_letters = weir_member_s(item, "dead_letters"),
            .max_age_ms = weir_member_u64(item, "max_age"),
            .max_retries = weir_member_u64(item, "max_retries"),
        },
        .token = weir_member_s(item, "token"),
        .created = weir_member_time(item, "created"),
        .modified = weir_member_time(item, "modified"),
    };
    ret_schedule->arn =
            weir_schedules_arn(schedules, arena, ret_schedule->group, ret_schedule->name);
    return WEIR_OK;
}

/* The state is written at each firing: plain integers in the machine's order. */
struct stored_state {
    int64_t next_ms;
    int64_t due_ms;
    int64_t anchor_ms;
    int64_t last_ms;
    uint64_t fired;
    uint64_t missed;
    uint64_t failed;
};

struct weir_str weir_schedule_encode_state(
        struct weir_arena *arena, const struct weir_schedule_state *state)
{
    struct stored_state stored = { state->next.ms, state->due.ms, state->anchor.ms, state->last.ms,
        state->fired, state->missed, state->failed };
    return weir_arena_str(arena, weir_str((const char *)&stored, sizeof(stored)));
}

enum weir_rc weir_schedule_decode_state(
        struct weir_str value, struct weir_schedule_state *ret_state, struct weir_err *err)
{
    struct stored_state stored;
    if (value.n != sizeof(stored)) {
        return weir_fail(err, WEIR_E_DAMAGED, "the state of a schedule has %zu bytes", value.n);
    }
    memcpy(&stored, value.p, sizeof(stored));
    *ret_state = (struct weir_schedule_state){
        .next = { stored.next_ms },
        .due = { stored.due_ms },
        .anchor = { stored.anchor_ms },
        .last = { stored.last_ms },
        .fired = stored.fired,
        .missed = stored.missed,
        .failed = stored.failed,
    };
    return WEIR_OK;
}

struct weir_str weir_schedule_encode_group(
        struct weir_arena *arena, const struct weir_schedule_group *group)
{
    struct weir_item_builder *b = weir_item_begin(arena);
    weir_member_put_s(b, "name", group->name);
    weir_member_put_s(b, "token", group->token);
    weir_member_put_time(b, "created", group->created);
    weir_member_put_time(b, "modified", group->modified);
    weir_member_put_bool(b, "deleting", group->deleting);
    weir_member_put_map(b, "tags", group->tags);
    struct weir_item item = weir_member_finish(b);
    return weir_str(item.p, item.n);
}

enum weir_rc weir_schedule_decode_group(const struct weir_schedules *schedules,
        struct weir_arena *arena, struct weir_str stored, struct weir_schedule_group *ret_group,
        struct weir_err *err)
{
    struct weir_item item = { stored.p, stored.n };
    enum weir_rc rc = weir_item_check(item, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "the entry of a schedule group: ");
    }
    *ret_group = (struct weir_schedule_group){
        .name = weir_member_s(item, "name"),
        .created = weir_member_time(item, "created"),
        .modified = weir_member_time(item, "modified"),
        .deleting = weir_member_bool(item, "deleting"),
        .tags = weir_value_map(weir_item_get(item, WEIR_STR("tags"))),
        .token = weir_member_s(item, "token"),
    };
    ret_group->arn = weir_schedules_arn(schedules, arena, ret_group->name, weir_str(NULL, 0));
    return WEIR_OK;
}
