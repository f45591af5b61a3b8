/* Records that wait in a lane. */
#include <string.h>

#include "base/mem.h"
#include "pipeline/pipeline_int.h"

static struct weir_str copy_bytes(char **at, struct weir_str bytes)
{
    struct weir_str copy = weir_str(*at, bytes.n);
    if (bytes.n > 0) {
        memcpy(*at, bytes.p, bytes.n);
        *at += bytes.n;
    }
    return copy;
}

static struct weir_item copy_item(char **at, struct weir_item item)
{
    struct weir_str copy = copy_bytes(at, weir_str(item.p, item.n));
    return (struct weir_item){ copy.p, copy.n };
}

struct queued *weir_queued_create(const struct weir_record *record, struct weir_str key,
        uint8_t hops, const struct weir_origin *origin, struct weir_str token)
{
    size_t bytes = record->keys.n + record->old_image.n + record->new_image.n + key.n + token.n;
    struct queued *queued = weir_alloc(sizeof(*queued) + bytes);
    char *at = (char *)(queued + 1);
    *queued = (struct queued){
        .record = *record,
        .bytes = bytes,
        .now = record->created,
        .hops = hops,
        .origin = origin,
    };
    queued->key = copy_bytes(&at, key);
    queued->token = copy_bytes(&at, token);
    queued->record.keys = copy_item(&at, record->keys);
    queued->record.old_image = copy_item(&at, record->old_image);
    queued->record.new_image = copy_item(&at, record->new_image);
    return queued;
}

void weir_queued_destroy(struct queued *queued, bool settled)
{
    if (queued->origin != NULL && queued->origin->left != NULL) {
        queued->origin->left(queued, settled);
    }
    weir_free(queued);
}

void weir_queued_drop(struct queued *queued)
{
    queued->failed = true;
    queued->gone = true;
    queued->err = (struct weir_err){ .code = WEIR_E_CONDITION };
}

void weir_queued_fail(struct queued *first, size_t count, enum weir_letter_condition condition,
        unsigned attempts, const struct weir_step *step, const struct weir_err *err)
{
    struct together together = { 0 };
    struct queued *queued = first;
    for (size_t i = 0; i < count; i++, queued = queued->next) {
        if (!weir_queued_is_out(queued)) {
            together.first = together.count > 0 ? together.first : queued->record.pos;
            together.last = queued->record.pos;
            together.count++;
        }
    }
    queued = first;
    for (size_t i = 0; i < count; i++, queued = queued->next) {
        if (!weir_queued_is_out(queued)) {
            queued->failed = true;
            queued->condition = condition;
            queued->together = together.count > 1 ? together : (struct together){ 0 };
            queued->attempts = attempts;
            queued->step = step->id;
            queued->err = *err;
        }
    }
}

void weir_queued_init(struct queued_list *list)
{
    *list = (struct queued_list){ 0 };
    list->last = &list->first;
}

void weir_queued_add(struct queued_list *list, struct queued *queued)
{
    queued->next = NULL;
    if (list->count == 0) {
        list->last = &list->first;
    }
    *list->last = queued;
    list->last = &queued->next;
    list->count++;
    list->bytes += queued->bytes;
}

struct queued *weir_queued_take(struct queued_list *list)
{
    struct queued *queued = list->first;
    if (queued != NULL) {
        list->first = queued->next;
        list->count--;
        list->bytes -= queued->bytes;
    }
    return queued;
}

void weir_queued_clear(struct queued_list *list)
{
    for (struct queued *q = weir_queued_take(list); q != NULL; q = weir_queued_take(list)) {
        weir_queued_destroy(q, false);
    }
}
