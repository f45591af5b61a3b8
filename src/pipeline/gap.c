/*
 * Gaps: records that the log had to let go of before a pipeline had read them, because its bound
 * was reached. The pipeline goes on with what is left, and says what it has missed: in a log
 * line, in its status, and as a dead letter of kind "gap". The letter and the entry that lets
 * status remember the gap are one transaction, and the pipeline reads on when it is committed, so
 * no stop can hide a gap. Who deletes the letter has acknowledged it; a rebuild makes up for it.
 *
 * An entry's key is the pipeline's name, a zero byte, the table's name, a zero byte, shard and
 * first position, big-endian; its value is a struct stored.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/letters.h"
#include "pipeline/pipeline_int.h"
#include "value/member.h"

enum {
    AGAIN_MS = 1000,
    KEY_TAIL = 10,
    LETTER_TEXT = 32,
    REASON_TEXT = 200,
    LETTER_MAX_BYTES = 64 * 1024
};

/* An entry's value; part of the format. Integers are little-endian. */
struct stored {
    uint64_t to;
    int64_t from_ms;
    int64_t to_ms;
    int64_t noticed_ms;
    uint64_t least;
    uint64_t most;
    uint64_t counted; /* 0: the number of records is not known */
};

static void submit(struct gap *gap);

/* --- what is told ----------------------------------------------------------------------- */

/*
 * The name of its letter. It begins with a digit that no position of 21 digits begins with, so it
 * is no record's.
 */
static void letter_name(const struct gap *gap, char text[static LETTER_TEXT])
{
    uint64_t table = weir_hash64(0, gap->table.p, gap->table.n) % 100000;
    snprintf(text, LETTER_TEXT, "9%020" PRIu64 "%05u%05u", gap->lost.from.seq, gap->shard,
            (unsigned)table);
}

static void write_reason(const struct gap *gap, char text[static REASON_TEXT])
{
    const struct weir_log_count *n = &gap->lost.records;
    char count[64] = "an unknown number of";
    if (gap->lost.counted && n->least == n->most) {
        snprintf(count, sizeof(count), "%" PRIu64, n->most);
    } else if (gap->lost.counted) {
        snprintf(count, sizeof(count), "%" PRIu64 " to %" PRIu64, n->least, n->most);
    }
    snprintf(text, REASON_TEXT,
            "%s record%s of table %.*s, shard %u, went with the log at its bound before they were "
            "read",
            count, n->most == 1 && n->least == 1 ? "" : "s",
            (int)(gap->table.n < 60 ? gap->table.n : 60), gap->table.p, gap->shard);
}

static void put_time(struct weir_item_builder *builder, const char *name, struct weir_time time)
{
    char text[WEIR_TIME_TEXT];
    if (time.ms != 0) {
        weir_time_format(time, text);
        weir_member_put_s(builder, name, weir_str_z(text));
    }
}

static void put_sequence(
        struct weir_item_builder *builder, const char *name, struct weir_pos position)
{
    char text[WEIR_SEQUENCE_TEXT];
    weir_sequence_format(position, text);
    weir_member_put_s(builder, name, weir_str_z(text));
}

/* What the letter says in addition to what every letter does. */
static enum weir_rc describe(const struct gap *gap, struct weir_arena *arena,
        struct weir_item *ret_item, struct weir_err *err)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    weir_member_put_u64(builder, "shard", gap->shard);
    put_sequence(builder, "from_sequence", gap->lost.from);
    put_sequence(builder, "to_sequence", gap->lost.to);
    put_time(builder, "from_time", gap->from_time);
    put_time(builder, "to_time", gap->lost.to_time);
    if (gap->lost.counted) {
        weir_member_put_u64(builder, "records_least", gap->lost.records.least);
        weir_member_put_u64(builder, "records_most", gap->lost.records.most);
    }
    return weir_item_finish(builder, ret_item, err);
}

static enum weir_rc make_letter(const struct gap *gap, struct weir_arena *arena,
        struct weir_letter *ret_letter, struct weir_err *err)
{
    struct weir_pipelines *all = gap->pipeline->all;
    struct weir_item keys = { 0 };
    char name[LETTER_TEXT];
    char reason[REASON_TEXT];
    char noticed[WEIR_TIME_TEXT];
    char id[WEIR_UUID_TEXT];
    letter_name(gap, name);
    write_reason(gap, reason);
    weir_time_format(gap->noticed, noticed);
    weir_random_uuid(&all->random, id);
    *ret_letter = (struct weir_letter){
        .pipeline = gap->pipeline->model->name,
        .sequence = weir_arena_str(arena, weir_str_z(name)),
        .request_id = weir_arena_str(arena, weir_str_z(id)),
        .condition = WEIR_STR("RecordsLost"),
        .timestamp = weir_arena_str(arena, weir_str_z(noticed)),
        .error = weir_arena_str(arena, weir_str_z(reason)),
        .fingerprint = weir_arena_printf(arena, "%016" PRIx64,
                weir_hash64(0, gap->pipeline->model->name.p, gap->pipeline->model->name.n)),
        .table = gap->table,
        .payload = WEIR_STR("{\"Records\":[]}"),
    };
    enum weir_rc rc = weir_item_finish(weir_item_begin(arena), &keys, err);
    ret_letter->keys = keys;
    return rc == WEIR_OK ? describe(gap, arena, &ret_letter->gap, err) : rc;
}

/* --- the entry -------------------------------------------------------------------------- */

static struct weir_str entry_key(struct weir_arena *arena, const struct gap *gap)
{
    struct weir_str name = gap->pipeline->model->name;
    size_t names = name.n + gap->table.n + 2;
    char *key = weir_arena_alloc(arena, names + KEY_TAIL);
    memcpy(key, name.p, name.n);
    key[name.n] = '\0';
    memcpy(key + name.n + 1, gap->table.p, gap->table.n);
    key[names - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        key[names + (size_t)i] = (char)(gap->shard >> (8 - 8 * i));
    }
    for (int i = 0; i < 8; i++) {
        key[names + 2 + (size_t)i] = (char)(gap->lost.from.seq >> (56 - 8 * i));
    }
    return weir_str(key, names + KEY_TAIL);
}

static void put_entry(const struct gap *gap, struct weir_txn *txn)
{
    struct stored stored = {
        .to = gap->lost.to.seq,
        .from_ms = gap->from_time.ms,
        .to_ms = gap->lost.to_time.ms,
        .noticed_ms = gap->noticed.ms,
        .least = gap->lost.records.least,
        .most = gap->lost.records.most,
        .counted = gap->lost.counted,
    };
    struct weir_str value =
            weir_arena_str(&txn->arena, weir_str((const char *)&stored, sizeof(stored)));
    weir_txn_put(txn, WEIR_SPACE_GAP, entry_key(&txn->arena, gap), value);
}

/* --- telling ---------------------------------------------------------------------------- */

/* Put the letter where it stood before it grew, or new. */
static enum weir_rc add_item(struct gap *gap, const struct weir_letter *letter,
        struct weir_txn *txn, struct weir_err *err)
{
    struct pipeline *pipeline = gap->pipeline;
    const struct weir_table *table = NULL;
    struct weir_item item;
    struct weir_str key;
    struct weir_entry stands;
    enum weir_rc rc =
            weir_tables_get(pipeline->all->tables, pipeline->model->dead_letters, &table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    gap->table_of_letters = table; /* the guard borrows it until the transaction is over */
    if (!weir_dead_letter_fits(table)) {
        return weir_fail(err, WEIR_E_INVALID, "table %.*s cannot hold dead letters",
                WEIR_STR_ARG(table->name));
    }
    rc = weir_letter_to_item(letter, &txn->arena, &item, err);
    if (rc == WEIR_OK) {
        rc = weir_table_key(table, item, &txn->arena, &key, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_txn_get(txn, pipeline->all->store, table->space, key, &stands, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_txn_sink sink;
    weir_txn_sink_init(&sink, txn);
    struct weir_item_change change = {
        .key = key,
        .before = { stands.value.p, stands.value.n },
        .after = item,
    };
    weir_table_guard(txn, table);
    return weir_table_change(table, &sink.base, &change, err);
}

static enum weir_rc add_message(struct gap *gap, const struct weir_letter *letter,
        struct weir_txn *txn, struct weir_err *err)
{
    struct pipeline *pipeline = gap->pipeline;
    const struct weir_queue *queue = NULL;
    struct weir_buf json;
    enum weir_rc rc =
            weir_queues_get(pipeline->all->queues, pipeline->model->dead_letters, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    gap->queue_of_letters = queue;
    weir_buf_init(&json, LETTER_MAX_BYTES);
    weir_letter_write(&json, letter);
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    send->queue = queue;
    send->strict = true;
    send->message.body = weir_message_json(&txn->arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    if (queue->fifo) {
        send->message.group = WEIR_STR("gap");
        send->message.dedup = letter->request_id;
    }
    return weir_queue_send(pipeline->all->queues, send, txn, err);
}

static enum weir_rc add_letter(struct gap *gap, struct weir_txn *txn, struct weir_err *err)
{
    struct weir_letter letter;
    enum weir_letters_place place = gap->pipeline->model->dead_letters_in;
    enum weir_rc rc = make_letter(gap, &txn->arena, &letter, err);
    if (rc == WEIR_OK && place == WEIR_LETTERS_TABLE) {
        rc = add_item(gap, &letter, txn, err);
    } else if (rc == WEIR_OK && place == WEIR_LETTERS_QUEUE) {
        rc = add_message(gap, &letter, txn, err);
    } /* files and servers cannot be asked whether it is still there: status keeps the gap */
    return rc != WEIR_OK ? weir_fail_in(err, rc, "dead letter of a gap: ") : rc;
}

static void let_go(struct gap *gap)
{
    weir_txn_destroy(WEIR_TAKE(gap->txn));
    weir_table_unref(WEIR_TAKE(gap->table_of_letters));
    weir_queue_unref(WEIR_TAKE(gap->queue_of_letters));
}

/* The outcome is known: read on, or try again. */
static void outcome_posted(struct weir_post *post)
{
    struct gap *gap = WEIR_CONTAINER(post, struct gap, post);
    struct weir_err err = gap->txn->err;
    enum weir_rc rc = gap->txn->rc;
    let_go(gap);
    if (gap->pipeline->stopped || gap->pipeline->leaving) {
        weir_pipeline_check_left(gap->pipeline);
        return;
    }
    if (rc == WEIR_OK && !gap->changed) {
        gap->told = true;
        gap->pipeline->untold--;
        weir_pipeline_wake(gap->pipeline);
    } else if (rc == WEIR_OK || rc == WEIR_E_CONFLICT) {
        submit(gap);
    } else {
        gap->why = err;
        weir_logline(WEIR_LOG_ERROR, "pipeline.gap_not_told", "pipeline",
                gap->pipeline->model->name.p, "reason", err.msg, NULL);
        weir_loop_timer_start(&gap->again, AGAIN_MS);
    }
}

static void written(struct weir_txn *txn)
{
    struct gap *gap = txn->arg;
    weir_loop_post(gap->pipeline->all->loop, &gap->post);
}

static void again_due(struct weir_loop_timer *timer)
{
    struct gap *gap = WEIR_CONTAINER(timer, struct gap, again);
    if (!gap->pipeline->stopped && !gap->pipeline->leaving) {
        submit(gap);
    }
}

/* Write entry and letter. Without a place that keeps letters the gap is told as long as weir runs.
 */
static void submit(struct gap *gap)
{
    struct pipeline *pipeline = gap->pipeline;
    gap->changed = false;
    gap->why.code = WEIR_OK;
    gap->txn = weir_txn_create();
    gap->txn->lane = true;
    gap->txn->done = written;
    gap->txn->arg = gap;
    enum weir_rc rc = WEIR_OK;
    if (weir_letters_are_kept(pipeline->model)) {
        put_entry(gap, gap->txn);
        rc = add_letter(gap, gap->txn, &gap->txn->err);
    }
    if (rc == WEIR_OK) {
        weir_store_submit(pipeline->all->store, gap->txn);
    } else {
        gap->txn->rc = rc;
        weir_loop_post(pipeline->all->loop, &gap->post);
    }
}

static struct gap *add_gap(struct pipeline *pipeline, struct weir_str table, uint32_t shard)
{
    struct gap *gap = weir_alloc_zero(1, sizeof(*gap));
    gap->pipeline = pipeline;
    gap->table = weir_str_own(table);
    gap->shard = shard;
    gap->post.run = outcome_posted;
    weir_loop_timer_init(&gap->again, pipeline->all->loop, again_due);
    gap->next = pipeline->gaps;
    pipeline->gaps = gap;
    return gap;
}

static void destroy(struct gap *gap)
{
    weir_loop_timer_fini(&gap->again);
    let_go(gap);
    weir_str_disown(gap->table);
    weir_free(gap);
}

/* The gap that ends where another one begins: the pipeline has read nothing in between. */
static struct gap *find_before(const struct shard *shard, struct weir_pos from)
{
    struct gap *gap = shard->source->pipeline->gaps;
    while (gap != NULL && (gap->shard != shard->number || gap->lost.to.seq != from.seq ||
                                  !weir_str_eq(gap->table, shard->source->name))) {
        gap = gap->next;
    }
    return gap;
}

static void extend(struct gap *gap, const struct weir_log_gap *more)
{
    gap->lost.to = more->to;
    gap->lost.to_time = more->to_time;
    gap->lost.counted = gap->lost.counted && more->counted;
    gap->lost.records.least += more->records.least;
    gap->lost.records.most += more->records.most;
}

void weir_gap_found(struct shard *shard)
{
    struct pipeline *pipeline = shard->source->pipeline;
    struct weir_log_gap lost = weir_log_reader_gap(shard->reader);
    if (lost.counted && lost.records.most == 0) {
        return; /* there was nothing of this shard in what has gone */
    }
    struct gap *gap = find_before(shard, lost.from);
    if (gap != NULL) {
        extend(gap, &lost);
    } else {
        gap = add_gap(pipeline, shard->source->name, shard->number);
        gap->lost = lost;
        gap->from_time = shard->read_time;
        gap->noticed = weir_clock_wall(weir_loop_clock(pipeline->all->loop));
        gap->told = true;
    }
    char reason[REASON_TEXT];
    write_reason(gap, reason);
    weir_logline(WEIR_LOG_ERROR, "pipeline.trimmed", "pipeline", pipeline->model->name.p, "reason",
            reason, NULL);
    weir_counter_add(pipeline->lost, lost.records.least);
    gap->changed = true;
    if (gap->told) {
        gap->told = false;
        pipeline->untold++;
        submit(gap);
    }
}

/* --- what is known from before -------------------------------------------------------------- */

/* An entry of the pipeline, from behind its name. False: it is none. */
static bool load_entry(struct pipeline *pipeline, struct weir_str rest, struct weir_str value)
{
    const char *zero = memchr(rest.p, '\0', rest.n);
    struct stored stored;
    if (zero == NULL || (size_t)(rest.p + rest.n - zero) != KEY_TAIL + 1 ||
            value.n != sizeof(stored)) {
        return false;
    }
    memcpy(&stored, value.p, sizeof(stored));
    const unsigned char *tail = (const unsigned char *)zero + 1;
    struct gap *gap = add_gap(
            pipeline, weir_str(rest.p, (size_t)(zero - rest.p)), (uint32_t)tail[0] << 8 | tail[1]);
    for (int i = 0; i < 8; i++) {
        gap->lost.from.seq = gap->lost.from.seq << 8 | tail[2 + i];
    }
    gap->lost.to.seq = stored.to;
    gap->lost.to_time.ms = stored.to_ms;
    gap->lost.counted = stored.counted != 0;
    gap->lost.records = (struct weir_log_count){ stored.least, stored.most };
    gap->from_time.ms = stored.from_ms;
    gap->noticed.ms = stored.noticed_ms;
    gap->told = true;
    return true;
}

static enum weir_rc load_gap(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    struct pipeline *pipeline = arg;
    struct weir_str name = pipeline->model->name;
    struct weir_str rest = weir_str(key.p + name.n + 1, key.n - name.n - 1);
    if (!load_entry(pipeline, rest, entry->value)) {
        return weir_fail(err, WEIR_E_DAMAGED, "a gap of pipeline %.*s has an unknown form",
                WEIR_STR_ARG(name));
    }
    return WEIR_OK;
}

enum weir_rc weir_gaps_load(struct pipeline *pipeline, struct weir_err *err)
{
    struct weir_str name = pipeline->model->name; /* ends with a zero byte */
    return weir_store_each(pipeline->all->store, WEIR_SPACE_GAP, weir_str(name.p, name.n + 1),
            load_gap, pipeline, err);
}

bool weir_gaps_are_busy(const struct pipeline *pipeline)
{
    const struct gap *gap = pipeline->gaps;
    while (gap != NULL && gap->txn == NULL) {
        gap = gap->next;
    }
    return gap != NULL;
}

void weir_gaps_destroy(struct pipeline *pipeline)
{
    while (pipeline->gaps != NULL) {
        struct gap *gap = pipeline->gaps;
        pipeline->gaps = gap->next;
        destroy(gap);
    }
}

/* --- acknowledging ------------------------------------------------------------------------ */

static bool note_letter(void *arg, const struct weir_letter *letter)
{
    (void)letter;
    *(bool *)arg = true;
    return false;
}

/* Whether the letter is still there; what cannot be read counts as that. */
static bool letter_stands(const struct gap *gap)
{
    char name[LETTER_TEXT];
    bool stands = false;
    struct weir_arena arena;
    struct weir_str next;
    letter_name(gap, name);
    struct weir_letters letters = {
        .pipeline = gap->pipeline->model->name,
        .sequence = weir_str_z(name),
    };
    weir_arena_init(&arena);
    enum weir_rc rc = weir_pipelines_letters(
            gap->pipeline->all, &letters, &arena, note_letter, &stands, &next, NULL);
    stands = stands || rc != WEIR_OK || next.n > 0; /* there is more to look at */
    weir_arena_fini(&arena);
    return stands;
}

static void entry_deleted(struct weir_txn *txn)
{
    weir_txn_destroy(txn); /* if it failed, the next start finds the letter missing again */
}

static void forget(struct gap *gap)
{
    struct pipeline *pipeline = gap->pipeline;
    struct gap **at = &pipeline->gaps;
    while (*at != gap) {
        at = &(*at)->next;
    }
    *at = gap->next;
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = entry_deleted;
    weir_txn_delete(txn, WEIR_SPACE_GAP, entry_key(&txn->arena, gap));
    weir_store_submit(pipeline->all->store, txn);
    destroy(gap);
}

void weir_gaps_look_again(struct pipeline *pipeline)
{
    if (pipeline->stopped || !weir_letters_are_kept(pipeline->model)) {
        return;
    }
    for (struct gap *gap = pipeline->gaps, *next = NULL; gap != NULL; gap = next) {
        next = gap->next;
        if (gap->told && !letter_stands(gap)) {
            forget(gap);
        }
    }
}

void weir_gaps_made_up_for(struct pipeline *pipeline)
{
    for (struct gap *gap = pipeline->gaps, *next = NULL; gap != NULL; gap = next) {
        next = gap->next;
        if (gap->told) {
            forget(gap);
        }
    }
}

/* --- status ----------------------------------------------------------------------------------- */

const struct weir_err *weir_gaps_blocked(const struct pipeline *pipeline)
{
    for (const struct gap *gap = pipeline->gaps; gap != NULL; gap = gap->next) {
        if (gap->why.code != WEIR_OK) {
            return &gap->why;
        }
    }
    return NULL;
}

static void write_time(struct weir_buf *buf, const char *name, struct weir_time time)
{
    char text[WEIR_TIME_TEXT];
    if (time.ms != 0) {
        weir_time_format(time, text);
        weir_buf_printf(buf, ",\"%s\":\"%s\"", name, text);
    }
}

static void write_gap(const struct gap *gap, struct weir_buf *buf)
{
    char letter[LETTER_TEXT];
    char from[WEIR_SEQUENCE_TEXT];
    char to[WEIR_SEQUENCE_TEXT];
    letter_name(gap, letter);
    weir_sequence_format(gap->lost.from, from);
    weir_sequence_format(gap->lost.to, to);
    weir_buf_z(buf, "{\"table\":");
    weir_json_write_string(buf, gap->table);
    weir_buf_printf(buf,
            ",\"shard\":%u,\"letter\":\"%s\",\"from_sequence\":\"%s\",\"to_sequence\":\"%s\"",
            gap->shard, letter, from, to);
    write_time(buf, "from_time", gap->from_time);
    write_time(buf, "to_time", gap->lost.to_time);
    if (gap->lost.counted) {
        weir_buf_printf(buf, ",\"records_least\":%llu,\"records_most\":%llu",
                (unsigned long long)gap->lost.records.least,
                (unsigned long long)gap->lost.records.most);
    }
    weir_buf_byte(buf, '}');
}

void weir_gaps_write(const struct pipeline *pipeline, struct weir_buf *buf)
{
    struct weir_log_count all = { 0 };
    struct weir_time since = { INT64_MAX };
    bool counted = true;
    for (const struct gap *gap = pipeline->gaps; gap != NULL; gap = gap->next) {
        since = gap->noticed.ms < since.ms ? gap->noticed : since;
        counted = counted && gap->lost.counted;
        all.least += gap->lost.records.least;
        all.most += gap->lost.records.most;
    }
    weir_buf_printf(buf, "\"trimmed\":{\"counted\":%s,\"records_least\":%llu",
            counted ? "true" : "false", (unsigned long long)all.least);
    if (counted) {
        weir_buf_printf(buf, ",\"records_most\":%llu", (unsigned long long)all.most);
    }
    write_time(buf, "since", since);
    weir_buf_z(buf, ",\"gaps\":[");
    for (const struct gap *gap = pipeline->gaps; gap != NULL; gap = gap->next) {
        weir_buf_z(buf, gap == pipeline->gaps ? "" : ",");
        write_gap(gap, buf);
    }
    weir_buf_z(buf, "]}");
}
