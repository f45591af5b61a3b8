/*
 * From a PutItem's answer to the derived item being readable: a client puts an item into
 * bench-events and asks bench-derived for the item of that key until it is there, at rest and
 * while other connections write 2,000 items a second into bench-events.
 *
 *     bench_reaction PORT [SAMPLES]
 *
 * Blocking sockets, one request at a time on each. A GetItem that finds nothing costs a round
 * trip, so that is how finely this measures; the table tells how long one takes.
 *
 * Or from a PutItem's answer to a handler being entered, at rest: the handler sends the monotonic
 * clock's nanoseconds of that moment, as digits, to UDP port HANDLER. Both read the same clock.
 *
 *     bench_reaction PORT SAMPLES HANDLER
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    BODY_BYTES = 1024,
    BUFFER_BYTES = 8192,
    WRITERS = 4,
    WRITES_PER_SECOND = 2000,
    WRITER_KEYS = 10000,
    PROBE_PAUSE_US = 2000, /* between two samples */
    BUCKETS = 12,
};

struct connection {
    int fd;
    char answer[BUFFER_BYTES];
};

static uint16_t port;
static atomic_bool writing;
static atomic_ulong written;

static void fail(const char *what)
{
    fprintf(stderr, "bench_reaction: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    return weir_clock_monotonic_ns(weir_clock_system());
}

static void wait_until(uint64_t due_ns)
{
    uint64_t now = now_ns();
    if (now < due_ns) {
        struct timespec rest = { .tv_nsec = (long)((due_ns - now) % 1000000000) };
        (void)ppoll(NULL, 0, &rest, NULL);
    }
}

static void open_connection(struct connection *connection)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    if (connection->fd < 0 ||
            setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
            connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("cannot connect");
    }
}

/* The bytes of an answer that is there whole, or 0. */
static size_t answer_bytes(const char *answer)
{
    const char *body = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "\r\ncontent-length:");
    if (body == NULL || length == NULL || length > body) {
        return 0;
    }
    return (size_t)(body - answer) + 4 + strtoul(length + 17, NULL, 10);
}

/* Send a request and read its answer; false unless the status is 200. */
static bool call(struct connection *connection, const char *operation, const char *body)
{
    char request[BUFFER_BYTES];
    int n = snprintf(request, sizeof(request),
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/x-amz-json-1.0\r\n"
            "X-Amz-Target: DynamoDB_20120810.%s\r\nContent-Length: %zu\r\n\r\n%s",
            (unsigned)port, operation, strlen(body), body);
    if (send(connection->fd, request, (size_t)n, MSG_NOSIGNAL) != n) {
        fail("cannot send");
    }
    size_t have = 0;
    size_t want = 0;
    while (want == 0 || have < want) {
        ssize_t got = recv(connection->fd, connection->answer + have, BUFFER_BYTES - 1 - have, 0);
        if (got <= 0) {
            fail("the connection was closed");
        }
        have += (size_t)got;
        connection->answer[have] = '\0';
        want = answer_bytes(connection->answer);
    }
    return strncmp(connection->answer, "HTTP/1.1 200", 12) == 0;
}

static void put(struct connection *connection, const char *key, unsigned variant)
{
    char body[BODY_BYTES];
    (void)snprintf(body, sizeof(body),
            "{\"TableName\":\"bench-events\",\"Item\":{\"id\":{\"S\":\"%s\"},\"status\":{\"S\":"
            "\"analyzed\"},\"score\":{\"N\":\"%u\"},\"text\":{\"S\":\"%0250u\"}}}",
            key, variant, variant);
    if (!call(connection, "PutItem", body)) {
        fail(connection->answer);
    }
}

/* Ask for the derived item; whether it is there. */
static bool is_derived(struct connection *connection, const char *key)
{
    char body[BODY_BYTES];
    (void)snprintf(body, sizeof(body),
            "{\"TableName\":\"bench-derived\",\"Key\":{\"id\":{\"S\":\"%s\"}}}", key);
    if (!call(connection, "GetItem", body)) {
        fail(connection->answer);
    }
    return strstr(connection->answer, "\"Item\"") != NULL;
}

/* One writer's share of the load, evenly spread; what is late is made up for. */
static void *write_main(void *arg)
{
    const unsigned number = *(const unsigned *)arg;
    const uint64_t period_ns = 1000000000ull * WRITERS / WRITES_PER_SECOND;
    struct connection *connection = weir_alloc_zero(1, sizeof(*connection));
    open_connection(connection);
    uint64_t due_ns = now_ns() + number * period_ns / WRITERS;
    for (unsigned n = number; atomic_load(&writing); n += WRITERS) {
        char key[32];
        wait_until(due_ns);
        (void)snprintf(key, sizeof(key), "load-%u", n * 7919 % WRITER_KEYS);
        put(connection, key, n);
        atomic_fetch_add(&written, 1);
        due_ns += period_ns;
    }
    close(connection->fd);
    weir_free(connection);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

static void print_histogram(const uint64_t *sorted, size_t samples)
{
    size_t at = 0;
    uint64_t limit_us = 50;
    for (int i = 0; i < BUCKETS && at < samples; i++, limit_us *= 2) {
        size_t from = at;
        while (at < samples && sorted[at] < limit_us * 1000) {
            at++;
        }
        if (at > from) {
            printf("  < %6llu us %6zu  %.*s\n", (unsigned long long)limit_us, at - from,
                    (int)((at - from) * 50 / samples),
                    "##################################################");
        }
    }
    if (at < samples) {
        printf("    longer    %6zu\n", samples - at);
    }
}

struct summary {
    double median_us;
    double p99_us;
    double longest_us;
};

/* Sorts the samples. */
static struct summary summarize(uint64_t *ns, size_t samples)
{
    qsort(ns, samples, sizeof(*ns), compare);
    return (struct summary){
        .median_us = (double)ns[samples / 2] / 1e3,
        .p99_us = (double)ns[samples - 1 - samples / 100] / 1e3,
        .longest_us = (double)ns[samples - 1] / 1e3,
    };
}

static void report(const char *load, uint64_t *ns, size_t samples, double round_trip_us,
        double writes_per_second)
{
    struct summary all = summarize(ns, samples);
    printf("%s (%.0f writes/s): median %.0f us, 99th percentile %.0f us, longest %.0f us; a "
           "GetItem "
           "takes %.0f us\n",
            load, writes_per_second, all.median_us, all.p99_us, all.longest_us, round_trip_us);
    print_histogram(ns, samples);
    printf("{\"bench\":\"reaction\",\"writes_per_second\":%.0f,\"samples\":%zu,\"item_bytes\":300,"
           "\"indexes\":0,\"median_us\":%.1f,\"p99_us\":%.1f,\"longest_us\":%.1f,"
           "\"get_us\":%.1f}\n",
            writes_per_second, samples, all.median_us, all.p99_us, all.longest_us, round_trip_us);
}

/* Take samples, each with a key that was never written. */
static void measure(const char *load, size_t samples, uint64_t pause_us)
{
    static unsigned ordinal;
    struct connection *connection = weir_alloc_zero(1, sizeof(*connection));
    uint64_t *ns = weir_alloc(samples * sizeof(*ns));
    open_connection(connection);
    uint64_t asked = 0;
    uint64_t asking_ns = 0;
    uint64_t began_ns = now_ns();
    unsigned long before = atomic_load(&written);
    for (size_t i = 0; i < samples; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "probe-%d-%u", (int)getpid(), ordinal++);
        put(connection, key, ordinal);
        uint64_t answered_ns = now_ns();
        do {
            asked++;
        } while (!is_derived(connection, key));
        ns[i] = now_ns() - answered_ns;
        asking_ns += ns[i];
        if (pause_us > 0) {
            wait_until(answered_ns + pause_us * 1000);
        }
    }
    double writes = (double)(atomic_load(&written) - before);
    double seconds = (double)(now_ns() - began_ns) / 1e9;
    report(load, ns, samples, (double)asking_ns / (double)asked / 1e3, writes / seconds);
    close(connection->fd);
    weir_free(connection);
    weir_free(ns);
}

/* --- until a handler is entered ------------------------------------------------------- */

static int listen_to_handler(uint16_t handler_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(handler_port) };
    struct timeval patience = { .tv_sec = 10 };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
        fail("cannot listen to the handler");
    }
    return fd;
}

static uint64_t hear_entry(int fd)
{
    char text[32] = "";
    if (recv(fd, text, sizeof(text) - 1, 0) <= 0) {
        fail("the handler says nothing");
    }
    return strtoull(text, NULL, 10);
}

/* One that is entered before the answer is read counts as 0. */
static void measure_trigger(size_t samples, uint16_t handler_port)
{
    enum { WARM_UP = 200 };
    struct connection *connection = weir_alloc_zero(1, sizeof(*connection));
    uint64_t *ns = weir_alloc(samples * sizeof(*ns));
    int fd = listen_to_handler(handler_port);
    open_connection(connection);
    for (size_t i = 0; i < samples + WARM_UP; i++) {
        char key[64];
        (void)snprintf(key, sizeof(key), "probe-%d-%zu", (int)getpid(), i);
        put(connection, key, (unsigned)i);
        uint64_t answered_ns = now_ns();
        uint64_t entered_ns = hear_entry(fd);
        if (i >= WARM_UP) {
            ns[i - WARM_UP] = entered_ns > answered_ns ? entered_ns - answered_ns : 0;
        }
        wait_until(answered_ns + PROBE_PAUSE_US * 1000);
    }
    struct summary all = summarize(ns, samples);
    printf("from the answer of a write to a warm handler being entered: median %.0f us, 99th "
           "percentile %.0f us, longest %.0f us\n",
            all.median_us, all.p99_us, all.longest_us);
    print_histogram(ns, samples);
    printf("{\"bench\":\"trigger\",\"samples\":%zu,\"item_bytes\":300,\"median_us\":%.1f,"
           "\"p99_us\":%.1f,\"longest_us\":%.1f}\n",
            samples, all.median_us, all.p99_us, all.longest_us);
    close(fd);
    close(connection->fd);
    weir_free(connection);
    weir_free(ns);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_reaction PORT [SAMPLES [HANDLER]]\n");
        return 2;
    }
    port = (uint16_t)strtoul(argv[1], NULL, 10);
    size_t samples = argc > 2 ? strtoull(argv[2], NULL, 10) : 3000;
    if (argc > 3) {
        measure_trigger(samples, (uint16_t)strtoul(argv[3], NULL, 10));
        return 0;
    }
    measure("at rest", samples, PROBE_PAUSE_US);
    pthread_t threads[WRITERS];
    unsigned numbers[WRITERS];
    atomic_store(&writing, true);
    for (unsigned i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, write_main, &numbers[i]) != 0) {
            fail("cannot start a thread");
        }
    }
    measure("under load", samples, PROBE_PAUSE_US);
    atomic_store(&writing, false);
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return 0;
}
