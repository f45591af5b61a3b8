#include "api/api_int.h"
const struct weir_operation weir_streams_operations[] = { { .name = NULL } };
