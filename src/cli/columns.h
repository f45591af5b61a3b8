/* Rows of cells with aligned columns, for people. */
#ifndef WEIR_CLI_COLUMNS_H
#define WEIR_CLI_COLUMNS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"

enum { WEIR_CLI_CELLS_MAX = 8 };

struct weir_cli_row;

struct weir_cli_columns {
    struct weir_arena arena; /* rows; and cells that callers put there */
    struct weir_cli_row *first;
    struct weir_cli_row **last;
    size_t count;
    size_t widths[WEIR_CLI_CELLS_MAX];
    bool right[WEIR_CLI_CELLS_MAX]; /* numbers stand to the right */
};

/* Start with the titles; '>' before one puts its column to the right. Ended by the write. */
void weir_cli_columns_init(
        struct weir_cli_columns *columns, const char *const *titles, size_t count);

/* Add a row of as many cells as there are titles. The cells' bytes are borrowed until the write. */
void weir_cli_columns_add(struct weir_cli_columns *columns, const struct weir_str *cells);

/* Append all rows behind `before`, or `empty` when there are none but the titles; and free. */
void weir_cli_columns_write(struct weir_cli_columns *columns, struct weir_buf *out,
        const char *before, const char *empty);

#endif
