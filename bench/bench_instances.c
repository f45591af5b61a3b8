/*
 * How many events instances of a function can take at all: a loop that gives each of its
 * connections the next event as soon as the last one is answered, and does nothing else. What
 * connects are weir's start-up scripts, which ask for the next event with each answer.
 *
 *     bench_instances CONNECTIONS SECONDS
 *
 * Prints its port, waits for the connections, and prints one line of JSON. One thread on epoll.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { CONNECTIONS_MAX = 64, INPUT_BYTES = 16 * 1024, WARM_UP_SECONDS = 2 };

struct instance {
    int fd;
    size_t have;
    char in[INPUT_BYTES + 1];
};

static const char event[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n"
        "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
        "Lambda-Runtime-Deadline-Ms: 4102444800000\r\n"
        "Lambda-Runtime-Invoked-Function-Arn: "
        "arn:aws:lambda:us-east-1:000000000000:function:nothing\r\n"
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;"
        "Sampled=0\r\n\r\n{\"n\":1}";

static void fail(const char *what)
{
    fprintf(stderr, "bench_instances: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    return weir_clock_monotonic_ns(weir_clock_system());
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t n = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, n) != 0 ||
            listen(fd, CONNECTIONS_MAX) != 0 ||
            getsockname(fd, (struct sockaddr *)&address, &n) != 0) {
        fail("cannot listen");
    }
    printf("listening on %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* The bytes of the request at the front when it is there whole, or 0. */
static size_t request_bytes(const char *in)
{
    const char *body = strstr(in, "\r\n\r\n");
    const char *length = strcasestr(in, "\r\ncontent-length:");
    if (body == NULL) {
        return 0;
    }
    bool has_body = length != NULL && length < body;
    return (size_t)(body - in) + 4 + (has_body ? strtoul(length + 17, NULL, 10) : 0);
}

/* Answer each whole request with an event; how many there were. */
static unsigned long serve(struct instance *instance)
{
    unsigned long events = 0;
    ssize_t got =
            recv(instance->fd, instance->in + instance->have, INPUT_BYTES - instance->have, 0);
    if (got <= 0) {
        fail("an instance has ended");
    }
    instance->have += (size_t)got;
    instance->in[instance->have] = '\0';
    for (size_t n = request_bytes(instance->in); n > 0 && n <= instance->have;
            n = request_bytes(instance->in)) {
        memmove(instance->in, instance->in + n, instance->have - n + 1);
        instance->have -= n;
        if (send(instance->fd, event, sizeof(event) - 1, MSG_NOSIGNAL) < 0) {
            fail("cannot send");
        }
        events++;
    }
    return events;
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (count == 0 || count > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: bench_instances CONNECTIONS SECONDS, with at most %d connections\n",
                CONNECTIONS_MAX);
        return 2;
    }
    uint64_t seconds = strtoull(argv[2], NULL, 10);
    int listener = listen_anywhere();
    int epoll = epoll_create1(0);
    struct instance *instances = weir_alloc_zero(count, sizeof(*instances));
    for (unsigned long i = 0; i < count; i++) {
        struct epoll_event wanted = { .events = EPOLLIN, .data.ptr = &instances[i] };
        int on = 1;
        instances[i].fd = accept(listener, NULL, NULL);
        if (instances[i].fd < 0 ||
                setsockopt(instances[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
                epoll_ctl(epoll, EPOLL_CTL_ADD, instances[i].fd, &wanted) != 0) {
            fail("cannot accept");
        }
    }
    unsigned long events = 0;
    uint64_t begin = now_ns() + WARM_UP_SECONDS * 1000000000ull;
    uint64_t end = begin + seconds * 1000000000ull;
    for (uint64_t now = now_ns(); now < end; now = now_ns()) {
        struct epoll_event ready[CONNECTIONS_MAX];
        int n = epoll_wait(epoll, ready, CONNECTIONS_MAX, 100);
        for (int i = 0; i < n; i++) {
            unsigned long answered = serve(ready[i].data.ptr);
            events += now >= begin ? answered : 0;
        }
    }
    printf("{\"rate\":%.1f}\n", (double)events / (double)seconds);
    weir_free(instances);
    return 0;
}
