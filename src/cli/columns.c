#include "cli/columns.h"

struct weir_cli_row {
    struct weir_str cells[WEIR_CLI_CELLS_MAX];
    struct weir_cli_row *next;
};

void weir_cli_columns_add(struct weir_cli_columns *columns, const struct weir_str *cells)
{
    struct weir_cli_row *row = WEIR_ARENA_NEW(&columns->arena, struct weir_cli_row);
    for (size_t i = 0; i < columns->count; i++) {
        row->cells[i] = cells[i];
        columns->widths[i] = cells[i].n > columns->widths[i] ? cells[i].n : columns->widths[i];
    }
    *columns->last = row;
    columns->last = &row->next;
}

void weir_cli_columns_init(
        struct weir_cli_columns *columns, const char *const *titles, size_t count)
{
    struct weir_str cells[WEIR_CLI_CELLS_MAX] = { 0 };
    *columns = (struct weir_cli_columns){ .count = count };
    weir_arena_init(&columns->arena);
    columns->last = &columns->first;
    for (size_t i = 0; i < count; i++) {
        columns->right[i] = titles[i][0] == '>';
        cells[i] = weir_str_z(titles[i] + columns->right[i]);
    }
    weir_cli_columns_add(columns, cells);
}

void weir_cli_columns_write(struct weir_cli_columns *columns, struct weir_buf *out,
        const char *before, const char *empty)
{
    const struct weir_cli_row *row = columns->first->next != NULL ? columns->first : NULL;
    weir_buf_z(out, row != NULL ? before : empty);
    for (; row != NULL; row = row->next) {
        for (size_t i = 0; i < columns->count; i++) {
            int width = (int)columns->widths[i];
            bool last = i + 1 == columns->count;
            weir_buf_printf(out, "%*.*s%s",
                    columns->right[i] ? width
                    : last            ? 0
                                      : -width,
                    WEIR_STR_ARG(row->cells[i]), last ? "\n" : "  ");
        }
    }
    weir_arena_fini(&columns->arena);
}
