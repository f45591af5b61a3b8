/* Frames in memory: reference-counted blocks, the tail of the log, blocks read from disk. */
#include <string.h>

#include "log/log_int.h"

struct weir_log_block *weir_log_block_get(
        struct weir_log_blocks *blocks, size_t capacity, uint64_t begin)
{
    struct weir_log_block *block = blocks->pool;
    if (capacity <= WEIR_LOG_BLOCK_BYTES && block != NULL) {
        blocks->pool = block->next;
        blocks->pool_count--;
    } else {
        capacity = capacity > WEIR_LOG_BLOCK_BYTES ? capacity : WEIR_LOG_BLOCK_BYTES;
        block = weir_alloc(sizeof(*block) + capacity);
        block->capacity = capacity;
    }
    block->next = NULL;
    block->begin = begin;
    atomic_init(&block->refs, 1);
    atomic_init(&block->end, begin);
    return block;
}

void weir_log_block_put(struct weir_log_blocks *blocks, struct weir_log_block *block)
{
    if (block == NULL || atomic_fetch_sub_explicit(&block->refs, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (block->capacity == WEIR_LOG_BLOCK_BYTES && blocks->pool_count < WEIR_LOG_POOL_BLOCKS) {
        block->next = blocks->pool;
        blocks->pool = block;
        blocks->pool_count++;
    } else {
        weir_free(block);
    }
}

void weir_log_blocks_fini(struct weir_log_blocks *blocks)
{
    for (size_t i = 0; i < blocks->tail_count; i++) {
        weir_log_block_put(blocks, blocks->tail[i]);
    }
    weir_free(blocks->tail);
    for (size_t i = 0; i < WEIR_LOG_CACHE_BLOCKS; i++) {
        weir_log_block_put(blocks, blocks->cache[i]);
    }
    while (blocks->pool != NULL) {
        struct weir_log_block *block = blocks->pool;
        blocks->pool = block->next;
        weir_free(block);
    }
    *blocks = (struct weir_log_blocks){ 0 };
}

/* Let the oldest blocks go while the tail is too large; the newest stays. */
static void cut_tail(struct weir_log_blocks *blocks)
{
    size_t gone = 0;
    while (blocks->tail_bytes > blocks->tail_max_bytes && gone + 1 < blocks->tail_count) {
        blocks->tail_bytes -= blocks->tail[gone]->capacity;
        weir_log_block_put(blocks, blocks->tail[gone++]);
    }
    if (gone > 0) {
        blocks->tail_count -= gone;
        memmove(blocks->tail, blocks->tail + gone, blocks->tail_count * sizeof(*blocks->tail));
    }
}

void weir_log_tail_push(struct weir_log_blocks *blocks, struct weir_log_block *block)
{
    if (blocks->tail_count > 0 && blocks->tail[blocks->tail_count - 1] == block) {
        return;
    }
    if (blocks->tail_count == blocks->tail_capacity) {
        blocks->tail_capacity = blocks->tail_capacity > 0 ? blocks->tail_capacity * 2 : 32;
        blocks->tail = weir_realloc(blocks->tail, blocks->tail_capacity, sizeof(*blocks->tail));
    }
    atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
    blocks->tail[blocks->tail_count++] = block;
    blocks->tail_bytes += block->capacity;
    cut_tail(blocks);
}

static bool holds(struct weir_log_block *block, uint64_t position)
{
    return block->begin <= position &&
           position < atomic_load_explicit(&block->end, memory_order_acquire);
}

static struct weir_log_block *with_reference(struct weir_log_block *block)
{
    atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
    return block;
}

struct weir_log_block *weir_log_block_find(struct weir_log_blocks *blocks, uint64_t position)
{
    for (size_t i = blocks->tail_count; i > 0; i--) {
        if (holds(blocks->tail[i - 1], position)) {
            return with_reference(blocks->tail[i - 1]);
        }
    }
    for (size_t i = 0; i < WEIR_LOG_CACHE_BLOCKS; i++) {
        if (blocks->cache[i] != NULL && holds(blocks->cache[i], position)) {
            return with_reference(blocks->cache[i]);
        }
    }
    return NULL;
}

void weir_log_cache_add(struct weir_log_blocks *blocks, struct weir_log_block *block)
{
    struct weir_log_block **slot = &blocks->cache[blocks->cache_next];
    blocks->cache_next = (blocks->cache_next + 1) % WEIR_LOG_CACHE_BLOCKS;
    weir_log_block_put(blocks, *slot);
    *slot = with_reference(block);
}

void weir_log_cache_trim(struct weir_log_blocks *blocks, uint64_t number)
{
    for (size_t i = 0; i < WEIR_LOG_CACHE_BLOCKS; i++) {
        if (blocks->cache[i] != NULL && weir_log_number_of(blocks->cache[i]->begin) < number) {
            weir_log_block_put(blocks, blocks->cache[i]);
            blocks->cache[i] = NULL;
        }
    }
}
