/* Reads records in the forms that Lambda and GetRecords give them. */
#include "value/ddbjson.h"
#include "value/json.h"
#include "value/record.h"

enum { LAST_SECOND = 253402300799 /* of the year 9999 */ };

struct reader {
    struct weir_json *json;
    struct weir_record *record;
    struct weir_record_source *source;
    struct weir_err *err;
};

/* A member of an object that is read; others are passed over. */
struct member {
    const char *name;
    enum weir_rc (*read)(struct reader *reader, enum weir_json_token token); /* of its value */
};

static enum weir_rc fail_kind(
        struct reader *reader, enum weir_json_token token, const char *expected)
{
    if (token == WEIR_JSON_ERROR) {
        if (reader->err != NULL) {
            *reader->err = reader->json->err;
        }
        return reader->json->err.code;
    }
    return weir_fail_at(reader->err, WEIR_E_INVALID, reader->json->pos, "expected %s, found %s",
            expected, weir_json_token_name(token));
}

/* The members of an object, in any order; of one that is given twice the last counts. */
static enum weir_rc read_object(
        struct reader *reader, enum weir_json_token token, const struct member *members)
{
    struct weir_json *json = reader->json;
    if (token != WEIR_JSON_OBJECT) {
        return fail_kind(reader, token, "an object");
    }
    while ((token = weir_json_next(json)) == WEIR_JSON_NAME) {
        const struct member *member = members;
        while (member->name != NULL && !weir_str_eq(json->text, weir_str_z(member->name))) {
            member++;
        }
        token = weir_json_next(json);
        enum weir_rc rc = WEIR_OK;
        if (member->name == NULL || token == WEIR_JSON_NULL) {
            rc = weir_json_skip(json, token, reader->err);
        } else if ((rc = member->read(reader, token)) != WEIR_OK) {
            return weir_fail_in(reader->err, rc, "%s: ", member->name);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return token == WEIR_JSON_OBJECT_END ? WEIR_OK : fail_kind(reader, token, "a member");
}

static enum weir_rc read_text(
        struct reader *reader, enum weir_json_token token, struct weir_str *ret_text)
{
    if (token != WEIR_JSON_STRING) {
        return fail_kind(reader, token, "a string");
    }
    *ret_text = reader->json->text;
    return WEIR_OK;
}

/* --- members of `dynamodb` ---------------------------------------------- */

/* Seconds; AWS floors them, but a fraction is taken as it is. */
static enum weir_rc read_created(struct reader *reader, enum weir_json_token token)
{
    struct weir_decimal seconds = { 0 };
    struct weir_decimal ms = { 0 };
    if (token != WEIR_JSON_NUMBER) {
        return fail_kind(reader, token, "seconds since 1970 as a number");
    }
    size_t pos = reader->json->pos;
    struct weir_str text = reader->json->text;
    enum weir_rc rc = weir_decimal_parse(text, &seconds, NULL);
    if (rc != WEIR_OK || seconds.coefficient < 0 ||
            weir_decimal_cmp(seconds, weir_decimal_from_i64(LAST_SECOND)) > 0 ||
            weir_decimal_mul(seconds, weir_decimal_from_i64(1000), &ms, NULL) != WEIR_OK ||
            !weir_decimal_to_i64(ms, &reader->record->created.ms)) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, pos,
                "expected seconds since 1970 up to the year 9999, found %.*s", WEIR_STR_ARG(text));
    }
    return WEIR_OK;
}

/* AWS's own sequence numbers are longer than a position; they have none here. */
static enum weir_rc read_sequence(struct reader *reader, enum weir_json_token token)
{
    struct weir_str text = { 0 };
    enum weir_rc rc = read_text(reader, token, &text);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool digits = text.n > 0;
    for (size_t i = 0; i < text.n; i++) {
        digits = digits && text.p[i] >= '0' && text.p[i] <= '9';
    }
    if (!digits) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, reader->json->pos,
                "expected digits, found '%.*s'", WEIR_STR_ARG(text));
    }
    reader->record->pos.seq = 0;
    if (weir_sequence_parse(text, &reader->record->pos, NULL) != WEIR_OK) {
        weir_str_to_u64(text, &reader->record->pos.seq);
    }
    return WEIR_OK;
}

static enum weir_rc read_view(struct reader *reader, enum weir_json_token token)
{
    struct weir_str text = { 0 };
    enum weir_rc rc = read_text(reader, token, &text);
    if (rc == WEIR_OK) {
        reader->source->view = weir_view_type_parse(text);
        if (reader->source->view == WEIR_VIEW_NONE && text.n > 0) {
            rc = weir_fail_at(reader->err, WEIR_E_INVALID, reader->json->pos,
                    "expected KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES, found '%.*s'",
                    WEIR_STR_ARG(text));
        }
    }
    return rc;
}

static enum weir_rc read_image(
        struct reader *reader, enum weir_json_token token, struct weir_item *ret_image)
{
    if (token != WEIR_JSON_OBJECT) {
        return fail_kind(reader, token, "an object");
    }
    return weir_ddbjson_read_item(reader->json, token, ret_image, reader->err);
}

static enum weir_rc read_keys(struct reader *reader, enum weir_json_token token)
{
    return read_image(reader, token, &reader->record->keys);
}

static enum weir_rc read_new(struct reader *reader, enum weir_json_token token)
{
    return read_image(reader, token, &reader->record->new_image);
}

static enum weir_rc read_old(struct reader *reader, enum weir_json_token token)
{
    return read_image(reader, token, &reader->record->old_image);
}

/* --- members of the record ---------------------------------------------- */

static enum weir_rc read_event_name(struct reader *reader, enum weir_json_token token)
{
    struct weir_str text = { 0 };
    enum weir_rc rc = read_text(reader, token, &text);
    if (rc != WEIR_OK) {
        return rc;
    }
    for (int i = WEIR_EVENT_INSERT; i <= WEIR_EVENT_REMOVE; i++) {
        if (weir_str_eq(text, weir_str_z(weir_event_name((enum weir_event_name)i)))) {
            reader->record->event = (enum weir_event_name)i;
            return WEIR_OK;
        }
    }
    return weir_fail_at(reader->err, WEIR_E_INVALID, reader->json->pos,
            "expected INSERT, MODIFY or REMOVE, found '%.*s'", WEIR_STR_ARG(text));
}

static enum weir_rc read_region(struct reader *reader, enum weir_json_token token)
{
    return read_text(reader, token, &reader->source->region);
}

/* arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL */
static enum weir_rc read_arn(struct reader *reader, enum weir_json_token token)
{
    static const char before[] = ":table/";
    struct weir_str arn = WEIR_STR("");
    enum weir_rc rc = read_text(reader, token, &arn);
    if (rc != WEIR_OK) {
        return rc;
    }
    reader->source->stream_arn = arn;
    const char *name = memmem(arn.p, arn.n, before, sizeof(before) - 1);
    if (name != NULL) {
        name += sizeof(before) - 1;
        size_t left = arn.n - (size_t)(name - arn.p);
        const char *end = memchr(name, '/', left);
        reader->source->table = weir_str(name, end != NULL ? (size_t)(end - name) : left);
    }
    return WEIR_OK;
}

static enum weir_rc read_principal(struct reader *reader, enum weir_json_token token)
{
    struct weir_str text = { 0 };
    enum weir_rc rc = read_text(reader, token, &text);
    reader->record->by_ttl |= weir_str_eq(text, WEIR_STR("dynamodb.amazonaws.com"));
    return rc;
}

static enum weir_rc read_identity(struct reader *reader, enum weir_json_token token)
{
    static const struct member members[] = {
        { "principalId", read_principal },
        { "PrincipalId", read_principal },
        { 0 },
    };
    return read_object(reader, token, members);
}

static enum weir_rc read_dynamodb(struct reader *reader, enum weir_json_token token)
{
    static const struct member members[] = {
        { "ApproximateCreationDateTime", read_created },
        { "Keys", read_keys },
        { "NewImage", read_new },
        { "OldImage", read_old },
        { "SequenceNumber", read_sequence },
        { "StreamViewType", read_view },
        { 0 },
    };
    return read_object(reader, token, members);
}

enum weir_rc weir_record_read(struct weir_json *json, enum weir_json_token token,
        struct weir_record *ret_record, struct weir_err *err)
{
    static const struct member members[] = {
        { "eventName", read_event_name },
        { "dynamodb", read_dynamodb },
        { "awsRegion", read_region },
        { "eventSourceARN", read_arn },
        { "userIdentity", read_identity },
        { 0 },
    };
    struct weir_record record = { 0 };
    struct weir_record_source *source = WEIR_ARENA_NEW(json->arena, struct weir_record_source);
    struct reader reader = { .json = json, .record = &record, .source = source, .err = err };
    source->table = WEIR_STR("");
    source->region = WEIR_STR("");
    source->stream_arn = WEIR_STR("");
    size_t pos = json->pos;
    enum weir_rc rc = read_object(&reader, token, members);
    if (rc == WEIR_OK && record.event == 0) {
        rc = weir_fail_at(
                err, WEIR_E_INVALID, pos, "a record needs an eventName: INSERT, MODIFY or REMOVE");
    }
    if (rc == WEIR_OK) {
        record.source = source;
        *ret_record = record;
    }
    return rc;
}
