/* Unsigned 256-bit integers, as far as decimal arithmetic needs them. */
#ifndef WEIR_VALUE_DECIMAL_INT_H
#define WEIR_VALUE_DECIMAL_INT_H

#include <stdbool.h>
#include <stdint.h>

/* Four 64-bit limbs, the least first. */
struct weir_wide {
    uint64_t limb[4];
};

static inline struct weir_wide weir_wide_from(unsigned __int128 value)
{
    return (struct weir_wide){ { (uint64_t)value, (uint64_t)(value >> 64), 0, 0 } };
}

/* The low 128 bits. */
static inline unsigned __int128 weir_wide_low(const struct weir_wide *a)
{
    return (unsigned __int128)a->limb[1] << 64 | a->limb[0];
}

static inline bool weir_wide_is_zero(const struct weir_wide *a)
{
    return (a->limb[0] | a->limb[1] | a->limb[2] | a->limb[3]) == 0;
}

/* Whether it is less than a 128-bit number. */
static inline bool weir_wide_below(const struct weir_wide *a, unsigned __int128 bound)
{
    return (a->limb[2] | a->limb[3]) == 0 && weir_wide_low(a) < bound;
}

static inline int weir_wide_cmp(const struct weir_wide *a, const struct weir_wide *b)
{
    for (int i = 3; i >= 0; i--) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

/* The number of bits up to the highest one that is set. */
static inline int weir_wide_bits(const struct weir_wide *a)
{
    for (int i = 3; i >= 0; i--) {
        if (a->limb[i] != 0) {
            return 64 * (i + 1) - __builtin_clzll(a->limb[i]);
        }
    }
    return 0;
}

static inline void weir_wide_add(struct weir_wide *a, const struct weir_wide *b)
{
    unsigned __int128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (unsigned __int128)a->limb[i] + b->limb[i];
        a->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* a -= b, where a >= b. */
static inline void weir_wide_sub(struct weir_wide *a, const struct weir_wide *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        unsigned __int128 part = (unsigned __int128)a->limb[i] - b->limb[i] - borrow;
        a->limb[i] = (uint64_t)part;
        borrow = (part >> 64) != 0;
    }
}

/* a *= b; the caller knows that the product fits. */
static inline void weir_wide_mul(struct weir_wide *a, uint64_t b)
{
    unsigned __int128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (unsigned __int128)a->limb[i] * b;
        a->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

/* The whole product of two 128-bit numbers. */
static inline struct weir_wide weir_wide_product(unsigned __int128 a, unsigned __int128 b)
{
    struct weir_wide low = weir_wide_from(a);
    struct weir_wide high = low;
    weir_wide_mul(&low, (uint64_t)b);
    weir_wide_mul(&high, (uint64_t)(b >> 64));
    struct weir_wide shifted = { { 0, high.limb[0], high.limb[1], high.limb[2] } };
    weir_wide_add(&low, &shifted);
    return low;
}

/* a /= b; returns the remainder. */
static inline uint64_t weir_wide_div(struct weir_wide *a, uint64_t b)
{
    unsigned __int128 rest = 0;
    for (int i = 3; i >= 0; i--) {
        rest = rest << 64 | a->limb[i];
        a->limb[i] = (uint64_t)(rest / b);
        rest %= b;
    }
    return (uint64_t)rest;
}

/* a /= b for a divisor below 2^127; returns the remainder. */
static inline unsigned __int128 weir_wide_div_long(struct weir_wide *a, unsigned __int128 b)
{
    if (b >> 64 == 0) {
        return weir_wide_div(a, (uint64_t)b);
    }
    unsigned __int128 rest = 0;
    for (int i = weir_wide_bits(a) - 1; i >= 0; i--) {
        uint64_t bit = 1ull << (i & 63);
        rest = rest << 1 | ((a->limb[i >> 6] & bit) != 0);
        if (rest >= b) {
            rest -= b;
            a->limb[i >> 6] |= bit;
        } else {
            a->limb[i >> 6] &= ~bit;
        }
    }
    return rest;
}

#endif
