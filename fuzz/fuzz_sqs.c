/*
 * SQS's requests. In the query protocol a form becomes JSON that the requests' reader can always
 * read, or is refused; and what was read, written as XML, is no trouble either. What begins with a
 * '{' is a request of the JSON protocol, for every operation.
 */
#include <stddef.h>
#include <stdint.h>

#include "api/sqs_int.h"
#include "value/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read a request; action: of one operation, p NULL: of all. */
static void check_shape(struct weir_str action, struct weir_str json, struct weir_arena *arena)
{
    for (const struct weir_operation *o = weir_sqs_operations; o->name != NULL; o++) {
        bool asked = action.p == NULL || weir_str_eq(action, weir_str_z(o->name));
        if (o->shape == NULL || !asked) {
            continue;
        }
        void *request = NULL;
        struct weir_str message = { 0 };
        enum weir_wire_fault fault = weir_wire_read(o->shape, json, arena, &request, &message);
        weir_assert(fault == WEIR_WIRE_FINE || message.n > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena arena;
    struct weir_str action;
    struct weir_str json;
    struct weir_err err = { 0 };
    struct weir_str form = weir_str((const char *)data, size);
    weir_arena_init(&arena);
    if (size > 0 && data[0] == '{') {
        check_shape(weir_str(NULL, 0), form, &arena);
        weir_arena_fini(&arena);
        return 0;
    }
    if (weir_sqs_read_form(form, &arena, &action, &json, &err) != WEIR_OK) {
        weir_assert(err.msg[0] != '\0');
        weir_arena_fini(&arena);
        return 0;
    }
    struct weir_json reader;
    enum weir_json_token token;
    weir_json_init(&reader, json, &arena, 64);
    do {
        token = weir_json_next(&reader);
    } while (token != WEIR_JSON_END && token != WEIR_JSON_ERROR);
    weir_assert(token == WEIR_JSON_END);
    check_shape(action, json, &arena);
    struct weir_buf xml;
    weir_buf_init(&xml, 64 * 1024 * 1024);
    enum weir_rc rc = weir_sqs_write_xml(&xml, "SendMessageBatch", json, WEIR_STR("id"), &err);
    weir_assert(rc == WEIR_OK || err.msg[0] != '\0');
    weir_buf_fini(&xml);
    weir_arena_fini(&arena);
    return 0;
}
