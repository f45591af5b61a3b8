/* Groups of schedules. */
#include <string.h>

#include "base/mem.h"
#include "schedule/schedule_int.h"
#include "value/tag.h"

enum { DELETED_AT_ONCE = 500 }; /* schedules of a group, by one transaction */

struct group_op {
    struct weir_op op;
    struct weir_schedules *schedules;
    struct weir_schedule_group group; /* creating: all of it */
    struct weir_item set;
    const struct weir_str *unset;
    size_t unset_count;
};

static struct group_op *add_op(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str name,
        enum weir_rc (*run)(struct weir_op *op, struct weir_view *view, struct weir_err *err))
{
    struct group_op *op = WEIR_ARENA_NEW(&txn->arena, struct group_op);
    op->op.run = run;
    op->schedules = schedules;
    op->group.name = weir_arena_str(&txn->arena, name);
    weir_txn_op(txn, &op->op);
    return op;
}

static enum weir_rc fail_missing(struct weir_str name, struct weir_err *err)
{
    return weir_fail(
            err, WEIR_E_NOT_FOUND, "Schedule group %.*s does not exist.", WEIR_STR_ARG(name));
}

/* A built-in group that nobody has touched yet. */
static struct weir_schedule_group built_in(
        const struct weir_schedules *schedules, struct weir_arena *arena, struct weir_str name)
{
    return (struct weir_schedule_group){
        .name = weir_arena_str(arena, name),
        .arn = weir_schedules_arn(schedules, arena, name, weir_str(NULL, 0)),
    };
}

static enum weir_rc read_there(struct group_op *op, struct weir_view *view,
        struct weir_schedule_group *ret_group, bool *ret_there, struct weir_err *err)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_entry entry = { 0 };
    enum weir_rc rc = weir_view_get(
            view, WEIR_SPACE_SCHEDULE, weir_schedule_group_key(arena, op->group.name), &entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret_there = entry.pos.seq != 0;
    if (!*ret_there) {
        *ret_there = weir_schedule_group_is_built_in(op->group.name);
        *ret_group = built_in(op->schedules, arena, op->group.name);
        return WEIR_OK;
    }
    return weir_schedule_decode_group(
            op->schedules, arena, weir_arena_str(arena, entry.value), ret_group, err);
}

static void write_group(struct weir_view *view, struct weir_schedule_group *group)
{
    struct weir_arena *arena = weir_view_arena(view);
    group->modified = weir_view_time(view);
    weir_view_put(view, WEIR_SPACE_SCHEDULE, weir_schedule_group_key(arena, group->name),
            weir_schedule_encode_group(arena, group));
}

/* --- creating and tags ------------------------------------------------------------------- */

static enum weir_rc run_create(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct group_op *op = WEIR_CONTAINER(base, struct group_op, op);
    struct weir_schedule_group there = { 0 };
    struct weir_schedule_group group = op->group;
    bool is_there = false;
    enum weir_rc rc = read_there(op, view, &there, &is_there, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (is_there) {
        bool again = group.token.n > 0 && weir_str_eq(group.token, there.token) && !there.deleting;
        return again ? WEIR_OK
                     : weir_fail(err, WEIR_E_EXISTS, "Schedule group %.*s already exists.",
                               WEIR_STR_ARG(group.name));
    }
    group.created = weir_view_time(view);
    write_group(view, &group);
    return WEIR_OK;
}

void weir_schedules_create_group(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule_group *group)
{
    struct group_op *op = add_op(schedules, txn, group->name, run_create);
    struct weir_str copy = weir_schedule_encode_group(&txn->arena, group);
    weir_assert(
            weir_schedule_decode_group(schedules, &txn->arena, copy, &op->group, NULL) == WEIR_OK);
}

static enum weir_rc run_tag(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct group_op *op = WEIR_CONTAINER(base, struct group_op, op);
    struct weir_schedule_group group = { 0 };
    bool is_there = false;
    enum weir_rc rc = read_there(op, view, &group, &is_there, err);
    if (rc != WEIR_OK || !is_there) {
        return rc != WEIR_OK ? rc : fail_missing(op->group.name, err);
    }
    rc = weir_tags_change(weir_view_arena(view), group.tags, op->set, op->unset, op->unset_count,
            &group.tags, err);
    if (rc == WEIR_OK) {
        write_group(view, &group);
    }
    return rc;
}

void weir_schedules_tag_group(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str name, struct weir_item set, const struct weir_str *unset,
        size_t unset_count)
{
    struct group_op *op = add_op(schedules, txn, name, run_tag);
    struct weir_str copy = weir_arena_str(&txn->arena, weir_str(set.p, set.n));
    struct weir_str *names = weir_arena_zero(&txn->arena, unset_count + 1, sizeof(*names));
    for (size_t i = 0; i < unset_count; i++) {
        names[i] = weir_arena_str(&txn->arena, unset[i]);
    }
    op->set = (struct weir_item){ copy.p, copy.n };
    op->unset = names;
    op->unset_count = unset_count;
}

/* --- deleting -------------------------------------------------------------------------------- */

static enum weir_rc run_mark(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct group_op *op = WEIR_CONTAINER(base, struct group_op, op);
    struct weir_schedule_group group = { 0 };
    bool is_there = false;
    if (weir_schedule_group_is_built_in(op->group.name)) {
        return weir_fail(err, WEIR_E_INVALID, "Schedule group %.*s cannot be deleted.",
                WEIR_STR_ARG(op->group.name));
    }
    enum weir_rc rc = read_there(op, view, &group, &is_there, err);
    if (rc != WEIR_OK || !is_there) {
        return rc != WEIR_OK ? rc : fail_missing(op->group.name, err);
    }
    if (!group.deleting) {
        group.deleting = true;
        write_group(view, &group);
    }
    return WEIR_OK;
}

void weir_schedules_delete_group(
        struct weir_schedules *schedules, struct weir_txn *txn, struct weir_str name)
{
    txn->urgent = true;
    add_op(schedules, txn, name, run_mark);
}

static void part_done(struct weir_txn *txn)
{
    struct weir_schedules *schedules = txn->arg;
    bool moved = txn->rc == WEIR_E_NOT_FOUND; /* one was deleted or fired for the last time */
    if (txn->rc != WEIR_OK && !moved && schedules->host.failed != NULL) {
        schedules->host.failed(schedules->host.arg, &txn->err);
    }
    atomic_store(&schedules->deleting_group, false);
    if (txn->rc == WEIR_OK || moved) {
        schedules->host.changed(schedules->host.arg);
    }
    weir_txn_destroy(txn);
}

/* Delete some schedules of a group; the group itself when there are none left. */
static enum weir_rc delete_part(
        struct weir_schedules *schedules, struct weir_str name, struct weir_err *err)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_schedule_query query = { .group = weir_arena_str(&txn->arena, name) };
    struct weir_schedule_listed *page =
            weir_arena_zero(&txn->arena, DELETED_AT_ONCE, sizeof(struct weir_schedule_listed));
    size_t n = 0;
    enum weir_rc rc =
            weir_schedules_list(schedules, &query, &txn->arena, page, DELETED_AT_ONCE, &n, err);
    if (rc != WEIR_OK) {
        weir_txn_destroy(txn);
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        weir_schedules_delete_schedule(schedules, txn, query.group, page[i].schedule.name);
    }
    if (n < DELETED_AT_ONCE) {
        weir_txn_delete(
                txn, WEIR_SPACE_SCHEDULE, weir_schedule_group_key(&txn->arena, query.group));
    }
    txn->urgent = true;
    txn->lane = true;
    txn->arg = schedules;
    txn->done = part_done;
    atomic_store(&schedules->deleting_group, true);
    weir_store_submit(schedules->store, txn);
    return WEIR_OK;
}

enum weir_rc weir_schedules_run(struct weir_schedules *schedules, struct weir_err *err)
{
    enum { PAGE = 50 };
    struct weir_schedule_group groups[PAGE];
    struct weir_arena arena;
    struct weir_str after = { 0 };
    enum weir_rc rc = WEIR_OK;
    size_t n = PAGE;
    weir_arena_init(&arena);
    while (rc == WEIR_OK && n == PAGE && !atomic_load(&schedules->deleting_group)) {
        rc = weir_schedules_list_groups(
                schedules, WEIR_STR(""), after, &arena, groups, PAGE, &n, err);
        for (size_t i = 0; rc == WEIR_OK && i < n; i++) {
            after = groups[i].name;
            if (groups[i].deleting && !atomic_load(&schedules->deleting_group)) {
                rc = delete_part(schedules, groups[i].name, err);
            }
        }
    }
    weir_arena_fini(&arena);
    return rc;
}

/* --- reading ------------------------------------------------------------------------------- */

enum weir_rc weir_schedules_get_group(struct weir_schedules *schedules, struct weir_str name,
        struct weir_arena *arena, struct weir_schedule_group *ret_group, struct weir_err *err)
{
    struct weir_entry entry = { 0 };
    enum weir_rc rc = weir_store_get(schedules->store, WEIR_SPACE_SCHEDULE,
            weir_schedule_group_key(arena, name), arena, &entry, err);
    if (rc == WEIR_OK && entry.pos.seq != 0) {
        return weir_schedule_decode_group(schedules, arena, entry.value, ret_group, err);
    }
    if (rc == WEIR_OK && !weir_schedule_group_is_built_in(name)) {
        return fail_missing(name, err);
    }
    if (rc == WEIR_OK) {
        *ret_group = built_in(schedules, arena, name);
    }
    return rc;
}

/* The stored groups behind a name, merged with the built-in ones that are not stored. */
enum weir_rc weir_schedules_list_groups(struct weir_schedules *schedules, struct weir_str prefix,
        struct weir_str after, struct weir_arena *arena, struct weir_schedule_group *groups,
        size_t cap, size_t *ret_count, struct weir_err *err)
{
    const struct weir_str built_ins[] = { WEIR_SCHEDULE_DEFAULT_GROUP, WEIR_SCHEDULE_FILE_GROUP };
    struct weir_cursor *cursor = weir_cursor_create(schedules->store, WEIR_SPACE_SCHEDULE);
    enum weir_rc rc = WEIR_OK;
    size_t next_built_in = 0;
    size_t n = 0;
    bool have = true;
    weir_cursor_seek(cursor, weir_schedule_group_key(arena, after.n > 0 ? after : prefix));
    while (rc == WEIR_OK && n < cap) {
        struct weir_str key = { 0 };
        struct weir_entry entry;
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        have = have && rc == WEIR_OK && key.n > 0 && key.p[0] == 'g';
        struct weir_str name = have ? weir_str(key.p + 1, key.n - 1) : WEIR_STR("");
        bool takes_built_in = next_built_in < WEIR_COUNT(built_ins) &&
                              (!have || weir_str_cmp(built_ins[next_built_in], name) <= 0);
        if (takes_built_in) {
            struct weir_str own = built_ins[next_built_in++];
            if (weir_str_cmp(own, after) > 0 && weir_str_starts(own, prefix) &&
                    !(have && weir_str_eq(own, name))) {
                groups[n++] = built_in(schedules, arena, own);
            }
            continue;
        }
        if (rc != WEIR_OK || !have || !weir_str_starts(name, prefix)) {
            break;
        }
        if (weir_str_cmp(name, after) > 0) {
            struct weir_str stored = weir_arena_str(arena, entry.value);
            rc = weir_schedule_decode_group(schedules, arena, stored, &groups[n], err);
            n += rc == WEIR_OK ? 1 : 0;
        }
        weir_cursor_next(cursor);
    }
    weir_cursor_destroy(cursor);
    *ret_count = n;
    return rc;
}
