#include "expr/expr_int.h"
bool weir_fn_format(const struct weir_call *call, struct weir_expr_value *ret)
{
    (void)ret;
    return weir_call_no_overload(call);
}
