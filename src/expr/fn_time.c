#include "expr/expr_int.h"

/* timestamp(), duration() and their parts. */

enum { SECOND_NS = 1000000000 };

static struct weir_expr_value timestamp_value(struct weir_moment moment)
{
    return (struct weir_expr_value){
        .kind = WEIR_EXPR_TIMESTAMP, .scale = moment.ns, .as.integer = moment.seconds
    };
}

static bool timestamp_at(
        const struct weir_call *call, struct weir_moment moment, struct weir_expr_value *ret)
{
    if (!weir_timestamp_in_range(moment)) {
        return weir_run_fail(call->run, "timestamp is out of range (years 1 to 9999)");
    }
    *ret = timestamp_value(moment);
    return true;
}

/* Seconds with a fraction, exactly; finer than a nanosecond is cut. */
static bool timestamp_of_decimal(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_decimal seconds = weir_expr_value_decimal(&call->args[0]);
    struct weir_decimal whole = weir_decimal_round(seconds, 0, WEIR_ROUND_FLOOR);
    struct weir_decimal rest = { 0 };
    struct weir_decimal scaled = { 0 };
    struct weir_moment moment = { 0 };
    int64_t ns = 0;
    if (weir_decimal_sub(seconds, whole, &rest, NULL) != WEIR_OK ||
            weir_decimal_mul(rest, weir_decimal_from_i64(SECOND_NS), &scaled, NULL) != WEIR_OK ||
            !weir_decimal_to_i64(whole, &moment.seconds) || !weir_decimal_to_i64(scaled, &ns)) {
        return weir_run_fail(call->run, "timestamp is out of range (years 1 to 9999)");
    }
    moment.ns = (int32_t)ns;
    return timestamp_at(call, moment, ret);
}

static bool fn_timestamp(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    struct weir_moment moment = { 0 };
    switch (arg->kind) {
    case WEIR_EXPR_TIMESTAMP:
        *ret = *arg;
        return true;
    case WEIR_EXPR_INT:
        moment.seconds = arg->as.integer;
        return timestamp_at(call, moment, ret);
    case WEIR_EXPR_DECIMAL:
        return timestamp_of_decimal(call, ret);
    case WEIR_EXPR_STRING:
        if (!weir_timestamp_parse(arg->as.str, &moment)) {
            return weir_run_fail(call->run,
                    "'%.*s' is not a timestamp as in 2025-11-25T15:53:08Z (years 1 to 9999)",
                    (int)(arg->as.str.n > 60 ? 60 : arg->as.str.n), arg->as.str.p);
        }
        *ret = timestamp_value(moment);
        return true;
    default:
        return weir_call_no_overload(call);
    }
}

static bool fn_duration(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    int64_t ns = 0;
    if (arg->kind == WEIR_EXPR_DURATION) {
        *ret = *arg;
        return true;
    }
    if (arg->kind != WEIR_EXPR_STRING) {
        return weir_call_no_overload(call);
    }
    if (!weir_duration_parse(arg->as.str, &ns)) {
        return weir_run_fail(call->run,
                "'%.*s' is not a duration as in 1h30m5.5s (292 years at most)",
                (int)(arg->as.str.n > 60 ? 60 : arg->as.str.n), arg->as.str.p);
    }
    *ret = (struct weir_expr_value){ .kind = WEIR_EXPR_DURATION, .as.integer = ns };
    return true;
}

/* --- parts --------------------------------------------------------------- */

/* The date of the target in the zone of the second argument, UTC without one. */
static bool local_date(const struct weir_call *call, struct weir_date *ret)
{
    const struct weir_expr_value *time = &call->args[0];
    if (time->kind != WEIR_EXPR_TIMESTAMP ||
            (call->count > 1 && call->args[1].kind != WEIR_EXPR_STRING)) {
        return weir_call_no_overload(call);
    }
    int32_t offset = 0;
    if (call->count > 1) {
        struct weir_str zone = call->args[1].as.str;
        if (!weir_run_pay(call->run, 16)) {
            return false;
        }
        if (!weir_zone_offset(zone, time->as.integer, &offset)) {
            return weir_run_fail(call->run,
                    "unknown time zone '%.*s'; expected UTC, +hh:mm or a name as in Europe/Berlin",
                    (int)(zone.n > 60 ? 60 : zone.n), zone.p != NULL ? zone.p : "");
        }
    }
    weir_date_of(time->as.integer + offset, ret);
    return true;
}

static bool result(struct weir_expr_value *ret, int64_t value)
{
    weir_set_int(ret, value);
    return true;
}

static bool fn_full_year(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    return local_date(call, &date) && result(ret, date.year);
}

static bool fn_month(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    return local_date(call, &date) && result(ret, date.month - 1);
}

static bool fn_date(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    return local_date(call, &date) && result(ret, date.day);
}

static bool fn_day_of_month(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    return local_date(call, &date) && result(ret, date.day - 1);
}

static bool fn_day_of_week(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    return local_date(call, &date) && result(ret, date.weekday);
}

static bool fn_day_of_year(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    return local_date(call, &date) && result(ret, date.year_day);
}

/* Whether the target is a duration alone: then the whole of it in a unit is asked. */
static bool of_duration(const struct weir_call *call)
{
    return call->args[0].kind == WEIR_EXPR_DURATION && call->count == 1;
}

static bool fn_hours(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    if (of_duration(call)) {
        return result(ret, call->args[0].as.integer / SECOND_NS / 3600);
    }
    return local_date(call, &date) && result(ret, date.hour);
}

static bool fn_minutes(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    if (of_duration(call)) {
        return result(ret, call->args[0].as.integer / SECOND_NS / 60);
    }
    return local_date(call, &date) && result(ret, date.minute);
}

static bool fn_seconds(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    if (of_duration(call)) {
        return result(ret, call->args[0].as.integer / SECOND_NS);
    }
    return local_date(call, &date) && result(ret, date.second);
}

/* Of a duration too only the part below a second, as the language's own test has it. */
static bool fn_milliseconds(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_date date = { 0 };
    if (of_duration(call)) {
        return result(ret, call->args[0].as.integer % SECOND_NS / 1000000);
    }
    return local_date(call, &date) && result(ret, call->args[0].scale / 1000000);
}

const struct weir_function weir_functions_time[] = {
    { "timestamp", WEIR_FN_GLOBAL, 1, 1, fn_timestamp },
    { "duration", WEIR_FN_GLOBAL, 1, 1, fn_duration },
    { "getFullYear", WEIR_FN_METHOD, 1, 2, fn_full_year },
    { "getMonth", WEIR_FN_METHOD, 1, 2, fn_month },
    { "getDate", WEIR_FN_METHOD, 1, 2, fn_date },
    { "getDayOfMonth", WEIR_FN_METHOD, 1, 2, fn_day_of_month },
    { "getDayOfWeek", WEIR_FN_METHOD, 1, 2, fn_day_of_week },
    { "getDayOfYear", WEIR_FN_METHOD, 1, 2, fn_day_of_year },
    { "getHours", WEIR_FN_METHOD, 1, 2, fn_hours },
    { "getMinutes", WEIR_FN_METHOD, 1, 2, fn_minutes },
    { "getSeconds", WEIR_FN_METHOD, 1, 2, fn_seconds },
    { "getMilliseconds", WEIR_FN_METHOD, 1, 2, fn_milliseconds },
    { 0 },
};
