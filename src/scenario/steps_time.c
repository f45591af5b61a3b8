/* Steps that let time pass, set the clock, restart weir or break something. */
#include "base/mem.h"
#include "scenario/scenario_int.h"

/* --- at, advance ---------------------------------------------------------------------- */

static bool advance(struct script_run *run, const struct script_step *step, uint64_t ms)
{
    struct weir_err err;
    if (weir_world_advance(run->world, ms, &err) != WEIR_OK) {
        return weir_script_fail(run, step->node, "%s", err.msg);
    }
    return true;
}

static bool read_at(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    struct weir_time *at = fields;
    return weir_script_time(reader, node, at);
}

static bool run_at(struct script_run *run, const struct script_step *step)
{
    const struct weir_time *at = step->fields;
    int64_t ms = at->ms - weir_world_now(run->world).ms;
    if (ms < 0) {
        return weir_script_fail(run, step->node, "this time has passed already");
    }
    return advance(run, step, (uint64_t)ms);
}

const struct script_kind script_kind_at = {
    .name = "at",
    .help = "Let time pass until a moment; as the first step of a test: begin then",
    .size = sizeof(struct weir_time),
    .read = read_at,
    .run = run_at,
};

static bool read_advance(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    uint64_t *ms = fields;
    return weir_script_duration(reader, node, ms);
}

static bool run_advance(struct script_run *run, const struct script_step *step)
{
    const uint64_t *ms = step->fields;
    return advance(run, step, *ms);
}

const struct script_kind script_kind_advance = {
    .name = "advance",
    .help = "Let so much time pass, with everything that happens meanwhile",
    .size = sizeof(uint64_t),
    .read = read_advance,
    .run = run_advance,
};

/* --- clock ------------------------------------------------------------------------------ */

struct clock_step {
    uint64_t ahead_ms;
    uint64_t back_ms;
};

static const struct weir_option clock_options[] = {
    { "ahead", "", "set the wall clock forward by this", WEIR_OPTION_DURATION,
            offsetof(struct clock_step, ahead_ms), 0, 0 },
    { "back", "", "set the wall clock back by this", WEIR_OPTION_DURATION,
            offsetof(struct clock_step, back_ms), 0, 0 },
    { 0 },
};

static bool run_clock(struct script_run *run, const struct script_step *step)
{
    const struct clock_step *clock = step->fields;
    int64_t ms = (int64_t)clock->ahead_ms - (int64_t)clock->back_ms;
    weir_clock_virtual_set_wall(&run->world->clock, ms);
    return advance(run, step, 0);
}

const struct script_kind script_kind_clock = {
    .name = "clock",
    .help = "Set the wall clock, as an operator or a time server does; no time passes",
    .options = clock_options,
    .size = sizeof(struct clock_step),
    .run = run_clock,
};

/* --- restart ------------------------------------------------------------------------------ */

static bool read_restart(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    static const char *const names[] = { "stop", "kill" };
    bool *killed = fields;
    bool plain = node->kind == WEIR_CONF_NULL || (node->kind == WEIR_CONF_MAP && node->count == 0);
    *killed = node->kind == WEIR_CONF_SCALAR && weir_str_eq(node->text, WEIR_STR("kill"));
    if (!plain && !*killed &&
            !(node->kind == WEIR_CONF_SCALAR && weir_str_eq(node->text, WEIR_STR("stop")))) {
        weir_conf_unknown(reader->diagnostics, node, "way to restart", names, WEIR_COUNT(names));
        return false;
    }
    return true;
}

static bool run_restart(struct script_run *run, const struct script_step *step)
{
    const bool *killed = step->fields;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    weir_diagnostics_init(&diagnostics, run->script->config);
    bool good = weir_world_restart(run->world, *killed, &diagnostics, &err) == WEIR_OK;
    if (!good) {
        weir_diagnostics_write(&diagnostics, &run->details);
        weir_script_fail(run, step->node, "weir does not start again: %s", err.msg);
    }
    weir_diagnostics_fini(&diagnostics);
    return good;
}

const struct script_kind script_kind_restart = {
    .name = "restart",
    .help = "Start again on the same data, after stopping in order (`stop`) or at once (`kill`)",
    .size = sizeof(bool),
    .read = read_restart,
    .run = run_restart,
};

/* --- fault ---------------------------------------------------------------------------------- */

struct fault_step {
    struct weir_str disk;
    struct weir_str drop_table;
    enum weir_world_disk to;
};

static const struct weir_option fault_options[] = {
    { "disk", "", "full (writes find no room), fails (writes and syncs fail) or works",
            WEIR_OPTION_STRING, offsetof(struct fault_step, disk), 0, 0 },
    { "drop_table", "", "drop this table with everything in it, until the next restart",
            WEIR_OPTION_STRING, offsetof(struct fault_step, drop_table), 0, 0 },
    { 0 },
};

static bool read_fault(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    static const char *const names[] = { "works", "full", "fails" };
    struct fault_step *fault = fields;
    if (fault->disk.n == 0) {
        return true;
    }
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        if (weir_str_eq(fault->disk, weir_str_z(names[i]))) {
            fault->to = (enum weir_world_disk)i;
            return true;
        }
    }
    weir_conf_unknown(reader->diagnostics, weir_conf_get(node, "disk"), "state of the disk", names,
            WEIR_COUNT(names));
    return false;
}

static bool drop_table(struct script_run *run, const struct script_step *step, struct weir_str name)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_err err;
    weir_tables_drop_table(run->world->engine->tables, txn, name);
    enum weir_rc rc = weir_store_commit(run->world->engine->store, txn, &err);
    weir_txn_destroy(txn);
    return rc == WEIR_OK || weir_script_fail(run, step->node, "%s", err.msg);
}

static bool run_fault(struct script_run *run, const struct script_step *step)
{
    const struct fault_step *fault = step->fields;
    if (fault->disk.n > 0) {
        weir_world_disk(run->world, fault->to);
    }
    if (fault->drop_table.n > 0 && !drop_table(run, step, fault->drop_table)) {
        return false;
    }
    return advance(run, step, 0);
}

const struct script_kind script_kind_fault = {
    .name = "fault",
    .help = "Break something, or make it work again",
    .options = fault_options,
    .size = sizeof(struct fault_step),
    .read = read_fault,
    .run = run_fault,
};
