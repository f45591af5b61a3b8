/*
 * Catalogues: definitions by name, such as those of tables and of queues. A definition is an item
 * in WEIR_SPACE_CATALOGUE, under a letter and the name, and is mirrored in memory; the mirror
 * follows the keyspace on the commit thread, before whoever changed it hears of the commit. Under
 * "n" the keyspace has the next free keyspace number.
 *
 * A definition in memory never changes: another version of it takes its place, and whoever holds a
 * reference keeps the old one.
 */
#ifndef WEIR_STORE_CATALOGUE_H
#define WEIR_STORE_CATALOGUE_H

#include <stdatomic.h>

#include "base/lock.h"
#include "store/store.h"
#include "value/item.h"

/* What a definition in memory has embedded. decode fills the first one in. */
struct weir_defined {
    struct weir_str name; /* with the definition's life */
    const struct weir_catalogue_kind *kind;
    struct weir_pos pos; /* of the entry */
    _Atomic int references;
};

/* What is defined, and the functions for it; arg is the catalogue's. */
struct weir_catalogue_kind {
    char letter;
    /* Make a definition from an entry, with one reference. Errors: WEIR_E_DAMAGED. */
    enum weir_rc (*decode)(void *arg, struct weir_item stored, struct weir_defined **ret_defined,
            struct weir_err *err);
    void (*destroy)(struct weir_defined *defined);
    /* `now` takes the place of `old`, a version of the same or something of the same name. */
    void (*replace)(void *arg, struct weir_defined *old, struct weir_defined *now);
    /* It is not in the catalogue any more. */
    void (*gone)(void *arg, struct weir_defined *defined);
    /* The mirror may have changed: on the commit thread, and when it is opened. */
    void (*changed)(void *arg);
};

struct weir_catalogue {
    const struct weir_catalogue_kind *kind;
    void *arg;
    struct weir_store *store;
    struct weir_watch watch;
    struct weir_mutex mutex;   /* guards what follows */
    struct weir_defined **all; /* by name */
    size_t count;
    size_t capacity;
    void (*on_change)(void *arg);
    void *on_change_arg;
};

/*
 * Mirror what the store has, and follow it from now on. kind and arg are borrowed. On errors it is
 * to be closed all the same. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_catalogue_open(struct weir_catalogue *catalogue,
        struct weir_store *store, const struct weir_catalogue_kind *kind, void *arg,
        struct weir_err *err);
void weir_catalogue_close(struct weir_catalogue *catalogue);

/* Called on the commit thread after each change, behind kind->changed. One at a time. Any thread.
 */
void weir_catalogue_on_change(
        struct weir_catalogue *catalogue, void (*changed)(void *arg), void *arg);

/* --- looking up: any thread --------------------------------------------------------- */

void weir_defined_ref(struct weir_defined *defined);
void weir_defined_unref(struct weir_defined *defined);

/* With a reference for the caller; NULL: there is none of the name. */
struct weir_defined *weir_catalogue_get(struct weir_catalogue *catalogue, struct weir_str name);

/* The first one for which `is` says so, with a reference; NULL: none is. */
struct weir_defined *weir_catalogue_find(struct weir_catalogue *catalogue,
        bool (*is)(const struct weir_defined *defined, const void *what), const void *what);

/*
 * Names in order, those after `after` that begin with the prefix (both may be empty), at most cap;
 * copied into the arena. Returns how many.
 */
size_t weir_catalogue_list(struct weir_catalogue *catalogue, struct weir_str after,
        struct weir_str prefix, struct weir_arena *arena, struct weir_str *names, size_t cap);

/* All, by name, each with a reference for the caller; the array is in the arena. */
size_t weir_catalogue_all(
        struct weir_catalogue *catalogue, struct weir_arena *arena, struct weir_defined ***ret_all);

/* --- changing: within operations, on the commit thread -------------------------------- */

/*
 * What stands under a name now, with a reference; NULL: nothing does. Errors: WEIR_E_IO,
 * WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_catalogue_read(const struct weir_catalogue *catalogue,
        struct weir_view *view, struct weir_str name, struct weir_defined **ret_defined,
        struct weir_err *err);
/* Write an item, which lives as long as the view's arena, under a name; or delete it. */
void weir_catalogue_write(const struct weir_catalogue *catalogue, struct weir_view *view,
        struct weir_str name, struct weir_item item);
void weir_catalogue_delete(
        const struct weir_catalogue *catalogue, struct weir_view *view, struct weir_str name);

/*
 * Take so many keyspace numbers that were never used: the first of them. Errors: WEIR_E_IO,
 * WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_catalogue_take_spaces(
        struct weir_view *view, uint32_t count, uint32_t *ret_first, struct weir_err *err);
/* Drop a keyspace with all that is in it. */
void weir_catalogue_drop_space(struct weir_view *view, uint32_t space);

#endif
