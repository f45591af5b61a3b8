#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct weir_time system_wall(const struct weir_clock *clock)
{
    (void)clock;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (struct weir_time){ (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 };
}

static uint64_t system_monotonic_ns(const struct weir_clock *clock)
{
    (void)clock;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

const struct weir_clock *weir_clock_system(void)
{
    static const struct weir_clock clock = { system_wall, system_monotonic_ns };
    return &clock;
}

static struct weir_time virtual_wall(const struct weir_clock *clock)
{
    const struct weir_clock_virtual *self = (const struct weir_clock_virtual *)clock;
    return (struct weir_time){ atomic_load(&self->wall_ms) };
}

static uint64_t virtual_monotonic_ns(const struct weir_clock *clock)
{
    const struct weir_clock_virtual *self = (const struct weir_clock_virtual *)clock;
    return atomic_load(&self->mono_ns);
}

void weir_clock_virtual_init(struct weir_clock_virtual *clock, struct weir_time wall)
{
    clock->base = (struct weir_clock){ virtual_wall, virtual_monotonic_ns };
    atomic_init(&clock->wall_ms, wall.ms);
    atomic_init(&clock->mono_ns, 0);
}

void weir_clock_virtual_advance(struct weir_clock_virtual *clock, uint64_t ms)
{
    atomic_fetch_add(&clock->wall_ms, (int64_t)ms);
    atomic_fetch_add(&clock->mono_ns, ms * 1000000u);
}

void weir_clock_virtual_set_wall(struct weir_clock_virtual *clock, int64_t ms)
{
    atomic_fetch_add(&clock->wall_ms, ms);
}

static const int64_t step_ms = 5ll * 60 * 1000;
static const uint64_t distrust_ns = 10ull * 60 * 1000000000;

void weir_clock_guard_init(struct weir_clock_guard *guard, const struct weir_clock *clock)
{
    *guard = (struct weir_clock_guard){
        .clock = clock,
        .wall_ms = weir_clock_wall(clock).ms,
        .mono_ns = weir_clock_monotonic_ns(clock),
    };
}

bool weir_clock_guard_trusts(struct weir_clock_guard *guard)
{
    int64_t wall_ms = weir_clock_wall(guard->clock).ms;
    uint64_t mono_ns = weir_clock_monotonic_ns(guard->clock);
    int64_t step = wall_ms - guard->wall_ms - (int64_t)((mono_ns - guard->mono_ns) / 1000000);
    guard->wall_ms = wall_ms;
    guard->mono_ns = mono_ns;
    if (step > step_ms) {
        guard->ahead_ms += step;
        guard->distrust_until_ns = mono_ns + distrust_ns;
    } else if (guard->ahead_ms > 0 && step < -step_ms) {
        guard->ahead_ms += step;
    }
    if (guard->ahead_ms <= step_ms || mono_ns >= guard->distrust_until_ns) {
        guard->ahead_ms = 0;
    }
    return guard->ahead_ms == 0;
}

void weir_time_format(struct weir_time time, char text[static WEIR_TIME_TEXT])
{
    int64_t seconds = time.ms / 1000;
    int64_t ms = time.ms % 1000;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    snprintf(text, WEIR_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
            (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
            (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
            (unsigned)tm.tm_sec % 100u, (unsigned)ms % 1000u);
}

void weir_time_format_short(struct weir_time time, char text[static WEIR_TIME_TEXT])
{
    weir_time_format(time, text);
    if (time.ms % 1000 == 0) {
        memcpy(text + strlen(text) - strlen(".000Z"), "Z", 2);
    }
}

/* Reads digits of a time one part after the other; failed once anything does not fit. */
struct time_reader {
    struct weir_str text;
    size_t at;
    bool failed;
};

static bool next_is(const struct time_reader *reader, char c)
{
    return reader->at < reader->text.n && reader->text.p[reader->at] == c;
}

static void expect(struct time_reader *reader, char c)
{
    reader->failed = reader->failed || !next_is(reader, c);
    reader->at++;
}

static int64_t number(struct time_reader *reader, size_t digits, int64_t least, int64_t most)
{
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++, reader->at++) {
        char c = '0';
        if (reader->at < reader->text.n) {
            c = reader->text.p[reader->at];
        }
        if (reader->at >= reader->text.n || c < '0' || c > '9') {
            reader->failed = true;
            return least;
        }
        value = value * 10 + (c - '0');
    }
    reader->failed = reader->failed || value < least || value > most;
    return value;
}

/* Milliseconds behind the point; more digits are cut off. */
static int64_t fraction_ms(struct time_reader *reader)
{
    int64_t ms = 0;
    int64_t unit = 100;
    expect(reader, '.');
    do {
        ms += number(reader, 1, 0, 9) * unit;
        unit /= 10;
    } while (!reader->failed && reader->at < reader->text.n && reader->text.p[reader->at] >= '0' &&
             reader->text.p[reader->at] <= '9');
    return ms;
}

static int64_t zone_ms(struct time_reader *reader)
{
    if (next_is(reader, 'Z')) {
        reader->at++;
        return 0;
    }
    bool west = next_is(reader, '-');
    expect(reader, west ? '-' : '+');
    int64_t minutes = 60 * number(reader, 2, 0, 23);
    expect(reader, ':');
    minutes += number(reader, 2, 0, 59);
    return (west ? -minutes : minutes) * 60 * 1000;
}

/* Days from 1970-01-01; years begin in March here, so that the leap day is their last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * m + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool weir_time_parse(struct weir_str text, struct weir_time *ret_time)
{
    static const int64_t month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    struct time_reader reader = { .text = text };
    int64_t year = number(&reader, 4, 0, 9999);
    expect(&reader, '-');
    int64_t month = number(&reader, 2, 1, 12);
    expect(&reader, '-');
    int64_t day = number(&reader, 2, 1, 31);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (reader.failed || day > month_days[month - 1] || (month == 2 && day == 29 && !leap)) {
        return false;
    }
    int64_t ms = days_of(year, month, day) * 24 * 3600 * 1000;
    if (reader.at < text.n) {
        expect(&reader, 'T');
        ms += number(&reader, 2, 0, 23) * 3600 * 1000;
        expect(&reader, ':');
        ms += number(&reader, 2, 0, 59) * 60 * 1000;
        if (next_is(&reader, ':')) {
            reader.at++;
            ms += number(&reader, 2, 0, 59) * 1000;
            ms += next_is(&reader, '.') ? fraction_ms(&reader) : 0;
        }
        ms -= zone_ms(&reader);
    }
    if (reader.failed || reader.at != text.n) {
        return false;
    }
    ret_time->ms = ms;
    return true;
}
