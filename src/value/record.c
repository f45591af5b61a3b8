#include "value/record.h"

#include <stdio.h>
#include <strings.h>

#include "base/hash.h"
#include "value/ddbjson.h"
#include "value/json.h"

const char *weir_event_name(enum weir_event_name event)
{
    static const char *const names[] = { "", "INSERT", "MODIFY", "REMOVE" };
    return names[event];
}

static const char *const view_names[] = { "", "KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE",
    "NEW_AND_OLD_IMAGES" };

const char *weir_view_type_name(enum weir_view_type view)
{
    return view_names[view];
}

enum weir_view_type weir_view_type_parse(struct weir_str name)
{
    for (int i = WEIR_VIEW_KEYS_ONLY; i <= WEIR_VIEW_NEW_AND_OLD_IMAGES; i++) {
        if (name.n == strlen(view_names[i]) && strncasecmp(name.p, view_names[i], name.n) == 0) {
            return (enum weir_view_type)i;
        }
    }
    return WEIR_VIEW_NONE;
}

/* A leading 1 keeps the text at 21 digits, the least that clients accept. */
void weir_sequence_format(struct weir_pos pos, char text[static WEIR_SEQUENCE_TEXT])
{
    snprintf(text, WEIR_SEQUENCE_TEXT, "1%020llu", (unsigned long long)pos.seq);
}

enum weir_rc weir_sequence_parse(
        struct weir_str text, struct weir_pos *ret_pos, struct weir_err *err)
{
    uint64_t seq = 0;
    if (text.n != WEIR_SEQUENCE_TEXT - 1 || text.p[0] != '1' ||
            !weir_str_to_u64(weir_str(text.p + 1, text.n - 1), &seq)) {
        return weir_fail(err, WEIR_E_INVALID, "'%.*s' is not a sequence number of this stream",
                WEIR_STR_ARG(text));
    }
    ret_pos->seq = seq;
    return WEIR_OK;
}

void weir_shard_id_format(struct weir_time created, uint32_t space, uint32_t shard,
        char text[static WEIR_SHARD_ID_TEXT])
{
    snprintf(text, WEIR_SHARD_ID_TEXT, "shardId-%020llu-%04x%04x", (unsigned long long)created.ms,
            (unsigned)(space & 0xffff), (unsigned)(shard & 0xffff));
}

void weir_record_event_id(const struct weir_record *record, char text[static WEIR_EVENT_ID_TEXT])
{
    struct weir_str arn = record->source->stream_arn;
    uint64_t high = weir_hash64(record->pos.seq, arn.p, arn.n);
    uint64_t low = weir_hash64(~record->pos.seq, arn.p, arn.n);
    snprintf(text, WEIR_EVENT_ID_TEXT, "%016llx%016llx", (unsigned long long)high,
            (unsigned long long)low);
}

size_t weir_record_size(const struct weir_record *record)
{
    return weir_item_size(record->keys) + weir_item_size(record->old_image) +
           weir_item_size(record->new_image);
}

static void write_image(struct weir_buf *buf, const char *name, struct weir_item image)
{
    if (image.n > 0) {
        weir_buf_printf(buf, "\"%s\":", name);
        weir_ddbjson_write_item(buf, image);
        weir_buf_byte(buf, ',');
    }
}

static void write_identity(struct weir_buf *buf, enum weir_record_form form)
{
    const char *text = form == WEIR_RECORD_LAMBDA ? ",\"userIdentity\":{\"type\":\"Service\","
                                                    "\"principalId\":\"dynamodb.amazonaws.com\"}"
                                                  : ",\"userIdentity\":{\"PrincipalId\":\"dynamodb."
                                                    "amazonaws.com\",\"Type\":\"Service\"}";
    weir_buf_z(buf, text);
}

void weir_record_write(
        struct weir_buf *buf, const struct weir_record *record, enum weir_record_form form)
{
    const struct weir_record_source *source = record->source;
    char event_id[WEIR_EVENT_ID_TEXT];
    char sequence[WEIR_SEQUENCE_TEXT];
    weir_record_event_id(record, event_id);
    weir_sequence_format(record->pos, sequence);
    weir_buf_printf(buf,
            "{\"eventID\":\"%s\",\"eventName\":\"%s\",\"eventVersion\":\"1.1\","
            "\"eventSource\":\"aws:dynamodb\",\"awsRegion\":",
            event_id, weir_event_name(record->event));
    weir_json_write_string(buf, source->region);
    /* AWS floors the time to the second and sends it as a number. */
    weir_buf_printf(buf, ",\"dynamodb\":{\"ApproximateCreationDateTime\":%lld%s,",
            (long long)(record->created.ms / 1000), form == WEIR_RECORD_LAMBDA ? ".0" : "");
    write_image(buf, "Keys", record->keys);
    write_image(buf, "NewImage", record->new_image);
    write_image(buf, "OldImage", record->old_image);
    weir_buf_printf(buf, "\"SequenceNumber\":\"%s\",\"SizeBytes\":%zu,\"StreamViewType\":\"%s\"}",
            sequence, weir_record_size(record), weir_view_type_name(source->view));
    if (record->by_ttl) {
        write_identity(buf, form);
    }
    if (form == WEIR_RECORD_LAMBDA) {
        weir_buf_z(buf, ",\"eventSourceARN\":");
        weir_json_write_string(buf, source->stream_arn);
    }
    weir_buf_byte(buf, '}');
}
