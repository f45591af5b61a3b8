#include "expr/expr_int.h"
bool weir_zone_offset(struct weir_str zone, int64_t seconds, int32_t *ret_offset)
{
    (void)seconds;
    *ret_offset = 0;
    return weir_str_eq(zone, WEIR_STR("UTC"));
}
