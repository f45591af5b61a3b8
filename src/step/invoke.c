/*
 * invoke: a function gets the batch as Lambda's event source mappings hand it over, one
 * invocation a batch; or, with `payload`, each event of it as one invocation after the other. It
 * is asked before the batch is committed, so what it answers can be put, sent and so on by the
 * steps that follow, in the same transaction. A function whose batch is not committed is asked
 * again: at least once, as with Lambda.
 *
 * With `window` the records of each shard are divided into windows of time, the function gets the
 * window's state with each batch and answers the next one, and is told when a window is over: the
 * tumbling windows of Lambda's event source mappings.
 */
#include "base/mem.h"
#include "step/kinds_int.h"
#include "value/ddbjson.h"

struct invoke_step {
    struct weir_step base;
    struct weir_str function;
    bool report_failures;
    struct weir_shape *payload; /* NULL: the records */
    bool has_result;
    size_t result;      /* slot of the answer */
    uint64_t window_ms; /* 0: there are no windows */
    /* Only while it is checked. */
    const struct weir_conf *payload_node;
    struct weir_str result_name;
};

static const struct weir_option options[] = {
    { "function", NULL, "the function to invoke", WEIR_OPTION_STRING,
            offsetof(struct invoke_step, function), 0, 0 },
    { "payload", "",
            "what each event becomes, as JSON; the batch's records in Lambda's form when absent",
            WEIR_OPTION_NODE, offsetof(struct invoke_step, payload_node), 0, 0 },
    { "result", "", "the answer's name in the steps that follow; of a batch one event goes on then",
            WEIR_OPTION_STRING, offsetof(struct invoke_step, result_name), 0, 0 },
    { "report_failures", "false",
            "the answer names the records that failed: batchItemFailures, as Lambda has it",
            WEIR_OPTION_BOOL, offsetof(struct invoke_step, report_failures), 0, 0 },
    { "window", "0s",
            "how long a window of each shard is: the function keeps a state in it, and is told its "
            "end",
            WEIR_OPTION_DURATION, offsetof(struct invoke_step, window_ms), 0,
            366ll * 24 * 3600 * 1000 },
    { 0 },
};

static struct invoke_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_invoke);
    return WEIR_CONTAINER(step, struct invoke_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct invoke_step *step = from_base(base);
    step->function = weir_arena_str(scope->arena, step->function);
    weir_scope_function(scope, weir_conf_get(node, "function"), step->function);
    uint64_t depends = 0;
    if (step->payload_node != NULL) {
        step->payload = weir_scope_shape(scope, step->payload_node);
        depends = step->payload != NULL ? weir_scope_shape_depends(scope, step->payload) : 0;
    }
    if (step->payload != NULL && step->report_failures) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "report_failures"),
                "with `payload` each event is an invocation of its own: there are no records to "
                "report");
    }
    const struct weir_conf *window = weir_conf_get(node, "window");
    if (step->payload != NULL && step->window_ms > 0) {
        weir_conf_error(scope->diagnostics, window,
                "with `payload` each event is an invocation of its own, not part of a window");
    }
    if (step->window_ms % 1000 != 0) {
        weir_conf_error(scope->diagnostics, window, "a window lasts whole seconds");
    }
    if (step->result_name.n > 0) {
        step->has_result = true;
        step->result =
                weir_scope_add(scope, weir_conf_get(node, "result"), step->result_name, depends);
    }
}

/* --- what is asked ------------------------------------------------------------------------- */

/* The invocations of one batch, of the lane's memory. */
struct work {
    struct weir_lane *lane;
    struct weir_invocation invocation;
    size_t first; /* event that the invocation begins with */
    size_t after; /* and that it ends before */
    struct weir_events out;
    struct weir_window window; /* of a step that has windows */
};

/* What stands behind the records of an event that is part of a window. */
static struct weir_str window_members(
        const struct work *work, const struct weir_record *record, struct weir_arena *arena)
{
    const struct weir_window *window = &work->window;
    char start[WEIR_TIME_TEXT];
    char end[WEIR_TIME_TEXT];
    char shard[WEIR_SHARD_ID_TEXT];
    weir_time_format_short(window->start, start);
    weir_time_format_short(window->end, end);
    weir_lane_shard_id(work->lane, shard);
    struct weir_str state = window->state.n > 0 ? window->state : WEIR_STR("{}");
    return weir_arena_printf(arena,
            ",\"window\":{\"start\":\"%s\",\"end\":\"%s\"},\"state\":%.*s,\"shardId\":\"%s\","
            "\"eventSourceARN\":\"%.*s\",\"isFinalInvokeForWindow\":%s,"
            "\"isWindowTerminatedEarly\":%s",
            start, end, WEIR_STR_ARG(state), shard, WEIR_STR_ARG(record->source->stream_arn),
            window->closes ? "true" : "false", window->early ? "true" : "false");
}

/*
 * The records of the events, each once, as many as an event may hold, and what goes behind them.
 * Returns the first event left out.
 */
static size_t write_records(const struct weir_lane *lane, const struct weir_events *in,
        struct weir_str behind, struct weir_buf *buf)
{
    size_t i = 0;
    weir_buf_z(buf, "{\"Records\":[");
    for (; i < in->count; i++) {
        if (i > 0 && in->all[i].record == in->all[i - 1].record) {
            continue;
        }
        size_t before = buf->n;
        weir_buf_z(buf, i > 0 ? "," : "");
        weir_lane_write_record(lane, in->all[i], buf);
        if (i > 0 && buf->n + behind.n + 2 > WEIR_FUNCTION_PAYLOAD_MAX) {
            buf->n = before;
            break;
        }
    }
    weir_buf_byte(buf, ']');
    weir_buf_str(buf, behind);
    weir_buf_byte(buf, '}');
    return i;
}

/* The event of a batch, or of the end of a window. Returns the first event left out. */
static size_t write_batch(const struct invoke_step *step, const struct work *work,
        const struct weir_events *in, struct weir_buf *buf)
{
    static const struct weir_events none = { 0 };
    struct weir_arena *arena = weir_lane_arena(work->lane);
    if (step->window_ms == 0) {
        return write_records(work->lane, in, WEIR_STR(""), buf);
    }
    struct weir_str behind = window_members(work, in->all[0].record, arena);
    size_t end = write_records(work->lane, work->window.closes ? &none : in, behind, buf);
    return work->window.closes ? in->count : end;
}

static enum weir_rc write_payload(const struct invoke_step *step, struct weir_lane *lane,
        struct weir_event event, struct weir_buf *buf, struct weir_err *err)
{
    struct weir_expr_frame frame = weir_lane_frame(lane, event);
    struct weir_item_builder *builder = weir_item_begin(weir_lane_arena(lane));
    struct weir_expr_value value;
    struct weir_value made;
    enum weir_rc rc = weir_shape_eval(step->payload, &frame, &value, err);
    if (rc == WEIR_OK) {
        rc = weir_expr_to_item(builder, &value, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_item_finish_value(builder, &made, err);
    }
    if (rc == WEIR_OK) {
        weir_ddbjson_write_plain_value(buf, made);
    }
    return rc != WEIR_OK ? weir_fail_in(err, rc, "payload: ") : WEIR_OK;
}

static void invocation_done(struct weir_invocation *invocation)
{
    struct work *work = invocation->arg;
    struct weir_arena *arena = weir_lane_arena(work->lane);
    invocation->response = weir_arena_str(arena, invocation->response);
    weir_lane_resume(work->lane);
}

/* Ask about the next events. False: there are none. */
static bool ask(const struct invoke_step *step, struct work *work, const struct weir_events *in)
{
    struct weir_lane *lane = work->lane;
    struct weir_buf buf;
    weir_buf_init(&buf, 2 * WEIR_FUNCTION_PAYLOAD_MAX);
    work->first = work->after;
    while (step->payload != NULL && work->first < in->count) {
        struct weir_err why;
        if (write_payload(step, lane, in->all[work->first], &buf, &why) == WEIR_OK) {
            break;
        }
        weir_lane_fail(lane, in->all[work->first], &why);
        weir_buf_reset(&buf);
        work->first++;
    }
    bool any = work->first < in->count;
    work->after = work->first + 1;
    if (any && step->payload == NULL) {
        work->after = write_batch(step, work, in, &buf);
    }
    if (any) {
        work->invocation = (struct weir_invocation){
            .function = step->function,
            .payload = weir_arena_str(weir_lane_arena(lane), weir_buf_view(&buf)),
            .wants_state = step->window_ms > 0,
            .done = invocation_done,
            .arg = work,
        };
        weir_functions_invoke(weir_lane_functions(lane), &work->invocation);
    }
    weir_buf_fini(&buf);
    return any;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    const struct invoke_step *step = from_base(base);
    (void)out;
    if (weir_lane_functions(lane) == NULL) {
        weir_fail(err, WEIR_E_NOT_FOUND, "there are no functions here");
        return WEIR_STEP_BLOCKED;
    }
    struct work *work = WEIR_ARENA_NEW(weir_lane_arena(lane), struct work);
    work->lane = lane;
    weir_lane_set_work(lane, base, work);
    if (step->window_ms > 0 && weir_lane_window(lane, &work->window, err) != WEIR_OK) {
        return WEIR_STEP_BLOCKED;
    }
    return ask(step, work, in) ? WEIR_STEP_PENDING : WEIR_STEP_DONE;
}

static void cancel(struct weir_step *base, struct weir_lane *lane)
{
    struct work *work = weir_lane_work(lane, base);
    weir_functions_cancel(weir_lane_functions(lane), &work->invocation);
}

/* --- what is answered --------------------------------------------------------------------------
 */

/* The event of a sequence number, or of a message id; in->count: there is none. */
static size_t find_event(
        const struct weir_lane *lane, const struct weir_events *in, struct weir_str sequence)
{
    size_t message = 0;
    while (weir_lane_is_of_queue(lane) && message < in->count &&
            !weir_str_eq(weir_lane_message_id(lane, in->all[message]), sequence)) {
        message++;
    }
    if (weir_lane_is_of_queue(lane)) {
        return message;
    }
    struct weir_pos pos;
    if (weir_sequence_parse(sequence, &pos, NULL) != WEIR_OK) {
        return in->count;
    }
    size_t i = 0;
    while (i < in->count && in->all[i].record->pos.seq != pos.seq) {
        i++;
    }
    return i;
}

/* Messages stay in their queue one by one: fail those that the answer names, which is checked. */
static void fail_messages(const struct invoke_step *step, struct weir_lane *lane,
        const struct weir_events *in, const struct weir_expr_value *answer)
{
    struct weir_err err;
    struct weir_expr_value failures = weir_expr_get(answer, WEIR_STR("batchItemFailures"));
    weir_fail(&err, WEIR_E_IO, "function %.*s says that the message failed",
            WEIR_STR_ARG(step->function));
    for (size_t i = 0; i < weir_expr_count(&failures); i++) {
        struct weir_expr_value failure = weir_expr_at(&failures, i);
        struct weir_expr_value id = weir_expr_get(&failure, WEIR_STR("itemIdentifier"));
        weir_lane_fail_alone(lane, in->all[find_event(lane, in, id.as.str)], &err);
    }
}

/*
 * The first event that the answer says failed; in->count: none did. An answer that names a record
 * which is not of the batch, or none where it should, fails the whole batch, as with Lambda.
 */
static enum weir_rc first_failed(struct weir_lane *lane, const struct weir_events *in,
        const struct weir_expr_value *answer, size_t *ret_first, struct weir_err *err)
{
    struct weir_expr_value failures = weir_expr_get(answer, WEIR_STR("batchItemFailures"));
    *ret_first = in->count;
    if (failures.kind == WEIR_EXPR_ABSENT || failures.kind == WEIR_EXPR_NULL) {
        return WEIR_OK;
    }
    if (failures.kind != WEIR_EXPR_LIST) {
        return weir_fail(err, WEIR_E_INVALID, "batchItemFailures is no list");
    }
    for (size_t i = 0; i < weir_expr_count(&failures); i++) {
        struct weir_expr_value failure = weir_expr_at(&failures, i);
        struct weir_expr_value id = weir_expr_get(&failure, WEIR_STR("itemIdentifier"));
        size_t found = id.kind == WEIR_EXPR_STRING ? find_event(lane, in, id.as.str) : in->count;
        if (found == in->count) {
            return weir_fail(err, WEIR_E_INVALID,
                    "batchItemFailures[%zu].itemIdentifier is no %s of the batch", i,
                    weir_lane_is_of_queue(lane) ? "message id" : "sequence number");
        }
        *ret_first = found < *ret_first ? found : *ret_first;
    }
    return WEIR_OK;
}

/*
 * The member `state` of an answer, as it stands there. Errors: WEIR_E_INVALID (there is none, as
 * Lambda has it, or it is no object), WEIR_E_TOO_LARGE (no event could carry it).
 */
static enum weir_rc find_state(struct weir_str answer, struct weir_arena *arena,
        struct weir_str *ret_state, struct weir_err *err)
{
    enum { ROOM = 1024 }; /* for the other members of an event */
    struct weir_json json;
    struct weir_str state = { 0 };
    weir_json_init(&json, answer, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    if (token != WEIR_JSON_OBJECT) {
        return weir_fail(
                err, WEIR_E_INVALID, "the answer is no object with `state`, as a window needs it");
    }
    while ((token = weir_json_next(&json)) == WEIR_JSON_NAME) {
        bool named = weir_str_eq(json.text, WEIR_STR("state"));
        struct weir_str value;
        enum weir_rc rc = weir_json_raw(&json, weir_json_next(&json), &value, err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "the answer: ");
        }
        state = named ? value : state;
    }
    if (token != WEIR_JSON_OBJECT_END || weir_json_next(&json) != WEIR_JSON_END) {
        return weir_fail(err, WEIR_E_INVALID, "the answer: %s", json.err.msg);
    }
    if (state.n == 0 || state.p[0] != '{') {
        return weir_fail(err, WEIR_E_INVALID,
                state.n == 0 ? "the answer has no `state`, which a window needs"
                             : "the `state` of the answer is no object");
    }
    if (state.n > WEIR_FUNCTION_PAYLOAD_MAX - ROOM) {
        return weir_fail(err, WEIR_E_TOO_LARGE, "the `state` of the answer has %zu bytes", state.n);
    }
    *ret_state = state;
    return WEIR_OK;
}

static enum weir_rc read_answer(const struct invoke_step *step, struct work *work,
        struct weir_expr_value *ret_answer, struct weir_err *err)
{
    struct weir_arena *arena = weir_lane_arena(work->lane);
    *ret_answer = weir_expr_null();
    if ((!step->has_result && !step->report_failures) || work->invocation.response.n == 0) {
        return WEIR_OK;
    }
    enum weir_rc rc = weir_expr_read_json(work->invocation.response, arena, ret_answer, err);
    return rc != WEIR_OK ? weir_fail_in(err, rc, "the answer: ") : WEIR_OK;
}

static void add_event(const struct invoke_step *step, struct work *work, struct weir_event event,
        const struct weir_expr_value *answer)
{
    if (step->has_result) {
        event.slots = weir_event_copy_slots(work->lane, event);
        event.slots[step->result] = *answer;
        event.of_batch = step->payload == NULL && !work->window.closes;
    }
    weir_events_add(work->lane, &work->out, event);
}

/* Take in a good answer to the end of a window: only what is made of it goes on. */
static void end_window(const struct invoke_step *step, struct work *work,
        const struct weir_events *in, const struct weir_expr_value *answer)
{
    if (step->has_result) {
        add_event(step, work, in->all[0], answer);
    }
}

/* Take in a good answer. Errors: it is not what it should be. */
static enum weir_rc take_answer(const struct invoke_step *step, struct work *work,
        const struct weir_events *in, struct weir_err *err)
{
    struct weir_expr_value answer;
    struct weir_str state = { 0 };
    size_t failed = in->count;
    enum weir_rc rc = read_answer(step, work, &answer, err);
    if (rc == WEIR_OK && step->window_ms > 0) {
        rc = find_state(work->invocation.response, weir_lane_arena(work->lane), &state, err);
    }
    if (rc == WEIR_OK && step->report_failures) {
        rc = first_failed(work->lane, in, &answer, &failed, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (work->window.closes) {
        end_window(step, work, in, &answer);
        return WEIR_OK;
    }
    weir_lane_set_window_state(work->lane, state);
    if (failed < in->count && weir_lane_is_of_queue(work->lane)) {
        fail_messages(step, work->lane, in, &answer);
        failed = in->count;
    }
    size_t end = failed < work->after ? failed : work->after;
    size_t first = step->has_result && end > work->first ? end - 1 : work->first;
    for (size_t i = first; i < end; i++) {
        add_event(step, work, in->all[i], &answer);
    }
    if (failed < in->count) {
        weir_fail(err, WEIR_E_REPORTED, "function %.*s says that the record failed",
                WEIR_STR_ARG(step->function));
        weir_lane_cut(work->lane, in->all[failed], err);
    } else if (work->after < in->count && step->payload == NULL) {
        struct weir_err none = { 0 }; /* more than an invocation may hold: the rest comes next */
        weir_lane_cut(work->lane, in->all[work->after], &none);
    }
    return WEIR_OK;
}

/* What became of the invocation: OK, or a class of failure. */
static enum weir_verdict judge(const struct invoke_step *step, struct work *work,
        const struct weir_events *in, struct weir_err *err)
{
    const struct weir_invocation *invocation = &work->invocation;
    *err = invocation->err;
    switch (invocation->outcome) {
    case WEIR_FUNCTION_OK:
        if (take_answer(step, work, in, err) == WEIR_OK) {
            return WEIR_STEP_DONE;
        }
        err->code = WEIR_E_REPORTED;
        return WEIR_STEP_RETRY;
    case WEIR_FUNCTION_BLOCKED:
        return WEIR_STEP_BLOCKED;
    case WEIR_FUNCTION_FINAL:
        if (work->window.closes) {
            break;
        }
        for (size_t i = work->first; i < work->after; i++) {
            weir_lane_fail(work->lane, in->all[i], err);
        }
        return WEIR_STEP_DONE;
    case WEIR_FUNCTION_ERROR:
    case WEIR_FUNCTION_RETRYABLE:
        break;
    }
    weir_fail_in(err, WEIR_E_IO, "function %.*s: ", WEIR_STR_ARG(step->function));
    return WEIR_STEP_RETRY;
}

/* Say that it was the end of a window which failed. */
static void blame_window(const struct weir_window *window, struct weir_err *err)
{
    char start[WEIR_TIME_TEXT];
    weir_time_format_short(window->start, start);
    weir_fail_in(err, err->code, "the end of the window of %s: ", start);
}

static enum weir_verdict resume(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    const struct invoke_step *step = from_base(base);
    struct work *work = weir_lane_work(lane, base);
    enum weir_verdict verdict = judge(step, work, in, err);
    if (verdict != WEIR_STEP_DONE && work->window.closes) {
        blame_window(&work->window, err);
    }
    if (verdict == WEIR_STEP_DONE && step->payload != NULL && ask(step, work, in)) {
        return WEIR_STEP_PENDING;
    }
    bool later = in->all[work->first].record != in->all[0].record;
    if (verdict != WEIR_STEP_DONE && later && step->payload != NULL) {
        /* The records before it are done, and are not asked about again. */
        if (verdict == WEIR_STEP_BLOCKED) {
            err->code = WEIR_OK;
        }
        weir_lane_cut(lane, in->all[work->first], err);
        verdict = WEIR_STEP_DONE;
    }
    *out = work->out;
    return verdict;
}

static uint64_t window(const struct weir_step *base)
{
    return WEIR_CONTAINER(base, const struct invoke_step, base)->window_ms;
}

static struct weir_str function(const struct weir_step *base)
{
    return WEIR_CONTAINER(base, const struct invoke_step, base)->function;
}

static void fini(struct weir_step *base)
{
    weir_shape_destroy(from_base(base)->payload);
}

const struct weir_step_ops weir_step_invoke = {
    .name = "invoke",
    .help = "A function gets the batch, or each event; what it answers can be used by later steps",
    .options = options,
    .size = sizeof(struct invoke_step),
    .whole = true,
    .check = check,
    .run = run,
    .resume = resume,
    .cancel = cancel,
    .window = window,
    .function = function,
    .fini = fini,
};
