/* A heap of nodes that their owners embed: the least key first, any node can leave. */
#ifndef WEIR_QUEUE_HEAP_H
#define WEIR_QUEUE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct weir_heap_node {
    int64_t key;  /* change with weir_heap_set only */
    size_t place; /* one more than the index; 0: in no heap */
};

struct weir_heap {
    struct weir_heap_node **nodes;
    size_t count;
    size_t capacity;
};

/* Free the heap's own memory; a zeroed heap is empty. */
void weir_heap_fini(struct weir_heap *heap);

/* Put a node in, or move it to another key. */
void weir_heap_set(struct weir_heap *heap, struct weir_heap_node *node, int64_t key);

/* Take a node out; harmless when it is not in. */
void weir_heap_remove(struct weir_heap *heap, struct weir_heap_node *node);

/* The node of the least key; NULL: none. */
static inline struct weir_heap_node *weir_heap_first(const struct weir_heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

#endif
