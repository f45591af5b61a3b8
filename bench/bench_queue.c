/*
 * Messages through a queue, by the same client for two servers: each connection sends, receives
 * and deletes, one request at a time, over and over, on a queue in which some messages wait.
 *
 *     bench_queue sqs|redis PORT QUEUE CONNECTIONS BATCH SECONDS
 *
 *              sqs (weir)                redis, a list for the queue and one for what is hidden
 *     send     SendMessage[Batch]        LPUSH
 *     receive  ReceiveMessage            LMOVE, for a batch in one write
 *     delete   DeleteMessage[Batch]      LREM, for a batch in one write
 *
 * One thread on epoll. What is received counts when it is deleted. Prints one line of JSON.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    CONNECTIONS_MAX = 64,
    BATCH_MAX = 10,
    HANDLE_MAX = 512, /* a receipt, or a body */
    INPUT_BYTES = 64 * 1024,
    OUTPUT_BYTES = 64 * 1024,
    WAITING = 1000, /* messages in the queue besides those on their way */
    WARM_UP_MS = 300,
    PADDING = 200, /* bytes of a body besides its number */
};

enum stage { SEND, RECEIVE, DELETE, STAGES };

static const char *const stage_names[STAGES] = { "send", "receive", "delete" };

struct worker {
    int fd;
    enum stage stage;
    struct weir_buf out;
    char in[INPUT_BYTES + 1];
    size_t have;
    uint64_t began_ns;
    char handles[BATCH_MAX][HANDLE_MAX]; /* of what was received last */
    size_t held;
};

/* How a server is talked to. */
struct protocol {
    /* Append the request of a worker's stage to its output. */
    void (*ask)(struct worker *worker);
    /* Whether the answer is there whole; takes from it what the next stage needs. */
    bool (*take)(struct worker *worker);
};

struct samples {
    uint64_t *ns;
    size_t count;
    size_t capacity;
};

static struct {
    const char *queue;
    uint16_t port;
    size_t connections;
    size_t batch;
    uint64_t seconds;
} asked;

static struct worker *workers[CONNECTIONS_MAX];
static unsigned long ordinal; /* of the next message */
static unsigned long to_fill = WAITING;
static bool measuring;
static unsigned long total;   /* messages deleted */
static unsigned long deleted; /* while measuring */
static struct samples latencies[STAGES];

static void fail(const char *what)
{
    fprintf(stderr, "bench_queue: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    return weir_clock_monotonic_ns(weir_clock_system());
}

static size_t format_body(char text[HANDLE_MAX])
{
    return (size_t)snprintf(text, HANDLE_MAX, "%0*lu", PADDING + 10, ordinal++);
}

/* --- sqs ------------------------------------------------------------------------------------ */

static void write_entries(struct weir_buf *body, const struct worker *worker)
{
    size_t count = worker->stage == SEND ? asked.batch : worker->held;
    weir_buf_z(body, ",\"Entries\":[");
    for (size_t i = 0; i < count; i++) {
        char text[HANDLE_MAX];
        weir_buf_printf(body, "%s{\"Id\":\"%zu\",", i > 0 ? "," : "", i);
        if (worker->stage == SEND) {
            (void)format_body(text);
            weir_buf_printf(body, "\"MessageBody\":\"%s\"}", text);
        } else {
            weir_buf_printf(body, "\"ReceiptHandle\":\"%s\"}", worker->handles[i]);
        }
    }
    weir_buf_byte(body, ']');
}

static void write_parameters(struct weir_buf *body, const struct worker *worker)
{
    weir_buf_printf(body, "{\"QueueUrl\":\"http://127.0.0.1:%u/000000000000/%s\"",
            (unsigned)asked.port, asked.queue);
    if (worker->stage == RECEIVE) {
        weir_buf_printf(body, ",\"MaxNumberOfMessages\":%zu,\"WaitTimeSeconds\":1", asked.batch);
    } else if (asked.batch > 1) {
        write_entries(body, worker);
    } else if (worker->stage == SEND) {
        char text[HANDLE_MAX];
        (void)format_body(text);
        weir_buf_printf(body, ",\"MessageBody\":\"%s\"", text);
    } else {
        weir_buf_printf(body, ",\"ReceiptHandle\":\"%s\"", worker->handles[0]);
    }
    weir_buf_byte(body, '}');
}

static void ask_sqs(struct worker *worker)
{
    static const char *const operations[STAGES] = { "SendMessage", "ReceiveMessage",
        "DeleteMessage" };
    struct weir_buf body;
    weir_buf_init(&body, OUTPUT_BYTES);
    write_parameters(&body, worker);
    struct weir_str text = weir_buf_view(&body);
    bool batched = asked.batch > 1 && worker->stage != RECEIVE;
    weir_buf_printf(&worker->out,
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/x-amz-json-1.0\r\n"
            "X-Amz-Target: AmazonSQS.%s%s\r\nX-Amz-Date: 20260101T000000Z\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/sqs/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-target, Signature=%064d\r\n"
            "Content-Length: %zu\r\n\r\n%.*s",
            (unsigned)asked.port, operations[worker->stage], batched ? "Batch" : "", 0, text.n,
            WEIR_STR_ARG(text));
    weir_buf_fini(&body);
}

static void take_receipts(struct worker *worker, const char *body)
{
    static const char name[] = "\"ReceiptHandle\":\"";
    for (const char *at = strstr(body, name); at != NULL; at = strstr(at, name)) {
        at += sizeof(name) - 1;
        size_t n = strcspn(at, "\"");
        if (n >= HANDLE_MAX || worker->held == BATCH_MAX) {
            fail("receipts are not as expected");
        }
        memcpy(worker->handles[worker->held], at, n);
        worker->handles[worker->held++][n] = '\0';
    }
}

static bool take_sqs(struct worker *worker)
{
    const char *body = strstr(worker->in, "\r\n\r\n");
    const char *length = strcasestr(worker->in, "\r\ncontent-length:");
    if (body == NULL || length == NULL || length > body) {
        return false;
    }
    size_t want = (size_t)(body - worker->in) + 4 + strtoul(length + 17, NULL, 10);
    if (worker->have < want) {
        return false;
    }
    if (strncmp(worker->in, "HTTP/1.1 200", 12) != 0 || strstr(body, "\"Failed\":[{") != NULL) {
        fail(worker->in);
    }
    if (worker->stage == RECEIVE) {
        take_receipts(worker, body);
    }
    return true;
}

/* --- redis ---------------------------------------------------------------------------------- */

static void write_word(struct weir_buf *out, const char *word)
{
    weir_buf_printf(out, "$%zu\r\n%s\r\n", strlen(word), word);
}

static void write_send(struct weir_buf *out)
{
    weir_buf_printf(out, "*%zu\r\n", 2 + asked.batch);
    write_word(out, "LPUSH");
    write_word(out, asked.queue);
    for (size_t i = 0; i < asked.batch; i++) {
        char text[HANDLE_MAX];
        (void)format_body(text);
        write_word(out, text);
    }
}

static void write_receive(struct weir_buf *out, const char *hidden)
{
    weir_buf_z(out, "*5\r\n");
    write_word(out, "LMOVE");
    write_word(out, asked.queue);
    write_word(out, hidden);
    write_word(out, "RIGHT");
    write_word(out, "LEFT");
}

static void write_delete(struct weir_buf *out, const char *hidden, const char *handle)
{
    weir_buf_z(out, "*4\r\n");
    write_word(out, "LREM");
    write_word(out, hidden);
    write_word(out, "1");
    write_word(out, handle);
}

static void ask_redis(struct worker *worker)
{
    char hidden[HANDLE_MAX];
    (void)snprintf(hidden, sizeof(hidden), "%s-hidden", asked.queue);
    if (worker->stage == SEND) {
        write_send(&worker->out);
    }
    for (size_t i = 0; worker->stage == RECEIVE && i < asked.batch; i++) {
        write_receive(&worker->out, hidden);
    }
    for (size_t i = 0; worker->stage == DELETE && i < worker->held; i++) {
        write_delete(&worker->out, hidden, worker->handles[i]);
    }
}

/* Read one answer at a place; returns what is behind it, NULL when it is not there whole. */
static const char *take_reply(struct worker *worker, const char *at)
{
    const char *line_end = strstr(at, "\r\n");
    if (line_end == NULL) {
        return NULL;
    }
    const char *next = line_end + 2;
    long n = strtol(at + 1, NULL, 10);
    if (*at == ':' && n >= 1) {
        return next;
    }
    if (*at != '$' || n < 0 || n >= HANDLE_MAX) {
        fail(at);
    }
    if ((size_t)(next - worker->in) + (size_t)n + 2 > worker->have) {
        return NULL;
    }
    memcpy(worker->handles[worker->held], next, (size_t)n);
    worker->handles[worker->held++][n] = '\0';
    return next + n + 2;
}

static bool take_redis(struct worker *worker)
{
    size_t replies = worker->stage == SEND ? 1 : asked.batch;
    const char *at = worker->in;
    if (worker->stage == RECEIVE) {
        worker->held = 0; /* what came before is read again */
    }
    for (size_t i = 0; i < replies; i++) {
        at = take_reply(worker, at);
        if (at == NULL) {
            return false;
        }
    }
    return true;
}

static const struct protocol sqs = { ask_sqs, take_sqs };
static const struct protocol redis = { ask_redis, take_redis };
static const struct protocol *protocol;

/* --- the workers ---------------------------------------------------------------------------- */

static void add_sample(struct samples *samples, uint64_t ns)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity > 0 ? samples->capacity * 2 : 4096;
        samples->ns = weir_realloc(samples->ns, samples->capacity, sizeof(*samples->ns));
    }
    samples->ns[samples->count++] = ns;
}

static void send_request(struct worker *worker)
{
    weir_buf_reset(&worker->out);
    protocol->ask(worker);
    struct weir_str out = weir_buf_view(&worker->out);
    worker->have = 0;
    worker->began_ns = now_ns();
    if (send(worker->fd, out.p, out.n, MSG_NOSIGNAL) != (ssize_t)out.n) {
        fail("cannot send");
    }
}

/* What a worker does next. At first all fill the queue. */
static void move_on(struct worker *worker)
{
    if (worker->stage == SEND && to_fill > 0) {
        to_fill -= to_fill < asked.batch ? to_fill : asked.batch;
        return;
    }
    if (worker->stage == RECEIVE && worker->held == 0) {
        return; /* nothing came: ask again */
    }
    if (worker->stage == DELETE) {
        total += worker->held;
        deleted += measuring ? worker->held : 0;
        worker->held = 0;
    }
    worker->stage = (worker->stage + 1) % STAGES;
}

static void on_readable(struct worker *worker)
{
    ssize_t got = recv(worker->fd, worker->in + worker->have, INPUT_BYTES - worker->have, 0);
    if (got <= 0) {
        fail("the connection was closed");
    }
    worker->have += (size_t)got;
    worker->in[worker->have] = '\0';
    if (!protocol->take(worker)) {
        return;
    }
    if (measuring) {
        add_sample(&latencies[worker->stage], now_ns() - worker->began_ns);
    }
    move_on(worker);
    send_request(worker);
}

static struct worker *open_worker(void)
{
    struct worker *worker = weir_alloc_zero(1, sizeof(*worker));
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(asked.port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    weir_buf_init(&worker->out, OUTPUT_BYTES);
    worker->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (worker->fd < 0 || setsockopt(worker->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
            connect(worker->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail("cannot connect");
    }
    return worker;
}

/* Run the workers until a time. */
static void run_until(int epoll, uint64_t end_ns)
{
    struct epoll_event events[CONNECTIONS_MAX];
    while (now_ns() < end_ns) {
        int n = epoll_wait(epoll, events, CONNECTIONS_MAX, 100);
        for (int i = 0; i < n; i++) {
            on_readable(events[i].data.ptr);
        }
    }
}

static void run(void)
{
    const uint64_t ms = 1000 * 1000;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < asked.connections; i++) {
        workers[i] = open_worker();
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = workers[i] };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, workers[i]->fd, &event) != 0) {
            fail("cannot watch a connection");
        }
        send_request(workers[i]);
    }
    while (to_fill > 0) {
        run_until(epoll, now_ns() + 10 * ms);
    }
    run_until(epoll, now_ns() + WARM_UP_MS * ms);
    measuring = true;
    uint64_t began_ns = now_ns();
    run_until(epoll, began_ns + asked.seconds * 1000 * ms);
    measuring = false;
    printf("{\"rate\":%.1f,\"total\":%lu", (double)deleted * 1e9 / (double)(now_ns() - began_ns),
            total);
    for (size_t i = 0; i < asked.connections; i++) {
        close(workers[i]->fd);
        weir_buf_fini(&workers[i]->out);
        weir_free(workers[i]);
    }
    close(epoll);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

static void report(void)
{
    for (enum stage stage = 0; stage < STAGES; stage++) {
        struct samples *samples = &latencies[stage];
        if (samples->count == 0) {
            fail("nothing was measured");
        }
        qsort(samples->ns, samples->count, sizeof(*samples->ns), compare);
        printf(",\"%s_us\":%.1f,\"%s_p99_us\":%.1f", stage_names[stage],
                (double)samples->ns[samples->count / 2] / 1e3, stage_names[stage],
                (double)samples->ns[samples->count - 1 - samples->count / 100] / 1e3);
        weir_free(samples->ns);
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: bench_queue sqs|redis PORT QUEUE CONNECTIONS BATCH SECONDS\n");
        return 2;
    }
    protocol = strcmp(argv[1], "redis") == 0 ? &redis : &sqs;
    asked.port = (uint16_t)strtoul(argv[2], NULL, 10);
    asked.queue = argv[3];
    asked.connections = strtoul(argv[4], NULL, 10);
    asked.batch = strtoul(argv[5], NULL, 10);
    asked.seconds = strtoull(argv[6], NULL, 10);
    if (asked.connections < 1 || asked.connections > CONNECTIONS_MAX || asked.batch < 1 ||
            asked.batch > BATCH_MAX) {
        fail("1 to 64 connections, batches of 1 to 10");
    }
    run();
    report();
    return 0;
}
