/*
 * Claims: a step that must not work on one key in two lanes at once claims it for its batch.
 * Only where a step may take its time: elsewhere the loop finishes a batch before another one
 * looks, and the read set of its transaction is enough.
 *
 * A lane claims all keys of a step at once or none, and claims at an earlier step before those at
 * a later one, so lanes never wait for each other in a circle.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum { CLAIM_BUCKETS = 256 };

/* One key of a step, in a lane's hands. */
struct claim {
    struct claim *same_bucket;
    struct claim *next_of_lane;
    struct weir_lane *lane;
    const struct weir_step *step;
    struct weir_str key;
};

struct claims {
    struct claim *buckets[CLAIM_BUCKETS];
};

struct claims *weir_claims_create(void)
{
    return weir_alloc_zero(1, sizeof(struct claims));
}

void weir_claims_destroy(struct claims *claims)
{
    weir_free(claims);
}

static struct claim **bucket_of(
        struct claims *claims, const struct weir_step *step, struct weir_str key)
{
    return &claims->buckets[weir_hash64(step->index, key.p, key.n) % CLAIM_BUCKETS];
}

static struct claim *find(struct claim **bucket, const struct weir_step *step, struct weir_str key)
{
    struct claim *claim = *bucket;
    while (claim != NULL && (claim->step != step || !weir_str_eq(claim->key, key))) {
        claim = claim->same_bucket;
    }
    return claim;
}

static void add(struct weir_lane *lane, struct claim **bucket, const struct weir_step *step,
        struct weir_str key)
{
    struct claim *claim = weir_alloc(sizeof(*claim) + key.n);
    *claim = (struct claim){
        .same_bucket = *bucket,
        .next_of_lane = lane->claims,
        .lane = lane,
        .step = step,
        .key = { (const char *)(claim + 1), key.n },
    };
    if (key.n > 0) {
        memcpy(claim + 1, key.p, key.n);
    }
    *bucket = claim;
    lane->claims = claim;
}

bool weir_lane_claim(struct weir_lane *lane, const struct weir_step *step,
        const struct weir_str *keys, size_t count)
{
    struct claims *claims = lane->pipeline->claims;
    if (!lane->pipeline->model->whole) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        const struct claim *claim = find(bucket_of(claims, step, keys[i]), step, keys[i]);
        if (claim != NULL && claim->lane != lane) {
            lane->awaits_claim = true;
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct claim **bucket = bucket_of(claims, step, keys[i]);
        if (find(bucket, step, keys[i]) == NULL) {
            add(lane, bucket, step, keys[i]);
        }
    }
    return true;
}

void weir_lane_claim_cancel(struct weir_lane *lane)
{
    lane->awaits_claim = false;
}

static void wake_waiting(struct pipeline *pipeline)
{
    WEIR_EACH_LANE(pipeline, lane)
    {
        if (lane->awaits_claim && !pipeline->stopped) {
            lane->awaits_claim = false;
            weir_lane_resume(lane);
        }
    }
}

void weir_lane_release_claims(struct weir_lane *lane)
{
    if (lane->claims == NULL) {
        return;
    }
    while (lane->claims != NULL) {
        struct claim *claim = lane->claims;
        struct claim **at = bucket_of(lane->pipeline->claims, claim->step, claim->key);
        while (*at != claim) {
            at = &(*at)->same_bucket;
        }
        *at = claim->same_bucket;
        lane->claims = claim->next_of_lane;
        weir_free(claim);
    }
    wake_waiting(lane->pipeline);
}
