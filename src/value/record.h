/*
 * Change records: what a table's stream carries for one change of one item.
 *
 * struct weir_record is a set of borrowed views into the log's bytes; whoever
 * hands it out says until when they are valid. Event patterns and expressions
 * read it in place; the writers below give the forms that the outside knows.
 */
#ifndef WEIR_VALUE_RECORD_H
#define WEIR_VALUE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "value/item.h"
#include "value/json.h"

/* The numbers are part of the log's format. */
enum weir_event_name {
    WEIR_EVENT_INSERT = 1,
    WEIR_EVENT_MODIFY = 2,
    WEIR_EVENT_REMOVE = 3,
};

/* What a stream's records carry; the numbers are part of the catalogue's format. */
enum weir_view_type {
    WEIR_VIEW_NONE = 0, /* the table has no stream */
    WEIR_VIEW_KEYS_ONLY = 1,
    WEIR_VIEW_NEW_IMAGE = 2,
    WEIR_VIEW_OLD_IMAGE = 3,
    WEIR_VIEW_NEW_AND_OLD_IMAGES = 4,
};

/* A place in the commit log; grows with every change. 0 is before the first. */
struct weir_pos {
    uint64_t seq;
};

/* What all records of one stream share. Borrowed by its records. */
struct weir_record_source {
    struct weir_str table;      /* the table's name */
    struct weir_str stream_arn; /* arn:aws:dynamodb:... */
    struct weir_str region;
    enum weir_view_type view;
};

struct weir_record {
    const struct weir_record_source *source;
    enum weir_event_name event;
    struct weir_pos pos;        /* of this change: the sequence number */
    struct weir_time created;   /* the commit time */
    uint32_t shard;             /* 0 .. shards - 1 */
    bool by_ttl;                /* deleted by time to live: carries userIdentity */
    struct weir_item keys;      /* the key attributes */
    struct weir_item old_image; /* empty: none, or not in the view */
    struct weir_item new_image; /* empty: none, or not in the view */
};

/* "INSERT", "MODIFY", "REMOVE". Static. */
const char *weir_event_name(enum weir_event_name event);

/* "NEW_AND_OLD_IMAGES", ...; "" for NONE. Static. */
const char *weir_view_type_name(enum weir_view_type view);

/* The view type of a name in any case (weir.yaml writes new_and_old_images); NONE when unknown. */
enum weir_view_type weir_view_type_parse(struct weir_str name);

enum { WEIR_SEQUENCE_TEXT = 22, WEIR_EVENT_ID_TEXT = 33, WEIR_SHARD_ID_TEXT = 38 };

/* The sequence number of a position: 21 digits. Zero-terminated. */
void weir_sequence_format(struct weir_pos pos, char text[static WEIR_SEQUENCE_TEXT]);

/* Back from text. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_sequence_parse(
        struct weir_str text, struct weir_pos *ret_pos, struct weir_err *err);

/*
 * The id of a shard of the stream that a table's keyspace carries since a time, e.g.
 * "shardId-00000001573689847184-00040003". Zero-terminated.
 */
void weir_shard_id_format(struct weir_time created, uint32_t space, uint32_t shard,
        char text[static WEIR_SHARD_ID_TEXT]);

/* The event id: 32 hex digits, the same at every read. Zero-terminated. */
void weir_record_event_id(const struct weir_record *record, char text[static WEIR_EVENT_ID_TEXT]);

/* SizeBytes: DynamoDB's size of the keys and images that the record carries. */
size_t weir_record_size(const struct weir_record *record);

enum weir_record_form {
    WEIR_RECORD_LAMBDA,  /* as Lambda hands it to functions; time in seconds with .0 */
    WEIR_RECORD_STREAMS, /* as GetRecords answers; no eventSourceARN, Type/PrincipalId */
};

/* Append the record as JSON. */
void weir_record_write(
        struct weir_buf *buf, const struct weir_record *record, enum weir_record_form form);

/*
 * Read a record in either form: token is the one just read. Needed is eventName; what else is
 * missing or null is empty or 0, what is unknown is passed over. eventID and SizeBytes follow from
 * the rest and are not taken from the text, and neither is a sequence number that is longer than a
 * position (AWS's): it becomes 0. The table's name is the one in eventSourceARN. The record, its
 * source and images are the reader's arena's or borrowed from its input.
 * Errors: WEIR_E_INVALID (names the member; position as weir_ddbjson_read_item),
 * WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_record_read(struct weir_json *json, enum weir_json_token token,
        struct weir_record *ret_record, struct weir_err *err);

#endif
