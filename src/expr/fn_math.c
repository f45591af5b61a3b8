#include "expr/expr_int.h"
const struct weir_function weir_functions_math[] = { { 0 } };
