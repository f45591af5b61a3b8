/*
 * Exact decimals of up to 38 digits, DynamoDB's N.
 *
 * A decimal is coefficient * 10^exponent with |coefficient| < 10^38. The range is
 * DynamoDB's: magnitudes from 1e-130 to 9.9999999999999999999999999999999999999e+125,
 * and zero. All functions give the canonical form: no trailing zeros in the
 * coefficient (zero is 0 * 10^0), so equal numbers have equal fields.
 * Pure functions, any thread.
 */
#ifndef WEIR_VALUE_DECIMAL_H
#define WEIR_VALUE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct weir_decimal {
    __int128 coefficient;
    int32_t exponent;
};

enum { WEIR_DECIMAL_TEXT = 180 }; /* the longest text (plain notation of 1e-130), with its zero */

/*
 * Parse a number as DynamoDB accepts it: optional sign, digits with an optional
 * point, optional exponent; leading and trailing zeros do not count as digits.
 * Messages are DynamoDB's own (they reach clients unchanged).
 * Errors: WEIR_E_INVALID (not a number, more than 38 significant digits, out of range).
 */
WEIR_MUST_CHECK enum weir_rc weir_decimal_parse(
        struct weir_str text, struct weir_decimal *ret_value, struct weir_err *err);

/* Write as DynamoDB does (plain notation, "-0.5", "1500"); returns the length. Zero-terminated. */
size_t weir_decimal_format(struct weir_decimal value, char text[static WEIR_DECIMAL_TEXT]);

/* Order on the number line: <0, 0, >0. */
int weir_decimal_cmp(struct weir_decimal a, struct weir_decimal b);

/*
 * Arithmetic. Results of more than 38 digits are rounded half to even.
 * Errors: WEIR_E_INVALID (out of range; division by zero).
 */
WEIR_MUST_CHECK enum weir_rc weir_decimal_add(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_sum, struct weir_err *err);
WEIR_MUST_CHECK enum weir_rc weir_decimal_sub(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_difference, struct weir_err *err);
WEIR_MUST_CHECK enum weir_rc weir_decimal_mul(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_product, struct weir_err *err);
WEIR_MUST_CHECK enum weir_rc weir_decimal_div(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_quotient, struct weir_err *err);
/* Remainder of two integral decimals, sign of a. Errors: WEIR_E_INVALID (not integral, zero). */
WEIR_MUST_CHECK enum weir_rc weir_decimal_rem(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_remainder, struct weir_err *err);

struct weir_decimal weir_decimal_neg(struct weir_decimal a);

enum weir_rounding {
    WEIR_ROUND_HALF_EVEN,
    WEIR_ROUND_HALF_AWAY, /* 2.5 -> 3, -2.5 -> -3 */
    WEIR_ROUND_DOWN,      /* toward zero */
    WEIR_ROUND_FLOOR,
    WEIR_ROUND_CEIL,
};

/*
 * Round to a number of places after the point (negative: before it). A number
 * whose rounded value would be out of range is given back as it is.
 */
struct weir_decimal weir_decimal_round(
        struct weir_decimal a, int32_t places, enum weir_rounding how);

struct weir_decimal weir_decimal_from_i64(int64_t value);
struct weir_decimal weir_decimal_from_u64(uint64_t value);

/*
 * The shortest decimal that reads back as the double.
 * Errors: WEIR_E_INVALID (NaN, infinite, out of range).
 */
WEIR_MUST_CHECK enum weir_rc weir_decimal_from_double(
        double value, struct weir_decimal *ret_value, struct weir_err *err);

/* The nearest double. */
double weir_decimal_to_double(struct weir_decimal value);

/* The number truncated toward zero when it fits 64 bits; false when it does not. */
bool weir_decimal_to_i64(struct weir_decimal value, int64_t *ret_value);
bool weir_decimal_to_u64(struct weir_decimal value, uint64_t *ret_value);

/* Whether there is nothing behind the point. */
bool weir_decimal_is_integral(struct weir_decimal value);

/* Compare with a double on one exact number line; NaN gives 2, else -1, 0 or 1. */
int weir_decimal_cmp_double(struct weir_decimal a, double b);

/*
 * A stable binary form: sign and digit count, exponent, coefficient with no
 * leading zero bytes; docs/FORMATS.md has it byte by byte. At most
 * WEIR_DECIMAL_BYTES; returns the length.
 */
enum { WEIR_DECIMAL_BYTES = 20 };
size_t weir_decimal_encode(struct weir_decimal value, unsigned char out[static WEIR_DECIMAL_BYTES]);
/* Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_decimal_decode(
        struct weir_str bytes, struct weir_decimal *ret_value, struct weir_err *err);
/* Read bytes that were checked before, as those in an item: without checking them again. */
struct weir_decimal weir_decimal_read(struct weir_str bytes);

#endif
