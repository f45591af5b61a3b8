/*
 * Tables that were dropped: their streams outlive them, for those who had not read everything yet.
 * Definitions only, as many as there are places.
 */
#include <string.h>

#include "base/lock.h"
#include "table/table_int.h"

void weir_tables_dropped_init(struct weir_tables *tables)
{
    weir_mutex_init(&tables->dropped.mutex, WEIR_LOCK_DROPPED);
}

void weir_tables_dropped_fini(struct weir_tables *tables)
{
    for (size_t i = 0; i < tables->dropped.count; i++) {
        weir_table_unref(tables->dropped.all[i]);
    }
    weir_mutex_fini(&tables->dropped.mutex);
}

void weir_tables_note_dropped(struct weir_tables *tables, const struct weir_table *table)
{
    struct weir_tables_dropped *dropped = &tables->dropped;
    if (table->view == WEIR_VIEW_NONE) {
        return;
    }
    weir_table_ref(table);
    weir_mutex_lock(&dropped->mutex);
    if (dropped->count == WEIR_COUNT(dropped->all)) {
        weir_table_unref(dropped->all[0]);
        dropped->count--;
        memmove(dropped->all, dropped->all + 1, dropped->count * sizeof(dropped->all[0]));
    }
    dropped->all[dropped->count++] = table;
    weir_mutex_unlock(&dropped->mutex);
}

const struct weir_table *weir_tables_get_dropped(
        struct weir_tables *tables, struct weir_str name, uint32_t after)
{
    struct weir_tables_dropped *dropped = &tables->dropped;
    const struct weir_table *found = NULL;
    weir_mutex_lock(&dropped->mutex);
    for (size_t i = 0; i < dropped->count && found == NULL; i++) {
        const struct weir_table *table = dropped->all[i];
        if (table->space > after && weir_str_eq(table->name, name)) {
            weir_table_ref(table);
            found = table;
        }
    }
    weir_mutex_unlock(&dropped->mutex);
    return found;
}
