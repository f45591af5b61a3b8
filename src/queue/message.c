/* The keys and values of a queue's keyspace. docs/FORMATS.md has the bytes. */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "queue/queue_int.h"
#include "value/json.h"

enum {
    META_BYTES = 44, /* before the group */
    MESSAGE_MAX_BYTES = 4 * 1024 * 1024,
    ATTRIBUTE_NAME_MAX = 256,
};

struct weir_str weir_queue_number_key(char letter, uint64_t number, char text[WEIR_QUEUE_KEY])
{
    text[0] = letter;
    for (int i = 0; i < 8; i++) {
        text[1 + i] = (char)(number >> (56 - 8 * i));
    }
    return weir_str(text, WEIR_QUEUE_KEY);
}

uint64_t weir_queue_key_number(struct weir_str key)
{
    uint64_t number = 0;
    for (size_t i = 1; i < WEIR_QUEUE_KEY && i < key.n; i++) {
        number = number << 8 | (unsigned char)key.p[i];
    }
    return number;
}

/* --- state and meta -------------------------------------------------------------------- */

struct weir_str weir_queue_write_state(
        struct weir_arena *arena, const struct weir_queue_state *state)
{
    return weir_arena_str(arena, weir_str((const char *)state, sizeof(*state)));
}

enum weir_rc weir_queue_read_state(
        struct weir_str value, struct weir_queue_state *ret_state, struct weir_err *err)
{
    *ret_state = (struct weir_queue_state){ .next = 1 };
    if (value.n == 0) {
        return WEIR_OK;
    }
    if (value.n != sizeof(*ret_state)) {
        return weir_fail(err, WEIR_E_DAMAGED, "a queue's state has %zu bytes", value.n);
    }
    memcpy(ret_state, value.p, sizeof(*ret_state));
    return WEIR_OK;
}

struct weir_str weir_queue_write_meta(struct weir_arena *arena, const struct weir_queue_meta *meta)
{
    char *p = weir_arena_alloc(arena, META_BYTES + meta->group.n);
    memcpy(p, &meta->visible.ms, 8);
    memcpy(p + 8, &meta->sent.ms, 8);
    memcpy(p + 16, &meta->first_received.ms, 8);
    memcpy(p + 24, &meta->last_received.ms, 8);
    memcpy(p + 32, &meta->nonce, 8);
    memcpy(p + 40, &meta->receives, 4);
    if (meta->group.n > 0) {
        memcpy(p + META_BYTES, meta->group.p, meta->group.n);
    }
    return weir_str(p, META_BYTES + meta->group.n);
}

enum weir_rc weir_queue_read_meta(
        struct weir_str value, struct weir_queue_meta *ret_meta, struct weir_err *err)
{
    if (value.n < META_BYTES) {
        return weir_fail(err, WEIR_E_DAMAGED, "a queue's message has %zu bytes", value.n);
    }
    memcpy(&ret_meta->visible.ms, value.p, 8);
    memcpy(&ret_meta->sent.ms, value.p + 8, 8);
    memcpy(&ret_meta->first_received.ms, value.p + 16, 8);
    memcpy(&ret_meta->last_received.ms, value.p + 24, 8);
    memcpy(&ret_meta->nonce, value.p + 32, 8);
    memcpy(&ret_meta->receives, value.p + 40, 4);
    ret_meta->group = weir_str(value.p + META_BYTES, value.n - META_BYTES);
    return WEIR_OK;
}

bool weir_queues_is_new_message(const struct weir_change *change)
{
    return change->kind == WEIR_CHANGE_PUT && change->key.n == WEIR_QUEUE_KEY &&
           change->key.p[0] == 'b';
}

/* --- messages ------------------------------------------------------------------------------ */

size_t weir_message_bytes(const struct weir_message *message)
{
    size_t bytes = message->body.n;
    for (size_t i = 0; i < message->attribute_count; i++) {
        const struct weir_message_attribute *attribute = &message->attributes[i];
        bytes += attribute->name.n + attribute->type.n + attribute->value.n;
    }
    return bytes;
}

bool weir_message_noncharacter(struct weir_str text)
{
    static const unsigned char common[] = { 0xef, 0xbf };
    enum { FFFE_END = 0xbe };
    return text.n > sizeof(common) && memcmp(text.p, common, sizeof(common)) == 0 &&
           (unsigned char)text.p[sizeof(common)] >= FFFE_END;
}

/* Where the next of them is, from a place on; the end without one. */
static size_t find_noncharacter(struct weir_str text, size_t from)
{
    while (from < text.n && !weir_message_noncharacter(weir_str(text.p + from, text.n - from))) {
        from++;
    }
    return from;
}

/* They can only stand in strings, where an escape means the same. */
struct weir_str weir_message_json(struct weir_arena *arena, struct weir_str json)
{
    enum { UTF8_BYTES = 3 };
    size_t at = find_noncharacter(json, 0);
    if (at == json.n) {
        return weir_arena_str(arena, json);
    }
    struct weir_buf buf;
    weir_buf_init(&buf, 2 * json.n + UTF8_BYTES);
    for (size_t from = 0; from < json.n; at = find_noncharacter(json, from)) {
        weir_buf_add(&buf, json.p + from, at - from);
        from = at;
        if (at < json.n) {
            weir_buf_z(&buf, (unsigned char)json.p[at + 2] == 0xbe ? "\\ufffe" : "\\uffff");
            from += UTF8_BYTES;
        }
    }
    struct weir_str text = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return text;
}

/* Whether it begins with what AWS keeps for itself, in any case. */
static bool is_reserved(struct weir_str name)
{
    static const char *const prefixes[] = { "aws.", "amazon." };
    for (size_t i = 0; i < WEIR_COUNT(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (name.n >= n && strncasecmp(name.p, prefixes[i], n) == 0) {
            return true;
        }
    }
    return false;
}

bool weir_message_attribute_name_fits(struct weir_str name)
{
    char before = '.'; /* no period begins, ends or follows another */
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || (c == '.' && before != '.');
        if (!right) {
            return false;
        }
        before = c;
    }
    return before != '.' && name.n <= ATTRIBUTE_NAME_MAX && !is_reserved(name);
}

static void put_str(struct weir_buf *buf, struct weir_str s)
{
    uint32_t n = (uint32_t)s.n;
    weir_buf_add(buf, &n, sizeof(n));
    weir_buf_str(buf, s);
}

struct weir_str weir_queue_write_message(
        struct weir_arena *arena, const struct weir_message *message)
{
    struct weir_buf buf;
    weir_buf_init(&buf, MESSAGE_MAX_BYTES);
    put_str(&buf, message->id);
    put_str(&buf, message->body);
    put_str(&buf, message->dedup);
    put_str(&buf, message->trace);
    put_str(&buf, message->sender);
    put_str(&buf, message->source);
    put_str(&buf, message->causation);
    weir_buf_byte(&buf, (char)message->hops);
    for (size_t i = 0; i < message->attribute_count; i++) {
        put_str(&buf, message->attributes[i].name);
        put_str(&buf, message->attributes[i].type);
        put_str(&buf, message->attributes[i].value);
    }
    weir_assert(!buf.overflow); /* messages are checked before they get here */
    struct weir_str stored = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return stored;
}

static bool take_str(struct weir_str *rest, struct weir_str *ret_s)
{
    uint32_t n = 0;
    if (rest->n < sizeof(n)) {
        return false;
    }
    memcpy(&n, rest->p, sizeof(n));
    if (rest->n - sizeof(n) < n) {
        return false;
    }
    *ret_s = weir_str(rest->p + sizeof(n), n);
    *rest = weir_str(rest->p + sizeof(n) + n, rest->n - sizeof(n) - n);
    return true;
}

static bool take_attributes(
        struct weir_str rest, struct weir_arena *arena, struct weir_message *message)
{
    size_t capacity = 0;
    while (rest.n > 0) {
        struct weir_message_attribute one = { 0 };
        if (!take_str(&rest, &one.name) || !take_str(&rest, &one.type) ||
                !take_str(&rest, &one.value)) {
            return false;
        }
        if (message->attribute_count == capacity) {
            capacity = capacity > 0 ? 2 * capacity : 8;
            struct weir_message_attribute *more = weir_arena_zero(arena, capacity, sizeof(*more));
            if (message->attribute_count > 0) {
                memcpy(more, message->attributes, message->attribute_count * sizeof(*more));
            }
            message->attributes = more;
        }
        message->attributes[message->attribute_count++] = one;
    }
    return true;
}

enum weir_rc weir_queue_read_message(struct weir_str value, struct weir_arena *arena,
        struct weir_message *ret_message, struct weir_err *err)
{
    struct weir_message message = { 0 };
    struct weir_str rest = value;
    bool good = take_str(&rest, &message.id) && take_str(&rest, &message.body) &&
                take_str(&rest, &message.dedup) && take_str(&rest, &message.trace) &&
                take_str(&rest, &message.sender) && take_str(&rest, &message.source) &&
                take_str(&rest, &message.causation) && rest.n > 0;
    if (good) {
        message.hops = (uint8_t)rest.p[0];
        good = take_attributes(weir_str(rest.p + 1, rest.n - 1), arena, &message);
    }
    if (!good) {
        return weir_fail(err, WEIR_E_DAMAGED, "a queue's message cannot be read");
    }
    *ret_message = message;
    return WEIR_OK;
}

/* --- receipts ----------------------------------------------------------------------------------
 */

_Static_assert(sizeof(struct weir_queue_receipt) == 24, "no padding: all bytes are checked");

enum { RECEIPT_SEED = 1 };

static uint32_t receipt_sum(const struct weir_queue_receipt *receipt)
{
    return weir_crc32c(RECEIPT_SEED, receipt, offsetof(struct weir_queue_receipt, sum));
}

struct weir_str weir_queue_write_receipt(
        struct weir_arena *arena, const struct weir_queue_receipt *receipt)
{
    struct weir_queue_receipt summed = *receipt;
    struct weir_buf buf;
    summed.sum = receipt_sum(receipt);
    weir_buf_init(&buf, 64);
    weir_base64_encode(&buf, weir_str((const char *)&summed, sizeof(summed)));
    struct weir_str text = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return text;
}

enum weir_rc weir_queue_read_receipt(struct weir_arena *arena, struct weir_str text,
        struct weir_queue_receipt *ret_receipt, struct weir_err *err)
{
    struct weir_str bytes = { 0 };
    enum weir_rc rc = weir_base64_decode(arena, text, false, &bytes, NULL);
    if (rc == WEIR_OK && bytes.n == sizeof(*ret_receipt)) {
        memcpy(ret_receipt, bytes.p, sizeof(*ret_receipt));
        if (ret_receipt->sum == receipt_sum(ret_receipt)) {
            return WEIR_OK;
        }
    }
    return weir_fail(err, WEIR_E_DENIED,
            "The input receipt handle \"%.*s\" is not a valid receipt handle.", WEIR_STR_ARG(text));
}
