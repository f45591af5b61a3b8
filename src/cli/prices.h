/*
 * What a simulation's cost is counted with. The defaults are AWS's public list prices for
 * us-east-1 in US dollars, without free tiers and discounts
 * (aws.amazon.com/dynamodb/pricing/on-demand, /lambda/pricing, /sqs/pricing; as of 2025).
 */
#ifndef WEIR_CLI_PRICES_H
#define WEIR_CLI_PRICES_H

#include <stdbool.h>
#include <stdint.h>

struct weir_prices {
    char currency[16];
    double table_write;        /* a million write request units */
    double table_read;         /* a million read request units */
    double queue_request;      /* a million requests to a queue */
    double fifo_request;       /* a million requests to a FIFO queue */
    double function_request;   /* a million runs of a function */
    double function_gb_second; /* memory x duration of runs */
    uint64_t run_ms;           /* of a run of a function that nothing says the duration of */
    uint64_t run_bytes;        /* the memory of a batch as a function, and of one without a limit */
};

/* The defaults, or what a YAML file says. False: the file is wrong, and that was said. */
bool weir_prices_load(const char *path, struct weir_prices *ret_prices);

#endif
