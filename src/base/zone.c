#include "base/zone.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/calendar.h"
#include "base/file.h"
#include "base/mem.h"

/*
 * Time zones: fixed offsets, and the system's database read once per zone and kept for
 * the life of the process. Zones are pushed on a list that only grows, so any thread may
 * read it without a lock; there are some 600 zones, and names that are none are not kept.
 */

enum {
    MAX_NAME = 64,
    MAX_FILE = 256 * 1024,
    MAX_RULE = 64,
};

/* A change of the offset in the rule for years behind the table: Mm.w.d/time. */
struct change {
    int month; /* 0: day counts, else Mm.w.d */
    int week;
    int day;         /* weekday; or of the year */
    bool skip_leap;  /* Jn: February 29 is never counted */
    int32_t seconds; /* after midnight, local time */
};

struct weir_zone {
    struct weir_zone *next;
    char name[MAX_NAME];
    size_t count;
    int64_t *times;   /* when each offset begins */
    int32_t *offsets; /* from then on */
    int32_t first;    /* before the first time */
    bool has_rule;
    bool has_summer;
    int32_t standard;
    int32_t summer;
    struct change to_summer;
    struct change to_standard;
};

static _Atomic(struct weir_zone *) zones;

/* --- the rule line: "CET-1CEST,M3.5.0,M10.5.0/3" ------------------------- */

struct text {
    const char *at;
    bool failed;
};

static long integer(struct text *text)
{
    if (*text->at < '0' || *text->at > '9') {
        text->failed = true;
        return 0;
    }
    char *end = NULL;
    long value = strtol(text->at, &end, 10);
    text->at = end;
    text->failed |= value > 100000;
    return text->failed ? 0 : value;
}

static void skip_name(struct text *text)
{
    if (*text->at == '<') {
        while (*text->at != '\0' && *text->at != '>') {
            text->at++;
        }
        text->failed |= *text->at == '\0';
        text->at += *text->at == '>' ? 1 : 0;
        return;
    }
    while ((*text->at >= 'A' && *text->at <= 'Z') || (*text->at >= 'a' && *text->at <= 'z')) {
        text->at++;
    }
}

/* [+-]hh[:mm[:ss]] */
static int32_t clock_time(struct text *text)
{
    bool negative = *text->at == '-';
    if (*text->at == '-' || *text->at == '+') {
        text->at++;
    }
    long seconds = integer(text) * 3600;
    for (long scale = 60; scale > 0 && *text->at == ':'; scale = scale == 60 ? 1 : 0) {
        text->at++;
        seconds += integer(text) * scale;
    }
    return (int32_t)(negative ? -seconds : seconds);
}

static struct change change_of(struct text *text)
{
    struct change change = { .seconds = 7200 };
    text->failed |= *text->at != ',';
    text->at += text->failed ? 0 : 1;
    if (*text->at == 'M') {
        text->at++;
        change.month = (int)integer(text);
        text->failed |= *text->at != '.' || change.month < 1 || change.month > 12;
        text->at += text->failed ? 0 : 1;
        change.week = (int)integer(text);
        text->failed |= *text->at != '.' || change.week < 1 || change.week > 5;
        text->at += text->failed ? 0 : 1;
        change.day = (int)integer(text);
        text->failed |= change.day > 6;
    } else {
        change.skip_leap = *text->at == 'J';
        text->at += change.skip_leap ? 1 : 0;
        change.day = (int)integer(text);
        text->failed |= change.day > 366;
    }
    if (*text->at == '/') {
        text->at++;
        change.seconds = clock_time(text);
    }
    return change;
}

static void parse_rule(struct weir_zone *zone, const char *line)
{
    struct text text = { .at = line };
    skip_name(&text);
    zone->standard = -clock_time(&text); /* written as what to add to reach UTC */
    if (*text.at == '\0' || text.failed) {
        zone->has_rule = !text.failed;
        return;
    }
    skip_name(&text);
    zone->summer = zone->standard + 3600;
    if (*text.at != ',') {
        zone->summer = -clock_time(&text);
    }
    zone->to_summer = change_of(&text);
    zone->to_standard = change_of(&text);
    zone->has_summer = !text.failed;
    zone->has_rule = !text.failed;
}

/* When a change happens in a year, as seconds since 1970 in local time before it. */
static int64_t change_time(const struct change *change, int year)
{
    if (change->month == 0) {
        int64_t day = weir_days_of(year, 1, 1) + change->day - (change->skip_leap ? 1 : 0);
        bool leap = weir_days_of(year, 3, 1) - weir_days_of(year, 2, 1) == 29;
        day += change->skip_leap && leap && change->day >= 60 ? 1 : 0;
        return day * 86400 + change->seconds;
    }
    int64_t first = weir_days_of(year, change->month, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7;
    int64_t day = first + ((change->day - weekday + 7) % 7) + (change->week - 1) * 7;
    int64_t next = change->month == 12 ? weir_days_of(year + 1, 1, 1)
                                       : weir_days_of(year, change->month + 1, 1);
    while (day >= next) {
        day -= 7; /* week 5 is the last one */
    }
    return day * 86400 + change->seconds;
}

static int32_t offset_by_rule(const struct weir_zone *zone, int64_t seconds)
{
    if (!zone->has_summer) {
        return zone->standard;
    }
    struct weir_date date;
    weir_date_of(seconds + zone->standard, &date);
    int64_t begin = change_time(&zone->to_summer, date.year) - zone->standard;
    int64_t end = change_time(&zone->to_standard, date.year) - zone->summer;
    bool summer = begin < end ? seconds >= begin && seconds < end
                              : seconds >= begin || seconds < end; /* south of the equator */
    return summer ? zone->summer : zone->standard;
}

/* --- TZif files ---------------------------------------------------------- */

static uint32_t big32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t big64(const unsigned char *p)
{
    return (int64_t)((uint64_t)big32(p) << 32 | big32(p + 4));
}

struct header {
    uint32_t isut_count;
    uint32_t isstd_count;
    uint32_t leap_count;
    uint32_t time_count;
    uint32_t type_count;
    uint32_t char_count;
};

enum { HEADER_BYTES = 44 };

static bool read_header(const unsigned char *p, size_t n, struct header *ret)
{
    if (n < HEADER_BYTES || memcmp(p, "TZif", 4) != 0) {
        return false;
    }
    *ret = (struct header){ big32(p + 20), big32(p + 24), big32(p + 28), big32(p + 32),
        big32(p + 36), big32(p + 40) };
    return ret->time_count <= 10000 && ret->type_count > 0 && ret->type_count <= 256 &&
           ret->char_count <= 10000 && ret->leap_count <= 1000 && ret->isstd_count <= 256 &&
           ret->isut_count <= 256;
}

/* Bytes of a block's data with times of a size. */
static size_t data_bytes(const struct header *h, size_t time)
{
    return h->time_count * (time + 1) + h->type_count * 6 + h->char_count +
           h->leap_count * (time + 4) + h->isstd_count + h->isut_count;
}

/* Take the times and offsets of the second block, whose times have 64 bits. */
static bool read_block(struct weir_zone *zone, const unsigned char *p, size_t n)
{
    struct header h;
    if (!read_header(p, n, &h) || n - HEADER_BYTES < data_bytes(&h, 8)) {
        return false;
    }
    const unsigned char *times = p + HEADER_BYTES;
    const unsigned char *indexes = times + h.time_count * 8;
    const unsigned char *types = indexes + h.time_count;
    zone->count = h.time_count;
    zone->times = weir_alloc_zero(h.time_count + 1U, sizeof(*zone->times));
    zone->offsets = weir_alloc_zero(h.time_count + 1U, sizeof(*zone->offsets));
    zone->first = (int32_t)big32(types);
    for (uint32_t i = 0; i < h.time_count; i++) {
        if (indexes[i] >= h.type_count) {
            return false;
        }
        zone->times[i] = big64(times + (size_t)i * 8);
        zone->offsets[i] = (int32_t)big32(types + (size_t)indexes[i] * 6);
    }
    const unsigned char *footer = p + HEADER_BYTES + data_bytes(&h, 8);
    size_t rest = n - HEADER_BYTES - data_bytes(&h, 8);
    char line[MAX_RULE] = "";
    const unsigned char *end = rest > 1 ? memchr(footer + 1, '\n', rest - 1) : NULL;
    if (end != NULL && (size_t)(end - footer) < sizeof(line)) {
        memcpy(line, footer + 1, (size_t)(end - footer) - 1);
        if (line[0] != '\0') {
            parse_rule(zone, line);
        }
    }
    return true;
}

static bool read_zone(struct weir_zone *zone, const unsigned char *p, size_t n)
{
    struct header h;
    if (!read_header(p, n, &h) || p[4] < '2') {
        return false; /* version 1 has 32-bit times only; no system has had these for long */
    }
    size_t skip = HEADER_BYTES + data_bytes(&h, 4);
    return n > skip && read_block(zone, p + skip, n - skip);
}

static void zone_destroy(struct weir_zone *zone)
{
    weir_free(zone->times);
    weir_free(zone->offsets);
    weir_free(zone);
}

/* Letters, digits, and / _ - + between: nothing that leaves the folder. */
static bool is_name(struct weir_str name)
{
    if (name.n == 0 || name.n >= MAX_NAME || name.p[0] == '/') {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (c == '\0' || strchr("/_-+", c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool read_file(const char *path, struct weir_buf *buf)
{
    struct weir_fs *fs = weir_fs_system();
    struct weir_file *file = NULL;
    uint64_t size = 0;
    if (fs->ops->open(fs, path, WEIR_OPEN_READ, &file, NULL) != WEIR_OK) {
        return false;
    }
    bool ok = fs->ops->size(file, &size, NULL) == WEIR_OK && size > 0 && size <= MAX_FILE;
    char *p = ok ? weir_buf_reserve(buf, (size_t)size) : NULL;
    ok = p != NULL && weir_file_read_all(file, 0, p, (size_t)size, NULL) == WEIR_OK;
    weir_file_destroy(file);
    return ok;
}

static bool is_utc(struct weir_str name)
{
    return weir_str_eq(name, WEIR_STR("UTC")) || weir_str_eq(name, WEIR_STR("Z"));
}

/* "+hh:mm", "-hh:mm" or "hh:mm". */
static bool fixed_offset(struct weir_str text, int32_t *ret)
{
    bool sign = text.n == 6 && (text.p[0] == '+' || text.p[0] == '-');
    uint64_t hours = 0;
    uint64_t minutes = 0;
    const char *p = text.p + (sign ? 1 : 0);
    if (text.n < 5 || (!sign && text.n != 5) || p[2] != ':' ||
            !weir_str_to_u64(weir_str(p, 2), &hours) ||
            !weir_str_to_u64(weir_str(p + 3, 2), &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    int32_t offset = (int32_t)(hours * 3600 + minutes * 60);
    *ret = sign && text.p[0] == '-' ? -offset : offset;
    return true;
}

static bool read_database(struct weir_zone *zone)
{
    char path[128];
    struct weir_buf buf;
    weir_buf_init(&buf, MAX_FILE);
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone->name);
    bool ok = read_file(path, &buf) && read_zone(zone, (const unsigned char *)buf.p, buf.n);
    weir_buf_fini(&buf);
    return ok;
}

static struct weir_zone *load(struct weir_str name)
{
    if (name.n == 0 || name.n >= MAX_NAME) {
        return NULL;
    }
    struct weir_zone *zone = weir_alloc_zero(1, sizeof(*zone));
    memcpy(zone->name, name.p, name.n);
    bool fixed = is_utc(name) || fixed_offset(name, &zone->first);
    if (!fixed && (!is_name(name) || !read_database(zone))) {
        zone_destroy(zone);
        zone = NULL;
    }
    return zone;
}

const struct weir_zone *weir_zone_find(struct weir_str name)
{
    struct weir_zone *head = atomic_load_explicit(&zones, memory_order_acquire);
    for (const struct weir_zone *at = head; at != NULL; at = at->next) {
        if (weir_str_eq(name, weir_str_z(at->name))) {
            return at;
        }
    }
    struct weir_zone *zone = load(name);
    if (zone == NULL) {
        return NULL;
    }
    /* Two threads may load one zone at once; then it is on the list twice, which is harmless. */
    zone->next = head;
    while (!atomic_compare_exchange_weak_explicit(
            &zones, &zone->next, zone, memory_order_release, memory_order_acquire)) {
    }
    return zone;
}

int32_t weir_zone_offset_at(const struct weir_zone *zone, int64_t seconds)
{
    if (zone->count == 0 || seconds < zone->times[0]) {
        return zone->count == 0 && zone->has_rule ? offset_by_rule(zone, seconds) : zone->first;
    }
    if (seconds >= zone->times[zone->count - 1] && zone->has_rule) {
        return offset_by_rule(zone, seconds);
    }
    size_t low = 0;
    size_t high = zone->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= seconds) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return zone->offsets[low];
}

bool weir_zone_offset(struct weir_str name, int64_t seconds, int32_t *ret_offset)
{
    if (is_utc(name)) {
        *ret_offset = 0;
        return true;
    }
    if (fixed_offset(name, ret_offset)) {
        return true;
    }
    const struct weir_zone *found = weir_zone_find(name);
    if (found == NULL) {
        return false;
    }
    *ret_offset = weir_zone_offset_at(found, seconds);
    return true;
}

enum weir_zone_local weir_zone_moment(
        const struct weir_zone *zone, int64_t local, int64_t *ret_seconds)
{
    enum { DAY = 86400 }; /* more than any offset, and less than any two changes are apart */
    int64_t before = local - weir_zone_offset_at(zone, local - DAY);
    int64_t after = local - weir_zone_offset_at(zone, local + DAY);
    bool shown_before = before + weir_zone_offset_at(zone, before) == local;
    bool shown_after = after + weir_zone_offset_at(zone, after) == local;
    *ret_seconds = shown_before || !shown_after ? before : after;
    if (!shown_before && !shown_after) {
        return WEIR_ZONE_NEVER; /* with the offset from before the change it lies behind it */
    }
    return shown_before && shown_after && before != after ? WEIR_ZONE_TWICE : WEIR_ZONE_ONCE;
}
