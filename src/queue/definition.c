/* Queue definitions: checked, compared, and stored as items, as tables' are. */
#include <string.h>

#include "base/mem.h"
#include "queue/queue_int.h"
#include "value/member.h"

struct weir_queue weir_queue_defaults(struct weir_str name)
{
    return (struct weir_queue){
        .name = name,
        .visibility_ms = 30 * WEIR_QUEUE_SECOND_MS,
        .retention_ms = 4ull * 24 * 3600 * WEIR_QUEUE_SECOND_MS,
        .max_bytes = WEIR_QUEUE_MESSAGE_MAX_BYTES,
        .fifo = name.n > 5 && memcmp(name.p + name.n - 5, ".fifo", 5) == 0,
    };
}

/* --- checking ---------------------------------------------------------------------- */

static bool is_name(struct weir_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_';
        if (!right) {
            return false;
        }
    }
    return name.n > 0;
}

static enum weir_rc check_range(const char *name, uint64_t value, uint64_t low, uint64_t high,
        uint64_t unit, struct weir_err *err)
{
    if (value >= low && value <= high) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_INVALID,
            "Invalid value for the parameter %s: %llu is not between %llu and %llu", name,
            (unsigned long long)(value / unit), (unsigned long long)(low / unit),
            (unsigned long long)(high / unit));
}

static enum weir_rc check_numbers(const struct weir_queue *queue, struct weir_err *err)
{
    enum { SECOND = WEIR_QUEUE_SECOND_MS };
    const struct {
        const char *name;
        uint64_t value;
        uint64_t low;
        uint64_t high;
        uint64_t unit;
    } ranges[] = {
        { "VisibilityTimeout", queue->visibility_ms, 0, WEIR_QUEUE_VISIBILITY_MAX_MS, SECOND },
        { "DelaySeconds", queue->delay_ms, 0, WEIR_QUEUE_DELAY_MAX_MS, SECOND },
        { "MessageRetentionPeriod", queue->retention_ms, WEIR_QUEUE_RETENTION_MIN_MS,
                WEIR_QUEUE_RETENTION_MAX_MS, SECOND },
        { "ReceiveMessageWaitTimeSeconds", queue->wait_ms, 0, WEIR_QUEUE_WAIT_MAX_MS, SECOND },
        { "MaximumMessageSize", queue->max_bytes, 1024, WEIR_QUEUE_MESSAGE_MAX_BYTES, 1 },
    };
    for (size_t i = 0; i < WEIR_COUNT(ranges); i++) {
        enum weir_rc rc = check_range(ranges[i].name, ranges[i].value, ranges[i].low,
                ranges[i].high, ranges[i].unit, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_queue_check(const struct weir_queue *definition, struct weir_err *err)
{
    struct weir_str name = definition->name;
    bool ends = name.n > 5 && memcmp(name.p + name.n - 5, ".fifo", 5) == 0;
    struct weir_str stem = weir_str(name.p, ends ? name.n - 5 : name.n);
    if (!is_name(stem) || name.n > WEIR_QUEUE_NAME_MAX || ends != definition->fifo) {
        return weir_fail(err, WEIR_E_INVALID,
                definition->fifo
                        ? "The name of a FIFO queue can only include alphanumeric characters, "
                          "hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in "
                          "length"
                        : "Can only include alphanumeric characters, hyphens, or underscores. 1 to "
                          "80 in length");
    }
    if (definition->dedup_by_content && !definition->fifo) {
        return weir_fail(err, WEIR_E_INVALID, "Unknown Attribute ContentBasedDeduplication.");
    }
    if (definition->dedup_by_group && !definition->fifo) {
        return weir_fail(err, WEIR_E_INVALID, "Unknown Attribute DeduplicationScope.");
    }
    if (definition->dead_letters.n > 0 &&
            (definition->max_receives < 1 || definition->max_receives > WEIR_QUEUE_REDRIVE_MAX)) {
        return weir_fail(err, WEIR_E_INVALID,
                "Value %llu for parameter maxReceiveCount is invalid. Reason: must be between 1 "
                "and 1000.",
                (unsigned long long)definition->max_receives);
    }
    return check_numbers(definition, err);
}

const char *weir_queue_difference(const struct weir_queue *a, const struct weir_queue *b)
{
    const struct {
        const char *name;
        bool same;
    } parts[] = {
        { "VisibilityTimeout", a->visibility_ms == b->visibility_ms },
        { "DelaySeconds", a->delay_ms == b->delay_ms },
        { "MessageRetentionPeriod", a->retention_ms == b->retention_ms },
        { "ReceiveMessageWaitTimeSeconds", a->wait_ms == b->wait_ms },
        { "MaximumMessageSize", a->max_bytes == b->max_bytes },
        { "RedrivePolicy", weir_str_eq(a->dead_letters, b->dead_letters) &&
                                   (a->dead_letters.n == 0 || a->max_receives == b->max_receives) },
        { "FifoQueue", a->fifo == b->fifo },
        { "ContentBasedDeduplication", a->dedup_by_content == b->dedup_by_content },
        { "DeduplicationScope", a->dedup_by_group == b->dedup_by_group },
    };
    for (size_t i = 0; i < WEIR_COUNT(parts); i++) {
        if (!parts[i].same) {
            return parts[i].name;
        }
    }
    return NULL;
}

/* --- storing ----------------------------------------------------------------------- */

struct weir_item weir_queue_encode(struct weir_arena *arena, const struct weir_queue *queue)
{
    struct weir_item_builder *b = weir_item_begin(arena);
    weir_member_put_s(b, "name", queue->name);
    weir_member_put_u64(b, "space", queue->space);
    weir_member_put_time(b, "created", queue->created);
    weir_member_put_time(b, "modified", queue->modified);
    weir_member_put_u64(b, "visibility", queue->visibility_ms);
    weir_member_put_u64(b, "delay", queue->delay_ms);
    weir_member_put_u64(b, "retention", queue->retention_ms);
    weir_member_put_u64(b, "wait", queue->wait_ms);
    weir_member_put_u64(b, "max_bytes", queue->max_bytes);
    weir_member_put_s(b, "dead_letters", queue->dead_letters);
    weir_member_put_u64(b, "max_receives", queue->max_receives);
    weir_member_put_bool(b, "fifo", queue->fifo);
    weir_member_put_bool(b, "dedup_by_content", queue->dedup_by_content);
    weir_member_put_bool(b, "dedup_by_group", queue->dedup_by_group);
    weir_member_put_bool(b, "from_file", queue->from_file);
    weir_member_put_map(b, "echoed", queue->echoed);
    weir_member_put_map(b, "tags", queue->tags);
    return weir_member_finish(b);
}

static struct weir_str copy_s(struct weir_arena *arena, struct weir_item item, const char *name)
{
    return weir_arena_str(arena, weir_member_s(item, name));
}

static struct weir_item get_texts(struct weir_arena *arena, struct weir_item item, const char *name)
{
    struct weir_item texts = weir_value_map(weir_item_get(item, weir_str_z(name)));
    struct weir_str copy = weir_arena_str(arena, weir_str(texts.p, texts.n));
    return (struct weir_item){ copy.p, copy.n };
}

enum weir_rc weir_queue_decode(const struct weir_queues *queues, struct weir_item stored,
        struct weir_queue_box **ret_box, struct weir_err *err)
{
    enum weir_rc rc = weir_item_check(stored, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "the catalogue's entry of a queue: ");
    }
    struct weir_queue_box *box = weir_alloc_zero(1, sizeof(*box));
    struct weir_arena *arena = &box->arena;
    struct weir_queue *queue = &box->queue;
    weir_arena_init(arena);
    box->life = weir_alloc_zero(1, sizeof(*box->life));
    atomic_init(&box->life->references, 1);
    queue->name = copy_s(arena, stored, "name");
    box->defined.name = queue->name;
    queue->space = (uint32_t)weir_member_u64(stored, "space");
    queue->created = weir_member_time(stored, "created");
    queue->modified = weir_member_time(stored, "modified");
    queue->visibility_ms = weir_member_u64(stored, "visibility");
    queue->delay_ms = weir_member_u64(stored, "delay");
    queue->retention_ms = weir_member_u64(stored, "retention");
    queue->wait_ms = weir_member_u64(stored, "wait");
    queue->max_bytes = weir_member_u64(stored, "max_bytes");
    queue->dead_letters = copy_s(arena, stored, "dead_letters");
    queue->max_receives = weir_member_u64(stored, "max_receives");
    queue->fifo = weir_member_bool(stored, "fifo");
    queue->dedup_by_content = weir_member_bool(stored, "dedup_by_content");
    queue->dedup_by_group = weir_member_bool(stored, "dedup_by_group");
    queue->from_file = weir_member_bool(stored, "from_file");
    queue->echoed = get_texts(arena, stored, "echoed");
    queue->tags = get_texts(arena, stored, "tags");
    queue->arn = weir_arena_printf(arena, "arn:aws:sqs:%.*s:%.*s:%.*s",
            WEIR_STR_ARG(queues->region), WEIR_STR_ARG(queues->account), WEIR_STR_ARG(queue->name));
    atomic_init(&box->life->space, queue->space);
    *ret_box = box;
    return WEIR_OK;
}

void weir_queue_box_destroy(struct weir_queue_box *box)
{
    if (box == NULL) {
        return;
    }
    if (atomic_fetch_sub(&box->life->references, 1) == 1) {
        weir_free(box->life);
    }
    weir_arena_fini(&box->arena);
    weir_free(box);
}
