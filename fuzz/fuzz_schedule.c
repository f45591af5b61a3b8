/* A schedule expression: what is read has firings that come one after the other. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "schedule/expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_schedule_times times = { .anchor = { 1 } };
    struct weir_err err = { 0 };
    struct weir_str text = weir_str((const char *)data, size);
    if (weir_schedule_parse(text, &times.expression, &err) != WEIR_OK) {
        weir_assert(err.code == WEIR_E_INVALID && err.msg[0] != '\0' && err.pos <= size);
        return 0;
    }
    static const char *const zones[] = { "UTC", "Europe/Berlin", "+05:30" };
    times.zone = weir_zone_find(weir_str_z(zones[size % 3]));
    weir_assert(times.zone != NULL);
    struct weir_time after = { 0 };
    for (int i = 0; i < 20; i++) {
        struct weir_firing firing;
        if (!weir_schedule_next(&times, after, &firing)) {
            break;
        }
        weir_assert(firing.time.ms > after.ms);
        after = firing.time;
    }
    return 0;
}
