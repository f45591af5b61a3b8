/* From looks at a metric to datapoints, and from datapoints to a state. Pure. */
#include "alarm/alarm_int.h"

/* --- one period ------------------------------------------------------------------------- */

/* How much counters grew since the last look; one that is smaller now began again at 0. */
static void add_growth(struct weir_alarm_sample *sample, struct weir_alarm_base *base,
        const struct weir_metric_reading *reading)
{
    bool again = reading->sum < base->sum || reading->count < base->count;
    if (base->set) {
        sample->growth += reading->sum - (again ? 0 : base->sum);
        sample->observations += reading->count - (again ? 0 : base->count);
    }
    base->sum = reading->sum;
    base->count = reading->count;
}

void weir_alarm_sample_add(const struct weir_alarm_model *model, struct weir_alarm_sample *sample,
        struct weir_alarm_base *base, const struct weir_metric_reading *reading)
{
    bool grows = reading->kind != WEIR_METRIC_GAUGE || model->statistic == WEIR_ALARM_RATE;
    if (reading->series > 0 && grows) {
        sample->grows = true;
        sample->is_histogram = reading->kind == WEIR_METRIC_HISTOGRAM;
        add_growth(sample, base, reading);
    }
    base->set = true; /* what appears later has grown from 0 */
    if (reading->series == 0) {
        return;
    }
    sample->least =
            sample->count == 0 || reading->least < sample->least ? reading->least : sample->least;
    sample->most =
            sample->count == 0 || reading->most > sample->most ? reading->most : sample->most;
    sample->total += model->statistic == WEIR_ALARM_AVERAGE ? reading->sum / (double)reading->series
                                                            : reading->sum;
    sample->count++;
}

struct weir_alarm_datapoint weir_alarm_sample_end(const struct weir_alarm_model *model,
        const struct weir_alarm_sample *sample, struct weir_time at)
{
    struct weir_alarm_datapoint point = { .there = sample->count > 0, .at = at };
    if (!point.there) {
        return point;
    }
    switch (model->statistic) {
    case WEIR_ALARM_MIN:
        point.value = sample->least;
        break;
    case WEIR_ALARM_MAX:
        point.value = sample->most;
        break;
    case WEIR_ALARM_AVERAGE:
        point.value = sample->total / (double)sample->count;
        if (sample->is_histogram) {
            point.there = sample->observations > 0;
            point.value = point.there ? sample->growth / (double)sample->observations : 0;
        }
        break;
    case WEIR_ALARM_SUM:
        point.value = sample->grows ? sample->growth : sample->total;
        break;
    case WEIR_ALARM_RATE:
        point.value = sample->is_histogram ? (double)sample->observations : sample->growth;
        break;
    }
    return point;
}

/* --- deciding ----------------------------------------------------------------------------- */

bool weir_alarm_breaches(const struct weir_alarm_model *model, double value)
{
    switch (model->comparison) {
    case WEIR_ALARM_ABOVE:
        return value > model->threshold;
    case WEIR_ALARM_AT_LEAST:
        return value >= model->threshold;
    case WEIR_ALARM_BELOW:
        return value < model->threshold;
    case WEIR_ALARM_AT_MOST:
        break;
    }
    return value <= model->threshold;
}

/* The latest datapoints, at most as many as the alarm looks at; older ones stand in for missing. */
static void count_points(const struct weir_alarm_model *model,
        const struct weir_alarm_datapoint *points, size_t count, struct weir_alarm_verdict *verdict,
        size_t *ret_oldest_breach)
{
    size_t found = 0;
    size_t absent = 0;
    verdict->oldest = count;
    *ret_oldest_breach = 0;
    for (size_t i = count; i > 0 && found < model->periods; i--) {
        const struct weir_alarm_datapoint *point = &points[i - 1];
        if (!point->there) {
            absent++;
            continue;
        }
        found++;
        verdict->oldest = i - 1;
        if (weir_alarm_breaches(model, point->value)) {
            verdict->breaching++;
            *ret_oldest_breach = count - i + 1;
        } else {
            verdict->fine++;
        }
    }
    size_t open = model->periods - found;
    verdict->missing = absent < open ? absent : open;
}

/* All that is there breaches, but it is less than it takes, and periods are missing. */
static enum weir_alarm_state decide_on_little(const struct weir_alarm_model *model,
        const struct weir_alarm_verdict *verdict, size_t before_start, size_t oldest_breach,
        enum weir_alarm_state current)
{
    if (model->missing == WEIR_ALARM_IGNORE) {
        return current;
    }
    if (verdict->breaching == 0) {
        return before_start == 0 ? WEIR_ALARM_INSUFFICIENT : current;
    }
    /* Nothing better came for as long as it takes to raise an alarm. */
    return oldest_breach >= model->datapoints ? WEIR_ALARM_ALARM : current;
}

struct weir_alarm_verdict weir_alarm_decide(const struct weir_alarm_model *model,
        const struct weir_alarm_datapoint *points, size_t count, enum weir_alarm_state current)
{
    struct weir_alarm_verdict verdict = { .state = current };
    size_t oldest_breach = 0;
    count_points(model, points, count, &verdict, &oldest_breach);
    size_t breaching = verdict.breaching;
    size_t fine = verdict.fine;
    bool counted =
            model->missing == WEIR_ALARM_BREACHING || model->missing == WEIR_ALARM_NOT_BREACHING;
    breaching += model->missing == WEIR_ALARM_BREACHING ? verdict.missing : 0;
    fine += model->missing == WEIR_ALARM_NOT_BREACHING ? verdict.missing : 0;
    /* Periods before the start are unknown, which is not missing: what they were, nobody saw. */
    size_t before_start = count < model->periods ? model->periods - count : 0;
    if (breaching >= model->datapoints) {
        verdict.state = WEIR_ALARM_ALARM;
    } else if (fine == 0 && !counted) {
        verdict.state = decide_on_little(model, &verdict, before_start, oldest_breach, current);
    } else if (breaching + before_start < model->datapoints ||
               (current == WEIR_ALARM_INSUFFICIENT && fine > 0)) {
        verdict.state = WEIR_ALARM_OK;
    }
    return verdict;
}
