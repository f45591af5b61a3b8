/* Requests of the DynamoDB APIs: the first byte picks the operation, the rest is the body. */
#include <stddef.h>
#include <stdint.h>

#include "api/ddb_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_operation *operations[128];
    size_t count = 0;
    for (const struct weir_operation *o = weir_ddb_operations; o->name != NULL; o++) {
        if (o->shape != NULL) {
            operations[count++] = o;
        }
    }
    for (const struct weir_operation *o = weir_streams_operations; o->name != NULL; o++) {
        operations[count++] = o;
    }
    if (size == 0) {
        return 0;
    }
    const struct weir_operation *operation = operations[data[0] % count];
    struct weir_arena arena;
    weir_arena_init(&arena);
    void *request = NULL;
    struct weir_str message = { 0 };
    struct weir_str body = weir_str((const char *)data + 1, size - 1);
    enum weir_wire_fault fault = weir_wire_read(operation->shape, body, &arena, &request, &message);
    if (fault == WEIR_WIRE_FINE) {
        fault = weir_wire_check(operation->shape, request, &arena, &message);
    }
    if (fault != WEIR_WIRE_FINE) {
        weir_assert(message.n > 0);
    } else if (operation->shape == &weir_ddb_create_shape) {
        struct weir_table table;
        struct weir_err err;
        if (weir_ddb_define_table(request, &arena, &table, &err) == WEIR_OK) {
            weir_assert(weir_table_check(&table, NULL) == WEIR_OK);
        }
    }
    weir_arena_fini(&arena);
    return 0;
}
