#include "base/mem.h"
#include "step/burst_int.h"

enum { KEY_MAX_BYTES = 1024 };

void weir_burst_check(
        struct weir_burst_options *options, const struct weir_conf *node, struct weir_scope *scope)
{
    const uint64_t of_record = (uint64_t)1 << WEIR_SLOT_NEW | (uint64_t)1 << WEIR_SLOT_OLD |
                               (uint64_t)1 << WEIR_SLOT_KEYS | (uint64_t)1 << WEIR_SLOT_EVENT;
    if (options->key_node != NULL) {
        options->key = weir_scope_expr(scope, options->key_node);
    }
    if (options->key != NULL && weir_scope_expr_depends(scope, options->key) == 0) {
        weir_conf_warn(scope->diagnostics, options->key_node,
                "this key is the same for every record: leave `key` out, or use `keys`, `new`, "
                "`old` or `event` in it");
    }
    const struct weir_conf *as = weir_conf_get(node, "as");
    options->slot = weir_scope_add(scope, as != NULL ? as : node, options->as, of_record);
}

enum weir_rc weir_burst_key(const struct weir_burst_options *options, struct weir_lane *lane,
        struct weir_event event, struct weir_str *ret_key, struct weir_err *err)
{
    struct weir_expr_frame frame = weir_lane_frame(lane, event);
    struct weir_expr_value value;
    struct weir_str text = WEIR_STR("");
    enum weir_rc rc = WEIR_OK;
    if (options->key != NULL) {
        rc = weir_expr_eval(options->key, &frame, &value, err);
        if (rc == WEIR_OK) {
            rc = weir_expr_text(weir_lane_arena(lane), &value, &text, err);
        }
    }
    if (rc == WEIR_OK && text.n > KEY_MAX_BYTES) {
        rc = weir_fail(err, WEIR_E_LIMIT, "it has %zu bytes, of at most %d", text.n, KEY_MAX_BYTES);
    }
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "key: ");
    }
    *ret_key = text;
    return WEIR_OK;
}

/* --- what an event stands for ---------------------------------------------------------------- */

struct pairs {
    struct weir_expr_value all[16];
    size_t count;
};

static void add_pair(struct pairs *pairs, const char *name, struct weir_expr_value value)
{
    weir_assert(2 * pairs->count + 1 < WEIR_COUNT(pairs->all));
    pairs->all[2 * pairs->count] = weir_expr_string(weir_str_z(name));
    pairs->all[2 * pairs->count + 1] = value;
    pairs->count++;
}

static struct weir_expr_value map_of(struct weir_lane *lane, const struct pairs *pairs)
{
    struct weir_expr_value map;
    enum weir_rc rc = weir_expr_map(weir_lane_arena(lane), pairs->all, pairs->count, &map, NULL);
    weir_assert(rc == WEIR_OK); /* the names are all strings, each given once */
    return map;
}

static struct weir_expr_value record_value(struct weir_lane *lane, const struct weir_record *record)
{
    struct pairs pairs = { .count = 0 };
    add_pair(&pairs, "event", weir_expr_string(weir_str_z(weir_event_name(record->event))));
    add_pair(&pairs, "at", weir_expr_timestamp(record->created));
    add_pair(&pairs, "keys", weir_expr_item(record->keys));
    if (record->new_image.n > 0) {
        add_pair(&pairs, "new", weir_expr_item(record->new_image));
    }
    if (record->old_image.n > 0) {
        add_pair(&pairs, "old", weir_expr_item(record->old_image));
    }
    return map_of(lane, &pairs);
}

struct weir_event weir_burst_event(const struct weir_burst_options *options, struct weir_lane *lane,
        struct weir_event event, struct weir_str key, const struct weir_deferred *deferred)
{
    struct pairs pairs = { .count = 0 };
    add_pair(&pairs, "key", weir_expr_string(key));
    add_pair(&pairs, "count", weir_expr_int(deferred != NULL ? (int64_t)deferred->count : 0));
    if (deferred != NULL) {
        add_pair(&pairs, "since", weir_expr_timestamp(deferred->since));
        add_pair(&pairs, "due", weir_expr_timestamp(deferred->due));
        add_pair(&pairs, "first", record_value(lane, deferred->first));
        add_pair(&pairs, "last", record_value(lane, deferred->last));
    }
    if (options->merges && deferred != NULL) {
        const struct pairs none = { .count = 0 };
        bool any = deferred->merged.n > 0;
        add_pair(&pairs, "merged", any ? weir_expr_item(deferred->merged) : map_of(lane, &none));
    }
    event.slots = weir_event_copy_slots(lane, event);
    event.slots[options->slot] = map_of(lane, &pairs);
    return event;
}
