/*
 * Members of items that weir keeps for itself, such as definitions and entries of the store: short
 * ways to write them and to read them back. What is not there, or is something else, reads as
 * nothing, so members can be added without a new format.
 *
 * Threads: as items and their builders.
 */
#ifndef WEIR_VALUE_MEMBER_H
#define WEIR_VALUE_MEMBER_H

#include "base/clock.h"
#include "value/item.h"

/* Add a member to the map that is open; name and value are copied. Text with p NULL: no member. */
void weir_member_put_s(struct weir_item_builder *builder, const char *name, struct weir_str value);
void weir_member_put_u64(struct weir_item_builder *builder, const char *name, uint64_t value);
void weir_member_put_bool(struct weir_item_builder *builder, const char *name, bool value);
/* As milliseconds since 1970, which must not be before. */
void weir_member_put_time(
        struct weir_item_builder *builder, const char *name, struct weir_time value);

/* A map with the members of an item; empty when it has no bytes. */
void weir_member_put_map(struct weir_item_builder *builder, const char *name, struct weir_item map);

/* Finish an item that is shallow and small, so that there is nothing to refuse. */
struct weir_item weir_member_finish(struct weir_item_builder *builder);

/* Text, borrowed from the item; p NULL when there is none. */
struct weir_str weir_member_s(struct weir_item item, const char *name);
/* 0 when there is none, or it is no whole number that fits. */
uint64_t weir_member_u64(struct weir_item item, const char *name);
bool weir_member_bool(struct weir_item item, const char *name);
struct weir_time weir_member_time(struct weir_item item, const char *name);

#endif
