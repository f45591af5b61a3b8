#include "store/catalogue.h"

#include <string.h>

#include "base/mem.h"

static const struct weir_str next_space_key = { "n", 1 };

static struct weir_str entry_key(
        const struct weir_catalogue *catalogue, struct weir_arena *arena, struct weir_str name)
{
    return weir_arena_printf(arena, "%c%.*s", catalogue->kind->letter, WEIR_STR_ARG(name));
}

/* --- references ---------------------------------------------------------------------- */

void weir_defined_ref(struct weir_defined *defined)
{
    atomic_fetch_add(&defined->references, 1);
}

void weir_defined_unref(struct weir_defined *defined)
{
    if (defined != NULL && atomic_fetch_sub(&defined->references, 1) == 1) {
        defined->kind->destroy(defined);
    }
}

static enum weir_rc decode(const struct weir_catalogue *catalogue, const struct weir_entry *entry,
        struct weir_defined **ret_defined, struct weir_err *err)
{
    struct weir_item stored = { entry->value.p, entry->value.n };
    enum weir_rc rc = catalogue->kind->decode(catalogue->arg, stored, ret_defined, err);
    if (rc == WEIR_OK) {
        (*ret_defined)->kind = catalogue->kind;
        (*ret_defined)->pos = entry->pos;
        atomic_init(&(*ret_defined)->references, 1);
    }
    return rc;
}

/* --- the mirror -------------------------------------------------------------------------- */

/* The place of a name: where it is, or where it would go. */
static size_t place_of(
        const struct weir_catalogue *catalogue, struct weir_str name, bool *ret_found)
{
    size_t low = 0;
    size_t high = catalogue->count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = weir_str_cmp(name, catalogue->all[middle]->name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void remove_at(struct weir_catalogue *catalogue, size_t i)
{
    struct weir_defined *defined = catalogue->all[i];
    memmove(catalogue->all + i, catalogue->all + i + 1,
            (catalogue->count - i - 1) * sizeof(struct weir_defined *));
    catalogue->count--;
    catalogue->kind->gone(catalogue->arg, defined);
    weir_defined_unref(defined);
}

static void insert_at(struct weir_catalogue *catalogue, size_t i, struct weir_defined *defined)
{
    if (catalogue->count == catalogue->capacity) {
        catalogue->capacity = catalogue->capacity > 0 ? catalogue->capacity * 2 : 16;
        catalogue->all = weir_realloc(catalogue->all, catalogue->capacity, sizeof(*catalogue->all));
    }
    memmove(catalogue->all + i + 1, catalogue->all + i,
            (catalogue->count - i) * sizeof(struct weir_defined *));
    catalogue->all[i] = defined;
    catalogue->count++;
}

struct mirroring {
    struct weir_catalogue *catalogue;
    size_t i; /* the next definition in memory */
};

/* Bring the next definition, in the order of names, in line with an entry. */
static enum weir_rc mirror_entry(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    struct mirroring *mirroring = arg;
    struct weir_catalogue *catalogue = mirroring->catalogue;
    struct weir_str name = weir_str(key.p + 1, key.n - 1);
    size_t i = mirroring->i++;
    while (i < catalogue->count && weir_str_cmp(catalogue->all[i]->name, name) < 0) {
        remove_at(catalogue, i);
    }
    struct weir_defined *old = i < catalogue->count ? catalogue->all[i] : NULL;
    bool same_name = old != NULL && weir_str_eq(old->name, name);
    if (same_name && old->pos.seq == entry->pos.seq) {
        return WEIR_OK;
    }
    struct weir_defined *now = NULL;
    enum weir_rc rc = decode(catalogue, entry, &now, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (same_name) {
        catalogue->kind->replace(catalogue->arg, old, now);
        catalogue->all[i] = now;
        weir_defined_unref(old);
    } else {
        insert_at(catalogue, i, now);
    }
    return WEIR_OK;
}

static enum weir_rc mirror(struct weir_catalogue *catalogue, struct weir_err *err)
{
    struct mirroring mirroring = { catalogue, 0 };
    struct weir_str prefix = weir_str(&catalogue->kind->letter, 1);
    weir_mutex_lock(&catalogue->mutex); /* before the state is looked at, so that none goes back */
    enum weir_rc rc = weir_store_each(
            catalogue->store, WEIR_SPACE_CATALOGUE, prefix, mirror_entry, &mirroring, err);
    while (rc == WEIR_OK && mirroring.i < catalogue->count) {
        remove_at(catalogue, catalogue->count - 1);
    }
    weir_mutex_unlock(&catalogue->mutex);
    if (rc == WEIR_OK) {
        catalogue->kind->changed(catalogue->arg);
    }
    return rc;
}

static void keyspace_changed(struct weir_watch *watch)
{
    struct weir_catalogue *catalogue = WEIR_CONTAINER(watch, struct weir_catalogue, watch);
    struct weir_err err;
    /* The entries were written a moment ago by this program: only a failing disk gets here. */
    weir_assert(mirror(catalogue, &err) == WEIR_OK);
    weir_mutex_lock(&catalogue->mutex);
    void (*on_change)(void *arg) = catalogue->on_change;
    void *arg = catalogue->on_change_arg;
    weir_mutex_unlock(&catalogue->mutex);
    if (on_change != NULL) {
        on_change(arg);
    }
}

void weir_catalogue_on_change(
        struct weir_catalogue *catalogue, void (*changed)(void *arg), void *arg)
{
    weir_mutex_lock(&catalogue->mutex);
    catalogue->on_change = changed;
    catalogue->on_change_arg = arg;
    weir_mutex_unlock(&catalogue->mutex);
}

enum weir_rc weir_catalogue_open(struct weir_catalogue *catalogue, struct weir_store *store,
        const struct weir_catalogue_kind *kind, void *arg, struct weir_err *err)
{
    *catalogue = (struct weir_catalogue){
        .kind = kind,
        .arg = arg,
        .store = store,
        .watch = { .space = WEIR_SPACE_CATALOGUE, .wake = keyspace_changed },
    };
    weir_mutex_init(&catalogue->mutex, WEIR_LOCK_CATALOGUE);
    weir_store_watch(store, &catalogue->watch);
    return mirror(catalogue, err);
}

void weir_catalogue_close(struct weir_catalogue *catalogue)
{
    weir_store_unwatch(catalogue->store, &catalogue->watch);
    for (size_t i = 0; i < catalogue->count; i++) {
        weir_defined_unref(catalogue->all[i]);
    }
    weir_free(catalogue->all);
    weir_mutex_fini(&catalogue->mutex);
}

/* --- looking up ------------------------------------------------------------------------------ */

struct weir_defined *weir_catalogue_get(struct weir_catalogue *catalogue, struct weir_str name)
{
    bool found = false;
    weir_mutex_lock(&catalogue->mutex);
    size_t i = place_of(catalogue, name, &found);
    struct weir_defined *defined = found ? catalogue->all[i] : NULL;
    if (found) {
        weir_defined_ref(defined);
    }
    weir_mutex_unlock(&catalogue->mutex);
    return defined;
}

struct weir_defined *weir_catalogue_find(struct weir_catalogue *catalogue,
        bool (*is)(const struct weir_defined *defined, const void *what), const void *what)
{
    struct weir_defined *found = NULL;
    weir_mutex_lock(&catalogue->mutex);
    for (size_t i = 0; i < catalogue->count && found == NULL; i++) {
        if (is(catalogue->all[i], what)) {
            found = catalogue->all[i];
            weir_defined_ref(found);
        }
    }
    weir_mutex_unlock(&catalogue->mutex);
    return found;
}

size_t weir_catalogue_list(struct weir_catalogue *catalogue, struct weir_str after,
        struct weir_str prefix, struct weir_arena *arena, struct weir_str *names, size_t cap)
{
    bool found = false;
    bool behind = weir_str_cmp(after, prefix) >= 0;
    size_t n = 0;
    weir_mutex_lock(&catalogue->mutex);
    size_t i = place_of(catalogue, behind ? after : prefix, &found);
    i = found && behind && after.n > 0 ? i + 1 : i;
    for (; i < catalogue->count && n < cap; i++) {
        if (!weir_str_starts(catalogue->all[i]->name, prefix)) {
            break;
        }
        names[n++] = weir_arena_str(arena, catalogue->all[i]->name);
    }
    weir_mutex_unlock(&catalogue->mutex);
    return n;
}

size_t weir_catalogue_all(
        struct weir_catalogue *catalogue, struct weir_arena *arena, struct weir_defined ***ret_all)
{
    weir_mutex_lock(&catalogue->mutex);
    size_t count = catalogue->count;
    *ret_all = weir_arena_zero(arena, count, sizeof(struct weir_defined *));
    for (size_t i = 0; i < count; i++) {
        (*ret_all)[i] = catalogue->all[i];
        weir_defined_ref(catalogue->all[i]);
    }
    weir_mutex_unlock(&catalogue->mutex);
    return count;
}

/* --- changing -------------------------------------------------------------------------------- */

enum weir_rc weir_catalogue_read(const struct weir_catalogue *catalogue, struct weir_view *view,
        struct weir_str name, struct weir_defined **ret_defined, struct weir_err *err)
{
    struct weir_entry entry;
    struct weir_str key = entry_key(catalogue, weir_view_arena(view), name);
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_CATALOGUE, key, &entry, err);
    *ret_defined = NULL;
    return rc == WEIR_OK && entry.pos.seq != 0 ? decode(catalogue, &entry, ret_defined, err) : rc;
}

void weir_catalogue_write(const struct weir_catalogue *catalogue, struct weir_view *view,
        struct weir_str name, struct weir_item item)
{
    weir_view_put(view, WEIR_SPACE_CATALOGUE, entry_key(catalogue, weir_view_arena(view), name),
            weir_str(item.p, item.n));
}

void weir_catalogue_delete(
        const struct weir_catalogue *catalogue, struct weir_view *view, struct weir_str name)
{
    weir_view_delete(view, WEIR_SPACE_CATALOGUE, entry_key(catalogue, weir_view_arena(view), name));
}

enum weir_rc weir_catalogue_take_spaces(
        struct weir_view *view, uint32_t count, uint32_t *ret_first, struct weir_err *err)
{
    struct weir_entry entry;
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_CATALOGUE, next_space_key, &entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    uint32_t next = WEIR_SPACE_FIRST_FREE;
    if (entry.value.n == sizeof(next)) {
        memcpy(&next, entry.value.p, sizeof(next));
    }
    *ret_first = next;
    next += count;
    struct weir_str value =
            weir_arena_str(weir_view_arena(view), weir_str((const char *)&next, sizeof(next)));
    weir_view_put(view, WEIR_SPACE_CATALOGUE, next_space_key, value);
    return WEIR_OK;
}

void weir_catalogue_drop_space(struct weir_view *view, uint32_t space)
{
    struct weir_change change = { .kind = WEIR_CHANGE_DROP, .space = space };
    weir_view_add(view, &change);
}
