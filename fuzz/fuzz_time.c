/* Times and the names of time zones, as requests and files give them. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_str text = weir_str((const char *)data, size);
    struct weir_time time;
    struct weir_time again;
    char written[WEIR_TIME_TEXT];
    if (weir_time_parse(text, &time)) {
        weir_time_format(time, written);
        weir_assert(weir_time_parse(weir_str_z(written), &again) && again.ms == time.ms);
    }
    const struct weir_zone *zone = weir_zone_find(text);
    weir_assert(zone == weir_zone_find(text)); /* one for each name, or none */
    return 0;
}
