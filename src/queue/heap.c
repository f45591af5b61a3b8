#include "queue/heap.h"

#include "base/mem.h"

static void place(struct weir_heap *heap, size_t i, struct weir_heap_node *node)
{
    heap->nodes[i] = node;
    node->place = i + 1;
}

static void move_up(struct weir_heap *heap, size_t i, struct weir_heap_node *node)
{
    while (i > 0 && heap->nodes[(i - 1) / 2]->key > node->key) {
        place(heap, i, heap->nodes[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(heap, i, node);
}

static void move_down(struct weir_heap *heap, size_t i, struct weir_heap_node *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->nodes[child + 1]->key < heap->nodes[child]->key) {
            child++;
        }
        if (heap->nodes[child]->key >= node->key) {
            break;
        }
        place(heap, i, heap->nodes[child]);
        i = child;
    }
    place(heap, i, node);
}

void weir_heap_fini(struct weir_heap *heap)
{
    weir_free(heap->nodes);
    *heap = (struct weir_heap){ 0 };
}

void weir_heap_set(struct weir_heap *heap, struct weir_heap_node *node, int64_t key)
{
    int64_t before = node->key;
    node->key = key;
    if (node->place == 0) {
        if (heap->count == heap->capacity) {
            heap->capacity = heap->capacity > 0 ? heap->capacity * 2 : 16;
            heap->nodes = weir_realloc(heap->nodes, heap->capacity, sizeof(*heap->nodes));
        }
        move_up(heap, heap->count++, node);
    } else if (key < before) {
        move_up(heap, node->place - 1, node);
    } else {
        move_down(heap, node->place - 1, node);
    }
}

void weir_heap_remove(struct weir_heap *heap, struct weir_heap_node *node)
{
    if (node->place == 0) {
        return;
    }
    size_t i = node->place - 1;
    node->place = 0;
    struct weir_heap_node *last = heap->nodes[--heap->count];
    if (last == node) {
        return;
    }
    if (i > 0 && heap->nodes[(i - 1) / 2]->key > last->key) {
        move_up(heap, i, last);
    } else {
        move_down(heap, i, last);
    }
}
