/*
 * Where dead letters go: a table or a queue of the user's, a file, a server. The letter is written
 * by the transaction that leaves the record out, so it is there exactly when the pipeline has gone
 * on without it (a file is written just before, see letter_file.c); a record that came back from a
 * letter is processed by the transaction that takes the letter away.
 *
 * A table's key is { pipeline: S, sequence: S }: letters of a pipeline stand in the order of the
 * changes they are about, and a letter that is written again replaces itself.
 */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/hash.h"
#include "outbox/http.h"
#include "pipeline/deferred_int.h"
#include "value/json.h"

enum { FINGERPRINT_TEXT = 17, SECONDS_TEXT = 19, JSON_MAX_BYTES = 64 * 1024 * 1024 };

static const struct weir_str key_names[] = { { "pipeline", 8 }, { "sequence", 8 } };

bool weir_dead_letter_fits(const struct weir_table *table)
{
    const struct weir_key_schema *key = &table->key;
    return key->partition_count == 1 && key->sort_count == 1 &&
           key->partition[0].type == WEIR_TYPE_S && key->sort[0].type == WEIR_TYPE_S &&
           weir_str_eq(key->partition[0].name, key_names[0]) &&
           weir_str_eq(key->sort[0].name, key_names[1]);
}

/* --- letters of records --------------------------------------------------------------------- */

/* Append a text without what differs between failures that are alike: numbers, quoted parts. */
static void add_plain(struct weir_buf *buf, const char *text)
{
    char quote = '\0';
    for (const char *c = text; *c != '\0'; c++) {
        bool mark = *c == '\'' || *c == '"';
        if (mark && (quote == '\0' || quote == *c)) {
            quote = quote == '\0' ? *c : '\0';
        } else if (quote == '\0' && !(*c >= '0' && *c <= '9')) {
            weir_buf_byte(buf, *c);
        }
    }
}

static struct weir_str fingerprint(struct weir_lane *lane, const struct queued *queued)
{
    struct weir_buf buf;
    weir_buf_init(&buf, 4096);
    weir_buf_str(&buf, lane->pipeline->model->name);
    weir_buf_byte(&buf, '\n');
    weir_buf_str(&buf, queued->step);
    weir_buf_byte(&buf, '\n');
    add_plain(&buf, queued->err.msg);
    struct weir_str plain = weir_buf_view(&buf);
    unsigned long long hash = weir_hash64(0, plain.p, plain.n);
    weir_buf_fini(&buf);
    return weir_arena_printf(&lane->arena, "%016llx", hash);
}

/* The event that a function would have been called with. */
static struct weir_str payload(struct weir_lane *lane, const struct weir_record *record)
{
    struct weir_buf json;
    weir_buf_init(&json, JSON_MAX_BYTES);
    weir_buf_z(&json, "{\"Records\":[");
    weir_record_write(&json, record, WEIR_RECORD_LAMBDA);
    weir_buf_z(&json, "]}");
    struct weir_str text = weir_arena_str(&lane->arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    return text;
}

static struct weir_str condition_name(enum weir_letter_condition condition)
{
    switch (condition) {
    case WEIR_CONDITION_RECORD:
        break;
    case WEIR_CONDITION_RETRIES:
        return WEIR_STR("RetryAttemptsExhausted");
    case WEIR_CONDITION_AGE:
        return WEIR_STR("RecordAgeExceeded");
    }
    return WEIR_STR("RecordRejected");
}

/* The name that the letter's ARN has: of the first function that is invoked, or the pipeline's. */
static struct weir_str function_of(const struct weir_pipeline_model *model)
{
    for (size_t i = 0; i < model->step_count; i++) {
        if (model->steps[i]->ops->function != NULL) {
            return model->steps[i]->ops->function(model->steps[i]);
        }
    }
    return model->name;
}

static struct weir_str sequence_text(struct weir_arena *arena, struct weir_pos pos)
{
    char sequence[WEIR_SEQUENCE_TEXT];
    weir_sequence_format(pos, sequence);
    return weir_arena_str(arena, weir_str_z(sequence));
}

struct weir_letter weir_letter_of(struct weir_lane *lane, const struct queued *queued)
{
    const struct weir_pipelines *all = lane->pipeline->all;
    const struct weir_record *record = &queued->record;
    const struct together *together = &queued->together;
    const struct weir_table *table = lane->shard->source->table;
    struct weir_arena *arena = &lane->arena;
    struct weir_str name = lane->pipeline->model->name;
    char event_id[WEIR_EVENT_ID_TEXT];
    char request_id[WEIR_UUID_TEXT];
    char shard_id[WEIR_SHARD_ID_TEXT];
    char failed_at[WEIR_TIME_TEXT];
    char arrived[WEIR_TIME_TEXT];
    weir_record_event_id(record, event_id);
    weir_random_uuid(&lane->pipeline->all->random, request_id);
    weir_shard_id_format(table->stream_created, table->space, record->shard, shard_id);
    weir_time_format(weir_clock_wall(weir_loop_clock(all->loop)), failed_at);
    weir_time_format(record->created, arrived);
    return (struct weir_letter){
        .pipeline = name,
        .sequence = sequence_text(arena, record->pos),
        .request_id = weir_arena_str(arena, weir_str_z(request_id)),
        .function_arn = weir_arena_printf(arena, "arn:aws:lambda:%.*s:%.*s:function:%.*s",
                WEIR_STR_ARG(record->source->region),
                WEIR_STR_ARG(weir_queues_account(all->queues)),
                WEIR_STR_ARG(function_of(lane->pipeline->model))),
        .condition = condition_name(queued->condition),
        .reported = queued->err.code == WEIR_E_REPORTED,
        .attempts = queued->attempts,
        .timestamp = weir_arena_str(arena, weir_str_z(failed_at)),
        .shard_id = weir_arena_str(arena, weir_str_z(shard_id)),
        .arrived = weir_arena_printf(arena, "%.*sZ", SECONDS_TEXT, arrived),
        .stream_arn = record->source->stream_arn,
        .step = queued->step,
        .error = weir_str_z(queued->err.msg),
        .fingerprint = fingerprint(lane, queued),
        .batch_records = together->count,
        .batch_first = sequence_text(arena, together->first),
        .batch_last = sequence_text(arena, together->last),
        .event_id = weir_arena_str(arena, weir_str_z(event_id)),
        .event_name = weir_str_z(weir_event_name(record->event)),
        .table = record->source->table,
        .keys = record->keys,
        .payload = payload(lane, record),
        .burst = weir_letter_run_item(lane, queued, WEIR_LETTER_BOTH_IMAGES),
    };
}

void weir_letter_leave_images(struct weir_record *record, enum weir_letter_images images)
{
    if (images != WEIR_LETTER_BOTH_IMAGES) {
        record->old_image = (struct weir_item){ 0 };
    }
    if (images == WEIR_LETTER_NO_IMAGES) {
        record->new_image = (struct weir_item){ 0 };
    }
}

/*
 * Make a letter smaller, for a place that is too small for all of it: without old images, then
 * without any. False: there is nothing left to take away.
 */
static bool reduce(struct weir_lane *lane, const struct queued *queued, struct weir_letter *letter)
{
    struct weir_str payload_before = letter->payload;
    size_t burst_before = letter->burst.n;
    bool smaller = false;
    for (int i = letter->incomplete ? WEIR_LETTER_NO_IMAGES : WEIR_LETTER_NEW_IMAGE;
            !smaller && i <= WEIR_LETTER_NO_IMAGES; i++) {
        struct weir_record rest = queued->record;
        weir_letter_leave_images(&rest, (enum weir_letter_images)i);
        letter->payload = payload(lane, &rest);
        letter->burst = weir_letter_run_item(lane, queued, (enum weir_letter_images)i);
        smaller = letter->payload.n < payload_before.n || letter->burst.n < burst_before;
    }
    letter->incomplete = true;
    return smaller;
}

/* --- into a table -------------------------------------------------------------------------- */

/* The letters' table. Errors: WEIR_E_NOT_FOUND, WEIR_E_INVALID (its key). */
static enum weir_rc letters_table(
        struct weir_lane *lane, const struct weir_table **ret_table, struct weir_err *err)
{
    struct weir_str name = lane->pipeline->model->dead_letters;
    enum weir_rc rc = weir_lane_table(lane, name, ret_table, err);
    if (rc == WEIR_OK && !weir_dead_letter_fits(*ret_table)) {
        rc = weir_fail(err, WEIR_E_INVALID,
                "table %.*s cannot hold dead letters: its key must be { pipeline: S, sequence: S }",
                WEIR_STR_ARG(name));
    }
    return rc;
}

static enum weir_rc put_item(struct weir_lane *lane, struct queued *queued,
        struct weir_letter *letter, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    struct weir_item item = { 0 };
    struct weir_str key;
    enum weir_rc rc = letters_table(lane, &table, err);
    bool fits = false;
    while (rc == WEIR_OK && !fits) {
        rc = weir_letter_to_item(letter, &lane->arena, &item, err);
        fits = rc == WEIR_OK && weir_item_size(item) <= WEIR_ITEM_MAX_BYTES;
        fits = fits || !reduce(lane, queued, letter);
    }
    if (rc == WEIR_OK) {
        rc = weir_table_key(table, item, &lane->arena, &key, err);
    }
    struct weir_event event = { .record = &queued->record };
    return rc == WEIR_OK ? weir_lane_put_item(lane, event, table, key, item, err) : rc;
}

/* --- into a queue -------------------------------------------------------------------------- */

static struct weir_str digest_text(struct weir_arena *arena, struct weir_str text)
{
    unsigned char digest[WEIR_SHA256_BYTES];
    char *hex = weir_arena_alloc(arena, 2 * sizeof(digest) + 1);
    weir_sha256(text.p, text.n, digest);
    weir_hex(digest, sizeof(digest), hex);
    return weir_str_z(hex);
}

static struct weir_str letter_json(struct weir_lane *lane, const struct weir_letter *letter)
{
    struct weir_buf json;
    weir_buf_init(&json, JSON_MAX_BYTES);
    weir_letter_write(&json, letter);
    struct weir_str text = weir_message_json(&lane->arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    return text;
}

static enum weir_rc put_message(struct weir_lane *lane, struct queued *queued,
        struct weir_letter *letter, struct weir_err *err)
{
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_lane_queue(lane, lane->pipeline->model->dead_letters, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_message message = { .body = letter_json(lane, letter) };
    while (message.body.n > queue->max_bytes && reduce(lane, queued, letter)) {
        message.body = letter_json(lane, letter);
    }
    if (queue->fifo) {
        message.group = digest_text(&lane->arena, queued->key);
        message.dedup = letter->request_id;
    }
    struct weir_event event = { .record = &queued->record };
    return weir_lane_send(lane, event, queue, &message, NULL, err);
}

/* --- to a server --------------------------------------------------------------------------- */

/* It is delivered until the server takes it, or refuses it for good. */
static enum weir_rc put_intent(struct weir_lane *lane, struct queued *queued,
        const struct weir_letter *letter, struct weir_err *err)
{
    const struct weir_pipeline_model *model = lane->pipeline->model;
    struct weir_outbox_post post = {
        .url = model->dead_letters,
        .body = letter_json(lane, letter),
    };
    struct weir_intent intent = {
        .order = queued->key,
        .id = letter->request_id,
        .retry = {
            .retries = UINT64_MAX,
            .backoff = { .pauses_ms = { 1000 }, .count = 1, .max_ms = 60 * 1000 },
        },
        .dead_letter = weir_arena_printf(&lane->arena, WEIR_DEAD_LETTER_QUEUE "%.*s",
                WEIR_STR_ARG(model->undelivered)),
        .causation = letter->event_id,
        .hops = queued->hops,
    };
    enum weir_rc rc = weir_outbox_post_intent(&post, &lane->arena, &intent, err);
    return rc == WEIR_OK
                   ? weir_outbox_add(lane->pipeline->all->outbox, lane->batch.txn, &intent, err)
                   : rc;
}

/* --- letters that come and go -------------------------------------------------------------- */

static enum weir_rc put_letter(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    struct weir_letter letter = weir_letter_of(lane, queued);
    switch (lane->pipeline->model->dead_letters_in) {
    case WEIR_LETTERS_NOWHERE:
        break;
    case WEIR_LETTERS_TABLE:
        return put_item(lane, queued, &letter, err);
    case WEIR_LETTERS_QUEUE:
        return put_message(lane, queued, &letter, err);
    case WEIR_LETTERS_FILE:
        break; /* it was written before the batch came here */
    case WEIR_LETTERS_HTTP:
        return put_intent(lane, queued, &letter, err);
    }
    return WEIR_OK;
}

/*
 * Take the letter away that a record came back from. *ret_gone: it is not there any more, so
 * somebody else has dealt with it.
 */
static enum weir_rc take_item(
        struct weir_lane *lane, struct queued *queued, bool *ret_gone, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    struct weir_item item = { 0 };
    struct weir_item none = { 0 };
    enum weir_rc rc = letters_table(lane, &table, err);
    if (rc == WEIR_OK) {
        rc = weir_lane_get_item(lane, table, queued->token, &item, err);
    }
    *ret_gone = item.n == 0;
    struct weir_event event = { .record = &queued->record };
    return rc == WEIR_OK && !*ret_gone
                   ? weir_lane_put_item(lane, event, table, queued->token, none, err)
                   : rc;
}

static enum weir_rc take_message(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_lane_queue(lane, lane->pipeline->model->dead_letters, &queue, err);
    return rc == WEIR_OK ? weir_lane_settle_message(lane, queued, queue, err) : rc;
}

static enum weir_rc settle(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    bool gone = false;
    enum weir_letters_place place = lane->pipeline->model->dead_letters_in;
    enum weir_rc rc = place == WEIR_LETTERS_TABLE  ? take_item(lane, queued, &gone, err)
                      : place == WEIR_LETTERS_FILE ? weir_letter_mark_take(lane, queued, &gone, err)
                                                   : take_message(lane, queued, err);
    weir_crash_point("redrive.settled");
    if (rc == WEIR_OK && gone) {
        weir_queued_drop(queued);
        rc = weir_fail(err, WEIR_E_CONFLICT, "a dead letter is gone");
    }
    return rc != WEIR_OK ? weir_fail_in(err, rc, "dead letter: ") : rc;
}

const struct weir_origin weir_origin_letter = { .settle = settle, .left = weir_letter_run_left };

enum weir_rc weir_dead_letter_put(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    enum weir_rc rc = put_letter(lane, queued, err);
    return rc != WEIR_OK ? weir_fail_in(err, rc, "dead letter: ") : rc;
}
