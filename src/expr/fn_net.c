#include "expr/expr_int.h"
const struct weir_function weir_functions_net[] = { { 0 } };
size_t weir_ip_format(const struct weir_expr_value *value, char text[static WEIR_IP_TEXT])
{
    (void)value;
    text[0] = '\0';
    return 0;
}
bool weir_ip_parse(struct weir_str text, struct weir_expr_value *ret)
{
    (void)ret;
    return text.n > 1000;
}
bool weir_cidr_parse(struct weir_str text, struct weir_expr_value *ret)
{
    (void)ret;
    return text.n > 1000;
}
