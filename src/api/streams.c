/* The DynamoDB Streams API. */
#include "api/ddb_int.h"
#include "base/hash.h"
#include "log/log.h"
#include "value/json.h"

enum {
    STREAMS_MAX = 100,
    SHARDS_MAX = 100,
    RECORDS_MAX = 1000,
    RECORDS_MAX_BYTES = 1024 * 1024,
    ITERATOR_LIFE_MS = 15 * 60 * 1000,
};

/* --- requests ------------------------------------------------------------------------- */

struct list_request {
    struct weir_str table_name;
    struct weir_str after;
    struct weir_wire_number limit;
};

struct shard_filter {
    struct weir_str type;
    struct weir_str shard_id;
};

struct describe_request {
    struct weir_str stream_arn;
    struct weir_str after;
    struct weir_wire_number limit;
    struct shard_filter *filter;
};

struct iterator_request {
    struct weir_str stream_arn;
    struct weir_str shard_id;
    struct weir_str type;
    struct weir_str sequence;
};

struct records_request {
    struct weir_str iterator;
    struct weir_wire_number limit;
};

#define ARN_LENGTH   .min = 37, .max = 1024
#define SHARD_LENGTH .min = 28, .max = 65

static const struct weir_wire_member list_members[] = {
    { "TableName", WEIR_WIRE_TABLE_NAME, .offset = offsetof(struct list_request, table_name) },
    { "ExclusiveStartStreamArn", WEIR_WIRE_STRING, .offset = offsetof(struct list_request, after),
            ARN_LENGTH },
    { "Limit", WEIR_WIRE_NUMBER, .offset = offsetof(struct list_request, limit), .min = 1,
            .max = STREAMS_MAX },
    { .name = NULL },
};
static const struct weir_wire_shape list_shape = { sizeof(struct list_request), list_members };

static const struct weir_wire_member filter_members[] = {
    { "Type", WEIR_WIRE_STRING, .offset = offsetof(struct shard_filter, type),
            .values = "[CHILD_SHARDS]" },
    { "ShardId", WEIR_WIRE_STRING, .offset = offsetof(struct shard_filter, shard_id),
            SHARD_LENGTH },
    { .name = NULL },
};
static const struct weir_wire_shape filter_shape = { sizeof(struct shard_filter), filter_members };

static const struct weir_wire_member describe_members[] = {
    { "StreamArn", WEIR_WIRE_STRING, .offset = offsetof(struct describe_request, stream_arn),
            .required = true, ARN_LENGTH },
    { "ExclusiveStartShardId", WEIR_WIRE_STRING, .offset = offsetof(struct describe_request, after),
            SHARD_LENGTH },
    { "Limit", WEIR_WIRE_NUMBER, .offset = offsetof(struct describe_request, limit), .min = 1,
            .max = SHARDS_MAX },
    { "ShardFilter", WEIR_WIRE_STRUCT, .offset = offsetof(struct describe_request, filter),
            &filter_shape },
    { .name = NULL },
};
static const struct weir_wire_shape describe_shape = { sizeof(struct describe_request),
    describe_members };

static const struct weir_wire_member iterator_members[] = {
    { "StreamArn", WEIR_WIRE_STRING, .offset = offsetof(struct iterator_request, stream_arn),
            .required = true, ARN_LENGTH },
    { "ShardId", WEIR_WIRE_STRING, .offset = offsetof(struct iterator_request, shard_id),
            .required = true, SHARD_LENGTH },
    { "ShardIteratorType", WEIR_WIRE_STRING, .offset = offsetof(struct iterator_request, type),
            .required = true,
            .values = "[AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON]" },
    { "SequenceNumber", WEIR_WIRE_STRING, .offset = offsetof(struct iterator_request, sequence),
            .min = 21, .max = 40 },
    { .name = NULL },
};
static const struct weir_wire_shape iterator_shape = { sizeof(struct iterator_request),
    iterator_members };

static const struct weir_wire_member records_members[] = {
    { "ShardIterator", WEIR_WIRE_STRING, .offset = offsetof(struct records_request, iterator),
            .required = true, .min = 1, .max = 2048 },
    { "Limit", WEIR_WIRE_NUMBER, .offset = offsetof(struct records_request, limit), .min = 1,
            .max = RECORDS_MAX },
    { .name = NULL },
};
static const struct weir_wire_shape records_shape = { sizeof(struct records_request),
    records_members };

/* --- iterators -------------------------------------------------------------------------- */

/* What a shard iterator holds; clients see it in base64. Older programs' ones just expire. */
struct token {
    uint32_t space;
    uint16_t shard;
    uint8_t version;
    bool horizon; /* from the oldest record there is */
    struct weir_pos after;
    struct weir_time made;
    uint32_t sum; /* of all the above */
    uint32_t unused;
};

_Static_assert(sizeof(struct token) == 32, "no padding: all bytes of a token are checked");

enum { TOKEN_VERSION = 1 };

static uint32_t token_sum(const struct token *token)
{
    return weir_crc32c(TOKEN_VERSION, token, offsetof(struct token, sum));
}

static void write_token(struct weir_buf *out, const char *name, struct token token)
{
    token.version = TOKEN_VERSION;
    token.sum = token_sum(&token);
    weir_out_name(out, name);
    weir_json_write_base64(out, weir_str((const char *)&token, sizeof(token)));
}

static enum weir_rc read_token(
        struct weir_call *call, struct weir_str text, struct token *ret_token, struct weir_err *err)
{
    struct weir_str bytes;
    enum weir_rc rc = weir_base64_decode(call->arena, text, false, &bytes, NULL);
    if (rc == WEIR_OK && bytes.n == sizeof(*ret_token)) {
        memcpy(ret_token, bytes.p, sizeof(*ret_token));
        if (ret_token->version == TOKEN_VERSION && ret_token->sum == token_sum(ret_token)) {
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_E_INVALID,
            "Invalid ShardIterator: it is not one that GetShardIterator or GetRecords gave out");
}

/* --- ListStreams, DescribeStream ----------------------------------------------------------- */

static void write_stream(struct weir_buf *out, const struct weir_table *table, bool more)
{
    weir_buf_z(out, more ? ",{" : "{");
    weir_out_text(out, "StreamArn", table->stream_arn);
    weir_out_text(out, "StreamLabel", table->stream_label);
    weir_out_text(out, "TableName", table->name);
    weir_buf_byte(out, '}');
}

/* The next table with a stream behind a name; NULL: there is none. The call holds it. */
static const struct weir_table *next_stream(struct weir_call *call, struct weir_str *after)
{
    struct weir_tables *tables = call->api->options.tables;
    while (weir_tables_list(tables, *after, call->arena, after, 1) > 0) {
        const struct weir_table *table = NULL;
        if (weir_call_table(call, *after, &table, NULL) == WEIR_OK &&
                table->view != WEIR_VIEW_NONE) {
            return table;
        }
    }
    return NULL;
}

static enum weir_rc find_stream(struct weir_call *call, struct weir_str arn,
        const struct weir_table **ret_table, struct weir_err *err)
{
    enum weir_rc rc = weir_tables_get_stream(call->api->options.tables, arn, ret_table, err);
    if (rc == WEIR_OK) {
        weir_call_hold(call, *ret_table);
    }
    return rc;
}

/* The stream of one table, which is at most one. */
static enum weir_rc list_stream_of(
        struct weir_call *call, const struct list_request *asked, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_z(call->out, "{\"Streams\":[");
    if (table->view != WEIR_VIEW_NONE && !weir_str_eq(asked->after, table->stream_arn)) {
        write_stream(call->out, table, false);
    }
    weir_buf_z(call->out, "]}");
    return WEIR_OK;
}

static enum weir_rc list_streams(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct list_request *asked = request;
    if (asked->table_name.p != NULL) {
        return list_stream_of(call, asked, err);
    }
    struct weir_str after = WEIR_STR("");
    if (asked->after.p != NULL) {
        const struct weir_table *start = NULL;
        enum weir_rc rc = find_stream(call, asked->after, &start, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        after = start->name;
    }
    size_t limit = asked->limit.set ? (size_t)asked->limit.value : STREAMS_MAX;
    size_t count = 0;
    struct weir_str last = WEIR_STR("");
    weir_buf_z(call->out, "{\"Streams\":[");
    const struct weir_table *table = next_stream(call, &after);
    for (; table != NULL && count < limit; count++) {
        write_stream(call->out, table, count > 0);
        last = table->stream_arn;
        table = next_stream(call, &after);
    }
    weir_buf_byte(call->out, ']');
    if (table != NULL) {
        weir_out_text(call->out, "LastEvaluatedStreamArn", last);
    }
    weir_buf_byte(call->out, '}');
    return WEIR_OK;
}

static enum weir_rc find_shard(const struct weir_table *table, struct weir_str id,
        uint32_t *ret_shard, struct weir_err *err)
{
    for (uint32_t shard = 0; shard < table->shards; shard++) {
        char text[WEIR_SHARD_ID_TEXT];
        weir_shard_id_format(table->stream_created, table->space, shard, text);
        if (weir_str_eq(id, weir_str_z(text))) {
            *ret_shard = shard;
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_E_NOT_FOUND,
            "Requested resource not found: Shard: %.*s in Stream: %.*s not found", WEIR_STR_ARG(id),
            WEIR_STR_ARG(table->stream_arn));
}

static void write_shard(
        struct weir_call *call, const struct weir_table *table, uint32_t shard, bool more)
{
    char id[WEIR_SHARD_ID_TEXT];
    char first[WEIR_SEQUENCE_TEXT];
    struct weir_log *log = weir_store_log(weir_tables_store(call->api->options.tables));
    struct weir_log_extent extent;
    weir_log_extent(log, table->space, (int32_t)shard, &extent);
    weir_shard_id_format(table->stream_created, table->space, shard, id);
    weir_sequence_format(extent.count > 0 ? extent.first : weir_log_oldest(log), first);
    weir_buf_printf(call->out,
            "%s{\"ShardId\":\"%s\",\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"%s\"}}",
            more ? "," : "", id, first);
}

static enum weir_rc write_shards(struct weir_call *call, const struct weir_table *table,
        const struct describe_request *asked, struct weir_err *err)
{
    uint32_t shard = 0;
    if (asked->after.p != NULL) {
        enum weir_rc rc = find_shard(table, asked->after, &shard, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        shard++;
    }
    /* No shard has children: streams here do not split. */
    uint32_t limit = asked->filter != NULL ? 0
                     : asked->limit.set    ? (uint32_t)asked->limit.value
                                           : SHARDS_MAX;
    uint32_t count = 0;
    weir_out_name(call->out, "Shards");
    weir_buf_byte(call->out, '[');
    for (; shard < table->shards && count < limit; shard++, count++) {
        write_shard(call, table, shard, count > 0);
    }
    weir_buf_byte(call->out, ']');
    if (count > 0 && shard < table->shards) {
        char id[WEIR_SHARD_ID_TEXT];
        weir_shard_id_format(table->stream_created, table->space, shard - 1, id);
        weir_out_text(call->out, "LastEvaluatedShardId", weir_str_z(id));
    }
    return WEIR_OK;
}

static enum weir_rc describe_stream(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct describe_request *asked = request;
    const struct weir_table *table = NULL;
    enum weir_rc rc = find_stream(call, asked->stream_arn, &table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_buf *out = call->out;
    weir_buf_z(out, "{\"StreamDescription\":{");
    weir_out_text(out, "StreamArn", table->stream_arn);
    weir_out_text(out, "StreamLabel", table->stream_label);
    weir_out_text(out, "StreamStatus", WEIR_STR("ENABLED"));
    weir_out_text(out, "StreamViewType", weir_str_z(weir_view_type_name(table->view)));
    weir_out_text(out, "TableName", table->name);
    weir_out_time(out, "CreationRequestDateTime", table->stream_created);
    weir_ddb_write_key(out, &table->key);
    rc = write_shards(call, table, asked, err);
    weir_buf_z(out, "}}");
    return rc;
}

/* --- GetShardIterator, GetRecords ------------------------------------------------------------ */

static enum weir_rc fail_trimmed(struct weir_err *err)
{
    return weir_fail(err, WEIR_E_TRIMMED,
            "The operation attempted to read past the oldest stream record in a shard.");
}

/* Where an iterator of the types with a sequence number begins. */
static enum weir_rc place_at(const struct iterator_request *asked, struct weir_log *log,
        struct token *token, struct weir_err *err)
{
    if (asked->sequence.p == NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "SequenceNumber must be given when ShardIteratorType is %.*s",
                WEIR_STR_ARG(asked->type));
    }
    enum weir_rc rc = weir_sequence_parse(asked->sequence, &token->after, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (token->after.seq < weir_log_oldest(log).seq) {
        return fail_trimmed(err);
    }
    if (weir_str_eq(asked->type, WEIR_STR("AT_SEQUENCE_NUMBER"))) {
        token->after.seq--;
    }
    return WEIR_OK;
}

static enum weir_rc get_shard_iterator(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct iterator_request *asked = request;
    const struct weir_table *table = NULL;
    uint32_t shard = 0;
    struct weir_log *log = weir_store_log(weir_tables_store(call->api->options.tables));
    enum weir_rc rc = find_stream(call, asked->stream_arn, &table, err);
    if (rc == WEIR_OK) {
        rc = find_shard(table, asked->shard_id, &shard, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct token token = { .space = table->space, .shard = (uint16_t)shard };
    token.made = weir_clock_wall(call->api->options.clock);
    token.horizon = weir_str_eq(asked->type, WEIR_STR("TRIM_HORIZON"));
    if (weir_str_eq(asked->type, WEIR_STR("LATEST"))) {
        token.after.seq = weir_log_end(log).seq - 1; /* the next change may stand at the end */
    } else if (!token.horizon) {
        rc = place_at(asked, log, &token, err);
    }
    if (rc == WEIR_OK) {
        weir_buf_byte(call->out, '{');
        write_token(call->out, "ShardIterator", token);
        weir_buf_byte(call->out, '}');
    }
    return rc;
}

/* Append the records from the reader on; a page ends at so many, or at 1 MB. */
static enum weir_rc write_records(struct weir_buf *out, const struct weir_table *table,
        struct weir_log_reader *reader, bool horizon, size_t limit, struct weir_err *err)
{
    size_t bytes = 0;
    for (size_t count = 0; count < limit && bytes < RECORDS_MAX_BYTES; count++) {
        struct weir_change change;
        struct weir_time time;
        bool have = false;
        enum weir_rc rc = weir_log_next(reader, &change, &time, &have, err);
        if (rc == WEIR_E_TRIMMED && horizon) { /* the reader now stands at the oldest */
            rc = weir_log_next(reader, &change, &time, &have, err);
        }
        if (rc == WEIR_E_TRIMMED) {
            return fail_trimmed(err);
        }
        if (rc != WEIR_OK || !have) {
            return rc;
        }
        struct weir_record record;
        weir_table_record(table, &change, time, &record);
        if (count > 0) {
            weir_buf_byte(out, ',');
        }
        weir_record_write(out, &record, WEIR_RECORD_STREAMS);
        bytes += weir_record_size(&record);
    }
    return WEIR_OK;
}

static enum weir_rc get_records(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct records_request *asked = request;
    struct weir_tables *tables = call->api->options.tables;
    struct token token = { 0 };
    enum weir_rc rc = read_token(call, asked->iterator, &token, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_time now = weir_clock_wall(call->api->options.clock);
    if (now.ms - token.made.ms > ITERATOR_LIFE_MS) {
        return weir_fail(err, WEIR_E_TIMEOUT,
                "Iterator expired. The iterator was created more than 15 minutes ago.");
    }
    const struct weir_table *table = weir_tables_get_space(tables, token.space);
    if (table == NULL) {
        return weir_fail(err, WEIR_E_NOT_FOUND,
                "Requested resource not found: the iterator's stream is gone");
    }
    weir_call_hold(call, table);
    struct weir_log_filter filter = { .space = token.space, .shard = token.shard };
    struct weir_log_reader *reader =
            weir_log_reader_create(weir_store_log(weir_tables_store(tables)), filter, token.after);
    size_t limit = asked->limit.set ? (size_t)asked->limit.value : RECORDS_MAX;
    weir_buf_z(call->out, "{\"Records\":[");
    rc = write_records(call->out, table, reader, token.horizon, limit, err);
    weir_buf_byte(call->out, ']');
    token.after = weir_log_reader_pos(reader);
    token.horizon = token.horizon && token.after.seq == 0;
    token.made = now;
    weir_log_reader_destroy(reader);
    write_token(call->out, "NextShardIterator", token);
    weir_buf_byte(call->out, '}');
    return rc;
}

const struct weir_operation weir_streams_operations[] = {
    { "ListStreams", &list_shape, list_streams },
    { "DescribeStream", &describe_shape, describe_stream },
    { "GetShardIterator", &iterator_shape, get_shard_iterator },
    { "GetRecords", &records_shape, get_records },
    { .name = NULL },
};
