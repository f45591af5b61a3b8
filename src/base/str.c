#include "base/str.h"

#include "base/mem.h"

/* The number of continuation bytes after a lead byte, or -1; *ret_min is the least code point. */
static int utf8_tail(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_min)
{
    if (lead >= 0xc2 && lead <= 0xdf) {
        *ret_bits = lead & 0x1fu;
        *ret_min = 0x80;
        return 1;
    }
    if ((lead & 0xf0) == 0xe0) {
        *ret_bits = lead & 0x0fu;
        *ret_min = 0x800;
        return 2;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *ret_bits = lead & 0x07u;
        *ret_min = 0x10000;
        return 3;
    }
    return -1;
}

bool weir_str_is_utf8(struct weir_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word = 0;
        if (s.n - i >= 8) {
            memcpy(&word, p + i, 8);
            if ((word & 0x8080808080808080ull) == 0) {
                i += 8;
                continue;
            }
        }
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t code = 0;
        uint32_t min = 0;
        int tail = utf8_tail(p[i], &code, &min);
        if (tail < 0 || s.n - i <= (size_t)tail) {
            return false;
        }
        for (int k = 1; k <= tail; k++) {
            unsigned char c = p[i + (size_t)k];
            if ((c & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (c & 0x3fu);
        }
        if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += (size_t)tail + 1;
    }
    return true;
}

bool weir_str_to_u64(struct weir_str s, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (s.n == 0) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(value, 10u, &value) ||
                __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value)) {
            return false;
        }
    }
    *ret_value = value;
    return true;
}

enum { NAME_MAX_COMPARED = 64 };

/* Insertions, deletions, replacements, and neighbours swapped, as fingers do it: one each. */
static size_t edit_distance(struct weir_str a, struct weir_str b)
{
    size_t rows[3][NAME_MAX_COMPARED + 1];
    for (size_t j = 0; j <= b.n; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = above[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1]) {
                best = two_above[j - 2] + 1 < best ? two_above[j - 2] + 1 : best;
            }
            row[j] = best;
        }
    }
    return rows[a.n % 3][b.n];
}

const char *weir_str_nearest(struct weir_str s, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    if (s.n > NAME_MAX_COMPARED) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct weir_str name = weir_str_z(names[i]);
        if (name.n == 0 || name.n > NAME_MAX_COMPARED) {
            continue;
        }
        size_t distance = edit_distance(s, name);
        size_t longer = s.n > name.n ? s.n : name.n;
        if (distance * 3 <= longer + 1 && distance < best_distance) {
            best = names[i];
            best_distance = distance;
        }
    }
    return best;
}

struct weir_str weir_str_own(struct weir_str s)
{
    return weir_str(weir_strndup(s.p, s.n), s.n);
}

void weir_str_disown(struct weir_str s)
{
    char *p = NULL;
    memcpy(&p, &s.p, sizeof(p)); /* weir_str_own made it: no const underneath */
    weir_free(p);
}
